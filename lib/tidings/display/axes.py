"""Parts of Vega-Lite specifications that several charts share: axes, bounds, labels at the ends of lines."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tidings.annotations import Annotation
from tidings.currencies import places
from tidings.display import formats
from tidings.language import in_force, say_as
from tidings.metrics.metric import Number
from tidings.metrics.result import Point
from tidings.window import Period

HEIGHT = 240
_LETTER = 6.6  # px, of usual letters at 12 px, rather more than less
GAP = 12  # px between two labels of an axis
BESIDE = 56  # px for the labels of the other axis
_PHONE = 400
_MOST_LETTERS = 28
_MOST_SHADED = 100  # days, beyond which weekends are thinner than lines
_SATURDAY = 6
_SCALES = {"stars": (1.0, 5.0)}
_LEADING = 15  # px between two labels


def tick(period: Period) -> str:
    """The name of a period on an axis: its first day, or its month, quarter or year."""
    return formats.day(period.start) if period.unit in ("day", "week") else period.label


def past(points: Sequence[Point]) -> list[Point]:
    """The points whose periods have begun."""
    return [point for point in points if point.period.state != "future"]


def time_axis(points: Sequence[Point], room: float) -> dict[str, Any]:
    """Periods by position, not as times: a browser's time zone cannot shift a day.

    As many have labels as fit side by side into `room` px: first where years and months begin, then weeks, then all.
    """
    begun = past(points)
    last = len(begun) - 1
    texts = _labels([point.period for point in begun], room)
    return {
        "field": "i",
        "type": "quantitative",
        "scale": {"domain": [0, last] if last > 0 else [-1, 1], "nice": False, "zero": False},
        "axis": {
            "values": list(texts),
            "labelExpr": f"({json.dumps(texts)})[datum.value]",
            "labelAngle": 0,
            "labelOverlap": False,
            "labelFlush": False,
            "domain": True,
            "ticks": True,
            "tickSize": 4,
            "title": None,
        },
    }


def _labels(periods: Sequence[Period], room: float) -> dict[int, str]:
    """The periods that get a label, none of which comes near another, by position."""
    if not periods:
        return {}
    is_dated = periods[0].unit in ("day", "week")
    years = [i for i, p in enumerate(periods) if i and p.start.year != periods[i - 1].start.year]
    months = [i for i, p in enumerate(periods) if i and p.start.month != periods[i - 1].start.month]
    weeks = [i for i, p in enumerate(periods) if p.start.weekday() == 0] if periods[0].unit == "day" else []
    quarters = [i for i in months if periods[i].start.month % 3 == 1]
    named = {0, *years}

    def text(i: int) -> str:
        start = periods[i].start
        if periods[i].unit in ("quarter", "year"):
            return periods[i].label
        with_year = i in named and (i > 0 or periods[0].start.year != periods[-1].start.year)
        if is_dated:
            return in_force().day(start, with_year=with_year)
        return in_force().month(start, with_year=with_year or i in named)

    step = room / max(len(periods) - 1, 1)
    chosen: dict[int, str] = {}
    # A level is drawn whole or not at all, but for what stands too close to a level above it.
    for level in ([0], years, quarters, months, weeks[::2], weeks, [len(periods) - 1], range(len(periods))):
        fits = [i for i in level if i not in chosen and _is_free(i, text(i), chosen, step)]
        apart = all((after - i) * step >= wide(text(i)) / 2 + wide(text(after)) / 2 + GAP for i, after in _next(fits))
        if apart:
            chosen |= {i: text(i) for i in fits}
    return dict(sorted(chosen.items()))


def _next(numbers: Sequence[int]) -> list[tuple[int, int]]:
    return list(itertools.pairwise(numbers))


def _is_free(i: int, text: str, chosen: Mapping[int, str], step: float) -> bool:
    return all(abs(i - other) * step >= (wide(text) + wide(held)) / 2 + GAP for other, held in chosen.items())


def wide(text: str) -> float:
    """About how wide a label is, in px."""
    return _LETTER * len(text)


def calendar(points: Sequence[Point]) -> list[dict[str, Any]]:
    """Behind the lines: weekends shaded and the first of each month marked, where periods are days."""
    begun = [point.period for point in past(points)]
    if not begun or begun[0].unit != "day" or len(begun) > _MOST_SHADED:
        return []
    free = [i for i, period in enumerate(begun) if period.start.isoweekday() >= _SATURDAY]
    # Saturday and Sunday in one: between two there would be a seam.
    starts = [i for i in free if i - 1 not in free]
    ends = [{"a": max(i - 0.5, 0), "b": min((i + 1 if i + 1 in free else i) + 0.5, len(begun) - 1)} for i in starts]
    firsts = [{"a": i} for i, p in enumerate(begun) if i and p.start.day == 1]
    band = {"x": {"field": "a", "type": "quantitative"}, "x2": {"field": "b"}}
    layers: list[dict[str, Any]] = []
    if ends:
        layers.append({"data": {"values": ends}, "mark": {"type": "rect", "style": "weekend"}, "encoding": band})
    if firsts:
        at = {"x": {"field": "a", "type": "quantitative"}}
        layers.append({"data": {"values": firsts}, "mark": {"type": "rule", "style": "month"}, "encoding": at})
    return layers


def lone(values: Sequence[float | None]) -> list[int]:
    """Positions of values without a neighbour, of which a line shows nothing."""
    held = [None, *values, None]
    return [i for i, v in enumerate(values) if v is not None and held[i] is None and held[i + 2] is None]


def points_layer(style: str, values: Sequence[float | None], at: Sequence[int]) -> list[dict[str, Any]]:
    """Marks on single values; none without any."""
    rows = [{"i": i, "v": values[i]} for i in at if values[i] is not None]
    if not rows:
        return []
    place = {"y": {"field": "v", "type": "quantitative"}}
    return [{"data": {"values": rows}, "mark": {"type": "point", "style": style}, "encoding": place}]


def plot_width(width: int, ends: Iterable[str]) -> float:
    """About how many px of a picture's width the axis of time has, beside labels of these texts."""
    return width - BESIDE - max(map(wide, ends), default=0.0)


