"""Rows that a statement converted go into a draft: the good ones landed, the others refused with their reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from tidings.sources.draft import Draft
from tidings.sources.source import Progress
from tidings.sources.web import WebRows, scrubbed


def parser() -> duckdb.DuckDBPyConnection:
    """DuckDB in memory, offline, with UTC as the zone of times without one."""
    connection = duckdb.connect(config={"autoinstall_known_extensions": False})
    connection.execute("SET TimeZone = 'UTC'; SET streaming_buffer_size = '32MB'; SET enable_progress_bar = false")
    return connection


def fill(
    draft: Draft, tables: Iterator[pa.Table], web: WebRows | None, progress: Progress, what: str, total: int
) -> datetime | None:
    """Land the good rows, reject the others; the instant of the latest that was landed, aware UTC."""
    for table in tables:
        rows = web.complete(table) if web else table
        good = pc.is_null(rows["_reason"])
        if not pc.all(good).as_py():
            bad = rows.filter(pc.invert(good))
            refuse(draft, *(bad[name].to_pylist() for name in ("_line", "_reason", "_record")))
            rows = rows.filter(good)
        rows = rows.drop_columns(["_reason"])
        draft.add(rows)
        progress(what, draft.rows + draft.rejected, total)
    return draft.newest.replace(tzinfo=UTC) if draft.newest else None


def refuse(draft: Draft, lines: Iterable[int], reasons: Iterable[str], records: Iterable[str]) -> None:
    """Reject rows, what must not be stored taken out of their records."""
    draft.reject(list(lines), [scrubbed(each) for each in reasons], [scrubbed(each) for each in records])
