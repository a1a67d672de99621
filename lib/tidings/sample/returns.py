"""What goes wrong with orders: refunds, chargebacks, declined cards, and days that are first reported wrongly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tidings.sample.company import SECOND, Bools, Company
from tidings.sample.movements import ATTEMPT, CHARGEBACK, FAILED, PENDING, REFUND, SUCCEEDED, Lines
from tidings.sample.prices import PRODUCTS, tax_inside
from tidings.sample.story import Story

_REFUNDED = 0.04
_IN_FULL = 0.6
_GOODWILL = 0.02
_GOODWILL_CENTS = 500
_CHARGED_BACK = 0.004
_CHARGEBACK_FEE = 1500
_REFUND_DAYS = 14.0
_REFUSED = 0.025
_MUG = next(n for n, product in enumerate(PRODUCTS) if product.id == "mug")
MISSED, UNSETTLED = 9, 7
"""Of the restated days one in this many documents was at first missing, or still pending."""


def returned(company: Company, story: Story, charges: Lines) -> Lines:
    """Refunds (full, or half of the first line) and chargebacks of succeeded orders, days or weeks later."""
    rng = company.rng("refunds")
    first = np.flatnonzero(charges.line == 1)
    order = np.cumsum(charges.line == 1) - 1
    count = len(first)
    has_mug = np.zeros(count, bool)
    has_mug[order[(charges.product == _MUG) & story.during("bad_batch", charges.ts)]] = True
    chance = np.where(has_mug, story["bad_batch"].effect if "bad_batch" in story else 0.0, _REFUNDED)
    is_paid = charges.status[first] == SUCCEEDED
    draw = rng.random(count)
    is_refund = is_paid & (draw < chance)
    is_chargeback = is_paid & ~is_refund & (draw > 1 - _CHARGED_BACK)
    is_full = is_chargeback | (rng.random(count) < _IN_FULL)
    is_goodwill = is_refund & is_full & (rng.random(count) < _GOODWILL)
    days = np.where(is_refund, 1 + np.minimum(rng.exponential(_REFUND_DAYS, count), 45), 20 + 40 * rng.random(count))
    later = (days * 86_400_000).astype(np.int64) * 1000

    chosen = (is_refund | is_chargeback)[order] & (is_full[order] | (charges.line == 1))
    lines, row = charges.take(chosen), order[chosen]
    amount = np.where(is_full[row], lines.amount, lines.amount // 2)
    amount = amount + np.where(is_goodwill[row] & (lines.line == 1), _GOODWILL_CENTS, 0)
    kind = np.where(is_chargeback[row], CHARGEBACK, REFUND)
    number = np.cumsum(is_refund | is_chargeback)
    nothing = np.zeros(len(lines), np.int64)
    return replace(
        lines,
        prefix=kind,
        number=number[row],
        ts=lines.ts + later[row],
        unit=amount // lines.quantity,
        amount=amount,
        tax=tax_inside(amount, lines.market),
        fee=np.where((kind == CHARGEBACK) & (lines.line == 1), _CHARGEBACK_FEE, nothing),
        type=kind,
        status=nothing + SUCCEEDED,
        of_prefix=lines.prefix,
        of_number=lines.number,
    )


def attempts(company: Company, sold: Lines) -> Lines:
    """Cards that were declined a minute or two before the order went through."""
    rng = company.rng("attempts")
    failed = sold.take(rng.random(len(sold)) < _REFUSED)
    count = len(failed)
    return replace(
        failed,
        prefix=np.full(count, ATTEMPT),
        number=np.arange(1, count + 1),
        ts=failed.ts - rng.integers(40, 150, count) * SECOND,
        fee=np.zeros(count, np.int64),
        status=np.full(count, FAILED),
    )


def uncorrected(lines: Lines, late: Bools) -> Lines:
    """The first version of the late lines: some documents missing, some pending, no fees."""
    document = lines.number
    status = np.where(late & (document % UNSETTLED == 0) & (lines.status == SUCCEEDED), PENDING, lines.status)
    reported = replace(lines, status=status, fee=np.where(late, 0, lines.fee))
    return reported.take(~(late & (document % MISSED == 0)))
