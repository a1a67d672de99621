"""Money from files to metrics: movements by their own day, refunds, foreign statuses, decimal places."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from tidings.book import Book
from tidings.landing.store import Landing
from tidings.metrics.metric import Number
from tidings.sections import commerce
from tidings.settings import load_settings
from tidings.sources.source import Pull, open_sources
from tidings.warehouse.build import build

NOW = datetime(2026, 11, 28, tzinfo=UTC)
SETTINGS = """
[tool.tidings]

[tool.tidings.sources.shop]
kind = "orders"
path = "orders.csv"
columns = { order_id = "order", ts = "date", amount = "total", currency = "cur", type = "what", status = "state", \
customer_id = "who", refund_of = "of", refunded_at = "back", origin = "from" }
"""
Open = Callable[..., Book]


@pytest.fixture
def shop(tmp_path: Path) -> Open:
    """Opens a book on lines of a CSV file, by month by default, with the settings above."""

    def opened(lines: str, as_of: str, days: int, rejected: int = 0) -> Book:
        (tmp_path / "pyproject.toml").write_text(SETTINGS)
        (tmp_path / "orders.csv").write_text(f"order,date,total,cur,what,state,who,of,back,from\n{lines}")
        pull_all(tmp_path, rejected)
        return Book.open(as_of, days, "none", root=tmp_path)

    return opened


def pull_all(root: Path, rejected: int = 0) -> None:
    reported = load_settings(root)
    for source in open_sources(reported):
        assert sum(part.rejected for part in source.pull(Landing(reported.raw), Pull(NOW))) == rejected
    build(reported)


def amount(book: Book, name: str) -> Number:
    return book.value(name).value


SUBSCRIPTION = """z,2026-01-01T10:00Z,1,EUR,charge,failed,,,,
s,2026-03-01T10:00Z,100,EUR,charge,,k,,,
s,2026-03-05T10:00Z,10,EUR,refund,,k,,,
s,2026-04-02T10:00Z,100,EUR,charge,,k,,,
s,2026-04-05T10:00Z,25,EUR,refund,,k,,,
t,2026-04-06T10:00Z,8,EUR,charge,,k,,,
s,2026-05-02T10:00Z,100,EUR,charge,,k,,,
"""


def test_money_is_dated_by_its_own_row_and_orders_are_counted_once(shop: Open) -> None:
    names = ("net_revenue", "refunds", "orders", "average_order_value", "returning_customers")
    months = [shop(SUBSCRIPTION, as_of, days) for as_of, days in (("2026-04-01", 31), ("2026-05-01", 30))]
    assert [[value.value for value in month.values(*names)] for month in months] == [
        [90, 10, 1, 90, 0],
        # 100 + 8 - 25; only t is a new order, and the mean is over orders counted in the month
        [83, 25, 1, 83, 1],
    ]
    april = Book.open("2026-05-01", 31, "previous", root=months[0].settings.root)
    parts = commerce.what_changed(april).rows
    # The bridge leads from March's net revenue to April's, although two orders were charged in April.
    assert (parts[0][1], parts[-1][1]) == (90, 83)
    assert sum(part for _, part in parts[:-1]) == 83


def test_a_report_knows_nothing_of_what_came_after(shop: Open) -> None:
    book = shop(SUBSCRIPTION, "2026-04-01", 31)
    orders = book.mart("fct_orders")
    assert book.context.rows(orders.select("order_id", "gross", "refunded", "net", "lines")) == [
        {"order_id": "s", "gross": 100, "refunded": 10, "net": 90, "lines": 1}
    ]
    whole = Book.open("2026-06-01", 92, "none", root=book.settings.root)
    found = {row["order_id"]: row for row in whole.context.rows(whole.mart("fct_orders"))}
    assert (found["s"]["gross"], found["s"]["net"], found["s"]["lines"]) == (300, 265, 3)


def test_what_came_back_whole_is_no_order_that_was_repeated(shop: Open) -> None:
    lines = """a,2026-03-01,10,EUR,,,x,,,
