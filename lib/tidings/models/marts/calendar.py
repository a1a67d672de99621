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
        "fiscal_year": Column(
            "int64", "The calendar year in which its fiscal year ends; null before 1990, after 2035."
        ),
        "fiscal_quarter": Column("int64", "Quarter of that fiscal year.", minimum=1, maximum=4),
        "is_business_day": Column("boolean", "True for a weekday of business that is no holiday; null if not known."),
        "holiday": Column("string", "Name of the holiday; null for none, or where `is_business_day` is null."),
    },
)
def dim_date(
    stg_orders: ir.Table,
    stg_events: ir.Table,
    stg_requests: ir.Table,
    stg_vitals: ir.Table,
    stg_access: ir.Table,
    raw_calendar: ir.Table,
) -> ir.Table:
    """A calendar day, one for each between the first and the last row of the data."""
    feeds = (stg_orders, stg_events, stg_requests, stg_vitals, stg_access)
    ranges = ibis.union(*(feed.aggregate(first=feed.ts.min(), last=feed.ts.max()) for feed in feeds))
    days = calendar(ranges.aggregate(first=ranges["first"].min().date(), last=ranges["last"].max().date()))
    known = raw_calendar.rename(calendar_day="day")
    return days.left_join(known, days.day == known.calendar_day).drop("calendar_day")
