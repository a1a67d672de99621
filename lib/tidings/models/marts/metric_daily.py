"""The metrics that platforms report per day, in one long table."""

from __future__ import annotations

from functools import reduce

import ibis.expr.types as ir

from tidings.landing.exchange_rates import RATE
from tidings.models.model import AsOf, model
from tidings.platform_metrics import PLATFORM_COLUMNS
from tidings.schema import Column


@model(
    grain="source, metric, day and dimensions",
    key=("platform_metric_key",),
    columns={
        **PLATFORM_COLUMNS,
        "ts": Column(
            "!timestamp(6)", "Midnight of the day in the platform's time zone; a report takes it as its own day."
        ),
        "per_euro": Column(RATE, "Units of `currency` per euro, by the fixing in force on the day."),
        "fixed_on": Column("date", "Day of that fixing."),
    },
    # Stores report a day two or three days later.
    fresh_hours=120,
    as_of=AsOf("day"),
    money="day",
)
def fct_metric_daily(dim_fx: ir.Table, *platform_metrics_: ir.Table) -> ir.Table:
    """A daily metric as a platform reports it: downloads, proceeds, clicks, subscriptions … by source and dimensions.

    Sources are never added up. Within a source and metric, add only the rows of one breakdown (those with `is_total`
    give the total), and only if the metric is a flow.
    """
    rows = reduce(lambda table, other: table.union(other), platform_metrics_)
    pairs = rows.filter(rows.currency.notnull()).select("currency", "day").distinct()
    held = dim_fx.mutate(code=dim_fx.currency, fixed=dim_fx.day).select("code", "fixed", "until", "rate")
    at_day = pairs.left_join(
        held,
        [pairs.currency == held.code, pairs.day >= held.fixed, held.until.isnull() | (pairs.day < held.until)],
    ).select(fx_currency=pairs.currency, fx_day=pairs.day, per_euro=held.rate, fixed_on=held.fixed)
    rows = rows.mutate(ts=rows.day.cast("timestamp(6)"))
    joined = rows.left_join(at_day, [rows.currency == at_day.fx_currency, rows.day == at_day.fx_day])
    return joined.select(*fct_metric_daily.contract.columns)
