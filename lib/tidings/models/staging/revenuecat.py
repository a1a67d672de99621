"""RevenueCat's API, cleaned, and its platform metrics."""

from __future__ import annotations

from collections.abc import Mapping

import ibis
import ibis.expr.types as ir

from tidings.feeds.revenuecat import (
    REVENUECAT_SUBSCRIPTIONS,
)
from tidings.models.model import model
from tidings.models.staging.landed import first_per_key, staging
from tidings.platform_metrics import AMOUNT, PLATFORM_COLUMNS, PLATFORM_KEY, platform_metric, platform_metrics

_SPLITS = ("country", "store", "product")
# The first measure of these charts is the one in their name.
_LEVELS: Mapping[str, str] = {"mrr": "mrr", "active_subscriptions": "actives", "active_trials": "trials"}
_FLOWS: Mapping[str, str] = {"revenue": "revenue", "trial_starts": "trials_new"}
_MONEY = ("mrr", "revenue")


@staging(REVENUECAT_SUBSCRIPTIONS)
def stg_revenuecat_subscriptions(raw_revenuecat_subscriptions: ir.Table) -> ir.Table:
    """A subscription outside of the sandbox, as it was at the last pull."""
    rows = first_per_key(raw_revenuecat_subscriptions, REVENUECAT_SUBSCRIPTIONS)
    return rows.filter(rows.environment.lower() == "production")


@model(grain="source, metric, day and dimensions", key=PLATFORM_KEY, columns=PLATFORM_COLUMNS)
def platform_metrics_revenuecat(stg_revenuecat_charts: ir.Table, stg_revenuecat_overview: ir.Table) -> ir.Table:
    """Recurring revenue, subscriptions, trials and churn by day; days that RevenueCat calls incomplete are left out.

    For days missing from a chart (or not in it yet), levels are those of the overview at that day's pull.
    """
    whole = stg_revenuecat_charts.filter(~stg_revenuecat_charts.is_incomplete)
    parts = []
    for split in ("all", *_SPLITS):
        rows = whole.filter(whole.dimension == split)
        by = {"app": "project"} if split == "all" else {"app": "project", split: "segment"}
        total = split == "all"
        for metric, chart in {**_LEVELS, **_FLOWS}.items():
            reported = _first(rows, chart)
            if total and metric in _LEVELS:
                reported = reported.union(_snapshots(stg_revenuecat_overview, metric, reported))
            currency = "currency" if metric in _MONEY else None
            parts.append(platform_metric(reported, metric, "value", by=by, currency=currency, total=total))
        started, churn = _started(rows), _churn(rows)
        parts += [
            platform_metric(started, "new_subscriptions", "started", by=by, total=total),
            platform_metric(started, "trial_conversions", "converted", by=by, total=total),
            platform_metric(churn, "churned_subscriptions", "churned", by=by, total=total),
            platform_metric(churn, "churn_rate", "rate", by=by, weight="opening", total=total),
        ]
    return platform_metrics("revenuecat", *parts)


def _first(rows: ir.Table, chart: str) -> ir.Table:
    """The first measure of a chart."""
    reported = rows.filter((rows.chart == chart) & (rows.position == 0))
    return reported.select("_source", "project", "ts", "segment", "value", "currency")


def _snapshots(overview: ir.Table, metric: str, reported: ir.Table) -> ir.Table:
    """Levels of the overview for days of a project that its chart does not have, shaped like `reported`."""
    levels = overview.filter(overview.metric == metric).mutate(segment=ibis.literal("all"))
    levels = levels.select("_source", "project", "ts", "segment", "value", "currency")
    return levels.anti_join(reported.filter(reported["value"].notnull()), ["_source", "project", "ts"])


def _started(rows: ir.Table) -> ir.Table:
    """Paid subscriptions that began, and those of them that were trials before, per day of a project or segment.

    The chart splits them by how they began; whether it has their sum as well depends on its version.
    """
    rows = rows.filter(rows.chart == "actives_new")
    name = rows.measure.lower()
    is_sum = name.startswith("total") | name.startswith("new paid") | name.startswith("paid")
    rows = rows.mutate(
        summed=ibis.ifelse(is_sum, rows["value"], ibis.null(AMOUNT)),
        trials=ibis.ifelse(name.startswith("trial conver"), rows["value"], ibis.null(AMOUNT)),
    )
    groups = rows.group_by(["_source", "project", "ts", "segment"]).aggregate(
        summed=rows.summed.max(), kinds=rows["value"].sum(), converted=rows.trials.max()
    )
    return groups.mutate(started=ibis.coalesce(groups.summed, groups.kinds))


def _churn(rows: ir.Table) -> ir.Table:
    """Subscriptions at the start of a day of a project or segment, those that ended on it, and the share of these.

    The rate is computed from the two; where they are missing it is the chart's own, which is in percent.
    """
    rows = rows.filter(rows.chart == "churn")
    name = rows.measure.lower()
    null = ibis.null(AMOUNT)
    rows = rows.mutate(
        ended=ibis.ifelse(name.startswith("churned"), rows["value"], null),
        before=ibis.ifelse(name.startswith("active"), rows["value"], null),
        percent=ibis.ifelse(name.startswith("churn rate"), rows["value"], null),
    )
    days = rows.group_by(["_source", "project", "ts", "segment"]).aggregate(
        churned=rows.ended.max(), opening=rows.before.max(), percent=rows.percent.max()
    )
    # On floats: decimals divide differently from engine to engine.
    share = days.churned.cast("float64") / days.opening.cast("float64").nullif(0)
    return days.mutate(rate=ibis.coalesce(share, days.percent.cast("float64") / 100).round(8).cast(AMOUNT))
