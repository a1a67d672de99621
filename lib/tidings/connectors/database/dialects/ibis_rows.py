"""Any other database, through Ibis: columns of simple types as they are, all others as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import ibis
import ibis.expr.types as ir
import pyarrow as pa
from ibis.backends import BaseBackend

from tidings.connectors.database.dialects.relation import Kind, Named, meant, required
from tidings.errors import SourceError

_BATCH = 50_000


class IbisRows:
    """Rows through an Ibis backend."""

    def __init__(self, backend: BaseBackend, rows: ir.Table, cursor: str) -> None:
        self._backend = backend
        self._rows = rows.select(**{name: _plain(rows[name]) for name in rows.columns})
        self._column = self._rows[cursor] if cursor else None
        self.cursor_kind: Kind = _kind(self._column) if self._column is not None else "text"
        self.plain = frozenset(name for name in rows.columns if _kind(rows[name]) != "text")

    def everything(self) -> Iterator[pa.Table]:
        return _batches(self._rows)

    def beyond(self, place: str | None, limit: int) -> pa.Table:
        """Up to `limit` rows in cursor order, starting at `place`."""
        column = self._column
        assert column is not None  # noqa: S101 - only asked for where there is one
        found = column.notnull() if place is None else column >= ibis.literal(place).cast(column.type())
        return self._rows.filter(found).order_by(column).limit(limit).to_pyarrow()

    def undated(self) -> Iterator[pa.Table]:
        """The rows whose cursor is null."""
        assert self._column is not None  # noqa: S101 - only asked for where there is one
        return _batches(self._rows.filter(self._column.isnull()))

    def sample(self, limit: int) -> pa.Table:
        return self._rows.limit(limit).to_pyarrow()

    def close(self) -> None:
        self._backend.disconnect()


def connect(url: str, scheme: str) -> BaseBackend:
    """Log in.

    Raises:
        SourceError: there is no driver.
    """
    try:
        return ibis.connect(url)
    except ImportError as error:
        raise SourceError(
            f"The driver for {scheme} is not installed.", f"Run: pip install 'ibis-framework[{scheme}]'"
        ) from error


def open_rows(
    backend: BaseBackend, named: Named, table: str, query: str, columns: Mapping[str, str], cursor: str, more: object
) -> IbisRows:
    """The rows of a table or query, with the mapped columns, the cursor, and those in `more`.

    Raises:
        SourceError: the table or a column does not exist.
    """
    if query:
        rows: ir.Table = backend.sql(query)
    else:
        *outer, name = table.split(".")
        database = tuple(outer) if len(outer) > 1 else (outer[0] if outer else None)
        known = backend.list_tables(database=database)
        if name not in known:
            raise SourceError(f"The database of {named.source} has no table '{table}'.", meant(name, known))
        rows = backend.table(name, database=database)
    return IbisRows(backend, rows.select(*required(rows.columns, named, columns, cursor, more)), cursor)


def _plain(column: ir.Column) -> ir.Column:
    type_ = column.type()
    is_plain = type_.is_boolean() or type_.is_string() or _kind(column) != "text"
    return column if is_plain else column.cast("string")


def _kind(column: ir.Column) -> Kind:
    type_ = column.type()
    if type_.is_numeric() and not type_.is_boolean():
        return "number"
    if type_.is_timestamp():
        return "instant" if type_.timezone else "wall"
    return "wall" if type_.is_date() else "text"


def _batches(rows: ir.Table) -> Iterator[pa.Table]:
    for batch in rows.to_pyarrow_batches(chunk_size=_BATCH):
        yield pa.Table.from_batches([batch])
