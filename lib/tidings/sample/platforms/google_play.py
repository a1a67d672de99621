"""The sample company's app on Google Play: the files of its bucket, and vitals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import numpy as np

from tidings.sample.apps import COUNTRIES, PLANS, VERSIONS, Apps, Platform, Rows, midnight
from tidings.window import hours_after

PACKAGE = "example.tidings.app_notes"
_DAYS = 365
_CURRENCIES = {"US": "USD", "GB": "GBP", "CH": "CHF", "SE": "SEK"}
_FEE = Decimal("0.15")
_CENT = Decimal("0.01")
_SOURCES = (("Google Play search", 0.58), ("Google Play explore", 0.24), ("Third-party referral", 0.18))
_CODES = {version: str(320 + 10 * number) for number, version in enumerate(VERSIONS)}
_STARS = (0.08, 0.05, 0.09, 0.22, 0.56)


def reported(apps: Apps) -> Mapping[str, Rows]:
    """Files of the last year, and vitals of the last 120 days."""
    rows: dict[str, list[dict[str, Any]]] = {f"google_play_{name}": [] for name in _FEEDS}
    numbers: Counter[tuple[str, str]] = Counter()
    installed = np.zeros(len(COUNTRIES), np.int64)
    for day in range(len(apps.days)):
        rng = apps.company.rng("apps", f"google play {day}")
        installs = apps.installs("google_play")[day]
        removed = rng.binomial(installs, 0.34)
        installed += installs - removed
        if day < len(apps.days) - _DAYS:
            continue
        at = midnight(apps.days[day])
        version = _CODES[apps.version(day)]
        _installs(rows["google_play_installs"], at, version, installs, removed, installed, rng)
        _store(rows["google_play_store"], numbers, at, installs, rng)
        _quality(rows, apps, day, at, version, int(installs.sum()), rng)
        _money(rows, numbers, apps, day, at, rng)
    return rows


_FEEDS = ("installs", "crashes", "ratings", "store", "subscriptions", "sales", "earnings", "reviews", "vitals")


def _breakdown(at: datetime, breakdown: str, name: str) -> dict[str, Any]:
    return {"package": PACKAGE, "ts": at, "breakdown": breakdown, "name": name}


def _installs(
    rows: list[dict[str, Any]], at: datetime, version: str, new: Any, gone: Any, active: Any, rng: np.random.Generator
) -> None:
    updated = rng.binomial(active, 0.02)

    def counts(where: Any) -> dict[str, int]:
        columns = {"installs": new, "uninstalls": gone, "updates": updated, "active_devices": active}
        return {name: int(np.sum(values[where])) for name, values in columns.items()}

    everywhere = slice(None)
    rows.append({**_breakdown(at, "overview", "all"), **counts(everywhere)})
    rows.append({**_breakdown(at, "app_version", version), **counts(everywhere)})
    for place, country in enumerate(COUNTRIES):
        rows.append({**_breakdown(at, "country", country), **counts(place)})


def _store(
    rows: list[dict[str, Any]], numbers: Counter[tuple[str, str]], at: datetime, installs: Any, rng: np.random.Generator
) -> None:
    visitors = installs + rng.poisson(installs * 2.4)

    def add(breakdown: str, name: str, seen: int, got: int) -> None:
        numbers[f"{at:%Y%m}", breakdown] += 1
        known = {"row": numbers[f"{at:%Y%m}", breakdown], "search_term": None, "utm_source": None, "utm_campaign": None}
        rows.append({**_breakdown(at, breakdown, name), **known, "visitors": seen, "acquisitions": got})

    for country, seen, got in zip(COUNTRIES, visitors, installs, strict=True):
        add("country", country, int(seen), int(got))
    shares = [share for _, share in _SOURCES]
    seen_by = rng.multinomial(int(visitors.sum()), shares)
    got_by = np.minimum(rng.multinomial(int(installs.sum()), shares), seen_by)
    for (name, _), seen, got in zip(_SOURCES, seen_by, got_by, strict=True):
        add("traffic_source", name, int(seen), int(got))


def _quality(
    rows: dict[str, list[dict[str, Any]]],
    apps: Apps,
    day: int,
    at: datetime,
    version: str,
    installs: int,
    rng: np.random.Generator,
) -> None:
    worse = 2.5 if apps.version(day) == VERSIONS[1] else 1.0
    counts = {"crashes": int(rng.poisson(installs * 0.06 * worse)), "anrs": int(rng.poisson(installs * 0.02))}
    for breakdown, name in (("overview", "all"), ("app_version", version)):
        rows["google_play_crashes"].append({**_breakdown(at, breakdown, name), **counts})
    rated = rng.multinomial(rng.binomial(installs, 0.05), _STARS)
    stars = float((rated * np.arange(1, 6)).sum() / rated.sum()) if rated.sum() else None
    averages = {"daily_average": None if stars is None else round(stars, 2), "total_average": 4.2}
    rows["google_play_ratings"].append({**_breakdown(at, "overview", "all"), **averages})
    number = 0
    for star, count in enumerate(rated, start=1):
        for _ in range(int(count)):
            number += 1
            written = hours_after(at, number % 22)
            review = {"package": PACKAGE, "review_id": f"gp-{at:%Y%m%d}-{number}", "ts": written, "updated_at": written}
            text = {"rating": star, "title": None, "body": f"{star} stars from me" if number % 3 == 0 else None}
            known = {"language": "en", "app_version": apps.version(day), "device": "pixel"}
            rows["google_play_reviews"].append({**review, **text, **known})
    if day < len(apps.days) - 120:
        return
    users = max(10, round(installs * 30, -1))
    for kind, base in (("crash", 0.004 * worse), ("anr", 0.002)):
        rate = round(float(rng.gamma(40, base / 40)), 6)
        for name in ("all", version):
            vital = {"package": PACKAGE, "ts": at, "kind": kind, "name": name, "rate": rate, "users": users}
            rows["google_play_vitals"].append(vital)


def _money(
    rows: dict[str, list[dict[str, Any]]],
    numbers: Counter[tuple[str, str]],
    apps: Apps,
    day: int,
    at: datetime,
    rng: np.random.Generator,
) -> None:
    subscriptions = apps.subscriptions["google_play"]
    month = f"{at:%Y%m}"
    file = f"earnings_{month}_12345-1.zip"
    for place, plan in enumerate(PLANS):
        for number, country in enumerate(COUNTRIES):
            where = (day, place, number)
            level = {
                "begun": int(subscriptions.started[where]),
                "cancelled": int(subscriptions.ended[where]),
                "active": int(subscriptions.active[where]),
            }
            if any(level.values()):
                known = {"package": PACKAGE, "product": plan.id, "ts": at, "country": country}
                rows["google_play_subscriptions"].append({**known, **level})
            paid = level["begun"] + int(rng.binomial(level["active"], 1 / (30.4 * plan.months)))
            back = int(rng.binomial(paid, 0.015))
            for each in range(paid + back):
                status, sign = ("Charged", 1) if each < paid else ("Refund", -1)
                order = f"GPA.{at:%Y%m%d}-{place}{number}-{each}"
                numbers[month, "sales"] += 1
                currency = _CURRENCIES.get(country, "EUR")
                bought = {"package": PACKAGE, "sku": plan.id, "country": country}
                rows["google_play_sales"].append(
                    {
                        "month": month,
                        "row": numbers[month, "sales"],
                        "order_number": order,
                        "ts": at,
                        "status": status,
                        **bought,
                        "product_type": "subscription",
                        "amount": sign * plan.price,
                        "currency": currency,
                    }
                )
                net = (plan.price / Decimal("1.19")).quantize(_CENT)
                fee = (net * _FEE).quantize(_CENT)
                names = ("Charge", "Google fee") if sign > 0 else ("Charge refund", "Google fee refund")
                for type_, amount in zip(names, (sign * net, -sign * fee), strict=True):
                    numbers[month, "earnings"] += 1
                    earned = {"file": file, "row": numbers[month, "earnings"], "order_number": order, "ts": at}
                    rows["google_play_earnings"].append(
                        {**earned, "type": type_, **bought, "amount": amount, "currency": "EUR"}
                    )


GOOGLE_PLAY = Platform("google_play", reported)
