"""Rejected lines without anything that identifies a client. The line's grammar has just failed, so each piece is
matched alone.
"""

from __future__ import annotations

import re
from typing import Final

from tidings.enrich.redaction import redact, redact_addresses

_PIECE: Final = re.compile(r'\s+|"(?:[^"\\]|\\.)*"?|\[[^\]\s]*(?: [^\]\s]*)?\]|[^\s"]+')
_TIME: Final = re.compile(
    r"\[(?:\d{1,2}/\w{3}/\d{4}[: ]|\d{4}-\d\d-\d\d[T ])\d\d:\d\d:\d\d(?:[.,]\d+)?(?: ?(?:[+-]\d\d:?\d\d|Z))?\]"
)
_REQUEST: Final = re.compile(r'"[A-Z]{3,10} (?:/|\*|https?://)\S*(?: HTTP/\d(?:\.\d)?)?"')
_LINK: Final = re.compile(r'"https?://\S*"')
_AGENT: Final = re.compile(r'"(?:Mozilla|Opera|curl|Wget)/\d.*"')
_STATUS: Final = re.compile(r"[1-5]\d\d|-")


def scrubbed(line: str) -> str:
    """The line with times, requests, links, user agents and status codes; the rest as its shape: letters as x, digits
    as 9.

    Only the text after the last time is searched: a user name may contain something that looks like a request.
    """
    pieces = [match[0] for match in _PIECE.finditer(line)]
    times = [number for number, piece in enumerate(pieces) if _TIME.fullmatch(piece)]
    behind = times[-1] if times else len(pieces)
    return "".join(
        piece if number == behind else _kept(piece) if number > behind else shape(piece)
        for number, piece in enumerate(pieces)
    )


def _kept(piece: str) -> str:
    if any(pattern.fullmatch(piece) for pattern in (_REQUEST, _LINK, _AGENT)):
        return redact_addresses(redact(piece))
    return piece if piece.isspace() or _STATUS.fullmatch(piece) else shape(piece)


def shape(piece: str) -> str:
    """Letters as x, digits as 9, other characters as they are."""
    return "".join("9" if c.isdigit() else "x" if not (c.isascii() and not c.isalpha()) else c for c in piece)
