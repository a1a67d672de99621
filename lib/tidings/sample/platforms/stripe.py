"""The sample company's sales on the web: subscriptions paid by card, and the resulting balance transactions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

import numpy as np

from tidings.sample.apps import PLANS, Apps, Plan, Platform, Rows, midnight
from tidings.sample.company import DAY, SECOND, choose, instant
from tidings.window import naive_utc

_DAYS: Final = 365
_PER_DAY: Final = 4.0
_TRIAL_DAYS: Final = 7
_ON_TRIAL: Final = 0.4
_CONVERTED: Final = 0.6
_LEAVING: Final = {"pro.month": 0.0035, "pro.year": 0.0009}
_REFUNDED: Final = 0.012
_UNPAID: Final = 0.25
_MONTH_DAYS: Final = 30
_SHARE: Final = Decimal("0.015")
_FIXED: Final = Decimal("0.25")
_TAX: Final = Decimal("0.19")
_CENT: Final = Decimal("0.01")
_PLACES: Final = Decimal("0.00000001")
_PENDING_DAYS: Final = 3
_PAYOUT_WEEKDAY: Final = 0
_REASONS: Final = ("requested_by_customer", "duplicate", None)


def reported(apps: Apps) -> Mapping[str, Rows]:
    """Subscriptions that started in the last year, their invoices, payments, fees, refunds, and the weekly payouts.

    Levels are those of the day after the last, when a pull would count them.
    """
    books = _Books(apps)
    rng = apps.company.rng("apps", "stripe")
    starts = apps.drawn("web subscriptions", _PER_DAY)
    for day in range(max(0, len(apps.days) - _DAYS), len(apps.days)):
        for _ in range(int(starts[day])):
            _subscribe(books, rng, day)
    books.pay_out()
    return {
        "stripe_balance": books.balance,
        "stripe_refunds": books.refunds,
        "stripe_subscriptions": books.subscriptions,
        "stripe_levels": books.levels(),
        "stripe_invoices": books.invoices,
    }


@dataclass(frozen=True)
class _Life:
    """A subscription's days, counted from the company's first; those after its last are still to come."""

    plan: Plan
    start: int
    trial_end: int | None
    cancelled: int
    ended: int
    second: int

    @property
    def began(self) -> int:
        return self.start if self.trial_end is None else self.trial_end


def _subscribe(books: _Books, rng: np.random.Generator, day: int) -> None:
    plan = PLANS[int(choose(rng, [plan.share for plan in PLANS], 1)[0])]
    period = _MONTH_DAYS if plan.months == 1 else _DAYS
    trial_end = day + _TRIAL_DAYS if rng.random() < _ON_TRIAL else None
    if trial_end is not None and rng.random() >= _CONVERTED:
        life = _Life(plan, day, trial_end, trial_end, trial_end, int(rng.integers(0, 86_400)))
        reason = "cancellation_requested"
    else:
        began = day if trial_end is None else trial_end
        left = began + int(rng.geometric(_LEAVING[plan.id]))
        ended = began + -(-(left - began) // period) * period
        is_unpaid = rng.random() < _UNPAID
        cancelled = ended if is_unpaid else left
        life = _Life(plan, day, trial_end, cancelled, ended, int(rng.integers(0, 86_400)))
        reason = "payment_failed" if is_unpaid else "cancellation_requested"
    number = books.subscribe(life, reason)
    for paid in range(life.began, min(books.last + 1, life.ended), period):
        charge = books.charge(life, number, paid)
        if rng.random() < _REFUNDED and paid + 2 <= books.last:
            books.refund(life, charge, paid + 2, _REASONS[int(rng.integers(len(_REASONS)))])


class _Books:
    """Stripe's records, in the columns of its feeds."""

    def __init__(self, apps: Apps) -> None:
        self.balance: list[dict[str, Any]] = []
        self.refunds: list[dict[str, Any]] = []
        self.subscriptions: list[dict[str, Any]] = []
        self.invoices: list[dict[str, Any]] = []
        self.last = len(apps.days) - 1
        self._apps = apps
        self._net: dict[int, Decimal] = {}

    def subscribe(self, life: _Life, reason: str) -> int:
        number = len(self.subscriptions) + 1
        is_over, is_cancelled = life.ended <= self.last, life.cancelled <= self.last
        on_trial = life.trial_end is not None and life.trial_end > self.last
        status = "canceled" if is_over else "trialing" if on_trial else "active"
        per_month = _rounded(life.plan.price / life.plan.months)
        self.subscriptions.append(
            {
                "subscription_id": f"sub_{number:06d}",
                "ts": self._at(life.start, life.second),
                "customer_id": f"cus_{number:06d}",
                "status": status,
                "started_at": self._at(life.start, life.second),
                "trial_began_at": None if life.trial_end is None else self._at(life.start, life.second),
                "trial_ends_at": None if life.trial_end is None else self._at(life.trial_end, life.second),
                "canceled_at": self._at(life.cancelled, life.second) if is_cancelled else None,
                "ended_at": self._at(life.ended, life.second) if is_over else None,
                "is_ending": is_cancelled and not is_over,
                "is_paused": False,
                "has_price": True,
                "product": f"prod_{life.plan.id}",
                "price": f"price_{life.plan.id}",
                "unit_amount": life.plan.price,
                "quantity": 1,
                "interval": "month" if life.plan.months == 1 else "year",
                "currency": "EUR",
                "mrr": per_month if status == "active" else Decimal(0),
                "reason": reason if is_cancelled else None,
                "is_on_trial": status == "trialing",
            }
        )
        return number

    def charge(self, life: _Life, number: int, day: int) -> str:
        at, price = self._at(day, life.second), life.plan.price
        count = len(self.invoices) + 1
        net_of_tax = (price / (1 + _TAX)).quantize(_CENT, ROUND_HALF_UP)
        self.invoices.append(
            {
                "invoice_id": f"in_{count:06d}",
                "ts": at,
                "number": f"TIDINGS-{count:06d}",
                "status": "paid",
                "customer_id": f"cus_{number:06d}",
                "subscription_id": f"sub_{number:06d}",
                "reason": "subscription_create" if day == life.start else "subscription_cycle",
                "currency": "EUR",
                "subtotal": price,
                "tax": price - net_of_tax,
                "total": price,
                "amount_paid": price,
                "amount_due": price,
                "finalized_at": at,
                "paid_at": at,
                "voided_at": None,
                "due_at": None,
            }
        )
        fee = (price * _SHARE + _FIXED).quantize(_CENT, ROUND_HALF_UP)
        self._move(at, day, price, fee, "charge", f"ch_{count:06d}")
        return f"ch_{count:06d}"

    def refund(self, life: _Life, charge: str, day: int, reason: str | None) -> None:
        at = self._at(day, life.second)
        refund_id = f"re_{len(self.refunds) + 1:06d}"
        moved = self._move(at, day, -life.plan.price, Decimal(0), "refund", refund_id)
        self.refunds.append(
            {
                "refund_id": refund_id,
                "ts": at,
                "amount": life.plan.price,
                "currency": "EUR",
                "status": "succeeded",
                "reason": reason,
                "charge_id": charge,
                "transaction_id": moved,
            }
        )

    def pay_out(self) -> None:
        """Weekly payouts of everything received before the week."""
        by_day = dict(self._net)
        paid = 0
        for day in range(self.last + 1):
            if self._apps.days[day].weekday() == _PAYOUT_WEEKDAY:
                due = sum((by_day.get(each, Decimal(0)) for each in range(paid, day)), Decimal(0))
                if due > 0:
                    self._move(self._at(day, 0), day, -due, Decimal(0), "payout", f"po_{day:06d}")
                    paid = day

    def levels(self) -> list[dict[str, Any]]:
        """Active subscriptions and trials at the end, by product."""
        end = midnight(self._apps.company.options.end)
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for row in self.subscriptions:
            key = (row["product"], row["interval"])
            blank = {"active_subscriptions": 0, "active_trials": 0}
            whose = {"ts": end, "currency": "EUR", "product": key[0], "interval": key[1]}
            level = found.setdefault(key, {**whose, **blank})
            level["active_subscriptions"] += row["status"] == "active"
            level["active_trials"] += row["status"] == "trialing"
        months = {f"prod_{plan.id}": plan.months for plan in PLANS}
        price = {f"prod_{plan.id}": plan.price for plan in PLANS}
        for (product, _), level in found.items():
            level["mrr"] = _rounded(price[product] * level["active_subscriptions"] / months[product])
        return [level for _, level in sorted(found.items())]

    def _move(self, at: datetime, day: int, amount: Decimal, fee: Decimal, kind: str, source: str) -> str:
        transaction = f"txn_{len(self.balance) + 1:06d}"
        self._net[day] = self._net.get(day, Decimal(0)) + amount - fee
        available = day if kind == "payout" else day + _PENDING_DAYS
        self.balance.append(
            {
                "transaction_id": transaction,
                "ts": at,
                "available_at": self._at(available, 0),
                "amount": amount,
                "fee": fee,
                "net": amount - fee,
                "currency": "EUR",
                "type": kind,
                "category": kind,
                "status": "available" if available <= self.last else "pending",
                "source_id": source,
            }
        )
        return transaction

    def _at(self, day: int, second: int) -> datetime:
        return naive_utc(instant(self._apps.company.start + day * DAY + second * SECOND))


def _rounded(amount: Decimal) -> Decimal:
    return amount.quantize(_PLACES, ROUND_HALF_UP)


STRIPE = Platform("stripe", reported)
