"""The health score: a bar from 0 to 100, its status in words, and its components."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from tidings.display import cards, formats
from tidings.display.figure import Figure
from tidings.display.fragments import Table, definition, frame
from tidings.language import message, say
from tidings.metrics.health import HEALTH
from tidings.metrics.result import Field, Value, joined

_FIELDS = (
    Field("component", message("Component")),
    Field("value", message("Value")),
    Field("score", message("Score"), "ratio"),
    Field("weight", message("Weight"), "number"),
    Field("lost", message("Points lost"), "score"),
)


@dataclass(frozen=True)
class _Part:
    """One component: its value, its score from 0 to 1 and the points it takes off the total; None without value."""

    value: Value
    weight: float
    score: float | None
    lost: float | None


def gauge(value: Value, parts: Sequence[Value] = ()) -> Figure:
    """The health score on a straight scale, with the values of its components, those that cost most points first.

    Component, weight and score of a value are found by its metric's name (metric definitions 8.6). One without a
    value is not part of the score and is listed as left out.
    """
    costly = _scored(parts)
    title = _title(value, costly)
    shown = None if value.value is None else min(max(float(value.value), 0.0), 100.0)
    fill = Markup("")
    if shown is not None:
        fill = Markup('<span class="td-fill td-{}" style="width:{:.1f}%"></span>').format(value.status, shown)
    figure = Markup('<span class="td-value">{}</span><span class="td-unit">{}</span>{}').format(
        formats.short(shown, "score"), say("of 100"), cards.status(value)
    )
    listed = Markup('<ul class="td-parts">{}</ul>').format(Markup("").join(map(_line, costly))) if costly else ""
    body = Markup(
        '<p class="td-line">{}</p><div class="td-scale" aria-hidden="true">{}{}</div><p class="td-delta">{}</p>{}'
    ).format(figure, fill, _bounds(value), cards.delta(value), listed)
    table = Table(
        tuple(replace(field, title=say(field.title)) for field in _FIELDS),
        tuple(
            (p.value.metric.title, formats.printed(p.value.value, p.value.unit), p.score, p.weight, p.lost)
            for p in costly
        ),
    )
    provenance = joined([value.provenance, *(part.provenance for part in parts)])
    alt = f"{value.metric.title} {cards.spoken(value)}"
    return Figure(
        kind="gauge",
        html=frame("gauge", title, value.window.label, body, (), table, provenance, [value.metric]),
        text=f"{title}\n{alt}",
        title=title,
        subtitle=value.window.label,
        alt=alt,
        values=(value, *parts),
        table=table,
        provenance=provenance,
    )


def _scored(parts: Sequence[Value]) -> list[_Part]:
    components = {component.metric: component for component in HEALTH}
    known = [(part, components[part.metric.name]) for part in parts if part.metric.name in components]
    total = sum(component.weight for part, component in known if part.value is not None)
    scored = []
    for part, component in known:
        score = component.score(part.value)
        lost = None if score is None else 100 * component.weight * (1 - score) / total
        scored.append(_Part(part, component.weight, score, lost))
    return sorted(scored, key=lambda part: -1.0 if part.lost is None else part.lost, reverse=True)


def _title(value: Value, costly: Sequence[_Part]) -> str:
    if value.value is None:
        return say(
            "{title} is unknown: components with less than half of the weight have a value", title=value.metric.title
        )
    shown = formats.short(value.value, "score")
    title = say("{title} is {value} of 100", title=value.metric.title, value=shown)
    worst = costly[0] if costly else None
    if worst is None or worst.lost is None or worst.lost < 1:
        return title
    costs = {"name": worst.value.metric.title, "points": formats.short(round(worst.lost), "count")}
    return f"{title}: {say('{name} costs {points} points', **costs)}"


def _bounds(value: Value) -> Markup:
    thresholds = value.metric.thresholds
    if thresholds is None:
        return Markup("")
    return Markup("").join(
        Markup('<span class="td-bound" style="left:{:.1f}%"></span>').format(bound)
        for bound in (thresholds.warn, thresholds.good)
    )


def _line(part: _Part) -> Markup:
    metric = part.value.metric
    name = definition(metric)
    if part.score is None:
        return Markup('<li><span>{}</span><span class="td-muted">– {}</span></li>').format(
            name, say("{why}, left out", why=formats.why_unknown(part.value))
        )
    return Markup(
        '<li><span>{}</span><span class="td-num">{}</span><span class="td-bar" aria-hidden="true">'
        '<span style="width:{:.1f}%"></span></span><span class="td-num">{}</span></li>'
    ).format(
        name,
        formats.short(part.value.value, part.value.unit),
        100 * part.score,
        formats.short(round(100 * part.score), "count"),
    )
