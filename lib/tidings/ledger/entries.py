"""The ledger's entries for pulls, builds, runs and sections, and their conversion for SQLite."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

Status = Literal["waiting", "running", "done", "partly", "failed", "interrupted"]
# How columns without a SQLite type are stored: instants as ISO text, the rest as JSON.
_INSTANTS = (
    *("started_at", "as_of", "at", "due_at", "seen_until", "since"),
    *("next_at", "ended_at", "offered_at"),
)
_JSON = ("parameters", "messages", "pulls", "waited_for", "gaps", "content")


@dataclass(frozen=True)
class PullEntry:
    """One pull of one source; `seconds` is null while it runs, or if its process died (`interrupted`).

    `restated` are days that the source reported differently than before, `messages` sentences for the user.
    """

    id: int
    source: str
    status: Status
    started_at: datetime
    seconds: float | None
    rows: int
    rejected: int
    error: str
    restated: int = 0
    messages: tuple[str, ...] = ()


@dataclass(frozen=True)
class BuildEntry:
    """One attempt to build the warehouse; `build` is empty until the build id is known."""

    id: int
    build: str
    status: Status
    started_at: datetime
    seconds: float | None
    rows: int
    error: str


@dataclass(frozen=True)
class SectionEntry:
    section: str
    status: Status
    seconds: float | None
    error: str


@dataclass(frozen=True)
class RunEntry:
    """One run of a report for one slot; `seconds` is null while it runs, or if its process died (`interrupted`).

    `pulls` are the latest ones of each source when the run started, `alerts_until` the newest event of an alert then.
    """

    id: str
    report: str
    slot: str
    as_of: datetime
    parameters: Mapping[str, Any]
    build: str
    version: str
    status: Status
    started_at: datetime
    seconds: float | None
    error: str
    pulls: tuple[PullEntry, ...] = ()
    alerts_until: int = 0
    sections: tuple[SectionEntry, ...] = ()


def kept(row: Mapping[str, Any]) -> list[Any]:
    """The values of a row as SQLite stores them."""
    return [_to_text(name, value) for name, value in row.items()]


def _to_text(name: str, value: Any) -> Any:
    if name in _INSTANTS:
        return None if value is None else value.isoformat()
    if name == "pulls":
        value = [dict(zip(vars(entry), kept(vars(entry)), strict=True)) for entry in value]
    return json.dumps(value, ensure_ascii=False) if name in _JSON else value


def read(name: str, value: Any) -> Any:
    """A value as SQLite stored it in a column of that name, converted back."""
    if name in _INSTANTS:
        return None if value is None else datetime.fromisoformat(value)
    if name not in _JSON:
        return value
    held = json.loads(value)
    if name == "pulls":
        return tuple(PullEntry(**{name: read(name, value) for name, value in row.items()}) for row in held)
    return tuple(held) if isinstance(held, list) else held
