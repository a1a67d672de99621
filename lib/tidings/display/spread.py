"""Distributions: histograms and heat maps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tidings.display import alt, axes, formats, rows, theme, titles
from tidings.display.figure import Figure, chart, note
from tidings.display.fragments import Table
from tidings.errors import UsageError
from tidings.language import say
from tidings.metrics.metric import Number, Thresholds
from tidings.metrics.result import Field, Result

_MOST = 0.9  # the share of a distribution named in its title


def histogram(result: Result, title: str | None = None) -> Figure:
    """A histogram: the first three columns of numbers are a bin's lower bound, upper bound (null: open) and count.

    Bins are drawn equally wide whatever their bounds, so that a logarithmic split stays readable.

    Raises:
        UsageError: fewer than three columns of numbers.
    """
    result = rows.in_words(result)
    fields = [field for field in result.fields if formats.is_numeric_unit(field.unit)]
    if len(fields) < 3:
        raise UsageError(f"'{result.title}' is not a distribution.", "Give lower bound, upper bound and count per bin.")
    low, high, count = (result.column(field.name) for field in fields[:3])
    unit = fields[0].unit
    bins = [(_bin(start, end, unit), n) for start, end, n in zip(low, high, count, strict=True)]
    if not any(count):
        return note(f"{title or result.title}: {say('no data in this window')}.")
    edges = [*low, *high[-1:]]
    texts = ["" if edge is None else str(formats.short(edge, unit)) for edge in edges]

    def draw(width: int) -> dict[str, Any]:
        every = max(1, -(-len(edges) // axes.fitting(texts, width)))
        names = [text if i % every == 0 else "" for i, text in enumerate(texts)]
        x = {
            "field": "i",
            "type": "quantitative",
            "bin": "binned",
            "scale": {"domain": [0, max(len(bins), 1)], "nice": False},
            "axis": {
                "tickCount": len(edges),
                "tickMinStep": 1,
                "labelExpr": f"{json.dumps(names)}[datum.value]",
                "labelOverlap": False,
                "domain": True,
                "title": None,
            },
        }
        y_axis = axes.grid_axis("count", [0.0, *(float(n) for _, n in bins)])
        spec = {
            "data": {
                "values": [
                    {"i": i, "to": i + 1, "v": axes.drawn(n), "text": f"{name}: {formats.full(n, 'count')}"}
                    for i, (name, n) in enumerate(bins)
                ]
            },
            "height": 220,
            "mark": {"type": "bar", "style": "bar", "binSpacing": 1},
            "encoding": {
                "x": x,
                "x2": {"field": "to"},
                "y": {"field": "v", "type": "quantitative", "axis": y_axis},
                "tooltip": {"field": "text"},
            },
        }
        return axes.sized(spec, width)

    what = rows.by(fields[2].title, result.title)
    return chart(
        title=title or _histogram_title(result.title, fields[2].title, high, count, unit),
        subtitle=say("{what}; all bins are drawn equally wide", what=what),
        alt=alt.ranking(what, bins, "count"),
        draw=draw,
        table=Table.of(result),
        provenance=result.provenance,
        metrics=rows.metrics_of(result.fields),
    )


def heatmap(
    result: Result, x: str, y: str, value: str, title: str | None = None, thresholds: Thresholds | None = None
) -> Figure:
    """A tile per row in five shades of one colour; columns and rows in order of first appearance.

    A pair without a value is left empty, as it is not zero. Where lower is better and `thresholds`, by default those of
    the metric, say what is bad, the darkest shade begins there.

    Raises:
        UsageError: more tiles than a chart may have, or a column that the result lacks.
    """
    result = rows.in_words(result)
    across, down, measure = (rows.field_named(result, name) for name in (x, y, value))
    cells = [
        (formats.full(a, across.unit), formats.full(d, down.unit), v)
        for a, d, v in zip(result.column(x), result.column(y), result.column(value), strict=True)
    ]
    known = [(a, d, float(v)) for a, d, v in cells if formats.is_number(v)]
    names_x, names_y = list(dict.fromkeys(c[0] for c in cells)), list(dict.fromkeys(c[1] for c in cells))
    if not known:
        return note(f"{measure.title}: {say('no data in this window')}.")
    bad = _bad_from(measure, thresholds)
    bounds = _classes(bad, [v for *_, v in known])

    def draw(width: int) -> dict[str, Any]:
        spec = {
            "data": {
                "values": [
                    {"x": a, "y": d, "v": axes.drawn(v), "text": f"{d}, {a}: {formats.short(v, measure.unit)}"}
                    for a, d, v in known
                ]
            },
            "height": {"step": 26},
            "mark": {"type": "rect", "style": "tile"},
            "encoding": {
                "x": {
                    "field": "x",
                    "type": "ordinal",
                    "sort": None,
                    "scale": {"domain": names_x},
                    "axis": axes.band_axis(names_x, width),
                },
                "y": {
                    "field": "y",
                    "type": "ordinal",
                    "sort": None,
                    "scale": {"domain": names_y},
                    "axis": {"labelLimit": min(140, width // 3), "title": None},
                },
                "color": {
                    "field": "v",
                    "type": "quantitative",
                    "scale": {"type": "threshold", "domain": bounds},
                    "legend": {"title": None, "gradientLength": 240, **axes.axis_format(measure.unit)},
                },
                "tooltip": {"field": "text"},
            },
        }
        return axes.sized(spec, width)

    empty = len(names_x) * len(names_y) - len(known)
    return chart(
        title=title or titles.tiles(known, measure, bad),
        subtitle=say(
            "{title} by {row} and {column}",
            title=measure.title,
            row=rows.in_sentence(down.title),
            column=rows.in_sentence(across.title),
        ),
        alt=alt.grid(measure.title, cells, measure.unit),
        draw=draw,
        table=Table.of(result),
        provenance=result.provenance,
        notes=[say("{tiles}: no data, not zero.", tiles=formats.plural(empty, "empty tile"))] if empty else [],
        metrics=rows.metrics_of([measure]),
    )


def _bad_from(measure: Field, thresholds: Thresholds | None) -> float | None:
    """The last value that is not bad, of a metric of which lower is better; None where nobody says."""
    metric = rows.metric_of(measure)
    if metric is None or metric.better != "lower":
        return None
    held = thresholds or metric.thresholds
    return held.warn if held is not None and held.warn > 0 else None


def _classes(bad: float | None, values: Sequence[float]) -> list[float]:
    """The bounds of the shades: from zero to what is bad where that is known, so that little is never dark."""
    if bad is None:
        return axes.steps(values, theme.STEPS)
    return [float(f"{bad * step / (theme.STEPS - 1):.6g}") for step in range(1, theme.STEPS)]


def _histogram_title(what: str, counted: str, high: Sequence[Any], count: Sequence[Any], unit: str) -> str:
    """The share below the first bound below which most of them are."""
    total = sum(n for n in count if n)
    if not total:
        return f"{what}: {say('no data in this window')}"
    said = {"what": what, "counted": rows.in_sentence(counted)}
    below = 0
    for bound, n in zip(high, count, strict=True):
        below += n or 0
        if bound is not None and below / total >= _MOST:
            share = formats.short(below / total, "ratio")
            return say(
                "{what}: {share} of {counted} are below {bound}", **said, share=share, bound=formats.short(bound, unit)
            )
    last = next((bound for bound in reversed(high) if bound is not None), None)
    share = formats.short((count[-1] or 0) / total, "ratio")
    return say(
        "{what}: {share} of {counted} are at or above {bound}", **said, share=share, bound=formats.short(last, unit)
    )


def _bin(low: Number, high: Number, unit: str) -> str:
    if low is None:
        return say("below {high}", high=formats.short(high, unit))
    if high is None:
        return say("from {low}", low=formats.short(low, unit))
    return say("{low} to {high}", low=formats.short(low, unit), high=formats.short(high, unit))
