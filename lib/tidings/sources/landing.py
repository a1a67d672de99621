"""The landing: what sources said, kept as immutable Parquet files under one manifest per endpoint.

A file is written beside, synced and renamed; then the manifest is replaced. The manifest is the commit point: a
pull killed before it has changed nothing, one killed after it is done, and what lies about unnamed is debris.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from tidings.errors import SourceError
from tidings.sources.draft import DRAFT, DRAFT_REJECTED, Draft, arrow_schema, tool_version
from tidings.sources.feeds import Feed
from tidings.sources.manifest import (
    MANIFEST,
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
from tidings.sources.restated import restated_days

__all__ = ["Draft", "LandedFile", "Landing", "arrow_schema", "landed_files", "verify"]

_LOCK = ".lock"


@dataclass(frozen=True)
class LandedFile:
    """One file that a build reads, and the windows in which its rows are hidden by later pulls of its part.

    `pull` is the ordinal of the landing within its endpoint, later ones higher; `time` the feed's time column.
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
    ) -> Iterator[Draft]:
        """Open a landing; it is committed when the block ends, and nothing has happened if it raises.

        It replaces what `part` held inside `window`, or all of the part when there is no window. Other parts are
        never touched. `now`, aware UTC, is noted as the time of fetching.

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
            draft = Draft(folder, feed, part, window, source_input)
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
            )
            draft.restated_days = restated_days(folder, feed.time, manifest.entries, entry)
            manifest = Manifest(feed.name, feed.time, (*still_seen(manifest.entries, entry), entry))
            commit(folder, source, endpoint, manifest)
            draft.entry = entry
            _sweep(folder, manifest)

    def drop(self, source: str, endpoint: str, part: str) -> None:
        """Take a part out of force and off the disk, atomically; nothing happens if there is none of the name.

        Raises:
            SourceError: a pull of this endpoint is running.
        """
        folder = self.raw / source / endpoint
        with _locked(folder, f"{source}/{endpoint}"):
            manifest = read(folder)
            kept = tuple(entry for entry in manifest.entries if entry.part != part)
            manifest = replace(manifest, entries=kept)
            commit(folder, source, endpoint, manifest)
            _sweep(folder, manifest)


def landed_files(raw: Path) -> list[LandedFile]:
    """All files in force, by source, endpoint and landing, each with the windows that later pulls of its part hide."""
    found = []
    for folder in _endpoints(raw):
        manifest = read(folder)
        for number, entry in enumerate(manifest.entries, start=1):
            later = [other.window for other in manifest.entries[number:] if other.part == entry.part and other.window]
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
            if not path.is_file():
                broken.append((landed.source, f"{name} is lost"))
            elif sha256_of(path) != sha256:
                broken.append((landed.source, f"{name} was changed"))
    if broken:
        what = "; ".join(problem for _, problem in broken)
        sources = " ".join(sorted({source for source, _ in broken}))
        raise SourceError(f"Landed data are not as they were landed: {what}.", f"Run: tidings pull {sources} --again")


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
