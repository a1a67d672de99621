"""The landing: what sources said, kept as immutable Parquet files under one manifest per endpoint.

A file is written beside, synced and renamed; then the manifest is replaced. The manifest is the commit point: a
pull killed before it has changed nothing, one killed after it is done, and what lies about unnamed is debris.
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
from tidings.landing.load_writer import DRAFT, DRAFT_REJECTED, Draft, arrow_schema, tool_version
from tidings.landing.loads import in_load_order
from tidings.landing.manifest import (
    MANIFEST,
    REFUSED,
    Dropped,
    Entry,
    Input,
    Manifest,
    Span,
    commit,
    merged,
    read,
    settle,
    sha256_of,
    still_seen,
)
from tidings.landing.restatements import restated_days

__all__ = ["Draft", "LandedFile", "Landing", "arrow_schema", "landed_files", "verify"]

_LOCK = ".lock"


@dataclass(frozen=True)
class LandedFile:
    """One file that a build reads, and the windows in which its rows are hidden by later pulls of its part.

    `pull` is the ordinal of the load within its endpoint (see `in_load_order`), later ones higher; `time` the feed's
    time column.
    """

    source: str
    endpoint: str
    feed: str
    time: str
    part: str
    pull: int
    path: Path
    hidden: tuple[Span, ...]
    rejected_path: Path | None
    entry: Entry


class Landing:
    """The folder `data/raw`: the only way in for rows, and the list of what is in force."""

    def __init__(self, raw: Path) -> None:
        self.raw = raw

    def entries(self, source: str, endpoint: str) -> tuple[Entry, ...]:
        """What is in force for an endpoint, oldest landing first."""
        return read(self.raw / source / endpoint).entries

    def unchanged(self, source: str, endpoint: str, part: str, source_input: Input) -> Entry | None:
        """The landing of exactly this input with this mapping by this version of the tool, if its files are there."""
        folder = self.raw / source / endpoint
        for entry in self.entries(source, endpoint):
            same = entry.part == part and entry.input == source_input and entry.tool_version == tool_version()
            if same and all((folder / name).is_file() for name in _files(entry)):
                return entry
        return None

    @contextmanager
    def pulling(self, source: str) -> Iterator[None]:
        """Hold a source for the whole of one pull.

        Raises:
            SourceError: another pull of it is running.
        """
        folder = self.raw / source
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder, source):
            yield

    @contextmanager
    def draft(
        self,
        source: str,
        endpoint: str,
        feed: Feed,
        *,
        now: datetime,
        part: str = "",
        window: Span | None = None,
        source_input: Input | None = None,
        is_file: bool = False,
    ) -> Iterator[Draft]:
        """Open a landing; it is committed when the block ends, and nothing has happened if it raises.

        It replaces what `part` held inside `window`, or all of the part when there is no window. Other parts are
        never touched. `now`, aware UTC, is noted as the time of fetching; of what `is_file`, the first time that its
        bytes came stays known, so that landing it anew does not make it the later one of two.

        Raises:
            SourceError: another pull of this endpoint is running, or the endpoint held another feed so far.
        """
        folder = self.raw / source / endpoint
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder, f"{source}/{endpoint}"):
            manifest = read(folder)
            if manifest.entries and manifest.feed != feed.name:
                raise SourceError(
                    f"{source}/{endpoint} holds rows of the feed {manifest.feed}, not {feed.name}.",
                    f"Name the new source differently, or delete data/raw/{source} first.",
                )
            draft = Draft(folder, feed, part, window, source_input, now)
            try:
                yield draft
            finally:
                draft.close()
            over = draft.window
            blank = Entry(
                "", draft.part, over, draft.rows, draft.rejected, None, None, "", 0, now, tool_version(), None, None
            )
            entry = replace(
                _name_files(folder, blank),
                complete_until=draft.complete_until or (min(over.end, now) if over else None),
                input=source_input,
                facts=dict(sorted(draft.facts.items())),
                covers=draft.covers,
                received_at=_received(manifest.entries, source_input, now) if is_file else None,
            )
            draft.restated_days = restated_days(folder, feed.time, manifest.entries, entry)
            entries = (*still_seen(manifest.entries, entry), entry)
            manifest = replace(manifest, feed=feed.name, time=feed.time, entries=entries)
            commit(folder, source, endpoint, manifest)
            draft.entry = entry
            _sweep(folder, manifest)

    def confirm(self, source: str, endpoint: str, part: str, now: datetime) -> None:
        """Note that a part is still all there is, up to `now`: it was read again and had not changed.

        Raises:
            SourceError: a pull of this endpoint is running.
        """
        folder = self.raw / source / endpoint
        with _locked(folder, f"{source}/{endpoint}"):
            manifest = read(folder)
            entries = tuple(
                replace(entry, complete_until=now) if entry.part == part else entry for entry in manifest.entries
            )
            commit(folder, source, endpoint, replace(manifest, entries=entries))

    def drop(self, source: str, endpoint: str, part: str) -> None:
        """Take a part out of force and off the disk, atomically; nothing happens if there is none of the name.

        Raises:
            SourceError: a pull of this endpoint is running.
        """
        with self._changing(source, endpoint) as (folder, manifest):
            kept = tuple(entry for entry in manifest.entries if entry.part != part)
            commit(folder, source, endpoint, replace(manifest, entries=kept))

    def drop_loads(self, source: str, endpoint: str, gone: Collection[Entry], now: datetime) -> None:
        """Take landings out of force and off the disk, atomically. Files among them are not landed again unasked.

        Raises:
            SourceError: a pull of this endpoint is running.
        """
        with self._changing(source, endpoint) as (folder, manifest):
            kept = tuple(entry for entry in manifest.entries if entry not in gone)
            files = [Dropped(e.input.name, e.input.sha256, now) for e in gone if e.input and e.received_at]
            dropped = tuple({each.sha256: each for each in (*manifest.dropped, *files)}.values())
            commit(folder, source, endpoint, replace(manifest, entries=kept, dropped=dropped))

    def dropped(self, source: str, endpoint: str) -> dict[str, Dropped]:
        """The files that somebody took out, by the sha256 of their bytes."""
        return {each.sha256: each for each in read(self.raw / source / endpoint).dropped}

    def forget_dropped(self, source: str, endpoint: str) -> int:
        """Let dropped files be landed again by the next pull; how many there are.

        Raises:
            SourceError: a pull of this endpoint is running.
        """
        with self._changing(source, endpoint) as (folder, manifest):
            commit(folder, source, endpoint, replace(manifest, dropped=()))
            return len(manifest.dropped)

    @contextmanager
    def _changing(self, source: str, endpoint: str) -> Iterator[tuple[Path, Manifest]]:
        """The folder of an endpoint, held, and its manifest; what the new one does not name is removed afterwards."""
        folder = self.raw / source / endpoint
        with _locked(folder, f"{source}/{endpoint}"):
            yield folder, read(folder)
            _sweep(folder, read(folder))


def landed_files(raw: Path) -> list[LandedFile]:
    """All files in force, by source, endpoint and landing, each with the windows that later pulls of its part hide."""
    found = []
    for folder in _endpoints(raw):
        manifest = read(folder)
        entries = in_load_order(folder, manifest)
        for number, entry in enumerate(entries, start=1):
            later = [other.window for other in entries[number:] if other.part == entry.part and other.window]
            found.append(
                LandedFile(
                    source=folder.parent.name,
                    endpoint=folder.name,
                    feed=manifest.feed,
                    time=manifest.time,
                    part=entry.part,
                    pull=number,
                    path=folder / entry.file,
                    hidden=merged(later),
                    rejected_path=folder / entry.rejected_file if entry.rejected_file else None,
                    entry=entry,
                )
            )
    return found


def verify(raw: Path) -> None:
    """Compare every file in force with the sha256 noted when it was landed.

    Raises:
        SourceError: files were changed or lost; each is named with the command that fetches it anew.
    """
    broken = []
    for landed in landed_files(raw):
        noted = ((landed.path, landed.entry.sha256), (landed.rejected_path, landed.entry.rejected_sha256))
        for path, sha256 in noted:
            if path is None:
                continue
            name = path.relative_to(raw).as_posix()
            of = f" (of {landed.part.removesuffix(REFUSED)})" if landed.entry.received_at else ""
            if not path.is_file():
                broken.append((landed, f"{name}{of} is lost"))
            elif sha256_of(path) != sha256:
                broken.append((landed, f"{name}{of} was changed"))
    if broken:
        what = "; ".join(problem for _, problem in broken)
        sources = " ".join(sorted({landed.source for landed, _ in broken}))
        one = broken[0][0]
        without = f" What is not to be had any more: tidings drop {one.source} --load {one.entry.load} --yes"
        raise SourceError(
            f"Landed data are not as they were landed: {what}.", f"Run: tidings pull {sources} --again.{without}"
        )


def _endpoints(raw: Path) -> list[Path]:
    for folder in (raw.parent, raw):
        if os.path.lexists(folder) and not folder.is_dir():
            raise SourceError(f"{folder} is no folder, and should hold what was landed.", "Move that file away.")
    found = sorted(file.parent for file in raw.glob(f"*/*/{MANIFEST}"))
    # File servers and desktops leave folders of their own everywhere: @eaDir, .AppleDouble.
    return [folder for folder in found if not any(name.startswith((".", "@")) for name in folder.parts[-2:])]


@contextmanager
def _locked(folder: Path, what: str) -> Iterator[None]:
    """Hold the endpoint for this pull; the system lets go of it when the process dies."""
    with (folder / _LOCK).open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SourceError(f"Another pull of {what} is running.", "Wait until it is done.") from error
        yield


def _sweep(folder: Path, manifest: Manifest) -> None:
    """Remove what the manifest does not name: debris of a killed pull, files no longer seen."""
    named = {MANIFEST, _LOCK, *(name for entry in manifest.entries for name in _files(entry))}
    for file in folder.iterdir():
        # A folder is none of ours: file servers leave some everywhere.
        if file.name not in named and not file.is_dir():
            file.unlink()


def _received(entries: tuple[Entry, ...], source_input: Input | None, now: datetime) -> datetime:
    """When a file with these bytes came for the first time."""
    same = [e for e in entries if e.input and source_input and e.input.sha256 == source_input.sha256]
    return min((entry.received_at or entry.fetched_at for entry in same), default=now)


def _files(entry: Entry) -> tuple[str, ...]:
    return (entry.file, entry.rejected_file) if entry.rejected_file else (entry.file,)


def _name_files(folder: Path, entry: Entry) -> Entry:
    """Sync both drafts and rename them after the content of the first."""
    draft, rejected = folder / DRAFT, folder / DRAFT_REJECTED
    sha256 = sha256_of(draft)
    rejected_file = rejected_sha256 = None
    if entry.rejected:
        rejected_file, rejected_sha256 = f"{sha256[:12]}.rejected.parquet", sha256_of(rejected)
        settle(rejected, folder / rejected_file)
    size = draft.stat().st_size
    settle(draft, folder / f"{sha256[:12]}.parquet")
    return replace(
        entry,
        file=f"{sha256[:12]}.parquet",
        sha256=sha256,
        bytes=size,
        rejected_file=rejected_file,
        rejected_sha256=rejected_sha256,
    )
