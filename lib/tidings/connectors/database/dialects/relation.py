"""The rows of a table or query, each value as the text that the database itself makes of it.

A driver that converts values to its own types fails at the first `infinity`, `0000-00-00` or number of a hundred
digits, and loses all rows. As text every value arrives; an unusable one costs its row, as in a file.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

import pyarrow as pa

from tidings.errors import CredentialError, OutageError, SourceError, suggest

_BATCH: Final = 50_000
Kind = Literal["number", "wall", "instant", "text"]
"""How the text of a column is written: a number, a time without or with an offset, or something else."""
Texts = Sequence[str | None]


@dataclass(frozen=True)
class Named:
    """The names of a source, its URL variable and what is read, for error messages.

    `hide` removes secrets from a driver's text.
    """

    source: str
    variable: str
    what: str
    hide: Callable[[str], str] = str

    def cannot(self, why: str, remedy: str = "") -> SourceError:
        return SourceError(f"{self.what[:1].upper()}{self.what[1:]} of {self.source} cannot be read: {why}.", remedy)

    def connection_lost(self) -> OutageError:
        """The connection broke while rows were read."""
        return OutageError(
            f"The connection to the database of {self.source} was lost while {self.what} was read.",
            f"What was landed before stays. Run tidings pull {self.source} again: it continues where it stopped.",
        )

    def silent(self) -> OutageError:
        """The server cannot be reached."""
        return OutageError(
            f"The database server of {self.source} does not answer.",
            f"Is it running, and can it be reached from here? Compare host and port in {self.variable}.",
        )

    def login_failed(self) -> CredentialError:
        """The login failed."""
        return CredentialError(
            f"The database of {self.source} refuses the user or the password.", f"Compare {self.variable}."
        )

    def no_database(self) -> SourceError:
        return SourceError(
            f"The server of {self.source} has no database of that name.",
            f"Compare what follows the last / in {self.variable}.",
        )


@dataclass(frozen=True)
class Asked:
    """A requested column: the SQL of its text, the SQL to order and compare by, how its text is written."""

    text: str
    order: str
    kind: Kind


@dataclass(frozen=True)
class Known:
    """A table or view: its name after the names of what contains it; `is_near` if the last name alone is enough."""

    path: tuple[str, ...]
    is_near: bool

    def __str__(self) -> str:
        return self.path[-1] if self.is_near else ".".join(self.path)


class Rows(Protocol):
    """The rows of one table or query. Values are text, except those of `ibis_rows`."""

    cursor_kind: Kind
    plain: frozenset[str]
    """Columns whose text the database itself writes, so that no format option applies to them."""

    def everything(self) -> Iterator[pa.Table]:
        """All rows."""

    def beyond(self, place: str | None, limit: int) -> pa.Table:
        """Up to `limit` rows in cursor order, from `place` (included) or from the start."""

    def undated(self) -> Iterator[pa.Table]:
        """The rows whose cursor is null."""

    def sample(self, limit: int) -> pa.Table:
        """Some rows."""

    def close(self) -> None:
        """Close the connection."""


class Connection(ABC):
    """An open database. Its SQL calls the relation `t`."""

    quote = '"'
    is_null = "IS NULL"

    @abstractmethod
    def tables(self) -> list[Known]:
        """All tables and views, whether they may be read or not."""

    @abstractmethod
    def names(self, known: Known) -> list[str]:
        """The columns of a table."""

    @abstractmethod
    def described(self, relation: str, names: Iterable[str]) -> list[Asked]:
        """How columns of a relation are requested."""

    @abstractmethod
    def stream(self, sql: str) -> Iterator[list[Texts]]:
        """The rows of a SELECT, in batches."""

    @abstractmethod
    def literal(self, text: str, asked: Asked) -> str:
        """A value as SQL that compares as the column does."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection."""

    def as_cursor(self, relation: str, name: str, asked: Asked) -> Asked:
        """How to order by the column, where only its values can tell."""
        del relation, name
        return asked

    def query_names(self, relation: str) -> list[str]:
        """The columns of a query."""
        return self.header(f"SELECT * FROM {relation} LIMIT 0")  # noqa: S608 - the user's own query

    @abstractmethod
    def header(self, sql: str) -> list[str]:
        """The column names of a SELECT."""

    def quoted(self, name: str) -> str:
        """A quoted name."""
        return f"{self.quote}{name.replace(self.quote, self.quote * 2)}{self.quote}"

    def column(self, name: str) -> str:
        """A column of the relation as SQL."""
        return f"t.{self.quoted(name)}"


