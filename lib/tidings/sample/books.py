"""The truth about the sample company's money, after the restatement."""

from __future__ import annotations

import numpy as np

from tidings.sample.commerce import Commerce
from tidings.sample.movements import (
    CANCELED,
    CHARGE,
    CHARGEBACK,
    FAILED,
    ORIGINS,
    PENDING,
    PREFIXES,
    REFUND,
    SUCCEEDED,
    Lines,
)
from tidings.sample.prices import CURRENCIES, currency_of
from tidings.sample.returns import MISSED
from tidings.sample.truth import Tally


def count_money(commerce: Commerce, tally: Tally) -> None:
    """Add counts of documents and lines, sums by currency and of customers to the tally."""
    lines = commerce.lines
    first = lines.line == 1
    currency = currency_of(lines.market)
    net = lines.amount - lines.tax
    paid = lines.status == SUCCEEDED
    charge = lines.type == CHARGE
    tally.add("orders", "lines", len(lines))
    for name, rows in (
        ("orders", charge & paid),
        ("refunds", (lines.type == REFUND) & paid),
        ("chargebacks", (lines.type == CHARGEBACK) & paid),
        ("pending", charge & (lines.status == PENDING)),
        ("failed", charge & (lines.status == FAILED)),
        ("canceled", charge & (lines.status == CANCELED)),
        ("orders_without_customer", charge & paid & (lines.person < 0)),
    ):
        tally.add("orders", name, (rows & first).sum())
    sales = lines.take(charge & paid)
    for name, rows in (("gross", charge & paid), ("refunded", (lines.type == REFUND) & paid)):
        tally.add_each("orders", f"{name}_cents", CURRENCIES, currency[rows], net[rows])
    back = (lines.type == CHARGEBACK) & paid
    tally.add_each("orders", "charged_back_cents", CURRENCIES, currency[back], net[back])
    sign = np.where(charge, 1, -1)
    tally.add_each("orders", "net_cents", CURRENCIES, currency[paid], (net * sign)[paid])
    tally.add_each("orders", "tax_cents", CURRENCIES, currency_of(sales.market), sales.tax)
    tally.add_each("orders", "fees_cents", CURRENCIES, currency[paid], lines.fee[paid])
    tally.add_each("orders", "orders_by_origin", ORIGINS, sales.origin[sales.line == 1])
    tally.saw("orders", "customers", sales.person[sales.person >= 0])
    tally.add("orders", "refunds_above_charge", _above_charge(lines))
    again = commerce.story.during("duplicated_webhook", lines.ts).sum()
    tally.add("orders", "lines_delivered_twice", again)
    late = commerce.story.get("late_restatement")
    if late:
        held = late.holds(lines.ts)
        tally.add("orders", "lines_restated", held.sum())
        tally.add("orders", "lines_missing_at_first", (held & (lines.number % MISSED == 0)).sum())


def _above_charge(lines: Lines) -> int:
    """Refund documents that return more than was paid."""
    width = len(PREFIXES) * 10**10
    back = lines.type == REFUND
    paid = (lines.type == CHARGE) & (lines.status == SUCCEEDED)
    charged, which = np.unique(lines.prefix[paid] * width + lines.number[paid], return_inverse=True)
    sums = np.zeros(len(charged), np.int64)
    np.add.at(sums, which, lines.amount[paid])
    keys, at = np.unique(lines.of_prefix[back] * width + lines.of_number[back], return_inverse=True)
    given = np.zeros(len(keys), np.int64)
    np.add.at(given, at, lines.amount[back])
    return int((given > sums[np.searchsorted(charged, keys)]).sum())
