"""What rules see: values of metrics by day, how far behind a source is, how full a day of it is."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from tidings.alerts.judging import Observed
from tidings.alerts.loads import ended, fullness
from tidings.alerts.rules import Rule
from tidings.book import Book
from tidings.display import formats
from tidings.metrics.metric import Metric, Number, Reported
from tidings.metrics.registry import leaves, registry
from tidings.query.context import QueryContext
from tidings.query.evaluation import comparable, over_windows
from tidings.query.segment import parse_segment
from tidings.query.values import why_unknown
from tidings.sources.source import open_sources
from tidings.window import Window, add_days, days_between, days_since, label_days

LATE_DAYS = 7
"""A figure may end so many days before the newest of the data: stores and search report late."""


@dataclass(frozen=True)
class Watch:
    """A build as rules look at it, as of its end; `now` is the clock, by which sources are late."""

    book: Book
    now: datetime

    def newest(self, rule: Rule) -> date:
        """The last day that a rule can be judged on: of a metric or load the last one that its sources have complete,
        at most a week before the end of the data.
        """
        if rule.condition == "stale_for":
            return self.book.zone.day_of(self.now)
        last = self.book.window.last_day
        if rule.is_of_metric:
            coverage = self.book.context.coverage
            ends = [[each.last_day for each in coverage.behind(leaf)] for leaf in leaves(rule.metric)]
            # An input without any source makes the figure unknown on every day.
            known = min((max(days) for days in ends if days), default=last)
        else:
            feeds = [feed for feed in self.book.context.warehouse.feeds if feed.source == rule.about]
            until = [feed.complete_until for feed in feeds if feed.complete_until is not None]
            known = min((add_days(self.book.zone.day_of(each), -1) for each in until), default=last)
        return last if known < add_days(last, -LATE_DAYS) else min(last, known)

    def seen(self, rule: Rule, first: date, last: date) -> tuple[Observed, ...]:
        """What a rule sees on each day from `first` to `last`, as it was seen at the end of that day."""
        if rule.condition == "stale_for":
            return (self._late(rule),)
        days = days_between(first, last)
        return tuple(self._of_metric(rule, days) if rule.is_of_metric else self._of_load(rule, days))

    def at(self, day: date) -> datetime:
        """The end of a day."""
        return self.book.zone.first_instant(add_days(day, 1))

    def _of_metric(self, rule: Rule, days: Sequence[date]) -> Iterator[Observed]:
        book, metric = self.book, rule.metric
        warehouse = book.context.warehouse
        segment = parse_segment(rule.segment, warehouse, book.settings.segments)
        for day in days:
            at, rates = self.at(day), book.settings.rates_file
            context = QueryContext(warehouse, book.zone, at, book.currency, segment, rates, book.calendar)
            window = Window(add_days(day, 1 - rule.days), add_days(day, 1), book.zone, at)
            yield _observed(rule, metric, context, window)

    def _late(self, rule: Rule) -> Observed:
        """How many days the endpoint that is latest is behind what it promises; files promise nothing."""
        book = self.book
        today, metrics = book.zone.day_of(self.now), metrics_of(book, rule.about)
        (source,) = open_sources(book.settings, [rule.about])
        promised = {endpoint.name: endpoint.promise_days or 0.0 for endpoint in source.endpoints}
        feeds = [each for each in book.context.warehouse.feeds if each.source == rule.about]
        late = [
            (days_since(each.complete_until, self.now) - promised.get(each.endpoint, 0.0), each.endpoint, each)
            for each in feeds
            if each.complete_until is not None
        ]
        if not late:
            return Observed(today, self.now, None, why=f"{rule.about} has never landed anything", metrics=metrics)
        days, endpoint, feed = max(late, key=lambda one: one[:2])
        until = feed.complete_until.astimezone(book.zone.info) if feed.complete_until else None
        said = f"{rule.about} ({endpoint}) is complete up to {formats.full(until, 'date')}"
        after = f", {_days(Decimal(str(promised[endpoint])))} of which are usual" if promised.get(endpoint) else ""
        behind = days_since(feed.complete_until, self.now) if feed.complete_until else days
        limit = f"{formats.short(behind * 86_400, 's')} ago{after}; late is more than {_days(rule.limit)}"
        return Observed(today, self.now, Decimal(str(round(max(0.0, days), 6))), said, limit, metrics=metrics)

    def _of_load(self, rule: Rule, days: Sequence[date]) -> Iterator[Observed]:
        metrics, ends = metrics_of(self.book, rule.about), ended(self.book, rule.about).values()
        for day, least in zip(days, fullness(self.book, rule.about, days, rule.minimum), strict=True):
            if day >= max(ends, default=day):
                why = f"{rule.about} has landed nothing of that day"
                yield Observed(day, self.at(day), None, why=why, metrics=metrics)
                continue
            if least is None:
                yield Observed(day, self.at(day), None, is_few=True, metrics=metrics)
                continue
            share = Decimal(str(round(least.share, 6)))
            said = f"On {label_days(day, day)} {rule.about} has {least.said}"
            limit = f"below {formats.short(rule.limit, 'ratio')} of a usual day"
            yield Observed(day, self.at(day), share, said, limit, metrics=metrics)


def metrics_of(book: Book, source: str) -> tuple[str, ...]:
    """The metrics that rows of a source take part in."""
    coverage = book.context.coverage
    return tuple(
        name
        for name, metric in registry().items()
        if any(each.source == source for leaf in leaves(metric) for each in coverage.behind(leaf))
    )


def concerned(metric: Metric) -> tuple[str, ...]:
    """A metric and the one that it is 1 minus of: what moves one moves the other."""
    others = [name for name, each in registry().items() if each.complement == metric.name]
    return tuple(dict.fromkeys(filter(None, [metric.name, metric.complement, *others])))


def _observed(rule: Rule, metric: Metric, context: QueryContext, window: Window) -> Observed:
    before = window.compare(rule.compare)
    found = over_windows(context, [metric], [window] if before is None else [window, before])
    value, unit = found.value(metric, window), context.unit(metric)
    was = None if before is None else found.value_before(metric, window, before)
    day, at, metrics = window.last_day, context.as_of, concerned(metric)
    covered = all(_is_covered(context, leaf, window) for leaf in leaves(metric))
    if not covered:
        why = why_unknown(context, metric, window) or f"{metric.title} is only known for a part of {window.label}"
        return Observed(day, at, None, why=why, metrics=metrics)
    is_change = rule.condition.startswith("change")
    rows = _volume(metric, value, found.rows_behind(metric, window))
    if is_change and before is not None:
        # A fall leaves few rows: then it is the days before that had enough.
        rows = max(rows, _volume(metric, was, found.rows_behind(metric, before)))
    if rows < rule.minimum and (value is None or rule.minimum > 1):
        return Observed(day, at, None, is_few=True, metrics=metrics)
    if value is None:
        return Observed(day, at, None, why=formats.why_missing(metric), metrics=metrics)
    said = f"{metric.title} was {formats.short(value, unit)} on {window.label}"
    words = formats.compared_with(window, before) if before is not None else ""
    if not is_change:
        limit = f"{rule.condition} {formats.short(rule.limit, unit)}"
        compared = f"{words} {formats.short(was, unit)}" if words and was is not None else ""
        return Observed(day, at, _exact(value), said, limit, compared, metrics=metrics)
    if was is None or before is None:
        earlier = why_unknown(context, metric, before) if before else ""
        same = before is not None and comparable(context, metric, window, before)
        why = earlier or (f"{words} had no value" if same else "the days before are covered otherwise")
        return Observed(day, at, None, why=why, metrics=metrics)
    change = _change(metric, value, was)
    by = formats.points if metric.unit == "ratio" else formats.percent
    moved = "from nothing" if was == 0 else by(float(change))
    limit = f"{moved} against {words} ({formats.short(was, unit)}), beyond {by(float(rule.limit))}"
    return Observed(day, at, change, said, limit, metrics=metrics)


def _volume(metric: Metric, value: Number, rows: int) -> int:
    """How much a value is of: the rows behind it; of what a platform has counted already, the count."""
    is_counted = metric.unit == "count" and all(isinstance(leaf.where, Reported) for leaf in leaves(metric))
    return rows if not is_counted or value is None else round(value)


def _is_covered(context: QueryContext, leaf: Metric, window: Window) -> bool:
    start = add_days(window.end, -leaf.trailing_days) if leaf.trailing_days else window.start
    return context.coverage.extent(context.coverage.behind(leaf, context.needed), start, window.end) == "all"


def _change(metric: Metric, value: Number, was: Number) -> Decimal:
    """Of rates the difference, of all else the relative change; from nothing it is without bound."""
    now, then = _exact(value), _exact(was)
    if metric.unit == "ratio":
        return now - then
    if then == 0:
        return Decimal(0) if now == 0 else Decimal("1E9").copy_sign(now)
    return (now - then) / abs(then)


def _exact(value: Number) -> Decimal:
    if value is None or not math.isfinite(value):
        raise ValueError(value)
    return value if isinstance(value, Decimal) else Decimal(str(value))


def _days(number: Decimal) -> str:
    return f"{number.normalize():f} day{'' if number == 1 else 's'}"
