"""Pages: complete, offline, escaped, in order, and made from the executed notebook alone."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

import pytest
from bs4 import BeautifulSoup
from section_notebooks import GOOD

from opened_pages import Opened
from tidings.reporting.run import run

NOW = datetime(2026, 7, 1, 6, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def html(ran) -> str:
    return (ran.folder / "commerce.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(html: str) -> BeautifulSoup:
    return BeautifulSoup(html, "html.parser")


@pytest.fixture(scope="module")
def failed(ran) -> BeautifulSoup:
    return BeautifulSoup((ran.folder / "web_traffic.html").read_text(encoding="utf-8"), "html.parser")


@pytest.fixture(scope="module")
def index(ran) -> BeautifulSoup:
    return BeautifulSoup((ran.folder / "index.html").read_text(encoding="utf-8"), "html.parser")


def test_nothing_comes_from_elsewhere(ran) -> None:
    for file in ran.folder.glob("*.html"):
        soup = BeautifulSoup(file.read_text(encoding="utf-8"), "html.parser")
        loaded = [tag["src"] for tag in soup.select("[src]")] + [tag["href"] for tag in soup.select("link[href]")]
        assert all(url.startswith("data:") for url in loaded), file.name
        for tag in soup.select("a[href]"):
            target = "" if tag["href"].startswith("data:text/csv") else tag["href"].partition("#")[0]
            assert not target or (ran.folder / target).is_file(), f"{file.name} links to {target}"
        assert "url(" not in "".join(style.get_text() for style in soup.select("style"))
        assert file.stat().st_size < 2_500_000


def test_the_policy_lets_only_our_scripts_run(page: BeautifulSoup) -> None:
    policy = page.select_one("meta[http-equiv=Content-Security-Policy]")["content"]
    assert policy.startswith("default-src 'none';")
    assert "unsafe-eval" not in policy
    scripts = [tag.string for tag in page.select("script:not([type])")]
    assert len(scripts) == 2
    for script in scripts:
        assert base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() in policy


def test_content_is_escaped_wherever_it_appears(html: str, page: BeautifulSoup) -> None:
    for injected in ("<img src=x", "<script>alert", "<i>quietly", "<b>Bag"):
        assert injected not in html
    # It is there, as text.
    assert "<i>quietly</i>" in page.get_text()
    assert "</script><img src=x" in page.get_text()


def test_one_h1_and_headings_in_order_with_their_own_ids(page: BeautifulSoup) -> None:
    headings = [(h.name, h.get_text()) for h in page.find_all(re.compile("^h[1-6]$"))]
    assert headings == [
        ("h1", "Commerce"),
        ("h2", "How are we doing?"),
        ("h2", "How did revenue develop?"),
        ("h3", "By product"),
        ("h2", "How are we doing?"),
        ("h2", "Notes, definitions, sources"),
    ]
    ids = [tag["id"] for tag in page.select("[id]")]
    assert len(ids) == len(set(ids))
    assert {a["href"][1:] for a in page.select(".contents a")} <= set(ids)


def test_landmarks_language_and_a_way_past_the_head(page: BeautifulSoup) -> None:
    assert page.html["lang"] == "en"
    assert [len(page.select(name)) for name in ("header", "main", "footer", "nav")] == [1, 1, 1, 1]
    assert page.body.find("a")["href"] == "#main"


def test_the_head_comes_from_notebook_and_book(page: BeautifulSoup) -> None:
    head = page.select_one("header")
    assert "What was earned, and from whom?" in head.get_text()
    assert head.select_one(".td-head") is not None
    assert page.title.get_text() == "Commerce · Weekly report · 2026-07-01"


def test_what_lies_behind_is_at_the_end_behind_one_control(page: BeautifulSoup) -> None:
    assert page.select("main .cell details, main .cell pre.td-sql") == []
    [control] = page.select("main section.appendix > details")
    assert control.summary.get_text() == "Where these numbers come from" and not control.has_attr("open")
    entries = control.select("details.source")
    # Findings, cards, three charts, a printed line, a data frame.
    assert len(entries) == 7
    assert "picture(" in entries[2].get_text()
    assert "SELECT day, sum(net)" in entries[2].get_text()
    assert [cell.get_text() for cell in entries[2].select("tbody tr:first-child > *")] == ["1 Jun 2026", "100.00"]
    assert "TIDINGS_BUILD" in control.select(":scope > details.code")[-1].get_text()
    # Each figure leads there, and back.
    for number, figure in enumerate(page.select("main .item"), start=1):
        assert figure["id"] == f"figure-{number}"
        assert figure.select_one(".figure-links a")["href"] == f"#source-{number}"
        assert control.select_one(f"#source-{number} a[href='#figure-{number}']") is not None


def test_a_build_is_named_once_where_the_numbers_come_from(ran, page: BeautifulSoup) -> None:
    facts = [dd.get_text() for dd in page.select("main .facts dd")]
    assert facts.count(ran.result.run.build) == 1
    assert all(ran.result.run.build not in item.get_text() for item in page.select("main .item"))


def test_every_table_and_chart_can_be_had_as_csv(page: BeautifulSoup) -> None:
    links = page.select("a[download]")
    # Three charts.
    assert [link["download"] for link in links][1:] == [
        "commerce-a-second-chart.csv",
        "commerce-b-bag-b-120-00-eur-net-revenue-1-5-times-the-ne.csv",
    ]
    head, first, *_ = unquote(links[1]["href"].partition(",")[2]).split("\r\n")
    assert (head, first) == ("\ufeffDay,Net revenue (EUR)", "2026-06-01,100")
    assert unquote(links[2]["href"]).split("\r\n")[1:] == ["<b>Bag</b>,120", "Cup,80", ""]


def test_the_digest_is_for_the_machine(page: BeautifulSoup) -> None:
    assert "net_revenue 200" not in page.get_text()


def test_every_linked_metric_is_defined_once(page: BeautifulSoup) -> None:
    assert [tag["id"] for tag in page.select("dt") if tag.has_attr("id")] == ["def-net_revenue"]
    assert page.select_one('a[href="#def-net_revenue"]') is not None
    assert len(page.select_one(".definitions dd").get_text().strip()) > 20


def test_provenance_names_tables_build_and_parameters(ran, page: BeautifulSoup) -> None:
    said = page.select_one(".appendix").get_text(" ", strip=True)
    for part in (
        "fct_orders",
        "last row at 30 Jun 2026",
        ran.result.run.build,
        "1 Jul 2026, 00:00 Europe/Berlin",
        "days 14",
    ):
        assert part in said


def test_a_note_stands_once_under_each_figure_that_it_concerns(page: BeautifulSoup) -> None:
    assert "2 orders have no rate." in page.select_one(".td-notes").get_text()
    assert page.select(".appendix > ul") == []


def test_a_page_lists_each_prepared_view_once(page: BeautifulSoup) -> None:
    [shown] = [tag for tag in page.select("pre.td-sql") if "WHERE ts < now" in tag.get_text()]
    assert shown["aria-label"] == "View fct_orders_visible"


def test_a_failed_section_shows_why_where_it_stopped(failed: BeautifulSoup) -> None:
    [box] = failed.select(".failure")
    assert "It stopped at “How did revenue develop?”" in box.get_text()
    assert box.select_one(".reason").get_text() == "ValueError: [secret] was refused by <b>the shop</b>"
    assert not any(tag.has_attr("open") for tag in box.select("details"))
    # What had been computed is there, what had not is not.
    assert failed.select_one(".td-cards") is not None
    assert "never" not in failed.select_one("main").get_text()
    before = [tag.get("id") for tag in box.find_all_previous("h2")]
    assert before[0] == "how-did-revenue-develop"


def test_what_comes_after_a_failure_says_that_it_was_not_run(failed: BeautifulSoup) -> None:
    said = [(h.get_text(), "not-run" in str(h)) for h in failed.select("main h2")]
    assert said[:3] == [("How are we doing?", False), ("How did revenue develop?", False), ("What next? not run", True)]
    assert "What next? (not run)" in failed.select_one(".contents").get_text()


def test_the_index_ties_the_run_together(index: BeautifulSoup) -> None:
    assert index.h1.get_text() == "Weekly report"
    assert "1 – 30 Jun 2026" in index.select_one(".period").get_text()
    assert [a["href"] for a in index.select("h3 a")] == ["web_traffic.html", "commerce.html"]
    assert "1 of 2 sections could not be finished" in index.get_text()
    assert "ValueError: [secret]" in index.select_one(".failure").get_text()
    # Both sections found the same: it is said once.
    [finding] = index.select(".td-findings li")
    assert " ".join(finding.get_text().split()) == "Net revenue rose. Look at Germany. Web traffic, Commerce"
    assert [a["href"] for a in finding.select("a")] == ["web_traffic.html", "commerce.html"]
    good = index.select_one("#section-2")
    assert good.select_one(".state").get_text() == "1 unusual"
    # A definition is on the section's page.
    assert good.select_one(".td-cards a")["href"] == "commerce.html#def-net_revenue"
    rows = [[cell.get_text(strip=True) for cell in row.select("th,td")][:2] for row in index.select("tbody tr")[:2]]
    assert rows == [["Web traffic", "failed"], ["Commerce", "done"]]


# Names of elements

HOSTILE = (
    "Figure 1",
    "figure-2",
    "Main",
    "Charts",
    "Appendix",
    "def-net_revenue",
    "constructor",
    r"\_\_proto\_\_",
    "toc",
    "Twice",
    "Twice",
    "Twice 2",
    "🎉",
    "📈 🎉",
    "Größe & Maß <b>of</b> it",
    "收入",
    "100 %",
    "a" * 400,
    "title-1",
    "section-1",
)


@pytest.fixture(scope="module")
def hostile(workbook) -> Path:
    """A section with headings called like what a page has of its own, and HTML of its author."""
    cells = [f"## {heading}" for heading in HOSTILE]
    raw = "# \n\n##\n\n<div id='main'>raw</div><p id='figure-1'>raw</p><p id='twice'>raw</p>"
    settings = workbook(hostile=[*GOOD[:7], *cells, raw])
    return run(settings, "hostile", {}, now=NOW).index.parent / "hostile.html"


def test_names_of_elements_are_unique_and_ours_stay_ours(hostile: Path) -> None:
    page = BeautifulSoup(hostile.read_text(encoding="utf-8"), "html.parser")
    ids = [tag["id"] for tag in page.select("[id]")]
    assert sorted(ids) == sorted(set(ids))
    assert [page.find(id=name).name for name in ("main", "appendix")] == ["main", "h2"]
    assert all("item" in page.find(id=f"figure-{n}")["class"] for n in (1, 2, 3))
    assert page.find(id="def-net_revenue").name == "dt"
    links = [(a["href"][1:], a.get_text()) for a in page.select(".contents a")]
    assert all(text and name in ids for name, text in links)
    assert [text for _, text in links[2:]] == [re.sub(r"</?b>|\\", "", h) for h in HOSTILE]
    # "Twice 2" would be the name of the second "Twice"; an author's own HTML has its name first.
    twice = [name for name, text in links if text.startswith("Twice")]
    assert twice == ["twice-2", "twice-3", "twice-2-2"]
    assert max(map(len, ids)) < 80
    # An empty heading is none.
    assert [h for h in page.find_all(re.compile("^h[1-6]$")) if not h.get_text().strip()] == []


@pytest.mark.browser
def test_links_to_anything_leave_the_page_whole(hostile: Path, browser) -> None:
    for fragment in ("%", "%E0%A4%A", "figure-1", "main", "größe-mass-of-it", "nothing", "a b", "'\"", ""):
        opened = Opened(browser, hostile, fragment=fragment)
        assert opened.complaints == [], fragment
        assert opened.count(".td-vega") == 1, fragment
    for a in range(opened.count(".contents a")):
        link = opened.page.query_selector_all(".contents a")[a]
        arrived = opened.page.evaluate(
            "a => document.getElementById(decodeURIComponent(a.hash.slice(1)))?.innerText.trim() == a.innerText.trim()",
            link,
        )
        assert arrived, link.inner_text()


# Only what is there

GONE = 'from dataclasses import replace\ngone = replace(origin, absent="no source has downloads")'
NOTHING = 'Result("Reviews", (Field("a", "Store"), Field("n", "Count", "count")), (), gone)'
PARTLY = (
    *GOOD[:4],
    GONE,
    "## How many installed it?\n\n### By store",
    f"show.table({NOTHING})",
    "### By country",
    f"show.table({NOTHING})",
    "## How is it rated?\n\nStars of five.",
    f"show.table({NOTHING})",
    "## Any reviews?",
    f"show.table(replace({NOTHING}, provenance=origin))",
    "## And the line?",
    "rows = ((date(2026, 6, 1), None),)\ntable = Table(table.fields, rows)\n"
    "picture('Net revenue: none in this window')",
)


@pytest.fixture(scope="module")
def partly(workbook) -> Path:
    """A report of a section with some figures that no source brings, and of one without any other."""
    settings = workbook(partly=PARTLY, nothing=[GOOD[0], GONE, "## What changed?", f"show.table({NOTHING})"])
    (settings.schedules / "both.toml").write_text('title = "Both"\nsections = ["partly", "nothing"]\n')
    return run(settings, "both", {}, now=NOW).index.parent


def test_what_no_source_brings_is_left_out_with_its_question(partly: Path) -> None:
    page = BeautifulSoup((partly / "partly.html").read_text(encoding="utf-8"), "html.parser")
    headings = [h.get_text() for h in page.select("main h2, main h3")]
    # What an author wrote about it stays.
    assert headings == ["How is it rated?", "Any reviews?", "And the line?", "Notes, definitions, sources"]
    assert "How many installed it?" not in page.get_text()
    [said] = page.select("main .absent")
    assert said.get_text() == "No source has downloads. To connect: your own files (README.md, “Your data”)."
    assert page.select("details.source summary")[-1].get_text() == "Net revenue: none in this window"


def test_a_figure_without_a_number_is_a_sentence(partly: Path) -> None:
    page = BeautifulSoup((partly / "partly.html").read_text(encoding="utf-8"), "html.parser")
    assert [p.get_text() for p in page.select(".td-note p")] == [
        "Reviews: nothing to show.",
        "Net revenue: none in this window",
    ]
    assert page.select(".td-vega, .item table, #charts, a[download]") == []


def test_a_section_that_no_source_feeds_is_one_line(partly: Path) -> None:
    page = BeautifulSoup((partly / "nothing.html").read_text(encoding="utf-8"), "html.parser")
    assert page.select("main .item, main nav, main .cell, main h3") == []
    index = BeautifulSoup((partly / "index.html").read_text(encoding="utf-8"), "html.parser")
    row = index.select_one("#section-2")
    assert row.select_one(".state").get_text() == "not connected"
    assert row.select_one(".absent").get_text() == page.select_one("main .absent").get_text()
    assert row.select(".td-card, figure") == []


def test_findings_come_before_links(page: BeautifulSoup, failed: BeautifulSoup) -> None:
    for shown in (page, failed):
        assert "td-findings" in str(shown.nav.find_previous("figure"))
        assert shown.nav.find_next("h2").get_text() == "How are we doing?"
