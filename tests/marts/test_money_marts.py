"""Transactions, orders and lines (metric definitions 7): rows in, rows out."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workbooks import at, only, run_models


def _line(order: str, amount: Any, **more: Any) -> dict[str, Any]:
    return {"order_id": order, "amount": amount, **more}


def test_lines_of_one_number_type_and_status_are_one_transaction() -> None:
    rows = run_models(
        "fct_transactions",
        orders=[
            _line("o1", 119, tax=19, fee=2, quantity=2, ts=at("12:01"), customer_id="u1"),
            _line("o1", 10, ts=at("12:00"), country="DE"),  # the earlier line: the transaction is dated by it
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
        ("charge", "succeeded", "USD", at("12:00"), 5, 0, 5, 0, 1, 1, None, None),
        ("refund", "succeeded", "EUR", at("12:00"), 50, 0, 50, 0, 1, 1, None, None),
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
            _line("r4", 30, type="refund", refund_of="o4", _source="market"),  # more came back than was paid: negative
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
        ("nobody", None, None, None),  # without a customer an order is in no customer figure
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


_TYPES = ("charge", "refund")
_money = st.decimals("0", "99999.9999", places=4)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(
            st.sampled_from("abc"), st.sampled_from(("charge", "refund")), _money, st.sampled_from(("EUR", "USD"))
        ),
        min_size=1,
        max_size=20,
    )
)
def test_no_money_is_lost_or_doubled_on_the_way(lines: list[tuple[str, str, Decimal, str]]) -> None:
    orders = [_line(order, amount, type=kind, currency=currency) for order, kind, amount, currency in lines]
    expected: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for _, kind, amount, currency in lines:
        expected[kind, currency] += amount
    for mart in ("fct_transactions", "fct_order_lines"):
        found: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        for row in run_models(mart, orders=orders):
            found[row["type"], row["currency"]] += row["net"]
        assert found == expected
