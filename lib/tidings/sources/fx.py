"""Exchange rates from a file in the European Central Bank's wide format, as CSV or the zip it publishes."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator
from datetime import date
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from pathlib import Path

import pyarrow as pa

from tidings.errors import SourceError
from tidings.model import Column

COLUMNS = {
    "day": Column("!date", "Day of the fixing."),
    "currency": Column("!string", "ISO code."),
    "rate": Column("!decimal(18, 8)", "Units of the currency for one euro."),
    "until": Column("date", "Day of the next fixing of any currency, up to which this one holds; null for the last."),
}
_SCHEMA = pa.schema(
    [("day", pa.date32()), ("currency", pa.string()), ("rate", pa.decimal128(18, 8)), ("until", pa.date32())]
)
_NONE = ("", "N/A")


def no_fixings() -> pa.Table:
    """The table of a workbook without a file of rates."""
    return _SCHEMA.empty_table()


def read_fixings(file: Path) -> pa.Table:
    """One row per currency and fixing, rate in units per euro, the euro itself at 1; `N/A` and empty cells have no row.

    Raises:
        SourceError: the file is missing, not in the format, or a line has a date or rate that cannot be read.
    """
    header, lines = _rows(file)
    if not header or header[0] != "Date" or not all(len(code) == 3 and code.isupper() for code in header[1:] if code):
        raise SourceError(
            f"{file.name} does not begin with 'Date' and currency codes.",
            "Use the ECB's wide format: Date,USD,JPY,... with rates per euro.",
        )
    fixings = sorted(_fixing(file, header, number, line) for number, line in lines)
    days = [day for day, _ in fixings]
    for day, following in pairwise(days):
        if day == following:
            raise SourceError(f"{file.name} has two lines for {day}.", "Keep one of them.")
    rows = [
        (day, currency, rate, until)
        for (day, rates), until in zip(fixings, [*days[1:], None], strict=True)
        for currency, rate in rates
    ]
    return pa.Table.from_pylist([dict(zip(_SCHEMA.names, row, strict=True)) for row in rows], schema=_SCHEMA)


def _rows(file: Path) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    try:
        data = file.read_bytes()
        if zipfile.is_zipfile(io.BytesIO(data)):
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                names = [name for name in archive.namelist() if name.lower().endswith(".csv")]
                data = archive.read(names[0]) if names else b""
        text = data.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError, zipfile.BadZipFile) as error:
        raise SourceError(
            f"The file of exchange rates {file.name} cannot be read: {error}.",
            "Correct `fx` in [tool.tidings], or take it out to work in one currency.",
        ) from error
    lines = csv.reader(io.StringIO(text))
    header = [cell.strip() for cell in next(lines, [])]
    return header, ((number, line) for number, line in enumerate(lines, start=2) if any(cell.strip() for cell in line))


def _fixing(file: Path, header: list[str], number: int, line: list[str]) -> tuple[date, list[tuple[str, Decimal]]]:
    cells = [cell.strip() for cell in line]
    try:
        rates = [
            (code, Decimal(cell))
            for code, cell in zip(header[1:], cells[1:], strict=False)
            if code and cell not in _NONE
        ]
        day = date.fromisoformat(cells[0])
    except (ValueError, InvalidOperation) as error:
        raise SourceError(
            f"Line {number} of {file.name} cannot be read: {error!r}.", "Write YYYY-MM-DD and plain numbers or N/A."
        ) from error
    if any(not rate.is_finite() or rate <= 0 for _, rate in rates):
        raise SourceError(f"Line {number} of {file.name} has a rate that is not positive.", "Leave the cell empty.")
    return day, [*rates, ("EUR", Decimal(1))]
