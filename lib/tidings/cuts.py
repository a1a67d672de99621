"""Cuts of figures: what each source tells a metric split by, and which of them a question is answered from.

A source tells the same figure several times: as a whole, by country, by page. Rows of one cut only may be put together.
Of a day that is not whole yet in its source nothing is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import ibis
import ibis.expr.types as ir

from tidings.figures import DIMENSIONS, UNIFIED
from tidings.meta import FeedInfo
from tidings.sources.feeds import feeds as all_feeds
from tidings.window import Zone, add_days, days_between

FIGURES = "fct_metric_daily"
_KNOWN_DAYS = 60
_SEPARATOR = "\x1f"


@dataclass(frozen=True)
class Cut:
    """One cut that a source tells of a metric, and the days before `as_of` that it has spoken for.

    `first_day` is the first of them, `end` the first that it has not spoken for any more; `missing` are days between
    that were never landed, `ended` parts that it told and tells no more, with the first day without them.
    """

    source: str
    platform: str
    metric: str
    cut: str
    is_total: bool
    feed: str
    zone: str
    first_day: date
    end: date
    missing: frozenset[date] = frozenset()
    ended: tuple[tuple[str, date], ...] = ()

    @property
    def whose(self) -> tuple[str, str, str]:
        """Source, platform and metric: a source may be several platforms, as the sample company is."""
        return self.source, self.platform, self.metric

    @property
    def dimensions(self) -> frozenset[str]:
        """What it is split by."""
        return frozenset(self.cut.split(",")) - {""}

    @property
    def last_day(self) -> date:
        """The last day that it has spoken for."""
        return add_days(self.end, -1)

    def lacks(self, start: date, end: date) -> int:
        """How many days from `start` up to but not including `end` were never landed between others that were."""
        return sum(start <= day < end for day in self.missing)

    def speaks(self, start: date, end: date) -> bool:
        """True where it has spoken for a day from `start` up to but not including `end`."""
        first, last = max(self.first_day, start), min(self.end, end)
        return first < last and self.lacks(first, last) < len(days_between(first, add_days(last, -1)))


@dataclass(frozen=True)
class Told:
    """The condition of a metric over figures: those of some platforms of one or more unified metrics."""

    platforms: tuple[str, ...]
    metrics: tuple[str, ...]

    def __call__(self, rows: ir.Table) -> ir.BooleanValue:
        """True for the rows of the metric."""
        return rows.platform.isin(self.platforms) & rows.metric.isin(self.metrics)

    def covers(self, cut: Cut) -> bool:
        """True for a cut whose rows belong to the metric."""
        return cut.platform in self.platforms and cut.metric in self.metrics


class Cuts:
    """All cuts of the figures before a day, as `rows(expression)` reads them; `feeds` say which days are landed."""

    def __init__(
        self,
        figures: ir.Table,
        before: date,
        rows: Callable[[ir.Expr], list[dict[str, Any]]],
        feeds: Iterable[FeedInfo],
    ) -> None:
        self._before = before
        self._dense = frozenset(feed.name for feed in all_feeds().values() if feed.is_dense)
        self._feeds: dict[tuple[str, str], list[FeedInfo]] = {}
        for info in feeds:
            self._feeds.setdefault((info.source, info.feed), []).append(info)
        seen = figures.filter(figures.day < ibis.literal(before))
        keys = [seen[name] for name in ("platform", "metric", "cut", "is_total", "feed", "zone")]
        grouped = seen.group_by(seen["_source"].name("source"), *keys).aggregate(
            first_day=seen.day.min(), last_day=seen.day.max()
        )
        found = [self._cut(row) for row in rows(grouped)]
        self._cuts = sorted(found, key=lambda cut: (cut.source, cut.metric, cut.cut, cut.feed, cut.zone))

    def _cut(self, row: Mapping[str, Any]) -> Cut:
        names = row["feed"].split(",")
        of_feeds = [self._feeds.get((row["source"], name), []) for name in names]
        zone, told = Zone(row["zone"]), {name: value for name, value in row.items() if name != "last_day"}
        # Where each day has a row, a row is all that tells of it.
        own_end = add_days(row["last_day"], 1)
        if any(name in self._dense for name in names):
            return Cut(**told, end=min(self._before, own_end))
        told["first_day"] = min([row["first_day"], *(i.first_day for infos in of_feeds for i in infos if i.first_day)])
        # A source that is whole up to a day has spoken for it, though there was nothing to tell. Endpoints of one feed
        # tell the same, and one of them is enough.
        wholes = [
            max(zone.day_of(info.complete_until) for info in infos if info.complete_until)
            for infos in of_feeds
            if any(info.complete_until for info in infos)
        ]
        end = min([self._before, *wholes]) if wholes else own_end
        missing = frozenset(day for infos in of_feeds for day in _lacking(infos))
        ended = tuple(sorted({each for infos in of_feeds for info in infos for each in info.ended.items()}))
        return Cut(**told, end=max(end, told["first_day"]), missing=missing, ended=ended)

    def of(self, figures: ir.Table, needed: Iterable[str]) -> ir.Table:
        """The rows of one cut per source and metric, of whole days: the least split one that has what is needed."""
        figures = self._whole_days(figures)
        names = frozenset(needed) & frozenset(DIMENSIONS)
        if not names:
            return figures.filter(figures.is_total)
        pairs: dict[str, list[str]] = {}
        for chosen in self.chosen(names):
            pairs.setdefault(chosen.cut, []).append(_SEPARATOR.join(chosen.whose))
        pair = ibis.literal(_SEPARATOR).join([figures["_source"], figures.platform, figures.metric])
        inside = [(figures.cut == cut) & pair.isin(held) for cut, held in pairs.items()]
        return figures.filter(ibis.or_(*inside) if inside else ibis.literal(False))

    def _whole_days(self, figures: ir.Table) -> ir.Table:
        by_end: dict[date, set[str]] = {}
        for cut in self._cuts:
            if cut.end < self._before:
                told = (*cut.whose, cut.cut, cut.feed, cut.zone)
                by_end.setdefault(cut.end, set()).add(_SEPARATOR.join(told))
        names = ("_source", "platform", "metric", "cut", "feed", "zone")
        whose = ibis.literal(_SEPARATOR).join([figures[name] for name in names])
        later = [whose.isin(sorted(held)) & (figures.day >= ibis.literal(end)) for end, held in sorted(by_end.items())]
        return figures.filter(~ibis.or_(*later)) if later else figures

    def chosen(self, names: frozenset[str]) -> list[Cut]:
        """The cut of each source, platform and metric that has all the dimensions, if one has."""
        best: dict[tuple[str, str, str], Cut] = {}
        for cut in self._cuts:
            held = best.get(cut.whose)
            if names <= cut.dimensions and (held is None or _splitting(cut) < _splitting(held)):
                best[cut.whose] = cut
        return list(best.values())

    def tells(self, told: Told, start: date, end: date, needed: Iterable[str] = ()) -> bool:
        """True where a source spoke so split for a day from `start` up to but not including `end`.

        Silence then means none.
        """
        return any(cut.speaks(start, end) for cut in self._answering([told], needed))

    def compares(self, told: Told, now: tuple[date, date], before: tuple[date, date]) -> bool:
        """True where all sources of a metric spoke for all days of two windows, as (start, end): those may be compared.

        Means and levels may always be.
        """
        if any(UNIFIED[metric].kind != "flow" for metric in told.metrics):
            return True
        return all(
            cut.first_day <= before[0] and now[1] <= cut.end and not cut.lacks(before[0], now[1])
            for cut in self._answering([told], ())
            # What ended before both windows is in neither.
            if cut.end > before[0]
        )

    def days(self, told: Told, needed: Iterable[str] = ()) -> tuple[date, date] | None:
        """The days that all sources of a metric spoke for so split, as (first, end); null where none did."""
        cuts = self._answering([told], needed)
        if not cuts:
            return None
        return max(cut.first_day for cut in cuts), min(cut.end for cut in cuts)

    def newest(self, told: Iterable[Told]) -> dict[tuple[str, str, str], date]:
        """The last day of each of these metrics that its source has spoken for, by (source, platform, metric)."""
        found: dict[tuple[str, str, str], date] = {}
        for cut in self._answering(told, ()):
            found[cut.whose] = min(cut.last_day, found.get(cut.whose, cut.last_day))
        return found

    def notes(self, told: Sequence[Told], needed: Iterable[str], start: date, end: date) -> list[str]:
        """Sentences on what figures of the days from `start` to before `end` lack.

        Sources that do not tell them so split, that begin later, lag behind, or were never landed for some days.
        """
        names = frozenset(needed) & frozenset(DIMENSIONS)
        covered = self._covered(told)
        having = {cut.whose for cut in covered if names <= cut.dimensions}
        lacking: dict[tuple[str, str], list[str]] = {}
        for whose in sorted({cut.whose for cut in covered} - having):
            lacking.setdefault((self._name(whose), f"by {', '.join(sorted(names))}"), []).append(whose[2])
        notes = [f"{name} tells no {_titles(metrics)} {how}: left out." for (name, how), metrics in lacking.items()]
        partly: dict[tuple[str, str], list[str]] = {}
        for cut in self._answering(told, names):
            name, days = self._name(cut.whose), cut.lacks(start, end)
            if start < cut.first_day < end:
                partly.setdefault((name, f"from {cut.first_day} on only"), []).append(cut.metric)
            if cut.end < end:
                partly.setdefault((name, f"up to {cut.last_day} only"), []).append(cut.metric)
            for part, day in cut.ended:
                # Whoever took it out of the settings knows after a while.
                if add_days(start, -_KNOWN_DAYS) < day < end:
                    partly.setdefault((name, f"without {part} from {day} on"), []).append(cut.metric)
            if days and UNIFIED[cut.metric].kind != "stock":
                how = f"but for {days} day{'' if days == 1 else 's'} that were never landed"
                partly.setdefault((name, how), []).append(cut.metric)
        return notes + [f"{name} tells {_titles(metrics)} {how}." for (name, how), metrics in sorted(partly.items())]

    def __iter__(self) -> Iterator[Cut]:
        return iter(self._cuts)

    def _name(self, whose: tuple[str, str, str]) -> str:
        source, platform, _ = whose
        return source if source == platform else f"{source} ({platform})"

    def _covered(self, told: Iterable[Told]) -> list[Cut]:
        conditions = list(told)
        return [cut for cut in self._cuts if any(condition.covers(cut) for condition in conditions)]

    def _answering(self, told: Iterable[Told], needed: Iterable[str]) -> list[Cut]:
        """The cuts that a question is answered from."""
        names = frozenset(needed) & frozenset(DIMENSIONS)
        covered = self._covered(told)
        if not names:
            return [cut for cut in covered if cut.is_total]
        chosen = {(cut.whose, cut.cut) for cut in self.chosen(names)}
        return [cut for cut in covered if (cut.whose, cut.cut) in chosen]


def _lacking(infos: Sequence[FeedInfo]) -> frozenset[date]:
    """The days that all endpoints of a feed lack; one of files lacks none."""
    if not infos or any(info.first_day is None for info in infos):
        return frozenset()
    of_each = [{day for first, last in info.missing for day in days_between(first, last)} for info in infos]
    return frozenset(set.intersection(*of_each))


def _titles(metrics: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(UNIFIED[metric].title.lower() for metric in metrics))


def _splitting(cut: Cut) -> tuple[bool, int, str]:
    return (not cut.is_total, len(cut.dimensions), cut.cut)
