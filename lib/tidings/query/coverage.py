"""Coverage: which days a question can be answered for, by which sources, and what to say of those that are missing.

A source reports a platform metric several times: in total, by country, by page. Rows of one breakdown only may be put
together. Of a day that is not complete in its source no platform metric is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

import ibis
import ibis.expr.types as ir

from tidings.metrics.metric import Metric, Need, Reported
from tidings.platform_metrics import DIMENSIONS, PLATFORM_METRICS
from tidings.window import Zone, add_days, days_between, label_days

Extent = Literal["all", "part", "none"]
_KNOWN_DAYS = 60
_SEPARATOR = "\x1f"
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
        return (
            PLATFORM_METRICS[self.metric].title.lower() if self.metric else _ROWS.get(self.feed, f"rows of {self.feed}")
        )

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


class Coverage:
    """What the sources of a build cover of the days before `as_of`, in days of `zone`.

    `rows` are those of `meta_coverage`; `filled` those of `meta_filled` as (table, source, column, value); `feeds` say
    of which feeds each table is made.
    """

    def __init__(
        self,
        rows: Iterable[Mapping[str, Any]],
        filled: Iterable[tuple[str, str, str, str | None]],
        feeds: Mapping[str, Sequence[str]],
        zone: Zone,
        as_of: datetime,
    ) -> None:
        self._before = zone.day_of(as_of)
        self._zone = zone
        self._feeds = feeds
        self._filled = frozenset(filled)
        found = [self._covered(row) for row in rows]
        found = [each for each in found if each.first_day < self._before or each.is_open]
        self._covers = sorted(found, key=lambda each: (each.source, each.metric, each.breakdown, each.feed, each.zone))
        self._instants = [each for each in self._covers if not each.metric]
        self._metrics = [each for each in self._covers if each.metric]

    def _covered(self, row: Mapping[str, Any]) -> Covered:
        zone = Zone(row["zone"]) if row["zone"] else self._zone
        gaps = [(zone.day_of(first), zone.day_of(end)) for first, end in row["gaps"]]
        end = min(self._before, zone.day_of(row["until"]))
        first = zone.day_of(row["start"])
        return Covered(
            source=row["source"],
            platform=row["platform"] or "",
            metric=row["metric"] or "",
            breakdown=row["breakdown"] or "",
            is_total=bool(row["is_total"]),
            feed=row["feed"],
            zone=zone.name,
            first_day=first,
            end=max(first, end),
            until=row["until"],
            missing=frozenset(day for start, end in gaps for day in days_between(start, add_days(end, -1))),
            ended=tuple(sorted(dict(row["ended"] or ()).items())),
            is_open=not row["zone"] and zone.first_instant(end) < row["until"],
        )

    @property
    def complete_end(self) -> date | None:
        """The first day that no source has covered whole, of those before `as_of`; None without any source."""
        return max((each.end for each in self._covers), default=None)

    @property
    def until(self) -> datetime | None:
        """Up to which instant the newest source is known, aware UTC; None without any source."""
        return max((each.until for each in self._covers), default=None)

    def behind(self, metric: Metric, needed: Iterable[str] = ()) -> list[Covered]:
        """What a metric that reads a mart is answered from; a source that lacks what it needs is not among it."""
        if isinstance(metric.where, Reported):
            return self._answering([metric.where], needed)
        lacking = self.lacking(metric)
        return [each for each in self.of_mart(metric.mart) if each.source not in lacking]

    def of_mart(self, mart: str) -> list[Covered]:
        """What is covered of the feeds that a mart is made of."""
        feeds = self._feeds.get(mart, ())
        return [each for each in self._instants if each.feed in feeds]

    def lacking(self, metric: Metric) -> dict[str, Need]:
        """The sources of a metric's mart that never fill what it needs, each with the first such need."""
        found: dict[str, Need] = {}
        for need in metric.needs:
            table = need.table or metric.mart
            filling = {
                source
                for where, source, column, value in self._filled
                if where == table and column in need.columns and value == (need.value or None)
            }
            for each in self.of_mart(metric.mart):
                if each.source not in filling:
                    found.setdefault(each.source, need)
        return found

    def extent(self, covers: Sequence[Covered], start: date, end: date) -> Extent:
        """How many of the days from `start` to before `end` all of these cover that cover any of them."""
        extents = {each.extent(start, end) for each in covers} - {"none"}
        return "none" if not extents else "all" if extents == {"all"} else "part"

    def share(self, covers: Sequence[Covered], start: date, end: date) -> float:
        """The share of the days from `start` to before `end` that all of these cover that cover any of them; 0 to 1."""
        shares = [each.share(start, end) for each in covers if each.extent(start, end) != "none"]
        return min(shares, default=0.0)

    def compares(self, metric: Metric, now: tuple[date, date], before: tuple[date, date]) -> bool:
        """True where two windows, as (start, end), are covered alike by all that a metric is answered from.

        Means and levels of platform metrics may always be compared.
        """
        if isinstance(metric.where, Reported):
            if any(PLATFORM_METRICS[name].kind != "flow" for name in metric.where.metrics):
                return True
            return all(
                each.first_day <= before[0] and now[1] <= each.end and not each.lacks(before[0], now[1])
                for each in self.behind(metric)
                # What ended before both windows is in neither.
                if each.end > before[0]
            )
        return self.same_coverage(self.behind(metric), now, before)

    def same_coverage(self, covers: Sequence[Covered], now: tuple[date, date], before: tuple[date, date]) -> bool:
        """True where each of these covers both windows whole or neither, and one of them both."""
        pairs = [(each.extent(*now), each.extent(*before)) for each in covers]
        return ("all", "all") in pairs and all(pair in (("all", "all"), ("none", "none")) for pair in pairs)

    def of(self, figures: ir.Table, needed: Iterable[str]) -> ir.Table:
        """The rows of one breakdown per source and metric, of complete days: the least split one that fits."""
        figures = self._complete_days(figures)
        names = frozenset(needed) & frozenset(DIMENSIONS)
        if not names:
            return figures.filter(figures.is_total)
        pairs: dict[str, list[str]] = {}
        for chosen in self._chosen(names):
            pairs.setdefault(chosen.breakdown, []).append(_SEPARATOR.join(chosen.whose))
        pair = ibis.literal(_SEPARATOR).join([figures["_source"], figures.platform, figures.metric])
        inside = [(figures.breakdown == breakdown) & pair.isin(held) for breakdown, held in pairs.items()]
        return figures.filter(ibis.or_(*inside) if inside else ibis.literal(False))

    def _complete_days(self, figures: ir.Table) -> ir.Table:
        by_end: dict[date, set[str]] = {}
        for each in self._metrics:
            if each.end < self._before:
                reported = (*each.whose, each.breakdown, each.feed, each.zone)
                by_end.setdefault(each.end, set()).add(_SEPARATOR.join(reported))
        names = ("_source", "platform", "metric", "breakdown", "feed", "zone")
        whose = ibis.literal(_SEPARATOR).join([figures[name] for name in names])
        later = [whose.isin(sorted(held)) & (figures.day >= ibis.literal(end)) for end, held in sorted(by_end.items())]
        return figures.filter(~ibis.or_(*later)) if later else figures

    def _chosen(self, names: frozenset[str]) -> list[Covered]:
        """The breakdown of each source, platform and metric that has all the dimensions, if one has."""
        best: dict[tuple[str, str, str], Covered] = {}
        for each in self._metrics:
            held = best.get(each.whose)
            if names <= each.dimensions and (held is None or _splitting(each) < _splitting(held)):
                best[each.whose] = each
        return list(best.values())

    def days(self, covers: Sequence[Covered]) -> tuple[date, date] | None:
        """The days that all of these cover, as (first, end); None without any."""
        return (max(each.first_day for each in covers), min(each.end for each in covers)) if covers else None

    def newest(self, reported: Iterable[Reported]) -> dict[tuple[str, str, str], date]:
        """The last day of each of these platform metrics that its source covers, by (source, platform, metric)."""
        found: dict[tuple[str, str, str], date] = {}
        for each in self._answering(reported, ()):
            found[each.whose] = min(each.last_day, found.get(each.whose, each.last_day))
        return found

    def notes(self, metrics: Sequence[Metric], needed: Iterable[str], start: date, end: date) -> list[str]:
        """Sentences on what metrics of the days from `start` to before `end` lack.

        Sources that do not report them so split or lack a column, that begin later, end earlier, or lack days between.
        """
        names = frozenset(needed) & frozenset(DIMENSIONS)
        reported = [metric.where for metric in metrics if isinstance(metric.where, Reported)]
        notes = self._unsplit(reported, names)
        for metric in metrics:
            lacking = self.lacking(metric)
            if self.behind(metric):
                notes += [f"{source} {need.says}: left out of {metric.title}." for source, need in lacking.items()]
        return notes + self._limits([each for metric in metrics for each in self.behind(metric, names)], start, end)

    def known_part(self, metric: Metric, start: date, end: date, needed: Iterable[str] = ()) -> str:
        """Which of the days from `start` to before `end` a metric stands on, as a clause; "" for all or none."""
        covers = self.behind(metric, needed)
        if self.extent(covers, start, end) != "part":
            return ""
        answering = [each for each in covers if each.extent(start, end) != "none"]
        return "; ".join(limit.removesuffix(".") for limit in self._limits(answering, start, end))

    def _limits(self, covers: Iterable[Covered], start: date, end: date) -> list[str]:
        """Sentences on what sources lack of the days from `start` to before `end`."""
        partly: dict[tuple[str, str], list[str]] = {}
        for each in dict.fromkeys(covers):
            for how in self._partly(each, start, end):
                partly.setdefault((each.name, how), []).append(each.what)
        return [f"{name} has {', '.join(dict.fromkeys(what))} {how}." for (name, how), what in sorted(partly.items())]

    def _unsplit(self, reported: Sequence[Reported], names: frozenset[str]) -> list[str]:
        covered = self._of_reported(reported)
        having = {each.whose for each in covered if names <= each.dimensions}
        lacking: dict[tuple[str, str], list[str]] = {}
        for each in covered:
            if each.whose not in having:
                lacking.setdefault((each.name, f"by {', '.join(sorted(names))}"), []).append(each.what)
        return [
            f"{name} has no {', '.join(dict.fromkeys(what))} {how}: left out."
            for (name, how), what in sorted(lacking.items())
        ]

    def _partly(self, each: Covered, start: date, end: date) -> Iterator[str]:
        if each.is_open and each.end == each.first_day and start <= each.end < end:
            yield f"of a part of {each.end} only"
            return
        if start < each.first_day < end:
            yield f"from {each.first_day} on only"
        # A source that ended long before is no part of what is going on.
        if each.end < end and (each.metric or each.end > add_days(start, -_KNOWN_DAYS)):
            yield f"up to {each.last_day} only" if not each.is_open else f"up to a part of {each.end} only"
        for partition, day in each.ended:
            # Whoever took it out of the settings knows after a while.
            if add_days(start, -_KNOWN_DAYS) < day < end:
                yield f"without {partition} from {day} on"
        days = each.lacks(max(start, each.first_day), min(end, each.end))
        if days and (not each.metric or PLATFORM_METRICS[each.metric].kind != "stock"):
            yield f"but for {days} day{'' if days == 1 else 's'} that {'was' if days == 1 else 'were'} never landed"

    def why_unknown(self, metric: Metric, start: date, end: date, needed: Iterable[str] = ()) -> str:
        """Why nobody knows a metric for the days from `start` to before `end`: a clause without a full stop; or ""."""
        covers = self.behind(metric, needed)
        lacking = self.lacking(metric)
        if not covers and lacking:
            return "; ".join(f"{source} {need.says}" for source, need in sorted(lacking.items()))
        if not covers:
            what = metric.where.metrics if isinstance(metric.where, Reported) else self._feeds.get(metric.mart, ())
            words = [
                PLATFORM_METRICS[name].title.lower() if name in PLATFORM_METRICS else _ROWS.get(name, name)
                for name in what
            ]
            return f"no source has {' or '.join(dict.fromkeys(words)) or 'data for it'}"
        if self.extent(covers, start, end) == "none":
            each = covers[0]
            if each.end <= each.first_day:
                return f"{each.name} has {each.what} of a part of {each.first_day} only"
            known = label_days(each.first_day, each.last_day)
            return f"{each.name} has {each.what} of {known}"
        return ""

    def __iter__(self) -> Iterator[Covered]:
        return iter(self._metrics)

    def _of_reported(self, reported: Iterable[Reported]) -> list[Covered]:
        conditions = list(reported)
        return [
            each
            for each in self._metrics
            if any(each.platform in reported.platforms and each.metric in reported.metrics for reported in conditions)
        ]

    def _answering(self, reported: Iterable[Reported], needed: Iterable[str]) -> list[Covered]:
        """What platform metrics are answered from."""
        names = frozenset(needed) & frozenset(DIMENSIONS)
        covered = self._of_reported(reported)
        if not names:
            return [each for each in covered if each.is_total]
        chosen = {(each.whose, each.breakdown) for each in self._chosen(names)}
        return [each for each in covered if (each.whose, each.breakdown) in chosen]


def _splitting(each: Covered) -> tuple[bool, int, str]:
    return (not each.is_total, len(each.dimensions), each.breakdown)
