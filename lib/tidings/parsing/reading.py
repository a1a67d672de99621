"""Files as tables of input columns `c0`, `c1` …: those that DuckDB reads by itself, and those that need care.

A well-formed CSV or Parquet file is one SQL relation. JSON, and a CSV file with anything unusual in it (a broken row, a
line break inside quotes, an empty line, another encoding), come in chunks with exact line numbers.
"""

from __future__ import annotations

import glob
from collections.abc import Collection, Iterator
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from tidings.errors import SourceError
from tidings.parsing.beginning import CHUNK, SAMPLE, Head, Reject, require_unique
from tidings.parsing.delimited import csv_chunks, csv_head
from tidings.parsing.files import File
from tidings.parsing.json_text import json_chunks, json_head

__all__ = ["WIDE", "Head", "Reject", "csv_chunks", "head", "json_chunks", "literal", "parquet_chunks", "relation"]

WIDE: Final = "DECIMAL256"
"""The type of decimals that the engine cannot hold; they are passed as text."""


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def head(connection: duckdb.DuckDBPyConnection, file: File, encoding: str, needed: Collection[str]) -> Head:
    """Read the beginning of a file; of JSON lines, whose fields come and go, enough to see all `needed` names.

    Raises:
        SourceError: there is no header, it has a needed name twice, or the file does not match its name.
    """
    if file.form == "parquet":
        return _parquet_head(connection, file)
    return (csv_head if file.form == "csv" else json_head)(file, encoding, needed)


def relation(file: File, found: Head) -> str:
    """SQL for all rows of a Parquet or well-formed CSV file, in order; only Parquet rows carry `_line`."""
    # DuckDB takes a path for a pattern; brackets are common in names of downloads.
    path = literal(glob.escape(str(file.path)))
    if file.form == "parquet":
        columns = ", ".join(f"{_quoted(name)} AS c{number}" for number, name in enumerate(found.names))
        return f"(SELECT {columns}, file_row_number + 1 AS _line FROM read_parquet({path}, file_row_number = true))"  # noqa: S608
    columns = ", ".join(f"'c{number}': 'VARCHAR'" for number in range(len(found.names)))
    return (
        f"read_csv({path}, auto_detect = false, header = true, delim = {literal(found.delimiter)}, quote = '\"', "
        f"escape = '\"', columns = {{{columns}}}, compression = '{file.packing or 'none'}')"
    )


def parquet_chunks(file: File, found: Head) -> Iterator[pa.Table]:
    """The rows of a Parquet file as `c0` …, `_line`, read by Arrow: for types that the engine cannot read, or reads
    wrongly.
    """
    line = 1
    with pq.ParquetFile(file.path) as parquet:
        for batch in parquet.iter_batches(CHUNK):
            chunk = _held(pa.Table.from_batches([batch]))
            numbers = pa.array(range(line, line + chunk.num_rows), pa.int64())
            line += chunk.num_rows
            yield chunk.rename_columns([f"c{n}" for n in range(len(found.names))]).append_column("_line", numbers)


def _held(table: pa.Table) -> pa.Table:
    """Columns converted to what the engine can hold: wide decimals as text."""
    columns = [column.cast(pa.string()) if pa.types.is_decimal256(column.type) else column for column in table.columns]
    return pa.table(columns, names=table.column_names)


def _parquet_head(connection: duckdb.DuckDBPyConnection, file: File) -> Head:
    if file.packing:
        raise SourceError(f"{file.name} is Parquet packed once more.", "Unpack it: Parquet is compressed already.")
    query = f"SELECT * FROM read_parquet({literal(glob.escape(str(file.path)))})"  # noqa: S608 - a literal
    try:
        schema = pq.read_schema(file.path)
        # The engine misreads wide decimals, and takes durations for integers.
        is_odd = any(pa.types.is_decimal256(field.type) or pa.types.is_duration(field.type) for field in schema)
        require_unique(file, tuple(schema.names))
        if is_odd:
            empty = connection.from_arrow(_held(schema.empty_table()))
            described = list(zip(empty.columns, map(str, empty.types), strict=True))
        else:
            described = [row[:2] for row in connection.execute(f"DESCRIBE {query}").fetchall()]
        names, types = zip(*described, strict=True)
        types = tuple(
            WIDE if pa.types.is_decimal256(field.type) else type_ for field, type_ in zip(schema, types, strict=True)
        )
        texts = [number for number, type_ in enumerate(types) if type_ == "VARCHAR"]
        shown = ", ".join(_quoted(names[number]) for number in texts)
        rows = connection.execute(f"SELECT {shown} FROM ({query}) LIMIT {SAMPLE}").fetchall() if texts else []  # noqa: S608
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise SourceError(f"{file.name} cannot be read as Parquet: {reason}.", "Export it again.") from error
    except ValueError as error:
        raise SourceError(f"{file.name} has no columns.", "Export it again.") from error
    sample = []
    for row in rows:
        values: list[str | None] = [None] * len(names)
        for number, value in zip(texts, row, strict=True):
            values[number] = value
        sample.append(tuple(values))
    return Head(tuple(names), types, tuple(sample), is_odd=is_odd)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
