"""Titles of charts: what the data say, with the figures that say it, and nothing that any data would say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from tidings.display import alt, formats, rows
from tidings.language import say, say_as
from tidings.metrics.metric import Number
from tidings.metrics.result import Field, Point, Result, Series, change_of, change_unit, relative_change

_FAR = 6.0
"""From how many usual deviations off the median a title names a period. It is not judged: findings do that."""
_LEAST = 8  # periods by which others are judged
_LEVEL, _LEVEL_RATE = 0.05, 0.01
_NORMAL = 1.4826  # the median deviation of normal values, as a standard deviation


def trend(series: Series, before: Series | None = None) -> str:
    """The change against the window before, else that between the halves of the window; and the period farthest off."""
    metric, unit = series.metric, series.unit
    done = [i for i, point in enumerate(series.points) if point.is_whole and formats.is_number(point.value)]
    if not done:
        last = next(iter(reversed(alt.known(series))), None)
        if last is None:
            return f"{metric.title}: {formats.why_unknown(series)}"
        value = formats.short(last.value, unit)
        return say("{title}: {value} so far in {period}", title=metric.title, value=value, period=last.period.label)
    compared = ""
    if before is not None:
        # The current line may go on for a day beyond the other.
        shared = [i for i in done if i < len(before.points)]
        compared = _against(series, shared, before) if shared else ""
        done = shared if compared else done
    points = [series.points[i] for i in done]
    parts = [_measured(series, points), compared or _halves(series), _farthest(series)]
    return ", ".join(filter(None, parts))


def several(courses: Mapping[str, Series]) -> str:
    """The line with the period farthest off, else the lines that moved from one half to the other."""
    found = {name: out for name, course in courses.items() if (out := _outlier(course)) is not None}
    if found:
        name = max(found, key=lambda each: found[each][1])
        point, _, usual = found[name]
        unit = courses[name].unit
        return say(
            "{name}: {value}, beside a median of {usual}",
            name=name,
            value=_when(point, unit),
            usual=formats.short(usual, unit),
        )
    moved = {name: change for name, course in courses.items() if (change := _moved(course)) is not None}
    if not moved:
        first = next(iter(courses.values()))
        few = say_as("too few", f"too few complete {first.grain}s to compare")
        return f"{first.metric.title}: {few}"
    unit = change_unit(next(iter(courses.values())).metric)
    far = {
        name: change for name, change in moved.items() if abs(change) >= (_LEVEL if unit == "ratio" else _LEVEL_RATE)
    }
    if not far:
        most = _change(max(map(abs, moved.values())), unit).lstrip("+±")
        return say("Level: none of them moved by more than {most} from the first half to the second", most=most)
    order = sorted(far, key=lambda name: -abs(far[name]))
    return _from_half_to_half("; ".join(f"{name} {_change(far[name], unit)}" for name in order[:2]))


def ranking(result: Result, measure: Field) -> str:
    """The share of the first in the total where there is one, else how far it is from the second."""
    split, label = rows.split(result), rows.label_field(result)
    known = [(name, float(v)) for name, v in rows.pairs(result, split.parts, measure) if formats.is_number(v)]
    if not known:
        return f"{measure.title}: {say('no data in this window')}"
    known.sort(key=lambda pair: -pair[1])
    (name, most), second = known[0], known[1] if len(known) > 1 else None
    # A bare number needs the name of its column: "Status 200".
    shown = f"{label.title} {name}" if name[:1].isdigit() else name
    what = rows.in_sentence(measure.title)
    figure = formats.short(most, measure.unit)
    total = _total(result, measure)
    if total is not None and total > 0 and most <= total:
        share = formats.short(most / total, "ratio")
        return say("{name}: {share} of {what} ({value})", name=shown, share=share, what=what, value=figure)
    if second is None or second[1] <= 0:
        return f"{shown}: {figure} {what}"
    times = most / second[1]
    said = {"name": shown, "value": figure, "what": what, "next": second[0]}
    if times < 1 + _LEVEL:
        return say("{name}: {value} {what}, as much as the next ({next})", **said)
    return say(
        "{name}: {value} {what}, {times} times the next ({next})",
        times=formats.short(round(times, 1), "count"),
        **said,
    )


def columns(pairs: Sequence[tuple[str, Any]], measure: Field) -> str:
    """The highest, and what is usual beside it."""
    known = [(name, float(value)) for name, value in pairs if formats.is_number(value)]
    if not any(value for _, value in known):
        return say("{title}: none in this window", title=measure.title)
    name, most = max(known, key=lambda pair: pair[1])
    usual = median(value for _, value in known)
    return say(
        "{title}: {most} at most ({name}), {usual} in half of them",
        title=measure.title,
        most=formats.short(most, measure.unit),
        name=name,
        usual=formats.short(usual, measure.unit),
    )


def tiles(known: Sequence[tuple[str, str, float]], measure: Field, bad: float | None = None) -> str:
    """How many are worse than the last value that is not `bad`, where that is known, else the highest by the median."""
    across, down, most = max(known, key=lambda tile: tile[2])
    highest = say("highest {value} ({at})", value=formats.short(most, measure.unit), at=f"{down}, {across}")
    if bad is not None:
        worse = sum(value > bad for *_, value in known)
        limit = formats.short(bad, measure.unit)
        return say(
            "{title}: {n} of {tiles} above {limit}, {highest}",
            title=measure.title,
            n=worse or say("none"),
            tiles=formats.plural(len(known), "tile"),
            limit=limit,
            highest=highest,
        )
    usual = formats.short(median(value for *_, value in known), measure.unit)
    return say("{title}: {highest}, median {usual}", title=measure.title, highest=highest, usual=usual)


def _measured(series: Series, points: Sequence[Point]) -> str:
    """What the window has in all, or on its middle period where periods do not add up."""
    if series.metric.kind == "flow":
        total = formats.short(_sum(points), series.unit)
        return say("{title}: {value} in {days}", title=series.metric.title, value=total, days=alt.span(points))
    middle = formats.short(median(_value(point) for point in points), series.unit)
    usual = say_as("median of", f"median {series.grain} {{value}}", value=middle)
    return f"{series.metric.title}: {usual}"


def _against(series: Series, done: Sequence[int], before: Series) -> str:
    """The change of these periods against the same ones before; "" where any of them is not complete."""
    points, old = [series.points[i] for i in done], [before.points[i] for i in done]
    complete = [p for p in series.points[: len(before.points)] if p.period.state == "complete"]
    if len(done) < len(complete) or not all(p.is_whole and p.value is not None for p in old):
        return ""
    if series.metric.kind == "flow":
        change, unit = relative_change(_sum(points), _sum(old)), "ratio"
    else:
        middles = (median(map(_value, points)), median(map(_value, old)))
        change, unit = change_of(series.metric, *middles), change_unit(series.metric)
    return "" if change is None else say("{change} against {days}", change=_change(change, unit), days=alt.span(old))


def _halves(series: Series) -> str:
    change = _moved(series)
    if change is None:
        return ""
    return _from_half_to_half(_change(change, change_unit(series.metric)))


def _from_half_to_half(moved: str) -> str:
    return say("{moved} from the first half to the second", moved=moved)


def _moved(series: Series) -> float | None:
    """The change of the median from the first half of the complete periods to the second."""
    values = [_value(p) for p in series.points if p.is_whole and formats.is_number(p.value)]
    half = len(values) // 2
    if half < 2:
        return None
    return change_of(series.metric, median(values[-half:]), median(values[:half]))


def _farthest(series: Series) -> str:
    found = _outlier(series)
    if found is None:
        return ""
    point, *_ = found
    return _when(point, series.unit)


def _when(point: Point, unit: str) -> str:
    said = {"value": formats.short(point.value, unit), "period": point.period.label}
    return say("{value} on {period}", **said) if point.period.unit == "day" else say("{value} in {period}", **said)


def _outlier(series: Series) -> tuple[Point, float, float] | None:
    """The period farthest from the median, how far in usual deviations, and the median; None where none is far."""
    points = [p for p in series.points if p.is_whole and formats.is_number(p.value)]
    # A mean of few ratings jumps from one end to the other.
    if len(points) < _LEAST or series.unit == "stars":
        return None
    middle = median(map(_value, points))
    usual = _NORMAL * median(abs(_value(p) - middle) for p in points)
    if usual <= 0:
        return None
    farthest = max(points, key=lambda p: abs(_value(p) - middle))
    far = abs(_value(farthest) - middle) / usual
    return (farthest, far, middle) if far >= _FAR else None


def _total(result: Result, measure: Field) -> float | None:
    """What the parts are shares of; None where they do not add up to it."""
    total = rows.split(result).total
    value = None if total is None else total[result.fields.index(measure)]
    metric = rows.metric_of(measure)
    summed = metric.kind in ("flow", "distinct", "stock") if metric else measure.unit == "count"
    return float(value) if summed and value is not None and formats.is_number(value) else None


def _change(change: float, unit: str) -> str:
    return formats.percent(change) if unit == "ratio" else formats.full_change(change, unit)


def _sum(points: Sequence[Point]) -> Number:
    values: list[Any] = [point.value for point in points if formats.is_number(point.value)]
    return sum(values[1:], values[0]) if values else None


def _value(point: Point) -> float:
    return float(point.value or 0)
