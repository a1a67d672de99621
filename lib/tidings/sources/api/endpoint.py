"""One thing that an API can be asked for, day by day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from tidings.errors import ResponseError
from tidings.sources.records import Parse
from tidings.sources.source import Endpoint
from tidings.window import add_days


class NotYetError(Exception):
    """Raised by `fetch`: the source has nothing of `day` yet, which is not the same as nothing on that day.

    Days after it are asked for on their own, from `following` on: the day after, unless said otherwise. `error` is why,
    where it is not a matter of time: what the source said of this day cannot be used.
    """

    def __init__(self, day: date, following: date | None = None, error: ResponseError | None = None) -> None:
        super().__init__(str(day))
        self.day = day
        self.following = following or add_days(day, 1)
        self.error = error


@dataclass(frozen=True, kw_only=True)
class ApiEndpoint(Endpoint):
    """One thing an API can be asked for, day by day unless said otherwise.

    `parse` makes a row of the feed's columns from one record, pure; `fields` are the names that a record is known to
    have: one that no record of an answer has any more is told, unless it is among the `optional` ones. `forget` are
    fields never kept, not even as received.
    `zone` is that of its days: rows carry in `ts` the midnight of the day as if it were UTC, or true UTC instants where
    `zone` is UTC. `history_days`: how far a first pull reaches; `chunk_days`: how many days are landed at a time.
    `kept_days`: how many days back the source still tells everything (None: all); older ones are never asked for, as
    its silence would replace what it said of them when it knew.
    `final`: a column of the feed that is false for days that are not whole, however long they are over.
    `today`: the day that still runs is asked for, too. `snapshot`: it tells only how things are now, so that each day
    of a pull adds one. `whole`: it is asked for as a whole each time, and replaces what was landed.
    """

    parse: Parse
    fields: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    forget: tuple[str, ...] = ()
    zone: str = "UTC"
    history_days: int = 365
    retention_days: int | None = None
    chunk_days: int = 31
    final: str = ""
    include_today: bool = False
    snapshot: bool = False
    whole: bool = False
    is_asked: bool = True


def day_instant(day: date) -> datetime:
    """Midnight of a source's day, written as if it were UTC: days are never moved to another zone."""
    return datetime.combine(day, time.min, UTC)
