"""An endpoint of an API, requested day by day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from tidings.errors import ResponseError
from tidings.sources.records import Parse
from tidings.sources.source import Endpoint
from tidings.window import add_days


class NotYetError(Exception):
    """Raised by `fetch`: `day` is not available yet, which is not the same as empty.

    Days after it are requested on their own, by default from the day after (`following`). `error` is the reason if
    waiting does not help: the source's data of this day cannot be used.
    """

    def __init__(self, day: date, following: date | None = None, error: ResponseError | None = None) -> None:
        super().__init__(str(day))
        self.day = day
        self.following = following or add_days(day, 1)
        self.error = error


@dataclass(frozen=True, kw_only=True)
class ApiEndpoint(Endpoint):
    """One thing an API offers, requested day by day unless stated otherwise.

    `parse` makes a row of the feed's columns from one record, pure; `fields` are the known fields of a record: if no
    record of a response has one any more, the pull reports it, unless it is among the `optional` ones. `forget` are
    fields never kept, not even in the raw record. `zone` is that of its days: rows carry in `ts` the midnight of the
    day as if it were UTC, or true UTC instants if `zone` is UTC. `history_days`: how far back a first pull goes;
    `chunk_days`: how many days are landed at a time. `retention_days`: how many days back the source retains complete
    data (None: all); older days are never requested, as an empty response would replace what was landed. `final`: a
    column of the feed that is false for incomplete days, however long ago. `include_today`: the day that is still
    running is requested, too. `snapshot`: it reports only the present state, so each day of a pull adds one.
    `full_refresh`: it is requested in full each time, and replaces what was landed.
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
    full_refresh: bool = False
    is_asked: bool = True


def day_instant(day: date) -> datetime:
    """Midnight of a source's day, written as if it were UTC: days are never moved to another zone."""
    return datetime.combine(day, time.min, UTC)
