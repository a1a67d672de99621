"""Funnels, retention, lifecycle and customers of a book, and what there is to ask for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from tidings.analysis.funnel import Step
from tidings.analysis.funnel_paths import Exclusion
from tidings.book import Book
from tidings.cli.catalog import analyses
from tidings.errors import TidingsError
from tidings.settings import load_settings
from tidings.warehouse.build import build
from workbooks import land


def _hit(day: int, hour: int, user: str, event: str, country: str = "DE", **more: Any) -> dict[str, Any]:
    ts = datetime(2026, 6, day, hour)
    return {"ts": ts, "visitor_id": user, "user_id": user, "event": event, "country": country, **more}


EVENTS = [
    _hit(1, 9, "ann", "pageview"),
    _hit(1, 10, "ann", "cart"),
    _hit(1, 12, "ann", "purchase"),
    _hit(2, 9, "bob", "pageview", "FR"),
    _hit(2, 11, "bob", "cart", "FR"),
    _hit(3, 9, "cy", "pageview"),
    _hit(3, 9, "robot", "pageview", is_bot=True),
    # The second week: ann comes back, dee is new.
    _hit(9, 9, "ann", "pageview"),
    _hit(9, 9, "dee", "pageview"),
    # The third: bob comes back.
    _hit(16, 9, "bob", "pageview", "FR"),
]
ORDERS = [
    {"order_id": "o1", "amount": 100, "customer_id": "ann", "ts": datetime(2026, 6, 1, 12)},
    {"order_id": "o2", "amount": 20, "customer_id": "eve", "ts": datetime(2026, 6, 20, 12)},
]


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Book:
    root = tmp_path_factory.mktemp("shop")
    (root / "pyproject.toml").write_text('[tool.tidings]\ncurrency = "EUR"\n')
    for feed, rows in {"events": EVENTS, "orders": ORDERS}.items():
        land(load_settings(root), feed, rows, source="shop", complete_until=datetime(2026, 6, 22, tzinfo=UTC))
    build(load_settings(root))
    return Book.open(root=root, first="2026-06-01", last="2026-06-21")


def test_a_funnel_and_who_is_behind_it(book: Book) -> None:
    found = book.funnel(["pageview", "cart", "purchase"])
    assert found.column("count") == [4, 2, 1]
    assert found.column("drop_off") == [None, 2, 1]
    assert found.column("median")[1:] == [5400, 7200]  # one and two hours; two hours
    assert (found.who(2), found.dropped_off(2), found.dropped_off(3)) == (("ann", "bob"), ("cy", "dee"), ("bob",))
    assert found.provenance.build == book.build_id and found.provenance.sql
    # From the names to the rows.
    events = found.events
    assert events is not None
    assert events.filter(events.user_id.isin(found.dropped_off(3))).count().to_pyarrow().as_py() == 3


def test_a_funnel_within_a_segment_a_window_and_by_country(book: Book) -> None:
    assert book.within("country", "FR").funnel(["pageview", "cart"]).column("count") == [1, 1]
    assert book.funnel(["pageview", "cart"], over=book.between("2026-06-02", "2026-06-03")).column("count") == [2, 1]
    by = book.funnel(["pageview", "cart"], breakdown="country")
    assert [row[:3] for row in by.rows] == [
        ("DE", "pageview", 3), ("DE", "cart", 1), ("FR", "pageview", 1), ("FR", "cart", 1)
    ]  # fmt: skip
    # An hour is not enough for bob, and exactly enough for ann.
    assert book.funnel([Step("pageview"), "cart"], window=3600).who(2) == ("ann",)
    # Every cart lies between a page view and what follows it; the later page views of ann and bob begin anew.
    clean = book.funnel(["pageview", "purchase"], exclusions=[Exclusion("cart", 1, 2)])
    assert (clean.who(1), clean.who(2)) == (("ann", "bob", "cy", "dee"), ())


def test_uncovered_days_are_unknown(book: Book) -> None:
    before = book.between("2025-01-06", "2025-01-12")
    funnel = book.funnel(["pageview", "cart"], over=before)
    assert funnel.rows == ()
    assert "these days are unknown" in funnel.provenance.notes[-1]
    assert book.lifecycle(over=before).rows[0][1:5] == (None, None, None, None)
    retained = book.retention(over=before)
    assert (retained.column("size"), retained.average) == ([None], (None,))


def test_retention_and_who_came_back(book: Book) -> None:
    found = book.retention(period="week")
    cells = {(row[0], row[2]): row[1:2] + row[3:4] for row in found.rows}
    first, second, third = dict.fromkeys(found.column("cohort"))
    assert cells[first, 0] == (3, 3)
    assert (cells[first, 1], cells[first, 2], cells[second, 1]) == ((3, 1), (3, 1), (2, 0))
    assert cells[third, 1] == (1, None)  # not over, so not 0
    assert found.average == (1.0, 1 / 5, 1 / 3)
    assert (found.who(first, 1), found.dropped_off(first, 1)) == (("ann",), ("bob", "cy"))
    assert book.retention(period="week", mode="on_or_after").who(first, 1) == ("ann", "bob")
    assert book.retention(period="week", type="first_time").who(second, 0) == ("dee",)
    with pytest.raises(TidingsError, match=r"came back after 1\. Known: 0\."):
        found.who(third, 1)


def test_lifecycle_by_week(book: Book) -> None:
    found = book.lifecycle("week")
    assert [row[1:5] for row in found.rows] == [(3, 0, 0, 0), (1, 1, 0, 2), (0, 0, 1, 2)]


def test_customers_by_recency_frequency_and_money(book: Book) -> None:
    found = book.rfm()
    assert [row[:4] for row in found.rows] == [("ann", 21, 1, 100), ("eve", 2, 1, 20)]
    assert found.fields[3].unit == "EUR"


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda book: book.funnel(["pageview", "purchse"]), "'purchse' never occurred. Did you mean 'purchase'?"),
        (lambda book: book.funnel("pageview"), "The steps of a funnel are a list"),
        (lambda book: book.funnel([]), "A funnel of 0 steps"),
        (lambda book: book.funnel(["cart"], order="orderd"), "Did you mean 'ordered'?"),
        (lambda book: book.funnel(["cart"], window="7d"), "a number of seconds, not '7d'"),
        (lambda book: book.funnel(["cart"], breakdown="contry"), "Did you mean 'country'?"),
        (lambda book: book.funnel(["cart"], by="visitor"), "Did you mean 'visitor_id'?"),
        (lambda book: book.funnel(["cart"]).dropped_off(1), "The funnel has no step 1 to ask for."),
        (lambda book: book.retention("purchas"), "Did you mean 'purchase'?"),
        (lambda book: book.retention(period="weeks"), "Did you mean 'week'?"),
        (lambda book: book.retention(type="first"), "Did you mean 'first_time'?"),
        (lambda book: book.retention().who("June", 1), "There is no cohort 'June'."),
        (lambda book: book.lifecycle("weeks"), "Did you mean 'week'?"),
        (lambda book: book.metrics["ordrs"], "There is no metric 'ordrs'. Did you mean 'orders'?"),
        (lambda book: book.tables["fct_order"], "There is no table 'fct_order'. Did you mean"),
    ],
)
def test_what_cannot_be_asked_is_refused(book: Book, ask: Callable[[Book], object], says: str) -> None:
    with pytest.raises(TidingsError) as refused:
        ask(book)
    assert says in str(refused.value)


def test_what_there_is_to_ask_for(book: Book) -> None:
    assert book.metrics.to_pandas().set_index("name").loc["orders", "title"] == book.metrics["orders"].title == "Orders"
    assert len(book.metrics) > 100 and repr(book.metrics).startswith("<Result 'Metrics'")
    tables = book.tables.to_pandas().set_index("name")
    assert tables.loc["fct_events", "rows"] == len(EVENTS)
    assert tables.loc["fct_events", "last_row_at"] == "2026-06-16 09:00"
    assert "fct_events" in book.tables and "text/html" in book.tables._repr_mimebundle_()


def test_the_catalogue_says_how_analyses_are_called() -> None:
    call, doc = analyses()["lifecycle"]
    assert call == "book.lifecycle(period='week', over, by='user_id')"
    assert doc.startswith("New, returning")
