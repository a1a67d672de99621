"""A run as a spreadsheet: a sheet for the figures, one for the definitions, and one for each table and chart."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import xlsxwriter

from tidings.currencies import places
from tidings.display.formats import column_places, is_currency, is_numeric_unit, money_places
from tidings.display.rows import is_change
from tidings.enrich.characters import plain
from tidings.exports.placing import placed
from tidings.exports.sheets import CONTENTS, Sheet, sheets_of
from tidings.language import message, say
from tidings.metrics.result import Field
from tidings.reporting.csv_link import own_units, plain_number
from tidings.reporting.finished import FinishedRun
from tidings.reporting.record import known
from tidings.window import naive_utc

_HEAD_ROW = 4
_NARROWEST, _WIDEST = 8, 60
_LONGEST_TEXT = 32_767
# A spreadsheet keeps 15 digits of a number.
_MOST = Decimal(10) ** 15
_FIRST_YEAR = 1900
_UNKNOWN = message("An empty cell is not known; it is not 0.")
# The cells have the unit in their format, or each row has its own.
_UNITS_UNSAID = ("", "text", "date", "count", "figure", "number", "ratio")
_SIGNED = "+{0};-{0};{0}"


def write_xlsx(run: FinishedRun, target: Path) -> None:
    """Write the tables of a run as a spreadsheet; equal records give equal bytes.

    Numbers are numbers with the format of their unit, no text is a formula or a link, and what is not known is an empty
    cell.

    Raises:
        RunError: the disk does not take it.
    """
    # In memory, as a full disk would otherwise be found only when its temporary files are put together.
    content = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(content, options) as book:
        book.set_properties({"title": plain(say(run.title)), "created": naive_utc(run.as_of)})
        styles = _Styles(book)
        for sheet in sheets_of(run):
            _SheetWriter(book.add_worksheet(sheet.name), sheet, styles).write()
    with placed(target) as draft:
        draft.write_bytes(content.getvalue())


class _Styles:
    """The formats of cells, each made once."""

    def __init__(self, book: Any) -> None:
        self._book = book
        self._made: dict[tuple[tuple[str, Any], ...], Any] = {}

    def of(self, **properties: Any) -> Any:
        key = tuple(sorted(properties.items()))
        if key not in self._made:
            self._made[key] = self._book.add_format(dict(key))
        return self._made[key]


class _SheetWriter:
    """Writes one sheet: title and period, a frozen head, the rows, and the notes below."""

    def __init__(self, place: Any, sheet: Sheet, styles: _Styles) -> None:
        self._place = place
        self._sheet = sheet
        self._styles = styles
        self._columns: Sequence[Mapping[str, Any]] = sheet.table["columns"]
        self._rows: Sequence[Sequence[Any]] = sheet.table["rows"]

    def write(self) -> None:
        self._text(0, 0, self._sheet.title, bold=True, font_size=14)
        self._text(1, 0, self._sheet.about, font_color="#595959")
        units = [own_units(row) for row in self._rows]
        heads = [*map(self._head, range(len(self._columns))), *([say("Unit")] if any(units) else [])]
        for at, head in enumerate(heads):
            is_number = at < len(self._columns) and is_numeric_unit(str(self._columns[at]["unit"]))
            self._text(_HEAD_ROW, at, head, bold=True, bottom=1, text_wrap=True, align="right" if is_number else "left")
        decimals = [self._decimals(at) for at in range(len(self._columns))]
        for number, row in enumerate(self._rows, start=_HEAD_ROW + 1):
            for at, cell in enumerate(row):
                self._cell(number, at, cell, decimals[at])
            if unit := units[number - _HEAD_ROW - 1]:
                self._text(number, len(row), unit)
        self._place.freeze_panes(_HEAD_ROW + 1, 0)
        for at, head in enumerate(heads):
            texts = [str(known(row[at])) if at < len(row) else "" for row in self._rows]
            longest = max([max(map(len, head.split()), default=0), *map(_printed_length, texts)])
            self._place.set_column(at, at, min(max(longest + 2, _NARROWEST), _WIDEST))
        below = _HEAD_ROW + len(self._rows) + 2
        is_gap = any(known(cell) is None for row in self._rows for cell in row)
        for number, note in enumerate([*([say(_UNKNOWN)] if is_gap else []), *self._sheet.notes]):
            self._text(below + number, 0, note, italic=True, font_color="#595959")

    def _head(self, at: int) -> str:
        title, unit = str(self._columns[at]["title"]), str(self._columns[at]["unit"])
        if unit == "date" and any(isinstance(_when(known(row[at])), datetime) for row in self._rows):
            return f"{title} (UTC)"
        return title if unit in _UNITS_UNSAID else f"{title} ({unit})"

    def _decimals(self, at: int) -> int | None:
        unit = str(self._columns[at]["unit"])
        return column_places((_number(known(row[at])) for row in self._rows), unit)

    def _cell(self, row: int, at: int, cell: Any, decimals: int | None) -> None:
        column = self._columns[at]
        unit = str(cell["unit"] if isinstance(cell, Mapping) else column["unit"])
        value = plain_number(known(cell), unit)
        if value is None or value == "":
            return
        if isinstance(value, bool):
            self._place.write_boolean(row, at, value)
            return
        number = _number(value) if is_numeric_unit(unit) or not isinstance(value, str) else None
        if number is not None and abs(number) < _MOST:
            if isinstance(cell, Mapping):
                decimals = column_places([number], unit)
            field = Field(str(column["name"]), str(column["title"]), unit)
            self._place.write_number(
                row, at, float(number), self._styles.of(num_format=_format(field, number, decimals))
            )
            return
        when = _when(value) if unit == "date" else None
        if when is not None:
            shape = "yyyy-mm-dd hh:mm" if isinstance(when, datetime) else "yyyy-mm-dd"
            self._place.write_datetime(row, at, when, self._styles.of(num_format=shape, align="left"))
            return
        if self._sheet.name == say(CONTENTS) and at == 0:
            self._place.write_url(row, at, f"internal:'{value}'!A1", None, str(value))
            return
        self._text(row, at, str(value), text_wrap=len(str(value)) > _WIDEST, valign="top")

    def _text(self, row: int, at: int, text: str, **style: Any) -> None:
        text = plain(text)
        if len(text) > _LONGEST_TEXT:
            # Longer ones the library leaves out.
            text = text[: _LONGEST_TEXT - 1] + "…"
        self._place.write_string(row, at, text, self._styles.of(**style))


def _format(field: Field, number: Decimal, decimals: int | None) -> str:
    """The format of a number: as on the page, but that a spreadsheet shows all digits where it is asked to."""
    if field.unit == "points":
        return _SIGNED.format("0.00")
    if field.unit == "ratio":
        return _SIGNED.format("0.0%") if is_change(field) else "0.00%"
    if field.unit == "money" or is_currency(field.unit):
        return _thousands(money_places(number, places(field.unit)))
    if field.unit == "s":
        return _thousands(1)
    return _thousands(decimals or 0)


def _thousands(decimals: int) -> str:
    return "#,##0" + ("." + "0" * decimals if decimals else "")


def _number(value: Any) -> Decimal | None:
    """A number of the record, where money is text; None for what is none."""
    if value is None or isinstance(value, bool):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _when(value: Any) -> date | None:
    """A day, or an instant in UTC, of the record; None for what is neither, or too early for a spreadsheet."""
    try:
        day = date.fromisoformat(value) if len(value) == len("2026-01-01") else None
        when = day or datetime.fromisoformat(value)
    except (ValueError, TypeError):
        return None
    if isinstance(when, datetime) and when.tzinfo is not None:
        when = naive_utc(when)
    return when if when.year > _FIRST_YEAR else None


def _printed_length(text: str) -> int:
    """About how wide a cell is printed: numbers are rounded and have separators."""
    number = _number(text)
    return len(text) if number is None else len(f"{number:,.2f}")
