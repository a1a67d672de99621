"""The meta tables of a build: its tables, columns, feeds, rejected rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib.metadata import version
from itertools import groupby, pairwise
from typing import Any

import pyarrow as pa

from tidings.feeds import feeds
from tidings.landing.manifest import Load, Span, merged
from tidings.landing.rejections import by_day
from tidings.landing.store import LandedFile
from tidings.models.model import Model
from tidings.window import add_days, days_since

# A partition not pulled for so long while others of its endpoint were has been taken out of the settings.
_GONE_DAYS = 3
_TS = pa.timestamp("us")
_BUILD = pa.schema([("id", pa.string()), ("tool_version", pa.string()), ("code", pa.string()), ("complete_until", _TS)])
_TABLES = pa.schema(
    [
        *((name, pa.string()) for name in ("name", "layer", "grain")),
        ("rows", pa.int64()),
        ("last_row_at", _TS),
        *((name, pa.string()) for name in ("doc", "sql")),
        ("feeds", pa.list_(pa.string())),
    ]
)
_COLUMNS = pa.schema(
    [
        *((name, pa.string()) for name in ("table", "column", "type", "unit", "doc")),
        *((name, pa.bool_()) for name in ("required", "personal", "is_key")),
    ]
)
_FEEDS = pa.schema(
    [
        *((name, pa.string()) for name in ("source", "endpoint", "feed")),
        *((name, pa.int64()) for name in ("rows", "rejected")),
        *((name, _TS) for name in ("fetched_at", "complete_until")),
        ("first_day", pa.date32()),
        ("missing", pa.list_(pa.list_(pa.date32()))),
        ("ended", pa.map_(pa.string(), pa.date32())),
        ("inputs", pa.list_(pa.string())),
        ("facts", pa.map_(pa.string(), pa.float64())),
    ]
)
_REJECTED = pa.schema(
    [
        *((name, pa.string()) for name in ("source", "endpoint", "feed", "partition")),
        ("day", pa.date32()),
        *((name, pa.string()) for name in ("reason", "example")),
        *((name, pa.int64()) for name in ("rows", "of")),
    ]
)


@dataclass(frozen=True)
class TableInfo:
    """One table of a build; `last_row_at` is its newest `ts` (aware UTC), None without rows or `ts`.

    `feeds` are those from which it is made.
    """

    name: str
    layer: str
    grain: str
    rows: int
    last_row_at: datetime | None
    doc: str
    sql: str
    feeds: tuple[str, ...] = ()


@dataclass(frozen=True)
class FeedInfo:
    """What one endpoint of one source has landed of one feed; instants are aware UTC.

    `complete_until` is that of the partition that lags most. For feeds landed by days, `first_day` is the first of them
    and `missing` the days between that were never landed, as (first, last). `ended` are partitions that have not been
    pulled for days while others were, with the first day that they lack.
    """

    source: str
    endpoint: str
    feed: str
    rows: int
    rejected: int
    fetched_at: datetime | None
    complete_until: datetime | None
    first_day: date | None
    missing: tuple[tuple[date, date], ...]
    ended: Mapping[str, date]
    inputs: tuple[str, ...]
    facts: Mapping[str, float]


@dataclass(frozen=True)
class TableBuilt:
    """A table just built: its model, rows, newest `ts` (naive UTC) and SQL."""

    model: Model
    rows: int
    newest: datetime | None
    sql: str
    feeds: tuple[str, ...] = ()


def meta_tables(
    build_id: str, code: str, built: Iterable[TableBuilt], files: Iterable[LandedFile]
) -> Mapping[str, pa.Table]:
    """All meta tables of a build by name; instants in them are naive UTC."""
    built, files = list(built), list(files)
    until = max((file.load.complete_until for file in files if file.load.complete_until), default=None)
    row = {"id": build_id, "tool_version": version("tidings"), "code": code, "complete_until": _naive(until)}
    return {
        "meta_build": pa.Table.from_pylist([row], schema=_BUILD),
        "meta_tables": pa.Table.from_pylist([_table(table) for table in built], schema=_TABLES),
        "meta_columns": pa.Table.from_pylist(
            [row for table in built for row in _columns(table.model)], schema=_COLUMNS
        ),
        "meta_feeds": pa.Table.from_pylist(_feeds(files), schema=_FEEDS),
        "meta_rejected": pa.Table.from_pylist(_rejected(files), schema=_REJECTED),
    }


def _table(built: TableBuilt) -> dict[str, Any]:
    model = built.model
    return {
        "name": model.name,
        "layer": model.layer,
        "grain": model.contract.grain,
        "rows": built.rows,
        "last_row_at": built.newest,
        "doc": model.doc,
        "sql": built.sql,
        "feeds": list(built.feeds),
    }


def _columns(model: Model) -> list[dict[str, Any]]:
    return [
        {
            "table": model.name,
            "column": name,
            "type": column.type.removeprefix("!"),
            "unit": column.unit,
            "doc": column.doc,
            "required": column.required,
            "personal": column.personal,
            "is_key": name in model.contract.key,
        }
        for name, column in model.contract.columns.items()
    ]


def _endpoint(file: LandedFile) -> tuple[str, str, str]:
    return file.source, file.endpoint, file.feed


def _feeds(files: list[LandedFile]) -> list[dict[str, Any]]:
    rows = []
    sparse = {feed.name for feed in feeds().values() if feed.is_sparse}
    for (source, endpoint, feed), group in groupby(sorted(files, key=_endpoint), key=_endpoint):
        loads = [file.load for file in group]
        usable = [load for load in loads if not load.quarantined]
        facts: dict[str, float] = {}
        for load in loads:
            for name, value in load.facts.items():
                facts[name] = facts.get(name, 0) + value
        rows.append(
            {
                "source": source,
                "endpoint": endpoint,
                "feed": feed,
                "rows": sum(load.rows for load in loads),
                "rejected": sum(load.rejected for load in loads),
                "fetched_at": _naive(max(load.fetched_at for load in loads)),
                "complete_until": _naive(_complete_until(usable, is_sparse=feed in sparse)),
                **_days(usable, is_sparse=feed in sparse),
                "inputs": [load.input.name for load in loads if load.input],
                "facts": sorted(facts.items()),
            }
        )
    return rows


def _asked_for(loads: list[Load]) -> list[Load]:
    """The loads of partitions that are still pulled: one taken out of the settings would lag forever."""
    newest: dict[str, datetime] = {}
    for load in loads:
        newest[load.partition] = max(load.fetched_at, newest.get(load.partition, load.fetched_at))
    latest = max(newest.values(), default=None)
    return (
        [] if latest is None else [load for load in loads if days_since(newest[load.partition], latest) <= _GONE_DAYS]
    )


def _complete_until(loads: list[Load], *, is_sparse: bool) -> datetime | None:
    """Up to when all partitions are complete, of those landed by days; of files, the last one counts."""
    newest: dict[str, datetime] = {}
    asked_for = _asked_for([load for load in loads if load.window])
    for load in asked_for or loads:
        if load.complete_until:
            # A sparse feed has rows only when something happens, so the partition with the newest ones counts.
            partition = load.partition if load.window and not is_sparse else ""
            newest[partition] = max(load.complete_until, newest.get(partition, load.complete_until))
    return min(newest.values(), default=None)


def _days(loads: list[Load], *, is_sparse: bool) -> dict[str, Any]:
    by_partition: dict[str, list[Span]] = {}
    for load in loads:
        if load.window:
            by_partition.setdefault(load.partition, []).append(load.window)
    missing: list[Span] = []
    for spans in () if is_sparse else by_partition.values():
        missing += [Span(one.end, following.start) for one, following in pairwise(merged(spans))]
    starts = [span.start.date() for spans in by_partition.values() for span in spans]
    days = [[span.start.date(), add_days(span.end.date(), -1)] for span in merged(missing)]
    asked_for = {load.partition for load in _asked_for([load for load in loads if load.window])}
    ended = {
        partition: max(span.end.date() for span in spans)
        for partition, spans in by_partition.items()
        if partition not in asked_for
    }
    return {"first_day": min(starts, default=None), "missing": days, "ended": sorted(ended.items())}


def _rejected(files: list[LandedFile]) -> list[dict[str, Any]]:
    """Rejected rows by load, day and reason, with the number of all rows of that load and day."""
    found = []
    for file in files:
        if file.rejected_path is None:
            continue
        source, endpoint, feed = _endpoint(file)
        about = {
            "source": source,
            "endpoint": endpoint,
            "feed": feed,
            "partition": file.partition,
        }
        found += [{**about, **row} for row in by_day(file.path, file.time, file.rejected_path)]
    order = ("source", "endpoint", "partition", "reason")
    return sorted(found, key=lambda row: (*(row[name] for name in order), row["day"] or date.min))


def _naive(at: datetime | None) -> datetime | None:
    return at.astimezone(UTC).replace(tzinfo=None) if at else None
