"""What a warehouse needs of an engine; a second engine is a module beside `duckdb.py` that has the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol

import ibis
import ibis.expr.types as ir
import pyarrow as pa

ORIGIN: Final = {"_source": "string", "_partition": "string", "_pull": "int64", "_line": "int64"}
"""The columns of a raw view that say where a row was landed."""


class EngineError(Exception):
    """The engine's own words for what it cannot do; `is_damaged`: because of the build's file, not of the query."""

    def __init__(self, message: str, *, is_damaged: bool = False) -> None:
        super().__init__(message)
        self.is_damaged = is_damaged


@dataclass(frozen=True)
class RawFile:
    """A landed Parquet file; rows whose time lies in a hidden window [from, to) are left out."""

    path: Path
    source: str
    partition: str
    pull: int
    hidden: tuple[tuple[datetime, datetime], ...] = ()


Shown = Callable[[str, ir.Table], ir.Table | None]
"""What the name of a table stands for, given that name and the whole table; None if it has none."""


class Reading(Protocol):
    """A finished build, opened read-only; what fails raises `EngineError`."""

    @property
    def backend(self) -> Any:
        """The Ibis backend that the tables of the build belong to."""

    @property
    def shown(self) -> Mapping[str, str]:
        """The query that each name stands for where the build was opened with `shown`, else nothing."""

    def query(self, sql: str) -> pa.Table:
        """The rows of a query."""

    def stored(self, name: str) -> pa.Table:
        """The rows of a table as the build holds them, also where its name stands for others or is not there."""

    def view(self, name: str, sql: str) -> None:
        """Create a temporary view of this connection."""

    def lay_over(self, name: str, rows: pa.Table) -> None:
        """Let the name of a table stand for Arrow rows, on this connection alone."""

    def close(self) -> None:
        """Close the connection and with it the file."""


class Writing(Protocol):
    """A new build being written; no other process can read it until it is closed and renamed.

    A query that is rejected, and a file that cannot be written, raise `WarehouseError`.
    """

    def raw_view(self, name: str, columns: Mapping[str, str], time: str, files: Sequence[RawFile]) -> None:
        """A view of landed files: columns of these types, and those of `ORIGIN`; never `_record`."""

    def create(self, name: str, sql: str) -> ibis.Schema:
        """Create a table from a query; returns its schema as the engine has it."""

    def insert(self, name: str, rows: pa.Table) -> None:
        """Create a table from Arrow rows."""

    def show(self, name: str, rows: pa.Table) -> None:
        """Give the models Arrow rows as a table, without storing them."""

    def run(self, expression: ir.Expr) -> pa.Table:
        """Run an expression over the tables made so far."""

    def finish(self) -> None:
        """Write everything to the file; closing alone would not report a full disk."""

    def close(self) -> None:
        """Close the connection and with it the file."""


class Engine(Protocol):
    """A module that has these names."""

    @property
    def VERSION(self) -> str:  # noqa: N802 - a constant of a module
        """The engine and what compiles for it: another one makes another build."""

    def compile_sql(self, expression: ir.Expr) -> str:
        """An expression as the engine's SQL."""

    def sql_of_no_rows(self, schema: ibis.Schema) -> str:
        """A query with these columns and no rows."""

    def quoted(self, identifier: str) -> str:
        """A name as it stands in the engine's SQL."""

    def read(self, file: Path, shown: Shown | None = None) -> Reading:
        """Open a finished build; under `shown` a query by any name reads what that makes of the table, or fails.

        Then neither Ibis nor SQL opens another file on this connection, and nothing changes that again.
        """

    def write(self, file: Path | None) -> Writing:
        """Begin a build; without a file it is in memory."""
