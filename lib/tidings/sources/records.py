"""Turns raw records of an API into typed rows of a feed; unusable ones are kept with a reason."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tidings.errors import SourceError
from tidings.feeds import Feed
from tidings.landing.load_writer import arrow_schema
from tidings.parsing import values
from tidings.schema import Column
from tidings.window import Zone

_MOST_DIGITS = 400

UNUSABLE = "!"
"""The field in which a connector notes why a record is unusable, if it finds out while reading."""
Record = Mapping[str, Any]
Parse = Callable[[Record], Mapping[str, Any]]


class UnusableError(ValueError):
    """Raised by `parse`: the record cannot become a row; the text is the reason."""


@dataclass
class Rows:
    """Typed rows of some records, and the rejected ones: position, reason, raw record."""

    table: pa.Table
    lines: list[int] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    records: list[str] = field(default_factory=list)

    def reject(self, line: int, reason: str, record: str) -> None:
        self.lines.append(line)
        self.reasons.append(_whole_text(reason))
        self.records.append(record)


def as_received(record: Record) -> str:
    """A raw record as JSON text; exact except for numbers beyond 15 digits."""
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":"), default=_plain)
    # A lone surrogate, as truncated texts end with, can only be written as an escape.
    return text if _whole_text(text) == text else json.dumps(record, separators=(",", ":"), default=_plain)


def typed(feed: Feed, records: Iterable[Record], parse: Parse, first_line: int) -> Rows:
    """The rows that `parse` makes of records, numbered from `first_line`, with the feed's types.

    `parse` returns the feed's columns; a `KeyError` in it means that the API left out a field. Values may be text:
    numbers with thousands separators, ISO times, `YYYY-MM-DD`. An aware instant becomes naive UTC, a date its midnight.
    """
    schema = arrow_schema(feed)
    found: list[tuple[int, Mapping[str, Any], str]] = []
    rows = Rows(schema.empty_table())
    for line, record in enumerate(records, start=first_line):
        text = as_received(record)
        if isinstance(record, Mapping) and UNUSABLE in record:
            rows.reject(line, str(record[UNUSABLE]), text)
            continue
        try:
            found.append((line, parse(record), text))
        except KeyError as error:
            rows.reject(line, f"the field {error.args[0]!r} is missing", text)
        except (UnusableError, TypeError, AttributeError, ValueError, IndexError, ArithmeticError) as error:
            rows.reject(line, str(error) or type(error).__name__, text)
    columns: list[pa.Array] = []
    bad: dict[int, str] = {}
    for name, column in feed.columns.items():
        given = [row.get(name) for _, row, _ in found]
        columns.append(_column(name, given, schema.field(name).type, bad))
        if column.required:
            for number, value in enumerate(columns[-1].is_null().to_pylist()):
                if value:
                    bad.setdefault(number, f"{name}: is missing")
        for number, value in enumerate(given if column.values else ()):
            if value is not None and value not in column.values:
                bad.setdefault(number, f"{name}: {_quoted(value)} is not one of {', '.join(column.values)}")
        for number, side in _outside(columns[-1], column):
            bad.setdefault(number, f"{name}: {_quoted(given[number])} is {side}")
    columns += [pa.array([line for line, _, _ in found], pa.int64()), pa.array([text for *_, text in found])]
    table = pa.table(columns, schema=schema)
    if bad:
        table = table.filter(pa.array([number not in bad for number in range(len(found))]))
        for number, reason in sorted(bad.items()):
            line, _, text = found[number]
            rows.reject(line, reason, text)
    rows.table = table
    return rows


def _column(name: str, given: Sequence[Any], type_: pa.DataType, bad: dict[int, str]) -> pa.Array:
    """Values as one Arrow column, null if missing or unreadable; `bad` gets the reason for the latter."""
    taken_wrongly = _taken_wrongly(type_)
    if not any(isinstance(value, taken_wrongly) for value in given):
        try:
            column = pa.array(given, type_)
            if not pa.types.is_timestamp(type_) or not _out_of_time(column):
                return column
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, TypeError, ValueError, OverflowError):
            pass
    read = _reader(type_)
    out: list[Any] = []
    for number, value in enumerate(given):
        try:
            empty = value is None or (value == "" and read is not _text)
            out.append(None if empty else read(value))
        except (ValueError, TypeError, KeyError, InvalidOperation, OverflowError) as error:
            out.append(None)
            why = str(error) if isinstance(error, values.UnreadableError) and read is _instant else ""
            fault = why if why.startswith("lies") else f"is not {_EXPECTED[read]}"
            bad.setdefault(number, f"{name}: {_quoted(value)} {fault}")
    try:
        return pa.array(out, type_)
    except (pa.ArrowInvalid, OverflowError):
        # Checked value by value only here: this is rare, and slow.
        for number, value in enumerate(out):
            try:
                pa.scalar(value, type_)
            except (pa.ArrowInvalid, OverflowError):
                out[number] = None
                bad.setdefault(number, f"{name}: {_quoted(given[number])} is out of range")
        return pa.array(out, type_)


def _out_of_time(instants: pa.Array) -> bool:
    first, last = pc.min_max(instants).as_py().values()
    return first is not None and (first < values.EARLIEST or last >= values.LATEST)


def _outside(held: pa.Array, column: Column) -> Iterator[tuple[int, str]]:
    """The positions of values outside the column's range, each with what is wrong."""
    for bound, is_outside, side in ((column.minimum, pc.less, "below"), (column.maximum, pc.greater, "above")):
        if bound is not None and pc.any(is_outside(held, bound)).as_py():
            for number in pc.indices_nonzero(is_outside(held, bound)).to_pylist():
                yield number, f"{side} {bound:g}"


