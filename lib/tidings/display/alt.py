"""Alt texts of charts: measure, period, extremes, last value, trend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from tidings.display import formats
from tidings.language import message, say, say_as
from tidings.metrics.metric import Number
from tidings.metrics.result import Point, Series
from tidings.window import days_between, label_days

_BY_GRAIN = {
    "day": message("by day"),
    "week": message("by week"),
    "month": message("by month"),
    "quarter": message("by quarter"),
    "year": message("by year"),
}


def series(course: Series, before: Series | None = None) -> str:
    """One metric over time, with its comparison if there is one."""
    points = known(course)
    measure = {"title": course.metric.title, "by": by_grain(course.grain)}
    if not points:
        return say("Line chart of {title} {by}: {why}.", **measure, why=formats.why_unknown(course))
    low, high = extremes(points)
    unit = course.unit
    sentences = [
        say("Line chart of {title} {by}, {days}.", **measure, days=span(course.points)),
        say(
            "Lowest {low} ({low_at}), highest {high} ({high_at}), last {last} ({last_at}).",
            low=formats.short(low.value, unit),
            low_at=low.period.label,
            high=formats.short(high.value, unit),
            high_at=high.period.label,
            last=formats.short(points[-1].value, unit),
            last_at=points[-1].period.label + state(points[-1], ", "),
        ),
        trend(points),
    ]
    if before is not None and known(before):
        last = formats.short(known(before)[-1].value, unit)
        sentences.append(say("Grey: {days}, last {last}.", days=span(before.points), last=last))
    return " ".join(filter(None, sentences))


def several(courses: Mapping[str, Series]) -> str:
    """Several series in one sentence each."""
    first = next(iter(courses.values()))
    about = {"n": len(courses), "by": by_grain(first.grain), "days": span(first.points)}
    sentences = [say("{n} lines {by}, {days}.", **about)]
    for name, course in courses.items():
        points = known(course)
        if not points:
            sentences.append(f"{name}: {formats.why_unknown(course)}.")
            continue
        low, high = extremes(points)
        sentences.append(
            say(
                "{name}: last {last}, between {low} and {high}.",
                name=name,
                last=formats.short(points[-1].value, course.unit),
                low=formats.short(low.value, course.unit),
                high=formats.short(high.value, course.unit),
            )
        )
    return " ".join(sentences)


def ranking(what: str, bars: Sequence[tuple[str, Number]], unit: str) -> str:
    """Bars from the first to the last: how many, largest, smallest."""
    shown = [(name, value) for name, value in bars if value is not None]
    if not shown:
        return say("Bar chart of {what}: no data.", what=what)
    top = max(shown, key=lambda bar: bar[1])
    low = min(shown, key=lambda bar: bar[1])
    return say(
        "Bar chart of {what}: {bars}; largest {top} {most}, smallest {low} {least}.",
        what=what,
        bars=formats.plural(len(bars), "bar"),
        top=top[0],
        most=formats.short(top[1], unit),
        low=low[0],
        least=formats.short(low[1], unit),
    )


def grid(what: str, cells: Sequence[tuple[str, str, Number]], unit: str) -> str:
    """A heat map: its size, its highest and lowest cell, how many cells have no value."""
    shown = [cell for cell in cells if cell[2] is not None]
    if not shown:
        return say("Heat map of {what}: no data.", what=what)
    top = max(shown, key=lambda cell: cell[2] or 0)
    low = min(shown, key=lambda cell: cell[2] or 0)
    empty = len(cells) - len(shown)
    said = say(
        "Heat map of {what}, {rows} rows by {columns} columns. Highest {most} ({top}), lowest {least} ({low}).",
        what=what,
        rows=len({cell[1] for cell in cells}),
        columns=len({cell[0] for cell in cells}),
        most=formats.short(top[2], unit),
        top=f"{top[1]}, {top[0]}",
        least=formats.short(low[2], unit),
        low=f"{low[1]}, {low[0]}",
    )
    return said + (" " + say("{cells} without a value.", cells=formats.plural(empty, "cell")) if empty else "")


def trend(points: Sequence[Point]) -> str:
    """The medians of the later and the earlier half of the complete periods compared; "" if unknown."""
    values = [float(p.value) for p in points if p.is_whole and p.value is not None]
    half = len(values) // 2
    if half < 2:
        return ""
    early, late = median(values[:half]), median(values[-half:])
    if early <= 0:
        return ""
    change = formats.percent(late / early - 1)
    return say("The median of the later half is {change} against the earlier half.", change=change)


def state(point: Point, before: str = "") -> str:
    """Why a period is incomplete, with `before` in front of it; "" for a complete one."""
    if point.period.state == "incomplete":
        return before + say("still running")
    return "" if point.is_whole or point.value is None else before + say("partly covered")


def by_grain(grain: str) -> str:
    """What the points of a line stand for: "by day"."""
    return say(_BY_GRAIN[grain])


def period_word(grain: str) -> str:
    """A calendar period as a heading: "Day"."""
    return say_as("period", grain.capitalize())


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
    return label_days(past[0].start, days_between(past[-1].start, past[-1].end)[-2]) if past else say("no period")


def _value(point: Point) -> float:
    return float(point.value or 0)
