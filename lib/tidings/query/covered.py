"""What one source covers of one feed, or of one breakdown of a platform metric."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from tidings.platform_metrics import PLATFORM_METRICS
from tidings.window import add_days, days_between

Extent = Literal["all", "part", "none"]
_KNOWN_DAYS = 60
_ROWS = {"orders": "orders", "events": "events", "requests": "requests", "vitals": "web vitals", "access": "requests"}


@dataclass(frozen=True)
class Covered:
    """What one source covers of one feed, or of one breakdown of a platform metric, seen from a report.

    `first_day` is the first covered day, `end` the first that is not complete any more, `until` the instant up to which
    it is known; `missing` are days between that nobody knows of, `ended` parts that it covered and covers no more, with
    the first day without them. `metric` is empty where rows are instants; `is_open`: there are rows on the day `end`,
    which is not over.
    """

    source: str
    platform: str
    metric: str
    breakdown: str
    is_total: bool
    feed: str
    zone: str
    first_day: date
    end: date
    until: datetime
    missing: frozenset[date] = frozenset()
    ended: tuple[tuple[str, date], ...] = ()
    is_open: bool = False

    @property
    def whose(self) -> tuple[str, str, str]:
        """Source, platform and metric: a source may be several platforms, as the sample company is."""
        return self.source, self.platform, self.metric

    @property
    def dimensions(self) -> frozenset[str]:
        """What it is split by."""
        return frozenset(self.breakdown.split(",")) - {""}

    @property
    def last_day(self) -> date:
        """The last complete day that it covers."""
        return add_days(self.end, -1)

    @property
    def name(self) -> str:
        """The source as a reader knows it."""
        return self.source if self.platform in ("", self.source) else f"{self.source} ({self.platform})"

    @property
    def what(self) -> str:
        """What there is of it, for a reader."""
        return title_of(self.metric) if self.metric else _ROWS.get(self.feed, f"rows of {self.feed}")

    def lacks(self, start: date, end: date) -> int:
        """How many days from `start` up to but not including `end` are missing between others that are covered."""
        return sum(start <= day < end for day in self.missing)

    def extent(self, start: date, end: date) -> Extent:
        """How many of the days from `start` up to but not including `end` it covers."""
        share = self.share(start, end)
        if share == 0:
            # Rows of the day that is not over are there, though it is not complete.
            return "part" if self.is_open and start <= self.end < end else "none"
        return "all" if share == 1 else "part"

    def share(self, start: date, end: date) -> float:
        """The share of the days from `start` up to but not including `end` that it covers whole, 0 to 1."""
        first, last = max(self.first_day, start), min(self.end, end)
        days = 0 if first >= last else len(days_between(first, add_days(last, -1))) - self.lacks(first, last)
        return days / len(days_between(start, add_days(end, -1)))

    def partly(self, start: date, end: date) -> Iterator[str]:
        """What it lacks of the days from `start` to before `end`, each as the end of a sentence."""
        if self.is_open and self.end == self.first_day and start <= self.end < end:
            yield f"of a part of {self.end} only"
            return
        if start < self.first_day < end:
            yield f"from {self.first_day} on only"
        # A source that ended long before is no part of what is going on.
        if self.end < end and (self.metric or self.end > add_days(start, -_KNOWN_DAYS)):
            yield f"up to {self.last_day} only" if not self.is_open else f"up to a part of {self.end} only"
        for partition, day in self.ended:
            # Whoever took it out of the settings knows after a while.
            if add_days(start, -_KNOWN_DAYS) < day < end:
                yield f"without {partition} from {day} on"
        days = self.lacks(max(start, self.first_day), min(end, self.end))
        if days and (not self.metric or PLATFORM_METRICS[self.metric].kind != "stock"):
            yield f"but for {days} day{'' if days == 1 else 's'} that {'was' if days == 1 else 'were'} never landed"


def title_of(name: str) -> str:
    """A platform metric or a feed, as a reader knows it."""
    return PLATFORM_METRICS[name].title.lower() if name in PLATFORM_METRICS else _ROWS.get(name, name)
