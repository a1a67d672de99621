"""A trial: what would become of the first rows of a source, before anything is landed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final, Protocol, runtime_checkable

import pyarrow as pa
import pyarrow.parquet as pq

from tidings.feeds import Feed
from tidings.landing.rejections import Reason, reasons_in
from tidings.landing.store import Landing
from tidings.sources.source import Pull

ROWS: Final = 1_000
"""How many rows a trial reads."""
_TENTH: Final = 0.1
_HALF: Final = 0.5


@dataclass(frozen=True)
class Trial:
    """The result for the first rows of a file or table: how many are usable, how many not, and why.

    `days` are the first and last day of the usable rows, null if there are none; `amounts` those days by currency.
    `is_all`: there are no more rows; `advice` says what would make more of them usable, `cured` how many; `notes` are
    questions that the rows leave open; `failed` is why no row could be read at all.
    """

    what: str
    used: int
    rejected: int
    reasons: Sequence[Reason]
    is_all: bool
    days: tuple[date, date] | None = None
    amounts: Sequence[tuple[str, date, date]] = ()
    rows: pa.Table = field(default_factory=lambda: pa.table({}))
    noun: str = "rows"
    form: str = ""
    advice: str = ""
    cured: int = 0
    notes: Sequence[str] = ()
    failed: str = ""

    @property
    def total(self) -> int:
        return self.used + self.rejected

    @property
    def lost(self) -> float:
        """The share of rejected rows."""
        return self.rejected / self.total if self.total else 0.0

    @property
    def is_bad(self) -> bool:
        """More than a tenth is rejected."""
        return self.lost > _TENTH

    @property
    def is_wrong(self) -> bool:
        """Most rows are rejected, and the advice would not change that."""
        return bool(self.failed) or (self.lost > _HALF and self.cured <= self.total * _HALF)

    def summary(self) -> str:
        """The result in one sentence."""
        if self.failed:
            return self.failed
        of = f"{self.total:,} {self.noun}" if self.is_all else f"the first {self.total:,} {self.noun}"
        form = f" {self.form}," if self.form else ""
        if not self.total:
            return f"{self.what} has no {self.noun}."
        if not self.used:
            return f"{self.what}:{form} none of {of} can be used."
        some = f"all of {of}" if not self.rejected else f"{self.used:,} of {of}"
        return f"{self.what}:{form} {some} can be used{spanned([self])}."


def spanned(trials: Iterable[Trial]) -> str:
    """The days of the rows, to continue a sentence; empty if there are none."""
    days = [day for trial in trials for day in trial.days or ()]
    if not days:
        return ""
    return f", of {min(days)}" if min(days) == max(days) else f", from {min(days)} to {max(days)}"


@runtime_checkable
class Previewed(Protocol):
    """A source that can show what a pull would make of its first rows."""

    def preview(self, pull: Pull) -> Iterator[Trial]:
        """One trial for each file or table, including those that fail; none if there is nothing to try."""


def landed_trial(what: str, landing: Landing, source: str, feed: Feed, endpoint: str = "", *, is_all: bool) -> Trial:
    """The trial of a scratch landing with a single load; its endpoint is named after the feed unless given."""
    endpoint = endpoint or feed.name
    (load,) = (*landing.loads(source, endpoint), *landing.quarantined(source, endpoint))
    where = landing.raw / source / endpoint
    reasons = reasons_in(where / load.rejected_file) if load.rejected_file else []
    rows = pq.read_table(where / load.file)
    time = feed.time
    days = amounts = None
    if rows.num_rows:
        found = rows[time].to_pylist()
        days = min(found).date(), max(found).date()
    if rows.num_rows and "currency" in rows.column_names:
        spans = rows.group_by("currency").aggregate([(time, "min"), (time, "max")]).to_pylist()
        amounts = [
            (each["currency"], each[f"{time}_min"].date(), each[f"{time}_max"].date())
            for each in spans
            if each["currency"]
        ]
        amounts.sort()
    return Trial(what, rows.num_rows, load.rejected, reasons, is_all, days, amounts or (), rows)
