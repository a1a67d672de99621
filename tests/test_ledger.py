"""The workbook's work is recorded before and after, by several processes at once."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tidings.errors import TidingsError
from tidings.ledger.lease import Leases
from tidings.ledger.schema import MIGRATIONS
from tidings.ledger.store import Ledger

NOW = datetime(2026, 7, 1, 6, 0, tzinfo=UTC)


def start(ledger: Ledger, run: str, sections: tuple[str, ...] = ("a", "b")) -> None:
    ledger.start_run(
        run,
        report="weekly",
        slot="2026-07-01",
        as_of=NOW,
        parameters={"days": 28, "segment": "country=DE"},
        build="b1",
        version="0.1.0",
        sections=sections,
        started_at=NOW,
    )


def test_a_run_is_visible_before_its_work_starts(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "data" / "ledger.sqlite")
    start(ledger, "weekly-1")
    ledger.start_section("weekly-1", "a")
    [run] = ledger.runs()
    assert (run.status, run.seconds) == ("running", None)
    # In the report's order: a has started, b waits.
    assert [(s.section, s.status) for s in run.sections] == [("a", "running"), ("b", "waiting")]


def test_a_run_keeps_how_it_and_its_sections_ended(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    start(ledger, "weekly-1")
    ledger.finish_section("weekly-1", "a", "done", seconds=1.5)
    ledger.finish_section("weekly-1", "b", "failed", seconds=0.5, error="ZeroDivisionError: division by zero")
    ledger.finish_run("weekly-1", "partly", seconds=2.0)
    [run] = ledger.runs()
    assert (run.status, run.seconds, run.as_of, run.started_at) == ("partly", 2.0, NOW, NOW)
    assert run.parameters == {"days": 28, "segment": "country=DE"}
    assert [(s.status, s.error) for s in run.sections] == [
        ("done", ""),
        ("failed", "ZeroDivisionError: division by zero"),
    ]


def test_pulls_and_builds_come_newest_first(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    first, second = ledger.start_pull("shop", NOW), ledger.start_pull("web", NOW)
    ledger.finish_pull(first, "done", seconds=3.0, rows=10, rejected=2)
    assert [(p.source, p.status, p.rows, p.rejected) for p in ledger.pulls()] == [
        ("web", "running", 0, 0),
        ("shop", "done", 10, 2),
    ]
    assert second > first
    number = ledger.start_build(NOW)
    ledger.finish_build(number, "failed", seconds=1.0, error="a contract broke")
    assert [(b.status, b.build, b.error) for b in ledger.builds()] == [("failed", "", "a contract broke")]


def test_reading_a_ledger_that_is_not_there_makes_none(tmp_path: Path) -> None:
    assert Ledger(tmp_path / "ledger.sqlite").runs() == ()
    assert not (tmp_path / "ledger.sqlite").exists()


def write_pulls(file: Path, source: str, times: int) -> None:
    ledger = Ledger(file)
    for _ in range(times):
        ledger.finish_pull(ledger.start_pull(source, NOW), "done", seconds=0.0, rows=1)


def test_two_processes_write_without_losing_a_row(tmp_path: Path) -> None:
    file = tmp_path / "ledger.sqlite"
    # Both start on a file that does not exist: one makes the schema, the other waits for it.
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write_pulls, args=(file, name, 40)) for name in ("shop", "web")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    pulls = Ledger(file).pulls(1000)
    assert sum(p.rows for p in pulls if p.source == "shop") == 40
    assert sum(p.rows for p in pulls if p.source == "web") == 40


def test_a_writer_waits_for_its_turn_before_it_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.start_pull("first", NOW)
    both_inside = threading.Barrier(2)
    version = Ledger._version

    def slowly(self: Ledger, connection: sqlite3.Connection) -> int:
        found = version(self, connection)
        # Two that have read and then want to write would block each other.
        with contextlib.suppress(threading.BrokenBarrierError):
            both_inside.wait(0.3)
        return found

    monkeypatch.setattr(Ledger, "_version", slowly)
    with ThreadPoolExecutor(2) as pool:
        numbers = list(pool.map(lambda source: ledger.start_pull(source, NOW), ["shop", "web"]))
    assert sorted(numbers) == [2, 3]


def test_a_reader_neither_waits_for_a_writer_nor_keeps_one_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidings.ledger.store._WAIT_SECONDS", 0.0)
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.start_pull("shop", NOW)
    with ledger.transaction() as connection:
        connection.execute("UPDATE pulls SET rows = 7")
        # What is not yet committed is not yet there.
        assert [pull.rows for pull in ledger.pulls()] == [0]
    assert [pull.rows for pull in ledger.pulls()] == [7]


def test_a_file_that_is_not_a_ledger_is_reported(tmp_path: Path) -> None:
    file = tmp_path / "ledger.sqlite"
    file.write_bytes(b"this is not a database, whatever its name says" * 50)
    with pytest.raises(TidingsError, match=r"ledger\.sqlite.*not a (ledger|database).*move it away"):
        Ledger(file).start_pull("shop", NOW)


def test_a_ledger_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "ledger.sqlite"
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(TidingsError, match=r"schema 99.*newer version"):
        Ledger(file).runs()


def test_the_same_run_cannot_start_twice(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    start(ledger, "weekly-1")
    with pytest.raises(TidingsError, match="UNIQUE"):
        start(ledger, "weekly-1")
    assert len(ledger.runs()) == 1


def test_a_ledger_of_an_older_version_keeps_its_pulls_and_learns_more(tmp_path: Path) -> None:
    file = tmp_path / "ledger.sqlite"
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.executescript(MIGRATIONS[0] + "PRAGMA user_version = 1;")
        connection.execute(
            "INSERT INTO pulls (source, status, started_at, seconds, rows, rejected, error)"
            " VALUES ('shop', 'failed', '2026-06-01T06:00:00+00:00', 1.5, 7, 2, 'Down.')"
        )
        connection.commit()
    ledger = Ledger(file)
    [old] = ledger.pulls()
    assert (old.source, old.status, old.rows, old.rejected, old.error) == ("shop", "failed", 7, 2, "Down.")
    assert (old.restated, old.messages) == (0, ())
    ledger.finish_pull(ledger.start_pull("shop", NOW), "done", seconds=1.0, restated=3, messages=["Größer", "x"])
    last = ledger.last_pulls()["shop"]
    assert (last.status, last.restated, last.messages) == ("done", 3, ("Größer", "x"))
    assert len(Ledger(file).pulls()) == 2, "opened again, nothing is done to it twice"


def test_the_last_pull_of_a_source_is_its_latest_whatever_came_between(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    for source, rows in (("b", 1), ("a", 2), ("b", 3), ("a", 4), ("c", 5)):
        ledger.finish_pull(ledger.start_pull(source, NOW), "done", seconds=0.0, rows=rows)
    ledger.start_pull("c", NOW)
    assert {name: (entry.rows, entry.status) for name, entry in ledger.last_pulls().items()} == {
        "a": (4, "done"),
        "b": (3, "done"),
        "c": (0, "running"),
    }


# Dying processes


def test_what_a_killed_process_left_running_is_interrupted(tmp_path: Path) -> None:
    file = tmp_path / "data" / "ledger.sqlite"
    script = """
