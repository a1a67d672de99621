"""Any database: a table or query, pulled in full or incrementally by a cursor column.

Only mapped columns are read, plus those in `extra_columns`. With a `cursor` (a modification time or a growing number)
each pull starts where the last one ended, less a lookback for rows that were written late, and lands chunk by chunk.
Repeated rows are recognised by the feed's key, so every key column must be mapped. A cursor does not notice deleted
rows; `tidings pull --again` reads everything again, and what was landed before stays in force until that is complete.
Without a cursor each pull reads everything.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import unquote

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Meta

from tidings.connectors.database.dialects import duckdb_file, ibis_rows, mysql, postgresql, sqlite
from tidings.connectors.database.dialects.address import file_of, scheme_of
from tidings.connectors.database.dialects.relation import Connection, Named, Rows, open_rows
from tidings.connectors.database.intake import Intake, positional
from tidings.enrich.geography import Places
from tidings.enrich.pseudonyms import Pseudonyms, Salts
from tidings.errors import SettingsError, SourceError, TidingsError
from tidings.landing.store import Landing
from tidings.mapping.filling import parser
from tidings.mapping.options import FileOptions, MappedOptions, PageViews, mapped_options
from tidings.mapping.shapes import SHAPES, Shape
from tidings.mapping.statement import Plan, plan
from tidings.options import OptionalText, Text, Whole, known
from tidings.parsing.reading import Head
from tidings.settings import Settings
from tidings.sources.source import Endpoint, Pull, Pulled, SourceKind
from tidings.sources.trial import ROWS, Trial, landed_trial
from tidings.window import Zone, add_days, parse_date

CHUNK_ROWS: Final = 100_000
_LOOKBACK_DAYS: Final = 2
_LOOKBACK_NUMBERS: Final = 1000
# Shorter pieces of a password give nothing away.
_TELLING: Final = 3
_SAMPLE: Final = 500
_UNDATED: Final = "without cursor"
_EXPLAIN: Final[Mapping[str, Callable[[Exception, Named], SourceError | None]]] = {
    **dict.fromkeys(("postgres", "postgresql"), postgresql.explain),
    **dict.fromkeys(("mysql", "mariadb"), mysql.explain),
    "sqlite": sqlite.explain,
    "duckdb": duckdb_file.explain,
}


@dataclass(frozen=True)
class Database:
    """One configured table or query of a database; its URL, password included, is in `<SOURCE NAME>_URL`."""

    name: str
    shape: Shape
    options: FileOptions
    table: str
    query: str
    cursor: str
    lookback: int | None
    extra: tuple[str, ...] | str
    settings: Settings
    kind: str = "database"

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """One, named after the feed."""
        return (Endpoint(self.shape.feed.name, self.shape.feed, self.shape.feed.doc, is_asked=True),)

    @property
    def variable(self) -> str:
        """The environment variable that holds its URL."""
        return f"{self.name}_url".upper().replace("-", "_")

    def warnings(self) -> list[str]:
        """A .env that others on this machine may read."""
        return self.settings.exposed(self.variable)

    def check(self, pull: Pull) -> list[str]:
        """Problems with the connection, the table, and the columns that the mapping and the cursor name."""
        try:
            with self._rows() as rows, parser() as connection:
                self.plan(connection, rows.sample(_SAMPLE), rows.plain)
        except (SettingsError, SourceError) as error:
            return [str(error)]
        return []

    def preview(self, pull: Pull) -> Iterator[Trial]:
        """A trial of some rows; none if they cannot be read, which `check` reports."""
        what = f"the table {self.table}" if self.table else "the query"
        try:
            with tempfile.TemporaryDirectory(prefix="tidings-") as folder, self._rows() as rows:
                # A trial has salts and a landing of its own.
                mine = replace(self, settings=replace(self.settings, root=Path(folder)))
                landing, sample = Landing(Path(folder) / "raw"), rows.sample(ROWS)
                with mine._intake(rows, landing, pull) as into:
                    into.land("", iter([sample]), "")
                trial = landed_trial(what, landing, self.name, self.shape.feed, is_all=sample.num_rows < ROWS)
        except (SettingsError, SourceError):
            return
        undated = sample[self.cursor].null_count if self.cursor else 0
        aside = f"{undated:,} of these rows have no {self.cursor}: they would be rejected."
        yield replace(trial, notes=(aside,) if undated else ())

    def pull(self, landing: Landing, pull: Pull) -> Iterator[Pulled]:
        """Land what is new, chunk by chunk, or everything.

        Raises:
            SourceError: the database cannot be reached, or lacks something that the settings name; what was landed
                before stays.
        """
        with ExitStack() as stack:
            rows = stack.enter_context(self._rows())
            into = stack.enter_context(self._intake(rows, landing, pull))
            used = rejected = 0
            for pulled in self._by_cursor(rows, into) if self.cursor else self._whole(rows, into):
                used, rejected = used + pulled.rows, rejected + pulled.rejected
                yield pulled
            if rejected and not used and not any(load.rows for load in into.loads()):
                raise SourceError(
                    f"None of the {rejected:,} rows of {self.name} can be used. {into.commonest(1)}.",
                    f"They are kept in data/raw/{self.name}/{self.shape.feed.name}, each with its reason. "
                    "Compare the mapping with the columns.",
                )

    @contextmanager
    def _intake(self, rows: Rows, landing: Landing, pull: Pull) -> Iterator[Intake]:
        geoip = self.settings.geoip if "ip" in self.options.columns else None
        salts = Salts(self.settings.root / "data" / "salts.json", pull.now)
        pseudonyms = Pseudonyms(salts, self.settings.site or self.name)
        with parser() as connection, Places(geoip) if geoip else nullcontext() as places:
            yield Intake(self, rows.plain, landing, pull, connection, pseudonyms, places)

    def _whole(self, rows: Rows, into: Intake) -> Iterator[Pulled]:
        yield into.land("", rows.everything(), "")
        into.drop_others([""])

    def _by_cursor(self, rows: Rows, into: Intake) -> Iterator[Pulled]:
        place = None if into.pull.again else self._resume(into, rows)
        if place is None:
            into.begin_anew()
        kept = [load.partition for load, _ in into.mine()]
        size = CHUNK_ROWS
        passed: set[Any] = set()
        reached = ""
        while True:
            chunk = rows.beyond(place, size)
            if not chunk.num_rows:
                break
            last = chunk[self.cursor][-1].as_py()
            is_last = chunk.num_rows < size
            if not is_last:
                # The last value of the cursor may continue on the next page, so all rows with it belong to the next
                # chunk. Compared by equality, not order: a database has its own collation, as if b were B.
                whole = chunk.filter(pc.not_equal(chunk[self.cursor], chunk[self.cursor][-1]))
                if not whole.num_rows or last in passed:
                    size *= 2
                    continue
                passed.add(last)
                chunk = whole
            partition = into.partition(f"{self.cursor} from {'the beginning' if place is None else place}")
            # Where a later pull may start: never a value that tomorrow's rows would not lie beyond.
            reached = next((text for text in _backwards(chunk[self.cursor]) if _is_place(text, rows)), reached)
            yield into.land(partition, iter([chunk]), reached if is_last else str(last))
            kept.append(partition)
            if is_last:
                break
            place, size = str(last), CHUNK_ROWS
        yield from self._undated(rows, into)
        into.drop_others([*kept, _UNDATED])

    def _resume(self, into: Intake, rows: Rows) -> str | None:
        """Where the last load ended, less the lookback; null if nothing was landed with this configuration."""
        names = [read.name for load, read in into.mine() if load.partition != _UNDATED and _is_place(read.name, rows)]
        if not names:
            return None
        # Not the largest: a full reading that was stopped continues where it stopped.
        last = names[-1]
        if rows.cursor_kind == "number":
            back = _LOOKBACK_NUMBERS if self.lookback is None else self.lookback
            return str(Decimal(last) - back)
        days = _LOOKBACK_DAYS if self.lookback is None else self.lookback
        day = _day(last)
        if day is None:
            # Text that is not a time: no lookback is possible.
            return last
        # A time in the future is a mistake in a row: continuing from it would skip all other rows.
        return add_days(min(day, Zone().day_of(into.pull.now)), -days).isoformat()

    def _undated(self, rows: Rows, into: Intake) -> Iterator[Pulled]:
        """Reject rows without a cursor: no later pull could tell whether it has them."""
        found = [table for table in rows.undated() if table.num_rows]
        if found:
            reason = f"{self.cursor}: is null, so no later pull could recognise the row"
            yield into.reject(_UNDATED, pa.concat_tables(found), reason)
        elif any(load.partition == _UNDATED for load in into.quarantined()):
            into.landing.drop(self.name, self.shape.feed.name, _UNDATED)

    def plan(self, connection: duckdb.DuckDBPyConnection, sample: pa.Table, plain: frozenset[str]) -> Plan:
        """How the rows are converted.

        Raises:
            SourceError: the mapping does not fit.
        """
        connection.register("sample", positional(sample))
        described = connection.execute("DESCRIBE SELECT * FROM sample").fetchall()
        connection.unregister("sample")
        rows = [
            tuple(value if isinstance(value, str) else None for value in row.values())
            for row in sample.slice(0, _SAMPLE).to_pylist()
        ]
        head = Head(tuple(sample.column_names), tuple(row[1] for row in described), tuple(rows))
        return plan(self.shape, self.options, head, self.name, self.table or "the query", plain)

    @contextmanager
    def _rows(self) -> Iterator[Rows]:
        """The table or query, open.

        Raises:
            SourceError: it cannot be opened; the message contains neither URL nor password.
        """
        url = self.settings.secret(self.variable).reveal()
        scheme = scheme_of(url, self.variable)
        what = f"the table {self.table}" if self.table else "the query"
        named = Named(self.name, self.variable, what, lambda text: _without(url, text))
        with self._reported(scheme, named):
            asked = (named, self.table, self.query, self.options.columns, self.cursor, self.extra)
            if scheme in _EXPLAIN:
                connection = self._connected(url, scheme, named)
                try:
                    yield open_rows(connection, *asked)
                finally:
                    connection.close()
            else:
                backend = ibis_rows.connect(url, scheme)
                try:
                    yield ibis_rows.open_rows(backend, *asked)
                finally:
                    backend.disconnect()

    def _connected(self, url: str, scheme: str, named: Named) -> Connection:
        if scheme == "sqlite":
            return sqlite.SQLite(file_of(url, self.settings.root, named), named, self.options.decimal)
        if scheme == "duckdb":
            return duckdb_file.DuckDB(file_of(url, self.settings.root, named))
        is_mysql = scheme in ("mysql", "mariadb")
        return mysql.connect(url, named) if is_mysql else postgresql.connect(url, named)

    @contextmanager
    def _reported(self, scheme: str, named: Named) -> Iterator[None]:
        """Driver errors as one of ours, without the URL and the password that drivers like to quote."""
        try:
            yield
        except (TidingsError, GeneratorExit, KeyboardInterrupt):
            raise
        except Exception as error:  # noqa: BLE001 - every driver has errors of its own
            known = _EXPLAIN[scheme](error, named) if scheme in _EXPLAIN else None
            text = (str(error).strip().splitlines() or [""])[0]
            raise known or SourceError(
                f"The database of {self.name} cannot be read: {type(error).__name__}: {named.hide(text)[:300]}.",
                f"Compare {self.variable} and the settings of {self.name} with the database.",
            ) from None


def _day(place: str) -> date | None:
    try:
        return parse_date(place[:10])
    except ValueError:
        return None


def _is_place(text: str, rows: Rows) -> bool:
    """False for a value beyond any real one: NaN, infinity, 0000-00-00."""
    if rows.cursor_kind == "number":
        try:
            return Decimal(text).is_finite()
        except InvalidOperation:
            return False
    return bool(text) if rows.cursor_kind == "text" else _day(text) is not None


def _backwards(column: pa.ChunkedArray) -> Iterator[str]:
    return (str(column[number].as_py()) for number in range(len(column) - 1, -1, -1))


def _without(url: str, text: str) -> str:
    """A text without the URL and every piece of its password, however a driver split it."""
    password = url.partition("://")[2].rpartition("@")[0].partition(":")[2]
    pieces = {piece for piece in re.split(r"[:/?#@\[\]]", password) if len(piece) >= _TELLING}
    for secret in sorted(
        {url, *(text for text in (password, unquote(password)) if text), *pieces}, key=len, reverse=True
    ):
        text = text.replace(secret, "***")
    return text


_SHAPES: Final = {shape.feed.name: shape for shape in SHAPES}


class DatabaseOptions(MappedOptions, frozen=True):
    """The table of a source that is a table or query of a database."""

    feed: Annotated[Text, "what its rows are", known(_SHAPES)]
    table: Annotated[OptionalText, "the table, as schema.table where it is in a schema"] = ""
    query: Annotated[OptionalText, "or a SELECT of that database"] = ""
    cursor: Annotated[OptionalText, "a column that only grows: each pull asks for what is new by it"] = ""
    lookback: Annotated[
        Whole | None, "how far behind rows may be written: days (2), or for a number that many (1000)"
    ] = None
    extra_columns: Annotated[
        Literal["all"] | tuple[OptionalText, ...],
        "columns that are kept beside those that are mapped, as text",
        Meta(title='a list of texts or "all"', examples=['["note"], or "all"']),
    ] = ()
    pageview: PageViews = ()


def _open(name: str, given: DatabaseOptions, settings: Settings) -> Database:
    where = f"[tool.tidings.sources.{name}]"
    if bool(given.table) == bool(given.query):
        raise SettingsError(f"{where} must have a table or a query, one of both.", 'Write table = "invoices".')
    shape = _SHAPES[given.feed]
    options = mapped_options(name, given, settings, shape.feed, helpers=shape.helpers, derived=shape.derived)
    missing = [key for key in shape.feed.key if key not in {*options.columns, *options.defaults, *shape.derived}]
    if given.cursor and missing:
        raise SettingsError(
            f"{where} has a cursor, so rows may repeat, but does not map {', '.join(missing)}, "
            f"the key by which the feed {shape.feed.name} recognises them.",
            "Map it in `columns`, give it a constant in `defaults`, or leave out the cursor.",
        )
    return Database(
        name,
        shape,
        options,
        given.table,
        given.query,
        given.cursor,
        given.lookback,
        given.extra_columns,
        settings,
    )


DATABASE: Final = SourceKind(
    name="database",
    summary="a table or query of PostgreSQL, MySQL, MariaDB, SQLite, DuckDB, or whatever else Ibis reaches",
    options=DatabaseOptions,
    open=_open,
)