b,2026-03-02,10,EUR,,,x,,,
c,2026-03-03,10,EUR,,,y,,,
d,2026-03-04,10,EUR,,,y,,,
e,2026-03-05,10,EUR,,,z,,,
rd,2026-03-09,10,EUR,refund,,y,d,,
re,2026-04-09,10,EUR,refund,,z,e,,
"""
    # x bought twice, y's second was refunded; z's refund in April is not known in March.
    assert amount(shop(lines, "2026-04-01", 31), "repeat_rate") == pytest.approx(1 / 3)
    assert amount(shop(lines, "2026-05-01", 61), "repeat_rate") == pytest.approx(1 / 2)


def test_words_of_others_for_a_status(shop: Open) -> None:
    lines = """a,2026-03-01,10,EUR,,Completed,x,,,web
b,2026-03-02,10,EUR,,PAID,x,,,web
c,2026-03-03,10,EUR,,cancelled,x,,,web
d,2026-03-04,10,EUR,,refunded,x,,2026-04-05,web
e,2026-03-05,10,EUR,,Refunded,x,,,app
f,2026-03-06,10,EUR,,mislaid,x,,,app
"""
    march, april = shop(lines, "2026-04-01", 31, 1), shop(lines, "2026-05-01", 30, 1)
    # 10 + 10 + 10 + 10 - 10: e has the status refunded without a date
    assert [amount(march, name) for name in ("net_revenue", "refunds", "orders")] == [30, 10, 4]
    # The file ends in March: refunds of April are known, orders are not.
    assert [amount(april, name) for name in ("net_revenue", "refunds", "orders")] == [-10, 10, None]
    split = march.split("net_revenue", "origin")
    assert dict(zip(split.column("origin"), split.column("net_revenue"), strict=True)) == {
        "Total": 30, "web": 30, "app": 0,
    }  # fmt: skip
    reported = dict(row[:2] for row in commerce.row_counts(march).rows)
    assert reported["Orders with status refunded but no date (dated by their charge)"] == "1 (e)"


def _case(shared_cases: Path, name: str, root: Path) -> Path:
    """A copy of a small workbook, pulled and built."""
    for file in (shared_cases / name).iterdir():
        (root / file.name).write_bytes(file.read_bytes())
    pull_all(root)
    return root


def test_case_movements_dated(shared_cases: Path, tmp_path: Path) -> None:
    root = _case(shared_cases, "movements-dated", tmp_path)
    months = [
        Book.open(*month, "none", root=root) for month in (("2026-04-01", 31), ("2026-05-01", 30), ("2026-06-01", 31))
    ]
    assert [amount(month, "net_revenue") for month in months] == [100, -10, 10]
    assert [amount(month, "orders") for month in months] == [2, 0, 0]


def test_case_refund_origin(shared_cases: Path, tmp_path: Path) -> None:
    march = Book.open("2026-04-01", 31, "none", root=_case(shared_cases, "refund-origin", tmp_path))
    split = march.split("net_revenue", "origin")
    assert dict(zip(split.column("origin"), split.column("net_revenue"), strict=True)) == {
        "Total": 95, "web": 70, "app": 0, "(unknown)": 25,
    }  # fmt: skip


def test_case_refunded_whole(shared_cases: Path, tmp_path: Path) -> None:
    march = Book.open("2026-04-01", 31, "none", root=_case(shared_cases, "refunded-whole", tmp_path))
    assert amount(march, "repeat_rate") == pytest.approx(1 / 3)


@pytest.mark.parametrize(("name", "net"), [("rates-small", "2581.40"), ("rates-long-decimals", "9.00")])
def test_case_rates(shared_cases: Path, tmp_path: Path, name: str, net: str) -> None:
    book = Book.open("2026-11-21", 5, "none", root=_case(shared_cases, name, tmp_path))
    assert Decimal(amount(book, "net_revenue") or 0).quantize(Decimal("0.01")) == Decimal(net)
