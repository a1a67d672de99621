"""Line charts over time: one metric against its past, a few together, many as small multiples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from tidings.display import alt, axes, formats, titles
from tidings.display.figure import Figure, chart, note
from tidings.display.fragments import Table
from tidings.errors import UsageError
from tidings.language import message, say
from tidings.metrics.result import Field, Point, Series, joined

MOST_LINES = 4
MOST_PANELS = 12
_ENOUGH = 0.5
_PANEL_HEIGHT = 96
_LEAST_PANEL = 220  # px
_CUT = message("The vertical axis does not start at zero.")


_NONE_COMPLETE = {
    "day": message("no day is complete"),
    "week": message("no week is complete"),
    "month": message("no month is complete"),
    "quarter": message("no quarter is complete"),
    "year": message("no year is complete"),
}


def trend(series: Series, before: Series | None = None, title: str | None = None, zone: str = "") -> Figure:
    """One metric over time in the accent colour, `before` period by period in grey behind it.

    A period that is still running is part of no line: what it has so far is a lighter mark, joined by dashes only
    where the metric does not grow with every day and at least half of it is covered. Other partly covered periods are
    in the table only, since they would look like a drop. The axis starts at zero unless all values are far from it,
    with a note below the chart. Annotations are numbered marks, targets a stepped line. `zone` is named in the
    subtitle. Without any value to draw it is a note.

    Raises:
        UsageError: more periods than a chart may have.
    """
    points = axes.past(series.points)
    old = list(before.points[: len(points)]) if before is not None else []
    whole = [axes.drawn(point.value) if point.is_whole else None for point in points]
    gone = [axes.drawn(point.value) if point.is_whole else None for point in old]
    so_far = _so_far(points)
    if not any(value is not None for value in (*whole, *gone, so_far)):
        return note(f"{title or series.metric.title}: {_nothing_drawn(series)}.")
    target = _targets([series], points)
    is_joined = so_far is not None and series.metric.kind not in ("flow", "distinct")
    last = len(points) - 1
    rows = [
        axes.compact(
            i=i,
            t=axes.tick(point.period),
            now=whole[i],
            open=(so_far if i == last else whole[i]) if is_joined and i >= last - 1 else None,
            before=gone[i] if i < len(gone) else None,
            target=target[i],
            hover=_hover(point, old[i] if i < len(old) else None, series.unit),
        )
        for i, point in enumerate(points)
    ]
    held = [value for value in (*whole, *gone, *target, so_far) if value is not None]
    low, high, cut = axes.bounds(held, series.unit)
    scale = axes.value_axis(series.unit, low, high)
    ends = {
        name: (at, values[at])
        for name, values in (("now", whole), ("before", gone), ("target", target))
        if (at := _last(values)) is not None
    }
    shifts = axes.apart({name: float(value or 0) for name, (_, value) in ends.items()}, high - low)
    texts = {name: _at_end(name, axes.tag(value, series.unit)) for name, (_, value) in ends.items()}

    def draw(width: int) -> dict[str, Any]:
        room = axes.plot_width(width, texts.values())
        layers = [
            *axes.calendar(points),
            *([axes.line("before", "before", scale)] if "before" in ends else []),
            *([axes.stepped(scale)] if "target" in ends else []),
            axes.line("now", "now", scale),
            *([axes.line("open", "open", scale)] if is_joined else []),
            *axes.points_layer("lone-before", gone, axes.lone(gone)),
            *axes.points_layer("lone", whole, axes.lone(whole)),
            *([axes.zero()] if low < 0 < high else []),
            *([axes.so_far(last, so_far)] if so_far is not None else []),
            *([axes.dot(*ends["now"])] if "now" in ends else []),
            *(axes.label(f"label-{name}", *end, texts[name], shifts[name]) for name, end in ends.items()),
            *axes.events(series.annotations, points, room),
            axes.hover(),
        ]
        spec = {
            "data": {"values": rows},
            "height": axes.HEIGHT,
            "encoding": {"x": axes.time_axis(points, room)},
            "layer": layers,
        }
        return axes.sized(spec, width)

    return chart(
        title=title or titles.trend(series, before),
        subtitle=_subtitle([series], zone),
        alt=alt.series(series, before),
        draw=draw,
        table=_trend_table(series, points, old if before is not None else None, target),
        provenance=joined([series.provenance, *([before.provenance] if before else [])]),
        notes=[*([say(_CUT)] if cut else []), *_left_out(points, so_far), *_listed([series], points)],
        key=_key(points, old),
        metrics=[series.metric],
    )


def lines(courses: Mapping[str, Series], title: str | None = None, zone: str = "") -> Figure:
    """Up to four metrics or parts of one unit on one scale, each labelled at its end; without values a note.

    Raises:
        UsageError: none, more than four, or series of different units (there is never a second axis).
    """
    first = _same_unit(courses, MOST_LINES, "multiples()")
    rows = _long(courses)
    if not (held := _held(rows)):
        return note(f"{title or first.metric.title}: {_nothing_drawn(first)}.")
    points = axes.past(first.points)
    low, high, cut = axes.bounds(held, first.unit)
    ends = {name: end for name in courses if (end := _end(rows, name)) is not None}
    shifts = axes.apart({name: end[1] for name, end in ends.items()}, high - low)
    scale = axes.value_axis(first.unit, low, high)

    def draw(width: int) -> dict[str, Any]:
        texts = {name: f"{axes.fitted(name, width)} {axes.tag(end[1], first.unit)}" for name, end in ends.items()}
        room = axes.plot_width(width, texts.values())
        layers = axes.calendar(points)
        for number, name in enumerate(courses, start=1):
            only = {"transform": [{"filter": {"field": "name", "equal": name}}]}
            layers.append({**only, **axes.line(f"line-{number}", "v", scale)})
            layers.append({**only, **_lone_marks(f"lone-{number}")})
            if name in ends:
                layers.append(axes.label(f"label-{number}", *ends[name], texts[name], shifts[name]))
        layers += [*axes.events(first.annotations, points, room), axes.hover("v")]
        spec = {
            "data": {"values": rows},
            "height": axes.HEIGHT,
            "encoding": {"x": axes.time_axis(points, room)},
            "layer": layers,
        }
        return axes.sized(spec, width)

    return _together(courses, draw, title, zone, [say(_CUT)] if cut else [])


def multiples(courses: Mapping[str, Series], title: str | None = None, zone: str = "") -> Figure:
    """One small chart per series, all on one scale, so that their heights can be compared; without values a note.

    Raises:
        UsageError: more than twelve, or series of different units.
    """
    if not courses:
        return note(f"{title or say('By group')}: {say('no data in this window')}.")
    first = _same_unit(courses, MOST_PANELS, "ranking()")
    rows = _long(courses)
    if not (held := _held(rows)):
        return note(f"{title or first.metric.title}: {_nothing_drawn(first)}.")
    points = axes.past(first.points)
    low, high, cut = axes.bounds(held, first.unit)
    scale = axes.value_axis(first.unit, low, high, 3)
    most = 2 if len(courses) in (2, 4) else 3

    def draw(width: int) -> dict[str, Any]:
        columns = max(1, min(most, width // _LEAST_PANEL))
        room = width // columns - axes.BESIDE
        return {
            "data": {"values": rows},
            "columns": columns,
            "spacing": 24,
            "resolve": {"axis": {"x": "independent"}},
            "facet": {
                "field": "name",
                "type": "nominal",
                "sort": list(courses),
                "title": None,
                "header": {"title": None, "labelLimit": room},
            },
            "spec": {
                "width": room,
                "height": _PANEL_HEIGHT,
                "encoding": {"x": axes.time_axis(points, room - axes.GAP)},
                "layer": [
                    *axes.calendar(points),
                    axes.line("now", "v", scale),
                    _lone_marks("lone"),
                    *axes.events(first.annotations, points, room),
                    axes.hover("v"),
                ],
            },
        }

    shared = [say("All panels have one scale.")] if len(courses) > 1 else []
    return _together(courses, draw, title, zone, [*shared, *([say(_CUT)] if cut else [])])


def _at_end(name: str, value: str) -> str:
    """The label at the end of a line."""
    if name == "target":
        return say("target {value}", value=value)
    return say("{value} before", value=value) if name == "before" else value


def _together(courses: Mapping[str, Series], draw: Any, title: str | None, zone: str, notes: Sequence[str]) -> Figure:
    first = next(iter(courses.values()))
    points = axes.past(first.points)
    running = any(point.period.state == "incomplete" and point.value is not None for point in points)
    last = points[-1].period.label if points else ""
    left = [say("{period} is still running: in the data below, not in the lines.", period=last)] if running else []
    return chart(
        title=title or titles.several(courses),
        subtitle=_subtitle(courses.values(), zone),
        alt=alt.several(courses),
        draw=draw,
        table=_wide_table(courses),
        provenance=joined(course.provenance for course in courses.values()),
        notes=[*notes, *left, *_listed(courses.values(), points)],
        metrics=[course.metric for course in courses.values()],
    )


def _so_far(points: Sequence[Point]) -> float | None:
    """What a running period has so far, if at least half of it is covered."""
    if not points or points[-1].period.state != "incomplete" or points[-1].share < _ENOUGH:
        return None
    return axes.drawn(points[-1].value)


def _nothing_drawn(course: Series) -> str:
    if any(point.value is not None for point in course.points):
        return say(_NONE_COMPLETE[course.grain])
    return formats.why_unknown(course)


def _left_out(points: Sequence[Point], so_far: float | None) -> list[str]:
    notes = []
    if so_far is not None:
        running = points[-1].period.label
        notes.append(say("{period} is still running: the lighter mark has what it has so far.", period=running))
    left = [p for p in points if p.value is not None and not p.is_whole]
    left = left[:-1] if so_far is not None else left
    if left:
        what = left[0].period.label if len(left) == 1 else formats.plural(len(left), "period")
        notes.append(say("{what} partly covered: in the data below, not in the line.", what=what))
    return notes


def _listed(courses: Iterable[Series], points: Sequence[Point]) -> list[str]:
    """The annotations by their numbers."""
    found = next((course.annotations for course in courses if course.annotations), ())
    return [
        f"{number}: {formats.day(one.day)}, {one.text}{f' ({one.kind})' if one.kind else ''}"
        for number, one in axes.numbered(found, points)
    ]


def _targets(courses: Iterable[Series], points: Sequence[Point]) -> list[float | None]:
    held = next((course.targets for course in courses if course.targets), ())
    known = [axes.drawn(value) for value in held[: len(points)]]
    return known + [None] * (len(points) - len(known))


def _long(courses: Mapping[str, Series]) -> list[dict[str, Any]]:
    rows = []
    for name, course in courses.items():
        points = axes.past(course.points)
        values = [axes.drawn(point.value) if point.is_whole else None for point in points]
        alone = axes.lone(values)
        rows += [
            axes.compact(
                i=i,
                t=axes.tick(point.period),
                name=name,
                v=values[i],
                lone=values[i] if i in alone else None,
                hover=f"{name}, {_hover(point, None, course.unit)}",
            )
            for i, point in enumerate(points)
        ]
    return rows


def _held(rows: Sequence[Mapping[str, Any]]) -> list[float]:
    return [row["v"] for row in rows if "v" in row]


def _lone_marks(style: str) -> dict[str, Any]:
    place = {"y": {"field": "lone", "type": "quantitative"}}
    return {"mark": {"type": "point", "style": style}, "encoding": place}


def _last(values: Sequence[float | None]) -> int | None:
    return next((i for i in range(len(values) - 1, -1, -1) if values[i] is not None), None)


def _end(rows: Sequence[Mapping[str, Any]], name: str) -> tuple[int, float] | None:
    found = [(row["i"], row["v"]) for row in rows if row["name"] == name and "v" in row]
    return found[-1] if found else None


def _hover(point: Point, old: Point | None, unit: str) -> str:
    text = f"{point.period.label}: {formats.short(point.value, unit)}"
    return text + (f"; {old.period.label}: {formats.short(old.value, unit)}" if old else "")


def _key(points: Sequence[Point], old: Sequence[Point]) -> Markup:
    if not old or not points:
        return Markup("")
    return Markup(
        '<p class="td-key"><span class="td-key-now"></span>{} <span class="td-key-before"></span>{}</p>'
    ).format(alt.span(points), alt.span(old))


def _subtitle(courses: Iterable[Series], zone: str) -> str:
    every = list(courses)
    unit = every[0].unit
    printed = unit if formats.is_currency(unit) or unit not in formats.PLAIN_UNITS else formats.PLAIN_UNITS[unit]
    measures = ", ".join(dict.fromkeys(course.metric.title for course in every))
    return " · ".join(filter(None, [measures, printed, alt.by_grain(every[0].grain), alt.span(every[0].points), zone]))


def _same_unit(courses: Mapping[str, Series], most: int, instead: str) -> Series:
    if not 1 <= len(courses) <= most:
        raise UsageError(f"{len(courses)} lines were asked for.", f"Draw 1 to {most}, or use {instead}.")
    units = sorted({course.unit for course in courses.values()})
    if len(units) > 1:
        raise UsageError(f"One chart cannot show {' and '.join(units)}: it has one axis.", "Draw one chart per unit.")
    return next(iter(courses.values()))


def _trend_table(
    series: Series, points: Sequence[Point], old: Sequence[Point] | None, target: Sequence[float | None]
) -> Table:
    unit = _period_unit(series)
    fields = [Field("period", alt.period_word(series.grain), unit), Field("value", series.metric.title, series.unit)]
    rows: list[tuple[Any, ...]] = [(_period(series, point), point.value) for point in points]
    if old is not None:
        fields += [Field("period_before", say("Compared with"), unit), Field("before", say("Before"), series.unit)]
        pairs = [(_period(series, p), p.value) for p in old] + [(None, None)] * (len(points) - len(old))
        rows = [(*row, *pair) for row, pair in zip(rows, pairs, strict=True)]
    if any(value is not None for value in target):
        fields.append(Field("target", say("Target"), series.unit))
        rows = [(*row, value) for row, value in zip(rows, target, strict=True)]
    return Table(tuple(fields), tuple(rows))


def _wide_table(courses: Mapping[str, Series]) -> Table:
    first = next(iter(courses.values()))
    found = {(name, point.period.start): point.value for name, course in courses.items() for point in course.points}
    names = [Field(f"value_{i}", name, course.unit) for i, (name, course) in enumerate(courses.items(), start=1)]
    return Table(
        (Field("period", alt.period_word(first.grain), _period_unit(first)), *names),
        tuple(
            (_period(first, point), *(found.get((name, point.period.start)) for name in courses))
            for point in axes.past(first.points)
        ),
    )


def _period_unit(series: Series) -> str:
    return "date" if series.grain == "day" else "text"


def _period(series: Series, point: Point) -> Any:
    """A period in the data of a chart: a day as a date; else as it is read, and for programs its first day."""
    text = alt.state(point)
    if series.grain == "day" and not text:
        return point.period.start
    state = f" ({text})" if text else ""
    return formats.Printed(f"{point.period.label}{state}", f"{point.period.start.isoformat()}{state}", "")
