"""The sample company as a whole: what its feeds share, the rows of each, and the truth about them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from msgspec import structs

from tidings.sample import commerce, people, prices, service, visits, web
from tidings.sample.audience import VARIANTS
from tidings.sample.books import count_money
from tidings.sample.commerce import Commerce
from tidings.sample.company import Company, Options, instant
from tidings.sample.people import People
from tidings.sample.service import ROUTES, Service
from tidings.sample.story import COUPON_DISCOUNT, Story
from tidings.sample.truth import Tally
from tidings.sample.visits import Visits
from tidings.sample.vitals import Vitals
from tidings.sample.web import Web


@dataclass(frozen=True)
class Simulation:
    """A company with all its people, visits and trade; `truth` is complete once every feed's rows were made."""

    company: Company
    story: Story
    people: People
    visits: Visits
    commerce: Commerce
    tally: Tally

    @classmethod
    def of(cls, options: Options) -> Simulation:
        """Draw everything that the feeds share."""
        company = Company(options)
        story = Story(company)
        crowd = people.meet(company, story)
        planned = visits.plan(company, story, crowd)
        return cls(company, story, crowd, planned, commerce.trade(company, story, crowd, planned), Tally())

    def rows(self, feed: str) -> Iterable[pa.Table]:
        """The rows of a feed month by month, without `_line`; the truth about them goes to the tally."""
        if feed == "orders":
            count_money(self.commerce, self.tally)
            return self.commerce.first_reported()
        if feed == "events":
            return Web(self.company, self.story, self.people, self.visits, self.commerce.orders).rows(self.tally)
        if feed == "requests":
            return Service(self.company, self.story).rows(self.tally)
        return Vitals(self.company, self.story).rows(self.tally)

    def truth(self) -> dict[str, Any]:
        """The truth: counts and sums by feed, the hazards and prices behind them, what was planted and when."""
        options = self.company.options
        cohorts = [month.name for month in self.company.months]
        hazards = visits.repeat_hazards(self.company).round(6).tolist()
        change = self.story.get("price_change")
        new, old = prices.listed(change.effect if change else 1.0), prices.listed()
        return {
            "options": {**structs.asdict(options), "end": options.end.isoformat()},
            "from": instant(self.company.start).isoformat(),
            "to": instant(self.company.end).isoformat(),
            **self.tally.reported(),
            "people": {
                "people": len(self.people),
                "visits_planned": len(self.visits),
                "visits_lost_to_tracking_gap": int(self.story.during("tracking_gap", self.visits.start).sum()),
                "purchases_lost_to_tracking_gap": int(
                    (self.story.during("tracking_gap", self.visits.start) & (self.visits.order > 0)).sum()
                ),
            },
            "hazards": {
                "repeat_purchase": {
                    "doc": "Chance that a customer with an account, by the month of the first order, buys on days "
                    f"{visits.REPEAT_DAYS}(j-1)+1 to {visits.REPEAT_DAYS}(j-1)+28 after it, for j = 1, 2 …",
                    "by_cohort": dict(zip(cohorts, hazards, strict=True)),
                },
                "leave_per_week": people.LEAVE_PER_WEEK,
            },
            "planted": {
                happening.name: {
                    "what": happening.what,
                    "from": instant(happening.start).isoformat(),
                    "to": instant(happening.end).isoformat(),
                    "effect": happening.effect,
                }
                for happening in self.story.values()
            },
            "coupon_discount": COUPON_DISCOUNT / 100,
            "prices": {
                currency: {
                    product.id: {"before": str(old[n, p] / 100), "after": str(new[n, p] / 100)}
                    for p, product in enumerate(prices.PRODUCTS)
                }
                for n, currency in enumerate(prices.CURRENCIES)
            },
            "median_ms": {
                f"{route.service} {route.provider or 'own'} {route.method} {route.endpoint}": route.median_ms
                for route in ROUTES
            },
            "variants": {"experiment": web.EXPERIMENT, "variants": list(VARIANTS)},
            "evening_load": service.EVENING_LOAD,
        }
