"""Which days are requested, which loads replace which, and that a kill at any moment changes nothing in the end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depth import examples
from sources.toy import DAILY, TODAY, Toy, back, noon, with_
from tidings.errors import CredentialError, OutageError, ResponseError, SourceError, StoppedError
from tidings.landing.manifest import Load, Span
from tidings.landing.store import Landing, landed_files, verify
from tidings.sources.api.days import chunks
from tidings.sources.api.endpoint import NotYetError
from tidings.sources.source import Pull


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    return Toy(tmp_path)


# Which days are requested


def test_a_first_pull_asks_for_all_of_history_in_chunks_oldest_first(toy: Toy) -> None:
    toy.pull_all()
    # Ten days up to yesterday, four at a time.
    assert toy.asked_days() == [(10, 7), (6, 3), (2, 1)]


def test_a_second_pull_asks_for_what_may_have_changed(toy: Toy) -> None:
    toy.pull_all()
    toy.pull_all()
    # What was landed on the 20th could still change back to the 18th.
    assert toy.asked_days() == [(2, 1)]
    toy.pull_all(noon(-3))
    # Three days on: those two, which were landed when they could still change, and the three since.
    assert toy.asked_days() == [(2, -1), (-2, -2)]


def test_final_days_are_not_requested_even_after_years(toy: Toy) -> None:
    toy.pull_all()
    toy.pull_all(noon(-400))
    assert toy.asked_days()[0][0] == 2 and toy.asked_days()[-1][1] == -399


def test_a_day_that_was_incomplete_when_it_was_landed_is_requested_again(tmp_path: Path) -> None:
    # It promises not to restate, but takes three days to be complete.
    toy = Toy(tmp_path, with_(lookback_days=0, lag_days=3))
    toy.pull_all()
    toy.pull_all()
    assert toy.asked_days() == [(3, 1)]


def test_today_is_requested_where_it_can_be(tmp_path: Path) -> None:
    toy = Toy(tmp_path, with_(include_today=True, lookback_days=0))
    toy.pull_all()
    assert toy.asked_days()[-1][1] == 0
    toy.pull_all()
    assert toy.asked_days() == [(0, 0)], "today was not over"


def test_a_day_is_a_day_of_the_sources_zone(tmp_path: Path) -> None:
    toy = Toy(tmp_path, with_(zone="America/Los_Angeles", history_days=1))
    # At 06:00 UTC it is still the evening of the 19th in California.
    toy.pull_all(datetime(2026, 11, 20, 6, tzinfo=UTC))
    assert toy.asked_days() == [(2, 2)]
    (entry,) = Landing(toy.settings.raw).loads("api", "daily")
    assert entry.window == Span(datetime(2026, 11, 18, tzinfo=UTC), datetime(2026, 11, 19, tzinfo=UTC))
    assert entry.complete_until == datetime(2026, 11, 19, 8, tzinfo=UTC), "midnight there"


def test_since_and_until_ask_for_their_days_landed_or_not(toy: Toy) -> None:
    toy.pull_all()
    toy.pull_all(since=back(9), until=back(8))
    assert toy.asked_days() == [(9, 8)]
    toy.pull_all(since=back(3))
    assert toy.asked_days() == [(3, 1)]
    toy.pull_all(until=back(8))
    assert toy.asked_days() == [(10, 8)]
    toy.pull_all(since=back(30), until=back(29))
    assert toy.asked_days() == [(30, 29)], "further back than a first pull goes"
    (reported,) = toy.pull_all(since=back(0), until=back(-5))
    assert toy.asked_days() == [], "today is not over, and what is ahead has not been"
    assert reported.messages == ("daily: none of the requested days is over, or the source no longer has them.",)
    toy.pull_all(since=back(9), until=back(2), again=True)
    assert toy.asked_days() == [(9, 6), (5, 2)]


def test_days_landed_further_back_are_not_requested_again(toy: Toy) -> None:
    toy.pull_all(since=back(30), until=back(29))
    toy.pull_all()
    # The days in between are a gap: they were never requested.
    assert toy.asked_days() == [(28, 25), (24, 21), (20, 17), (16, 13), (12, 9), (8, 5), (4, 1)]


def test_again_asks_for_everything(toy: Toy) -> None:
    toy.pull_all()
    toy.pull_all(again=True)
    assert toy.asked_days() == [(10, 7), (6, 3), (2, 1)]


def test_a_hole_is_filled_and_the_look_back_goes_around_it(toy: Toy) -> None:
    for day in (10, 9, 6, 5):
        toy.pull_all(since=back(day), until=back(day))
    toy.pull_all()
    # 8 and 7 lie between landed days; from 4 on nothing is landed.
    assert toy.asked_days() == [(8, 7), (4, 1)]


def _entry(first: date, days: int, fetched: date) -> Load:
    start = datetime(first.year, first.month, first.day, tzinfo=UTC)
    fetched_at = datetime(fetched.year, fetched.month, fetched.day, 12, tzinfo=UTC)
    window = Span(start, start + timedelta(days=days))
    return Load("", "", window, 0, 0, None, None, "", 0, fetched_at, "", None, None)


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(1, 9), st.integers(0, 12)), max_size=8),
    st.integers(1, 9),
    st.integers(0, 6),
    st.integers(0, 6),
)
def test_exactly_the_unknown_and_changeable_days_are_requested(
    landed: list[tuple[int, int, int]], chunk: int, lookback: int, lag: int
) -> None:
    endpoint = with_(chunk_days=chunk, lookback_days=lookback, lag_days=lag, history_days=20)
    entries = [_entry(back(first), days, back(first) + timedelta(days=days + after)) for first, days, after in landed]
    asked = chunks(endpoint, entries, Pull(noon()))
    days = [first + timedelta(days=n) for first, end in asked for n in range((end - first).days)]
    start = min([back(20), *(back(first) for first, _, _ in landed)])
    expected = []
    for number in range((TODAY - start).days):
        day = start + timedelta(days=number)
        # Landed on a day on which it could not change any more.
        settled = any(
            back(first) <= day < back(first) + timedelta(days=length)
            and (back(first) + timedelta(days=length + after) - day).days > max(lookback, lag)
            for first, length, after in landed
        )
        if not settled:
            expected.append(day)
    assert days == expected, "each once, oldest first"
    assert all(0 < (end - first).days <= chunk for first, end in asked)


# What replaces what


def test_a_restated_day_replaces_what_was_reported_and_is_counted(toy: Toy) -> None:
    for day in range(1, 11):
        toy.report(back(day), day)
    toy.pull_all()
    toy.report(back(1), 100, 101)
    toy.report(back(2))
    toy.report(back(9), 999)
    (pulled,) = toy.pull_all()
    # The 9th day back was final: it is not requested again.
    assert toy.held() == {**{back(day): [day] for day in range(3, 11)}, back(1): [100, 101]}
    assert pulled.restated == 2


def test_a_late_day_is_landed_when_it_comes(toy: Toy) -> None:
    toy.report(back(3), 3)
    toy.pull_all()
    toy.report(back(1), 1)
    pulled = toy.pull_all()
    assert toy.held() == {back(3): [3], back(1): [1]}
    # An empty response for a day is a report of an empty day: this is a restatement.
    assert sum(partition.restated for partition in pulled) == 1


def test_the_same_data_again_is_not_a_restatement(toy: Toy) -> None:
    toy.report(back(1), 1, 2, 3)
    toy.pull_all()
    toy.days[back(1)].reverse()
    assert sum(partition.restated for partition in toy.pull_all()) == 0
    assert toy.held() == {back(1): [1, 2, 3]}


def test_rows_of_other_days_than_were_requested_are_rejected(toy: Toy) -> None:
    toy.report(back(1), 1)
    # A server that takes days for instants of another zone returns the day before, too.
    toy.days[back(1)] += [{"day": back(3).isoformat(), "name": "n0", "value": 3}]
    (*_, pulled) = toy.pull_all()
    assert toy.held() == {back(1): [1]} and pulled.rejected == 1
    ((reason, _),) = toy.workbook.rejected("daily")
    assert reason == "ts lies outside of the window that was pulled"


def test_only_rows_of_other_days_are_said_to_be_so(toy: Toy) -> None:
    toy.days[back(1)] = [{"day": back(3).isoformat(), "name": "n0", "value": 3}]
    with pytest.raises(
        SourceError, match="None of the 1 records of 2026-11-18 and after could be used: they belong to"
    ):
        toy.pull_all()


def test_lost_files_are_pulled_again(toy: Toy) -> None:
    for day in range(1, 11):
        toy.report(back(day), day)
    toy.pull_all()
    lost, damaged, *_ = [file.path for file in landed_files(toy.settings.raw)]
    lost.unlink()
    damaged.write_bytes(b"not parquet")
    with pytest.raises(SourceError, match="Run: tidings pull api --again"):
        verify(toy.settings.raw)
    # Meanwhile they are reported differently, which cannot be compared any more.
    toy.report(back(10), 77)
    toy.report(back(6), 77)
    toy.pull_all(again=True)
    verify(toy.settings.raw)
    assert toy.held() == {back(day): [77 if day in (10, 6) else day] for day in range(1, 11)}


# Days that are not available


class Broken:
    """A failing response for some days, with an HTTP status or without."""

    def __init__(self, status: int, *days: date) -> None:
        self.status = status
        self.days = set(days)

    def __call__(self, endpoint: str, partition: str, day: date) -> None:
        if day in self.days:
            raise ResponseError(f"The answer for {day} is damaged.", "Pull again.", self.status)


def test_a_damaged_response_blocks_only_its_own_days(tmp_path: Path) -> None:
    toy = Toy(tmp_path, with_(lookback_days=0))
    for day in range(1, 11):
        toy.report(back(day), day)
    toy.on_page = broken = Broken(0, back(8))
    with pytest.raises(SourceError, match="2026-11-12 is damaged"):
        toy.pull_all()
    assert set(toy.held()) == {back(day) for day in range(1, 7)}, "four days are requested at a time"
    broken.days.clear()
    toy.pull_all()
    assert toy.asked_days() == [(10, 7)]
    assert toy.held() == {back(day): [day] for day in range(1, 11)}


def test_a_day_that_a_connector_sets_apart_blocks_nothing_else(tmp_path: Path) -> None:
    toy = Toy(tmp_path, with_(lookback_days=0))
    for day in range(1, 11):
        toy.report(back(day), day)
    broken = {back(8), back(5)}

    def on_page(endpoint: str, partition: str, day: date) -> None:
        if day in broken:
            raise NotYetError(day, error=ResponseError(f"{day} is damaged.", "Pull again."))

    toy.on_page = on_page
    with pytest.raises(SourceError, match=r"2026-11-12 is damaged\. 2026-11-15 is damaged\. Pull again\."):
        toy.pull_all()
    assert set(toy.held()) == {back(day) for day in (10, 9, 7, 6, 4, 3, 2, 1)}
    assert not any("not available yet" in message for partition in toy.pulled for message in partition.messages)
    broken.clear()
    toy.pull_all()
    assert toy.asked_days() == [(8, 8), (5, 5)]


def test_a_missing_right_is_not_tried_day_by_day(toy: Toy) -> None:
    toy.on_page = Broken(403, *(back(day) for day in range(1, 11)))
    with pytest.raises(SourceError, match="is damaged"):
        toy.pull_all()
    assert len(toy.asked) == 1


def test_rejected_records_are_counted_and_kept_until_their_days_are_landed(toy: Toy) -> None:
    for day in range(1, 11):
        toy.report(back(day), day)
    toy.days[back(2)] = toy.days[back(1)] = [{"day": "never"}]
    with pytest.raises(SourceError, match="'name' is missing"):
        toy.pull_all()
    assert toy.pulled[-1].rejected == 2 and toy.pulled[-1].rows == 0
    toy.on_page = broken = Broken(0, back(2))
    with pytest.raises(SourceError, match="damaged"):
        toy.pull_all()
    assert len(toy.workbook.rejected("daily")) == 2, "nothing has come in their place"
    broken.days.clear()
    toy.report(back(2), 2)
    toy.report(back(1), 1)
    toy.pull_all()
    assert toy.workbook.rejected("daily") == [] and toy.held()[back(1)] == [1]


@pytest.mark.parametrize("order", [{"again": True}, {"since": back(30)}, {"since": back(30), "until": back(1)}])
def test_what_a_source_no_longer_knows_stays_as_it_was_reported(tmp_path: Path, order: Any) -> None:
    toy = Toy(tmp_path, with_(retention_days=10))
    for day in range(1, 11):
        toy.report(back(day), day)
    toy.pull_all()
    # Five days on it has forgotten five days.
    for day in range(6, 11):
        toy.report(back(day))
    pulled = toy.pull_all(noon(-5), **order)
    assert toy.held() == {back(day): [day] for day in range(1, 11)}
    reported = [message for partition in pulled for message in partition.messages]
    assert reported == (
        [] if order.get("again") else ["daily goes back to 2026-11-15: earlier days stay as they were landed."]
    )


def test_what_is_forgotten_before_it_settles_stays(tmp_path: Path) -> None:
    # It restates for five days and keeps three, like an API of last week's reviews.
    toy = Toy(tmp_path, with_(retention_days=3, history_days=3, lookback_days=5, include_today=True))
    toy.report(back(2), 2)
    toy.pull_all()
    for later in range(1, 9):
        if later > 1:
            toy.report(back(2))
        toy.pull_all(noon(-later))
    assert toy.held() == {back(2): [2]}


def test_unusable_records_are_requested_until_they_are_usable(tmp_path: Path) -> None:
    toy = Toy(tmp_path, with_(history_days=6, chunk_days=3, lookback_days=0))
    for day in (6, 5, 4):
        toy.days[back(day)] = [{"day": "never"}]
    for day in range(-4, 4):
        toy.report(back(day), 10 - day)
    for later in range(3):
        with pytest.raises(SourceError, match="'name' is missing"):
            toy.pull_all(noon(-later))
        assert len(toy.workbook.rejected("daily")) == 3, "once, however often they were requested"
    for day in (6, 5, 4):
        toy.report(back(day), 10 - day)
    # They are older than a first pull goes back by now, and are not given up.
    toy.pull_all(noon(-3))
    assert toy.workbook.rejected("daily") == []
    assert toy.held() == {back(day): [10 - day] for day in range(-2, 7)}


def test_a_chunk_of_which_a_part_could_not_be_used_is_requested_again_by_the_same_version(tmp_path: Path) -> None:
    toy = Toy(tmp_path, with_(lookback_days=0))
    for day in range(1, 11):
        toy.report(back(day), day)
    good = toy.days[back(9)]
    toy.days[back(9)] = [*good, {"day": back(9).isoformat(), "name": "n1", "value": "many"}]
    toy.pull_all()
    assert len(toy.workbook.rejected("daily")) == 1
    toy.pull_all()
    assert toy.asked_days() == [(10, 7)] and len(toy.workbook.rejected("daily")) == 1
    toy.days[back(9)] = [*good, {"day": back(9).isoformat(), "name": "n1", "value": 90}]
    toy.pull_all()
    assert toy.held()[back(9)] == [9, 90] and toy.workbook.rejected("daily") == []
    toy.pull_all()
    assert toy.asked == [], "all of it is used by now"


def test_records_that_stay_unusable_are_requested_in_turn(tmp_path: Path) -> None:
    # A fault of every chunk must not make each pull ask for all of history.
    toy = Toy(tmp_path, with_(lookback_days=0, chunk_days=1))
    for day in range(1, 11):
        toy.days[back(day)] = [
            {"day": back(day).isoformat(), "name": "n0", "value": 1},
            {"day": back(day).isoformat(), "name": "n1", "value": "many"},
        ]
    toy.pull_all()
    turns = []
    for minute in range(1, 5):
        toy.pull_all(noon() + timedelta(minutes=minute))
        turns.append([first for first, _ in toy.asked_days()])
    # Three at a time, those requested longest ago first.
    assert turns == [[10, 9, 8], [7, 6, 5], [4, 3, 2], [10, 9, 1]]


# Not available yet


class Late:
    """Days that are not available yet, as a server reports it."""

    def __init__(self, *days: date) -> None:
        self.days = set(days)

    def __call__(self, endpoint: str, partition: str, day: date) -> None:
        if day in self.days:
            raise NotYetError(day)


def test_a_day_that_is_not_available_yet_is_not_zero_and_is_requested_again(tmp_path: Path) -> None:
    toy = Toy(tmp_path, with_(lookback_days=0))
    for day in range(1, 11):
        toy.report(back(day), day)
    toy.on_page = late = Late(back(1))
    pulled = toy.pull_all()
    assert pulled[-1].messages == ("2026-11-19 is not available yet: it will be requested again.",)
    assert back(1) not in toy.held() and back(2) in toy.held()
    windows = [entry.window for entry in Landing(toy.settings.raw).loads("api", "daily") if entry.window]
    assert max(window.end for window in windows).date() == back(1), "nothing is reported about the missing day"
    until = max(entry.complete_until for entry in Landing(toy.settings.raw).loads("api", "daily"))  # type: ignore[type-var]
    assert until == datetime(2026, 11, 19, tzinfo=UTC)
    late.days.clear()
    toy.pull_all()
    assert toy.asked_days() == [(1, 1)], "only this one, though the endpoint never restates"
    assert toy.held() == {back(day): [day] for day in range(1, 11)}


def test_a_missing_day_does_not_keep_out_those_after_it(tmp_path: Path) -> None:
    toy = Toy(tmp_path, with_(lookback_days=0))
    for day in range(1, 11):
        toy.report(back(day), day)
    toy.on_page = Late(back(8), back(7), back(3))
    pulled = toy.pull_all()
    assert set(toy.held()) == {back(day) for day in (10, 9, 6, 5, 4, 2, 1)}
    assert [partition.messages for partition in pulled if partition.messages] == [
        ("3 days from 2026-11-12 to 2026-11-17 are not available yet: they will be requested again.",)
    ]
    toy.pull_all()
    assert toy.asked_days() == [(8, 7), (7, 7), (3, 3)]


def test_days_that_are_known_to_be_missing_are_not_requested_one_by_one(tmp_path: Path) -> None:
    toy = Toy(tmp_path, with_(lookback_days=0, chunk_days=10))
    toy.report(back(10), 10)
    toy.report(back(2), 2)

    def page(endpoint: str, partition: str, day: date) -> None:
        if day == back(9):
            raise NotYetError(day, back(3))

    toy.on_page = page
    pulled = toy.pull_all()
    assert toy.asked_days() == [(10, 1), (3, 1)]
    assert toy.held() == {back(10): [10], back(2): [2]}
    assert pulled[-1].messages == (
        "6 days from 2026-11-11 to 2026-11-16 are not available yet: they will be requested again.",
    )
    toy.pull_all()
    assert toy.asked_days() == [(9, 4)]


@pytest.mark.parametrize("named", [back(40), back(-5)])
def test_a_missing_day_that_was_not_requested_is_not_an_endless_loop(toy: Toy, named: date) -> None:
    toy.report(back(10), 10)

    def confused(endpoint: str, partition: str, day: date) -> None:
        if toy.asked[-1][3] - timedelta(days=1) == day:
            raise NotYetError(named)

    toy.on_page = confused
    toy.pull_all()
    assert len(toy.asked) <= 10
    assert set(toy.held()) <= {back(10)}


# Unusable records


def _without(toy: Toy, name: str) -> None:
    for records in toy.days.values():
        for record in records:
            record.pop(name)


def test_the_rejected_part_keeps_old_rows_in_force(toy: Toy) -> None:
    for day in range(1, 11):
        toy.report(back(day), day)
    toy.pull_all()
    before = toy.held()
    freshest = max(e.complete_until for e in Landing(toy.settings.raw).loads("api", "daily") if e.complete_until)
    _without(toy, "value")
    with pytest.raises(
        SourceError,
        match=r"daily: None of the 10 records of 2026-11-10 and after could be used: the field 'value' is missing\. "
        r"The API has changed, .* kept in data/raw/api/daily; look for a newer version",
    ):
        toy.pull_all(noon(-1), again=True)
    assert toy.held() == before
    assert len(toy.workbook.rejected("daily")) == 10, "all of them are kept as received"
    entries = Landing(toy.settings.raw).loads("api", "daily")
    assert max(e.complete_until for e in entries if e.complete_until) == freshest, "nothing became fresher"
    # They are requested again, and the rejected ones are gone once they are right.
    for day in range(1, 11):
        toy.report(back(day), -day)
    toy.pull_all(noon(-1), again=True)
    assert toy.held() == {back(day): [-day] for day in range(1, 11)}
    assert toy.workbook.rejected("daily") == []


def test_a_bad_day_does_not_keep_out_those_after_it(tmp_path: Path) -> None:
    toy = Toy(tmp_path, with_(chunk_days=1))
    for day in range(1, 11):
        toy.report(back(day), day)
    for day in (7, 4):
        toy.days[back(day)][0]["value"] = "many"
    for _ in range(2):
        with pytest.raises(SourceError, match=r"None of the 2 records of 2026-11-13 and after .*'many' is not a whole"):
            toy.pull_all()
        assert set(toy.held()) == {back(day) for day in (10, 9, 8, 6, 5, 3, 2, 1)}
        assert len(toy.workbook.rejected("daily")) == 2
    # One of them is fixed: only the other is still rejected, whichever days were requested.
    toy.report(back(7), 7)
    toy.pull_all(since=back(7), until=back(7))
    assert len(toy.workbook.rejected("daily")) == 1
    with pytest.raises(SourceError, match="None of the 1 records of 2026-11-16"):
        toy.pull_all()
    assert set(toy.held()) == {back(day) for day in range(1, 11) if day != 4}


def test_records_that_are_no_records_are_rejected(toy: Toy) -> None:
    toy.report(back(1), 1)
    toy.days[back(1)] += ["maintenance", None, ["x"], 7]
    (*_, pulled) = toy.pull_all()
    assert (pulled.rows, pulled.rejected) == (1, 4)
    assert {reason for reason, _ in toy.workbook.rejected("daily")} == {"the field 'day' is missing"}
    assert '{"":"maintenance"}' in {record for _, record in toy.workbook.rejected("daily")}


def test_fields_that_went_and_came_are_reported(toy: Toy) -> None:
    toy = Toy(toy.settings.root, with_(fields=("day", "name", "value", "hint")))
    toy.report(back(1), 1)
    toy.days[back(1)][0]["shiny"] = True
    (*_, pulled) = toy.pull_all()
    assert pulled.messages == (
        "daily no longer has the fields hint: the columns made of them are empty.",
        "daily has new fields, kept as received: shiny.",
    )
    (record,) = [record for (record,) in toy.workbook.rows("daily", "_record")]
    assert '"shiny":true' in record
    toy.report(back(1))
    assert [partition.messages for partition in toy.pull_all()] == [()], "an empty response shows nothing about fields"


def test_what_is_to_be_forgotten_is_nowhere(tmp_path: Path) -> None:
    toy = Toy(tmp_path, with_(forget=("email",)))
    toy.report(back(2), 2)
    toy.report(back(1), 1, 0)
    toy.days[back(2)][0]["email"] = "canary@shop.example"
    toy.days[back(1)][0] |= {"email": "canary@shop.example", "value": "many"}
    toy.days[back(1)] += ["canary@shop.example"]
    pulled = toy.pull_all()
    assert sum(partition.rejected for partition in pulled) == 2
    assert "canary" not in toy.workbook.everything()
    reported = [message for partition in pulled for message in partition.messages]
    assert len(reported) == 1 and "2 of its records could not be used" in reported[0], "its presence is not news"


@pytest.mark.parametrize(
    ("fault", "reported"),
    [
        (KeyError("data"), "the field 'data' is missing"),
        (TypeError("'NoneType' object is not iterable"), r"'NoneType' object is not iterable \(TypeError\)"),
        (AttributeError("no attribute 'get'"), "AttributeError"),
        (IndexError("list index out of range"), "IndexError"),
        (ValueError("not a date"), "ValueError"),
    ],
)
def test_a_response_of_another_form_is_reported_and_does_not_stop_other_endpoints(
    tmp_path: Path, fault: Exception, reported: str
) -> None:
    toy = Toy(tmp_path, with_(name="odd"), DAILY)
    toy.report(back(1), 1)

    def page(endpoint: str, partition: str, day: date) -> None:
        if endpoint == "odd" and day == back(5):
            raise fault

    toy.on_page = page
    with pytest.raises(
        SourceError, match=f"odd: The answer has a form that Tidings does not know: .*{reported}.*The API has cha"
    ):
        toy.pull_all()
    assert toy.held() == {back(1): [1]}
    # Days before the fault are landed, those of its chunk are requested again.
    toy.on_page = lambda endpoint, partition, day: None
    toy.pull_all()
    assert next(first for name, _, first, _ in toy.asked if name == "odd") == back(6)


def test_a_check_of_a_response_of_another_form_is_a_sentence(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    def ping(client: Any) -> list[str]:
        raise KeyError("sites")

    monkeypatch.setattr(toy, "ping", ping)
    (said,) = toy.check(Pull(noon()))
    assert said.startswith("The response of api has a form that Tidings does not know: the field 'sites' is missing.")


# Partitions and endpoints


def test_parts_have_their_own_days(toy: Toy) -> None:
    toy.report(back(1), 1)
    toy.names = ("a",)
    toy.pull_all()
    toy.names = ("a", "b")
    toy.pull_all()
    assert [(partition, (TODAY - first).days) for _, partition, first, _ in toy.asked] == [
        ("a", 2),
        ("b", 10),
        ("b", 6),
        ("b", 2),
    ]
    assert toy.held() == {back(1): [1, 1]}
    # A partition that is no longer requested keeps its rows.
    toy.names = ("b",)
    toy.pull_all()
    assert toy.held() == {back(1): [1, 1]}


def test_a_failing_partition_or_endpoint_does_not_stop_the_others(tmp_path: Path) -> None:
    toy = Toy(tmp_path, DAILY, with_(name="other"))
    toy.names = ("a", "b", "c")
    toy.report(back(1), 1)

    def page(endpoint: str, partition: str, day: date) -> None:
        if (endpoint, partition) in {("daily", "b"), ("other", "a")}:
            raise ResponseError(f"{partition} is gone.", "Look for it.")

    toy.on_page = page
    with pytest.raises(SourceError) as failed:
        toy.pull_all()
    assert str(failed.value) == "daily b: b is gone. other a: a is gone. Look for it."
    assert (len(toy.held()[back(1)]), len(toy.held("other")[back(1)])) == (2, 2)


def test_many_failures_are_reported_in_few_words(toy: Toy) -> None:
    toy.names = tuple(f"site-{number}" for number in range(40))

    def page(endpoint: str, partition: str, day: date) -> None:
        raise ResponseError("Gone.", "Look for it.")

    toy.on_page = page
    with pytest.raises(SourceError, match=r"daily site-4: Gone\. And 35 more\. Look for it\.$"):
        toy.pull_all()


@pytest.mark.parametrize("fatal", [CredentialError("No."), OutageError("Down."), StoppedError()])
def test_what_concerns_all_ends_the_pull(tmp_path: Path, fatal: SourceError) -> None:
    toy = Toy(tmp_path, DAILY, with_(name="other"))

    def page(endpoint: str, partition: str, day: date) -> None:
        if day == back(3):
            raise fatal

    toy.on_page = page
    with pytest.raises(type(fatal)):
        toy.pull_all()
    assert {endpoint for endpoint, *_ in toy.asked} == {"daily"}
    assert [partition.rows for partition in toy.pulled] == [0], "what was landed before stays"


def test_a_snapshot_adds_a_day_with_each_day_of_pulling(tmp_path: Path) -> None:
    toy = Toy(tmp_path, with_(snapshot=True))
    toy.report(back(0), 1)
    toy.pull_all()
    toy.report(back(0), 2)
    toy.pull_all()
    assert toy.asked_days() == [(0, 0)] and toy.held() == {back(0): [2]}
    toy.report(back(-1), 3)
    toy.pull_all(noon(-1))
    assert toy.held() == {back(0): [2], back(-1): [3]}
    assert Landing(toy.settings.raw).loads("api", "daily")[-1].complete_until == noon(-1)


def test_a_full_refresh_replaces_everything(tmp_path: Path) -> None:
    toy = Toy(tmp_path, with_(full_refresh=True))
    toy.report(back(500), 1)
    toy.report(back(1), 2)
    toy.pull_all()
    del toy.days[back(500)]
    toy.report(back(1), 3)
    toy.pull_all(noon(-1))
    assert toy.held() == {back(1): [3]}
    _without(toy, "value")
    with pytest.raises(SourceError, match="the field 'value' is missing"):
        toy.pull_all(noon(-2))
    assert toy.held() == {back(1): [3]} and len(toy.workbook.rejected("daily")) == 1
    toy.report(back(1), 4)
    toy.pull_all(noon(-3))
    assert toy.held() == {back(1): [4]} and toy.workbook.rejected("daily") == []


def test_a_snapshot_that_is_not_there_is_requested_again(tmp_path: Path) -> None:
    toy = Toy(tmp_path, with_(snapshot=True))
    toy.on_page = Late(back(0))
    (pulled,) = toy.pull_all()
    assert "not available yet" in pulled.messages[0] and toy.held() == {}
    assert Landing(toy.settings.raw).loads("api", "daily") == ()


# Killed at any moment


class Killed(BaseException):
    """What a killed process does not get to handle."""


class Mortal:
    """Counts pages, progress and file operations, and dies in the `fatal`-th of them."""

    def __init__(self, fatal: int) -> None:
        self.left = fatal
        self.patch = pytest.MonkeyPatch()

    def step(self, *_: object) -> None:
        self.left -= 1
        if self.left == 0:
            raise Killed

    def _mortal(self, function: Any, after: bool = False) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            if not after:
                self.step()
            done = function(*args, **kwargs)
            if after:
                self.step()
            return done

        return call

    def __enter__(self) -> Mortal:
        self.patch.setattr(os, "fsync", self._mortal(os.fsync))
        self.patch.setattr(Path, "replace", self._mortal(self._mortal(Path.replace), after=True))
        self.patch.setattr(Path, "unlink", self._mortal(Path.unlink))
        self.patch.setattr(Path, "write_text", self._mortal(Path.write_text))
        self.patch.setattr(pq.ParquetWriter, "write_table", self._mortal(pq.ParquetWriter.write_table))
        return self

    def __exit__(self, *_: object) -> None:
        self.patch.undo()


def _history(toy: Toy, seed: int) -> Iterator[tuple[datetime, date]]:
    """What happens over four days: rows, restated days, days that come late; one pull each."""
    for number in range(4):
        today = back(-number)
        for day in range(1, 7):
            toy.report(today - timedelta(days=day), *range(seed + number, seed + number + day % 4))
        toy.on_page = Late(today - timedelta(days=1)) if number % 2 == seed % 2 else (lambda *_: None)
        yield noon(-number), today


@settings(max_examples=examples(15, 60))
@given(st.integers(0, 3), st.integers(0, 3), st.integers(1, 60), st.integers(1, 5))
def test_a_pull_killed_at_any_moment_and_run_again_is_as_if_never_killed(
    tmp_path_factory: pytest.TempPathFactory, seed: int, killed_on: int, fatal: int, chunk: int
) -> None:
    endpoint = with_(chunk_days=chunk, history_days=6)
    whole, mortal = (Toy(tmp_path_factory.mktemp("toy"), endpoint) for _ in range(2))
    for now, _ in _history(whole, seed):
        whole.pull_all(now)
    for number, (now, _) in enumerate(_history(mortal, seed)):
        if number == killed_on:
            before, restated = mortal.held(), whole.held()
            reported = mortal.on_page
            with Mortal(fatal) as life, suppress(Killed):
                mortal.on_page = lambda e, p, d, reported=reported, life=life: (life.step(), reported(e, p, d))  # type: ignore[misc]
                mortal.pull_all(now, progress=life.step)
            mortal.on_page = reported
            verify(mortal.settings.raw)
            # Each day has either the earlier or the later version, nothing in between.
            for day, values in mortal.held().items():
                assert values in (before.get(day), [r["value"] for r in mortal.days.get(day, [])], restated.get(day))
        mortal.pull_all(now)
    assert mortal.held() == whole.held()
    verify(mortal.settings.raw)


def test_every_step_of_a_pull_can_be_its_last(tmp_path: Path) -> None:
    whole = Toy(tmp_path / "whole")
    for day in range(1, 11):
        whole.report(back(day), day, day)
    whole.pull_all()
    fatal, died = 0, True
    while died:
        fatal += 1
        toy = Toy(tmp_path / str(fatal))
        toy.days = dict(whole.days)
        with Mortal(fatal) as life:
            toy.on_page = life.step
            try:
                toy.pull_all(progress=life.step)
                died = False
            except Killed:
                died = True
        toy.on_page = lambda *_: None
        verify(toy.settings.raw)
        # Meanwhile it is reported differently, so that leftover files are useless.
        toy.report(back(1), 99)
        toy.pull_all()
        assert toy.held() == {**whole.held(), back(1): [99]}, f"killed in step {fatal}"
        entries = Landing(toy.settings.raw).loads("api", "daily")
        named = {"manifest.json", ".lock", *(entry.file for entry in entries)}
        assert {file.name for file in (toy.settings.raw / "api" / "daily").iterdir()} == named, "no debris"
    assert fatal > 40, "pages, progress, and the steps of three landings"
