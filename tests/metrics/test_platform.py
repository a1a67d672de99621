"""Metrics over platform metrics: sums of days, levels of the last day, weighted means, money at the day's rate."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest

from metrics.mart_rows import mart, value
from tidings.metrics.platform import OF_BOTH_STORES, OF_EACH, PLATFORMS, REPORTS, name_of
from tidings.metrics.registry import get, leaves, registry
from tidings.platform_metrics import PLATFORM_METRICS
from tidings.query.aggregate import aggregate, combined
from tidings.window import Window, Zone

MONDAY, TUESDAY = date(2026, 6, 1), date(2026, 6, 2)


def reported(platform: str, metric: str, amount: float, day: date = MONDAY, **more: Any) -> dict[str, Any]:
    return {"platform": platform, "metric": metric, "value": amount, "day": day, "_source": platform, **more}


def test_a_flow_is_summed_over_the_days_of_its_platform() -> None:
    rows = [
        reported("app_store", "downloads", 3),
        reported("app_store", "downloads", 4, TUESDAY),
        reported("google_play", "downloads", 100),  # another store
        reported("app_store", "updates", 1000),  # another figure
    ]
    assert value("app_store_downloads", rows) == 7
    # The stores sell to different people.
    assert value("downloads", rows) == 107


def test_visitors_are_a_mean_per_day() -> None:
    # Whoever came on both days is counted on both: 30 is not a number of people.
    rows = [
        reported("umami", "visitors", 10),
        reported("umami", "visitors", 20, TUESDAY),
        reported("ga4", "visitors", 99),
    ]
    assert value("umami_visitors", rows) == 15


def test_a_level_is_that_of_the_last_day() -> None:
    rows = [
        reported("revenuecat", "active_subscriptions", 50),
        reported("revenuecat", "active_subscriptions", 30, TUESDAY, product="month"),
        reported("revenuecat", "active_subscriptions", 25, TUESDAY, product="year"),
        # A second project stopped telling on Monday: its last word counts.
        reported("revenuecat", "active_subscriptions", 7, _source="other"),
    ]
    assert value("revenuecat_active_subscriptions", rows) == 30 + 25 + 7


def test_a_level_of_each_slice_is_that_of_its_last_day() -> None:
    rows = [reported("revenuecat", "mrr", 50), reported("revenuecat", "mrr", 60, TUESDAY)]
    table = mart("fct_metric_daily", rows)
    found = aggregate(table, [get("revenuecat_mrr")], {"day": table.day}).to_pyarrow().to_pylist()
    assert {row["day"]: float(row["revenuecat_mrr"]) for row in found} == {MONDAY: 50, TUESDAY: 60}


def test_a_mean_is_weighted_where_weights_are_reported() -> None:
    rows = [reported("app_store", "rating", 5, weight=1), reported("app_store", "rating", 2, TUESDAY, weight=3)]
    assert value("app_store_rating", rows) == pytest.approx((5 + 6) / 4)
    # Google Play does not report how many rated.
    unweighted = [reported("google_play", "rating", 5), reported("google_play", "rating", 2, TUESDAY)]
    assert value("google_play_rating", unweighted) == pytest.approx(3.5)


def test_money_of_days_takes_the_rate_of_its_day_and_levels_that_of_the_report() -> None:
    rates = {"fx": 1, "currency": "USD"}
    rows = [
        reported("stripe", "gross_sales", 100, fx_of_day=0.9, **rates),
        reported("stripe", "gross_sales", 100, TUESDAY, fx_of_day=0.8, **rates),
        # No rate for it: in no sum, and not zero.
        reported("stripe", "gross_sales", 5, TUESDAY, fx_of_day=None, fx=None, currency="XXX"),
        reported("stripe", "mrr", 40, fx_of_day=0.9, **rates),
    ]
    assert value("stripe_gross_sales", rows) == 170
    assert value("stripe_mrr", rows) == 40


def test_click_rate_is_clicks_over_impressions() -> None:
    metric = get("search_ctr")
    window = Window.between(MONDAY, MONDAY, datetime.fromisoformat("2026-06-02T00:00+00:00"), Zone())
    assert combined(metric, {"search_clicks": 5, "search_impressions": 50}, window) == 0.1
    assert combined(metric, {"search_clicks": 0, "search_impressions": 0}, window) is None


def test_position_is_weighted_by_impressions() -> None:
    rows = [
        reported("search_console", "search_position", 1, weight=30),
        reported("search_console", "search_position", 9, TUESDAY, weight=10),
    ]
    assert value("search_position", rows) == 3


def test_every_platform_metric_has_a_metric() -> None:
    assert set(PLATFORMS) == set(REPORTS)
    for platform, reports in REPORTS.items():
        assert set(reports) <= set(PLATFORM_METRICS)
        for unified in reports:
            assert get(name_of(platform, unified)).unit == PLATFORM_METRICS[unified].unit
    assert {metric.name for metric in (*OF_EACH, *OF_BOTH_STORES)} <= set(registry())
    # Nothing adds up platforms that count the same people.
    summed = [metric for metric in OF_BOTH_STORES if len(metric.where.platforms) > 1]  # type: ignore[union-attr]
    assert {platform for metric in summed for platform in metric.where.platforms} == {"app_store", "google_play"}  # type: ignore[union-attr]
    assert [leaf.name for leaf in leaves(get("google_play_conversion"))] == [
        "google_play_acquisitions",
        "google_play_views",
    ]


def test_a_level_is_that_of_the_last_day_of_each_app() -> None:
    rows = [
        reported("google_play", "active_subscriptions", 50, app="a"),
        reported("google_play", "active_subscriptions", 30, TUESDAY, app="b"),
        # The App Store reports all apps at once: without a row an app's level is 0.
        reported("app_store", "active_subscriptions", 50, app="a"),
        reported("app_store", "active_subscriptions", 30, TUESDAY, app="b"),
    ]
    assert value("google_play_active_subscriptions", rows) == 80
    assert value("app_store_active_subscriptions", rows) == 30


def test_what_weighs_nothing_has_no_mean() -> None:
    rows = [
        reported("search_console", "search_position", 4, weight=0),
        reported("search_console", "search_position", 9, weight=0),
    ]
    assert value("search_position", rows) is None
