"""The analyst's way in: windows by dates, and what a value, series or result says of itself."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import ibis
import pytest
from IPython.core.interactiveshell import InteractiveShell

from tidings.book import Book
from tidings.display import notebook
from tidings.errors import WindowError
from tidings.settings import load_settings
from tidings.warehouse.build import build
from tidings.window import Window
from workbooks import land

UNTIL = datetime(2026, 6, 30, tzinfo=UTC)
DAYS = {3: 1, 10: 2, 11: 3, 29: 1}
"""Orders by day of June."""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("shop")
    (root / "pyproject.toml").write_text('[tool.tidings]\ncurrency = "EUR"\n')
    orders = [
        {"order_id": f"o{day}-{n}", "amount": 10, "customer_id": "c", "country": "DE", "ts": datetime(2026, 6, day, 9)}
        for day, many in DAYS.items()
        for n in range(many)
    ]
    before = {"order_id": "o0", "amount": 1, "status": "failed", "ts": datetime(2026, 1, 1)}
    land(load_settings(root), "orders", [before, *orders], source="shop", complete_until=UNTIL)
    build(load_settings(root))
    return root


@pytest.mark.parametrize(
    ("asked", "first", "last", "orders"),
    [
        ({"first": "2026-06-10", "last": date(2026, 6, 11)}, date(2026, 6, 10), date(2026, 6, 11), 5),
        ({"first": "2026-06-10"}, date(2026, 6, 10), date(2026, 6, 29), 6),
        ({"first": "2026-06-10", "days": 1}, date(2026, 6, 10), date(2026, 6, 10), 2),
        ({"last": "2026-06-11", "days": 2}, date(2026, 6, 10), date(2026, 6, 11), 5),
        ({"last": "2026-06-11"}, date(2026, 5, 15), date(2026, 6, 11), 6),
        ({"first": "", "last": "", "days": 1}, date(2026, 6, 29), date(2026, 6, 29), 1),
    ],
)
def test_a_window_by_its_dates(shop: Path, asked: dict[str, Any], first: date, last: date, orders: int) -> None:
    book = Book.open(root=shop, **asked)
    assert (book.window.start, book.window.last_day) == (first, last)
    assert book.value("orders").value == orders
    assert book.before == book.window.previous()


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"first": "2026-06-11", "last": "2026-06-10"}, "Exchange the two dates."),
        ({"first": "11.6.2026", "last": "2026-06-12"}, "'11.6.2026' is not a date. Write it as 2026-07-01."),
        ({"first": datetime(2026, 6, 1), "last": "2026-06-12"}, "is not a date"),
        ({"first": "2026-06-01", "last": "2026-06-12", "days": 7}, "Leave out one of the three."),
        ({"first": "2026-07-10"}, "holds no day"),
    ],
)
def test_a_window_that_cannot_be_is_refused(shop: Path, asked: dict[str, Any], says: str) -> None:
    with pytest.raises(WindowError) as refused:
        Book.open(root=shop, **asked)
    assert says in str(refused.value)


def test_another_window_wherever_something_is_asked(shop: Path) -> None:
    book = Book.open(root=shop)
    window = book.between("2026-06-10", "2026-06-11")
    assert [value.value for value in book.values("orders", "buyers", window=window)] == [5, 1]
    assert [point.value for point in book.series("orders", window=window).points] == [2, 3]
    # A week that a window only touches is whole: 8 to 14 June.
    (week,) = book.series("orders", "week", window=window).points
    assert (week.value, week.period.last_day) == (5, date(2026, 6, 14))
    assert book.split("orders", "country", window=window).column("orders")[0] == 5
    assert book.to_date("orders", window=window).rows[1][1] == "1 – 11 Jun 2026"
    assert book.rows("orders", window).count().to_pyarrow().as_py() == 5
    with pytest.raises(WindowError, match=r"has both `days` .3. and a window"):
        book.series("orders", days=3, window=window)


def test_a_value_says_what_it_is(shop: Path) -> None:
    value = Book.open(root=shop, first="2026-06-10", last="2026-06-11").value("net_revenue")
    assert repr(value) == "<Value net_revenue 50 EUR, 2026-06-10..2026-06-11; before 0 EUR, 2026-06-08..2026-06-09>"
    (row,) = value.to_pandas().to_dict("records")
    assert (row["value"], row["before"], row["first"]) == (Decimal(50), Decimal(0), date(2026, 6, 10))


def test_what_is_unknown_is_said_to_be_and_never_0(shop: Path) -> None:
    value = Book.open(root=shop, first="2025-06-10", last="2025-06-11", compare="none").value("orders")
    assert repr(value).startswith("<Value orders unknown, 2025-06-10..2025-06-11 (")
    assert value.to_pandas()["value"].isna().all()


def test_a_series_as_rows(shop: Path) -> None:
    book = Book.open(root=shop, as_of="2026-06-12", first="2026-06-10", last="2026-06-13")
    frame = book.series("orders", window=book.window).to_pandas()
    assert list(frame["value"][:2]) == [2, 3]
    # The 12th and 13th have not begun: their orders are not 0.
    assert frame["value"].isna().tolist() == [False, False, True, True]
    assert frame["value"].dtype == "Int64"
    assert frame["state"].tolist() == ["complete", "complete", "future", "future"]
    shown = repr(book.series("orders", window=book.window)).splitlines()
    assert shown[0] == "<Series orders by day, count, 4 periods>"
    assert "<NA>" in shown[-1]


def test_a_result_as_rows(shop: Path) -> None:
    result = Book.open(root=shop, days=28).split("orders", "country")
    assert result.to_pandas().columns.tolist() == [field.name for field in result.fields]
    assert result.to_pandas()["orders"].tolist() == [7, 7]
    assert repr(result).splitlines()[0].startswith("<Result ")


@pytest.fixture
def kernel() -> Iterator[InteractiveShell]:
    """A shell of IPython, as a notebook's kernel has one."""
    shell = InteractiveShell.instance()
    was = ibis.options.interactive
    yield shell
    ibis.options.interactive = was
    InteractiveShell.clear_instance()


def test_a_cell_that_ends_with_one_shows_it(shop: Path, kernel: InteractiveShell) -> None:
    book = Book.open(root=shop)
    items = (book.value("orders"), book.series("orders"), book.split("orders", "country"))
    for item, kind in zip(items, ("cards", "chart", "table"), strict=True):
        formatted, _ = kernel.display_formatter.format(item)
        assert formatted["application/vnd.tidings.v1+json"]["type"] == kind
        assert {"text/html", "text/plain"} <= set(formatted)


def test_expressions_show_their_rows_in_a_notebook_and_not_in_a_run(
    shop: Path, kernel: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_id = Book.open(root=shop).build_id
    assert ibis.options.interactive
    ibis.options.interactive = False
    monkeypatch.setenv("TIDINGS_BUILD", build_id)
    Book.open(root=shop)
    assert not ibis.options.interactive


def test_nothing_is_changed_outside_of_a_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    notebook.prepare(is_run=False)
    monkeypatch.delitem(sys.modules, "IPython")
    notebook.prepare(is_run=False)
    assert not ibis.options.interactive


def test_a_course_too_long_for_a_chart_is_a_table(shop: Path) -> None:
    book = Book.open(root=shop)
    long = book.series(
        "orders", "day", window=Window.between(date(2020, 1, 1), date(2026, 6, 1), book.as_of, book.zone)
    )
    assert notebook.shown(long).kind == "table"
