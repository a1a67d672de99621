"""Figures that somebody has counted: cleaned, and in the shape of all figures."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from tidings.feeds.platform_metrics import FIGURES
from tidings.models.model import model
from tidings.models.staging.landed import first_per_key, staged
from tidings.platform_metrics import AMOUNT, DIMENSIONS, FIGURE_COLUMNS, FIGURE_KEY, UNIFIED, figures

_MEANS = tuple(name for name, unified in UNIFIED.items() if unified.kind == "mean")


@model(
    grain="source, metric, day, currency and dimensions",
    key=("row_key",),
    columns=staged(FIGURES, "row_key", "Source, metric, day, currency and dimensions."),
)
def stg_figures(raw_figures: ir.Table) -> ir.Table:
    """A figure of a day as it was counted elsewhere."""
    return first_per_key(raw_figures, FIGURES, "row_key")


@model(grain="source, metric, day and dimensions", key=FIGURE_KEY, columns=FIGURE_COLUMNS)
def figures_shared(stg_figures: ir.Table) -> ir.Table:
    """Figures of files and databases. All rows of a source and metric are one cut: by the dimensions that any has."""
    rows = stg_figures.mutate(
        day=stg_figures.ts.date(),
        currency=stg_figures.currency.nullif(""),
        **{name: stg_figures[name].nullif("") for name in DIMENSIONS},
    )
    value, weight = rows["value"].cast("float64"), rows["weight"].cast("float64")
    groups = rows.group_by(["_source", "metric", "day", "currency", *DIMENSIONS])
    summed = groups.aggregate(
        added=rows["value"].sum().cast(AMOUNT),
        mean=ibis.coalesce((value * weight).sum() / weight.sum().nullif(0), value.mean()).round(8).cast(AMOUNT),
        weight=rows["weight"].sum().cast(AMOUNT),
    )
    summed = summed.mutate(value=ibis.ifelse(summed.metric.isin(_MEANS), summed["mean"], summed.added))
    cuts = rows.group_by(["_source", "metric"]).aggregate(
        **{f"by_{name}": rows[name].notnull().cast("int64").max() for name in DIMENSIONS}
    )
    joined = summed.join(cuts, ["_source", "metric"])
    named = [ibis.ifelse(joined[f"by_{name}"] == 1, f",{name}", "") for name in DIMENSIONS]
    cut = ibis.literal("").join(named)
    told = {name: unified.unit for name, unified in UNIFIED.items() if unified.unit != "money"}
    counted = ibis.cases(*((joined.metric == name, unit) for name, unit in told.items()), else_=joined.currency)
    part = joined.mutate(cut=cut.substr(1), is_total=ibis.literal(True), unit=counted.fill_null(""))
    return figures("shared", part)
