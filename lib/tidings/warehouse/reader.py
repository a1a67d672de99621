"""The engine: the only module that opens a connection, to read a build or to write a new one."""

from __future__ import annotations

import glob
import itertools
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import duckdb
import ibis
import ibis.expr.datatypes as dt
import ibis.expr.operations as ops
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc
from ibis.backends.sql.datatypes import DuckDBType
from sqlglot import exp

from tidings.errors import RowsError, UsageError, WarehouseError, remedy_of, suggest
from tidings.settings import Settings, process_rows
from tidings.warehouse.folder import POINTER
from tidings.warehouse.metadata import FeedInfo, TableInfo
from tidings.warehouse.rows import ALL_ROWS, Rows

DIALECT = "duckdb"
_BUILD_ID = re.compile(r"\w[\w-]{0,63}", re.ASCII)
_META = "meta_"
# Of no one's rows: fixings of exchange rates, and what models say of their columns.
_OF_NOBODY = frozenset({"dim_fx", "meta_columns"})
# Where the whole build is attached while only some of its rows may be read.
_WHOLE, _SCHEMA = "whole_build", "main"
ORIGIN = {"_source": "string", "_partition": "string", "_pull": "int64", "_line": "int64"}
ENGINE_VERSION = f"duckdb {duckdb.__version__}, ibis {ibis.__version__}"


def build_file(settings: Settings, build: str) -> Path:
    """The file of a finished build."""
    return settings.warehouse / f"{build}.duckdb"


def current_build(settings: Settings) -> str | None:
    """The id of the build that readers get, None before the first.

    Raises:
        WarehouseError: the pointer cannot be read, or names no build.
    """
    pointer = settings.warehouse / POINTER
    if not os.path.lexists(pointer):
        return None
    try:
        named = pointer.read_text(encoding="utf-8", errors="replace").strip()
    except OSError as error:
        reason, remedy = remedy_of(error)
        raise WarehouseError(f"{pointer} cannot be read: {reason}.", remedy) from error
    if not _BUILD_ID.fullmatch(named):
        raise WarehouseError(f"{pointer} names no build.", "Run `tidings build`, which writes it again.")
    return named


def is_whole(settings: Settings, build: str) -> bool:
    """Whether a build exists and can be read; one truncated by a full disk or a broken copy cannot."""
    try:
        return can_be_read(Warehouse.open(settings, build))
    except WarehouseError:
        return False


def can_be_read(warehouse: Warehouse) -> bool:
    """Whether all of a build's tables are there; closes it."""
    try:
        with warehouse:
            _ = warehouse.meta, warehouse.tables, warehouse.feeds, warehouse.rejected
            for name in warehouse.tables:
                warehouse.count(name)
    except (WarehouseError, duckdb.Error, LookupError, TypeError):
        return False
    return True


def compile_sql(expression: ir.Expr) -> str:
    """An expression as the engine's SQL."""
    return str(ibis.to_sql(expression, dialect=DIALECT))


def sql_of_no_rows(schema: ibis.Schema) -> str:
    """A query with these columns and no rows."""
    return _no_rows({name: _sql_of_type(type_) for name, type_ in schema.items()})


