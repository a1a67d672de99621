"""What is to be told of alerts and was not yet: at most so many messages a day and rule, the rest together later."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from tidings.errors import UsageError
from tidings.ledger.alert_log import AlertEvent, AlertLog, NoticeEntry, Severity, alerts_of
from tidings.settings import Settings
from tidings.window import Zone

_TOLD = ("opened", "worsened", "resolved")


@dataclass(frozen=True)
class Notice:
    """One message on a rule, in the words that are sent.

    `id` stays the same until it is told, so that whoever sends it can tell a repetition after a crash from a new one.
    `state` is that after it: `opened`, `worsened` or `resolved`; with `is_digest` the text holds what was held back.
    `who` are names, resolved by whoever sends. `since` is the local day of the data on which the alert began.
    """

    id: int
    rule: str
    state: str
    severity: Severity
    text: str
    runbook: str
    who: tuple[str, ...]
    since: date
    is_digest: bool = False


def notices(settings: Settings, now: datetime) -> tuple[Notice, ...]:
    """What is to be told now, oldest first. It is recorded before it is returned: asked again after a crash, the same
    messages come back, with the same ids, until each is `told`.
    """
    log, zone = AlertLog(settings.ledger), Zone(settings.timezone, settings.week_start)
    entries = log.notices(now, lambda events, made: tuple(_due(events, made, now, zone)))
    events = log.events()
    muted = _muted(events, zone.day_of(now))
    return tuple(_notice(entry, events) for entry in entries if entry.rule not in muted)


def told(settings: Settings, notice: Notice, now: datetime) -> bool:
    """Record that a notice was sent; false if that was recorded before."""
    return AlertLog(settings.ledger).told(notice.id, now)


def acknowledge(settings: Settings, rule: str, by: str, now: datetime) -> int:
    """Acknowledge the open alerts of a rule; how many that were.

    Raises:
        UsageError: it has none that is not acknowledged.
    """
    log = AlertLog(settings.ledger)
    waiting = [a for a in alerts_of(log.events(rule=rule)) if a.is_open and a.acknowledged_at is None]
    if not waiting:
        raise UsageError(f"{rule} has no open alert that is not acknowledged.", "tidings alerts lists those that are.")
    log.add([AlertEvent(rule, one.about, "acknowledged", now, one.day, by=by) for one in waiting[:1]])
    return len(waiting)


def mute(settings: Settings, rule: str, until: date, by: str, now: datetime) -> None:
    """Tell nothing of a rule before a local day; what happens until then is told on it, together.

    Raises:
        UsageError: that day is not to come.
    """
    today = Zone(settings.timezone, settings.week_start).day_of(now)
    if until <= today:
        raise UsageError(f"{rule} cannot be muted until {until}: that is not after today.", "Give a later day.")
    AlertLog(settings.ledger).add([AlertEvent(rule, "figure", "muted", now, today, by=by, until=until)])


def _due(
    events: Sequence[AlertEvent], made: Sequence[NoticeEntry], now: datetime, zone: Zone
) -> Iterator[tuple[int, int]]:
    """The first and last event of each message to be made: one a rule at most, of all that was not told of it."""
    today = zone.day_of(now)
    muted = _muted(events, today)
    upto: dict[str, int] = {}
    today_told: dict[str, int] = {}
    for entry in made:
        upto[entry.rule] = max(entry.last, upto.get(entry.rule, 0))
        today_told[entry.rule] = today_told.get(entry.rule, 0) + (zone.day_of(entry.made_at) == today)
    pending: dict[str, list[AlertEvent]] = {}
    for event in events:
        if event.kind in _TOLD and not event.quiet and event.id > upto.get(event.rule, 0):
            pending.setdefault(event.rule, []).append(event)
    for rule, waiting in pending.items():
        if rule not in muted and today_told.get(rule, 0) < waiting[-1].most_per_day:
            yield waiting[0].id, waiting[-1].id


def _muted(events: Sequence[AlertEvent], today: date) -> frozenset[str]:
    until = {event.rule: event.until for event in events if event.kind == "muted"}
    return frozenset(rule for rule, day in until.items() if day is not None and today < day)


def _notice(entry: NoticeEntry, events: Sequence[AlertEvent]) -> Notice:
    of_rule = [event for event in events if event.rule == entry.rule]
    told = [e for e in of_rule if entry.first <= e.id <= entry.last and e.kind in _TOLD and not e.quiet]
    last = told[-1]
    openings = [event for event in of_rule if event.kind == "opened" and event.id <= last.id]
    since = next((event.day for event in reversed(openings) if event.about == last.about), last.day)
    return Notice(
        id=entry.id,
        rule=entry.rule,
        state=last.kind,
        severity=max((event.severity for event in told), key=("info", "warning", "critical").index),
        text=" ".join(event.said for event in told),
        runbook=last.runbook,
        who=tuple(dict.fromkeys(name for event in told for name in event.tell)),
        since=since,
        is_digest=len(told) > 1,
    )
