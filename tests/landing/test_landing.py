"""The landing: nothing lost, nothing doubled, whenever it is killed; later windows hide what they restate."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depth import examples
from tidings.errors import SourceError
from tidings.feeds import ORDERS, VITALS
from tidings.landing.manifest import Input, Span
from tidings.landing.store import Landing, arrow_schema, landed_files, verify

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def at(hour: float) -> datetime:
    """An instant counted in hours from 2026-07-01 00:00 UTC."""
    return datetime(2026, 7, 1, tzinfo=UTC) + timedelta(hours=hour)


def span(start: float, end: float) -> Span:
    return Span(at(start), at(end))


def rows(*hours: float, value: float = 1.0) -> pa.Table:
    """One vital sample per hour given."""
    return pa.table(
        {
            "ts": pa.array([at(hour).replace(tzinfo=None) for hour in hours], pa.timestamp("us")),
            "metric": pa.array(["LCP"] * len(hours)),
            "value": pa.array([value] * len(hours)),
            "_line": pa.array(range(1, len(hours) + 1), pa.int64()),
            "_record": pa.array(["{}"] * len(hours)),
        }
    )


def land(
    landing: Landing,
    *tables: pa.Table,
    partition: str = "",
    window: Span | None = None,
    now: datetime = NOW,
    **more: Input,
) -> None:
    with landing.writer("web", "vitals", VITALS, now=now, partition=partition, window=window, **more) as writer:
        for table in tables:
            writer.add(table)


def seen(raw: Path) -> list[tuple[str, float, float]]:
    """What a build sees: partition, hour, value of each row that no later window hides."""
    found = []
    for landed in landed_files(raw):
        for row in pq.read_table(landed.path).to_pylist():
            ts = row[landed.time].replace(tzinfo=UTC)
            if not any(window.start <= ts < window.end for window in landed.hidden):
                found.append((landed.partition, (ts - at(0)) / timedelta(hours=1), row["value"]))
    return sorted(found)


def files(raw: Path) -> set[str]:
    return {file.name for file in (raw / "web" / "vitals").iterdir()} - {"manifest.json", ".lock"}


def test_a_landed_file_has_the_feeds_types_and_the_row_as_received(tmp_path: Path) -> None:
    land(Landing(tmp_path), rows(1, 2), rows(3))
    (landed,) = landed_files(tmp_path)
    table = pq.read_table(landed.path)
    assert table.schema.equals(arrow_schema(VITALS))
    assert table["sample_id"].null_count == 3, "a column that was left out is null"
    assert table["_line"].to_pylist() == [1, 2, 1]
    assert pq.ParquetFile(landed.path).metadata.row_group(0).column(0).compression == "ZSTD"
    assert (landed.source, landed.endpoint, landed.feed, landed.pull) == ("web", "vitals", "vitals", 1)
    assert landed.path.name == f"{landed.load.sha256[:12]}.parquet"
    assert landed.load.bytes == landed.path.stat().st_size


def test_money_is_decimal_and_time_is_naive_utc_in_microseconds() -> None:
    schema = arrow_schema(ORDERS)
    assert schema.field("amount").type == pa.decimal128(18, 4)
    assert schema.field("ts").type == pa.timestamp("us")


def test_the_manifest_says_where_rows_come_from(tmp_path: Path) -> None:
    source_input = Input("vitals.csv", "ab" * 32, "m1")
    with Landing(tmp_path).writer(
        "web", "vitals", VITALS, now=NOW, partition="vitals.csv", source_input=source_input
    ) as writer:
        writer.add(rows(1))
        writer.reject([2], ["value: 'x' is not a number"], ["x"])
        writer.complete_until = at(24)
        writer.facts["addresses"] = 3
    (load,) = Landing(tmp_path).loads("web", "vitals")
    assert writer.load == load, "reads back what was written"
    assert (load.rows, load.rejected, load.partition, load.window) == (1, 1, "vitals.csv", None)
    assert (load.fetched_at, load.complete_until) == (NOW, at(24))
    assert (load.input, load.facts) == (source_input, {"addresses": 3})
    rejected = pq.read_table(tmp_path / "web" / "vitals" / str(load.rejected_file)).to_pylist()
    assert rejected == [{"line": 2, "reason": "value: 'x' is not a number", "record": "x"}]


def test_a_window_is_complete_to_its_end_or_to_the_pull_if_that_is_earlier(tmp_path: Path) -> None:
    land(Landing(tmp_path), rows(1), window=span(0, 24))
    land(Landing(tmp_path), rows(25), window=span(24, 48), now=at(30))
    assert [load.complete_until for load in Landing(tmp_path).loads("web", "vitals")] == [at(24), at(30)]


def test_a_pull_without_window_replaces_its_partition_and_no_other(tmp_path: Path) -> None:
    landing = Landing(tmp_path)
    land(landing, rows(1, 2), partition="a.csv")
    land(landing, rows(1), partition="b.csv")
    before = files(tmp_path)
    land(landing, rows(5), partition="a.csv")
    assert seen(tmp_path) == [("a.csv", 5, 1), ("b.csv", 1, 1)]
    assert len(files(tmp_path)) == 2, "the replaced file is gone"
    assert len(files(tmp_path) & before) == 1, "the other partition's file is untouched"


def test_equal_rows_of_two_partitions_are_two_files(tmp_path: Path) -> None:
    land(Landing(tmp_path), rows(1), partition="a.csv")
    land(Landing(tmp_path), rows(1), partition="b.csv")
    assert seen(tmp_path) == [("a.csv", 1, 1), ("b.csv", 1, 1)]
    land(Landing(tmp_path), rows(2), partition="a.csv")
    assert seen(tmp_path) == [("a.csv", 2, 1), ("b.csv", 1, 1)]


def test_a_look_back_restates_its_window_and_nothing_before_it(tmp_path: Path) -> None:
    landing = Landing(tmp_path)
    land(landing, rows(1, 30, 47, value=1), window=span(0, 48))
    land(landing, rows(30, 60, value=2), window=span(24, 72))
    # 47 was withdrawn by the source; 1 lies outside of the lookback; 30 is restated.
    assert seen(tmp_path) == [("", 1, 1), ("", 30, 2), ("", 60, 2)]
    (first, second) = landed_files(tmp_path)
    assert first.hidden == (span(24, 72),)
    assert second.hidden == ()


def test_a_file_that_later_windows_cover_together_leaves_manifest_and_disk(tmp_path: Path) -> None:
    landing = Landing(tmp_path)
    land(landing, rows(1, 30), window=span(0, 48))
    land(landing, rows(1), window=span(0, 24))
    assert len(files(tmp_path)) == 2
    land(landing, rows(30), window=span(24, 48))
    assert len(files(tmp_path)) == 2
    assert seen(tmp_path) == [("", 1, 1), ("", 30, 1)]


def test_rows_outside_of_the_window_are_rejected_and_counted(tmp_path: Path) -> None:
    # The window is half-open: 24 belongs to the next one.
    land(Landing(tmp_path), rows(-1, 0, 23, 24), window=span(0, 24))
    assert [hour for _, hour, _ in seen(tmp_path)] == [0, 23]
    (landed,) = landed_files(tmp_path)
    assert landed.rejected_path is not None
    rejected = pq.read_table(landed.rejected_path).to_pylist()
    assert [(row["line"], row["reason"]) for row in rejected] == [
        (1, "ts lies outside of the window that was pulled"),
        (4, "ts lies outside of the window that was pulled"),
    ]


def test_a_window_that_said_nothing_hides_what_was_there(tmp_path: Path) -> None:
    land(Landing(tmp_path), rows(1, 30), window=span(0, 48))
    land(Landing(tmp_path), window=span(24, 48))
    assert seen(tmp_path) == [("", 1, 1)]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (rows(1).drop_columns(["_record"]), "lack ['_record']"),
        (rows(1).append_column("extra", pa.array([1])), "have unknown columns ['extra']"),
        (rows(1).set_column(1, "metric", pa.nulls(1, pa.string())), "required column metric"),
        (rows(1).set_column(2, "value", pa.array(["x"])), "column value for the feed vitals is not double"),
    ],
)
def test_rows_that_break_the_feeds_schema_are_rejected_and_change_nothing(
    tmp_path: Path, table: pa.Table, said: str
) -> None:
    land(Landing(tmp_path), rows(7))
    with pytest.raises(SourceError) as caught:
        land(Landing(tmp_path), table)
    assert said in str(caught.value)
    assert seen(tmp_path) == [("", 7, 1)]


def test_an_endpoint_keeps_its_feed(tmp_path: Path) -> None:
    land(Landing(tmp_path), rows(1))
    with (
        pytest.raises(SourceError, match="holds rows of the feed vitals, not orders"),
        Landing(tmp_path).writer("web", "vitals", ORDERS, now=NOW),
    ):
        pass


def test_two_pulls_of_one_endpoint_do_not_mix(tmp_path: Path) -> None:
    with Landing(tmp_path).writer("web", "vitals", VITALS, now=NOW) as writer:
        writer.add(rows(1))
        with pytest.raises(SourceError, match="Another pull of web/vitals is running"):
            land(Landing(tmp_path), rows(2))
    assert seen(tmp_path) == [("", 1, 1)]


def test_an_unchanged_input_is_recognised_by_digest_mapping_and_partition(tmp_path: Path) -> None:
    landing, source_input = Landing(tmp_path), Input("a.csv", "aa", "m1")
    land(landing, rows(1), partition="a.csv", source_input=source_input)
    load = landing.unchanged("web", "vitals", "a.csv", source_input)
    assert load is not None
    assert load.rows == 1
    assert landing.unchanged("web", "vitals", "a.csv", Input("a.csv", "bb", "m1")) is None, "another content"
    assert landing.unchanged("web", "vitals", "a.csv", Input("a.csv", "aa", "m2")) is None, "another mapping"
    assert landing.unchanged("web", "vitals", "b.csv", source_input) is None, "another partition"
    (tmp_path / "web" / "vitals" / load.file).unlink()
    assert landing.unchanged("web", "vitals", "a.csv", source_input) is None, "its file is lost"


def test_changed_and_lost_files_are_named_with_the_command_that_mends_them(tmp_path: Path) -> None:
    landing = Landing(tmp_path)
    land(landing, rows(1), partition="a")
    land(landing, rows(2), partition="b")
    with landing.writer("shop", "vitals", VITALS, now=NOW) as writer:
        writer.add(rows(3))
        writer.reject([1], ["why"], ["what"])
    verify(tmp_path)
    first, second, third = (landed.path for landed in landed_files(tmp_path))
    rejected = landed_files(tmp_path)[0].rejected_path
    assert rejected is not None
    rejected.write_bytes(b"x")
    data = bytearray(second.read_bytes())
    data[100] ^= 1
    second.write_bytes(data)
    third.unlink()
    with pytest.raises(SourceError) as caught:
        verify(tmp_path)
    said = str(caught.value)
    assert f"shop/vitals/{rejected.name} was changed" in said
    assert f"web/vitals/{second.name} was changed" in said
    assert f"web/vitals/{third.name} is lost" in said
    assert first.name + " " not in said, "intact files are not named"
    assert "tidings pull shop web --again" in said


def test_a_damaged_manifest_is_named(tmp_path: Path) -> None:
    land(Landing(tmp_path), rows(1))
    (tmp_path / "web" / "vitals" / "manifest.json").write_text('{"loads": [{}]}')
    with pytest.raises(SourceError, match=r"web/vitals/manifest\.json cannot be read"):
        landed_files(tmp_path)


class Killed(BaseException):
    """What a killed process does not get to handle."""


def _die_at(patch: pytest.MonkeyPatch, step: int) -> None:
    """Let the process die in the `step`-th of the calls that make a landing durable."""
    left = [step]

    def mortal(function: object) -> object:
        def call(*args: object, **kwargs: object) -> object:
            left[0] -= 1
            if left[0] == 0:
                raise Killed
            return function(*args, **kwargs)  # type: ignore[operator]

        return call

    patch.setattr(os, "fsync", mortal(os.fsync))
    patch.setattr(Path, "replace", mortal(Path.replace))
    patch.setattr(Path, "unlink", mortal(Path.unlink))


def _restatement(landing: Landing) -> None:
    with landing.writer("web", "vitals", VITALS, now=NOW, window=span(0, 48)) as writer:
        writer.add(rows(5, 30, value=2))
        writer.reject([9], ["why"], ["what"])


@pytest.mark.parametrize("step", range(1, 16))
def test_a_pull_killed_at_any_step_and_run_again_ends_as_if_never_killed(tmp_path: Path, step: int) -> None:
    landing = Landing(tmp_path)
    land(landing, rows(1, 2), window=span(0, 24))
    land(landing, rows(50), window=span(48, 72))
    before, after = [("", 1, 1), ("", 2, 1), ("", 50, 1)], [("", 5, 2), ("", 30, 2), ("", 50, 1)]
    with pytest.MonkeyPatch.context() as patch:
        _die_at(patch, step)
        try:
            _restatement(landing)
            was_killed = False
        except Killed:
            was_killed = True
    verify(tmp_path)
    assert seen(tmp_path) in (before, after), "one or the other, never a mixture"
    _restatement(Landing(tmp_path))
    assert seen(tmp_path) == after
    verify(tmp_path)
    assert len(files(tmp_path)) == 3, "two files of rows and one of rejected rows, no debris"
    # The last steps come after the end of a landing: the test has covered every one.
    assert was_killed or step > 9


def test_memory_does_not_grow_with_the_number_of_batches(tmp_path: Path) -> None:
    batch = rows(*([1] * 20_000))

    def peak(count: int) -> int:
        pool = pa.system_memory_pool()
        pa.set_memory_pool(pool)
        most = 0
        base = pool.bytes_allocated()
        with Landing(tmp_path).writer("web", "vitals", VITALS, now=NOW, partition=str(count)) as writer:
            for _ in range(count):
                writer.add(batch)
                most = max(most, pool.bytes_allocated() - base)
        return most

    old = pa.default_memory_pool()
    try:
        few, many = peak(20), peak(80)
    finally:
        pa.set_memory_pool(old)
    assert few > 0
    assert many < few * 1.5
    assert [load.rows for load in Landing(tmp_path).loads("web", "vitals")] == [400_000, 1_600_000]


_PULLS = st.lists(
    st.tuples(
        st.sampled_from(["", "a"]),
        st.integers(0, 9),
        st.integers(1, 10),
        st.lists(st.integers(0, 9), max_size=4),
        st.booleans(),
    ),
    max_size=7,
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A new folder for each example."""
    return (tmp_path_factory.mktemp("raw") for _ in iter(int, 1))


@settings(max_examples=examples(10, 25), deadline=None)
@given(pulls=_PULLS)
def test_any_sequence_of_windows_is_a_table_whose_windows_are_overwritten(
    pulls: list[tuple[str, int, int, list[int], bool]], folders: Iterator[Path]
) -> None:
    raw = next(folders)
    landing = Landing(raw)
    model: dict[str, list[tuple[int, float]]] = {}
    for number, (partition, start, length, hours, is_whole) in enumerate(pulls):
        window = None if is_whole else span(start, start + length)
        land(landing, rows(*hours, value=number), partition=partition, window=window)
        kept = [row for row in model.get(partition, []) if window and not start <= row[0] < start + length]
        model[partition] = kept + [(hour, number) for hour in hours if window is None or start <= hour < start + length]
    assert seen(raw) == sorted((partition, hour, value) for partition, held in model.items() for hour, value in held)
    if pulls:
        verify(raw)
