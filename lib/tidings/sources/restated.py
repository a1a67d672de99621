"""Restatements: days of which a source now says something else than it did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tidings.sources.manifest import Entry, Span, merged

# Beyond this many rows, comparing would cost more than knowing is worth: a first pull is no restatement.
_COMPARED = 500_000


def restated_days(folder: Path, time: str, before: Iterable[Entry], new: Entry) -> int:
    """Days inside the window of `new` that `before` (oldest first) told otherwise; days first told now do not count.

    Rows are compared by the feed's columns, regardless of their order. 0 without a window, and where there are too many
    rows to compare.
    """
    if new.window is None:
        return 0
    entries = [entry for entry in before if entry.part == new.part]
    overlapping = [
        e for e in entries if e.window and e.window.start < new.window.end and new.window.start < e.window.end
    ]
    if not overlapping or sum(entry.rows for entry in overlapping) + new.rows > _COMPARED:
        return 0
    told: dict[date, Counter[Any]] = {}
    for number, entry in enumerate(entries):
        later = merged(other.window for other in entries[number + 1 :] if other.window)
        if entry in overlapping and entry.window is not None:
            for span in Span(*_common(entry.window, new.window)).minus(later):
                _count(told, pq.read_table(folder / entry.file), time, span)
    now: dict[date, Counter[Any]] = {}
    _count(now, pq.read_table(folder / new.file), time, new.window)
    covered = merged(Span(*_common(entry.window, new.window)) for entry in overlapping if entry.window)
    days = {day for day in {*told, *now} if any(span.start.date() <= day < span.end.date() for span in covered)}
    return sum(told.get(day, Counter()) != now.get(day, Counter()) for day in days)


def _common(one: Span, other: Span) -> tuple[Any, Any]:
    return max(one.start, other.start), min(one.end, other.end)


def _count(told: dict[date, Counter[Any]], rows: pa.Table, time: str, span: Span) -> None:
    start, end = (
        pa.scalar(at.astimezone(UTC).replace(tzinfo=None), pa.timestamp("us")) for at in (span.start, span.end)
    )
    rows = rows.filter(pc.and_(pc.greater_equal(rows[time], start), pc.less(rows[time], end)))
    columns = [name for name in rows.column_names if name not in ("_line", "_record")]
    texts = zip(*(rows[name].to_pylist() for name in columns), strict=True)
    for at, values in zip(rows[time].to_pylist(), texts, strict=True):
        told.setdefault(at.date(), Counter())[repr(values)] += 1
