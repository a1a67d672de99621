"""The book: what a notebook holds to ask one build about one window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import cast, get_args

import ibis.expr.types as ir

from tidings.analysis.variation import is_unusual
from tidings.display import own
from tidings.display.show import head
from tidings.errors import UsageError, suggest
from tidings.metrics.metric import Metric, Number
from tidings.metrics.registry import get, leaves
from tidings.metrics.result import Field, Point, Provenance, Result, Series, Value
from tidings.query.breakdown import breakdown_result
from tidings.query.context import QueryContext, tables_in
from tidings.query.evaluation import (
    comparable,
    known_part,
    over_periods,
    over_windows,
    period_share,
    period_value,
    rows_behind,
)
from tidings.query.rejected import rejected_sentences
from tidings.query.segment import check_term, parse_segment
from tidings.query.to_date import to_date_result
from tidings.query.trace import raw_rows
from tidings.settings import Settings, load_settings
from tidings.warehouse.reader import Warehouse
from tidings.window import LATEST, Comparison, Unit, Window, Zone, add_days, parse_as_of

SPARK_DAYS = 90


class Book:
    """One build seen through one window, time zone, currency and segment; every figure says where it comes from.

    Attributes: `window` and `before` (None without comparison), `zone`, `currency`, `settings`, `lens`.
    """

    def __init__(self, settings: Settings, context: QueryContext, window: Window, compare: Comparison) -> None:
        self.settings = settings
        self.context = context
        self.window = window
        self.compare = compare
        self.before = window.compare(compare)

    @classmethod
    def open(
        cls,
        as_of: str = "latest",
        days: int = 28,
        compare: str = "previous",
        timezone: str = "",
        currency: str = "",
        segment: str = "",
        root: Path | str | None = None,
        build: str | None = None,
    ) -> Book:
        """Open a build (by default the current one) of the workbook at `root` (by default around this folder).

        The window is the `days` complete local days before `as_of`, for "latest" the last ones that any source covers,
        compared with the `previous` days, the same
        `weekdays` before, a `year` before or `none`. An empty time zone or currency is the one of the settings.
        `segment` limits all figures, as "country=DE" or "country=DE, device=mobile".

        Raises:
            UsageError: a parameter cannot be used as written; the sentence names it and what is known.
            WarehouseError: there is no such build.
        """
        # Charts and frames that the analyst adds below get the look of the report, offline.
        own.enable()
        settings = load_settings(None if root is None else Path(root))
        if compare not in get_args(Comparison):
            raise UsageError(f"The comparison '{compare}' is not known.", suggest(compare, get_args(Comparison)))
        money = (currency or settings.currency).upper()
        if len(money) != 3 or not money.isascii() or not money.isalpha():
            raise UsageError(f"The currency '{currency}' is not an ISO code.", "Write three letters, as EUR.")
        zone = Zone(timezone or settings.timezone, settings.week_start)
        # A run says which build all of its sections read.
        warehouse = Warehouse.open(settings, build or settings.environment.get("TIDINGS_BUILD") or None)
        at = parse_as_of(as_of, zone, warehouse.complete_until)
        context = QueryContext(warehouse, zone, at, money, parse_segment(segment, warehouse), settings.rates_file)
        context.check_currency(settings.currency)
        window = Window.last(days, at, zone)
        end = context.coverage.complete_end
        if as_of.strip().lower() == LATEST and end is not None and end < window.end:
            # The data end within the day before: it is no complete day, and comparing it would be comparing a part.
            window = replace(window, start=add_days(end, -days), end=end)
        return cls(settings, context, window, cast(Comparison, compare))

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, object]:
        """The head of a section: period, comparison, segment, money, how fresh the data are, and the build."""
        until = self.context.coverage.until
        facts = {
            "Segment": self.segment,
            "Currency": self.currency,
            "As of": f"{self.as_of.astimezone(self.zone.info):%Y-%m-%d %H:%M}",
            "Data until": "no data yet" if until is None else f"{until.astimezone(self.zone.info):%Y-%m-%d %H:%M}",
            "Build": self.build_id,
            "Rejected": "; ".join(rejected_sentences(self.context.warehouse.rejected, self.window)),
            "Exchange rates": " ".join(self.context.money_notes),
        }
        known = {name: fact for name, fact in facts.items() if fact}
        return head("", self.window, self.before, known)._repr_mimebundle_()

    @property
    def zone(self) -> Zone:
        """The report's calendar."""
        return self.window.zone

    @property
    def as_of(self) -> datetime:
        """The report's now, aware UTC."""
        return self.context.as_of

    @property
    def currency(self) -> str:
        """The report's money."""
        return self.context.currency

    @property
    def segment(self) -> str:
        """The segment as read; empty for all rows."""
        return str(self.context.segment)

    @property
    def build_id(self) -> str:
        """The build that all figures are read from."""
        return self.context.warehouse.build_id

    @property
    def missing_fx(self) -> tuple[str, ...]:
        """Currencies without a rate: their amounts are in no sum."""
        return self.context.missing_fx

    @property
    def freshness(self) -> Mapping[str, datetime | None]:
        """Newest row of every fact table, aware UTC; null for an empty one."""
        tables = self.context.warehouse.tables
        return {name: info.last_row_at for name, info in sorted(tables.items()) if name.startswith("fct_")}

    @property
    def sql(self) -> tuple[str, ...]:
        """Every query run so far, oldest first."""
        return tuple(self.context.sql)

    def within(self, column: str, value: str) -> Book:
        """The same book, limited to rows with a value in a column, too.

        Raises:
            UsageError: no mart has such a column, or no row the value.
        """
        check_term(column, value, self.context.warehouse)
        return Book(self.settings, self.context.within(column, value), self.window, self.compare)

    def rejected(self, feed: str) -> Mapping[str, int]:
        """Rows of a feed that were landed as rejected, by source; sources without any are there with 0."""
        infos = [info for info in self.context.warehouse.feeds if info.feed == feed]
        return {s: sum(i.rejected for i in infos if i.source == s) for s in dict.fromkeys(i.source for i in infos)}

    def value(self, name: str, window: Window | None = None) -> Value:
        """One metric over the window, beside the window before, with its daily course; of another window if given.

        Raises:
            MetricError: there is no such metric.
        """
        return self._values((name,), window or self.window)[0]

    def values(self, *names: str) -> tuple[Value, ...]:
        """Several metrics as `value` gives them; those of one mart are read in one pass.

        Raises:
            MetricError: there is no such metric.
        """
        return self._values(names, self.window)

    def _values(self, names: Sequence[str], window: Window) -> tuple[Value, ...]:
        metrics = [get(name) for name in names]
        before = window.compare(self.compare)
        found = over_windows(self.context, metrics, [window] if before is None else [window, before])
        course = replace(window, start=add_days(window.end, -SPARK_DAYS))
        timed = [metric for metric in metrics if not metric.last_seconds]
        days = over_periods(self.context, timed, course, "day") if timed else {}
        values = []
        for metric in metrics:
            compared = None if metric.last_seconds else before
            spark = () if metric.last_seconds else tuple(period_value(metric, c, p, course) for p, c in days.items())
            known, was = found.value(metric, window), None
            if compared is not None:
                was = found.value_before(metric, window, compared)
            value = Value(
                metric=metric,
                unit=self.unit(metric),
                window=window,
                value=known,
                before=was,
                before_window=compared,
                spark=spark,
                why=self._why(metric, window) if known is None else "",
                why_no_change=""
                if compared is None or was is not None
                else self._why_no_change(metric, window, compared),
                part="" if known is None or metric.last_seconds else known_part(self.context, metric, window),
                provenance=self._origin(metric, found.sql_of(metric), found.rows_behind(metric, window), window=window),
            )
            span = 1 if any(leaf.trailing_days for leaf in leaves(metric)) else window.days
            values.append(replace(value, unusual=is_unusual(value.change, spark, span)))
        return tuple(values)

    def series(self, name: str, grain: Unit | None = None, days: int | None = None) -> Series:
        """A metric per calendar period of the window, or of the last `days` days, each from its own rows.

        Without a `grain` by day, in long windows by week or month, so that a chart can be read (`Window.grain`).

        A period that the window only touches is shown whole, and the one still running at `as_of` is there, too,
        marked incomplete.

        Raises:
            MetricError: there is no such metric, or it has no course.
            WindowError: `grain` is not day, week, month, quarter or year, or `days` is not positive.
        """
        metric = get(name)
        window = self.window if days is None else self.last(days)
        grain = grain or window.grain()
        if window.end_at < self.as_of:
            window = replace(window, end=add_days(window.end, 1))
        return self._series(metric, window, grain)

    def series_before(self, name: str, grain: Unit | None = None) -> Series | None:
        """The course of the window that is compared with, period by period as `series`; None without comparison."""
        if self.before is None:
            return None
        return self._series(get(name), self.before, grain or self.window.grain())

    def _series(self, metric: Metric, window: Window, grain: Unit) -> Series:
        start = len(self.context.sql)
        found = over_periods(self.context, [metric], window, grain)
        points = tuple(
            Point(period, period_value(metric, cell, period, window), period_share(self.context, metric, period))
            for period, cell in found.items()
        )
        why = "" if any(point.value is not None for point in points) else self._why(metric, window)
        origin = self._origin(metric, self.context.sql[start:], window=window)
        return Series(metric, self.unit(metric), grain, points, origin, why)

    def last(self, days: int) -> Window:
        """The last `days` days up to the end of the book's window.

        Raises:
            WindowError: `days` is less than 1.
        """
        Window.last(days, self.as_of, self.zone)
        return replace(self.window, start=add_days(self.window.end, -days))

    def compares(self, mart: str) -> bool:
        """True where the window and the one before are covered alike by all that a mart is made of (C14)."""
        if self.before is None:
            return False
        now, then = (self.window.start, self.window.end), (self.before.start, self.before.end)
        coverage = self.context.coverage
        return coverage.same_coverage(coverage.of_mart(mart), now, then)

    def results(self, name: str) -> bool:
        """True where some source fills what a metric needs.

        Raises:
            MetricError: there is no such metric.
        """
        return all(self.context.answerable([leaf]) for leaf in leaves(get(name)))

    def covers(self, mart: str) -> bool:
        """True where a source covers a day of the window in a mart: no rows then mean that there was nothing."""
        coverage = self.context.coverage
        return coverage.extent(coverage.of_mart(mart), self.window.start, self.window.end) != "none"

    def _why(self, metric: Metric, window: Window) -> str:
        return self.context.why_unknown(leaves(metric), window.start, window.end)

    def _why_no_change(self, metric: Metric, window: Window, before: Window) -> str:
        if comparable(self.context, metric, window, before):
            return ""
        if earlier := self._why(metric, before):
            return earlier
        if part := known_part(self.context, metric, window):
            return part
        coverage, behind = self.context.coverage, leaves(metric)
        notes = [
            note for one in (window, before) for note in coverage.notes(behind, self.context.needed, one.start, one.end)
        ]
        return notes[0].rstrip(".") if notes else "the data do not cover both windows alike"

    def amounts(self, names: Sequence[str], windows: Sequence[Window]) -> Mapping[tuple[str, Window], Number]:
        """Several metrics over several windows, nothing but their values; those of one mart are read in one pass.

        Raises:
            MetricError: there is no such metric.
        """
        metrics = [get(name) for name in names]
        found = over_windows(self.context, metrics, windows)
        return {(metric.name, window): found.value(metric, window) for metric in metrics for window in windows}

    def split(self, name: str, by: str, top: int = 12) -> Result:
        """A metric by a column of its mart: the total first, the `top` largest, then the others from their own rows.

        Columns: `by`, the metric, `before` and `change` against the window before, then `share` of the total for what
        can be counted and `rows` for ratios and percentiles.

        Raises:
            MetricError: there is no such metric.
            UsageError: a mart of the metric has no such column.
        """
        metric = get(name)
        result = breakdown_result(self.context, metric, by, top, self.window, self.before, self.unit(metric))
        return replace(result, provenance=self._origin(metric, result.provenance.sql, result.provenance.rows, by=by))

    def to_date(self, name: str) -> Result:
        """A metric week on week and month on month: the period to date against as many days of the one before.

        Raises:
            MetricError: there is no such metric.
        """
        metric = get(name)
        result = to_date_result(self.context, metric, self.window, self.unit(metric))
        return replace(result, provenance=self._origin(metric, result.provenance.sql, result.provenance.rows))

    def mart(self, name: str) -> ir.Table:
        """A table as the figures see it: rows before `as_of`, in the segment, with `local_ts` and, for money, `fx`.

        Raises:
            WarehouseError: there is no such table.
        """
        return self.context.mart(name)

    def table(self, name: str) -> ir.Table:
        """A table of the warehouse as it is.

        Raises:
            WarehouseError: there is no such table.
        """
        return self.context.table(name)

    def rows(self, name: str, window: Window | None = None) -> ir.Table:
        """The rows that a metric's value is computed from.

        Raises:
            MetricError: there is no such metric.
            UsageError: it is computed from other metrics, which have rows each.
        """
        return rows_behind(self.context, get(name), window or self.window)

    def raw(self, feed: str, rows: ir.Table, limit: int = 100) -> ir.Table:
        """The landed rows behind rows of a mart, as received in `_record`, with the file they lie in.

        Raises:
            UsageError: there is no such feed, or the rows do not say where they come from.
        """
        return raw_rows(self.context, self.settings.raw, feed, rows, limit)

    def ask(self, title: str, fields: Sequence[Field], expression: ir.Table) -> Result:
        """Any question as an Ibis table; `fields` say which of its columns to show, how named and in which unit.

        Raises:
            UsageError: a field is not a column of the expression.
        """
        for field in fields:
            if field.name not in expression.columns:
                raise UsageError(
                    f"'{title}' has a field '{field.name}' that its table lacks.",
                    suggest(field.name, expression.columns),
                )
        shown = expression.select(*(field.name for field in fields))
        found = self.context.rows(shown)
        units = tuple(replace(f, unit=self.currency) if f.unit == "money" else f for f in fields)
        rows = tuple(tuple(row[field.name] for field in fields) for row in found)
        money = any(field.unit == "money" for field in fields)
        origin = self.context.provenance(self.context.sql[-1:], tables_in(shown), len(rows), money=money)
        return Result(title, units, rows, origin)

    def unit(self, metric: Metric) -> str:
        """What is printed behind a metric's value: its unit, for money the report's currency."""
        return self.currency if metric.unit == "money" else metric.unit

    def _origin(
        self,
        metric: Metric,
        sql: Sequence[str],
        rows: int | None = None,
        *,
        by: str = "",
        window: Window | None = None,
    ) -> Provenance:
        inputs = leaves(metric)
        context = self.context.split_by(by) if by else self.context
        tables = [name for leaf in inputs for name in (leaf.mart, *(mark.mart for mark in leaf.marks))]
        money = any(leaf.unit == "money" for leaf in inputs)
        return context.provenance(sql, tables, rows, money=money, metrics=inputs, window=window or self.window)
