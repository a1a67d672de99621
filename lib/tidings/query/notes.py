"""Notes on results for readers: what its sources lack, and exchange rates that are missing or old."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from functools import cached_property
from typing import Any

import ibis

from tidings.errors import WindowError
from tidings.language import say, say_as
from tidings.metrics.metric import Metric, Need, Reported
from tidings.metrics.result import NO_SOURCE, NOTHING_NAMED
from tidings.platform_metrics import DIMENSIONS, PLATFORM_METRICS
from tidings.query.coverage import Coverage
from tidings.query.covered import Covered, title_of
from tidings.query.rates import NAMED_DAYS, Rates, old_rate
from tidings.query.views import Views
from tidings.warehouse.reader import Warehouse
from tidings.window import Calendar, Window, label_days

_SHOWN_NAMES = 8
_SHOWN_FEEDS = 3
_SHOWN_HOLIDAYS = 4


class Notes:
    """Sentences about metrics that read marts; `needed` are the columns that their breakdown must have."""

    def __init__(self, warehouse: Warehouse, coverage: Coverage, views: Views, exchange: Rates) -> None:
        self._warehouse = warehouse
        self._coverage = coverage
        self._views = views
        self._exchange = exchange
        self._named: dict[Need, str] = {}
        self._of_days: dict[Any, list[str]] = {}

    def of(self, metrics: Sequence[Metric], needed: tuple[str, ...], window: Window | None, money: bool) -> list[str]:
        """All notes on metrics over a window, and on sums of money."""
        reported = [metric for metric in metrics if isinstance(metric.where, Reported)]
        notes: list[str] = []
        if metrics and window is not None:
            notes += self.lacking(metrics, needed, window.start, window.end) + self._no_such_events(metrics)
            if money:
                notes += self._rates_of_days(reported, needed, window)
        if money and not (reported and all(_is_of_days(metric) for metric in reported)):
            notes += self.money
        return notes

    @cached_property
    def money(self) -> tuple[str, ...]:
        """Notes on all sums of money: currencies left out for lack of a rate, and old rates."""
        held = self._views.held
        return tuple(filter(None, (self._exchange.left_out(held), self._exchange.aged(held))))

    def lacking(self, metrics: Sequence[Metric], needed: Iterable[str], start: date, end: date) -> list[str]:
        """Sentences on what metrics lack on the days from `start` to before `end`.

        Sources without such a breakdown or column, that begin later, end earlier, or have gaps.
        """
        names = frozenset(needed) & frozenset(DIMENSIONS)
        notes = self._unsplit([metric.where for metric in metrics if isinstance(metric.where, Reported)], names)
        for metric in metrics:
            lacking = self._coverage.lacking(metric)
            if self._coverage.behind(metric):
                notes += [
                    say(
                        "{source} {lacks}: left out of {title}.",
                        source=source,
                        lacks=say(need.says),
                        title=metric.title,
                    )
                    for source, need in lacking.items()
                ]
        return notes + _limits([c for metric in metrics for c in self._coverage.behind(metric, names)], start, end)

    def known_part(self, metric: Metric, needed: Iterable[str], start: date, end: date) -> str:
        """The days from `start` to before `end` that a metric is computed from, as a clause; "" for all or none."""
        covers = self._coverage.behind(metric, needed)
        if self._coverage.extent(covers, start, end) != "part":
            return ""
        answering = [each for each in covers if each.extent(start, end) != "none"]
        return "; ".join(limit.removesuffix(".") for limit in _limits(answering, start, end))

    def why_unknown(self, metrics: Iterable[Metric], needed: Iterable[str], start: date, end: date) -> str:
        """Why metrics are unknown for the days from `start` to before `end`: a clause without a full stop, or ""."""
        coverage = self._coverage
        for metric in metrics:
            if metric.last_seconds and coverage.behind(metric):
                at = f"{coverage.as_of.astimezone(coverage.zone.info):%Y-%m-%d %H:%M}"
                return say("the data does not reach up to {time}", time=at)
            if why := self._why_unknown(metric, needed, start, end):
                return why
        return ""

    def no_source(self, metrics: Iterable[Metric]) -> str:
        """What no source has of that which metrics read, as a clause."""
        what: list[str] = []
        by = " and ".join(column.replace("_", " ") for column in self._warehouse.rows.columns)
        for metric in metrics:
            where, feeds = metric.where, self._coverage.feeds.get(metric.mart, ())
            named = map(title_of, where.metrics if isinstance(where, Reported) else feeds)
            # Under a predicate a source may have them, without the columns that say whose they are.
            what += [f"{name} by {by}" if by else name for name in named]
        return NO_SOURCE + (" or ".join(dict.fromkeys(what)) or NOTHING_NAMED)

    def absent(self, metrics: Sequence[Metric], tables: Iterable[str]) -> str:
        """What no source has, if none of these metrics has a source, or without metrics all tables are empty."""
        if metrics:
            coverage = self._coverage
            known = any(coverage.behind(metric) or coverage.lacking(metric) for metric in metrics)
            return "" if known else self.no_source(metrics)
        made = [self._warehouse.tables[name] for name in tables]
        made = [table for table in made if table.feeds]
        if not made or any(table.rows for table in made):
            return ""
        what = dict.fromkeys(title_of(feed) for table in made for feed in table.feeds)
        return NO_SOURCE + (" or ".join(what) if len(what) <= _SHOWN_FEEDS else NOTHING_NAMED)

    def _why_unknown(self, metric: Metric, needed: Iterable[str], start: date, end: date) -> str:
        covers, lacking = self._coverage.behind(metric, needed), self._coverage.lacking(metric)
        if not covers and lacking:
            return "; ".join(f"{source} {say(need.says)}" for source, need in sorted(lacking.items()))
        if not covers:
            return self.no_source([metric])
        if self._coverage.extent(covers, start, end) != "none":
            return ""
        each = covers[0]
        if each.end <= each.first_day:
            how = say("only for a part of {day}", day=each.first_day)
            return say("{source} has {what} {how}", source=each.name, what=each.what, how=how)
        days = label_days(each.first_day, each.last_day)
        return say("{source} has {what} for {days}", source=each.name, what=each.what, days=days)

    def _unsplit(self, reported: Sequence[Reported], names: frozenset[str]) -> list[str]:
        covered = self._coverage.of_reported(reported)
        having = {each.whose for each in covered if names <= each.dimensions}
        lacking: dict[tuple[str, str], list[str]] = {}
        by = ", ".join(say_as("column", name) for name in sorted(names))
        for each in covered:
            if each.whose not in having:
                lacking.setdefault((each.name, by), []).append(each.what)
        return [
            say("{source} has no {what} by {by}: left out.", source=name, what=", ".join(dict.fromkeys(what)), by=how)
            for (name, how), what in sorted(lacking.items())
        ]

    def _no_such_events(self, metrics: Iterable[Metric]) -> list[str]:
        """A note that no event has a name that metrics need, with the names there are and those that look like it."""
        unmet = [metric for metric in metrics if not self._coverage.behind(metric)]
        needs = [need for metric in unmet for need in self._coverage.lacking(metric).values() if need.value]
        for need in needs:
            if need not in self._named:
                self._named[need] = self._names_beside(need)
        return [self._named[need] for need in dict.fromkeys(needs)]

    def _names_beside(self, need: Need) -> str:
        hits = self._views.of(need.table)
        counted = hits.group_by("event").aggregate(times=hits.count()).order_by(ibis.desc("times"), "event")
        names = {row["event"]: row["times"] for row in self._warehouse.query(counted).to_pylist()}
        near = [name for name in names if need.value in _letters(name) or _letters(name) in ("screenview", "view")]
        shown = ", ".join(list(names)[:_SHOWN_NAMES]) + (", …" if len(names) > _SHOWN_NAMES else "")
        written = ", ".join(f'"{name}"' for name in near or ["…"])
        return say(
            "None of {n} events is called {name}; there are {shown}. Say which of them are page views: {name} = "
            "[{written}] in the table of the source.",
            n=f"{sum(names.values()):,}",
            name=need.value,
            shown=shown,
            written=written,
        )

    def _rates_of_days(self, reported: Sequence[Metric], needed: tuple[str, ...], window: Window) -> list[str]:
        """Notes on the daily rates, by which flows are converted: days without one, and old ones."""
        flows = tuple(metric for metric in reported if _is_of_days(metric))
        key = tuple(metric.where for metric in flows), needed, window
        if flows and key not in self._of_days:
            rows = self._views.of(flows[0].mart, needed)
            inside = rows.day.between(ibis.literal(window.start), ibis.literal(window.last_day))
            theirs = ibis.or_(*(metric.where(rows) for metric in flows if metric.where is not None))
            rows = rows.filter(theirs, inside, rows.currency.notnull())
            age = rows.day.delta(rows.fixed_on, unit="day")
            rated = rows.group_by("currency").aggregate(
                without=rows.count(where=rows.fx_of_day.isnull()), age=age.max(), fixed_on=rows.fixed_on.argmax(age)
            )
            found = sorted(self._warehouse.query(rated).to_pylist(), key=lambda row: row["currency"])
            codes = [row["currency"] for row in found if row["without"]]
            notes = [self._exchange.left_out_of_days(codes)] if codes else []
            old = [row for row in found if row["age"] is not None and row["age"] > NAMED_DAYS]
            self._of_days[key] = notes + [old_rate([row["currency"]], row["fixed_on"], row["age"]) for row in old]
        return self._of_days.get(key, [])


def uneven_holidays(calendar: Calendar, window: Window, before: Window) -> list[str]:
    """The sentence that two windows lose different numbers of business days to holidays; none where they do not.

    Holidays on days that are off anyway make no difference.
    """
    try:
        lost, lost_before = (_lost_days(calendar, each) for each in (window, before))
    except WindowError as error:
        return [error.failed]
    if len(lost) == len(lost_before):
        return []
    first, then = _said_lost(window, lost), _said_lost(before, lost_before)
    return [say("Holidays on business days: {first}, {then}.", first=first, then=then)]


def _lost_days(calendar: Calendar, window: Window) -> list[tuple[date, str]]:
    holidays = calendar.holidays_in(window)
    return [(day, name) for day, name in holidays.items() if calendar.is_business_weekday(day)]


def _said_lost(window: Window, lost: list[tuple[date, str]]) -> str:
    named = [f"{name}, {label_days(day, day)}" for day, name in lost[:_SHOWN_HOLIDAYS]]
    left = len(lost) - len(named)
    named += [say("{n} more", n=left)] if left else []
    said = say("{n} in {window}", n=len(lost) or say("none"), window=window.label)
    return said + (f" ({'; '.join(named)})" if named else "")


def _limits(covers: Iterable[Covered], start: date, end: date) -> list[str]:
    """Sentences on what sources lack of the days from `start` to before `end`."""
    partly: dict[tuple[str, str], list[str]] = {}
    for each in dict.fromkeys(covers):
        for how in each.partly(start, end):
            partly.setdefault((each.name, how), []).append(each.what)
    return [
        say("{source} has {what} {how}.", source=name, what=", ".join(dict.fromkeys(what)), how=how)
        for (name, how), what in sorted(partly.items())
    ]


def _is_of_days(metric: Metric) -> bool:
    """Whether it is converted at the rate of each day: flows are, levels are not."""
    where = metric.where
    return isinstance(where, Reported) and all(PLATFORM_METRICS[name].kind == "flow" for name in where.metrics)


def _letters(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())
