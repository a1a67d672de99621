"""PostgreSQL, by psycopg.

`timestamp` is a wall clock, `timestamptz` an instant, shown in UTC. Materialized views are not in the
information_schema, so tables are looked up in the catalogue. Columns of a domain are described as its base type. All
settings are local to the transaction: a pooler may hand the session on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from tidings.connectors.database.dialects.address import no_driver, not_an_address
from tidings.connectors.database.dialects.relation import Asked, Connection, Kind, Known, Named, Texts, batches
from tidings.errors import SourceError
from tidings.parsing.reading import literal

if TYPE_CHECKING:
    import psycopg

_CONNECT_S: Final = 15
_KINDS: Final[dict[int, Kind]] = {
    **dict.fromkeys((20, 21, 23, 26, 700, 701, 790, 1700), "number"),
    **dict.fromkeys((1082, 1114), "wall"),
    1184: "instant",
}
_MONEY: Final = 790
_INET: Final = 869
_BEGIN: Final = (
    "SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL standard_conforming_strings = on; "
    "SET LOCAL extra_float_digits = 1"
)
_REFUSED: Final = ("password authentication failed", "no password supplied", 'role "')
_SILENT: Final = (
    *("Connection refused", "failed to resolve host", "could not translate host name", "timeout expired"),
    *("No route to host", "Network is unreachable", "connection timeout", "No such file or directory"),
    "the database system is",
)
_CUT: Final = ("server closed the connection", "the connection is lost", "consuming input failed", "terminating conn")
_TABLES: Final = """
SELECT n.nspname, c.relname, pg_table_is_visible(c.oid)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND n.nspname NOT LIKE 'pg\\_toast%' AND n.nspname NOT LIKE 'pg\\_temp%'
ORDER BY 1, 2
"""
_COLUMNS: Final = """
SELECT a.attname FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relname = %s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""


class PostgreSQL(Connection):
    """A read-only session."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def tables(self) -> list[Known]:
        """From the catalogue."""
        return [Known((schema, name), near) for schema, name, near in self._fetch(_TABLES)]

    def names(self, known: Known) -> list[str]:
        """From the catalogue: `SELECT *` needs the right to every column."""
        return [name for (name,) in self._fetch(_COLUMNS, known.path)]

    def header(self, sql: str) -> list[str]:
        return [column.name for column in self._described(sql)]

    def described(self, relation: str, names: Iterable[str]) -> list[Asked]:
        """Every type has a text; only money's depends on the locale, and that of an inet contains its mask."""
        columns = [self.column(name) for name in names]
        sql = f"SELECT {', '.join(columns)} FROM {relation} LIMIT 0"  # noqa: S608 - quoted
        types = [column.type_code for column in self._described(sql)]
        return [_asked(column, code) for column, code in zip(columns, types, strict=True)]

    def stream(self, sql: str) -> Iterator[list[Texts]]:
        """Through a server-side cursor, so that memory holds one batch."""
        self._connection.execute(_BEGIN)
        try:
            with self._connection.cursor(name="tidings") as cursor:
                cursor.execute(sql)
                yield from batches(cursor.fetchmany)
        finally:
            self._rolled_back()

    def literal(self, text: str, asked: Asked) -> str:
        """Untyped, so that it takes the column's type."""
        return literal(text)

    def close(self) -> None:
        self._connection.close()

    def _described(self, sql: str) -> list[Any]:
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(sql)
                return list(cursor.description or ())
        finally:
            self._rolled_back()

    def _fetch(self, sql: str, values: tuple[str, ...] | None = None) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(sql, values).fetchall()
        finally:
            self._rolled_back()

    def _rolled_back(self) -> None:
        # A broken connection has nothing to roll back, and the original error is the one to report.
        if not self._connection.closed:
            self._connection.rollback()


def connect(url: str, named: Named) -> PostgreSQL:
    """Log in.

    Raises:
        SettingsError: the URL is not valid.
        SourceError: there is no driver.
    """
    try:
        import psycopg
        from psycopg.conninfo import conninfo_to_dict, make_conninfo
    except ImportError:
        # The package alone is not enough: it needs a libpq of the system.
        raise no_driver("PostgreSQL", "psycopg[binary]") from None
    scheme, _, rest = url.partition("://")
    address = f"{scheme.partition('+')[0].lower()}://{rest}"
    try:
        given = conninfo_to_dict(address)
    except psycopg.Error:
        raise not_an_address(named.variable, "PostgreSQL") from None
    wait = given.get("connect_timeout") or _CONNECT_S
    full = make_conninfo(address, application_name="tidings", client_encoding="utf8", connect_timeout=wait)
    connection = psycopg.connect(full, prepare_threshold=None)
    connection.read_only = True
    if connection.info.parameter_status("server_encoding") == "SQL_ASCII":
        _read_any_bytes(connection)
    return PostgreSQL(connection)


def _read_any_bytes(connection: psycopg.Connection[Any]) -> None:
    """A database without an encoding holds arbitrary bytes: those that are not UTF-8 are shown as bytes."""
    from psycopg.adapt import Loader

    class Shown(Loader):
        def load(self, data: Any) -> str:
            return bytes(data).decode("utf-8", "backslashreplace")

    for name in ("text", "varchar", "bpchar", "name"):
        connection.adapters.register_loader(name, Shown)


def explain(error: Exception, named: Named) -> SourceError | None:
    """The meaning of a driver error, null if unknown; errors before the end of the login have no code."""
    state = str(getattr(error, "sqlstate", None) or "")
    text = str(error)
    if state.startswith("28") or any(sign in text for sign in _REFUSED):
        return named.login_failed()
    if state == "3D000" or (not state and 'FATAL:  database "' in text):
        return named.no_database()
    if state == "42501":
        return named.cannot(
            "its user lacks the right",
            f"GRANT SELECT on it, and USAGE on its schema, to the user of {named.variable}.",
        )
    if state == "57014":
        return named.cannot(
            "the server stopped the query, as it took longer than its statement_timeout allows",
            "Give its user more time (ALTER ROLE … SET statement_timeout), or index the cursor.",
        )
    if any(sign in text for sign in _SILENT):
        return named.silent()
    if state.startswith(("08", "57P")) or any(sign in text for sign in _CUT):
        return named.connection_lost()
    if state.startswith("42"):
        return named.cannot(named.hide(_primary(error)), f"Correct `query` or `cursor` of {named.source}.")
    return None


def _primary(error: Exception) -> str:
    diagnosis = getattr(error, "diag", None)
    text = getattr(diagnosis, "message_primary", None) or (str(error).strip().splitlines() or [""])[0]
    return str(text).rstrip(".")


def _asked(column: str, code: int) -> Asked:
    text = f"CAST({column} AS text)"
    if code == _MONEY:
        text = f"CAST(CAST({column} AS numeric) AS text)"
    elif code == _INET:
        text = f"CASE WHEN {column} IS NOT NULL THEN format('%s', {column}) END"
    return Asked(text, column, _KINDS.get(code, "text"))
