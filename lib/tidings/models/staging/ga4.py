"""Google Analytics 4: cleaned, and its figures."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from tidings.feeds.enums.ga4 import NOT_SET
from tidings.feeds.ga4 import GA4_BREAKDOWNS, GA4_DAILY, GA4_EVENTS
from tidings.models.model import model
from tidings.models.staging.landed import first_per_key, staged
from tidings.platform_metrics import PLATFORM_COLUMNS, PLATFORM_KEY, platform_metric, platform_metrics

_MEASURES = {
    "visitors": "active_users",
    "pageviews": "page_views",
    "visits": "sessions",
    "engaged_visits": "engaged_sessions",
}
# Google counts a page view as an event, too; elsewhere they are told apart.
_VIEWS = ("page_view", "screen_view")
_UNKNOWN = "(unknown)"


@model(grain="property and day", key=("row_key",), columns=staged(GA4_DAILY, "row_key", "Source, property and day."))
def stg_ga4_daily(raw_ga4_daily: ir.Table) -> ir.Table:
    """Totals of a property on one day."""
    return first_per_key(raw_ga4_daily, GA4_DAILY, "row_key")


@model(
    grain="property, day, kind of cut and value",
    key=("row_key",),
    columns=staged(GA4_BREAKDOWNS, "row_key", "Source, property, day, kind of cut and value."),
)
def stg_ga4_breakdowns(raw_ga4_breakdowns: ir.Table) -> ir.Table:
    """A property on one day by country, channel, page or device."""
    return first_per_key(raw_ga4_breakdowns, GA4_BREAKDOWNS, "row_key")


@model(
    grain="property, day and event",
    key=("row_key",),
    columns=staged(GA4_EVENTS, "row_key", "Source, property, day and event."),
)
def stg_ga4_events(raw_ga4_events: ir.Table) -> ir.Table:
    """Events of a property on one day by name."""
    return first_per_key(raw_ga4_events, GA4_EVENTS, "row_key")


@model(grain="source, metric, day and dimensions", key=PLATFORM_KEY, columns=PLATFORM_COLUMNS)
def platform_metrics_ga4(stg_ga4_daily: ir.Table, stg_ga4_breakdowns: ir.Table, stg_ga4_events: ir.Table) -> ir.Table:
    """Users, sessions, page views and events by day, and by country, channel, page and device.

    Google withholds rows and puts others together, so that no cut but the totals adds up to the whole.
    """
    app = {"app": "property"}
    totals = {**_MEASURES, "active_users": "active_users"}
    parts = [platform_metric(stg_ga4_daily, metric, column, by=app, zone="zone") for metric, column in totals.items()]
    for dimension in ("country", "channel", "page", "device"):
        rows = stg_ga4_breakdowns.filter(stg_ga4_breakdowns["type"] == dimension)
        rows = rows.mutate(name=ibis.ifelse(rows.name.lower() == NOT_SET, ibis.literal(_UNKNOWN), rows.name))
        by = {**app, dimension: "name"}
        parts += [
            platform_metric(rows, metric, column, by=by, total=False, zone="zone")
            for metric, column in _MEASURES.items()
        ]
    events = stg_ga4_events.filter(stg_ga4_events.event.notin(_VIEWS))
    by = {**app, "event": "event"}
    parts.append(platform_metric(events, "events", "events", by=by, zone="zone"))
    parts.append(platform_metric(events, "event_users", "users", by=by, total=False, zone="zone"))
    return platform_metrics("ga4", *parts)
