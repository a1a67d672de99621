"""File sources: orders, events, requests and vitals from CSV, Parquet or JSON lines, through a column mapping.

Each file is a partition: a changed file replaces its own rows, an unchanged one is skipped. DuckDB parses in memory,
file by file; it never sees the warehouse (decision 4).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import duckdb
import pyarrow as pa

from tidings.connectors.files.trial import advised, tried
from tidings.enrich.geography import Places
from tidings.enrich.pseudonyms import Pseudonyms, Salts
from tidings.errors import SourceError
from tidings.feeds import EVENTS
from tidings.landing.loads import lone_past
from tidings.landing.manifest import Input
from tidings.landing.rejections import Reason, options_against, reasons_in
from tidings.landing.store import Landing, LoadWriter
from tidings.mapping.filling import converted, fill, parser, reject
from tidings.mapping.options import PULL, EventFileTable, FileOptions, FileTable, mapped_options
from tidings.mapping.shapes import SHAPES, Shape
from tidings.mapping.statement import Plan, plan, statement
from tidings.mapping.web_events import WebRows
from tidings.parsing import files, reading
from tidings.parsing.files import File, Scan
from tidings.parsing.values import EPOCHS
from tidings.settings import Settings
from tidings.sources.inputs import passed_over, raise_failures
from tidings.sources.source import Endpoint, Pull, Pulled, SourceKind
from tidings.sources.trial import Trial
from tidings.window import end_of_local_day

_BATCH = 122_880
_REPORTED = 3
MANY_LOST = 0.1
"""Above this share of rejected rows a pull reports what to do about it."""


@dataclass(frozen=True)
class _Reader:
    """What all files of one pull are read with, so that they agree on pseudonyms."""

    connection: duckdb.DuckDBPyConnection
    pseudonyms: Pseudonyms
    places: Places | None


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
        return []

    def check(self, pull: Pull) -> list[str]:
        """Files that are missing or do not match their name, and mapped columns that are not in them; one sentence
        each.
        """
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

    def preview(self, pull: Pull) -> Iterator[Trial]:
        """A trial of the first rows of each file, advice included."""
        try:
            found = files.matching(self.settings.root, self.options.paths, [])
        except SourceError:
            return
        for file in found:
            try:
                trial = tried(self, file, pull)
            except SourceError as error:
                trial = Trial(file.name, 0, 0, (), is_all=False, failed=str(error))
            yield self._advised(file, pull, trial)

    def pull(self, landing: Landing, pull: Pull) -> Iterator[Pulled]:
        """Land the files that are new or have changed. An unusable file does not stop the others.

        Raises:
            SourceError: no file, or files without a usable row, each named; the others are landed.
        """
        failed: list[SourceError] = []
        found = files.matching(self.settings.root, self.options.paths, failed)
        with self._reader(pull) as reader:
            for file in found:
                try:
                    yield self._pull_file(reader, file, landing, pull)
                except SourceError as error:
                    failed.append(error)
        yield from self._missing(landing, {file.name for file in found})
        raise_failures(self.name, failed)

    @contextmanager
    def _reader(self, pull: Pull) -> Iterator[_Reader]:
        """What all files of one pull are read with."""
        with ExitStack() as stack:
            salts = Salts(self.settings.root / "data" / "salts.json", pull.now)
            pseudonyms = Pseudonyms(salts, self.settings.site or self.name)
            places = stack.enter_context(self._places())
            yield _Reader(stack.enter_context(parser()), pseudonyms, places)

    def _pull_file(self, reader: _Reader, file: File, landing: Landing, pull: Pull) -> Pulled:
        feed = self.shape.feed
        files.check_content(file)
        scan = files.scan(file)
        source_input = Input(file.name, scan.sha256, self.options.fingerprint)
        is_all = self.options.covers == PULL
        if known := passed_over(self.name, self.endpoints[0], file.name, source_input, landing, pull, is_all=is_all):
            return known
        writer = self._land(reader, file, scan, landing, pull)
        if writer.rejected and not writer.rows:
            raise SourceError(
                " ".join(
                    [
                        f"None of the {writer.rejected:,} rows of {file.name} can be used.",
                        *self._why(file, writer, landing.raw, pull),
                    ]
                )
            )
        messages = self._messages(file, writer, landing.raw, pull)
        return Pulled(
            self.name, feed.name, feed.name, writer.rows, writer.rejected, partition=file.name, messages=messages
        )

    def changed(self, *, options: FileOptions | None = None, settings: Settings | None = None) -> Self:
        """The same source with other options or settings."""
        return replace(self, options=options or self.options, settings=settings or self.settings)

    def land_file(self, file: File, landing: Landing, pull: Pull) -> LoadWriter:
        """Land one file, however many of its rows are rejected.

        Raises:
            SourceError: it cannot be read at all.
        """
        files.check_content(file)
        with self._reader(pull) as reader:
            return self._land(reader, file, files.scan(file), landing, pull)

    def _land(self, reader: _Reader, file: File, scan: Scan, landing: Landing, pull: Pull) -> LoadWriter:
        """The rows of a file."""
        feed = self.shape.feed
        source_input = Input(file.name, scan.sha256, self.options.fingerprint)
        if not scan.is_utf8 and file.form != "parquet":
            files.require_encoding(file, self.options.encoding)
        this = self._plan(reader.connection, file)
        web = None
        if self.shape.helpers:
            web = WebRows(this, self.settings.site, reader.pseudonyms, reader.places)
        is_plain = scan.is_utf8 and self.options.encoding == "utf-8" and not scan.has_returns
        is_fast = {"parquet": not this.head.is_odd, "csv": is_plain and not this.head.before}.get(file.form, False)
        for rows in [_streamed, _with_care] if is_fast else [_with_care]:
            try:
                with landing.writer(
                    self.name,
                    feed.name,
                    feed,
                    now=pull.now,
                    partition=file.name,
                    source_input=source_input,
                    is_file=True,
                ) as writer:
                    tables = rows(reader.connection, file, this, scan, writer)
                    last = fill(writer, tables, web, pull.progress, file.name, scan.lines)
                    if self.options.covers == PULL:
                        writer.complete_until = pull.now
                    else:
                        writer.covers = self.options.covers
                        if last is not None:
                            writer.complete_until = min(end_of_local_day(last, self.options.zone), pull.now)
                break
            except _Irregular:
                continue
        return writer

    def _missing(self, landing: Landing, names: set[str]) -> Iterator[Pulled]:
        """Landed files that no longer exist: renamed ones are forgotten, the rows of others stay."""
        feed = self.shape.feed
        landed = landing.loads(self.name, feed.name)
        for load in landing.quarantined(self.name, feed.name):
            if load.partition not in names:
                landing.drop(self.name, feed.name, load.partition, is_quarantined=True)
        here = {load.input.sha256: load.partition for load in landed if load.input and load.partition in names}
        for load in landed:
            if load.partition in names:
                continue
            now_called = here.get(load.input.sha256) if load.input else None
            message = (
                f"{load.partition} is no longer there. Its {load.rows:,} rows stay; to take them out: "
                f"tidings drop {self.name} --load {load.id} --yes"
            )
            if now_called:
                landing.drop(self.name, feed.name, load.partition)
                message = f"{load.partition} is now {now_called}."
            rows, messages = 0 if now_called else load.rows, (message,)
            yield Pulled(
                self.name, feed.name, feed.name, rows, skipped=True, partition=load.partition, messages=messages
            )

    def _messages(self, file: File, writer: LoadWriter, raw: Path, pull: Pull) -> tuple[str, ...]:
        return (*self._on_rejected(file, writer, raw, pull), *self._on_past(file, writer, raw))

    def _on_past(self, file: File, writer: LoadWriter, raw: Path) -> tuple[str, ...]:
        """Warn of rows that lie years before all others; they still count."""
        name = writer.load.file if writer.load else ""
        found = lone_past(raw / self.name / self.shape.feed.name / name, self.shape.feed.time)
        if found is None:
            return ()
        rows, day, following = found
        many = "1 row" if rows == 1 else f"{rows:,} rows"
        return (f"{many} of {file.name} up to {day}, then none until {following}: check whether the year is right.",)

    def _on_rejected(self, file: File, writer: LoadWriter, raw: Path, pull: Pull) -> tuple[str, ...]:
        if not writer.rejected:
            return () if writer.rows else (f"{file.name} has no rows.",)
        total = writer.rows + writer.rejected
        reasons = self._rejected(writer, raw)
        few = f"{writer.rejected:,} rows of {file.name} were rejected, each with its reason: {reasons}"
        if writer.rejected <= total * MANY_LOST:
            return (few, *_listed(self._reasons(writer, raw)))
        lost = f"{file.name} loses {writer.rejected / total:.0%} of its {total:,} rows."
        return (few, lost, *self._why(file, writer, raw, pull)[1:])

    def _why(self, file: File, writer: LoadWriter, raw: Path, pull: Pull) -> list[str]:
        """Where the rejected rows of a file are, the most common reasons with a first cell, and what to set."""
        reasons = self._reasons(writer, raw)
        sentences = [f"They are kept, each with its reason: {self._rejected(writer, raw)}.", *_listed(reasons)]
        try:
            trial = self._advised(file, pull, tried(self, file, pull))
            found = trial.advice or " ".join(trial.notes)
        except SourceError:
            found = ""
        named = " or ".join(f"`{option}`" for option in options_against(reasons, FileTable.__struct_fields__))
        otherwise = f"Look at {named} of [tool.tidings.sources.{self.name}]." if named else ""
        return [*sentences, *([found] if found else [otherwise] if otherwise else [])]

    def _advised(self, file: File, pull: Pull, trial: Trial) -> Trial:
        try:
            return advised(self, self.settings.sources.get(self.name, {}), file, pull, trial)
        except SourceError:
            return trial

    def _reasons(self, writer: LoadWriter, raw: Path) -> list[Reason]:
        return reasons_in(self._rejected_file(writer, raw))

    def _rejected_file(self, writer: LoadWriter, raw: Path) -> Path:
        return raw / self.name / self.shape.feed.name / str(writer.load.rejected_file if writer.load else None)

    def _rejected(self, writer: LoadWriter, raw: Path) -> Path:
        where = self._rejected_file(writer, raw)
        return where.relative_to(self.settings.root) if where.is_relative_to(self.settings.root) else where

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
        has_addresses = self.settings.geoip is not None and "ip" in self.options.columns
        return Places(self.settings.geoip) if has_addresses and self.settings.geoip else nullcontext()


def _listed(reasons: list[Reason]) -> list[str]:
    """The most common reasons, a sentence each."""
    return [f"{reason}." for reason in reasons[:_REPORTED]]


def _streamed(
    connection: duckdb.DuckDBPyConnection, file: File, this: Plan, scan: Scan, writer: LoadWriter
) -> Iterator[pa.Table]:
    """The rows of a Parquet or well-formed CSV file, read by DuckDB alone.

    Raises:
        _IrregularError: a row cannot be converted, a CSV file has a broken record, or its records are not one per line.
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
        # Arrow passes on what the engine finds while streaming as an OSError.
        raise _Irregular from error
    if not numbered and line != scan.lines:
        raise _Irregular


