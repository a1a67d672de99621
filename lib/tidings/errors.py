"""One family of errors. Every message says what failed, on what, and what to do next.

Bottom layer: this module imports nothing from the package.
"""

from __future__ import annotations

import difflib
import errno
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

# Lone surrogates cannot be written; control characters can command a terminal; direction marks can reverse a text.
_UNPRINTABLE = re.compile("[\ud800-\udfff\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """A text that is safe to print and store, wherever it came from: unprintable and harmful characters become `�`."""
    return _UNPRINTABLE.sub("�", text)


class TidingsError(Exception):
    """What failed and on what, followed by the remedy; `str()` returns both as sentences."""

    exit_code = 1

    def __init__(self, failed: str, remedy: str = "") -> None:
        self.failed = printable(failed)
        self.remedy = printable(remedy)
        super().__init__(self.failed, self.remedy)

    def __str__(self) -> str:
        return f"{self.failed} {self.remedy}".strip()


class UsageError(TidingsError):
    """The command or its parameters were used wrongly; exit code 2."""

    exit_code = 2


class SettingsError(UsageError):
    """The settings cannot be used as written; exit code 2."""


class SourceError(TidingsError):
    """A source, one of its files or its landed data cannot be used."""


class ResponseError(SourceError):
    """A server's response to one request cannot be used; other endpoints may still work. `status` is the HTTP
    status.
    """

    def __init__(self, failed: str, remedy: str = "", status: int = 0) -> None:
        super().__init__(failed, remedy)
        self.status = status

    @property
    def is_right(self) -> bool:
        """Whether a missing right may be the cause, or something that is not visible to the account."""
        return self.status in (401, 403, 404)


class InBetweenError(ResponseError):
    """Something else responds in place of the server: a login page, a proxy, a firewall; it says nothing about
    rights.
    """


class CredentialError(SourceError):
    """A server rejects the credential: nothing else of this source can succeed."""


class OutageError(SourceError):
    """A server does not respond, or not in time, despite retries: nothing else of this source is tried."""


class StoppedError(SourceError):
    """The user has stopped the pull: nothing else is requested."""

    def __init__(self) -> None:
        super().__init__("The pull was stopped.", "Run tidings pull again: it continues where it stopped.")


class ContractError(TidingsError):
    """A table broke the contract its model declares; the last good build stays in place."""


class GraphError(TidingsError):
    """The models do not fit together: a missing table, a cycle, two models of one name."""


class WarehouseError(TidingsError):
    """The warehouse cannot be opened, built or queried."""


class WindowError(UsageError, ValueError):
    """A date, a window or a time zone is not valid; also a `ValueError`, as the value may come from a source."""


class RowsError(UsageError):
    """What was asked for cannot be limited to the rows of the audience, so it is not shown to it; exit code 2."""


class MetricError(TidingsError):
    """A metric is unknown, or was used in a way that its kind does not allow."""


class RunError(TidingsError):
    """A run could not be started, or one of its sections failed."""


def suggest(name: str, known: Iterable[str]) -> str:
    """A hint for a mistyped name: the nearest known one, else all of them."""
    names = sorted(set(known))
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if near:
        return f"Did you mean '{near[0]}'?"
    if not names:
        return "None are defined."
    shown = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
    return f"Known: {shown}."


_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
# System errors on files in plain words, and what to do.
_SYSTEM: Mapping[int, tuple[str, str]] = {
    **dict.fromkeys(_FULL, ("the disk is full", "Free some of it, then repeat the command.")),
    **dict.fromkeys(
        (errno.EACCES, errno.EPERM),
        (
            "this user may not do that there",
            "Give it the right (chmod, chown), or repeat the command as the owner.",
        ),
    ),
    errno.EROFS: ("it can be read but not written", "Mount it to be written, or move the workbook."),
    errno.ENOENT: ("it is not there", "Bring it back or correct its path, then repeat the command."),
    errno.EISDIR: ("it is a folder where a file belongs", "Move that folder away, then repeat the command."),
    errno.ENOTDIR: ("a file stands where a folder belongs", "Move that file away, then repeat the command."),
    errno.EEXIST: ("something else of that name is there", "Move it away, then repeat the command."),
    errno.ENAMETOOLONG: ("the name is too long for this disk", "Use a shorter name, or a folder with a shorter path."),
    errno.ELOOP: ("its links form a loop", "Correct the link, then repeat the command."),
    **dict.fromkeys(
        (errno.EMFILE, errno.ENFILE),
        ("too many files are open at once", "Allow more (ulimit -n 4096), or close other programs."),
    ),
    errno.EIO: ("the disk failed", "Check the disk, and restore from a copy what it has lost."),
    errno.EFBIG: (
        "the file grew too large for this disk or user",
        "Allow larger ones (ulimit -f), or move the workbook.",
    ),
    errno.ENOMEM: ("there is not enough memory", "Close other programs, or use a machine with more memory."),
    errno.EBUSY: ("another program holds it", "Close that program, then repeat the command."),
    errno.ETXTBSY: ("another program holds it", "Close that program, then repeat the command."),
    errno.ENOLCK: ("this disk has no locks, or no more of them", "Put the workbook on a disk of this machine."),
    errno.ESTALE: ("the network folder it lies in has gone", "Connect it again, then repeat the command."),
    errno.ENOTCONN: ("the network folder it lies in has gone", "Connect it again, then repeat the command."),
    errno.ENODEV: ("the disk it lies on has gone", "Connect it again, then repeat the command."),
}
_REPEAT = "Repeat the command; if it fails again, report it with these words."
_ROOM = 1 << 20


def remedy_of(error: OSError) -> tuple[str, str]:
    """A system error in words, and what to do about it."""
    known = _SYSTEM.get(error.errno or 0)
    return known or (error.strerror or str(error) or type(error).__name__, _REPEAT)


def understood(error: BaseException, root: Path | None = None) -> TidingsError | None:
    """An error of the system or a library as one of ours; null for one that can only be a bug in Tidings.

    `root` is the workbook's folder: named if the system does not say which file it was.
    """
    if isinstance(error, TidingsError):
        return error
    library = type(error).__module__.partition(".")[0].lstrip("_")
    text = (str(error).strip().splitlines() or [""])[0][:300].rstrip(".")
    if isinstance(error, OSError) and not (error.errno is None and library != "builtins"):
        return _of_system(error, root)
    if isinstance(error, MemoryError) or "OutOfMemory" in type(error).__name__:
        return TidingsError(
            "There is not enough memory for this.", "Ask for fewer days, or use a machine with more memory."
        )
    if "No space left on device" in str(error):
        return _of_system(OSError(errno.ENOSPC, ""), root)
    if library in ("duckdb", "ibis"):
        return WarehouseError(
            f"The engine failed: {text}.",
            "The warehouse is a cache: delete data/warehouse and run tidings build. If that fails, run tidings check.",
        )
    if library == "pyarrow":
        return SourceError(f"Landed data cannot be read or written: {text}.", "Run tidings check: it names the file.")
    if library == "sqlite3":
        return TidingsError(
            f"The ledger failed: {text}.", "Run tidings list; if it fails too, move data/ledger.sqlite away."
        )
    if library in ("zmq", "jupyter_client", "nbclient", "nbformat", "papermill"):
        return RunError(f"The notebooks cannot be executed: {type(error).__name__}: {text}.", _REPEAT)
    return None


def _of_system(error: OSError, root: Path | None) -> TidingsError:
    reason, remedy = remedy_of(error)
    names = [os.fsdecode(name) for name in (error.filename, error.filename2) if isinstance(name, str | bytes)]
    if names:
        return TidingsError(f"{' or '.join(names)} cannot be used: {reason}.", remedy)
    if error.errno in _FULL:
        full = [place for place in (root, Path(tempfile.gettempdir())) if place is not None and _is_full(place)]
        where = f"the disk of {' and '.join(map(str, full))}" if full else "a disk, or what the output goes to,"
        return TidingsError(f"Nothing more can be written: {where} is full.", remedy)
    place = f"A file of the workbook at {root}" if root else "The current folder"
    return TidingsError(f"{place} cannot be used: {reason}.", remedy)


def _is_full(place: Path) -> bool:
    try:
        return shutil.disk_usage(place).free < _ROOM
    except OSError:
        return False
