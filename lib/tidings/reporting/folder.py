"""The atomic folder of a slot: filled beside its place, then exchanged with it, so that the place is never empty."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tidings.errors import RunError, remedy_of
from tidings.ledger.lease import Leases

_NEW = "new"
_FAILED = "_failed"
# Linux: renameat2(…, RENAME_EXCHANGE); macOS: renamex_np(…, RENAME_SWAP). Python has neither.
_LINUX_EXCHANGE = 2
_MACOS_SWAP = 2
_AT_FDCWD = -100
_CANNOT = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EXDEV, errno.EPERM})


class AtomicFolder:
    """A folder being filled: write files to `folder`; set `succeeded` if they are a report."""

    def __init__(self, folder: Path, target: Path) -> None:
        self.folder = folder
        self.target = target
        self.succeeded = True

    @property
    def place(self) -> Path:
        """The final place: a run that failed completely goes beside the slot, whose last good report stays."""
        return self.target if self.succeeded else failed_place(self.target)


def failed_place(target: Path) -> Path:
    """The folder of a run that failed completely."""
    return target.with_name(f"{target.name}{_FAILED}")


@contextmanager
def atomic_folder(target: Path, leases: Leases) -> Iterator[AtomicFolder]:
    """A new folder beside `target`, exchanged with what is there when the block ends without an error.

    Raises:
        RunError: the disk does not take it.
    """
    beside = target.parent / f".{target.name}.{_NEW}.{leases.mine()}"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target.parent, leases)
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir()
        filled = AtomicFolder(beside, target)
        yield filled
        put(beside, filled.place)
        if filled.succeeded:
            # This run succeeded, so the folder of an earlier failed one goes.
            shutil.rmtree(failed_place(target), ignore_errors=True)
    except OSError as error:
        reason, remedy = remedy_of(error)
        raise RunError(f"The pages cannot be written to {target}: {reason}.", remedy) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def put(new: Path, place: Path) -> None:
    """Put a folder in its place; at every moment there is a complete report, the old one or the new one.

    Where the file system cannot exchange two folders, the files are replaced one by one, the index last.
    """
    try:
        # A missing or empty folder is replaced by a plain rename.
        new.rename(place)
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise
    else:
        return
    if not _exchange(new, place):
        _replace_files(new, place)
    shutil.rmtree(new, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two folders in one system call; False where that is not possible."""
    libc = ctypes.CDLL(None, use_errno=True)
    paths = os.fsencode(one), os.fsencode(other)
    try:
        if sys.platform == "darwin":
            failed = libc.renamex_np(*paths, _MACOS_SWAP)
        else:
            failed = libc.renameat2(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _LINUX_EXCHANGE)
    except AttributeError:
        return False
    if not failed:
        return True
    number = ctypes.get_errno()
    if number in _CANNOT:
        return False
    raise OSError(number, os.strerror(number), str(other))


def _replace_files(new: Path, place: Path) -> None:
    files = sorted(path.relative_to(new) for path in new.rglob("*") if path.is_file())
    for file in sorted(files, key=lambda file: file.name == "index.html"):
        (place / file).parent.mkdir(parents=True, exist_ok=True)
        (new / file).replace(place / file)
    for path in sorted(place.rglob("*"), reverse=True):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
        elif path.is_file() and path.relative_to(place) not in files:
            path.unlink()


def _sweep(folder: Path, leases: Leases) -> None:
    """Remove what killed runs left: unfinished folders, or exchanged reports."""
    for left in folder.glob(f".*.{_NEW}.*"):
        if not leases.is_alive(left.name.rpartition(".")[2]):
            shutil.rmtree(left, ignore_errors=True)
