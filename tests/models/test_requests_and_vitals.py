"""Requests (metric definitions 8.2), web vitals (8.5), the calendar: rows in, rows out."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from workbooks import at, only, run_models


@pytest.mark.parametrize(
    ("status", "is_error", "is_client_error"),
    [
        (200, False, False),
        (399, False, False),
        (400, False, True),  # the service worked
        (499, False, True),
        (500, True, False),
        (0, True, False),  # no response
        (None, True, False),  # no response
    ],
)
def test_errors(status: int | None, is_error: bool, is_client_error: bool) -> None:
    rows = run_models("fct_requests", requests=[{"status": status}], access=[{"visitor_id": "p", "status": status}])
    assert only(rows, "is_error", "is_client_error") == [(is_error, is_client_error)] * 2


def test_log_lines_are_requests_of_their_host_and_calls_have_no_bots() -> None:
    rows = run_models(
        "fct_requests",
        requests=[{"request_id": "r", "service": "llm", "status": 200, "latency_ms": 12.5, "cost": "0.00000001"}],
        access=[
            {"visitor_id": "p", "status": 200, "path": "/a", "host": "tidings.example", "is_bot": True},
            {"visitor_id": "p", "status": 200, "path": "/logo.png", "is_page": False},  # every line, not just pages
        ],
    )
    assert only(rows, "kind", "service", "endpoint", "is_bot", "latency_ms") == [
        ("access", "shop", "/logo.png", False, None),  # no host in the log: the source
        ("access", "tidings.example", "/a", True, None),
        ("call", "llm", None, None, 12.5),
    ]


@pytest.mark.parametrize(
    ("metric", "good", "fair"),
    [("LCP", 2500, 4000), ("INP", 200, 500), ("CLS", 0.1, 0.25), ("FCP", 1800, 3000), ("TTFB", 800, 1800)],
)
def test_ratings_include_their_upper_bounds(metric: str, good: float, fair: float) -> None:
    values = [0.0, good, good * 1.001, fair, fair * 1.001]
    rows = run_models("fct_web_vitals", vitals=[{"metric": metric, "value": float(value)} for value in values])
    assert [row["rating"] for row in sorted(rows, key=lambda row: row["value"])] == [
        *("good", "good"),
        *("needs-improvement", "needs-improvement"),
        "poor",
    ]


def test_the_calendar_runs_from_the_first_to_the_last_row_of_any_feed() -> None:
    rows = run_models(
        "dim_date",
        vitals=[{"value": 1.0, "ts": at("2026-06-05T23:59")}],
        orders=[{"order_id": "o", "amount": 1, "ts": at("2026-06-08T00:00")}],
    )
    assert only(rows, "day", "week", "month", "iso_weekday", "is_weekend") == [
        (date(2026, 6, 5), date(2026, 6, 1), date(2026, 6, 1), 5, False),
        (date(2026, 6, 6), date(2026, 6, 1), date(2026, 6, 1), 6, True),
        (date(2026, 6, 7), date(2026, 6, 1), date(2026, 6, 1), 7, True),
        (date(2026, 6, 8), date(2026, 6, 8), date(2026, 6, 1), 1, False),
    ]


def test_without_rows_every_mart_is_empty() -> None:
    marts = ("dim_date", "dim_users", "fct_sessions", "fct_order_lines", "fct_requests", "fct_web_vitals")
    empty: dict[str, list[dict[str, Any]]] = {mart: run_models(mart) for mart in marts}
    assert empty == {mart: [] for mart in marts}
