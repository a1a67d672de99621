"""Where published files stand: a store of whole folders and single files, and the one on a disk of this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tidings.delivery.channel import DeliveryError
from tidings.errors import RunError, SettingsError, remedy_of
from tidings.ledger.lease import Leases, hold
from tidings.reporting.folder import atomic_folder
from tidings.settings import Settings

Files = Mapping[str, bytes]
"""The files of a folder by their names in it, with / between the parts."""
INDEX = "index.html"


class Store(Protocol):
    """Files by name, with / between the parts. All of it may be repeated and has the effect of doing it once."""

    def exclusive(self) -> AbstractContextManager[None]:
        """Nobody else of this machine changes the store meanwhile."""
        ...

    def read(self, name: str) -> bytes | None:
        """The content of a file; None if there is none."""
        ...

    def write(self, name: str, content: bytes) -> None:
        """Write a file, or replace it whole."""
        ...

    def replace_folder(self, name: str, files: Files) -> None:
        """Write a folder, its index last, or replace it: what is not among the files goes."""
        ...


@dataclass(frozen=True)
class LocalStore:
    """A folder of this machine, or one that is mounted. Its errors name the channel and the path."""

    channel: str
    root: Path
    leases: Leases

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Held by a file in the folder, so that workbooks that share it wait for each other as well."""
        with self._told():
            self.root.mkdir(parents=True, exist_ok=True)
            try:
                held = hold(self.root / ".lock")
            except BlockingIOError:
                raise DeliveryError(
                    f"Another process is writing to {self.root}.", "It is tried again later.", outlook="temporary"
                ) from None
        try:
            yield
        finally:
            os.close(held)

    def read(self, name: str) -> bytes | None:
        with self._told():
            file = self.root / name
            return file.read_bytes() if file.is_file() else None

    def write(self, name: str, content: bytes) -> None:
        with self._told():
            file = self.root / name
            file.parent.mkdir(parents=True, exist_ok=True)
            draft = file.with_name(f".{file.name}.{self.leases.mine()}")
            try:
                _write(draft, content)
                draft.replace(file)
            finally:
                draft.unlink(missing_ok=True)

    def replace_folder(self, name: str, files: Files) -> None:
        with self._told(), atomic_folder(self.root / name, self.leases) as filled:
            for each, content in files.items():
                file = filled.folder / each
                file.parent.mkdir(parents=True, exist_ok=True)
                _write(file, content)

    def link(self, name: str, target: str) -> bool:
        """Make a name beside `target` stand for it, in one step; False where links are not possible."""
        link = self.root / name
        draft = link.with_name(f".{link.name}.{self.leases.mine()}")
        try:
            draft.symlink_to(target, target_is_directory=True)
            draft.replace(link)
        except OSError:
            return False
        finally:
            draft.unlink(missing_ok=True)
        return True

    def faults(self) -> tuple[str, ...]:
        """What would make writing fail, as sentences."""
        there = next(folder for folder in (self.root, *self.root.parents) if folder.exists())
        if there.is_dir() and os.access(there, os.W_OK | os.X_OK):
            return ()
        return (f"The channel {self.channel} cannot write to {self.root}: this user may not write to {there}.",)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except RunError as error:
            raise DeliveryError(error.failed, error.remedy, outlook="temporary") from error
        except OSError as error:
            reason, remedy = remedy_of(error)
            failed = f"The channel {self.channel} cannot write to {self.root}: {reason}."
            raise DeliveryError(failed, remedy, outlook="temporary") from error


def local_store(settings: Settings, channel: str, path: str) -> LocalStore:
    """The store of a channel at a path, which is relative to the workbook's folder.

    Raises:
        SettingsError: it would replace the reports themselves.
    """
    root = (settings.root / Path(path).expanduser()).resolve()
    if root.is_relative_to(settings.reports.resolve()):
        raise SettingsError(
            f"[tool.tidings.channels.{channel}] path is in {settings.reports}, where the reports themselves are.",
            "Name a folder elsewhere.",
        )
    return LocalStore(channel, root, Leases(settings.ledger.parent / ".running"))


def _write(file: Path, content: bytes) -> None:
    with file.open("wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
