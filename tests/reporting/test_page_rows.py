"""Rows on the pages of a report that lets rows leave: each link leads to them, and nothing of a person is there."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from bs4 import BeautifulSoup

from tidings.reporting.run import run

NOW = datetime(2026, 7, 1, 6, 0, tzinfo=UTC)
CELL = "from tidings.book import Book\nfrom tidings.display import show\nbook = Book.open(as_of, days)"
SPLIT = 'show.ranking(book.split("net_revenue", "country"), "net_revenue")'
BARS = 'show.bars(book.split("orders", "country"), "orders")'


@pytest.fixture(scope="module", params=["true", "false"])
def page(request: pytest.FixtureRequest, workbook) -> tuple[bool, BeautifulSoup]:
    settings = workbook(sales=[CELL, SPLIT, BARS])
    text = f'title = "Sales"\nsections = ["sales"]\nrows = {request.param}\n[parameters]\ndays = 30\n'
    (settings.schedules / "weekly.toml").write_text(text)
    made = run(settings, "weekly", {}, now=NOW)
    assert made.status == "done", made.sections
    return request.param == "true", BeautifulSoup((made.index.parent / "sales.html").read_text(), "html.parser")


def test_a_row_and_a_chart_lead_to_what_is_behind_them(page: tuple[bool, BeautifulSoup]) -> None:
    has_rows, soup = page
    links = [a["href"] for a in soup.select('a[href^="#rows-"]')]
    assert links == (["#rows-1-1", "#rows-1", "#rows-2"] if has_rows else [])
    assert all(soup.select(link) for link in links)
    assert "#td-rows" not in str(soup)
    if has_rows:
        heads = [th.get_text() for th in soup.select("#rows-1-1 thead th")]
        assert heads[:2] == ["Time", "Order id"]
        assert not {"Customer id", "Transaction key"} & set(heads)


def test_what_is_not_there_has_the_command_that_makes_it(page: tuple[bool, BeautifulSoup]) -> None:
    _, soup = page
    said = [code.get_text() for code in soup.select("#source-1 code")]
    assert "tidings rows net_revenue --where country=DE --from 2026-06-01 --to 2026-06-30" in said
