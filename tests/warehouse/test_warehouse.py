"""Building and opening: atomic, repeatable, one at a time, readers undisturbed."""

from __future__ import annotations

import fcntl
import inspect
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

import tidings.warehouse.build
from tidings.errors import ContractError, SourceError, WarehouseError
from tidings.landing.store import Span
from tidings.ledger.lease import Leases
from tidings.ledger.store import Ledger
from tidings.models.graph import known_models
from tidings.settings import Settings
from tidings.warehouse.build import build
from tidings.warehouse.reader import Warehouse, current_build
from workbooks import NOW, at, land, workbook

LIB = Path(__file__).resolve().parents[2] / "lib"


def _tables(settings: Settings, build_id: str | None = None) -> dict[str, list[str]]:
    """All rows of all tables of a build, each as sorted text."""
    with Warehouse.open(settings, build_id) as warehouse:
        names = [*warehouse.tables, "meta_build", "meta_tables", "meta_columns", "meta_feeds", "meta_rejected"]
        return {name: sorted(map(repr, warehouse.query(warehouse.table(name)).to_pylist())) for name in names}


def _files(settings: Settings) -> set[str]:
    return {path.name for path in settings.warehouse.iterdir()} - {".lock", ".pruning"}


@pytest.fixture
def full(tmp_path: Path) -> Settings:
    return workbook(tmp_path)


@pytest.fixture
def settings(full: Settings, few_models: None) -> Settings:
    """The workbook, of whose models only two branches are built: most rules of building do not need more."""
    return full


