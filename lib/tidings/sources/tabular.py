"""File sources: orders, events, requests and vitals from CSV, Parquet or JSON lines, by a mapping of columns.

Each file is a part: a file that changed replaces its own rows, one that did not is skipped. DuckDB parses, in
memory and file by file; it never sees the warehouse (decision 4).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from tidings.errors import SourceError
from tidings.settings import Settings
from tidings.sources import files, reading
from tidings.sources.files import File, Scan
from tidings.sources.filling import converted, fill, parser, refuse
from tidings.sources.landing import Draft, Landing
from tidings.sources.manifest import Input
from tidings.sources.mapping import OPTIONS, FileOptions, read_options
from tidings.sources.places import Places
from tidings.sources.privacy import Pseudonyms, Salts
from tidings.sources.shapes import SHAPES, Shape
from tidings.sources.source import Endpoint, Pull, Pulled, SourceKind
from tidings.sources.statement import Plan, plan, statement
from tidings.sources.values import EPOCHS
from tidings.sources.web import WebRows
from tidings.window import end_of_local_day

_BATCH = 122_880


class _Irregular(Exception):
    """A CSV file that the fast reader cannot number line by line."""


@dataclass(frozen=True)
class FileSource:
    """One configured source of files of one feed."""

    name: str
    kind: str
    shape: Shape
    options: FileOptions
    settings: Settings

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """One, named after the feed."""
        return (Endpoint(self.shape.feed.name, self.shape.feed, self.shape.feed.doc),)

    def warnings(self) -> list[str]:
        """None."""
        return []

    def check(self, pull: Pull) -> list[str]:
        """Files that are missing or not what they say, and columns that are not in them; one sentence each."""
        problems: list[str] = []
        try:
            unusable: list[SourceError] = []
            found = files.matching(self.settings.root, self.options.paths, unusable)
            problems += map(str, unusable)
            with self._places(), parser() as connection:
                for file in found:
                    try:
                        files.check_content(file)
                        self._plan(connection, file)
                    except SourceError as error:
                        problems.append(str(error))
        except SourceError as error:
            problems.append(str(error))
        return problems

    def pull(self, landing: Landing, pull: Pull) -> Iterator[Pulled]:
        """Land the files that are new or have changed. A file that cannot be used stops no other file.

        Raises:
            SourceError: no file, or files that cannot be used, each named; the others are landed.
        """
        failed: list[SourceError] = []
        found = files.matching(self.settings.root, self.options.paths, failed)
        with ExitStack() as stack:
            pseudonyms = Pseudonyms(
                Salts(self.settings.root / "data" / "salts.json", pull.now), self.settings.site or self.name
            )
            places = stack.enter_context(self._places())
            connection = stack.enter_context(parser())
            for file in found:
                try:
                    yield self._pull_file(connection, file, landing, pull, pseudonyms, places)
                except SourceError as error:
                    failed.append(error)
        yield from self._missing(landing, {file.name for file in found})
        if len(failed) == 1:
            raise failed[0]
        if failed:
            raise SourceError(
                f"{len(failed)} files of {self.name} cannot be used: " + " ".join(str(error) for error in failed)
            )

    def _pull_file(
        self,
        connection: duckdb.DuckDBPyConnection,
        file: File,
        landing: Landing,
        pull: Pull,
        pseudonyms: Pseudonyms,
        places: Places | None,
    ) -> Pulled:
        feed = self.shape.feed
        files.check_content(file)
        scan = files.scan(file)
        source_input = Input(file.name, scan.sha256, self.options.fingerprint)
        landed = landing.unchanged(self.name, feed.name, file.name, source_input)
        if landed and not pull.again:
            return Pulled(self.name, feed.name, feed.name, landed.rows, landed.rejected, skipped=True, part=file.name)
        if not scan.is_utf8 and file.form != "parquet":
            files.require_encoding(file, self.options.encoding)
        this = self._plan(connection, file)
        web = None
        if self.shape.helpers:
            web = WebRows(this, self.settings.site, pseudonyms, places)
        is_plain = scan.is_utf8 and self.options.encoding == "utf-8" and not scan.has_returns
        is_fast = {"parquet": not this.head.is_odd, "csv": is_plain and not this.head.before}.get(file.form, False)
        for rows in [_streamed, _with_care] if is_fast else [_with_care]:
            try:
                with landing.draft(
                    self.name, feed.name, feed, now=pull.now, part=file.name, source_input=source_input
                ) as draft:
                    tables = rows(connection, file, this, scan, draft)
                    last = fill(draft, tables, web, pull.progress, file.name, scan.lines)
                    if last is not None:
                        draft.complete_until = min(end_of_local_day(last, self.options.zone), pull.now)
                break
            except _Irregular:
                continue
        return Pulled(
            self.name,
            feed.name,
            feed.name,
            draft.rows,
            draft.rejected,
            part=file.name,
            messages=self._messages(file, draft, landing.raw),
        )

    def _missing(self, landing: Landing, names: set[str]) -> Iterator[Pulled]:
        """Files that were landed and are no longer there: renamed ones are let go, the rows of others stay."""
        feed = self.shape.feed
        landed = landing.entries(self.name, feed.name)
        here = {entry.input.sha256: entry.part for entry in landed if entry.input and entry.part in names}
        for entry in landed:
            if entry.part in names:
                continue
            now_called = here.get(entry.input.sha256) if entry.input else None
            message = (
                f"{entry.part} is no longer there. Its {entry.rows:,} rows stay; to drop them, delete "
                f"data/raw/{self.name} and pull again."
            )
            if now_called:
                landing.drop(self.name, feed.name, entry.part)
                message = f"{entry.part} is now {now_called}."
            rows = 0 if now_called else entry.rows
            yield Pulled(self.name, feed.name, feed.name, rows, skipped=True, part=entry.part, messages=(message,))

    def _messages(self, file: File, draft: Draft, raw: Path) -> tuple[str, ...]:
        if draft.rejected and draft.entry is not None:
            where = raw / self.name / self.shape.feed.name / str(draft.entry.rejected_file)
            shown = where.relative_to(self.settings.root) if where.is_relative_to(self.settings.root) else where
            return (f"{draft.rejected:,} rows of {file.name} were rejected, each with its reason: {shown}",)
        if not draft.rows:
            return (f"{file.name} has no rows.",)
        return ()

    def _plan(self, connection: duckdb.DuckDBPyConnection, file: File) -> Plan:
        if self.options.time_format and self.options.time_format not in EPOCHS:
            self._check_time_format(connection)
        found = reading.head(connection, file, self.options.encoding, self.options.columns.values())
        return plan(self.shape, self.options, found, self.name, file.name)

    def _check_time_format(self, connection: duckdb.DuckDBPyConnection) -> None:
        time_format = self.options.time_format
        try:
            connection.execute(f"SELECT try_strptime('', {reading.literal(time_format)})")
        except duckdb.Error as error:
            raise SourceError(
                f"The time_format '{time_format}' of the source {self.name} cannot be used.",
                "Write it as in '%d.%m.%Y %H:%M:%S'.",
            ) from error

    def _places(self) -> AbstractContextManager[Places | None]:
        wanted = self.settings.geoip is not None and "ip" in self.options.columns
        return Places(self.settings.geoip) if wanted and self.settings.geoip else nullcontext()


def _streamed(
    connection: duckdb.DuckDBPyConnection, file: File, this: Plan, scan: Scan, draft: Draft
) -> Iterator[pa.Table]:
    """The rows of a Parquet or well-formed CSV file, read by DuckDB alone.

    Raises:
        _Irregular: a row cannot be converted, a CSV file has a broken record, or its records are not one per line.
    """
    numbered = file.form == "parquet"
    query = statement(this, reading.relation(file, this.head), numbered=numbered)
    line = 1
    try:
        for batch in connection.sql(query).to_arrow_reader(_BATCH):
            table = pa.table(batch)
            if not numbered:
                table = table.append_column("_line", pa.array(range(line + 1, line + 1 + table.num_rows), pa.int64()))
                line += table.num_rows
            yield table
    except (duckdb.Error, OSError, pa.ArrowException) as error:
        # Arrow hands on what the engine finds while it streams as an OSError.
        raise _Irregular from error
    if not numbered and line != scan.lines:
        raise _Irregular


def _with_care(
    connection: duckdb.DuckDBPyConnection, file: File, this: Plan, scan: Scan, draft: Draft
) -> Iterator[pa.Table]:
    """The rows of a file, records found in Python; what is no record is rejected with its line.

    Raises:
        SourceError: a Parquet file is damaged.
    """
    rejects: list[reading.Reject] = []
    encoding = this.options.encoding
    if file.form == "parquet":
        chunks = reading.parquet_chunks(file, this.head)
    elif this.is_json:
        chunks = reading.json_chunks(file, encoding, rejects)
    else:
        chunks = reading.csv_chunks(file, this.head, encoding, rejects, this.needed)
    query = statement(this, "chunk", numbered=True)
    try:
        for chunk in chunks:
            yield from converted(connection, query, chunk, rejects)
            if rejects:
                refuse(draft, *zip(*rejects, strict=True))
                rejects.clear()
    except (OSError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0]
        raise SourceError(f"{file.name} cannot be read to its end: {reason}.", "Export it again.") from error


def _kind(shape: Shape) -> SourceKind:
    def open_source(name: str, table: Mapping[str, Any], settings: Settings) -> FileSource:
        options = read_options(name, table, settings, shape.feed, helpers=shape.helpers, derived=shape.derived)
        return FileSource(name, shape.feed.name, shape, options, settings)

    return SourceKind(shape.feed.name, shape.summary, OPTIONS, open_source)


ORDERS_FILES, EVENTS_FILES, REQUESTS_FILES, VITALS_FILES, FIGURES_FILES = map(_kind, SHAPES)
