"""The folder of builds: one writer at a time, an atomically replaced pointer, old builds removed."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from tidings.errors import WarehouseError

KEPT_BUILDS = 3
DRAFT = ".building"
POINTER = "current"
_POINTER_DRAFT = f".{POINTER}"
_LOCK = ".lock"
_PRUNING = ".pruning"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the write lock of the warehouse; the system releases it when the process dies."""
    with (folder / _LOCK).open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise WarehouseError(
                f"Another build of {folder} is running (process {lock.read().strip() or 'unknown'}).",
                "Wait until it has finished, or end that process.",
            ) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


@contextmanager
def still(folder: Path) -> Iterator[None]:
    """While held, no build is removed: a run checks that its build exists and registers itself as a reader under it.

    Both sides hold it for an instant, so unlike `locked` they wait for it.
    """
    with (folder / _PRUNING).open("a", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def sweep(folder: Path) -> None:
    """Remove the remains of killed or failed builds."""
    for path in [folder / _POINTER_DRAFT, *folder.glob(f".*{DRAFT}*")]:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def publish(draft: Path, final: Path) -> None:
    """Give a finished build its name after syncing it to disk, so a named build is always complete."""
    _sync(draft)
    draft.replace(final)
    _sync(final.parent)


def point(folder: Path, build_id: str) -> None:
    """Point readers to a finished build."""
    draft = folder / _POINTER_DRAFT
    draft.write_text(f"{build_id}\n", encoding="utf-8")
    publish(draft, folder / POINTER)


def prune(folder: Path, build_id: str, keep: Callable[[], Collection[str]]) -> None:
    """Remove old builds, except the current one, the newest beside it and those that `keep` names.

    `keep` is called while no run can begin, so that no run begins with a build about to be removed.
    """
    others = [path for path in folder.glob("*.duckdb") if path.stem != build_id and path.is_file()]
    others.sort(key=lambda path: path.stat().st_mtime_ns, reverse=True)
    with still(folder):
        kept = keep() if len(others) >= KEPT_BUILDS else ()
        for path in others[KEPT_BUILDS - 1 :]:
            if path.stem not in kept:
                path.unlink()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