def fitted(text: str, width: int) -> str:
    """A name as short as a picture of that width needs it, its end kept: names differ there."""
    most = _MOST_LETTERS if width > _PHONE else _MOST_LETTERS // 2
    return text if len(text) <= most else f"{text[: most // 2]}…{text[len(text) - most // 2 + 1 :]}"


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
    }.get(unit, _scaled(unit))
    least = 0 if _is_counted(unit) else places(unit) if formats.is_currency(unit) else None
    whole = {} if least is None else {"tickMinStep": float(f"1e-{least}")}
    return {"labelExpr": f"isFinite(datum.value) ? ({expression}) : ''", **whole}


def _is_counted(unit: str) -> bool:
    """Whether a unit counts things (or their mean), or is money without cents."""
    return unit == "count" or (formats.is_currency(unit) and not places(unit))


def _scaled(unit: str) -> str:
    """A number of any size: in English short from a thousand on, elsewhere in full below a million."""
    if in_force().locale is None:
        return f"abs(datum.value) >= 1000 ? replace(format(datum.value, '~s'), 'G', 'B') : {_label(unit)}"
    scales = [(1e12, "T"), (1e9, "B"), (1e6, "M")]
    parts = []
    for size, letter in scales:
        word = json.dumps(say_as("scale", letter))
        parts.append(f"abs(datum.value) >= {size:.0f} ? format(datum.value / {size:.0f}, '~r') + {word}")
    return " : ".join([*parts, _label(unit)])


def _label(unit: str) -> str:
    """A number without a scale; money with all decimals of its currency or none."""
    if not formats.is_currency(unit) or not places(unit):
        return "datum.label"
    mark = in_force().decimal_mark
    return f"indexof(datum.label, '{mark}') < 0 ? datum.label : format(datum.value, ',.{places(unit)}f')"


