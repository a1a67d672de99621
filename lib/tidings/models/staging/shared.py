"""Daily metrics from files and databases, cleaned, in the shape of all platform metrics."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from tidings.models.model import model
from tidings.platform_metrics import (
    AMOUNT,
    DIMENSIONS,
    PLATFORM_COLUMNS,
    PLATFORM_KEY,
    PLATFORM_METRICS,
    platform_metrics,
)

_MEANS = tuple(name for name, unified in PLATFORM_METRICS.items() if unified.kind == "mean")


@model(grain="source, metric, day and dimensions", key=PLATFORM_KEY, columns=PLATFORM_COLUMNS)
def platform_metrics_shared(stg_platform_metrics: ir.Table) -> ir.Table:
    """Daily metrics of files and databases; a metric of a source is broken down by all dimensions that any row has."""
    rows = stg_platform_metrics.mutate(
        day=stg_platform_metrics.ts.date(),
        currency=stg_platform_metrics.currency.nullif(""),
        **{name: stg_platform_metrics[name].nullif("") for name in DIMENSIONS},
    )
    value, weight = rows["value"].cast("float64"), rows["weight"].cast("float64")
    groups = rows.group_by(["_source", "metric", "day", "currency", *DIMENSIONS])
    summed = groups.aggregate(
        added=rows["value"].sum().cast(AMOUNT),
        mean=ibis.coalesce((value * weight).sum() / weight.sum().nullif(0), value.mean()).round(8).cast(AMOUNT),
        weight=rows["weight"].sum().cast(AMOUNT),
    )
    summed = summed.mutate(value=ibis.ifelse(summed.metric.isin(_MEANS), summed["mean"], summed.added))
    breakdowns = rows.group_by(["_source", "metric"]).aggregate(
        **{f"by_{name}": rows[name].notnull().cast("int64").max() for name in DIMENSIONS}
    )
    joined = summed.join(breakdowns, ["_source", "metric"])
    named = [ibis.ifelse(joined[f"by_{name}"] == 1, f",{name}", "") for name in DIMENSIONS]
    breakdown = ibis.literal("").join(named)
    reported = {name: unified.unit for name, unified in PLATFORM_METRICS.items() if unified.unit != "money"}
    counted = ibis.cases(*((joined.metric == name, unit) for name, unit in reported.items()), else_=joined.currency)
    part = joined.mutate(breakdown=breakdown.substr(1), is_total=ibis.literal(True), unit=counted.fill_null(""))
    return platform_metrics("shared", part)
