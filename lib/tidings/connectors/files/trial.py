"""What a source would make of the first rows of a file, and which options would read more of them."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, Self

import pyarrow as pa
import pyarrow.parquet as pq

from tidings.errors import TidingsError
from tidings.landing.rejections import Reason, reasons_in
from tidings.landing.store import Landing, LoadWriter
from tidings.mapping.filling import parser
from tidings.mapping.guess import columns_of, marks_of
from tidings.mapping.options import FileOptions, read_options
from tidings.mapping.shapes import Shape
from tidings.parsing import reading
from tidings.parsing.files import File
from tidings.parsing.inference import encoding_of
from tidings.parsing.sampling import beginning, head_bytes
from tidings.settings import Settings
from tidings.sources.source import Pull

_TENTH = 0.1


@dataclass(frozen=True)
class Trial:
    """What became of the first rows of a file: those that can be used, how many cannot, and why.

    `is_all`: there are no more rows; `advice` says what would read more of them.
    """

    file: str
    rows: pa.Table
    rejected: int
    reasons: Sequence[Reason]
    is_all: bool
    advice: str = ""

    @property
    def lost(self) -> float:
        """The share of rows that cannot be used."""
        total = self.rows.num_rows + self.rejected
        return self.rejected / total if total else 0.0

    @property
    def is_bad(self) -> bool:
        """More than a tenth is lost."""
        return self.lost > _TENTH

    def said(self) -> str:
        """What became of the rows, in one sentence."""
        total = self.rows.num_rows + self.rejected
        of = f"{total:,} rows" if self.is_all else f"the first {total:,} rows"
        if not total:
            return f"{self.file} has no rows."
        if not self.rejected:
            return f"{self.file}: all of {of} can be used{self._days()}."
        if not self.rows.num_rows:
            return f"{self.file}: none of {of} can be used."
        return f"{self.file}: {self.rows.num_rows:,} of {of} can be used{self._days()}."

    def _days(self) -> str:
        if not self.rows.num_rows or "ts" not in self.rows.column_names:
            return ""
        days = [at.date() for at in self.rows["ts"].to_pylist()]
        return f", of {min(days)}" if min(days) == max(days) else f", from {min(days)} to {max(days)}"


class Tryable(Protocol):
    """What a trial has to know of a source of files."""

    @property
    def name(self) -> str:
        """Its name in the settings."""

    @property
    def shape(self) -> Shape:
        """What its rows are."""

    @property
    def options(self) -> FileOptions:
        """How they are read."""

    @property
    def settings(self) -> Settings:
        """Those of the workbook."""

    def changed(self, *, options: FileOptions | None = None, settings: Settings | None = None) -> Self:
        """The same source with other options or settings."""

    def land_file(self, file: File, landing: Landing, pull: Pull) -> LoadWriter:
        """Land one file whatever becomes of its rows."""


def tried(source: Tryable, file: File, pull: Pull) -> Trial:
    """Read the first rows of a file as a pull would; nothing of it stays.

    Raises:
        SourceError: the file cannot be read at all.
    """
    with tempfile.TemporaryDirectory(prefix="tidings-") as folder:
        root = Path(folder)
        cut, is_all = beginning(file, root)
        # Salts and landings of a trial are its own.
        mine = source.changed(settings=replace(source.settings, root=root))
        landing = Landing(root / "raw")
        mine.land_file(cut, landing, Pull(pull.now, again=True))
        endpoint = (source.name, source.shape.feed.name)
        (load,) = (*landing.loads(*endpoint), *landing.quarantined(*endpoint))
        where = root / "raw" / source.name / source.shape.feed.name
        reasons = reasons_in(where / load.rejected_file) if load.rejected_file else []
        return Trial(file.name, pq.read_table(where / load.file), load.rejected, reasons, is_all)


def advice(source: Tryable, table: Mapping[str, Any], file: File, pull: Pull, before: Trial) -> str:
    """What to set so that more rows can be used, tried out; the doubts where that is a person's to decide."""
    found, doubts = _options(source, table, file)
    if not found:
        return " ".join(f"{doubt[0].upper()}{doubt[1:]}." for doubt in doubts)
    shown = " and ".join(f"{option} = {reading.literal(value)}" for option, value in found.items())
    try:
        shape = source.shape
        options = read_options(
            source.name, {**table, **found}, source.settings, shape.feed, helpers=shape.helpers, derived=shape.derived
        )
        after = tried(source.changed(options=options), file, pull)
    except TidingsError:
        return ""
    if after.rows.num_rows <= before.rows.num_rows:
        return ""
    total = after.rows.num_rows + after.rejected
    some = f"{after.rows.num_rows:,} of {total:,}" if after.rejected else f"all {total:,}"
    return f"With {shown} {some} can be used: add that to [tool.tidings.sources.{source.name}]."


def _options(source: Tryable, table: Mapping[str, Any], file: File) -> tuple[dict[str, str], list[str]]:
    """Options that the cells of the mapped columns show and that are set otherwise."""
    found: dict[str, str] = {}
    doubts: list[str] = []
    encoding = source.options.encoding
    if file.form != "parquet":
        encoding, doubt = encoding_of(head_bytes(file))
        if encoding not in ("utf-8", source.options.encoding) and "encoding" not in table:
            found["encoding"] = encoding
            doubts += [doubt] if doubt else []
        else:
            encoding = source.options.encoding
    with parser() as connection:
        head = reading.head(connection, file, encoding, source.options.columns.values())
    seen = {column.name: column for column in columns_of(head)}
    mapped = {column: seen[name] for column, name in source.options.columns.items() if name in seen}
    types = source.shape.feed.columns
    numbers = [c for column, c in mapped.items() if column in types and _is_number(types[column].type)]
    marks = marks_of([replace(column, what="number") for column in numbers])
    if marks.decimal and marks.decimal != source.options.decimal:
        found["decimal"] = marks.decimal
    elif marks.doubt and "decimal" not in table:
        doubts.append(marks.doubt)
    when = mapped.get(source.shape.feed.time)
    written = when.times if when else None
    if written and written.form and written.form != source.options.time_format:
        found["time_format"] = written.form
    elif written and written.doubt and not source.options.time_format:
        doubts.append(written.doubt)
    return found, doubts


def _is_number(type_: str) -> bool:
    return type_.removeprefix("!").startswith(("decimal", "float", "int"))
