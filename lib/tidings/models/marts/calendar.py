"""The calendar of the data."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from tidings.models.model import model
from tidings.schema import Column
from tidings.window import calendar


@model(
    grain="calendar day (UTC) between the first and the last row of the data",
    key=("day",),
    columns={
        "day": Column("!date", "The day."),
        "week": Column("!date", "Its week, named by the Monday."),
        "month": Column("!date", "First day of its month."),
        "quarter": Column("!date", "First day of its quarter."),
        "year": Column("!date", "First day of its year."),
        "iso_weekday": Column("!int64", "1 for Monday to 7 for Sunday.", minimum=1, maximum=7),
        "is_weekend": Column("!boolean", "True for Saturday and Sunday."),
    },
)
def dim_date(
    stg_orders: ir.Table, stg_events: ir.Table, stg_requests: ir.Table, stg_vitals: ir.Table, stg_access: ir.Table
) -> ir.Table:
    """A calendar day, one for each between the first and the last row of the data."""
    feeds = (stg_orders, stg_events, stg_requests, stg_vitals, stg_access)
    ranges = ibis.union(*(feed.aggregate(first=feed.ts.min(), last=feed.ts.max()) for feed in feeds))
    return calendar(ranges.aggregate(first=ranges["first"].min().date(), last=ranges["last"].max().date()))
