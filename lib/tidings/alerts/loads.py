"""How full a day of a source is, against the same weekdays before: by number of rows, and by their hours."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from tidings.book import Book
from tidings.display import formats
from tidings.window import add_days

WEEKS = 4
_Hours = Mapping[int, int]


@dataclass(frozen=True)
class Fullness:
    """The least full feed of a source on one day: its share of a usual day, from 0 on, with the clause that says it."""

    share: float
    said: str


def fullness(book: Book, source: str, days: Sequence[date], minimum: int) -> Iterator[Fullness | None]:
    """For each day the feed of a source that is least full; null where none usually has `minimum` rows.

    A day is measured by its rows against the median of the same weekday of four weeks, and by how much of the usual
    hours of the day it has: half a file has the usual rows until noon, and none after.
    """
    feeds = sorted(ends := ended(book, source))
    counts = {feed: found for feed in feeds if (found := _by_hour(book, feed, source, days))}
    for day in days:
        # After its end a feed has no rows because nothing was landed: that is not known, and a matter of `stale_for`.
        there = [feed for feed in counts if day < ends[feed]]
        known = [one for feed in there if (one := _of_feed(feed, counts[feed], day, minimum)) is not None]
        yield min(known, key=lambda one: one.share, default=None)


def ended(book: Book, source: str) -> dict[str, date]:
    """The first day that is not complete, of each feed of a source that has landed any."""
    found: dict[str, date] = {}
    for each in book.context.warehouse.feeds:
        if each.source == source and each.complete_until is not None:
            day = book.zone.day_of(each.complete_until)
            found[each.feed] = min(day, found.get(each.feed, day))
    return found


def _by_hour(book: Book, feed: str, source: str, days: Sequence[date]) -> dict[date, Counter[int]]:
    name = f"stg_{feed}"
    if not days or name not in book.context.warehouse.tables:
        return {}
    table = book.context.table(name)
    if not {"_source", "ts"} <= set(table.columns):
        return {}
    window = book.between(add_days(days[0], -7 * WEEKS), days[-1])
    rows = table.filter(table["_source"] == source, window.holds(table.ts))
    local = book.zone.local(rows.ts, window.start_at, window.end_at)
    by = {"day": local.date(), "hour": local.hour()}
    found: dict[date, Counter[int]] = {}
    for row in book.context.rows(rows.group_by(**by).aggregate(n=rows.count())):
        found.setdefault(row["day"], Counter())[row["hour"]] = row["n"]
    return found


def _of_feed(feed: str, counts: Mapping[date, Counter[int]], day: date, minimum: int) -> Fullness | None:
    earlier = [add_days(day, -7 * week) for week in range(1, WEEKS + 1)]
    before = [counts[each] for each in earlier if each in counts]
    if len(before) < WEEKS:
        # The feed is younger than that, or has days of its own: nothing is usual yet.
        return None
    usual = statistics.median(hours.total() for hours in before)
    if usual < minimum:
        return None
    today = counts.get(day, Counter())
    by_rows = today.total() / usual
    said = f"{formats.plural(today.total(), 'row')} of {feed}, usually {formats.short(usual, 'count')}"
    lost = _lost(today, before)
    # Of few rows some hours are always without: what counts is how much more is lost than on the days before.
    usually = statistics.median(_lost(each, [other for other in before if other is not each]) for each in before)
    by_hours = (1 - lost) / (1 - usually) if usually < 1 else 1.0
    if by_hours < by_rows:
        return Fullness(by_hours, f"{said}, none in the hours that usually have {formats.short(lost, 'ratio')} of them")
    return Fullness(by_rows, f"{said} ({formats.short(by_rows, 'ratio')})")


def _lost(today: _Hours, before: Sequence[_Hours]) -> float:
    """The share of the rows of other days in hours that have none; 0 where all are of one hour, as daily ones."""
    usual: Counter[int] = Counter()
    for hours in before:
        usual.update(hours)
    total = usual.total()
    return sum(rows for hour, rows in usual.items() if not today.get(hour)) / total if total and len(usual) > 1 else 0.0
