"""Page views and named events of the sample company's site and app, bots included: feed `events`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tidings.sample import channels, devices
from tidings.sample.audience import VARIANTS, count_test, count_visits, visitors_of
from tidings.sample.commerce import Orders
from tidings.sample.company import MARKETS, Company, Ints, Month
from tidings.sample.hits import Hits, bot_hits, merged, people_hits
from tidings.sample.pages import STEPS, at
from tidings.sample.people import People
from tidings.sample.prices import COUPONS, CURRENCIES, PRODUCTS, currency_of
from tidings.sample.rows import Properties, money, numbered, pick, pseudonyms, records, timestamps
from tidings.sample.story import Story
from tidings.sample.truth import Tally
from tidings.sample.visits import Visits

EXPERIMENT = "checkout-form"

_BATCH = 100_000
_PEOPLE_BEFORE_BOTS = 2**40
_TRAFFIC = ("source", "medium", "channel", "campaign", "content", "term")
_PLANS = ("free", "solo", "team")
_QUERIES = ("budget", "quarter plan", "workshop", "import csv", "timeline", "gift")
_METHODS = ("e-mail", "google", "apple")
_FEATURES = tuple(n for n, step in enumerate(STEPS) if step.event == "feature_used")


@dataclass(frozen=True)
class Web:
    """Hits of people and bots on the site and in the app, month by month."""

    company: Company
    story: Story
    people: People
    visits: Visits
    orders: Orders

    def rows(self, tally: Tally) -> Iterator[pa.Table]:
        """Events month by month; the truth about them is added to the tally."""
        signed_up = np.full(len(self.people), np.iinfo(np.int64).max)
        signing = self.visits.signs_up
        signed_up[self.visits.person[signing]] = self.visits.start[signing]
        for month in self.company.months:
            yield from self._month(month, signed_up, tally)
        count_test(tally)

    def _month(self, month: Month, signed_up: Ints, tally: Tally) -> Iterator[pa.Table]:
        rng = self.company.rng("web", month.name)
        first, last = np.searchsorted(self.visits.start, [month.start, month.end])
        tracked = np.arange(first, last)
        tracked = tracked[~self.story.during("tracking_gap", self.visits.start[tracked])]
        visits = self.visits.take(tracked)
        placed = self._orders_of(tracked)
        hits = people_hits(rng, self.company, self.people, visits, self.orders, placed, signed_up)
        count_visits(self.people, visits, hits, tally)
        bots = bot_hits(self.company, self.story, month, len(hits))
        tally.add("events", "bot_hits", len(bots))
        hits = merged(hits, bots)
        tally.add("events", "events", len(hits))
        # Strings take many times the memory of the numbers that they are made of.
        for start in range(0, len(hits), _BATCH):
            batch = hits.take(np.arange(start, min(start + _BATCH, len(hits))))
            events = self._table(month, start, visits, batch)
            again = np.flatnonzero(self.story.during("duplicated_delivery", batch.ts))
            tally.add("events", "delivered_twice", len(again))
            yield pa.concat_tables([events, events.take(again)]) if len(again) else events

    def _orders_of(self, visits: Ints) -> Ints:
        """The order placed in each visit, -1 for none."""
        position = np.full(len(self.visits), -1)
        position[self.orders.visit] = np.arange(len(self.orders.visit))
        return position[visits]

    def _table(self, month: Month, before: int, visits: Visits, hits: Hits) -> pa.Table:
        is_bot = hits.visit < 0
        of_visit = np.maximum(hits.visit, 0)
        person = visits.person[of_visit]
        fleet = devices.people().agents
        agents = (*fleet, *devices.bots().agents)
        agent = np.where(is_bot, hits.agent + len(fleet), agents_of(self.people, visits)[of_visit])
        visitor = np.where(is_bot, -1 - hits.visitor, visitors_of(visits)[of_visit])
        distinct, at_visitor = np.unique(visitor, return_inverse=True)
        names = pseudonyms(self.company.options.seed, distinct + _PEOPLE_BEFORE_BOTS)
        traffic = channels.traffic()
        origin = np.where(is_bot, 0, visits.origin[of_visit])
        amounts = np.append(self.orders.amount, -1)
        value = amounts[hits.order]
        properties, as_json = self._properties(hits, person)
        columns = {
            "event_id": numbered(f"e{month.name}-", before + np.arange(1, len(hits) + 1), 7),
            "ts": timestamps(hits.ts),
            "event": pick([step.event for step in STEPS], hits.step),
            "visitor_id": pa.DictionaryArray.from_arrays(pa.array(at_visitor, pa.int32()), names),
            "user_id": numbered("u", person, 6, ~hits.is_known),
            "path": pick([step.path for step in STEPS], hits.step),
            "host": pick([step.host for step in STEPS], hits.step),
            "referrer_host": pick([t.referrer_host for t in traffic], np.where(hits.is_first, origin, -1)),
            **{name: pick([getattr(t, name) for t in traffic], origin) for name in _TRAFFIC},
            "country": pick([market.country for market in MARKETS], hits.market),
            **{name: pick([getattr(each, name) for each in agents], agent) for name in ("device", "browser", "os")},
            "is_bot": pa.array(is_bot),
            "value": money(value, value < 0),
        }
        record = records(columns, {"properties": as_json})
        return pa.table({**columns, "properties": properties, "_record": record})

    def _properties(self, hits: Hits, person: Ints) -> tuple[pa.Array, pa.Array]:
        found = Properties(len(hits))

        def of(*names: str) -> Ints:
            return np.flatnonzero(np.isin(hits.step, [at(name) for name in names]))

        saw, saw_again = of("exposure"), of("exposure_again")
        variant = self.people.variant[person]
        both = np.concatenate([saw, saw_again])
        found.put("experiment", both, [EXPERIMENT], np.zeros(len(both), np.int64))
        found.put("variant", both, VARIANTS, np.concatenate([variant[saw], 1 - variant[saw_again]]))
        carts = of("add_to_cart")
        found.put("product_id", carts, [product.id for product in PRODUCTS], hits.product[carts])
        bought = of("purchase")
        order = hits.order[bought]
        found.put("order_id", bought, [f"O-{n:06d}" for n in self.orders.number[order]], np.arange(len(bought)))
        found.put("currency", bought, CURRENCIES, currency_of(self.orders.market[order]))
        found.put("coupon", bought, COUPONS, self.orders.coupon[order])
        signs = of("signup", "login")
        found.put("method", signs, _METHODS, person[signs] % len(_METHODS))
        used = np.flatnonzero(np.isin(hits.step, _FEATURES))
        names = [STEPS[n].name.partition(":")[2] for n in _FEATURES]
        found.put("feature", used, names, hits.step[used] - _FEATURES[0])
        planned = np.concatenate([used, of("project", "invite")])
        found.put("plan", planned, _PLANS, person[planned] % 7 % len(_PLANS))
        searched = of("search")
        found.put("query", searched, _QUERIES, hits.ts[searched] // 1000 % len(_QUERIES))
        return found.columns()


def agents_of(people: People, visits: Visits) -> Ints:
    """The agent used in each visit."""
    return np.where(visits.on_second, people.second[visits.person], people.agent[visits.person])
