"""The people of the sample company: who arrives when, from where, on what device, and what becomes of them.

Further subjects (subscriptions, campaigns, experiments) build on these people and not on each other.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from tidings.sample import devices
from tidings.sample.channels import origins
from tidings.sample.company import DAY, MARKETS, Bools, Company, Floats, Ints, Month, choose
from tidings.sample.story import CAMPAIGNS, Story

PEOPLE_PER_DAY = 168.0
"""Newcomers on an average day at the end, at size 1."""

BUY = 0.045
"""Chance that a newcomer ever buys, before channel, device, campaign and test."""

GUESTS = 0.10
USERS = 0.05
LEAVE_PER_WEEK = 0.035
"""True hazard: chance per week that a user stops coming, however long they have been a user."""

_MOBILE_BUYS = 0.8
_BUY_AT_ONCE = 0.45
_SIGN_UP_AT_ONCE = 0.6
_CAMPAIGN_SHARE = 0.35
_IN_BOTH = 0.01
_SECOND_DEVICE = 0.35
_VISITS_PER_WEEK = 1.6
_RATE_SHAPE = 2.0
_BUYERS_USE = 0.4
_NO_DAY = 10**6


@dataclass(frozen=True)
class People:
    """One element per person, in order of arrival; days are counted from the company's first.

    `signup_day` and `order_day` (first order) are far in the future for those who never do; `variant` is 0 or 1 for
    those who saw the checkout test (both if `in_both`), else -1; `second` is a second agent or -1; `per_week` are a
    user's visits to the app until `leave_day`.
    """

    number: Ints
    day: Ints
    market: Ints
    agent: Ints
    second: Ints
    origin: Ints
    signup_day: Ints
    order_day: Ints
    is_guest: Bools
    leave_day: Ints
    per_week: Floats
    variant: Ints
    in_both: Bools

    def __len__(self) -> int:
        return len(self.number)

    @property
    def is_user(self) -> Bools:
        """True for those who ever sign up; the user's id is made of the person's number."""
        return self.signup_day < _NO_DAY

    @property
    def is_customer(self) -> Bools:
        """True for those who ever buy."""
        return self.order_day < _NO_DAY

    def take(self, rows: Ints) -> People:
        """Some of the people."""
        return People(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


def meet(company: Company, story: Story) -> People:
    """All people, month by month."""
    parts, met = [], 0
    for month in company.months:
        parts.append(_newcomers(company, story, month, met))
        met += len(parts[-1])
    return People(**{f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(People)})


def _newcomers(company: Company, story: Story, month: Month, met: int) -> People:
    rng = company.rng("people", month.name)
    days = np.arange(month.first, month.last + 1)
    usual = company.demand[days] * PEOPLE_PER_DAY * company.options.size
    ordinary = np.repeat(days, rng.poisson(usual))
    viral = np.repeat(days, rng.poisson(usual * _on_days(company, story, "viral_post", days)))
    day = np.concatenate([ordinary, viral])
    origin = np.concatenate([_origins(company, story, rng, month, ordinary), np.full(len(viral), _hacker_news())])
    in_order = np.argsort(day, kind="stable")
    day, origin = day[in_order], origin[in_order]
    count = len(day)
    agent = choose(rng, devices.people().weights, count)
    in_test = story.during("checkout_test", company.start + day * DAY)
    variant = np.where(in_test, rng.integers(0, 2, count), -1)

    chance = BUY * np.array([each.converts for each in origins()])[origin]
    chance *= np.where(np.isin(agent, devices.people().having("mobile")), _MOBILE_BUYS, 1.0)
    for name in (*CAMPAIGNS, "checkout_test"):
        if name in story:
            lifted = story.during(name, company.start + day * DAY)
            lifted &= (variant == 1) if name == "checkout_test" else True
            chance *= np.where(lifted, story[name].effect, 1.0)
    buys = rng.random(count) < chance
    is_guest = buys & (rng.random(count) < GUESTS)
    order_day = np.where(buys, day + _delay(rng, count, _BUY_AT_ONCE, 14), _NO_DAY)
    signs_up = (rng.random(count) < USERS) | (buys & ~is_guest)
    signup_day = np.minimum(day + _delay(rng, count, _SIGN_UP_AT_ONCE, 10), order_day)
    signup_day = np.where(signs_up & ~is_guest, signup_day, _NO_DAY)
    leave_day = signup_day + 7 * rng.geometric(LEAVE_PER_WEEK, count)
    per_week = rng.gamma(_RATE_SHAPE, _VISITS_PER_WEEK / _RATE_SHAPE, count) * np.where(buys, _BUYERS_USE, 1.0)
    has_second = (signup_day < _NO_DAY) & (rng.random(count) < _SECOND_DEVICE)
    return People(
        number=met + np.arange(count),
        day=day,
        market=choose(rng, [market.share for market in MARKETS], count),
        agent=agent,
        second=np.where(has_second, _other_agent(rng, agent), -1),
        origin=origin,
        signup_day=signup_day,
        order_day=order_day,
        is_guest=is_guest,
        leave_day=leave_day,
        per_week=per_week,
        variant=variant,
        in_both=in_test & (rng.random(count) < _IN_BOTH),
    )


def _on_days(company: Company, story: Story, name: str, days: Ints) -> Floats:
    """The effect of a planted event on its days, 0 on others."""
    is_on = story.during(name, company.start + days * DAY)
    return np.where(is_on, story[name].effect if name in story else 0.0, 0.0)


def _hacker_news() -> int:
    return next(n for n, origin in enumerate(origins()) if "ycombinator" in (origin.referrer or ""))


def _origins(company: Company, story: Story, rng: np.random.Generator, month: Month, day: Ints) -> Ints:
    progress = min(1.0, max(0.0, 1 - (company.options.days - month.first) / 730))
    weights = [0.0 if o.campaign else o.before + (o.now - o.before) * progress for o in origins()]
    return with_campaigns(story, rng, choose(rng, weights, len(day)), company.start + day * DAY)


def with_campaigns(story: Story, rng: np.random.Generator, origin: Ints, instants: Ints) -> Ints:
    """Origins, some of them replaced by those of the campaign that runs at the instant."""
    origin = origin.copy()
    answers = rng.random(len(origin)) < _CAMPAIGN_SHARE
    for name in CAMPAIGNS:
        reached = np.flatnonzero(answers & story.during(name, instants))
        weights = [o.now if o.campaign == name else 0.0 for o in origins()]
        origin[reached] = choose(rng, weights, len(reached))
    return origin


def _delay(rng: np.random.Generator, count: int, at_once: float, longest: int) -> Ints:
    """Days until somebody does something: none, or 1 to `longest`, earlier ones being more likely."""
    later = 1 + (longest * rng.random(count) ** 2).astype(np.int64)
    return np.where(rng.random(count) < at_once, 0, later)


def _other_agent(rng: np.random.Generator, agent: Ints) -> Ints:
    """A phone for people who arrived on a computer or tablet, a computer for those who arrived on a phone."""
    fleet = devices.people()
    phones, computers = fleet.having("mobile"), fleet.having("desktop")
    phone = np.array(phones)[choose(rng, [fleet.weights[n] for n in phones], len(agent))]
    computer = np.array(computers)[choose(rng, [fleet.weights[n] for n in computers], len(agent))]
    return np.where(np.isin(agent, phones), computer, phone)
