"""A page as a reader gets it: opened from disk, offline, in headless Chromium."""

from __future__ import annotations

import gzip
import re
import shutil
import subprocess
from datetime import UTC, datetime
from itertools import product

import pytest
from section_notebooks import GOOD

from opened_pages import Opened
from tidings.reporting.run import run

NOW = datetime(2026, 7, 1, 6, 0, tzinfo=UTC)

pytestmark = pytest.mark.browser


# Where the time goes is the search for barriers, and the modes differ in colours alone.
@pytest.mark.parametrize(
    ("name", "scheme"),
    [
        ("commerce", "light"),
        ("index", "dark"),
        *(
            pytest.param(name, scheme, marks=pytest.mark.proof)
            for name, scheme in product(("commerce", "web_traffic", "index"), ("light", "dark"))
            if (name, scheme) not in (("commerce", "light"), ("index", "dark"))
        ),
    ],
)
def test_a_page_is_quiet_and_accessible(ran, browser, name: str, scheme: str) -> None:
    file = ran.folder / f"{name}.html"
    opened = Opened(browser, file, color_scheme=scheme)
    assert opened.requests == [file.as_uri()]
    assert opened.complaints == []
    assert opened.barriers() == []


@pytest.mark.parametrize(("width", "seen", "hidden"), [(1200, "td-wide", "td-narrow"), (390, "td-narrow", "td-wide")])
@pytest.mark.parametrize("scripts", [True, False])
def test_every_chart_is_drawn_in_the_form_that_fits(
    ran, browser, width: int, seen: str, hidden: str, scripts: bool
) -> None:
    page = browser.new_context(
        offline=True, java_script_enabled=scripts, viewport={"width": width, "height": 844}
    ).new_page()
    page.goto((ran.folder / "commerce.html").as_uri())
    boxes = [element.bounding_box() for element in page.query_selector_all(f".td-vega > svg.{seen}")]
    assert len(boxes) == 3
    # Not larger than drawn by more than a fifth, and not so small that labels are unreadable.
    assert all(box is not None and box["height"] > 50 and 300 < box["width"] <= 880 for box in boxes)
    assert not any(element.is_visible() for element in page.query_selector_all(f".td-vega > svg.{hidden}"))


def test_a_page_is_light(ran) -> None:
    """It is mailed, and read where there is no network."""
    page = (ran.folder / "commerce.html").read_bytes()
    assert len(gzip.compress(page)) < 60_000
    assert b"vega" not in page.replace(b"td-vega", b"")


@pytest.mark.parametrize("name", ["commerce", "index"])
def test_a_phone_needs_no_sideways_scrolling(ran, browser, name: str) -> None:
    for width in (390, 320):
        opened = Opened(browser, ran.folder / f"{name}.html", viewport={"width": width, "height": 844})
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
        assert opened.barriers() == []
        # With everything unfolded as well.
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_table_is_downloaded_from_a_file_without_network(ran, browser) -> None:
    opened = Opened(browser, ran.folder / "commerce.html")
    with opened.page.expect_download() as waiting:
        opened.page.click('a[download="commerce-a-second-chart.csv"]')
    rows = waiting.value.path().read_text(encoding="utf-8-sig").splitlines()
    assert (rows[0], rows[1], len(rows)) == ("Day,Net revenue (EUR)", "2026-06-01,100", 31)
    assert opened.complaints == []


def test_a_link_to_what_lies_behind_opens_it_and_leads_back(ran, browser) -> None:
    opened = Opened(browser, ran.folder / "commerce.html")
    query = opened.page.locator("#source-3 pre.td-sql")
    assert not query.is_visible()
    opened.page.click("#figure-3 .figure-links a >> nth=0")
    query.wait_for(state="visible")
    opened.page.click("#source-3 a[href='#figure-3']")
    opened.page.wait_for_url("**#figure-3")


