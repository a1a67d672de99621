"""An analyst's own charts and frames as the last line of a cell, from the notebook to the page a reader opens."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from opened_pages import Opened
from tidings.reporting.record import read_record
from tidings.reporting.run import run

NOW = datetime(2026, 7, 1, 6, 0, tzinfo=UTC)

CELLS = (
    "from decimal import Decimal\nfrom datetime import date\nimport altair as alt\nimport pandas as pd\n"
    "from tidings.book import Book\nbook = Book.open()\n"
    "frame = pd.DataFrame({'shop': ['A </script>', 'B'], 'net': [Decimal('1.5'), Decimal('2')],"
    " 'day': [date(2026, 6, 1), date(2026, 6, 2)]})",
    "## A chart",
    "alt.Chart(frame, title='Mine').mark_bar().encode(x='net', y='shop').configure_axis(grid=True)",
    "## Its frame",
    "frame",
    "## A table of the warehouse",
    "book.table('fct_orders').select('order_id')",
    "## Many rows",
    "alt.Chart(pd.DataFrame({'n': range(6000)})).mark_bar().encode(x=alt.X('n').bin(), y='count()')",
    "## Something from elsewhere",
    "alt.Chart('https://example.org/a.csv').mark_bar().encode(x='a:Q')",
    "## Side by side",
    "alt.Chart(frame).mark_line(point=True).encode(x='day', y='net').facet('shop')",
)


@pytest.fixture(scope="module")
def page(workbook) -> Path:
    done = run(workbook(mine=CELLS), "mine", {}, now=NOW)
    assert [section.error for section in done.sections] == [""]
    return done.index.parent / "mine.html"


def test_each_is_in_the_record_as_what_it_is(page: Path) -> None:
    items = read_record(page.parent / "notebooks" / "mine.ipynb").items
    assert [item.kind for item in items] == ["chart", "table", "table", "chart", "note", "chart"]
    assert all(item.alt for item in items)
    assert items[2].table is not None and items[2].table["rows"] == [["1"]]


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1200])
def test_the_page_is_quiet_accessible_and_as_wide_as_the_screen(page: Path, browser, scheme: str, width: int) -> None:
    opened = Opened(browser, page, color_scheme=scheme, viewport={"width": width, "height": 844})
    assert opened.requests == [page.as_uri()]
    assert opened.complaints == []
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
    assert opened.count(".td-vega") == 3
    grid = opened.page.eval_on_selector(
        "#figure-1 svg .mark-rule.role-axis-grid line", "e => getComputedStyle(e).stroke"
    )
    hairline = opened.page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--td-hairline')")
    assert grid == "rgb({}, {}, {})".format(*bytes.fromhex(hairline.strip().lstrip("#")))
    assert opened.barriers() == []
