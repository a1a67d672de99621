"""Umami, version 2 and 3, self-hosted and cloud: landed rows, and quirks that must not distort the numbers."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fakes.pulling import NOW, Serving, Workbook
from fakes.umami import KEY, FakeUmami
from tidings.errors import CredentialError, SettingsError, SourceError

SITE = "shop.example"
LAST = datetime(2026, 11, 19)


def day(back: int, visitors: int = 10, **more: Any) -> dict[str, Any]:
    totals = {"pageviews": visitors * 3, "visitors": visitors, "visits": visitors + 1, "bounces": 4, "seconds": 600}
    return {"website": SITE, "ts": LAST - timedelta(days=back), "zone": "UTC", **totals, **more}


def cut(back: int, type_: str, name: str, visitors: int) -> dict[str, Any]:
    whose = {"website": SITE, "ts": LAST - timedelta(days=back), "zone": "UTC"}
    return {**whose, "type": type_, "name": name, "visitors": visitors}


def event(back: int, name: str, count: int) -> dict[str, Any]:
    return {"website": SITE, "ts": LAST - timedelta(days=back), "zone": "UTC", "event": name, "events": count}


class Server(Serving):
    fake_class = FakeUmami

    def visitors(self) -> dict[int, int]:
        return {(LAST - ts).days: count for ts, count in self.workbook.rows("daily", "ts", "visitors")}


@pytest.mark.parametrize("version", [2, 3])
def test_both_versions_tell_the_same(tmp_path: Path, version: int) -> None:
    rows = {
        "daily": [day(1), day(0, 20)],
        "breakdowns": [cut(1, "path", "/a", 8), cut(1, "country", "DE", 6)],
        "events": [event(1, "signup", 2)],
    }
    with Server(tmp_path, rows) as server:
        server.fake.version = version
        server.pull()
        assert server.visitors() == {1: 10, 0: 20}
        assert server.workbook.rows("daily", "pageviews", "visits", "bounces", "seconds")[0] == (30, 11, 4, 600)
        # Version 2 says url where version 3 says path.
        assert sorted(server.workbook.rows("breakdowns", "type", "name", "visitors")) == [
            ("country", "DE", 6),
            ("path", "/a", 8),
        ]
        assert server.workbook.rows("events", "event", "events") == [("signup", 2)]
        assert all(message == "" for partition in server.pull() for message in partition.messages)


def test_days_before_the_first_hit_are_not_there_and_quiet_days_are_zero(tmp_path: Path) -> None:
    with Server(tmp_path, {"daily": [day(3), day(0)]}) as server:
        server.pull()
        # Umami has no delay: nobody came on the two days between.
        assert server.visitors() == {3: 10, 2: 0, 1: 0, 0: 10}


def test_a_website_without_any_hit_has_no_days(tmp_path: Path) -> None:
    with Server(tmp_path, {"daily": []}) as server:
        server.fake.websites = {"00000000-0000-4000-8000-000000000009": SITE}
        server.pull()
        assert server.visitors() == {}


@pytest.mark.parametrize("count", [499, 500, 501, 2681])
def test_a_long_list_is_requested_in_one_piece_and_loses_no_name(tmp_path: Path, count: int) -> None:
    # Equal counts: page by page, the server's order would repeat some names and lose as many.
    paths = [cut(0, "path", f"/{n}", 1) for n in range(count)]
    with Server(tmp_path, {"daily": [day(0)], "breakdowns": paths}) as server:
        server.pull()
        assert sorted(server.workbook.rows("breakdowns", "name")) == sorted((f"/{n}",) for n in range(count))


@pytest.mark.parametrize("way", ["limit", "old server"])
def test_a_list_that_was_cut_is_not_landed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    cuts = [cut(0, "path", f"/{n}", 1) for n in range(501)] + [cut(1, "path", "/a", 1)]
    with Server(tmp_path, {"daily": [day(1), day(0)], "breakdowns": cuts}) as server:
        if way == "limit":
            monkeypatch.setattr("tidings.connectors.umami.source._MOST", 501)
        else:
            server.fake.knows_limit = False
        with pytest.raises(SourceError, match=r"2026-11-19: the list of path .*cut"):
            server.pull()
        # The day before is complete and landed; of this one nothing is.
        assert server.workbook.rows("breakdowns", "name") == [("/a",)]
        assert server.visitors() == {1: 10, 0: 10}
        monkeypatch.undo()
        server.fake.knows_limit = True
        server.pull()
        assert len(server.workbook.rows("breakdowns", "name")) == 502


def test_websites_of_ones_own_and_of_teams_are_found_on_all_pages(tmp_path: Path) -> None:
    with Server(tmp_path, {"daily": [day(0)]}) as server:
        server.fake.page_size = 1
        for number in range(3):
            server.fake.websites[f"00000000-0000-4000-8000-00000000001{number}"] = f"more{number}.example"
        server.fake.owned = {"00000000-0000-4000-8000-000000000010", "00000000-0000-4000-8000-000000000011"}
        server.workbook.settings.sources["api"]["websites"] = [SITE, "more0.example", "more1.example", "more2.example"]
        assert server.workbook.check() == []
        server.fake.websites.clear()
        (said,) = server.workbook.check()
        assert "sees no website. In Umami transfer the website to a team" in said


def test_a_server_without_teams_lists_all_at_once(tmp_path: Path) -> None:
    with Server(tmp_path, {"daily": [day(0)]}) as server:
        server.fake.owned = set(server.fake.websites)
        server.fake.fail("/me/teams", 404, times=99)
        server.pull()
        assert server.visitors() == {0: 10}


def test_a_reset_keeps_what_was_landed_and_says_so_once(tmp_path: Path) -> None:
    rows = {"daily": [day(back) for back in range(10)], "breakdowns": [cut(back, "os", "iOS", 3) for back in range(10)]}
    with Server(tmp_path, rows) as server:
        server.pull()
        (id_,) = server.fake.websites
        # Reset on the 21st at noon; the next hits are of that afternoon and of the two days after.
        server.fake.reset_site(id_, datetime(2026, 11, 21, 12))
        for back in (-2, -3, -4):
            server.fake.rows["umami_daily"].append(day(back, 70))
        reported = [m for partition in server.pull(now=NOW + timedelta(days=4)) for m in partition.messages]
        (said,) = reported
        assert f"{SITE} was reset in Umami on 2026-11-21" in said and "stays as it is" in said
        # The 20th and 21st are incomplete; earlier days, which the server no longer has, are as they were.
        kept = dict.fromkeys(range(10), 10)
        assert server.visitors() == {**kept, -3: 70, -4: 70}
        server.pull(now=NOW + timedelta(days=5))
        assert server.visitors() == {**kept, -3: 70, -4: 70, -5: 0}
        again = [m for partition in server.pull(now=NOW + timedelta(days=5), again=True) for m in partition.messages]
        assert again == [] and server.visitors() == {**kept, -3: 70, -4: 70, -5: 0}


def test_hits_that_were_deleted_otherwise_are_not_taken_for_quiet_days(tmp_path: Path) -> None:
    with Server(tmp_path, {"daily": [day(back) for back in range(5)]}) as server:
        server.pull()
        server.fake.rows["umami_daily"].clear()
        for order in ({}, {"again": True}):
            reported = [m for partition in server.pull(**order) for m in partition.messages]
            assert any(f"Umami has no hits of {SITE} any more, though days of them were landed" in m for m in reported)
            assert server.visitors() == dict.fromkeys(range(5), 10)


def test_only_days_since_the_first_hit_are_said_to_be_known(tmp_path: Path) -> None:
    with Server(tmp_path, {"daily": [day(3)]}) as server:
        server.pull()
        for endpoint in ("daily", "breakdowns", "events"):
            windows = [entry.window for entry in server.workbook.landing.loads("api", endpoint) if entry.window]
            assert min(window.start for window in windows) == datetime(2026, 11, 16, tzinfo=UTC)
        # Hits of an earlier time that were imported later are requested.
        server.fake.rows["umami_daily"].append(day(40, 5))
        server.pull()
        assert server.visitors()[40] == 5 and server.visitors()[20] == 0


def test_another_zone_is_other_days_all_of_which_are_requested(tmp_path: Path) -> None:
    with Server(tmp_path, {"daily": [day(back) for back in range(60)]}) as server:
        server.pull()
        table = {**server.fake.table(), "timezone": "Asia/Tokyo"}
        moved = Workbook(tmp_path, table, server.fake.environment("api"))

        def stop(what: str, done: int, total: int) -> None:
            stops.append(what)
            if len(stops) == 2:
                raise KeyboardInterrupt

        stops: list[str] = []
        with pytest.raises(KeyboardInterrupt):
            moved.pull(clock=server.clock, progress=stop)
        # Stopped half way: the next pull does the rest, and says why.
        assert {zone for (zone,) in moved.rows("daily", "zone")} == {"UTC", "Asia/Tokyo"}
        reported = [m for partition in moved.pull(clock=server.clock) for m in partition.messages]
        assert any(
            "are counted in Asia/Tokyo now, and were in UTC: all of them are requested again" in m for m in reported
        )
        assert {zone for (zone,) in moved.rows("daily", "zone")} == {"Asia/Tokyo"}
        assert [m for partition in moved.pull(clock=server.clock) for m in partition.messages] == []


def test_reading_all_again_that_was_stopped_continues(tmp_path: Path) -> None:
    with Server(tmp_path, {"daily": [day(back) for back in range(70)]}) as server:
        server.pull()
        for row in server.fake.rows["umami_daily"]:
            row["visitors"] = 99

        def stop(what: str, done: int, total: int) -> None:
            stops.append(what)
            if len(stops) == 2:
                raise KeyboardInterrupt

        stops: list[str] = []
        with pytest.raises(KeyboardInterrupt):
            server.pull(again=True, progress=stop, now=NOW + timedelta(minutes=1))
        assert set(server.visitors().values()) == {10, 99}
        reported = [m for partition in server.pull(now=NOW + timedelta(minutes=2)) for m in partition.messages]
        assert "daily: an earlier pull --again was stopped; this one continued it." in reported
        assert set(server.visitors().values()) == {99}
        server.fake.asked.clear()
        assert [m for partition in server.pull(now=NOW + timedelta(minutes=3)) for m in partition.messages] == []
        assert sum(request.path.endswith("/stats") for request in server.fake.asked) <= 3


def test_a_second_pull_asks_for_the_last_days_only(tmp_path: Path) -> None:
    with Server(tmp_path, {"daily": [day(back) for back in range(30)]}) as server:
        server.pull()
        server.fake.asked.clear()
        server.fake.rows["umami_daily"][1]["visitors"] = 99
        server.fake.rows["umami_daily"][20]["visitors"] = 77
        pulled = server.pull()
        stats = [request for request in server.fake.asked if request.path.endswith("/stats")]
        assert len(stats) <= 3
        assert (server.visitors()[1], server.visitors()[20]) == (99, 10)
        assert sum(partition.restated for partition in pulled if partition.endpoint == "daily") == 1


def test_the_days_are_those_of_the_zone(tmp_path: Path) -> None:
    with Server(tmp_path, {"daily": [day(0)]}, timezone="America/New_York") as server:
        server.pull(since=LAST.date(), until=LAST.date())
        asked = next(r for r in server.fake.asked if r.path.endswith("/stats"))
        start, end = (int(asked.query[name]) for name in ("startAt", "endAt"))
        # Midnight in New York is 05:00 UTC in November; both bounds are included.
        assert (
            datetime.fromtimestamp(start / 1000).astimezone().timestamp()
            == datetime.fromisoformat("2026-11-19T05:00:00+00:00").timestamp()
        )
        assert end - start == 86_400_000 - 1


def test_the_cloud_takes_a_key(tmp_path: Path) -> None:
    with Server(tmp_path, {"daily": [day(0)]}) as server:
        server.fake.is_cloud = True
        server.fake.limit = (50, 15.0)
        workbook = Workbook(tmp_path, server.fake.table(), server.fake.environment("api"))
        workbook.pull(clock=server.clock)
        assert workbook.rows("daily", "visitors") == [(10,)]
        assert KEY not in workbook.everything()
        bad = Workbook(tmp_path, server.fake.table(), {"API_KEY": "other"})
        with pytest.raises(CredentialError):
            bad.pull(clock=server.clock)


def test_nothing_to_log_in_with_is_reported(tmp_path: Path) -> None:
    workbook = Workbook(tmp_path, {"kind": "umami"}, {})
    assert "set API_KEY" in workbook.check()[0]
    own = Workbook(tmp_path, {"kind": "umami", "base_url": "http://127.0.0.1:9"}, {})
    with pytest.raises(SettingsError, match="API_USERNAME"):
        own.pull()


def test_a_website_that_is_not_seen_is_named(tmp_path: Path) -> None:
    # An administrator who requests any id gets zeros: only listed ones are requested.
    with Server(tmp_path, {"daily": [day(0)]}, websites=["shop.exampel"]) as server:
        with pytest.raises(SourceError, match=r"no website 'shop.exampel'. Did you mean 'shop.example'"):
            server.pull()
        assert "shop.exampel" in server.workbook.check()[0]


def test_a_field_that_disappeared_is_named_and_old_days_stay(tmp_path: Path) -> None:
    with Server(tmp_path, {"daily": [day(1), day(0)]}) as server:
        server.pull()
        server.fake._routes = [
            (method, path, (lambda fake, request: {"pageviews": 1, "visitors": 1, "bounces": 0, "totaltime": 0}))
            if "stats" in path.pattern
            else (method, path, handler)
            for method, path, handler in server.fake._routes
        ]
        with pytest.raises(SourceError, match="'visits' is missing"):
            server.pull()
        assert server.visitors() == {1: 10, 0: 10}
        assert all("pageviews" in json.loads(record) for _, record in server.workbook.rejected("daily"))


def test_a_website_that_moves_keeps_its_days_and_counts_once(tmp_path: Path) -> None:
    with Server(tmp_path, {"daily": [day(back) for back in range(10)]}) as server:
        server.pull()
        (id_,) = server.fake.websites
        server.fake.websites[id_] = "new.example"
        for row in server.fake.rows["umami_daily"]:
            row["website"] = "new.example"
        server.pull()
        found = server.workbook.rows("daily", "ts", "website")
        assert len(found) == len({ts for ts, _ in found}) == 10
        assert {name for _, name in found} == {SITE, "new.example"}


def test_two_websites_of_one_domain_are_two(tmp_path: Path) -> None:
    with Server(tmp_path, {"daily": [day(1)]}) as server:
        (first,) = server.fake.websites
        server.fake.websites["00000000-0000-4000-8000-00000000000f"] = SITE
        server.pull()
        named = sorted(server.workbook.rows("daily", "website", "visitors"))
        assert [name for name, _ in named] == [
            f"{SITE} {id_}" for id_ in sorted(server.fake.websites) for _ in range(2)
        ]
        assert first in named[0][0]


def test_a_website_that_may_not_be_read_does_not_stop_the_others(tmp_path: Path) -> None:
    other = "00000000-0000-4000-8000-00000000000f"
    with Server(tmp_path, {"daily": [day(1)]}) as server:
        server.fake.websites[other] = "a.example"
        server.fake.fail(other, 401, times=99, content={"error": {"message": "Unauthorized"}})
        with pytest.raises(SourceError, match=r"daily a\.example: .* answers 401: Unauthorized.*Transfer the website"):
            server.pull()
        assert server.visitors() == {1: 10, 0: 0}


def test_pages_are_landed_without_what_says_who(tmp_path: Path) -> None:
    paths = [cut(0, "path", f"/u?email={name}@x.example", 2) for name in ("a", "b")]
    with Server(tmp_path, {"daily": [day(0)], "breakdowns": paths}) as server:
        server.pull()
        assert server.workbook.rows("breakdowns", "name", "visitors") == [("/u?email=[redacted]", 4)]
        assert "x.example" not in server.workbook.everything()
