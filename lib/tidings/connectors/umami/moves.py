"""What has happened to a website since it was landed: renamed, reset, counted in another zone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tidings.landing.manifest import Load
from tidings.sources.api.endpoint import day_instant
from tidings.window import Zone

_STAYS = "What was landed of days before stays as it is"


@dataclass(frozen=True)
class Website:
    """A website as the server has it now: its label, its first complete day with hits, when it was reset."""

    name: str
    zone: Zone
    first: date | None
    reset: datetime | None

    def moved(self, loads: Sequence[Load], folder: Path) -> tuple[str, ...]:
        """One sentence per change since the landing, oldest landing first."""
        loads = [load for load in loads if load.rows]
        if not loads:
            return ()
        return (*self._renamed(loads, folder), *self._in_another_zone(loads, folder), *self._emptied(loads))

    def _renamed(self, loads: Sequence[Load], folder: Path) -> list[str]:
        before = first_row(folder, loads[-1]).get("website", self.name)
        if before == self.name:
            return []
        return [f"{before} is called {self.name} in Umami now: the days of both are those of one website."]

    def _in_another_zone(self, loads: Sequence[Load], folder: Path) -> list[str]:
        zones = {first_row(folder, load).get("zone", self.zone.name) for load in loads} - {self.zone.name}
        if not zones:
            return []
        return [
            f"Days of {self.name} are counted in {self.zone.name} now, and were in {', '.join(sorted(zones))}: "
            "all of them are requested again."
        ]

    def _emptied(self, loads: Sequence[Load]) -> list[str]:
        if self.reset:
            if any(load.fetched_at >= self.reset for load in loads):
                return []
            return [
                f"{self.name} was reset in Umami on {self.zone.day_of(self.reset)}: its hits up to then are deleted "
                f"there. {_STAYS}; that day is left out, as it is incomplete."
            ]
        if self.first is None or all(load.window and load.window.end <= day_instant(self.first) for load in loads):
            since = f"before {self.first}" if self.first else "any more"
            return [f"Umami has no hits of {self.name} {since}, though days of them were landed. {_STAYS}."]
        return []


def first_row(folder: Path, load: Load) -> Mapping[str, Any]:
    """The first row of a load; empty if it has none, or its file is gone."""
    if not load.rows:
        return {}
    try:
        with pq.ParquetFile(folder / load.file) as file:
            batch = next(file.iter_batches(batch_size=1, columns=["website", "zone"]))
    except (OSError, pa.ArrowException):
        return {}
    rows: list[Mapping[str, Any]] = batch.to_pylist()
    return rows[0]
