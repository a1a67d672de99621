"""The ledger: what the workbook did (pulls, builds, runs), which cannot be derived from the data."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, TypeVar

from tidings.errors import TidingsError
from tidings.ledger.lease import Leases

Status = Literal["waiting", "running", "done", "partly", "failed", "interrupted"]

# One script per schema version, applied in order; PRAGMA user_version counts those applied. Scripts are never edited.
_MIGRATIONS = (
    """
    CREATE TABLE pulls (
        id INTEGER PRIMARY KEY,
        source TEXT NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('running', 'done', 'partly', 'failed')),
        started_at TEXT NOT NULL,
        seconds REAL,
        rows INTEGER NOT NULL DEFAULT 0,
        rejected INTEGER NOT NULL DEFAULT 0,
        error TEXT NOT NULL DEFAULT ''
    );
    CREATE TABLE builds (
        id INTEGER PRIMARY KEY,
        build TEXT NOT NULL DEFAULT '',
        status TEXT NOT NULL CHECK (status IN ('running', 'done', 'failed')),
        started_at TEXT NOT NULL,
        seconds REAL,
        rows INTEGER NOT NULL DEFAULT 0,
        error TEXT NOT NULL DEFAULT ''
    );
    CREATE TABLE runs (
        id TEXT PRIMARY KEY,
        schedule TEXT NOT NULL,
        slot TEXT NOT NULL,
        as_of TEXT NOT NULL,
        parameters TEXT NOT NULL,
        build TEXT NOT NULL,
        version TEXT NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('running', 'done', 'partly', 'failed')),
        started_at TEXT NOT NULL,
        seconds REAL,
        error TEXT NOT NULL DEFAULT ''
    );
    CREATE TABLE run_sections (
        run TEXT NOT NULL REFERENCES runs (id),
        position INTEGER NOT NULL,
        section TEXT NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('waiting', 'running', 'done', 'failed')),
        seconds REAL,
        error TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (run, section)
    );
    CREATE INDEX runs_by_start ON runs (started_at);
    """,
    """
    ALTER TABLE pulls ADD COLUMN restated INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE pulls ADD COLUMN messages TEXT NOT NULL DEFAULT '[]';
    """,
    # SQLite cannot change what a column may hold: each table is made anew with `interrupted`, and with its process.
    """
    CREATE TABLE pulls_3 (
        id INTEGER PRIMARY KEY,
        source TEXT NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('running', 'done', 'partly', 'failed', 'interrupted')),
        started_at TEXT NOT NULL,
        seconds REAL,
        rows INTEGER NOT NULL DEFAULT 0,
        rejected INTEGER NOT NULL DEFAULT 0,
        error TEXT NOT NULL DEFAULT '',
        restated INTEGER NOT NULL DEFAULT 0,
        messages TEXT NOT NULL DEFAULT '[]',
        process TEXT NOT NULL DEFAULT ''
    );
    INSERT INTO pulls_3 SELECT *, '' FROM pulls;
    DROP TABLE pulls;
    ALTER TABLE pulls_3 RENAME TO pulls;
    CREATE TABLE builds_3 (
        id INTEGER PRIMARY KEY,
        build TEXT NOT NULL DEFAULT '',
        status TEXT NOT NULL CHECK (status IN ('running', 'done', 'failed', 'interrupted')),
        started_at TEXT NOT NULL,
        seconds REAL,
        rows INTEGER NOT NULL DEFAULT 0,
        error TEXT NOT NULL DEFAULT '',
        process TEXT NOT NULL DEFAULT ''
    );
    INSERT INTO builds_3 SELECT *, '' FROM builds;
    DROP TABLE builds;
    ALTER TABLE builds_3 RENAME TO builds;
    CREATE TABLE runs_3 (
        id TEXT PRIMARY KEY,
        schedule TEXT NOT NULL,
        slot TEXT NOT NULL,
        as_of TEXT NOT NULL,
        parameters TEXT NOT NULL,
        build TEXT NOT NULL,
        version TEXT NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('running', 'done', 'partly', 'failed', 'interrupted')),
        started_at TEXT NOT NULL,
        seconds REAL,
        error TEXT NOT NULL DEFAULT '',
        process TEXT NOT NULL DEFAULT ''
    );
    INSERT INTO runs_3 SELECT *, '' FROM runs;
    CREATE TABLE run_sections_3 (
        run TEXT NOT NULL REFERENCES runs_3 (id),
        position INTEGER NOT NULL,
        section TEXT NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('waiting', 'running', 'done', 'failed', 'interrupted')),
        seconds REAL,
        error TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (run, section)
    );
    INSERT INTO run_sections_3 SELECT * FROM run_sections;
    DROP TABLE run_sections;
    DROP TABLE runs;
    ALTER TABLE runs_3 RENAME TO runs;
    ALTER TABLE run_sections_3 RENAME TO run_sections;
    CREATE INDEX runs_by_start ON runs (started_at);
    """,
)
_Entry = TypeVar("_Entry")
_WAIT_SECONDS = 30.0
_LATEST_RUNS = "SELECT * FROM runs ORDER BY started_at DESC, rowid DESC LIMIT ?"


@dataclass(frozen=True)
class PullEntry:
    """One pull of one source; `seconds` is null while it runs, or if its process died (`interrupted`).

    `restated` are days that the source told otherwise than before, `messages` sentences for the person who pulls.
    """

    id: int
    source: str
    status: Status
    started_at: datetime
    seconds: float | None
    rows: int
    rejected: int
    error: str
    restated: int = 0
    messages: tuple[str, ...] = ()


@dataclass(frozen=True)
class BuildEntry:
    """One attempt to build the warehouse; `build` is empty until the build id is known."""

    id: int
    build: str
    status: Status
    started_at: datetime
    seconds: float | None
    rows: int
    error: str


@dataclass(frozen=True)
class SectionEntry:
    """One section of a run."""

    section: str
    status: Status
    seconds: float | None
    error: str


@dataclass(frozen=True)
class RunEntry:
    """One run of a schedule for one slot; `seconds` is null while it runs, or if its process died (`interrupted`)."""

    id: str
    schedule: str
    slot: str
    as_of: datetime
    parameters: Mapping[str, Any]
    build: str
    version: str
    status: Status
    started_at: datetime
    seconds: float | None
    error: str
    sections: tuple[SectionEntry, ...] = ()


class Ledger:
    """The only writer of `data/ledger.sqlite`; every call is one transaction of its own connection.

    Several threads and processes may write at once: a writer waits up to 30 s for its turn. Instants are
    passed in as aware datetimes and kept as ISO text in UTC as given. Of what still runs it keeps by which process, so
    that what a dead one left `running` is read as `interrupted`.

    Raises:
        TidingsError: the file is not a ledger, was written by a newer version, or stays locked.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self.leases = Leases(file.parent / ".running")

    def start_pull(self, source: str, started_at: datetime) -> int:
        """Note that a pull begins, before it does anything; returns its number."""
        with self._transaction() as connection:
            return _inserted(
                connection.execute(
                    "INSERT INTO pulls (source, status, started_at, process) VALUES (?, 'running', ?, ?)",
                    (source, started_at.isoformat(), self.leases.mine()),
                )
            )

    def finish_pull(
        self,
        pull: int,
        status: Status,
        *,
        seconds: float,
        rows: int = 0,
        rejected: int = 0,
        restated: int = 0,
        messages: Sequence[str] = (),
        error: str = "",
    ) -> None:
        """Note how a pull ended."""
        said = json.dumps(list(messages), ensure_ascii=False)
        with self._transaction() as connection:
            connection.execute(
                "UPDATE pulls SET status = ?, seconds = ?, rows = ?, rejected = ?, restated = ?, messages = ?,"
                " error = ? WHERE id = ?",
                (status, seconds, rows, rejected, restated, said, error, pull),
            )

    def start_build(self, started_at: datetime) -> int:
        """Note that a build begins, before it does anything; returns its number."""
        with self._transaction() as connection:
            return _inserted(
                connection.execute(
                    "INSERT INTO builds (status, started_at, process) VALUES ('running', ?, ?)",
                    (started_at.isoformat(), self.leases.mine()),
                )
            )

    def finish_build(
        self, number: int, status: Status, *, seconds: float, build: str = "", rows: int = 0, error: str = ""
    ) -> None:
        """Note how a build ended and the build id it made."""
        with self._transaction() as connection:
            connection.execute(
                "UPDATE builds SET status = ?, seconds = ?, build = ?, rows = ?, error = ? WHERE id = ?",
                (status, seconds, build, rows, error, number),
            )

    def start_run(
        self,
        run: str,
        *,
        schedule: str,
        slot: str,
        as_of: datetime,
        parameters: Mapping[str, Any],
        build: str,
        version: str,
        sections: Sequence[str],
        started_at: datetime,
    ) -> None:
        """Note that a run begins, before it does anything: `running`, its sections `waiting`."""
        with self._transaction() as connection:
            connection.execute(
                "INSERT INTO runs (id, schedule, slot, as_of, parameters, build, version, status, started_at, process)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, 'running', ?, ?)",
                (
                    run,
                    schedule,
                    slot,
                    as_of.isoformat(),
                    json.dumps(dict(parameters), sort_keys=True),
                    build,
                    version,
                    started_at.isoformat(),
                    self.leases.mine(),
                ),
            )
            connection.executemany(
                "INSERT INTO run_sections (run, position, section, status) VALUES (?, ?, ?, 'waiting')",
                [(run, position, section) for position, section in enumerate(sections)],
            )

    def start_section(self, run: str, section: str) -> None:
        """Note that a section begins."""
        with self._transaction() as connection:
            connection.execute(
                "UPDATE run_sections SET status = 'running' WHERE run = ? AND section = ?", (run, section)
            )

    def finish_section(self, run: str, section: str, status: Status, *, seconds: float, error: str = "") -> None:
        """Note how a section ended."""
        with self._transaction() as connection:
            connection.execute(
                "UPDATE run_sections SET status = ?, seconds = ?, error = ? WHERE run = ? AND section = ?",
                (status, seconds, error, run, section),
            )

    def finish_run(self, run: str, status: Status, *, seconds: float, error: str = "") -> None:
        """Note how a run ended; of one that was stopped, its sections that had not ended were stopped with it."""
        with self._transaction() as connection:
            connection.execute(
                "UPDATE runs SET status = ?, seconds = ?, error = ? WHERE id = ?", (status, seconds, error, run)
            )
            if status == "interrupted":
                connection.execute(
                    "UPDATE run_sections SET status = 'interrupted' WHERE run = ? AND status = 'running'", (run,)
                )

    def pulls(self, limit: int = 20) -> tuple[PullEntry, ...]:
        """The latest pulls, newest first."""
        return self._entries(_pull, "SELECT * FROM pulls ORDER BY id DESC LIMIT ?", limit)

    def last_pulls(self) -> Mapping[str, PullEntry]:
        """The latest pull of every source that was ever pulled."""
        query = "SELECT * FROM pulls WHERE id IN (SELECT max(id) FROM pulls GROUP BY source) ORDER BY source LIMIT ?"
        return {entry.source: entry for entry in self._entries(_pull, query, -1)}

    def builds(self, limit: int = 20) -> tuple[BuildEntry, ...]:
        """The latest builds, newest first."""
        return self._entries(_build, "SELECT * FROM builds ORDER BY id DESC LIMIT ?", limit)

    def runs(self, limit: int = 20) -> tuple[RunEntry, ...]:
        """The latest runs with their sections in order, newest first."""
        return self._entries(self._run, _LATEST_RUNS, limit)

    def builds_in_use(self) -> frozenset[str]:
        """The builds that runs of living processes read: they must stay, however many were made since."""
        rows = self._read("SELECT build, status, process FROM runs WHERE status = 'running' LIMIT ?", -1)
        return frozenset(row["build"] for row in rows if row["status"] == "running")

    def _entries(self, made: Callable[[dict[str, Any]], _Entry], query: str, limit: int) -> tuple[_Entry, ...]:
        rows = self._read(query, limit)
        try:
            return tuple(map(made, rows))
        except (ValueError, TypeError) as error:
            raise TidingsError(
                f"The ledger {self._file} holds a row that cannot be read: {error}.",
                "Move the file away: a new one is made, and the data are not touched.",
            ) from error

    def _run(self, row: dict[str, Any]) -> RunEntry:
        sections = self._read(
            "SELECT section, status, seconds, error FROM run_sections WHERE run = ? ORDER BY position", row["id"]
        )
        is_dead = row["status"] == "interrupted"
        for section in sections:
            section["status"] = "interrupted" if is_dead and section["status"] == "running" else section["status"]
        row["as_of"] = datetime.fromisoformat(row["as_of"])
        row["started_at"] = datetime.fromisoformat(row["started_at"])
        row["parameters"] = json.loads(row["parameters"])
        return RunEntry(**row, sections=tuple(SectionEntry(**section) for section in sections))

    def _read(self, query: str, value: object) -> list[dict[str, Any]]:
        """Rows; those that a dead process left running are interrupted."""
        if not self._file.exists():
            return []
        rows = self._read_only(query, value)
        if rows is None:
            with self._transaction() as connection:
                rows = [dict(row) for row in connection.execute(query, (value,))]
        for row in rows:
            process = row.pop("process", None)
            if process is not None and row["status"] == "running" and not self.leases.is_alive(process):
                row["status"] = "interrupted"
        return rows

    def _read_only(self, query: str, value: object) -> list[dict[str, Any]] | None:
        """Rows without a lock, so that a ledger that may not be written can be read; null where it has to be written.

        That is so where its tables are those of an older version, or a writer was killed in the middle of a change.
        """
        with self._reported():
            try:
                with closing(self._connected("?mode=ro")) as connection:
                    if self._version(connection) < len(_MIGRATIONS):
                        return None
                    return [dict(row) for row in connection.execute(query, (value,))]
            except sqlite3.OperationalError:
                return None

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._reported(), closing(self._connected()) as connection:
            # IMMEDIATE takes the write lock at once: two processes queue instead of failing half-way.
            connection.execute("BEGIN IMMEDIATE")
            if self._version(connection) < len(_MIGRATIONS):
                self._migrate(connection)
            connection.execute("COMMIT")
            # Not before: a table that others refer to could not be made anew.
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")

    def _connected(self, mode: str = "") -> sqlite3.Connection:
        address = f"{self._file.absolute().as_uri()}{mode}"
        connection = sqlite3.connect(address, timeout=_WAIT_SECONDS, isolation_level=None, uri=True)
        connection.row_factory = sqlite3.Row
        return connection

    @contextmanager
    def _reported(self) -> Iterator[None]:
        """Errors of SQLite as sentences."""
        try:
            yield
        except sqlite3.OperationalError as error:
            raise TidingsError(
                f"The ledger {self._file} cannot be used: {error}.",
                "Another process may hold it, or the disk may be full or read-only; free it and repeat the command.",
            ) from error
        except sqlite3.DatabaseError as error:
            raise TidingsError(
                f"The ledger {self._file} refused what was written, or is not a ledger: {error}.",
                "If the file is damaged, move it away: a new one is made, and the data are not touched.",
            ) from error

    def _version(self, connection: sqlite3.Connection) -> int:
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > len(_MIGRATIONS):
            raise TidingsError(
                f"The ledger {self._file.name} has schema {version}; this Tidings knows {len(_MIGRATIONS)}.",
                "It was written by a newer version: update Tidings.",
            )
        return version

    def _migrate(self, connection: sqlite3.Connection) -> None:
        for script in _MIGRATIONS[self._version(connection) :]:
            # Not executescript: that would commit, and let another process see a half-made schema.
            for statement in script.split(";"):
                if statement.strip():
                    connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")


def _pull(row: Mapping[str, Any]) -> PullEntry:
    return PullEntry(
        **{
            **row,
            "started_at": datetime.fromisoformat(row["started_at"]),
            "messages": tuple(json.loads(row["messages"])),
        }
    )


def _build(row: Mapping[str, Any]) -> BuildEntry:
    return BuildEntry(**{**row, "started_at": datetime.fromisoformat(row["started_at"])})


def _inserted(cursor: sqlite3.Cursor) -> int:
    number = cursor.lastrowid
    if number is None:
        raise TidingsError("The ledger gave no number to a new row.", "Check the disk, then repeat the command.")
    return number