class Warehouse:
    """One finished build, opened read-only; any number of processes may read it at once.

    Under `rows` every table is a view of those rows, in a connection in which nothing else has a name; what has none of
    their columns cannot be read. The rows to which the process is bound hold in any case (docs/decisions/0023).
    """

    def __init__(self, file: Path, build_id: str, rows: Rows = ALL_ROWS) -> None:
        self.build_id = build_id
        self.file = file
        self.rows = Rows.from_text(process_rows()).within(rows)
        self._views: dict[str, str] = {}
        self._own: dict[str, str] = {}
        self._barred: dict[str, str] = {}
        try:
            self._backend = ibis.duckdb.connect() if self.rows else ibis.duckdb.connect(file, read_only=True)
            if self.rows:
                self._bind()
        except duckdb.Error as error:
            raise WarehouseError(
                f"Build {build_id} cannot be opened: {error}.",
                f"The warehouse is a cache: delete {file.name} and run `tidings build`.",
            ) from error

    @classmethod
    def open(cls, settings: Settings, build: str | None = None, rows: Rows = ALL_ROWS) -> Warehouse:
        """Open a build read-only, by default the current one, of which only `rows` can be read.

        Raises:
            WarehouseError: nothing has been built, there is no such build, or its file is damaged.
            RowsError: no table has the columns of the rows.
        """
        wanted = build or current_build(settings)
        if wanted is None:
            raise WarehouseError(f"Nothing has been built in {settings.warehouse}.", "Run `tidings build`.")
        file = build_file(settings, wanted)
        if not file.is_file():
            kept = [path.stem for path in settings.warehouse.glob("*.duckdb") if path.is_file()]
            raise WarehouseError(f"There is no build {wanted}.", f"{suggest(wanted, kept)} Or run `tidings build`.")
        return cls(file, wanted, rows)

    def _bind(self) -> None:
        """Give each table that can be limited its name, as a view of the rows, and bar the connection from all files.

        A query by any name, of Ibis or in SQL, then reads these rows or fails.
        """
        raw = self._backend.raw_sql
        raw(f"ATTACH {_text(str(self.file))} AS {_WHOLE} (READ_ONLY)")
        raw("SET enable_external_access = false")
        raw("SET lock_configuration = true")
        for name in sorted(self._backend.list_tables(database=(_WHOLE, _SCHEMA))):
            whole = self._backend.table(name, database=(_WHOLE, _SCHEMA))
            if name not in _OF_NOBODY:
                if name.startswith(_META):
                    continue
                if why := self.rows.why_not(name, whole.schema()):
                    self._barred[name] = why
                    continue
            self._own[name] = compile_sql(whole if name in _OF_NOBODY else self.rows.limited(whole))
            raw(f"CREATE VIEW {_name(name)} AS {self._own[name]}")
        if not self._own.keys() - _OF_NOBODY:
            self._backend.disconnect()
            raise RowsError(
                f"No table has {' and '.join(self.rows.columns)}, to which the audience is bound.",
                "Give a model that column, or bind the audience by another one (tidings catalog).",
            )

    def close(self) -> None:
        """Close the connection and with it the file."""
        self._backend.disconnect()

    def __enter__(self) -> Warehouse:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def table(self, name: str) -> ir.Table:
        """A table of the build as an Ibis table.

        Raises:
            WarehouseError: no such table.
            RowsError: it cannot be limited to the rows that may be read.
        """
        self._require_readable(name)
        if name not in self.tables and name not in self._meta_tables:
            raise WarehouseError(f"There is no table {name} in build {self.build_id}.", suggest(name, self.tables))
        return self._backend.table(name)

    def require_all_rows(self, what: str) -> None:
        """Refuse what cannot be told apart by the rows of an audience; `what` is the subject of a sentence, plural.

        Raises:
            RowsError: only some rows may be read.
        """
        if self.rows:
            raise RowsError(
                f"{what} cannot be told apart by {' and '.join(self.rows.columns)}, so they are not shown to an "
                "audience bound to its rows.",
                "Leave this out of the audience's sections.",
            )

    def _require_readable(self, name: str) -> None:
        if name in self._barred:
            raise RowsError(
                self._barred[name], "Give its model that column, or leave it out of the audience's sections."
            )
        if name.startswith(_META) and name not in _OF_NOBODY:
            self.require_all_rows(f"The rows of {name}")

    def count(self, name: str) -> int:
        """How many rows a table has; by the engine alone, as Ibis takes longer to ask than it takes to count.

        Raises:
            duckdb.Error: the table is not there, or damaged.
        """
        self._require_readable(name)
        ((rows,),) = self._backend.raw_sql(f"SELECT count(*) FROM {_name(name)}").fetchall()  # noqa: S608 - a quoted name
        return int(rows)

    def view(self, name: str, expression: ir.Table) -> ir.Table:
        """A temporary view of this connection for an expression, called `name`, with a number if the name is taken.

        Raises:
            WarehouseError: the engine rejected it.
        """
        sql = self.sql(expression)
        names = itertools.chain([name], (f"{name}_{number}" for number in itertools.count(2)))
        name = next(each for each in names if each not in self.tables and self._views.get(each, sql) == sql)
        if name not in self._views:
            try:
                self._backend.raw_sql(f"CREATE TEMP VIEW {_name(name)} AS {sql}")
            except duckdb.Error as error:
                raise self._refusal(error) from error
            self._views[name] = sql
        return ops.DatabaseTable(name, schema=expression.schema(), source=self._backend).to_expr()

    def lay_over(self, name: str, rows: pa.Table, source: str, covers: tuple[datetime, datetime] | None) -> None:
        """Show rows in place of a table of the build, on this connection alone; `covers` is from when to when a source
        knows them, aware, where the build is not older. Nothing where this build has no such table.
        """
        until = self.complete_until
        if name not in self.tables:
            return
        self._backend.con.register(name, rows)
        newest = pc.max(rows["ts"]).as_py()
        info = replace(self.tables[name], rows=rows.num_rows, last_row_at=_aware(newest), feeds=(name,))
        self.tables = {**self.tables, name: info}
        if covers is not None and until is not None and covers[0] < until:
            empty = dict.fromkeys(("platform", "metric", "breakdown", "zone", "ended"))
            row: dict[str, Any] = {**empty, "source": source, "feed": name, "is_total": True, "gaps": []}
            self.coverage = (*self.coverage, {**row, "start": covers[0], "until": min(covers[1], until)})

    def views_in(self, sql: str) -> Mapping[str, str]:
        """The views that a query reads, with their SQL; under `rows` also those of the tables."""
        found = {name: made for name, made in self._views.items() if _name(name) in sql}
        read = [sql, *found.values()]
        own = {name: made for name, made in self._own.items() if any(_name(name) in each for each in read)}
        own = {name: made for name, made in own.items() if name not in _OF_NOBODY}
        return {**own, **found}

    def require_own(self, expression: ir.Expr) -> None:
        """Refuse an expression of another connection, whose names may mean other rows here.

        Raises:
            UsageError: the expression reads a table or view of another connection.
        """
        foreign = [node.name for node in expression.op().find(ops.DatabaseTable) if node.source is not self._backend]
        if foreign:
            raise UsageError(
                f"The expression reads {foreign[0]} of another book.", "Run it with the book that its tables come from."
            )

    def sql(self, expression: ir.Expr) -> str:
        """The SQL that `query` would run."""
        return compile_sql(expression)

    def query(self, expression: ir.Expr) -> pa.Table:
        """Run an expression; a scalar gives a table of one row, a column a table of one column.

        Raises:
            WarehouseError: the engine rejected it.
        """
        return self.run(self.sql(expression), expression)

    def run(self, sql: str, expression: ir.Expr) -> pa.Table:
        """Run SQL that `sql` made from an expression: compiled once, as that is often the slowest step.

        Raises:
            WarehouseError: the engine rejected it.
        """
        schema = expression.as_table().schema().to_pyarrow()
        try:
            found = self._backend.raw_sql(sql).to_arrow_table()
            return found.cast(_with_all_decimals(schema, found.schema))
        except duckdb.Error as error:
            raise self._refusal(error) from error

    def _refusal(self, error: duckdb.Error) -> WarehouseError:
        is_damaged = isinstance(error, duckdb.IOException | duckdb.InternalException | duckdb.FatalException)
        remedy = f"The warehouse is a cache: delete {self.file.name} and run `tidings build`."
        return WarehouseError(
            f"The query failed on build {self.build_id}: {error}.", remedy if is_damaged else "See its SQL."
        )

    @cached_property
    def _meta_tables(self) -> frozenset[str]:
        return frozenset(name for name in self._backend.list_tables() if name.startswith(_META))

    @cached_property
    def meta(self) -> Mapping[str, Any]:
        """Facts about the build: id, tool_version, code, complete_until (aware UTC)."""
        return self._rows("meta_build")[0]

    @cached_property
    def tables(self) -> Mapping[str, TableInfo]:
        """All tables that models made and that can be read, by name; their counts are of the rows that can."""
        infos = {row["name"]: TableInfo(**{**row, "feeds": tuple(row["feeds"])}) for row in self._rows("meta_tables")}
        if not self.rows:
            return infos
        return {
            name: replace(info, rows=self._counted[name][0], last_row_at=_aware(self._counted[name][1]))
            for name, info in infos.items()
            if name in self._own
        }

    @cached_property
    def barred(self) -> Mapping[str, str]:
        """The tables that cannot be limited to `rows` and so cannot be read, with the reason as a sentence."""
        return dict(self._barred)

    @cached_property
    def feeds_of(self) -> Mapping[str, tuple[str, ...]]:
        """The feeds that each table is made from, of all tables."""
        return {row["name"]: tuple(row["feeds"]) for row in self._rows("meta_tables")}

    @cached_property
    def _counted(self) -> Mapping[str, tuple[int, datetime | None, frozenset[str]]]:
        """Of each table under `rows` the number of rows, the newest `ts`, and the sources."""
        counts = []
        for name in self._own:
            columns = self._backend.table(name).schema()
            newest = 'max("ts")' if "ts" in columns else "CAST(NULL AS TIMESTAMP)"
            sources = 'list(DISTINCT "_source")' if "_source" in columns else "[]"
            counts.append(f"SELECT {_text(name)}, count(*), {newest}, {sources} FROM {_name(name)}")  # noqa: S608 - quoted names
        found = self._backend.raw_sql(" UNION ALL ".join(counts)).fetchall()
        return {name: (rows, newest, frozenset(sources or ()) - {None}) for name, rows, newest, sources in found}

    def _is_own(self, source: str, feed: str = "") -> bool:
        """Whether a source brought rows (of a feed) that can be read; of others not even the name is shown.

        One that has such rows only without the columns of `rows` has none of anybody's: unknown, not 0.
        """
        made = [name for name in self._counted if not feed or feed in self.feeds_of.get(name, ())]
        alone = [name for name in made if self.feeds_of.get(name) == (feed,)]
        return any(source in self._counted[name][2] for name in alone or made)

    @cached_property
    def feeds(self) -> tuple[FeedInfo, ...]:
        """All endpoints that were landed, by source and endpoint.

        Raises:
            RowsError: only some rows may be read.
        """
        self.require_all_rows("Counts of what was landed")
        return tuple(
            FeedInfo(
                **{
                    **row,
                    "missing": tuple(map(tuple, row["missing"])),
                    "ended": dict(row["ended"]),
                    "inputs": tuple(row["inputs"]),
                    "facts": dict(row["facts"]),
                }
            )
            for row in self._rows("meta_feeds")
        )

    @cached_property
    def coverage(self) -> tuple[Mapping[str, Any], ...]:
        """The rows of `meta_coverage`, instants as aware UTC; under `rows` of the sources that brought them.

        Of their partitions, which may be other audiences', nothing is said then.
        """
        rows = self._rows("meta_coverage")
        if self.rows:
            rows = [{**row, "ended": ()} for row in rows if self._is_own(row["source"], row["feed"])]
        return tuple({**row, "gaps": [[_aware(end) for end in gap] for gap in row["gaps"] or ()]} for row in rows)

    @cached_property
    def filled(self) -> tuple[tuple[str, str, str, str | None], ...]:
        """Which columns each source fills, as (table, source, column, value)."""
        rows = [row for row in self._rows("meta_filled") if not self.rows or self._is_own(row["source"])]
        return tuple((row["table"], row["source"], row["column"], row["value"]) for row in rows)

    @cached_property
    def rejected(self) -> tuple[Mapping[str, Any], ...]:
        """Rejected rows (`rows`) by source, endpoint, feed, partition, day and reason, with a first cell as example.

        `day` (UTC) is null if unknown. `of` counts all rows of the partition and day; its days without rejected rows
        are included with an empty reason.

        Raises:
            RowsError: only some rows may be read.
        """
        self.require_all_rows("Rejected rows")
        return tuple(self._rows("meta_rejected"))

    def last_row_at(self, table: str) -> datetime | None:
        """The newest `ts` of a table, aware UTC; None without rows or `ts`.

        Raises:
            WarehouseError: no such table.
        """
        self._require_readable(table)
        if table not in self.tables:
            raise WarehouseError(f"There is no table {table} in build {self.build_id}.", suggest(table, self.tables))
        return self.tables[table].last_row_at

    @property
    def complete_until(self) -> datetime | None:
        """Up to when the newest source has data, aware UTC; None when nothing was landed."""
        until: datetime | None = self.meta["complete_until"]
        return until

    def _rows(self, meta_table: str) -> list[dict[str, Any]]:
        place = f"{_WHOLE}.{_SCHEMA}.{meta_table}" if self.rows else meta_table
        rows: list[dict[str, Any]] = self._backend.con.table(place).to_arrow_table().to_pylist()
        return [{name: _aware(value) for name, value in row.items()} for row in rows]


