"""Loads: their order of precedence, the rows of each, and how to take one out again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tidings.errors import SourceError, UsageError
from tidings.landing.manifest import MANIFEST, Load, Manifest, read
from tidings.window import add_days

_APART_DAYS = 5 * 365


@dataclass(frozen=True)
class ListedLoad:
    """One load in force, with the instants (aware UTC) of its first and last row."""

    source: str
    endpoint: str
    load: Load
    first: datetime | None
    last: datetime | None

    @property
    def is_file(self) -> bool:
        """True for a file that the user provided, false for pulled data."""
        return self.load.received_at is not None


def span_of_rows(path: Path, time: str) -> tuple[datetime, datetime] | None:
    """The first and last instant of a landed file, from its own statistics; null without rows, or without the file."""
    try:
        metadata = pq.ParquetFile(path).metadata
    except (OSError, ValueError):
        return None
    names = [metadata.schema.column(number).path for number in range(metadata.num_columns)]
    if time not in names:
        return None
    groups = [metadata.row_group(n).column(names.index(time)).statistics for n in range(metadata.num_row_groups)]
    known = [(stats.min, stats.max) for stats in groups if stats is not None and stats.has_min_max]
    if not known:
        return None
    return min(low for low, _ in known).replace(tzinfo=UTC), max(high for _, high in known).replace(tzinfo=UTC)


def lone_past(path: Path, time: str) -> tuple[int, date, date] | None:
    """Rows that lie years before all others, as after a mistyped year: how many, their last day, the next one."""
    span = span_of_rows(path, time)
    if span is None or add_days(span[0].date(), _APART_DAYS) > span[1].date():
        return None
    counts = pc.value_counts(pq.read_table(path, columns=[time])[time].cast(pa.timestamp("us")).cast(pa.date32()))
    days = sorted((row["values"], row["counts"]) for row in counts.to_pylist())
    before = 0
    for (day, rows), (following, _) in pairwise(days):
        before += rows
        total = sum(rows for _, rows in days)
        if add_days(day, _APART_DAYS) <= following and before <= total - before:
            return before, day, following
    return None


def in_load_order(folder: Path, manifest: Manifest) -> tuple[Load, ...]:
    """The loads in order of precedence, earlier ones first.

    Of files the one whose bytes were first seen earlier, even if landed again since; of those first seen in one pull
    the one whose rows end earlier, as a later export reaches further; then by name. Everything else in the order of
    landing.
    """
    loads = manifest.loads
    if not any(load.received_at for load in loads):
        return loads

    def place(load: Load) -> tuple[datetime, datetime, str]:
        span = span_of_rows(folder / load.file, manifest.time)
        return (
            load.received_at or load.fetched_at,
            span[1] if span else datetime.min.replace(tzinfo=UTC),
            load.partition,
        )

    return tuple(sorted(loads, key=place))


def loads(raw: Path, source: str) -> list[ListedLoad]:
    """The loads of a source in order of precedence.

    Raises:
        UsageError: nothing of that name was landed.
    """
    found = []
    folders = sorted(file.parent for file in (raw / source).glob(f"*/{MANIFEST}"))
    for folder in folders:
        manifest = read(folder)
        for load in in_load_order(folder, manifest):
            span = span_of_rows(folder / load.file, manifest.time)
            found.append(ListedLoad(source, folder.name, load, *(span or (None, None))))
    if not folders:
        known = sorted({file.parent.parent.name for file in raw.glob(f"*/*/{MANIFEST}")})
        raise UsageError(f"Nothing is landed of a source '{source}'.", f"Landed: {', '.join(known) or 'nothing yet'}.")
    return found


def chosen(found: list[ListedLoad], name: str) -> list[ListedLoad]:
    """The loads whose id starts with the text, or whose file has that name.

    Raises:
        SourceError: there are none, or several of different ids.
    """
    matching = [listed for listed in found if listed.load.id.startswith(name) or listed.load.partition == name]
    if not matching:
        raise SourceError(f"There is no load '{name}'.", "The ids are those that tidings drop SOURCE lists.")
    if len({listed.load.id for listed in matching}) > 1 and not any(
        listed.load.partition == name for listed in matching
    ):
        ids = ", ".join(listed.load.id for listed in matching)
        raise SourceError(f"'{name}' is the beginning of several loads: {ids}.", "Write one more character.")
    return matching
