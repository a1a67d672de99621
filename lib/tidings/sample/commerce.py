"""Sales: orders placed in visits, orders of a marketplace, and the feed `orders` as it is reported."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tidings.sample.company import DAY, MARKETS, SECOND, Company, Ints, choose, instants
from tidings.sample.movements import (
    CANCELED,
    CHARGE,
    MARKET_ORDER,
    MARKETPLACE,
    PENDING,
    SUCCEEDED,
    WEB,
    Lines,
    both,
    table,
)
from tidings.sample.people import People
from tidings.sample.prices import PRODUCTS, currency_of, discounted, tax_inside, unit_prices
from tidings.sample.returns import attempts, returned, uncorrected
from tidings.sample.story import CAMPAIGNS, COUPON_SHARE, Story
from tidings.sample.visits import Visits

_LINES = (0.62, 0.25, 0.09, 0.04)
_MARKETPLACE_PER_DAY = 1.1
_CANCELED = 0.004
_STILL_PENDING = 0.25
_PENDING_DAYS = 2
_REFERRED = 0.06


@dataclass(frozen=True)
class Orders:
    """One element per order placed in a visit, in time order; the web subject shows them being placed.

    `visit` is the position among the visits, `ts` the charge (seconds after the purchase), `coupon` -1 for none.
    """

    visit: Ints
    number: Ints
    ts: Ints
    product: Ints
    amount: Ints
    market: Ints
    coupon: Ints
    status: Ints


@dataclass(frozen=True)
class Commerce:
    """All money movements, and the orders among them that were placed on the web."""

    company: Company
    story: Story
    orders: Orders
    lines: Lines

    def first_reported(self) -> Iterator[pa.Table]:
        """Rows as first landed, month by month: one day delivered twice, the last days still to be corrected."""
        late = self.story.get("late_restatement")
        for month in self.company.months:
            lines = self.lines.take(slice(*np.searchsorted(self.lines.ts, [month.start, month.end])))
            if late:
                lines = uncorrected(lines, late.holds(lines.ts))
            again = lines.take(self.story.during("duplicated_webhook", lines.ts))
            yield table(both(lines, again))

    def restated(self) -> pa.Table | None:
        """The corrected last days, if there are any."""
        late = self.story.get("late_restatement")
        return table(self.lines.take(late.holds(self.lines.ts))) if late else None


@dataclass(frozen=True)
class _Heads:
    prefix: Ints
    number: Ints
    ts: Ints
    person: Ints
    market: Ints
    coupon: Ints
    status: Ints
    origin: Ints
    referrer: Ints


def trade(company: Company, story: Story, people: People, visits: Visits) -> Commerce:
    """All sales and refunds before the company's end."""
    rng = company.rng("orders")
    visit = np.flatnonzero(visits.order > 0)
    ts = visits.checkout[visit] + rng.integers(1, 5, len(visit)) * SECOND
    in_order = np.argsort(ts, kind="stable")
    visit, ts = visit[in_order], ts[in_order]
    person = visits.person[visit]
    market = people.market[person]

    campaign = np.full(len(visit), -1)
    for n, name in enumerate(CAMPAIGNS):
        campaign[story.during(name, ts)] = n
    coupon = np.where(rng.random(len(visit)) < COUPON_SHARE, campaign, -1)
    is_last = ts >= company.end - _PENDING_DAYS * DAY
    status = np.where(rng.random(len(visit)) < _CANCELED, CANCELED, SUCCEEDED)
    status[is_last & (rng.random(len(visit)) < _STILL_PENDING)] = PENDING

    number = np.arange(1, len(visit) + 1)
    referrer = np.where(
        rng.random(len(visit)) < _REFERRED,
        person[(rng.random(len(visit)) * np.arange(len(visit))).astype(np.int64)],
        -1,
    )
    # A referrer is identified by the user's id, and nobody refers themselves.
    referrer[people.is_guest[np.maximum(referrer, 0)] | (referrer == person)] = -1
    head = _Heads(
        prefix=np.zeros(len(visit), np.int64),
        number=number,
        ts=ts,
        person=np.where(people.is_guest[person], -1, person),
        market=market,
        coupon=coupon,
        status=status,
        origin=np.full(len(visit), WEB),
        referrer=referrer,
    )
    sold = _lines(company, story, rng, head)
    first = sold.line == 1
    orders = Orders(visit, number, ts, sold.product[first], _sums(sold, number), market, coupon, status)
    charges = both(sold, _marketplace(company, story))
    back = returned(company, story, charges)
    lines = both(both(charges, back), attempts(company, sold.take(first)))
    lines = lines.take(lines.ts < company.end)
    return Commerce(company, story, orders, lines.take(np.lexsort((lines.line, lines.number, lines.prefix, lines.ts))))


