"""Writes one load: rows of one feed into an immutable file."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tidings.enrich.characters import plain, plain_column
from tidings.errors import SourceError
from tidings.feeds import Feed
from tidings.feeds.remarks import Remark
from tidings.landing.manifest import Input, Load, Span, input_json, span_json
from tidings.parsing.values import EARLIEST, LATEST
from tidings.window import hours_before

DRAFT = ".draft.parquet"
DRAFT_REJECTED = ".draft.rejected.parquet"
_ROW_GROUP = 122_880
# More than any difference between time zones, plus a clock that is a day off.
_AHEAD_HOURS = 48
_REJECTED = pa.schema([("line", pa.int64()), ("reason", pa.string()), ("record", pa.string())])


def arrow_schema(feed: Feed) -> pa.Schema:
    """The columns of a landed file: the feed's, then `_line` (1-based) and `_record` (the raw record)."""
    columns = ibis.schema({name: column.type.removeprefix("!") for name, column in feed.columns.items()})
    return pa.schema([*columns.to_pyarrow(), pa.field("_line", pa.int64()), pa.field("_record", pa.string())])


class LoadWriter:
    """Writes a load batch by batch; it is committed if the block ends without an error.

    Until then `complete_until` may be set (by default the end of the window, or the time of the pull if that is
    earlier), and `covers` (as in the manifest) and `facts`; `partition` and `window` may be changed to redirect the
    rows; `load` and `restated_days` (days that were reported differently before) are set afterwards. `remarks` counts
    what rows contain that the user should know; `newest` is the time of the latest row so far, naive UTC.
    """

    def __init__(
        self,
        folder: Path,
        feed: Feed,
        partition: str,
        window: Span | None,
        source_input: Input | None,
        now: datetime,
    ) -> None:
        self.complete_until: datetime | None = None
        self.covers = ""
        self.facts: dict[str, float] = {}
        self.rows = 0
        self.rejected = 0
        self.restated_days = 0
        self.remarks: Counter[Remark] = Counter()
        self.load: Load | None = None
        self.newest: datetime | None = None
        self._now = now
        self.partition = partition
        self.window = window
        self._feed = feed
        self._schema = arrow_schema(feed)
        # The identity of the load is part of the file, so that equal rows of two partitions make two files.
        identity = {
            "partition": partition,
            "window": span_json(window),
            "input": input_json(source_input),
            "tool": tool_version(),
        }
        schema = self._schema.with_metadata({"tidings": json.dumps(identity, sort_keys=True)})
        self._writer = _Writer(folder / DRAFT, schema)
        self._rejects = _Writer(folder / DRAFT_REJECTED, _REJECTED)

    def add(self, rows: pa.RecordBatch | pa.Table) -> None:
        """Add rows with the feed's columns, `_line` and `_record`; feed columns left out are null.

        Rows outside of the window are rejected: they would duplicate rows of another window. So are rows more than two
        days after the pull: a mistyped year would be taken for the end of the data. Unprintable characters are
        replaced, here and in `reject`: nothing is landed in any other way.

        Raises:
            SourceError: a column is unknown or has another type, or a required one contains nulls.
        """
        table = self._in_time(self._conform(rows))
        if self.window is not None:
            inside = _inside(table[self._feed.time], self.window)
            outside = table.filter(pc.invert(inside))
            if outside.num_rows:
                reason = f"{self._feed.time} lies outside of the window that was pulled"
                reasons = pa.repeat(pa.scalar(reason), outside.num_rows)
                self.reject(outside["_line"], reasons, outside["_record"])
                table = table.filter(inside)
        table = self._possible(table)
        if table.num_rows:
            newest = pc.max(table[self._feed.time]).as_py()
            self.newest = newest if self.newest is None else max(self.newest, newest)
        self.rows += table.num_rows
        for vocabulary in self._feed.vocabularies:
            self.remarks.update(vocabulary.remarks(table))
        for notice in self._feed.notices:
            self.remarks.update(notice.remarks(table))
        self._writer.write(table)

    def _possible(self, table: pa.Table) -> pa.Table:
        """The rows with possible times; the others are rejected."""
        name, times = self._feed.time, table[self._feed.time]
        first, end = (pa.scalar(at, times.type) for at in (EARLIEST, LATEST))
        within = pc.and_(pc.greater_equal(times, first), pc.less(times, end))
        if not pc.all(within).as_py():
            # Not shown: infinity cannot be written as a date.
            strange = table.filter(pc.invert(within))
            reasons = pa.repeat(pa.scalar(f"{name}: lies outside of the years 1900 to 2199"), strange.num_rows)
            self.reject(strange["_line"], reasons, strange["_record"])
            table = table.filter(within)
        if self._feed.may_be_ahead:
            return table
        allowed = hours_before(self._now, -_AHEAD_HOURS).astimezone(UTC).replace(tzinfo=None)
        ahead = pc.greater(table[name], pa.scalar(allowed, times.type))
        if not pc.any(ahead).as_py():
            return table
        future = table.filter(ahead)
        reported = f"{name}: '{{}}' is more than {_AHEAD_HOURS // 24} days after the pull (of {self._now:%Y-%m-%d})"
        reasons = [reported.format(time.isoformat(" ", "seconds")) for time in future[name].to_pylist()]
        self.reject(future["_line"], reasons, future["_record"])
        return table.filter(pc.invert(ahead))

    def reject(self, lines: Any, reasons: Any, records: Any) -> None:
        """Add unusable rows: position in the input, a sentence each, and the raw record."""
        table = pa.table(list(map(_column, (lines, reasons, records), _REJECTED)), schema=_REJECTED)
        self.rejected += table.num_rows
        self._rejects.write(table)

    def _conform(self, rows: pa.RecordBatch | pa.Table) -> pa.Table:
        unknown = [name for name in rows.schema.names if name not in self._schema.names]
        missing = [name for name in ("_line", "_record") if name not in rows.schema.names]
        if unknown or missing:
            raise SourceError(
                f"Rows for the feed {self._feed.name} have unknown columns {unknown} and lack {missing}.",
                "Pass the feed's columns, _line and _record.",
            )
        columns = []
        for column in self._schema:
            if column.name not in rows.schema.names:
                columns.append(pa.nulls(rows.num_rows, column.type))
                continue
            try:
                cast = rows.column(column.name).cast(column.type)
                columns.append(_plain(cast if isinstance(cast, pa.ChunkedArray) else pa.chunked_array([cast])))
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                raise SourceError(
                    f"The column {column.name} for the feed {self._feed.name} is not {column.type}: {error}.",
                    "Convert it before landing, and reject the rows that cannot be converted.",
                ) from error
        table = pa.table(columns, schema=self._schema)
        for name in (*self._feed.required, "_line"):
            if table[name].null_count:
                raise SourceError(
                    f"The required column {name} of the feed {self._feed.name} holds nulls.",
                    "Reject these rows with a reason before landing.",
                )
        return table

    def _in_time(self, table: pa.Table) -> pa.Table:
        """The rows without those that have an instant outside of the supported years, which are rejected."""
        for field in self._schema:
            if not pa.types.is_timestamp(field.type) or not table.num_rows:
                continue
            bounds = (pa.scalar(bound, field.type) for bound in (EARLIEST, LATEST))
            early, late = (
                f(table[field.name], bound) for f, bound in zip((pc.less, pc.greater_equal), bounds, strict=True)
            )
            outside = pc.fill_null(pc.or_(early, late), False)
            if pc.any(outside).as_py():
                far = table.filter(outside)
                reason = f"{field.name}: lies outside of the years 1900 to 2199"
                self.reject(far["_line"], pa.repeat(pa.scalar(reason), far.num_rows), far["_record"])
                table = table.filter(pc.invert(outside))
        return table

    def close(self) -> None:
        """Finish both files on disk."""
        self._writer.close(always=True)
        self._rejects.close(always=False)


