"""PostHog: requests, landed rows, and caps and quirks that must not distort the numbers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fakes.posthog import KEY, FakePostHog
from fakes.pulling import Serving, Workbook
from fakes.server import Reply
from tidings.errors import OutageError, SettingsError, SourceError

PROJECT = "4711"
LAST = datetime(2026, 11, 19)


def day(back: int, visitors: int = 10) -> dict[str, Any]:
    whose = {"project": PROJECT, "ts": LAST - timedelta(days=back), "zone": "UTC"}
    return {
        **whose,
        "pageviews": visitors * 3,
        "visitors": visitors,
        "visits": visitors + 2,
        "active_users": visitors + 1,
    }


def cut(back: int, type_: str, name: str, visitors: int = 5) -> dict[str, Any]:
    whose = {"project": PROJECT, "ts": LAST - timedelta(days=back), "zone": "UTC"}
    return {**whose, "type": type_, "name": name, "pageviews": visitors * 2, "visitors": visitors}


def event(back: int, name: str, count: int) -> dict[str, Any]:
    whose = {"project": PROJECT, "ts": LAST - timedelta(days=back), "zone": "UTC"}
    return {**whose, "event": name, "events": count, "users": 2}


def hit(number: int, at: datetime, person: str = "person-canary") -> dict[str, Any]:
    known = {"project": PROJECT, "uuid": f"u{number:04d}", "ts": at, "happened_at": at - timedelta(hours=5)}
    return {**known, "event": "opened", "person": person, "session": "s1", "page": "/a?email=x@y.example",
            "country": "DE", "device": "Mobile", "os": "iOS", "app_version": "1.0"}  # fmt: skip


class Server(Serving):
    fake_class = FakePostHog

    def visitors(self) -> dict[int, int]:
        return {(LAST - ts).days: count for ts, count in self.workbook.rows("daily", "ts", "visitors")}

    def queries(self, name: str) -> list[dict[str, Any]]:
        bodies = [r.json() for r in self.fake.asked if r.method == "POST"]
        return [body["query"]["values"] for body in bodies if body["name"] == f"tidings {name}"]


def test_totals_breakdowns_and_events_are_landed(tmp_path: Path) -> None:
    rows = {
        "daily": [day(5), day(0, 20)],
        "breakdowns": [cut(5, "country", "DE"), cut(5, "country", "(unknown)", 2), cut(5, "page", "/pricing")],
        "events": [event(5, "signup", 4)],
    }
    with Server(tmp_path, rows) as server:
        server.pull()
        assert server.visitors() == {5: 10, 4: 0, 3: 0, 2: 0, 1: 0, 0: 20}
        assert sorted(server.workbook.rows("breakdowns", "type", "name", "visitors")) == [
            ("country", "(unknown)", 2),
            ("country", "DE", 5),
            ("page", "/pricing", 5),
        ]
        assert server.workbook.rows("events", "event", "events", "users") == [("signup", 4, 2)]


def test_days_without_an_event_are_zero_after_the_first_and_not_there_before(tmp_path: Path) -> None:
    with Server(tmp_path, {"daily": [day(33), day(3)]}) as server:
        server.pull()
        whole = dict.fromkeys(range(33), 0) | {33: 10, 3: 10}
        assert server.visitors() == whole
        # Although nothing happened in this month, it is known that something did before.
        server.fake.rows["posthog_daily"] = [day(33)]
        server.pull()
        assert server.visitors() == whole | {3: 0}


def test_a_project_without_an_event_has_nothing_not_zero(tmp_path: Path) -> None:
    with Server(tmp_path, {"daily": []}) as server:
        server.fake.projects = ["4711"]
        server.pull()
        assert server.visitors() == {}


def test_a_second_pull_counts_the_last_month_again(tmp_path: Path) -> None:
    with Server(tmp_path, {"daily": [day(back) for back in range(60)]}) as server:
        server.pull()
        server.fake.asked.clear()
        # Phones send late, and persons are merged.
        server.fake.rows["posthog_daily"][5]["visitors"] = 99
        server.fake.rows["posthog_daily"][40]["visitors"] = 77
        server.pull()
        assert [(q["a"], q["b"]) for q in server.queries("daily")] == [("2026-10-21 00:00:00", "2026-11-20 00:00:00")]
        assert (server.visitors()[5], server.visitors()[40]) == (99, 10)


def test_a_response_as_long_as_the_cap_is_requested_in_parts(tmp_path: Path) -> None:
    pages = [cut(back, "page", f"/{n}") for back in range(4) for n in range(30)]
    with Server(tmp_path, {"breakdowns": pages}) as server:
        server.fake.cap = 70
        server.pull(since=LAST.date() - timedelta(days=3))
        assert len(server.workbook.rows("breakdowns")) == 120
        server.fake.cap = 20
        # A single day has more than the maximum: not truncated silently.
        with pytest.raises(SourceError, match="more than 50,000 rows"):
            server.pull()
        assert len(server.workbook.rows("breakdowns")) == 120


def test_what_takes_too_long_is_requested_in_parts(tmp_path: Path) -> None:
    with Server(tmp_path, {"daily": [day(back) for back in range(20)]}) as server:
        server.fake.longest_days = 4
        server.pull(since=LAST.date() - timedelta(days=19))
        assert len(server.visitors()) == 20


def test_a_queued_query_is_waited_for_and_given_up_in_the_end(tmp_path: Path) -> None:
    with Server(tmp_path, {"daily": [day(1)]}) as server:
        server.fake.queued = 3
        server.pull()
        assert server.visitors() == {1: 10, 0: 0} and 2.0 in server.clock.waited
        server.fake.queued = 10_000
        with pytest.raises(OutageError, match="did not finish the query"):
            server.pull()


def test_events_one_by_one_are_paged_by_time_and_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tidings.connectors.posthog.source.PAGE_ROWS", 3)
    at = LAST + timedelta(hours=9)
    # Five of the same microsecond are on both sides of a page boundary.
    hits = [hit(n, at) for n in range(5)] + [hit(n, at + timedelta(seconds=n)) for n in range(5, 9)]
    with Server(tmp_path, {"hits": hits}, hits=True) as server:
        server.fake.cap = 3
        server.pull(since=LAST.date(), until=LAST.date())
        rows = server.workbook.rows("hits", "uuid", "ts", "happened_at")
        assert sorted(row[0] for row in rows) == [f"u{n:04d}" for n in range(9)]
        assert rows[0][1] - rows[0][2] == timedelta(hours=5)


def test_persons_are_pseudonyms_and_urls_redacted(tmp_path: Path) -> None:
    hits = [hit(1, LAST), hit(2, LAST), hit(3, LAST, "other-canary")]
    with Server(tmp_path, {"hits": hits}, hits=True) as server:
        server.pull(since=LAST.date(), until=LAST.date())
        persons = dict(server.workbook.rows("hits", "uuid", "person"))
        assert persons["u0001"] == persons["u0002"] != persons["u0003"]
        text = server.workbook.everything()
        assert "canary" not in text.replace(KEY, "") and KEY not in text
        assert {page for (page,) in server.workbook.rows("hits", "page")} == {"/a?email=[redacted]"}
    with Server(tmp_path / "plain", {"hits": hits}) as server:
        server.pull()
        assert server.workbook.rows("hits") == []


@pytest.mark.parametrize(
    ("options", "environment", "reported"),
    [
        ({}, {"API_KEY": "phc_x"}, "the key for sending events"),
        ({"base_url": "https://eu.i.posthog.com"}, {}, 'base_url = "https://eu.posthog.com"'),
        ({"timezone": "Europe/Berlin"}, {}, 'Write timezone = "UTC"'),
        ({"project": "4712"}, {}, "no project '4712'. Did you mean '4711'?"),
    ],
)
def test_settings_that_are_not_valid_are_errors(
    tmp_path: Path, options: Mapping[str, Any], environment: Mapping[str, str], reported: str
) -> None:
    with Server(tmp_path, {"daily": [day(0)]}) as server:
        given = {**server.fake.environment("api"), **environment}
        workbook = Workbook(tmp_path, {**server.fake.table(), **options}, given)
        assert reported in workbook.check()[0]
        with pytest.raises((SettingsError, SourceError)):
            workbook.pull(clock=server.clock)


def test_a_column_that_disappeared_is_named_and_old_days_stay(tmp_path: Path) -> None:
    with Server(tmp_path, {"daily": [day(1)]}) as server:
        server.pull()
        whole = server.fake.record
        server.fake.record = lambda feed, row: [*whole(feed, row)[:-1], "many"]  # type: ignore[method-assign]
        with pytest.raises(SourceError, match="'many' is not a whole number"):
            server.pull()
        assert server.visitors() == {1: 10, 0: 0}
        assert len(server.workbook.rejected("daily")) == 1


@pytest.mark.parametrize("status", [504, 512, 513])
def test_a_query_that_the_database_gives_up_is_requested_in_parts(tmp_path: Path, status: int) -> None:
    with Server(tmp_path, {"daily": [day(back) for back in range(40)]}) as server:
        server.fake.longest_days = 10
        server.fake.too_long = Reply({"detail": "Query has hit the max execution time before completing."}, status)
        server.pull()
        assert len(server.visitors()) == 40
        asked = [(query["a"], query["b"]) for query in server.queries("daily")]
        assert len(asked) == len(set(asked)), "a query that took too long is not repeated"


def test_pages_that_are_the_same_without_an_address_are_added_up(tmp_path: Path) -> None:
    pages = [cut(1, "page", "/u?email=a@x.example", 20), cut(1, "page", "/u?email=b@x.example", 40)]
    with Server(tmp_path, {"breakdowns": [*pages, cut(1, "country", "DE", 3)]}) as server:
        server.pull()
        found = server.workbook.rows("breakdowns", "name", "visitors")
        assert sorted(found) == [("/u?email=[redacted]", 60), ("DE", 3)]
        assert "x.example" not in server.workbook.everything()


def test_only_the_breakdowns_that_are_listed_are_requested(tmp_path: Path) -> None:
    rows = {"breakdowns": [cut(1, "page", "/"), cut(1, "country", "DE")]}
    with Server(tmp_path, rows, breakdowns=["country"]) as server:
        server.pull()
        assert server.workbook.rows("breakdowns", "name") == [("DE",)]
    with Server(tmp_path, rows, breakdowns=["contry"]) as server, pytest.raises(SettingsError, match="mean 'country'"):
        server.pull()


def test_a_key_of_few_rights_will_do(tmp_path: Path) -> None:
    with Server(tmp_path, {"daily": [day(1)]}) as server:
        # Limited to its project it may not list any.
        server.fake.is_limited = True
        server.pull()
        assert server.visitors()[1] == 10
        # Without access to the project's settings the zone is the workbook's, if set.
        server.fake.is_scoped = True
        server.pull(again=True)
        unsaid = {name: value for name, value in server.fake.table().items() if name != "timezone"}
        workbook = Workbook(tmp_path / "unsaid", unsaid, server.fake.environment("api"))
        with pytest.raises(SourceError, match="scope project:read, or write the project's timezone"):
            workbook.pull()
