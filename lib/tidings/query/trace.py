"""Traces rows of a mart back to their raw records."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tidings.errors import UsageError, suggest
from tidings.feeds import feeds
from tidings.landing.store import LandedFile, landed_files
from tidings.query.context import QueryContext
from tidings.window import as_utc

_ORIGIN = ("_source", "_line", "ts")


def raw_rows(context: QueryContext, raw: Path, feed: str, rows: ir.Table, limit: int) -> ir.Table:
    """The landed rows of a feed behind rows of a mart, for at most `limit` of those.

    Columns: the feed's, `_line`, `_record` (the raw record), `_source`, `_file` (relative to the raw folder).
    Found by source, position and time, so that only files that may hold them are read.

    Raises:
        UsageError: there is no such feed, or the rows lack `_source`, `_line` or `ts`.
        RowsError: only some rows may be read; their files hold the others'.
    """
    context.warehouse.require_all_rows("Raw records")
    if feed not in feeds():
        raise UsageError(f"There is no feed '{feed}'.", suggest(feed, feeds()))
    lacking = [name for name in _ORIGIN if name not in rows.columns]
    if lacking:
        raise UsageError(
            f"The rows cannot be traced: they lack {', '.join(lacking)}.",
            "Use rows of a mart with these columns, such as book.rows('pageviews').",
        )
    wanted = context.query(rows.select(*_ORIGIN).limit(limit)).table
    found = [_from_file(landed, raw, wanted) for landed in landed_files(raw) if landed.feed == feed]
    received = [table for table in found if table is not None and table.num_rows]
    if not received:
        raise UsageError(
            f"No landed {feed} are behind these rows.", f"Name the feed they come from: {', '.join(feeds())}."
        )
    return ibis.memtable(pa.concat_tables(received).sort_by([("_source", "ascending"), ("_line", "ascending")]))


def _from_file(landed: LandedFile, raw: Path, wanted: pa.Table) -> pa.Table | None:
    here = wanted.filter(pc.equal(wanted["_source"], landed.source))
    if not here.num_rows:
        return None
    lines = pq.read_table(landed.path, filters=pc.field("_line").isin(here["_line"].unique()))
    keys = set(zip(here["_line"].to_pylist(), here["ts"].to_pylist(), strict=True))
    here_too = zip(lines["_line"].to_pylist(), lines[landed.time].to_pylist(), strict=True)
    lines = lines.filter(pa.array([key in keys and not _is_hidden(key[1], landed) for key in here_too], pa.bool_()))
    origin = {"_source": landed.source, "_file": landed.path.relative_to(raw).as_posix()}
    for name, text in origin.items():
        lines = lines.append_column(name, pa.array([text] * lines.num_rows, pa.string()))
    # Each file has its own identity as schema metadata, which would prevent concatenation.
    return lines.replace_schema_metadata(None)


def _is_hidden(ts: datetime, landed: LandedFile) -> bool:
    return any(span.start <= as_utc(ts) < span.end for span in landed.hidden)
