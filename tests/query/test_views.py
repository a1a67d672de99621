"""Prepared views: what a query reads by name, what its result says of them, and what models say of as_of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from tidings.book import Book
from tidings.errors import UsageError
from tidings.metrics.registry import registry
from tidings.models.graph import MARTS, known_models
from tidings.query.context import QueryContext
from tidings.query.segment import Segment
from tidings.sections import commerce
from tidings.settings import load_settings
from tidings.warehouse.build import build
from tidings.window import Zone
from workbooks import land

PROJECT = '[tool.tidings]\ntimezone = "Europe/Berlin"\ncurrency = "EUR"\n'


def _at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-{text}")


ORDERS = [
    {"order_id": "a", "amount": 100, "customer_id": "k", "ts": _at("03-02T10:00"), "country": "DE"},
    {"order_id": "b", "amount": 7, "customer_id": "m", "ts": _at("06-02T22:30"), "country": "FR"},
    {"order_id": "ra", "type": "refund", "refund_of": "a", "amount": 40, "ts": _at("06-05T10:00"), "country": "DE"},
]


@pytest.fixture(scope="module")
def workbook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop with an order in winter, one in summer, and a refund."""
    root = tmp_path_factory.mktemp("views")
    (root / "pyproject.toml").write_text(PROJECT)
    land(load_settings(root), "orders", ORDERS, source="shop", complete_until=datetime(2026, 6, 10, tzinfo=UTC))
    build(load_settings(root))
    return root


@pytest.fixture
def at(workbook: Path) -> Iterator[Callable[[str], Book]]:
    """The book as of a day, over the ninety days before."""
    opened: list[Book] = []

    def book(as_of: str) -> Book:
        opened.append(Book.open(as_of, 90, root=workbook))
        return opened[-1]

    yield book
    for each in opened:
        each.context.warehouse.close()


def test_what_a_result_shows_can_be_run_by_anyone_who_has_the_build(at: Callable[[str], Book]) -> None:
    book = at("2026-06-10")
    value = book.value("net_revenue")
    (sql,) = value.provenance.sql
    assert list(value.provenance.views) == ["fct_transactions_visible"]
    assert "fct_transactions_visible" in sql
    book.context.warehouse.close()
    with duckdb.connect(str(book.context.warehouse.file), read_only=True) as connection:
        for name, made in value.provenance.views.items():
            connection.execute(f'CREATE TEMP VIEW "{name}" AS {made}')
        rows = connection.sql(sql).to_arrow_table().to_pylist()
    # Winter lies in the window before.
    assert [row["net_revenue"] for row in rows if row["slice_"] == 0] == [value.value]


def test_a_view_is_made_once_and_its_sql_is_not_in_the_queries(at: Callable[[str], Book]) -> None:
    book = at("2026-06-10")
    one, other = book.value("orders").provenance, book.series("orders").provenance
    assert one.views == other.views and len(one.views) == 1
    (made,) = one.views.values()
    assert made not in "".join(book.sql)


def test_local_time_is_right_over_the_whole_history(at: Callable[[str], Book]) -> None:
    book = at("2026-06-10")
    orders = book.mart("fct_orders")
    rows = book.context.rows(orders.select("order_id", "local_ts").order_by("order_id"))
    assert [row["local_ts"] for row in rows] == [_at("03-02T11:00"), _at("06-03T00:30")]


def test_two_contexts_of_one_connection_have_views_of_their_own(at: Callable[[str], Book]) -> None:
    late = at("2026-06-10")
    warehouse = late.context.warehouse
    early = QueryContext(warehouse, Zone("Europe/Berlin"), datetime(2026, 6, 4, tzinfo=UTC), "EUR", Segment())
    for context, net in ((late.context, 67), (early, 107), (late.context, 67)):
        orders = context.mart("fct_orders")
        assert context.rows(orders.aggregate(net=orders.net.sum())) == [{"net": net}]
    names = {next(iter(c.query(c.mart("fct_orders")).provenance.views)) for c in (late.context, early)}
    assert names == {"fct_orders_visible", "fct_orders_visible_2"}


def test_a_view_never_takes_the_name_of_a_table(at: Callable[[str], Book]) -> None:
    warehouse = at("2026-06-10").context.warehouse
    shown = warehouse.view("fct_orders", warehouse.table("fct_orders").limit(1))
    assert shown.get_name() == "fct_orders_2"
    assert warehouse.query(warehouse.table("fct_orders").count()).column(0)[0].as_py() == 2


def test_a_result_cites_its_own_query_whatever_runs_between(at: Callable[[str], Book]) -> None:
    book = at("2026-06-10")
    orders, refunds = book.query(book.mart("fct_orders").limit(5)), book.query(book.mart("fct_transactions"))
    assert [len(orders.rows), len(refunds.rows)] == [2, 3]
    assert (orders.provenance.rows, list(orders.provenance.tables)) == (2, ["fct_orders"])
    assert "LIMIT 5" in orders.provenance.sql[0] and "LIMIT" not in refunds.provenance.sql[0]
    changed = commerce.what_changed(Book(book.settings, book.context, book.last(28), "previous")).provenance
    assert {"fct_orders", "fct_transactions"} == set(changed.tables)
    assert all("_visible" in sql for sql in changed.sql)


def test_what_was_made_with_another_book_is_refused(at: Callable[[str], Book]) -> None:
    # Both have a view of one name, which are not the same.
    late, early = at("2026-06-10"), at("2026-06-04")
    early.mart("fct_orders")
    with pytest.raises(UsageError, match="another book"):
        early.query(late.mart("fct_orders"))


def test_models_say_what_as_of_and_money_mean() -> None:
    models = {model.name: model for model in known_models(MARTS)}
    ruled = {name: (model.as_of.unit, model.as_of.reads) for name, model in models.items() if model.as_of.reads}
    assert ruled == {
        "fct_orders": ("instant", ("fct_orders", "fct_transactions")),
        "fct_user_hours": ("hour", ("fct_events",)),
    }
    # All metrics of money stand on a table that says so, or on one made of such a table.
    marts = {metric.mart for metric in registry().values() if metric.unit == "money" and metric.mart}
    said = {name for name, model in models.items() if model.money}
    assert said == {"fct_transactions", "fct_requests", "fct_metric_daily"}
    assert all(name in said or said & set(models[name].reads) for name in marts)
