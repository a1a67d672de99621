"""The ledger: what the workbook did (pulls, builds, runs), which cannot be derived from the data."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from tidings.errors import RunError, TidingsError
from tidings.ledger.entries import BuildEntry, PullEntry, RunEntry, SectionEntry, Status, kept, read
from tidings.ledger.lease import Leases
from tidings.ledger.schema import MIGRATIONS

_Entry = TypeVar("_Entry")
_WAIT_SECONDS = 30.0


class Ledger:
    """The only writer of `data/ledger.sqlite`; every call is one transaction on a connection of its own.

    Several threads and processes may write at once: a writer waits up to 30 s for its turn; readers take no lock that
    writers would wait for. Instants are passed in as aware datetimes and stored as ISO text in UTC. Entries note the
    process that runs them, so that those a dead one left `running` are read as `interrupted`.

    Raises:
        TidingsError: the file is not a ledger, was written by a newer version, or stays locked.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self.leases = Leases(file.parent / ".running")

    def start_pull(self, source: str, started_at: datetime) -> int:
        """Record the start of a pull, before it does anything; returns its number."""
        return self.insert("pulls", source=source, **self._running(started_at))

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
        """Record the end of a pull."""
        counts = {"rows": rows, "rejected": rejected, "restated": restated}
        self.update("pulls", {"id": pull}, status=status, seconds=seconds, messages=messages, error=error, **counts)

    def start_build(self, started_at: datetime) -> int:
        """Record the start of a build, before it does anything; returns its number."""
        return self.insert("builds", **self._running(started_at))

    def finish_build(
        self, number: int, status: Status, *, seconds: float, build: str = "", rows: int = 0, error: str = ""
    ) -> None:
        """Record the end of a build and its build id."""
        self.update("builds", {"id": number}, status=status, seconds=seconds, build=build, rows=rows, error=error)

    def start_run(self, run: str, *, sections: Sequence[str], started_at: datetime, **about: Any) -> None:
        """Record the start of a run, before it does anything, with its sections `waiting`; `about` has fields of
        `RunEntry`.
        """
        row = {"id": run, **about, "pulls": self.last_pulls().values(), **self._running(started_at)}
        with self.transaction() as connection:
            (row["alerts_until"],) = connection.execute("SELECT coalesce(max(id), 0) FROM alert_events").fetchone()
            add(connection, "runs", row)
            for position, section in enumerate(sections):
                waiting = {"run": run, "position": position, "section": section, "status": "waiting"}
                add(connection, "run_sections", waiting)

    def start_section(self, run: str, section: str) -> None:
        self.update("run_sections", {"run": run, "section": section}, status="running")

    def finish_section(self, run: str, section: str, status: Status, *, seconds: float, error: str = "") -> None:
        self.update("run_sections", {"run": run, "section": section}, status=status, seconds=seconds, error=error)

    def finish_run(self, run: str, status: Status, *, seconds: float, error: str = "") -> None:
        """Record the end of a run; sections still unfinished are read as stopped with it."""
        self.update("runs", {"id": run}, status=status, seconds=seconds, error=error)

    def pulls(self, limit: int = 20) -> tuple[PullEntry, ...]:
        return self.entries(PullEntry, "SELECT * FROM pulls ORDER BY id DESC LIMIT ?", limit)

    def last_pulls(self) -> Mapping[str, PullEntry]:
        """The latest pull of every source that was ever pulled."""
        query = "SELECT * FROM pulls WHERE id IN (SELECT max(id) FROM pulls GROUP BY source) ORDER BY source"
        return {entry.source: entry for entry in self.entries(PullEntry, query)}

    def last_successes(self) -> Mapping[str, PullEntry]:
        """The latest pull that was done, of every source that has one."""
        query = """SELECT * FROM pulls WHERE id IN (
            SELECT max(id) FROM pulls WHERE status = 'done' GROUP BY source) ORDER BY source"""
        return {entry.source: entry for entry in self.entries(PullEntry, query)}

    def last_build(self) -> BuildEntry | None:
        """The latest build that was done; one that found nothing new is."""
        query = "SELECT * FROM builds WHERE status = 'done' ORDER BY id DESC LIMIT 1"
        return next(iter(self.entries(BuildEntry, query)), None)

    def builds(self, limit: int = 20) -> tuple[BuildEntry, ...]:
        return self.entries(BuildEntry, "SELECT * FROM builds ORDER BY id DESC LIMIT ?", limit)

    def runs(self, limit: int = 20) -> tuple[RunEntry, ...]:
        """The latest runs with their sections in order, newest first."""
        found = self.entries(RunEntry, "SELECT * FROM runs ORDER BY started_at DESC, rowid DESC LIMIT ?", limit)
        return tuple(replace(run, sections=self._sections(run)) for run in found)

    def run(self, run: str) -> RunEntry:
        """The run of that id.

        Raises:
            RunError: there is none.
        """
        found = self.entries(RunEntry, "SELECT * FROM runs WHERE id = ?", run)
        if not found:
            raise RunError(f"There is no run {run} in the ledger.", "Run the report anew.")
        return replace(found[0], sections=self._sections(found[0]))

    def builds_in_use(self) -> frozenset[str]:
        """The builds that runs of living processes read: they must be kept, however many were made since."""
        rows = self.rows("SELECT build, status, process FROM runs WHERE status = 'running'")
        return frozenset(row["build"] for row in rows if row["status"] == "running")

    def _running(self, started_at: datetime) -> dict[str, Any]:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        return {"status": "running", "started_at": started_at, "process": self.leases.mine()}

    def insert(self, table: str, **row: Any) -> int:
        with self.transaction() as connection:
            return add(connection, table, row)

    def update(self, table: str, key: Mapping[str, Any], **row: Any) -> None:
        columns, found = (", ".join(f"{name} = ?" for name in row), " AND ".join(f"{name} = ?" for name in key))
        with self.transaction() as connection:
            connection.execute(f"UPDATE {table} SET {columns} WHERE {found}", (*kept(row), *key.values()))  # noqa: S608

    def _sections(self, run: RunEntry) -> tuple[SectionEntry, ...]:
        query = "SELECT section, status, seconds, error FROM run_sections WHERE run = ? ORDER BY position"
        found = self.entries(SectionEntry, query, run.id)
        if run.status != "interrupted":
            return found
        return tuple(replace(each, status="interrupted") if each.status == "running" else each for each in found)

    def entries(self, kind: type[_Entry], query: str, *values: object) -> tuple[_Entry, ...]:
        rows = self.rows(query, *values)
        try:
            return tuple(kind(**{name: read(name, value) for name, value in row.items()}) for row in rows)
        except (ValueError, TypeError) as error:
            raise TidingsError(
                f"The ledger {self._file} holds a row that cannot be read: {error}.",
                "Move the file away: a new one is made, and the data are not touched.",
            ) from error

    def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        """Rows; those that a dead process left running become `interrupted`."""
        if not self._file.exists():
            return []
        with self._connection() as connection:
            rows = [dict(row) for row in connection.execute(query, values)]
        for row in rows:
            process = row.pop("process", None) if "status" in row else None
            if process is not None and row["status"] == "running" and not self.leases.is_alive(process):
                row["status"] = "interrupted"
        return rows

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        with self._connection() as connection:
            # IMMEDIATE takes the write lock at once: two processes queue instead of failing half-way.
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """A connection to tables of this version; SQLite errors become ours.

        SQLite itself opens a file without write permission as read-only, and recovers what a killed writer left.
        """
        try:
            with closing(sqlite3.connect(self._file, timeout=_WAIT_SECONDS, isolation_level=None)) as connection:
                connection.row_factory = sqlite3.Row
                if self._version(connection) < len(MIGRATIONS):
                    self._migrate(connection)
                # Not before: a table that others refer to could not be recreated.
                connection.execute("PRAGMA foreign_keys = ON")
                yield connection
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
        if version > len(MIGRATIONS):
            raise TidingsError(
                f"The ledger {self._file.name} has schema {version}; this Tidings knows {len(MIGRATIONS)}.",
                "It was written by a newer version: update Tidings.",
            )
        return version

    def _migrate(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        # Checked again: another process may have migrated while this one waited.
        for script in MIGRATIONS[self._version(connection) :]:
            # Not executescript: that would commit, and let another process see a half-made schema.
            for statement in script.split(";"):
                if statement.strip():
                    connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        connection.execute("COMMIT")


def add(connection: sqlite3.Connection, table: str, row: Mapping[str, Any]) -> int:
    marks = ", ".join("?" * len(row))
    made = connection.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", kept(row))  # noqa: S608
    return made.lastrowid or 0
