"""Zones, windows and periods, in zones with every kind of clock change."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import ibis
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidings.errors import WindowError
from tidings.window import (
    Calendar,
    Window,
    Zone,
    add_days,
    as_utc,
    calendar,
    days_after,
    days_between,
    end_of_local_day,
    first_day,
    label_days,
    naive_utc,
    next_first_day,
    parse_as_of,
    parse_date,
    parse_instant,
    period_after,
    period_number,
    period_start,
    seconds_before,
)

BERLIN = Zone("Europe/Berlin")
UNITS = ("day", "week", "month", "quarter", "year")
# Half and quarter hours, changes at midnight, a half-hour change, a change of date, and both hemispheres.
ODD = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",
    "America/Havana",
    "America/Caracas",
    "Africa/Casablanca",
    "Africa/Cairo",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Asia/Tehran",
    "Asia/Beirut",
    "Asia/Pyongyang",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
    "Pacific/Apia",
    "Pacific/Kiritimati",
)

zones = st.builds(Zone, st.sampled_from(ODD), st.sampled_from(["monday", "sunday"]))
# From 2011 on no zone has turned its clock back over a midnight.
dates = st.dates(date(2011, 1, 1), date(2037, 12, 31))
instants = st.datetimes(datetime(2011, 1, 1), datetime(2037, 12, 31)).map(lambda t: t.replace(tzinfo=UTC))
units = st.sampled_from(UNITS)
windows = st.builds(
    lambda day, n, zone, at: Window(day, add_days(day, n), zone, at), dates, st.integers(1, 400), zones, instants
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "day", "first", "hours"),
    [
        ("UTC", date(2026, 3, 29), "2026-03-29T00:00", 24),
        ("Europe/Berlin", date(2026, 3, 29), "2026-03-28T23:00", 23),  # forward at 02:00
        ("Europe/Berlin", date(2026, 10, 25), "2026-10-24T22:00", 25),  # back at 03:00
        ("America/Sao_Paulo", date(2018, 11, 4), "2018-11-04T03:00", 23),  # midnight skipped: begins at 01:00
        ("America/Sao_Paulo", date(2018, 2, 17), "2018-02-17T02:00", 25),  # 23:00 comes twice
        ("America/Havana", date(2025, 11, 2), "2025-11-02T04:00", 25),  # midnight comes twice: the first
        ("Africa/Cairo", date(2024, 4, 26), "2024-04-25T22:00", 23),  # midnight skipped
        ("Australia/Lord_Howe", date(2025, 10, 5), "2025-10-04T13:30", 23.5),  # a change of half an hour
        ("Asia/Kathmandu", date(2026, 1, 1), "2025-12-31T18:15", 24),
        ("Pacific/Apia", date(2011, 12, 29), "2011-12-29T10:00", 24),
        ("Pacific/Apia", date(2011, 12, 30), "2011-12-30T10:00", 0),  # a date that never was
        ("Pacific/Apia", date(2011, 12, 31), "2011-12-30T10:00", 24),
        ("America/Toronto", date(1919, 3, 31), "1919-03-31T04:30", 23.5),  # 23:30 became 00:30
    ],
)
def test_first_instant_and_length_of_local_days(zone: str, day: date, first: str, hours: float) -> None:
    calendar_of = Zone(zone)
    assert calendar_of.first_instant(day) == at(first)
    assert calendar_of.first_instant(add_days(day, 1)) - calendar_of.first_instant(day) == timedelta(hours=hours)


@given(zones, instants)
def test_every_instant_lies_in_its_local_day(zone: Zone, instant: datetime) -> None:
    day = zone.day_of(instant)
    assert zone.first_instant(day) <= instant < zone.first_instant(add_days(day, 1)) == end_of_local_day(instant, zone)


@given(zones, dates)
def test_the_first_instant_of_a_day_is_the_first(zone: Zone, day: date) -> None:
    first = zone.first_instant(day)
    assert first.astimezone(zone.info).date() >= day
    assert (first - timedelta(microseconds=1)).astimezone(zone.info).date() < day


@settings(max_examples=25, deadline=None)
@given(zones, instants, st.integers(1, 1500), st.lists(st.floats(0, 0.999), min_size=1, max_size=20))
def test_local_is_the_wall_clock_of_zoneinfo(zone: Zone, start: datetime, days: int, places: list[float]) -> None:
    end = start + timedelta(days=days)
    spread = [start + (end - start) * place for place in places]
    # And around every change of clock in the range: a microsecond before, at, and after.
    hours = [start + timedelta(hours=h) for h in range(days * 24)]
    for one, other in pairwise(hours):
        if one.astimezone(zone.info).utcoffset() != other.astimezone(zone.info).utcoffset():
            exact = other.replace(minute=0, second=0, microsecond=0)
            marks = (exact, exact + timedelta(minutes=30), exact - timedelta(minutes=30))
            spread += [m + timedelta(microseconds=d) for m in marks for d in (-1, 0, 1)]
    spread = [instant for instant in spread if start <= instant < end]
    rows = ibis.memtable({"ts": [naive_utc(instant) for instant in spread]}, schema={"ts": "timestamp(6)"})
    expression = rows.select("ts", local=zone.local(rows.ts, start, end))
    for row in ibis.duckdb.connect().to_pyarrow(expression).to_pylist():
        assert row["local"] == row["ts"].replace(tzinfo=UTC).astimezone(zone.info).replace(tzinfo=None)


@given(zones, dates, st.integers(0, 800))
def test_first_instants_are_those_of_each_day(zone: Zone, first: date, days: int) -> None:
    asked = days_between(first, add_days(first, days))
    table = ibis.memtable({"ts": [datetime.combine(day, time.min) for day in asked]}, schema={"ts": "timestamp(6)"})
    found = table.select(at=zone.first_instants(table.ts, asked[0], asked[-1])).to_pyarrow()["at"].to_pylist()
    assert found == [naive_utc(zone.first_instant(day)) for day in asked]


def test_local_reads_naive_bounds_as_utc_and_keeps_null() -> None:
    rows = ibis.memtable({"ts": [datetime(2026, 7, 1, 22, 30), None]}, schema={"ts": "timestamp(6)"})
    local = BERLIN.local(rows.ts, datetime(2026, 1, 1), datetime(2027, 1, 1))
    found = ibis.duckdb.connect().to_pyarrow(rows.select(local=local))["local"].to_pylist()
    assert found == [datetime(2026, 7, 2, 0, 30), None]


def test_local_knows_a_change_shortly_before_the_end_and_none_at_the_end() -> None:
    # Berlin goes forward at 01:00 UTC.
    rows = ibis.memtable({"ts": [datetime(2026, 3, 29, 0, 59), datetime(2026, 3, 29, 1)]})
    con = ibis.duckdb.connect()
    for end, expected in (("2026-03-29T01:01", 3), ("2026-03-29T01:00", 2)):
        local = BERLIN.local(rows.ts, at("2026-03-28"), at(end))
        found = con.to_pyarrow(rows.select(local=local))["local"].to_pylist()
        assert found == [datetime(2026, 3, 29, 1, 59), datetime(2026, 3, 29, expected)]


@pytest.mark.parametrize(
    ("name", "hint"),
    [("Europe/Berlim", "Europe/Berlin"), ("", "IANA"), ("../etc/passwd", "IANA"), ("Europe", "IANA")],
)
def test_an_unknown_zone_is_rejected_with_a_suggestion(name: str, hint: str) -> None:
    with pytest.raises(WindowError, match=f"Time zone .* is not known.*{hint}"):
        Zone(name)


def test_an_unknown_week_start_is_rejected() -> None:
    with pytest.raises(WindowError, match="Did you mean 'sunday'"):
        Zone("UTC", "sundy")  # type: ignore[arg-type]


def test_last_holds_the_complete_days_before_as_of() -> None:
    # 22:00 UTC is midnight in Berlin: the 29th has just ended and is the last complete day.
    window = Window.last(28, at("2026-06-29T22:00"), BERLIN)
    assert (window.start, window.last_day, window.days) == (date(2026, 6, 2), date(2026, 6, 29), 28)
    assert window.label == "2 – 29 Jun 2026"
    assert window.is_complete
    # A microsecond earlier the 29th is not over.
    assert Window.last(28, at("2026-06-29T22:00") - timedelta(microseconds=1), BERLIN).last_day == date(2026, 6, 28)


def test_between_holds_both_days_and_half_open_instants() -> None:
    window = Window.between(date(2026, 3, 29), date(2026, 3, 29), at("2026-03-29T21:59"), BERLIN)
    assert (window.start_at, window.end_at) == (at("2026-03-28T23:00"), at("2026-03-29T22:00"))
    assert window.days == 1
    assert not window.is_complete


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Window.last(0, at("2026-01-01"), BERLIN), "days=1"),
        (lambda: Window.last(10**6, at("2026-01-01"), BERLIN), "outside the calendar"),
        (lambda: Window.between(date(2026, 1, 2), date(2026, 1, 1), at("2026-01-01"), BERLIN), "Exchange"),
        (lambda: Window(date(2026, 1, 1), date(2026, 1, 1), BERLIN, at("2026-01-01")), "holds no day"),
        (lambda: Window(date(2026, 1, 1), date(2026, 1, 2), BERLIN, datetime(2026, 1, 1)), "no offset"),
        (lambda: Window.last(7, at("2026-01-01"), BERLIN).compare("yaer"), "Did you mean 'year'"),  # type: ignore[arg-type]
        (lambda: Window.last(7, at("2026-01-01"), BERLIN).periods("weeks"), "Did you mean 'week'"),  # type: ignore[arg-type]
    ],
)
def test_impossible_windows_are_rejected(make, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(WindowError, match=message):
        make()


@given(windows)
def test_comparisons_keep_length_and_weekdays(window: Window) -> None:
    previous, weekdays, year = window.previous(), window.same_weekdays(), window.year_before()
    assert previous.end == window.start
    for other in (previous, weekdays, year):
        assert other.days == window.days
        assert (other.zone, other.as_of) == (window.zone, window.as_of)
    assert weekdays.start.weekday() == year.start.weekday() == window.start.weekday()
    # The fewest whole weeks that do not overlap: at most 6 days lie between.
    assert 0 <= (window.start - weekdays.end).days <= 6
    assert (window.start - year.start).days == 364
    assert [window.compare(how) for how in ("previous", "weekdays", "year", "none")] == [previous, weekdays, year, None]


@given(windows, st.integers(-900, 900))
def test_shift_there_and_back_is_where_it_was(window: Window, days: int) -> None:
    assert window.shift(days).shift(-days) == window
    assert window.shift(days).start == add_days(window.start, days)


@pytest.mark.parametrize(
    ("as_of", "unit", "now", "before"),
    [
        # Thursday: Monday to Wednesday against Monday to Wednesday.
        ("2026-06-18", "week", "15 – 17 Jun 2026", "8 – 10 Jun 2026"),
        # Monday at 00:00: the complete week just ended.
        ("2026-06-15", "week", "8 – 14 Jun 2026", "1 – 7 Jun 2026"),
        ("2026-06-18", "month", "1 – 17 Jun 2026", "1 – 17 May 2026"),
        # February has no 31 days: used in full.
        ("2026-04-01", "month", "1 – 31 Mar 2026", "1 – 28 Feb 2026"),
        # A shorter month so far never takes days of its own from the one before.
        ("2026-03-01", "month", "1 – 28 Feb 2026", "1 – 28 Jan 2026"),
        ("2026-06-18", "quarter", "1 Apr – 17 Jun 2026", "1 Jan – 19 Mar 2026"),
        ("2026-01-02", "year", "1 Jan 2026", "1 Jan 2025"),
        # 2024 had 366 days, 2023 only 365.
        ("2025-01-01", "year", "1 Jan – 31 Dec 2024", "1 Jan – 31 Dec 2023"),
    ],
)
def test_to_date_meets_as_many_days_of_the_period_before(as_of: str, unit: str, now: str, before: str) -> None:
    window = Window.last(28, BERLIN.first_instant(date.fromisoformat(as_of)), BERLIN)
    assert tuple(partition.label for partition in window.to_date(unit)) == (now, before)  # type: ignore[arg-type]


def test_to_date_stops_at_the_last_complete_day_and_at_the_end_of_the_window() -> None:
    open_window = Window.between(date(2026, 6, 1), date(2026, 6, 30), at("2026-06-10T12:00"), BERLIN)
    assert open_window.to_date("month")[0].last_day == date(2026, 6, 9)  # the 10th is not over
    past = Window.between(date(2026, 5, 1), date(2026, 5, 20), at("2026-06-10T12:00"), BERLIN)
    assert past.to_date("month")[0].label == "1 – 20 May 2026"


@given(windows, units)
def test_to_date_windows_never_overlap_nor_differ_but_by_clipping(window: Window, unit: str) -> None:
    now, before = window.to_date(unit)  # type: ignore[arg-type]
    assert now.is_complete
    assert before.end <= now.start
    assert before.days == min(now.days, (now.start - before.start).days)


@given(windows, units, st.integers(0, 5))
def test_periods_cut_the_widened_window_without_gap_or_overlap(window: Window, unit: str, more: int) -> None:
    periods = window.periods(unit)  # type: ignore[arg-type]
    wide = window.widened(unit)  # type: ignore[arg-type]
    assert (periods[0].start, periods[-1].end) == (wide.start, wide.end)
    assert wide.start <= window.start < periods[0].end
    assert periods[-1].start < window.end <= wide.end
    longer = window.periods(unit, more)  # type: ignore[arg-type]
    assert longer[: len(periods)] == periods
    assert len(longer) == len(periods) + more
    for one, other in pairwise(longer):
        assert one.end == other.start
    for period in longer:
        begin, end = window.zone.first_instant(period.start), window.zone.first_instant(period.end)
        assert (period.state == "complete") == (end <= window.as_of)
        assert (period.state == "incomplete") == (begin < window.as_of < end)


@given(dates, units, st.sampled_from(["monday", "sunday"]))
def test_first_days_start_calendar_periods(day: date, unit: str, week_start: str) -> None:
    start, end = first_day(day, unit, week_start), next_first_day(day, unit, week_start)  # type: ignore[arg-type]
    assert start <= day < end
    assert first_day(add_days(end, -1), unit, week_start) == start  # type: ignore[arg-type]
    match unit:
        case "week":
            assert start.strftime("%A").lower() == week_start
            assert (end - start).days == 7
        case "month":
            assert (start.day, end.day) == (1, 1)
            assert (end - start).days in (28, 29, 30, 31)
        case "quarter":
            assert {start.month, end.month} <= {1, 4, 7, 10}
            assert (end - start).days in (90, 91, 92)
        case "year":
            assert (start.month, start.day, end.year) == (1, 1, start.year + 1)


@settings(max_examples=20, deadline=None)
@given(st.lists(dates, min_size=1, max_size=30), units, st.sampled_from(["monday", "sunday"]))
def test_periods_in_ibis_are_those_in_python(days: list[date], unit: str, week_start: str) -> None:
    rows = ibis.memtable(
        {"day": days, "ts": [datetime(d.year, d.month, d.day, 23, 59, 59, 999999) for d in days]},
        schema={"day": "date", "ts": "timestamp(6)"},
    )
    start = period_start(rows.day, unit, week_start)  # type: ignore[arg-type]
    following = period_after(start, unit, week_start)  # type: ignore[arg-type]
    expression = rows.select(
        "day",
        start=start,
        of_ts=period_start(rows.ts, unit, week_start),  # type: ignore[arg-type]
        following=following,
        step=period_number(following, unit, week_start) - period_number(start, unit, week_start),  # type: ignore[arg-type]
        later=days_after(rows.day, 3),
    )
    for row in ibis.duckdb.connect().to_pyarrow(expression).to_pylist():
        day = row["day"]
        assert row["start"] == row["of_ts"] == first_day(day, unit, week_start)  # type: ignore[arg-type]
        assert row["following"] == next_first_day(day, unit, week_start)  # type: ignore[arg-type]
        assert row["step"] == 1
        assert row["later"] == day + timedelta(days=3)


@pytest.mark.parametrize("as_of", ["2026-03-30T22:00", "2026-03-29T01:30", "2026-03-01T00:00"])
def test_holds_is_half_open_and_ends_at_as_of(as_of: str) -> None:
    # Berlin's 29 March 2026 is 23:00 UTC to 22:00 UTC.
    window = Window.between(date(2026, 3, 29), date(2026, 3, 29), at(as_of), BERLIN)
    tick = timedelta(microseconds=1)
    edges = [window.start_at, window.end_at, window.as_of]
    moments = [edge + tick * step for edge in edges for step in (-1, 0, 1)]
    rows = ibis.memtable({"ts": [naive_utc(moment) for moment in moments]}, schema={"ts": "timestamp(6)"})
    found = ibis.duckdb.connect().to_pyarrow(rows.select(inside=window.holds(rows.ts)))["inside"].to_pylist()
    assert found == [window.start_at <= m and m < window.end_at and m < window.as_of for m in moments]


@pytest.mark.parametrize("as_of", ["2026-05-01T12:00:00", "2026-05-01T12:00:00.500000"])
def test_seconds_before_count_begun_seconds(as_of: str) -> None:
    before = [timedelta(minutes=30, microseconds=1), timedelta(minutes=30), timedelta(seconds=0.3), timedelta(0)]
    rows = ibis.memtable({"ts": [naive_utc(at(as_of)) - d for d in before]}, schema={"ts": "timestamp(6)"})
    found = ibis.duckdb.connect().to_pyarrow(rows.select(ago=seconds_before(rows.ts, at(as_of))))["ago"].to_pylist()
    assert found == [1801, 1800, 1, 0]


def test_day_table_lists_the_days_of_the_window() -> None:
    window = Window.between(date(2026, 2, 27), date(2026, 3, 1), at("2026-06-01"), BERLIN)
    found = ibis.duckdb.connect().to_pyarrow(window.day_table())["day"].to_pylist()
    assert found == [date(2026, 2, 27), date(2026, 2, 28), date(2026, 3, 1)]


def test_calendar_has_a_row_per_day_and_none_without_bounds() -> None:
    con = ibis.duckdb.connect()
    bounds = ibis.memtable({"first": [date(2025, 12, 27)], "last": [date(2026, 1, 5)]})
    rows = con.to_pyarrow(calendar(bounds).order_by("day")).to_pylist()
    assert [row["day"] for row in rows] == list(days_between(date(2025, 12, 27), date(2026, 1, 5)))
    assert rows[0] == {
        "day": date(2025, 12, 27),  # a Saturday
        "week": date(2025, 12, 22),
        "month": date(2025, 12, 1),
        "quarter": date(2025, 10, 1),
        "year": date(2025, 1, 1),
        "iso_weekday": 6,
        "is_weekend": True,
    }
    assert [row["iso_weekday"] for row in rows] == [6, 7, 1, 2, 3, 4, 5, 6, 7, 1]
    none = ibis.memtable({"first": [None], "last": [None]}, schema={"first": "date", "last": "date"})
    assert len(con.to_pyarrow(calendar(none))) == 0


def test_labels() -> None:
    assert label_days(date(2025, 12, 28), date(2026, 1, 3)) == "28 Dec 2025 – 3 Jan 2026"
    assert label_days(date(2026, 5, 28), date(2026, 6, 3)) == "28 May – 3 Jun 2026"
    window = Window.between(date(2026, 6, 2), date(2026, 6, 2), at("2026-06-10"), BERLIN)
    labels = {unit: window.periods(unit)[0].label for unit in UNITS}  # type: ignore[arg-type]
    assert labels == {
        "day": "2 Jun 2026",
        "week": "1 – 7 Jun 2026",
        "month": "Jun 2026",
        "quarter": "Q2 2026",
        "year": "2026",
    }


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("2026-07-01", None, "2026-07-01T00:00"),
        ("2026-07-01", BERLIN, "2026-06-30T22:00"),
        (" 2026-07-01 08:30:00.123456 ", None, "2026-07-01T08:30:00.123456"),
        ("2026-07-01T08:30:00Z", BERLIN, "2026-07-01T08:30"),  # a written offset wins
        ("2026-07-01T08:30:00+05:45", None, "2026-07-01T02:45"),
        ("2026-07-01 08:30:00 UTC", BERLIN, "2026-07-01T08:30"),
        ("2026-10-25T02:30", BERLIN, "2026-10-25T00:30"),  # comes twice: the first
        ("2026-03-29T02:30", BERLIN, "2026-03-29T01:30"),  # never was: the offset before
    ],
)
def test_parse_instant(text: str, zone: Zone | None, expected: str) -> None:
    assert parse_instant(text, zone) == at(expected)


@given(zones, instants)
def test_parse_instant_reads_back_what_was_written(zone: Zone, instant: datetime) -> None:
    assert parse_instant(instant.astimezone(ZoneInfo("Asia/Kathmandu")).isoformat(), zone) == instant
    assert parse_instant(naive_utc(instant).isoformat()) == instant == as_utc(naive_utc(instant))


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-02-30", "01.07.2026", "2026-07-01T25:00", "0001-01-01T00:00+14:00"]
)
def test_an_unreadable_date_is_named_with_the_accepted_forms(text: str) -> None:
    with pytest.raises(WindowError, match="ISO 8601") as raised:
        parse_instant(text)
    assert f"'{text}'" in str(raised.value)


def test_parse_as_of() -> None:
    latest = at("2026-07-02T03:04")
    assert parse_as_of("2026-07-01", BERLIN, latest) == at("2026-06-30T22:00")  # 00:00 local
    assert parse_as_of("2026-07-01T08:00", BERLIN, latest) == at("2026-07-01T08:00")  # C1: no offset is UTC
    assert parse_as_of("2026-07-01T08:00+02:00", BERLIN, latest) == at("2026-07-01T06:00")
    assert parse_as_of("Latest", BERLIN, latest) == latest
    with pytest.raises(WindowError, match="no data have landed"):
        parse_as_of("latest", BERLIN, None)
    with pytest.raises(WindowError, match=r"'soon' is not a date.*'latest'"):
        parse_as_of("soon", BERLIN, latest)


def test_days_at_the_edge_of_the_calendar_are_rejected() -> None:
    with pytest.raises(WindowError, match="outside the calendar"):
        # Midnight in Tokyo, nine hours ahead, is still in the year 0.
        parse_as_of("0001-01-01", Zone("Asia/Tokyo"), None)
    with pytest.raises(WindowError, match="outside the calendar"):
        end_of_local_day(datetime(9999, 12, 31, 12, tzinfo=UTC), BERLIN)


def test_parse_date() -> None:
    assert parse_date(" 2026-07-01 ") == date(2026, 7, 1)
    with pytest.raises(WindowError, match="'2026-13-01' is not a date"):
        parse_date("2026-13-01")


@pytest.mark.parametrize(
    ("days", "grain"),
    [
        (1, "day"),
        (366, "day"),
        (400, "day"),
        (401, "week"),
        (1826, "week"),
        (2801, "month"),
        (12_001, "quarter"),
        (36_401, "year"),
    ],
)
def test_a_long_window_has_a_course_of_few_points(days: int, grain: str) -> None:
    window = Window.last(days, datetime(2026, 11, 4, tzinfo=UTC), Zone("UTC"))
    assert window.grain() == grain
    assert len(window.periods(window.grain())) <= 402, "periods that the window only touches are added in full"
    assert len(window.periods(window.grain(120))) <= 122


# Leap days and changes of the clock are days like any other: 29 Feb, Berlin's March and October, Havana's midnight.
marked = st.sampled_from(
    [date(2024, 2, 29), date(2028, 2, 29), date(2026, 3, 29), date(2026, 10, 25), date(2025, 11, 2)]
)
fiscal_days = st.one_of(dates, marked)
calendars = st.builds(
    Calendar,
    zone=zones,
    fiscal_start=st.integers(1, 12),
    business_weekdays=st.frozensets(st.integers(1, 7), min_size=1),
    holidays=st.dictionaries(fiscal_days, st.just("Closed"), max_size=40),
    working=st.frozensets(fiscal_days, max_size=5),
)


@given(calendars, fiscal_days)
def test_every_day_lies_in_one_fiscal_quarter_and_quarters_tile_the_year(calendar: Calendar, day: date) -> None:
    year = calendar.fiscal(day)
    assert year.start <= day < year.end
    assert (year.start.day, year.start.month) == (1, calendar.fiscal_start)
    assert (year.end.day, year.end.month, year.end.year) == (1, calendar.fiscal_start, year.start.year + 1)
    # Named by the year in which it ends.
    assert (year.year, year.quarter, year.label) == (year.last_day.year, None, f"FY{year.last_day.year}")
    quarters = {calendar.fiscal(each, "quarter") for each in days_between(year.start, year.last_day)}
    ordered = sorted(quarters, key=lambda quarter: quarter.start)
    assert [quarter.label for quarter in ordered] == [f"{year.label} Q{n}" for n in (1, 2, 3, 4)]
    assert (ordered[0].start, ordered[-1].end) == (year.start, year.end)
    assert all(one.end == other.start for one, other in pairwise(ordered))
    assert sum(quarter.start <= day < quarter.end for quarter in ordered) == 1


@given(calendars, fiscal_days, instants)
def test_a_fiscal_window_has_the_instants_of_its_days(calendar: Calendar, day: date, as_of: datetime) -> None:
    window = calendar.fiscal_window(day, as_of, "quarter")
    assert window.start_at == calendar.zone.first_instant(calendar.fiscal(day, "quarter").start)
    assert calendar.fiscal_window(window.last_day, as_of, "quarter") == window
    following = calendar.fiscal_window(window.end, as_of, "quarter")
    assert (following.start, following.start_at) == (window.end, window.end_at)


@given(windows, st.integers(1, 12))
def test_a_fiscal_period_to_date_meets_as_many_days_of_the_one_before(window: Window, start: int) -> None:
    calendar = Calendar(window.zone, start)
    for unit in ("quarter", "year"):
        now, before = calendar.fiscal_to_date(window, unit)  # type: ignore[arg-type]
        assert now.start == calendar.fiscal(now.last_day, unit).start  # type: ignore[arg-type]
        assert now.is_complete
        assert before.end <= now.start and before.days <= now.days
        assert calendar.fiscal(before.start, unit).end == now.start  # type: ignore[arg-type]
    # One that begins in January is the calendar's.
    assert Calendar(window.zone).fiscal_to_date(window) == window.to_date("year")
    assert Calendar(window.zone).fiscal_to_date(window, "quarter") == window.to_date("quarter")


@given(calendars, fiscal_days)
def test_the_nth_business_day_has_as_many_before_it_in_its_month(calendar: Calendar, day: date) -> None:
    last = add_days(next_first_day(day, "month"), -1)
    every = days_between(first_day(day, "month"), last)
    count = sum(calendar.is_business_day(each) for each in every)
    for n in range(1, count + 1):
        found = calendar.nth_business_day(day, n)
        assert found in every and calendar.is_business_day(found)
        assert sum(calendar.is_business_day(each) for each in every if each < found) == n - 1
        assert calendar.nth_business_day(day, n - count - 1) == found  # the same, counted from the end
    for n in (0, count + 1, -count - 1):
        with pytest.raises(WindowError, match=f"has {count} business days: there is no number {n}"):
            calendar.nth_business_day(day, n)


@given(calendars, fiscal_days)
def test_the_next_business_day_has_none_before_it(calendar: Calendar, day: date) -> None:
    following, before = calendar.next_business_day(day), calendar.previous_business_day(day)
    assert before < day < following
    between = [each for each in days_between(before, following) if calendar.is_business_day(each)]
    assert set(between) - {day} == {before, following}
    assert (day in between) == calendar.is_business_day(day)


@given(calendars, windows)
def test_days_of_a_window_are_business_days_holidays_or_off_by_their_weekday(
    calendar: Calendar, window: Window
) -> None:
    open_days, holidays = calendar.business_days(window), calendar.holidays_in(window)
    assert not set(open_days) & set(holidays)
    others = set(days_between(window.start, window.last_day)) - set(open_days) - set(holidays)
    assert not any(calendar.is_business_weekday(day) or day in calendar.working for day in others)
    assert list(open_days) == sorted(open_days)


def test_fiscal_periods_by_hand() -> None:
    april = Calendar(BERLIN, 4)
    assert april.fiscal(date(2026, 3, 31), "quarter").label == "FY2026 Q4"
    assert april.fiscal(date(2026, 4, 1), "quarter").label == "FY2027 Q1"
    assert april.fiscal(date(2026, 4, 1)).label == "FY2027"
    assert april.fiscal_window(date(2028, 2, 29), at("2028-03-01")).days == 366
    # In the middle of June 2026: 1 Apr to 15 Jun against 1 Apr to 15 Jun of the year before.
    now, before = april.fiscal_to_date(Window.last(28, at("2026-06-15T22:00"), BERLIN))
    assert (now.label, before.label) == ("1 Apr – 15 Jun 2026", "1 Apr – 15 Jun 2025")
    march = Calendar(BERLIN, 3).fiscal(date(2028, 2, 29), "quarter")
    assert (march.label, march.start, march.last_day) == ("FY2028 Q4", date(2027, 12, 1), date(2028, 2, 29))


def test_a_country_works_on_a_saturday_that_it_declares_but_not_on_an_own_closed_day() -> None:
    saturday, sunday = date(2026, 2, 14), date(2026, 2, 15)
    calendar = Calendar(holidays={sunday: "Inventory"}, working=frozenset({saturday, sunday}))
    assert calendar.is_business_day(saturday) and not calendar.is_business_day(sunday)


def test_a_day_of_which_nobody_knows_whether_it_is_a_holiday_is_refused() -> None:
    known = (date(2026, 1, 1), date(2026, 12, 31))
    calendar = Calendar(holidays={date(2027, 1, 1): "Closed"}, known=known, country="XX")
    assert calendar.holiday(date(2027, 1, 1)) == "Closed"  # said by the workbook itself
    assert calendar.nth_business_day(date(2026, 12, 5), -1) == date(2026, 12, 31)
    said = r"Whether 2027-01-02 is a holiday is not known: those of XX are from 2026-01-01 to 2026-12-31\."
    with pytest.raises(WindowError, match=said):
        calendar.next_business_day(date(2026, 12, 31))
    with pytest.raises(WindowError, match="Whether 2025-12-31"):
        calendar.holidays_in(Window.between(date(2025, 12, 31), date(2026, 1, 1), at("2026-06-01"), BERLIN))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Calendar(fiscal_start=13), "no month 13"),
        (lambda: Calendar(business_weekdays=frozenset()), "no weekdays of business"),
        (lambda: Calendar(business_weekdays=frozenset({0, 1})), "no weekdays of business"),
        (lambda: Calendar().fiscal(date(2026, 1, 1), "quater"), "Did you mean 'quarter'"),  # type: ignore[arg-type]
        (lambda: Calendar(fiscal_start=4).fiscal(date(9999, 12, 31)), "outside the calendar"),
    ],
)
def test_an_impossible_calendar_is_refused(make, said: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(WindowError, match=said):
        make()
