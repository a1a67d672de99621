"""Lands rows of a database: converted like those of a file, one partition per chunk."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager
from typing import Final, Protocol

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from tidings.enrich.geography import Places
from tidings.enrich.pseudonyms import Pseudonyms
from tidings.errors import SourceError
from tidings.landing.load_writer import LoadWriter
from tidings.landing.manifest import Input, Load
from tidings.landing.store import Landing
from tidings.mapping.filling import converted, fill, reject
from tidings.mapping.mapped import MappedSource
from tidings.mapping.statement import Plan, statement
from tidings.mapping.web_events import WebRows, scrubbed
from tidings.parsing.reading import Reject
from tidings.sources.source import Pull, Pulled

_READING: Final = re.compile(r"reading (\d+): ")
# The quoted value in a reason, which differs from row to row.
_VALUE: Final = re.compile(r"'.*?'(?= is )", re.DOTALL)


class Configured(MappedSource, Protocol):
    """What an intake needs to know about its table or query."""

    @property
    def cursor(self) -> str:
        """The cursor column; empty without one."""

    def plan(self, connection: duckdb.DuckDBPyConnection, sample: pa.Table, plain: frozenset[str]) -> Plan:
        """How the rows are converted."""


class Intake:
    """Converts and lands the rows of one pull."""

    def __init__(
        self,
        source: Configured,
        plain: frozenset[str],
        landing: Landing,
        pull: Pull,
        connection: duckdb.DuckDBPyConnection,
        pseudonyms: Pseudonyms,
        places: Places | None,
    ) -> None:
        self.source = source
        self._plain = plain
        self.landing = landing
        self.pull = pull
        self._connection = connection
        self._pseudonyms = pseudonyms
        self._places = places
        self._feed = source.shape.feed
        self._generation = max((_generation(load) for load, _ in self._readings()), default=0)
        self._reasons: Counter[str] = Counter()
        self._examples: dict[str, str] = {}

    def loads(self) -> tuple[Load, ...]:
        """The loads in force."""
        return self.landing.loads(self.source.name, self._feed.name)

    def quarantined(self) -> tuple[Load, ...]:
        """Quarantined loads: none of their rows could be used."""
        return self.landing.quarantined(self.source.name, self._feed.name)

    def begin_anew(self) -> None:
        """Start a new full reading; what is landed stays in force until it is complete."""
        if self.loads():
            self._generation = max(map(_generation, self.loads())) + 1

    def partition(self, name: str) -> str:
        """A partition name for this reading, different from those of earlier readings."""
        return f"reading {self._generation + 1}: {name}" if self._generation else name

    def mine(self) -> list[tuple[Load, Input]]:
        """The loads of this reading, oldest first, without quarantined ones."""
        return [(load, read) for load, read in self._readings() if _generation(load) == self._generation]

    def _readings(self) -> list[tuple[Load, Input]]:
        as_now = self.source.options.fingerprint
        return [(load, load.input) for load in self.loads() if load.input and load.input.mapping == as_now]

    def land(self, partition: str, tables: Iterator[pa.Table], last: str) -> Pulled:
        """Land rows as one partition, replacing what it held; `last` is the cursor where they end."""
        had = sum(load.rows for load in self.loads() if load.partition == partition or self._is_older(load))
        before = sum(load.rows for load in self.loads() if load.partition == partition)
        where = f"data/raw/{self.source.name}/{self._feed.name}"
        self._reasons.clear()
        with self._draft(partition, last) as writer:
            fill(writer, self._converted(tables, writer), None, self.pull.progress, self._feed.name, 0)
            writer.complete_until = self.pull.now
        if had and writer.rejected and not writer.rows:
            raise SourceError(
                f"None of the {writer.rejected:,} rows can be used; the {had:,} that were landed before stay. "
                f"{self.commonest(1)}.",
                f"The rejected ones are kept, each with its reason: {where}. Compare the mapping with the columns.",
            )
        if before and not writer.rows:
            return self._pulled(partition, writer, (f"There are no rows any more; there were {before:,}.",))
        messages = (
            (f"{writer.rejected:,} rows were rejected, each with its reason: {where}. {self.commonest(3)}.",)
            if writer.rejected
            else ()
        )
        return self._pulled(partition, writer, messages)

    def _is_older(self, load: Load) -> bool:
        return load.input is not None and _generation(load) < self._generation and bool(self.source.cursor)

    def commonest(self, count: int) -> str:
        """The most common reasons among the rows rejected by the last load, each with its first value."""
        reported = [f"{self._examples[kind]} ({rows:,})" for kind, rows in self._reasons.most_common(count)]
        return f"Most common: {'; '.join(reported)}" if reported else "The reasons are kept with them"

    def _note(self, reasons: pa.ChunkedArray) -> None:
        for counted in reasons.drop_null().value_counts().to_pylist():
            text = scrubbed(counted["values"])
            kind = _VALUE.sub("", text)
            self._examples.setdefault(kind, text)
            self._reasons[kind] += counted["counts"]

    def reject(self, partition: str, table: pa.Table, reason: str) -> Pulled:
        """Keep rows as rejected, all for one reason."""
        with self._draft(partition, "") as writer:
            for rows in self._converted(iter([table]), writer):
                reject(writer, rows["_line"].to_pylist(), [reason] * rows.num_rows, rows["_record"].to_pylist())
            writer.complete_until = self.pull.now
        return self._pulled(partition, writer, (f"{writer.rejected:,} rows are kept aside. {reason}.",))

    def drop_others(self, kept: Collection[str]) -> None:
        """Remove the loads of earlier readings, now that this one is complete."""
        for partition in sorted({load.partition for load in (*self.loads(), *self.quarantined())} - set(kept)):
            self.landing.drop(self.source.name, self._feed.name, partition)

    def _draft(self, partition: str, last: str) -> AbstractContextManager[LoadWriter]:
        digest = hashlib.sha256(f"{partition} to {last}".encode()).hexdigest()
        return self.landing.writer(
            self.source.name,
            self._feed.name,
            self._feed,
            now=self.pull.now,
            partition=partition,
            source_input=Input(last, digest, self.source.options.fingerprint),
        )

    def _pulled(self, partition: str, writer: LoadWriter, messages: tuple[str, ...]) -> Pulled:
        name = self._feed.name
        return Pulled(
            self.source.name, name, name, writer.rows, writer.rejected, partition=partition, messages=messages
        )

    def _converted(self, tables: Iterator[pa.Table], writer: LoadWriter) -> Iterator[pa.Table]:
        """Rows of the feed, each with its record and its faults; rows that break the query are rejected."""
        source, query, web, line = self.source, "", None, 1
        rejects: list[Reject] = []
        for table in tables:
            if not query:
                this = source.plan(self._connection, table, self._plain)
                query = statement(this, "chunk", numbered=True)
                if source.shape.helpers:
                    web = WebRows(this, source.settings.site, self._pseudonyms, self._places)
            numbers = pa.array(range(line, line + table.num_rows), pa.int64())
            chunk = positional(table).append_column("_line", numbers)
            line += table.num_rows
            for read in converted(self._connection, query, chunk, rejects):
                rows = web.complete(read) if web else read
                rows = self._with_keys(rows) if source.cursor else rows
                self._note(rows["_reason"])
                yield rows
            if rejects:
                lines, reasons, records = zip(*rejects, strict=True)
                self._note(pa.chunked_array([reasons]))
                reject(writer, lines, reasons, records)
                rejects.clear()

    def _with_keys(self, rows: pa.Table) -> pa.Table:
        """The rows, with those rejected that lack a key: they could not be recognised when they come again."""
        reasons = rows["_reason"]
        for name in self._feed.key:
            known = rows[name] if name in rows.column_names else pa.nulls(rows.num_rows, pa.string())
            lacking = f"{name}: is missing, but it is part of the key by which repeated rows are recognised"
            unkeyed = pc.and_(pc.is_null(known), pc.is_null(reasons))
            reasons = pc.if_else(unkeyed, pa.scalar(lacking), reasons)
        return rows.set_column(rows.column_names.index("_reason"), "_reason", reasons)


def _generation(load: Load) -> int:
    """The number of the full reading that a load belongs to, from 0."""
    found = _READING.match(load.partition)
    return int(found[1]) - 1 if found else 0


def positional(table: pa.Table) -> pa.Table:
    """The columns as `c0`, `c1` …, in types that the converter knows."""
    columns = [
        column.cast(pa.string()) if isinstance(column.type, pa.BaseExtensionType) else column
        for column in table.itercolumns()
    ]
    return pa.table(columns, names=[f"c{number}" for number in range(len(columns))])
