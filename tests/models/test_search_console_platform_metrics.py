"""Platform metrics of Google Search Console: totals from totals, breakdowns apart, withheld queries as one row."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from workbooks import run_models

DAY = datetime(2026, 6, 1)


def row(clicks: int, impressions: int, position: float | None, **more: Any) -> dict[str, Any]:
    whose = {"site": "sc-domain:x", "search_type": "web", "is_final": True, "ts": DAY}
    return {**whose, "clicks": clicks, "impressions": impressions, "position": position, **more}


def platform_metrics(**raw: list[dict[str, Any]]) -> list[dict[str, Any]]:
    named = {f"search_console_{name}": rows for name, rows in raw.items()}
    return run_models("platform_metrics_search_console", **named)


def reported(found: list[dict[str, Any]], metric: str, breakdown: str, *names: str) -> list[tuple[Any, ...]]:
    rows = [row for row in found if (row["metric"], row["breakdown"]) == (metric, breakdown)]
    return sorted((*(row[name] for name in names), float(row["value"]), row["is_total"]) for row in rows)


def test_totals_come_from_the_totals() -> None:
    found = platform_metrics(
        daily=[row(10, 100, 4.0)], query=[row(4, 30, 2.0, query="news")], page=[row(9, 140, 5.0, page="/a")]
    )
    assert reported(found, "search_clicks", "app,search_type", "app") == [("sc-domain:x", 10, True)]
    assert reported(found, "search_clicks", "app,page,search_type", "page") == [("/a", 9, False)]
    # Google reports the query of 4 clicks of 10.
    assert reported(found, "search_clicks", "app,query,search_type", "query") == [
        ("(anonymised)", 6, False),
        ("news", 4, False),
    ]
    # Where the withheld ones were shown is not known.
    assert reported(found, "search_position", "app,query,search_type", "query") == [("news", 2, False)]


def test_a_day_without_queries_between_days_with_queries_is_all_withheld() -> None:
    def on(day: int, *platform_metrics_: Any, **more: Any) -> dict[str, Any]:
        return row(*platform_metrics_, **more) | {"ts": datetime(2026, 6, day)}

    found = platform_metrics(
        daily=[on(day, 3, 20, 4.0) for day in range(1, 6)],
        query=[on(day, 3, 20, 4.0, query="news") for day in (2, 4)],
    )
    told_days = {(row["day"].day, row["query"]) for row in found if row["query"]}
    # Of the 3rd Google withholds everything; the 1st and the 5th were not asked for by query.
    assert told_days == {(2, "news"), (3, "(anonymised)"), (4, "news")}


def test_what_google_still_moves_is_no_figure_yet() -> None:
    found = platform_metrics(daily=[row(10, 100, 4.0) | {"is_final": False}])
    assert found == []


def test_devices_are_named_as_everywhere_else() -> None:
    rows = [row(1, 2, 3.0, country="DE", device=device) for device in ("MOBILE", "ALL")]
    found = platform_metrics(country=rows)
    assert {row["device"] for row in found} == {"mobile", None}


def test_more_by_query_than_in_total_withholds_nothing() -> None:
    # A query shown with two pages counts twice there.
    found = platform_metrics(daily=[row(3, 20, 4.0)], query=[row(3, 25, 4.0, query="a")])
    assert reported(found, "search_impressions", "app,query,search_type", "query") == [("a", 25, False)]


def test_positions_of_two_properties_stay_apart_and_are_weighted() -> None:
    found = platform_metrics(
        country=[
            row(1, 10, 2.0, country="DE", device="MOBILE"),
            row(1, 30, 6.0, country="DE", device="MOBILE", site="sc-domain:y"),
        ]
    )
    assert reported(found, "search_position", "app,country,device,search_type", "app") == [
        ("sc-domain:x", 2, False),
        ("sc-domain:y", 6, False),
    ]
    weights = {row["app"]: float(row["weight"]) for row in found if row["metric"] == "search_position"}
    assert weights == {"sc-domain:x": 10, "sc-domain:y": 30}


def test_discover_withholds_no_queries_as_it_has_none() -> None:
    found = platform_metrics(daily=[row(3, 20, 4.0, search_type="discover")])
    assert reported(found, "search_clicks", "app,query,search_type", "query") == []
