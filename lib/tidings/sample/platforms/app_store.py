"""The sample company's app in the App Store: sales, subscriptions, analytics and reviews."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np

from tidings.sample.apps import COUNTRIES, PLANS, VERSIONS, Apps, Platform, Rows, midnight
from tidings.window import hours_after

VENDOR, APP, SKU = "80012345", "1500000001", "TIDINGS01"
_DAYS = 364
_ANALYTICS_DAYS = 120
_SUBSCRIPTION_IDS = {"pro.month": "1500000077", "pro.year": "1500000078"}
_CURRENCIES = {"US": "USD", "GB": "GBP", "CH": "CHF", "SE": "SEK"}
_SHARE = Decimal("0.70")
_CENT = Decimal("0.01")
_CHANNELS = (("App Store search", 0.62), ("App Store browse", 0.2), ("Web referrer", 0.18))
_OF_INSTALLS = {"Impression": 21.0, "Page view": 2.6}
_REVIEWED = 0.006
_STARS = (0.06, 0.04, 0.08, 0.22, 0.60)
_SAID = {1: "Crashes at start", 2: "Not for me", 3: "It is all right", 4: "Does its job", 5: "Just what I needed"}
# How subscriptions end: Apple's event and its reason.
_ENDS = (
    ("Cancel", "Canceled", 0.72),
    ("Canceled from Billing Retry", "Billing issue", 0.25),
    ("Canceled from Billing Grace Period", "Billing issue", 0.03),
)
_NO_COUNTRY = {"app_version": None, "device": "iPhone", "os": "iOS 19.1", "channel": None, "unique_count": None}


def reported(apps: Apps) -> Mapping[str, Rows]:
    """Sales and subscriptions of the last year, analytics of the last 120 days, reviews."""
    first = max(0, len(apps.days) - _DAYS)
    days = range(first, len(apps.days))
    recent = range(max(0, len(apps.days) - _ANALYTICS_DAYS), len(apps.days))
    return {
        "app_store_sales": [row for day in days for row in _numbered(apps, day, _sales(apps, day))],
        "app_store_subscriptions": [row for day in days for row in _numbered(apps, day, _levels(apps, day))],
        "app_store_subscription_events": [row for day in days for row in _numbered(apps, day, _events(apps, day))],
        "app_store_analytics": [row for day in recent for row in _analytics(apps, day)],
        "app_store_reviews": [row for day in days for row in _reviews(apps, day)],
    }


def _numbered(apps: Apps, day: int, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    whose = {"vendor": VENDOR, "ts": midnight(apps.days[day])}
    return [{**whose, "row": number, **row} for number, row in enumerate(rows, start=1)]


def _sales(apps: Apps, day: int) -> list[dict[str, Any]]:
    rng = apps.company.rng("apps", f"app store {day}")
    version = apps.version(day)
    installs = apps.installs("app_store")[day]
    rows = []
    again, updates = rng.binomial(installs, 0.18), rng.poisson(installs * (9.0 if day % 30 < 2 else 0.8))
    for code, product_class, counts in (
        ("1F", "download", installs),
        ("3F", "redownload", again),
        ("7F", "update", updates),
    ):
        for country, count in zip(COUNTRIES, counts, strict=True):
            if count:
                rows.append(_sale(country, SKU, code, product_class, Decimal(int(count)), Decimal(0), version))
    subscriptions = apps.subscriptions["app_store"]
    for number, plan in enumerate(PLANS):
        # Each is paid once per period, and a few of them are refunded.
        paid = subscriptions.started[day, number] + rng.binomial(
            subscriptions.active[day, number], 1 / (30.4 * plan.months)
        )
        back = rng.binomial(paid, 0.012)
        for country, count, returned in zip(COUNTRIES, paid, back, strict=True):
            for units in (int(count), -int(returned)):
                if units:
                    rows.append(_sale(country, plan.id, "IAY", "subscription", Decimal(units), plan.price, ""))
    return rows


def _sale(
    country: str, sku: str, code: str, product_class: str, units: Decimal, price: Decimal, version: str
) -> dict[str, Any]:
    is_app = sku == SKU
    currency = _CURRENCIES.get(country, "EUR")
    each = (price * _SHARE / Decimal("1.19")).quantize(_CENT)
    return {
        "app_id": APP if is_app else _SUBSCRIPTION_IDS[sku],
        "sku": sku,
        "parent_sku": None if is_app else SKU,
        "title": "Tidings" if is_app else sku,
        "app_version": version or None,
        "product_type": code,
        "product_class": product_class,
        "units": units,
        "proceeds": units * each,
        "currency": currency,
        "gross": units * price,
        "customer_currency": currency,
        "country": country,
        "device": "iPhone",
        "subscription": None if is_app else "Renewal",
        "period": None if is_app else ("1 Month" if sku == "pro.month" else "1 Year"),
    }


def _levels(apps: Apps, day: int) -> list[dict[str, Any]]:
    subscriptions = apps.subscriptions["app_store"]
    rows = []
    for number, plan in enumerate(PLANS):
        levels = zip(COUNTRIES, subscriptions.active[day, number], subscriptions.trialing[day, number], strict=True)
        for country, active, trials in levels:
            if active or trials:
                known = {"app_id": APP, "product": plan.title, "country": country, "device": "iPhone"}
                rows.append(
                    {**known, "active": int(active), "trials": int(trials), "billing_retry": 0, "grace_period": 0}
                )
    return rows


def _events(apps: Apps, day: int) -> list[dict[str, Any]]:
    rng = apps.company.rng("apps", f"app store events {day}")
    subscriptions = apps.subscriptions["app_store"]
    rows: list[dict[str, Any]] = []

    def add(event: str, product: str, country: str, count: int, offer: str | None, reason: str | None = None) -> None:
        if count:
            known = {"event": event, "app_id": APP, "product": product, "offer": offer, "country": country}
            rows.append({**known, "device": "iPhone", "reason": reason, "quantity": int(count)})

    for number, plan in enumerate(PLANS):
        for place, country in enumerate(COUNTRIES):
            at = (day, number, place)
            add("Start Introductory Offer", plan.title, country, subscriptions.trials[at], "Free Trial")
            started = subscriptions.started[at]
            add("Paid Subscription from Introductory Offer", plan.title, country, started, "Free Trial")
            shares = rng.multinomial(subscriptions.ended[at], [share for *_, share in _ENDS])
            for (event, reason, _), count in zip(_ENDS, shares, strict=True):
                add(event, plan.title, country, count, None, reason)
    return rows


def _analytics(apps: Apps, day: int) -> list[dict[str, Any]]:
    rng = apps.company.rng("apps", f"app store analytics {day}")
    installs = apps.installs("app_store")[day]
    base = {"app_id": APP, "ts": midnight(apps.days[day]), **_NO_COUNTRY, "processed": _next(apps.days[day])}
    found: dict[str, list[dict[str, Any]]] = {"engagement": [], "installs": [], "sessions": [], "crashes": []}
    for event, many in _OF_INSTALLS.items():
        seen = rng.poisson(installs * many)
        for place, country in enumerate(COUNTRIES):
            shares = rng.multinomial(seen[place], [share for _, share in _CHANNELS])
            for (channel, _), count in zip(_CHANNELS, shares, strict=True):
                row = {**base, "event": event, "country": country, "channel": channel, "count": int(count)}
                found["engagement"].append({**row, "unique_count": int(count * 0.8)})
    version = apps.version(day)
    for place, country in enumerate(COUNTRIES):
        of_version = {**base, "app_version": version, "country": country}
        deleted = int(rng.binomial(installs[place], 0.3))
        found["installs"].append({**of_version, "event": "Install", "count": int(installs[place])})
        found["installs"].append({**of_version, "event": "Delete", "count": deleted})
        uses = int(rng.poisson(installs[place] * 14.0))
        found["sessions"].append({**of_version, "event": "Sessions", "count": uses})
    # The second version was not their best.
    worse = 3.5 if version == VERSIONS[1] else 1.0
    crashes = int(rng.poisson(float(np.sum(installs)) * 0.05 * worse))
    found["crashes"].append({**base, "app_version": version, "event": "Crashes", "country": None, "count": crashes})
    return [
        {**row, "report": report, "row": number}
        for report, rows in found.items()
        for number, row in enumerate((row for row in rows if row["count"]), start=1)
    ]


def _next(day: date) -> str:
    return hours_after(midnight(day), 24).date().isoformat()


def _reviews(apps: Apps, day: int) -> list[dict[str, Any]]:
    rng = apps.company.rng("apps", f"app store reviews {day}")
    rows = []
    for place, count in enumerate(rng.binomial(apps.installs("app_store")[day], _REVIEWED)):
        for number in range(int(count)):
            stars = int(rng.choice(5, p=_STARS)) + 1
            rows.append(
                {
                    "app_id": APP,
                    "review_id": f"{apps.days[day]:%Y%m%d}-{COUNTRIES[place]}-{number}",
                    "ts": hours_after(midnight(apps.days[day]), int(rng.integers(6, 22))),
                    "rating": stars,
                    "title": _SAID[stars],
                    "body": None,
                    "country": COUNTRIES[place],
                }
            )
    return rows


APP_STORE = Platform("app_store", reported)
