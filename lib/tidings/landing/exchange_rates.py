"""Exchange rates from a file in the European Central Bank's wide format, as CSV or the zip it publishes."""

from __future__ import annotations

import csv
import io
import zipfile
import zlib
from datetime import date
from decimal import Context, Decimal, InvalidOperation
from itertools import pairwise
from pathlib import Path

import pyarrow as pa

from tidings.errors import SourceError
from tidings.schema import Column
from tidings.window import add_days

MOST_DAYS = 30
"""A rate that is older than this on the day of use does not count (metric definitions 7)."""
RATE = "decimal(38, 20)"
COLUMNS = {
    "day": Column("!date", "Day of the fixing."),
    "currency": Column("!string", "ISO code."),
    "rate": Column(f"!{RATE}", "Units of the currency for one euro."),
    "until": Column(
        "date", f"Day up to which it holds: of the next fixing, {MOST_DAYS + 1} days later at most; null for the euro."
    ),
}
_SCHEMA = pa.schema(
    [("day", pa.date32()), ("currency", pa.string()), ("rate", pa.decimal128(38, 20)), ("until", pa.date32())]
)
_MOST_SHOWN = 80
_LONGEST_CELL = 1000
_EURO = "EUR"
_ENDED = "N/A"
_LOWEST, _HIGHEST = Decimal("1e-9"), Decimal("1e12")
_PLACES = Decimal(1).scaleb(-20)
_YEARS = range(1900, 2200)
_EXACT = Context(prec=50)


def no_fixings() -> pa.Table:
    """The rates of a workbook without a rates file."""
    return _SCHEMA.empty_table()


def read_fixings(file: Path) -> pa.Table:
    """One row per currency and fixing, rate in units per euro, the euro itself at 1.

    An empty cell means no new rate: the one before stays valid, for 30 days at most. `N/A` ends it at once: the ECB
    writes that for a currency without a rate. A rate has as many decimals as it is given, 20 are kept.

    Raises:
        SourceError: the file is missing, in another format, or a line has an unreadable date or rate.
    """
    header, lines = _rows(file)
    codes = [code for code in header[1:] if code]
    if not header or header[0] != "Date" or not all(len(code) == 3 and code.isupper() for code in codes):
        raise SourceError(
            f"{file.name} does not begin with 'Date' and currency codes.",
            "Use the ECB's wide format: Date,USD,JPY,... with rates per euro.",
        )
    if twice := sorted({code for code in codes if codes.count(code) > 1}):
        raise SourceError(f"{file.name} has two columns of {', '.join(twice)}.", "Keep one of them.")
    fixings = sorted((_fixing(file, header, number, line) for number, line in lines), key=lambda fixing: fixing[0])
    days = [day for day, _ in fixings]
    for day, following in pairwise(days):
        if day == following:
            raise SourceError(f"{file.name} has two lines for {day}.", "Keep one of them.")
    by_currency: dict[str, list[tuple[date, Decimal | None]]] = {}
    for day, rates in fixings:
        for currency, rate in rates:
            by_currency.setdefault(currency, []).append((day, rate))
    rows = [
        {"day": day, "currency": currency, "rate": rate, "until": _until(currency, day, following)}
        for currency, course in by_currency.items()
        for (day, rate), following in zip(course, [*(day for day, _ in course[1:]), None], strict=True)
        if rate is not None
    ]
    return pa.Table.from_pylist(sorted(rows, key=lambda row: (row["day"], row["currency"])), schema=_SCHEMA)


def _until(currency: str, day: date, following: date | None) -> date | None:
    if currency == _EURO:
        return following
    last = add_days(day, MOST_DAYS + 1)
    return last if following is None else min(last, following)


def _rows(file: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    try:
        data = file.read_bytes()
        if zipfile.is_zipfile(io.BytesIO(data)):
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                names = [name for name in archive.namelist() if name.lower().endswith(".csv")]
                data = archive.read(names[0]) if names else b""
        lines = list(map(_short, csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""))))
    # An archive may be damaged, compressed in an unknown way, or password-protected.
    except (OSError, ValueError, RuntimeError, csv.Error, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise SourceError(
            f"The file of exchange rates {file.name} cannot be read: {error}.",
            "Correct `fx` in [tool.tidings], or take it out to work in one currency.",
        ) from error
    header = [cell.strip() for cell in lines[0]] if lines else []
    numbered = enumerate(lines[1:], start=2)
    return header, [(number, line) for number, line in numbered if any(cell.strip() for cell in line)]


def _short(line: list[str]) -> list[str]:
    # The reader has a limit of its own, but others in this process may have raised it.
    if any(len(cell) > _LONGEST_CELL for cell in line):
        raise csv.Error(f"field larger than {_LONGEST_CELL} characters")
    return line


def _fixing(
    file: Path, header: list[str], number: int, line: list[str]
) -> tuple[date, list[tuple[str, Decimal | None]]]:
    """A day and its rates; null for N/A, no entry for an empty cell."""
    cells = [cell.strip() for cell in line]
    rates: list[tuple[str, Decimal | None]] = []
    try:
        day = date.fromisoformat(cells[0])
        for code, cell in zip(header[1:], cells[1:], strict=False):
            if code and code != _EURO and cell:
                rates.append((code, None if cell == _ENDED else Decimal(cell)))
    except (ValueError, InvalidOperation) as error:
        raise SourceError(
            f"Line {number} of {file.name} cannot be read: {str(error)[:_MOST_SHOWN]}.",
            "Write YYYY-MM-DD and plain numbers or N/A.",
        ) from error
    if day.year not in _YEARS:
        raise SourceError(f"Line {number} of {file.name} is of the year {day.year}.", "Correct its date.")
    known = [(code, rate) for code, rate in rates if rate is not None]
    if any(not rate.is_finite() or rate <= 0 for _, rate in known):
        raise SourceError(f"Line {number} of {file.name} has a rate that is not positive.", "Leave the cell empty.")
    for code, rate in known:
        if not _LOWEST <= rate <= _HIGHEST:
            raise SourceError(
                f"Line {number} of {file.name} has a rate of {rate} {code} for one euro.",
                "Rates are units of the currency for one euro; correct it, or leave the cell empty.",
            )
    exact = [(code, None if rate is None else rate.quantize(_PLACES, context=_EXACT)) for code, rate in rates]
    return day, [*exact, (_EURO, Decimal(1))]
