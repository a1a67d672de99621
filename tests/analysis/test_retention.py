"""Cohorts and who came back: the rules of section 2, and the published cohorts of Online Retail."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import ibis
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidings.analysis.retention import Retention, retention_counts, retention_grid
from tidings.errors import MetricError
from tidings.window import Window, Zone, first_day

SCHEMA = {"user_id": "string", "event": "string", "day": "date"}
LATER = datetime(2027, 1, 1, tzinfo=UTC)


def retention(rows: list[tuple[str | None, str, date]], window: Window, period: Any, **how: Any) -> Retention:
    events = ibis.memtable([dict(zip(SCHEMA, row, strict=True)) for row in rows], schema=SCHEMA)
    counts = ibis.duckdb.connect().to_pyarrow(retention_counts(events, window, period, **how)).to_pylist()
    return retention_grid(counts, window, period)


def cells(found: Retention) -> list[tuple[int | None, ...]]:
    return [cohort.returned for cohort in found.cohorts]


def may(day: int) -> date:
    return date(2026, 5, day)


ROWS: list[tuple[str | None, str, date]] = [
    ("a", "visit", may(1)),
    ("a", "visit", may(2)),
    ("a", "buy", may(4)),
    ("b", "visit", may(1)),
    ("b", "visit", may(3)),
    ("c", "visit", date(2026, 4, 20)),  # first seen before the range
    ("c", "visit", may(2)),
    ("c", "visit", may(3)),
    (None, "visit", may(1)),  # C6
    ("", "visit", may(1)),
]
DAYS = Window.between(may(1), may(4), LATER, Zone())


def test_recurring_puts_a_user_in_every_cohort() -> None:
    found = retention(ROWS, DAYS, "day")
    assert cells(found) == [
        (2, 1, 1, 1),  # a b: then a, b, a
        (2, 1, 1, 0),  # a c: then c, a
        (2, 0, 0, 0),  # b c
        (1, 0, 0, 0),  # a
    ]
    assert found.cohorts[0].rates == (1.0, 0.5, 0.5, 0.5)
    # All cells are complete: sum over sum.
    assert found.average == (1.0, 2 / 7, 2 / 7, 1 / 7)
    assert found.incomplete == ()


def test_first_time_looks_at_all_history() -> None:
    found = retention(ROWS, DAYS, "day", type="first_time")
    # c was first seen in April: in no cohort of the range.
    assert cells(found) == [(2, 1, 1, 1), (0, 0, 0, 0), (0, 0, 0, 0), (0, 0, 0, 0)]
    assert found.cohorts[1].rates == (None, None, None, None)
    assert found.average == (1.0, 0.5, 0.5, 0.5)  # cohorts of size 0 weigh nothing


def test_a_return_event_of_its_own() -> None:
    found = retention(ROWS, DAYS, "day", target="visit", return_event="buy")
    # k = 0 is the size, whether or not anyone bought.
    assert cells(found) == [(2, 0, 0, 1), (2, 0, 1, 0), (2, 0, 0, 0), (0, 0, 0, 0)]


def test_on_or_after_counts_whoever_comes_later() -> None:
    found = retention(ROWS, DAYS, "day", mode="on_or_after")
    assert cells(found)[0] == (2, 2, 2, 1)  # a until the 4th, b until the 3rd
    # Beyond the range too, up to as_of.
    late = [*ROWS, ("b", "visit", date(2026, 6, 1))]
    assert cells(retention(late, DAYS, "day", mode="on_or_after"))[0] == (2, 2, 2, 2)


def test_future_cells_are_null_and_incomplete_ones_are_listed_and_enter_no_average() -> None:
    # As of noon on the 3rd: the 3rd is incomplete, the 4th is future.
    window = Window.between(may(1), may(4), datetime(2026, 5, 3, 12, tzinfo=UTC), Zone())
    found = retention([row for row in ROWS if row[2] <= may(3)], window, "day")
    assert cells(found) == [(2, 1, 1, None), (2, 1, None, None), (2, None, None, None), (None, None, None, None)]
    assert found.incomplete == ((may(1), 2), (may(2), 1), (may(3), 0))
    assert found.average == (1.0, 0.5, None, None)  # k = 1: only the cohort of the 1st is complete
    assert found.cohorts[0].rates == (1.0, 0.5, 0.5, None)


def test_months_are_calendar_months_and_the_range_is_widened() -> None:
    rows = [
        ("a", "visit", date(2026, 1, 31)),
        ("a", "visit", date(2026, 2, 1)),  # a day later is the next month
        ("a", "visit", date(2026, 3, 31)),
        ("b", "visit", date(2026, 1, 1)),  # before the range, inside its first month
    ]
    window = Window.between(date(2026, 1, 20), date(2026, 3, 2), LATER, Zone())
    found = retention(list(rows), window, "month")
    assert [cohort.period.label for cohort in found.cohorts] == ["Jan 2026", "Feb 2026", "Mar 2026"]
    assert cells(found) == [(2, 1, 1), (1, 1, 0), (1, 0, 0)]


@pytest.mark.parametrize(("week_start", "expected"), [("monday", (1, 1)), ("sunday", (1, 0))])
def test_weeks_start_as_the_zone_says(week_start: Any, expected: tuple[int, int]) -> None:
    # Sunday 10 and Monday 11 May: two Monday weeks, one Sunday week.
    rows = [("a", "visit", may(10)), ("a", "visit", may(11))]
    window = Window.between(may(10), may(17), LATER, Zone("UTC", week_start))
    assert cells(retention(list(rows), window, "week"))[0] == expected


def test_no_users_give_zeros_and_null_rates() -> None:
    found = retention([], DAYS, "day")
    assert cells(found) == [(0, 0, 0, 0)] * 4
    assert found.average == (None,) * 4


@pytest.mark.parametrize(
    ("period", "how", "hint"),
    [
        ("days", {}, "'day'"),
        ("quarter", {}, "Known"),
        ("day", {"mode": "onn"}, "'on'"),
        ("day", {"type": "first"}, "'first_time'"),
    ],
)
def test_unknown_choices_are_refused(period: str, how: dict[str, str], hint: str) -> None:
    with pytest.raises(MetricError, match=hint):
        retention([], DAYS, period, **how)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("xy"), st.integers(-40, 80)), max_size=40),
    st.sampled_from(["day", "week", "month"]),
    st.sampled_from(["recurring", "first_time"]),
    st.sampled_from(["on", "on_or_after"]),
    st.sampled_from([None, "x"]),
    st.sampled_from([None, "y"]),
    st.integers(0, 60),
)
def test_cells_are_those_of_the_sets_of_users(
    rows: list[tuple[str, str, int]], period: Any, type: str, mode: str, target: str | None, back: str | None, now: int
) -> None:
    start = date(2026, 5, 10)
    as_of = datetime(2026, 5, 10, tzinfo=UTC) + timedelta(days=now)
    dated = [(u, e, start + timedelta(days=d)) for u, e, d in rows if start + timedelta(days=d) < as_of.date()]
    window = Window.between(start, start + timedelta(days=20), as_of, Zone())
    found = retention(list(dated), window, period, type=type, mode=mode, target=target, return_event=back)

    def active(event: str | None) -> dict[str, set[date]]:
        seen: dict[str, set[date]] = {}
        for user, name, day in dated:
            if event in (None, name):
                seen.setdefault(user, set()).add(first_day(day, period))
        return seen

    starts, returns = active(target), active(back)
    n = len(found.cohorts)
    line = [p.start for p in window.periods(period, more=n)]
    for i, cohort in enumerate(found.cohorts):
        members = {u for u, ps in starts.items() if (line[i] in ps if type == "recurring" else line[i] == min(ps))}
        assert cohort.size == len(members)
        for k in range(1, n):
            if line[i + k] >= as_of.date():
                assert cohort.returned[k] is None
                continue
            come = {
                u for u in members for p in returns.get(u, ()) if p == line[i + k] or (mode != "on" and p > line[i + k])
            }
            assert cohort.returned[k] == len(come)


@pytest.mark.data
@pytest.mark.parametrize(
    ("only_bought", "published"),
    [(False, (948, 362, 317, 367, 341, 376)), (True, (885, 324, 286, 340, 321, 352))],
)
def test_online_retail_cohort_of_december_2010(
    shared_data: Path, only_bought: bool, published: tuple[int, ...]
) -> None:
    con = ibis.duckdb.connect()
    lines = con.read_parquet(shared_data / "online_retail" / "online_retail_2010_12_to_2011_12.parquet")
    if only_bought:
        lines = lines.filter(lines.Quantity > 0)
    events = lines.select(user_id=lines.CustomerID.cast("string"), day=lines.InvoiceDate.date())
    window = Window.between(date(2010, 12, 1), date(2011, 12, 9), datetime(2011, 12, 10, tzinfo=UTC), Zone())
    counts = con.to_pyarrow(retention_counts(events, window, "month")).to_pylist()
    found = retention_grid(counts, window, "month")
    assert found.cohorts[0].returned[:6] == published
    # December 2011 has nine days so far: listed, not averaged.
    assert (date(2010, 12, 1), 12) in found.incomplete
    assert found.average[12] is None
