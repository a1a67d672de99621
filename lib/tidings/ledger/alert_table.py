"""Alerts as the rows of `fct_alerts`: they are laid over the build when a book is opened (decision 22)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

import pyarrow as pa

from tidings.ledger.alert_log import Alert, AlertEvent, alerts_of
from tidings.schema import Column
from tidings.window import Zone, add_days, naive_utc, seconds_between

FLAP_DAYS = 7
COLUMNS = {
    "alert": Column("!int64", "Number of the alert, in the order in which they opened."),
    "ts": Column("!timestamp(6)", "First instant of the local day of the data that opened it."),
    "rule": Column("!string", "Name of the rule in alerts.toml."),
    "about": Column(
        "!string", "Whether its figure is wrong, or could not be computed.", values=("figure", "computing")
    ),
    "severity": Column("!string", "How bad it is.", values=("info", "warning", "critical")),
    "metric": Column("string", "Metric that the rule looks at; null for a source."),
    "opened_at": Column("!timestamp(6)", "When an evaluation noticed it."),
    "acknowledged_at": Column("timestamp(6)", "When somebody said that they work on it; null if nobody has."),
    "resolved_at": Column("timestamp(6)", "When it was over; null while it is open."),
    "seconds_to_acknowledge": Column("float64", "From noticed to acknowledged.", minimum=0),
    "seconds_to_resolve": Column("float64", "From noticed to resolved.", minimum=0),
    "is_muted": Column("!boolean", "Whether it was muted at its end, or is."),
    "is_flap": Column("!boolean", f"Whether its rule had been resolved in the {FLAP_DAYS} days before."),
    "last_value": Column("float64", "The last known value while it was open."),
    "worst_value": Column("float64", "The worst of them."),
}
_TYPES: dict[str, pa.DataType] = {
    "int64": pa.int64(),
    "timestamp(6)": pa.timestamp("us"),
    "string": pa.string(),
    "float64": pa.float64(),
    "boolean": pa.bool_(),
}
_SCHEMA = pa.schema([(name, _TYPES[column.type.removeprefix("!")]) for name, column in COLUMNS.items()])


def alert_table(events: Iterable[AlertEvent], zone: Zone) -> pa.Table:
    """A row for each opening of a rule, in the columns of `fct_alerts`."""
    alerts = alerts_of(events)
    flaps = flapping(alerts)
    return pa.Table.from_pylist([_row(alert, alert.id in flaps, zone) for alert in alerts], schema=_SCHEMA)


def evaluated_days(events: Iterable[AlertEvent]) -> tuple[date, date] | None:
    """The first and last local day that any rule was judged on; None where none ever was."""
    days = [event.day for event in events if event.kind == "looked"]
    return (min(days), max(days)) if days else None


def flapping(alerts: Iterable[Alert]) -> frozenset[int]:
    """The alerts that opened within a week after their rule had been resolved."""
    ended: dict[tuple[str, str], date] = {}
    found = set()
    for alert in alerts:
        last = ended.get((alert.rule, alert.about))
        if last is not None and alert.day <= add_days(last, FLAP_DAYS):
            found.add(alert.id)
        if alert.resolved_day is not None:
            ended[alert.rule, alert.about] = alert.resolved_day
    return frozenset(found)


def _row(alert: Alert, is_flap: bool, zone: Zone) -> dict[str, Any]:
    return {
        "alert": alert.id,
        "ts": naive_utc(zone.first_instant(alert.day)),
        "rule": alert.rule,
        "about": alert.about,
        "severity": alert.severity,
        "metric": alert.metric or None,
        "opened_at": naive_utc(alert.opened_at),
        "acknowledged_at": _naive(alert.acknowledged_at),
        "resolved_at": _naive(alert.resolved_at),
        "seconds_to_acknowledge": _seconds(alert.opened_at, alert.acknowledged_at),
        "seconds_to_resolve": _seconds(alert.opened_at, alert.resolved_at),
        "is_muted": alert.muted_until is not None,
        "is_flap": is_flap,
        "last_value": None if alert.value is None else float(alert.value),
        "worst_value": None if alert.worst is None else float(alert.worst),
    }


def _naive(at: datetime | None) -> datetime | None:
    return None if at is None else naive_utc(at)


def _seconds(first: datetime, last: datetime | None) -> float | None:
    # A clock that was set back must not make a negative time.
    return None if last is None else max(0.0, seconds_between(first, last))