class _Writer:
    """A Parquet file written in row groups of even size, so that memory does not grow with the rows.

    A group is compressed and written by a thread of its own while the next one is read; the last one needs none.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._path = path
        self._schema = schema
        self._file: pq.ParquetWriter | None = None
        self._waiting: list[pa.Table] = []
        self._count = 0
        self._thread: ThreadPoolExecutor | None = None
        self._writing: Future[None] | None = None

    def write(self, table: pa.Table) -> None:
        if table.num_rows:
            self._waiting.append(table)
            self._count += table.num_rows
        if self._count >= _ROW_GROUP:
            group = self._next_group()
            self._thread = self._thread or ThreadPoolExecutor(1)
            self._writing = self._thread.submit(self._write_group, *group)

    def close(self, *, always: bool) -> None:
        try:
            if self._count or (always and self._file is None):
                self._write_group(*self._next_group())
            self._finish_group()
        finally:
            if self._thread is not None:
                self._thread.shutdown()
            if self._file is not None:
                self._file.close()

    def _next_group(self) -> tuple[pq.ParquetWriter, pa.Table]:
        """The file and what waits for it, when the group before is written: at most one group is ahead."""
        if self._file is None:
            # Records hardly repeat: a dictionary of them would be built and thrown away.
            repeating = [column.name for column in self._schema if column.name not in ("_line", "_record", "record")]
            self._file = pq.ParquetWriter(self._path, self._schema, compression="zstd", use_dictionary=repeating)
        waiting = pa.concat_tables(self._waiting) if self._waiting else self._schema.empty_table()
        self._waiting, self._count = [], 0
        self._finish_group()
        return self._file, waiting

    def _write_group(self, file: pq.ParquetWriter, rows: pa.Table) -> None:
        file.write_table(rows.cast(self._schema), row_group_size=_ROW_GROUP)

    def _finish_group(self) -> None:
        """Wait for the group that is being written, and raise what failed there."""
        if self._writing is not None:
            writing, self._writing = self._writing, None
            writing.result()


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    is_text = pa.types.is_string(column.type) or pa.types.is_map(column.type)
    return plain_column(column) if is_text else column


def _column(values: Any, field: pa.Field) -> pa.ChunkedArray:
    """A column of rejected rows, from any iterable."""
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return _plain(pa.chunked_array(values if isinstance(values, pa.ChunkedArray) else [values], field.type))
    if pa.types.is_string(field.type):
        # Lone surrogates, which Arrow cannot hold, only occur in Python strings.
        values = [None if value is None else plain(value) for value in values]
    return pa.chunked_array([pa.array(values, field.type)], field.type)


def _inside(times: pa.ChunkedArray, window: Span) -> pa.ChunkedArray:
    start, end = (pa.scalar(at.astimezone(UTC).replace(tzinfo=None), times.type) for at in (window.start, window.end))
    return pc.and_(pc.greater_equal(times, start), pc.less(times, end))


@cache
def tool_version() -> str:
    return version("tidings")
