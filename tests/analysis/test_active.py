"""Trailing distinct users, against counting the sets of users themselves."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import ibis
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidings.analysis.active import active_users, trailing_users
from tidings.errors import MetricError
from tidings.window import Window, Zone

AS_OF = datetime(2026, 6, 1, tzinfo=UTC)
SCHEMA = {"user_id": "string", "day": "date"}


def window(first: date, last: date) -> Window:
    return Window.between(first, last, AS_OF, Zone())


def user_days(rows: list[tuple[str | None, date]]) -> ibis.Table:
    return ibis.memtable([{"user_id": user, "day": day} for user, day in rows], schema=SCHEMA)


def rows_of(table: ibis.Table) -> list[dict[str, object]]:
    return ibis.duckdb.connect().to_pyarrow(table).to_pylist()


def test_trailing_windows_include_the_day_and_reach_before_the_range() -> None:
    rows = [
        ("a", date(2026, 4, 4)),  # 30 days up to 3 May: in MAU of the 3rd, not of the 4th
        ("b", date(2026, 4, 27)),  # 7 days up to 3 May: in WAU of the 3rd, not of the 4th
        ("b", date(2026, 4, 27)),  # twice a day is once
        ("c", date(2026, 5, 3)),
        ("c", date(2026, 5, 4)),  # two days, one user of the week
        (None, date(2026, 5, 3)),  # C6
        ("", date(2026, 5, 3)),
        ("d", date(2026, 5, 6)),  # after the range
    ]
    found = rows_of(active_users(user_days(rows), window(date(2026, 5, 3), date(2026, 5, 5))))
    assert [(r["day"], r["dau"], r["wau"], r["mau"]) for r in found] == [
        (date(2026, 5, 3), 1, 2, 3),
        (date(2026, 5, 4), 1, 1, 2),
        (date(2026, 5, 5), 0, 1, 2),  # no one that day: 0, not missing
    ]
    assert [r["dau_mau"] for r in found] == [1 / 3, 0.5, 0.0]
    assert [r["dau_wau"] for r in found] == [0.5, 1.0, 0.0]


def test_without_users_counts_are_zero_and_ratios_null() -> None:
    found = rows_of(active_users(user_days([]), window(date(2026, 5, 3), date(2026, 5, 4))))
    zero = {"dau": 0, "wau": 0, "mau": 0, "dau_wau": None, "dau_mau": None}
    assert found == [{"day": date(2026, 5, day), **zero} for day in (3, 4)]


@pytest.mark.parametrize(
    ("gap", "absent"),
    [(6, 0), (7, 0), (8, 1), (9, 2)],  # seven days see the user on 0 ... 6: the next cover joins at 7
)
def test_covers_of_a_user_join_without_gap_or_overlap(gap: int, absent: int) -> None:
    first = date(2026, 5, 1)
    rows = user_days([("a", first), ("a", first + timedelta(days=gap))])
    found = rows_of(trailing_users(rows, window(first, first + timedelta(days=gap + 7)), {"wau": 7}))
    assert [row["wau"] for row in found] == [1] * 7 + [0] * absent + [1] * (gap - absent) + [0]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.integers(-20, 25)), max_size=60),
    st.integers(1, 20),
    st.integers(1, 12),
)
def test_counts_are_those_of_the_sets_of_users(rows: list[tuple[str, int]], days: int, length: int) -> None:
    first = date(2026, 5, 1)
    dated = [(user, first + timedelta(days=offset)) for user, offset in rows]
    table = trailing_users(
        user_days(list(dated)), window(first, first + timedelta(days=days - 1)), {"n": length, "one": 1}
    )
    expected = []
    for offset in range(days):
        day = first + timedelta(days=offset)
        trailing = {user for user, seen in dated if day - timedelta(days=length) < seen <= day}
        expected.append({"day": day, "n": len(trailing), "one": len({user for user, seen in dated if seen == day})})
    assert rows_of(table) == expected


@pytest.mark.parametrize("lengths", [{}, {"none": 0}])
def test_impossible_lengths_are_refused(lengths: dict[str, int]) -> None:
    with pytest.raises(MetricError, match="at least one of 1 day"):
        trailing_users(user_days([]), window(date(2026, 5, 1), date(2026, 5, 2)), lengths)
