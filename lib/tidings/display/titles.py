"""Titles of charts: what the data say, with the figures that say it, and nothing that any data would say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from tidings.display import alt, formats, rows
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
            return f"{metric.title}: {series.why or formats.why_missing(metric)}"
        return f"{metric.title}: {formats.short(last.value, unit)} so far in {last.period.label}"
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
        return (
            f"{name}: {formats.short(point.value, unit)} {_when(point)}, "
            f"beside a median of {formats.short(usual, unit)}"
        )
    moved = {name: change for name, course in courses.items() if (change := _moved(course)) is not None}
    if not moved:
        first = next(iter(courses.values()))
        return f"{first.metric.title}: too few complete {first.grain}s to compare"
    unit = change_unit(next(iter(courses.values())).metric)
    far = {
        name: change for name, change in moved.items() if abs(change) >= (_LEVEL if unit == "ratio" else _LEVEL_RATE)
    }
    if not far:
        most = _change(max(map(abs, moved.values())), unit).lstrip("+±")
        return f"Level: none of them moved by more than {most} from the first half to the second"
    order = sorted(far, key=lambda name: -abs(far[name]))
    return f"{'; '.join(f'{name} {_change(far[name], unit)}' for name in order[:2])} from the first half to the second"


def ranking(result: Result, measure: Field) -> str:
    """The share of the first in the total where there is one, else how far it is from the second."""
    split, label = rows.split(result), rows.label_field(result)
    known = [(name, float(v)) for name, v in rows.pairs(result, split.parts, measure) if formats.is_number(v)]
    if not known:
        return f"{measure.title}: no data in this window"
    known.sort(key=lambda pair: -pair[1])
    (name, most), second = known[0], known[1] if len(known) > 1 else None
    # A bare number needs the name of its column: "Status 200".
    shown = f"{label.title} {name}" if name[:1].isdigit() else name
    what = rows.in_sentence(measure.title)
    figure = formats.short(most, measure.unit)
    total = _total(result, measure)
    if total is not None and total > 0 and most <= total:
        return f"{shown}: {formats.short(most / total, 'ratio')} of {what} ({figure})"
    if second is None or second[1] <= 0:
        return f"{shown}: {figure} {what}"
    times = most / second[1]
    far = "as much as" if times < 1 + _LEVEL else f"{formats.short(round(times, 1), 'count')} times"
    return f"{shown}: {figure} {what}, {far} the next ({second[0]})"


def columns(pairs: Sequence[tuple[str, Any]], measure: Field) -> str:
    """The highest, and what is usual beside it."""
    known = [(name, float(value)) for name, value in pairs if formats.is_number(value)]
    if not any(value for _, value in known):
        return f"{measure.title}: none in this window"
    name, most = max(known, key=lambda pair: pair[1])
    usual = median(value for _, value in known)
    return (
        f"{measure.title}: {formats.short(most, measure.unit)} at most ({name}), "
        f"{formats.short(usual, measure.unit)} in half of them"
    )


def tiles(known: Sequence[tuple[str, str, float]], measure: Field, bad: float | None = None) -> str:
    """How many are worse than the last value that is not `bad`, where that is known, else the highest by the median."""
    across, down, most = max(known, key=lambda tile: tile[2])
    highest = f"highest {formats.short(most, measure.unit)} ({down}, {across})"
    if bad is not None:
        worse = sum(value > bad for *_, value in known)
        limit = formats.short(bad, measure.unit)
        return f"{measure.title}: {worse or 'none'} of {formats.plural(len(known), 'tile')} above {limit}, {highest}"
    usual = formats.short(median(value for *_, value in known), measure.unit)
    return f"{measure.title}: {highest}, median {usual}"


def _measured(series: Series, points: Sequence[Point]) -> str:
    """What the window has in all, or on its middle period where periods do not add up."""
    if series.metric.kind == "flow":
        total = formats.short(_sum(points), series.unit)
        return f"{series.metric.title}: {total} in {alt.span(points)}"
    middle = median(_value(point) for point in points)
    return f"{series.metric.title}: median {series.grain} {formats.short(middle, series.unit)}"


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
    return "" if change is None else f"{_change(change, unit)} against {alt.span(old)}"


def _halves(series: Series) -> str:
    change = _moved(series)
    if change is None:
        return ""
    return f"{_change(change, change_unit(series.metric))} from the first half to the second"


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
    return f"{formats.short(point.value, series.unit)} {_when(point)}"


def _when(point: Point) -> str:
    return f"{'on' if point.period.unit == 'day' else 'in'} {point.period.label}"


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
