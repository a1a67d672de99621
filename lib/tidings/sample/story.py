"""Planted events of the sample company: dated, with the true size of their effect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tidings.sample.company import DAY, SECOND, Bools, Company, Ints

_HOUR = 3600 * SECOND
_MINUTE = 60 * SECOND


@dataclass(frozen=True)
class Happening:
    """An event planted in [`start`, `end`) (UTC microseconds); `effect` is what `what` says it is."""

    name: str
    what: str
    start: int
    end: int
    effect: float

    def holds(self, instants: Ints) -> Bools:
        """True for instants during it."""
        return (instants >= self.start) & (instants < self.end)


# Name, days before the end, time of day, duration, effect, description.
_PLANTED = (
    ("black_friday", 216, 0, 5 * DAY, 1.6, "coupon campaign; chance that who first comes in it buys, times effect"),
    ("spring_sale", 92, 0, 6 * DAY, 1.4, "coupon campaign; chance that who first comes in it buys, times effect"),
    ("summer_sale", 24, 0, 6 * DAY, 1.5, "coupon campaign; chance that who first comes in it buys, times effect"),
    ("viral_post", 16, 0, 2 * DAY, 2.0, "a post on Hacker News: effect x the usual arrivals come on top"),
    ("price_change", 120, 0, 120 * DAY, 1.12, "courses cost effect x the old price from then on, in whole units"),
    ("checkout_test", 77, 0, 42 * DAY, 1.4, "A/B test; chance that who sees variant B buys, times effect"),
    ("bad_batch", 75, 0, 14 * DAY, 0.35, "share of the orders with product `mug` that are refunded"),
    ("tracking_gap", 40, 9 * _HOUR, 5 * _HOUR, 0.0, "visits that began in it left no events; their orders exist"),
    ("scraper", 10, 0, DAY, 9.0, "bot hits, times effect"),
    ("api_outage", 12, 13 * _HOUR + 10 * _MINUTE, 110 * _MINUTE, 1.0, "share of the calls to service `api` that fail"),
    ("llm_slowdown", 9, 0, 2 * DAY, 3.0, "latency of provider `northwind-llm`, times effect"),
    ("search_errors", 20, 15 * _HOUR, 3 * _HOUR, 0.35, "share of the calls to service `search` that fail on top"),
    ("vitals_regression", 45, 0, 21 * DAY, 1.7, "LCP of product pages, times effect, until it was repaired"),
    ("duplicated_delivery", 33, 10 * _HOUR, 2 * _HOUR, 2.0, "events of these hours were delivered twice, same id"),
    ("duplicated_webhook", 28, 0, DAY, 2.0, "order lines of this day were delivered twice, same number"),
    ("late_restatement", 7, 0, 7 * DAY, 0.0, "order lines of these days were landed again, corrected"),
)

CAMPAIGNS = ("black_friday", "spring_sale", "summer_sale")
COUPON_DISCOUNT = 15
COUPON_SHARE = 0.6


class Story(Mapping[str, Happening]):
    """The events that lie completely in the company's days, by name."""

    def __init__(self, company: Company) -> None:
        planted = (
            Happening(name, what, start := company.end - days * DAY + time, start + length, effect)
            for name, days, time, length, effect, what in _PLANTED
        )
        self._found = {each.name: each for each in planted if each.start >= company.start}

    def __getitem__(self, name: str) -> Happening:
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def during(self, name: str, instants: Ints) -> Bools:
        """True for instants during an event; for none if it lies before the company's days."""
        found = self.get(name)
        return found.holds(instants) if found else instants < instants
