"""RevenueCat's charts of the sample company, from the same events as its webhooks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final

from tidings.sample.apps import PLANS, STORES, Apps, Platform, Rows
from tidings.sample.platforms.revenuecat_events import events

PROJECT: Final = "proj1a2b3c4d"
_DAYS: Final = 365
_CENT: Final = Decimal("0.01")
_PAYMENTS: Final = ("RENEWAL", "INITIAL_PURCHASE")


def reported(apps: Apps) -> Mapping[str, Rows]:
    """Charts of the last year by day; no overview, which only covers the day of a pull."""
    revenue: dict[date, Decimal] = {}
    payments: Counter[date] = Counter()
    for event in events(apps):
        day = event["ts"].date()
        revenue[day] = revenue.get(day, Decimal(0)) + event["price"]
        payments[day] += event["type"] in _PAYMENTS and event["price"] > 0
    rows = []
    for number in range(max(0, len(apps.days) - _DAYS), len(apps.days)):
        day = apps.days[number]
        levels = _levels(apps, number)
        sales = (("Revenue", "$", revenue.get(day, Decimal(0))), ("Transactions", "#", Decimal(payments[day])))
        for chart, measures in {**levels, "revenue": sales}.items():
            rows += [_point(day, chart, place, name, unit, value) for place, (name, unit, value) in enumerate(measures)]
    return {
        "revenuecat_charts": rows,
        "revenuecat_overview": [],
        "revenuecat_customers": [],
        "revenuecat_subscriptions": [],
    }


def _levels(apps: Apps, day: int) -> Mapping[str, tuple[tuple[str, str, Decimal], ...]]:
    """The measures of every chart but revenue on a day: name, unit, value."""
    stores = [apps.subscriptions[store] for store in STORES]
    by_plan = sum(store.active[day].sum(axis=1) for store in stores)
    recurring = sum(
        (plan.price / plan.months * int(active) for plan, active in zip(PLANS, by_plan, strict=True)), Decimal(0)
    )
    trials, started, ended, active, trialing = (
        Decimal(int(sum(getattr(store, name)[day].sum() for store in stores)))
        for name in ("trials", "started", "ended", "active", "trialing")
    )
    before = active - started + ended
    rate = (100 * ended / before).quantize(_CENT) if before else Decimal(0)
    return {
        "mrr": (("MRR", "$", recurring.quantize(_CENT)),),
        "actives": (("Actives", "#", active),),
        "actives_new": (
            ("Trial Conversions", "#", started),
            ("Intro Offers", "#", Decimal(0)),
            ("Direct Subscriptions", "#", Decimal(0)),
        ),
        "churn": (("Actives", "#", before), ("Churned Actives", "#", ended), ("Churn Rate", "%", rate)),
        "trials": (("Active Trials", "#", trialing),),
        "trials_new": (("New Trials", "#", trials),),
    }


def _point(day: date, chart: str, place: int, name: str, unit: str, value: Decimal) -> dict[str, Any]:
    return {
        "project": PROJECT,
        "chart": chart,
        "ts": datetime.combine(day, time.min),
        "measure": name,
        "position": place,
        "dimension": "all",
        "segment": "all",
        "value": value,
        "unit": unit,
        "currency": "EUR" if unit == "$" else None,
        "is_incomplete": False,
    }


REVENUECAT = Platform("revenuecat", reported)
