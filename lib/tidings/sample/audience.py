"""The truth about the visits of the sample company and about its test, counted visit by visit."""

from __future__ import annotations

import numpy as np

from tidings.sample import channels, pages
from tidings.sample.company import MARKETS, Ints
from tidings.sample.hits import Hits
from tidings.sample.pages import STEPS, at
from tidings.sample.people import People
from tidings.sample.truth import Tally
from tidings.sample.visits import Visits

VARIANTS = ("control", "short-form")

_VIEW = np.array([step.event == pages.PAGEVIEW for step in STEPS])
_EVENT = np.array([pages.EVENTS.index(step.event) for step in STEPS])


def visitors_of(visits: Visits) -> Ints:
    """A number for each person and device: the identity of a visitor."""
    return 2 * visits.person + visits.on_second


def count_visits(people: People, visits: Visits, hits: Hits, tally: Tally) -> None:
    """The truth about a month's human hits, given visit by visit in time order."""
    is_view = _VIEW[hits.step]
    counted = np.bincount(hits.visit, minlength=len(visits))
    views = np.bincount(hits.visit[is_view], minlength=len(visits))
    is_visit = views > 0
    visitor = visitors_of(visits)
    for name, number in (
        ("people_hits", len(hits)),
        ("pageviews", views.sum()),
        ("sessions", (counted > 0).sum()),
        ("visits", is_visit.sum()),
        ("bounces", (views == 1).sum()),
        ("visit_milliseconds", _lengths(visits, hits)[is_visit].sum() // 1000),
    ):
        tally.add("events", name, number)
    tally.saw("events", "visitors", visitor[is_visit])
    tally.saw("events", "users", visits.person[hits.visit[hits.is_known]])
    tally.saw("events", "users_x_devices", visitor[hits.visit[hits.is_known]])
    tally.add_each("events", "people_hits_by_event", pages.EVENTS, _EVENT[hits.step])
    names = [traffic.channel for traffic in channels.traffic()]
    tally.add_each("events", "visits_by_channel", names, visits.origin[is_visit])
    countries = [market.country for market in MARKETS]
    tally.add_each("events", "visits_by_country", countries, people.market[visits.person[is_visit]])
    for step, other in (("exposure", 0), ("exposure_again", 1)):
        exposed = hits.visit[hits.step == at(step)]
        variant = people.variant[visits.person[exposed]]
        for n, name in enumerate(VARIANTS):
            tally.saw("checkout_test", f"exposed.{name}", visitor[exposed[abs(variant - other) == n]])
    tally.saw("checkout_test", "buyers", visitor[hits.visit[hits.step == at("purchase")]])


def _lengths(visits: Visits, hits: Hits) -> Ints:
    """Last hit minus first hit of each visit, in microseconds."""
    length = np.zeros(len(visits), np.int64)
    np.maximum.at(length, hits.visit, hits.ts - visits.start[hits.visit])
    return length


def count_test(tally: Tally) -> None:
    """The truth about the test: visitors with one variant only, and those of them who bought afterwards."""
    control, treated = (tally.seen("checkout_test", f"exposed.{name}") for name in VARIANTS)
    both = np.intersect1d(control, treated)
    buyers = tally.seen("checkout_test", "buyers")
    tally.note("checkout_test", "in_both", len(both))
    for name, exposed in zip(VARIANTS, (control, treated), strict=True):
        alone = np.setdiff1d(exposed, both)
        bought = len(np.intersect1d(alone, buyers))
        tally.note("checkout_test", name, {"visitors": len(alone), "buyers": bought})
