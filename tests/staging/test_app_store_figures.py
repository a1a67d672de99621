"""Figures of App Store Connect: units by class, money in its currency, levels, the newest reviews."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from workbooks import run_models

DAY = datetime(2026, 6, 1)


def sale(row: int, product_class: str, units: int, **more: Any) -> dict[str, Any]:
    whose = {"vendor": "1", "ts": DAY, "row": row, "app_id": "9", "sku": "NOTES", "product_type": "x"}
    amounts = {"units": Decimal(units), "proceeds": Decimal(0), "gross": Decimal(0)}
    money = {"currency": "EUR", "customer_currency": "EUR"}
    return {**whose, "product_class": product_class, **amounts, **money, "country": "DE", **more}


def told(found: list[dict[str, Any]], metric: str, *names: str) -> list[tuple[Any, ...]]:
    rows = [row for row in found if row["metric"] == metric]
    assert all(row["is_total"] for row in rows)
    return sorted((*(row[name] for name in names), float(row["value"])) for row in rows)


def test_updates_and_redownloads_are_no_downloads() -> None:
    rows = [
        sale(1, "download", 42, app_version="1.0"),
        sale(2, "download", 8, app_version="1.1"),
        sale(3, "redownload", 5),
        sale(4, "update", 99),
    ]
    found = run_models("figures_app_store", app_store_sales=rows)
    assert told(found, "downloads", "app_version") == [("1.0", 42), ("1.1", 8)]
    assert told(found, "redownloads", "app") == [("9", 5)]
    assert told(found, "updates", "app") == [("9", 99)]


def test_money_stays_in_its_currency_and_belongs_to_the_app() -> None:
    pro = {"sku": "pro", "parent_sku": "NOTES"}
    dollars = {"currency": "USD", "customer_currency": "USD"}
    rows = [
        sale(1, "subscription", 3, proceeds=Decimal("9.57"), gross=Decimal("17.97"), **pro),
        sale(2, "subscription", -1, proceeds=Decimal("-3.19"), gross=Decimal("-5.99"), **pro),
        sale(3, "subscription", 1, proceeds=Decimal(4), gross=Decimal(6), **dollars, **pro),
    ]
    found = run_models("figures_app_store", app_store_sales=rows)
    assert told(found, "proceeds", "currency", "app", "product") == [
        ("EUR", "NOTES", "pro", 6.38),
        ("USD", "NOTES", "pro", 4),
    ]
    assert told(found, "gross_sales", "currency") == [("EUR", 11.98), ("USD", 6)]
    # What was given back, positive.
    assert told(found, "refunds", "currency") == [("EUR", 5.99)]
    assert "downloads" not in {row["metric"] for row in found}


def test_analytics_and_subscriptions() -> None:
    def seen(row: int, report: str, event: str, count: int) -> dict[str, Any]:
        whose = {"app_id": "9", "ts": DAY, "report": report, "row": row, "event": event, "processed": "2026-06-02"}
        return {**whose, "count": count, "country": "DE"}

    def moved(row: int, event: str, offer: str | None, quantity: int) -> dict[str, Any]:
        whose = {"vendor": "1", "ts": DAY, "row": row, "app_id": "9", "product": "Pro"}
        return {**whose, "event": event, "offer": offer, "quantity": quantity}

    level = {"vendor": "1", "ts": DAY, "row": 1, "app_id": "9", "product": "Pro", "active": 30, "trials": 4}
    found = run_models(
        "figures_app_store",
        app_store_analytics=[
            seen(1, "engagement", "Impression", 500),
            seen(2, "engagement", "Page view", 60),
            seen(3, "engagement", "Tap", 7),
            seen(1, "installs", "Install", 20),
            seen(2, "installs", "Delete", 6),
            seen(1, "crashes", "Crashes", 3),
        ],
        app_store_subscriptions=[level],
        app_store_subscription_events=[
            moved(1, "Start Introductory Offer", "Free Trial", 9),
            # A cheaper first month is no trial.
            moved(2, "Start Introductory Offer", "Pay As You Go", 2),
            moved(3, "Paid Subscription from Introductory Offer", "Free Trial", 5),
            moved(4, "Cancel", None, 3),
            moved(5, "Renew", None, 100),
        ],
    )
    values = {row["metric"]: float(row["value"]) for row in found}
    assert values == {
        "store_impressions": 500,
        "store_views": 60,
        "uninstalls": 6,
        "crashes": 3,
        "active_subscriptions": 30,
        "active_trials": 4,
        "trial_starts": 9,
        "new_subscriptions": 5,
        "trial_conversions": 5,
        "churned_subscriptions": 3,
    }
    zones = {row["metric"]: row["zone"] for row in found}
    assert (zones["store_views"], zones["active_trials"]) == ("UTC", "America/Los_Angeles")


def test_an_edited_review_counts_once_with_its_last_stars() -> None:
    review = {"app_id": "9", "review_id": "r", "ts": DAY, "country": "DE"}
    found = run_models(
        "figures_app_store",
        app_store_reviews=[
            {**review, "rating": 1, "_pull": 1},
            {**review, "rating": 5, "_pull": 2},
            {**review, "review_id": "s", "rating": 2},
        ],
    )
    assert told(found, "reviews", "country") == [("DE", 2)]
    assert told(found, "rating", "country") == [("DE", 3.5)]


def test_what_is_sold_inside_an_app_is_of_the_apps_number() -> None:
    inside = {"app_id": "77", "sku": "pro", "parent_sku": "NOTES", "product_type": "IA1", "row": 2}
    found = run_models("figures_app_store", app_store_sales=[sale(1, "download", 5), sale(2, "purchase", 1) | inside])
    # All other reports name the app by its number; without a row of its own its SKU is all there is.
    assert {row["app"] for row in found if row["metric"] in ("downloads", "proceeds")} == {"9"}
