"""Taking a wrong import out again: lists loads and drops them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tidings.errors import UsageError
from tidings.landing.loads import ListedLoad, chosen, loads
from tidings.landing.store import Landing
from tidings.settings import Settings

__all__ = ["ListedLoad", "drop", "listed", "loads_of", "undo"]


def loads_of(settings: Settings, source: str, name: str | None) -> list[ListedLoad]:
    """The loads of a source, or those that an id or a file's name selects.

    Raises:
        UsageError: nothing is landed of the source.
        SourceError: no load matches, or several.
    """
    found = loads(settings.raw, source)
    return chosen(found, name) if name else found


def drop(settings: Settings, source: str, gone: Sequence[ListedLoad], now: datetime) -> None:
    """Take loads out of force and off the disk, endpoint by endpoint, each atomically.

    Raises:
        SourceError: a pull of the source is running.
    """
    landing = Landing(settings.raw)
    with landing.pulling(source):
        for endpoint in dict.fromkeys(listed.endpoint for listed in gone):
            landing.drop_loads(source, endpoint, [listed.load for listed in gone if listed.endpoint == endpoint], now)


def undo(settings: Settings, source: str) -> list[str]:
    """Let the next pull land dropped files again; returns their names.

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
                names += sorted(each.partition for each in gone.values())
                landing.forget_dropped(source, folder.name)
    if not names:
        raise UsageError(f"No file of {source} is kept out.", "Only files that were dropped can be let in again.")
    return names


def listed(found: Sequence[ListedLoad]) -> str:
    """Loads as lines: id, file, rows, first and last day, when landed."""
    lines = []
    for listed in found:
        load = listed.load
        days = f"{listed.first:%Y-%m-%d} to {listed.last:%Y-%m-%d}" if listed.first and listed.last else "no rows"
        rows = f"{load.rows:,} row{'' if load.rows == 1 else 's'}"
        rejected = f", {load.rejected:,} rejected" if load.rejected else ""
        name = load.partition or listed.endpoint
        came = load.received_at or load.fetched_at
        lines.append(f"  {load.id}  {name}: {rows}{rejected}, {days}, landed {came:%Y-%m-%d %H:%M} UTC")
    return "\n".join(lines)
