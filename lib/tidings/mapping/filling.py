"""Writes converted rows to a load: good ones are landed, the others rejected with their reason."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from tidings.landing.load_writer import LoadWriter
from tidings.mapping.web_events import WebRows, scrubbed
from tidings.parsing import readers
from tidings.sources.source import Progress


def parser() -> duckdb.DuckDBPyConnection:
    """DuckDB in memory, offline, with UTC for times without a zone and the grammar of values as functions."""
    connection = duckdb.connect(config={"autoinstall_known_extensions": False})
    connection.execute("SET TimeZone = 'UTC'; SET streaming_buffer_size = '32MB'; SET enable_progress_bar = false")
    readers.register(connection)
    return connection


def fill(
    writer: LoadWriter, tables: Iterator[pa.Table], web: WebRows | None, progress: Progress, what: str, total: int
) -> datetime | None:
    """Land the good rows, reject the others; returns the latest landed instant, aware UTC."""
    for table in tables:
        rows = web.complete(table) if web else table
        good = pc.is_null(rows["_reason"])
        if not pc.all(good).as_py():
            bad = rows.filter(pc.invert(good))
            reject(writer, *(bad[name].to_pylist() for name in ("_line", "_reason", "_record")))
            rows = rows.filter(good)
        rows = rows.drop_columns(["_reason"])
        writer.add(rows)
        progress(what, writer.rows + writer.rejected, total)
    return writer.newest.replace(tzinfo=UTC) if writer.newest else None


def converted(
    connection: duckdb.DuckDBPyConnection, query: str, chunk: pa.Table, rejects: list[tuple[int, str, str]]
) -> Iterator[pa.Table]:
    """The result of a statement over the relation `chunk`; a row that breaks the statement is rejected alone."""
    connection.register("chunk", chunk)
    try:
        table = connection.sql(query).to_arrow_table()
    except duckdb.Error as error:
        if chunk.num_rows > 1:
            half = chunk.num_rows // 2
            yield from converted(connection, query, chunk.slice(0, half), rejects)
            yield from converted(connection, query, chunk.slice(half), rejects)
            return
        if not chunk.num_rows:
            raise
        values = {name: _shown(chunk[name][0]) for name in chunk.column_names if name != "_line"}
        reason = f"the row cannot be read: {str(error).splitlines()[0]}"
        rejects.append((chunk["_line"][0].as_py(), reason, json.dumps(values, ensure_ascii=False)))
        return
    finally:
        connection.unregister("chunk")
    yield table


def _shown(value: pa.Scalar) -> str | None:
    """Any value as text: Python cannot represent times beyond its calendar."""
    if not value.is_valid:
        return None
    try:
        return str(value.as_py())
    except (ValueError, OverflowError):
        return str(value.cast(pa.int64()))


def reject(writer: LoadWriter, lines: Iterable[int], reasons: Iterable[str], records: Iterable[str]) -> None:
    """Reject rows, with personal data removed from their records."""
    writer.reject(list(lines), [scrubbed(each) for each in reasons], [scrubbed(each) for each in records])
