"""Values of metrics over windows, periods and groups, each computed from its own rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import ibis
import ibis.expr.types as ir

from tidings.analysis.active import trailing_users
from tidings.errors import UsageError
from tidings.metrics.metric import Metric, Number, Reported
from tidings.metrics.registry import leaves
from tidings.metrics.values import plain
from tidings.query.aggregate import aggregate, batches, combined, counted_by, rows_column
from tidings.query.context import QueryContext
from tidings.window import Period, Unit, Window, add_days, literal, period_start

_SLICE = "slice_"
_GROUP = "group_"
Grouping = Callable[[ir.Table], ir.StringValue]
Cell = Mapping[str, Number]


@dataclass
class Found:
    """Values by window, then group, then name of a metric that reads a mart; the rows behind and the SQL run."""

    context: QueryContext
    values: dict[Window, dict[Any, dict[str, Number]]] = field(default_factory=dict)
    rows: dict[tuple[Window, Any, str], int] = field(default_factory=dict)
    sql: dict[str, list[str]] = field(default_factory=dict)
    common_days: dict[tuple[str, Window], tuple[Window, Found] | None] = field(default_factory=dict)

    def add(self, window: Window, group: Any, metrics: Sequence[Metric], row: Mapping[str, Any]) -> None:
        """Take one row of a result."""
        cell = self.values.setdefault(window, {}).setdefault(group, {})
        for metric, counting in counted_by(metrics).items():
            count = row[rows_column(counting)]
            if count:
                cell[metric.name] = plain(row[metric.name])
            self.rows[window, group, metric.name] = count

    def value(self, metric: Metric, window: Window, group: Any = None) -> Number:
        """The value of a metric, from its inputs if it has some; over no rows as C11 says."""
        if (metric.name, window) in self.common_days:
            common = self.common_days[metric.name, window]
            return None if common is None else common[1].value(metric, common[0], group)
        cell = self.values.get(window, {}).get(group, {})
        inputs = {
            leaf.name: cell[leaf.name] if leaf.name in cell else self.context.without_rows(leaf, *_days(window, leaf))
            for leaf in leaves(metric)
        }
        return combined(metric, inputs, window)

    def value_before(self, metric: Metric, window: Window, before: Window, group: Any = None) -> Number:
        """The value over the window that another is compared with; null where the two are not covered alike.

        A part of a window is no less than the whole of another.
        """
        return self.value(metric, before, group) if comparable(self.context, metric, window, before) else None

    def rows_behind(self, metric: Metric, window: Window, group: Any = None) -> int:
        """How many rows a value was computed from; of rows behind several inputs, those of each input."""
        return sum(self.rows.get((window, group, leaf.name), 0) for leaf in leaves(metric))

    def sql_of(self, metric: Metric) -> list[str]:
        """The queries that a metric was computed by."""
        return [sql for leaf in leaves(metric) for sql in self.sql.get(leaf.name, ())]

    def groups(self) -> list[Any]:
        """All groups of all windows."""
        return list(dict.fromkeys(group for groups in self.values.values() for group in groups))


def comparable(context: QueryContext, metric: Metric, window: Window, before: Window) -> bool:
    """True where a change of a metric between two windows may be given: both are covered alike (C14)."""
    return all(
        context.coverage.compares(leaf, _days(window, leaf), _days(before, leaf))
        for leaf in context.answerable(leaves(metric))
    )


def known_part(context: QueryContext, metric: Metric, window: Window) -> str:
    """Which days of a window a metric stands on, as a clause; empty where on all of them (C14)."""
    parts = [
        context.coverage.known_part(leaf, *_days(window, leaf), context.needed)
        for leaf in context.answerable(leaves(metric))
    ]
    return "; ".join(dict.fromkeys(filter(None, parts)))


def _days(window: Window, leaf: Metric) -> tuple[date, date]:
    reach = _reach(window, leaf.trailing_days)
    return reach.start, reach.end


def over_windows(
    context: QueryContext, metrics: Sequence[Metric], windows: Sequence[Window], grouping: Grouping | None = None
) -> Found:
    """Values of all metrics over all windows, and of each group that `grouping` makes of a mart's rows.

    Metrics of one mart are computed together, and windows that share no day with them, in one pass.
    """
    found = Found(context)
    for metric in (metric for metric in metrics if metric.common_days):
        for window in windows:
            common = _common(context, metric, window)
            if common is None:
                found.common_days[metric.name, window] = None
            elif common != window:
                found.common_days[metric.name, window] = (
                    common,
                    over_windows(context, leaves(metric), [common], grouping),
                )
    for together in _alike(context, metrics):
        first, start = together[0], len(context.sql)
        if first.last_seconds:
            _add_last_seconds(context, together, windows, grouping, found)
            continue
        # Trailing metrics of windows that end together are the same figure.
        reach: dict[Window, list[Window]] = {}
        for window in windows:
            reach.setdefault(_reach(window, first.trailing_days), []).append(window)
        for batch in batches(reach):
            rows = _rows_of(context, together, batch)
            rows = rows.mutate(**{_SLICE: ibis.cases(*[(w.holds(rows.ts), n) for n, w in enumerate(batch)])})
            by = [_SLICE] if grouping is None else [_SLICE, _GROUP]
            if grouping is not None:
                rows = rows.mutate(**{_GROUP: grouping(rows)})
            for row in context.rows(aggregate(rows, together, by)):
                for window in reach[batch[row[_SLICE]]]:
                    found.add(window, row.get(_GROUP), together, row)
        found.sql |= {leaf.name: context.sql[start:] for leaf in together}
    return found


def over_periods(context: QueryContext, metrics: Sequence[Metric], window: Window, unit: Unit) -> dict[Period, Cell]:
    """Values of all metrics that read marts, of each calendar period the window touches, oldest first.

    A trailing metric is read on the last day of the period that was complete at `as_of`.
    """
    periods = window.periods(unit)
    whole = window.widened(unit)
    found: dict[Period, dict[str, Number]] = {period: {} for period in periods}
    by_start = {period.start: period for period in periods}
    trailing = [leaf for metric in metrics for leaf in context.answerable(leaves(metric)) if leaf.trailing_days]
    if trailing:
        _add_trailing(context, list(dict.fromkeys(trailing)), whole, periods, found)
    for together in _alike(context, metrics):
        if together[0].trailing_days:
            continue
        rows = _rows_of(context, together, [whole])
        rows = rows.mutate(**{_SLICE: period_start(rows.local_ts, unit, context.zone.week_start)})
        for row in context.rows(aggregate(rows, together, [_SLICE])):
            known = [m for m, counting in counted_by(together).items() if row[rows_column(counting)]]
            found[by_start[row[_SLICE]]].update({m.name: plain(row[m.name]) for m in known})
    leaf = {one.name: one for metric in metrics for one in leaves(metric)}
    cells: dict[Period, dict[str, Number]] = {
        period: {
            name: cell[name] if name in cell else context.without_rows(one, period.start, period.end)
            for name, one in leaf.items()
        }
        for period, cell in found.items()
    }
    for metric in (metric for metric in metrics if metric.common_days):
        common = _common(context, metric, whole)
        for period, values in cells.items():
            if common is None or period.start < common.start or period.end > common.end:
                # Of a part of it one input is told and another is not.
                values[metric.name] = None
    return dict(cells)


def period_value(metric: Metric, cell: Cell, period: Period, window: Window) -> Number:
    """The value of a metric over one period; null for a period that has not begun."""
    if period.state == "future" or (metric.common_days and metric.name in cell):
        return None
    return combined(metric, cell, replace(window, start=period.start, end=period.end))


def _common(context: QueryContext, metric: Metric, window: Window) -> Window | None:
    """The days of a window that the sources of all inputs of a metric have spoken for."""
    spans = [_span(context, leaf) for leaf in leaves(metric)]
    first = max([window.start, *(span[0] for span in spans if span)])
    end = min([window.end, *(span[1] for span in spans if span)])
    return replace(window, start=first, end=end) if all(spans) and first < end else None


def _span(context: QueryContext, leaf: Metric) -> tuple[date, date] | None:
    """The days that all sources of a platform metric cover, or that any source of other rows covers."""
    covers = context.coverage.behind(leaf, context.needed)
    if isinstance(leaf.where, Reported) or not covers:
        return context.coverage.days(covers)
    return min(each.first_day for each in covers), max(each.end for each in covers)


def period_share(context: QueryContext, metric: Metric, period: Period) -> float:
    """The share of a period's days that the sources of a metric cover whole, 0 to 1; of several inputs the least."""
    coverage = context.coverage
    return min(
        coverage.share(coverage.behind(leaf, context.needed), period.start, period.end) for leaf in leaves(metric)
    )


