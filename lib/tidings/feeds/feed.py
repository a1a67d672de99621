"""A feed: the typed columns in which one or several sources land their rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tidings.feeds.remarks import Notice, Vocabulary
from tidings.schema import Column

MONEY = "decimal(18, 4)"


@dataclass(frozen=True)
class Feed:
    """Typed columns shared by sources; `key` identifies a row within one source, `time` is its instant (UTC).

    The feed decides which of several rows with one key counts (C7 of the metric definitions). `keeps`: for events that
    of the `first` load, for states (an order, a platform metric) that of the `later` load. `apart`: columns by which
    rows of one key within one load are nevertheless different rows (two refunds of an order); without it the first by
    input order counts. A row whose key contains null is identified by all its columns instead: within a load equal rows
    are separate, across loads they count as often as in the load that has most of them. `belongs`: columns that say
    what such a row is part of; a later load that has this, and spans the row's time, replaces it. `pseudonyms`: columns
    that are not compared if their values were made at landing, as another pull makes others.

    `may_be_ahead`: rows may have a time in the future; otherwise they are rejected at landing. `is_sparse`: landed day
    by day, and only days with data: a day between two others is empty, not missing. `is_dense`: each day has a row of
    each metric, and a day without is not reported. `vocabularies`: columns whose values a vendor may extend, with the
    known ones. `notices`: columns in which a vendor qualifies its own numbers.

    Its staging table `stg_<name>` is generated unless a model of that name exists. `grain`: what a row of it is.
    `row_key`: the column that identifies a row, described by `row_key_doc` (by default: the source and the grain).
    `staged_doc`: what the table holds, if that is not what `doc` says.
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
