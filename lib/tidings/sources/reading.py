"""Files as tables of input columns `c0`, `c1` …: what DuckDB reads by itself, and what has to be read with care.

A well-formed CSV or Parquet file is one SQL relation. JSON lines, and a CSV file with anything unusual in it (a
broken row, a line break inside quotes, an empty line, another encoding), come in chunks with exact line numbers.
"""

from __future__ import annotations

import csv
import glob
import json
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tidings.errors import SourceError
from tidings.sources.files import File, line_blocks, lines, shown

_SAMPLE = 500
_CHUNK = 100_000
WIDE = "DECIMAL256"
"""The type of decimals that the engine cannot hold; they come as text."""
_DELIMITERS = ",;\t|:"
# A quoted value with more line breaks than this is taken for a quote that was never closed.
_LONGEST_RECORD = 200

Reject = tuple[int, str, str]


@dataclass(frozen=True)
class Head:
    """What the beginning of a file tells: its column names in order, their DuckDB types, some rows as text.

    `paths` are the places of the fields in a JSON object; a field inside of another is named `outer.inner`. A Parquet
    file that `is_odd` has types that only `parquet_chunks` reads.
    """

    names: tuple[str, ...]
    types: tuple[str, ...]
    sample: tuple[tuple[str | None, ...], ...]
    delimiter: str = ","
    paths: tuple[tuple[str, ...], ...] = ()
    is_odd: bool = False


def literal(text: str) -> str:
    """A SQL text literal."""
    return "'" + text.replace("'", "''") + "'"


def head(connection: duckdb.DuckDBPyConnection, file: File, encoding: str, wanted: Collection[str]) -> Head:
    """Read the beginning of a file; of JSON lines, whose fields come and go, as much as shows all `wanted` names.

    Raises:
        SourceError: there is no header, it has a name twice, or the file is not what its name says.
    """
    if file.form == "parquet":
        return _parquet_head(connection, file)
    return _csv_head(file, encoding) if file.form == "csv" else _json_head(file, encoding, wanted)


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


def json_chunks(file: File, encoding: str, rejects: list[Reject]) -> Iterator[pa.Table]:
    """The lines of a JSON lines file as `line`, `_line`; empty lines are left out."""
    blocks: list[pa.Table] = []
    for first, texts in line_blocks(file, encoding):
        block = pa.table({"line": _text(texts, first, rejects), "_line": pa.array(range(first, first + len(texts)))})
        blocks.append(block.filter(pc.not_equal(pc.utf8_trim_whitespace(block["line"]), "")))
        if sum(map(len, blocks)) >= _CHUNK:
            yield pa.concat_tables(blocks)
            blocks = []
    if blocks:
        yield pa.concat_tables(blocks)


def _text(texts: list[str], first: int, rejects: list[Reject]) -> pa.Array:
    """Lines as an Arrow column; damaged ones are rejected and null."""
    try:
        return pc.utf8_rtrim(pa.array(texts, pa.string()), "\r")
    except UnicodeEncodeError:
        whole: list[str | None] = []
        for number, text in enumerate(texts, start=first):
            kept, visible = shown(text.removesuffix("\r"))
            if kept is None:
                rejects.append((number, "the line is not utf-8", visible))
            whole.append(kept)
        return pa.array(whole, pa.string())


def csv_chunks(file: File, found: Head, encoding: str, rejects: list[Reject]) -> Iterator[pa.Table]:
    """The records of any CSV file as `c0` …, `_line` (where the record starts); what is no record is rejected."""
    width = len(found.names)
    schema = pa.schema([*((f"c{number}", pa.string()) for number in range(width)), ("_line", pa.int64())])
    records = _records(file, found.delimiter, encoding, rejects)
    next(records, None)
    rows: list[tuple[Any, ...]] = []
    for number, values, text in records:
        if len(values) != width:
            rejects.append((number, f"{len(values)} values where the header has {width} columns", text))
            continue
        rows.append((*values, number))
        if len(rows) >= _CHUNK:
            yield _columns(rows, schema)
            rows = []
    if rows or rejects:
        yield _columns(rows, schema)


def _columns(rows: list[tuple[Any, ...]], schema: pa.Schema) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else ((),) * len(schema)
    return pa.table(
        [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)], schema=schema
    )


def _records(file: File, delimiter: str, encoding: str, rejects: list[Reject]) -> Iterator[tuple[int, list[str], str]]:
    """Each CSV record: the number of its first line, its values, its text. A bad quote costs one line, not the rest."""
    source = lines(file, encoding)
    waiting: list[tuple[int, str | None, str]] = []
    while True:
        line = waiting.pop(0) if waiting else next(source, None)
        if line is None:
            return
        number, text, shown = line
        if text is None:
            rejects.append((number, f"the line is not {encoding}", shown))
        elif '"' not in text:
            if text:
                yield number, text.split(delimiter), text
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
            if values is None:
                rejects.append((number, "a quoted value does not end, or text follows its closing quote", text))
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


