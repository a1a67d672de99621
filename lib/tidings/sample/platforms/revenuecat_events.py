"""Webhook deliveries of the sample company's subscriptions: each trial, payment, cancellation and end; some twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import numpy as np

from tidings.sample.apps import COUNTRIES, PLANS, STORES, Apps, Platform, Rows, Subscriptions
from tidings.sample.company import DAY, SECOND, Ints, instant
from tidings.window import naive_utc

_DAYS: Final = 365
_STORE_NAMES: Final = {"app_store": "app_store", "google_play": "play_store"}
_APP_IDS: Final = {"app_store": "app1a2b3c", "google_play": "app4d5e6f"}
_TRIAL_DAYS: Final = 7
_CANCELLED_BEFORE_DAYS: Final = 10
_REFUNDED_AFTER_DAYS: Final = 2
_REFUNDED: Final = 0.02
_RENEWED_AFTER_A_YEAR: Final = 0.7
_BILLING_ERRORS: Final = 0.2
_DOLLARS: Final = Decimal("1.08")
_TWICE_EVERY: Final = 97
_SANDBOX_EVERY: Final = 150


def reported(apps: Apps) -> Mapping[str, Rows]:
    """Deliveries of the last year, every 97th one twice, every 150th event preceded by a sandbox purchase."""
    rows: list[dict[str, Any]] = []
    for number, event in enumerate(events(apps)):
        if number % _SANDBOX_EVERY == 0:
            rows.append({**event, "event_id": f"sandbox-{event['event_id']}", "environment": "SANDBOX"})
        rows += [event, event] if number % _TWICE_EVERY == 0 else [event]
    return {"revenuecat_events_deliveries": rows}


def events(apps: Apps) -> Iterator[dict[str, Any]]:
    """The events of the last year's subscriptions, each once, by store and kind."""
    for store in STORES:
        rng = apps.company.rng("apps", f"revenuecat events {store}")
        counts = _counts(apps.subscriptions[store], rng)
        number = 0
        for (kind, period, reason), table in counts.items():
            first = max(0, len(apps.days) - _DAYS)
            where = np.argwhere(table[first:])
            cells = np.repeat(where, table[first:][tuple(where.T)], axis=0)
            seconds = rng.integers(0, 86_400, len(cells))
            for (day, plan, country), second in zip(cells.tolist(), seconds.tolist(), strict=True):
                number += 1
                at = naive_utc(instant(apps.company.start + (first + day) * DAY + second * SECOND))
                yield _event(f"{store}-{number}", at, store, (kind, period, reason), plan, country)


def _counts(reported: Subscriptions, rng: np.random.Generator) -> Mapping[tuple[str, str, str], Ints]:
    """How often each kind of event (with its period and reason) occurred, day x plan x country."""
    renewed = np.zeros_like(reported.started)
    for plan, offer in enumerate(PLANS):
        if offer.months == 1:
            renewed[1:, plan] = rng.binomial(reported.active[:-1, plan], 1 / 30)
        else:
            renewed[_DAYS:, plan] = rng.binomial(reported.started[:-_DAYS, plan], _RENEWED_AFTER_A_YEAR)
    refunded = np.zeros_like(reported.started)
    refunded[_REFUNDED_AFTER_DAYS:] = rng.binomial(reported.started[:-_REFUNDED_AFTER_DAYS], _REFUNDED)
    lapsed = np.zeros_like(reported.trials)
    lapsed[_TRIAL_DAYS:] = reported.trials[:-_TRIAL_DAYS] - reported.started[_TRIAL_DAYS:]
    unpaid = rng.binomial(reported.ended, _BILLING_ERRORS)
    left = reported.ended - unpaid
    cancelled = np.zeros_like(left)
    cancelled[:-_CANCELLED_BEFORE_DAYS] = left[_CANCELLED_BEFORE_DAYS:]
    return {
        ("INITIAL_PURCHASE", "TRIAL", ""): reported.trials,
        ("RENEWAL", "NORMAL", "trial"): reported.started,
        ("RENEWAL", "NORMAL", ""): renewed,
        ("CANCELLATION", "NORMAL", "UNSUBSCRIBE"): cancelled,
        ("CANCELLATION", "NORMAL", "CUSTOMER_SUPPORT"): refunded,
        ("EXPIRATION", "NORMAL", "UNSUBSCRIBE"): left,
        ("EXPIRATION", "NORMAL", "BILLING_ERROR"): unpaid,
        ("EXPIRATION", "TRIAL", "UNSUBSCRIBE"): lapsed,
    }


def _event(
    event_id: str, at: datetime, store: str, what: tuple[str, str, str], plan: int, country: int
) -> dict[str, Any]:
    kind, period, reason = what
    price = Decimal(0)
    if kind == "RENEWAL":
        price = PLANS[plan].price
    elif reason == "CUSTOMER_SUPPORT":
        price = -PLANS[plan].price
    return {
        "event_id": event_id,
        "ts": at,
        "type": kind,
        "environment": "PRODUCTION",
        "app": _APP_IDS[store],
        "store": _STORE_NAMES[store],
        "product": PLANS[plan].id,
        "new_product": None,
        "country": COUNTRIES[country],
        "period_type": period,
        "reason": reason if kind in ("CANCELLATION", "EXPIRATION") else None,
        "is_trial_conversion": reason == "trial",
        "is_family_share": False,
        "renewal_number": None,
        "purchased_at": at if kind in ("INITIAL_PURCHASE", "RENEWAL") else None,
        "expires_at": at if kind == "EXPIRATION" else None,
        "price": price,
        "currency": "EUR",
        "price_usd": (price * _DOLLARS).quantize(Decimal("0.01")),
        "tax_share": 0.16,
        "commission_share": 0.126,
    }


REVENUECAT_EVENTS = Platform("revenuecat_events", reported)
