"""One queue for what needs the whole machine: pulls, builds and runs of a workbook wait for each other."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_held: set[Path] = set()


@contextmanager
def turn(folder: Path, what: str, waits: Callable[[str], None]) -> Iterator[None]:
    """Wait for the turn of this process, and have it until the block ends; `waits` is told for what it waits.

    The system ends the turn of a process that dies. Where this process has it already, nothing is waited for.
    """
    file = folder / ".running" / "turn.lock"
    if file in _held:
        yield
        return
    # Each by itself, so that an error names the one that is in the way.
    folder.mkdir(parents=True, exist_ok=True)
    file.parent.mkdir(exist_ok=True)
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waits(file.read_text(encoding="utf-8", errors="replace").strip() or "another command")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        with suppress(OSError):
            # Only for those who wait; a full disk must not keep anybody from working.
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, what.encode(), 0)
        _held.add(file)
        try:
            yield
        finally:
            _held.discard(file)
    finally:
        os.close(descriptor)
