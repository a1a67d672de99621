"""A small table that fits a mail: the same cells for the text part, which is the narrower one, and for HTML."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tidings.language import say_count

COLUMNS = 77
"""Columns of a line of the text part: programs that quote it have 78."""
_GAP = 2
_LEAST = 14


@dataclass(frozen=True)
class Grid:
    """Rows of a table as printed. `is_number` says for each column whether it is aligned right, `note` what is
    left out and what signs mean; `left` rows and `gone` columns are only on the page.
    """

    title: str
    subtitle: str
    heads: tuple[str, ...]
    is_number: tuple[bool, ...]
    rows: tuple[tuple[str, ...], ...]
    left: int = 0
    note: str = ""
    gone: int = 0

    def first(self, most: int) -> Grid:
        """Its first rows."""
        return replace(self, rows=self.rows[:most], left=self.left + max(0, len(self.rows) - most))

    @property
    def notes(self) -> str:
        """The note, and how many columns and rows are not shown."""
        left, gone = self.left, self.gone
        columns_said = say_count(gone, "{n} more column on the page.", "{n} more columns on the page.", n=gone)
        rows_said = say_count(left, "{n} more row on the page.", "{n} more rows on the page.", n=left)
        return " ".join(filter(None, (self.note, columns_said * bool(gone), rows_said * bool(left))))

    def lines(self) -> list[str]:
        """The rows as aligned text, below their heads and a rule."""
        grid = [self.heads, *self.rows]
        widths = [max(columns(line[at]) for line in grid) for at in range(len(self.heads))]
        shown = [
            (" " * _GAP)
            .join(_padded(text, width, right) for text, width, right in zip(line, widths, self.is_number, strict=True))
            .rstrip()
            for line in grid
        ]
        return [shown[0], "-" * (sum(widths) + _GAP * (len(widths) - 1)), *shown[1:]]


def fitted(
    title: str,
    subtitle: str,
    heads: tuple[str, ...],
    is_number: tuple[bool, ...],
    rows: Sequence[tuple[str, ...]],
    *,
    most: int,
    note: str = "",
) -> Grid:
    """The first `most` rows with the columns that fit: long texts are cut, then the last columns are left out."""
    complete = [(*row, *[""] * len(heads))[: len(heads)] for row in (heads, *rows[:most])]
    kept = len(heads)
    while True:
        shown = [row[:kept] for row in complete]
        widths = [max(columns(row[at]) for row in shown) for at in range(kept)]
        room = COLUMNS - _GAP * (kept - 1) - sum(w for w, right in zip(widths, is_number, strict=False) if right)
        texts = [at for at in range(kept) if not is_number[at]]
        if kept == 1 or (room >= _LEAST * len(texts) or room >= sum(widths[at] for at in texts)):
            break
        kept -= 1
    allowed = _shares([widths[at] for at in texts], max(room, _LEAST))
    for at, width in zip(texts, allowed, strict=True):
        shown = [(*row[:at], cut(row[at], width), *row[at + 1 :]) for row in shown]
    return Grid(
        title,
        subtitle,
        shown[0],
        is_number[:kept],
        tuple(shown[1:]),
        left=max(0, len(rows) - most),
        note=note,
        gone=len(heads) - kept,
    )


def columns(text: str) -> int:
    """How many columns a text takes where every character has one: wide ones have two, marks on others none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text
    )


def cut(text: str, most: int) -> str:
    """A text that takes at most so many columns."""
    if columns(text) <= most:
        return text
    while text and columns(text) > most - 1:
        text = text[:-1]
    return f"{text.rstrip()}…"


def _shares(wanted: Sequence[int], room: int) -> list[int]:
    """How wide columns of text may be: the short ones as they are, the others share what is left."""
    given = [0] * len(wanted)
    left = len(wanted)
    for at in sorted(range(len(wanted)), key=lambda at: wanted[at]):
        given[at] = min(wanted[at], room // left)
        room -= given[at]
        left -= 1
    return given


def _padded(text: str, width: int, right: bool) -> str:
    blank = " " * (width - columns(text))
    return blank + text if right else text + blank
