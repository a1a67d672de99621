"""The folder of builds: one writer at a time, a pointer that is replaced whole, old builds removed."""

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
    """Hold the warehouse for this build; the system lets go of it when the process dies."""
    with (folder / _LOCK).open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise WarehouseError(
                f"Another build of {folder} is running (process {lock.read().strip() or 'unknown'}).",
                "Wait until it is done, or end that process.",
            ) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


@contextmanager
def still(folder: Path) -> Iterator[None]:
    """While it is held no build is removed: for a run that looks whether its build is there and says that it reads it.

    Held for an instant by both sides, unlike `locked`, so that both wait.
    """
    with (folder / _PRUNING).open("a", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def sweep(folder: Path) -> None:
    """Remove what a killed or failed build left behind."""
    for path in [folder / _POINTER_DRAFT, *folder.glob(f".*{DRAFT}*")]:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def publish(draft: Path, final: Path) -> None:
    """Give a finished build its name: whole on disk before the name is, so a named build is never half of one."""
    _sync(draft)
    draft.replace(final)
    _sync(final.parent)


def point(folder: Path, build_id: str) -> None:
    """Make a finished build the one that readers get."""
    draft = folder / _POINTER_DRAFT
    draft.write_text(f"{build_id}\n", encoding="utf-8")
    publish(draft, folder / POINTER)


def prune(folder: Path, build_id: str, keep: Callable[[], Collection[str]]) -> None:
    """Remove old builds, except the current one, the newest beside it and those that `keep` names.

    `keep` is asked while no run can begin, so that none begins with a build that is about to go.
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
