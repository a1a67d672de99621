"""Web vitals of the sample company's pages, from a sample of page views: feed `vitals`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tidings.sample import devices
from tidings.sample.company import MARKETS, Company, Floats, Ints, Month, choose, instants
from tidings.sample.rows import numbered, pick, records, timestamps
from tidings.sample.story import Story
from tidings.sample.truth import Tally

VIEWS_PER_DAY = 62.0
"""Page views measured on an average day at the end, at size 1."""

# Median on a computer, factor on a phone, log-normal sigma, share of the page views with a sample.
METRICS = {
    "TTFB": (310.0, 1.25, 0.45, 1.0),
    "FCP": (980.0, 1.35, 0.38, 1.0),
    "LCP": (1500.0, 1.35, 0.36, 1.0),
    "INP": (85.0, 1.7, 0.55, 0.7),
    "CLS": (0.030, 1.3, 0.75, 1.0),
}
# Path, how often it is measured, how slow it is.
PATHS = (
    ("/", 20.0, 0.9),
    ("/blog/how-to-plan-a-quarter", 12.0, 0.85),
    ("/blog/the-one-page-budget", 9.0, 0.85),
    ("/docs/start", 7.0, 0.75),
    ("/features", 7.0, 1.1),
    ("/pricing", 10.0, 0.9),
    ("/shop", 14.0, 1.15),
    ("/shop/tpl-plan", 9.0, 1.2),
    ("/shop/tpl-budget", 7.0, 1.2),
    ("/shop/mug", 6.0, 1.3),
    ("/checkout", 5.0, 1.0),
)
SLOWED = "/shop/"


@dataclass(frozen=True)
class Vitals:
    """The samples, month by month."""

    company: Company
    story: Story

    def rows(self, tally: Tally) -> Iterator[pa.Table]:
        """Samples month by month, several per measured page view; their number is added to the tally."""
        tally.note("vitals", "median_on_desktop", {name: median for name, (median, *_) in METRICS.items()})
        for month in self.company.months:
            yield self._month(month, tally)

    def _month(self, month: Month, tally: Tally) -> pa.Table:
        rng = self.company.rng("vitals", month.name)
        days = np.arange(month.first, month.last + 1)
        day = np.repeat(days, rng.poisson(self.company.demand[days] * VIEWS_PER_DAY * self.company.options.size))
        market = choose(rng, [each.share for each in MARKETS], len(day))
        ts = instants(self.company, rng, day, market, "visit")
        order = np.argsort(ts, kind="stable")
        order = order[ts[order] < self.company.end]
        ts, market = ts[order], market[order]
        path = choose(rng, [weight for _, weight, _ in PATHS], len(ts))
        agent = choose(rng, devices.people().weights, len(ts))

        metric = np.tile(np.arange(len(METRICS)), len(ts))
        view = np.repeat(np.arange(len(ts)), len(METRICS))
        there = rng.random(len(view)) < np.array([share for *_, share in METRICS.values()])[metric]
        metric, view = metric[there], view[there]
        value = self._values(rng, metric, ts[view], path[view], agent[view])
        names = list(METRICS)
        tally.add("vitals", "samples", len(view))
        tally.add_each("vitals", "samples_by_metric", names, metric)
        columns = {
            "sample_id": numbered(f"s{month.name}-", np.arange(1, len(view) + 1), 7),
            "ts": timestamps(ts[view]),
            "metric": pick(names, metric),
            "value": pa.array(value),
            "path": pick([each for each, _, _ in PATHS], path[view]),
            "device": pick([each.device for each in devices.people().agents], agent[view]),
            "country": pick([each.country for each in MARKETS], market[view]),
        }
        return pa.table({**columns, "_record": records(columns)})

    def _values(self, rng: np.random.Generator, metric: Ints, ts: Ints, path: Ints, agent: Ints) -> Floats:
        median, on_phone, sigma, _ = (np.array(each)[metric] for each in zip(*METRICS.values(), strict=True))
        is_phone = np.isin(agent, devices.people().having("mobile"))
        value = median * np.where(is_phone, on_phone, 1.0) * np.exp(sigma * rng.standard_normal(len(metric)))
        value *= np.array([heaviness for _, _, heaviness in PATHS])[path]
        if "vitals_regression" in self.story:
            slowed = np.array([name.startswith(SLOWED) for name, _, _ in PATHS])[path]
            slowed &= (metric == list(METRICS).index("LCP")) & self.story.during("vitals_regression", ts)
            value[slowed] *= self.story["vitals_regression"].effect
        return np.where(median < 1, np.round(value, 4), np.round(value, 1))