def rows_behind(context: QueryContext, metric: Metric, window: Window) -> ir.Table:
    """The rows of its mart that a metric's value over a window is computed from.

    Raises:
        UsageError: it is computed from other metrics, which have rows each.
    """
    if metric.inputs:
        raise UsageError(
            f"{metric.title} ({metric.name}) is computed from other metrics.",
            f"Ask for the rows of one of them: {', '.join(metric.inputs)}.",
        )
    (metric,) = context.answerable([metric]) or [metric]
    if metric.last_seconds:
        rows = _of_last_seconds(context, metric)
    else:
        rows = _rows_of(context, [metric], [_reach(window, metric.trailing_days)])
    return rows if metric.where is None else rows.filter(metric.where(rows))


def _alike(context: QueryContext, metrics: Sequence[Metric]) -> list[list[Metric]]:
    """The metrics that read marts and that some source can answer, in lists that one pass computes."""
    lists: dict[Any, list[Metric]] = {}
    for leaf in context.answerable(dict.fromkeys(leaf for metric in metrics for leaf in leaves(metric))):
        grain = (leaf.regroup, leaf.where if leaf.regroup else None)
        lists.setdefault((leaf.mart, leaf.trailing_days, leaf.last_seconds, grain), []).append(leaf)
    return list(lists.values())


