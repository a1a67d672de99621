"""Metrics of requests: errors, latency, availability, cost (metric definitions 8.1 to 8.4)."""

from __future__ import annotations

from collections.abc import Sequence

import ibis.expr.types as ir

from tidings.metrics.measures import APDEX_TARGET_MS, apdex, money, number_where, percentile, ratio, total
from tidings.metrics.metric import Metric, Need, Thresholds

SLOT_S = 300
DOWN_SHARE = 0.5
LEAST_REQUESTS = 3

_RATE = Thresholds(good=0.01, warn=0.05)
_MART = "fct_requests"
_SECTION = "technical_performance"
_FAILED = "An error is a status of 500 or more, or no response; 4xx are client errors, counted separately."
_STATUS = Need(("status",), "gives no status")
_LATENCY = Need(("latency_ms",), "gives no latency")
_COST = Need(("cost",), "gives no cost")
_CHECK = "Find the service and endpoint in the heat map, then check releases and outages at that time."


def _timed(requests: ir.Table) -> ir.BooleanValue:
    return requests.latency_ms.notnull()


def _by_slot(requests: ir.Table, keep: Sequence[str]) -> ir.Table:
    timed = requests.mutate(slot=(requests.ts.epoch_seconds() / SLOT_S).floor().cast("int64"))
    return timed.group_by([*keep, "slot"]).aggregate(requests=timed.count(), errors=number_where(timed.is_error))


def _up(slots: ir.Table) -> ir.FloatingScalar:
    known = slots.requests >= LEAST_REQUESTS
    up = known & (slots.errors < DOWN_SHARE * slots.requests)
    return ratio(number_where(up), number_where(known))


def _latency(name: str, title: str, p: float, caveat: str) -> Metric:
    return Metric(
        name=name,
        title=title,
        mart=_MART,
        needs=(_LATENCY,),
        kind="quantile",
        unit="ms",
        where=_timed,
        value=lambda requests: percentile(requests.latency_ms, p),
        definition=f"{p:.0%} of the requests with a latency took at most this long, errors included.",
        better="lower",
        owner="engineering",
        caveat=f"{caveat} It cannot be averaged over services or hours.",
        action="Split it by service and endpoint; compare with the number of requests at that time.",
        section=_SECTION,
    )


requests = Metric(
    name="requests",
    title="Requests",
    mart=_MART,
    kind="flow",
    unit="count",
    value=lambda requests: requests.count(),
    definition="Service calls and access-log lines, bots included.",
    better="neutral",
    owner="engineering",
    caveat="Retries count again, so errors raise it.",
    action="Split it by service and endpoint; a jump at one endpoint often comes from one caller.",
    section=_SECTION,
)

errors = Metric(
    name="errors",
    title="Errors",
    mart=_MART,
    needs=(_STATUS,),
    kind="flow",
    unit="count",
    where=lambda requests: requests.is_error,
    value=lambda requests: requests.count(),
    definition="Requests that failed.",
    better="lower",
    owner="engineering",
    caveat=f"{_FAILED} Grows with the number of requests: read the error rate.",
    action=_CHECK,
    section=_SECTION,
)

error_rate = Metric(
    name="error_rate",
    title="Error rate",
    mart=_MART,
    needs=(_STATUS,),
    kind="ratio",
    unit="ratio",
    value=lambda requests: ratio(number_where(requests.is_error), requests.count()),
    definition="Errors over requests.",
    better="lower",
    thresholds=_RATE,
    owner="engineering",
    caveat=f"{_FAILED} A service that is down but not called does not show.",
    action=_CHECK,
    section=_SECTION,
)

availability = Metric(
    name="availability",
    title="Availability",
    mart=_MART,
    needs=(_STATUS,),
    kind="ratio",
    unit="ratio",
    value=lambda requests: ratio(requests.count() - number_where(requests.is_error), requests.count()),
    definition="Share of requests without an error: 1 - error rate.",
    better="higher",
    thresholds=_RATE.mirrored(),
    complement="error_rate",
    owner="engineering",
    caveat=f"Of requests, not of time: an outage at night weighs little. {_FAILED}",
    action=_CHECK,
    section=_SECTION,
)

