"""The manifest of an endpoint: which landed files are in force, the content of each, and where it came from."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tidings.errors import SourceError

MANIFEST = "manifest.json"
ROWS_OF = "rows in "
"""Prefix of `Load.covers` for a file: the days from its first to its last row, in the zone named after it."""
DECLARED_DAYS = "days "
"""Prefix of `Load.covers` if the settings declare the days: followed by two instants with a slash between."""


@dataclass(frozen=True, order=True)
class Span:
    """The instants from `start` to before `end`, aware UTC."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if not self.start < self.end:
            raise SourceError(f"The window from {self.start} to {self.end} is empty.", "End it after its start.")

    def minus(self, others: Iterable[Span]) -> list[Span]:
        """What is left of it without the others, in order of time."""
        left = [self]
        for other in others:
            left = [
                Span(start, end)
                for span in left
                for start, end in ((span.start, min(span.end, other.start)), (max(span.start, other.end), span.end))
                if start < end
            ]
        return left


@dataclass(frozen=True)
class Input:
    """An input: its name for the user, the sha256 of its bytes, and that of the options it was read with."""

    name: str
    sha256: str
    mapping: str = ""


@dataclass(frozen=True)
class Load:
    """One load in a manifest; instants are aware UTC, `facts` are numbers that the source reported about the input.

    `covers` says for which days the rows are complete: empty for the window or, without one, from the first row up to
    `complete_until`; else a text that starts with `ROWS_OF` or `DECLARED_DAYS`. `received_at`: when a file with these
    bytes was first seen, possibly long before this load. `quarantined`: none of its rows could be used; they are kept
    beside what the partition held before, which stays in force.
    """

    file: str
    partition: str
    window: Span | None
    rows: int
    rejected: int
    rejected_file: str | None
    rejected_sha256: str | None
    sha256: str
    bytes: int
    fetched_at: datetime
    tool_version: str
    complete_until: datetime | None
    input: Input | None
    facts: Mapping[str, float] = field(default_factory=dict)
    covers: str = ""
    received_at: datetime | None = None
    quarantined: bool = False

    @property
    def id(self) -> str:
        """The short id shown to users."""
        return self.file.partition(".")[0]


@dataclass(frozen=True)
class Dropped:
    """A file that the user dropped: its name and bytes, and when; it is not landed again unless restored."""

    partition: str
    sha256: str
    at: datetime


@dataclass(frozen=True)
class Manifest:
    """The loads in force for one endpoint, oldest first; `time` is the feed's time column."""

    feed: str
    time: str
    loads: tuple[Load, ...]
    dropped: tuple[Dropped, ...] = ()


def still_seen(loads: tuple[Load, ...], new: Load) -> list[Load]:
    """The loads that the new one does not hide completely, in their order.

    A quarantined load hides nothing, and is removed when its partition, or the first day of its window, is landed or
    quarantined again.
    """
    kept = []
    for number, load in enumerate(loads):
        if load.partition != new.partition:
            kept.append(load)
        elif load.quarantined:
            if not _takes_its_place(new, load):
                kept.append(load)
        elif new.quarantined:
            kept.append(load)
        elif new.window is not None:
            later = hiding(loads[number + 1 :], load.partition)
            if load.window is None or load.window.minus([*later, new.window]):
                kept.append(load)
    return kept


def _takes_its_place(new: Load, quarantined: Load) -> bool:
    if new.window is None or quarantined.window is None:
        return not new.quarantined or new.window == quarantined.window
    return new.window.start <= quarantined.window.start < new.window.end


def hiding(later: Iterable[Load], partition: str) -> list[Span]:
    """The windows in which later loads hide earlier rows of a partition."""
    return [load.window for load in later if load.partition == partition and load.window and not load.quarantined]


def merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The same instants in as few spans as possible, in order of time."""
    merged: list[Span] = []
    for span in sorted(spans):
        if merged and span.start <= merged[-1].end:
            merged[-1] = Span(merged[-1].start, max(merged[-1].end, span.end))
        else:
            merged.append(span)
    return tuple(merged)


def sha256_of(path: Path) -> str:
    """The sha256 of a file's bytes, as hexadecimal text."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def move_durably(draft: Path, final: Path) -> None:
    """Rename a written file durably: its bytes are on disk before the name is."""
    with draft.open("rb+") as file:
        os.fsync(file.fileno())
    draft.replace(final)
    descriptor = os.open(final.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_durably(file: Path, text: str) -> None:
    """Replace the text of a file durably and atomically."""
    draft = file.with_name(f".{file.name}.draft")
    draft.write_text(text, encoding="utf-8")
    draft.chmod(file.stat().st_mode & 0o777)
    move_durably(draft, file)


def commit(folder: Path, source: str, endpoint: str, manifest: Manifest) -> None:
    """Replace the manifest in force, atomically."""
    table = {
        "format": 1,
        "source": source,
        "endpoint": endpoint,
        "feed": manifest.feed,
        "time": manifest.time,
        "loads": [_load_json(load) for load in manifest.loads],
        "dropped": [{**vars(each), "at": _text(each.at)} for each in manifest.dropped],
    }
    draft = folder / f".{MANIFEST}"
    draft.write_text(json.dumps(table, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    move_durably(draft, folder / MANIFEST)


def read(folder: Path) -> Manifest:
    """The manifest in force of an endpoint's folder; an empty one before the first load.

    Raises:
        SourceError: it is damaged.
    """
    file = folder / MANIFEST
    if not os.path.lexists(file):
        return Manifest("", "", ())
    try:
        table = json.loads(file.read_text(encoding="utf-8"))
        _expect(table, str, "feed", "time")
        _expect(table, list, "loads")
        loads = tuple(map(_load_of, table["loads"]))
        dropped = tuple(
            Dropped(each["partition"], each["sha256"], _instant(each["at"])) for each in table.get("dropped", ())
        )
        return Manifest(table["feed"], table["time"], loads, dropped)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        name = f"{folder.parent.name}/{folder.name}/{MANIFEST}"
        fault = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        raise SourceError(
            f"{name} cannot be read: {fault}.",
            f"Restore it, or delete data/raw/{folder.parent.name} and run: tidings pull {folder.parent.name}",
        ) from error


def _load_json(load: Load) -> dict[str, Any]:
    return {
        **{name: getattr(load, name) for name in Load.__dataclass_fields__},
        "window": span_json(load.window),
        "fetched_at": _text(load.fetched_at),
        "complete_until": _text(load.complete_until) if load.complete_until else None,
        "received_at": _text(load.received_at) if load.received_at else None,
        "input": input_json(load.input),
        "facts": dict(load.facts),
    }


def _expect(table: Mapping[str, Any], kind: type, *names: str) -> None:
    """Strict, as someone may have edited the file or a disk have damaged it: errors surface here, not later."""
    for name in names:
        if not isinstance(table[name], kind) or isinstance(table[name], bool):
            raise TypeError(f"its {name} is {table[name]!r}")


def _instant(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"the time {text} has no offset")
    return at


def _load_of(raw: Mapping[str, Any]) -> Load:
    _expect(raw, str, "file", "partition", "sha256", "fetched_at", "tool_version")
    _expect(raw, int, "rows", "rejected", "bytes")
    _expect(raw, dict, "facts")
    if not isinstance(raw.get("quarantined", False), bool):
        raise TypeError(f"its quarantined is {raw['quarantined']!r}")
    for name in ("file", "rejected_file"):
        if raw[name] is not None and Path(raw[name]).name != raw[name]:
            raise ValueError(f"its {name} {raw[name]!r} is not the name of a file beside it")
    window, until, source_input = raw["window"], raw["complete_until"], raw["input"]
    received = raw.get("received_at")
    return Load(
        **{
            **raw,
            "window": Span(*map(_instant, window)) if window else None,
            "fetched_at": _instant(raw["fetched_at"]),
            "complete_until": _instant(until) if until else None,
            "input": Input(**source_input) if source_input else None,
            "received_at": datetime.fromisoformat(received) if received else None,
        }
    )


def span_json(span: Span | None) -> list[str] | None:
    return [_text(span.start), _text(span.end)] if span else None


def input_json(source_input: Input | None) -> dict[str, str] | None:
    return dict(vars(source_input)) if source_input else None


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()
