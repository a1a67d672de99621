"""Values of metrics with what a reader needs to judge them: the value before, the course, and why one is unknown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tidings.analysis.usual import HISTORY_DAYS, chance_of_change
from tidings.language import say
from tidings.metrics.metric import Metric, Number
from tidings.metrics.registry import leaves
from tidings.metrics.result import Value
from tidings.query.context import QueryContext
from tidings.query.evaluation import comparable, known_part, over_windows
from tidings.query.periods import Course, over_periods, span_of
from tidings.window import Comparison, Window, add_days

SPARK_DAYS = 90


def evaluated(
    context: QueryContext, metrics: Sequence[Metric], window: Window, compare: Comparison
) -> tuple[tuple[Value, ...], Course | None]:
    """The values over a window, and the history by which a change is usual or not; no history of what happens now."""
    before = window.compare(compare)
    found = over_windows(context, metrics, [window] if before is None else [window, before])
    timed = [metric for metric in metrics if not metric.last_seconds]
    history = replace(window, start=add_days(window.end, -HISTORY_DAYS))
    course = over_periods(context, timed, history, "day") if timed else None
    values = []
    for metric in metrics:
        compared = None if metric.last_seconds else before
        known = found.value(metric, window)
        was = None if compared is None else found.value_before(metric, window, compared)
        spark: tuple[Number, ...] = ()
        chance = None
        if course is not None and not metric.last_seconds:
            spark = course.values(metric)[-SPARK_DAYS:]
            if compared is not None and was is not None and known is not None:
                length = span_of(metric, window)
                chance = chance_of_change(course.days(metric), length, window.distance(compared))
        value = Value(
            metric=metric,
            unit=context.unit(metric),
            window=window,
            value=known,
            before=was,
            before_window=compared,
            spark=spark,
            why=why_unknown(context, metric, window) if known is None else "",
            why_no_change=""
            if compared is None or was is not None
            else _why_no_change(context, metric, window, compared),
            part="" if known is None or metric.last_seconds else known_part(context, metric, window),
            provenance=context.compared(
                found.provenance([metric], window), (window, compared if was is not None else None)
            ),
            chance=chance,
        )
        values.append(value)
    return tuple(values), course


def why_unknown(context: QueryContext, metric: Metric, window: Window) -> str:
    """Why a metric has no value over a window."""
    return context.notes.why_unknown(leaves(metric), context.needed, window.start, window.end)


def _why_no_change(context: QueryContext, metric: Metric, window: Window, before: Window) -> str:
    if comparable(context, metric, window, before):
        return ""
    if earlier := why_unknown(context, metric, before):
        return earlier
    if part := known_part(context, metric, window):
        return part
    both = (window, before)
    notes = [n for w in both for n in context.notes.lacking(leaves(metric), context.needed, w.start, w.end)]
    return notes[0].rstrip(".") if notes else say("the two windows have different coverage")
