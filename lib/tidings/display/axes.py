"""Parts of Vega-Lite specifications that several charts share: axes, bounds, labels at the ends of lines."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from tidings.currencies import places
from tidings.display import formats
from tidings.metrics.metric import Number
from tidings.metrics.result import Point
from tidings.window import Period

HEIGHT = 240
_LETTERS = 40  # of an axis' names that fit side by side on a phone
_LEADING = 15  # px between two labels


def tick(period: Period) -> str:
    """The name of a period on an axis: its first day, or its month, quarter or year."""
    return formats.day(period.start) if period.unit in ("day", "week") else period.label


def time_axis(points: Sequence[Point], *, middle: bool = True) -> dict[str, Any]:
    """Periods by name at equal steps, not as times: a browser's time zone cannot shift a day.

    Only the first, the last and the `middle` one have labels, the outer two inside the picture.
    """
    names = [tick(point.period) for point in points if point.period.state != "future"]
    last = len(names) - 1
    named = sorted({0, last // 2, last} if middle and last >= 4 else {0, last}) if names else []
    inward = [{"test": f"datum.index === {end}", "value": side} for end, side in ((0, "left"), (1, "right"))]
    return {
        "field": "t",
        "type": "ordinal",
        "sort": None,
        "scale": {"type": "point", "padding": 0},
        "axis": {
            "labelExpr": _only([names[i] for i in named]),
            "labelAlign": {"condition": inward, "value": "center"},
            "labelAngle": 0,
            "labelOverlap": False,
            "domain": True,
            "title": None,
        },
    }


def value_axis(unit: str, low: float, high: float, ticks: int = 4) -> dict[str, Any]:
    """A measure from `low` to `high` with a few grid lines."""
    axis = grid_axis(unit, [low, high], ticks)
    return {
        "type": "quantitative",
        "scale": {"domain": [low, high], "nice": axis["tickCount"]},
        "axis": axis,
    }


def grid_axis(unit: str, values: Sequence[float], ticks: int = 4) -> dict[str, Any]:
    """A few grid lines between the least and the largest of these values; at integers if all of them are."""
    if values and _is_counted(unit) and all(float(value).is_integer() for value in values):
        # `tickMinStep` alone does not keep Vega from halves.
        ticks = max(1, min(ticks, round(max(values) - min(values))))
    return {"grid": True, "tickCount": ticks, "title": None, **axis_format(unit)}


def axis_format(unit: str) -> dict[str, Any]:
    """How an axis or a legend prints numbers of a unit; nothing for the open end of a legend."""
    plain = "format(datum.value, '~s')"
    expression = {
        "ratio": "format(datum.value, '~%')",
        "s": "datum.value >= 60 ? format(datum.value / 60, '~r') + ' min' : datum.label + ' s'",
        "ms": "datum.value >= 1000 ? format(datum.value / 1000, '~r') + ' s' : datum.label + ' ms'",
        "B": f"{plain} + 'B'",
    }.get(unit, f"abs(datum.value) >= 1000 ? replace({plain}, 'G', 'B') : {_label(unit)}")
    least = 0 if _is_counted(unit) else places(unit) if formats.is_currency(unit) else None
    whole = {} if least is None else {"tickMinStep": float(f"1e-{least}")}
    return {"labelExpr": f"isFinite(datum.value) ? ({expression}) : ''", **whole}


def _is_counted(unit: str) -> bool:
    """Whether a unit counts things (or their mean), or is money without cents."""
    return unit == "count" or (formats.is_currency(unit) and not places(unit))


def _label(unit: str) -> str:
    """A number below a thousand; money with all decimals of its currency or none."""
    if not formats.is_currency(unit) or not places(unit):
        return "datum.label"
    return f"indexof(datum.label, '.') < 0 ? datum.label : format(datum.value, ',.{places(unit)}f')"


def band_axis(names: Sequence[str]) -> dict[str, Any]:
    """The axis below columns or tiles: every n-th name, fewer if they are long."""
    room = min(8, max(3, _LETTERS // max(map(len, names), default=1)))
    return {
        "labelExpr": _only(names[:: max(1, -(-len(names) // room))]),
        "labelAngle": 0,
        "labelOverlap": False,
        "title": None,
    }


def bounds(values: Sequence[float], unit: str) -> tuple[float, float, bool]:
    """Bounds of a line's axis, and whether it leaves zero out: only if all values lie close together, far from it."""
    if not values:
        return 0.0, 1.0, False
    low, high = min(values), max(values)
    if low > 0 and high - low < 0.2 * high:
        room = max(high - low, 0.001 * high)
        top = high + room / 4
        if _is_counted(unit) and all(float(value).is_integer() for value in values):
            low, top = float(math.floor(low - room / 2)), float(math.ceil(top))
            return low, top, low > 0
        # A rate cannot exceed 100 %, so the axis must not either.
        return low - room / 2, min(top, 1.0) if unit == "ratio" and high <= 1 else top, True
    low, high = min(low, 0.0), max(high, 0.0)
    return (low, high, False) if high > low else (0.0, 1.0, False)


