"""Levels of Stripe's subscriptions: the present state, counted by product."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from tidings.connectors.stripe.mrr import (
    counts,
    has_price,
    interval_of,
    items_of,
    monthly,
    on_trial,
    product_of,
    rounded,
)
from tidings.sources.records import Record, UnusableError


@dataclass
class _Level:
    mrr: Decimal = Decimal(0)
    active_subscriptions: int = 0
    active_trials: int = 0


@dataclass
class Levels:
    """Counts subscriptions as they are read, each once: recurring revenue, active ones and trials by product."""

    _levels: dict[tuple[str, str, str], _Level] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)
    _rejected: list[tuple[str, str]] = field(default_factory=list)

    def add(self, subscription: Record) -> None:
        """Count one, or remember why it cannot be counted."""
        if subscription.get("id") in self._seen:
            return
        self._seen.add(str(subscription.get("id")))
        try:
            self._add(subscription)
        except KeyError as error:
            self._rejected.append((str(subscription.get("id")), f"the field {error.args[0]!r} is missing"))
        except (UnusableError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
            self._rejected.append((str(subscription.get("id")), str(error) or type(error).__name__))

    def records(self, day: date) -> list[dict[str, Any]]:
        """A record per currency, product and interval that ever occurred, and one per subscription that could not
        be counted.
        """
        counted = [
            {
                "day": day.isoformat(),
                "currency": currency,
                "product": product,
                "interval": interval,
                "mrr": rounded(level.mrr),
                "active_subscriptions": level.active_subscriptions,
                "active_trials": level.active_trials,
            }
            for (currency, product, interval), level in sorted(self._levels.items())
        ]
        return [*counted, *({"refused": name, "reason": reason} for name, reason in self._rejected)]

    def _add(self, subscription: Record) -> None:
        items, amounts = items_of(subscription), monthly(subscription)
        is_priced = has_price(subscription)
        currency = subscription["currency"].upper()
        keys = [(currency, product_of(item["price"]), interval_of(item["price"])) for item in items]
        for key, amount in zip(keys, amounts, strict=True):
            self._levels.setdefault(key, _Level()).mrr += amount
        first = self._levels[keys[0]]
        first.active_subscriptions += is_priced and counts(subscription)
        first.active_trials += is_priced and on_trial(subscription)
