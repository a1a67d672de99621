"""The landing: what sources reported, kept as immutable Parquet files under one manifest per endpoint.

A file is written under a temporary name, synced and renamed; then the manifest is replaced. The manifest is the commit
point: a pull killed before it has changed nothing, one killed after it is done, and files that no manifest names are
debris.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from tidings.errors import SourceError
from tidings.feeds import Feed
from tidings.landing.load_writer import DRAFT, DRAFT_REJECTED, LoadWriter, arrow_schema, tool_version
from tidings.landing.loads import in_load_order
from tidings.landing.manifest import (
    MANIFEST,
    Dropped,
    Input,
    Load,
    Manifest,
    Span,
    commit,
    hiding,
    merged,
    move_durably,
    read,
    sha256_of,
    still_seen,
)
from tidings.landing.restatements import restated_days

__all__ = ["LandedFile", "Landing", "LoadWriter", "arrow_schema", "landed_files", "verify"]

_LOCK = ".lock"


@dataclass(frozen=True)
class LandedFile:
    """One file that a build reads, and the windows in which later loads of its partition hide its rows.

    `pull` is the ordinal of the load within its endpoint (see `in_load_order`), later ones higher; `time` the feed's
    time column.
    """

    source: str
    endpoint: str
    feed: str
    time: str
    partition: str
    pull: int
    path: Path
    hidden: tuple[Span, ...]
    rejected_path: Path | None
    load: Load


class Landing:
    """The folder `data/raw`: the only way in for rows, and the list of what is in force."""

    def __init__(self, raw: Path) -> None:
        self.raw = raw

    def loads(self, source: str, endpoint: str) -> tuple[Load, ...]:
        """The loads in force for an endpoint, oldest first."""
        return tuple(load for load in read(self.raw / source / endpoint).loads if not load.quarantined)

    def quarantined(self, source: str, endpoint: str) -> tuple[Load, ...]:
        """The quarantined loads of an endpoint, oldest first."""
        return tuple(load for load in read(self.raw / source / endpoint).loads if load.quarantined)

    def unchanged(self, source: str, endpoint: str, partition: str, source_input: Input) -> Load | None:
        """The load of exactly this input with this mapping by this version of the tool, if its files exist."""
        folder = self.raw / source / endpoint
        for load in self.loads(source, endpoint):
            same = load.partition == partition and load.input == source_input and load.tool_version == tool_version()
            if same and all((folder / name).is_file() for name in _files(load)):
                return load
        return None

    @contextmanager
    def pulling(self, source: str) -> Iterator[None]:
        """Lock a source for the whole of one pull.

        Raises:
            SourceError: another pull of it is running.
        """
        folder = self.raw / source
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder, source):
            yield

    @contextmanager
    def writer(
        self,
        source: str,
        endpoint: str,
        feed: Feed,
        *,
        now: datetime,
        partition: str = "",
        window: Span | None = None,
        source_input: Input | None = None,
        is_file: bool = False,
    ) -> Iterator[LoadWriter]:
        """Write a load; it is committed when the block ends, and nothing has happened if it raises.

        It replaces what the partition held inside `window`, or all of it without a window. Other partitions are never
        touched. If all rows were rejected nothing is replaced: the load is quarantined, and covers nothing. `now`,
        aware UTC, is the time of fetching; for a file (`is_file`) the time when its bytes were first seen is kept, so
        that landing it again does not move it behind later files.

        Raises:
            SourceError: another pull of this endpoint is running, or the endpoint holds another feed.
        """
        folder = self.raw / source / endpoint
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder, f"{source}/{endpoint}"):
            manifest = read(folder)
            if manifest.loads and manifest.feed != feed.name:
                raise SourceError(
                    f"{source}/{endpoint} holds rows of the feed {manifest.feed}, not {feed.name}.",
                    f"Name the new source differently, or delete data/raw/{source} first.",
                )
            writer = LoadWriter(folder, feed, partition, window, source_input, now)
            try:
                yield writer
            finally:
                writer.close()
            over = writer.window
            blank = Load(
                "",
                writer.partition,
                over,
                writer.rows,
                writer.rejected,
                None,
                None,
                "",
                0,
                now,
                tool_version(),
                None,
                None,
            )
            quarantined = bool(writer.rejected) and not writer.rows
            load = replace(
                _name_files(folder, blank),
                complete_until=None if quarantined else writer.complete_until or (min(over.end, now) if over else None),
                input=source_input,
                facts=dict(sorted(writer.facts.items())),
                covers="" if quarantined else writer.covers,
                quarantined=quarantined,
                received_at=_received(manifest.loads, source_input, now) if is_file else None,
            )
            writer.restated_days = restated_days(folder, feed.time, manifest.loads, load)
            loads = (*still_seen(manifest.loads, load), load)
            manifest = replace(manifest, feed=feed.name, time=feed.time, loads=loads)
            commit(folder, source, endpoint, manifest)
            writer.load = load
            _sweep(folder, manifest)

    def confirm(self, source: str, endpoint: str, partition: str, now: datetime) -> None:
        """Note that a partition is still complete up to `now`: it was read again and had not changed.

        Raises:
            SourceError: a pull of this endpoint is running.
        """
        folder = self.raw / source / endpoint
        with _locked(folder, f"{source}/{endpoint}"):
            manifest = read(folder)
            loads = tuple(
                replace(load, complete_until=now) if load.partition == partition and not load.quarantined else load
                for load in manifest.loads
            )
            commit(folder, source, endpoint, replace(manifest, loads=loads))

    def drop(self, source: str, endpoint: str, partition: str, *, is_quarantined: bool = False) -> None:
        """Take a partition (or its quarantined loads, if `is_quarantined`) out of force and off the disk, atomically.

        Nothing happens if there is no such partition.

        Raises:
            SourceError: a pull of this endpoint is running.
        """
        with self._changing(source, endpoint) as (folder, manifest):
            kept = tuple(
                load
                for load in manifest.loads
                if load.partition != partition or (is_quarantined and not load.quarantined)
            )
            commit(folder, source, endpoint, replace(manifest, loads=kept))

    def drop_loads(self, source: str, endpoint: str, gone: Collection[Load], now: datetime) -> None:
        """Take loads out of force and off the disk, atomically. Files among them are not landed again unless restored.

        Raises:
            SourceError: a pull of this endpoint is running.
        """
        with self._changing(source, endpoint) as (folder, manifest):
            kept = tuple(load for load in manifest.loads if load not in gone)
            files = [Dropped(e.input.name, e.input.sha256, now) for e in gone if e.input and e.received_at]
            dropped = tuple({each.sha256: each for each in (*manifest.dropped, *files)}.values())
            commit(folder, source, endpoint, replace(manifest, loads=kept, dropped=dropped))

    def dropped(self, source: str, endpoint: str) -> dict[str, Dropped]:
        """The files that the user dropped, by the sha256 of their bytes."""
        return {each.sha256: each for each in read(self.raw / source / endpoint).dropped}

    def forget_dropped(self, source: str, endpoint: str) -> int:
        """Let the next pull land dropped files again; returns how many.

        Raises:
            SourceError: a pull of this endpoint is running.
        """
        with self._changing(source, endpoint) as (folder, manifest):
            commit(folder, source, endpoint, replace(manifest, dropped=()))
            return len(manifest.dropped)

    @contextmanager
    def _changing(self, source: str, endpoint: str) -> Iterator[tuple[Path, Manifest]]:
        """The locked folder of an endpoint and its manifest; files that the new one does not name are removed
        afterwards.
        """
        folder = self.raw / source / endpoint
        with _locked(folder, f"{source}/{endpoint}"):
            yield folder, read(folder)
            _sweep(folder, read(folder))


def landed_files(raw: Path) -> list[LandedFile]:
    """All files in force, by source, endpoint and load, each with the windows that later loads of its partition
    hide.
    """
    found = []
    for folder in _endpoints(raw):
        manifest = read(folder)
        loads = in_load_order(folder, manifest)
        for number, load in enumerate(loads, start=1):
            found.append(
                LandedFile(
                    source=folder.parent.name,
                    endpoint=folder.name,
                    feed=manifest.feed,
                    time=manifest.time,
                    partition=load.partition,
                    pull=number,
                    path=folder / load.file,
                    hidden=merged(hiding(loads[number:], load.partition)),
                    rejected_path=folder / load.rejected_file if load.rejected_file else None,
                    load=load,
                )
            )
    return found


def verify(raw: Path) -> None:
    """Compare every file in force with the sha256 noted when it was landed.

    Raises:
        SourceError: files were changed or lost; each is named with the command that fetches it again.
    """
    broken = []
    for landed in landed_files(raw):
        noted = ((landed.path, landed.load.sha256), (landed.rejected_path, landed.load.rejected_sha256))
        for path, sha256 in noted:
            if path is None:
                continue
            name = path.relative_to(raw).as_posix()
            of = f" (of {landed.partition})" if landed.load.received_at else ""
            if not path.is_file():
                broken.append((landed, f"{name}{of} is lost"))
            elif sha256_of(path) != sha256:
                broken.append((landed, f"{name}{of} was changed"))
    if broken:
        what = "; ".join(problem for _, problem in broken)
        sources = " ".join(sorted({landed.source for landed, _ in broken}))
        one = broken[0][0]
        without = f" What is not to be had any more: tidings drop {one.source} --load {one.load.id} --yes"
        raise SourceError(
            f"Landed data are not as they were landed: {what}.", f"Run: tidings pull {sources} --again.{without}"
        )


def _endpoints(raw: Path) -> list[Path]:
    for folder in (raw.parent, raw):
        if os.path.lexists(folder) and not folder.is_dir():
            raise SourceError(f"{folder} is not a folder, but should hold landed data.", "Move that file away.")
    found = sorted(file.parent for file in raw.glob(f"*/*/{MANIFEST}"))
    # File servers and desktops leave folders of their own everywhere: @eaDir, .AppleDouble.
    return [folder for folder in found if not any(name.startswith((".", "@")) for name in folder.parts[-2:])]


@contextmanager
def _locked(folder: Path, what: str) -> Iterator[None]:
    """Lock the endpoint for this pull; the system releases the lock when the process dies."""
    with (folder / _LOCK).open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SourceError(f"Another pull of {what} is running.", "Wait until it is done.") from error
        yield


def _sweep(folder: Path, manifest: Manifest) -> None:
    """Remove what the manifest does not name: debris of a killed pull, files no longer in force."""
    named = {MANIFEST, _LOCK, *(name for load in manifest.loads for name in _files(load))}
    for file in folder.iterdir():
        # A folder is not ours: file servers leave some everywhere.
        if file.name not in named and not file.is_dir():
            file.unlink()


def _received(loads: tuple[Load, ...], source_input: Input | None, now: datetime) -> datetime:
    """When a file with these bytes was first seen."""
    same = [e for e in loads if e.input and source_input and e.input.sha256 == source_input.sha256]
    return min((load.received_at or load.fetched_at for load in same), default=now)


def _files(load: Load) -> tuple[str, ...]:
    return (load.file, load.rejected_file) if load.rejected_file else (load.file,)


def _name_files(folder: Path, load: Load) -> Load:
    """Sync both temporary files and rename them after the content of the first."""
    writer, rejected = folder / DRAFT, folder / DRAFT_REJECTED
    sha256 = sha256_of(writer)
    rejected_file = rejected_sha256 = None
    if load.rejected:
        rejected_file, rejected_sha256 = f"{sha256[:12]}.rejected.parquet", sha256_of(rejected)
        move_durably(rejected, folder / rejected_file)
    size = writer.stat().st_size
    move_durably(writer, folder / f"{sha256[:12]}.parquet")
    return replace(
        load,
        file=f"{sha256[:12]}.parquet",
        sha256=sha256,
        bytes=size,
        rejected_file=rejected_file,
        rejected_sha256=rejected_sha256,
    )
