"""Transactions, orders and lines (metric definitions 7): rows in, rows out."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from depth import examples
from workbooks import at, only, run_models


def _line(order: str, amount: Any, **more: Any) -> dict[str, Any]:
    return {"order_id": order, "amount": amount, **more}


def test_lines_of_one_number_type_status_and_time_are_one_transaction() -> None:
    rows = run_models(
        "fct_transactions",
        orders=[
            _line("o1", 119, tax=19, fee=2, quantity=2, country="DE"),
            _line("o1", 10, customer_id="u1", country="FR"),
            _line("o1", 3, ts=at("12:01")),  # another time: a movement of its own (7, "Dates")
            _line("o1", 50, type="refund"),  # another type
            _line("o1", 7, status="failed"),  # another status
            _line("o1", 5, currency="USD"),  # another currency is never added to euros
        ],
    )
    columns = (
        "type",
        "status",
        "currency",
        "ts",
        "amount",
        "tax",
        "net",
        "fee",
        "units",
        "lines",
        "customer_id",
        "country",
    )
    assert only(rows, *columns) == [
        ("charge", "failed", "EUR", at("12:00"), 7, 0, 7, 0, 1, 1, None, None),
        # Customer and country: the first that a line gives, in order of time.
        ("charge", "succeeded", "EUR", at("12:00"), 129, 19, 110, 2, 3, 2, "u1", "DE"),
        ("charge", "succeeded", "EUR", at("12:01"), 3, 0, 3, 0, 1, 1, None, None),
        ("charge", "succeeded", "USD", at("12:00"), 5, 0, 5, 0, 1, 1, None, None),
        # A refund has customer and country of its charge.
        ("refund", "succeeded", "EUR", at("12:00"), 50, 0, 50, 0, 1, 1, "u1", "DE"),
    ]


def test_orders_are_succeeded_charges_less_what_came_back() -> None:
    rows = run_models(
        "fct_orders",
        orders=[
            _line("o1", 119, tax=19),
            _line("r1", 50, type="refund", refund_of="o1", ts=at("2026-06-20T00:00")),
            _line("r2", 11, tax=1, type="chargeback", refund_of="o1"),
            _line("r3", 99, type="refund", refund_of="o1", status="pending"),  # not come back yet
            _line("o1", 5, type="refund"),  # a refund under the order's own number names it too
            _line("o1", 3, type="refund", currency="USD"),  # another currency is not subtracted
            _line("o2", 10, status="failed"),  # no order
            _line("o3", 10, type="payout"),  # neither revenue nor cost
            _line("o4", 20, _source="market"),
            _line("r4", 30, type="refund", refund_of="o4", _source="market"),  # more refunded than paid: negative
            _line("r5", 30, type="refund", refund_of="o4"),  # the o4 of another source
        ],
    )
    assert only(rows, "order_key", "gross", "tax", "refunded", "net") == [
        ("market:o4:EUR", 20, 0, 30, -10),
        ("shop:o1:EUR", 100, 19, 65, 35),
    ]


def test_orders_of_a_customer_are_counted_in_order_of_time_then_input() -> None:
    rows = run_models(
        "fct_orders",
        orders=[
            _line("late", 1, customer_id="u1", ts=at("13:00")),
            _line("early", 1, customer_id="u1", ts=at("12:00")),
            _line("same time, later line", 1, customer_id="u1", ts=at("12:00")),
            _line("nobody", 1),
            _line("nobody2", 1, customer_id=""),
            _line("failed", 1, customer_id="u2", status="failed", ts=at("11:00")),  # does not count as first
            _line("other", 1, customer_id="u2"),
        ],
    )
    assert only(rows, "order_id", "order_number", "is_first", "previous_ts") == [
        ("early", 1, True, None),
        ("late", 3, False, at("12:00")),
        ("nobody", None, None, None),  # without a customer an order is in no customer metric
        ("nobody2", None, None, None),
        ("other", 1, True, None),
        ("same time, later line", 2, False, at("12:00")),
    ]


def test_lines_know_whether_their_order_is_the_first() -> None:
    rows = run_models(
        "fct_order_lines",
        orders=[
            _line("o1", 10, line_id="1", customer_id="u1", tax=2, product="A"),
            _line("o1", 20, line_id="2", customer_id="u1"),
            _line("o2", 5, line_id="1", customer_id="u1", ts=at("13:00")),
            _line("r1", 5, line_id="1", customer_id="u1", type="refund", refund_of="o1", ts=at("14:00")),
            _line("r2", 5, line_id="1", type="refund", refund_of="unknown"),
            _line("o3", 5, line_id="1", status="pending", customer_id="u9"),
        ],
    )
    assert only(rows, "line_key", "net", "is_first") == [
        ("shop:o1:charge:1", 8, True),
        ("shop:o1:charge:2", 20, True),
        ("shop:o2:charge:1", 5, False),
        ("shop:o3:charge:1", 5, None),  # not charged yet
        ("shop:r1:refund:1", 5, True),  # what it refunds was the first order
        ("shop:r2:refund:1", 5, None),  # refunds nothing that is known
    ]


def test_movements_with_ids_of_their_own_are_identified_by_them() -> None:
    rows = run_models(
        "fct_transactions",
        orders=[
            _line("o1", 10, movement_id="m1"),
            _line("o1", 5, movement_id="m1", ts=at("12:30")),  # a line of the same payment, booked later
            _line("o1", 10, movement_id="m2"),  # at the same time, and another payment
            _line("o1:#m3", 1, movement_id="m"),
            _line("o1", 1, movement_id="m3:#m"),  # no number or id can forge the key of another
        ],
    )
    assert only(rows, "order_id", "movement_id", "ts", "amount", "is_order") == [
        ("o1", "m1", at("12:00"), 15, True),
        ("o1", "m2", at("12:00"), 10, False),
        ("o1", "m3:#m", at("12:00"), 1, False),
        ("o1:#m3", "m", at("12:00"), 1, True),
    ]
    assert len({row["transaction_key"] for row in rows}) == 4


def test_an_order_is_counted_once_at_its_first_succeeded_charge() -> None:
    orders = [
        _line("s", 10, status="failed", ts=at("11:00")),
        _line("s", 10, customer_id="u1"),
        _line("s", 10, ts=at("2026-07-01T12:00"), fee=1),
        _line("s", 4, type="refund", ts=at("2026-07-02T12:00")),
        _line("t", 5, customer_id="u1", ts=at("2026-06-15T12:00")),
    ]
    assert only(run_models("fct_orders", orders=orders), "order_id", "ts", "gross", "fee", "net", "order_number") == [
        ("s", at("12:00"), 20, 1, 16, 1),
        ("t", at("2026-06-15T12:00"), 5, 0, 5, 2),
    ]
    counted = [row for row in run_models("fct_transactions", orders=orders) if row["is_order"]]
    assert only(counted, "order_id", "ts") == [("s", at("12:00")), ("t", at("2026-06-15T12:00"))]


def test_what_comes_back_has_the_origin_of_its_charge() -> None:
    orders = [
        _line("a", 10, origin="web", country="DE", customer_id="u1"),
        _line("b", 10),
        _line("c", 10, status="failed", origin="app", ts=at("11:00")),
        _line("c", 10, origin="store", currency="USD"),  # the succeeded one decides, in whatever currency
        _line("ra", 5, type="refund", refund_of="a", origin="office", country="FR"),
        _line("rb", 5, type="chargeback", refund_of="b", origin="office"),  # its charge says nothing
        _line("c", 5, type="refund"),
        _line("rx", 5, type="refund", refund_of="x"),  # of nothing that is known: kept
        _line("ry", 5, type="refund", refund_of="a", _source="other"),  # the a of another source
    ]
    wanted = [
        ("c", "store", None, None),
        ("ra", "web", "FR", "u1"),
        ("rb", "office", None, None),
        ("rx", None, None, None),
        ("ry", None, None, None),
    ]
    for mart in ("fct_transactions", "fct_order_lines"):
        back = [row for row in run_models(mart, orders=orders) if row["type"] != "charge"]
        assert only(back, "order_id", "origin", "country", "customer_id") == wanted


def test_a_charge_with_status_refunded_is_a_charge_and_a_full_refund() -> None:
    orders = [
        _line("a", 119, tax=19, fee=2, status="refunded", refunded_at=at("2026-07-03T00:00"), origin="web"),
        _line("b", 10, status="refunded"),  # no date: dated as its charge, and listed
        _line("c", 10, status="refunded", refunded_at=at("2026-07-03T00:00")),
        _line("rc", 4, type="refund", refund_of="c", ts=at("13:00")),  # reported refunds replace the assumed one
        _line("d", 5, type="refund", status="refunded"),  # a refund is what it is
    ]
    rows = run_models("fct_transactions", orders=orders)
    assert only(rows, "order_id", "type", "status", "ts", "net", "fee", "origin") == [
        ("a", "charge", "succeeded", at("12:00"), 100, 2, "web"),
        ("a", "refund", "succeeded", at("2026-07-03T00:00"), 100, 0, "web"),
        ("b", "charge", "succeeded", at("12:00"), 10, 0, None),
        ("b", "refund", "succeeded", at("12:00"), 10, 0, None),
        ("c", "charge", "succeeded", at("12:00"), 10, 0, None),
        ("d", "refund", "succeeded", at("12:00"), 5, 0, None),
        ("rc", "refund", "succeeded", at("13:00"), 4, 0, None),
    ]
    assert only(run_models("fct_orders", orders=orders), "order_id", "refunded", "net") == [
        ("a", 100, 0),
        ("b", 10, 0),
        ("c", 4, 6),
    ]
    assert sum(row["net"] for row in run_models("fct_order_lines", orders=orders) if row["type"] == "refund") == 119


def test_what_is_odd_is_listed() -> None:
    rows = run_models(
        "dim_order_anomalies",
        orders=[
            _line("a", 10),
            _line("a", 4, type="refund", ts=at("13:00")),
            _line("a", 8, type="refund", ts=at("14:00")),  # two more than was paid
            _line("b", 10),
            _line("b", 10, type="refund"),  # all of it, which is not odd
            _line("c", 3, type="refund"),  # a document of its own, as many books keep it
            _line("r", 3, type="refund", refund_of="x"),
            _line("d", 10, status="refunded"),
            _line("e", 9, type="refund", refund_of="a", status="pending"),  # has not come back
        ],
    )
    assert only(rows, "order_id", "anomaly", "ts", "amount") == [
        ("a", "refunded_above_charge", at("14:00"), 2),
        ("d", "refunded_without_date", at("12:00"), 10),
        ("x", "refund_of_unknown_order", at("12:00"), 3),
    ]


_TYPES = ("charge", "refund")
_money = st.decimals("0", "99999.9999", places=4)


@settings(max_examples=examples(6, 15), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(
            st.sampled_from("abc"),
            st.sampled_from(("charge", "refund")),
            _money,
            st.sampled_from(("EUR", "USD")),
            st.sampled_from((at("12:00"), at("13:00"))),
            st.sampled_from((None, "m1", "m2")),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_no_money_is_lost_or_doubled_on_the_way(lines: list[tuple[Any, ...]]) -> None:
    orders = [
        _line(order, amount, type=kind, currency=currency, ts=ts, movement_id=movement)
        for order, kind, amount, currency, ts, movement in lines
    ]
    expected: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for _, kind, amount, currency, *_ in lines:
        expected[kind, currency] += amount
    for mart in ("fct_transactions", "fct_order_lines"):
        found: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        for row in run_models(mart, orders=orders):
            found[row["type"], row["currency"]] += row["net"]
        assert found == expected
