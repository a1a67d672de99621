"""What the platforms of the sample company report on: its app in two stores, its subscribers, its site's visitors.

All platforms share one truth, so that two of them agree on the same thing except for what each leaves out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from functools import cached_property
from typing import Any

import numpy as np

from tidings.sample.company import MARKETS, Company, Floats, Ints, instant

STORES = ("app_store", "google_play")
COUNTRIES = tuple(dict.fromkeys(market.country for market in MARKETS))
VERSIONS = ("3.2.0", "3.3.0", "3.4.0")
_NEW_VERSION_EVERY = 120
_INSTALLS_PER_DAY = {"app_store": 46.0, "google_play": 38.0}
_VISITORS_PER_DAY = 420.0
_TRIALS_PER_INSTALL = 0.09
_TRIAL_DAYS = 7
_CONVERTED = 0.52


@dataclass(frozen=True)
class Plan:
    """A subscription: its id, price in euros (tax included), months per payment, share of new ones, daily churn."""

    id: str
    title: str
    price: Decimal
    months: int
    share: float
    churn: float


PLANS = (
    Plan("pro.month", "Pro monthly", Decimal("5.99"), 1, 0.72, 0.0019),
    Plan("pro.year", "Pro yearly", Decimal("49.99"), 12, 0.28, 0.0006),
)


@dataclass(frozen=True)
class Subscriptions:
    """Subscriptions in one store, as tables day x plan x country: trials started, converted, ended, active at the
    end.
    """

    trials: Ints
    started: Ints
    ended: Ints
    active: Ints
    trialing: Ints


@dataclass(frozen=True)
class Apps:
    """Daily truth about the company's app and site; every table's first axis is the company's days."""

    company: Company

    @property
    def days(self) -> tuple[date, ...]:
        """The days covered, oldest first."""
        return self.company.dates

    @property
    def first_instant(self) -> datetime:
        """Aware UTC start of the first day."""
        return instant(self.company.start)

    @cached_property
    def shares(self) -> Floats:
        """Share of each of `COUNTRIES`."""
        return np.array([sum(m.share for m in MARKETS if m.country == country) for country in COUNTRIES])

    @cached_property
    def visitors(self) -> Ints:
        """Visitors of the site, by day."""
        return self._drawn("visitors", _VISITORS_PER_DAY)

    def installs(self, store: str) -> Ints:
        """First installs from a store, day x country."""
        rng = self.company.rng("apps", f"installs {store}")
        mean = self.company.demand * self.company.options.size * _INSTALLS_PER_DAY[store]
        drawn: Ints = rng.poisson(np.outer(mean, self.shares)).astype(np.int64)
        return drawn

    def version(self, day: int) -> str:
        """The app version that is current on a day (counted from the first)."""
        return VERSIONS[min(day // _NEW_VERSION_EVERY, len(VERSIONS) - 1)]

    @cached_property
    def subscriptions(self) -> Mapping[str, Subscriptions]:
        """Subscriptions by store."""
        return {store: self._subscriptions(store) for store in STORES}

    def drawn(self, subject: str, per_day: float) -> Ints:
        """Daily counts drawn on their own that follow demand, `per_day` on an average day at the end, at size 1."""
        return self._drawn(subject, per_day)

    def split(self, subject: str, counts: Ints, weights: Sequence[float]) -> Ints:
        """Daily counts split at random by weight: day x part."""
        rng = self.company.rng("apps", f"split {subject}")
        shares = np.asarray(weights, float) / sum(weights)
        parts: Ints = rng.multinomial(counts, shares).astype(np.int64)
        return parts

    def _drawn(self, subject: str, per_day: float) -> Ints:
        rng = self.company.rng("apps", subject)
        counts: Ints = rng.poisson(self.company.demand * self.company.options.size * per_day).astype(np.int64)
        return counts

    def _subscriptions(self, store: str) -> Subscriptions:
        rng = self.company.rng("apps", f"subscriptions {store}")
        installs = self.installs(store)
        days, countries = installs.shape
        shape = (days, len(PLANS), countries)
        trials, started, ended, active, trialing = (np.zeros(shape, np.int64) for _ in range(5))
        level = np.zeros(shape[1:], np.int64)
        for day in range(days):
            for plan, offer in enumerate(PLANS):
                trials[day, plan] = rng.binomial(installs[day], _TRIALS_PER_INSTALL * offer.share)
                if day >= _TRIAL_DAYS:
                    started[day, plan] = rng.binomial(trials[day - _TRIAL_DAYS, plan], _CONVERTED)
                ended[day, plan] = rng.binomial(level[plan], offer.churn)
            level = level + started[day] - ended[day]
            active[day] = level
            trialing[day] = trials[max(0, day - _TRIAL_DAYS + 1) : day + 1].sum(axis=0)
        return Subscriptions(trials, started, ended, active, trialing)


def midnight(day: date) -> datetime:
    """The start of a platform's day, as its feeds store it: naive, in no zone."""
    return datetime.combine(day, time.min)


Rows = Sequence[Mapping[str, Any]]
Reported = Callable[[Apps], Mapping[str, Rows]]
"""A platform's report: rows by the name of their feed, in the feed's columns."""


@dataclass(frozen=True)
class Platform:
    """A kind of source that reports on the company: its rows, by feed, in the feed's columns."""

    name: str
    reported: Callable[[Apps], Mapping[str, Rows]]
