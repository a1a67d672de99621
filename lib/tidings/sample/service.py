"""Calls of the sample company's own services and of the providers it depends on: feed `requests`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from tidings.sample.company import MARKETS, Bools, Company, Floats, Ints, Month, choose, instants
from tidings.sample.rows import decimals, numbered, pick, records, timestamps, whole
from tidings.sample.story import Story
from tidings.sample.truth import Tally

CALLS_PER_DAY = 1100.0
"""Calls on an average day at the end, at size 1."""


@dataclass(frozen=True)
class Route:
    """An endpoint: which service calls which provider (none: our own), how often, how fast (median ms, log-normal
    sigma), the size of the response, the share of calls rejected (4xx) and failed (5xx).
    """

    service: str
    provider: str | None
    endpoint: str
    method: str
    weight: float
    median_ms: float
    sigma: float
    bytes: int
    refused: float = 0.01
    failed: float = 0.0015
    model: str | None = None
    # Cost in 10^-8 units of `currency`: per call, per token sent, per token received.
    costs: tuple[int, int, int] = field(default=(0, 0, 0))
    currency: str | None = None


ROUTES = (
    Route("web", None, "/", "GET", 90, 70, 0.45, 42_000),
    Route("web", None, "/blog/{slug}", "GET", 80, 95, 0.5, 61_000, refused=0.03),
    Route("web", None, "/shop/{product}", "GET", 60, 120, 0.5, 48_000, refused=0.02),
    Route("web", None, "/checkout", "POST", 8, 260, 0.55, 9_000),
    Route("api", None, "/v1/projects", "GET", 70, 45, 0.5, 12_000),
    Route("api", None, "/v1/projects/{id}", "GET", 90, 38, 0.5, 6_000, refused=0.02),
    Route("api", None, "/v1/projects/{id}", "PATCH", 40, 85, 0.55, 1_500, refused=0.03),
    Route("api", None, "/v1/reports/{id}", "GET", 25, 310, 0.7, 38_000),
    Route("api", None, "/v1/exports", "POST", 5, 900, 0.8, 220_000, failed=0.006),
    Route("api", None, "/v1/login", "POST", 18, 150, 0.4, 900, refused=0.12),
    Route("search", None, "/search", "GET", 35, 130, 0.6, 8_000),
    Route("search", None, "/suggest", "GET", 50, 32, 0.45, 1_200),
    Route("worker", None, "render-report", "RUN", 10, 1_600, 0.7, 90_000, refused=0.0, failed=0.004),
    Route("worker", None, "send-digest", "RUN", 8, 420, 0.5, 0, refused=0.0, failed=0.002),
    Route("api", "northwind-llm", "/chat", "POST", 14, 1_350, 0.5, 3_000, 0.006, 0.004, "northwind-large-2",
          (0, 250, 1_000), "USD"),
    Route("api", "northwind-llm", "/embed", "POST", 10, 110, 0.4, 6_000, 0.002, 0.002, "northwind-embed-1",
          (0, 2, 0), "USD"),
    Route("worker", "acme-llm", "/v1/messages", "POST", 11, 980, 0.6, 2_600, 0.012, 0.009, "acme-swift-1",
          (0, 80, 400), "USD"),
    Route("web", "paylane", "/charges", "POST", 5, 340, 0.45, 1_800, 0.03, 0.002),
    Route("worker", "paylane", "/payouts", "GET", 2, 280, 0.45, 2_500),
    Route("worker", "mailbird", "/send", "POST", 16, 190, 0.5, 400, 0.015, 0.002, None, (40_000, 0, 0), "EUR"),
)  # fmt: skip

SERVICES = tuple(dict.fromkeys(route.service for route in ROUTES))
_OK, _NO_ANSWER = 200, 0
_REFUSALS = {"/v1/login": 401, "/chat": 429, "/v1/messages": 429, "/charges": 402}
_TIMEOUT_MS = 30_000.0
_FAILS_FAST_MS = 40.0
_TOKENS_IN = (900.0, 0.7)
_TOKENS_OUT = (260.0, 0.6)
_EVENING = range(18, 23)
EVENING_LOAD = 1.18
_HOUR_US = 3_600_000_000


@dataclass(frozen=True)
class Service:
    """The calls, month by month."""

    company: Company
    story: Story

    def rows(self, tally: Tally) -> Iterator[pa.Table]:
        """Requests month by month; the truth about them is added to the tally."""
        for month in self.company.months:
            yield self._month(month, tally)

    def _month(self, month: Month, tally: Tally) -> pa.Table:
        rng = self.company.rng("requests", month.name)
        days = np.arange(month.first, month.last + 1)
        day = np.repeat(days, rng.poisson(self.company.demand[days] * CALLS_PER_DAY * self.company.options.size))
        market = choose(rng, [each.share for each in MARKETS], len(day))
        ts = instants(self.company, rng, day, market, "work") + rng.integers(0, 1000, len(day))
        order = np.argsort(ts, kind="stable")
        inside = ts[order] < self.company.end
        ts, market = ts[order][inside], market[order][inside]
        route = choose(rng, [each.weight for each in ROUTES], len(ts))

        status = self._statuses(rng, ts, route)
        latency = self._latencies(rng, ts, route, status)
        _count(self.story, ts, route, status, tally)
        return _table(month, rng, ts, market, route, status, latency)

    def _statuses(self, rng: np.random.Generator, ts: Ints, route: Ints) -> Ints:
        draw = rng.random(len(ts))
        failed, refused = _column("failed")[route], _column("refused")[route]
        failures = np.array([500, 502, 503, _NO_ANSWER])[choose(rng, (5, 2, 2, 1), len(ts))]
        refusals = np.array([_REFUSALS.get(each.endpoint, 404) for each in ROUTES])[route]
        status = np.where(draw < failed, failures, np.where(draw < failed + refused, refusals, _OK))
        status[(status == _OK) & (route == _CREATES)] = 201
        burst = self.story.during("search_errors", ts) & _of_service("search")[route]
        share = self.story["search_errors"].effect if "search_errors" in self.story else 0.0
        status[burst & (rng.random(len(ts)) < share)] = 500
        down = self.story.during("api_outage", ts) & _of_service("api")[route] & ~_is_provider()[route]
        status[down] = np.where(rng.random(int(down.sum())) < 0.3, _NO_ANSWER, 503)
        return status

    def _latencies(self, rng: np.random.Generator, ts: Ints, route: Ints, status: Ints) -> Floats:
        """Log-normal, slower in the evening; failures are fast, calls without a response wait for the timeout."""
        latency = _column("median_ms")[route] * np.exp(_column("sigma")[route] * rng.standard_normal(len(ts)))
        hour = (ts // _HOUR_US) % 24
        latency *= np.where(np.isin(hour, _EVENING), EVENING_LOAD, 1.0)
        if "llm_slowdown" in self.story:
            slow = self.story.during("llm_slowdown", ts) & _of_provider("northwind-llm")[route]
            latency[slow] *= self.story["llm_slowdown"].effect
        latency = np.where((status >= 400) & (status != _OK), np.minimum(latency, _FAILS_FAST_MS), latency)
        return np.asarray(np.round(np.where(status == _NO_ANSWER, _TIMEOUT_MS, latency), 2), np.float64)


_CREATES = next(n for n, route in enumerate(ROUTES) if route.endpoint == "/v1/exports")


def _column(name: str) -> Floats:
    return np.array([getattr(route, name) for route in ROUTES], float)


def _of_service(name: str) -> Bools:
    return np.array([route.service == name for route in ROUTES])


def _of_provider(name: str) -> Bools:
    return np.array([route.provider == name for route in ROUTES])


def _is_provider() -> Bools:
    return np.array([route.provider is not None for route in ROUTES])


def _count(story: Story, ts: Ints, route: Ints, status: Ints, tally: Tally) -> None:
    is_error = (status >= 500) | (status == _NO_ANSWER)
    tally.add("requests", "requests", len(ts))
    tally.add("requests", "errors", is_error.sum())
    tally.add("requests", "client_errors", ((status >= 400) & (status < 500)).sum())
    services = [each.service for each in ROUTES]
    tally.add_each("requests", "requests_by_service", services, route)
    tally.add_each("requests", "errors_by_service", services, route[is_error])
    tally.add_each("requests", "requests_by_provider", [each.provider or "own" for each in ROUTES], route)
    down = story.during("api_outage", ts) & _of_service("api")[route] & ~_is_provider()[route]
    tally.add("requests", "requests_in_api_outage", down.sum())


def _table(
    month: Month, rng: np.random.Generator, ts: Ints, market: Ints, route: Ints, status: Ints, latency: Floats
) -> pa.Table:
    count = len(ts)
    answered = status != _NO_ANSWER
    sizes = (_column("bytes")[route] * np.exp(0.4 * rng.standard_normal(count))).astype(np.int64)
    sizes = np.where(answered & (status < 400), sizes, np.where(answered, 180, 0))
    takes_tokens = np.array([route.model is not None for route in ROUTES])[route] & (status < 400) & answered
    sends_tokens = takes_tokens & np.array([each.costs[2] > 0 for each in ROUTES])[route]
    tokens_in, tokens_out = (
        np.maximum(1, median * np.exp(sigma * rng.standard_normal(count))).astype(np.int64)
        for median, sigma in (_TOKENS_IN, _TOKENS_OUT)
    )
    call, sent, received = (np.array([each.costs[n] for each in ROUTES])[route] for n in range(3))
    has_cost = np.array([each.currency is not None for each in ROUTES])[route] & answered & (status < 400)
    cost = call + sent * tokens_in + received * tokens_out * sends_tokens
    columns = {
        "request_id": numbered(f"q{month.name}-", np.arange(1, count + 1), 7),
        "ts": timestamps(ts),
        "service": pick([each.service for each in ROUTES], route),
        "provider": pick([each.provider for each in ROUTES], route),
        "endpoint": pick([each.endpoint for each in ROUTES], route),
        "method": pick([each.method for each in ROUTES], route),
        "status": whole(status, ~answered),
        "latency_ms": pa.array(latency),
        "response_bytes": whole(sizes, ~answered),
        "tokens_in": whole(tokens_in, ~takes_tokens),
        "tokens_out": whole(tokens_out, ~sends_tokens),
        "model": pick([each.model for each in ROUTES], route),
        "cost": decimals(cost, 8, ~has_cost),
        "currency": pick([each.currency for each in ROUTES], np.where(has_cost, route, -1)),
        "country": pick([each.country for each in MARKETS], np.where(_is_provider()[route], -1, market)),
    }
    return pa.table({**columns, "_record": records(columns)})
