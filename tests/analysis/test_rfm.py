"""RFM and repeat purchases, by hand and against the definition written out in Python."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidings.analysis.rfm import SEGMENT_OF, repeat_purchases, rfm, rfm_segments

AS_OF = date(2026, 7, 1)
_SCHEMA = pa.schema(
    [
        ("customer_id", pa.string()),
        ("day", pa.date32()),
        ("amount", pa.decimal128(38, 4)),
        ("refunded_amount", pa.decimal128(38, 4)),
    ]
)
Order = tuple[str | None, date, Any, Any]


def _orders(*rows: Order) -> ir.Table:
    exact = [{**dict(zip(_SCHEMA.names, row, strict=True))} for row in rows]
    for row in exact:
        row["amount"], row["refunded_amount"] = Decimal(str(row["amount"])), Decimal(str(row["refunded_amount"]))
    return ibis.memtable(pa.Table.from_pylist(exact, schema=_SCHEMA))


def _scored(*rows: Order) -> dict[str, dict[str, Any]]:
    return {row["customer_id"]: row for row in rfm(_orders(*rows), AS_OF).to_pyarrow().to_pylist()}


def test_scores_by_hand() -> None:
    # Six customers: h = 5 k / 5 falls on a value, so the lowest is R 1 and so on, and who equals a cut is below it.
    rows = [(name, date(2026, 6, n), 10 * n, 0) for n, name in enumerate("abcdef", start=1)]
    found = _scored(*rows)
    # Recency 30 (a) to 25 (f) days; cuts are 26, 27, 28, 29: f (25) and e (26) are rank 1, so R 5.
    assert {name: row["r"] for name, row in found.items()} == {"a": 1, "b": 2, "c": 3, "d": 4, "e": 5, "f": 5}
    assert {name: row["m"] for name, row in found.items()} == {"a": 1, "b": 1, "c": 2, "d": 3, "e": 4, "f": 5}
    # All have one order: equal values get equal scores, and no cut lies below them.
    assert {row["f"] for row in found.values()} == {1}
    assert found["f"]["code"] == "515" and found["f"]["segment"] == "New Customers"
    assert (found["a"]["recency"], found["a"]["segment"]) == (30, "Hibernating")


def test_all_equal_customers() -> None:
    found = _scored(*[(name, date(2026, 6, 1), 5, 0) for name in "abc"])
    assert {row["code"] for row in found.values()} == {"511"}


def test_what_came_back_in_full_is_no_order() -> None:
    found = _scored(
        ("a", date(2026, 6, 1), 10, 4),
        ("a", date(2026, 6, 20), 10, 10),  # refunded: not in recency or frequency
        ("b", date(2026, 6, 1), 10, 12),  # more than in full, and b's only order: not scored
        (None, date(2026, 6, 1), 10, 0),  # nobody
        ("", date(2026, 6, 1), 10, 0),
    )
    assert list(found) == ["a"]
    assert (found["a"]["recency"], found["a"]["frequency"], found["a"]["monetary"]) == (30, 1, Decimal(6))


def test_every_score_has_the_segment_of_the_definitions() -> None:
    assert SEGMENT_OF[5][3] == "Champions" and SEGMENT_OF[1][4] == "Cannot Lose Them"
    assert SEGMENT_OF[3][2] == "Need Attention" and SEGMENT_OF[4][0] == "Promising"
    assert len({name for row in SEGMENT_OF.values() for name in row}) == 10


def _rank(value: Decimal, values: list[Decimal]) -> int:
    """Section 10 to the letter, in fractions: 1 + the number of 8.1 cut points strictly below."""
    ordered = sorted(Fraction(v) for v in values)
    below = 0
    for k in (1, 2, 3, 4):
        h = Fraction(len(ordered) - 1) * k / 5
        low = int(h)
        high = min(low + 1, len(ordered) - 1)
        below += ordered[low] + (h - low) * (ordered[high] - ordered[low]) < Fraction(value)
    return 1 + below


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("abcdefghijklmnop"),
            st.dates(date(2026, 5, 1), date(2026, 6, 30)),
            st.decimals(1, 40, places=2),
        ),
        min_size=1,
        max_size=60,
    )
)
def test_scores_are_those_of_the_definition(rows: list[tuple[str, date, Decimal]]) -> None:
    found = _scored(*[(name, day, amount, 0) for name, day, amount in rows])
    monetary = {c: sum(amount for name, _, amount in rows if name == c) for c, _, _ in rows}
    frequency = {c: Decimal(sum(name == c for name, _, _ in rows)) for c in monetary}
    recency = {c: Decimal((AS_OF - max(day for name, day, _ in rows if name == c)).days) for c in monetary}
    for customer, row in found.items():
        assert row["m"] == _rank(monetary[customer], list(monetary.values()))
        assert row["f"] == _rank(frequency[customer], list(frequency.values()))
        assert row["r"] == 6 - _rank(recency[customer], list(recency.values()))
        assert row["segment"] == SEGMENT_OF[row["r"]][row["f"] - 1]


def test_segments_add_up_to_all_customers() -> None:
    orders = _orders(*[(str(n % 7), date(2026, 6, 1 + n), 10 + n, 0) for n in range(20)])
    segments = rfm_segments(rfm(orders, AS_OF)).to_pyarrow().to_pylist()
    assert sum(row["customers"] for row in segments) == 7
    assert sum(row["monetary"] for row in segments) == sum(10 + n for n in range(20))
    assert [row["monetary"] for row in segments] == sorted((row["monetary"] for row in segments), reverse=True)


def test_repeat_purchases() -> None:
    orders = _orders(
        ("a", date(2026, 6, 1), 10, 0),
        ("a", date(2026, 6, 1), 5, 0),  # the same day: one purchase
        ("a", date(2026, 6, 11), 20, 0),
        ("a", date(2026, 6, 21), 40, 10),
        ("b", date(2026, 6, 30), 7, 0),
        ("b", date(2026, 7, 1), 7, 7),  # fully refunded: not a purchase
        ("c", date(2026, 6, 2), 7, 8),  # and c has none left
        ("d", date(2026, 6, 2), 0, 0),  # was given away, and kept
        (None, date(2026, 6, 30), 7, 0),  # nobody
    )
    found = repeat_purchases(orders, AS_OF).to_pyarrow().to_pylist()
    # a: two after the first, 20 days from first to last, mean of 20 and 30; b: none, and 0 by definition.
    assert found == [
        {"customer_id": "a", "frequency": 2, "recency": 20, "t": 30, "monetary": 25.0},
        {"customer_id": "b", "frequency": 0, "recency": 0, "t": 1, "monetary": 0.0},
        {"customer_id": "d", "frequency": 0, "recency": 0, "t": 29, "monetary": 0.0},
    ]


@pytest.mark.data
def test_cdnow_has_its_published_summary(shared_data: Any) -> None:
    # To 1997-09-30 (Fader and Hardie): 2,357 customers with 1.0424 repeat purchases on average.
    lines = (shared_data / "cdnow" / "CDNOW_sample.txt").read_text().splitlines()
    rows = [line.split() for line in lines if line.strip()]
    end = date(1997, 9, 30)
    bought = [(c, date.fromisoformat(f"{d[:4]}-{d[4:6]}-{d[6:]}"), dollars, 0) for _, c, d, _, dollars in rows]
    found = repeat_purchases(_orders(*[row for row in bought if row[1] <= end]), end).to_pyarrow().to_pylist()
    assert len(found) == 2357
    assert sum(row["frequency"] for row in found) == round(1.0424 * 2357)
