"""A feed: the typed shape in which one or several sources land what they were told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tidings.feeds.vocabulary import Notice, Vocabulary
from tidings.schema import Column

MONEY = "decimal(18, 4)"


@dataclass(frozen=True)
class Feed:
    """A typed shape shared by sources; `key` identifies a row within one source, `time` is its instant (UTC).

    Which row stays of several with one key (C7 of the metric definitions) the feed says itself. `keeps`: for what
    happened the `first` load's, for what is (an order, a figure) the `later` load's. `apart`: columns by which rows of
    one key within one load are different rows all the same (two refunds of an order); without it the first by input
    order stands for all. A row whose key has a null part is known by all its columns instead: within a load equal rows
    are separate, across loads they count as often as in the load that has them most often. `belongs`: columns that say
    what such a row is part of; a later load that has this, and spans the row's time, replaces it. `pseudonyms`: columns
    that are not compared where their values were made at landing, as another pull makes others.

    `may_be_ahead`: rows may be of a time that is still to come; otherwise they are rejected at landing. `is_sparse`:
    landed day by day, and only days on which there was something: one between two others is empty, not missing.
    `is_dense`: each day has a row of each figure, and one without is not told.
    `vocabularies`: columns whose values a vendor may add to, with those that are known. `notices`: columns in which it
    says something of its own figures.

    Its staging table `stg_<name>` is made from it unless a model of that name is written. `grain`: what a row of it is.
    `row_key`: the column that identifies a row, described by `row_key_doc` (by default: the source and the grain).
    `staged_doc`: what the table holds, where that is not what `doc` says.
    """

    name: str
    doc: str
    key: tuple[str, ...]
    columns: Mapping[str, Column]
    time: str = "ts"
    keeps: Literal["first", "later"] = "later"
    apart: tuple[str, ...] = ()
    belongs: tuple[str, ...] = ()
    pseudonyms: tuple[str, ...] = ()
    may_be_ahead: bool = False
    is_sparse: bool = False
    is_dense: bool = False
    vocabularies: tuple[Vocabulary, ...] = ()
    notices: tuple[Notice, ...] = ()
    grain: str = "row"
    row_key: str = "row_key"
    row_key_doc: str = ""
    staged_doc: str = ""

    @property
    def required(self) -> tuple[str, ...]:
        """The columns a mapping has to supply."""
        return tuple(name for name, column in self.columns.items() if column.required)
