"""Values of metrics over windows and groups, each computed from its own rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import ibis
import ibis.expr.types as ir

from tidings.errors import UsageError
from tidings.metrics.metric import Metric, Number, Reported
from tidings.metrics.registry import leaves
from tidings.metrics.result import Provenance
from tidings.metrics.values import plain
from tidings.query.aggregate import aggregate, batches, combined, counted_by, rows_column
from tidings.query.context import QueryContext, QueryResult
from tidings.window import Window, add_days, literal

_SLICE = "slice_"
_GROUP = "group_"
Grouping = Callable[[ir.Table], ir.StringValue]


@dataclass
class Found:
    """Values by window, group and name of a metric that reads a mart, with the rows behind them and the SQL."""

    context: QueryContext
    values: dict[Window, dict[Any, dict[str, Number]]] = field(default_factory=dict)
    rows: dict[tuple[Window, Any, str], int] = field(default_factory=dict)
    sql: dict[str, list[str]] = field(default_factory=dict)
    common_days: dict[tuple[str, Window], tuple[Window, Found] | None] = field(default_factory=dict)

    def add(self, window: Window, group: Any, metrics: Sequence[Metric], row: Mapping[str, Any]) -> None:
        """Add one row of a result."""
        cell = self.values.setdefault(window, {}).setdefault(group, {})
        for metric, counting in counted_by(metrics).items():
            count = row[rows_column(counting)]
            if count:
                cell[metric.name] = plain(row[metric.name])
            self.rows[window, group, metric.name] = count

    def value(self, metric: Metric, window: Window, group: Any = None) -> Number:
        """The value of a metric, from its inputs if it has some; without rows by C11."""
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
        """The value over the window compared with; None where the two have different coverage.

        A part of a window must not be compared with all of another.
        """
        return self.value(metric, before, group) if comparable(self.context, metric, window, before) else None

    def rows_behind(self, metric: Metric, window: Window, group: Any = None) -> int:
        """How many rows a value was computed from; for several inputs the sum of theirs."""
        return sum(self.rows.get((window, group, leaf.name), 0) for leaf in leaves(metric))

    def note(self, metrics: Iterable[Metric], ran: QueryResult) -> None:
        """Record the query that metrics were computed by."""
        for metric in metrics:
            self.sql.setdefault(metric.name, []).extend(ran.provenance.sql)

    def provenance(self, metrics: Sequence[Metric], window: Window, rows: int | None = None) -> Provenance:
        """The provenance of values of metrics; `rows` is by default the number behind the first metric over the window.

        Notes on coverage and rates are those of the window.
        """
        sql = [query for metric in metrics for query in self._sql_of(metric)]
        rows = self.rows_behind(metrics[0], window) if rows is None else rows
        return self.context.provenance_of(metrics, sql, rows, window)

    def _sql_of(self, metric: Metric) -> list[str]:
        common = [other[1] for (name, _), other in self.common_days.items() if name == metric.name and other]
        return [sql for found in (self, *common) for leaf in leaves(metric) for sql in found.sql.get(leaf.name, ())]

    def groups(self) -> list[Any]:
        """All groups of all windows."""
        return list(dict.fromkeys(group for groups in self.values.values() for group in groups))


def comparable(context: QueryContext, metric: Metric, window: Window, before: Window) -> bool:
    """Whether a change of a metric between two windows may be given: both have the same coverage (C14)."""
    return all(
        context.coverage.compares(leaf, _days(window, leaf), _days(before, leaf))
        for leaf in context.coverage.answerable(leaves(metric))
    )


def known_part(context: QueryContext, metric: Metric, window: Window) -> str:
    """The days of a window that a metric is computed from, as a clause; empty if these are all days (C14)."""
    parts = [
        context.notes.known_part(leaf, context.needed, *_days(window, leaf))
        for leaf in context.coverage.answerable(leaves(metric))
    ]
    return "; ".join(dict.fromkeys(filter(None, parts)))


def _days(window: Window, leaf: Metric) -> tuple[date, date]:
    reach = _reach(window, leaf.trailing_days)
    return reach.start, reach.end


def over_windows(
    context: QueryContext, metrics: Sequence[Metric], windows: Sequence[Window], grouping: Grouping | None = None
) -> Found:
    """Values of all metrics over all windows, in total and for each group of `grouping`.

    Metrics of one mart, and windows that share no day, are computed in one pass.
    """
    found = Found(context)
    for metric in (metric for metric in metrics if metric.common_days):
        for window in windows:
            common = common_days(context, metric, window)
            if common is None:
                found.common_days[metric.name, window] = None
            elif common != window:
                found.common_days[metric.name, window] = (
                    common,
                    over_windows(context, leaves(metric), [common], grouping),
                )
    for together in of_one_pass(context, metrics):
        first = together[0]
        if first.last_seconds:
            _add_last_seconds(context, together, windows, grouping, found)
            continue
        # A trailing metric has the same value for all windows with one end.
        reach: dict[Window, list[Window]] = {}
        for window in windows:
            reach.setdefault(_reach(window, first.trailing_days), []).append(window)
        for batch in batches(reach):
            rows = rows_of(context, together, batch)
            by: dict[str, ir.Value] = {_SLICE: ibis.cases(*[(w.holds(rows.ts), n) for n, w in enumerate(batch)])}
            if grouping is not None:
                by[_GROUP] = grouping(rows)
            ran = context.query(aggregate(rows, together, by))
            for row in ran.rows:
                for window in reach[batch[row[_SLICE]]]:
                    found.add(window, row.get(_GROUP), together, row)
            found.note(together, ran)
    return found


def common_days(context: QueryContext, metric: Metric, window: Window) -> Window | None:
    """The common days: those of a window that the sources of all inputs of a metric cover."""
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


def rows_behind(context: QueryContext, metric: Metric, window: Window) -> ir.Table:
    """The rows of a mart from which a metric's value over a window is computed.

    Raises:
        UsageError: it is computed from other metrics, each with its own rows.
    """
    if metric.inputs:
        raise UsageError(
            f"{metric.title} ({metric.name}) is computed from other metrics.",
            f"Ask for the rows of one of them: {', '.join(metric.inputs)}.",
        )
    (metric,) = context.coverage.answerable([metric]) or [metric]
    if metric.last_seconds:
        rows = _of_last_seconds(context, metric)
    else:
        rows = rows_of(context, [metric], [_reach(window, metric.trailing_days)])
    return rows if metric.where is None else rows.filter(metric.where(rows))


def of_one_pass(context: QueryContext, metrics: Sequence[Metric]) -> list[list[Metric]]:
    """The metrics that read marts and have a source, in lists that one pass computes."""
    lists: dict[Any, list[Metric]] = {}
    for leaf in context.coverage.answerable(dict.fromkeys(leaf for metric in metrics for leaf in leaves(metric))):
        grain = (leaf.regroup, leaf.where if leaf.regroup else None)
        lists.setdefault((leaf.mart, leaf.trailing_days, leaf.last_seconds, grain), []).append(leaf)
    return list(lists.values())


def _reach(window: Window, trailing_days: int) -> Window:
    """The days whose rows a metric needs for a window; a trailing one those up to its last complete day."""
    if not trailing_days:
        return window
    complete = min(window.end, window.zone.day_of(window.as_of))
    end = complete if complete > window.start else window.end
    return replace(window, start=add_days(end, -trailing_days), end=end)


def rows_of(context: QueryContext, metrics: Sequence[Metric], windows: Sequence[Window]) -> ir.Table:
    """The rows of the metrics' mart in any of the windows, with their marks."""
    rows = context.mart(metrics[0].mart, dict.fromkeys(mark for metric in metrics for mark in metric.marks))
    reported = [metric.where for metric in metrics if isinstance(metric.where, Reported)]
    if len(reported) == len(metrics):
        # Rows of other platform metrics would form groups of their own.
        rows = rows.filter(ibis.or_(*(condition(rows) for condition in dict.fromkeys(reported))))
    return rows.filter(ibis.or_(*(window.holds(rows.ts) for window in windows)))


def _add_last_seconds(
    context: QueryContext, metrics: Sequence[Metric], windows: Sequence[Window], grouping: Grouping | None, found: Found
) -> None:
    rows = _of_last_seconds(context, metrics[0])
    ran = context.query(aggregate(rows, metrics, None if grouping is None else {_GROUP: grouping(rows)}))
    for row in ran.rows:
        found.add(windows[0], row.get(_GROUP), metrics, row)
    found.note(metrics, ran)


def _of_last_seconds(context: QueryContext, metric: Metric) -> ir.Table:
    rows = context.mart(metric.mart, metric.marks)
    return rows.filter(rows.ts >= literal(context.as_of) - ibis.interval(seconds=metric.last_seconds))
