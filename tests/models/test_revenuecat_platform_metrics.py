"""Figures of RevenueCat, rows in and rows out, with the reason beside each expected row."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from tidings.sample.apps import Apps
from tidings.sample.company import Company, Options
from tidings.sample.platforms import platforms
from workbooks import only, run_models


def point(chart: str, value: Any, measure: str = "", position: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "project": "proj1",
        "chart": chart,
        "ts": datetime(2026, 6, 1),
        "measure": measure or chart,
        "position": position,
        "dimension": "all",
        "segment": "all",
        "value": None if value is None else Decimal(str(value)),
        "unit": "#",
        "is_incomplete": False,
        **more,
    }


def level(metric: str, value: int, day: int) -> dict[str, Any]:
    return {
        "project": "proj1",
        "ts": datetime(2026, 6, day),
        "metric": metric,
        "value": Decimal(value),
        "currency": "EUR",
    }


def event(event_id: str, kind: str, **more: Any) -> dict[str, Any]:
    return {
        "event_id": event_id,
        "type": kind,
        "environment": "PRODUCTION",
        "period_type": "NORMAL",
        "app": "app1",
        "store": "app_store",
        "product": "pro",
        "country": "DE",
        "is_trial_conversion": False,
        "is_family_share": False,
        **more,
    }


def platform_metrics(**raw: Any) -> list[dict[str, Any]]:
    return run_models("platform_metrics_revenuecat", **raw)


def counted(*events: dict[str, Any]) -> list[dict[str, Any]]:
    return run_models("platform_metrics_revenuecat_events", revenuecat_events_deliveries=events)


def named(rows: list[dict[str, Any]], metric: str) -> list[dict[str, Any]]:
    return [row for row in rows if row["metric"] == metric]


def test_charts_become_figures_of_the_project_by_day() -> None:
    rows = platform_metrics(
        revenuecat_charts=[
            point("mrr", "4510.2", unit="$", currency="EUR"),
            point("revenue", "31.5", "Revenue", unit="$", currency="EUR"),
            # The second measure of the chart is not money.
            point("revenue", 6, "Transactions", 1),
            point("actives", 800),
            point("trials", 40),
            point("trials_new", 5),
        ]
    )
    assert only(rows, "metric", "app", "day", "value", "currency", "is_total", "breakdown", "zone") == sorted(
        [
            ("mrr", "proj1", date(2026, 6, 1), Decimal("4510.2"), "EUR", True, "app", "UTC"),
            ("revenue", "proj1", date(2026, 6, 1), Decimal("31.5"), "EUR", True, "app", "UTC"),
            ("active_subscriptions", "proj1", date(2026, 6, 1), Decimal(800), None, True, "app", "UTC"),
            ("active_trials", "proj1", date(2026, 6, 1), Decimal(40), None, True, "app", "UTC"),
            ("trial_starts", "proj1", date(2026, 6, 1), Decimal(5), None, True, "app", "UTC"),
        ],
        key=repr,
    )


def test_incomplete_days_and_missing_values_are_left_out() -> None:
    rows = platform_metrics(
        revenuecat_charts=[
            point("revenue", 3, unit="$", currency="EUR", is_incomplete=True),
            point("mrr", None, unit="$", currency="EUR"),
            # A day without a sale is reported as 0, and counts.
            point("trials_new", 0),
        ]
    )
    assert only(rows, "metric", "value") == [("trial_starts", Decimal(0))]


def test_new_subscriptions_are_the_sum_of_how_they_began() -> None:
    kinds = [
        point("actives_new", 4, "Trial Conversions", 0),
        point("actives_new", 1, "Intro Offers", 1),
        point("actives_new", 2, "Direct Subscriptions", 2),
    ]
    assert only(platform_metrics(revenuecat_charts=kinds), "metric", "value") == [
        ("new_subscriptions", Decimal(7)),
        ("trial_conversions", Decimal(4)),
    ]
    # Where the chart has the sum as well, it is not added to its parts.
    summed = [*kinds, point("actives_new", 7, "Total New Paid Subscriptions", 3)]
    assert only(platform_metrics(revenuecat_charts=summed), "metric", "value") == [
        ("new_subscriptions", Decimal(7)),
        ("trial_conversions", Decimal(4)),
    ]


def test_churn_is_weighted_by_the_subscriptions_at_the_start_of_the_day() -> None:
    rows = platform_metrics(
        revenuecat_charts=[
            point("churn", 400, "Actives", 0),
            point("churn", 3, "Churned Actives", 1),
            # In percent, and rounded: not what the rate is made of.
            point("churn", "0.8", "Churn Rate", 2, unit="%"),
        ]
    )
    assert only(rows, "metric", "value", "weight") == [
        ("churn_rate", Decimal("0.0075"), Decimal(400)),
        ("churned_subscriptions", Decimal(3), None),
    ]


def test_a_churn_rate_without_its_numbers_is_taken_from_percent() -> None:
    rows = platform_metrics(revenuecat_charts=[point("churn", "0.8", "Churn Rate", unit="%")])
    assert only(rows, "metric", "value", "weight") == [("churn_rate", Decimal("0.008"), None)]


def test_a_day_without_subscriptions_at_its_start_has_no_churn_rate() -> None:
    rows = platform_metrics(
        revenuecat_charts=[point("churn", 0, "Actives", 0), point("churn", 0, "Churned Actives", 1)],
    )
    assert only(rows, "metric", "value") == [("churned_subscriptions", Decimal(0))]


def test_a_split_chart_is_a_cut_of_its_own_and_no_total() -> None:
    rows = platform_metrics(
        revenuecat_charts=[
            point("actives", 10),
            point("actives", 6, dimension="store", segment="App Store"),
            point("actives", 4, dimension="store", segment="Play Store"),
            point("actives", 9, dimension="country", segment="DE"),
        ]
    )
    assert only(rows, "breakdown", "store", "country", "value", "is_total") == [
        ("app", None, None, Decimal(10), True),
        ("app,country", None, "DE", Decimal(9), False),
        ("app,store", "App Store", None, Decimal(6), False),
        ("app,store", "Play Store", None, Decimal(4), False),
    ]


def test_the_overview_fills_days_that_no_chart_has() -> None:
    rows = platform_metrics(
        revenuecat_charts=[point("actives", 10), point("actives", 3, ts=datetime(2026, 6, 2), is_incomplete=True)],
        revenuecat_overview=[
            # The chart has this day.
            level("active_subscriptions", 11, 1),
            # The chart calls this day incomplete.
            level("active_subscriptions", 12, 2),
            level("mrr", 99, 2),
            # Of the last 28 days: not a daily value.
            level("revenue", 1000, 2),
            level("new_customers", 50, 2),
        ],
    )
    assert only(rows, "metric", "day", "value", "currency") == [
        ("active_subscriptions", date(2026, 6, 1), Decimal(10), None),
        ("active_subscriptions", date(2026, 6, 2), Decimal(12), None),
        ("mrr", date(2026, 6, 2), Decimal(99), "EUR"),
    ]


def test_two_projects_stay_apart_and_a_restated_point_counts_once() -> None:
    rows = platform_metrics(
        revenuecat_charts=[
            point("actives", 10),
            point("actives", 12, _pull=2),
            point("actives", 5, project="proj2"),
        ]
    )
    assert only(rows, "app", "value") == [("proj1", Decimal(12)), ("proj2", Decimal(5))]


def test_subscriptions_of_the_sandbox_are_left_out() -> None:
    plain = {"project": "proj1", "customer": "c", "status": "active", "currency": "USD"}
    rows = run_models(
        "stg_revenuecat_subscriptions",
        revenuecat_subscriptions=[
            {**plain, "subscription": "s1", "environment": "production"},
            {**plain, "subscription": "s2", "environment": "sandbox"},
        ],
    )
    assert only(rows, "subscription") == [("s1",)]


def test_an_event_counts_once_however_often_and_late_it_is_delivered() -> None:
    rows = counted(
        event("e1", "INITIAL_PURCHASE"),
        event("e1", "INITIAL_PURCHASE"),
        event("e1", "INITIAL_PURCHASE", _partition="b.jsonl", _pull=2),
    )
    assert only(rows, "metric", "value", "platform", "is_total") == [
        ("new_subscriptions", Decimal(1), "revenuecat_events", True)
    ]


def test_what_counts_as_a_new_subscription() -> None:
    rows = counted(
        event("paid", "INITIAL_PURCHASE"),
        event("intro", "INITIAL_PURCHASE", period_type="INTRO"),
        # The first payment after a trial begins the paid subscription.
        event("converted", "RENEWAL", is_trial_conversion=True),
        event("renewed", "RENEWAL"),
        event("trial", "INITIAL_PURCHASE", period_type="TRIAL"),
        event("given", "INITIAL_PURCHASE", period_type="PROMOTIONAL"),
        event("family", "INITIAL_PURCHASE", is_family_share=True),
        event("sandbox", "INITIAL_PURCHASE", environment="SANDBOX"),
        event("test", "TEST", environment=None),
    )
    assert only(rows, "metric", "value") == [
        ("new_subscriptions", Decimal(3)),
        ("trial_conversions", Decimal(1)),
        ("trial_starts", Decimal(1)),
    ]


def test_switching_off_the_renewal_is_no_churn_and_a_refund_no_cancellation() -> None:
    rows = counted(
        event("c1", "CANCELLATION", reason="UNSUBSCRIBE"),
        event("c2", "CANCELLATION", reason="BILLING_ERROR"),
        event("refund", "CANCELLATION", reason="CUSTOMER_SUPPORT", price=Decimal("-5.99"), currency="EUR"),
        # The paid time ends: this is churn.
        event("x1", "EXPIRATION", reason="UNSUBSCRIBE"),
        # A trial that ends was never paid.
        event("x2", "EXPIRATION", reason="UNSUBSCRIBE", period_type="TRIAL"),
        event("c3", "CANCELLATION", reason="UNSUBSCRIBE", period_type="TRIAL"),
        event("back", "UNCANCELLATION"),
    )
    assert only(rows, "metric", "reason", "value") == [
        ("cancellations", "BILLING_ERROR", Decimal(1)),
        ("cancellations", "UNSUBSCRIBE", Decimal(1)),
        ("churned_subscriptions", "UNSUBSCRIBE", Decimal(1)),
        ("refunds", "CUSTOMER_SUPPORT", Decimal("5.99")),
        ("revenue", None, Decimal("-5.99")),
    ]


def test_revenue_is_what_was_paid_in_its_own_currency_less_refunds() -> None:
    rows = counted(
        event("p1", "INITIAL_PURCHASE", price=Decimal(10), currency="EUR", price_usd=Decimal(11)),
        event("p2", "RENEWAL", price=Decimal(10), currency="USD", price_usd=Decimal(10)),
        # Only dollars are reported.
        event("p3", "NON_RENEWING_PURCHASE", price_usd=Decimal(3)),
        event("r1", "CANCELLATION", reason="CUSTOMER_SUPPORT", price=Decimal(-4), currency="EUR"),
        # A refund taken back.
        event("r2", "REFUND_REVERSED", price=Decimal(1), currency="EUR"),
        # Prices in these say what it costs, not that somebody paid.
        event("n1", "PRODUCT_CHANGE", price=Decimal(50), currency="EUR"),
        event("n2", "EXPIRATION", price=Decimal(50), currency="EUR"),
        event("n3", "CANCELLATION", reason="UNSUBSCRIBE", price=Decimal(-50), currency="EUR"),
        event("n4", "RENEWAL", price=Decimal(70), currency="EUR", environment="SANDBOX"),
    )
    assert only(named(rows, "revenue"), "currency", "value") == [("EUR", Decimal(7)), ("USD", Decimal(13))]
    assert sum(row["value"] for row in named(rows, "refunds")) == Decimal(3)


def test_events_are_split_by_store_product_country_and_app() -> None:
    rows = counted(
        event("e1", "INITIAL_PURCHASE"),
        event("e2", "INITIAL_PURCHASE", store="play_store", product="pro:month", country=None, app=None),
    )
    assert only(rows, "breakdown", "app", "store", "product", "country", "value") == [
        ("app,country,product,store", "app1", "app_store", "pro", "DE", Decimal(1)),
        ("app,country,product,store", None, "play_store", "pro:month", None, Decimal(1)),
    ]


def test_an_event_counts_on_its_own_day_in_utc() -> None:
    rows = counted(
        event("e1", "INITIAL_PURCHASE", ts=datetime(2026, 6, 1, 23, 59, 59)),
        event("e2", "INITIAL_PURCHASE", ts=datetime(2026, 6, 2)),
    )
    assert only(rows, "day", "value") == [(date(2026, 6, 1), Decimal(1)), (date(2026, 6, 2), Decimal(1))]


def test_the_charts_and_the_webhooks_of_the_sample_agree() -> None:
    apps = Apps(Company(Options(size=0.3, end=date(2026, 6, 30), days=90)))
    charts = platform_metrics(**{name: rows for name, rows in platforms()["revenuecat"].reported(apps).items() if rows})
    events = run_models("platform_metrics_revenuecat_events", **platforms()["revenuecat_events"].reported(apps))
    for metric in ("revenue", "new_subscriptions", "churned_subscriptions", "trial_starts", "trial_conversions"):
        by_chart = sum(row["value"] for row in named(charts, metric))
        by_event = sum(row["value"] for row in named(events, metric))
        assert by_chart == by_event > 0, metric
