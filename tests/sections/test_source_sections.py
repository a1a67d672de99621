"""What the sections on acquisition and on the sources say of a small workbook, row by row."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tidings.book import Book
from tidings.ledger.lease import Leases
from tidings.ledger.store import Ledger
from tidings.sections import acquisition, source_health
from tidings.settings import load_settings
from tidings.warehouse.build import build
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
    land(settings, "posthog_daily", [visitors("posthog", 28, 25)], source="old", complete_until=NOW - timedelta(days=1))
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
    rows = [row for row in source_health.differences(Book.open(root=root)).rows if row[1] == "Visitors per day"]
    # The common day: Umami's other one is not compared.
    day = date(2026, 6, 28)
    assert rows == [
        ("sites", "Visitors per day", "Umami", day, day, 10.0, "count", None),
        ("sites", "Visitors per day", "PostHog", day, day, 25.0, "count", 1.5),
    ]


def test_every_endpoint_is_on_time_late_or_missing(root: Path) -> None:
    book = Book.open(root=root)
    states = {(row[0], row[1]): row[2] for row in source_health.freshness(book).rows}
    assert states["search", "daily"] == "never landed"
    assert states["old", "posthog_daily"] == "no longer configured"
    # Landed under a name that the source's endpoints do not have, so it belongs to no endpoint now.
    assert states["stats", "umami_daily"] == "no longer configured"
    assert next(iter(states.values())) == "never landed", "what needs attention comes first"


def test_rejected_rows_are_listed_by_reason(root: Path) -> None:
    rows = source_health.rejected(Book.open(root=root)).rows
    assert rows == (("stats", "umami_daily", "visitors: is not a whole number, such as 'many'", 3),)


def test_the_latest_pull_of_each_source_is_listed(root: Path) -> None:
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


def test_a_pull_that_never_ended_is_interrupted_once_its_process_is_dead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    settings = load_settings(tmp_path)
    land(settings, "umami_daily", [visitors("umami", 29, 30)], source="stats", complete_until=NOW)
    build(settings)
    Ledger(settings.ledger).start_pull("stats", NOW)
    book = Book.open(root=tmp_path)
    rows = source_health.pulls(book).rows
    assert [(row[0], row[3]) for row in rows] == [("search", "never pulled"), ("stats", "running")]
    monkeypatch.setattr(Leases, "is_alive", lambda self, name: False)
    rows = source_health.pulls(book).rows
    assert [(row[0], row[3]) for row in rows] == [("search", "never pulled"), ("stats", "interrupted")]


def test_a_run_tells_the_pulls_that_it_found_whatever_came_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    settings = load_settings(tmp_path)
    land(settings, "umami_daily", [visitors("umami", 29, 30)], source="stats", complete_until=NOW)
    folder = settings.raw / "stats"
    (folder / "umami_daily").rename(folder / "daily")
    build(settings)
    ledger = Ledger(settings.ledger)
    unfinished = ledger.start_pull("stats", NOW)
    about = {"report": "r", "slot": "d", "as_of": NOW, "parameters": {}, "build": "b", "version": "1"}
    ledger.start_run("r-1", sections=(), started_at=NOW + timedelta(hours=1), **about)
    monkeypatch.setenv("TIDINGS_RUN", "r-1")

    def shown() -> list[list[Any]]:
        book = Book.open(root=tmp_path)
        return [
            [row[0], row[2], row[3]] for row in (*source_health.pulls(book).rows, *source_health.freshness(book).rows)
        ]

    first = shown()
    assert ["stats", NOW, "running"] in first and ["stats", "on time", NOW] in first
    # It ends, another one fails a week later, and whoever held the first lock is gone.
    ledger.finish_pull(unfinished, "done", seconds=5)
    ledger.finish_pull(ledger.start_pull("stats", NOW + timedelta(days=7)), "failed", seconds=1, messages=("M.",))
    monkeypatch.setattr(Leases, "is_alive", lambda self, name: False)
    assert shown() == first
    monkeypatch.delenv("TIDINGS_RUN")
    assert ["stats", NOW + timedelta(days=7), "failed"] in shown() and ["stats", "late", NOW] in shown()


def test_versions_are_listed_by_store_with_their_crash_rate(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.tidings]\ntimezone = 'UTC'\n")
    settings = load_settings(tmp_path)
    ts, until = datetime(2026, 6, 29), datetime(2026, 6, 30, 7, tzinfo=UTC)
    vital = {"package": "a", "ts": ts, "kind": "crash", "users": 1000}
    cut = {"package": "a", "ts": ts, "breakdown": "app_version"}
    reported = {"app_id": "9", "ts": ts, "row": 1, "processed": "x", "event": "x"}
    rows: dict[str, list[dict[str, Any]]] = {
        "google_play_vitals": [
            {**vital, "name": "all", "rate": 0.004},
            {**vital, "name": "341", "rate": 0.02},
            {**vital, "name": "340", "rate": 0.002},
        ],
        "google_play_installs": [{**cut, "name": "341", "installs": 3}, {**cut, "name": "340", "installs": 9}],
        "google_play_crashes": [{**cut, "name": "341", "crashes": 4}, {**cut, "name": "340", "crashes": 6}],
        "app_store_analytics": [
            {**reported, "report": "crashes", "app_version": "3.4.1", "count": 5},
            {**reported, "report": "sessions", "app_version": "3.4.1", "count": 1000},
        ],
    }
    for feed, given in rows.items():
        land(settings, feed, given, source="apps", complete_until=until)
    build(settings)
    found = acquisition.versions(Book.open(root=tmp_path, as_of="2026-06-30", days=1))
    # The newest of Google's crashes less often in all, and ten times as often per user.
    assert found.rows == (
        ("App Store", "3.4.1", None, 5, pytest.approx(0.005)),
        ("Google Play", "340", 9, 6, pytest.approx(0.002)),
        ("Google Play", "341", 3, 4, pytest.approx(0.02)),
    )
    assert found.provenance.notes[0].startswith("Crash rate: App Store crashes per session")


def test_proceeds_are_in_their_currency_and_in_the_reports(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.tidings]\ntimezone = 'UTC'\ncurrency = 'EUR'\nfx = 'fx.csv'\n")
    (tmp_path / "fx.csv").write_text("Date,USD\n2026-06-01,1.25\n2026-06-29,2.0\n")
    settings = load_settings(tmp_path)
    paid = {"file": "f", "order_number": "1", "type": "Charge", "package": "a"}
    days = ((1, 1, "100"), (2, 29, "50"))
    earned = [
        {**paid, "row": row, "ts": datetime(2026, 6, day), "amount": Decimal(amount), "currency": "USD"}
        for row, day, amount in days
    ]
    land(settings, "google_play_earnings", earned, source="play", complete_until=datetime(2026, 7, 1, 7, tzinfo=UTC))
    build(settings)
    book = Book.open(root=tmp_path, as_of="2026-07-01", days=30)
    # At the rate of each day: 100 / 1.25 + 50 / 2.
    (row,) = acquisition.proceeds(book).rows
    assert (row[0], row[1], float(row[2]), float(row[3])) == ("Google Play", "USD", 150, 105)
    assert row[4:] == (date(2026, 6, 1), date(2026, 6, 29))
    figures = book.table("fct_metric_daily")
    reported = book.context.rows(figures.filter(figures.metric == "proceeds").select("unit", "currency").distinct())
    assert reported == [{"unit": "USD", "currency": "USD"}]


def test_what_lost_all_its_clicks_is_ranked_by_what_it_had(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.tidings]\ntimezone = 'UTC'\n")
    settings = load_settings(tmp_path)
    whose = {"site": "sc-domain:x", "search_type": "web", "is_final": True, "position": 2.0}

    def row(day: int, clicks: int, query: str) -> dict[str, Any]:
        return {**whose, "ts": datetime(2026, 6, day), "query": query, "clicks": clicks, "impressions": clicks * 9}

    until = datetime(2026, 6, 30, 7, tzinfo=UTC)
    rows = [row(28, 50, "lost"), row(28, 5, "kept"), row(29, 6, "kept")]
    land(settings, "search_console_query", rows, source="search", complete_until=until)
    daily = [
        {key: value for key, value in each.items() if key != "query"} for each in (row(28, 55, ""), row(29, 6, ""))
    ]
    land(settings, "search_console_daily", daily, source="search", complete_until=until)
    build(settings)
    found = acquisition.rankings(Book.open(root=tmp_path, as_of="2026-06-30", days=1), "query", top=2)
    assert [(row[0], row[1], row[5]) for row in found.rows] == [("lost", 0, -1), ("kept", 6, pytest.approx(0.2))]


def test_days_without_a_rate_are_named(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.tidings]\ntimezone = 'UTC'\ncurrency = 'EUR'\nfx = 'fx.csv'\n")
    (tmp_path / "fx.csv").write_text("Date,USD\n2026-06-10,1.25\n")
    settings = load_settings(tmp_path)
    paid = {"file": "f", "order_number": "1", "type": "Charge", "package": "a", "currency": "USD"}
    earned = [
        {**paid, "row": day, "ts": datetime(2026, 6, day), "amount": Decimal(100)}
        # The first rate there is holds from the 10th on.
        for day in (5, 20)
    ]
    land(settings, "google_play_earnings", earned, source="play", complete_until=datetime(2026, 7, 1, 7, tzinfo=UTC))
    build(settings)
    reported = Book.open(root=tmp_path, as_of="2026-07-01", days=30).value("google_play_proceeds")
    assert reported.value == 80
    left_out = "Amounts in USD of days without an exchange rate are left out. "
    assert left_out + "fx.csv has rates for USD from 2026-06-10 to 2026-06-10." in reported.provenance.notes
    later = Book.open(root=tmp_path, as_of="2026-07-01", days=14).value("google_play_proceeds")
    assert later.value == 80
    # Ten days old on the day that it is used for: used, and named (7). The rate of the report's own day is not used.
    (note,) = [note for note in later.provenance.notes if "rate" in note]
    assert note == "USD: converted at the exchange rate of 10 Jun 2026, which is 10 days old."
