"""Hits: what people do in their visits, second by second, and what bots request."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from tidings.sample import channels, devices, pages
from tidings.sample.commerce import Orders
from tidings.sample.company import SECOND, SITE, Bools, Company, Ints, Month, choose
from tidings.sample.pages import NOTHING, STEPS, at
from tidings.sample.people import People
from tidings.sample.prices import PRODUCTS
from tidings.sample.story import Story
from tidings.sample.visits import Visits

BOT_SHARE = 0.065
"""Bot hits per hit of a person on an ordinary day."""

PAUSE = 1800 * SECOND

_BOTS_PER_AGENT = 6
_GAP_SIGMA = 0.9
_LONGEST_GAP = 480
_LONG_PAUSE = 0.012
_EXACTLY_AT_THE_LIMIT = 0.25
_LOGS_IN = 0.22
_STAYS_UNKNOWN = 0.08
_NEVER = 10**6
_LANDINGS = ("home", "content", "shop", "product", "app")
_AFTER_PRODUCT = ("add_to_cart", "cart")
_FIRST_PRODUCT = at(f"product:{PRODUCTS[0].id}")


@dataclass(frozen=True)
class Hits:
    """Hits in time order; `visit` is the index among the month's visits, -1 for bots; `agent` and `visitor` are the
    bots' own, `product` the last one viewed, `order` the index of the order of a purchase, else -1.
    """

    ts: Ints
    visit: Ints
    step: Ints
    is_first: Bools
    is_known: Bools
    agent: Ints
    visitor: Ints
    market: Ints
    product: Ints
    order: Ints

    def __len__(self) -> int:
        return len(self.ts)

    def take(self, rows: Ints | Bools) -> Hits:
        """Some of the hits."""
        return Hits(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


def merged(one: Hits, other: Hits) -> Hits:
    """The hits of both in order of time."""
    whole = Hits(
        **{field.name: np.concatenate([getattr(one, field.name), getattr(other, field.name)]) for field in fields(Hits)}
    )
    return whole.take(np.argsort(whole.ts, kind="stable"))


def people_hits(
    rng: np.random.Generator,
    company: Company,
    people: People,
    visits: Visits,
    orders: Orders,
    placed: Ints,
    signed_up: Ints,
) -> Hits:
    """The hits of people in a month's visits.

    `placed` is the order placed in each visit, -1 for none; `signed_up` the instant at which each person signed up.
    """
    steps, known_from = _steps(rng, people, visits, orders, placed, signed_up)
    there = steps != NOTHING
    visit, column = np.nonzero(there)
    step = steps[there]
    offset = _offsets(rng, visits, visit, step)
    is_purchase = step == at("purchase")
    starts = np.r_[True, visit[1:] != visit[:-1]] if len(visit) else np.empty(0, bool)
    hits = Hits(
        ts=visits.start[visit] + offset,
        visit=visit,
        step=step,
        is_first=starts,
        is_known=column >= known_from[visit],
        agent=np.full(len(visit), -1),
        visitor=np.full(len(visit), -1),
        market=people.market[visits.person[visit]],
        product=_last_product(step),
        order=np.where(is_purchase, placed[visit], -1),
    )
    return hits.take(hits.ts < company.end)


def bot_hits(company: Company, story: Story, month: Month, people_hits: int) -> Hits:
    """The bot hits of a month, in proportion to those of people."""
    rng = company.rng("bots", month.name)
    days = np.arange(month.first, month.last + 1)
    rates = np.full(len(days), people_hits * BOT_SHARE / len(days))
    if "scraper" in story:
        start = company.start + days * 86_400 * SECOND
        rates = np.where(story.during("scraper", start), rates * story["scraper"].effect, rates)
    day = np.repeat(days, rng.poisson(rates))
    count = len(day)
    ts = company.start + day * 86_400 * SECOND + rng.integers(0, 86_400_000, count) * 1000
    agent = choose(rng, devices.bots().weights, count)
    agent[story.during("scraper", ts)] = len(devices.bots().agents) - 2
    views = [n for n, step in enumerate(STEPS) if step.event == pages.PAGEVIEW and step.host == SITE]
    return Hits(
        ts=ts,
        visit=np.full(count, -1),
        step=np.array(views)[rng.integers(0, len(views), count)],
        is_first=np.zeros(count, bool),
        is_known=np.zeros(count, bool),
        agent=agent,
        visitor=agent * _BOTS_PER_AGENT + rng.integers(0, _BOTS_PER_AGENT, count),
        market=np.where(rng.random(count) < 0.7, 1, 0),
        product=np.full(count, -1),
        order=np.full(count, -1),
    )


def _steps(
    rng: np.random.Generator, people: People, visits: Visits, orders: Orders, placed: Ints, signed_up: Ints
) -> tuple[Ints, Ints]:
    """The steps of each visit, a table visit x column, and from which column on the user is known."""
    count = len(visits)
    landings = np.array([_LANDINGS.index(o.landing) for o in channels.origins()])[visits.origin]
    landings[visits.in_app] = _LANDINGS.index("app")
    walked = np.full((count, pages.MOST), NOTHING)
    for n, landing in enumerate(_LANDINGS):
        rows = np.flatnonzero(landings == n)
        walked[rows] = pages.walk(rng, landing, len(rows))
    acts = (visits.order > 0) | visits.signs_up
    short = np.full_like(walked, NOTHING)
    short[:, :3] = pages.without_buying(walked, 3)
    walked = np.where(acts[:, None], short, walked)

    nothing = np.full(count, NOTHING)
    variant = people.variant[visits.person]
    exposed = np.where(visits.arrives & (variant >= 0), at("exposure"), nothing)
    both = np.where(visits.arrives & people.in_both[visits.person], at("exposure_again"), nothing)
    was_user = visits.start > signed_up[visits.person]
    draw = rng.random(count)
    unknown = was_user & ~visits.in_app & (visits.order == 0) & (draw < _STAYS_UNKNOWN)
    logs_in = was_user & ~unknown & (draw < _STAYS_UNKNOWN + _LOGS_IN)
    login = np.where(logs_in, at("login"), nothing)

    product = nothing.copy()
    buys = placed >= 0
    bought = orders.product[placed[buys]]
    product[buys] = np.array([at(f"product:{each.id}") for each in PRODUCTS])[bought]
    on_order = [np.where(buys, at(name), nothing) for name in _AFTER_PRODUCT]
    signing = [np.where(visits.signs_up, at(name), nothing) for name in ("signup_page", "signup")]
    welcome = [np.where(visits.signs_up & ~buys, at(name), nothing) for name in ("welcome", "app:dashboard")]
    paying = [np.where(buys, at(name), nothing) for name in ("checkout", "checkout_page", "purchase", "thanks")]
    head = [walked[:, 0], exposed, both, login, *walked[:, 1:].T]
    steps = np.stack([*head, product, *on_order, *signing, *paying, *welcome], axis=1)

    known_from = np.full(count, _NEVER)
    known_from[was_user & ~unknown] = 0
    known_from[logs_in] = 3
    known_from[visits.signs_up] = len(head) + 1 + len(on_order) + 1
    return steps, known_from


def _offsets(rng: np.random.Generator, visits: Visits, visit: Ints, step: Ints) -> Ints:
    """Time of each hit since the start of its visit, in whole milliseconds."""
    if not len(visit):
        return visit
    median = np.array([each.seconds for each in STEPS])
    after = np.minimum(median[step] * np.exp(rng.normal(0.0, _GAP_SIGMA, len(step))), _LONGEST_GAP)
    gap = np.maximum((np.r_[0.0, after[:-1]] * 1000).astype(np.int64), 1) * 1000
    starts = np.r_[True, visit[1:] != visit[:-1]]
    # A reader who leaves the tab open for a while: at most once in a visit, and never for longer than a pause.
    second = np.flatnonzero(np.r_[False, starts[:-1]] & ~starts)
    paused = second[rng.random(len(second)) < _LONG_PAUSE]
    length = rng.integers(900_000, 1_800_001, len(paused)) * 1000
    gap[paused] = np.where(rng.random(len(paused)) < _EXACTLY_AT_THE_LIMIT, PAUSE, length)
    total = np.cumsum(np.where(starts, 0, gap))
    offset: Ints = total - np.repeat(total[starts], np.diff(np.r_[np.flatnonzero(starts), len(visit)]))

    # Visits with a purchase are stretched so that it falls on the instant from which its order was made.
    purchase = np.flatnonzero(step == at("purchase"))
    target = np.full(len(visits), 0)
    target[visit[purchase]] = visits.checkout[visit[purchase]] - visits.start[visit[purchase]]
    had = np.full(len(visits), 1)
    had[visit[purchase]] = offset[purchase]
    is_before = (target[visit] > 0) & (step != at("thanks"))
    stretched = offset * (target / had)[visit] // 1000 * 1000
    offset = np.where(is_before, stretched.astype(np.int64), offset)
    offset[purchase] = target[visit[purchase]]
    thanks = np.flatnonzero(step == at("thanks"))
    offset[thanks] = target[visit[thanks]] + 1_500_000
    return offset


def _last_product(step: Ints) -> Ints:
    """The last product page viewed up to each step; steps of one visit are consecutive."""
    product = step - _FIRST_PRODUCT
    is_product = (product >= 0) & (product < len(PRODUCTS))
    latest = np.maximum.accumulate(np.where(is_product, np.arange(len(step)), 0))
    return np.where(is_product[latest], product[latest], -1) if len(step) else step