uptime_observed = Metric(
    name="uptime_observed",
    title="Uptime, observed",
    mart=_MART,
    needs=(_STATUS,),
    kind="ratio",
    unit="ratio",
    regroup=_by_slot,
    value=_up,
    definition=(
        f"Of the 5-minute slots with at least {LEAST_REQUESTS} requests, the share in which fewer than half were "
        "errors (8.3)."
    ),
    better="higher",
    thresholds=Thresholds(good=0.999, warn=0.99),
    owner="engineering",
    caveat=(
        "Derived from requests, as incidents are not recorded. Time with few requests is unknown and left out, so an "
        "outage that nobody noticed does not show."
    ),
    action="List the slots that were down and compare them with releases and the provider's status page.",
    section=_SECTION,
)

client_errors = Metric(
    name="client_errors",
    title="Client errors",
    mart=_MART,
    needs=(_STATUS,),
    kind="flow",
    unit="count",
    where=lambda requests: requests.is_client_error,
    value=lambda requests: requests.count(),
    definition="Requests with a status from 400 to 499.",
    better="lower",
    owner="engineering",
    caveat="The service worked; the request was wrong. Bots that probe for weaknesses cause many.",
    action="Look at the paths: fix broken links and expired keys.",
    section=_SECTION,
)

latency_p50 = _latency("latency_p50", "Latency p50", 0.5, "Half of all requests took longer.")
latency_p90 = _latency("latency_p90", "Latency p90", 0.9, "One request in ten took longer.")
latency_p95 = _latency("latency_p95", "Latency p95", 0.95, "One request in twenty took longer.")
latency_p99 = _latency("latency_p99", "Latency p99", 0.99, "Uncertain with less than a few thousand requests.")

apdex_score = Metric(
    name="apdex",
    title=f"Apdex ({APDEX_TARGET_MS} ms)",
    mart=_MART,
    needs=(_STATUS, _LATENCY),
    kind="ratio",
    unit="score",
    value=lambda requests: apdex(requests.latency_ms, requests.is_error),
    definition=(
        f"(Satisfied + tolerating / 2) over requests: satisfied up to {APDEX_TARGET_MS} ms, tolerating up to "
        f"{4 * APDEX_TARGET_MS} ms, frustrated beyond that or with an error."
    ),
    better="higher",
    thresholds=Thresholds(good=0.94, warn=0.85),
    owner="engineering",
    caveat="Only of requests with a latency or an error, so not of access logs without times. Counts bands, not speed.",
    action="Check whether errors or latency moved it, then split it by service.",
    section=_SECTION,
)

request_cost = Metric(
    name="request_cost",
    title="Cost of calls",
    mart=_MART,
    needs=(_COST,),
    kind="flow",
    unit="money",
    value=lambda requests: money(requests, requests.cost),
    definition="Sum of the cost of the calls, by the time of the call.",
    better="lower",
    owner="finance",
    caveat="As logged with each call, not as invoiced. Amounts in a currency without a rate are left out and listed.",
    action="Split it by provider and model; compare cost per call and tokens per call.",
    section=_SECTION,
)

cost_per_request = Metric(
    name="cost_per_request",
    title="Cost per call",
    mart=_MART,
    needs=(_COST,),
    kind="ratio",
    unit="money",
    where=lambda requests: requests.cost.notnull() & requests.fx.notnull(),
    value=lambda requests: ratio(money(requests, requests.cost), requests.count()),
    definition="Cost of calls over the calls that have a cost.",
    better="lower",
    owner="finance",
    caveat="Calls differ in size: a provider with longer prompts looks expensive. Amounts without a rate are left out.",
    action="Compare tokens per call before changing the provider.",
    section=_SECTION,
)

tokens = Metric(
    name="tokens",
    title="Tokens",
    mart=_MART,
    needs=(Need(("tokens_in", "tokens_out"), "gives no tokens"),),
    kind="flow",
    unit="count",
    value=lambda requests: total(requests.tokens_in) + total(requests.tokens_out),
    definition="Tokens sent to and received from models.",
    better="neutral",
    owner="engineering",
    caveat="Models split text differently, so tokens of two models are not comparable.",
    action="Split it by endpoint and model; look for prompts that grew.",
    section=_SECTION,
)

response_bytes = Metric(
    name="response_bytes",
    title="Bytes sent",
    mart=_MART,
    needs=(Need(("response_bytes",), "gives no sizes"),),
    kind="flow",
    unit="B",
    value=lambda requests: total(requests.response_bytes),
    definition="Total size of all responses.",
    better="neutral",
    owner="engineering",
    caveat="As the server logged it, mostly without headers; responses without a size count as 0.",
    action="Split it by path: often one large file accounts for most of it.",
    section=_SECTION,
)
