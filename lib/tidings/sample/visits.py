"""The visits of the sample company's people: when, on what, for what purpose; and the true hazards behind them.

Starts of one person's visits are at least four hours apart, and a visit (web.py) lasts less than three and a half
hours: visits are exactly the sessions of metric definitions 4.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from tidings.sample.channels import origins
from tidings.sample.company import SECOND, Bools, Company, Floats, Ints, Month, choose, instants
from tidings.sample.people import People, with_campaigns
from tidings.sample.story import Story

APART = 4 * 3600 * SECOND
CHECKOUT = (240 * SECOND, 1500 * SECOND)
"""Earliest and latest purchase after the start of a visit."""

REPEAT_DAYS = 30
_REPEAT_WITHIN = 28
_REPEAT_FIRST = 0.150
_REPEAT_FLOOR = 0.035
_REPEAT_DECAY = 0.80
_COHORT_GAIN = 0.012

_COMES_BACK = 0.24
_MORE_RETURNS = 0.45
_RETURN_DAYS = 18.0
_ON_SECOND = 0.4
_IN_APP = 0.75


@dataclass(frozen=True)
class Visits:
    """One element per visit in order of start (UTC microseconds).

    `person` is the index among the people; `on_second` means their second device; `order` is the customer's n-th order
    placed in the visit at `checkout`, 0 for none; `arrives` marks the person's first visit.
    """

    person: Ints
    start: Ints
    checkout: Ints
    origin: Ints
    order: Ints
    on_second: Bools
    arrives: Bools
    signs_up: Bools
    in_app: Bools

    def __len__(self) -> int:
        return len(self.person)

    def take(self, rows: Ints | Bools | slice) -> Visits:
        """Some of the visits."""
        return Visits(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    def of(self, month: Month) -> Visits:
        """Those that begin in a month."""
        return self.take(slice(*np.searchsorted(self.start, [month.start, month.end])))


def repeat_hazards(company: Company) -> Floats:
    """True chance that a customer buys again in the j-th 30 days after the first order, as a table month x j.

    Its rows are the months of the first order: later cohorts are a little more loyal.
    """
    longest = company.options.days // REPEAT_DAYS + 1
    age = np.arange(longest)
    course = _REPEAT_FLOOR + (_REPEAT_FIRST - _REPEAT_FLOOR) * _REPEAT_DECAY**age
    gain = 1 + _COHORT_GAIN * np.arange(len(company.months))
    return np.minimum(gain[:, None] * course[None, :], 1.0)


def plan(company: Company, story: Story, people: People) -> Visits:
    """All visits of all people that start before the company's end."""
    parts = []
    for number, month in enumerate(company.months):
        inside = slice(*np.searchsorted(people.day, [month.first, month.last + 1]))
        parts.append(_visits_of(company, story, people.take(np.arange(len(people))[inside]), number))
    whole = Visits(**{f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Visits)})
    return whole.take(np.argsort(whole.start, kind="stable"))


