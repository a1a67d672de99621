"""Findings: sentences made by rules from figures, which they quote. What is unusual comes first, or that nothing is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from markupsafe import Markup

from tidings.analysis.parts import Cause
from tidings.analysis.usual import LEVEL
from tidings.currencies import places
from tidings.display import formats
from tidings.display.figure import Figure, Finding
from tidings.display.fragments import frame
from tidings.metrics.result import Value, joined
from tidings.query.explanation import Explanation
from tidings.window import Window

_LOOKS = 3
"""A change of the window, runs of its days and its parts are looked at, each at the same level."""


def findings(explained: Sequence[Explanation]) -> Figure:
    """What is unusual about some metrics, the least likely first; or that nothing is; then the others in one line."""
    found = chosen(explained)
    items = Markup("").join(
        Markup("<li>{}{}</li>").format(
            one.text, Markup(' <span class="td-action">{}</span>').format(one.action) if one.action else ""
        )
        for one in found
    )
    texts = [f"{one.text} {one.action}".strip() for one in found]
    return Figure(
        kind="findings",
        html=frame("findings", "", "", Markup("<ol>{}</ol>").format(items)),
        text="\n".join(f"- {text}" for text in texts),
        title="Findings",
        alt=" ".join(texts),
        values=tuple(one.value for one in explained),
        provenance=joined(one.provenance for one in explained),
        findings=tuple(found),
    )


def chosen(explained: Sequence[Explanation]) -> list[Finding]:
    """The findings on some metrics, in the order in which a reader wants them."""
    unusual = [one for one in explained if one.is_unusual]
    usual = [one for one in explained if one.value.value is not None and not one.is_unusual]
    found = sorted((_of_same(group) for group in _by_cause(unusual)), key=lambda one: one.chance or 0.0)
    judged = [one for one in usual if one.value.unusual is not None]
    if judged and not unusual:
        found.append(_nothing(judged))
    if rest := [one.value for one in usual if one.value.change is not None]:
        found.append(_in_one_line(rest, judged=bool(unusual) or not judged))
    found += [_without_change(one.value) for one in usual if one.value.change is None]
    if short := [one.value.metric.title for one in usual if one.value.change is not None and not one.is_known]:
        found.append(
            Finding(
                f"Whether the {_change(short)} {_and(short)} is usual cannot be said: the history is too short.", ""
            )
        )
    found += _unknown_together([one.value for one in explained if one.value.value is None])
    return found or [Finding("Nothing can be said yet: there are no data in this window.", "")]


def _change(names: Sequence[str]) -> str:
    return "change of" if len(names) == 1 else "changes of"


def _by_cause(unusual: Iterable[Explanation]) -> list[list[Explanation]]:
    """Those that move on the same days in the same rows are one fact."""
    groups: dict[object, list[Explanation]] = {}
    for one in unusual:
        days = (one.days.start, one.days.end) if one.days else None
        names = one.cause.names if one.cause else ()
        if one.part is not None:
            groups.setdefault((one.part.column, one.part.name), []).append(one)
            continue
        groups.setdefault((days, one.column, names) if names else one.value.metric.name, []).append(one)
    return list(groups.values())


def _of_same(group: Sequence[Explanation]) -> Finding:
    first, values = group[0], [one.value for one in group]
    value = first.value
    chances = [one.part.chance if one.part else one.run.chance if one.run else one.value.chance for one in group]
    chance = min((one for one in chances if one is not None), default=0.0)
    text = _of_window(first) if value.unusual else _of_part(first) if first.part else _of_run(first)
    others = [f"{v.metric.title} ({_moved(v)})" if v.change is not None else v.metric.title for v in values[1:]]
    if others:
        text += f" The same shows in {_and(others)}."
    names = "/".join(first.cause.names) if first.cause else ""
    if first.part is not None:
        return Finding(
            text,
            f"{first.part.column} {first.part.name}",
            chance,
            value.metric.action,
            joined(o.provenance for o in group),
        )
    subject = f"{first.days.label if first.days else ''} {first.column} {names}".strip() or value.metric.name
    return Finding(text, subject, chance, value.metric.action, joined(one.provenance for one in group))


def _of_window(one: Explanation) -> str:
    """The change of a whole window that its history does not make, and where it lies."""
    value = one.value
    text = f"{of_change(value)}; {_rarely(value.chance)}."
    if one.days is not None:
        text += f" Most of it lies on {one.days.label}{_difference(one)}{_because(one)}."
    elif one.cause is not None:
        text += f" Behind it: {_because(one)[2:]}."
    return text + _mix(one) + _exchange(one)


def _exchange(one: Explanation) -> str:
    """What exchange rates would have made, which is not in the change; nothing where it is less than a coin."""
    if one.exchange is None or not round(one.exchange, places(one.value.unit)):
        return ""
    return f" Exchange rates alone: {formats.signed(one.exchange, one.value.unit)}, beside it and not in it."


def _of_run(one: Explanation) -> str:
    """Days that are not like the ones before, in a window that may be as usual."""
    value = one.value
    if one.days is None or one.run is None:
        return ""
    said = f"{value.metric.title} on {one.days.label}{_difference(one)}{_because(one)}; {_rarely(one.run.chance)}."
    whole = f" {value.window.label} as a whole: {formats.short(value.value, value.unit)}"
    if value.change is None:
        return f"{said}{whole}."
    usual = ", within usual variation" if value.unusual is False else ""
    return f"{said}{whole}, {_moved(value)}{usual}.{_mix(one)}"


def _of_part(one: Explanation) -> str:
    """A value of a column that is unusual in a total that is not."""
    value, part = one.value, one.part
    if part is None:
        return ""
    column = part.column.removeprefix("is_").removesuffix("_id").replace("_", " ")
    said = f"{formats.short(part.now, value.unit)} after {formats.short(part.before, value.unit)}"
    whole = f"{formats.short(value.value, value.unit)}, {_moved(value)}"
    return f"{value.metric.title} in total usual ({whole}); but {column} {part.name}: {said}; {_rarely(part.chance)}."


def _difference(one: Explanation) -> str:
    unit = one.value.unit
    if one.there is None or one.expected is None:
        return ""
    return f": {formats.short(one.there, unit)} instead of {formats.short(one.expected, unit)}"


def _because(one: Explanation) -> str:
    if one.cause is None:
        return ""
    column = one.column.removeprefix("is_").removesuffix("_id").replace("_", " ")
    parts = [_part(one, one.cause, column, at) for at in range(len(one.cause.names))]
    return f", {_share(one.cause)} {_and(parts)}"


def _share(cause: Cause) -> str:
    return (
        "all of the difference from"
        if cause.share >= 0.995
        else f"{formats.percentage(cause.share)} % of the difference from"
    )


def _part(one: Explanation, cause: Cause, column: str, at: int) -> str:
    unit = one.value.unit
    name, now, before = cause.names[at], cause.now[at], cause.before[at]
    called = f"an unknown {column}" if name == "(unknown)" else f"{column} {name}"
    if one.value.metric.kind in ("ratio", "quantile"):
        was = f", {formats.short(before.value, unit)} before" if before.value is not None else ""
        return f"{called} ({formats.short(now.value, unit)} of {formats.full(now.rows, 'count')} rows{was})"
    return f"{called} ({formats.short(now.value or 0, unit)} instead of {formats.short(before.value or 0, unit)})"


def _mix(one: Explanation) -> str:
    if not one.mix:
        return ""
    return f" Within every {one.mix.replace('_', ' ')} it moved the other way: their mix changed."


def _nothing(judged: Sequence[Explanation]) -> Finding:
    pages = round(1 / (1 - (1 - _LOOKS * LEVEL) ** len(judged)))
    figures = formats.plural(len(judged), "figure")
    whose = "its" if len(judged) == 1 else "their"
    text = f"Nothing unusual: {figures} moved no more than in {whose} history."
    return Finding(f"{text} By chance alone about 1 page in {pages} says otherwise.", "nothing")


def _in_one_line(values: Sequence[Value], *, judged: bool) -> Finding:
    words = formats.compared_with(values[0].window, values[0].before_window) if values[0].before_window else ""
    moves = "; ".join(f"{v.metric.title} {formats.short(v.value, v.unit)} ({_moved(v)}{_part_of(v)})" for v in values)
    lead = "Within usual variation" if judged and all(v.unusual is False for v in values) else "Changes"
    return Finding(f"{lead} against {words}: {moves}.", "usual", provenance=joined(v.provenance for v in values))


def _part_of(value: Value) -> str:
    return f"; {value.part}" if value.part else ""


def of_change(value: Value) -> str:
    """From, to and by how much, without a full stop."""
    metric, unit = value.metric, value.unit
    words = _compared(value.window, value.before_window)
    moved = _moved(value)
    if moved.startswith("±"):
        return f"{metric.title} stayed at {formats.short(value.value, unit)} ({moved}) against {words}"
    verb = "rose" if (value.value or 0) > (value.before or 0) else "fell"
    # From nothing there is no relative change.
    by = "" if moved == formats.MISSING else f" by {moved[1:]}"
    # Of what is better when it is low, a rise reads like good news.
    sign = {"rose": " (worse)", "fell": " (better)"}[verb] if metric.better == "lower" else ""
    now, before = formats.short(value.value, unit), formats.short(value.before, unit)
    return f"{metric.title} {verb}{by} to {now}{sign}, from {before} in {words}{_part_of(value)}"


def _compared(window: Window, before: Window | None) -> str:
    return formats.compared_with(window, before) if before is not None else ""


def _moved(value: Value) -> str:
    return formats.difference(value.value, value.before, value.unit)


def _without_change(value: Value) -> Finding:
    part = "" if value.why_no_change else _part_of(value)
    text = f"{value.metric.title}: {formats.short(value.value, value.unit)} in {value.window.label}{part}"
    if value.before_window is None:
        return Finding(f"{text}.", value.metric.name, provenance=value.provenance)
    if value.why_no_change:
        why = f"no change is given: {value.why_no_change}"
    else:
        was = "unknown" if value.before is None else str(formats.short(value.before, value.unit))
        why = f"{was} in {_compared(value.window, value.before_window)}"
    return Finding(f"{text}; {why}.", value.metric.name, provenance=value.provenance)


def _rarely(chance: float | None) -> str:
    """How seldom the history makes it, in words."""
    seldom = (
        f"fewer than 1 of {formats.full(1000, 'count')}" if not chance or chance < 0.001 else f"1 of {1 / chance:.0f}"
    )
    return f"by its history this happens in {seldom} windows"


def _unknown_together(values: Iterable[Value]) -> list[Finding]:
    """Values that one reason keeps unknown, in one sentence."""
    by_reason: dict[str, list[Value]] = {}
    for value in values:
        by_reason.setdefault(value.why or formats.why_missing(value.metric), []).append(value)
    return [
        Finding(
            f"Not known for {same[0].window.label}: {_and([v.metric.title for v in same])} ({why}).",
            why,
            provenance=joined(v.provenance for v in same),
        )
        for why, same in by_reason.items()
    ]


def _and(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
