"""Stripe, cleaned, and its platform metrics."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from tidings.feeds.enums.stripe import NEVER_BEGAN, PAUSED_AFTER_TRIAL, SUBSCRIPTION_STATUSES, moved
from tidings.models.model import model
from tidings.platform_metrics import PLATFORM_COLUMNS, PLATFORM_KEY, platform_metric, platform_metrics

DISPUTE = "dispute"
_SALES = moved("sale", "refund", "dispute")
_COSTS = moved("cost")


@model(grain="source, metric, day and dimensions", key=PLATFORM_KEY, columns=PLATFORM_COLUMNS)
def platform_metrics_stripe(
    stg_stripe_balance: ir.Table,
    stg_stripe_refunds: ir.Table,
    stg_stripe_subscriptions: ir.Table,
    stg_stripe_levels: ir.Table,
) -> ir.Table:
    """Sales, refunds, fees and proceeds by UTC day of the balance, subscriptions that began and ended, and levels.

    Money is in the currency of the balance. Levels exist for days with a pull only. Plans without a price do not count
    as subscriptions.
    """
    balance = stg_stripe_balance
    sales = balance.filter(balance.category.isin(_SALES))
    given_back = _given_back(balance, stg_stripe_refunds)
    counted = balance.filter(balance.category.isin((*_SALES, *_COSTS, *moved("other"))))
    # A separate fee is an amount that leaves the balance; other fees are deducted from a payment.
    counted = counted.mutate(kept=counted.fee - ibis.ifelse(counted.category.isin(_COSTS), counted.amount, 0))
    is_charged = counted.category.isin(_COSTS) | (counted.fee != 0)
    paid = _paid(stg_stripe_subscriptions)
    ended = paid.filter(paid.ended_at.notnull() & (paid.ended_at >= paid.began_at))
    # An immediate end is not a cancellation with paid time left.
    still_runs = paid.ended_at.isnull() | (paid.canceled_at < paid.ended_at)
    cancelled = paid.filter((paid.canceled_at >= paid.began_at) & still_runs)
    one, of = ibis.literal(1), {"product": "product"}
    return platform_metrics(
        "stripe",
        platform_metric(sales, "gross_sales", "amount", currency="currency"),
        platform_metric(given_back, "refunds", -given_back.amount, by={"reason": "why"}, currency="currency"),
        platform_metric(counted.filter(is_charged), "fees", "kept", currency="currency"),
        platform_metric(counted, "proceeds", "net", currency="currency"),
        platform_metric(stg_stripe_levels, "mrr", "mrr", by=of, currency="currency"),
        platform_metric(stg_stripe_levels, "active_subscriptions", "active_subscriptions", by=of),
        platform_metric(stg_stripe_levels, "active_trials", "active_trials", by=of),
        platform_metric(paid.mutate(ts=paid.began_at), "new_subscriptions", one, by=of),
        platform_metric(ended.mutate(ts=ended.ended_at), "churned_subscriptions", one, by={**of, "reason": "reason"}),
        platform_metric(
            cancelled.mutate(ts=cancelled.canceled_at), "cancellations", one, by={**of, "reason": "reason"}
        ),
    )


def _given_back(balance: ir.Table, refunds: ir.Table) -> ir.Table:
    """Refunds and disputes, with the reason given with the refund."""
    reported = refunds.select("_source", source_id=refunds.refund_id, reported=refunds.reason)
    rows = balance.filter(balance.category.isin(moved("refund", "dispute")))
    rows = rows.left_join(reported, ["_source", "source_id"]).select(rows, "reported")
    return rows.mutate(why=ibis.ifelse(rows.category.isin(moved("dispute")), DISPUTE, rows.reported))


def _paid(rows: ir.Table) -> ir.Table:
    """Subscriptions that were ever paid, with the instant of their begin: the end of a trial that they began with.

    A trial granted later is free time of a paid subscription. A paused one was paid until then, unless it was paused
    during its trial, or because the trial ended without a payment method.
    """
    began_on_trial = rows.trial_ends_at.notnull() & (
        rows.trial_began_at.isnull() | (rows.trial_began_at <= rows.started_at)
    )
    is_on_trial = rows.is_on_trial.fill_null(rows.status == "trialing")
    ended_on_trial = rows.ended_at.notnull() & (rows.ended_at <= rows.trial_ends_at)
    is_paused = rows.status == "paused"
    # API versions before endive give no reason: there was only that one, and only after a trial.
    paused_after_trial = (rows.pause_reason == PAUSED_AFTER_TRIAL).fill_null(False) | (
        rows.pause_reason.isnull() & rows.trial_ends_at.notnull()
    )
    paused_on_trial = (rows.paused_at < rows.trial_ends_at).fill_null(False)
    never_paid = is_paused & (paused_after_trial | (began_on_trial & paused_on_trial))
    was_free = began_on_trial & (is_on_trial | ended_on_trial.fill_null(False))
    has_begun = rows.status.isin(tuple(SUBSCRIPTION_STATUSES)) & rows.status.notin(NEVER_BEGAN)
    rows = rows.mutate(began_at=ibis.ifelse(began_on_trial, rows.trial_ends_at, rows.started_at))
    return rows.filter(rows.has_price & has_begun & ~never_paid & ~was_free)
