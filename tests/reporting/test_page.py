"""Pages: complete, offline, escaped, in order, and made from the executed notebook alone."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import UTC, datetime
from pathlib import Path

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
            target = tag["href"].partition("#")[0]
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
        ("h2", "Notes, definitions, provenance"),
        ("h3", "Notes"),
        ("h3", "Definitions"),
        ("h3", "Where the numbers come from"),
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


def test_code_is_one_click_away_and_setup_is_at_the_end(page: BeautifulSoup) -> None:
    folded = page.select("main .cell details.code")
    # Findings, cards, three charts, a printed line, a data frame.
    assert len(folded) == 7
    assert not any(tag.has_attr("open") for tag in folded)
    assert "picture(" in folded[2].get_text()
    assert "TIDINGS_BUILD" in page.select(".appendix details.code")[-1].get_text()


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
        "2026-07-01 00:00 Europe/Berlin",
        "days 14",
        "no rate",
    ):
        assert part in said


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


def test_the_index_ties_the_run_together(index: BeautifulSoup) -> None:
    assert index.h1.get_text() == "Weekly report"
    assert "1 – 30 Jun 2026" in index.select_one(".period").get_text()
    assert [a["href"] for a in index.select("h2 a")] == ["web_traffic.html", "commerce.html"]
    assert "1 of 2 sections could not be finished" in index.get_text()
    assert "ValueError: [secret]" in index.select_one(".failure").get_text()
    good = index.select_one("#section-2")
    assert "Net revenue rose." in good.get_text()
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
