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


def reported(found: list[dict[str, Any]], metric: str, *names: str) -> list[tuple[Any, ...]]:
    rows = [row for row in found if row["metric"] == metric]
    assert all(row["is_total"] for row in rows)
    return sorted(((*(row[name] for name in names), float(row["value"])) for row in rows), key=repr)


def test_updates_and_redownloads_are_no_downloads() -> None:
    rows = [
        sale(1, "download", 42, app_version="1.0"),
        sale(2, "download", 8, app_version="1.1"),
        sale(3, "redownload", 5),
        sale(4, "update", 99),
    ]
    found = run_models("platform_metrics_app_store", app_store_sales=rows)
    assert reported(found, "downloads", "app_version") == [("1.0", 42), ("1.1", 8)]
    assert reported(found, "redownloads", "app") == [("9", 5)]
    assert reported(found, "updates", "app") == [("9", 99)]


def test_money_stays_in_its_currency_and_belongs_to_the_app() -> None:
    pro = {"sku": "pro", "parent_sku": "NOTES"}
    dollars = {"currency": "USD", "customer_currency": "USD"}
    rows = [
        sale(1, "subscription", 3, proceeds=Decimal("9.57"), gross=Decimal("17.97"), **pro),
        sale(2, "subscription", -1, proceeds=Decimal("-3.19"), gross=Decimal("-5.99"), **pro),
        sale(3, "subscription", 1, proceeds=Decimal(4), gross=Decimal(6), **dollars, **pro),
    ]
    found = run_models("platform_metrics_app_store", app_store_sales=rows)
    assert reported(found, "proceeds", "currency", "app", "product") == [
        ("EUR", "NOTES", "pro", 6.38),
        ("USD", "NOTES", "pro", 4),
    ]
    assert reported(found, "gross_sales", "currency") == [("EUR", 11.98), ("USD", 6)]
    # What was given back, positive.
    assert reported(found, "refunds", "currency") == [("EUR", 5.99)]
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
        "platform_metrics_app_store",
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
            # A cheaper first month is no trial: it is paid, and so a subscription that began.
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
        # 2 in an offer that costs something, 5 after one that did not.
        "new_subscriptions": 7,
        "trial_conversions": 5,
        "churned_subscriptions": 3,
    }
    zones = {row["metric"]: row["zone"] for row in found}
    assert (zones["store_views"], zones["active_trials"]) == ("UTC", "America/Los_Angeles")


def test_an_edited_review_counts_once_with_its_last_stars() -> None:
    review = {"app_id": "9", "review_id": "r", "ts": DAY, "country": "DE"}
    found = run_models(
        "platform_metrics_app_store",
        app_store_reviews=[
            {**review, "rating": 1, "_pull": 1},
            {**review, "rating": 5, "_pull": 2},
            {**review, "review_id": "s", "rating": 2},
        ],
    )
    assert reported(found, "reviews", "country") == [("DE", 2)]
    assert reported(found, "rating", "country") == [("DE", 3.5)]


def test_what_is_sold_inside_an_app_is_of_the_apps_number() -> None:
    inside = {"app_id": "77", "sku": "pro", "parent_sku": "NOTES", "product_type": "IA1", "row": 2}
    found = run_models(
        "platform_metrics_app_store", app_store_sales=[sale(1, "download", 5), sale(2, "purchase", 1) | inside]
    )
    # All other reports name the app by its number; without a row of its own its SKU is all there is.
    assert {row["app"] for row in found if row["metric"] in ("downloads", "proceeds")} == {"9"}


def happened(row: int, event: str, offer: str | None = None, quantity: int = 1, **more: Any) -> dict[str, Any]:
    whose = {"vendor": "1", "ts": DAY, "row": row, "app_id": "9", "product": "Pro", "country": "DE"}
    return {**whose, "event": event, "offer": offer, "quantity": quantity, **more}


