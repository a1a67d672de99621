"""Daily metrics of files and databases: one breakdown per source and metric, sums, weighted means."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tidings.platform_metrics import DIMENSIONS
from workbooks import run_models

DAY = datetime(2026, 6, 1)


def counted(metric: str, value: float, **more: Any) -> dict[str, Any]:
    return {"ts": DAY, "metric": metric, "value": value, "currency": "", **dict.fromkeys(DIMENSIONS, ""), **more}


def shared(*rows: dict[str, Any]) -> list[tuple[Any, ...]]:
    found = run_models("fct_metric_daily", platform_metrics=rows)
    return sorted(
        (row["metric"], row["breakdown"], row["country"] or "", float(row["value"]), row["is_total"], row["_source"])
        for row in found
    )


def test_rows_of_a_metric_are_one_cut() -> None:
    rows = shared(
        counted("downloads", 3, country="DE"),
        # A download of an unknown country belongs to the same breakdown.
        counted("downloads", 2),
        counted("visitors", 9),
        counted("downloads", 7, _source="other"),
    )
    assert rows == [
        ("downloads", "", "", 7, True, "other"),
        ("downloads", "country", "", 2, True, "shop"),
        ("downloads", "country", "DE", 3, True, "shop"),
        ("visitors", "", "", 9, True, "shop"),
    ]


def test_a_value_reported_twice_counts_once_by_its_last_version() -> None:
    rows = shared(counted("downloads", 3, _pull=1), counted("downloads", 5, _pull=2))
    assert [row[3] for row in rows] == [5]


def test_means_are_weighted_over_hours_of_a_day() -> None:
    rows = shared(
        counted("rating", 5, weight=1),
        counted("rating", 2, weight=3, ts=datetime(2026, 6, 1, 12)),
        counted("downloads", 1),
        counted("downloads", 2, ts=datetime(2026, 6, 1, 12)),
    )
    assert [(row[0], row[3]) for row in rows] == [("downloads", 3), ("rating", 2.75)]
