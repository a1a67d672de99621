"""RevenueCat's webhooks, each event once, and their platform metrics."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from tidings.feeds.enums.revenuecat import PAID_PERIODS, PAYMENTS, REFUND
from tidings.models.model import model
from tidings.platform_metrics import AMOUNT, PLATFORM_COLUMNS, PLATFORM_KEY, platform_metric, platform_metrics


@model(grain="source, metric, day and dimensions", key=PLATFORM_KEY, columns=PLATFORM_COLUMNS)
def platform_metrics_revenuecat_events(stg_revenuecat_events_deliveries: ir.Table) -> ir.Table:
    """Subscriptions that began, were cancelled and ended, trials, revenue and refunds by day of the event.

    Sandbox events, family shares and granted (free) access do not count.
    """
    rows = stg_revenuecat_events_deliveries
    rows = rows.filter((rows.environment == "PRODUCTION") & ~rows.is_family_share)
    # Support also cancels without a refund: a refund has an amount.
    given_back = ibis.coalesce(rows.price, rows.price_usd).fill_null(0) < 0
    is_refund = (rows.type == "CANCELLATION") & (rows.reason == REFUND) & given_back
    is_paid = rows.period_type.isin(PAID_PERIODS)
    converted = rows.filter((rows.type == "RENEWAL") & rows.is_trial_conversion)
    began = rows.filter((rows.type == "INITIAL_PURCHASE") & is_paid)
    one = ibis.literal(1)
    by = {"app": "app", "store": "store", "product": "product", "country": "country"}
    why = {**by, "reason": "reason"}
    money = _money(rows, is_refund)
    refunds = money.filter(money.is_refund)
    return platform_metrics(
        "revenuecat_events",
        platform_metric(began.union(converted), "new_subscriptions", one, by=by),
        platform_metric(
            rows.filter((rows.type == "INITIAL_PURCHASE") & (rows.period_type == "TRIAL")), "trial_starts", one, by=by
        ),
        platform_metric(converted, "trial_conversions", one, by=by),
        platform_metric(
            rows.filter((rows.type == "CANCELLATION") & is_paid & ~is_refund.fill_null(False)),
            "cancellations",
            one,
            by=why,
        ),
        platform_metric(rows.filter((rows.type == "EXPIRATION") & is_paid), "churned_subscriptions", one, by=why),
        platform_metric(money, "revenue", "amount", by=by, currency="paid_in"),
        platform_metric(refunds, "refunds", -refunds.amount, by=why, currency="paid_in"),
    )


def _money(rows: ir.Table, is_refund: ir.BooleanValue) -> ir.Table:
    """Payments, refunds (below 0) and reversed refunds, in the currency paid, or in dollars if only these are given.

    Other events have a price as well, without a payment.
    """
    in_local = rows.price.notnull() & rows.currency.notnull()
    amount = ibis.ifelse(in_local, rows.price, rows.price_usd).cast(AMOUNT)
    counts = (rows.type.isin(PAYMENTS) & (amount > 0)) | (is_refund & (amount < 0))
    reversed_ = (rows.type == "REFUND_REVERSED") & (amount > 0)
    rows = rows.mutate(
        amount=amount,
        paid_in=ibis.ifelse(in_local, rows.currency, ibis.literal("USD")),
        is_refund=is_refund | (rows.type == "REFUND_REVERSED"),
    )
    return rows.filter(counts | reversed_)
