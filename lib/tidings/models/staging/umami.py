"""Umami, cleaned, and its platform metrics."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from tidings.feeds.umami import UMAMI_BREAKDOWNS, UMAMI_DAILY, UMAMI_EVENTS
from tidings.models.model import model
from tidings.models.staging.landed import first_per_key, staging
from tidings.platform_metrics import PLATFORM_COLUMNS, PLATFORM_KEY, platform_metric, platform_metrics

_DIMENSIONS = {"path": "page", "channel": "channel", "country": "country", "device": "device", "os": "os"}


def _named(rows: ir.Table, daily: ir.Table) -> ir.Table:
    """The rows under the newest name of their website, whose id (the partition) stays when its domain changes."""
    whose = ("_source", "_partition")
    pulls = daily.group_by(*whose).aggregate(_pull=daily["_pull"].max())
    newest = daily.semi_join(pulls, [*whose, "_pull"])
    names = newest.group_by(*whose).aggregate(_newest=newest["website"].max())
    named = rows.left_join(names, list(whose), rname="{name}_of_name")
    return named.mutate(website=ibis.coalesce(named["_newest"], named["website"])).select(*rows.columns)


@staging(UMAMI_DAILY)
def stg_umami_daily(raw_umami_daily: ir.Table) -> ir.Table:
    """Totals of a website on one day."""
    return first_per_key(_named(raw_umami_daily, raw_umami_daily), UMAMI_DAILY)


@staging(UMAMI_BREAKDOWNS)
def stg_umami_breakdowns(raw_umami_breakdowns: ir.Table, raw_umami_daily: ir.Table) -> ir.Table:
    """Visitors of a website on one day by page, referrer, channel, country, device, system or browser."""
    return first_per_key(_named(raw_umami_breakdowns, raw_umami_daily), UMAMI_BREAKDOWNS)


@staging(UMAMI_EVENTS)
def stg_umami_events(raw_umami_events: ir.Table, raw_umami_daily: ir.Table) -> ir.Table:
    """Custom events of a website on one day by name."""
    return first_per_key(_named(raw_umami_events, raw_umami_daily), UMAMI_EVENTS)


@model(grain="source, metric, day and dimensions", key=PLATFORM_KEY, columns=PLATFORM_COLUMNS)
def platform_metrics_umami(
    stg_umami_daily: ir.Table, stg_umami_breakdowns: ir.Table, stg_umami_events: ir.Table
) -> ir.Table:
    """Visitors, page views, visits, bounces and time by day; visitors by page, channel, country, device and system.

    Visitors of two pages count in both, so that no breakdown adds up to the total.
    """
    whole = {
        "visitors": "visitors",
        "pageviews": "pageviews",
        "visits": "visits",
        "bounces": "bounces",
        "visit_seconds": "seconds",
    }
    parts = [
        platform_metric(stg_umami_daily, metric, column, by={"app": "website"}, zone="zone")
        for metric, column in whole.items()
    ]
    for type_, dimension in _DIMENSIONS.items():
        rows = stg_umami_breakdowns.filter(stg_umami_breakdowns["type"] == type_)
        by = {"app": "website", dimension: "name"}
        parts.append(platform_metric(rows, "visitors", "visitors", by=by, total=False, zone="zone"))
    by = {"app": "website", "event": "event"}
    parts.append(platform_metric(stg_umami_events, "events", "events", by=by, zone="zone"))
    return platform_metrics("umami", *parts)
