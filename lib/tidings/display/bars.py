"""Magnitudes: ranked bars, columns in a given order, steps of a funnel. All of them start at zero."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from tidings.display import alt, axes, formats, rows, titles
from tidings.display.figure import NARROW, Figure, chart, note
from tidings.display.fragments import Table
from tidings.language import say
from tidings.metrics.metric import Number
from tidings.metrics.result import Field, Result

_STEP, _STEP_NARROW = 30, 46  # px from bar to bar
NAME = 170  # px


def bars(result: Result, value: str | None = None, title: str | None = None) -> Figure:
    """One bar per row in the result's order, without the total; `value` names the column (the first of numbers).

    Without any value it is a note, as are the other charts here.

    Raises:
        UsageError: the result has no column of numbers, or `value` is not one of them.
    """
    result = rows.in_words(result)
    measure, split = rows.value_field(result, value), rows.split(result)
    pairs = rows.pairs(result, [*split.parts, *filter(None, [split.others])], measure)
    what = rows.by(measure.title, rows.label_field(result).title)
    return _chart(
        result,
        title or titles.ranking(result, measure),
        what,
        pairs,
        measure,
    )


def funnel(result: Result, title: str | None = None) -> Figure:
    """One bar per step in order, with its count and its share of the first step.

    The first text column names the steps; the column `count`, else the first of numbers, counts them.
    """
    result = rows.in_words(result)
    if len(result.rows) < 2:
        return note(say("{title}: the data has fewer than two of its steps.", title=result.title))
    has_count = any(field.name == "count" for field in result.fields)
    measure = rows.value_field(result, "count" if has_count else None)
    steps = rows.pairs(result, result.rows, measure)
    first = steps[0][1] if steps else None
    texts = [f"{formats.short(n, measure.unit)} · {formats.short(_share(n, first), 'ratio')}" for _, n in steps]
    what = say("{title} per step, with their share of the first step", title=measure.title)
    return _chart(result, title or _funnel_title(steps), what, steps, measure, texts)


def columns(result: Result, value: str | None = None, title: str | None = None) -> Figure:
    """One column per row from left to right, for rows with an order of their own, such as minutes.

    Raises:
        UsageError: the result has no column of numbers, or `value` is not one of them.
    """
    result = rows.in_words(result)
    measure, label = rows.value_field(result, value), rows.label_field(result)
    pairs = rows.pairs(result, result.rows, measure)
    data = [{"t": n, "v": axes.drawn(v), "text": f"{n}: {formats.short(v, measure.unit)}"} for n, v in pairs]
    names = [name for name, _ in pairs]
    if not any(formats.is_number(v) and v for _, v in pairs):
        return note(f"{titles.columns(pairs, measure)}.")
    what = rows.by(measure.title, label.title)

    def draw(width: int) -> dict[str, Any]:
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
                    "axis": {**axes.band_axis(names, width), "domain": True},
                },
                "y": {
                    "field": "v",
                    "type": "quantitative",
                    "axis": axes.grid_axis(measure.unit, [0.0, *(float(v) for _, v in pairs if v is not None)]),
                },
                "tooltip": {"field": "text"},
            },
        }
        return axes.sized(spec, width)

    return chart(
        title=title or titles.columns(pairs, measure),
        subtitle=_measured(what, measure),
        alt=alt.ranking(what, pairs, measure.unit),
        draw=draw,
        table=Table.of(result),
        provenance=result.provenance,
        metrics=rows.metrics_of([measure]),
        behind=result.behind,
    )


def down(names: Sequence[str], width: int) -> tuple[dict[str, Any], list[dict[str, Any]], int, int]:
    """Names down the side in this order: the axis, further layers, the height of a row, and how far down its bar is.

    On a phone a name stands above its bar, which has the whole width.
    """
    # Browsers have wider letters than those by which Vega would make room.
    room = min(NAME, max(map(axes.wide, names), default=0.0)) + axes.GAP
    beside = {"labelLimit": NAME, "minExtent": room, "title": None}
    axis = {"field": "name", "type": "nominal", "sort": list(names), "axis": beside}
    if width > NARROW:
        return axis, [], _STEP, 0
    above = {
        "mark": {"type": "text", "style": "name", "dy": -12, "limit": width - 16},
        "encoding": {"x": {"value": 0}, "text": {"field": "name"}},
    }
    return {**axis, "axis": None}, [above], _STEP_NARROW, 7


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
    values = [float(value) for _, value in pairs if formats.is_number(value)]
    if not values:
        return note(f"{measure.title}: {say('no data in this window')}.")
    low, high = min(0.0, *values), max(0.0, *values)

    def draw(width: int) -> dict[str, Any]:
        axis, above, step, shift = down([name for name, _ in pairs], width)
        x = {
            "field": "v",
            "type": "quantitative",
            "scale": axes.with_room(low, high, width - NAME, labels),
            "axis": None,
        }
        spec = {
            "data": {"values": data},
            "height": {"step": step},
            "encoding": {"y": axis, "x": x},
            "layer": [
                {"mark": {"type": "bar", "style": "bar", "height": 18, "yOffset": shift}},
                {
                    "mark": {"type": "text", "style": "label", "align": "left", "dx": 6, "dy": shift},
                    "encoding": {"text": {"field": "text"}},
                },
                *above,
            ],
        }
        return axes.sized(spec, width)

    return chart(
        title=title,
        subtitle=_measured(what, measure),
        alt=alt.ranking(what, pairs, measure.unit),
        draw=draw,
        table=Table.of(result),
        provenance=result.provenance,
        metrics=rows.metrics_of([measure]),
        behind=result.behind,
    )


def _measured(what: str, measure: Field) -> str:
    return f"{what} · {measure.unit}" if formats.is_currency(measure.unit) else what


def _funnel_title(steps: Sequence[tuple[str, Number]]) -> str:
    known = [(step, float(count)) for step, count in steps if count is not None]
    if len(known) < 2 or not known[0][1]:
        return say("No one took the first step in this window")
    rate = formats.short(known[-1][1] / known[0][1], "ratio")
    losses = [(after[1] - step[1], step[0], after[0]) for step, after in itertools.pairwise(known)]
    lost, start, end = min(losses)
    return say(
        "{rate} reach {last}; most are lost from {start} to {end} ({lost})",
        rate=rate,
        last=known[-1][0],
        start=start,
        end=end,
        lost=formats.signed(lost, "count"),
    )


def _share(count: Number, first: Number) -> float | None:
    return None if count is None or not first else float(count) / float(first)
