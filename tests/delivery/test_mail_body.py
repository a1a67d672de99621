"""What a mail says: the same in HTML and text, all of it escaped, and never too much."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st
from mail_samples import COMMERCE, HOSTILE, VALUES, chart, countries, message, section, value

from tidings.delivery.mail.body import MOST_ROWS, body_of, page_address, smaller
from tidings.delivery.mail.grid import COLUMNS, columns, fitted
from tidings.delivery.mail.html import html_of
from tidings.delivery.mail.text import MORE, text_of, wrapped
from tidings.display import formats, show
from tidings.reporting.index import ReportFinding
from tidings.reporting.record import Failure

GOLDEN = Path(__file__).parent / "mail.txt"
UNSUBSCRIBE = "mailto:ops@example.com?subject=unsubscribe%20weekly"


def rendered(shown: object = None, **more: object) -> tuple[str, str]:
    """The words of both parts, blanks of all kinds as one."""
    body = shown or body_of(message(**more), UNSUBSCRIBE)  # type: ignore[arg-type]
    page = html_of(body, {picture: f"cid:{n}" for n, picture in enumerate(body.pictures)})  # type: ignore[arg-type, attr-defined]
    return page, text_of(body)  # type: ignore[arg-type]


def words(text: str) -> str:
    return " ".join(text.split())


def test_the_text_part_is_as_it_was_approved() -> None:
    assert text_of(body_of(message(), UNSUBSCRIBE)) == GOLDEN.read_text(encoding="utf-8")


def test_every_figure_of_the_cards_is_in_both_parts() -> None:
    page, text = rendered()
    said = (
        words(BeautifulSoup(page, "html.parser").get_text(" ", strip=False)).replace(" %", "%").replace(" EUR", "EUR")
    )
    figures = [figure for item in COMMERCE.of_kind("cards") for figure in item.figures]
    assert len(figures) == len(VALUES)
    for figure in figures:
        amount = None if figure["value"] is None else float(figure["value"])
        shown = words(str(formats.short(amount, figure["unit"])))
        assert figure["title"] in said and figure["title"] in text
        assert shown.replace(" %", "%").replace(" EUR", "EUR") in said
        assert shown in words(text)


def test_both_parts_say_the_same() -> None:
    """Each sentence, cell, title and address of one part is in the other."""
    page, text = rendered()
    soup = BeautifulSoup(page, "html.parser")
    in_text = words(text).replace(" %", "%").replace(" ", "")
    soup.find("style").decompose()  # type: ignore[union-attr]
    soup.find("title").decompose()  # type: ignore[union-attr]
    left_out = {"Open the whole report", "Unsubscribe", "Land 1: 999.00 EUR net revenue, as much as the next (Land 2)"}
    for said in soup.stripped_strings:
        if said not in left_out and not said.startswith("3 – 30 Jun 2026 ·"):
            assert words(said).strip(", ·").replace(" ", "").replace("%", "%") in in_text, said
    for link in soup.find_all("a"):
        assert str(link["href"]) in text
    for picture in soup.find_all("img"):
        assert words(str(picture["alt"])).replace(" ", "") in in_text


def test_a_hostile_text_is_shown_as_it_is_and_does_nothing() -> None:
    hostile = section(
        "commerce",
        show.cards(VALUES),
        chart(HOSTILE),
        show.ranking(countries(name=HOSTILE), title=HOSTILE),
        title=HOSTILE,
    )
    page, text = rendered(
        records=(hostile,),
        title=HOSTILE,
        period=HOSTILE,
        gaps=(HOSTILE,),
        alerts=(HOSTILE,),
        notes=(HOSTILE,),
        findings=(ReportFinding(HOSTILE, HOSTILE, (("commerce", HOSTILE),)),),
    )
    soup = BeautifulSoup(page, "html.parser")
    assert soup.find("script") is None
    assert not [tag for tag in soup.find_all() if any(str(name).startswith("on") for name in tag.attrs)]
    assert {str(image["src"]) for image in soup.find_all("img")} == {"cid:0", "cid:1"}
    assert "49" not in soup.get_text()
    assert '<script>alert("1")</script>' in unescape(page)
    for part in (page, text):
        assert "\x1b" not in part and "\u202e" not in part


def test_nothing_behind_a_figure_leaves() -> None:
    """Neither SQL, nor tables, nor the name of a build."""
    for part in rendered():
        assert "secret_column" not in part
        assert "fct_orders" not in part


def test_lines_have_less_than_78_columns_but_for_addresses() -> None:
    """Also where a word is longer than a line, and where each letter is two columns wide."""
    long = ReportFinding("x" * 300 + " " + "漢字" * 60, "", (("commerce", "Commerce"),))
    text = rendered(findings=(long,), gaps=("語" * 100,))[1]
    lines = [line for line in text.splitlines() if "://" not in line and "mailto:" not in line]
    assert max(map(columns, lines)) == COLUMNS


@given(st.text(alphabet="abc déß漢 ", max_size=300), st.sampled_from(["", "- ", "1. "]))
def test_wrapping_loses_nothing(text: str, first: str) -> None:
    lines = wrapped(text, first, "  ")
    assert all(columns(line.rstrip(" ")) <= COLUMNS for line in lines)
    assert "".join(lines).replace(" ", "") == f"{first}{text}".replace(" ", "")


@given(
    st.lists(st.lists(st.text(alphabet="ab1 漢", max_size=60), min_size=4, max_size=4), min_size=1, max_size=20),
    st.lists(st.booleans(), min_size=4, max_size=4),
)
def test_a_table_always_fits(rows: list[list[str]], is_number: list[bool]) -> None:
    head, *others = [tuple(row) for row in rows]
    # A number is never cut: it would be another one.
    grid = fitted("", "", head, tuple(is_number), others, most=MOST_ROWS)
    for at, right in enumerate(grid.is_number):
        if right:
            assert [row[at] for row in (grid.heads, *grid.rows)] == [row[at] for row in (head, *others[:MOST_ROWS])]
    texts = [at for at, right in enumerate(grid.is_number) if not right]
    if len(grid.heads) > 1 or texts:
        assert max(map(columns, grid.lines())) <= COLUMNS
    assert len(grid.rows) + grid.left == len(others)


def test_a_table_of_many_rows_and_columns_says_what_it_leaves_out() -> None:
    heads = ("Country", *(f"Month {n:02d}" for n in range(20)))
    rows = [("Germany", *["1\u202f000"] * 20)] * 14
    grid = fitted("", "", heads, (False, *[True] * 20), rows, most=MOST_ROWS)
    assert len(grid.rows) == 12
    assert grid.notes == "13 more columns on the page. 2 more rows on the page."
    assert grid.first(3).left == 11


def test_a_chart_has_its_finding_as_text_and_a_picture_for_a_phone() -> None:
    soup = BeautifulSoup(rendered()[0], "html.parser")
    wide, narrow = soup.find_all("img")
    assert (wide["width"], narrow["width"]) == ("552", "328")
    assert "display: none" in str(narrow["style"]) and "display: none" not in str(wide["style"])
    assert str(wide["alt"]).startswith("Line chart of Net revenue by day, 3 – 30 Jun 2026.")


def test_a_failed_section_and_one_that_nothing_brings_say_so_in_a_word() -> None:
    failed = replace(COMMERCE, failure=Failure("", "NameError: /home/ann/x", "", ""))
    page, text = rendered(records=(failed,))
    assert "Commerce: failed" in text
    assert "/home/ann" not in page + text


def test_styles_stand_in_the_elements_and_need_no_variables() -> None:
    page, _ = rendered()
    assert "var(" not in page and "[[" not in page and "<link" not in page
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert style is not None
    assert re.findall(r"@media \([a-z-]+", style[1]) == ["@media (max-width", "@media (prefers-color-scheme"]
    soup = BeautifulSoup(page, "html.parser")
    assert soup.html is not None and soup.html["lang"] == "en"
    assert {str(meta["content"]) for meta in soup.find_all("meta", attrs={"name": "color-scheme"})} == {"light dark"}
    for table in soup.find_all("table"):
        is_data = table.find("thead") is not None and table.find("table") is None
        assert table.get("role") == (None if is_data else "presentation")
    assert next(tag.name for tag in soup.find_all(re.compile("h[1-6]"))) == "h1"
    for cell in soup.select("td.card, td.finding, .grid td"):
        assert "color:" in str(cell["style"]) and "font-size" in page


@pytest.mark.parametrize(
    ("address", "page"),
    [
        ("https://example.com/weekly/2026-07-01/index.html", "https://example.com/weekly/2026-07-01/com%20merce.html"),
        ("https://example.com/weekly/2026-07-01/", "https://example.com/weekly/2026-07-01/com%20merce.html"),
        ("https://example.com/weekly/2026.07", "https://example.com/weekly/2026.07/com%20merce.html"),
        ("", ""),
    ],
)
def test_a_section_leads_to_its_page(address: str, page: str) -> None:
    assert page_address(message(address=address), "com merce") == page


def test_what_is_left_out_first_matters_least() -> None:
    """Each step has less than the one before; the head and the address of the page are never left out."""
    steps = list(smaller(body_of(message(), UNSUBSCRIBE)))
    sizes = [len(rendered(step)[0]) for step in steps]
    assert sizes == sorted(sizes, reverse=True)
    assert [bool(step.notes) for step in steps] == [False] * len(steps)
    with_cards = [bool(step.cards) for step in steps]
    assert with_cards.index(False) == len(steps) - 1
    assert [bool(step.charts) for step in steps].index(False) > [step.table is None for step in steps].index(True)
    for page, text in map(rendered, steps):
        assert "Weekly report" in text and "https://reports.example.com/weekly/2026-07-01/index.html" in page
        assert MORE in text and MORE in page


def test_at_most_three_findings_six_cards_three_charts_and_ten_lines() -> None:
    many = section(
        "commerce",
        show.cards([value(n) for n in range(6)]),
        show.cards([value(n) for n in range(6)]),
        *[chart(f"Chart {n}") for n in range(5)],
    )
    finding = ReportFinding("x", "", ())
    body = body_of(message((many,), findings=(finding,) * 5, gaps=("gone",) * 12))
    assert (len(body.findings), len(body.cards), len(body.charts)) == (3, 6, 3)
    assert body.gaps[-1] == "And 2 more."