def _lines(company: Company, story: Story, rng: np.random.Generator, head: _Heads) -> Lines:
    """The lines of each order: 1 to 4 different products, with the processor's fees."""
    count = len(head.number)
    sizes = 1 + choose(rng, _LINES, count)
    # Weighted draws without replacement: the smallest exponential waiting times win.
    keys = rng.exponential(1.0, (count, len(PRODUCTS))) / np.array([product.weight for product in PRODUCTS])
    ranked = np.argsort(keys, axis=1, kind="stable")
    line = _within(sizes)
    row = np.repeat(np.arange(count), sizes)
    product = ranked[row, line - 1]
    most = np.array([each.most for each in PRODUCTS])[product]
    quantity = np.where(rng.random(len(row)) < 0.7, 1, 1 + (rng.random(len(row)) * most).astype(np.int64))
    market, ts = head.market[row], head.ts[row]
    listed = unit_prices(company, story, ts, currency_of(market), product)
    unit = np.where(head.coupon[row] >= 0, discounted(listed), listed)
    amount = unit * quantity
    per_mille, fixed = np.where(head.origin[row] == MARKETPLACE, [[150], [0]], [[14], [25]])
    return Lines(
        prefix=head.prefix[row],
        number=head.number[row],
        line=line,
        ts=ts,
        person=head.person[row],
        market=market,
        product=product,
        quantity=quantity,
        unit=unit,
        amount=amount,
        tax=tax_inside(amount, market),
        fee=(amount * per_mille + 500) // 1000 + np.where(line == 1, fixed, 0),
        type=np.full(len(row), CHARGE),
        status=head.status[row],
        of_prefix=np.full(len(row), -1),
        of_number=np.full(len(row), -1),
        origin=head.origin[row],
        referrer=head.referrer[row],
    )


def _marketplace(company: Company, story: Story) -> Lines:
    """Orders of a marketplace, which reports nothing about the buyer and has no visit."""
    rng = company.rng("marketplace")
    rates = company.demand * _MARKETPLACE_PER_DAY * company.options.size
    day = np.repeat(np.arange(company.options.days), rng.poisson(rates))
    count = len(day)
    market = choose(rng, [each.share if each.currency in ("EUR", "GBP") else 0.0 for each in MARKETS], count)
    ts = np.sort(instants(company, rng, day, market, "awake"))
    nobody = np.full(count, -1)
    return _lines(
        company,
        story,
        rng,
        _Heads(
            prefix=np.full(count, MARKET_ORDER),
            number=np.arange(1, count + 1),
            ts=ts,
            person=nobody,
            market=market,
            coupon=nobody,
            status=np.full(count, SUCCEEDED),
            origin=np.full(count, MARKETPLACE),
            referrer=nobody,
        ),
    )


def _sums(lines: Lines, numbers: Ints) -> Ints:
    sums = np.zeros(len(numbers), np.int64)
    np.add.at(sums, lines.number - 1, lines.amount)
    return sums


def _within(sizes: Ints) -> Ints:
    """1 to n for each of the sizes n."""
    ends = np.cumsum(sizes)
    return np.arange(1, int(sizes.sum()) + 1) - np.repeat(ends - sizes, sizes)