@pytest.fixture
def few_models(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("stg_orders", "fct_transactions", "fct_orders", "stg_vitals", "fct_web_vitals")
    few = tuple(found for found in known_models() if found.name in names)
    monkeypatch.setattr(tidings.warehouse.build, "known_models", lambda: few)


def test_a_build_holds_every_model_and_what_it_says_of_itself(full: Settings) -> None:
    result = build(full)
    assert (result.unchanged, result.tables) == (False, len(known_models()))
    assert current_build(full) == result.build_id
    with Warehouse.open(full) as warehouse:
        assert warehouse.build_id == result.build_id
        assert warehouse.complete_until == NOW
        info = warehouse.tables["fct_orders"]
        assert (info.layer, info.rows, info.last_row_at) == ("marts", 2, datetime(2026, 6, 1, 13, tzinfo=UTC))
        assert "CREATE" not in info.sql and "fct_transactions" in info.sql
        columns = warehouse.query(warehouse.table("meta_columns")).to_pylist()
        key = [row["column"] for row in columns if row["table"] == "fct_orders" and row["is_key"]]
        assert key == ["order_key"]
        assert {row["column"] for row in columns if row["table"] == "stg_events" and row["personal"]} == {
            *("visitor_id", "user_id"),
        }


def test_the_same_raw_data_and_code_are_not_built_again(settings: Settings) -> None:
    first = build(settings)
    written = first.file.stat().st_mtime_ns
    second = build(settings)
    assert second == replace(first, unchanged=True)
    assert first.file.stat().st_mtime_ns == written


def test_deleting_the_warehouse_and_building_gives_equal_tables(full: Settings) -> None:
    first = build(full)
    before = _tables(full)
    for path in full.warehouse.iterdir():
        path.unlink()
    second = build(full)
    assert (second.build_id, second.unchanged) == (first.build_id, False)
    assert _tables(full) == before


def test_the_id_does_not_depend_on_the_folder(settings: Settings, tmp_path: Path) -> None:
    settings.raw.rename(tmp_path / "elsewhere")
    other = Settings(root=tmp_path / "other")
    other.raw.parent.mkdir(parents=True)
    (tmp_path / "elsewhere").rename(other.raw)
    moved = build(other).build_id
    other.raw.rename(settings.raw)
    assert build(settings).build_id == moved


@pytest.mark.parametrize("change", ["rows", "complete_until", "fx", "code"])
def test_a_change_of_what_it_is_made_from_makes_a_new_build(
    settings: Settings, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = build(settings).build_id
    if change == "rows":
        land(settings, "orders", [{"order_id": "o3", "amount": 1}], partition="b.csv")
    elif change == "complete_until":
        land(
            settings,
            "vitals",
            [],
            source="site",
            partition="later.csv",
            complete_until=datetime(2026, 7, 2, tzinfo=UTC),
        )
    elif change == "fx":
        rates = settings.root / "fx.csv"
        rates.write_text("Date,USD\n2026-06-01,1.10\n", encoding="utf-8")
        settings = replace(settings, fx=rates)
    else:
        monkeypatch.setattr("tidings.warehouse.duckdb.VERSION", "another engine")
    result = build(settings)
    assert result.build_id != before
    assert not result.unchanged
    assert current_build(settings) == result.build_id


_EDITED = """
import sys
from pathlib import Path
from tidings.warehouse.build import build
from tidings.settings import Settings
print(build(Settings(root=Path(sys.argv[1]))).unchanged)
"""


def test_an_edited_model_makes_a_new_build(full: Settings, tmp_path: Path) -> None:
    build(full)
    lib = tmp_path / "lib"
    shutil.copytree(LIB, lib, ignore=shutil.ignore_patterns("__pycache__"))

    def unchanged() -> str:
        command = [sys.executable, "-c", _EDITED, str(full.root)]
        environment = {**os.environ, "PYTHONPATH": str(lib)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=True)
        return done.stdout.strip()

    assert unchanged() == "True"
    model = next(found for found in known_models() if found.name == "fct_orders")
    edited = Path(inspect.getfile(model.function)).relative_to(LIB)
    with (lib / edited).open("a", encoding="utf-8") as file:
        file.write("# a rule was changed\n")
    assert unchanged() == "False"


def test_going_back_to_earlier_raw_data_points_back(settings: Settings) -> None:
    first = build(settings)
    rates = settings.root / "fx.csv"
    rates.write_text("Date,USD\n2026-06-01,1.10\n", encoding="utf-8")
    build(replace(settings, fx=rates))
    again = build(settings)
    assert (again.build_id, again.unchanged) == (first.build_id, True)
    assert current_build(settings) == first.build_id


_KILLED = """
import os, signal, sys
from pathlib import Path
from tidings.warehouse.build import build
from tidings.settings import Settings

def progress(what, done, total):
    if what == sys.argv[2]:
        os.kill(os.getpid(), signal.SIGKILL)

build(Settings(root=Path(sys.argv[1])), progress=progress)
"""


@pytest.mark.parametrize(
    "step", ["published", *(pytest.param(step, marks=pytest.mark.proof) for step in ("stg_orders", "fct_sessions"))]
)
def test_killed_at_any_step_the_last_good_build_stays(full: Settings, step: str) -> None:
    good = build(full)
    before = _tables(full)
    land(full, "orders", [{"order_id": "o3", "amount": 1}], partition="b.csv")
    command = [sys.executable, "-c", _KILLED, str(full.root), step]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(LIB)}, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    assert current_build(full) == good.build_id
    assert _tables(full) == before
    result = build(full)
    # Killed after the rename, the new build is complete and only had to be pointed to.
    assert result.unchanged is (step == "published")
    assert _files(full) == {"current", f"{good.build_id}.duckdb", f"{result.build_id}.duckdb"}
    with Warehouse.open(full) as warehouse:
        assert warehouse.tables["fct_orders"].rows == 3


@pytest.mark.parametrize("victim", ["duckdb", "current"])
def test_a_failing_rename_leaves_the_last_good_build(
    settings: Settings, victim: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = build(settings)
    land(settings, "orders", [{"order_id": "o3", "amount": 1}], partition="b.csv")
    rename = Path.replace

    def failing(self: Path, target: Path) -> Path:
        if str(target).endswith(victim):
            raise OSError("disk error")
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", failing)
    with pytest.raises(OSError, match="disk error"):
        build(settings)
    monkeypatch.undo()
    assert current_build(settings) == good.build_id
    assert build(settings).build_id != good.build_id
    assert not [name for name in _files(settings) if name.startswith(".")]


def test_two_builds_at_once_are_refused_with_the_process(settings: Settings) -> None:
    settings.warehouse.mkdir(parents=True)
    with (settings.warehouse / ".lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("4711")
        lock.flush()
        with pytest.raises(WarehouseError, match=r"Another build of .* is running \(process 4711\)"):
            build(settings)
    assert not build(settings).unchanged  # the lock of a process that is gone does not block


def test_an_open_reader_keeps_its_build(settings: Settings) -> None:
    build(settings)
    with Warehouse.open(settings) as reader:
        land(settings, "orders", [{"order_id": "o3", "amount": 1}], partition="b.csv")
        build(settings)
        assert reader.query(reader.table("fct_orders").count())[0][0].as_py() == 2
        with Warehouse.open(settings) as newer, Warehouse.open(settings) as beside:
            assert newer.query(newer.table("fct_orders").count())[0][0].as_py() == 3
            assert beside.build_id == newer.build_id != reader.build_id


def test_the_last_three_builds_stay_and_those_asked_for(settings: Settings) -> None:
    ids = []
    for number in range(6):
        land(
            settings, "vitals", [], partition=f"{number}.csv", complete_until=datetime(2026, 7, 2 + number, tzinfo=UTC)
        )
        ids.append(build(settings, keep=ids[:1]).build_id)
    assert _files(settings) == {"current", *(f"{name}.duckdb" for name in (ids[0], *ids[-3:]))}
    with Warehouse.open(settings, ids[0]) as oldest:
        assert oldest.build_id == ids[0]


def test_a_build_that_a_run_reads_stays_as_long_as_its_process_lives(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = build(settings).build_id
    now = datetime(2026, 7, 1, tzinfo=UTC)
    Ledger(settings.ledger).start_run(
        "weekly-1", report="weekly", slot="d", as_of=now, parameters={}, build=begun, version="1", sections=(),
        started_at=now,
    )  # fmt: skip

    def build_again(number: int) -> None:
        land(
            settings, "vitals", [], partition=f"{number}.csv", complete_until=datetime(2026, 7, 2 + number, tzinfo=UTC)
        )
        build(settings)

    for number in range(4):
        build_again(number)
    assert f"{begun}.duckdb" in _files(settings) and len(_files(settings)) == 1 + 3 + 1
    # Killed, it can say no more that it has ended.
    monkeypatch.setattr(Leases, "is_alive", lambda self, name: False)
    build_again(4)
    assert f"{begun}.duckdb" not in _files(settings) and len(_files(settings)) == 1 + 3


def test_changed_raw_data_are_not_built(settings: Settings) -> None:
    file = next(settings.raw.glob("shop/orders/*.parquet"))
    file.write_bytes(file.read_bytes() + b"x")
    with pytest.raises(SourceError, match=f"shop/orders/{file.name} was changed"):
        build(settings)


def test_a_row_hidden_by_a_later_pull_is_not_built(tmp_path: Path, few_models: None) -> None:
    settings = Settings(root=tmp_path)
    days = [datetime(2026, 6, day, tzinfo=UTC) for day in (1, 2, 3)]
    old = [{"order_id": "kept", "amount": 1}, {"order_id": "taken back", "amount": 1, "ts": at("2026-06-02T08:00")}]
    land(settings, "orders", old, partition="", window=Span(days[0], days[2]))
    land(
        settings,
        "orders",
        [{"order_id": "new", "amount": 1, "ts": at("2026-06-02T09:00")}],
        partition="",
        window=Span(*days[1:]),
    )
    build(settings)
    with Warehouse.open(settings) as warehouse:
        assert sorted(warehouse.query(warehouse.table("fct_orders").order_id)["order_id"].to_pylist()) == [
            "kept",
            "new",
        ]


def test_all_broken_contracts_are_listed_and_nothing_is_published(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = build(settings)
    # Two breaks on two branches; what reads stg_orders is not built and so not listed.
    models = []
    for found in tidings.warehouse.build.known_models():
        was = found.function
        if found.name == "stg_orders":
            found = replace(found, function=lambda raw_orders, was=was: was(raw_orders).union(was(raw_orders)))
        if found.name == "fct_web_vitals":
            found = replace(found, function=lambda stg_vitals, was=was: was(stg_vitals).drop("rating"))
        models.append(found)
    monkeypatch.setattr(tidings.warehouse.build, "known_models", lambda: models)
    monkeypatch.setattr(tidings.warehouse.build, "code_hash", lambda: "changed")
    with pytest.raises(ContractError) as caught:
        build(settings)
    message = str(caught.value)
    assert message.startswith("2 broken contracts in fct_web_vitals, stg_orders;")
    assert "fct_web_vitals.rating: expected a column of type string, found none." in message
    assert (
        "stg_orders.line_key: expected a unique key, found the same key up to 2 times in 4 rows, for example" in message
    )
    assert current_build(settings) == good.build_id
    assert _files(settings) == {"current", f"{good.build_id}.duckdb"}


def test_a_model_that_asks_for_an_unknown_column_is_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    vitals = next(found for found in known_models() if found.name == "stg_vitals")
    wrong = replace(vitals, function=lambda raw_vitals: raw_vitals.select("valeu"))
    monkeypatch.setattr(tidings.warehouse.build, "known_models", lambda: [wrong])
    with pytest.raises(WarehouseError, match=r"Model stg_vitals cannot be expressed: .*valeu"):
        build(settings)


def test_stale_facts_are_warned_about(tmp_path: Path, few_models: None) -> None:
    settings = Settings(root=tmp_path)
    land(settings, "orders", [{"order_id": "o1", "amount": 1, "ts": at("2026-06-01T12:00")}])
    land(settings, "vitals", [{"value": 1.0, "ts": at("2026-06-30T20:00")}], source="site")
    warnings = build(settings).warnings
    # Orders end 29 days and 12 hours before the end of the data; vitals 4 hours; empty tables say nothing.
    assert sorted(text.split()[0] for text in warnings) == ["fct_orders", "fct_transactions"]
    assert "708 h before the end of the data (2026-06-01 12:00 UTC); expected at most 48 h" in warnings[0]


def test_feeds_and_rejected_rows_are_in_the_metadata(tmp_path: Path, few_models: None) -> None:
    settings = Settings(root=tmp_path)
    land(settings, "orders", [{"order_id": "o1", "amount": 1}], rejected=["no date", "no date"], facts={"lines": 3})
    land(
        settings,
        "orders",
        [{"order_id": "o2", "amount": 1}],
        partition="b.csv",
        rejected=["no amount"],
        facts={"lines": 2},
    )
    build(settings)
    with Warehouse.open(settings) as warehouse:
        (feed,) = warehouse.feeds
        assert (feed.source, feed.endpoint, feed.feed, feed.rows, feed.rejected) == ("shop", "orders", "orders", 2, 3)
        assert (feed.fetched_at, feed.complete_until, feed.facts) == (NOW, NOW, {"lines": 5})
        counted = [(row["partition"], row["reason"], row["rows"]) for row in warehouse.rejected if row["rows"]]
        assert counted == [("a.csv", "no date", 2), ("b.csv", "no amount", 1)]


def test_a_feed_is_complete_as_far_as_its_slowest_part_and_says_what_was_never_landed(
    tmp_path: Path, few_models: None
) -> None:
    settings = Settings(root=tmp_path)

    def days(partition: str, first: int, end: int, now: datetime = NOW) -> None:
        span = Span(datetime(2026, 6, first, tzinfo=UTC), datetime(2026, 6, end, tzinfo=UTC))
        row = {"order_id": f"{partition}{first}", "amount": 1, "ts": span.start.replace(tzinfo=None)}
        land(settings, "orders", [row], partition=partition, window=span, complete_until=span.end, now=now)

    days("a", 3, 5)
    days("a", 8, 9)
    days("b", 4, 7)
    build(settings)
    with Warehouse.open(settings) as warehouse:
        (feed,) = warehouse.feeds
        assert feed.complete_until == datetime(2026, 6, 7, tzinfo=UTC), "a is further, b is not"
        assert feed.first_day == date(2026, 6, 3)
        assert feed.missing == ((date(2026, 6, 5), date(2026, 6, 7)),)
    # A part that was taken out of the settings, so that the others are pulled without it, is not waited for.
    days("a", 9, 12, NOW + timedelta(days=5))
    build(settings)
    with Warehouse.open(settings) as warehouse:
        assert warehouse.feeds[0].complete_until == datetime(2026, 6, 12, tzinfo=UTC)


def test_a_day_that_a_report_leaves_out_is_empty_and_not_missing(tmp_path: Path, few_models: None) -> None:
    settings = Settings(root=tmp_path)
    for day in (3, 9):
        span = Span(datetime(2026, 6, day, tzinfo=UTC), datetime(2026, 6, day + 1, tzinfo=UTC))
        row = {"app_id": "9", "ts": datetime(2026, 6, day), "report": "crashes", "row": 1, "event": "Crashes"}
        land(
            settings, "app_store_analytics", [{**row, "count": 1, "processed": "x"}], partition="9 crashes", window=span
        )
    build(settings)
    with Warehouse.open(settings) as warehouse:
        (feed,) = warehouse.feeds
        assert (feed.first_day, feed.missing) == (date(2026, 6, 3), ())


def test_nothing_landed_is_an_empty_warehouse(tmp_path: Path, few_models: None) -> None:
    settings = Settings(root=tmp_path)
    result = build(settings)
    assert result.rows == 0
    assert result.warnings == ("Nothing is landed yet, so all tables are empty. Run: tidings pull",)
    with Warehouse.open(settings) as warehouse:
        assert warehouse.complete_until is None
        assert warehouse.last_row_at("fct_orders") is None


def test_nothing_built_and_names_mistyped(settings: Settings) -> None:
    with pytest.raises(WarehouseError, match=r"Nothing has been built.*Run `tidings build`"):
        Warehouse.open(settings)
    result = build(settings)
    with pytest.raises(WarehouseError, match=f"There is no build nope.*{result.build_id}"):
        Warehouse.open(settings, "nope")
    with Warehouse.open(settings) as warehouse:
        with pytest.raises(WarehouseError, match="Did you mean 'fct_orders'"):
            warehouse.table("fct_order")
        with pytest.raises(WarehouseError, match="Did you mean 'fct_orders'"):
            warehouse.last_row_at("fct_order")


def test_a_damaged_build_says_what_to_do(settings: Settings) -> None:
    result = build(settings)
    result.file.write_bytes(b"not a database")
    with pytest.raises(WarehouseError, match=f"delete {result.build_id}.duckdb and run `tidings build`"):
        Warehouse.open(settings)


def test_readers_cannot_write(settings: Settings) -> None:
    result = build(settings)
    with Warehouse.open(settings) as warehouse, pytest.raises(duckdb.Error, match="read-only"):
        warehouse._build.backend.raw_sql("CREATE TABLE x AS SELECT 1")
    assert result.tables == len(tidings.warehouse.build.known_models())


def test_the_raw_record_is_in_no_table(full: Settings) -> None:
    build(full)
    with Warehouse.open(full) as warehouse:
        assert all("_record" not in warehouse.table(name).columns for name in warehouse.tables)
        assert "RECEIVED" not in json.dumps(_tables(full))


def test_quotes_and_patterns_in_names_do_no_harm(tmp_path: Path, few_models: None) -> None:
    settings = Settings(root=tmp_path / "it's [a] *root*")
    land(settings, "orders", [{"order_id": "o'1", "amount": 1}], partition="o'neill; --.csv")
    build(settings)
    with Warehouse.open(settings) as warehouse:
        rows = warehouse.query(warehouse.table("stg_orders").select("order_id", "_partition")).to_pylist()
    assert rows == [{"order_id": "o'1", "_partition": "o'neill; --.csv"}]