def test_contents_are_folded_on_a_phone_only(ran, browser) -> None:
    for width, is_open in ((390, False), (1280, True)):
        opened = Opened(browser, ran.folder / "commerce.html", viewport={"width": width, "height": 844})
        assert opened.page.locator("nav.contents a").first.is_visible() is is_open


def test_the_mode_can_be_switched_and_paper_is_always_light(ran, browser) -> None:
    opened = Opened(browser, ran.folder / "commerce.html", color_scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    light, dark = "rgb(255, 255, 255)", opened.page.evaluate(ground)
    assert dark != light
    opened.page.click("button.mode")
    assert opened.page.evaluate(ground) == light
    opened.page.click("button.mode")
    assert opened.page.evaluate(ground) == dark
    opened.page.emulate_media(media="print")
    assert opened.page.evaluate(ground) == light
    folded = opened.page.query_selector_all("main details, button.mode, nav, .figure-links")
    assert folded and not any(element.is_visible() for element in folded)


def test_links_to_definitions_arrive(ran, browser) -> None:
    opened = Opened(browser, ran.folder / "index.html")
    opened.page.click("#section-2 .td-cards a")
    opened.page.wait_for_url("**/commerce.html#def-net_revenue")
    assert opened.page.wait_for_selector("dt:target").inner_text().startswith("Net revenue")


def test_the_keyboard_reaches_the_content(ran, browser) -> None:
    opened = Opened(browser, ran.folder / "commerce.html")
    opened.page.keyboard.press("Tab")
    assert opened.page.evaluate("document.activeElement.className") == "skip"
    opened.page.keyboard.press("Enter")
    assert opened.page.evaluate("document.activeElement.id") == "main"


@pytest.mark.proof
def test_on_paper_a_heading_stays_with_what_it_heads(workbook, browser) -> None:
    pdftotext = shutil.which("pdftotext")
    if pdftotext is None:
        pytest.skip("no pdftotext on this machine: printed pages not read (Debian: apt-get install poppler-utils)")
    fields = '(Field("product", "Product"), Field("n", "Units", "count"))'
    table = f'show.ranking(Result("Articles", {fields}, rows, origin), "n")'
    cells = [cell for n in range(4) for cell in (f"## Question {n} of all?", f"rows = ROWS[: {n} * 3 + 2]\n{table}")]
    long = 'ROWS = tuple((f"{n} " + "x" * 200, n) for n in range(20))'
    settings = workbook(commerce=[GOOD[0], long, *cells])
    page = Opened(browser, run(settings, "commerce", {}, now=NOW).index.parent / "commerce.html").page
    page.evaluate("document.querySelector('main').prepend(Object.assign(document.createElement('div'), {id: 'room'}))")
    for height in range(0, 1000, 40):
        page.evaluate(f"document.getElementById('room').style.height = '{height}px'")
        pdf = page.pdf(prefer_css_page_size=True)
        text = subprocess.run([pdftotext, "-raw", "-", "-"], input=pdf, capture_output=True, check=True).stdout.decode()
        for number, printed in enumerate(text.split("\f")[:-1], start=1):
            lines = [line for line in printed.splitlines() if line.strip()]
            # The last thing on a sheet is no question, no title of a table and no row of column names.
            assert not re.search(r"of all\?$|first, with|^Articles$|Units$", lines[-1]), (height, number, lines[-3:])


def test_a_name_without_a_blank_pushes_no_page_apart(workbook, browser) -> None:
    result = 'Result("Revenue", (Field("p", "Product"), Field("v", "Revenue", "EUR")), (("x" * 400, 9),), origin)'
    cells = [GOOD[0], "## " + "y" * 300, f"show.ranking({result}, 'v')", f"show.bars({result})"]
    settings = workbook(commerce=cells)
    file = run(settings, "commerce", {}, now=NOW).index.parent / "commerce.html"
    opened = Opened(browser, file, viewport={"width": 390, "height": 844})
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= 390
