"""What exchange rates alone would have made of a change of money, beside the change at one rate (definitions 7)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import ibis

from tidings.analysis.waterfall import currency_effect
from tidings.metrics.metric import Metric, Reported
from tidings.metrics.registry import leaves
from tidings.query.context import QueryContext
from tidings.query.evaluation import rows_behind
from tidings.window import Window


def exchange_effect(context: QueryContext, metric: Metric, window: Window, before: Window) -> Decimal | None:
    """The effect in the report's currency; None where all money is in it, or the metric is no sum of amounts.

    Each rate is the last fixing before its window's end; currencies without both are left out.
    """
    (leaf, *others) = leaves(metric)
    is_sum = not others and leaf.unit == "money" and leaf.kind == "flow" and leaf.value is not None
    # Platforms' money has the rate of each day, so that the effect is in the change.
    if not is_sum or isinstance(leaf.where, Reported) or not context.views.held - {context.currency}:
        return None
    rows = rows_behind(context, leaf, before)
    if "currency" not in rows.columns or leaf.value is None:
        return None
    rows = rows.mutate(fx=ibis.literal("1").cast("decimal(20, 8)"))
    found = context.rows(rows.group_by("currency").aggregate(amount=leaf.value(rows)))
    amounts: Mapping[str, Decimal] = {
        row["currency"]: row["amount"]
        for row in found
        if row["currency"] != context.currency and row["amount"] is not None
    }
    early, late = (context.rates_on(each.last_day) for each in (before, window))
    return currency_effect(amounts, early, late) if amounts else None
