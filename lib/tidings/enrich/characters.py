"""Replaces characters that must not reach a page, a picture, a log or a terminal.

Bottom layer: this module imports nothing from the package.
"""

from __future__ import annotations

import re
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

INSTEAD: Final = "\ufffd"
# Control characters except tab and line ends, lone surrogates, and two noncharacters: most are invalid in XML. Also
# direction overrides, which make a text look like another one.
_ANY: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202d\u202e\ud800-\udfff\ufffe\uffff]")
_IN_ARROW: Final = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x{9f}\x{202d}\x{202e}\x{fffe}\x{ffff}]"


def plain(text: str) -> str:
    """A text with each such character replaced."""
    return _ANY.sub(INSTEAD, text)


def plain_column(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column of text, or of maps of text, with each such character replaced."""
    if pa.types.is_map(column.type):
        return pa.chunked_array([_plain_maps(chunk) for chunk in column.chunks], column.type)
    if not any(map(_may_hold, column.chunks)):
        return column
    return pc.replace_substring_regex(column, _IN_ARROW, INSTEAD)


def _plain_maps(maps: pa.MapArray) -> pa.MapArray:
    keys, items = (pa.chunked_array([part]) for part in (maps.keys, maps.items))
    if not any(map(_may_hold, (maps.keys, maps.items))):
        return maps
    # Two keys that differ only in such a character become equal; a map with a repeated key is still a map.
    keys, items = (plain_column(part).combine_chunks() for part in (keys, items))
    return pa.MapArray.from_arrays(maps.offsets, keys, items, mask=maps.is_null() if maps.null_count else None)


def _may_hold(texts: pa.StringArray) -> bool:
    """True if such a character may occur; tests the bytes, many times as fast as any expression."""
    _, offsets, data = texts.buffers()
    if data is None or not len(texts):
        return False
    ends = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    held = np.frombuffer(data, np.uint8)[ends[0] : ends[-1]]
    # Includes tabs and line ends, and matches the first bytes of U+0080 to U+009F, of U+202D and of U+FFFE.
    return bool((held < 0x20).any()) or any(bool((held == byte).any()) for byte in (0x7F, 0xC2, 0xE2, 0xEF))
