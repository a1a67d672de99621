"""DuckDB as the engine of a warehouse: the only module here that knows it."""

from __future__ import annotations

import glob
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

import duckdb
import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import pyarrow as pa
from ibis.backends.sql.datatypes import DuckDBType
from sqlglot import exp

from tidings.errors import WarehouseError
from tidings.warehouse.engine import ORIGIN, EngineError, RawFile, Reading, Shown, Writing

VERSION = f"duckdb {duckdb.__version__}, ibis {ibis.__version__}"
_DIALECT: Final = "duckdb"
# Where a build is attached whose names stand for some of its rows.
_WHOLE: Final = "whole_build"


def compile_sql(expression: ir.Expr) -> str:
    """An expression as DuckDB's SQL."""
    return str(ibis.to_sql(expression, dialect=_DIALECT))


def sql_of_no_rows(schema: ibis.Schema) -> str:
    """A query with these columns and no rows."""
    return _no_rows({name: _sql_of_type(type_) for name, type_ in schema.items()})


@cache
def quoted(identifier: str) -> str:
    """A name as it stands in DuckDB's SQL."""
    return exp.to_identifier(identifier, quoted=True).sql(_DIALECT)


def read(file: Path, shown: Shown | None = None) -> Reading:
    """Open a finished build; under `shown` a query by any name reads what that makes of the table, or fails."""
    return _Reading(file, shown)


def write(file: Path | None) -> Writing:
    """Begin a build; without a file it is in memory."""
    return _Writing(file)


class _Reading:
    def __init__(self, file: Path, shown: Shown | None) -> None:
        self.shown: dict[str, str] = {}
        try:
            self.backend: Any = ibis.duckdb.connect() if shown else ibis.duckdb.connect(file, read_only=True)
            self._catalog = _WHOLE if shown else self.backend.current_catalog
            if shown:
                self._enclose(file, shown)
        except duckdb.Error as error:
            raise _refusal(error) from error

    def _enclose(self, file: Path, shown: Shown) -> None:
        """Attach the build to a connection in memory under another name, and bar that from all other files."""
        raw = self.backend.raw_sql
        raw(f"ATTACH {_text(str(file))} AS {_WHOLE} (READ_ONLY)")
        raw("SET enable_external_access = false")
        raw("SET lock_configuration = true")
        place = (_WHOLE, "main")
        for name in sorted(self.backend.list_tables(database=place)):
            if (made := shown(name, self.backend.table(name, database=place))) is not None:
                self.shown[name] = compile_sql(made)
                raw(f"CREATE VIEW {quoted(name)} AS {self.shown[name]}")

    def query(self, sql: str) -> pa.Table:
        try:
            return self.backend.raw_sql(sql).to_arrow_table()
        except duckdb.Error as error:
            raise _refusal(error) from error

    def stored(self, name: str) -> pa.Table:
        # A temporary view comes before a table of the build, and under `shown` the build is not the first catalog.
        return self.query(f"SELECT * FROM {quoted(self._catalog)}.main.{quoted(name)}")  # noqa: S608 - quoted names

    def view(self, name: str, sql: str) -> None:
        try:
            self.backend.raw_sql(f"CREATE TEMP VIEW {quoted(name)} AS {sql}")
        except duckdb.Error as error:
            raise _refusal(error) from error

    def lay_over(self, name: str, rows: pa.Table) -> None:
        self.backend.con.register(name, rows)

    def close(self) -> None:
        self.backend.disconnect()


def _refusal(error: duckdb.Error) -> EngineError:
    is_damaged = isinstance(error, duckdb.IOException | duckdb.InternalException | duckdb.FatalException)
    return EngineError(str(error), is_damaged=is_damaged)


