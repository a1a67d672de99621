"""PostHog, cleaned, and its platform metrics."""

from __future__ import annotations

import ibis.expr.types as ir

from tidings.models.model import model
from tidings.platform_metrics import PLATFORM_COLUMNS, PLATFORM_KEY, platform_metric, platform_metrics


@model(grain="source, metric, day and dimensions", key=PLATFORM_KEY, columns=PLATFORM_COLUMNS)
def platform_metrics_posthog(
    stg_posthog_daily: ir.Table, stg_posthog_breakdowns: ir.Table, stg_posthog_events: ir.Table
) -> ir.Table:
    """Page views, visitors, visits and active users by day, with breakdowns, and events by name.

    A visitor of two pages counts in both, so that no breakdown of visitors adds up to the total.
    """
    app = {"app": "project"}
    parts = [
        platform_metric(stg_posthog_daily, metric, metric, by=app, zone="zone")
        for metric in ("pageviews", "visitors", "visits", "active_users")
    ]
    for dimension in ("country", "page", "device", "channel"):
        rows = stg_posthog_breakdowns.filter(stg_posthog_breakdowns["type"] == dimension)
        by = {**app, dimension: "name"}
        parts += [
            platform_metric(rows, name, name, by=by, total=False, zone="zone") for name in ("pageviews", "visitors")
        ]
    by = {**app, "event": "event"}
    parts.append(platform_metric(stg_posthog_events, "events", "events", by=by, zone="zone"))
    parts.append(platform_metric(stg_posthog_events, "event_users", "users", by=by, total=False, zone="zone"))
    return platform_metrics("posthog", *parts)
