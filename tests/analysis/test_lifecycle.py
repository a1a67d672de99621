"""New, returning, resurrecting, dormant; and how many periods users were active in."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import ibis
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidings.analysis.lifecycle import lifecycle, stickiness
from tidings.window import Window, Zone, first_day

SCHEMA = {"user_id": "string", "day": "date"}


def user_days(rows: list[tuple[str | None, date]]) -> ibis.Table:
    return ibis.memtable([{"user_id": user, "day": day} for user, day in rows], schema=SCHEMA)


def rows_of(table: ibis.Table) -> list[dict[str, object]]:
    return ibis.duckdb.connect().to_pyarrow(table).to_pylist()


def test_lifecycle_of_four_weeks() -> None:
    # Mondays: 4, 11, 18, 25 May; as of Wednesday 20 May, so the third week is incomplete and the fourth future.
    as_of = datetime(2026, 5, 20, tzinfo=UTC)
    rows = [
        ("old", date(2026, 1, 1)),
        ("old", date(2026, 5, 10)),  # Sunday of week 1, months after its first day: resurrecting
        ("stay", date(2026, 4, 30)),  # the week before the range
        ("stay", date(2026, 5, 4)),
        ("stay", date(2026, 5, 6)),  # twice in a week is once
        ("stay", date(2026, 5, 11)),
        ("gone", date(2026, 5, 3)),  # week before the range only: dormant in week 1
        ("new", date(2026, 5, 5)),
        ("new", date(2026, 5, 18)),  # skipped week 2: dormant there, resurrecting in week 3
        (None, date(2026, 5, 5)),  # C6
        ("", date(2026, 5, 5)),
    ]
    window = Window.between(date(2026, 5, 4), date(2026, 5, 31), as_of, Zone())
    found = rows_of(lifecycle(user_days(rows), window, "week"))
    names = ("period", "state", "new", "returning", "resurrecting", "dormant")
    assert [tuple(row[name] for name in names) for row in found] == [
        (date(2026, 5, 4), "complete", 1, 1, 1, 1),
        (date(2026, 5, 11), "complete", 0, 1, 0, 2),  # old and new stayed away
        (date(2026, 5, 18), "incomplete", 0, 0, 1, 1),  # stay has not come yet: provisional
        (date(2026, 5, 25), "future", 0, 0, 0, None),
    ]


@pytest.mark.parametrize(
    ("week_start", "expected"),
    [
        ("monday", [(1, 0, 0), (0, 1, 0)]),  # Sunday the 10th and Monday the 11th lie in two weeks
        ("sunday", [(1, 0, 0)]),
    ],
)
def test_week_start_decides_which_week_a_sunday_belongs_to(
    week_start: str, expected: list[tuple[int, int, int]]
) -> None:
    rows = user_days([("a", date(2026, 5, 10)), ("a", date(2026, 5, 11))])
    zone = Zone("UTC", week_start)  # type: ignore[arg-type]
    window = Window.between(date(2026, 5, 10), date(2026, 5, 11), datetime(2026, 6, 1, tzinfo=UTC), zone)
    found = rows_of(lifecycle(rows, window, "week"))
    assert [(row["new"], row["returning"], row["dormant"]) for row in found] == expected


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abcde"), st.integers(-120, 100)), max_size=50),
    st.sampled_from(["day", "week", "month", "quarter", "year"]),
    st.sampled_from(["monday", "sunday"]),
)
def test_identities_hold(rows: list[tuple[str, int]], unit: str, week_start: str) -> None:
    start = date(2026, 5, 10)
    dated = [(user, start + timedelta(days=offset)) for user, offset in rows]
    zone = Zone("UTC", week_start)  # type: ignore[arg-type]
    window = Window.between(start, start + timedelta(days=40), datetime(2027, 6, 1, tzinfo=UTC), zone)
    found = rows_of(lifecycle(user_days(list(dated)), window, unit))  # type: ignore[arg-type]
    users: dict[date, set[str]] = {}
    for user, day in dated:
        users.setdefault(first_day(day, unit, week_start), set()).add(user)  # type: ignore[arg-type]
    assert [row["period"] for row in found] == [period.start for period in window.periods(unit)]  # type: ignore[arg-type]
    before = users.get(first_day(found[0]["period"] - timedelta(days=1), unit, week_start), set())  # type: ignore
    for row in found:
        active = users.get(row["period"], set())  # type: ignore[call-overload]
        ever = set().union(*(seen for period, seen in users.items() if period < row["period"]))  # type: ignore[operator]
        assert row["new"] == len(active - ever)
        assert row["new"] + row["returning"] + row["resurrecting"] == len(active)  # type: ignore[operator]
        assert row["new"] + row["resurrecting"] - row["dormant"] == len(active) - len(before)  # type: ignore[operator]
        assert row["dormant"] == len(before - active)
        before = active


def test_stickiness_counts_periods_once_and_lists_every_k() -> None:
    rows = [
        ("a", date(2026, 5, 1)),
        ("a", date(2026, 5, 1)),  # several events in one period count once
        ("a", date(2026, 5, 3)),
        ("b", date(2026, 5, 2)),
        ("b", date(2026, 4, 30)),  # before the range
        ("c", date(2026, 5, 1)),
        ("c", date(2026, 5, 2)),
        ("c", date(2026, 5, 3)),
        ("c", date(2026, 5, 4)),
        ("d", date(2026, 5, 5)),  # after the range
    ]
    window = Window.between(date(2026, 5, 1), date(2026, 5, 4), datetime(2026, 6, 1, tzinfo=UTC), Zone())
    found = [(r["k"], r["exact"], r["cumulative"]) for r in rows_of(stickiness(user_days(list(rows)), window, "day"))]
    assert found == [(1, 1, 3), (2, 1, 2), (3, 0, 1), (4, 1, 1)]


@pytest.mark.parametrize("unit", ["day", "month"])
def test_no_users_give_zeros(unit: str) -> None:
    window = Window.between(date(2026, 5, 1), date(2026, 5, 2), datetime(2026, 6, 1, tzinfo=UTC), Zone())
    for row in rows_of(lifecycle(user_days([]), window, unit)):  # type: ignore[arg-type]
        assert (row["new"], row["returning"], row["resurrecting"], row["dormant"]) == (0, 0, 0, 0)
    numbers = [row["k"] for row in rows_of(stickiness(user_days([]), window, unit))]  # type: ignore[arg-type]
    assert numbers == list(range(1, len(window.periods(unit)) + 1))  # type: ignore[arg-type]
