"""Slots over clock changes, holidays and months: each once, none skipped."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.errors import WindowError
from tidings.scheduling.schedule import Schedule
from tidings.scheduling.slots import due_at, next_slots, slots_between
from tidings.window import Calendar, Zone

BERLIN = Zone("Europe/Berlin")
CALENDAR = Calendar(zone=BERLIN)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def schedule(cron: str = "", **about: object) -> Schedule:
    return Schedule("weekly", "main", BERLIN, cron=cron, **about)  # type: ignore[arg-type]


def slots(cron: str, first: str, last: str) -> list[str]:
    found = slots_between(schedule(cron), CALENDAR, at(first), at(last))
    return [f"{each:%m-%dT%H:%M}" for each in found]


def test_a_time_that_the_clock_change_skips_runs_once_right_after_it() -> None:
    # On 29 March 2026 Berlin goes from 02:00 to 03:00, which is 01:00 UTC.
    assert slots("30 2 * * *", "2026-03-28T00:00", "2026-03-30T12:00") == ["03-28T01:30", "03-29T01:00", "03-30T00:30"]


def test_a_time_that_comes_twice_runs_once() -> None:
    # On 25 October 2026 02:30 is at 00:30 and at 01:30 UTC.
    assert slots("30 2 * * *", "2026-10-24T12:00", "2026-10-26T12:00") == ["10-25T00:30", "10-26T01:30"]


def test_every_hour_is_every_hour_that_passes() -> None:
    assert slots("0 * * * *", "2026-10-24T23:30", "2026-10-25T02:00") == ["10-25T00:00", "10-25T01:00", "10-25T02:00"]


def test_the_same_local_time_in_summer_and_in_winter() -> None:
    assert slots("0 8 * * mon", "2026-10-18T00:00", "2026-10-31T00:00") == ["10-19T06:00", "10-26T07:00"]


def test_first_and_last_business_day_of_months() -> None:
    # 1 January is a holiday and 2 January 2026 a Friday; 31 January is a Saturday.
    calendar = Calendar(zone=BERLIN, holidays={date(2026, 1, 1): "New Year"})
    first = next_slots(schedule(on="first business day", at=time(8)), calendar, at("2025-12-31T00:00"), 2)
    assert [f"{each:%Y-%m-%dT%H:%M}" for each in first] == ["2026-01-02T07:00", "2026-02-02T07:00"]
    last = next_slots(schedule(on="last business day", at=time(18, 30)), calendar, at("2026-01-30T17:29"), 2)
    assert [f"{each:%Y-%m-%dT%H:%M}" for each in last] == ["2026-01-30T17:30", "2026-02-27T17:30"]


def test_a_month_whose_holidays_are_not_known_is_refused() -> None:
    calendar = Calendar(zone=BERLIN, known=(date(2020, 1, 1), date(2026, 12, 31)), country="DE")
    with pytest.raises(WindowError, match="holiday"):
        next_slots(schedule(on="first business day", at=time(8)), calendar, at("2026-12-15T00:00"), 1)


@given(
    start=st.datetimes(datetime(2026, 1, 1), datetime(2027, 6, 1)),
    cuts=st.lists(st.integers(0, 60 * 24 * 40), max_size=6),
    cron=st.sampled_from(["30 2 * * *", "0 8 * * mon", "*/17 1-4 * * *", "0 9 L * *", "0 9 1 * *", "15 3 * * sun"]),
)
def test_looking_often_finds_what_looking_once_finds(start: datetime, cuts: list[int], cron: str) -> None:
    begin = start.replace(tzinfo=UTC)
    looks = sorted({begin, *(begin + timedelta(minutes=cut) for cut in cuts), begin + timedelta(days=40)})
    pieces = [slot for one, other in pairwise(looks) for slot in slots_between(schedule(cron), CALENDAR, one, other)]
    whole = slots_between(schedule(cron), CALENDAR, looks[0], looks[-1])
    assert tuple(pieces) == whole and len(set(whole)) == len(whole)


@given(minutes=st.integers(0, 600), day=st.integers(1, 28))
def test_jitter_is_the_same_for_a_slot_and_within_its_bounds(minutes: int, day: int) -> None:
    slot = datetime(2026, 7, day, 6, tzinfo=UTC)
    planned = schedule("0 8 * * *", jitter=minutes * 60.0)
    assert due_at(planned, slot) == due_at(planned, slot)
    assert slot <= due_at(planned, slot) <= slot + timedelta(minutes=minutes)
