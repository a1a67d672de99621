"""The query context: the build, as_of, time zone, currency and segment of a report's questions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import ibis.expr.types as ir
import pyarrow as pa

from tidings.errors import UsageError, suggest
from tidings.language import say
from tidings.metrics.metric import Mark, Metric, Number
from tidings.metrics.registry import leaves
from tidings.metrics.result import Provenance
from tidings.query.aggregate import without_rows
from tidings.query.coverage import Coverage
from tidings.query.notes import Notes, uneven_holidays
from tidings.query.rates import Rates
from tidings.query.segment import Segment
from tidings.query.views import Views
from tidings.warehouse.reader import Warehouse
from tidings.window import Calendar, Window, Zone, as_utc, label_instant


@dataclass(frozen=True)
class QueryResult:
    """The rows of one query, and their provenance."""

    table: pa.Table
    provenance: Provenance

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows as plain values."""
        found: list[dict[str, Any]] = self.table.to_pylist()
        return found


class QueryContext:
    """Runs queries on the prepared views of one build, and keeps their SQL and provenance.

    `as_of` is aware UTC; `currency` is what money is converted to at one rate per currency (metric definitions 6.1);
    `rates_file` is the name of the file of exchange rates in sentences; `calendar` is the workbook's, without holidays
    if none is given; `sql` has every query run, oldest first.
    """

    def __init__(
        self,
        warehouse: Warehouse,
        zone: Zone,
        as_of: datetime,
        currency: str,
        segment: Segment,
        rates_file: str = "",
        calendar: Calendar | None = None,
    ) -> None:
        self.warehouse = warehouse
        self.calendar = calendar or Calendar(zone)
        self.zone = zone
        self.as_of = as_utc(as_of)
        self.currency = currency
        self.segment = segment
        self.coverage = Coverage(
            warehouse.coverage,
            warehouse.filled,
            warehouse.feeds_of,
            zone,
            self.as_of,
            barred=frozenset(warehouse.barred),
        )
        self.exchange = Rates(warehouse, currency, Window.last(1, self.as_of, zone).start, rates_file)
        self.views = Views(warehouse, zone, self.as_of, self.exchange, self.coverage)
        self.notes = Notes(warehouse, self.coverage, self.views, self.exchange)
        self.sql: list[str] = []
        self._by: tuple[str, ...] = ()

    def within(self, column: str, value: str) -> QueryContext:
        """The same context, further limited to rows with this value in a column; both record queries in one list."""
        narrower = copy(self)
        narrower.segment = self.segment.within(column, value)
        return narrower

    def split_by(self, column: str) -> QueryContext:
        """The same context, platform metrics from breakdowns by this column; both record queries in one list."""
        split = copy(self)
        split._by = (*self._by, column)
        return split

    @property
    def needed(self) -> tuple[str, ...]:
        """The columns that a breakdown of platform metrics must have."""
        return (*self._by, *(column for column, _ in self.segment.terms), *self.warehouse.rows.columns)

    def query(self, expression: ir.Expr, *, money: bool = False) -> QueryResult:
        """Run an expression; `money` says that its rows hold amounts in the report's currency.

        Raises:
            UsageError: it is made from tables of another book, which may have another as_of.
        """
        self.warehouse.require_own(expression)
        sql = self.warehouse.sql(expression)
        self.sql.append(sql)
        table = self.warehouse.run(sql, expression)
        return QueryResult(table, self.provenance([sql], self.views.tables_in(expression), table.num_rows, money=money))

    def rows(self, expression: ir.Expr) -> list[dict[str, Any]]:
        """Run an expression; the rows as plain values."""
        return self.query(expression).rows

    def mart(self, name: str, marks: Iterable[Mark] = ()) -> ir.Table:
        """The prepared view of a table limited to the segment, with the marks added.

        It has the rows before `as_of`, with `local_ts` and `fx`: the naive local wall clock, and the rate to the
        report's currency, null where there is none. Marks hold on rows of the whole history before `as_of`. Platform
        metrics are limited to one breakdown per source and metric (`coverage.py`); their days count as the report's
        own, and `fx_of_day` is the rate of the row's day.
        """
        table = self.views.of(name, self.needed)
        for mark in marks:
            other = self.views.of(mark.mart, self.needed)
            keys = other.filter(mark.where(other), other[mark.key].notnull())
            table = table.mutate(**{mark.name: table[mark.key].isin(keys[mark.key])})
        return self.segment.of(table)

    def table(self, name: str) -> ir.Table:
        """A table of the warehouse as it is.

        Raises:
            WarehouseError: there is no such table.
        """
        return self.views.table(name)

    def described(self, name: str) -> Mapping[str, Mapping[str, Any]]:
        """The columns of a table's contract by name: type, unit, `personal`, `is_key`."""
        columns = self.table("meta_columns")
        rows = self.warehouse.query(columns.filter(columns["table"] == name)).to_pylist()
        return {row["column"]: row for row in rows}

    def without_rows(self, metric: Metric, start: date, end: date) -> Number:
        """The value of a metric without rows on these days: by C11 if a source covers them, else unknown."""
        covers = self.coverage.behind(metric, self.needed)
        if metric.last_seconds:
            # A value of the last seconds is known only to sources whose data reaches up to now.
            return without_rows(metric) if any(each.until >= self.as_of for each in covers) else None
        return None if self.coverage.extent(covers, start, end) == "none" else without_rows(metric)

    @property
    def rates(self) -> Mapping[str, Decimal]:
        """What one unit of each currency is worth in the report's at the last complete day's fixing (6.1)."""
        return self.exchange.worth

    def rates_on(self, day: date) -> Mapping[str, Decimal]:
        """What one unit of each currency was worth in the report's at the last fixing up to a day."""
        return Rates(self.warehouse, self.currency, day, "").worth

    @property
    def missing_fx(self) -> tuple[str, ...]:
        """Currencies that occur and have no rate; their rows are left out of sums of money (6.1)."""
        return tuple(sorted(self.views.held - set(self.rates)))

    def unit(self, metric: Metric) -> str:
        """The unit of a metric's values, for money the report's currency."""
        return self.currency if metric.unit == "money" else metric.unit

    def check_currency(self, usual: str) -> None:
        """Refuse an unknown currency; the `usual` one is accepted with or without rates.

        Raises:
            UsageError: it has no rate on any day and occurs in no row.
        """
        known = self.views.held | set(self.exchange.known) | {usual}
        if self.views.held and self.currency not in known:
            raise UsageError(
                f"There is no exchange rate for the currency '{self.currency}'.",
                f"{suggest(self.currency, known)} Or name a file of rates as `fx` in [tool.tidings].",
            )

    def provenance(
        self,
        sql: Iterable[str],
        tables: Iterable[str],
        rows: int | None = None,
        *,
        money: bool = False,
        metrics: Sequence[Metric] = (),
        window: Window | None = None,
    ) -> Provenance:
        """The provenance of a result: SQL, tables with their last rows, build, notes.

        `metrics` are those that read marts from which it is computed, `window` its days.
        """
        names, queries = tuple(dict.fromkeys(tables)), tuple(dict.fromkeys(sql))
        notes = [note for name in names for note in self.segment.lacking(name, self.table(name))]
        notes += self.notes.of(metrics, self.needed, window, money)
        return Provenance(
            queries,
            {name: self._fresh(name) for name in names},
            self.warehouse.build_id,
            rows,
            tuple(dict.fromkeys(notes)),
            {name: made for query in queries for name, made in self.warehouse.views_in(query).items()},
            self.notes.absent(metrics, names),
        )

    def provenance_of(
        self, metrics: Iterable[Metric], sql: Iterable[str], rows: int | None, window: Window
    ) -> Provenance:
        """The provenance of values of metrics over a window that these queries gave."""
        inputs = [leaf for metric in metrics for leaf in leaves(metric)]
        tables = [name for leaf in inputs for name in (leaf.mart, *(mark.mart for mark in leaf.marks))]
        money = any(leaf.unit == "money" for leaf in inputs)
        return self.provenance(sql, tables, rows, money=money, metrics=inputs, window=window)

    def compared(self, origin: Provenance, *pairs: tuple[Window, Window | None]) -> Provenance:
        """The provenance of values over windows and those before them, with the holidays that make a pair uneven."""
        notes = [note for now, before in pairs if before for note in uneven_holidays(self.calendar, now, before)]
        return replace(origin, notes=tuple(dict.fromkeys((*origin.notes, *notes))))

    def _fresh(self, name: str) -> str:
        until = self.warehouse.last_row_at(name)
        if until is None:
            return say("without a time") if self.warehouse.tables[name].rows else say("no rows")
        return say("last row at {time}", time=label_instant(until, self.zone))
