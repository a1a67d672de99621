"""Metrics of alerts: how many, how soon somebody saw them, how soon they were over, how many came back."""

from __future__ import annotations

from tidings.metrics.measures import ratio, total
from tidings.metrics.metric import Metric

_MART = "fct_alerts"
_SECTION = "alerts"
_KNOWN = "As the run knew them when it began, by the day of the data that opened them."

alert_openings = Metric(
    name="alert_openings",
    title="Alerts",
    mart=_MART,
    kind="flow",
    unit="count",
    value=lambda alerts: alerts.count(),
    definition="Openings of the rules of alerts.toml, by the local day of the data that opened them.",
    better="lower",
    owner="operations",
    caveat=f"One rule may open several times. {_KNOWN}",
    action="Look at the rules that open most: is the limit right, or is the thing itself wrong?",
    section=_SECTION,
)

open_alerts = Metric(
    name="open_alerts",
    title="Alerts still open",
    mart=_MART,
    kind="flow",
    unit="count",
    where=lambda alerts: alerts.resolved_at.isnull(),
    value=lambda alerts: alerts.count(),
    definition="Alerts opened in the window that are not resolved.",
    better="lower",
    owner="operations",
    caveat=f"Those opened before the window are not counted. {_KNOWN}",
    action="Acknowledge each, and follow its runbook.",
    section=_SECTION,
)

alert_time_to_acknowledge = Metric(
    name="alert_time_to_acknowledge",
    title="Time to acknowledge",
    mart=_MART,
    kind="ratio",
    unit="s",
    where=lambda alerts: alerts.seconds_to_acknowledge.notnull(),
    value=lambda alerts: ratio(total(alerts.seconds_to_acknowledge), alerts.count()),
    definition="Mean time from the evaluation that noticed an alert to its acknowledgement.",
    better="lower",
    owner="operations",
    caveat=f"Alerts that nobody acknowledged are left out, so it looks best where nobody looks. {_KNOWN}",
    action="Check who is told, and by which way.",
    section=_SECTION,
)

alert_time_to_resolve = Metric(
    name="alert_time_to_resolve",
    title="Time to resolve",
    mart=_MART,
    kind="ratio",
    unit="s",
    where=lambda alerts: alerts.seconds_to_resolve.notnull(),
    value=lambda alerts: ratio(total(alerts.seconds_to_resolve), alerts.count()),
    definition="Mean time from the evaluation that noticed an alert to the one that found it over.",
    better="lower",
    owner="operations",
    caveat=f"Open alerts are left out; it is as fine as evaluations are frequent. {_KNOWN}",
    action="Read the longest ones: what was missing to mend them sooner?",
    section=_SECTION,
)

alert_flaps = Metric(
    name="alert_flaps",
    title="Alerts that came back",
    mart=_MART,
    kind="flow",
    unit="count",
    where=lambda alerts: alerts.is_flap,
    value=lambda alerts: alerts.count(),
    definition="Alerts whose rule had been resolved in the seven days before.",
    better="lower",
    owner="operations",
    caveat=f"A rule without a distance between its limit and where it is over comes back often. {_KNOWN}",
    action="Give the rule a clear_below or clear_above, or let it wait with `for`.",
    section=_SECTION,
)