def steps(values: Sequence[float], number: int) -> list[float]:
    """Round bounds between `number` classes that cover the values, from zero unless some are below."""
    low, high = min([0.0, *values]), max([0.0, *values])
    power = 10.0 ** math.floor(math.log10((high - low) / number or 1.0))
    # The second decade is for values on both sides of zero, whose first class begins below the lowest.
    for step in (power * nice for nice in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 15, 20)):
        base = math.floor(low / step) * step
        if base + number * step >= high * (1 - 1e-9):
            break
    return [float(f"{base + step * i:.6g}") for i in range(1, number)]


def line(style: str, field: str, scale: Mapping[str, Any]) -> dict[str, Any]:
    """One line in a named style, on the axis that `value_axis` gives."""
    return {"mark": {"type": "line", "style": style}, "encoding": {"y": {"field": field, **scale}}}


def zero() -> dict[str, Any]:
    """The zero line, for values of both signs."""
    across = {"x": {"value": 0}, "x2": {"value": "width"}}
    return {"mark": {"type": "rule", "style": "zero"}, "encoding": {**across, "y": {"datum": 0}}}


def dot(point: Point) -> dict[str, Any]:
    """A mark on one point."""
    return {
        "data": {"values": [{"t": tick(point.period), "v": drawn(point.value)}]},
        "mark": {"type": "circle", "style": "dot"},
        "encoding": {"y": {"field": "v", "type": "quantitative"}},
    }


def label(style: str, point: Point, text: str, dy: float) -> dict[str, Any]:
    """A text to the right of one point, moved down by `dy` px."""
    return {
        "data": {"values": [{"t": tick(point.period), "v": drawn(point.value), "text": text}]},
        "mark": {"type": "text", "style": style, "align": "left", "dx": 8, "dy": dy},
        "encoding": {"y": {"field": "v", "type": "quantitative"}, "text": {"field": "text"}},
    }


def apart(ends: Mapping[str, float], height: float) -> dict[str, float]:
    """Shifts in px that keep labels at the ends of lines off each other, on a scale that spans `height`."""
    if height <= 0:
        return {name: float(_LEADING * number) for number, name in enumerate(ends)}
    wanted = {name: -value / height * HEIGHT for name, value in ends.items()}
    order = sorted(wanted, key=lambda name: wanted[name])
    placed: dict[str, float] = {}
    for number, name in enumerate(order):
        floor = placed[order[number - 1]] + _LEADING if number else wanted[name]
        placed[name] = max(wanted[name], floor)
    middle = sum(placed[name] - wanted[name] for name in order) / max(len(order), 1)
    return {name: round(placed[name] - wanted[name] - middle, 1) for name in order}


def hover(field: str = "") -> dict[str, Any]:
    """The invisible marks with the tooltips, a strip per period or a spot per point; the still picture has none."""
    mark = {"type": "point", "size": 300} if field else {"type": "rule", "strokeWidth": 12}
    place = {"y": {"field": field, "type": "quantitative"}} if field else {}
    return {"name": "hover", "mark": {**mark, "opacity": 0}, "encoding": {**place, "tooltip": {"field": "hover"}}}


def tag(value: Number, unit: str) -> str:
    """A number at the end of a line or bar; the subtitle names the currency."""
    shown = formats.short(value, unit)
    return shown.figure if formats.is_currency(unit) else str(shown)


def sized(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A specification as wide as a column of text; a page gives it the width of its box."""
    return {**spec, "width": 680, "autosize": {"type": "fit-x", "contains": "padding"}, "padding": 4}


def drawn(value: Number) -> float | None:
    """A value for a mark, rounded to seven digits, more than a screen shows, to keep pages small."""
    return float(f"{float(value):.7g}") if value is not None and formats.is_number(value) else None


def _only(names: Sequence[str]) -> str:
    """Labels for these names alone. Not by `values`: Vega then loses labels when it fits a chart into its box.

    JSON is part of the expression language, and in ASCII no character of a name can end its string.
    """
    return f"indexof({json.dumps(list(names))}, datum.value) >= 0 ? datum.label : ''"


def compact(**row: Any) -> dict[str, Any]:
    """A row of chart data without its nulls."""
    return {key: value for key, value in row.items() if value is not None}
