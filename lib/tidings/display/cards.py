"""KPI cards: label, value, change, sparkline, status in words."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from tidings.display import formats
from tidings.display.figure import Figure
from tidings.display.fragments import definition, frame
from tidings.errors import UsageError
from tidings.language import message, say
from tidings.metrics.metric import Number
from tidings.metrics.result import Value, joined, no_source_words

MOST_CARDS = 6
_NOTHING = 1e-4
_WIDTH, _HEIGHT, _MARGIN = 96, 28, 3
_STATUS = {
    "yours": {"good": message("on target"), "warn": message("watch"), "bad": message("off target")},
    # Nobody set a target.
    "ours": {"good": message("good by our bound"), "warn": message("watch"), "bad": message("bad by our bound")},
}


def cards(values: Sequence[Value]) -> Figure:
    """Up to six values side by side, three in a row on a desktop and two on a phone.

    What no source brings has no card: a note names it.

    Raises:
        UsageError: no value, or more than six.
    """
    if not 1 <= len(values) <= MOST_CARDS:
        raise UsageError(f"{len(values)} cards were asked for.", f"Show 1 to {MOST_CARDS}, or use table().")
    provenance = joined(value.provenance for value in values)
    alt = "; ".join(f"{value.metric.title} {spoken(value)}" for value in values)
    there = [value for value in values if not value.is_absent]
    body = Markup('<div class="td-grid">{}</div>').format(Markup("").join(map(card, there))) if there else Markup("")
    return Figure(
        kind="cards",
        html=frame("cards", "", "", body, _absent(values), provenance=provenance),
        text="\n".join(f"{value.metric.title}: {spoken(value)}" for value in values),
        alt=alt,
        values=tuple(values),
        provenance=provenance,
    )


def _absent(values: Sequence[Value]) -> list[str]:
    by_reason: dict[str, list[str]] = {}
    for value in values:
        if value.is_absent:
            by_reason.setdefault(value.why, []).append(value.metric.title)
    return [
        say("Not shown, as {why}: {names}.", why=no_source_words(why), names=", ".join(titles))
        for why, titles in by_reason.items()
    ]


def card(value: Value) -> Markup:
    """One card as a fragment."""
    return Markup(
        '<div class="td-card"><p class="td-label">{}{}</p>'
        '<p class="td-line"><span class="td-value"{}>{}</span>{}</p><p class="td-delta">{}</p></div>'
    ).format(
        definition(value.metric),
        status(value),
        Markup(' title="{}"').format(_exactly(value)) if value.value is not None else "",
        formats.short(value.value, value.unit),
        sparkline(value.spark, not value.window.is_complete),
        delta(value),
    )


def delta(value: Value) -> Markup:
    """The change with arrow, sign and the words that name the comparison, or why there is none."""
    if value.value is None:
        return Markup('<span class="td-muted">{}</span>').format(formats.why_unknown(value))
    part = f"; {value.part}" if value.part else ""
    if value.before_window is None:
        return Markup('<span class="td-muted">{}{}</span>').format(value.window.label, part)
    words = formats.compared_with(value.window, value.before_window)
    if value.change is None:
        if value.why_no_change:
            why = say("no change: {why}", why=no_source_words(value.why_no_change))
            return Markup('<span class="td-muted td-why">{}</span>').format(why)
        was = formats.short(value.before, value.unit)
        unknown = value.before is None
        said = (
            say("unknown in {words}", words=words)
            if unknown
            else say("from {value} in {words}", value=was, words=words)
        )
        return Markup('<span class="td-muted">{}{}</span>').format(said, part)
    change = formats.difference(value.value, value.before, value.unit)
    usual = value.unusual is False
    return Markup('<span class="td-{}">{}</span> <span class="td-muted">{}{}</span>{}').format(
        _tone(value),
        formats.arrowed(change),
        say("vs {value} in {words}", value=formats.short(value.before, value.unit), words=words),
        part,
        Markup(' <span class="td-usual"><span aria-hidden="true">≈</span> {}</span>').format(
            say("within usual variation")
        )
        if usual
        else "",
    )


def _tone(value: Value) -> str:
    """Good or bad news; none where the change is usual, or nobody knows whether it is, or no direction is better."""
    if not value.unusual or value.metric.better == "neutral" or not value.change:
        return "none"
    return "good" if (value.change > 0) == (value.metric.better == "higher") else "bad"


def status(value: Value) -> Markup:
    """The status as a coloured word that says whose the threshold is; empty without thresholds."""
    thresholds, state = value.metric.thresholds, value.status
    if thresholds is None or state == "none":
        return Markup("")
    return Markup(' <span class="td-status td-{}">{}</span>').format(state, say(_STATUS[thresholds.origin][state]))


def spoken(value: Value) -> str:
    """A value and its change as one line of plain text."""
    shown = str(formats.short(value.value, value.unit))
    if value.value is None:
        return f"{shown} ({formats.why_unknown(value)})"
    if value.before_window is None or value.change is None:
        return f"{shown}; {value.part}" if value.part else shown
    words = formats.compared_with(value.window, value.before_window)
    moved = formats.arrowed(formats.difference(value.value, value.before, value.unit))
    return say("{value}, {change} vs {words}", value=shown, change=moved, words=words)


def sparkline(course: Sequence[Number], is_open: bool = False) -> Markup:
    """The daily values as a line of 96 x 28 px with its last point marked; with `is_open` the last step is dashed.

    A missing day is a gap. Hidden from screen readers, since the numbers are on the card.
    """
    known = [float(value) for value in course if value is not None and formats.is_number(value)]
    if len(known) < 2:
        return Markup("")
    low, high = min(known), max(known)
    # Noise of the last digits is no variation.
    is_flat = high - low <= _NOTHING * max(abs(low), abs(high))
    step = (_WIDTH - 2 * _MARGIN) / (len(course) - 1)
    runs: list[list[tuple[float, float]]] = [[]]
    for index, value in enumerate(course):
        if value is None or not formats.is_number(value):
            runs.append([])
            continue
        share = 0.5 if is_flat else (float(value) - low) / (high - low)
        runs[-1].append((_MARGIN + index * step, _HEIGHT - _MARGIN - share * (_HEIGHT - 2 * _MARGIN)))
    runs = [run for run in runs if run]
    last = runs[-1][-1]
    dashed = Markup("")
    if is_open and len(runs[-1]) > 1:
        dashed = Markup('<path class="td-spark-open" d="{}"/>').format(_path(runs[-1][-2:]))
        runs[-1] = runs[-1][:-1]
    return Markup(
        '<svg class="td-spark" width="{w}" height="{h}" viewBox="0 0 {w} {h}" aria-hidden="true" focusable="false">'
        '<path class="td-spark-line" d="{d}"/>{dashed}<circle class="td-spark-last" cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>'
        "</svg>"
    ).format(w=_WIDTH, h=_HEIGHT, d=" ".join(map(_path, runs)), dashed=dashed, x=last[0], y=last[1])


def _path(points: Sequence[tuple[float, float]]) -> str:
    # A single day between two gaps is drawn as a dot: a line of no length with round ends.
    points = [*points, *points] if len(points) == 1 else points
    return "M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _exactly(value: Value) -> str:
    unit = value.unit if formats.head_unit(value.unit) or formats.is_currency(value.unit) else ""
    return f"{formats.full(value.value, value.unit)} {unit}".strip()