class _Writing:
    def __init__(self, file: Path | None) -> None:
        # The newest file format writes a third faster; older engines cannot read it, which is fine for a cache.
        config: dict[str, str | bool | int | float | list[str]] = {
            "preserve_insertion_order": False,
            "storage_compatibility_version": "latest",
        }
        self._where = file.parent if file else "memory"
        self._con = duckdb.connect(str(file or ":memory:"), config=config)

    def finish(self) -> None:
        try:
            self._con.execute("CHECKPOINT")
        except duckdb.Error as error:
            raise WarehouseError(
                f"The build could not be written to {self._where}: {error}.",
                "Free disk space, then repeat.",
            ) from error

    def close(self) -> None:
        self._con.close()

    def raw_view(self, name: str, columns: Mapping[str, str], time: str, files: Sequence[RawFile]) -> None:
        types = _types(columns)
        selects = [self._select(file, types, time) for file in files] or [_no_rows({**types, **_types(ORIGIN)})]
        self._con.execute(f"CREATE TEMP VIEW {quoted(name)} AS {' UNION ALL '.join(selects)}")

    def _select(self, file: RawFile, types: Mapping[str, str], time: str) -> str:
        source = f"read_parquet({_text(glob.escape(str(file.path)))})"
        there = {row[0] for row in self._con.execute(f"DESCRIBE FROM {source}").fetchall()}
        # A file landed before the feed had a column gives nulls for it.
        shown = [f"CAST({quoted(c) if c in there else 'NULL'} AS {t}) AS {quoted(c)}" for c, t in types.items()]
        origin = f"{_text(file.source)} AS _source, {_text(file.partition)} AS _partition"
        origin += f", CAST({file.pull:d} AS BIGINT) AS _pull"
        hidden = "".join(
            f" AND NOT ({quoted(time)} >= {_instant(start)} AND {quoted(time)} < {_instant(end)})"
            for start, end in file.hidden
        )
        return f"SELECT {', '.join(shown)}, {origin}, CAST(_line AS BIGINT) AS _line FROM {source} WHERE TRUE{hidden}"  # noqa: S608 - every part is quoted above

    def create(self, name: str, sql: str) -> ibis.Schema:
        try:
            self._con.execute(f"CREATE TABLE {quoted(name)} AS {sql}")
        except duckdb.Error as error:
            raise WarehouseError(
                f"The table {name} could not be created: {error}.", "Correct its model, or free memory and disk space."
            ) from error
        described = self._con.execute(f"DESCRIBE {quoted(name)}").fetchall()
        return ibis.schema({row[0]: _type(row[1]) for row in described})

    def insert(self, name: str, rows: pa.Table) -> None:
        self._con.register("rows_to_insert", rows)
        self._con.execute(f"CREATE TABLE {quoted(name)} AS FROM rows_to_insert")
        self._con.unregister("rows_to_insert")

    def show(self, name: str, rows: pa.Table) -> None:
        self._con.register(name, rows)

    def run(self, expression: ir.Expr) -> pa.Table:
        return self._con.execute(compile_sql(expression)).to_arrow_table()


# There are a few dozen types, in thousands of columns, and each takes a parser or a generator of SQL.
@cache
def _type(described: str) -> dt.DataType:
    return DuckDBType.from_string(described)


@cache
def _sql_of_type(type_: dt.DataType) -> str:
    return str(DuckDBType.from_ibis(type_).sql(_DIALECT))


def _no_rows(types: Mapping[str, str]) -> str:
    shown = ", ".join(f"CAST(NULL AS {type_}) AS {quoted(column)}" for column, type_ in types.items())
    return f"SELECT {shown} WHERE FALSE"


def _types(columns: Mapping[str, str]) -> dict[str, str]:
    return {column: _sql_of_type(dt.dtype(type_)) for column, type_ in columns.items()}


def _text(value: str) -> str:
    return exp.Literal.string(value).sql(_DIALECT)


def _instant(value: datetime) -> str:
    return f"CAST({_text(value.astimezone(UTC).replace(tzinfo=None).isoformat())} AS TIMESTAMP)"
