"""Platform metrics of PostHog: totals of days, breakdowns apart, events by name."""

from __future__ import annotations

from datetime import datetime

from workbooks import run_models

WHOSE = {"project": "4711", "ts": datetime(2026, 6, 1), "zone": "Europe/Berlin"}


def test_totals_are_totals_and_breakdowns_are_not() -> None:
    found = run_models(
        "platform_metrics_posthog",
        posthog_daily=[{**WHOSE, "pageviews": 30, "visitors": 10, "visits": 12, "active_users": 11}],
        posthog_breakdowns=[
            # Both pages were seen by some of the ten visitors.
            {**WHOSE, "type": "page", "name": "/a", "pageviews": 20, "visitors": 8},
            {**WHOSE, "type": "page", "name": "/b", "pageviews": 10, "visitors": 7},
        ],
        posthog_events=[{**WHOSE, "event": "signup", "events": 4, "users": 3}],
    )
    rows = {(row["metric"], row["breakdown"], row["page"]): (float(row["value"]), row["is_total"]) for row in found}
    assert rows == {
        ("pageviews", "app", None): (30, True),
        ("visitors", "app", None): (10, True),
        ("visits", "app", None): (12, True),
        ("active_users", "app", None): (11, True),
        ("pageviews", "app,page", "/a"): (20, False),
        ("pageviews", "app,page", "/b"): (10, False),
        ("visitors", "app,page", "/a"): (8, False),
        ("visitors", "app,page", "/b"): (7, False),
        ("events", "app,event", None): (4, True),
        ("event_users", "app,event", None): (3, False),
    }
    assert {row["zone"] for row in found} == {"Europe/Berlin"}