def _reach(window: Window, trailing_days: int) -> Window:
    """The days whose rows a metric needs for a window: for a trailing one those up to its last complete day."""
    if not trailing_days:
        return window
    complete = min(window.end, window.zone.day_of(window.as_of))
    end = complete if complete > window.start else window.end
    return replace(window, start=add_days(end, -trailing_days), end=end)


def _rows_of(context: QueryContext, metrics: Sequence[Metric], windows: Sequence[Window]) -> ir.Table:
    span = min(window.start_at for window in windows), max(window.end_at for window in windows)
    marks = dict.fromkeys(mark for metric in metrics for mark in metric.marks)
    rows = context.mart(metrics[0].mart, marks, span)
    reported = [metric.where for metric in metrics if isinstance(metric.where, Reported)]
    if len(reported) == len(metrics):
        # Rows of other figures would make groups of their own.
        rows = rows.filter(ibis.or_(*(condition(rows) for condition in dict.fromkeys(reported))))
    inside = [window.holds(rows.ts) for window in windows]
    return rows.filter(ibis.or_(*inside))


def _add_last_seconds(
    context: QueryContext, metrics: Sequence[Metric], windows: Sequence[Window], grouping: Grouping | None, found: Found
) -> None:
    rows = _of_last_seconds(context, metrics[0])
    if grouping is not None:
        rows = rows.mutate(**{_GROUP: grouping(rows)})
    for row in context.rows(aggregate(rows, metrics, [] if grouping is None else [_GROUP])):
        found.add(windows[0], row.get(_GROUP), metrics, row)
    found.sql |= {leaf.name: context.sql[-1:] for leaf in metrics}


def _of_last_seconds(context: QueryContext, metric: Metric) -> ir.Table:
    rows = context.mart(metric.mart, metric.marks, (context.as_of, context.as_of))
    return rows.filter(rows.ts >= literal(context.as_of) - ibis.interval(seconds=metric.last_seconds))


def _add_trailing(
    context: QueryContext,
    metrics: Sequence[Metric],
    whole: Window,
    periods: Sequence[Period],
    found: Mapping[Period, dict[str, Number]],
) -> None:
    """Trailing distinct users of each period's last day, all days in one pass."""
    lengths = {metric.name: metric.trailing_days for metric in metrics}
    reach = replace(whole, start=add_days(whole.start, -max(lengths.values())))
    users = _rows_of(context, metrics, [reach])
    days = trailing_users(users.select("user_id", day=users.local_ts.date()), whole, lengths)
    counts = {row["day"]: row for row in context.rows(days)}
    for period in periods:
        day = _read_on(period, context)
        for metric in metrics:
            # Of days that nobody covers, users may have been active: fewer days would make fewer users.
            first, end = add_days(day, 1 - metric.trailing_days), add_days(day, 1)
            covers = context.coverage.behind(metric)
            known = context.coverage.extent(covers, first, end) == "all"
            found[period][metric.name] = plain(counts[day][metric.name]) if known else None


def _read_on(period: Period, context: QueryContext) -> date:
    """The last day of a period that was complete at `as_of`; its first day while none was."""
    complete = min(period.end, context.zone.day_of(context.as_of))
    return max(period.start, add_days(complete, -1))
