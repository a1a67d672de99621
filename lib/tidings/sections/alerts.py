"""Questions of the section on alerts: what is open, what happened in 90 days, how soon it was over, what flaps.

All of it is of the alerts that the run knew when it began: the same that stand at the top of its pages.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from tidings.book import Book
from tidings.language import say, say_as
from tidings.ledger.alert_log import Alert, AlertLog, alerts_of
from tidings.ledger.alert_table import evaluated_days, flapping
from tidings.metrics.result import NO_SOURCE, Field, Provenance, Result
from tidings.query.covered import title_of
from tidings.window import add_days, days_between, label_days, seconds_between

DAYS = 90
_MART = "fct_alerts"
_SEVERITIES = ("critical", "warning", "info")


@dataclass(frozen=True)
class _Known:
    """The alerts of a book; `first` to `last` are the days that the section is about, `today` that of the run."""

    alerts: Sequence[Alert]
    first: date
    last: date
    today: date
    is_evaluated: bool

    @property
    def recent(self) -> list[Alert]:
        """Those that were open on one of the days, oldest first."""
        return [a for a in self.alerts if a.day <= self.last and (a.is_open or _end(a) >= self.first)]


def open_now(book: Book) -> Result:
    """The alerts that were open when the run began, the worst first, one row each."""
    known = _known(book)
    found = sorted((a for a in known.alerts if a.is_open), key=lambda a: (_SEVERITIES.index(a.severity), a.day, a.rule))
    rows = tuple((_severity(a.severity), a.rule, a.day, _state(a, known.today), a.said, a.runbook) for a in found)
    fields = (
        Field("severity", "Severity"),
        Field("rule", "Rule"),
        Field("since", "Since", "date"),
        Field("state", "State"),
        Field("said", "What"),
        Field("runbook", "What to do"),
    )
    title = say("Open alerts: {n}", n=len(rows) or say("none"))
    return Result(title, fields, rows, _origin(book, known, len(rows)))


def timeline(book: Book) -> Result:
    """The alerts of 90 days, one row each, newest first: when they began, how long they were open, their state."""
    known = _known(book)
    rows = tuple(
        (a.day, a.rule, _severity(a.severity), _long(a, known.last), _state(a, known.today), a.said)
        for a in sorted(known.recent, key=lambda alert: (alert.day, alert.id), reverse=True)
    )
    fields = (
        Field("day", "Began", "date"),
        Field("rule", "Rule"),
        Field("severity", "Severity"),
        Field("days", "Days open", "count"),
        Field("state", "State"),
        Field("said", "What"),
    )
    days = label_days(known.first, known.last)
    title = say("Alerts, {days}", days=days) + ("" if rows else f": {say('none')}")
    return Result(title, fields, rows, _origin(book, known, len(rows)))


def by_severity(book: Book) -> Result:
    """How many alerts 90 days had, by severity, the worst first."""
    known = _known(book)
    count = {name: sum(alert.severity == name for alert in known.recent) for name in _SEVERITIES}
    rows = tuple((_severity(name), number) for name, number in count.items() if number)
    fields = (Field("severity", "Severity"), Field("alerts", "Alerts", "count"))
    return Result("Alerts by severity", fields, rows, _origin(book, known, len(known.recent)))


def by_rule(book: Book) -> Result:
    """Alerts of 90 days by rule, most first: how many, still open, came back, mean times to see and to end them."""
    known = _known(book)
    flaps = flapping(known.alerts)
    rules = dict.fromkeys(alert.rule for alert in known.recent)
    rows = []
    for rule in rules:
        of = [alert for alert in known.recent if alert.rule == rule]
        seen = _mean(seconds_between(a.opened_at, a.acknowledged_at) for a in of if a.acknowledged_at)
        over = _mean(seconds_between(a.opened_at, a.resolved_at) for a in of if a.resolved_at)
        is_open, back = sum(a.is_open for a in of), sum(a.id in flaps for a in of)
        rows.append((rule, len(of), is_open, back, seen, over))
    rows.sort(key=lambda row: (-row[1], row[0]))
    fields = (
        Field("rule", "Rule"),
        Field("alerts", "Alerts", "count"),
        Field("open", "Open", "count"),
        Field("back", "Came back within a week", "count"),
        Field("acknowledged", "Time to acknowledge", "s"),
        Field("resolved", "Time to resolve", "s"),
    )
    return Result("Alerts by rule", fields, tuple(rows), _origin(book, known, len(known.recent)))


def _known(book: Book) -> _Known:
    log, run = AlertLog(book.settings.ledger), book.settings.environment.get("TIDINGS_RUN", "")
    events = log.seen_by(run)
    days = evaluated_days(events)
    # Whether a source is late is seen on the day of the evaluation, which may lie after the data.
    last = max([book.window.last_day, *(event.day for event in events)])
    now = log.run(run).started_at if run else max([book.as_of, *(event.at for event in events)])
    first = add_days(book.window.end, -DAYS)
    return _Known(alerts_of(events), first, last, book.zone.day_of(now), days is not None)


def _origin(book: Book, known: _Known, rows: int) -> Provenance:
    absent = "" if known.is_evaluated else NO_SOURCE + title_of(_MART)
    held = book.context.provenance((), [_MART], rows)
    return Provenance((), held.tables, held.build, rows, (), {}, absent)


def _state(alert: Alert, today: date) -> str:
    state = alert.state(today)
    if state == "acknowledged" and alert.acknowledged_by:
        return say("acknowledged by {who}", who=alert.acknowledged_by)
    if alert.muted_until is not None and state.startswith("muted"):
        return say("muted until {day}", day=alert.muted_until)
    return say_as("alert", state)


def _severity(name: str) -> str:
    return say_as("alert", name)


def _end(alert: Alert) -> date:
    return alert.resolved_day or alert.day


def _long(alert: Alert, last: date) -> int:
    return max(1, len(days_between(alert.day, alert.resolved_day or add_days(last, 1))) - 1)


def _mean(values: Iterable[float]) -> float | None:
    held = [max(0.0, value) for value in values]
    return sum(held) / len(held) if held else None
