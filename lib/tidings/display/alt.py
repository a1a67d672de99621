"""Alt texts of charts: measure, period, extremes, last value, trend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from tidings.display import formats
from tidings.metrics.metric import Number
from tidings.metrics.result import Point, Series
from tidings.window import days_between, label_days


def series(course: Series, before: Series | None = None) -> str:
    """One metric over time, with its comparison if there is one."""
    points = known(course)
    measure = f"{course.metric.title} by {course.grain}"
    if not points:
        return f"Line chart of {measure}: {course.why or formats.why_missing(course.metric)}."
    low, high = extremes(points)
    unit = course.unit
    sentences = [
        f"Line chart of {measure}, {span(course.points)}.",
        f"Lowest {formats.short(low.value, unit)} ({low.period.label}), "
        f"highest {formats.short(high.value, unit)} ({high.period.label}), "
        f"last {formats.short(points[-1].value, unit)} ({points[-1].period.label}"
        f"{state(points[-1], ', ')}).",
        trend(points),
    ]
    if before is not None and known(before):
        sentences.append(f"Grey: {span(before.points)}, last {formats.short(known(before)[-1].value, unit)}.")
    return " ".join(filter(None, sentences))


def several(courses: Mapping[str, Series]) -> str:
    """Several series in one sentence each."""
    first = next(iter(courses.values()))
    sentences = [f"{len(courses)} lines by {first.grain}, {span(first.points)}."]
    for name, course in courses.items():
        points = known(course)
        if not points:
            sentences.append(f"{name}: {course.why or formats.why_missing(course.metric)}.")
            continue
        low, high = extremes(points)
        sentences.append(
            f"{name}: last {formats.short(points[-1].value, course.unit)}, "
            f"between {formats.short(low.value, course.unit)} and {formats.short(high.value, course.unit)}."
        )
    return " ".join(sentences)


def ranking(what: str, bars: Sequence[tuple[str, Number]], unit: str) -> str:
    """Bars from the first to the last: how many, largest, smallest."""
    shown = [(name, value) for name, value in bars if value is not None]
    if not shown:
        return f"Bar chart of {what}: no data."
    top = max(shown, key=lambda bar: bar[1])
    low = min(shown, key=lambda bar: bar[1])
    return (
        f"Bar chart of {what}: {formats.plural(len(bars), 'bar')}; largest {top[0]} {formats.short(top[1], unit)}, "
        f"smallest {low[0]} {formats.short(low[1], unit)}."
    )


def grid(what: str, cells: Sequence[tuple[str, str, Number]], unit: str) -> str:
    """A heat map: its size, its highest and lowest cell, how many cells have no value."""
    shown = [cell for cell in cells if cell[2] is not None]
    if not shown:
        return f"Heat map of {what}: no data."
    top = max(shown, key=lambda cell: cell[2] or 0)
    low = min(shown, key=lambda cell: cell[2] or 0)
    empty = len(cells) - len(shown)
    return (
        f"Heat map of {what}, {len({cell[1] for cell in cells})} rows by {len({cell[0] for cell in cells})} columns. "
        f"Highest {formats.short(top[2], unit)} ({top[1]}, {top[0]}), lowest {formats.short(low[2], unit)} "
        f"({low[1]}, {low[0]})." + (f" {formats.plural(empty, 'cell')} without a value." if empty else "")
    )


def trend(points: Sequence[Point]) -> str:
    """The medians of the later and the earlier half of the complete periods compared; "" if unknown."""
    values = [float(p.value) for p in points if p.is_whole and p.value is not None]
    half = len(values) // 2
    if half < 2:
        return ""
    early, late = median(values[:half]), median(values[-half:])
    if early <= 0:
        return ""
    return f"The median of the later half is {formats.percent(late / early - 1)} against the earlier half."


def state(point: Point, before: str = "") -> str:
    """Why a period is incomplete, with `before` in front of it; "" for a complete one."""
    if point.period.state == "incomplete":
        return f"{before}still running"
    return "" if point.is_whole or point.value is None else f"{before}partly covered"


def known(course: Series) -> list[Point]:
    """The points that have a value, oldest first."""
    return [point for point in course.points if formats.is_number(point.value)]


def extremes(points: Sequence[Point]) -> tuple[Point, Point]:
    """The lowest and the highest point, complete periods only where there are any."""
    judged = [point for point in points if point.is_whole] or list(points)
    return min(judged, key=_value), max(judged, key=_value)


def span(points: Sequence[Point]) -> str:
    """The days that points cover, future ones left out: "3 – 30 Jun 2026"."""
    past = [point.period for point in points if point.period.state != "future"] or [p.period for p in points]
    return label_days(past[0].start, days_between(past[-1].start, past[-1].end)[-2]) if past else "no period"


def _value(point: Point) -> float:
    return float(point.value or 0)
