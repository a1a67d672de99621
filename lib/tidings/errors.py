"""One family of errors. Every message says what failed, on what, and what to do next.

Bottom layer: this module imports nothing from the package.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

# Halves of characters cannot be written; control characters command a terminal; marks of direction turn a text around.
_UNPRINTABLE = re.compile("[\ud800-\udfff\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """A text as it may be printed and stored, whoever wrote it: what cannot be, or would do harm, becomes `�`."""
    return _UNPRINTABLE.sub("�", text)


class TidingsError(Exception):
    """What failed and on what, followed by the remedy; `str()` gives both as sentences, fit to print."""

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


class AnswerError(SourceError):
    """A server's answer to one request cannot be used; its other endpoints may still do. `status` is HTTP's."""

    def __init__(self, failed: str, remedy: str = "", status: int = 0) -> None:
        super().__init__(failed, remedy)
        self.status = status

    @property
    def is_right(self) -> bool:
        """Whether a right may lack, or what was asked for is not seen; else something else is in the way."""
        return self.status in (401, 403, 404)


class InBetweenError(AnswerError):
    """Something else answers in place of the server: a login page, a proxy, a firewall; it says nothing of rights."""


class CredentialError(SourceError):
    """A server refuses the credential: nothing else of this source can succeed."""


class OutageError(SourceError):
    """A server does not answer, or not in time, however often it is asked: nothing else of this source is tried."""


class StoppedError(SourceError):
    """Whoever pulls has stopped the pull: nothing else is asked for."""

    def __init__(self) -> None:
        super().__init__("The pull was stopped.", "Run tidings pull again: it goes on where it was.")


class ContractError(TidingsError):
    """A table broke the contract its model declares; the last good build stays in place."""


class GraphError(TidingsError):
    """The models do not fit together: a missing table, a cycle, two models of one name."""


class WarehouseError(TidingsError):
    """The warehouse cannot be opened, built or asked."""


class WindowError(UsageError, ValueError):
    """A date, a window or a time zone cannot be used as written; a `ValueError`, too, where a source wrote it."""


class MetricError(TidingsError):
    """A metric was asked for something its kind does not allow, or is not known."""


class RunError(TidingsError):
    """A run could not be started, or one of its sections failed."""


def suggest(name: str, known: Iterable[str]) -> str:
    """A sentence that helps with a mistyped name: the nearest known one, else all of them."""
    names = sorted(set(known))
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if near:
        return f"Did you mean '{near[0]}'?"
    if not names:
        return "None are defined."
    shown = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
    return f"Known: {shown}."
