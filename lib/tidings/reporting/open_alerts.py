"""The alerts that are open when a run begins: for the index, for the pages that they concern, and for messages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tidings.language import say, say_as
from tidings.ledger.alert_log import AlertLog, alerts_of
from tidings.settings import Settings
from tidings.window import Zone, label_days


@dataclass(frozen=True)
class OpenAlert:
    """One open alert for a reader; `state` says in words if it is acknowledged, and by whom, or muted.

    `said` is its sentence, `since` the day of the data on which it began, `metrics` are those that it concerns.
    """

    rule: str
    severity: str
    said: str
    since: str
    state: str
    runbook: str
    metrics: frozenset[str]

    @property
    def severity_label(self) -> str:
        """How bad it is, for a reader."""
        return say_as("alert", self.severity)


def open_alerts(settings: Settings, run: str, zone: Zone) -> tuple[OpenAlert, ...]:
    """The alerts that were open when a run began, as it is recorded: the worst first, then the oldest.

    Raises:
        RunError: there is no such run.
    """
    log = AlertLog(settings.ledger)
    today = zone.day_of(log.run(run).started_at)
    found = [alert for alert in alerts_of(log.seen_by(run)) if alert.is_open]
    found.sort(key=lambda alert: (-("info", "warning", "critical").index(alert.severity), alert.day, alert.rule))
    shown = []
    for alert in found:
        state = alert.state(today)
        seen = "" if alert.acknowledged_at is None else say("acknowledged by {who}", who=alert.acknowledged_by)
        muted = say("muted until {day}", day=alert.muted_until) if state.startswith("muted") else ""
        words = ", ".join(filter(None, (seen, muted))) or say_as("alert", state)
        since = label_days(alert.day, alert.day)
        metrics = frozenset(alert.metrics)
        shown.append(OpenAlert(alert.rule, alert.severity, alert.said, since, words, alert.runbook, metrics))
    return tuple(shown)


def concerning(alerts: Sequence[OpenAlert], metrics: Iterable[str]) -> tuple[OpenAlert, ...]:
    """The alerts that concern one of these metrics."""
    shown = frozenset(metrics)
    return tuple(alert for alert in alerts if alert.metrics & shown)
