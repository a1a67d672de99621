"""Platform metrics of Google Analytics: totals from totals, breakdowns apart, page views are not events."""

from __future__ import annotations

from datetime import datetime

from workbooks import run_models

PLAIN = {"is_thresholded": False, "is_other": False, "is_sampled": False}
WHOSE = {"property": "411", "ts": datetime(2026, 6, 1), "zone": "Europe/Tallinn", **PLAIN}
MEASURES = {"active_users": 10, "sessions": 12, "engaged_sessions": 7, "page_views": 30}


def test_totals_are_totals_and_page_views_are_not_events() -> None:
    found = run_models(
        "platform_metrics_ga4",
        ga4_daily=[{**WHOSE, **MEASURES, "new_users": 5, "engagement_s": 60}],
        # One of ten users is withheld: the countries do not add up to the total.
        ga4_breakdowns=[{**WHOSE, "type": "country", "name": "DE", **MEASURES, "active_users": 9}],
        ga4_events=[
            {**WHOSE, "event": "page_view", "events": 30, "users": 10, "key_events": 0.0},
            {**WHOSE, "event": "signup", "events": 4, "users": 3, "key_events": 4.0},
        ],
    )
    rows = {(row["metric"], row["breakdown"]): (float(row["value"]), row["is_total"]) for row in found}
    assert rows == {
        ("visitors", "app"): (10, True),
        ("active_users", "app"): (10, True),
        ("visits", "app"): (12, True),
        ("engaged_visits", "app"): (7, True),
        ("pageviews", "app"): (30, True),
        ("visitors", "app,country"): (9, False),
        ("visits", "app,country"): (12, False),
        ("engaged_visits", "app,country"): (7, False),
        ("pageviews", "app,country"): (30, False),
        ("events", "app,event"): (4, True),
        ("event_users", "app,event"): (3, False),
    }
    assert {row["zone"] for row in found} == {"Europe/Tallinn"}
