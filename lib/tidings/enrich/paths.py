"""Normalises paths of pages: one page has one path, however its characters were encoded (metric definitions 4)."""

from __future__ import annotations

import re
from typing import Final

from tidings.enrich.redaction import redact

_ORDINARY: Final = re.compile(r"[!$&-;=@-Z\[\]_a-z~]*")
# Percent-encoded bytes, and characters that a URL has to encode: together they are UTF-8.
_RUN: Final = re.compile(r"(?:%[0-9A-Fa-f]{2}|[^\x21-\x7e])+")
_PIECE: Final = re.compile(r"%([0-9A-Fa-f]{2})|([^%]+)")
_STRAY: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
# RFC 3986 2.2: an encoded reserved character differs from a plain one; so does an encoded percent sign.
_KEPT: Final = frozenset(":/?#[]@!$&'()*+,;=%")
# Trailing slashes, and the space that a removed fragment leaves before it.
_TAIL: Final = re.compile(r"[/\s]+$")
_OUTER: Final = re.compile(r"^ +| +$")


def page_name(path: str) -> str:
    """A page as another tool names it, with a normalised path, redacted; the query stays, because visitors are not
    additive.
    """
    end = re.search(r"[?#]|$", path)
    at = end.start() if end else len(path)
    return redact(normalised(path[:at]) + path[at:])


def normalised(path: str) -> str:
    """A path normalised for comparison and display: decoded where that is printable and means the same.

    Trailing slashes are removed, the root stays. Idempotent.
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
