"""Magnitudes: ranked bars, columns in a given order, steps of a funnel. All of them start at zero."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from tidings.display import alt, axes, formats, rows
from tidings.display.figure import Figure, chart, note
from tidings.display.fragments import Table
from tidings.metrics.metric import Number
from tidings.metrics.result import Field, Result

STEP = 30  # px from bar to bar


def bars(result: Result, value: str | None = None, title: str | None = None) -> Figure:
    """One bar per row in the result's order, without the total; `value` names the column (the first of numbers).

    Raises:
        UsageError: the result has no column of numbers, or `value` is not one of them.
    """
    measure, split = rows.value_field(result, value), rows.split(result)
    pairs = rows.pairs(result, [*split.parts, *filter(None, [split.others])], measure)
    what = f"{measure.title} by {rows.in_sentence(rows.label_field(result).title)}"
    return _chart(
        result,
        title or top_sentence(rows.pairs(result, split.parts, measure), rows.label_field(result), measure),
        what,
        pairs,
        measure,
    )


def funnel(result: Result, title: str | None = None) -> Figure:
    """One bar per step in order, with its count and its share of the first step.

    The first text column names the steps; the column `count`, else the first of numbers, counts them.
    """
    if len(result.rows) < 2:
        return note(f"{result.title}: the data has fewer than two of its steps.")
    has_count = any(field.name == "count" for field in result.fields)
    measure = rows.value_field(result, "count" if has_count else None)
    steps = rows.pairs(result, result.rows, measure)
    first = steps[0][1] if steps else None
    texts = [f"{formats.short(n, measure.unit)} · {formats.short(_share(n, first), 'ratio')}" for _, n in steps]
    what = f"{measure.title} per step, with their share of the first step"
    return _chart(result, title or _funnel_title(steps), what, steps, measure, texts)


def columns(result: Result, value: str | None = None, title: str | None = None) -> Figure:
    """One column per row from left to right, for rows with an order of their own, such as minutes.

    Raises:
        UsageError: the result has no column of numbers, or `value` is not one of them.
    """
    measure, label = rows.value_field(result, value), rows.label_field(result)
    pairs = rows.pairs(result, result.rows, measure)
    data = [{"t": n, "v": axes.drawn(v), "text": f"{n}: {formats.short(v, measure.unit)}"} for n, v in pairs]
    names = [name for name, _ in pairs]
    what = f"{measure.title} by {rows.in_sentence(label.title)}"
    spec = {
        "data": {"values": data},
        "height": 180,
        "mark": {"type": "bar", "style": "bar"},
        "encoding": {
            "x": {
                "field": "t",
                "type": "ordinal",
                "sort": None,
                "scale": {"domain": names, "paddingInner": 0.2},
                "axis": {**axes.band_axis(names), "domain": True},
            },
            "y": {
                "field": "v",
                "type": "quantitative",
                "axis": axes.grid_axis(measure.unit, [0.0, *(float(v) for _, v in pairs if v is not None)]),
            },
            "tooltip": {"field": "text"},
        },
    }
    return chart(
        title=title or _columns_title(pairs, measure),
        subtitle=_measured(what, measure),
        alt=alt.ranking(what, pairs, measure.unit),
        spec=axes.sized(spec),
        table=Table.of(result),
        provenance=result.provenance,
        metrics=rows.metrics_of([measure]),
    )


def top_sentence(pairs: Sequence[tuple[str, Any]], label: Field, measure: Field) -> str:
    """The title of a ranking: what is first, with which value."""
    known = [(name, value) for name, value in pairs if formats.is_number(value)]
    if not known:
        return f"{measure.title}: no data in this window"
    name, value = max(known, key=lambda pair: float(pair[1]))
    # A bare number needs the name of its column: "Status 200 first".
    name = f"{label.title} {name}" if name[:1].isdigit() else name
    return f"{name} first, with {formats.short(value, measure.unit)} {rows.in_sentence(measure.title)}"


def names_axis(names: Sequence[str]) -> dict[str, Any]:
    """Names down the side, in this order."""
    return {"field": "name", "type": "nominal", "sort": list(names), "axis": {"labelLimit": 170, "title": None}}


def _chart(
    result: Result,
    title: str,
    what: str,
    pairs: Sequence[tuple[str, Any]],
    measure: Field,
    texts: Sequence[str] | None = None,
) -> Figure:
    labels = texts or [axes.tag(value, measure.unit) for _, value in pairs]
    data = [{"name": n, "v": axes.drawn(v), "text": text} for (n, v), text in zip(pairs, labels, strict=True)]
    spec = {
        "data": {"values": data},
        "height": {"step": STEP},
        "encoding": {
            "y": names_axis([name for name, _ in pairs]),
            "x": {"field": "v", "type": "quantitative", "scale": {"zero": True, "nice": False}, "axis": None},
            "tooltip": {"field": "text"},
        },
        "layer": [
            {"mark": {"type": "bar", "style": "bar", "height": 18}},
            {
                "mark": {"type": "text", "style": "label", "align": "left", "dx": 6},
                "encoding": {"text": {"field": "text"}},
            },
        ],
    }
    return chart(
        title=title,
        subtitle=_measured(what, measure),
        alt=alt.ranking(what, pairs, measure.unit),
        spec=axes.sized(spec),
        table=Table.of(result),
        provenance=result.provenance,
        metrics=rows.metrics_of([measure]),
    )


def _measured(what: str, measure: Field) -> str:
    return f"{what} · {measure.unit}" if formats.is_currency(measure.unit) else what


def _columns_title(pairs: Sequence[tuple[str, Any]], measure: Field) -> str:
    known = [(name, value) for name, value in pairs if formats.is_number(value)]
    if not any(value for _, value in known):
        return f"{measure.title}: none in this window"
    name, value = max(known, key=lambda pair: float(pair[1]))
    last = known[-1]
    return (
        f"{measure.title}: at most {formats.short(value, measure.unit)} ({name}), "
        f"last {formats.short(last[1], measure.unit)} ({last[0]})"
    )


def _funnel_title(steps: Sequence[tuple[str, Number]]) -> str:
    known = [(step, float(count)) for step, count in steps if count is not None]
    if len(known) < 2 or not known[0][1]:
        return "No one took the first step in this window"
    rate = formats.short(known[-1][1] / known[0][1], "ratio")
    losses = [(after[1] - step[1], step[0], after[0]) for step, after in itertools.pairwise(known)]
    lost, start, end = min(losses)
    return f"{rate} reach {known[-1][0]}; most are lost from {start} to {end} ({formats.signed(lost, 'count')})"


def _share(count: Number, first: Number) -> float | None:
    return None if count is None or not first else float(count) / float(first)
