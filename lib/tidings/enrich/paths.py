"""Paths of pages: one page has one path, however its characters were encoded (metric definitions 4)."""

from __future__ import annotations

import re
from typing import Final

from tidings.enrich.redaction import redact

_ORDINARY: Final = re.compile(r"[!$&-;=@-Z\[\]_a-z~]*")
# Encoded octets, and characters that a URL has to encode: together they are UTF-8, however each was written.
_RUN: Final = re.compile(r"(?:%[0-9A-Fa-f]{2}|[^\x21-\x7e])+")
_PIECE: Final = re.compile(r"%([0-9A-Fa-f]{2})|([^%]+)")
_STRAY: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
# RFC 3986 2.2: an encoded reserved character is another one than a plain one; so is the mark of encoding itself.
_KEPT: Final = frozenset(":/?#[]@!$&'()*+,;=%")
# Slashes at the end, and the space that a cut fragment leaves before it.
_TAIL: Final = re.compile(r"[/\s]+$")
_OUTER: Final = re.compile(r"^ +| +$")


def page_name(path: str) -> str:
    """A page as another tool names it, its path in the one form, redacted; a query stays: visitors do not add up."""
    end = re.search(r"[?#]|$", path)
    at = end.start() if end else len(path)
    return redact(normalised(path[:at]) + path[at:])


def normalised(path: str) -> str:
    """A path in the one form that it is compared and shown in: decoded where that is printable and means the same.

    Trailing slashes go, the root stays. Doing it again changes nothing.
    """
    path = _TAIL.sub("", path.strip()) or "/"
    if _ORDINARY.fullmatch(path):
        return path
    path = _RUN.sub(lambda match: _written(match[0]), _STRAY.sub("%25", path))
    return _OUTER.sub(lambda match: "%20" * len(match[0]), path)


def _written(run: str) -> str:
    octets = b"".join(
        bytes.fromhex(piece[1]) if piece[1] else piece[2].encode("utf-8", "surrogatepass")
        for piece in _PIECE.finditer(run)
    )
    return "".join(map(_character, octets.decode("utf-8", "surrogateescape")))


def _character(character: str) -> str:
    if character.isprintable() and character not in _KEPT:
        return character
    return "".join(f"%{octet:02X}" for octet in character.encode("utf-8", "surrogateescape"))
