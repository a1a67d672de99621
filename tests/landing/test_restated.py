"""Days that a source reported differently than before: known when somebody reports on what moved."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sources.toy import TOY_DAILY
from tidings.landing.load_writer import arrow_schema
from tidings.landing.manifest import Span
from tidings.landing.store import Landing, landed_files

NOW = datetime(2026, 7, 1, tzinfo=UTC)
FIRST = datetime(2026, 6, 1)


def span(first: int, end: int) -> Span:
    start = FIRST.replace(tzinfo=UTC)
    return Span(start + timedelta(days=first), start + timedelta(days=end))


def land(raw: Path, window: Span | None, *reported: tuple[int, int], partition: str = "") -> int:
    """Land (day, value) rows; returns how many days were reported differently."""
    rows = [
        {"ts": FIRST + timedelta(days=day), "name": "n", "value": value, "_line": number, "_record": str(number)}
        for number, (day, value) in enumerate(reported, start=1)
    ]
    with Landing(raw).writer("api", "daily", TOY_DAILY, now=NOW, partition=partition, window=window) as writer:
        writer.add(pa.Table.from_pylist(rows, schema=arrow_schema(TOY_DAILY)))
    return writer.restated_days


def test_days_reported_differently_are_counted(tmp_path: Path) -> None:
    assert land(tmp_path, span(0, 5), (0, 1), (1, 1), (2, 1), (2, 1)) == 0, "nothing was reported before"
    # 0 is the same, 1 another value, 2 one row less, 3 one more, 4 had rows and is empty, 5 is reported for the first
    # time.
    assert land(tmp_path, span(0, 6), (0, 1), (1, 9), (2, 1), (3, 1), (5, 1)) == 3
    assert land(tmp_path, span(1, 2)) == 1, "a day that no longer has rows"
    assert land(tmp_path, span(1, 2)) == 0


def test_only_what_was_in_force_is_compared(tmp_path: Path) -> None:
    land(tmp_path, span(0, 3), (0, 1), (1, 1), (2, 1))
    land(tmp_path, span(1, 2), (1, 2))
    # Reported as at first, which is not as it was last.
    assert land(tmp_path, span(0, 3), (0, 1), (1, 1), (2, 1)) == 1


def test_partitions_do_not_restate_each_other(tmp_path: Path) -> None:
    land(tmp_path, span(0, 3), (0, 1), partition="a")
    assert land(tmp_path, span(0, 3), (0, 2), partition="b") == 0
    assert land(tmp_path, None, (0, 3), partition="a") == 0


def test_a_lost_or_damaged_file_is_replaced_without_a_comparison(tmp_path: Path) -> None:
    land(tmp_path, span(0, 3), (0, 1))
    (file,) = landed_files(tmp_path)
    file.path.write_bytes(b"damaged")
    assert land(tmp_path, span(0, 3), (0, 2)) == 0
    (file,) = landed_files(tmp_path)
    file.path.unlink()
    assert land(tmp_path, span(0, 3), (0, 3)) == 0
    assert pq.read_table(landed_files(tmp_path)[0].path)["value"].to_pylist() == [3]


def test_a_column_that_is_new_is_not_a_restatement(tmp_path: Path) -> None:
    land(tmp_path, span(0, 3), (0, 1), (1, 1))
    (file,) = landed_files(tmp_path)
    pq.write_table(pq.read_table(file.path).drop_columns(["value"]), file.path)
    # As landed by a version whose feed did not have the column yet.
    assert land(tmp_path, span(0, 3), (0, 1), (2, 1)) == 2


@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(1, 3), st.lists(st.tuples(st.integers(0, 6), st.integers(1, 2)))),
        min_size=2,
        max_size=4,
    )
)
def test_it_is_what_comparing_day_by_day_finds(
    tmp_path_factory: pytest.TempPathFactory, landings: list[tuple[int, int, list[tuple[int, int]]]]
) -> None:
    raw = tmp_path_factory.mktemp("raw")
    held: dict[int, Counter[int]] = {}
    for first, days, reported in landings:
        inside = [(day, value) for day, value in reported if first <= day < first + days]
        now = {day: Counter(value for at, value in inside if at == day) for day in range(first, first + days)}
        expected = sum(day in held and held[day] != now[day] for day in now)
        assert land(raw, span(first, first + days), *inside) == expected
        held |= now