import sys, time
from datetime import UTC, datetime
from pathlib import Path
from tidings.ledger.store import Ledger
now, ledger = datetime.now(UTC), Ledger(Path(sys.argv[1]))
ledger.start_pull("shop", now)
ledger.start_build(now)
ledger.start_run("r", report="s", slot="d", as_of=now, parameters={}, build="b1", version="1", sections=("a", "b"),
                 started_at=now)
ledger.start_section("r", "a")
print("ready", flush=True)
time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", script, str(file)], stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"ready\n"
    ledger = Ledger(file)

    def states() -> list[str]:
        [run] = ledger.runs()
        sections = [section.status for section in run.sections]
        return [ledger.pulls()[0].status, ledger.builds()[0].status, run.status, *sections]

    assert states() == ["running", "running", "running", "running", "waiting"]
    assert ledger.builds_in_use() == {"b1"}
    process.kill()
    process.communicate()
    # Another living process may have got its process id: that does not count.
    assert states() == ["interrupted", "interrupted", "interrupted", "interrupted", "waiting"]
    assert ledger.builds_in_use() == frozenset(), "it keeps no build for ever"
    # The next writer removes the lease of the dead one.
    ledger.start_pull("shop", NOW)
    assert len(list(ledger.leases._folder.iterdir())) == 1


def test_a_fork_is_another_process(tmp_path: Path) -> None:
    leases = Leases(tmp_path)
    mine = leases.mine()
    assert leases.mine() == mine
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, leases.mine().encode())
        os._exit(0)
    os.waitpid(child, 0)
    other = os.read(read, 100).decode()
    assert other != mine
    assert (leases.is_alive(mine), leases.is_alive(other), leases.is_alive("")) == (True, False, False)


@pytest.mark.parametrize("schema", range(1, len(MIGRATIONS)))
def test_runs_of_every_older_schema_come_along(tmp_path: Path, schema: int) -> None:
    file = tmp_path / "ledger.sqlite"
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.executescript("".join(MIGRATIONS[:schema]) + f"PRAGMA user_version = {schema};")
        connection.executescript(
            f"INSERT INTO runs (id, {'schedule' if schema < 4 else 'report'}, slot, as_of,"
            " parameters, build, version, status, started_at, seconds,"
            " error) VALUES ('r', 's', 'd', '2026-06-01T00:00:00+00:00', '{}', 'b', '1', 'running',"
            " '2026-06-01T06:00:00+00:00', NULL, '');"
            "INSERT INTO run_sections VALUES ('r', 0, 'a', 'running', NULL, '');"
            "INSERT INTO builds (build, status, started_at) VALUES ('b', 'done', '2026-06-01T06:00:00+00:00');"
        )
    ledger = Ledger(file)
    [run] = ledger.runs()
    # No process of the older version is known to live.
    assert (run.id, run.status, [s.status for s in run.sections]) == ("r", "interrupted", ["interrupted"])
    assert [b.build for b in ledger.builds()] == ["b"]
    with contextlib.closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert connection.execute("PRAGMA foreign_key_list(run_sections)").fetchone()[2] == "runs"


def test_a_writer_killed_in_the_middle_of_a_change_is_put_right_by_a_reader(tmp_path: Path) -> None:
    file = tmp_path / "ledger.sqlite"
    Ledger(file).start_pull("shop", NOW)
    script = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size = 1")
connection.execute("BEGIN IMMEDIATE")
for n in range(2000):
    connection.execute("INSERT INTO pulls (source, status, started_at) VALUES (?, 'running', 'x')", ("y" * 500,))
os._exit(9)
"""
    subprocess.run([sys.executable, "-c", script, str(file)], check=False)
    assert file.with_name("ledger.sqlite-journal").exists(), "half of the change is on disk"
    assert [pull.source for pull in Ledger(file).pulls()] == ["shop"]
