"""What one source covers of one feed, or of one breakdown of a platform metric."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from tidings.language import say, say_count
from tidings.platform_metrics import PLATFORM_METRICS
from tidings.window import add_days, days_between

Extent = Literal["all", "part", "none"]
_KNOWN_DAYS = 60
_ROWS = {
    "fct_alerts": "evaluated rules of alerts",
    "orders": "orders",
    "events": "events",
    "requests": "requests",
    "vitals": "web vitals",
    "access": "requests",
}


@dataclass(frozen=True)
class Covered:
    """What one source covers of one feed, or of one breakdown of a platform metric, seen from a report.

    `first_day` is the first covered day, `end` the first incomplete one after it, `until` the instant up to which there
    is data; `missing` are the gaps between, `ended` partitions that are no longer covered, with the first day without
    them. `metric` is empty where rows are instants; with `is_open` there are rows on the incomplete day `end`.
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
        """Source, platform and metric; a source may have several platforms, as the sample company has."""
        return self.source, self.platform, self.metric

    @property
    def dimensions(self) -> frozenset[str]:
        """The dimensions of its breakdown."""
        return frozenset(self.breakdown.split(",")) - {""}

    @property
    def last_day(self) -> date:
        """The last complete day."""
        return add_days(self.end, -1)

    @property
    def name(self) -> str:
        """The source's name on pages."""
        return self.source if self.platform in ("", self.source) else f"{self.source} ({self.platform})"

    @property
    def what(self) -> str:
        """What the source has, in words for a page."""
        if self.metric or self.feed in _ROWS:
            return say(title_of(self.metric or self.feed))
        return say("rows of {feed}", feed=self.feed)

    def lacks(self, start: date, end: date) -> int:
        """The number of gap days from `start` to before `end`."""
        return sum(start <= day < end for day in self.missing)

    def extent(self, start: date, end: date) -> Extent:
        """How much of the days from `start` to before `end` is covered."""
        share = self.share(start, end)
        if share == 0:
            # The incomplete day has rows.
            return "part" if self.is_open and start <= self.end < end else "none"
        return "all" if share == 1 else "part"

    def share(self, start: date, end: date) -> float:
        """The share of the days from `start` to before `end` that are complete, 0 to 1."""
        first, last = max(self.first_day, start), min(self.end, end)
        days = 0 if first >= last else len(days_between(first, add_days(last, -1))) - self.lacks(first, last)
        return days / len(days_between(start, add_days(end, -1)))

    def partly(self, start: date, end: date) -> Iterator[str]:
        """What is missing of the days from `start` to before `end`, each as the end of a sentence."""
        if self.is_open and self.end == self.first_day and start <= self.end < end:
            yield say("only for a part of {day}", day=self.end)
            return
        if start < self.first_day < end:
            yield say("only from {day} on", day=self.first_day)
        # A source that ended long before is not expected any more.
        if self.end < end and (self.metric or self.end > add_days(start, -_KNOWN_DAYS)):
            if self.is_open:
                yield say("only up to a part of {day}", day=self.end)
            else:
                yield say("only up to {day}", day=self.last_day)
        for partition, day in self.ended:
            # After a while it is known that it was taken out of the settings.
            if add_days(start, -_KNOWN_DAYS) < day < end:
                yield say("without {part} from {day} on", part=partition, day=day)
        days = self.lacks(max(start, self.first_day), min(end, self.end))
        if days and (not self.metric or PLATFORM_METRICS[self.metric].kind != "stock"):
            yield say_count(
                days, "except {days} day that was never landed", "except {days} days that were never landed", days=days
            )


def title_of(name: str) -> str:
    """The name of a platform metric or feed on English pages."""
    return PLATFORM_METRICS[name].title.lower() if name in PLATFORM_METRICS else _ROWS.get(name, name)
