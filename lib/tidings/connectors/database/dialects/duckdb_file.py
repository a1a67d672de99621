"""DuckDB: a file opened read-only. The session's zone is UTC, so that instants are written with +00."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import duckdb

from tidings.connectors.database.dialects.relation import Asked, Connection, Kind, Known, Named, Texts, batches
from tidings.errors import SourceError
from tidings.parsing.reading import literal

_NUMBERS: Final = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER")
_NUMBERS_TOO: Final = ("UBIGINT", "UHUGEINT", "FLOAT", "DOUBLE", "DECIMAL")
_TABLES: Final = """
SELECT schema_name, name, schema_name = current_schema() FROM (
  SELECT schema_name, table_name AS name FROM duckdb_tables() WHERE database_name = current_database()
  UNION ALL
  SELECT schema_name, view_name FROM duckdb_views() WHERE database_name = current_database() AND NOT internal
) ORDER BY 1, 2
"""


class DuckDB(Connection):
    def __init__(self, file: Path) -> None:
        self._connection = duckdb.connect(str(file), read_only=True, config={"autoinstall_known_extensions": False})
        self._connection.execute("SET TimeZone = 'UTC'")

    def tables(self) -> list[Known]:
        return [Known((schema, name), near) for schema, name, near in self._connection.execute(_TABLES).fetchall()]

    def names(self, known: Known) -> list[str]:
        return self.header(f"SELECT * FROM {'.'.join(map(self.quoted, known.path))} LIMIT 0")  # noqa: S608 - quoted

    def header(self, sql: str) -> list[str]:
        return [row[0] for row in self._described(sql)]

    def described(self, relation: str, names: Iterable[str]) -> list[Asked]:
        columns = [self.column(name) for name in names]
        types = [row[1] for row in self._described(f"SELECT {', '.join(columns)} FROM {relation}")]  # noqa: S608
        return [
            Asked(f"CAST({column} AS VARCHAR)", column, _kind(type_))
            for column, type_ in zip(columns, types, strict=True)
        ]

    def stream(self, sql: str) -> Iterator[list[Texts]]:
        cursor = self._connection.execute(sql)
        yield from batches(cursor.fetchmany)

    def literal(self, text: str, asked: Asked) -> str:
        """Untyped, so that it takes the column's type."""
        return literal(text)

    def close(self) -> None:
        self._connection.close()

    def _described(self, sql: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(f"DESCRIBE {sql}").fetchall()


def _kind(type_: str) -> Kind:
    if type_.endswith("]"):
        return "text"
    if type_.startswith((*_NUMBERS, *_NUMBERS_TOO)):
        return "number"
    if type_ == "TIMESTAMP WITH TIME ZONE":
        return "instant"
    return "wall" if type_.startswith(("TIMESTAMP", "DATE")) else "text"


def explain(error: Exception, named: Named) -> SourceError | None:
    """The meaning of an engine error, null if unknown."""
    text = (str(error).strip().splitlines() or [""])[0]
    if "lock" in text and isinstance(error, duckdb.IOException):
        return named.cannot(
            "another program has its file open for writing", f"Close it there, then run tidings pull {named.source}."
        )
    if "not a valid DuckDB database" in text or isinstance(error, duckdb.SerializationException):
        return named.cannot(
            "its file is not a DuckDB database, or has a newer format", "Name another file, or export it again."
        )
    if isinstance(error, PermissionError | duckdb.IOException | duckdb.PermissionException):
        return named.cannot("its file may not be opened", "The user that runs Tidings must be able to read it.")
    if isinstance(error, duckdb.ProgrammingError):
        return named.cannot(named.hide(text.rstrip(".")), f"Correct `query` or `cursor` of {named.source}.")
    return None
