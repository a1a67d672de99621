"""A metric by the values of a column: the total, the largest groups, and the others from their own rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tidings.errors import UsageError, suggest
from tidings.language import say, say_as
from tidings.metrics.metric import Metric, Number
from tidings.metrics.registry import leaves
from tidings.metrics.result import Field, Result, change_of, change_unit, joined
from tidings.metrics.values import divided
from tidings.query.context import QueryContext
from tidings.query.evaluation import Found, over_windows
from tidings.query.segment import text_of
from tidings.window import Window

_TOTAL, _OTHERS = "Total", "others ("
_COUNTABLE = ("flow", "distinct", "stock")


def breakdown_result(
    context: QueryContext, metric: Metric, by: str, top: int, window: Window, before: Window | None, unit: str
) -> Result:
    """The result that `Book.split` describes.

    Groups are ranked by value, for ratios and percentiles by rows; ties by name.

    Raises:
        UsageError: `by` is not a column of all of the metric's marts, or `top` is not positive.
    """
    if top < 1:
        raise UsageError(f"A breakdown cannot show {top} groups.", "Give top=1 or more.")
    for leaf in leaves(metric):
        columns = context.table(leaf.mart).columns
        if by not in columns:
            raise UsageError(
                f"{metric.title} ({metric.name}) cannot be split by '{by}': {leaf.mart} has no such column.",
                suggest(by, columns),
            )
    windows = [window] if before is None else [window, before]
    split = context.split_by(by)
    groups = over_windows(split, [metric], windows, lambda rows: text_of(rows[by]))
    total = over_windows(context, [metric], windows)
    names = sorted(groups.groups(), key=lambda name: _rank(metric, groups, windows, name))
    shown, left = (names, []) if len(names) <= top else (names[:top], names[top:])
    lines = [(_TOTAL, total, None), *((name, groups, name) for name in shown)]
    origins = [groups.provenance([metric], window), total.provenance([metric], window)]
    if left:
        others = over_windows(
            split, [metric], windows, lambda rows: text_of(rows[by]).isin(shown).ifelse("shown", "others")
        )
        lines.append((f"{_OTHERS}{len(left)})", others, "others"))
        origins.append(others.provenance([metric], window))
    over = total.value(metric, window)
    rows = [_row(metric, label, found, group, windows, over) for label, found, group in lines]
    return Result(
        title_of(metric.title, by),
        _fields(metric, by, unit, compared=before is not None),
        tuple(rows),
        context.compared(replace(joined(origins), rows=total.rows_behind(metric, window)), (window, before)),
    )


def is_together(label: str) -> bool:
    """Whether a row of a breakdown is the total, or the others together."""
    return label == _TOTAL or label.startswith(_OTHERS)


def title_of(what: str, by: str) -> str:
    """The title of something by the values of a column: "Visits by device"."""
    return say("{what} by {column}", what=what, column=say_as("column", by))


def column_title(name: str) -> str:
    """The title of a column of a mart: "Payment method"."""
    return say(name.replace("_", " ").capitalize())


def _rank(metric: Metric, found: Found, windows: list[Window], name: str) -> tuple[Any, ...]:
    if metric.kind in _COUNTABLE:
        sizes = [float(found.value(metric, window, name) or 0) for window in windows]
    else:
        sizes = [float(found.rows_behind(metric, window, name)) for window in windows]
    return (*(-size for size in sizes), name)


def _row(metric: Metric, label: str, found: Found, group: Any, windows: list[Window], over: Number) -> tuple[Any, ...]:
    values = [found.value(metric, windows[0], group)]
    values += [found.value_before(metric, windows[0], before, group) for before in windows[1:]]
    compared = (values[1], change_of(metric, values[0], values[1])) if len(values) > 1 else ()
    weight: Any = divided(values[0], over)
    if metric.kind not in _COUNTABLE:
        weight = found.rows_behind(metric, windows[0], group)
    return (label, values[0], *compared, weight)


def _fields(metric: Metric, by: str, unit: str, *, compared: bool) -> tuple[Field, ...]:
    before = (Field("before", "Before", unit), Field("change", "Change", change_unit(metric))) if compared else ()
    weight = Field("share", "Share", "ratio") if metric.kind in _COUNTABLE else Field("rows", "Based on rows", "count")
    return (Field(by, column_title(by)), Field(metric.name, metric.title, unit), *before, weight)
