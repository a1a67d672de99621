"""The waterfall: by hand, and that its parts add up to the change whatever the amounts."""

from __future__ import annotations

from decimal import Decimal, localcontext

import ibis
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from tidings.analysis.waterfall import (
    CUSTOMERS,
    NEW,
    RETURNING,
    UNKNOWN,
    Sales,
    Side,
    currency_effect,
    sales_by_customers,
    waterfall,
)


def test_parts_by_hand() -> None:
    before = Side({NEW: Sales(10, Decimal(100)), RETURNING: Sales(4, Decimal(80))}, Decimal(20), Decimal(5))
    now = Side({NEW: Sales(12, Decimal(144)), RETURNING: Sales(3, Decimal(66))}, Decimal(8), Decimal(9))
    found = [(partition.kind, partition.customers, partition.amount) for partition in waterfall(before, now)]
    assert found == [
        ("volume", NEW, Decimal(20)),  # two orders more at the old 10
        ("price and mix", NEW, Decimal(24)),  # twelve orders at 2 more each
        ("volume", RETURNING, Decimal(-20)),  # one order less at the old 20
        ("price and mix", RETURNING, Decimal(6)),  # three orders at 2 more each
        ("refunds", "", Decimal(12)),  # 12 less refunded
        ("chargebacks", "", Decimal(-4)),
    ]
    assert (before.net, now.net) == (Decimal(155), Decimal(193))


def test_without_orders_on_one_side_all_is_volume() -> None:
    one = Side({UNKNOWN: Sales(2, Decimal(30))})
    assert [p.amount for p in waterfall(Side(), one)][:2] == [Decimal(30), Decimal(0)]
    assert [p.amount for p in waterfall(one, Side())][:2] == [Decimal(-30), Decimal(0)]


_MONEY = st.decimals(0, 10**11, places=4)
_SALES = st.builds(Sales, st.integers(1, 10**6), _MONEY) | st.just(Sales())
_SIDE = st.builds(Side, st.dictionaries(st.sampled_from(CUSTOMERS), _SALES), _MONEY, _MONEY)


@given(_SIDE, _SIDE)
def test_parts_add_up_to_the_change_exactly(before: Side, now: Side) -> None:
    assert sum((partition.amount for partition in waterfall(before, now)), Decimal(0)) == now.net - before.net


@given(_SIDE)
def test_nothing_changed_makes_no_part(side: Side) -> None:
    assert all(partition.amount == 0 for partition in waterfall(side, side))


def test_customers_are_new_with_all_their_orders_of_the_window() -> None:
    rows = [
        ("a", True, 10),
        ("a", False, 20),  # the second order of a new customer: still new
        ("b", False, 5),
        (None, None, 7),
        ("", False, 1),
        (None, None, 2),
    ]
    schema = pa.schema([("customer_id", pa.string()), ("is_first", pa.bool_()), ("gross", pa.decimal128(18, 4))])
    table = pa.Table.from_pylist(
        [{"customer_id": c, "is_first": f, "gross": Decimal(g)} for c, f, g in rows], schema=schema
    )
    found = sales_by_customers(ibis.memtable(table)).to_pyarrow().to_pylist()
    assert {row["customers"]: (row["orders"], row["gross"]) for row in found} == {
        NEW: (2, Decimal(30)),
        RETURNING: (1, Decimal(5)),
        UNKNOWN: (3, Decimal(10)),
    }


_CODES = ("EUR", "USD", "GBP", "JPY")
_AMOUNTS = st.dictionaries(st.sampled_from(_CODES), st.decimals(-(10**9), 10**9, places=4))
_RATES = st.fixed_dictionaries({code: st.decimals("0.001", 1000, places=8) for code in _CODES})


@given(_AMOUNTS, _AMOUNTS, _RATES, _RATES)
def test_the_effect_of_rates_and_the_change_at_one_rate_are_the_whole_exactly(
    before: dict[str, Decimal], now: dict[str, Decimal], early: dict[str, Decimal], late: dict[str, Decimal]
) -> None:
    with localcontext(prec=60):
        then = sum((amount * early[code] for code, amount in before.items()), Decimal(0))
        today = sum((amount * late[code] for code, amount in now.items()), Decimal(0))
        at_one_rate = today - sum((amount * late[code] for code, amount in before.items()), Decimal(0))
        assert at_one_rate + currency_effect(before, early, late) == today - then


def test_without_other_money_or_without_a_rate_rates_make_nothing() -> None:
    one = {"EUR": Decimal(1)}
    assert currency_effect({"EUR": Decimal(50)}, one, one) == 0
    assert currency_effect({"XXX": Decimal(50)}, one, {**one, "XXX": Decimal(2)}) == 0
