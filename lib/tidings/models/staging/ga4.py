"""Google Analytics 4, cleaned, and its platform metrics."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from tidings.feeds.enums.ga4 import NOT_SET
from tidings.models.model import model
from tidings.platform_metrics import PLATFORM_COLUMNS, PLATFORM_KEY, platform_metric, platform_metrics

_MEASURES = {
    "visitors": "active_users",
    "pageviews": "page_views",
    "visits": "sessions",
    "engaged_visits": "engaged_sessions",
}
# Google counts a page view as an event, too; other sources keep them apart.
_VIEWS = ("page_view", "screen_view")
_UNKNOWN = "(unknown)"


@model(grain="source, metric, day and dimensions", key=PLATFORM_KEY, columns=PLATFORM_COLUMNS)
def platform_metrics_ga4(stg_ga4_daily: ir.Table, stg_ga4_breakdowns: ir.Table, stg_ga4_events: ir.Table) -> ir.Table:
    """Users, sessions, page views and events by day, and by country, channel, page and device.

    Google withholds some rows and merges others, so that no breakdown adds up to the total.
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
