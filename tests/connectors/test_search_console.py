"""Google Search Console: requests, landed rows, and API quirks that must not distort the numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fakes.pulling import QuickClock, Serving
from fakes.search_console import FakeSearchConsole
from tidings.connectors.search_console.source import parse_row
from tidings.errors import OutageError, SourceError

SITE = "sc-domain:shop.example"
# In California it is the 20th of November, 10 in the morning: the 19th is the last complete day.
LAST = datetime(2026, 11, 19)


def row(back: int, clicks: int = 5, impressions: int = 50, position: float = 3.5, **more: Any) -> dict[str, Any]:
    whose = {"site": SITE, "search_type": "web", "ts": LAST - timedelta(days=back), "is_final": back > 2}
    return {**whose, "clicks": clicks, "impressions": impressions, "position": position, **more}


class Site(Serving):
    fake_class = FakeSearchConsole
    added = {"sites": [SITE]}  # noqa: RUF012

    def clicks(self, endpoint: str = "daily") -> dict[int, int]:
        found = self.workbook.rows(endpoint, "ts", "clicks")
        return {(LAST - ts).days: clicks for ts, clicks in found}

    def asked(self) -> list[dict[str, Any]]:
        return [request.json() for request in self.fake.asked if request.path.endswith("/query")]


def test_totals_and_breakdowns_are_landed(tmp_path: Path) -> None:
    rows = {
        "daily": [row(5), row(1, 7, 0, None)],
        "country": [row(5, 4, country="DE", device="MOBILE"), row(5, 1, country="US", device="DESKTOP")],
        "page": [row(5, page="https://shop.example/a")],
        "query": [row(5, 3, query="shop")],
    }
    with Site(tmp_path, rows) as site:
        site.pull()
        assert site.clicks() == {5: 5, 1: 7}
        finals = site.workbook.rows("daily", "ts", "is_final", "position")
        # Without an impression there is no position; Google writes 0.
        assert sorted(finals) == [(LAST - timedelta(days=5), True, 3.5), (LAST - timedelta(days=1), False, None)]
        assert sorted(site.workbook.rows("country", "country", "device")) == [("DE", "MOBILE"), ("US", "DESKTOP")]
        assert site.workbook.rows("page", "page") == [("https://shop.example/a",)]
        assert site.workbook.rows("query", "query", "clicks") == [("shop", 3)]


def test_a_second_pull_asks_for_what_may_still_change(tmp_path: Path) -> None:
    with Site(tmp_path, {"daily": [row(back) for back in range(20)]}) as site:
        site.pull()
        site.fake.asked.clear()
        site.pull()
        daily = [asked for asked in site.asked() if asked["dimensions"] == ["date"]]
        assert [(asked["startDate"], asked["endDate"]) for asked in daily] == [("2026-11-10", "2026-11-19")]


def test_a_restated_day_replaces_and_a_withdrawn_one_disappears(tmp_path: Path) -> None:
    with Site(tmp_path, {"daily": [row(15, 1), row(2, 5), row(1, 6)]}) as site:
        site.pull()
        site.fake.rows["search_console_daily"] = [row(15, 99), row(2, 50)]
        restated = sum(partition.restated for partition in site.pull())
        # The 15th day back is final: it is not requested again. Of yesterday nothing is left.
        assert site.clicks() == {15: 1, 2: 50}
        assert restated == 2


def test_rows_come_in_pages_of_one_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tidings.connectors.search_console.source.PAGE_ROWS", 3)
    queries = [row(1, 20 - n, query=f"q{n}") for n in range(7)]
    with Site(tmp_path, {"query": queries}) as site:
        site.fake.page_rows = 3
        site.pull(since=LAST.date() - timedelta(days=2))
        assert sorted(site.workbook.rows("query", "query")) == [(f"q{n}",) for n in range(7)]
        of_day = [a for a in site.asked() if a["dimensions"] == ["date", "query"] and a["startDate"] == "2026-11-18"]
        assert [(a["startDate"], a["endDate"], a["startRow"]) for a in of_day] == [
            ("2026-11-18", "2026-11-18", start) for start in (0, 3, 6)
        ]


def test_kinds_of_search_are_kept_apart(tmp_path: Path) -> None:
    rows = {"daily": [row(5), {**row(5, 2), "search_type": "discover"}]}
    with Site(tmp_path, rows, types=["web", "discover"]) as site:
        site.pull()
        assert sorted(site.workbook.rows("daily", "search_type", "clicks")) == [("discover", 2), ("web", 5)]
        # Discover has neither queries nor devices, and responds 400 to requests for them.
        asked = {(a["type"], tuple(a["dimensions"])) for a in site.asked()}
        assert ("discover", ("date", "query")) not in asked and ("discover", ("date", "country")) in asked


def test_too_many_calls_are_403_and_waited_for(tmp_path: Path) -> None:
    with Site(tmp_path, {"daily": [row(5)]}) as site:
        site.fake.fail("/query", 403, content=_quota())
        site.pull()
        assert site.clicks() == {5: 5}
        assert any(60 <= waited < 62 for waited in site.clock.waited)


def test_quota_that_does_not_come_back_ends_the_pull(tmp_path: Path) -> None:
    with Site(tmp_path, {"daily": [row(5)]}) as site:
        site.fake.fail("/query", 403, content=_quota(), times=99)
        with pytest.raises(OutageError, match=r"quota exceeded\. Nothing was lost"):
            site.pull()


def _quota() -> Any:
    said = {"code": 403, "message": "Search Analytics QPS quota exceeded", "errors": [{"reason": "quotaExceeded"}]}
    return {"error": said}


def test_a_property_that_may_not_be_read_is_named_with_the_nearest(tmp_path: Path) -> None:
    with Site(tmp_path, {"daily": [row(5)]}, sites=["https://shop.example/"]) as site:
        (said,) = site.workbook.check()
        assert "may not read the property 'https://shop.example/'" in said and "iam.gserviceaccount.com" in said
        with pytest.raises(SourceError, match="may not read the property"):
            site.pull()
        site.fake.sites.clear()
        assert "may read no property" in site.workbook.check()[0]


def test_no_property_at_all_is_not_an_empty_result(tmp_path: Path) -> None:
    with Site(tmp_path, {"daily": []}, sites=[]) as site, pytest.raises(SourceError, match="may read no property"):
        site.pull()


def test_a_field_that_disappeared_is_named_and_old_figures_stay(tmp_path: Path) -> None:
    with Site(tmp_path, {"daily": [row(5), row(1, 9)]}) as site:
        site.pull()
        whole = site.fake.record
        site.fake.record = lambda row, names: {k: v for k, v in whole(row, names).items() if k != "clicks"}  # type: ignore[method-assign]
        with pytest.raises(SourceError, match="'clicks' is missing"):
            site.pull()
        assert site.clicks() == {5: 5, 1: 9}
        assert all(json.loads(record)["impressions"] == 50 for _, record in site.workbook.rejected("daily"))
        site.fake.record = whole  # type: ignore[method-assign]
        site.pull()
        assert site.workbook.rejected("daily") == []


def test_a_changed_type_is_rejected_row_by_row_and_a_new_field_kept(tmp_path: Path) -> None:
    with Site(tmp_path, {"daily": [row(5), row(4, 9)]}) as site:
        whole = site.fake.record

        def odd(row: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
            record = {**whole(row, names), "shiny": "new"}
            return record if row["clicks"] == 5 else {**record, "clicks": "many"}

        site.fake.record = odd  # type: ignore[method-assign]
        pulled = site.pull()
        assert site.clicks() == {5: 5}
        ((reason, record),) = site.workbook.rejected("daily")
        assert reason == "clicks: 'many' is not a whole number" and '"shiny":"new"' in record
        assert any(
            "new fields, kept as received: shiny" in message for partition in pulled for message in partition.messages
        )


def test_a_row_is_parsed() -> None:
    record = {
        "keys": ["2026-11-10", "deu", "MOBILE"],
        "dimensions": ["date", "country", "device"],
        "site": SITE,
        "type": "web",
        "clicks": 1.0,
        "impressions": 8.0,
        "ctr": 0.125,
        "position": 2.5,
        "is_final": True,
    }
    found = parse_row(record)
    assert (found["country"], found["device"], found["clicks"], found["position"]) == ("DE", "MOBILE", 1.0, 2.5)
    assert str(found["ts"]) == "2026-11-10"
    # Google writes zzz for a country that it does not know.
    assert parse_row({**record, "keys": ["2026-11-10", "zzz", "MOBILE"]})["country"] == "zzz"


def test_an_hour_that_moves_the_day_is_californian(tmp_path: Path) -> None:
    # At 06:00 UTC it is still the evening of the day before in California.
    with Site(tmp_path, {"daily": [row(back) for back in range(3)]}) as site:
        early = datetime(2026, 11, 20, 6, tzinfo=UTC)
        site.clock = QuickClock(early)
        site.fake.epoch = site.clock.epoch
        site.workbook.pull(early, site.clock)
        assert set(site.clicks()) == {1, 2}


def test_results_without_a_position_are_results(tmp_path: Path) -> None:
    with Site(tmp_path, {"daily": [{**row(5), "search_type": "discover"}]}, types=["discover"]) as site:
        pulled = site.pull()
        assert site.workbook.rows("daily", "clicks", "position") == [(5, None)]
        assert not any(partition.rejected or partition.messages for partition in pulled)


def test_a_domain_and_its_folder_are_the_same_clicks(tmp_path: Path) -> None:
    folder, other = "https://www.shop.example/", "https://shop.example.org/"
    rows = {"daily": [row(5, 5), row(5, 4, site=folder), row(5, 3, site=other)]}
    with Site(tmp_path, rows) as site:
        site.workbook.settings.sources["api"].pop("sites")  # type: ignore[attr-defined]
        site.pull()
        assert sorted(site.workbook.rows("daily", "site", "clicks")) == [(other, 3), (SITE, 5)]
    with Site(tmp_path / "both", rows, sites=[SITE, folder]) as site:
        reported = f"names both '{SITE}' and '{folder}', which is part of it"
        with pytest.raises(SourceError, match=reported):
            site.pull()
        assert reported in site.workbook.check()[0]


def test_a_day_that_google_still_moves_is_not_complete_however_old(tmp_path: Path) -> None:
    with Site(tmp_path, {"daily": [{**row(back), "is_final": back > 5} for back in range(9)]}) as site:
        site.pull()
        until = [entry.complete_until for entry in site.workbook.landing.loads("api", "daily") if entry.complete_until]
        # The sixth day back is the last that is final: in California the next one begins at 8 in UTC.
        assert max(until) == datetime(2026, 11, 14, 8, tzinfo=UTC)


def test_a_day_that_still_moves_holds_back_later_chunks(tmp_path: Path) -> None:
    pages = [{**row(back), "is_final": back > 12, "page": "/"} for back in range(30)]
    with Site(tmp_path, {"page": pages}) as site:
        site.pull()
        until = [entry.complete_until for entry in site.workbook.landing.loads("api", "page") if entry.complete_until]
        assert max(until) == datetime(2026, 11, 7, 8, tzinfo=UTC)


@pytest.mark.parametrize("level", ["siteUnverifiedUser", "SITE_UNVERIFIED_USER"])
def test_a_property_that_is_listed_but_not_verified_is_not_an_empty_one(tmp_path: Path, level: str) -> None:
    with Site(tmp_path, {"daily": [row(5)]}) as site:
        site.fake.sites[SITE] = level
        reported = (
            f"The property '{SITE}' is listed for the account .* but not verified: Google returns no data for it."
        )
        with pytest.raises(SourceError, match=reported):
            site.pull()
        assert "not verified" in site.workbook.check()[0]
        assert site.clicks() == {}


@pytest.mark.parametrize("level", ["siteOwner", "SITE_OWNER", "SITE_FULL_USER", "siteRestrictedUser"])
def test_permissions_are_read_in_both_spellings(tmp_path: Path, level: str) -> None:
    with Site(tmp_path, {"daily": [row(5)]}) as site:
        site.fake.sites[SITE] = level
        site.pull()
        assert site.clicks() == {5: 5} and site.workbook.check() == []


def test_of_properties_that_nobody_named_those_not_verified_are_left_out_and_named(tmp_path: Path) -> None:
    with Site(tmp_path, {"daily": [row(5)]}, sites=[]) as site:
        site.fake.sites["https://old.example/"] = "SITE_UNVERIFIED_USER"
        site.fake.sites["https://odd.example/"] = "SITE_PERMISSION_LEVEL_UNSPECIFIED"
        site.pull()
        assert site.clicks() == {5: 5}
        first, second = site.workbook.check()
        assert "'https://old.example/' is left out" in first and "'https://odd.example/' is left out" in second