def band_axis(names: Sequence[str], width: int) -> dict[str, Any]:
    """The axis below columns or tiles: every n-th name, so that they fit side by side."""
    room = fitting(names, width)
    return {
        "labelExpr": _only(names[:: max(1, -(-len(names) // room))]),
        "labelAngle": 0,
        "labelOverlap": False,
        "title": None,
    }


def fitting(names: Sequence[str], width: int) -> int:
    """How many of these names fit side by side below a chart."""
    return max(2, int(plot_width(width, ()) // (max(map(wide, names), default=0.0) + GAP)))


def with_room(low: float, high: float, room: float, texts: Sequence[str], *, both: bool = False) -> dict[str, Any]:
    """The scale of bars across `room` px that leaves place for texts at their ends, to the left as well if `both`."""
    side = min(max(map(wide, texts), default=0.0) + _LEADING, room * 0.35)
    share = (high - low or 1.0) * side / (room - side * (2 if both else 1))
    return {"domain": [low - share if both else low, high + share], "nice": False}


def bounds(values: Sequence[float], unit: str) -> tuple[float, float, bool]:
    """Bounds of a line's axis, and whether it leaves zero out: only if all values lie close together, far from it.

    A unit with ends, as stars, has these.
    """
    scale = _SCALES.get(unit)
    if scale is not None and all(scale[0] <= value <= scale[1] for value in values):
        return *scale, False
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
    return (low, high, False) if high > low else (0.0, 1.0, False)  # all are zero, which is drawn on the axis


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


def dot(i: int, value: Number) -> dict[str, Any]:
    """A mark on one point."""
    return {
        "data": {"values": [{"i": i, "v": drawn(value)}]},
        "mark": {"type": "circle", "style": "dot"},
        "encoding": {"y": {"field": "v", "type": "quantitative"}},
    }


def label(style: str, i: int, value: Number, text: str, dy: float) -> dict[str, Any]:
    """A text to the right of one point, moved down by `dy` px."""
    return {
        "data": {"values": [{"i": i, "v": drawn(value), "text": text}]},
        "mark": {"type": "text", "style": style, "align": "left", "dx": 8, "dy": dy},
        "encoding": {"y": {"field": "v", "type": "quantitative"}, "text": {"field": "text"}},
    }


def so_far(i: int, value: float) -> dict[str, Any]:
    """A lighter mark, open in the middle, for a period that is still running."""
    return points_layer("so-far", [None] * i + [value], [i])[0]


def stepped(scale: Mapping[str, Any]) -> dict[str, Any]:
    """The target of each period."""
    mark = {"type": "line", "style": "target", "interpolate": "step"}
    return {"mark": mark, "encoding": {"y": {"field": "target", **scale}}}


def numbered(annotations: Sequence[Annotation], points: Sequence[Point]) -> list[tuple[int, Annotation]]:
    """The annotations whose day a chart shows, oldest first, with their numbers."""
    begun = past(points)
    shown = [one for one in annotations if begun and begun[0].period.start <= one.day <= begun[-1].period.last_day]
    return list(enumerate(sorted(shown, key=lambda one: one.day), start=1))


def events(annotations: Sequence[Annotation], points: Sequence[Point], room: float) -> list[dict[str, Any]]:
    """A line per annotation, with its number above; those too close to each other have one label together."""
    begun = past(points)
    step = room / max(len(begun) - 1, 1)
    found = [
        (next(i for i, point in enumerate(begun) if one.day <= point.period.last_day), number)
        for number, one in numbered(annotations, points)
    ]
    if not found:
        return []
    groups: list[list[tuple[int, int]]] = [[found[0]]]
    for one in found[1:]:
        if (one[0] - groups[-1][-1][0]) * step < _LEADING + GAP:
            groups[-1].append(one)
        else:
            groups.append([one])
    at = {"x": {"field": "i", "type": "quantitative"}}
    texts = [
        {"i": group[0][0], "n": f"{group[0][1]}" + (f"–{group[-1][1]}" if len(group) > 1 else "")} for group in groups
    ]
    return [
        {"data": {"values": [{"i": i} for i, _ in found]}, "mark": {"type": "rule", "style": "event"}, "encoding": at},
        {
            "data": {"values": texts},
            "mark": {"type": "text", "style": "event-number", "baseline": "bottom", "dy": -4},
            "encoding": {**at, "y": {"value": 0}, "text": {"field": "n"}},
        },
    ]


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
    """The invisible marks with the tooltips, a strip per period or a spot per point."""
    mark = {"type": "point", "size": 300, "filled": True} if field else {"type": "rule", "strokeWidth": 12}
    place = {"y": {"field": field, "type": "quantitative"}} if field else {}
    return {"name": "hover", "mark": {**mark, "opacity": 0}, "encoding": {**place, "tooltip": {"field": "hover"}}}


def tag(value: Number, unit: str) -> str:
    """A number at the end of a line or bar; the subtitle names the currency."""
    shown = formats.short(value, unit)
    return shown.figure if formats.is_currency(unit) else str(shown)


def sized(spec: Mapping[str, Any], width: int) -> dict[str, Any]:
    """A specification of that width with all its labels."""
    return {**spec, "width": width, "autosize": {"type": "fit-x", "contains": "padding"}, "padding": 4}


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
