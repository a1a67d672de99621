"""Customers by recency, frequency and money; repeat purchases (metric definitions 10)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import reduce
from operator import add

import ibis
import ibis.expr.types as ir

_FIFTHS = (1, 2, 3, 4)
SEGMENT_OF: Mapping[int, tuple[str, str, str, str, str]] = {
    5: ("New Customers", "Potential Loyalists", "Potential Loyalists", "Champions", "Champions"),
    4: ("Promising", "Potential Loyalists", "Potential Loyalists", "Loyal Customers", "Loyal Customers"),
    3: ("About to Sleep", "About to Sleep", "Need Attention", "Loyal Customers", "Loyal Customers"),
    2: ("Hibernating", "Hibernating", "At Risk", "At Risk", "Cannot Lose Them"),
    1: ("Hibernating", "Hibernating", "At Risk", "At Risk", "Cannot Lose Them"),
}
"""Segment by R, then by F from 1 to 5."""


def rfm(orders: ir.Table, as_of: date) -> ir.Table:
    """One row per customer with a kept order: recency (days), frequency (orders), monetary, scores and segment.

    `orders` holds customer_id, day (local date), amount and refunded_amount, in one currency, before `as_of` (local
    date). Fully refunded orders and those without a customer (C6) do not count.

    Scores r, f, m from 1 to 5: 1 + the number of quintiles (8.1, over customers) strictly below the value, 6 minus
    that for recency. Quintiles are compared in integer fifths, so that rounding decides nothing.
    """
    kept = _of_customers(orders).filter(lambda t: t.refunded_amount < t.amount)
    customers = kept.group_by("customer_id").aggregate(
        recency=_days(ibis.literal(as_of), kept.day.max()),
        frequency=kept.count(),
        monetary=(kept.amount - kept.refunded_amount).sum(),
    )
    scored = _ranked(customers, ("recency", "frequency", "monetary"))
    scored = scored.mutate(r=6 - scored.recency_rank, f=scored.frequency_rank, m=scored.monetary_rank)
    code = reduce(add, (scored[letter].cast("string") for letter in "rfm"))
    branches = [
        ((scored.r == r) & (scored.f == f), name)
        for r, row in SEGMENT_OF.items()
        for f, name in enumerate(row, start=1)
    ]
    return scored.select(
        *("customer_id", "recency", "frequency", "monetary", "r", "f", "m"), code=code, segment=ibis.cases(*branches)
    )


def rfm_segments(scored: ir.Table) -> ir.Table:
    """One row per segment of `rfm`, by money: customers, monetary, and the means of recency and frequency."""
    return (
        scored.group_by("segment")
        .aggregate(
            customers=scored.count(),
            monetary=scored.monetary.sum(),
            recency=scored.recency.mean(),
            frequency=scored.frequency.mean(),
        )
        .order_by(ibis.desc("monetary"), "segment")
    )


def repeat_purchases(orders: ir.Table, as_of: date) -> ir.Table:
    """One row per customer, as BG/NBD models want it: frequency, recency and t in days, monetary per purchase day.

    Orders of one local day are one purchase. frequency counts purchases after the first; recency is from the first to
    the last, t from the first to `as_of`; monetary is the mean of the days after the first, 0 if there are none.
    Columns of `orders` are as for `rfm`. Fully refunded orders do not count, others count less their refunds; an order
    of 0 is not a refunded one.
    """
    kept = _of_customers(orders)
    kept = kept.filter((kept.refunded_amount < kept.amount) | (kept.refunded_amount == 0))
    days = kept.group_by("customer_id", "day").aggregate(paid=(kept.amount - kept.refunded_amount).sum())
    days = days.mutate(first=days.day.min().over(ibis.window(group_by="customer_id")))
    later = days.day > days.first
    rows = days.group_by("customer_id").aggregate(
        frequency=later.cast("int64").sum(),
        recency=_days(days.day.max(), days.first.min()),
        t=_days(ibis.literal(as_of), days.first.min()),
        monetary=days.paid.cast("float64").mean(where=later).fill_null(0.0),
    )
    return rows.order_by("customer_id")


def _of_customers(orders: ir.Table) -> ir.Table:
    return orders.filter(orders.customer_id.notnull(), orders.customer_id != "")


def _days(later: ir.DateValue, earlier: ir.DateValue) -> ir.IntegerValue:
    return later.delta(earlier, unit="day")


def _ranked(rows: ir.Table, columns: tuple[str, ...]) -> ir.Table:
    """Each column's rank among the quintiles, 1 to 5, as `<column>_rank`."""
    last = rows.count().over(ibis.window()) - 1
    places = {f"{name}_place": ibis.row_number().over(ibis.window(order_by=rows[name])) for name in columns}
    placed = rows.mutate(**places, last=last)
    cuts = {}
    for name in columns:
        for k in _FIFTHS:
            # h = (n - 1) k / 5 = at + over / 5 exactly, so that 5 times the quintile needs no division.
            at, over = placed.last * k // 5, placed.last * k % 5
            place, value = placed[f"{name}_place"], placed[name]
            low, high = value.max(where=place == at), value.max(where=place == ibis.least(at + 1, placed.last))
            cuts[f"{name}_{k}"] = low * 5 + (high - low) * over.max()
    joined = rows.cross_join(placed.aggregate(**cuts))
    ranks = {
        f"{name}_rank": reduce(add, ((joined[name] * 5 > joined[f"{name}_{k}"]).cast("int64") for k in _FIFTHS)) + 1
        for name in columns
    }
    return joined.mutate(**ranks)
