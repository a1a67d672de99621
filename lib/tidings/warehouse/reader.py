"""Reading a finished build, and which one readers get."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import ibis.expr.operations as ops
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc

from tidings.errors import UsageError, WarehouseError, remedy_of, suggest
from tidings.settings import Settings, process_rows
from tidings.warehouse import duckdb
from tidings.warehouse.bound import META, Bound
from tidings.warehouse.engine import Engine, EngineError
from tidings.warehouse.folder import POINTER
from tidings.warehouse.metadata import FeedInfo, TableInfo
from tidings.warehouse.rows import ALL_ROWS, Rows

ENGINE: Final[Engine] = duckdb
"""The engine of every workbook: all else asks it through the protocol."""
_BUILD_ID = re.compile(r"\w[\w-]{0,63}", re.ASCII)


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
    except (WarehouseError, LookupError, TypeError):
        return False
    return True


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
        try:
            self._bound = Bound(ENGINE, file, self.rows)
        except EngineError as error:
            raise WarehouseError(
                f"Build {build_id} cannot be opened: {error}.",
                f"The warehouse is a cache: delete {file.name} and run `tidings build`.",
            ) from error
        self._build = self._bound.build

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

    def close(self) -> None:
        """Close the connection and with it the file."""
        self._build.close()

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
        self._bound.require_readable(name)
        if name not in self.tables and name not in self._meta_tables:
            raise WarehouseError(f"There is no table {name} in build {self.build_id}.", suggest(name, self.tables))
        return self._build.backend.table(name)

    def require_all_rows(self, what: str) -> None:
        """Refuse what cannot be told apart by the rows of an audience; `what` is the subject of a sentence, plural.

        Raises:
            RowsError: only some rows may be read.
        """
        self._bound.require_all_rows(what)

    def count(self, name: str) -> int:
        """How many rows a table has; by the engine alone, as Ibis takes longer to ask than it takes to count.

        Raises:
            WarehouseError: the table is not there, or damaged.
            RowsError: it cannot be limited to the rows that may be read.
        """
        self._bound.require_readable(name)
        with self._refusing():
            counted = self._build.query(f"SELECT count(*) FROM {ENGINE.quoted(name)}")  # noqa: S608 - a quoted name
        return int(counted[0][0].as_py())

    def view(self, name: str, expression: ir.Table) -> ir.Table:
        """A temporary view of this connection for an expression, called `name`, with a number if the name is taken.

        Raises:
            WarehouseError: the engine rejected it.
        """
        sql = self.sql(expression)
        names = itertools.chain([name], (f"{name}_{number}" for number in itertools.count(2)))
        name = next(each for each in names if each not in self.tables and self._views.get(each, sql) == sql)
        if name not in self._views:
            with self._refusing():
                self._build.view(name, sql)
            self._views[name] = sql
        return ops.DatabaseTable(name, schema=expression.schema(), source=self._build.backend).to_expr()

    def lay_over(self, name: str, rows: pa.Table, source: str, covers: tuple[datetime, datetime] | None) -> None:
        """Show rows in place of a table of the build, on this connection alone; `covers` is from when to when a source
        knows them, aware, where the build is not older. Nothing where this build has no such table.
        """
        until = self.complete_until
        if name not in self.tables:
            return
        self._build.lay_over(name, rows)
        newest = pc.max(rows["ts"]).as_py()
        info = replace(self.tables[name], rows=rows.num_rows, last_row_at=_aware(newest), feeds=(name,))
        self.tables = {**self.tables, name: info}
        self.feeds_of = {**self.feeds_of, name: info.feeds}
        if covers is not None and until is not None and covers[0] < until:
            empty = dict.fromkeys(("platform", "metric", "breakdown", "zone", "ended"))
            row: dict[str, Any] = {**empty, "source": source, "feed": name, "is_total": True, "gaps": []}
            self.coverage = (*self.coverage, {**row, "start": covers[0], "until": min(covers[1], until)})

    def views_in(self, sql: str) -> Mapping[str, str]:
        """The views that a query reads, with their SQL; under `rows` also those of the tables."""
        found = {name: made for name, made in self._views.items() if ENGINE.quoted(name) in sql}
        return {**self._bound.views_in([sql, *found.values()]), **found}

    def require_own(self, expression: ir.Expr) -> None:
        """Refuse an expression of another connection, whose names may mean other rows here.

        Raises:
            UsageError: the expression reads a table or view of another connection.
        """
        own = self._build.backend
        foreign = [node.name for node in expression.op().find(ops.DatabaseTable) if node.source is not own]
        if foreign:
            raise UsageError(
                f"The expression reads {foreign[0]} of another book.", "Run it with the book that its tables come from."
            )

    def sql(self, expression: ir.Expr) -> str:
        """The SQL that `query` would run."""
        return ENGINE.compile_sql(expression)

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
        with self._refusing():
            found = self._build.query(sql)
        return found.cast(_with_all_decimals(schema, found.schema))

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except EngineError as error:
            remedy = f"The warehouse is a cache: delete {self.file.name} and run `tidings build`."
            raise WarehouseError(
                f"The query failed on build {self.build_id}: {error}.", remedy if error.is_damaged else "See its SQL."
            ) from error

    def _brought(self, source: str, feed: str = "") -> bool:
        with self._refusing():
            return self._bound.brought(source, feed, self.feeds_of)

    @cached_property
    def _meta_tables(self) -> frozenset[str]:
        return frozenset(name for name in self._build.backend.list_tables() if name.startswith(META))

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
        with self._refusing():
            counted = self._bound.counted
        return {
            name: replace(info, rows=counted[name].rows, last_row_at=_aware(counted[name].newest))
            for name, info in infos.items()
            if name in counted
        }

    @cached_property
    def barred(self) -> Mapping[str, str]:
        """The tables that cannot be limited to `rows` and so cannot be read, with the reason as a sentence."""
        return dict(self._bound.barred)

    @cached_property
    def feeds_of(self) -> Mapping[str, tuple[str, ...]]:
        """The feeds that each table is made from, of all tables."""
        return {row["name"]: tuple(row["feeds"]) for row in self._rows("meta_tables")}

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
            rows = [{**row, "ended": ()} for row in rows if self._brought(row["source"], row["feed"])]
        return tuple({**row, "gaps": [[_aware(end) for end in gap] for gap in row["gaps"] or ()]} for row in rows)

    @cached_property
    def filled(self) -> tuple[tuple[str, str, str, str | None], ...]:
        """Which columns each source fills, as (table, source, column, value)."""
        rows = [row for row in self._rows("meta_filled") if self._brought(row["source"])]
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
            RowsError: it cannot be limited to the rows that may be read.
        """
        self._bound.require_readable(table)
        if table not in self.tables:
            raise WarehouseError(f"There is no table {table} in build {self.build_id}.", suggest(table, self.tables))
        return self.tables[table].last_row_at

    @property
    def complete_until(self) -> datetime | None:
        """Up to when the newest source has data, aware UTC; None when nothing was landed."""
        until: datetime | None = self.meta["complete_until"]
        return until

    def _rows(self, meta_table: str) -> list[dict[str, Any]]:
        with self._refusing():
            rows: list[dict[str, Any]] = self._build.stored(meta_table).to_pylist()
        return [{name: _aware(value) for name, value in row.items()} for row in rows]


def _with_all_decimals(schema: pa.Schema, found: pa.Schema) -> pa.Schema:
    """A schema with the engine's decimals, as a product has more of them than Ibis declares."""
    fields = zip(schema, found, strict=True)
    decimals = pa.types.is_decimal
    return pa.schema([f.with_type(e.type) if decimals(f.type) and decimals(e.type) else f for f, e in fields])


def _aware(value: Any) -> Any:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value
