"""Figures of Google Play: wholes from the overview files, money by sign, rates weighted by users."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from workbooks import run_models

DAY = datetime(2026, 6, 1)


def told(found: list[dict[str, Any]], metric: str, *names: str) -> list[tuple[Any, ...]]:
    rows = [row for row in found if row["metric"] == metric]
    return sorted((*(row[name] or "" for name in names), float(row["value"]), row["is_total"]) for row in rows)


def test_countries_are_not_added_to_the_overview() -> None:
    def row(cut: str, name: str, installs: int, active: int) -> dict[str, Any]:
        whose = {"package": "com.a", "ts": DAY, "cut": cut, "name": name}
        return {**whose, "installs": installs, "active_devices": active}

    found = run_models(
        "figures_google_play",
        google_play_installs=[
            row("overview", "all", 10, 100),
            row("country", "DE", 7, 60),
            row("country", "US", 3, 40),
        ],
    )
    assert told(found, "downloads", "country") == [("", 10, True), ("DE", 7, False), ("US", 3, False)]
    assert told(found, "active_devices", "country")[0] == ("", 100, True)
    # Removals were not told: they are no zero.
    assert told(found, "uninstalls", "country") == []


def test_store_visitors_by_country_are_the_whole() -> None:
    def row(number: int, cut: str, name: str, visitors: int) -> dict[str, Any]:
        whose = {"package": "com.a", "ts": DAY, "cut": cut, "name": name, "row": number}
        return {**whose, "visitors": visitors, "acquisitions": visitors // 4}

    found = run_models(
        "figures_google_play",
        google_play_store=[
            row(1, "country", "DE", 30),
            row(2, "country", "US", 10),
            # Two search terms of one source.
            row(1, "traffic_source", "Search", 25),
            row(2, "traffic_source", "Search", 15),
        ],
    )
    assert told(found, "store_views", "country", "channel") == [
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
        "figures_google_play",
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
    assert told(found, "gross_sales") == [(6, True)]
    assert told(found, "refunds") == [(6, True)]
    # Of two charges and a refund the payout is one charge less its fee.
    assert told(found, "proceeds") == [(4.25, True)]
    assert told(found, "fees") == [(0.75, True)]


def test_rates_and_stars() -> None:
    def vital(kind: str, name: str, rate: float, users: int) -> dict[str, Any]:
        return {"package": "com.a", "ts": DAY, "kind": kind, "name": name, "rate": rate, "users": users}

    rating = {"package": "com.a", "ts": DAY, "cut": "overview", "name": "all"}
    found = run_models(
        "figures_google_play",
        google_play_vitals=[vital("crash", "all", 0.004, 1000), vital("crash", "341", 0.006, 100)],
        google_play_ratings=[
            {**rating, "daily_average": 4.5, "total_average": 4.0},
            # Nobody rated that day.
            {**rating, "ts": datetime(2026, 6, 2), "daily_average": None, "total_average": 4.0},
        ],
    )
    assert told(found, "crash_rate", "app_version") == [("", 0.004, True), ("341", 0.006, False)]
    assert told(found, "rating") == [(4.5, True)]
    assert [row["weight"] for row in found if row["metric"] == "rating"] == [None]
    assert [float(row["weight"]) for row in found if row["metric"] == "crash_rate" and row["is_total"]] == [1000]
