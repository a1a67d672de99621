"""Any database that Ibis reaches: a table or query, pulled as a whole or by a cursor column.

With a `cursor` (a time of change, or a growing number) rows are asked for from where the last pull ended, less a
look-back for rows that were written late, in chunks that are each landed by themselves. Rows that come twice are told
apart by the feed's key, so that each column of the key must be known. Rows that were deleted in the database are not
noticed by a cursor; `tidings pull --again` reads everything anew. Without a cursor the whole is read each time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import duckdb
import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc
from ibis.backends import BaseBackend

from tidings.errors import SettingsError, SourceError, suggest
from tidings.settings import Settings
from tidings.sources.api import day_instant
from tidings.sources.database_intake import Intake, positional
from tidings.sources.filling import parser
from tidings.sources.landing import Landing
from tidings.sources.mapping import OPTIONS, PAGEVIEW, FileOptions, read_options
from tidings.sources.places import Places
from tidings.sources.privacy import Pseudonyms, Salts
from tidings.sources.reading import Head
from tidings.sources.shapes import SHAPES, Shape
from tidings.sources.source import Endpoint, Pull, Pulled, SourceKind
from tidings.sources.statement import Plan, plan
from tidings.window import Zone, add_days, naive_utc

CHUNK_ROWS: Final = 100_000
_LOOKBACK_DAYS: Final = 2
_LOOKBACK_NUMBERS: Final = 1000
# Fewer characters of a password tell nothing.
_TELLING: Final = 3
_SAMPLE: Final = 500
_UNDATED: Final = "without cursor"
Place = int | datetime | date | str
"""Where in a cursor column a pull is."""


@dataclass(frozen=True)
class Database:
    """One configured table or query of a database; its address, password included, is `<SOURCE NAME>_URL`."""

    name: str
    shape: Shape
    options: FileOptions
    table: str
    query: str
    cursor: str
    lookback: int | None
    settings: Settings
    kind: str = "database"

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """One, named after the feed."""
        return (Endpoint(self.shape.feed.name, self.shape.feed, self.shape.feed.doc, is_asked=True),)

    @property
    def variable(self) -> str:
        """The environment variable that holds its address."""
        return f"{self.name}_url".upper().replace("-", "_")

    def warnings(self) -> list[str]:
        """A .env that others on this machine may read."""
        return self.settings.exposed(self.variable)

    def check(self, pull: Pull) -> list[str]:
        """Whether it can be reached, has the table, and the columns that the mapping and the cursor name."""
        try:
            with self._rows() as rows, parser() as connection:
                self.plan(connection, rows.limit(_SAMPLE).to_pyarrow())
        except (SettingsError, SourceError) as error:
            return [str(error)]
        return []

    def pull(self, landing: Landing, pull: Pull) -> Iterator[Pulled]:
        """Land what is new, chunk by chunk, or the whole.

        Raises:
            SourceError: the database cannot be reached, or lacks what is asked for; what was landed before stays.
        """
        with ExitStack() as stack:
            rows = stack.enter_context(self._rows())
            connection = stack.enter_context(parser())
            geoip = self.settings.geoip if "ip" in self.options.columns else None
            places = stack.enter_context(Places(geoip)) if geoip else None
            salts = Salts(self.settings.root / "data" / "salts.json", pull.now)
            pseudonyms = Pseudonyms(salts, self.settings.site or self.name)
            into = Intake(self, landing, pull, connection, pseudonyms, places)
            yield from self._by_cursor(rows, into) if self.cursor else self._whole(rows, into)

    def _whole(self, rows: ir.Table, into: Intake) -> Iterator[Pulled]:
        def batches() -> Iterator[pa.Table]:
            with self._told():
                for batch in rows.to_pyarrow_batches(chunk_size=CHUNK_ROWS):
                    yield pa.Table.from_batches([batch])

        yield into.land("", batches(), "")
        into.drop_others([""])

    def _by_cursor(self, rows: ir.Table, into: Intake) -> Iterator[Pulled]:
        column = rows[self.cursor]
        place = None if into.pull.again else self._resume(into, column.type())
        kept = [] if place is None else [entry.part for entry, _ in into.mine()]
        size = CHUNK_ROWS
        passed: set[Place] = set()
        while True:
            found = rows.filter(column.notnull() if place is None else column >= ibis.literal(place))
            with self._told():
                chunk = found.order_by(self.cursor).limit(size).to_pyarrow()
            if not chunk.num_rows:
                break
            last = _place(chunk[self.cursor][-1].as_py())
            is_last = chunk.num_rows < size
            if not is_last:
                # Rows of the last place may go on: they belong to the next chunk, all of them.
                # Told apart by value, not by order: a database orders text in its own way, as if b were B.
                whole = chunk.filter(pc.not_equal(chunk[self.cursor], chunk[self.cursor][-1]))
                if not whole.num_rows or last in passed:
                    size *= 2
                    continue
                passed.add(last)
                chunk = whole
            part = f"{self.cursor} from {place}" if place is not None else f"{self.cursor} from the beginning"
            yield into.land(part, iter([chunk]), str(last))
            kept.append(part)
            if is_last:
                break
            place, size = last, CHUNK_ROWS
        yield from self._undated(rows, into)
        into.drop_others([*kept, _UNDATED])

    def _resume(self, into: Intake, type_: dt.DataType) -> Place | None:
        """Where the last landing ended, less the look-back; null where nothing was landed in this way."""
        names = [read.name for entry, read in into.mine() if entry.part != _UNDATED]
        if not names:
            return None
        if type_.is_integer():
            back = _LOOKBACK_NUMBERS if self.lookback is None else self.lookback
            return max(map(int, names)) - back
        days = _LOOKBACK_DAYS if self.lookback is None else self.lookback
        last = max(names)
        try:
            # A time that is still to come is a mistake in a row: going on from there, all others would be left out.
            reached = min(datetime.fromisoformat(last).date(), Zone().day_of(into.pull.now))
        except ValueError:
            # Text that is no time: there is nothing to look back by.
            return last
        day = add_days(reached, -days)
        if type_.is_date():
            return day
        if type_.is_string():
            return day.isoformat()
        at = day_instant(day)
        return at if isinstance(type_, dt.Timestamp) and type_.timezone else naive_utc(at)

    def _undated(self, rows: ir.Table, into: Intake) -> Iterator[Pulled]:
        """Rows without a cursor: kept as refused, as no later pull would know whether it has them."""
        with self._told():
            found = rows.filter(rows[self.cursor].isnull()).limit(CHUNK_ROWS).to_pyarrow()
        if found.num_rows:
            yield into.refuse(_UNDATED, found, f"{self.cursor}: is null, so that no pull would know it again")
        elif any(entry.part == _UNDATED for entry in into.entries()):
            into.landing.drop(self.name, self.shape.feed.name, _UNDATED)

    def plan(self, connection: duckdb.DuckDBPyConnection, sample: pa.Table) -> Plan:
        """How rows like these are read.

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
        return plan(self.shape, self.options, head, self.name, self.table or "the query")

    @contextmanager
    def _rows(self) -> Iterator[ir.Table]:
        """The table or query, open.

        Raises:
            SourceError: it cannot be had; the text holds neither address nor password.
        """
        with self._told():
            backend = self._connected()
            try:
                yield self._found(backend)
            finally:
                backend.disconnect()

    def _connected(self) -> BaseBackend:
        url = self.settings.secret(self.variable).reveal()
        scheme = url.partition("://")[0]
        try:
            # Read as a driver will, which would quote what it stumbles over.
            _ = urlsplit(url).port
        except ValueError:
            raise SettingsError(
                f"{self.variable} is not an address.",
                "In user and password write / as %2F, # as %23, ? as %3F, @ as %40, : as %3A, [ as %5B, ] as %5D.",
            ) from None
        try:
            return ibis.connect(url, read_only=True) if scheme == "duckdb" else ibis.connect(url)
        except ImportError as error:
            raise SourceError(
                f"What speaks to {scheme} is not installed.", f"Run: pip install 'ibis-framework[{scheme}]'"
            ) from error

    def _found(self, backend: BaseBackend) -> ir.Table:
        if self.query:
            rows: ir.Table = backend.sql(self.query)
        else:
            *outer, name = self.table.split(".")
            database = tuple(outer) if len(outer) > 1 else (outer[0] if outer else None)
            known = backend.list_tables(database=database)
            if name not in known:
                raise SourceError(f"The database of {self.name} has no table '{self.table}'.", suggest(name, known))
            rows = backend.table(name, database=database)
        if self.cursor and self.cursor not in rows.columns:
            raise SourceError(
                f"{self.table or 'The query'} of {self.name} has no column '{self.cursor}' to be the cursor.",
                suggest(self.cursor, rows.columns),
            )
        for wanted, given in self.options.columns.items():
            if given not in rows.columns:
                raise SourceError(
                    f"{self.table or 'The query'} of {self.name} has no column '{given}', "
                    f"which the mapping reads for {wanted}.",
                    suggest(given, rows.columns),
                )
        return rows

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Errors of a driver as one of ours, without the address and the password that drivers like to quote."""
        try:
            yield
        except (SettingsError, SourceError, GeneratorExit, KeyboardInterrupt):
            raise
        except Exception as error:  # noqa: BLE001 - every driver has errors of its own
            text = (str(error).strip().splitlines() or [""])[0]
            text = _without(self.settings.secret(self.variable).reveal(), text)[:300]
            raise SourceError(
                f"The database of {self.name} cannot be read: {type(error).__name__}: {text}.",
                f"Compare {self.variable} and the settings of {self.name} with the database.",
            ) from None


def _without(url: str, text: str) -> str:
    """A text without an address and any piece of its password, however a driver took them apart."""
    password = url.partition("://")[2].rpartition("@")[0].partition(":")[2]
    pieces = {piece for piece in re.split(r"[:/?#@\[\]]", password) if len(piece) >= _TELLING}
    for secret in sorted({url, password, unquote(password), *pieces} - {""}, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def _place(value: Any) -> Place:
    if isinstance(value, bool) or not isinstance(value, int | datetime | date | str):
        raise SourceError(
            f"A cursor cannot be {type(value).__name__}.", "Name a column of times, dates, whole numbers or text."
        )
    return value


def _open(name: str, table: Mapping[str, Any], settings: Settings) -> Database:
    where = f"[tool.tidings.sources.{name}]"
    given = {option: str(table.get(option, "")) for option in ("feed", "table", "query", "cursor")}
    shapes = {shape.feed.name: shape for shape in SHAPES}
    if given["feed"] not in shapes:
        raise SettingsError(f"{where} feed is '{given['feed']}'.", suggest(given["feed"], shapes))
    if bool(given["table"]) == bool(given["query"]):
        raise SettingsError(f"{where} must have a table or a query, one of both.", 'Write table = "invoices".')
    lookback = table.get("lookback")
    if lookback is not None and (isinstance(lookback, bool) or not isinstance(lookback, int) or lookback < 0):
        raise SettingsError(f"{where} lookback is {lookback!r}.", "Write a whole number from 0 on.")
    shape = shapes[given["feed"]]
    # Otherwise another look-back would read everything anew.
    read_as = {option: value for option, value in table.items() if option != "lookback"}
    options = read_options(
        name, read_as, settings, shape.feed, helpers=shape.helpers, derived=shape.derived, is_file=False
    )
    missing = [key for key in shape.feed.key if key not in {*options.columns, *options.defaults, *shape.derived}]
    if given["cursor"] and missing:
        raise SettingsError(
            f"{where} has a cursor, so that rows may come again, and leaves out {', '.join(missing)}, "
            f"by which the feed {shape.feed.name} would know them.",
            "Map it in `columns`, give it a constant in `defaults`, or leave out the cursor.",
        )
    return Database(name, shape, options, given["table"], given["query"], given["cursor"], lookback, settings)


DATABASE: Final = SourceKind(
    name="database",
    summary="a table or query of any database that Ibis reaches",
    options={
        "feed": "what its rows are: orders, events, requests, vitals or figures",
        "table": "the table, as schema.table where it is in a schema",
        "query": "or a SELECT of that database",
        "cursor": "a column that only grows (time of change, number): each pull asks for what is new by it",
        "lookback": "how far behind rows may be written: days (2), or for a number so many numbers (1000)",
        **{
            option: help_
            for option, help_ in {**OPTIONS, **PAGEVIEW}.items()
            if option not in ("path", "encoding", "covers")
        },
    },
    open=_open,
)
