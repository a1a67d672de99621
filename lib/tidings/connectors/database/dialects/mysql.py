"""MySQL and MariaDB, by PyMySQL.

A TIMESTAMP is stored in UTC and shown in the session's zone, which is set to UTC; a DATETIME is a wall clock. IS NULL
also matches a zero date, `<=>` does not. A FLOAT is shown with six digits, its double with all. BIT and binary texts
are bytes, shown as numbers and as hexadecimal. ENUM and SET are ordered by number and compared by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from tidings.connectors.database.dialects.address import no_driver
from tidings.connectors.database.dialects.relation import Asked, Connection, Kind, Known, Named, Texts, batches
from tidings.errors import SettingsError, SourceError, suggest

if TYPE_CHECKING:
    import pymysql

_CONNECT_S: Final = 15
_READ_S: Final = 3600
# Type numbers of the protocol.
_NUMBERS: Final = (0, 1, 2, 3, 5, 8, 9, 13, 246)
_FLOAT, _TIMESTAMP, _DATE, _DATETIME, _BIT, _JSON, _SHORT_TEXT, _GEOMETRY = 4, 7, 10, 12, 16, 245, 254, 255
_TEXTS: Final = (249, 250, 251, 252, 253, 254)
_NUMBER: Final = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")
_SESSION: Final = (
    "SET SESSION time_zone = '+00:00'",
    "SET SESSION TRANSACTION READ ONLY",
    # The session must be able to handle zero dates.
    "SET SESSION sql_mode = REPLACE(REPLACE(@@SESSION.sql_mode, 'NO_ZERO_DATE', ''), 'NO_ZERO_IN_DATE', '')",
)
_TABLES: Final = (
    "SELECT table_schema, table_name, table_schema = DATABASE() FROM information_schema.tables WHERE table_schema "
    "NOT IN ('information_schema', 'mysql', 'performance_schema', 'sys') ORDER BY 1, 2"
)
_COLUMNS: Final = (
    "SELECT column_name FROM information_schema.columns WHERE table_schema = %s AND table_name = %s "
    "ORDER BY ordinal_position"
)
_OPTIONS: Final = ("unix_socket", "ssl_mode", "ssl_ca", "ssl_cert", "ssl_key", "charset")


class MySQL(Connection):
    """A read-only session in UTC."""

    quote = "`"
    is_null = "<=> NULL"

    def __init__(self, connection: pymysql.Connection[Any]) -> None:
        self._connection = connection

    def tables(self) -> list[Known]:
        """Those on which the user has any right."""
        return [Known((schema, name), bool(near)) for schema, name, near in self._fetch(_TABLES)]

    def names(self, known: Known) -> list[str]:
        """Those that the user may see: `SELECT *` needs the right to every column."""
        return [name for (name,) in self._fetch(_COLUMNS, known.path)]

    def header(self, sql: str) -> list[str]:
        return [name for name, _ in self._described(sql)]

    def described(self, relation: str, names: Iterable[str]) -> list[Asked]:
        columns = [self.column(name) for name in names]
        sql = f"SELECT {', '.join(columns)} FROM {relation} LIMIT 0"  # noqa: S608 - quoted
        types = [code for _, code in self._described(sql)]
        return [_asked(column, code) for column, code in zip(columns, types, strict=True)]

    def stream(self, sql: str) -> Iterator[list[Texts]]:
        """Unbuffered, so that memory holds one batch."""
        from pymysql.cursors import SSCursor

        cursor = SSCursor(self._connection)
        done = False
        try:
            cursor.execute(sql)
            yield from batches(cursor.fetchmany)
            done = True
        finally:
            if done:
                cursor.close()
            else:
                # Closing a cursor would read the rest to its end, however long.
                self._connection._force_close()

    def literal(self, text: str, asked: Asked) -> str:
        """Numbers without quotes, as a text would be compared as a double; times in UTC without an offset."""
        if asked.kind == "number" and _NUMBER.fullmatch(text):
            return text
        return str(self._connection.escape(text.removesuffix("+00:00") if asked.kind == "instant" else text))

    def close(self) -> None:
        if self._connection.open:
            self._connection.close()

    def _described(self, sql: str) -> list[tuple[str, int]]:
        with self._connection.cursor() as cursor:
            cursor.execute(sql)
            return [(column[0], column[1]) for column in cursor.description or ()]

    def _fetch(self, sql: str, values: tuple[str, ...] | None = None) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(sql, values)
            return list(cursor.fetchall())


def connect(url: str, named: Named) -> MySQL:
    """Log in; encrypted if the server supports it, unless `ssl_mode` says otherwise.

    Raises:
        SettingsError: the URL has an unknown option.
        SourceError: there is no driver.
    """
    try:
        import pymysql
    except ImportError:
        raise no_driver("MySQL and MariaDB", "pymysql[rsa]") from None
    address = urlsplit(url)
    options = {name.replace("-", "_").lower(): value for name, value in parse_qsl(address.query)}
    for option in options:
        if option not in _OPTIONS:
            raise SettingsError(f"{named.variable} has an option '{option}'.", suggest(option, _OPTIONS))
    connection = pymysql.connect(
        host=address.hostname or "localhost",
        port=address.port or 3306,
        user=unquote(address.username or ""),
        password=unquote(address.password or "").encode(),
        database=unquote(address.path.removeprefix("/")) or None,
        unix_socket=options.get("unix_socket"),
        charset="utf8mb4",
        autocommit=True,
        connect_timeout=_CONNECT_S,
        read_timeout=_READ_S,
        program_name="tidings",
        **_encryption(options, named),
    )
    with connection.cursor() as cursor:
        for statement in _SESSION:
            cursor.execute(statement)
    return MySQL(connection)


def _encryption(options: dict[str, str], named: Named) -> dict[str, Any]:
    files: dict[str, Any] = {name: options[name] for name in ("ssl_ca", "ssl_cert", "ssl_key") if name in options}
    modes: dict[str, dict[str, Any]] = {
        "disabled": {"ssl_disabled": True},
        "preferred": {},
        "required": {"ssl": {"verify_mode": False}},
        "verify_ca": {"ssl_verify_cert": True, **files},
        "verify_identity": {"ssl_verify_cert": True, "ssl_verify_identity": True, **files},
    }
    mode = options.get("ssl_mode", "verify_ca" if "ssl_ca" in files else "preferred").lower()
    if mode not in modes:
        raise SettingsError(f"{named.variable} has ssl_mode={mode}.", suggest(mode, modes))
    return {**files, **modes[mode]}


def explain(error: Exception, named: Named) -> SourceError | None:
    """The meaning of a driver error, null if unknown."""
    number = error.args[0] if error.args and isinstance(error.args[0], int) else None
    text = str(error.args[1]) if len(error.args) > 1 else ""
    if number == 1045 or number == 1698:
        return named.login_failed()
    if number in (1049, 1044):
        return named.no_database()
    if number in (1142, 1143, 1370):
        return named.cannot("its user lacks the right", f"GRANT SELECT on it to the user of {named.variable}.")
    if number in (1969, 3024, 1317, 1028):
        return named.cannot(
            "the server stopped the query, as it took longer than its limit allows",
            "Give its user more time (max_statement_time, max_execution_time), or index the cursor.",
        )
    if number in (2002, 2003, 2005):
        return named.silent()
    if number in (0, 1053, 1927, 2006, 2013, 2014, 2055, 4031):
        return named.connection_lost()
    if number in (1046, 1054, 1060, 1064, 1146, 1248, 1305, 1356):
        return named.cannot(named.hide(text.rstrip(".")), f"Correct `query` or `cursor` of {named.source}.")
    return None


def _asked(column: str, code: int) -> Asked:
    text, order, kind = f"CAST({column} AS CHAR)", column, "text"
    if code == _FLOAT:
        text, kind = f"CAST({column} + 0e0 AS CHAR)", "number"
    elif code == _BIT:
        text, order, kind = f"CAST({column} + 0 AS CHAR)", f"({column} + 0)", "number"
    elif code in _NUMBERS:
        kind = "number"
    elif code == _TIMESTAMP:
        text, kind = f"CONCAT(CAST({column} AS CHAR), '+00:00')", "instant"
    elif code in (_DATE, _DATETIME):
        kind = "wall"
    elif code == _GEOMETRY:
        text = f"ST_AsText({column})"
    elif code in _TEXTS:
        text = (
            f"CASE CHARSET({column}) WHEN 'binary' THEN CONCAT('0x', LOWER(HEX({column}))) "
            f"ELSE CONVERT({column} USING utf8mb4) END"
        )
        order = f"CONCAT({column})" if code == _SHORT_TEXT else column
    known: Kind = kind  # type: ignore[assignment]
    return Asked(text, order, known)