# Event, offer, paid periods, and what it counts as.
MEANINGS: list[tuple[str, str | None, int | None, set[str]]] = [
    # The four cancellations of Apple's page, however they are written.
    ("Cancel", None, None, {"churned_subscriptions"}),
    ("Canceled from Billing Retry", None, 3, {"churned_subscriptions"}),
    ("CANCELED FROM  BILLING GRACE PERIOD", None, None, {"churned_subscriptions"}),
    ("Canceled After Renewal Extension", None, None, {"churned_subscriptions"}),
    # A lapsed trial never paid, of whatever kind the offer; a cheaper offer that lapsed was paid.
    ("Cancel", "Free Trial", None, set()),
    ("Canceled from Billing Retry", "Free Trial", 0, set()),
    ("Canceled from Billing Retry", None, 0, set()),
    ("Cancel", "Pay As You Go", None, {"churned_subscriptions"}),
    ("Cancel", "Pay Up Front", 0, {"churned_subscriptions"}),
    # A free month given to somebody who paid before: what ends was a paid subscription.
    ("Cancel", "Free Trial", 4, {"churned_subscriptions"}),
    # Beginnings: free ones are trials, those that cost something are subscriptions.
    ("Subscribe", None, 1, {"new_subscriptions"}),
    ("Subscribe with Contingent Price", None, None, {"new_subscriptions"}),
    ("Opt-In", None, 0, {"trial_starts"}),
    ("Start Introductory Offer", "Free Trial", 0, {"trial_starts"}),
    ("Start Introductory Price", "Pay Up Front", 1, {"new_subscriptions"}),
    ("Start Offer Code", "Free Trial", None, {"trial_starts"}),
    ("Start Free Trial", None, None, {"trial_starts"}),
    ("Reactivate", None, 1, {"new_subscriptions"}),
    ("Reactivate with Upgrade", None, None, {"new_subscriptions"}),
    ("Reactivate", "Free Trial", 1, {"trial_starts"}),
    ("Reactivation to Win-Back Offer", "Free Trial", None, {"trial_starts"}),
    ("Reactivation to Win-Back Offer", "Pay Up Front", None, {"new_subscriptions"}),
    ("Reactivation to Promotional Offer with Downgrade", "Pay As You Go", None, {"new_subscriptions"}),
    # Ends of offers: those that were free convert, those that were paid began before.
    ("Paid Subscription from Introductory Offer", "Free Trial", 1, {"new_subscriptions", "trial_conversions"}),
    ("Paid Subscription from Introductory Offer", "Pay As You Go", 2, set()),
    ("Paid Subscription from Opt-In", None, None, {"new_subscriptions", "trial_conversions"}),
    ("Paid Subscription from Win-Back Offer with Upgrade", None, 1, {"new_subscriptions", "trial_conversions"}),
    ("Paid Subscription from Win-Back Offer", None, 5, set()),
    ("Crossgrade From Introductory Offer", "Free Trial", None, {"new_subscriptions", "trial_conversions"}),
    ("Paid Subscription from Promotional Offer", "Free Trial", 7, set()),
    # The payment after a trial failed first: it is the first payment all the same.
    ("Renewal from Billing Retry", None, 1, {"new_subscriptions", "trial_conversions"}),
    ("Renewal from Billing Retry", None, 6, set()),
    # Nothing begins or ends.
    ("Renew", None, 4, set()),
    ("Upgrade", None, 2, set()),
    ("Refund", None, 2, set()),
    ("Billing Retry from Introductory Offer", "Free Trial", 0, set()),
    ("Promotional Offer from Paid Subscription", "Free Trial", 3, set()),
    # What is not known, or left out where it decides, is not guessed at.
    ("Start Introductory Offer", None, None, set()),
    ("Paid Subscription from Introductory Offer", None, None, set()),
    ("Start Introductory Offer", "Pay Later", None, set()),
    ("Cancel", "Pay Later", None, set()),
    ("Cancelled by Starlight", None, None, set()),
]


def test_what_an_event_means() -> None:
    # Each of another app, so that one run of the models tells them apart.
    rows = [
        happened(number, event, offer, 3, paid_periods=periods, app_id=str(number))
        for number, (event, offer, periods, _) in enumerate(MEANINGS)
    ]
    counts: dict[int, dict[str, float]] = {number: {} for number in range(len(MEANINGS))}
    for row in run_models("platform_metrics_app_store", app_store_subscription_events=rows):
        of_event = counts[int(row["app"])]
        of_event[row["metric"]] = of_event.get(row["metric"], 0) + float(row["value"])
    for number, (*event, expected) in enumerate(MEANINGS):
        assert counts[number] == dict.fromkeys(expected, 3), event


def test_all_cancellations_are_churn_and_lapsed_trials_are_none() -> None:
    rows = [
        happened(1, "Cancel", None, 6, reason="Canceled"),
        happened(2, "Canceled from Billing Retry", None, 7, reason="Billing issue"),
        happened(3, "Canceled from Billing Grace Period", None, 1),
        happened(4, "Canceled After Renewal Extension", None, 1),
        happened(5, "Cancel", "Free Trial", 30),
    ]
    found = run_models("platform_metrics_app_store", app_store_subscription_events=rows)
    assert reported(found, "churned_subscriptions", "reason") == [("Billing issue", 7), ("Canceled", 6), (None, 2)]
