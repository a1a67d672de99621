"""CSV and relatives as found in practice: finds the header, splits records, rejects a broken one alone."""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice
from typing import Any, Final

import pyarrow as pa

from tidings.enrich.characters import plain
from tidings.errors import SourceError
from tidings.parsing.beginning import CHUNK, SAMPLE, Head, Reject, require_unique
from tidings.parsing.files import File, lines

_DELIMITERS: Final = ",;\t|:"
# A quoted value with more line breaks than this is taken for a quote that was never closed.
_LONGEST_RECORD: Final = 200
# How many lines are searched for the header.
_FIRST_LINES: Final = 60
_SEPARATOR: Final = re.compile(r'\s*"?sep=(?P<mark>[^"])"?[\s;,]*', re.IGNORECASE)
# Numbers and times in any notation: frequent in tables and rare in prose.
_COUNTED: Final = re.compile(r"[-+(]?[\d.,:/ '€$£%TZ+-]*\d[\d.,:/ '€$£%TZ)+-]*")
_STRAY: Final = "a quoted value does not end, or text follows its closing quote"
_SWALLOWED: Final = "a quoted value spans lines that are rows of their own"

Record = tuple[int, list[str], str]


def csv_chunks(
    file: File, found: Head, encoding: str, rejects: list[Reject], needed: int | None = None
) -> Iterator[pa.Table]:
    """The records of any CSV file as `c0` …, `_line` (where the record starts); a line that is not a record is
    rejected.

    A record may leave out trailing cells, except the first `needed` (all if None), and may have extra empty ones.
    """
    width = len(found.names)
    schema = pa.schema([*((f"c{number}", pa.string()) for number in range(width)), ("_line", pa.int64())])
    is_row = _row_like(found)
    if found.before:
        for number, _, text in islice(lines(file, encoding), found.before):
            # A comment about the file is not a row; a line like all the others is.
            if is_row(text.split(found.delimiter)):
                rejects.append((number, "the line stands before the header", text))
    records = _records(file, found.delimiter, encoding, rejects, found.before, is_row)
    next(records, None)
    rows: list[tuple[Any, ...]] = []
    for number, values in _fitted(records, width, width if needed is None else needed, rejects):
        rows.append((*values, number))
        if len(rows) >= CHUNK:
            yield _columns(rows, schema)
            rows = []
    if rows or rejects:
        yield _columns(rows, schema)


def _fitted(
    records: Iterator[Record], width: int, needed: int, rejects: list[Reject]
) -> Iterator[tuple[int, list[str | None]]]:
    """The records with as many values as the header has columns; others are rejected."""
    has_short = False
    short: Record | None = None
    for number, values, text in records:
        if short is not None:
            # It was not the last one, which might be truncated.
            yield short[0], _filled(short[1], width)
            short, has_short = None, True
        if needed <= len(values) < width:
            short = (number, values, text)
        elif len(values) < width or any(each.strip() for each in values[width:]):
            rejects.append((number, f"{len(values)} values where the header has {width} columns", text))
        else:
            yield number, [*values[:width]]
    if short is not None and has_short:
        yield short[0], _filled(short[1], width)
    elif short is not None:
        reason = f"{len(short[1])} values where the header has {width} columns: is the file cut off?"
        rejects.append((short[0], reason, short[2]))


def _filled(values: Sequence[str], width: int) -> list[str | None]:
    return [*values, *[None] * (width - len(values))]


def _columns(rows: list[tuple[Any, ...]], schema: pa.Schema) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else ((),) * len(schema)
    return pa.table(
        [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)], schema=schema
    )


def _records(
    file: File,
    delimiter: str,
    encoding: str,
    rejects: list[Reject],
    before: int = 0,
    is_row: Callable[[list[str]], bool] | None = None,
) -> Iterator[Record]:
    """Each CSV record: the number of its first line, its values, its text. A bad quote costs one line, not the rest.

    `is_row` tells whether a line could be a row by itself: a value that spans such lines is a stray quote.
    """
    source = lines(file, encoding)
    # Python reads quoted values up to 128 KB by default.
    csv.field_size_limit(sys.maxsize)
    waiting: list[tuple[int, str | None, str]] = []
    stray: set[int] = set()
    while True:
        line = waiting.pop(0) if waiting else next(source, None)
        if line is None:
            return
        number, text, shown = line
        if number <= before:
            continue
        if text is None:
            rejects.append((number, f"the line is not {encoding}", shown))
        elif '"' not in text:
            if text:
                yield number, text.split(delimiter), text
        elif number in stray:
            rejects.append((number, _STRAY, text))
        else:
            taken = [text]
            values = _parsed(taken, delimiter)
            ahead = 0
            while values is None and ahead < _LONGEST_RECORD and ('"' not in taken[-1] or _is_open(taken, delimiter)):
                if ahead == len(waiting):
                    more = next(source, None)
                    if more is None:
                        break
                    waiting.append(more)
                if waiting[ahead][1] is None:
                    break
                taken.append(waiting[ahead][2])
                ahead += 1
                values = _parsed(taken, delimiter) if '"' in taken[-1] else None
            is_stray = ahead and is_row is not None and _swallows(taken, delimiter, is_row)
            if values is None or is_stray:
                rejects.append((number, _STRAY if values is None else _SWALLOWED, text))
                # Its closing quote would be inside a value that is not quoted.
                stray |= set() if values is None else {number + ahead}
            else:
                del waiting[:ahead]
                yield number, values, "\n".join(taken)


