"""Findings: sentences made by rules from figures, which they quote. What is unusual comes first, or that nothing is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from markupsafe import Markup

from tidings.analysis.parts import Cause
from tidings.analysis.usual import LEVEL
from tidings.currencies import places
from tidings.display import formats
from tidings.display.figure import Figure, Finding
from tidings.display.fragments import frame
from tidings.language import say, say_as, say_count
from tidings.metrics.result import Value, joined, no_source_words
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
        title=say("Findings"),
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
        unjudged = say_count(
            len(short),
            "Whether the change of {names} is usual cannot be said: the history is too short.",
            "Whether the changes of {names} is usual cannot be said: the history is too short.",
            names=_and(short),
        )
        found.append(Finding(unjudged, ""))
    found += _unknown_together([one.value for one in explained if one.value.value is None])
    return found or [Finding(say("Nothing can be said yet: there are no data in this window."), "")]


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
        text += " " + say("The same shows in {names}.", names=_and(others))
    names = "/".join(first.cause.names) if first.cause else ""
    if first.part is not None:
        return Finding(
            text,
            f"{first.part.column} {first.part.name}",
            chance,
            value.metric.action,
            joined(one.provenance for one in group),
            _names(values),
        )
    subject = f"{first.days.label if first.days else ''} {first.column} {names}".strip() or value.metric.name
    return Finding(
        text,
        subject,
        chance,
        value.metric.action,
        joined(one.provenance for one in group),
        _names(values),
        _outline(first),
    )


def _names(values: Iterable[Value]) -> tuple[str, ...]:
    return tuple(value.metric.name for value in values)


def _outline(one: Explanation) -> str:
    """The finding without the rows in which it lies, and without what sources lack."""
    if one.value.unusual:
        return f"{of_change(replace(one.value, part=''))}; {_rarely(one.value.chance)}."
    if one.days is None or one.run is None:
        return ""
    return say(
        "{title} on {days}{what}; {chance}.",
        title=one.value.metric.title,
        days=one.days.label,
        what=_difference(one),
        chance=_rarely(one.run.chance),
    )


def _of_window(one: Explanation) -> str:
    """The change of a whole window that its history does not make, and where it lies."""
    value = one.value
    text = f"{of_change(value)}; {_rarely(value.chance)}."
    if one.days is not None:
        what = f"{_difference(one)}{_because(one)}"
        text += " " + say("Most of it lies on {days}{what}.", days=one.days.label, what=what)
    elif one.cause is not None:
        text += " " + say("Behind it: {what}.", what=_because(one)[2:])
    return text + _mix(one) + _exchange(one)


def _exchange(one: Explanation) -> str:
    """What exchange rates would have made, which is not in the change; nothing where it is less than a coin."""
    if one.exchange is None or not round(one.exchange, places(one.value.unit)):
        return ""
    made = formats.signed(one.exchange, one.value.unit)
    return " " + say("Exchange rates alone: {amount}, beside it and not in it.", amount=made)


def _of_run(one: Explanation) -> str:
    """Days that are not like the ones before, in a window that may be as usual."""
    value = one.value
    if one.days is None or one.run is None:
        return ""
    said = say(
        "{title} on {days}{what}; {chance}.",
        title=value.metric.title,
        days=one.days.label,
        what=f"{_difference(one)}{_because(one)}",
        chance=_rarely(one.run.chance),
    )
    moved = "" if value.change is None else f", {_moved(value)}"
    usual = say(", within usual variation") if moved and value.unusual is False else ""
    whole = say(
        "{window} as a whole: {value}.",
        window=value.window.label,
        value=f"{formats.short(value.value, value.unit)}{moved}{usual}",
    )
    return f"{said} {whole}{_mix(one) if moved else ''}"


def _of_part(one: Explanation) -> str:
    """A value of a column that is unusual in a total that is not."""
    value, part = one.value, one.part
    if part is None:
        return ""
    column = say_as("column", part.column.removeprefix("is_").removesuffix("_id")).replace("_", " ")
    return say(
        "{title} in total usual ({whole}); but {part}: {now} after {before}; {chance}.",
        title=value.metric.title,
        whole=f"{formats.short(value.value, value.unit)}, {_moved(value)}",
        part=_called(column, part.name),
        now=formats.short(part.now, value.unit),
        before=formats.short(part.before, value.unit),
        chance=_rarely(part.chance),
    )


def _difference(one: Explanation) -> str:
    unit = one.value.unit
    if one.there is None or one.expected is None:
        return ""
    return ": " + _instead(formats.short(one.there, unit), formats.short(one.expected, unit))


def _instead(now: object, before: object) -> str:
    return say("{now} instead of {before}", now=now, before=before)


def _because(one: Explanation) -> str:
    if one.cause is None:
        return ""
    column = say_as("column", one.column.removeprefix("is_").removesuffix("_id")).replace("_", " ")
    parts = [_part(one, one.cause, column, at) for at in range(len(one.cause.names))]
    if one.cause.share >= 0.995:
        return ", " + say("all of the difference from {parts}", parts=_and(parts))
    share = formats.percentage(one.cause.share)
    return ", " + say("{share} % of the difference from {parts}", share=share, parts=_and(parts))


def _part(one: Explanation, cause: Cause, column: str, at: int) -> str:
    unit = one.value.unit
    name, now, before = cause.names[at], cause.now[at], cause.before[at]
    called = _called(column, name)
    if one.value.metric.kind in ("ratio", "quantile"):
        was = say(", {value} before", value=formats.short(before.value, unit)) if before.value is not None else ""
        held = say("{value} of {rows} rows", value=formats.short(now.value, unit), rows=formats.full(now.rows, "count"))
        return f"{called} ({held}{was})"
    return f"{called} ({_instead(formats.short(now.value or 0, unit), formats.short(before.value or 0, unit))})"


def _called(column: str, name: str) -> str:
    return say("an unknown {column}", column=column) if name == "(unknown)" else f"{column} {name}"


def _mix(one: Explanation) -> str:
    if not one.mix:
        return ""
    column = say_as("column", one.mix).replace("_", " ")
    return " " + say("Within every {column} it moved the other way: their mix changed.", column=column)


def _nothing(judged: Sequence[Explanation]) -> Finding:
    pages = round(1 / (1 - (1 - _LOOKS * LEVEL) ** len(judged)))
    text = say_count(
        len(judged),
        "Nothing unusual: {n} figure moved no more than in its history.",
        "Nothing unusual: {n} figures moved no more than in their history.",
        n=len(judged),
    )
    said = f"{text} {say('By chance alone about 1 page in {pages} says otherwise.', pages=pages)}"
    return Finding(said, "nothing", metrics=_names(one.value for one in judged), outline=said)


def _in_one_line(values: Sequence[Value], *, judged: bool) -> Finding:
    words = formats.compared_with(values[0].window, values[0].before_window) if values[0].before_window else ""
    bare = [f"{v.metric.title} {formats.short(v.value, v.unit)} ({_moved(v)}" for v in values]
    moves = "; ".join(f"{one}{_part_of(v)})" for one, v in zip(bare, values, strict=True))
    is_usual = judged and all(v.unusual is False for v in values)

    def said(moves: str) -> str:
        if is_usual:
            return say("Within usual variation against {words}: {moves}.", words=words, moves=moves)
        return say("Changes against {words}: {moves}.", words=words, moves=moves)

    return Finding(
        said(moves),
        "usual",
        provenance=joined(v.provenance for v in values),
        metrics=_names(values),
        outline=said("; ".join(f"{one})" for one in bare)),
    )


def _part_of(value: Value) -> str:
    return f"; {value.part}" if value.part else ""


def of_change(value: Value) -> str:
    """From, to and by how much, without a full stop."""
    metric, unit = value.metric, value.unit
    words = _compared(value.window, value.before_window)
    moved = _moved(value)
    if moved.startswith("±"):
        return say(
            "{title} stayed at {value} ({moved}) against {words}",
            title=metric.title,
            value=formats.short(value.value, unit),
            moved=moved,
            words=words,
        )
    # From nothing there is no relative change.
    by = "" if moved == formats.MISSING else say(" by {change}", change=moved[1:])
    now, before = formats.short(value.value, unit), formats.short(value.before, unit)
    said = {"title": metric.title, "by": by, "before": before, "words": words}
    # Of what is better when it is low, a rise reads like good news.
    is_judged = metric.better == "lower"
    if (value.value or 0) > (value.before or 0):
        to = f"{now}{say(' (worse)') if is_judged else ''}"
        text = say("{title} rose{by} to {now}, from {before} in {words}", now=to, **said)
    else:
        to = f"{now}{say(' (better)') if is_judged else ''}"
        text = say("{title} fell{by} to {now}, from {before} in {words}", now=to, **said)
    return f"{text}{_part_of(value)}"


def _compared(window: Window, before: Window | None) -> str:
    return formats.compared_with(window, before) if before is not None else ""


def _moved(value: Value) -> str:
    return formats.difference(value.value, value.before, value.unit)


def _without_change(value: Value) -> Finding:
    part = "" if value.why_no_change else _part_of(value)
    shown = formats.short(value.value, value.unit)
    text = say("{title}: {value} in {window}", title=value.metric.title, value=shown, window=value.window.label) + part
    if value.before_window is None:
        return Finding(f"{text}.", value.metric.name, provenance=value.provenance)
    if value.why_no_change:
        why = say("no change is given: {why}", why=no_source_words(value.why_no_change))
    else:
        was = say("unknown") if value.before is None else str(formats.short(value.before, value.unit))
        why = say("{value} in {words}", value=was, words=_compared(value.window, value.before_window))
    return Finding(f"{text}; {why}.", value.metric.name, provenance=value.provenance)


def _rarely(chance: float | None) -> str:
    """How seldom the history makes it, in words."""
    if not chance or chance < 0.001:
        many = formats.full(1000, "count")
        return say("by its history this happens in fewer than 1 of {many} windows", many=many)
    return say("by its history this happens in 1 of {many} windows", many=f"{1 / chance:.0f}")


def _unknown_together(values: Iterable[Value]) -> list[Finding]:
    """Values that one reason keeps unknown, in one sentence."""
    by_reason: dict[str, list[Value]] = {}
    for value in values:
        by_reason.setdefault(value.why or formats.why_missing(value.metric), []).append(value)
    return [
        Finding(
            say(
                "Not known for {window}: {names} ({why}).",
                window=same[0].window.label,
                names=_and([v.metric.title for v in same]),
                why=no_source_words(why),
            ),
            why,
            provenance=joined(v.provenance for v in same),
        )
        for why, same in by_reason.items()
    ]


def _and(names: Sequence[str]) -> str:
    return say(" and ").join(filter(None, [", ".join(names[:-1]), names[-1]]))