def _with_care(
    connection: duckdb.DuckDBPyConnection, file: File, this: Plan, scan: Scan, writer: LoadWriter
) -> Iterator[pa.Table]:
    """The rows of a file, split into records in Python; a line that is not a record is rejected.

    Raises:
        SourceError: a Parquet file is damaged.
    """
    rejects: list[reading.Reject] = []
    encoding = this.options.encoding
    if file.form == "parquet":
        chunks = reading.parquet_chunks(file, this.head)
    elif this.is_json:
        chunks = reading.json_chunks(file, encoding, rejects, this.head.inside)
    else:
        chunks = reading.csv_chunks(file, this.head, encoding, rejects, this.needed)
    query = statement(this, "chunk", numbered=True)
    try:
        for chunk in chunks:
            yield from converted(connection, query, chunk, rejects)
            if rejects:
                reject(writer, *zip(*rejects, strict=True))
                rejects.clear()
    except (OSError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0]
        raise SourceError(f"{file.name} cannot be read to its end: {reason}.", "Export it again.") from error


def _kind(shape: Shape) -> SourceKind[FileTable]:
    def open_source(name: str, given: FileTable, settings: Settings) -> FileSource:
        options = mapped_options(name, given, settings, shape.feed, helpers=shape.helpers, derived=shape.derived)
        return FileSource(name, shape.feed.name, shape, options, settings)

    return SourceKind(
        shape.feed.name, shape.summary, EventFileTable if shape.feed is EVENTS else FileTable, open_source
    )


ORDERS_FILES, EVENTS_FILES, REQUESTS_FILES, VITALS_FILES, FIGURES_FILES = map(_kind, SHAPES)
