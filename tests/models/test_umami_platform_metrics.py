"""Platform metrics of Umami: totals of days, breakdowns apart, events by name."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from workbooks import run_models

WHOSE = {"website": "shop.example", "ts": datetime(2026, 6, 1), "zone": "Europe/Berlin"}


def test_totals_are_totals_and_breakdowns_are_not() -> None:
    daily = {**WHOSE, "pageviews": 30, "visitors": 10, "visits": 12, "bounces": 4, "seconds": 600}
    found = run_models(
        "platform_metrics_umami",
        umami_daily=[daily],
        umami_breakdowns=[
            # Both pages were seen by some of the ten visitors.
            {**WHOSE, "type": "path", "name": "/a", "visitors": 8},
            {**WHOSE, "type": "path", "name": "/b", "visitors": 7},
            # Referrers are staged, but not a metric: channels are.
            {**WHOSE, "type": "referrer", "name": "x.example", "visitors": 2},
        ],
        umami_events=[{**WHOSE, "event": "signup", "events": 2}, {**WHOSE, "event": "download", "events": 3}],
    )
    rows: list[tuple[Any, ...]] = sorted(
        (row["metric"], row["breakdown"], row["page"] or row["event"] or "", float(row["value"]), row["is_total"])
        for row in found
    )
    assert rows == [
        ("bounces", "app", "", 4, True),
        ("events", "app,event", "download", 3, True),
        ("events", "app,event", "signup", 2, True),
        ("pageviews", "app", "", 30, True),
        ("visit_seconds", "app", "", 600, True),
        ("visitors", "app", "", 10, True),
        ("visitors", "app,page", "/a", 8, False),
        ("visitors", "app,page", "/b", 7, False),
        ("visits", "app", "", 12, True),
    ]
    assert {row["zone"] for row in found} == {"Europe/Berlin"}


def test_the_latest_word_of_a_day_holds() -> None:
    daily = {**WHOSE, "pageviews": 30, "visitors": 10, "visits": 12, "bounces": 4, "seconds": 600}
    found = run_models(
        "platform_metrics_umami", umami_daily=[{**daily, "_pull": 1}, {**daily, "visitors": 11, "_pull": 2}]
    )
    assert [float(row["value"]) for row in found if row["metric"] == "visitors"] == [11]


def test_a_website_that_was_renamed_is_one_under_its_newest_name() -> None:
    old, new = (
        {**WHOSE, "_partition": "id-1", "_pull": 1},
        {**WHOSE, "website": "new.example", "_partition": "id-1", "_pull": 2},
    )
    other = {**WHOSE, "website": "other.example", "_partition": "id-2", "_pull": 3}
    daily = {"pageviews": 30, "visitors": 10, "visits": 12, "bounces": 4, "seconds": 600}
    found = run_models(
        "platform_metrics_umami",
        umami_daily=[
            {**old, **daily},
            # Landed anew under the new name: the same day of the same website.
            {**new, **daily, "visitors": 11},
            {**new, **daily, "ts": datetime(2026, 6, 2), "visitors": 12},
            {**other, **daily, "visitors": 7},
        ],
        # Of events there were none since.
        umami_events=[{**old, "event": "signup", "events": 2}],
    )
    assert sorted(
        (row["metric"], row["app"], float(row["value"])) for row in found if row["metric"] in ("visitors", "events")
    ) == [
        ("events", "new.example", 2),
        ("visitors", "new.example", 11),
        ("visitors", "new.example", 12),
        ("visitors", "other.example", 7),
    ]
