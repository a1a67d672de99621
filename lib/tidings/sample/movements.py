"""Lines of money movements, and their conversion to rows of the feed `orders`."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tidings.sample.company import MARKETS, Bools, Ints
from tidings.sample.prices import CURRENCIES, PRODUCTS, currency_of
from tidings.sample.rows import decimals, money, numbered, pick, records, timestamps

MOST_LINES = 4
CHARGE, REFUND, CHARGEBACK = range(3)
TYPES = ("charge", "refund", "chargeback")
SUCCEEDED, PENDING, FAILED, CANCELED = range(4)
STATUSES = ("succeeded", "pending", "failed", "canceled")
PREFIXES = ("O-", "R-", "C-", "A-", "M-")
ATTEMPT, MARKET_ORDER = 3, 4
WEB, MARKETPLACE = 0, 1
ORIGINS = ("web", "marketplace")


@dataclass(frozen=True)
class Lines:
    """Lines of money movements; money in cents. `prefix` and `number` form the document's number, `of_*` that of
    the refunded one (-1 for none); `person` and `referrer` are -1 if nobody is known.
    """

    prefix: Ints
    number: Ints
    line: Ints
    ts: Ints
    person: Ints
    market: Ints
    product: Ints
    quantity: Ints
    unit: Ints
    amount: Ints
    tax: Ints
    fee: Ints
    type: Ints
    status: Ints
    of_prefix: Ints
    of_number: Ints
    origin: Ints
    referrer: Ints

    def __len__(self) -> int:
        return len(self.number)

    def take(self, rows: Ints | Bools | slice) -> Lines:
        """Some of the lines."""
        return Lines(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


def both(one: Lines, other: Lines) -> Lines:
    """The lines of two, one after the other."""
    return Lines(
        **{
            field.name: np.concatenate([getattr(one, field.name), getattr(other, field.name)])
            for field in fields(Lines)
        }
    )


def table(lines: Lines) -> pa.Table:
    """Rows of the feed `orders`, with the raw record."""
    countries, product = [market.country for market in MARKETS], lines.product
    columns = {
        "order_id": _document(lines.prefix, lines.number),
        "ts": timestamps(lines.ts),
        "line_id": pick([str(n) for n in range(MOST_LINES + 1)], lines.line),
        "customer_id": numbered("u", lines.person, 6, lines.person < 0),
        "product_id": pick([each.id for each in PRODUCTS], product),
        "product": pick([each.name for each in PRODUCTS], product),
        "category": pick([each.category for each in PRODUCTS], product),
        "quantity": decimals(lines.quantity * 10_000, 4),
        "unit_price": money(lines.unit),
        "amount": money(lines.amount),
        "tax": money(lines.tax),
        "fee": money(lines.fee),
        "currency": pick(CURRENCIES, currency_of(lines.market)),
        "type": pick(TYPES, lines.type),
        "status": pick(STATUSES, lines.status),
        "refund_of": _document(lines.of_prefix, lines.of_number),
        "origin": pick(ORIGINS, lines.origin),
        "referrer_id": numbered("u", lines.referrer, 6, lines.referrer < 0),
        "country": pick(countries, lines.market),
    }
    return pa.table({**columns, "_record": records(columns)})


def _document(prefix: Ints, number: Ints) -> pa.Array:
    """Numbers of documents such as `O-000042`; null if there is none."""
    start = pick(PREFIXES, prefix).cast(pa.string())
    return pc.binary_join_element_wise(start, numbered("", number, 6), "")
