"""Metrics over rows: many of them, many windows and groups, in one pass over a mart."""

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
    """One row per group of `by` (one in all without), read in one pass: per metric its value, and the rows behind it.

    `rows` are those of the metrics' mart, with their marks. The metrics agree on `regroup`, and on `where` if there is
    one. Columns are the metrics' names and `rows_column`; metrics of the same rows share one that counts them.

    Raises:
        MetricError: the metrics regroup differently, or one is not computed from a mart.
    """
    regroups = {metric.regroup for metric in metrics}
    if len(regroups) > 1:
        raise MetricError("Metrics of different grain were asked for in one pass.", "Ask for them one by one.")
    regroup = regroups.pop() if regroups else None
    groups: Mapping[str, ir.Value] = by or {}
    if regroup is not None:
        # A regrouping counts rows, so that only the rows of the metric may reach it.
        (condition,) = {metric.where for metric in metrics}
        rows = rows.mutate(**groups)
        rows = regroup(rows if condition is None else rows.filter(condition(rows)), list(groups))
        groups = {name: rows[name] for name in groups}
    columns = {metric.name: _column(metric, rows, filtered=regroup is not None) for metric in metrics}
    counts = {rows_column(first): _count(first, rows) for first in counted_by(metrics).values()}
    return (rows.group_by(**groups) if groups else rows).aggregate(**columns, **counts)


def counted_by(metrics: Sequence[Metric]) -> Mapping[Metric, Metric]:
    """For each metric the first one of the same rows, which counts them for both."""
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
    """An aggregate over the rows for which a condition holds, as if they had been filtered before.

    Each reduction in it gets the condition (SQL's FILTER), so that aggregates over different rows share one pass.
    """
    holds = condition.op()

    def limit(node: ops.Node, changed: Mapping[str, Any] | None) -> ops.Node:
        rebuilt = node.__recreate__(changed) if changed else node
        if not isinstance(rebuilt, ops.Reduction):
            return rebuilt
        where = holds if rebuilt.where is None else ops.And(rebuilt.where, holds)
        return cast(ops.Node, rebuilt.copy(where=where))

    # Values only: the rows themselves may come from aggregates, which are not ours to limit.
    return cast(ir.Scalar, value.op().replace(limit, filter=ops.Value).to_expr())


def batches(windows: Iterable[Window]) -> list[list[Window]]:
    """The windows in as few lists as it takes, no two windows of a list sharing a day."""
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
