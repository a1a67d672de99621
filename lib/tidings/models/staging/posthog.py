"""PostHog: cleaned, and its figures."""

from __future__ import annotations

import ibis.expr.types as ir

from tidings.feeds.posthog import POSTHOG_BREAKDOWNS, POSTHOG_DAILY, POSTHOG_EVENTS, POSTHOG_HITS
from tidings.models.model import model
from tidings.models.staging.landed import first_per_key, staged
from tidings.platform_metrics import PLATFORM_COLUMNS, PLATFORM_KEY, platform_metric, platform_metrics


@model(grain="project and day", key=("row_key",), columns=staged(POSTHOG_DAILY, "row_key", "Source, project and day."))
def stg_posthog_daily(raw_posthog_daily: ir.Table) -> ir.Table:
    """Totals of a project on one day."""
    return first_per_key(raw_posthog_daily, POSTHOG_DAILY, "row_key")


@model(
    grain="project, day, kind of cut and value",
    key=("row_key",),
    columns=staged(POSTHOG_BREAKDOWNS, "row_key", "Source, project, day, kind of cut and value."),
)
def stg_posthog_breakdowns(raw_posthog_breakdowns: ir.Table) -> ir.Table:
    """Page views and visitors of a project on one day by country, page, device or channel."""
    return first_per_key(raw_posthog_breakdowns, POSTHOG_BREAKDOWNS, "row_key")


@model(
    grain="project, day and event",
    key=("row_key",),
    columns=staged(POSTHOG_EVENTS, "row_key", "Source, project, day and event."),
)
def stg_posthog_events(raw_posthog_events: ir.Table) -> ir.Table:
    """Events of a project on one day by name."""
    return first_per_key(raw_posthog_events, POSTHOG_EVENTS, "row_key")


@model(grain="event", key=("row_key",), columns=staged(POSTHOG_HITS, "row_key", "Source, project and event."))
def stg_posthog_hits(raw_posthog_hits: ir.Table) -> ir.Table:
    """One event as PostHog holds it."""
    return first_per_key(raw_posthog_hits, POSTHOG_HITS, "row_key")


@model(grain="source, metric, day and dimensions", key=PLATFORM_KEY, columns=PLATFORM_COLUMNS)
def platform_metrics_posthog(
    stg_posthog_daily: ir.Table, stg_posthog_breakdowns: ir.Table, stg_posthog_events: ir.Table
) -> ir.Table:
    """Page views, visitors, visits and active users by day, cuts beside them, and events by name.

    A visitor of two pages is in both, so that no cut of visitors adds up to the whole.
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
