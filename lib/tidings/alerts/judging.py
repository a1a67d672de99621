"""What becomes of a rule: from its state and the values of days to events, without I/O and without a clock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal

from tidings.alerts.rules import Rule
from tidings.ledger.alert_log import About, Alert, AlertEvent, Kind, alerts_of
from tidings.window import days_between, label_days


@dataclass(frozen=True)
class Observed:
    """What a rule saw on a local day. `value` is null where `why` says that it is unknown, or with `is_few` where there
    is too little to judge, which neither opens nor closes anything. `at` is when it was seen; `said`, `limit` and
    `before` are clauses: the value, beyond what it is wrong, what it was before. An alert concerns `metrics`.
    """

    day: date
    at: datetime
    value: Decimal | None
    said: str = ""
    limit: str = ""
    before: str = ""
    why: str = ""
    is_few: bool = False
    metrics: tuple[str, ...] = ()


@dataclass(frozen=True)
class RuleState:
    """What is known of a rule before it is judged: its open alerts, and the last day that was looked at."""

    open: dict[About, Alert]
    looked: date | None = None
    newest: int = 0


def state_of(events: Iterable[AlertEvent]) -> RuleState:
    """The state that the events of one rule make."""
    events = list(events)
    looked = [event.day for event in events if event.kind == "looked"]
    opened = {alert.about: alert for alert in alerts_of(events) if alert.is_open}
    return RuleState(opened, max(looked, default=None), max((event.id for event in events), default=0))


def judged(rule: Rule, state: RuleState, observed: Sequence[Observed], first: date) -> tuple[AlertEvent, ...]:
    """The events that observations make of a state; days before `first` only count for `for`.

    An alert opens once and resolves once; a value that is unknown or of too few rows never resolves it. What cannot
    be computed is an alert of its own, over as soon as there is a value.
    """
    made: list[AlertEvent] = []
    opened = dict(state.open)
    looked = state.looked
    since: date | None = None
    streak = 0
    for seen in sorted(observed, key=lambda one: (one.day, one.at)):
        if seen.value is not None:
            streak = streak + 1 if rule.breaks(seen.value) else 0
            since = (since or seen.day) if streak else None
        if seen.day < first:
            continue
        if not seen.is_few:
            made += _of_day(rule, opened, seen, streak, since or seen.day)
        if looked is None or seen.day > looked:
            # After what it led to: the value of the day on which it was over is not one of the alert's.
            made.append(_event(rule, "figure", "looked", seen, ""))
            looked = seen.day
    return tuple(made)


def _of_day(rule: Rule, opened: dict[About, Alert], seen: Observed, streak: int, since: date) -> Iterator[AlertEvent]:
    """The events of one day; `opened` is kept up to date with them."""
    if seen.value is None:
        if "computing" not in opened:
            said = f"{rule.name} cannot be computed for {_label(seen.day)}: {seen.why}."
            yield _opening(rule, opened, "computing", seen, said)
        return
    if "computing" in opened:
        del opened["computing"]
        yield _event(rule, "computing", "resolved", seen, f"{rule.name} can be computed again: {seen.said}.")
    held = opened.get("figure")
    if held is None:
        if rule.breaks(seen.value) and streak >= rule.for_days:
            yield _opening(rule, opened, "figure", seen, _sentence(seen, rule, since))
    elif rule.clears(seen.value):
        del opened["figure"]
        said = f"{seen.said}: over, after it began on {_label(held.day)}."
        yield _event(rule, "figure", "resolved", seen, said)
    elif rule.breaks(seen.value) and rule.worsens(seen.value, held.said_of):
        opened["figure"] = replace(held, said_of=seen.value)
        yield _event(rule, "figure", "worsened", seen, f"Worse: {_sentence(seen, rule, seen.day)}")


def _opening(rule: Rule, opened: dict[About, Alert], about: About, seen: Observed, said: str) -> AlertEvent:
    event = _event(rule, about, "opened", seen, said)
    (opened[about],) = alerts_of([replace(event, id=1)])
    return event


def taken_out(alert: Alert, now: datetime) -> AlertEvent:
    """The end of an alert whose rule is not in the file any more."""
    return AlertEvent(
        rule=alert.rule,
        about=alert.about,
        kind="resolved",
        at=now,
        day=alert.day,
        severity=alert.severity,
        sign=alert.sign,
        said=f"{alert.rule} is no longer a rule of alerts.toml.",
        runbook=alert.runbook,
        tell=alert.tell,
        metrics=alert.metrics,
        metric=alert.metric,
    )


def _event(rule: Rule, about: About, kind: Kind, seen: Observed, said: str) -> AlertEvent:
    whom = (rule.tell or _owner(rule)) if about == "figure" else (_owner(rule) or rule.tell)
    return AlertEvent(
        rule=rule.name,
        about=about,
        kind=kind,
        at=seen.at,
        day=seen.day,
        severity=rule.severity,
        value=seen.value,
        sign=rule.sign,
        said=said,
        runbook=rule.runbook,
        tell=whom,
        metrics=seen.metrics,
        metric=rule.about if rule.is_of_metric else "",
        most_per_day=rule.most_per_day,
    )


def _owner(rule: Rule) -> tuple[str, ...]:
    return (rule.owner,) if rule.owner else ()


def _sentence(seen: Observed, rule: Rule, since: date) -> str:
    days = len(days_between(since, seen.day))
    long = f" for {days} days" if days > 1 and rule.condition != "stale_for" else ""
    return f"{seen.said}, {seen.limit}{long}{'; ' * bool(seen.before)}{seen.before}."


def _label(day: date) -> str:
    return label_days(day, day)
