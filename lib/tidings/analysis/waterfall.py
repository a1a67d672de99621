"""What changed in net revenue between two windows, in parts that add up to the change exactly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal, localcontext

import ibis
import ibis.expr.types as ir

_SCALE = Decimal("0.0001")
_DIGITS = 60
NEW, RETURNING, UNKNOWN = "new customers", "returning customers", "unknown customers"
CUSTOMERS = (NEW, RETURNING, UNKNOWN)


@dataclass(frozen=True)
class Sales:
    """Orders and gross revenue of a group of customers in one window."""

    orders: int = 0
    gross: Decimal = Decimal(0)


@dataclass(frozen=True)
class Side:
    """One window: sales by group of customers, refunds and chargebacks."""

    sales: Mapping[str, Sales] = field(default_factory=dict)
    refunds: Decimal = Decimal(0)
    chargebacks: Decimal = Decimal(0)

    @property
    def net(self) -> Decimal:
        """Net revenue (7)."""
        with localcontext(prec=_DIGITS):
            gross = sum((group.gross for group in self.sales.values()), Decimal(0))
            return gross - self.refunds - self.chargebacks


@dataclass(frozen=True)
class Part:
    """One step of the waterfall; `customers` is empty for parts that are not split by them."""

    kind: str
    customers: str
    amount: Decimal


def waterfall(before: Side, now: Side) -> tuple[Part, ...]:
    """The parts of now.net - before.net; their sum is that difference exactly.

    Per group of customers, with n orders of gross revenue g (so a = g / n per order):

    * volume = (n1 - n0) x a0: the change in the number of orders at the old value per order, to 4 decimals. Without
      orders before there is no old value, and all of g1 is volume.
    * price and mix = (g1 - g0) - volume, that is n1 x (a1 - a0): higher or lower prices, larger or smaller orders,
      other products, and the rounding of volume.

    And not by group, with the sign of a loss: refunds = r0 - r1, chargebacks = c0 - c1.
    Groups without orders in both windows have no parts.
    """
    parts = []
    with localcontext(prec=_DIGITS):
        for group in (name for name in CUSTOMERS if name in before.sales or name in now.sales):
            old, new = before.sales.get(group, Sales()), now.sales.get(group, Sales())
            change = new.gross - old.gross
            volume = change
            if old.orders and new.orders:
                exact = (new.orders - old.orders) * old.gross / old.orders
                volume = exact.quantize(_SCALE, rounding=ROUND_HALF_EVEN)
            parts += [Part("volume", group, volume), Part("price and mix", group, change - volume)]
        parts.append(Part("refunds", "", before.refunds - now.refunds))
        parts.append(Part("chargebacks", "", before.chargebacks - now.chargebacks))
    return tuple(parts)


def currency_effect(
    before: Mapping[str, Decimal], early: Mapping[str, Decimal], late: Mapping[str, Decimal]
) -> Decimal:
    """What rates alone make of the amounts before: the sum over currencies of amount x (rate now - rate before).

    With the change at the rates now it adds up to now at the rates now minus before at the rates before, exactly.
    Currencies that lack one of the rates are left out.
    """
    with localcontext(prec=_DIGITS):
        known = [code for code in before if code in early and code in late]
        return sum((before[code] * (late[code] - early[code]) for code in known), Decimal(0))


def sales_by_customers(orders: ir.Table) -> ir.Table:
    """Orders and gross revenue of one window by group of customers: customers, orders, gross.

    `orders` are the window's, with customer_id, is_first, and gross in one currency. A customer is new when the first
    order ever is in the window, with all orders there; returning when it was before; unknown without an id.
    """
    known = orders.customer_id.nullif("").notnull()
    first = orders.is_first.fill_null(False).cast("int64").max().over(ibis.window(group_by="customer_id"))
    group = ibis.cases((~known, UNKNOWN), (first == 1, NEW), else_=RETURNING)
    grouped = orders.mutate(customers=group)
    return grouped.group_by("customers").aggregate(orders=grouped.count(), gross=grouped.gross.sum())
