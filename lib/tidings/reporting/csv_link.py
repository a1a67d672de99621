"""Tables as CSV inside a page: a `data:` address, so that a download needs no script and no network."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from tidings.language import say
from tidings.reporting.record import known

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
# What a spreadsheet takes for a formula, or for the separator before one.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_NO_WORD = re.compile(r"[^A-Za-z0-9]+")
_LONGEST_NAME = 48
_UNITS_UNSAID = ("", "text", "date", "count", "figure", "number", "money")


def csv_text(table: Mapping[str, Any]) -> str:
    """A table of the record as CSV: a head with units, numbers plain (shares as 0.12), none as an empty cell.

    A text that a spreadsheet would take for a formula gets an apostrophe in front.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    units = [own_units(row) for row in table["rows"]]
    head = [_head(column) for column in table["columns"]]
    # A column for units only where a row has its own.
    has_units = any(units)
    writer.writerow(map(_safe, [*head, say("Unit")] if has_units else head))
    for row, unit in zip(table["rows"], units, strict=True):
        cells = [
            plain_number(known(cell), str(column["unit"])) for cell, column in zip(row, table["columns"], strict=True)
        ]
        writer.writerow(map(_safe, [*cells, unit] if has_units else cells))
    return out.getvalue()


def csv_address(table: Mapping[str, Any]) -> str:
    """A table of the record as a `data:` address of a CSV file."""
    # The mark at the start tells Excel that it is UTF-8.
    return "data:text/csv;charset=utf-8," + quote("\ufeff" + csv_text(table), safe=",;:/()!*'-._~")


def csv_name(section: str, title: str) -> str:
    """The name of the file for a figure."""
    words = _NO_WORD.sub("-", title)[:_LONGEST_NAME].strip("-").lower()
    return f"{section}-{words}.csv" if words else f"{section}.csv"


def _head(column: Mapping[str, Any]) -> str:
    title, unit = str(column["title"]), str(column["unit"])
    return title if unit in _UNITS_UNSAID else f"{title} ({unit})"


def plain_number(value: Any, unit: str) -> Any:
    """A value of the record as a spreadsheet has it: a difference of rates in points, as its head says, not as 0.01."""
    if unit != "points" or isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return float(Decimal(str(value)) * 100)


def own_units(row: Sequence[Any]) -> str:
    """The units of those cells of a row that have their own, each once; mostly empty."""
    return ", ".join(dict.fromkeys(cell["unit"] for cell in row if isinstance(cell, Mapping)))


def _safe(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return int(value)
    # A spreadsheet looks past blanks.
    if isinstance(value, str) and value.lstrip(" \u00a0").startswith(_FORMULA) and not _NUMBER.fullmatch(value):
        return f"'{value}"
    return value
