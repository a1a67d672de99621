"""The rows of a table or query, each value as the text that the database itself makes of it.

A driver that turns values into its own types stops at the first `infinity`, `0000-00-00` or number of a hundred digits,
and all rows with it. As text every value arrives; one that cannot be used costs its row, as in a file.
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
"""How the text of a column is written: a number, a time without or with its offset, or in any other way."""
Texts = Sequence[str | None]


@dataclass(frozen=True)
class Named:
    """How a source, the variable with its address and what is read of it are called in sentences.

    `hide` takes out of a driver's text what is secret.
    """

    source: str
    variable: str
    what: str
    hide: Callable[[str], str] = str

    def cannot(self, why: str, remedy: str = "") -> SourceError:
        """That it cannot be read."""
        return SourceError(f"{self.what[:1].upper()}{self.what[1:]} of {self.source} cannot be read: {why}.", remedy)

    def cut(self) -> OutageError:
        """That the connection broke while it was read."""
        return OutageError(
            f"The connection to the database of {self.source} was cut while {self.what} was read.",
            f"What was landed before stays. Run tidings pull {self.source} again: it goes on where it was.",
        )

    def silent(self) -> OutageError:
        """That nobody answers at its address."""
        return OutageError(
            f"The database server of {self.source} does not answer.",
            f"Is it running, and can it be reached from here? Compare host and port in {self.variable}.",
        )

    def refused(self) -> CredentialError:
        """That its user may not come in."""
        return CredentialError(
            f"The database of {self.source} refuses the user or the password.", f"Compare {self.variable}."
        )

    def no_database(self) -> SourceError:
        """That the server has no such database."""
        return SourceError(
            f"The server of {self.source} has no database of that name.",
            f"Compare what follows the last / in {self.variable}.",
        )


@dataclass(frozen=True)
class Asked:
    """A column that is asked for: the SQL of its text, the SQL that orders and compares it, how its text is written."""

    text: str
    order: str
    kind: Kind


@dataclass(frozen=True)
class Known:
    """A table or view: its name behind the names that hold it; `is_near` where its last name alone is enough."""

    path: tuple[str, ...]
    is_near: bool

    def __str__(self) -> str:
        return self.path[-1] if self.is_near else ".".join(self.path)


class Rows(Protocol):
    """What is read of one table or query. Values are text, but for those of `ibis_rows`."""

    cursor_kind: Kind
    plain: frozenset[str]
    """Columns whose text the database writes, so that no option says how it is to be read."""

    def everything(self) -> Iterator[pa.Table]:
        """All rows."""

    def beyond(self, place: str | None, limit: int) -> pa.Table:
        """So many rows in the order of the cursor, from `place` (included) or from the beginning."""

    def undated(self) -> Iterator[pa.Table]:
        """The rows whose cursor is null."""

    def sample(self, limit: int) -> pa.Table:
        """Some rows."""

    def close(self) -> None:
        """Let go of the database."""


class Connection(ABC):
    """An open database. In its SQL the relation that is read is called `t`."""

    quote = '"'
    is_null = "IS NULL"

    @abstractmethod
    def tables(self) -> list[Known]:
        """All tables and views that there are, whether they may be read or not."""

    @abstractmethod
    def names(self, known: Known) -> list[str]:
        """The columns of a table."""

    @abstractmethod
    def described(self, relation: str, names: Iterable[str]) -> list[Asked]:
        """How columns of a relation are asked for."""

    @abstractmethod
    def stream(self, sql: str) -> Iterator[list[Texts]]:
        """The rows of a SELECT, many at a time."""

    @abstractmethod
    def literal(self, text: str, asked: Asked) -> str:
        """A value as SQL that is compared as the column is."""

    @abstractmethod
    def close(self) -> None:
        """Let go of it."""

    def as_cursor(self, relation: str, name: str, asked: Asked) -> Asked:
        """How the column is ordered by, which only its values may say."""
        del relation, name
        return asked

    def query_names(self, relation: str) -> list[str]:
        """The columns of a query."""
        return self.header(f"SELECT * FROM {relation} LIMIT 0")  # noqa: S608 - the user's own query

    @abstractmethod
    def header(self, sql: str) -> list[str]:
        """The names of the columns that a SELECT gives."""

    def quoted(self, name: str) -> str:
        """A name as SQL."""
        return f"{self.quote}{name.replace(self.quote, self.quote * 2)}{self.quote}"

    def column(self, name: str) -> str:
        """A column of the relation as SQL."""
        return f"t.{self.quoted(name)}"


class SqlRows:
    """Rows by way of a driver of ours."""

    def __init__(self, connection: Connection, relation: str, names: Sequence[str], cursor: str) -> None:
        self._connection = connection
        self._relation = relation
        self._names = tuple(names)
        self._asked: Mapping[str, Asked] = dict(zip(names, connection.described(relation, names), strict=True))
        self._cursor = connection.as_cursor(relation, cursor, self._asked[cursor]) if cursor else None
        self.cursor_kind: Kind = self._cursor.kind if self._cursor else "text"
        self.plain = frozenset(name for name, asked in self._asked.items() if asked.kind != "text")

    def everything(self) -> Iterator[pa.Table]:
        """All rows."""
        return self._tables("")

    def beyond(self, place: str | None, limit: int) -> pa.Table:
        """So many rows in the order of the cursor, from `place` on."""
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
        """Some rows."""
        return self._whole(f"LIMIT {limit}")

    def close(self) -> None:
        """Let go of the database."""
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
    """The rows of a table or query, those columns alone that are mapped, the cursor, and `more` (names, or all).

    Raises:
        SourceError: the table or a column is not there.
    """
    if query:
        # On a line of its own: a comment at the end would hide the bracket.
        relation = f"(\n{query.strip().rstrip(';')}\n) AS t"
        names = connection.query_names(relation)
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise named.cannot(f"it has the column '{twice[0]}' twice", "Rename one of them in the query, by AS.")
    else:
        found = _table(connection.tables(), table, named)
        relation = f"{'.'.join(map(connection.quoted, found.path))} AS t"
        names = connection.names(found)
    wanted = required(names, named, columns, cursor, more)
    return SqlRows(connection, relation, wanted, cursor)


def required(
    names: Sequence[str], named: Named, columns: Mapping[str, str], cursor: str, more: object
) -> tuple[str, ...]:
    """The columns to ask for, in the order of the relation.

    Raises:
        SourceError: one of them is not there.
    """
    extra = names if more == "all" else tuple(more) if isinstance(more, list | tuple) else ()
    wanted = {given: f"which the mapping reads for {column}" for column, given in reversed(list(columns.items()))}
    wanted |= {given: "which extra_columns names" for given in extra if given not in wanted}
    if cursor and cursor not in names:
        raise _without(named, cursor, " to be the cursor", names)
    for given, why in wanted.items():
        if given not in names:
            raise _without(named, given, f", {why}", names)
    return tuple(name for name in names if name in wanted or name == cursor)


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
    """The nearest known name, that in other letter case before all others."""
    same = [each for each in known if each.lower() == name.lower()]
    return f"Did you mean '{same[0]}'?" if same else suggest(name, known)


def batches(fetch: Callable[[int], Sequence[Texts]]) -> Iterator[list[Texts]]:
    """What a driver's `fetchmany` gives, until there is no more."""
    while rows := fetch(_BATCH):
        yield list(rows)
