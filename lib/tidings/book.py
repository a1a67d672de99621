"""The book: the object with which a notebook asks one build about one window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import cast, get_args

import ibis.expr.types as ir

from tidings.analysis.funnel import Step
from tidings.analysis.funnel_paths import Exclusion, Order
from tidings.analysis.retention import Grain, Mode, Type
from tidings.annotations import read_annotations, read_targets, target_of
from tidings.book_analyses import Asked, FunnelResult, RetentionResult, funnel, lifecycle, retention, rfm
from tidings.book_listings import Listing, metrics_listing, tables_listing
from tidings.book_rows import Leading
from tidings.business_calendar import calendar_of
from tidings.display import formats, notebook, own
from tidings.display.show import head
from tidings.errors import MetricError, UsageError, WindowError, suggest
from tidings.language import say, speak
from tidings.ledger.alert_log import AlertLog
from tidings.ledger.alert_table import alert_table, evaluated_days
from tidings.metrics.metric import Metric, Thresholds
from tidings.metrics.registry import get, leaves, registry
from tidings.metrics.result import Field, Point, Result, Series, Value
from tidings.metrics.thresholds import judged, own_thresholds
from tidings.query.behind import largest, of_metric
from tidings.query.breakdown import breakdown_result, is_together
from tidings.query.context import QueryContext, QueryResult
from tidings.query.evaluation import rows_behind
from tidings.query.explanation import Explanation, explanation
from tidings.query.periods import Course, over_periods
from tidings.query.rejected import rejected_sentences
from tidings.query.segment import check_term, parse_segment
from tidings.query.to_date import to_date_result
from tidings.query.trace import raw_rows
from tidings.query.values import evaluated, why_unknown
from tidings.settings import Settings, load_settings
from tidings.warehouse.reader import Warehouse
from tidings.warehouse.rows import Given, Rows
from tidings.window import (
    LATEST,
    Calendar,
    Comparison,
    FiscalUnit,
    Unit,
    Window,
    Zone,
    add_days,
    as_date,
    label_instant,
    parse_as_of,
)

DAYS = 28


class Book:
    """Questions to one build in one window, time zone, currency and segment; every result has its provenance.

    Attributes: `window` and `before` (None without comparison), `zone`, `calendar`, `currency`, `settings`, `context`,
    `annotations`.
    """

    def __init__(self, settings: Settings, context: QueryContext, window: Window, compare: Comparison) -> None:
        self.settings = settings
        self.context = context
        self.window = window
        self.compare = compare
        self.before = window.compare(compare)
        # What is written by hand is about the whole workbook, and for those who run it.
        is_inside = not self.bound_to and not settings.environment.get("TIDINGS_PUBLIC")
        self.annotations = read_annotations(settings.annotations) if is_inside else ()
        self._targets = read_targets(settings.targets, tuple(registry())) if is_inside else ()
        self._thresholds = own_thresholds(settings.thresholds)

    @classmethod
    def open(
        cls,
        as_of: str = "latest",
        days: int | None = None,
        compare: str = "previous",
        timezone: str = "",
        currency: str = "",
        segment: str = "",
        root: Path | str | None = None,
        build: str | None = None,
        first: date | str = "",
        last: date | str = "",
        locale: str = "",
        rows: Given | None = None,
    ) -> Book:
        """Open a build (by default the current one) of the workbook at `root` (by default that of this folder).

        The window is the `days` (28) complete local days before `as_of`; for "latest" the last ones that any source
        covers. Or it has the local days from `first` to `last`, both included: with `first` alone up to the last
        complete day or for `days`, with `last` alone the `days` up to it. It is compared with the `previous` days, the
        same `weekdays` before, a `year` before or `none`. An empty time zone or currency is that of the settings.
        `locale` (by default that of the run, else of the settings) is the language of what is shown from now on.
        `segment` limits all results, as "country=DE|AT, device!=mobile, value>=10", or is the name of a saved one.

        `rows`, as {"shop_id": 7} or {"country": ["DE", "AT"]}, are the only ones that can be read, by whatever way;
        what has none of these columns is refused. Then "latest" is the beginning of that day.

        Raises:
            UsageError: a parameter is unknown or malformed.
            SettingsError: the settings, or a file that says more of days or metrics, cannot be used as written.
            WindowError: a date cannot be read, the window has no day, or `days` is given with both dates.
            WarehouseError: there is no such build.
            RowsError: no table has the columns of `rows`, or the process is bound to others.
        """
        texts = {"as_of": as_of, "compare": compare, "timezone": timezone, "currency": currency, "segment": segment}
        _check_types(days, **texts, locale=locale)
        settings = load_settings(None if root is None else Path(root))
        speak(settings.language(locale or settings.environment.get("TIDINGS_LOCALE", "")))
        how = comparison(compare)
        money = (currency or settings.currency).upper()
        if len(money) != 3 or not money.isascii() or not money.isalpha():
            raise UsageError(f"The currency '{currency}' is not an ISO code.", "Write three letters, as EUR.")
        zone = Zone(timezone or settings.timezone, settings.week_start)
        # A run fixes the build that all of its sections read.
        warehouse = Warehouse.open(settings, build or settings.environment.get("TIDINGS_BUILD") or None, Rows.of(rows))
        if not warehouse.rows:
            # What a rule says is of the whole workbook.
            _lay_alerts(settings, warehouse)
        at = parse_as_of(as_of, zone, warehouse.complete_until)
        if warehouse.rows and as_of.strip().lower() == LATEST:
            # The minute may be that of the last row of another audience.
            at = zone.first_instant(zone.day_of(at))
        context = QueryContext(
            warehouse,
            zone,
            at,
            money,
            parse_segment(segment, warehouse, settings.segments),
            settings.rates_file,
            calendar_of(settings, zone),
        )
        context.check_currency(settings.currency)
        window = Window.last(DAYS if days is None else days, at, zone)
        end = context.coverage.complete_end
        if as_of.strip().lower() == LATEST and end is not None and end < window.end:
            # The data ends within the day before, which is therefore incomplete and must not be compared.
            window = replace(window, start=add_days(end, -window.days), end=end)
        if first or last:
            window = _by_dates(window, first, last, days)
        # Charts and frames that the analyst adds get the style of the report, offline.
        own.enable()
        notebook.prepare(is_run=bool(settings.environment.get("TIDINGS_BUILD")))
        return cls(settings, context, window, how)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, object]:
        """The head of a section: period, comparison, segment, currency, end of the data, and the build."""
        newest = self.context.coverage.until
        until = say("no data yet") if newest is None else label_instant(newest, self.zone)
        facts = {
            say("Rows"): str(self.bound_to),
            say("Segment"): self.segment,
            say("Currency"): self.currency,
            say("As of"): label_instant(self.as_of, self.zone),
            say("Data until"): "" if self.bound_to else until,
            # A page names its build at its end.
            say("Build"): "" if self.settings.environment.get("TIDINGS_RUN") else self.build_id,
            say("Rejected"): "" if self.bound_to else self._rejected(),
            say("Exchange rates"): " ".join(self.context.notes.money),
        }
        known = {name: fact for name, fact in facts.items() if fact}
        return head("", self.window, self.before, known)._repr_mimebundle_()

    def _rejected(self) -> str:
        return "; ".join(rejected_sentences(self.context.warehouse.rejected, self.window))

    @property
    def bound_to(self) -> Rows:
        """The rows to which the book is limited; without columns all."""
        return self.context.warehouse.rows

    @property
    def zone(self) -> Zone:
        """The report's time zone and first weekday."""
        return self.window.zone

    @property
    def calendar(self) -> Calendar:
        """The fiscal year, business days and holidays of the workbook: `business_days`, `holidays_in` take a window."""
        return self.context.calendar

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
        """The id of the build that all results are read from."""
        return self.context.warehouse.build_id

    @property
    def missing_fx(self) -> tuple[str, ...]:
        """Currencies without a rate, whose amounts are left out of sums."""
        return self.context.missing_fx

    @property
    def freshness(self) -> Mapping[str, datetime | None]:
        """Last row at, of every fact table, aware UTC; None for an empty one."""
        tables = self.context.warehouse.tables
        return {name: info.last_row_at for name, info in sorted(tables.items()) if name.startswith("fct_")}

    @property
    def sql(self) -> tuple[str, ...]:
        """Every query run so far, oldest first."""
        return tuple(self.context.sql)

    def within(self, column: str, value: str) -> Book:
        """The same book, further limited to rows with this value in a column.

        Raises:
            UsageError: no mart has such a column, or no row has the value.
        """
        check_term(column, value, self.context.warehouse)
        return Book(self.settings, self.context.within(column, value), self.window, self.compare)

    def rejected(self, feed: str) -> Mapping[str, int]:
        """Number of rejected rows of a feed by source; 0 for sources without any."""
        infos = [info for info in self.context.warehouse.feeds if info.feed == feed]
        return {s: sum(i.rejected for i in infos if i.source == s) for s in dict.fromkeys(i.source for i in infos)}

    def value(self, name: str, window: Window | None = None) -> Value:
        """One metric over the book's or another window, with the window compared with and daily values.

        Raises:
            MetricError: there is no such metric.
        """
        return self.values(name, window=window)[0]

    def values(self, *names: str, window: Window | None = None) -> tuple[Value, ...]:
        """Several metrics as from `value`; those of one mart are read in one pass.

        Raises:
            MetricError: there is no such metric.
        """
        return self._evaluated(names, window)[0]

    def _evaluated(self, names: Sequence[str], window: Window | None) -> tuple[tuple[Value, ...], Course | None]:
        values, course = evaluated(self.context, [get(name) for name in names], window or self.window, self.compare)
        return tuple(replace(value, metric=judged(value.metric, self._thresholds)) for value in values), course

    def explain(self, *names: str, window: Window | None = None) -> tuple[Explanation, ...]:
        """What became of metrics, how unusual that is, and on which days and in which rows most of it lies.

        Raises:
            MetricError: there is no such metric.
        """
        values, course = self._evaluated(names, window)
        return tuple(
            # What happens now has no history.
            Explanation(value, is_known=False, provenance=value.provenance)
            if course is None or value.metric.last_seconds
            else explanation(self.context, value, course.days(get(value.metric.name)))
            for value in values
        )

    def series(
        self, name: str, grain: Unit | None = None, days: int | None = None, window: Window | None = None
    ) -> Series:
        """A metric per calendar period of the window, of the last `days` days or of another window, from its own rows.

        The default `grain` is the day, in long windows week or month, so that a chart is readable (`Window.grain`).

        A period that the window only touches has all its days, and the one still running at `as_of` is included, marked
        incomplete; with a `window` given there are only the periods that it touches.

        Raises:
            MetricError: there is no such metric, or it has no values by period.
            WindowError: `grain` is not day, week, month, quarter or year, `days` is not positive, or both `days` and
                `window` are given.
        """
        metric = get(name)
        if window is not None:
            if days is not None:
                raise WindowError(f"The series of {name} has both `days` ({days}) and a window.", "Give one of them.")
            return self._series(metric, window, grain or window.grain())
        window = self.window if days is None else self.last(days)
        grain = grain or window.grain()
        if window.end_at < self.as_of:
            window = replace(window, end=add_days(window.end, 1))
        return self._series(metric, window, grain)

    def series_before(self, name: str, grain: Unit | None = None) -> Series | None:
        """The series of the window compared with, by the same periods as `series`; None without comparison."""
        if self.before is None:
            return None
        series = self._series(get(name), self.before, grain or self.window.grain())
        return replace(series, provenance=self.context.compared(series.provenance, (self.window, self.before)))

    def _series(self, metric: Metric, window: Window, grain: Unit) -> Series:
        course = over_periods(self.context, [metric], window, grain)
        points = course.points(metric)
        why = "" if any(point.value is not None for point in points) else why_unknown(self.context, metric, window)
        return Series(
            judged(metric, self._thresholds),
            self.unit(metric),
            grain,
            points,
            course.provenance(metric),
            why,
            self.annotations,
            self._aims(metric, points),
        )

    def _aims(self, metric: Metric, points: Sequence[Point]) -> tuple[float | None, ...]:
        """What a metric should have by period; nothing of a segment, or in a currency that is not the settings'."""
        held = [one for one in self._targets if one.metric == metric.name]
        is_other_money = metric.unit == "money" and self.currency != self.settings.currency
        if not held or self.segment or is_other_money:
            return ()
        return tuple(target_of(held, point.period, adds_up=metric.kind == "flow") for point in points)

    def thresholds(self, name: str) -> Thresholds | None:
        """The last good value and the last warning of a metric, those of the settings before ours; None without.

        Raises:
            MetricError: there is no such metric.
        """
        return judged(get(name), self._thresholds).thresholds

    def last(self, days: int) -> Window:
        """The last `days` days up to the end of the book's window.

        Raises:
            WindowError: `days` is less than 1.
        """
        Window.last(days, self.as_of, self.zone)
        return replace(self.window, start=add_days(self.window.end, -days))

    def between(self, first: date | str, last: date | str) -> Window:
        """The window of local days from `first` to `last`, both included.

        Raises:
            WindowError: a date cannot be read, or `first` is after `last`.
        """
        return Window.between(as_date(first), as_date(last), self.as_of, self.zone)

    def fiscal_year(self, day: date | str | None = None) -> Window:
        """The whole fiscal year that holds a day, by default the last one of the book's window; the rest is to come.

        Raises:
            WindowError: the date cannot be read.
        """
        return self._fiscal("year", day)

    def fiscal_quarter(self, day: date | str | None = None) -> Window:
        """The whole quarter of the fiscal year that holds a day, as `fiscal_year`.

        Raises:
            WindowError: the date cannot be read.
        """
        return self._fiscal("quarter", day)

    def fiscal_year_to_date(self) -> Window:
        """The fiscal year up to the last day of the book's window that was complete at `as_of`."""
        return self.calendar.fiscal_to_date(self.window, "year")[0]

    def fiscal_quarter_to_date(self) -> Window:
        """The quarter of the fiscal year up to the last day of the book's window that was complete at `as_of`."""
        return self.calendar.fiscal_to_date(self.window, "quarter")[0]

    def _fiscal(self, unit: FiscalUnit, day: date | str | None) -> Window:
        return self.calendar.fiscal_window(self.window.last_day if day is None else as_date(day), self.as_of, unit)

    @property
    def metrics(self) -> Listing:
        """All metrics by name: title, unit, kind and definition; `book.metrics["orders"]` is one."""
        return metrics_listing()

    @property
    def tables(self) -> Listing:
        """All tables of the build by name: grain, rows, last row at; `book.tables["fct_orders"]` is one."""
        return tables_listing(self.context.warehouse)

    def funnel(
        self,
        steps: Sequence[str | Step],
        *,
        order: Order = "ordered",
        window: float | None = None,
        exclusions: Sequence[Exclusion] = (),
        breakdown: str | None = None,
        over: Window | None = None,
        by: str = "user_id",
    ) -> FunnelResult:
        """A funnel over the events of the book's window, or of the window `over` (metric definitions 1).

        `window` is in seconds (14 days); `breakdown` is a column of fct_events; `by` is `user_id` or `visitor_id`.

        Raises:
            UsageError: an event or a column does not exist.
            MetricError: the funnel is not possible.
        """
        asked = Asked(self.context, over or self.window)
        return funnel(asked, steps, order=order, window=window, exclusions=exclusions, breakdown=breakdown, by=by)

    def retention(
        self,
        target: str | None = None,
        return_event: str | None = None,
        *,
        period: Grain = "week",
        type: Type = "recurring",
        mode: Mode = "on",
        over: Window | None = None,
        by: str = "user_id",
    ) -> RetentionResult:
        """Users with a target event in a period who had a return event in later ones (metric definitions 2).

        Without a name any event counts. The periods are those that the book's window, or `over`, touches.

        Raises:
            UsageError: an event or a column does not exist.
            MetricError: `period`, `type` or `mode` is not known.
        """
        asked = Asked(self.context, over or self.window)
        return retention(asked, target, return_event, period=period, type=type, mode=mode, by=by)

    def lifecycle(self, period: Unit = "week", *, over: Window | None = None, by: str = "user_id") -> Result:
        """New, returning, resurrecting and dormant users, one row per period of the window (metric definitions 3.1).

        Raises:
            UsageError: `by` is not `user_id` or `visitor_id`.
            WindowError: `period` is not known.
        """
        return lifecycle(Asked(self.context, over or self.window), period, by=by)

    def rfm(self) -> Result:
        """Customers by recency, frequency and money, one row each, of the history before `as_of` (definitions 10)."""
        return rfm(Asked(self.context, self.window))

    def compares(self, mart: str) -> bool:
        """Whether the window and the one before have the same coverage in all sources of a mart (C14)."""
        if self.before is None:
            return False
        now, then = (self.window.start, self.window.end), (self.before.start, self.before.end)
        coverage = self.context.coverage
        return coverage.same_coverage(coverage.of_mart(mart), now, then)

    def results(self, name: str) -> bool:
        """Whether some source fills what a metric needs.

        Raises:
            MetricError: there is no such metric.
        """
        return all(self.context.coverage.answerable([leaf]) for leaf in leaves(get(name)))

    def covers(self, mart: str) -> bool:
        """Whether a source of a mart covers a day of the window, so that no rows mean 0."""
        coverage = self.context.coverage
        return coverage.extent(coverage.of_mart(mart), self.window.start, self.window.end) != "none"

    def split(self, name: str, by: str, top: int = 12, window: Window | None = None) -> Result:
        """A metric by a column of its mart: the total, the `top` largest groups, then the others from their own rows.

        Columns: `by`, the metric, `before` and `change` against the window before, then `share` of the total for what
        can be counted and `rows` for ratios and percentiles.

        Raises:
            MetricError: there is no such metric.
            UsageError: a mart of the metric has no such column.
        """
        metric = get(name)
        over = window or self.window
        result = breakdown_result(self.context, metric, by, top, over, over.compare(self.compare), self.unit(metric))
        names = [str(row[0]) for row in result.rows]
        keys = [None if is_together(name) else {by: name} for name in names]
        return self.leading(over).of_metric(result, metric, keys)

    def leading(self, window: Window | None = None) -> Leading:
        """What leads from results to the rows behind them in the run of a report, over the book's or another window."""
        return Leading(self.context, self.settings, window or self.window)

    def largest(self, name: str, window: Window | None = None, most: int | None = None) -> Result:
        """The rows behind a metric, of its first input if it is made of others, the largest first, all or at most some.

        What each row adds to the metric in its unit comes first, if that differs. Personal columns, keys and columns
        without any value are left out.

        Raises:
            MetricError: there is no such metric.
        """
        metric = get(name)
        (found,) = largest(self.context, of_metric(self.context, metric, window or self.window), most=most)
        if found is None:
            raise MetricError(f"{metric.title} ({name}) has no rows that can be shown.", "Ask for another metric.")
        title = f"{formats.plural(found.total, 'row')} behind {metric.title}"
        origin = self.context.provenance_of([metric], self.sql[-1:], found.total, window or self.window)
        return Result(title, found.fields, found.rows, origin)

    def to_date(self, name: str, window: Window | None = None) -> Result:
        """A metric for the week and the month so far, each against the same days of the one before.

        Both end with the last day of the window that was complete at `as_of`.

        Raises:
            MetricError: there is no such metric.
        """
        metric = get(name)
        return to_date_result(self.context, metric, window or self.window, self.unit(metric))

    def mart(self, name: str) -> ir.Table:
        """A table as metrics read it: rows before `as_of`, in the segment, with `local_ts` and, for money, `fx`.

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
            UsageError: it is computed from other metrics, each with its own rows.
        """
        return rows_behind(self.context, get(name), window or self.window)

    def raw(self, feed: str, rows: ir.Table, limit: int = 100) -> ir.Table:
        """The landed rows behind rows of a mart, with the raw record in `_record`, and the file.

        Raises:
            UsageError: there is no such feed, or the rows lack the columns to trace them.
        """
        return raw_rows(self.context, self.settings.raw, feed, rows, limit)

    def ask(self, title: str, fields: Sequence[Field], expression: ir.Table) -> Result:
        """The result of an Ibis table; `fields` name the columns to show, with title and unit.

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
        money = any(field.unit == "money" for field in fields)
        found = self.query(shown, money=money)
        units = tuple(replace(f, unit=self.currency) if f.unit == "money" else f for f in fields)
        rows = tuple(tuple(row[field.name] for field in fields) for row in found.rows)
        return Result(title, units, rows, found.provenance)

    def query(self, expression: ir.Expr, *, money: bool = False) -> QueryResult:
        """Rows of an expression with their provenance; with `money` they contain amounts in `currency`."""
        return self.context.query(expression, money=money)

    def unit(self, metric: Metric) -> str:
        """The unit printed after a metric's value, for money the report's currency."""
        return self.context.unit(metric)


def _lay_alerts(settings: Settings, warehouse: Warehouse) -> None:
    """Show the alerts of the ledger as `fct_alerts`: in a run those known when it began, so that all pages agree."""
    events = AlertLog(settings.ledger).seen_by(settings.environment.get("TIDINGS_RUN", ""))
    # Their days are those of the workbook, whatever zone a report has.
    zone = Zone(settings.timezone, settings.week_start)
    days = evaluated_days(events)
    covers = None if days is None else (zone.first_instant(days[0]), zone.first_instant(add_days(days[1], 1)))
    warehouse.lay_over("fct_alerts", alert_table(events, zone), "alerts.toml", covers)


def comparison(text: str) -> Comparison:
    """A comparison by its name.

    Raises:
        UsageError: it is not known.
    """
    if text not in get_args(Comparison):
        raise UsageError(f"The comparison '{text}' is not known.", suggest(text, get_args(Comparison)))
    return cast(Comparison, text)


def _check_types(days: object, **texts: object) -> None:
    """papermill guesses the types of parameters: `abc` is text, `2026` a number."""
    if days is not None and (not isinstance(days, int) or isinstance(days, bool)):
        raise UsageError(f"days must be a whole number, not {days!r}.", "Give it as in days=28.")
    for name, text in texts.items():
        if not isinstance(text, str):
            raise UsageError(f"{name} must be text, not {text!r}.", f'Write it in quotes, as in {name}="...".')


def _by_dates(usual: Window, first: date | str, last: date | str, days: int | None) -> Window:
    """The window from `first` to `last`, both included; see `Book.open` for one of them alone."""
    if first and last and days is not None:
        raise WindowError(
            f"The window has both its dates, {first} to {last}, and a length of {days} days.",
            "Leave out one of the three.",
        )
    if first and last:
        return Window.between(as_date(first), as_date(last), usual.as_of, usual.zone)
    if last:
        end = add_days(as_date(last), 1)
        return replace(usual, start=add_days(end, -usual.days), end=end)
    start = as_date(first)
    return replace(usual, start=start, end=usual.end if days is None else add_days(start, days))