def _parsed(taken: list[str], delimiter: str) -> list[str] | None:
    try:
        records = list(csv.reader([f"{text}\n" for text in taken], delimiter=delimiter, strict=True))
    except csv.Error:
        return None
    return records[0] if len(records) == 1 else None


def _is_open(taken: list[str], delimiter: str) -> bool:
    try:
        list(csv.reader([f"{text}\n" for text in taken], delimiter=delimiter, strict=True))
    except csv.Error as error:
        return "unexpected end of data" in str(error)
    return False


def _swallows(taken: Sequence[str], delimiter: str, is_row: Callable[[list[str]], bool]) -> bool:
    """True if a value over several lines contains lines that are rows by themselves.

    The first and the last line are only partly inside the quotes: without a delimiter, such a part may simply be the
    end or the beginning of the value.
    """
    inside = [taken[0].rpartition('"')[2], *taken[1:-1], taken[-1].partition('"')[0]]
    return any(delimiter in part and is_row(text.split(delimiter)) for part, text in zip(inside, taken, strict=True))


def _row_like(found: Head) -> Callable[[list[str]], bool]:
    """Whether a line is a row by itself: a value for each column, and numbers and times where rows have them."""
    width = len(found.names)
    if width < 2:
        return lambda values: False
    rows = [row for row in found.sample if not any("\n" in (cell or "") for cell in row)]
    counted, always = [], []
    for number in range(width):
        cells = [cell for row in rows if (cell := row[number])]
        if cells and sum(bool(_COUNTED.fullmatch(cell)) for cell in cells) * 10 >= len(cells) * 7:
            counted.append(number)
            always += [number] if len(cells) * 20 >= len(rows) * 19 else []

    def is_row(values: list[str]) -> bool:
        if len(values) != width:
            return False
        cells = {number: values[number].strip(' "') for number in counted}
        return all(cells[number] for number in always) and all(map(_is_counted, cells.values()))

    return is_row


def _is_counted(cell: str) -> bool:
    return not cell or bool(_COUNTED.fullmatch(cell))


def csv_head(file: File, encoding: str, needed: Collection[str]) -> Head:
    """The header and the first rows of a CSV file. The header is the first line that has all `needed` names, whatever
    comes before it; without such a line, the first that is neither Excel's `sep=` nor starts with #.

    Raises:
        SourceError: there is no header, or it has a needed name twice.
    """
    first = [text or shown for _, text, shown in islice(lines(file, encoding), _FIRST_LINES)]
    separator = _SEPARATOR.fullmatch(first[0].removesuffix("\n")) if first else None
    delimiters = separator["mark"] if separator else _DELIMITERS
    before, delimiters = _header(first, 1 if separator else 0, delimiters, needed)

    def records(delimiter: str, count: int) -> list[list[str]]:
        return [values for _, values, _ in islice(_records(file, delimiter, encoding, [], before), count)]

    def fit(delimiter: str) -> tuple[int, int]:
        widths = [len(values) for values in records(delimiter, 50)]
        same = sum(width == widths[0] for width in widths) if widths else 0
        return (same if widths and widths[0] > 1 else 0), (widths[0] if widths else 0)

    # The delimiter by which most of the first rows have as many values as the header; the earlier one on a tie.
    delimiter = max(delimiters, key=lambda each: (*fit(each), -delimiters.index(each)))
    rows = records(delimiter, SAMPLE + 1)
    if not rows:
        raise SourceError(f"{file.name} has no header line.", "Its first line must name the columns.")
    names = _names(rows[0], needed)
    require_unique(file, names, needed)
    sample = tuple(tuple(row) for row in rows[1:] if len(row) == len(names) and row != rows[0])
    return Head(_apart(names), ("VARCHAR",) * len(names), sample, delimiter, before=before)


def _header(first: Sequence[str], start: int, delimiters: str, needed: Collection[str]) -> tuple[int, str]:
    """How many lines come before the header, and its possible delimiters."""
    names = {" ".join(name.split()) for name in needed}
    for number, text in enumerate(first[start:] if names else (), start=start):
        by = [mark for mark in delimiters if names <= {_name(cell) for cell in _parsed([text], mark) or ()}]
        if by:
            return number, "".join(by)
    number = start
    while number < len(first) and _is_preamble(first, number, delimiters):
        number += 1
    return (number if number < len(first) else start), delimiters


def _is_preamble(first: Sequence[str], number: int, delimiters: str) -> bool:
    """True for an empty line, and for one that starts with # unless the next one has as many values."""
    text = first[number]
    if not text.strip():
        return True
    following = next((each for each in first[number + 1 :] if each.strip()), "")
    if not text.startswith("#") or following.startswith("#"):
        return text.startswith("#")
    return not any(mark in text and text.count(mark) == following.count(mark) for mark in delimiters)


def _name(cell: str) -> str:
    return " ".join(plain(cell).replace("\ufeff", "").replace("\u200b", "").split())


def _names(cells: Sequence[str], needed: Collection[str]) -> tuple[str, ...]:
    """The names of the columns: as in `needed` if they differ by spaces only, a number if there is none."""
    as_needed = {" ".join(name.split()): name for name in needed}
    exact = [cell.strip() for cell in cells]
    names = [name if name in needed else as_needed.get(_name(name), _name(name)) for name in exact]
    return tuple(name or f"column{number}" for number, name in enumerate(names, start=1))


def _apart(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names, repeated ones with a number appended."""
    seen: dict[str, int] = {}
    out = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        reported = name if seen[name] == 1 else f"{name} ({seen[name]})"
        while reported != name and reported in names:
            reported += "'"
        out.append(reported)
    return tuple(out)
