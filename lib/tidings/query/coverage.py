"""Coverage: for which days sources have data, and which sources a question is answered from.

A source reports a platform metric several times: in total, by country, by page. Only rows of one breakdown may be added
up. Platform metrics are read for complete days of their source only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

import ibis
import ibis.expr.types as ir

from tidings.metrics.metric import Condition, Metric, Need, Reported
from tidings.platform_metrics import DIMENSIONS, METRIC_DAILY, PLATFORM_METRICS
from tidings.query.covered import Covered, Extent
from tidings.window import Zone, add_days, days_between

_SEPARATOR = "\x1f"


class Coverage:
    """What the sources of a build cover before `as_of`, in days of `zone`.

    `rows` are those of `meta_coverage`; `filled` those of `meta_filled` as (table, source, column, value); `feeds` are
    the feeds that each table is made from. Tables that are `barred` from the audience have no sources.
    """

    def __init__(
        self,
        rows: Iterable[Mapping[str, Any]],
        filled: Iterable[tuple[str, str, str, str | None]],
        feeds: Mapping[str, Sequence[str]],
        zone: Zone,
        as_of: datetime,
        *,
        barred: frozenset[str] = frozenset(),
    ) -> None:
        self._barred = barred
        self._before = zone.day_of(as_of)
        self.zone = zone
        self.as_of = as_of
        self.feeds = feeds
        self._filled = frozenset(filled)
        self._narrowed: dict[Metric, Metric] = {}
        found = [self._covered(row) for row in rows]
        found = [each for each in found if each.first_day < self._before or each.is_open]
        self._covers = sorted(found, key=lambda each: (each.source, each.metric, each.breakdown, each.feed, each.zone))
        self._instants = [each for each in self._covers if not each.metric]
        self._metrics = [each for each in self._covers if each.metric and METRIC_DAILY not in barred]

    def _covered(self, row: Mapping[str, Any]) -> Covered:
        zone = Zone(row["zone"]) if row["zone"] else self.zone
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
        """The first day before `as_of` that is complete in no source; None without sources."""
        return max((each.end for each in self._covers), default=None)

    @property
    def until(self) -> datetime | None:
        """Up to which instant the newest source has data, aware UTC; None without sources."""
        return max((each.until for each in self._covers), default=None)

    def behind(self, metric: Metric, needed: Iterable[str] = ()) -> list[Covered]:
        """The coverage behind a metric that reads a mart, without sources that lack what it needs."""
        if not self._barred.isdisjoint(_tables(metric)):
            return []
        if isinstance(metric.where, Reported):
            return self._answering([metric.where], needed)
        lacking = self.lacking(metric)
        return [each for each in self.of_mart(metric.mart) if each.source not in lacking]

    def of_mart(self, mart: str) -> list[Covered]:
        """The coverage of the feeds that a mart is made from."""
        feeds = () if mart in self._barred else self.feeds.get(mart, ())
        return [each for each in self._instants if each.feed in feeds]

    def lacking(self, metric: Metric) -> dict[str, Need]:
        """The sources of a metric's mart that never fill what it needs, with the first such need of each."""
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

    def answerable(self, metrics: Iterable[Metric]) -> list[Metric]:
        """The metrics that have sources that fill what they need, each limited to the rows of these."""
        found = []
        for metric in metrics:
            if not self._barred.isdisjoint(_tables(metric)):
                continue
            lacking = sorted(self.lacking(metric))
            if lacking and not self.behind(metric):
                continue
            if lacking and metric not in self._narrowed:
                self._narrowed[metric] = replace(metric, where=_not_from(lacking, metric.where))
            found.append(self._narrowed.get(metric, metric))
        return found

    def extent(self, covers: Sequence[Covered], start: date, end: date) -> Extent:
        """How much of the days from `start` to before `end` is covered by all of these that cover any of them."""
        extents = {each.extent(start, end) for each in covers} - {"none"}
        return "none" if not extents else "all" if extents == {"all"} else "part"

    def share(self, covers: Sequence[Covered], start: date, end: date) -> float:
        """The share of the days from `start` to before `end` covered by all of these that cover any of them, 0 to 1."""
        shares = [each.share(start, end) for each in covers if each.extent(start, end) != "none"]
        return min(shares, default=0.0)

    def compares(self, metric: Metric, now: tuple[date, date], before: tuple[date, date]) -> bool:
        """Whether two windows, as (start, end), have the same coverage in all sources behind a metric.

        Means and levels of platform metrics may always be compared.
        """
        if isinstance(metric.where, Reported):
            if any(PLATFORM_METRICS[name].kind != "flow" for name in metric.where.metrics):
                return True
            return all(
                each.first_day <= before[0] and now[1] <= each.end and not each.lacks(before[0], now[1])
                for each in self.behind(metric)
                # A source that ended before both windows is in neither.
                if each.end > before[0]
            )
        return self.same_coverage(self.behind(metric), now, before)

    def same_coverage(self, covers: Sequence[Covered], now: tuple[date, date], before: tuple[date, date]) -> bool:
        """Whether each of these covers all days of both windows or none, and at least one covers all of both."""
        pairs = [(each.extent(*now), each.extent(*before)) for each in covers]
        return ("all", "all") in pairs and all(pair in (("all", "all"), ("none", "none")) for pair in pairs)

    def of(self, rows: ir.Table, needed: Iterable[str]) -> ir.Table:
        """Rows of complete days, of one breakdown per source and metric: the coarsest that has the needed columns."""
        rows = self._complete_days(rows)
        names = frozenset(needed) & frozenset(DIMENSIONS)
        if not names:
            return rows.filter(rows.is_total)
        pairs: dict[str, list[str]] = {}
        for chosen in self._chosen(names):
            pairs.setdefault(chosen.breakdown, []).append(_SEPARATOR.join(chosen.whose))
        pair = ibis.literal(_SEPARATOR).join([rows["_source"], rows.platform, rows.metric])
        inside = [(rows.breakdown == breakdown) & pair.isin(held) for breakdown, held in pairs.items()]
        return rows.filter(ibis.or_(*inside) if inside else ibis.literal(False))

    def _complete_days(self, rows: ir.Table) -> ir.Table:
        by_end: dict[date, set[str]] = {}
        for each in self._metrics:
            if each.end < self._before:
                reported = (*each.whose, each.breakdown, each.feed, each.zone)
                by_end.setdefault(each.end, set()).add(_SEPARATOR.join(reported))
        names = ("_source", "platform", "metric", "breakdown", "feed", "zone")
        whose = ibis.literal(_SEPARATOR).join([rows[name] for name in names])
        later = [whose.isin(sorted(held)) & (rows.day >= ibis.literal(end)) for end, held in sorted(by_end.items())]
        return rows.filter(~ibis.or_(*later)) if later else rows

    def _chosen(self, names: frozenset[str]) -> list[Covered]:
        """The breakdown of each source, platform and metric that has all these dimensions, if there is one."""
        best: dict[tuple[str, str, str], Covered] = {}
        for each in self._metrics:
            held = best.get(each.whose)
            if names <= each.dimensions and (held is None or _splitting(each) < _splitting(held)):
                best[each.whose] = each
        return list(best.values())

    def days(self, covers: Sequence[Covered]) -> tuple[date, date] | None:
        """The days that all of these cover, as (first, end); None without days."""
        return (max(each.first_day for each in covers), min(each.end for each in covers)) if covers else None

    def newest(self, reported: Iterable[Reported]) -> dict[tuple[str, str, str], date]:
        """The last covered day of each of these platform metrics, by (source, platform, metric)."""
        found: dict[tuple[str, str, str], date] = {}
        for each in self._answering(reported, ()):
            found[each.whose] = min(each.last_day, found.get(each.whose, each.last_day))
        return found

    def __iter__(self) -> Iterator[Covered]:
        return iter(self._metrics)

    def of_reported(self, reported: Iterable[Reported]) -> list[Covered]:
        """The coverage of platform metrics, in total and by every breakdown."""
        conditions = list(reported)
        return [
            each
            for each in self._metrics
            if any(each.platform in reported.platforms and each.metric in reported.metrics for reported in conditions)
        ]

    def _answering(self, reported: Iterable[Reported], needed: Iterable[str]) -> list[Covered]:
        """The coverage behind platform metrics."""
        names = frozenset(needed) & frozenset(DIMENSIONS)
        covered = self.of_reported(reported)
        if not names:
            return [each for each in covered if each.is_total]
        chosen = {(each.whose, each.breakdown) for each in self._chosen(names)}
        return [each for each in covered if (each.whose, each.breakdown) in chosen]


def _tables(metric: Metric) -> frozenset[str]:
    return frozenset({metric.mart, *(mark.mart for mark in metric.marks)})


def _splitting(each: Covered) -> tuple[bool, int, str]:
    return (not each.is_total, len(each.dimensions), each.breakdown)


def _not_from(sources: Sequence[str], where: Condition | None) -> Condition:
    def holds(rows: ir.Table) -> ir.BooleanValue:
        # A mart without `_source` has no sources to leave out.
        others = rows["_source"].notin(sources) if "_source" in rows.columns else ibis.literal(True)
        return others if where is None else others & where(rows)

    return holds
