"""Line charts over time: one metric against its past, a few together, many as small multiples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from tidings.display import alt, axes, formats
from tidings.display.figure import Figure, chart, note
from tidings.display.fragments import Table
from tidings.errors import UsageError
from tidings.metrics.metric import Number
from tidings.metrics.result import Field, Point, Series, joined, relative_change

MOST_LINES = 4
MOST_PANELS = 12
_ENOUGH = 0.5
_CUT = "The vertical axis does not start at zero."


def trend(series: Series, before: Series | None = None, title: str | None = None, zone: str = "") -> Figure:
    """One metric over time in the accent colour, `before` period by period in grey behind it.

    A period that is still running is dashed if at least half of it is covered; other partly covered periods are in the
    table only, since they would look like a drop. The axis starts at zero unless all values are far from it, with a
    note below the chart. `zone` is named in the subtitle.

    Raises:
        UsageError: more periods than a chart may have.
    """
    points = _past(series)
    old = list(before.points[: len(points)]) if before is not None else []
    values = [_drawn(point) for point in points]
    gone = [_drawn(point) for point in old]
    is_open = bool(points) and points[-1].period.state == "incomplete" and values[-1] is not None
    solid = len(points) - 1 if is_open else len(points)
    rows = [
        axes.compact(
            t=axes.tick(point.period),
            now=values[i] if i < solid else None,
            open=values[i] if is_open and i >= solid - 1 else None,
            before=gone[i] if i < len(gone) else None,
            hover=_hover(point, old[i] if i < len(old) else None, series.unit),
        )
        for i, point in enumerate(points)
    ]
    low, high, cut = axes.bounds([v for v in (*values, *gone) if v is not None], series.unit)
    scale = axes.value_axis(series.unit, low, high)
    lines_drawn = [
        *([axes.line("before", "before", scale)] if any(v is not None for v in gone) else []),
        axes.line("now", "now", scale),
        *([axes.line("open", "open", scale)] if is_open else []),
    ]
    ends = {"now": _end(points, values), "before": _end(points, gone)}
    shifts = axes.apart({name: float(end.value or 0) for name, end in ends.items() if end}, high - low)
    texts = {
        name: f"{axes.tag(end.value, series.unit)}{' before' if name == 'before' else ''}"
        for name, end in ends.items()
        if end
    }
    labels = [axes.label(f"label-{name}", end, texts[name], shifts[name]) for name, end in ends.items() if end]
    now = ends["now"]
    spec = {
        "data": {"values": rows},
        "height": axes.HEIGHT,
        "encoding": {"x": axes.time_axis(points)},
        "layer": [
            *lines_drawn,
            *([axes.zero()] if low < 0 < high else []),
            *([axes.dot(now)] if now else []),
            *labels,
            axes.hover(),
        ],
    }
    running = [f"{points[-1].period.label} is still running: dashed."] if is_open else []
    running += _left_out(points)
    return chart(
        title=title or _trend_title(series, before),
        subtitle=_subtitle([series], zone),
        alt=alt.series(series, before),
        spec=axes.sized(spec),
        table=_trend_table(series, points, old if before is not None else None),
        provenance=joined([series.provenance, *([before.provenance] if before else [])]),
        notes=[*([_CUT] if cut else []), *running],
        key=_key(points, old),
        metrics=[series.metric],
    )


def lines(courses: Mapping[str, Series], title: str | None = None, zone: str = "") -> Figure:
    """Up to four metrics or parts of one unit on one scale, each labelled at its end.

    Raises:
        UsageError: none, more than four, or series of different units (there is never a second axis).
    """
    first = _same_unit(courses, MOST_LINES, "multiples()")
    rows = _long(courses)
    low, high, cut = axes.bounds([row["v"] for row in rows if "v" in row], first.unit)
    ends = _ends(courses)
    shifts = axes.apart({name: float(point.value or 0) for name, point in ends.items()}, high - low)
    texts = {name: f"{name} {axes.tag(point.value, first.unit)}" for name, point in ends.items()}
    scale = axes.value_axis(first.unit, low, high)
    layers: list[dict[str, Any]] = []
    for number, name in enumerate(courses, start=1):
        only = {"transform": [{"filter": {"field": "name", "equal": name}}]}
        layers.append({**only, **axes.line(f"line-{number}", "v", scale)})
        if name in ends:
            layers.append(axes.label(f"label-{number}", ends[name], texts[name], shifts[name]))
    spec = {
        "data": {"values": rows},
        "height": axes.HEIGHT,
        "encoding": {"x": axes.time_axis(first.points)},
        "layer": [*layers, axes.hover("v")],
    }
    return _together(courses, axes.sized(spec), title, zone, [_CUT] if cut else [])


def multiples(courses: Mapping[str, Series], title: str | None = None, zone: str = "") -> Figure:
    """One small chart per series, all on one scale, so that their heights can be compared.

    Raises:
        UsageError: more than twelve, or series of different units.
    """
    if not courses:
        return note(f"{title or 'By group'}: no data in this window.")
    first = _same_unit(courses, MOST_PANELS, "ranking()")
    rows = _long(courses)
    columns = 2 if len(courses) in (2, 4) else 3
    low, high, cut = axes.bounds([row["v"] for row in rows if "v" in row], first.unit)
    spec = {
        "data": {"values": rows},
        "columns": columns,
        "spacing": 24,
        "resolve": {"axis": {"x": "independent"}},
        "facet": {"field": "name", "type": "nominal", "sort": list(courses), "title": None, "header": {"title": None}},
        "spec": {
            "width": 620 // columns - 24,
            "height": 96,
            "encoding": {"x": axes.time_axis(first.points, middle=False)},
            "layer": [axes.line("now", "v", axes.value_axis(first.unit, low, high, 3)), axes.hover("v")],
        },
    }
    return _together(courses, spec, title, zone, ["All panels have one scale.", *([_CUT] if cut else [])])


def _together(
    courses: Mapping[str, Series], spec: Mapping[str, Any], title: str | None, zone: str, notes: Sequence[str]
) -> Figure:
    first = next(iter(courses.values()))
    return chart(
        title=title or _ends_title(_ends(courses), first),
        subtitle=_subtitle(courses.values(), zone),
        alt=alt.several(courses),
        spec=spec,
        table=_wide_table(courses),
        provenance=joined(course.provenance for course in courses.values()),
        notes=notes,
        metrics=[course.metric for course in courses.values()],
    )


def _past(series: Series) -> list[Point]:
    return [point for point in series.points if point.period.state != "future"]


def _drawn(point: Point) -> float | None:
    """The value of a line at a period: none if the period is partly covered or has only begun."""
    so_far = point.period.state == "incomplete" and point.share >= _ENOUGH
    return axes.drawn(point.value) if point.is_whole or so_far else None


def _nothing_drawn(course: Series) -> str:
    if any(point.value is not None for point in course.points):
        return f"no {course.grain} is complete"
    return course.why or formats.why_missing(course.metric)


def _left_out(points: Sequence[Point]) -> list[str]:
    left = [point for point in points if point.value is not None and _drawn(point) is None]
    if not left:
        return []
    what = left[0].period.label if len(left) == 1 else f"{len(left)} periods"
    return [f"{what} partly covered: in the data below, not in the line."]


def _long(courses: Mapping[str, Series]) -> list[dict[str, Any]]:
    return [
        axes.compact(
            t=axes.tick(point.period),
            name=name,
            v=_drawn(point),
            hover=f"{name}, {_hover(point, None, course.unit)}",
        )
        for name, course in courses.items()
        for point in _past(course)
    ]


def _end(points: Sequence[Point], values: Sequence[float | None]) -> Point | None:
    """The last value of a line, at the period of the current line where it is drawn."""
    last = next((i for i in range(len(values) - 1, -1, -1) if values[i] is not None), None)
    return None if last is None else Point(points[last].period, values[last])


def _ends(courses: Mapping[str, Series]) -> dict[str, Point]:
    drawn = {name: [p for p in alt.known(course) if _drawn(p) is not None] for name, course in courses.items()}
    return {name: points[-1] for name, points in drawn.items() if points}


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
    return " · ".join(filter(None, [measures, printed, f"by {every[0].grain}", alt.span(every[0].points), zone]))


def _trend_title(series: Series, before: Series | None) -> str:
    """The title: a total and its change for a flow, else the last value and its range."""
    metric, unit = series.metric, series.unit
    points = alt.known(series)
    if not points:
        return f"{metric.title}: {series.why or formats.why_missing(metric)}"
    done = [i for i, point in enumerate(series.points) if point.is_whole]
    low, high = alt.extremes(points)
    if metric.kind != "flow" or not done:
        last = next((p for p in reversed(points) if p.is_whole), points[-1])
        return (
            f"{metric.title} at {formats.short(last.value, unit)} ({axes.tick(last.period)}), "
            f"between {formats.short(low.value, unit)} and {formats.short(high.value, unit)}"
        )
    total = _total([series.points[i] for i in done])
    sentence = f"{metric.title}: {formats.short(total, unit)} in {alt.span([series.points[i] for i in done])}"
    if before is not None and len(before.points) > done[-1]:
        old = [before.points[i] for i in done]
        is_complete = len(done) == len([p for p in points if p.period.state == "complete"])
        change = relative_change(total, _total(old)) if is_complete and all(point.is_whole for point in old) else None
        if change is not None:
            return f"{sentence}, {formats.percent(change)} against {alt.span(old)}"
    return f"{sentence}, most on {high.period.label} ({formats.short(high.value, unit)})"


def _total(points: Sequence[Point]) -> Number:
    values: list[Any] = [point.value for point in points if formats.is_number(point.value)]
    return sum(values[1:], values[0]) if values else None


def _ends_title(ends: Mapping[str, Point], first: Series) -> str:
    if not ends:
        return f"{first.metric.title}: {_nothing_drawn(first)}"
    order = sorted(ends, key=lambda name: float(ends[name].value or 0))
    low, high = order[0], order[-1]
    most = f"{formats.short(ends[high].value, first.unit)}"
    when = axes.tick(ends[high].period)
    if low == high:
        return f"{high}: {most} ({when})"
    return f"{high} highest at {most}, {low} lowest at {formats.short(ends[low].value, first.unit)} ({when})"


def _same_unit(courses: Mapping[str, Series], most: int, instead: str) -> Series:
    if not 1 <= len(courses) <= most:
        raise UsageError(f"{len(courses)} lines were asked for.", f"Draw 1 to {most}, or use {instead}.")
    units = sorted({course.unit for course in courses.values()})
    if len(units) > 1:
        raise UsageError(f"One chart cannot show {' and '.join(units)}: it has one axis.", "Draw one chart per unit.")
    return next(iter(courses.values()))


def _trend_table(series: Series, points: Sequence[Point], old: Sequence[Point] | None) -> Table:
    fields = [Field("period", series.grain.capitalize()), Field("value", series.metric.title, series.unit)]
    rows: list[tuple[Any, ...]] = [(point.period.label + _running(point), point.value) for point in points]
    if old is not None:
        fields += [Field("period_before", "Compared with"), Field("before", "Before", series.unit)]
        pairs = [(p.period.label, p.value) for p in old] + [(None, None)] * (len(points) - len(old))
        rows = [(*row, *pair) for row, pair in zip(rows, pairs, strict=True)]
    return Table(tuple(fields), tuple(rows))


def _wide_table(courses: Mapping[str, Series]) -> Table:
    first = next(iter(courses.values()))
    found = {(name, point.period.start): point.value for name, course in courses.items() for point in course.points}
    names = [Field(f"value_{i}", name, course.unit) for i, (name, course) in enumerate(courses.items(), start=1)]
    return Table(
        (Field("period", first.grain.capitalize()), *names),
        tuple(
            (point.period.label + _running(point), *(found.get((name, point.period.start)) for name in courses))
            for point in _past(first)
        ),
    )


def _running(point: Point) -> str:
    text = alt.state(point)
    return f" ({text})" if text else ""