def _visits_of(company: Company, story: Story, people: People, month: int) -> Visits:
    rng = company.rng("visits", company.months[month].name)
    first = np.flatnonzero(people.order_day > people.day) if len(people) else np.empty(0, np.int64)
    first = first[people.is_customer[first]]
    later_signup = (people.signup_day > people.day) & (people.signup_day != people.order_day) & people.is_user
    repeats, repeat_day, nth = _repeats(company, rng, people)
    readers, reader_day = _returns(company, rng, people)
    users, user_day = _app_visits(company, rng, people)

    everyone = np.arange(len(people))
    signing = np.flatnonzero(later_signup)
    who = np.concatenate([everyone, signing, first, repeats, readers, users])
    day = np.concatenate(
        [people.day, people.signup_day[signing], people.order_day[first], repeat_day, reader_day, user_day]
    )
    purpose = np.repeat(np.arange(6), [len(x) for x in (everyone, signing, first, repeats, readers, users)])
    order = np.zeros(len(who), np.int64)
    order[purpose == 0] = people.order_day == people.day
    order[purpose == 2] = 1
    order[purpose == 3] = nth

    inside = day < company.options.days
    who, day, purpose, order = who[inside], day[inside], purpose[inside], order[inside]
    is_needed = purpose < 4
    in_app = (purpose == 5) & (rng.random(len(who)) < _IN_APP)
    start = np.empty(len(who), np.int64)
    for kind, rows in (("awake", is_needed), ("work", in_app), ("visit", ~is_needed & ~in_app)):
        start[rows] = instants(company, rng, day[rows], people.market[who[rows]], kind)
    checkout = start + rng.integers(CHECKOUT[0] // 1000, CHECKOUT[1] // 1000, len(who)) * 1000

    again = choose(rng, [o.again if not o.campaign else 0.0 for o in origins()], len(who))
    again = with_campaigns(story, rng, again, start)
    found = Visits(
        person=people.number[who],
        start=start,
        checkout=np.where(order > 0, checkout, 0),
        origin=np.where(purpose == 0, people.origin[who], np.where(in_app, 0, again)),
        order=order,
        on_second=(people.second[who] >= 0) & ~is_needed & (rng.random(len(who)) < _ON_SECOND),
        arrives=purpose == 0,
        signs_up=(day == people.signup_day[who]) & is_needed,
        in_app=in_app,
    )
    # A purchase is in the data completely or not at all: its order follows within seconds.
    ends = np.where(order > 0, start + CHECKOUT[1] + 60 * SECOND, start + 1)
    return found.take(_kept(found, is_needed) & (ends <= company.end))


def _repeats(company: Company, rng: np.random.Generator, people: People) -> tuple[Ints, Ints, Ints]:
    """Later orders of the customers with an account: who, on which day, and its ordinal."""
    customers = np.flatnonzero(people.is_customer & people.is_user)
    hazards = repeat_hazards(company)
    began = people.order_day[customers]
    cohort = np.searchsorted([month.last for month in company.months], np.minimum(began, company.options.days - 1))
    buys = rng.random((len(customers), hazards.shape[1])) < hazards[cohort]
    within = rng.integers(1, _REPEAT_WITHIN + 1, buys.shape)
    row, interval = np.nonzero(buys)
    nth = (np.cumsum(buys, axis=1) + 1)[row, interval]
    return customers[row], began[row] + interval * REPEAT_DAYS + within[row, interval], nth


def _returns(company: Company, rng: np.random.Generator, people: People) -> tuple[Ints, Ints]:
    """Visits of returning readers: who and on which day."""
    comes = np.flatnonzero(rng.random(len(people)) < _COMES_BACK)
    who = np.repeat(comes, rng.geometric(_MORE_RETURNS, len(comes)))
    day = people.day[who] + 1 + rng.exponential(_RETURN_DAYS, len(who)).astype(np.int64)
    return _thinned(company, rng, who, day)


def _app_visits(company: Company, rng: np.random.Generator, people: People) -> tuple[Ints, Ints]:
    """Visits of users while they are users: who and on which day."""
    users = np.flatnonzero(people.is_user)
    stay = np.minimum(people.leave_day[users], company.options.days) - people.signup_day[users]
    stay = np.maximum(stay, 0)
    busiest = company.season.max()
    who = np.repeat(users, rng.poisson(people.per_week[users] * stay / 7 * busiest))
    length = np.minimum(people.leave_day[who], company.options.days) - people.signup_day[who]
    day = people.signup_day[who] + 1 + (rng.random(len(who)) * length).astype(np.int64)
    return _thinned(company, rng, who, day)


def _thinned(company: Company, rng: np.random.Generator, who: Ints, day: Ints) -> tuple[Ints, Ints]:
    """Drop visits by weekday and season, and those after the end."""
    inside = day < company.options.days
    who, day = who[inside], day[inside]
    kept = rng.random(len(who)) * company.season.max() < company.season[day]
    return who[kept], day[kept]


def _kept(visits: Visits, is_needed: Bools) -> Bools:
    """All needed visits (they are days apart), and those of the others that start long before and after any of them."""
    order = np.lexsort((visits.start, visits.person))
    person, start = visits.person[order], visits.start[order]
    close = (person[1:] == person[:-1]) & (start[1:] - start[:-1] < APART)
    crowded = np.zeros(len(order), bool)
    crowded[1:] |= close
    crowded[:-1] |= close
    kept = np.empty(len(order), bool)
    kept[order] = is_needed[order] | ~crowded
    return kept
