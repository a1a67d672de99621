"""Alerts in the ledger: events that are only ever added, the alerts they make, and the messages on them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from tidings.ledger.store import Ledger

About = Literal["figure", "computing"]
Kind = Literal["looked", "opened", "worsened", "acknowledged", "muted", "resolved"]
Severity = Literal["info", "warning", "critical"]
_OPEN_KINDS = ("opened", "worsened", "resolved")


@dataclass(frozen=True)
class AlertEvent:
    """One thing that happened to a rule at an instant (`at`, aware), concerning a local day of the data.

    `about` is the `figure` of the rule, or that it could not be computed. `value` is null where none is known; `sign`
    is 1 where higher is worse, else -1. `metric` is that of the rule, empty for one on a source; an alert concerns
    all of `metrics`. `until` is the end of a mute. A `quiet` event is never told.
    """

    rule: str
    about: About
    kind: Kind
    at: datetime
    day: date
    severity: Severity = "warning"
    value: Decimal | None = None
    sign: int = 1
    said: str = ""
    runbook: str = ""
    tell: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    metric: str = ""
    by: str = ""
    until: date | None = None
    quiet: bool = False
    most_per_day: int = 1
    id: int = 0


@dataclass(frozen=True)
class Alert:
    """One opening of a rule and what became of it; `id` is that of the event that opened it.

    `day` is the local day of the data that opened it, `opened_at` when that was noticed. `value` is the last one known
    while it was open, `worst` the worst, `said_of` that of `said`. From `muted_until` on it is told again.
    """

    id: int
    rule: str
    about: About
    severity: Severity
    day: date
    opened_at: datetime
    said: str
    runbook: str
    tell: tuple[str, ...]
    metrics: tuple[str, ...]
    metric: str
    value: Decimal | None
    worst: Decimal | None
    said_of: Decimal | None
    sign: int
    acknowledged_at: datetime | None = None
    acknowledged_by: str = ""
    resolved_at: datetime | None = None
    resolved_day: date | None = None
    muted_until: date | None = None

    @property
    def is_open(self) -> bool:
        """Whether it is not resolved."""
        return self.resolved_at is None

    @property
    def is_of_metric(self) -> bool:
        """Whether it is of a metric; else of a source, and so of every metric that this takes part in."""
        return self.metric != ""

    def state(self, today: date) -> str:
        """`open`, `acknowledged`, `resolved` or `muted until` a day, on a local day."""
        if not self.is_open:
            return "resolved"
        if self.muted_until is not None and today < self.muted_until:
            return f"muted until {self.muted_until}"
        return "acknowledged" if self.acknowledged_at else "open"


@dataclass(frozen=True)
class NoticeEntry:
    """One message on a rule: the events from `first` to `last` together; `told_at` is null until it has been sent."""

    id: int
    rule: str
    first: int
    last: int
    made_at: datetime
    told_at: datetime | None


class AlertLog(Ledger):
    """The alerts of a ledger. Events are never changed: what was open at any event can be read again later."""

    def events(self, upto: int | None = None, rule: str = "") -> tuple[AlertEvent, ...]:
        """All events, oldest first, up to the one with this id; of one rule if it is named."""
        query = "SELECT * FROM alert_events WHERE (? IS NULL OR id <= ?) AND (? = '' OR rule = ?) ORDER BY id"
        return tuple(map(_event, self.rows(query, upto, upto, rule, rule)))

    def seen_by(self, run: str) -> tuple[AlertEvent, ...]:
        """The events that a run knew when it began; all of them if it is not named.

        Raises:
            RunError: there is no such run.
        """
        return self.events(self.run(run).alerts_until if run else None)

    def add(self, events: Sequence[AlertEvent], *, after: int | None = None) -> bool:
        """Add events of one rule in one step; with `after` only if its newest event is still that one.

        False if another process was faster: nothing was added, and the caller has to judge again.
        """
        if not events:
            return True
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self.transaction() as connection:
            if after is not None and _newest(connection, events[0].rule) != after:
                return False
            for event in events:
                _insert(connection, "alert_events", _row(event))
        return True

    def notices(
        self, now: datetime, choose: Callable[[Sequence[AlertEvent], Sequence[NoticeEntry]], Iterable[tuple[int, int]]]
    ) -> tuple[NoticeEntry, ...]:
        """The messages that are not told; before that those that `choose` makes of events and messages so far.

        In one step: two processes that ask at once get the same messages.
        """
        if not self._file.exists():
            return ()
        with self.transaction() as connection:
            held = [_event(dict(row)) for row in connection.execute("SELECT * FROM alert_events ORDER BY id")]
            made = [_notice(dict(row)) for row in connection.execute("SELECT * FROM alert_notices ORDER BY id")]
            rules = {event.id: event.rule for event in held}
            for first, last in choose(held, made):
                row = {"rule": rules[last], "first": first, "last": last, "made_at": now.isoformat()}
                _insert(connection, "alert_notices", row)
            query = "SELECT * FROM alert_notices WHERE told_at IS NULL ORDER BY id"
            return tuple(_notice(dict(row)) for row in connection.execute(query))

    def told(self, notice: int, now: datetime) -> bool:
        """Record that a message was sent; false if that was recorded before."""
        with self.transaction() as connection:
            query = "UPDATE alert_notices SET told_at = ? WHERE id = ? AND told_at IS NULL"
            return connection.execute(query, (now.isoformat(), notice)).rowcount == 1


def alerts_of(events: Iterable[AlertEvent]) -> tuple[Alert, ...]:
    """The alerts that events made, in the order in which they opened."""
    made: dict[int, Alert] = {}
    current: dict[tuple[str, About], int] = {}
    muted: dict[str, date | None] = {}
    for event in events:
        key = event.rule, event.about
        if event.kind == "muted":
            muted[event.rule] = event.until
            for (rule, _), at in current.items():
                if rule == event.rule:
                    made[at] = replace(made[at], muted_until=event.until)
        elif event.kind == "acknowledged":
            for (rule, _), at in current.items():
                if rule == event.rule and made[at].acknowledged_at is None:
                    made[at] = replace(made[at], acknowledged_at=event.at, acknowledged_by=event.by)
        elif event.kind == "opened":
            made[event.id] = _opened(event, muted.get(event.rule))
            current[key] = event.id
        elif key in current:
            at = current[key]
            made[at] = _went_on(made[at], event)
            if event.kind == "resolved":
                del current[key]
    return tuple(made.values())


def _opened(event: AlertEvent, muted_until: date | None) -> Alert:
    return Alert(
        id=event.id,
        rule=event.rule,
        about=event.about,
        severity=event.severity,
        day=event.day,
        opened_at=event.at,
        said=event.said,
        runbook=event.runbook,
        tell=event.tell,
        metrics=event.metrics,
        metric=event.metric,
        value=event.value,
        worst=event.value,
        said_of=event.value,
        sign=event.sign,
        muted_until=muted_until,
    )


def _went_on(alert: Alert, event: AlertEvent) -> Alert:
    if event.kind == "resolved":
        return replace(alert, resolved_at=event.at, resolved_day=event.day)
    if event.value is None:
        return alert
    is_worse = alert.worst is None or alert.sign * event.value > alert.sign * alert.worst
    alert = replace(alert, value=event.value, worst=event.value if is_worse else alert.worst)
    return replace(alert, said=event.said, said_of=event.value) if event.kind == "worsened" else alert


def _row(event: AlertEvent) -> dict[str, Any]:
    row = {field.name: getattr(event, field.name) for field in fields(event) if field.name != "id"}
    texts = {
        "at": event.at.isoformat(),
        "day": event.day.isoformat(),
        "value": None if event.value is None else str(event.value),
        "until": None if event.until is None else event.until.isoformat(),
        "quiet": int(event.quiet),
    }
    return {**row, **texts, **{name: json.dumps(row[name], ensure_ascii=False) for name in ("tell", "metrics")}}


def _event(row: dict[str, Any]) -> AlertEvent:
    return AlertEvent(
        **{
            **row,
            "at": datetime.fromisoformat(row["at"]),
            "day": date.fromisoformat(row["day"]),
            "value": None if row["value"] is None else Decimal(row["value"]),
            "until": None if row["until"] is None else date.fromisoformat(row["until"]),
            "quiet": bool(row["quiet"]),
            "tell": tuple(json.loads(row["tell"])),
            "metrics": tuple(json.loads(row["metrics"])),
        }
    )


def _notice(row: dict[str, Any]) -> NoticeEntry:
    told = row["told_at"]
    at = datetime.fromisoformat(row["made_at"])
    return NoticeEntry(**{**row, "made_at": at, "told_at": None if told is None else datetime.fromisoformat(told)})


def _newest(connection: sqlite3.Connection, rule: str) -> int:
    query = "SELECT coalesce(max(id), 0) FROM alert_events WHERE rule = ?"
    found: int = connection.execute(query, (rule,)).fetchone()[0]
    return found


def _insert(connection: sqlite3.Connection, table: str, row: dict[str, Any]) -> None:
    names = ", ".join(f'"{name}"' for name in row)
    marks = ", ".join("?" * len(row))
    connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(row.values()))  # noqa: S608
