"""A build of which an audience may read some rows: what has a name, what is refused, and whose the rows are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Final

import ibis.expr.types as ir

from tidings.errors import RowsError
from tidings.warehouse.engine import Engine
from tidings.warehouse.rows import Rows

META: Final = "meta_"
"""How the names of the tables begin in which a build says of itself what was landed and made."""
# Of no one's rows: fixings of exchange rates, and what models say of their columns.
_OF_NOBODY: Final = frozenset({"dim_fx", "meta_columns"})


@dataclass(frozen=True)
class Counted:
    """The rows of one table that may be read: how many, their newest `ts` (naive UTC), and who brought them."""

    rows: int = 0
    newest: datetime | None = None
    sources: frozenset[str] = frozenset()


class Bound:
    """A build opened for `rows`: a table is a view of them or has no name; without columns it is the build itself."""

    def __init__(self, engine: Engine, file: Path, rows: Rows) -> None:
        """Open a build.

        Raises:
            EngineError: it cannot be opened.
            RowsError: no table has the columns of the rows.
        """
        self.rows = rows
        self.barred: dict[str, str] = {}
        self._engine = engine
        self.build = engine.read(file, self._shown if rows else None)
        if rows and not self.build.shown.keys() - _OF_NOBODY:
            self.build.close()
            raise RowsError(
                f"No table has {' and '.join(rows.columns)}, to which the audience is bound.",
                "Give a model that column, or bind the audience by another one (tidings catalog).",
            )

    def _shown(self, name: str, whole: ir.Table) -> ir.Table | None:
        if name in _OF_NOBODY:
            return whole
        if name.startswith(META):
            return None
        if why := self.rows.why_not(name, whole.schema()):
            self.barred[name] = why
            return None
        return self.rows.limited(whole)

    def require_readable(self, name: str) -> None:
        """Refuse a table that has no rows of anybody.

        Raises:
            RowsError: it cannot be limited to the rows that may be read.
        """
        if name in self.barred:
            raise RowsError(
                self.barred[name], "Give its model that column, or leave it out of the audience's sections."
            )
        if name.startswith(META) and name not in _OF_NOBODY:
            self.require_all_rows(f"The rows of {name}")

    def require_all_rows(self, what: str) -> None:
        """Refuse what cannot be told apart by the rows of an audience; `what` is the subject of a sentence, plural.

        Raises:
            RowsError: only some rows may be read.
        """
        if self.rows:
            raise RowsError(
                f"{what} cannot be told apart by {' and '.join(self.rows.columns)}, so they are not shown to an "
                "audience bound to its rows.",
                "Leave this out of the audience's sections.",
            )

    def views_in(self, queries: list[str]) -> Mapping[str, str]:
        """The tables that queries read and that are not shown whole, with the query of their rows."""
        limited = {name: made for name, made in self.build.shown.items() if name not in _OF_NOBODY}
        return {name: made for name, made in limited.items() if any(self._engine.quoted(name) in q for q in queries)}

    @cached_property
    def counted(self) -> Mapping[str, Counted]:
        """Of each table that can be read under `rows` what it has of them.

        Raises:
            EngineError: a table is damaged.
        """
        names = list(self.build.shown)
        found: dict[str, Counted] = dict.fromkeys(names, Counted())
        counts = " UNION ALL ".join(self._count(number, name) for number, name in enumerate(names))
        for row in self.build.query(counts).to_pylist():
            name = names[row["number"]]
            held = found[name]
            newest = max((ts for ts in (held.newest, row["newest"]) if ts is not None), default=None)
            found[name] = Counted(held.rows + row["held"], newest, held.sources | {row["source"]} - {None})
        return found

    def _count(self, number: int, name: str) -> str:
        table, columns = self._engine.quoted(name), self.build.backend.table(name).schema()
        newest = "max(ts)" if "ts" in columns else "CAST(NULL AS TIMESTAMP)"
        source = "_source" if "_source" in columns else "CAST(NULL AS VARCHAR)"
        return (
            f"SELECT {number} AS number, {source} AS source, count(*) AS held, {newest} AS newest "  # noqa: S608 - a quoted name
            f"FROM {table} GROUP BY {source}"
        )

    def brought(self, source: str, feed: str, feeds_of: Mapping[str, tuple[str, ...]]) -> bool:
        """Whether a source brought rows (of a feed) that can be read; of others not even the name is shown.

        One that has such rows only without the columns of `rows` has none of anybody's: unknown, not 0. `feeds_of` are
        the feeds that each table is made from.
        """
        if not self.rows:
            return True
        made = [name for name in self.counted if not feed or feed in feeds_of.get(name, ())]
        alone = [name for name in made if feeds_of.get(name) == (feed,)]
        return any(source in self.counted[name].sources for name in alone or made)
