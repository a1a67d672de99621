"""Restatements: days for which a source now reports something else than before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tidings.landing.manifest import Load, Span, merged

# Beyond this many rows comparing would cost more than it is worth: a first pull is not a restatement.
_COMPARED = 500_000


def restated_days(folder: Path, time: str, before: Iterable[Load], new: Load) -> int:
    """Days inside the window of `new` that `before` (oldest first) reported differently; days reported for the first
    time do not count.

    Rows are compared by the feed's columns, regardless of their order. For a file all days of its earlier load count. 0
    for a full refresh, and if there are too many rows to compare.
    """
    loads = [load for load in before if load.partition == new.partition and not load.quarantined]
    if new.quarantined:
        return 0
    if new.window is None:
        return _in_file(folder, time, loads[-1], new) if loads and new.input is not None else 0
    overlapping = [e for e in loads if e.window and e.window.start < new.window.end and new.window.start < e.window.end]
    if not overlapping or sum(load.rows for load in overlapping) + new.rows > _COMPARED:
        return 0
    rows = pq.read_table(folder / new.file)
    reported: dict[date, Counter[Any]] = {}
    now: dict[date, Counter[Any]] = {}
    columns = {name for name in rows.column_names if name not in ("_line", "_record")}
    try:
        tables = {load.file: pq.read_table(folder / load.file) for load in overlapping}
    except (OSError, pa.ArrowException):
        # Lost or damaged on disk, which is why it is pulled again: there is nothing to compare with.
        return 0
    # A newer version may have columns that the older one did not: that is not a restatement.
    columns = columns.intersection(*(table.column_names for table in tables.values()))
    for number, load in enumerate(loads):
        later = merged(other.window for other in loads[number + 1 :] if other.window)
        if load in overlapping and load.window is not None:
            for span in Span(*_common(load.window, new.window)).minus(later):
                _count(reported, tables[load.file], time, span, columns)
    _count(now, rows, time, new.window, columns)
    covered = merged(Span(*_common(load.window, new.window)) for load in overlapping if load.window)
    days = {day for day in {*reported, *now} if any(span.start.date() <= day < span.end.date() for span in covered)}
    return sum(reported.get(day, Counter()) != now.get(day, Counter()) for day in days)


def _in_file(folder: Path, time: str, old: Load, new: Load) -> int:
    """Days in a file's earlier load that are now different or gone."""
    if old.rows + new.rows > _COMPARED:
        return 0
    rows = pq.read_table(folder / new.file)
    try:
        before = pq.read_table(folder / old.file)
    except (OSError, pa.ArrowException):
        return 0
    columns = {name for name in rows.column_names if name not in ("_line", "_record")}.intersection(before.column_names)
    ever = Span(datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
    reported: dict[date, Counter[Any]] = {}
    now: dict[date, Counter[Any]] = {}
    _count(reported, before, time, ever, columns)
    _count(now, rows, time, ever, columns)
    return sum(reported[day] != now.get(day, Counter()) for day in reported)


def _common(one: Span, other: Span) -> tuple[Any, Any]:
    return max(one.start, other.start), min(one.end, other.end)


def _count(reported: dict[date, Counter[Any]], rows: pa.Table, time: str, span: Span, columns: set[str]) -> None:
    start, end = (
        pa.scalar(at.astimezone(UTC).replace(tzinfo=None), pa.timestamp("us")) for at in (span.start, span.end)
    )
    rows = rows.filter(pc.and_(pc.greater_equal(rows[time], start), pc.less(rows[time], end)))
    texts = zip(*(rows[name].to_pylist() for name in sorted(columns)), strict=True)
    for at, values in zip(rows[time].to_pylist(), texts, strict=True):
        reported.setdefault(at.date(), Counter())[repr(values)] += 1