class SqlRows:
    """Rows through one of our own drivers."""

    def __init__(self, connection: Connection, relation: str, names: Sequence[str], cursor: str) -> None:
        self._connection = connection
        self._relation = relation
        self._names = tuple(names)
        self._asked: Mapping[str, Asked] = dict(zip(names, connection.described(relation, names), strict=True))
        self._cursor = connection.as_cursor(relation, cursor, self._asked[cursor]) if cursor else None
        self.cursor_kind: Kind = self._cursor.kind if self._cursor else "text"
        self.plain = frozenset(name for name, asked in self._asked.items() if asked.kind != "text")

    def everything(self) -> Iterator[pa.Table]:
        return self._tables("")

    def beyond(self, place: str | None, limit: int) -> pa.Table:
        """Up to `limit` rows in cursor order, starting at `place`."""
        assert self._cursor is not None  # noqa: S101 - only asked for where there is one
        order, is_null = self._cursor.order, self._connection.is_null
        where = (
            f"NOT ({order} {is_null})"
            if place is None
            else f"{order} >= {self._connection.literal(place, self._cursor)}"
        )
        return self._whole(f"WHERE {where} ORDER BY {order} LIMIT {limit}")

    def undated(self) -> Iterator[pa.Table]:
        """The rows whose cursor is null."""
        assert self._cursor is not None  # noqa: S101 - only asked for where there is one
        return self._tables(f"WHERE {self._cursor.order} {self._connection.is_null}")

    def sample(self, limit: int) -> pa.Table:
        return self._whole(f"LIMIT {limit}")

    def close(self) -> None:
        self._connection.close()

    def _whole(self, rest: str) -> pa.Table:
        return pa.concat_tables([self._table([]), *self._tables(rest)])

    def _tables(self, rest: str) -> Iterator[pa.Table]:
        texts = ", ".join(asked.text for asked in self._asked.values())
        sql = f"SELECT {texts} FROM {self._relation} {rest}"  # noqa: S608 - names are quoted, values are literals
        return map(self._table, self._connection.stream(sql))

    def _table(self, rows: list[Texts]) -> pa.Table:
        columns = zip(*rows, strict=True) if rows else ((),) * len(self._names)
        return pa.table([pa.array(column, pa.string()) for column in columns], names=list(self._names))


def open_rows(
    connection: Connection, named: Named, table: str, query: str, columns: Mapping[str, str], cursor: str, more: object
) -> SqlRows:
    """The rows of a table or query, with the mapped columns, the cursor, and those in `more` (names, or all).

    Raises:
        SourceError: the table or a column does not exist.
    """
    if query:
        # On a line of its own: a comment at the end of the query would hide the bracket.
        relation = f"(\n{query.strip().rstrip(';')}\n) AS t"
        names = connection.query_names(relation)
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise named.cannot(f"it has the column '{twice[0]}' twice", "Rename one of them in the query, by AS.")
    else:
        found = _table(connection.tables(), table, named)
        relation = f"{'.'.join(map(connection.quoted, found.path))} AS t"
        names = connection.names(found)
    needed = required(names, named, columns, cursor, more)
    return SqlRows(connection, relation, needed, cursor)


def required(
    names: Sequence[str], named: Named, columns: Mapping[str, str], cursor: str, more: object
) -> tuple[str, ...]:
    """The columns to request, in the order of the relation.

    Raises:
        SourceError: one of them does not exist.
    """
    extra = names if more == "all" else tuple(more) if isinstance(more, list | tuple) else ()
    needed = {given: f"which the mapping reads for {column}" for column, given in reversed(list(columns.items()))}
    needed |= {given: "which extra_columns names" for given in extra if given not in needed}
    if cursor and cursor not in names:
        raise _without(named, cursor, " to be the cursor", names)
    for given, why in needed.items():
        if given not in names:
            raise _without(named, given, f", {why}", names)
    return tuple(name for name in names if name in needed or name == cursor)


def _without(named: Named, column: str, why: str, names: Sequence[str]) -> SourceError:
    what = named.what[:1].upper() + named.what[1:]
    return SourceError(f"{what} of {named.source} has no column '{column}'{why}.", meant(column, names))


def _table(tables: Sequence[Known], table: str, named: Named) -> Known:
    for known in tables:
        if known.is_near and known.path[-1] == table:
            return known
    for known in tables:
        if table in (".".join(known.path[-count:]) for count in range(2, len(known.path) + 1)):
            return known
    elsewhere = [str(known) for known in tables if known.path[-1] == table.rpartition(".")[2]]
    remedy = f"Did you mean '{elsewhere[0]}'?" if elsewhere else meant(table, [str(known) for known in tables])
    if not tables:
        remedy = (
            "Its user sees no table at all: compare the name of the database in the address, and the user's rights."
        )
    raise SourceError(f"The database of {named.source} has no table '{table}'.", remedy)


def meant(name: str, known: Sequence[str]) -> str:
    """The nearest known name; one that differs only in case comes first."""
    same = [each for each in known if each.lower() == name.lower()]
    return f"Did you mean '{same[0]}'?" if same else suggest(name, known)


def batches(fetch: Callable[[int], Sequence[Texts]]) -> Iterator[list[Texts]]:
    """The results of a driver's `fetchmany`, until it returns none."""
    while rows := fetch(_BATCH):
        yield list(rows)
