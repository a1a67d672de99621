"""Findings: sentences made by rules from numbers. The three most telling ones are kept."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup

from tidings.display import alt, axes, formats, rows
from tidings.display.figure import Figure
from tidings.display.fragments import NOWHERE, frame
from tidings.metrics.result import Provenance, Result, Series, Value, joined, relative_change

MOST = 3


@dataclass(frozen=True)
class Sentence:
    """One finding. `weight` says how telling it is; of sentences on one `subject` only the heaviest is kept."""

    text: str
    weight: float
    subject: str
    provenance: Provenance = NOWHERE


def findings(items: Iterable[Value | Series | Result | Sentence], most: int = MOST) -> Figure:
    """The most telling sentences about values, series and breakdowns, by weight.

    Values give changes or what is unknown, series their extremes, breakdowns with a column `before` the part that
    changed most.
    """
    given = list(items)
    chosen = pick([sentence for item in _unknown_together(given) for sentence in candidates(item)], most)
    texts = [sentence.text for sentence in chosen] or ["No findings: there is no data in this window."]
    body = Markup("<ol>{}</ol>").format(Markup("").join(Markup("<li>{}</li>").format(text) for text in texts))
    provenance = joined(sentence.provenance for sentence in chosen)
    return Figure(
        kind="findings",
        html=frame("findings", "", "", body),
        text="\n".join(f"- {text}" for text in texts),
        title="Findings",
        alt=" ".join(texts),
        values=tuple(item for item in given if isinstance(item, Value)),
        provenance=provenance,
    )


def _unknown_together(items: Iterable[Value | Series | Result | Sentence]) -> list[Value | Series | Result | Sentence]:
    """The items, with values that are unknown for the same reason joined into one sentence."""
    kept: list[Value | Series | Result | Sentence] = []
    by_reason: dict[str, list[Value]] = {}
    for item in items:
        if isinstance(item, Value) and item.value is None and item.why:
            by_reason.setdefault(item.why, []).append(item)
        else:
            kept.append(item)
    for why, values in by_reason.items():
        names = " and ".join(filter(None, [", ".join(v.metric.title for v in values[:-1]), values[-1].metric.title]))
        text = f"{names}: unknown for {values[0].window.label} ({why})."
        kept.append(Sentence(text, 0.05, why, values[0].provenance))
    return kept


def candidates(item: Value | Series | Result | Sentence) -> list[Sentence]:
    """All sentences that the rules make of one item."""
    if isinstance(item, Sentence):
        return [item]
    if isinstance(item, Value):
        return [of_value(item)]
    return of_series(item) if isinstance(item, Series) else of_split(item)


def pick(sentences: Iterable[Sentence], most: int = MOST) -> list[Sentence]:
    """The heaviest sentences, one per subject; equal weights keep their order."""
    kept: dict[str, Sentence] = {}
    for sentence in sorted(sentences, key=lambda sentence: -sentence.weight):
        kept.setdefault(sentence.subject, sentence)
    return list(kept.values())[:most]


def of_value(value: Value) -> Sentence:
    """The change of one metric: from, to, by how much; or that it is unknown."""
    metric, unit = value.metric, value.unit
    if value.value is None:
        text = f"{metric.title}: unknown for {value.window.label} ({value.why or formats.why_missing(metric)})."
        return Sentence(text, 0.05, metric.name, value.provenance)
    now = formats.short(value.value, unit)
    target = _against_target(value)
    part = f"; {value.part}" if value.part else ""
    if value.before_window is None:
        text = f"{metric.title}: {now} in {value.window.label}{target}{part}."
        return Sentence(text, 0.1, metric.name, value.provenance)
    words = formats.compared_with(value.window, value.before_window)
    if value.change is None and value.why_no_change:
        text = f"{metric.title}: {now} in {value.window.label}{target}; no comparison ({value.why_no_change})."
        return Sentence(text, 0.1, metric.name, value.provenance)
    if value.change is None:
        was = "unknown" if value.before is None else f"from {formats.short(value.before, unit)}"
        text = f"{metric.title}: {now}{target}, {was} in {words}{part}."
        return Sentence(text, 0.5, metric.name, value.provenance)
    change = formats.percent(value.change)
    by = change[1:]
    if change.startswith("±"):
        text = f"{metric.title} stayed at {now} ({change}) against {words}"
    else:
        verb = "rose" if value.change > 0 else "fell"
        # Where lower is better, a rise would read like good news.
        sign = {"rose": " (worse)", "fell": " (better)"}[verb] if metric.better == "lower" else ""
        text = f"{metric.title} {verb} by {by} to {now}{sign}, from {formats.short(value.before, unit)} in {words}"
    usual = "; within usual variation" if value.unusual is False else ""
    return Sentence(f"{text}{target}{usual}{part}.", _weight(value), metric.name, value.provenance)


def of_series(series: Series) -> list[Sentence]:
    """The extremes of a series; nothing for fewer than three complete periods."""
    points = [point for point in alt.known(series) if point.is_whole]
    if len(points) < 3:
        return []
    low, high = alt.extremes(points)
    unit, title = series.unit, series.metric.title
    text = (
        f"{title} by {series.grain}: between {formats.short(low.value, unit)} ({axes.tick(low.period)}) and "
        f"{formats.short(high.value, unit)} ({axes.tick(high.period)})."
    )
    spread = relative_change(high.value, low.value)
    weight = 0.3 if spread is None else min(0.5, abs(math.log1p(max(spread, -0.99))) / 4)
    return [Sentence(text, weight, f"{series.metric.name} by {series.grain}", series.provenance)]


def of_split(result: Result) -> list[Sentence]:
    """The part of a breakdown that changed most, in absolute terms; needs a column `before`."""
    if not result.rows:
        return [Sentence(f"{result.title}: no data in this window.", 0.2, result.title, result.provenance)]
    if not any(field.name == "before" for field in result.fields):
        return []
    measure = rows.value_field(result)
    parts = rows.split(result).parts
    now = rows.pairs(result, parts, measure)
    before = rows.pairs(result, parts, rows.field_named(result, "before"))
    moved = [
        (name, value, was)
        for (name, value), (_, was) in zip(now, before, strict=True)
        if formats.is_number(value) and formats.is_number(was)
    ]
    if not moved:
        return []
    name, value, was = max(moved, key=lambda part: abs(part[1] - part[2]))
    if value == was:
        return [Sentence(f"{result.title}: no part changed.", 0.05, result.title, result.provenance)]
    change = relative_change(value, was)
    relative = f" ({formats.percent(change)})" if change is not None else ""
    text = (
        f"{result.title}: {name} changed most, {formats.signed(value - was, measure.unit)}{relative}, "
        f"to {formats.short(value, measure.unit)}."
    )
    base = float(sum(abs(was) for _, _, was in moved))
    weight = min(1.0, 2 * abs(float(value - was)) / base) if base else 0.2
    return [Sentence(text, weight, result.title, result.provenance)]


def _weight(value: Value) -> float:
    """The weight of a change: its size on a logarithmic scale, more if unusual or off target, less if usual."""
    change = value.change or 0.0
    size = abs(math.log1p(max(change, -0.99)))
    size *= {True: 1.5, None: 1.0, False: 0.2}[value.unusual]
    return size + {"bad": 0.3, "warn": 0.15}.get(value.status, 0.0)


def _against_target(value: Value) -> str:
    thresholds = value.metric.thresholds
    if thresholds is None or value.status not in ("warn", "bad"):
        return ""
    return f", off its target of {formats.short(thresholds.good, value.unit)}"