def _csv_head(file: File, encoding: str) -> Head:
    def records(delimiter: str, count: int) -> list[list[str]]:
        return [values for _, values, _ in islice(_records(file, delimiter, encoding, []), count)]

    def fit(delimiter: str) -> tuple[int, int]:
        widths = [len(values) for values in records(delimiter, 50)]
        same = sum(width == widths[0] for width in widths) if widths else 0
        return (same if widths and widths[0] > 1 else 0), (widths[0] if widths else 0)

    # The delimiter by which most of the first rows have as many values as the header; the earlier one if equal.
    delimiter = max(_DELIMITERS, key=lambda each: (*fit(each), -_DELIMITERS.index(each)))
    rows = records(delimiter, _SAMPLE + 1)
    if not rows:
        raise SourceError(f"{file.name} has no header line.", "Its first line must name the columns.")
    names = tuple(name.strip() or f"column{number}" for number, name in enumerate(rows[0], start=1))
    _require_unique(file, names)
    sample = tuple(tuple(row) for row in rows[1:] if len(row) == len(names))
    return Head(names, ("VARCHAR",) * len(names), sample, delimiter)


def _json_head(file: File, encoding: str, wanted: Collection[str]) -> Head:
    first: list[dict[tuple[str, ...], Any]] = []
    paths: dict[str, tuple[str, ...]] = {}
    for number, (_, text, _) in enumerate(lines(file, encoding)):
        try:
            value = json.loads(text) if text else None
        except ValueError:
            value = None
        if number == 0 and (text or "").lstrip().startswith("["):
            raise SourceError(
                f"{file.name} is not JSON lines: it begins a list.", "Write one object per line: jq -c '.[]'"
            )
        if isinstance(value, dict):
            flat = _flat(value)
            for path in flat:
                paths.setdefault(".".join(path), path)
            first += [flat] if len(first) < _SAMPLE else []
        if number >= _SAMPLE and first and paths.keys() >= set(wanted):
            break
    if not first:
        raise SourceError(f"{file.name} is not JSON lines.", "Each line must be one object: {…}")
    sample = tuple(tuple(_shown(row.get(path)) for path in paths.values()) for row in first)
    return Head(tuple(paths), ("VARCHAR",) * len(paths), sample, paths=tuple(paths.values()))


def _flat(value: dict[str, Any], outer: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """The members of an object and of the objects in it, by their place."""
    flat: dict[tuple[str, ...], Any] = {}
    for name, member in value.items():
        flat[(*outer, name)] = member
        if isinstance(member, dict):
            flat |= _flat(member, (*outer, name))
    return flat


def _shown(value: Any) -> str | None:
    return value if isinstance(value, str) or value is None else json.dumps(value)


def parquet_chunks(file: File, found: Head) -> Iterator[pa.Table]:
    """The rows of a Parquet file as `c0` …, `_line`, read by Arrow: what the engine cannot read, or reads wrongly."""
    line = 1
    with pq.ParquetFile(file.path) as parquet:
        for batch in parquet.iter_batches(_CHUNK):
            chunk = _held(pa.Table.from_batches([batch]))
            numbers = pa.array(range(line, line + chunk.num_rows), pa.int64())
            line += chunk.num_rows
            yield chunk.rename_columns([f"c{n}" for n in range(len(found.names))]).append_column("_line", numbers)


def _held(table: pa.Table) -> pa.Table:
    """Columns as the engine can hold them: wide decimals as text."""
    columns = [column.cast(pa.string()) if pa.types.is_decimal256(column.type) else column for column in table.columns]
    return pa.table(columns, names=table.column_names)


def _parquet_head(connection: duckdb.DuckDBPyConnection, file: File) -> Head:
    if file.packing:
        raise SourceError(f"{file.name} is Parquet packed once more.", "Unpack it: Parquet is compressed already.")
    query = f"SELECT * FROM read_parquet({literal(glob.escape(str(file.path)))})"  # noqa: S608 - a literal
    try:
        schema = pq.read_schema(file.path)
        # The engine takes wide decimals for something else, and durations for whole numbers.
        is_odd = any(pa.types.is_decimal256(field.type) or pa.types.is_duration(field.type) for field in schema)
        _require_unique(file, tuple(schema.names))
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
        rows = connection.execute(f"SELECT {shown} FROM ({query}) LIMIT {_SAMPLE}").fetchall() if texts else []  # noqa: S608
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


def _require_unique(file: File, names: tuple[str, ...]) -> None:
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise SourceError(
            f"{file.name} has the column {', '.join(map(repr, twice))} more than once.",
            "Rename one of them in the file's header.",
        )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
