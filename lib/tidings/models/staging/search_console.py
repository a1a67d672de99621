"""Google Search Console, cleaned, and its platform metrics."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from tidings.models.model import model
from tidings.platform_metrics import PLATFORM_COLUMNS, PLATFORM_KEY, platform_metric, platform_metrics

ANONYMISED = "(anonymised)"
_ZONE = "America/Los_Angeles"


@model(grain="source, metric, day and dimensions", key=PLATFORM_KEY, columns=PLATFORM_COLUMNS)
def platform_metrics_search_console(
    stg_search_console_daily: ir.Table,
    stg_search_console_country: ir.Table,
    stg_search_console_page: ir.Table,
    stg_search_console_query: ir.Table,
) -> ir.Table:
    """Clicks, impressions and position by day; queries that Google withholds are the query `(anonymised)`."""
    whose = {"app": "site", "search_type": "search_type"}
    parts = []
    for reported, split, total in (
        (stg_search_console_daily, {}, True),
        (stg_search_console_country, {"country": "country", "device": "device"}, False),
        (stg_search_console_page, {"page": "page"}, False),
        (_with_withheld(stg_search_console_query, stg_search_console_daily), {"query": "query"}, False),
    ):
        by = {**whose, **split}
        # Days that Google may still revise are left out.
        rows = (
            _with_devices(reported.filter(reported.is_final))
            if "device" in split
            else reported.filter(reported.is_final)
        )
        parts += [
            platform_metric(rows, "search_clicks", "clicks", by=by, total=total),
            platform_metric(rows, "search_impressions", "impressions", by=by, total=total),
            platform_metric(rows, "search_position", "position", by=by, weight="impressions", total=total),
        ]
    return platform_metrics("search_console", *parts, zone=_ZONE)


def _with_devices(rows: ir.Table) -> ir.Table:
    """Devices in the words of the other sources; search types without devices have none."""
    device = rows.device.lower()
    return rows.mutate(device=ibis.ifelse(device == "all", ibis.null("string"), device))


def _with_withheld(queries: ir.Table, totals: ir.Table) -> ir.Table:
    """Rows by query, and for each of their days the rest of the totals (never below 0)."""
    key = ["_source", "site", "search_type", "ts"]
    columns = [*key, "query", "clicks", "impressions", "position", "is_final"]
    reported = queries.group_by(key).aggregate(reported_clicks=queries.clicks.sum(), reported=queries.impressions.sum())
    # Days outside of the first and last with queries may not have been requested by query.
    reach = queries.group_by(key[:3]).aggregate(first_ts=queries.ts.min(), last_ts=queries.ts.max())
    asked = totals.join(reach, key[:3])
    asked = asked.filter(asked.ts.between(asked.first_ts, asked.last_ts))
    beside = asked.left_join(reported, key).select(asked, "reported_clicks", "reported")
    clicks = beside.clicks - beside.reported_clicks.fill_null(0)
    impressions = beside.impressions - beside.reported.fill_null(0)
    withheld = beside.mutate(
        clicks=ibis.greatest(clicks, 0).cast("int64"),
        impressions=ibis.greatest(impressions, 0).cast("int64"),
        query=ibis.literal(ANONYMISED),
        # Google does not report the position of these.
        position=ibis.null("float64"),
    )
    withheld = withheld.filter((withheld.clicks > 0) | (withheld.impressions > 0)).select(*columns)
    return queries.select(*columns).union(withheld)
