"""What a source would make of the first rows of what it reads, before anything lands."""

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
    """What became of the first rows of a file or table: those that can be used, how many cannot, and why.

    `days` are the first and the last day of those that can, null where there are none; `amounts` those days by
    currency. `is_all`: there are no more rows; `advice` says what would read more of them, `cured` how many; `notes`
    are what the rows alone leave open; `failed` is why no row could be read at all.
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
        """All rows that were tried."""
        return self.used + self.rejected

    @property
    def lost(self) -> float:
        """The share of rows that cannot be used."""
        return self.rejected / self.total if self.total else 0.0

    @property
    def is_bad(self) -> bool:
        """More than a tenth is lost."""
        return self.lost > _TENTH

    @property
    def is_wrong(self) -> bool:
        """Most rows are lost, and not for want of what the advice says."""
        return bool(self.failed) or (self.lost > _HALF and self.cured <= self.total * _HALF)

    def said(self) -> str:
        """What became of the rows, in one sentence."""
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
    """The days of the rows, as a sentence goes on; empty where there are none."""
    days = [day for trial in trials for day in trial.days or ()]
    if not days:
        return ""
    return f", of {min(days)}" if min(days) == max(days) else f", from {min(days)} to {max(days)}"


@runtime_checkable
class Previewed(Protocol):
    """A source that can show what a pull would make of its first rows."""

    def preview(self, pull: Pull) -> Iterator[Trial]:
        """One trial for each file or table, those that fail included; none where there is nothing to try."""


def landed_trial(what: str, landing: Landing, source: str, feed: Feed, endpoint: str = "", *, is_all: bool) -> Trial:
    """What the one load of a landing that was made to be looked at says; its endpoint is named after the feed, if not
    otherwise."""
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