def _with_all_decimals(schema: pa.Schema, found: pa.Schema) -> pa.Schema:
    """A schema with the engine's decimals, as a product has more of them than Ibis declares."""
    fields = zip(schema, found, strict=True)
    decimals = pa.types.is_decimal
    return pa.schema([f.with_type(e.type) if decimals(f.type) and decimals(e.type) else f for f, e in fields])


def _aware(value: Any) -> Any:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value


@dataclass(frozen=True)
class RawFile:
    """A landed Parquet file; rows whose time lies in a hidden window [from, to) are left out."""

    path: Path
    source: str
    partition: str
    pull: int
    hidden: tuple[tuple[datetime, datetime], ...] = ()


class Writer:
    """A new build being written; no other process can read it until it is closed and renamed."""

    def __init__(self, file: Path) -> None:
        # The newest file format writes a third faster; older engines cannot read it, which is fine for a cache.
        config: dict[str, str | bool | int | float | list[str]] = {
            "preserve_insertion_order": False,
            "storage_compatibility_version": "latest",
        }
        self._file = file
        self._con = duckdb.connect(str(file), config=config)

    def finish(self) -> None:
        """Write everything to the file; closing alone would not report a full disk.

        Raises:
            WarehouseError: the file cannot be written.
        """
        try:
            self._con.execute("CHECKPOINT")
        except duckdb.Error as error:
            raise WarehouseError(
                f"The build could not be written to {self._file.parent}: {error}.", "Free disk space, then repeat."
            ) from error

    def close(self) -> None:
        """Close the connection and with it the file."""
        self._con.close()

    def raw_view(self, name: str, columns: Mapping[str, str], time: str, files: Sequence[RawFile]) -> None:
        """A view of landed files: typed columns, `_source`, `_partition`, `_pull`, `_line`; never `_record`."""
        types = _types(columns)
        selects = [self._select(file, types, time) for file in files] or [_no_rows({**types, **_types(ORIGIN)})]
        self._con.execute(f"CREATE TEMP VIEW {_name(name)} AS {' UNION ALL '.join(selects)}")

    def _select(self, file: RawFile, types: Mapping[str, str], time: str) -> str:
        source = f"read_parquet({_text(glob.escape(str(file.path)))})"
        there = {row[0] for row in self._con.execute(f"DESCRIBE FROM {source}").fetchall()}
        # A file landed before the feed had a column gives nulls for it.
        shown = [f"CAST({_name(c) if c in there else 'NULL'} AS {t}) AS {_name(c)}" for c, t in types.items()]
        origin = f"{_text(file.source)} AS _source, {_text(file.partition)} AS _partition"
        origin += f", CAST({file.pull:d} AS BIGINT) AS _pull"
        hidden = "".join(
            f" AND NOT ({_name(time)} >= {_instant(start)} AND {_name(time)} < {_instant(end)})"
            for start, end in file.hidden
        )
        return f"SELECT {', '.join(shown)}, {origin}, CAST(_line AS BIGINT) AS _line FROM {source} WHERE TRUE{hidden}"  # noqa: S608 - every part is quoted above

    def create(self, name: str, sql: str) -> ibis.Schema:
        """Create a table from a query; returns its schema as the engine has it.

        Raises:
            WarehouseError: the engine rejected the query or ran out of space.
        """
        try:
            self._con.execute(f"CREATE TABLE {_name(name)} AS {sql}")
        except duckdb.Error as error:
            raise WarehouseError(
                f"The table {name} could not be created: {error}.", "Correct its model, or free memory and disk space."
            ) from error
        described = self._con.execute(f"DESCRIBE {_name(name)}").fetchall()
        return ibis.schema({row[0]: _type(row[1]) for row in described})

    def insert(self, name: str, rows: pa.Table) -> None:
        """Create a table from Arrow rows."""
        self._con.register("rows_to_insert", rows)
        self._con.execute(f"CREATE TABLE {_name(name)} AS FROM rows_to_insert")
        self._con.unregister("rows_to_insert")

    def show(self, name: str, rows: pa.Table) -> None:
        """Give the models Arrow rows as a table, without storing them."""
        self._con.register(name, rows)

    def run(self, expression: ir.Expr) -> pa.Table:
        """Run an expression over the tables made so far."""
        return self._con.execute(compile_sql(expression)).to_arrow_table()


# There are a few dozen types, in thousands of columns, and each takes a parser or a generator of SQL.
@cache
def _type(described: str) -> dt.DataType:
    return DuckDBType.from_string(described)


@cache
def _sql_of_type(type_: dt.DataType) -> str:
    return str(DuckDBType.from_ibis(type_).sql(DIALECT))


def _no_rows(types: Mapping[str, str]) -> str:
    shown = ", ".join(f"CAST(NULL AS {type_}) AS {_name(column)}" for column, type_ in types.items())
    return f"SELECT {shown} WHERE FALSE"


def _types(columns: Mapping[str, str]) -> dict[str, str]:
    return {column: _sql_of_type(dt.dtype(type_)) for column, type_ in columns.items()}


@cache
def _name(identifier: str) -> str:
    return exp.to_identifier(identifier, quoted=True).sql(DIALECT)


def _text(value: str) -> str:
    return exp.Literal.string(value).sql(DIALECT)


def _instant(value: datetime) -> str:
    return f"CAST({_text(value.astimezone(UTC).replace(tzinfo=None).isoformat())} AS TIMESTAMP)"
