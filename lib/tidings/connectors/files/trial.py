"""A trial of the first rows of a file, and the options that would make more of them usable."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol, Self

from tidings.currencies import is_listed
from tidings.errors import TidingsError
from tidings.landing.store import Landing, LoadWriter
from tidings.mapping.filling import parser
from tidings.mapping.guess import MONEY, Seen, columns_of, marks_of
from tidings.mapping.mapped import MappedSource
from tidings.mapping.options import FileOptions
from tidings.parsing import files, reading
from tidings.parsing.files import File
from tidings.parsing.inference import currency_of, encoding_of
from tidings.parsing.sampling import beginning, head_bytes
from tidings.settings import Settings
from tidings.sources.source import Pull
from tidings.sources.trial import Trial, landed_trial

_NAMED: Final = 4


class Tryable(MappedSource, Protocol):
    """What a trial needs of a file source."""

    def changed(self, *, options: FileOptions | None = None, settings: Settings | None = None) -> Self:
        """The same source with other options or settings."""

    def land_file(self, file: File, landing: Landing, pull: Pull) -> LoadWriter:
        """Land one file, however many of its rows are rejected."""


def tried(source: Tryable, file: File, pull: Pull) -> Trial:
    """Read the first rows of a file as a pull would, leaving nothing behind.

    Raises:
        SourceError: the file cannot be read at all.
    """
    files.check_content(file)
    options = source.options
    with parser() as connection:
        head = reading.head(connection, file, options.encoding, options.columns.values())
    with tempfile.TemporaryDirectory(prefix="tidings-") as folder:
        root = Path(folder)
        cut, is_all = beginning(file, root, head.inside, options.encoding)
        # A trial has salts and a landing of its own.
        mine = source.changed(settings=replace(source.settings, root=root))
        landing = Landing(root / "raw")
        mine.land_file(cut, landing, Pull(pull.now, again=True))
        return landed_trial(file.name, landing, source.name, source.shape.feed, is_all=is_all)


def advised(source: Tryable, table: Mapping[str, Any], file: File, pull: Pull, before: Trial) -> Trial:
    """The trial with settings that make more rows usable, tried out, and with what only a person can decide."""
    head = _head(source, table, file)
    found, doubts = _options(source, table, head)
    notes = [f"{doubt[0].upper()}{doubt[1:]}." for doubt in doubts]
    if not before.failed:
        notes += _other_currencies(source, head)
    if not found or not (before.rejected or before.failed):
        return replace(before, notes=notes)
    shown = " and ".join(f"{option} = {reading.literal(value)}" for option, value in found.items())
    try:
        after = tried(source.changed(options=replace(source.options, **found)), file, pull)
    except TidingsError:
        return replace(before, notes=notes)
    if after.used <= before.used:
        return replace(before, notes=notes)
    some = f"{after.used:,} of {after.total:,}" if after.rejected else f"all {after.total:,}"
    advice = f"With {shown} {some} can be used: add that to [tool.tidings.sources.{source.name}]."
    return replace(before, advice=advice, notes=notes, cured=after.used)


@dataclass(frozen=True)
class _Beginning:
    """The first rows of a file, in their detected encoding; `doubt` is about that."""

    columns: Mapping[str, Seen]
    encoding: str
    doubt: str


def _head(source: Tryable, table: Mapping[str, Any], file: File) -> _Beginning:
    encoding, doubt = source.options.encoding, ""
    if file.form != "parquet":
        shown, about = encoding_of(head_bytes(file))
        if shown not in ("utf-8", encoding) and "encoding" not in table:
            encoding, doubt = shown, about
    with parser() as connection:
        head = reading.head(connection, file, encoding, source.options.columns.values())
    return _Beginning({column.name: column for column in columns_of(head)}, encoding, doubt)


def _other_currencies(source: Tryable, head: _Beginning) -> list[str]:
    """Columns that name currencies but are not mapped: amounts would be taken for another currency than they are in."""
    columns = source.shape.feed.columns
    if "currency" not in columns or "currency" in source.options.columns:
        return []
    own = source.options.currency
    notes = []
    for seen in head.columns.values():
        codes = sorted({value.upper() for value in seen.values})
        if seen.what == "text" and codes and codes != [own] and all(map(is_listed, codes)):
            notes.append(
                f"'{seen.name}' holds {', '.join(codes[:_NAMED])}{', …' if len(codes) > _NAMED else ''} but is not "
                f"mapped: all amounts are taken for {own}. Add currency = '{seen.name}' to `columns`."
            )
    return notes


def _options(source: Tryable, table: Mapping[str, Any], head: _Beginning) -> tuple[dict[str, Any], list[str]]:
    """Options that the cells of the mapped columns show and that are set otherwise."""
    found: dict[str, Any] = {}
    doubts = [head.doubt] if head.doubt else []
    if head.encoding != source.options.encoding:
        found["encoding"] = head.encoding
    seen = head.columns
    mapped = {column: seen[name] for column, name in source.options.columns.items() if name in seen}
    types = source.shape.feed.columns
    numbers = [c for column, c in mapped.items() if column in types and _is_number(types[column].type)]
    marks = marks_of([replace(column, what="number") for column in numbers])
    if marks.decimal and marks.decimal != source.options.decimal:
        found["decimal"] = marks.decimal
    elif marks.doubt and "decimal" not in table:
        doubts.append(marks.doubt)
    if not {"currency"} & {*table, *source.options.columns}:
        amounts = [value for column in MONEY if column in mapped for value in mapped[column].values]
        code, doubt = currency_of(amounts, marks.decimal or source.options.decimal)
        if code and code != source.options.currency:
            found["currency"] = code
        doubts += [doubt] if doubt else []
    when = mapped.get(source.shape.feed.time)
    written = when.times if when else None
    if written and written.form and written.form != source.options.time_format:
        found["time_format"] = written.form
    elif written and written.doubt and not source.options.time_format:
        doubts.append(written.doubt)
    return found, doubts


def _is_number(type_: str) -> bool:
    return type_.removeprefix("!").startswith(("decimal", "float", "int"))
