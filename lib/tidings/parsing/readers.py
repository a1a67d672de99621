"""The grammar of `values` as functions for the parsing engine, for texts that are not in the plainest form.

Each value is read once per batch. None of them ever raises: an unreadable value is null, and `why_…` returns the
reason.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from duckdb.func import FunctionNullHandling, PythonUDFType
from duckdb.sqltypes import BOOLEAN, TIMESTAMP, VARCHAR

from tidings.parsing import values
from tidings.parsing.values import UnreadableError
from tidings.window import Zone


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Register the functions: read_number(text, mark), read_percent(text, mark), read_time(text, zone),
    read_epoch(number, unit), why_number(text, mark), why_time(text, zone), in_currency(text, mark, code).
    """
    text, micros = pa.string(), pa.timestamp("us")
    for name, function, parameters, result, type_ in (
        ("read_number", _number, 2, VARCHAR, text),
        ("read_percent", _percent, 2, VARCHAR, text),
        ("read_time", _time, 2, TIMESTAMP, micros),
        ("read_epoch", _epoch, 2, TIMESTAMP, micros),
        ("why_number", _why_number, 2, VARCHAR, text),
        ("why_time", _why_time, 2, VARCHAR, text),
        ("in_currency", _in_currency, 3, BOOLEAN, pa.bool_()),
    ):
        called = _vectorised(function, type_, parameters)
        arrow, special = PythonUDFType.ARROW, FunctionNullHandling.SPECIAL
        connection.create_function(name, called, [*[VARCHAR] * parameters], result, type=arrow, null_handling=special)


def _vectorised(function: Callable[..., Any], type_: pa.DataType, parameters: int) -> Callable[..., pa.Array]:
    """A function of one text and constants, over a batch, called once per distinct text."""
    # The engine counts the parameters.
    if parameters == 2:
        return lambda first, second: _batch(function, type_, first, second)
    return lambda first, second, third: _batch(function, type_, first, second, third)


def _batch(function: Callable[..., Any], type_: pa.DataType, *columns: pa.ChunkedArray) -> pa.Array:
    first, *rest = (pa.chunked_array(column).combine_chunks() for column in columns)
    if len(first) == 0:
        return pa.nulls(0, type_)
    if all(pc.count_distinct(column).as_py() == 1 for column in rest):
        same = [column[0].as_py() for column in rest]
        encoded = first.dictionary_encode()
        found = [None if text is None else function(text, *same) for text in encoded.dictionary.to_pylist()]
        return pa.array(found, type_).take(encoded.indices)
    rows = zip(first.to_pylist(), *(column.to_pylist() for column in rest), strict=True)
    return pa.array([None if None in row else function(*row) for row in rows], type_)


def _number(text: str, mark: str) -> str | None:
    try:
        read = values.number(text, mark)
    except UnreadableError:
        return None
    return None if read.is_percent else values.plain(read.value)


def _percent(text: str, mark: str) -> str | None:
    try:
        return values.plain(values.number(text, mark).value)
    except UnreadableError:
        return None


def _why_number(text: str, mark: str) -> str:
    try:
        read = values.number(text, mark)
    except UnreadableError as error:
        return f" {error}"
    return " is a percentage" if read.is_percent else " is too large"


_zone = functools.lru_cache(Zone)


def _time(text: str, zone: str) -> Any:
    try:
        return values.time(text, _zone(zone))
    except UnreadableError:
        return None


def _why_time(text: str, zone: str) -> str:
    try:
        values.time(text, _zone(zone))
    except UnreadableError as error:
        return f" {error}"
    return " is not a time"


def _epoch(text: str, unit: str) -> Any:
    try:
        return values.epoch(Decimal(text), values.EPOCHS.get(unit))
    except (UnreadableError, ArithmeticError, ValueError):
        return None


def _in_currency(text: str, mark: str, code: str) -> bool:
    """False if a text names another currency than `code`."""
    try:
        currencies = values.number(text, mark).currencies
    except UnreadableError:
        return True
    return not currencies or code in currencies
