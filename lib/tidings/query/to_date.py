"""Period to date: the running week and month against the same days of the ones before."""

from __future__ import annotations

from tidings.metrics.metric import Metric
from tidings.metrics.result import Field, Result, change_of, change_unit
from tidings.query.context import QueryContext
from tidings.query.evaluation import over_windows
from tidings.window import Unit, Window

_UNITS: tuple[tuple[str, Unit], ...] = (("Week to date", "week"), ("Month to date", "month"))


def to_date_result(context: QueryContext, metric: Metric, window: Window, unit: str) -> Result:
    """The result that `Book.to_date` describes."""
    pairs = [(title, *window.to_date(period)) for title, period in _UNITS]
    found = over_windows(context, [metric], [one for _, now, then in pairs for one in (now, then)])
    rows = []
    for title, now, then in pairs:
        value, before = found.value(metric, now), found.value_before(metric, now, then)
        rows.append((title, now.label, value, then.label, before, change_of(metric, value, before)))
    fields = (
        Field("period", "Period"),
        Field("days", "Days"),
        Field(metric.name, metric.title, unit),
        Field("days_before", "Compared with"),
        Field("before", "Before", unit),
        Field("change", "Change", change_unit(metric)),
    )
    count = found.rows_behind(metric, pairs[-1][1])
    origin = context.compared(found.provenance([metric], window, count), *((now, then) for _, now, then in pairs))
    return Result(f"{metric.title}: period to date", fields, tuple(rows), origin)
