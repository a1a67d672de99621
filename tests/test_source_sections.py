"""What the sections on acquisition and on the sources say of a small workbook, row by row."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tidings.book import Book
from tidings.build import build
from tidings.ledger import Ledger
from tidings.sections import acquisition, source_health
from tidings.settings import load_settings
from workbooks import land

NOW = datetime(2026, 6, 30, tzinfo=UTC)
PROJECT = """
[tool.tidings]
timezone = "UTC"

[tool.tidings.sources.stats]
kind = "umami"
base_url = "http://127.0.0.1:9"

[tool.tidings.sources.search]
kind = "search_console"
"""


def visitors(platform: str, day: int, count: int) -> dict[str, Any]:
    ts = datetime(2026, 6, day)
    if platform == "umami":
        whose = {"website": "x", "ts": ts, "zone": "UTC"}
        return {**whose, "pageviews": 9, "visitors": count, "visits": 9, "bounces": 1, "seconds": 5}
    return {"project": "1", "ts": ts, "zone": "UTC", "pageviews": 9, "visitors": count, "visits": 9, "active_users": 9}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sources")
    (folder / "pyproject.toml").write_text(PROJECT)
    settings = load_settings(folder)
    land(
        settings,
        "umami_daily",
        [visitors("umami", 28, 10), visitors("umami", 29, 30)],
        source="stats",
        complete_until=NOW,
        rejected=["visitors: 'many' is not a whole number"] * 3,
    )
    # A source that was taken out of the settings.
    land(settings, "posthog_daily", [visitors("posthog", 29, 25)], source="old", complete_until=NOW - timedelta(days=9))
    review = {"app_id": "1", "ts": datetime(2026, 6, 20), "country": "DE"}
    land(
        settings,
        "app_store_reviews",
        [
            {**review, "review_id": "a", "rating": 5, "title": "<b>Good</b>", "body": "Works"},
            # Stars alone are no words.
            {**review, "review_id": "b", "rating": 1, "title": None, "body": ""},
            {**review, "review_id": "c", "rating": 2, "title": None, "body": "Meh", "ts": datetime(2026, 6, 21)},
        ],
        source="store",
        complete_until=NOW,
    )
    build(settings)
    return folder


def test_the_newest_words_come_first(root: Path) -> None:
    assert acquisition.reviews(Book.open(root=root)).rows == (
        (date(2026, 6, 21), "App Store", 2, "Meh", "DE", None),
        (date(2026, 6, 20), "App Store", 5, "<b>Good</b>. Works", "DE", None),
    )


def test_what_two_sources_tell_stands_side_by_side(root: Path) -> None:
    rows = [row for row in source_health.differences(Book.open(root=root)).rows if row[0] == "Visitors per day"]
    # Umami's mean of 10 and 30; PostHog told one day.
    assert rows == [
        ("Visitors per day", "Umami", 20.0, "count", None),
        ("Visitors per day", "PostHog", 25.0, "count", 0.25),
    ]


def test_every_endpoint_is_on_time_late_or_missing(root: Path) -> None:
    book = Book.open(root=root)
    states = {(row[0], row[1]): row[2] for row in source_health.freshness(book).rows}
    assert states["search", "daily"] == "never landed"
    assert states["old", "posthog_daily"] == "no longer configured"
    # Landed under a name that the source's endpoints do not have, so it is nobody's now.
    assert states["stats", "umami_daily"] == "no longer configured"
    assert next(iter(states.values())) == "never landed", "what needs attention comes first"


def test_refused_rows_are_told_by_reason(root: Path) -> None:
    rows = source_health.refused(Book.open(root=root)).rows
    assert rows == (("stats", "umami_daily", "visitors: 'many' is not a whole number", 3),)


def test_the_latest_pull_of_each_source_is_told(root: Path) -> None:
    settings = load_settings(root)
    ledger = Ledger(settings.ledger)
    for status, error in (("done", ""), ("failed", "The credential is refused.")):
        number = ledger.start_pull("stats", NOW)
        ledger.finish_pull(number, status, seconds=1, rows=7, rejected=3, restated=2, messages=("M.",), error=error)  # type: ignore[arg-type]
    rows = {row[0]: row[1:] for row in source_health.pulls(Book.open(root=root)).rows}
    kind, at, status, number, rejected, restated, said = rows["stats"]
    assert (kind, status, number, rejected, restated) == ("umami", "failed", 7, 3, 2)
    assert (at, said) == (NOW, "The credential is refused. M.")
    assert rows["search"][2] == "never pulled"


def test_a_workbook_that_nobody_pulls_is_late(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    settings = load_settings(tmp_path)
    land(settings, "umami_daily", [visitors("umami", 29, 30)], source="stats", complete_until=NOW)
    folder = settings.raw / "stats"
    (folder / "umami_daily").rename(folder / "daily")
    build(settings)
    ledger = Ledger(settings.ledger)
    state = {row[1]: row[2] for row in source_health.freshness(Book.open(root=tmp_path)).rows}
    assert state["daily"] == "on time"
    # A week later somebody looks, and nothing has been pulled since.
    ledger.start_pull("search", NOW + timedelta(days=7))
    state = {row[1]: row[2] for row in source_health.freshness(Book.open(root=tmp_path)).rows}
    assert state["daily"] == "late"
