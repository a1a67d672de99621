"""Taking a wrong import out again: which loads there are, and letting go of one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tidings.errors import UsageError
from tidings.landing.loads import Load, chosen, loads
from tidings.landing.store import Landing
from tidings.settings import Settings

__all__ = ["Load", "drop", "listed", "loads_of", "undo"]


def loads_of(settings: Settings, source: str, wanted: str | None) -> list[Load]:
    """The loads of a source, or those that an id or a file's name means.

    Raises:
        UsageError: nothing is landed of the source.
        SourceError: no load is meant, or several.
    """
    found = loads(settings.raw, source)
    return chosen(found, wanted) if wanted else found


def drop(settings: Settings, source: str, gone: Sequence[Load], now: datetime) -> None:
    """Take loads out of force and off the disk, endpoint by endpoint, each atomically.

    Raises:
        SourceError: a pull of the source is running.
    """
    landing = Landing(settings.raw)
    with landing.pulling(source):
        for endpoint in dict.fromkeys(load.endpoint for load in gone):
            landing.drop_loads(source, endpoint, [load.entry for load in gone if load.endpoint == endpoint], now)


def undo(settings: Settings, source: str) -> list[str]:
    """Let dropped files be landed again by the next pull; their names.

    Raises:
        UsageError: nothing was dropped.
        SourceError: a pull of the source is running.
    """
    landing = Landing(settings.raw)
    names: list[str] = []
    folders = sorted(path for path in (settings.raw / source).glob("*") if path.is_dir())
    with landing.pulling(source):
        for folder in folders:
            gone = landing.dropped(source, folder.name)
            if gone:
                names += sorted(each.part for each in gone.values())
                landing.forget_dropped(source, folder.name)
    if not names:
        raise UsageError(f"No file of {source} is kept out.", "Only files that were dropped can be let in again.")
    return names


def listed(found: Sequence[Load]) -> str:
    """Loads as lines: id, file, rows, first and last day, when it came."""
    lines = []
    for load in found:
        entry = load.entry
        days = f"{load.first:%Y-%m-%d} to {load.last:%Y-%m-%d}" if load.first and load.last else "no rows"
        rows = f"{entry.rows:,} row{'' if entry.rows == 1 else 's'}"
        rejected = f", {entry.rejected:,} rejected" if entry.rejected else ""
        name = entry.part or load.endpoint
        came = entry.received_at or entry.fetched_at
        lines.append(f"  {entry.load}  {name}: {rows}{rejected}, {days}, landed {came:%Y-%m-%d %H:%M} UTC")
    return "\n".join(lines)
