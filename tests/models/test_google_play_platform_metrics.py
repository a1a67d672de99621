"""Platform metrics of Google Play: totals from the overview files, money by sign, rates weighted by users."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from workbooks import run_models

DAY = datetime(2026, 6, 1)


def reported(found: list[dict[str, Any]], metric: str, *names: str) -> list[tuple[Any, ...]]:
    rows = [row for row in found if row["metric"] == metric]
    return sorted((*(row[name] or "" for name in names), float(row["value"]), row["is_total"]) for row in rows)


def test_countries_are_not_added_to_the_overview() -> None:
    def row(breakdown: str, name: str, installs: int, active: int) -> dict[str, Any]:
        whose = {"package": "com.a", "ts": DAY, "breakdown": breakdown, "name": name}
        return {**whose, "installs": installs, "active_devices": active}

    found = run_models(
        "platform_metrics_google_play",
        google_play_installs=[
            row("overview", "all", 10, 100),
            row("country", "DE", 7, 60),
            row("country", "US", 3, 40),
        ],
    )
    assert reported(found, "downloads", "country") == [("", 10, True), ("DE", 7, False), ("US", 3, False)]
    assert reported(found, "active_devices", "country")[0] == ("", 100, True)
    # Removals were not reported: unknown, not zero.
    assert reported(found, "uninstalls", "country") == []


def test_store_visitors_by_country_give_the_total() -> None:
    def row(number: int, breakdown: str, name: str, visitors: int) -> dict[str, Any]:
        whose = {"package": "com.a", "ts": DAY, "breakdown": breakdown, "name": name, "row": number}
        return {**whose, "visitors": visitors, "acquisitions": visitors // 4}

    found = run_models(
        "platform_metrics_google_play",
        google_play_store=[
            row(1, "country", "DE", 30),
            row(2, "country", "US", 10),
            # Two search terms of one source.
            row(1, "traffic_source", "Search", 25),
            row(2, "traffic_source", "Search", 15),
        ],
    )
    assert reported(found, "store_views", "country", "channel") == [
        ("", "Search", 40, False),
        ("DE", "", 30, True),
        ("US", "", 10, True),
    ]


def test_money_by_its_sign() -> None:
    def sale(row: int, amount: int, status: str) -> dict[str, Any]:
        whose = {"month": "202606", "row": row, "order_number": str(row), "ts": DAY, "status": status}
        return {**whose, "package": "com.a", "sku": "pro", "amount": Decimal(amount), "currency": "EUR"}

    def earned(row: int, type_: str, amount: str) -> dict[str, Any]:
        whose = {"file": "f", "row": row, "ts": DAY, "type": type_, "package": "com.a", "sku": "pro"}
        return {**whose, "amount": Decimal(amount), "currency": "EUR"}

    found = run_models(
        "platform_metrics_google_play",
        google_play_sales=[sale(1, 6, "Charged"), sale(2, 6, "Charged"), sale(3, -6, "Refund")],
        google_play_earnings=[
            earned(1, "Charge", "5.00"),
            earned(2, "Google fee", "-0.75"),
            earned(3, "Charge refund", "-5.00"),
            earned(4, "Google fee refund", "0.75"),
            earned(5, "Charge", "5.00"),
            earned(6, "Google fee", "-0.75"),
        ],
    )
    assert reported(found, "gross_sales") == [(6, True)]
    assert reported(found, "refunds") == [(6, True)]
    # Of two charges and a refund the payout is one charge less its fee.
    assert reported(found, "proceeds") == [(4.25, True)]
    assert reported(found, "fees") == [(0.75, True)]


def test_rates_and_stars() -> None:
    def vital(kind: str, name: str, rate: float, users: int) -> dict[str, Any]:
        return {"package": "com.a", "ts": DAY, "kind": kind, "name": name, "rate": rate, "users": users}

    rating = {"package": "com.a", "ts": DAY, "breakdown": "overview", "name": "all"}
    found = run_models(
        "platform_metrics_google_play",
        google_play_vitals=[vital("crash", "all", 0.004, 1000), vital("crash", "341", 0.006, 100)],
        google_play_ratings=[
            {**rating, "daily_average": 4.5, "total_average": 4.0},
            {**rating, "breakdown": "country", "name": "DE", "daily_average": 4.5, "total_average": 4.0},
            # Nobody rated that day.
            {**rating, "breakdown": "country", "name": "FR", "daily_average": None, "total_average": 4.0},
        ],
        google_play_reviews=[
            {"package": "com.a", "review_id": "a", "ts": DAY, "rating": 5},
            {"package": "com.a", "review_id": "b", "ts": DAY, "rating": 2},
        ],
    )
    assert reported(found, "crash_rate", "app_version") == [("", 0.004, True), ("341", 0.006, False)]
    # The total is that of the listed ratings; Google's means by country come without their number.
    assert reported(found, "rating", "country") == [("", 3.5, True), ("DE", 4.5, False)]
    assert [row["weight"] for row in found if row["metric"] == "rating" and not row["is_total"]] == [None]
    # What the store shows: all ratings ever.
    assert reported(found, "rating_so_far", "country") == [("", 4, True), ("DE", 4, False), ("FR", 4, False)]
    assert [float(row["weight"]) for row in found if row["metric"] == "crash_rate" and row["is_total"]] == [1000]


def test_a_review_has_its_last_text_and_its_first_date() -> None:
    review = {"package": "com.a", "review_id": "a"}
    written, changed = datetime(2026, 6, 1, 9), datetime(2026, 6, 20, 9)
    month = {**review, "ts": written, "updated_at": written, "rating": 2, "body": "So so"}
    week = {**review, "ts": changed, "updated_at": changed, "rating": 5, "body": "Mended"}
    for first, second in ((month, week), (week, month)):
        found = run_models(
            "stg_google_play_reviews", google_play_reviews=[{**first, "_pull": 1}, {**second, "_pull": 2}]
        )
        assert [(row["ts"], row["rating"], row["body"]) for row in found] == [(written, 5, "Mended")]
    # Without a time of change the one that was landed last.
    untold = [{**each, "updated_at": None, "_pull": pull} for pull, each in ((1, week), (2, month))]
    (row,) = run_models("stg_google_play_reviews", google_play_reviews=untold)
    assert (row["ts"], row["rating"]) == (written, 2)


def test_days_of_reviews_and_sales_are_utc_and_of_all_else_pacific() -> None:
    at = datetime(2026, 6, 1, 3)
    found = run_models(
        "platform_metrics_google_play",
        google_play_reviews=[{"package": "com.a", "review_id": "a", "ts": at, "rating": 5}],
        google_play_installs=[{"package": "com.a", "ts": DAY, "breakdown": "overview", "name": "all", "installs": 1}],
    )
    sold = {"month": "202606", "row": 1, "order_number": "1", "package": "com.a", "ts": DAY}
    sold |= {"amount": Decimal(1), "currency": "EUR"}
    found += run_models("platform_metrics_google_play", google_play_sales=[sold | {"status": "Charged"}])
    zones = {row["metric"]: row["zone"] for row in found}
    assert zones["reviews"] == zones["rating"] == zones["gross_sales"] == "UTC"
    assert zones["downloads"] == "America/Los_Angeles"


def test_the_overview_is_the_rating_of_days_without_listed_ones() -> None:
    rating = {"package": "com.a", "ts": DAY, "breakdown": "overview", "name": "all", "total_average": 4.1}
    found = run_models(
        "platform_metrics_google_play",
        google_play_ratings=[
            {**rating, "daily_average": 4.5},
            {**rating, "ts": DAY.replace(day=2), "daily_average": 3.0},
            {**rating, "ts": DAY.replace(day=3), "daily_average": None},
            {**rating, "package": "com.b", "daily_average": 2.0},
        ],
        google_play_reviews=[{"package": "com.a", "review_id": "a", "ts": DAY, "rating": 5}],
    )
    rows = [row for row in found if row["metric"] == "rating"]
    assert sorted((row["app"], row["day"].day, float(row["value"])) for row in rows) == [
        ("com.a", 1, 5),  # listed, and so known of how many
        ("com.a", 2, 3),
        ("com.b", 1, 2),  # of another app nothing is listed
    ]
    so_far = [row["day"].day for row in found if row["metric"] == "rating_so_far" and row["app"] == "com.a"]
    assert sorted(so_far) == [1, 2, 3]


def test_a_status_that_is_not_known_is_no_sale_and_a_type_that_is_not_known_no_fee() -> None:
    sale = {"month": "202606", "ts": DAY, "package": "com.a", "currency": "EUR", "order_number": "GPA"}
    paid = {"file": "f", "ts": DAY, "currency": "EUR", "package": "com.a"}
    found = run_models(
        "platform_metrics_google_play",
        google_play_sales=[
            {**sale, "row": 1, "status": "Charged", "amount": Decimal(10)},
            {**sale, "row": 2, "status": "Partial  Refund", "amount": Decimal(-4)},
            {**sale, "row": 3, "status": "Refund requested", "amount": Decimal(10)},
        ],
        google_play_earnings=[
            {**paid, "row": 1, "type": "Charge", "amount": Decimal(10)},
            {**paid, "row": 2, "type": "Google fee", "amount": Decimal("-1.5")},
            {**paid, "row": 3, "type": "Not a Google fee", "amount": Decimal("-2")},
        ],
    )
    assert reported(found, "gross_sales") == [(6, True)] and reported(found, "refunds") == [(4, True)]
    assert reported(found, "proceeds") == [(6.5, True)] and reported(found, "fees") == [(1.5, True)]
