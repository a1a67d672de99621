"""Which processes are alive, by locks that the system releases when one dies: killed, rebooted, or finished.

Not by process id: ids are reused after a reboot, and mean nothing in another container.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import uuid
from pathlib import Path

_SUFFIX = ".lease"
# A fork shares its parent's memory but is another process: hence the process id.
_mine: dict[Path, tuple[str, int]] = {}


def hold(file: Path) -> int:
    """Lock a file, created if missing, for as long as this process lives; returns the descriptor that holds the lock.

    Raises:
        BlockingIOError: another process holds it.
    """
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def is_held(file: Path) -> bool:
    """Whether a living process holds this file; false if there is no such file."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        # A file system without locks cannot tell: treat the process as alive.
        return True
    finally:
        os.close(descriptor)
    return False


class Leases:
    """The leases in one folder: one per living process that asked for one, by a name that is never reused."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def mine(self) -> str:
        """The name of this process's lease, held from the first call until the process ends, however it ends."""
        folder = self._folder.absolute()
        name, process = _mine.get(folder, ("", 0))
        # A fork shares its parent's memory but is another process, and a folder that was deleted holds nothing.
        if process == os.getpid() and self._file(name).is_file():
            return name
        self._folder.mkdir(parents=True, exist_ok=True)
        self._sweep()
        while True:
            name = f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
            with contextlib.suppress(BlockingIOError):
                hold(self._file(name))
                # A sweeping process may have looked at it before it was locked.
                if self._file(name).is_file():
                    break
        _mine[folder] = name, os.getpid()
        return name

    def is_alive(self, name: str) -> bool:
        """Whether the process of that lease is alive."""
        return bool(name) and is_held(self._file(name))

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}{_SUFFIX}"

    def _sweep(self) -> None:
        for file in self._folder.glob(f"*{_SUFFIX}"):
            if not is_held(file):
                with contextlib.suppress(OSError):
                    file.unlink()
