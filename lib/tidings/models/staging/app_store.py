"""App Store Connect, cleaned, and its platform metrics."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from tidings.feeds.enums.app_store import (
    FREE_EVENTS,
    FREE_OFFER,
    LATE_EVENTS,
    OFFER_TYPES,
    OFFERED_EVENTS,
    PAID_OFFERS,
    SUBSCRIBERS_EVENTS,
    meant,
)
from tidings.models.model import model
from tidings.platform_metrics import PLATFORM_COLUMNS, PLATFORM_KEY, platform_metric, platform_metrics

_ZONE = "America/Los_Angeles"


@model(grain="source, metric, day and dimensions", key=PLATFORM_KEY, columns=PLATFORM_COLUMNS)
def platform_metrics_app_store(
    stg_app_store_sales: ir.Table,
    stg_app_store_subscriptions: ir.Table,
    stg_app_store_subscription_events: ir.Table,
    stg_app_store_analytics: ir.Table,
    stg_app_store_reviews: ir.Table,
) -> ir.Table:
    """Downloads, proceeds, subscriptions (Pacific days), store analytics and reviews (UTC days)."""
    sales = _of_apps(stg_app_store_sales)
    sales = sales.mutate(
        product=ibis.ifelse(sales.parent_sku.notnull(), sales.sku, ibis.null("string")),
        returned=ibis.ifelse(sales.units < 0, -sales.gross, ibis.null("decimal(28, 8)")),
    )
    of_app = {"app": "app", "country": "country"}
    parts = []
    for metric, sold in (("downloads", "download"), ("redownloads", "redownload"), ("updates", "update")):
        rows = sales.filter(sales.product_class == sold)
        parts.append(platform_metric(rows, metric, "units", by={**of_app, "app_version": "app_version"}))
    by_product = {**of_app, "product": "product"}
    parts.append(platform_metric(sales, "proceeds", "proceeds", by=by_product, currency="currency"))
    parts.append(platform_metric(sales, "gross_sales", "gross", by=by_product, currency="customer_currency"))
    parts.append(platform_metric(sales, "refunds", "returned", by=by_product, currency="customer_currency"))
    return platform_metrics(
        "app_store",
        *(_in_zone(part, _ZONE) for part in parts),
        *(_in_zone(part, _ZONE) for part in _subscriptions(stg_app_store_subscriptions)),
        *(_in_zone(part, _ZONE) for part in _movements(stg_app_store_subscription_events)),
        *(_in_zone(part, "UTC") for part in _analytics(stg_app_store_analytics)),
        *(_in_zone(part, "UTC") for part in _reviews(stg_app_store_reviews)),
    )


def _of_apps(sales: ir.Table) -> ir.Table:
    """Sales with the app's number, as all other reports have it: in-app purchases give only the app's SKU."""
    own = sales.filter(sales.parent_sku.isnull())
    apps = own.group_by("_source", app_sku=own.sku).aggregate(number=own.app_id.max())
    rows = sales.mutate(app_sku=ibis.coalesce(sales.parent_sku, sales.sku))
    rows = rows.left_join(apps, ["_source", "app_sku"]).select(rows, "number")
    return rows.mutate(app=ibis.coalesce(rows.number, rows.app_sku))


def _in_zone(part: ir.Table, zone: str) -> ir.Table:
    return part.mutate(zone=ibis.literal(zone))


def _subscriptions(rows: ir.Table) -> list[ir.Table]:
    by = {"app": "app_id", "product": "product", "country": "country"}
    return [
        platform_metric(rows, "active_subscriptions", "active", by=by),
        platform_metric(rows, "active_trials", "trials", by=by),
    ]


def _movements(rows: ir.Table) -> list[ir.Table]:
    """Subscriptions that began and ended, and trials that began and became paid, by what Apple's events mean.

    A paid subscription begins at the standard price, in an offer that costs something, or with the first payment after
    a free one. A trial that lapsed was never paid and is not a churned subscription. Events of an offer of unknown type
    count as neither; the pull has listed them.
    """
    by = {"app": "app_id", "product": "product", "country": "country"}
    event, offer = _plain(rows.event), _plain(rows.offer.fill_null(""))
    periods = rows.paid_periods
    has_begun = event.isin(meant("begins", "returns"))
    is_free = (offer == FREE_OFFER) | ((offer == "") & event.isin(FREE_EVENTS))
    is_paid = offer.isin(PAID_OFFERS) | ((offer == "") & event.notin(FREE_EVENTS + OFFERED_EVENTS))
    # Without an offer type, a first payment means that nothing was paid before.
    was_free = is_free | ((offer == "") & (periods == 1).fill_null(False))
    # A free offer in between does not make a subscriber a new one.
    had_paid = event.isin(SUBSCRIBERS_EVENTS) & (periods > 1).fill_null(False)
    is_late = event.isin(LATE_EVENTS) & (periods == 1).fill_null(False)
    has_converted = (event.isin(meant("to_standard")) & was_free & ~had_paid) | is_late
    is_known = offer.isin(("", *OFFER_TYPES))
    never_paid = ((offer == FREE_OFFER) & ~(periods > 0).fill_null(False)) | (
        offer.notin(PAID_OFFERS) & (periods == 0).fill_null(False)
    )
    begun, ended = rows.filter((has_begun & is_paid) | has_converted), event.isin(meant("ends")) & ~never_paid
    return [
        platform_metric(begun, "new_subscriptions", "quantity", by=by),
        platform_metric(
            rows.filter(ended & is_known), "churned_subscriptions", "quantity", by={**by, "reason": "reason"}
        ),
        platform_metric(rows.filter(has_begun & is_free), "trial_starts", "quantity", by=by),
        platform_metric(rows.filter(has_converted), "trial_conversions", "quantity", by=by),
    ]


def _plain(name: ir.StringValue) -> ir.StringValue:
    """A name as in the tables of Apple's values (`vocabulary.plain`, except for other kinds of hyphens)."""
    return name.lower().strip().re_replace(r"\s+", " ")


def _analytics(rows: ir.Table) -> list[ir.Table]:
    event = rows.event.lower()
    of_store = {"app": "app_id", "country": "country", "channel": "channel"}
    of_use = {"app": "app_id", "country": "country", "app_version": "app_version"}

    def of(report: str, name: str = "") -> ir.Table:
        wanted = rows.report == report
        return rows.filter(wanted & (event == name) if name else wanted)

    return [
        platform_metric(of("engagement", "impression"), "store_impressions", "count", by=of_store),
        platform_metric(of("engagement", "page view"), "store_views", "count", by=of_store),
        platform_metric(of("installs", "delete"), "uninstalls", "count", by=of_use),
        platform_metric(of("sessions"), "app_sessions", "count", by=of_use),
        platform_metric(
            of("crashes"), "crashes", "count", by={"app": "app_id", "app_version": "app_version", "os": "os"}
        ),
    ]


def _reviews(rows: ir.Table) -> list[ir.Table]:
    one = rows.mutate(one=ibis.literal(1))
    by = {"app": "app_id", "country": "country"}
    return [
        platform_metric(one, "reviews", "one", by=by),
        platform_metric(one, "rating", "rating", by=by, weight="one"),
    ]