def _taken_wrongly(type_: pa.DataType) -> tuple[type, ...]:
    """Python types that Arrow would convert silently: true to 1, 5.7 to 5, a number to a time in microseconds."""
    if pa.types.is_integer(type_):
        return (bool, float, Decimal)
    if pa.types.is_floating(type_):
        # NaN and infinity are floats too, and would spoil every sum.
        return (bool, float)
    return (int, float, Decimal) if pa.types.is_timestamp(type_) else ()


def _quoted(value: Any) -> str:
    return f"'{_whole_text(str(value)[:80])}'"


def _whole_text(text: str) -> str:
    """A text that can be written: lone surrogates become question marks."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _reader(type_: pa.DataType) -> Callable[[Any], Any]:
    if pa.types.is_integer(type_):
        return _whole
    if pa.types.is_decimal(type_):
        return _decimal
    if pa.types.is_floating(type_):
        return _number
    if pa.types.is_boolean(type_):
        return _truth
    if pa.types.is_timestamp(type_):
        return _instant
    if pa.types.is_string(type_):
        return _text
    raise SourceError(f"Records cannot be read as {type_}.", "Use another type in the feed.")


def _decimal(value: Any) -> Decimal:
    if isinstance(value, bool):
        raise TypeError
    number = _written(value) if isinstance(value, str) else Decimal(value if isinstance(value, Decimal) else str(value))
    # 1e999999999 is a number, too; written out it would fill the memory.
    if not number.is_finite() or number.adjusted() > _MOST_DIGITS:
        raise ValueError
    # Beyond eight places there is only binary rounding noise.
    return number.quantize(Decimal(1).scaleb(-8)) if number.as_tuple().exponent < -8 else number  # type: ignore[operator]


def _written(text: str) -> Decimal:
    """A number in text; a currency or percent sign is not allowed, as APIs have separate fields for these."""
    read = values.number(text)
    if read.currencies or read.is_percent:
        raise ValueError
    return read.value


def _whole(value: Any) -> int:
    number = _decimal(value)
    if number != int(number):
        raise ValueError
    return int(number)


def _number(value: Any) -> float:
    return float(_decimal(value))


def _truth(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    return values.truth(str(value))


def _instant(value: Any) -> datetime:
    if isinstance(value, str):
        if value.strip().replace(".", "", 1).isdigit() and len(value.strip()) > len("20260701"):
            # Unix time is a number whose unit only `parse` knows.
            raise ValueError
        return values.time(value, Zone())
    if isinstance(value, datetime):
        return values.within(value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value)
    if isinstance(value, date):
        return values.within(datetime.combine(value, time.min))
    raise TypeError


def _text(value: Any) -> str:
    if isinstance(value, str):
        return _whole_text(value)
    if isinstance(value, bool | int | Decimal):
        return str(value).lower() if isinstance(value, bool) else str(value)
    return as_received(value)


_EXPECTED: Mapping[Callable[[Any], Any], str] = {
    _whole: "a whole number",
    _decimal: "a number",
    _number: "a number",
    _truth: "true or false",
    _instant: "a time",
    _text: "text",
}


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    return value.isoformat() if isinstance(value, date) else str(value)
