"""The rows behind figures: the largest, all of them by the command that a page names, and nothing about persons."""

from __future__ import annotations

import shlex
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from tidings.book import Book
from tidings.metrics.registry import registry
from tidings.query.behind import MOST, largest, of_metric
from tidings.settings import load_settings
from tidings.warehouse.build import build
from workbooks import land

UNTIL = datetime(2026, 7, 1, tzinfo=UTC)
COUNTRIES = ("DE", "A, B", "it's $HOME", "")


def _orders() -> list[dict[str, object]]:
    """Sixty orders of each country, of 1 to 60, each an hour after the one before; and a refund of 100 in DE."""
    start = datetime(2026, 6, 10)
    bought = [
        {
            "order_id": f"{at}-{n}",
            "ts": start + timedelta(hours=n),
            "amount": n,
            "country": country,
            "customer_id": f"person-{n}",
        }
        for at, country in enumerate(COUNTRIES)
        for n in range(1, 61)
    ]
    back = {"order_id": "back", "ts": start, "amount": 100, "country": "DE", "type": "refund", "refund_of": "0-60"}
    return [*bought, back]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rows")
    (folder / "pyproject.toml").write_text('[tool.tidings]\ncurrency = "EUR"\n')
    settings = load_settings(folder)
    land(settings, "orders", _orders(), complete_until=UNTIL)
    build(settings)
    return folder


@pytest.fixture(scope="module")
def book(root: Path) -> Book:
    return Book.open(root=root)


def running(book: Book, rows: str) -> Book:
    settings = replace(book.settings, environment={"TIDINGS_RUN": "one", "TIDINGS_SHOW_ROWS": rows})
    return Book(settings, book.context, book.window, book.compare)


def test_the_largest_by_what_they_add_come_first_refunds_among_them(book: Book) -> None:
    asked = of_metric(book.context, registry()["net_revenue"], book.window, ["country"])
    (group, nothing) = largest(book.context, asked, [{"country": "DE"}, None])
    assert nothing is None and group is not None
    assert (len(group.rows), group.total) == (MOST, 61)
    worth = [row[1] for row in group.rows]
    assert worth[:3] == [Decimal(-100), Decimal(60), Decimal(59)]
    assert [f.title for f in group.fields[:2]] == ["Time", "Net revenue"]


def test_where_rows_count_alike_the_newest_come_first(book: Book) -> None:
    found = book.largest("orders", most=2)
    assert found.column("local_ts") == [datetime(2026, 6, 12, 12)] * 2
    assert "worth" not in [field.name for field in found.fields]


@pytest.mark.parametrize("name", ["net_revenue", "orders", "repeat_rate", "visits", "customers"])
def test_nothing_names_a_person(book: Book, name: str) -> None:
    found = book.largest(name)
    assert not any(field.name.endswith(("_key", "customer_id")) or field.name[0] == "_" for field in found.fields)
    assert "person-" not in str(found.rows)


def test_the_command_of_a_page_finds_the_rows_that_the_page_counts(book: Book, root: Path) -> None:
    result = running(book, "yes").split("net_revenue", "country")
    assert result.behind is not None
    told = dict(zip(result.column("country"), result.behind.groups, strict=True))
    assert told["Total"] is None
    for name in ("DE", "A, B", "it's $HOME", "(unknown)"):
        group = told[name]
        assert group is not None
        words = shlex.split(group.command)
        options = dict(zip(words[3::2], words[4::2], strict=True))
        again = Book.open(root=root, segment=options["--where"], first=options["--from"], last=options["--to"])
        assert words[:3] == ["tidings", "rows", "net_revenue"]
        assert len(again.largest("net_revenue").rows) == group.total, name


def test_rows_leave_only_where_the_report_says_so(book: Book) -> None:
    told = running(book, "").split("net_revenue", "country").behind
    assert told is not None and told.command and told.groups == ()
    assert book.split("net_revenue", "country").behind is None, "an analyst has book.rows"
