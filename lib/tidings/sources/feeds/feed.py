"""A feed: the typed shape in which one or several sources land what they were told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tidings.model import Column
from tidings.sources.vocabulary import Notice, Vocabulary

MONEY = "decimal(18, 4)"


@dataclass(frozen=True)
class Feed:
    """A typed shape shared by sources; `key` identifies a row within one source, `time` is its instant (UTC).

    A row whose key has a null part is keyed by its position in the input instead (equal rows without an
    id are separate rows, C7 of the metric definitions). `is_sparse`: landed day by day, and only days on which
    there was something: one between two others is empty, not missing. `is_dense`: each day has a row of each
    figure, and one without is not told. `vocabularies`: columns whose values a vendor may add to, with those that are
    known. `notices`: columns in which it says something of its own figures.
    """

    name: str
    doc: str
    key: tuple[str, ...]
    columns: Mapping[str, Column]
    time: str = "ts"
    is_sparse: bool = False
    is_dense: bool = False
    vocabularies: tuple[Vocabulary, ...] = ()
    notices: tuple[Notice, ...] = ()

    @property
    def required(self) -> tuple[str, ...]:
        """The columns a mapping has to supply."""
        return tuple(name for name, column in self.columns.items() if column.required)
