"""SQLite, through Python's own driver: a file opened read-only.

Types belong to values, not to columns. Merely opening a database with a write-ahead log creates files beside it, owned
by the reader: if nobody has it open it is opened as immutable, and that is checked afterwards.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from tidings.connectors.database.dialects.relation import Asked, Connection, Known, Named, Texts, batches
from tidings.errors import SourceError
from tidings.parsing.reading import literal

_LOCKED_S: Final = 10.0
_MAGIC: Final = b"SQLite format 3\x00"
_WAL: Final = b"\x02\x02"


class SQLite(Connection):
    def __init__(self, file: Path, named: Named, decimal: str) -> None:
        self._file, self._named, self._decimal = file, named, decimal
        with file.open("rb") as raw:
            head = raw.read(20)
        if head and not head.startswith(_MAGIC):
            is_duckdb = head[8:12] == b"DUCK"
            raise SourceError(
                f"{file}, which {named.variable} names for {named.source}, is not an SQLite database.",
                "It is one of DuckDB: write duckdb:///…" if is_duckdb else "Name another file, or copy it again.",
            )
        log = file.with_name(f"{file.name}-wal")
        self._still = head[18:20] == _WAL and not log.exists()
        how = "mode=ro&immutable=1" if self._still else "mode=ro"
        self._was = self._state()
        self._connection = sqlite3.connect(
            f"file:{quote(str(file.absolute()))}?{how}", uri=True, timeout=_LOCKED_S, check_same_thread=False
        )
        # A text that is not UTF-8 is shown as its bytes: with a replacement character, two different texts could become
        # one.
        self._connection.text_factory = lambda raw: raw.decode("utf-8", "backslashreplace")

    def tables(self) -> list[Known]:
        rows = self._rows("SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY 1")
        return [Known(("main", name), is_near=True) for (name,) in rows if not name.startswith("sqlite_")]

    def names(self, known: Known) -> list[str]:
        return self.header(f"SELECT * FROM {'.'.join(map(self.quoted, known.path))} LIMIT 0")  # noqa: S608 - quoted

    def header(self, sql: str) -> list[str]:
        return [column[0] for column in self._connection.execute(sql).description]

    def described(self, relation: str, names: Iterable[str]) -> list[Asked]:
        """All as they are: in SQLite the type belongs to the value."""
        return [Asked(self.column(name), self.column(name), "text") for name in names]

    def as_cursor(self, relation: str, name: str, asked: Asked) -> Asked:
        """By the type of the smallest and the largest value; all texts sort after numbers.

        Raises:
            SourceError: the column has both.
        """
        column = self.column(name)
        kinds = set()
        for way in ("ASC", "DESC"):
            where = f"WHERE {column} IS NOT NULL ORDER BY {column} {way} LIMIT 1"
            for (kind,) in self._rows(f"SELECT typeof({column}) FROM {relation} {where}"):  # noqa: S608 - quoted
                kinds.add("number" if kind in ("integer", "real") else kind)
        if len(kinds) > 1 or "blob" in kinds:
            raise SourceError(
                f"The column '{name}' of {self._named.source} holds values of the type {' and '.join(sorted(kinds))}: "
                "it can be no cursor.",
                "Name a column of numbers, or of times or other texts.",
            )
        return replace(asked, kind="number") if "number" in kinds else asked

    def stream(self, sql: str) -> Iterator[list[Texts]]:
        cursor = self._connection.execute(sql)
        for rows in batches(cursor.fetchmany):
            yield [tuple(map(self._text, row)) for row in rows]
        if self._still and self._state() != self._was:
            raise SourceError(
                f"{self._file} was written to while it was read for {self._named.source}.",
                f"Nothing of this query was kept; run tidings pull {self._named.source} again.",
            )

    def literal(self, text: str, asked: Asked) -> str:
        """Numbers without quotes: SQLite sorts a text after every number."""
        return text.replace(self._decimal, ".") if asked.kind == "number" else literal(text)

    def close(self) -> None:
        self._connection.close()

    def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql).fetchall()

    def _state(self) -> tuple[int, int]:
        stat = self._file.stat()
        return stat.st_mtime_ns, stat.st_size

    def _text(self, value: Any) -> str | None:
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, bytes):
            return f"0x{value.hex()}"
        # The column has numbers and texts: numbers are written as the source's options say of its texts.
        return repr(value).replace(".", self._decimal)


def explain(error: Exception, named: Named) -> SourceError | None:
    """The meaning of a driver error, null if unknown."""
    if not isinstance(error, sqlite3.Error | OSError):
        return None
    code = getattr(error, "sqlite_errorname", "") or ""
    if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return named.cannot(
            "another program is writing to its file", f"Run tidings pull {named.source} again when that is done."
        )
    if code.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
        return named.cannot(
            "its file is damaged, or not an SQLite database", "Copy it again, by VACUUM INTO or .backup."
        )
    if code.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM", "SQLITE_AUTH")) or isinstance(
        error, PermissionError
    ):
        return named.cannot(
            "its file may not be opened",
            "The user that runs Tidings must be able to read it, and the -wal file beside it.",
        )
    if code == "SQLITE_ERROR":
        return named.cannot(named.hide(str(error)), f"Correct `query` or `table` of {named.source}.")
    return None
