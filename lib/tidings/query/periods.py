"""Values of metrics over calendar periods, each computed from its own rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from tidings.analysis.active import trailing_users
from tidings.analysis.usual import Days
from tidings.metrics.metric import Metric, Number
from tidings.metrics.registry import leaves
from tidings.metrics.result import Point, Provenance
from tidings.metrics.values import plain
from tidings.query.aggregate import aggregate, combined, counted_by, rows_column
from tidings.query.context import QueryContext
from tidings.query.evaluation import common_days, of_one_pass, rows_of
from tidings.window import Period, Unit, Window, add_days, period_start

_PERIOD = "period_"
_LEAST_ROWS = 20
Cell = Mapping[str, Number]


@dataclass(frozen=True)
class Course:
    """Values by period, oldest first, of the metrics that read marts, the rows behind each, and the SQL run."""

    context: QueryContext
    window: Window
    cells: Mapping[Period, Cell]
    sql: tuple[str, ...]
    rows: Mapping[Period, Mapping[str, int]]

    def values(self, metric: Metric) -> tuple[Number, ...]:
        """The values of a metric, null for periods that have not begun."""
        return tuple(_value(metric, cell, period, self.window) for period, cell in self.cells.items())

    def points(self, metric: Metric) -> tuple[Point, ...]:
        """The values of a metric with the share of days of each period that are complete."""
        shares = (_share(self.context, metric, period) for period in self.cells)
        return tuple(map(Point, self.cells, self.values(metric), shares))

    def days(self, metric: Metric) -> Days:
        """The values of a course by day, with the rows behind each day; of several inputs those of the most."""
        values = tuple(None if value is None else float(value) for value in self.values(metric))
        if _is_level(metric):
            # A level, or users of many days: each day stands for itself.
            return Days(values, tuple(None if value is None else max(0, round(value)) for value in values))
        rows = tuple(
            max(self.rows[period].get(leaf.name, 0) for leaf in leaves(metric))
            if _share(self.context, metric, period) == 1
            else None
            for period in self.cells
        )
        if metric.kind == "quantile":
            # A percentile of few rows is one of them.
            values = tuple(v if n and n >= _LEAST_ROWS else None for v, n in zip(values, rows, strict=True))
        return Days(values, rows, is_mean=metric.kind in ("ratio", "quantile"))

    def provenance(self, metric: Metric) -> Provenance:
        """The provenance of the values of a metric."""
        return self.context.provenance_of([metric], self.sql, None, self.window)


def over_periods(context: QueryContext, metrics: Sequence[Metric], window: Window, unit: Unit) -> Course:
    """Values of all metrics that read marts for each calendar period that the window touches, oldest first.

    A trailing metric is read on the period's last day that was complete at `as_of`.
    """
    periods = window.periods(unit)
    widened = window.widened(unit)
    found: dict[Period, dict[str, Number]] = {period: {} for period in periods}
    by_start = {period.start: period for period in periods}
    counts: dict[Period, dict[str, int]] = {period: {} for period in periods}
    sql: list[str] = []
    trailing = [
        leaf for metric in metrics for leaf in context.coverage.answerable(leaves(metric)) if leaf.trailing_days
    ]
    if trailing:
        sql += _add_trailing(context, list(dict.fromkeys(trailing)), widened, periods, found)
    for together in of_one_pass(context, metrics):
        if together[0].trailing_days:
            continue
        rows = rows_of(context, together, [widened])
        by = {_PERIOD: period_start(rows.local_ts, unit, context.zone.week_start)}
        ran = context.query(aggregate(rows, together, by))
        sql += ran.provenance.sql
        for row in ran.rows:
            known = [m for m, counting in counted_by(together).items() if row[rows_column(counting)]]
            period = by_start[row[_PERIOD]]
            found[period].update({m.name: plain(row[m.name]) for m in known})
            counts[period].update({m.name: row[rows_column(by)] for m, by in counted_by(together).items()})
    leaf = {one.name: one for metric in metrics for one in leaves(metric)}
    cells: dict[Period, dict[str, Number]] = {
        period: {
            name: cell[name] if name in cell else context.without_rows(one, period.start, period.end)
            for name, one in leaf.items()
        }
        for period, cell in found.items()
    }
    for metric in (metric for metric in metrics if metric.common_days):
        common = common_days(context, metric, widened)
        for period, values in cells.items():
            if common is None or period.start < common.start or period.end > common.end:
                # One input covers only a part of the period.
                values[metric.name] = None
    return Course(context, window, dict(cells), tuple(sql), counts)


def span_of(metric: Metric, window: Window) -> int:
    """How many days at the end of a window its value stands for: one for a level, all for what adds up."""
    return 1 if _is_level(metric) else window.days


def _is_level(metric: Metric) -> bool:
    return metric.kind == "stock" or any(leaf.trailing_days for leaf in leaves(metric))


def _value(metric: Metric, cell: Cell, period: Period, window: Window) -> Number:
    """The value of a metric over one period; null for a period that has not begun."""
    if period.state == "future" or (metric.common_days and metric.name in cell):
        return None
    return combined(metric, cell, replace(window, start=period.start, end=period.end))


def _share(context: QueryContext, metric: Metric, period: Period) -> float:
    """The share of a period's days that are complete in a metric's sources, 0 to 1; the least of several inputs."""
    coverage = context.coverage
    return min(
        coverage.share(coverage.behind(leaf, context.needed), period.start, period.end) for leaf in leaves(metric)
    )


def _add_trailing(
    context: QueryContext,
    metrics: Sequence[Metric],
    widened: Window,
    periods: Sequence[Period],
    found: Mapping[Period, dict[str, Number]],
) -> tuple[str, ...]:
    """Add trailing distinct users of each period's last day, all days in one pass; returns its SQL."""
    lengths = {metric.name: metric.trailing_days for metric in metrics}
    reach = replace(widened, start=add_days(widened.start, -max(lengths.values())))
    users = rows_of(context, metrics, [reach])
    days = trailing_users(users.select("user_id", day=users.local_ts.date()), widened, lengths)
    ran = context.query(days)
    counts = {row["day"]: row for row in ran.rows}
    for period in periods:
        day = _read_on(period, context)
        for metric in metrics:
            # Users may have been active on days without coverage, so a count over the others would be too low.
            first, end = add_days(day, 1 - metric.trailing_days), add_days(day, 1)
            covers = context.coverage.behind(metric)
            known = context.coverage.extent(covers, first, end) == "all"
            found[period][metric.name] = plain(counts[day][metric.name]) if known else None
    return ran.provenance.sql


def _read_on(period: Period, context: QueryContext) -> date:
    """The last day of a period that was complete at `as_of`, else its first day."""
    complete = min(period.end, context.zone.day_of(context.as_of))
    return max(period.start, add_days(complete, -1))
