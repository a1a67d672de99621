"""Cuts of figures: what each source tells a metric split by, and which of them a question is answered from.

A source tells the same figure several times: as a whole, by country, by page. Rows of one cut only may be put together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import ibis
import ibis.expr.types as ir

from tidings.figures import DIMENSIONS, UNIFIED
from tidings.window import add_days

FIGURES = "fct_metric_daily"
_SEPARATOR = "\x1f"


@dataclass(frozen=True)
class Cut:
    """One cut that a source tells of a metric, and the first and the last day that it told before `as_of`."""

    source: str
    platform: str
    metric: str
    cut: str
    is_total: bool
    first_day: date
    last_day: date

    @property
    def whose(self) -> tuple[str, str, str]:
        """Source, platform and metric: a source may be several platforms, as the sample company is."""
        return self.source, self.platform, self.metric

    @property
    def dimensions(self) -> frozenset[str]:
        """What it is split by."""
        return frozenset(self.cut.split(",")) - {""}


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
    """All cuts of the figures before a day, as `rows(expression)` reads them.

    `whole` is the day before which what a source says is whole, by source.
    """

    def __init__(
        self,
        figures: ir.Table,
        before: date,
        rows: Callable[[ir.Expr], list[dict[str, Any]]],
        whole: Mapping[str, date],
    ) -> None:
        self._whole = whole
        self._last = add_days(before, -1)
        seen = figures.filter(figures.day < ibis.literal(before))
        grouped = seen.group_by(
            source=seen["_source"], platform=seen.platform, metric=seen.metric, cut=seen.cut, is_total=seen.is_total
        ).aggregate(first_day=seen.day.min(), last_day=seen.day.max())
        self._cuts = sorted((Cut(**row) for row in rows(grouped)), key=lambda cut: (cut.source, cut.metric, cut.cut))

    def of(self, figures: ir.Table, needed: Iterable[str]) -> ir.Table:
        """The rows of one cut per source and metric: the whole, or the least split one that has what is needed."""
        names = frozenset(needed) & frozenset(DIMENSIONS)
        if not names:
            return figures.filter(figures.is_total)
        pairs: dict[str, list[str]] = {}
        for chosen in self.chosen(names):
            pairs.setdefault(chosen.cut, []).append(_SEPARATOR.join((chosen.source, chosen.platform, chosen.metric)))
        pair = ibis.literal(_SEPARATOR).join([figures["_source"], figures.platform, figures.metric])
        inside = [(figures.cut == cut) & pair.isin(held) for cut, held in pairs.items()]
        return figures.filter(ibis.or_(*inside) if inside else ibis.literal(False))

    def chosen(self, names: frozenset[str]) -> list[Cut]:
        """The cut of each source, platform and metric that has all the dimensions, if one has."""
        best: dict[tuple[str, str, str], Cut] = {}
        for cut in self._cuts:
            held = best.get(cut.whose)
            if names <= cut.dimensions and (held is None or _splitting(cut) < _splitting(held)):
                best[cut.whose] = cut
        return list(best.values())

    def tells(self, told: Told, start: date, end: date) -> bool:
        """True where a source spoke for a day from `start` up to but not including `end`: silence then means none."""
        return any(
            cut.first_day < end and start < max(add_days(cut.last_day, 1), self._whole.get(cut.source, cut.last_day))
            for cut in self._covered([told])
        )

    def newest(self, told: Iterable[Told]) -> dict[tuple[str, str, str], date]:
        """The last day of each of these metrics that its source has spoken for, by (source, platform, metric).

        A source that is whole up to a day has spoken for it, though there was nothing to tell.
        """
        found: dict[tuple[str, str, str], date] = {}
        for cut in self._covered(told):
            spoken = min(self._last, add_days(self._whole.get(cut.source, cut.last_day), -1))
            found[cut.whose] = max(cut.last_day, spoken, found.get(cut.whose, cut.last_day))
        return found

    def last_days(self, told: Iterable[Told]) -> dict[str, date]:
        """The last day that each source told of these metrics; of a source that tells several the earliest."""
        found: dict[str, date] = {}
        for (source, _, _), day in self.newest(told).items():
            found[source] = min(day, found.get(source, day))
        return found

    def notes(self, told: Sequence[Told], needed: Iterable[str], last_day: date) -> list[str]:
        """Sentences on what a figure lacks: sources that do not tell it so split, and those that lag behind."""
        names = frozenset(needed) & frozenset(DIMENSIONS)
        covered = self._covered(told)
        having = {cut.whose for cut in covered if names <= cut.dimensions}
        lacking: dict[str, list[str]] = {}
        for source, platform, metric in sorted({cut.whose for cut in covered} - having):
            name = source if source == platform else f"{source} ({platform})"
            lacking.setdefault(name, []).append(UNIFIED[metric].title.lower())
        split = ", ".join(sorted(names))
        notes = [f"{source} tells no {', '.join(titles)} by {split}: left out." for source, titles in lacking.items()]
        return notes + [
            f"{source} tells this up to {day:%Y-%m-%d} only."
            for source, day in sorted(self.last_days(told).items())
            if day < last_day
        ]

    def __iter__(self) -> Iterator[Cut]:
        return iter(self._cuts)

    def _covered(self, told: Iterable[Told]) -> list[Cut]:
        conditions = list(told)
        return [cut for cut in self._cuts if any(condition.covers(cut) for condition in conditions)]


def _splitting(cut: Cut) -> tuple[bool, int, str]:
    return (not cut.is_total, len(cut.dimensions), cut.cut)
