"""Explanations: on which days and in which rows most of a metric's change lies, and how unusual it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import takewhile

import ibis
import ibis.expr.types as ir

from tidings.analysis.parts import Cause, Group, against_all_parts, cause, tightest_run
from tidings.analysis.unusual_parts import UnusualPart, unusual_part
from tidings.analysis.usual import WEEK, WINDOWS_LEAST, Days, Run, unusual_run
from tidings.metrics.metric import Metric, Reported
from tidings.metrics.registry import leaves
from tidings.metrics.result import Provenance, Value, joined
from tidings.platform_metrics import DIMENSIONS
from tidings.query.context import QueryContext
from tidings.query.evaluation import Found, comparable, known_part, over_windows
from tidings.query.exchange import exchange_effect
from tidings.query.periods import span_of
from tidings.query.segment import text_of
from tidings.window import Window, add_days

_OUTCOMES = ("rating",)  # says of a page's speed what its percentile says
_MOST_KEYS = 20_000
_WEEKS = 4
_MOST_WINDOWS = 13
_BETWEEN = "\x1f"
# The columns by which sections split: more of them would make each of them harder to find.
_OFTEN_READ = (
    "source",
    "channel",
    "country",
    "device",
    "service",
    "provider",
    "endpoint",
    "product",
    "platform",
    "origin",
)


@dataclass(frozen=True)
class Explanation:
    """What became of one metric, and where.

    `days` are those that hold most of what is unusual (None: all of the window). Over them the metric is `there`, and
    `expected` by the same weekdays before; `column` and `cause` say in which rows most of the difference lies, and
    `mix` names a column all of whose values moved against the total. `run` is set where single days are unusual, though
    the window may not be. `is_known` is False where the history is too short to say what is usual. `exchange` is what
    exchange rates alone would have made, beside the change and not in it; None where all money is in one currency.
    `part` is set where the total and its days are usual, but one value of a column is not.
    """

    value: Value
    days: Window | None = None
    there: float | None = None
    expected: float | None = None
    column: str = ""
    cause: Cause | None = None
    mix: str = ""
    run: Run | None = None
    is_known: bool = True
    exchange: Decimal | None = None
    part: UnusualPart | None = None
    provenance: Provenance = field(default_factory=lambda: Provenance((), {}, ""))

    @property
    def is_unusual(self) -> bool:
        """True where the change of the window, a run of its days or a part is not what the history would make."""
        return bool(self.value.unusual) or self.run is not None or self.part is not None


def explanation(context: QueryContext, value: Value, days: Days) -> Explanation:
    """What is behind a value; `days` are its history up to the end of its window, a value per day."""
    metric, window, before = value.metric, value.window, value.before_window
    if value.value is None:
        return Explanation(value, provenance=value.provenance)
    is_level = span_of(metric, window) == 1 and window.days > 1
    run = None if is_level else unusual_run(days, window.days)
    known = value.unusual is not None if before is not None else days.counted(0, len(days.values)) > 0
    exchange = None if before is None or value.before is None else exchange_effect(context, metric, window, before)
    found = Explanation(value, run=run, is_known=known, exchange=exchange, provenance=value.provenance)
    if is_level:
        return found
    if not found.is_unusual:
        return found if before is None else replace(found, part=_unusual_part(context, metric, window, before))
    first = len(days.values) - window.days
    span: tuple[int, int] | None = None
    if value.unusual and before is not None:
        span = tightest_run(_excess(days, window.days, window.distance(before)), max(1, window.days // 2))
    elif run is not None:
        span = run.first - first, run.end - first
    where = window if span is None else _within(window, *span)
    compared = [before] if span is None and before is not None else _same_days(where, window, before)
    causes = _Causes(context, metric, where, compared)
    column, because, mix = causes.best()
    there, expected = causes.both()
    return replace(
        found,
        days=where if span else None,
        there=there,
        expected=expected,
        column=column,
        cause=because,
        mix=mix,
        provenance=joined([value.provenance, *causes.origins]),
    )


def _unusual_part(context: QueryContext, metric: Metric, window: Window, before: Window) -> UnusualPart | None:
    """Of counts: the value of a column that is unusual though the total is not, by windows next to each other."""
    distance = window.distance(before)
    # What adds up is counted in one pass for all columns; people of several values would each need their own.
    is_count = metric.unit == "count" and metric.kind == "flow"
    if not is_count or distance < window.days:
        return None
    earlier = [_earlier(window, distance * n) for n in range(_MOST_WINDOWS)]
    known = list(takewhile(lambda each: comparable(context, metric, window, each), earlier))
    if len(known) < WINDOWS_LEAST or known_part(context, metric, window):
        return None
    causes = _Causes(context, metric, window, [before])
    columns = [column for column, _ in causes.splits() if column in _OFTEN_READ]
    parts: dict[tuple[str, str], list[float]] = {}
    for together in [[column] for column in columns] if causes.is_reported else [columns] if columns else []:
        split = context.split_by(together[0]) if causes.is_reported else context
        counted = over_windows(split, [metric], known, _joined(together))
        for names in filter(None, counted.groups()):
            counts = [float(counted.value(metric, each, names) or 0) for each in reversed(known)]
            for column, name in zip(together, str(names).split(_BETWEEN), strict=False):
                held = parts.setdefault((column, name), [0.0] * len(known))
                parts[column, name] = [sum(both) for both in zip(held, counts, strict=True)]
    return unusual_part(parts)


def _joined(columns: Sequence[str]) -> Callable[[ir.Table], ir.StringValue]:
    return lambda rows: ibis.literal(_BETWEEN).join([text_of(rows[column]) for column in columns])


def _within(window: Window, first: int, end: int) -> Window:
    return replace(window, start=add_days(window.start, first), end=add_days(window.start, end))


def _same_days(days: Window, window: Window, before: Window | None) -> list[Window]:
    """The same weekdays as often as the window compared with has them, else those of the four weeks before."""
    held = []
    if before is not None:
        weeks = [_earlier(days, WEEK * n) for n in range(1, days.distance(before) // WEEK + 1)]
        held = [each for each in weeks if before.start <= each.start and each.end <= before.end]
    first = -(-days.distance(window) // WEEK) + -(-days.days // WEEK)
    return held or [_earlier(days, WEEK * n) for n in range(first, first + _WEEKS)]


def _earlier(days: Window, by: int) -> Window:
    return replace(days, start=add_days(days.start, -by), end=add_days(days.end, -by))


def _excess(days: Days, length: int, distance: int) -> list[float | None]:
    """Per day of the window what is above the days compared with, by weekday; of means weighted by their rows."""
    end = len(days.values)
    start, early = end - length, end - length - distance
    mean = days.mean(early, early + length)
    if mean is None:
        return []
    if days.is_mean:
        pairs = zip(days.values[start:], days.rows[start:], strict=True)
        return [None if value is None or rows is None else (value - mean) * rows for value, rows in pairs]
    usual = [_weekday_mean(days, early, length, (at - start + distance) % WEEK, mean) for at in range(start, end)]
    level = sum(usual)
    scale = mean * length / level if level else 1.0
    whole = zip(days.values[start:], days.rows[start:], usual, strict=True)
    return [None if value is None or rows is None else value - expected * scale for value, rows, expected in whole]


def _weekday_mean(days: Days, first: int, length: int, weekday: int, mean: float) -> float:
    same = [value for value in days.values[first + weekday : first + length : WEEK] if value is not None]
    return sum(same) / len(same) if same and length >= WEEK else mean


class _Causes:
    """The columns by which a metric may be split, and what each says of a change."""

    def __init__(self, context: QueryContext, metric: Metric, now: Window, before: Sequence[Window]) -> None:
        self._context, self._metric = context, metric
        self._now = now
        # A part of what was is no measure; a window without any coverage has no value.
        self._before = [each for each in before if not known_part(context, metric, each)]
        self._is_mean = metric.kind in ("ratio", "quantile")
        self.origins: list[Provenance] = []
        self._total = over_windows(context, [metric], [now, *self._before])

    def both(self) -> tuple[float | None, float | None]:
        """The metric over the days, and on the days before: the mean of these, of rates and means by their rows."""
        now = self._total.value(self._metric, self._now)
        return None if now is None else float(now), self._usual(self._total, None).value

    def best(self) -> tuple[str, Cause | None, str]:
        """The column and values that say most, single rows before values; and a column that the total contradicts."""
        chosen: tuple[str, Cause] | None = None
        mix = ""
        if self._usual(self._total, None).value is None:
            return "", None, mix
        for column, grouping in self.splits():
            context = self._context.split_by(column) if self.is_reported else self._context
            found = over_windows(context, [self._metric], [self._now, *self._before], grouping)
            now = self._groups(found)
            before = {name: group for name in found.groups() if (group := self._usual(found, name)).rows}
            if self._is_mean and _is_outcome(now):
                continue
            because = cause(now, before, is_mean=self._is_mean)
            if because is not None and (chosen is None or because.surprise > chosen[1].surprise):
                chosen = column, because
                self.origins = [found.provenance([self._metric], self._now)]
            if self._is_mean and self._metric.kind == "ratio" and against_all_parts(now, before):
                mix = mix or column
        return (chosen[0], chosen[1], mix) if chosen else ("", None, mix)

    @property
    def is_reported(self) -> bool:
        """Whether platforms report the metric, in breakdowns of their own."""
        return any(isinstance(leaf.where, Reported) for leaf in leaves(self._metric))

    def splits(self) -> Iterator[tuple[str, Callable[[ir.Table], ir.StringValue]]]:
        """The columns by which the metric may be split, and how."""
        for column in _columns(self._context, leaves(self._metric)):
            if not self.is_reported or column in DIMENSIONS:
                yield column, _by(column)
        if key := self._key():
            yield key, _by(key)

    def _key(self) -> str:
        """The column that names a single row, where a single row may make a sum of money."""
        marts = {leaf.mart for leaf in leaves(self._metric)}
        few = self._total.rows_behind(self._metric, self._now) <= _MOST_KEYS
        is_sum = self._metric.kind == "flow" and self._metric.unit == "money" and not self.is_reported
        if not is_sum or len(marts) != 1 or not few:
            return ""
        return "order_id" if "order_id" in self._context.described(marts.pop()) else ""

    def _groups(self, found: Found) -> Mapping[str, Group]:
        groups = {name: self._group(found, self._now, name) for name in found.groups()}
        return {name: group for name, group in groups.items() if group.rows}

    def _group(self, found: Found, window: Window, name: str | None) -> Group:
        value = found.value(self._metric, window, name)
        return Group(None if value is None else float(value), found.rows_behind(self._metric, window, name))

    def _usual(self, found: Found, name: str | None) -> Group:
        """What a group, or all rows, had on the days before; days that nobody knows are left out."""
        known = [group for each in self._before if (group := self._group(found, each, name)).value is not None]
        rows = sum(group.rows for group in known)
        if not known or (self._is_mean and not rows):
            return Group(None, 0)
        if self._is_mean:
            return Group(sum((group.value or 0.0) * group.rows for group in known) / rows, rows)
        return Group(sum(group.value or 0.0 for group in known) / len(known), rows)


def _by(column: str) -> Callable[[ir.Table], ir.StringValue]:
    return lambda rows: text_of(rows[column])


def _is_outcome(groups: Mapping[str, Group]) -> bool:
    """True where a column says what the rate counts, as a status does of errors."""
    return all(group.value in (0.0, 1.0) for group in groups.values())


def _columns(context: QueryContext, inputs: Sequence[Metric]) -> list[str]:
    """The columns that all marts have that distinguish rows: texts that name neither a person nor a row."""
    shared: list[str] | None = None
    for mart in dict.fromkeys(leaf.mart for leaf in inputs):
        found = [
            name
            for name, row in context.described(mart).items()
            if row["type"].removeprefix("!") == "string"
            and not (row["personal"] or row["is_key"] or name.startswith("_"))
            and not name.endswith(("_id", "_key"))
            and name not in _OUTCOMES
        ]
        shared = found if shared is None else [column for column in shared if column in found]
    return shared or []
