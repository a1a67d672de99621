"""Copies the beginning of a file into a file of its own, for a trial before a pull."""

from __future__ import annotations

import codecs
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tidings.errors import SourceError
from tidings.parsing import files
from tidings.parsing.files import File
from tidings.parsing.json_text import json_texts

ROWS = 1_000
_BYTES = 8 << 20
_HEAD = 1 << 20


def beginning(file: File, folder: Path, inside: tuple[str, ...] | None, encoding: str) -> tuple[File, bool]:
    """The first rows of a file, written into a folder under the same name, and whether that is all of it.

    A sample of JSON is lines of UTF-8, whatever the file's form and encoding, `inside` as in `json_texts`; null: its
    lines are copied as they are.

    Raises:
        SourceError: it cannot be read.
    """
    target = replace(file, path=folder / file.path.name)
    if file.form == "parquet":
        return target, _parquet(file, target.path)
    if file.form == "json" and inside is not None:
        return target, _json(file, target, inside, encoding)
    data = b"".join(islice(files.blocks(file), 1 + _BYTES // (4 << 20)))
    cut = _cut(data)
    with pa.output_stream(str(target.path), compression=file.packing) as out:
        out.write(data[:cut])
    return target, cut == len(data)


def head_bytes(file: File) -> bytes:
    """The first bytes of a file, decompressed.

    Raises:
        SourceError: it is compressed and damaged.
    """
    return next(files.blocks(file), b"")[:_HEAD]


def _parquet(file: File, target: Path) -> bool:
    try:
        source = pq.ParquetFile(file.path)
        batch = next(source.iter_batches(batch_size=ROWS), None)
        table = source.schema_arrow.empty_table() if batch is None else pa.Table.from_batches([batch])
        pq.write_table(table, target)
    except (OSError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0]
        raise SourceError(f"{file.name} cannot be read as Parquet: {reason}.", "Export it again.") from error
    return bool(source.metadata.num_rows == table.num_rows)


def _json(file: File, target: File, inside: tuple[str, ...], encoding: str) -> bool:
    kept: list[str] = []
    for _, texts in json_texts(file, encoding, inside):
        # Line ends between the members of an object are whitespace; inside a text there are none.
        kept += [text.replace("\n", " ").replace("\r", " ") for text in texts if text.strip()]
        if len(kept) > ROWS:
            break
    with pa.output_stream(str(target.path), compression=file.packing) as out:
        # What could not be decoded stays undecodable; the byte order mark overrides the source's option.
        out.write(codecs.BOM_UTF8 + "\n".join(kept[:ROWS]).encode("utf-8", "surrogateescape") + b"\n")
    return len(kept) <= ROWS


def _cut(data: bytes) -> int:
    """Where the line after the first rows begins, never inside a quoted value."""
    wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    newline = "\n".encode("utf-16-le" if data.startswith(b"\xff\xfe") else "utf-16-be") if wide else b"\n"
    place = number = 0
    while number <= ROWS or (not wide and data.count(b'"', 0, place) % 2 and number < 2 * ROWS):
        found = data.find(newline, place)
        if found < 0:
            return len(data)
        place, number = found + len(newline), number + 1
    return place
