"""Google Analytics 4: requests, landed rows, and API quirks that must not distort the numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fakes.ga4 import FakeGa4
from fakes.pulling import NOW, Serving
from tidings.errors import OutageError, SettingsError, SourceError
from tidings.sources.source import Pull

PROPERTY = "411"
LAST = datetime(2026, 11, 19)
PLAIN = {"is_thresholded": False, "is_other": False, "is_sampled": False}
MEASURES = {"active_users": 10, "sessions": 12, "engaged_sessions": 7, "page_views": 30}


def day(back: int, **more: Any) -> dict[str, Any]:
    whose = {"property": PROPERTY, "ts": LAST - timedelta(days=back), "zone": "UTC", **PLAIN}
    return {**whose, **MEASURES, "new_users": 5, "engagement_s": 60, **more}


def cut(back: int, type_: str, name: str, **more: Any) -> dict[str, Any]:
    whose = {"property": PROPERTY, "ts": LAST - timedelta(days=back), "zone": "UTC", **PLAIN}
    return {**whose, "type": type_, "name": name, **MEASURES, **more}


def event(back: int, name: str, count: int) -> dict[str, Any]:
    whose = {"property": PROPERTY, "ts": LAST - timedelta(days=back), "zone": "UTC", **PLAIN}
    return {**whose, "event": name, "events": count, "users": 3, "key_events": 0.5}


class Server(Serving):
    fake_class = FakeGa4

    def __init__(self, root: Path, rows: Mapping[str, Sequence[Mapping[str, Any]]], **options: Any) -> None:
        super().__init__(root, rows, **options)
        self.fake.properties.add(PROPERTY)

    def users(self) -> dict[int, int]:
        return {(LAST - ts).days: count for ts, count in self.workbook.rows("daily", "ts", "active_users")}

    def asked(self) -> list[dict[str, Any]]:
        return [request.json() for request in self.fake.asked if request.path.endswith(":runReport")]


def test_texts_become_numbers_and_flags_are_kept(tmp_path: Path) -> None:
    rows = {
        "daily": [day(5), day(0, is_sampled=True)],
        "breakdowns": [cut(5, "country", "DE", is_other=True), cut(5, "page", "/a", is_thresholded=True)],
        "events": [event(5, "signup", 4)],
    }
    with Server(tmp_path, rows) as server:
        server.pull()
        totals = sorted(server.workbook.rows("daily", "ts", "active_users", "page_views", "engagement_s"))
        assert totals == [(LAST - timedelta(days=5), 10, 30, 60), (LAST, 10, 30, 60)]
        assert sorted(server.workbook.rows("breakdowns", "type", "name", "is_other", "is_thresholded")) == [
            ("country", "DE", True, False),
            ("page", "/a", False, True),
        ]
        assert server.workbook.rows("events", "event", "events", "users", "key_events") == [("signup", 4, 3, 0.5)]


def test_days_without_rows_are_not_there(tmp_path: Path) -> None:
    with Server(tmp_path, {"daily": [day(3)]}) as server:
        server.pull()
        assert server.users() == {3: 10}


def test_rows_come_in_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tidings.connectors.ga4.source.PAGE_ROWS", 2)
    pages = [cut(1, "page", f"/{n}") for n in range(5)]
    with Server(tmp_path, {"breakdowns": pages}) as server:
        server.pull(since=LAST.date() - timedelta(days=1))
        assert sorted(server.workbook.rows("breakdowns", "name")) == [(f"/{n}",) for n in range(5)]
        of_day = [
            asked["offset"]
            for asked in server.asked()
            if asked["dimensions"][-1]["name"] == "pagePath" and asked["dateRanges"][0]["startDate"] == "2026-11-18"
        ]
        assert of_day == ["0", "2", "4"]


def test_a_second_pull_asks_for_what_may_still_change(tmp_path: Path) -> None:
    with Server(tmp_path, {"daily": [day(back) for back in range(30)]}) as server:
        server.pull()
        server.fake.asked.clear()
        server.fake.rows["ga4_daily"][3]["active_users"] = 99
        server.fake.rows["ga4_daily"][9]["active_users"] = 77
        server.pull()
        spans = [asked["dateRanges"][0] for asked in server.asked() if len(asked["dimensions"]) == 1]
        assert spans == [{"startDate": "2026-11-16", "endDate": "2026-11-19"}]
        assert (server.users()[3], server.users()[9]) == (99, 10)


def test_a_spent_quota_ends_the_pull_at_once(tmp_path: Path) -> None:
    with Server(tmp_path, {"daily": [day(5)]}) as server:
        message = "Exhausted property tokens for a project per hour."
        server.fake.fail("runReport", 429, content={"error": {"code": 429, "message": message}})
        with pytest.raises(OutageError, match="wait 60 minutes"):
            server.pull()
        assert server.clock.waited == [] or max(server.clock.waited) < 10
        server.pull()
        assert server.users() == {5: 10}


def test_a_property_that_may_not_be_read_is_reported(tmp_path: Path) -> None:
    with Server(tmp_path, {"daily": [day(5)]}, properties=["999"]) as server:
        assert "cannot read the property 999" in server.workbook.check()[0]
        with pytest.raises(SourceError, match="Add the account as a Viewer"):
            server.pull()


@pytest.mark.parametrize(
    ("properties", "reported"),
    [(["G-ABC"], "not a property"), ([], "properties must be a text or a list of one or more")],
)
def test_settings_that_cannot_be_meant_are_refused(tmp_path: Path, properties: list[str], reported: str) -> None:
    with Server(tmp_path, {}, properties=properties) as server, pytest.raises(SettingsError, match=reported):
        server.pull()


def test_heads_say_which_value_is_which(tmp_path: Path) -> None:
    with Server(tmp_path, {"daily": [day(5)]}) as server:
        server.fake._routes = [
            (method, path, _reversed(handler) if "runReport" in path.pattern else handler)
            for method, path, handler in server.fake._routes
        ]
        server.pull()
        assert server.workbook.rows("daily", "active_users", "page_views") == [(10, 30)]


def _reversed(handler: Any) -> Any:
    def response(fake: Any, request: Any) -> Any:
        said = handler(fake, request)
        said["metricHeaders"].reverse()
        for row in said.get("rows", ()):
            row["metricValues"].reverse()
        return said

    return response


def test_a_figure_that_disappeared_is_named_and_old_days_stay(tmp_path: Path) -> None:
    with Server(tmp_path, {"daily": [day(1)]}) as server:
        server.pull()
        whole = server.fake.record
        server.fake.record = lambda row, d, m: {**whole(row, d, m), "metricValues": [{"value": "many"}] * len(m)}  # type: ignore[method-assign]
        with pytest.raises(SourceError, match="many"):
            server.pull()
        assert server.users() == {1: 10}
        assert all("many" in json.dumps(record) for _, record in server.workbook.rejected("daily"))


def test_what_google_says_of_its_figures_is_told(tmp_path: Path) -> None:
    rows = {
        "daily": [day(5, is_sampled=True), day(4, is_sampled=True), day(40)],
        "breakdowns": [cut(5, "country", "DE", is_other=True), cut(5, "page", "/a", is_thresholded=True)],
    }
    with Server(tmp_path, rows) as server:
        said = server.workbook.outcome(clock=server.clock).messages
        # All three days came in one response, and Google's flags are per response.
        assert "daily: Google counted a sample only: 3 rows, figures are estimates (is_sampled)." in said
        assert "breakdowns: Google withheld rows of few users: 1 rows, which are missing (is_thresholded)." in said
        assert (
            "breakdowns: Google put small rows together as (other): 1 rows, whose parts are missing (is_other)." in said
        )
        assert not any("left data out" in each for each in said)


@pytest.mark.parametrize(
    ("reason", "reported"),
    [
        (
            {"dataTruncationType": "DATA_TRUNCATION_TYPE_PROPERTY", "dataTruncationDate": "2026-11-15"},
            "the property begins later (before 2026-11-15)",
        ),
        ({"dataTruncationType": "DATA_TRUNCATION_TYPE_MOON", "dataTruncationMessage": "Full moon"}, "Full moon"),
        ({"dataTruncationType": "DATA_TRUNCATION_TYPE_MOON"}, "MOON"),
    ],
)
def test_data_left_out_are_reported_with_the_reason(tmp_path: Path, reason: Mapping[str, Any], reported: str) -> None:
    with Server(tmp_path, {"daily": [day(5)]}) as server:
        server.fake.truncated = dict(reason)
        said: list[str] = []
        # Days without data are not days on which nothing happened.
        with pytest.raises(SourceError, match="Google leaves out all data of"):
            for partition in server.workbook.source.pull(server.workbook.landing, Pull(NOW, clock=server.clock)):
                said += [f"{remark.text}, {remark.becomes}" for remark in partition.remarks]
        assert said == [f"Google left data out, as {reported}, figures are too low (truncation)"]
        assert server.users() == {5: 10}
        server.fake.truncated = None
        # They are requested again.
        server.pull()
        assert server.users() == {5: 10}
