"""Evaluating the rules of a workbook after a build, and replaying one over the history without recording anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from tidings.alerts.judging import Observed, RuleState, judged, state_of, taken_out
from tidings.alerts.observing import Watch
from tidings.alerts.rules import Rule, read_rules
from tidings.book import Book
from tidings.errors import TidingsError, UsageError
from tidings.ledger.alert_log import Alert, AlertEvent, AlertLog, alerts_of
from tidings.settings import Settings
from tidings.window import add_days, days_between

MOST_DAYS = 31
"""So many missed days are caught up: what happened earlier is history, for which there is `since`."""
_TRIES = 20


@dataclass(frozen=True)
class Evaluated:
    """What an evaluation found: rules looked at, and the events that it recorded, without those of a mere look."""

    rules: int
    events: tuple[AlertEvent, ...]


@dataclass(frozen=True)
class Replay:
    """A rule over the days from `first` to `last`: the alerts that it would have made, and days it could not judge."""

    rule: Rule
    first: date
    last: date
    alerts: tuple[Alert, ...]
    unknown: int
    few: int

    def days_of(self, alert: Alert) -> int:
        """How many days an alert was open, up to the end of the replay."""
        return len(days_between(alert.day, alert.resolved_day or add_days(self.last, 1))) - 1


def evaluate(settings: Settings, now: datetime, since: date | None = None) -> Evaluated:
    """Judge every rule on the days since it was last judged, and record what became of it.

    Repeating it on the same data records nothing. Two at once record each event once. With `since` a rule without any
    history is judged from that day on, as if it had been evaluated every evening; what is over by now is not told.

    Raises:
        SettingsError: a rule cannot be used.
        WarehouseError: nothing has been built.
    """
    rules, log = read_rules(settings), AlertLog(settings.ledger)
    made = list(_end_those_without_rule(log, rules, now))
    if rules:
        watch = Watch(Book.open(root=settings.root, compare="none"), now)
        try:
            for rule in rules:
                made += _evaluate(log, watch, rule, since)
        finally:
            watch.book.context.warehouse.close()
    return Evaluated(len(rules), tuple(event for event in made if event.kind != "looked"))


def replay(settings: Settings, rule: Rule, now: datetime, days: int) -> Replay:
    """What a rule would have done on the last `days` days that it can be judged on, from a clean state.

    Raises:
        UsageError: it is a rule on how late a source is, whose past is not kept.
        WarehouseError: nothing has been built.
    """
    if rule.condition == "stale_for":
        raise UsageError(
            f"{rule.name} cannot be replayed: how late {rule.about} was on earlier days is not kept.",
            "tidings alerts evaluate says how late it is now.",
        )
    watch = Watch(Book.open(root=settings.root, compare="none"), now)
    try:
        last = watch.newest(rule)
        first = add_days(last, 1 - days)
        seen = _of_evenings(watch, watch.seen(rule, add_days(first, 1 - rule.for_days), last))
    finally:
        watch.book.context.warehouse.close()
    events = [replace(event, id=at) for at, event in enumerate(judged(rule, RuleState({}), seen, first), start=1)]
    inside = [one for one in seen if one.day >= first]
    return Replay(
        rule,
        first,
        last,
        # In the words in which each began.
        tuple(a for a in alerts_of(e for e in events if e.kind != "worsened") if a.about == "figure"),
        unknown=sum(one.value is None and not one.is_few for one in inside),
        few=sum(one.is_few for one in inside),
    )


def _evaluate(log: AlertLog, watch: Watch, rule: Rule, since: date | None) -> Sequence[AlertEvent]:
    seen: dict[tuple[date, date], Sequence[Observed]] = {}
    for _ in range(_TRIES):
        state = state_of(log.events(rule=rule.name))
        last = watch.newest(rule)
        is_backfill = state.looked is None and since is not None and rule.condition != "stale_for"
        first = since if is_backfill and since else state.looked or last
        # A day that was looked at is looked at again: it may have been corrected, or not have been there.
        first = max(min(first, last), last if rule.condition == "stale_for" else first)
        if first > last:
            # The build of an older end of the data says nothing new.
            return ()
        if not is_backfill:
            first = max(first, add_days(last, 1 - MOST_DAYS))
        asked = add_days(first, 1 - rule.for_days), last
        if asked not in seen:
            found = _observed(watch, rule, *asked)
            seen[asked] = _of_evenings(watch, found) if is_backfill else [replace(one, at=watch.now) for one in found]
        events = judged(rule, state, seen[asked], first)
        if is_backfill:
            events = _told_if_open(events)
        if log.add(events, after=state.newest):
            return events
    raise TidingsError(
        f"The rule {rule.name} is evaluated by others all the time: its state could not be recorded.",
        "Let one process evaluate the alerts at a time.",
    )


def _observed(watch: Watch, rule: Rule, first: date, last: date) -> Sequence[Observed]:
    """What a rule sees; where that fails, it is seen as not computable, so that its owner is told."""
    try:
        return watch.seen(rule, first, last)
    except TidingsError as error:
        return [Observed(last, watch.at(last), None, why=error.failed.rstrip("."))]


def _of_evenings(watch: Watch, seen: Sequence[Observed]) -> Sequence[Observed]:
    return [replace(one, at=watch.at(one.day)) for one in seen]


def _told_if_open(events: Sequence[AlertEvent]) -> tuple[AlertEvent, ...]:
    """Events of which only those of alerts that are still open are told."""
    alerts = alerts_of([replace(event, id=at) for at, event in enumerate(events, start=1)])
    still = {alert.id for alert in alerts if alert.is_open}
    return tuple(replace(event, quiet=at not in still) for at, event in enumerate(events, start=1))


def _end_those_without_rule(log: AlertLog, rules: Sequence[Rule], now: datetime) -> Iterator[AlertEvent]:
    names = {rule.name for rule in rules}
    for alert in alerts_of(log.events()):
        if alert.is_open and alert.rule not in names:
            event = taken_out(alert, now)
            if log.add([event], after=state_of(log.events(rule=alert.rule)).newest):
                yield event
