"""Aggregates many metrics, windows and groups in one pass over a mart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import ibis.expr.operations as ops
import ibis.expr.types as ir

from tidings.errors import MetricError
from tidings.metrics.metric import Metric, Number
from tidings.metrics.registry import get
from tidings.window import Window


def rows_column(metric: Metric) -> str:
    """The name of the column that counts the rows behind a metric."""
    return f"rows_behind_{metric.name}"


def aggregate(rows: ir.Table, metrics: Sequence[Metric], by: Mapping[str, ir.Value] | None = None) -> ir.Table:
    """One row per group of `by` (one row without `by`): per metric its value and the number of rows behind it.

    `rows` are those of the metrics' mart, with their marks. The metrics must have the same `regroup`, and with one also
    the same `where`. Columns are the metrics' names and `rows_column`, one per `counted_by`.

    Raises:
        MetricError: the metrics regroup differently, or one is not computed from a mart.
    """
    regroups = {metric.regroup for metric in metrics}
    if len(regroups) > 1:
        raise MetricError("Metrics of different grain cannot be computed in one pass.", "Ask for them one by one.")
    regroup = regroups.pop() if regroups else None
    groups: Mapping[str, ir.Value] = by or {}
    if regroup is not None:
        # A regrouping counts rows, so the metric's condition must be applied before it.
        (condition,) = {metric.where for metric in metrics}
        rows = rows.mutate(**groups)
        rows = regroup(rows if condition is None else rows.filter(condition(rows)), list(groups))
        groups = {name: rows[name] for name in groups}
    columns = {metric.name: _column(metric, rows, filtered=regroup is not None) for metric in metrics}
    counts = {rows_column(first): _count(first, rows) for first in counted_by(metrics).values()}
    return (rows.group_by(**groups) if groups else rows).aggregate(**columns, **counts)


def counted_by(metrics: Sequence[Metric]) -> Mapping[Metric, Metric]:
    """For each metric the first one over the same rows, whose count holds for both."""
    firsts: dict[Any, Metric] = {}
    return {metric: firsts.setdefault(metric.where, metric) for metric in metrics}


def _count(metric: Metric, rows: ir.Table) -> ir.IntegerScalar:
    if metric.regroup is not None or metric.where is None:
        return rows.count()
    return rows.count(where=metric.where(rows))


def _column(metric: Metric, rows: ir.Table, *, filtered: bool) -> ir.Scalar:
    if metric.value is None:
        raise MetricError(f"{metric.title} ({metric.name}) is not computed from rows.", "Ask for its inputs.")
    value = metric.value(rows)
    return value if filtered or metric.where is None else limited(value, metric.where(rows))


def limited(value: ir.Scalar, condition: ir.BooleanValue) -> ir.Scalar:
    """An aggregate limited to rows for which a condition holds, as if they had been filtered before.

    Each reduction in it gets the condition (SQL's FILTER), so that aggregates over different rows share one pass.
    """
    holds = condition.op()

    def limit(node: ops.Node, changed: Mapping[str, Any] | None) -> ops.Node:
        rebuilt = node.__recreate__(changed) if changed else node
        if not isinstance(rebuilt, ops.Reduction):
            return rebuilt
        where = holds if rebuilt.where is None else ops.And(rebuilt.where, holds)
        return cast(ops.Node, rebuilt.copy(where=where))

    # Values only: the rows themselves may come from aggregates, which must not be limited.
    return cast(ir.Scalar, value.op().replace(limit, filter=ops.Value).to_expr())


def batches(windows: Iterable[Window]) -> list[list[Window]]:
    """The windows in lists (as few as possible) whose windows share no day."""
    found: list[list[Window]] = []
    for window in dict.fromkeys(windows):
        for batch in found:
            if all(window.end <= other.start or other.end <= window.start for other in batch):
                batch.append(window)
                break
        else:
            found.append([window])
    return found


def combined(metric: Metric, values: Mapping[str, Number], window: Window) -> Number:
    """The value of a metric from those of the metrics that read marts, by name (`registry.leaves`)."""
    if metric.combine is None:
        return values[metric.name]
    return metric.combine({name: combined(get(name), values, window) for name in metric.inputs}, window)


def without_rows(metric: Metric) -> Number:
    """The value of a metric over no rows (C11): counts and sums are 0, all else is null."""
    return 0 if metric.kind in ("flow", "distinct") else None
