"""The lens: a build as one report sees it, through its as_of, time zone, currency and segment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir
import pyarrow as pa

from tidings.errors import UsageError, suggest
from tidings.metrics.metric import Condition, Mark, Metric, Need, Number, Reported
from tidings.metrics.result import Provenance
from tidings.models.marts.orders import money_of_orders
from tidings.platform_metrics import METRIC_DAILY, PLATFORM_METRICS
from tidings.query.aggregate import without_rows
from tidings.query.coverage import Coverage
from tidings.query.rates import NAMED_DAYS, Rates, old_rate
from tidings.query.segment import Segment
from tidings.warehouse.reader import Warehouse
from tidings.window import Window, Zone, as_utc, literal

_HOUR_S = 3600
_SHOWN_NAMES = 8
_MONEY_MARTS = ("fct_transactions", "fct_requests", METRIC_DAILY)


class QueryContext:
    """Prepared marts of one build, the queries run on them, and what there is to say of their origin.

    `as_of` is aware UTC; `currency` is what money is converted to at one rate per currency (metric definitions 6.1);
    `rates_file` is how the file of exchange rates is called.
    """

    def __init__(
        self,
        warehouse: Warehouse,
        zone: Zone,
        as_of: datetime,
        currency: str,
        segment: Segment,
        rates_file: str = "",
    ) -> None:
        self.warehouse = warehouse
        self.zone = zone
        self.as_of = as_utc(as_of)
        self.currency = currency
        self.segment = segment
        self.exchange = Rates(warehouse, currency, Window.last(1, self.as_of, zone).start, rates_file)
        self.sql: list[str] = []
        self._tables: dict[str, ir.Table] = {}
        self._first: dict[str, datetime | None] = {}
        self._held: dict[str, frozenset[str]] = {}
        self._by: tuple[str, ...] = ()
        self._narrowed: dict[Metric, Metric] = {}
        self._named: dict[Need, str] = {}
        self._notes_on_days: dict[Any, list[str]] = {}

    def within(self, column: str, value: str) -> QueryContext:
        """The same, limited to rows with a value in a column, too; both note their queries in one list."""
        narrower = copy(self)
        narrower.segment = self.segment.within(column, value)
        return narrower

    def split_by(self, column: str) -> QueryContext:
        """The same, platform metrics read from breakdowns that have a column; both note their queries in one list."""
        split = copy(self)
        split._by = (*self._by, column)
        return split

    def query(self, expression: ir.Expr) -> pa.Table:
        """Run an expression and note its SQL."""
        sql = self.warehouse.sql(expression)
        self.sql.append(sql)
        return self.warehouse.run(sql, expression)

    def rows(self, expression: ir.Expr) -> list[dict[str, Any]]:
        """The rows of an expression as plain values."""
        found: list[dict[str, Any]] = self.query(expression).to_pylist()
        return found

    def mart(self, name: str, marks: Iterable[Mark] = (), span: tuple[datetime, datetime] | None = None) -> ir.Table:
        """A table limited to rows before `as_of` and to the segment, with `local_ts`, `fx` and the marks added.

        `local_ts` is the naive local wall clock, exact for timestamps in `span` (by default all); `fx` is the rate to
        the report's currency, null where there is none; marks hold on rows of the whole history before `as_of`.
        `fct_metric_daily` is limited to one breakdown per source and metric (`coverage.py`); its days count as the
        report's own, and `fx_of_day` is the rate of the row's day.
        """
        table = self._visible(name)
        for mark in marks:
            other = self._visible(mark.mart)
            keys = other.filter(mark.where(other), other[mark.key].notnull())
            table = table.mutate(**{mark.name: table[mark.key].isin(keys[mark.key])})
        table = self.segment.of(table)
        added: dict[str, ir.Value] = {}
        if "currency" in table.columns:
            added["fx"] = self.exchange.of(table.currency, self.currencies(name))
        if "ts" in table.columns:
            start, end = span or (self._first_ts(name) or self.as_of, self.as_of)
            added["local_ts"] = self.zone.local(table.ts, start, end)
        return table.mutate(**added)

    def table(self, name: str) -> ir.Table:
        """A table of the warehouse as it is.

        Raises:
            WarehouseError: there is no such table.
        """
        # The engine is asked for the columns of a table once only, as every figure needs some.
        if name not in self._tables:
            self._tables[name] = self.warehouse.table(name)
        return self._tables[name]

    def _visible(self, name: str) -> ir.Table:
        if name == "fct_user_hours" and not self._hours_fit:
            return self._user_hits()
        if name == METRIC_DAILY:
            return self._platform_metrics()
        table = self.table(name)
        if name == "fct_orders":
            table = self._with_money_so_far(table)
        return table.filter(table.ts < literal(self.as_of)) if "ts" in table.columns else table

    @cached_property
    def coverage(self) -> Coverage:
        """What the sources cover of the days before `as_of`."""
        feeds = {name: info.feeds for name, info in self.warehouse.tables.items()}
        return Coverage(self.warehouse.coverage, self.warehouse.filled, feeds, self.zone, self.as_of)

    @property
    def needed(self) -> tuple[str, ...]:
        """The columns by which figures have to be told."""
        return (*self._by, *(column for column, _ in self.segment.terms))

    def without_rows(self, metric: Metric, start: date, end: date) -> Number:
        """The value of a metric over no rows of these days: as C11 says, and unknown where no source covers them."""
        covers = self.coverage.behind(metric, self.needed)
        if metric.last_seconds:
            # What happens now is known by those only whose data reach up to now.
            return without_rows(metric) if any(each.until >= self.as_of for each in covers) else None
        return None if self.coverage.extent(covers, start, end) == "none" else without_rows(metric)

    def answerable(self, metrics: Iterable[Metric]) -> list[Metric]:
        """Metrics that read marts, each limited to the sources that fill what it needs, if any does."""
        found = []
        for metric in metrics:
            lacking = sorted(self.coverage.lacking(metric))
            if lacking and not self.coverage.behind(metric):
                continue
            if lacking and metric not in self._narrowed:
                self._narrowed[metric] = replace(metric, where=_not_from(lacking, metric.where))
            found.append(self._narrowed.get(metric, metric))
        return found

    def why_unknown(self, metrics: Iterable[Metric], start: date, end: date) -> str:
        """Why metrics that read marts are not known for the days from `start` to before `end`: a clause, or ""."""
        for metric in metrics:
            if metric.last_seconds and self.coverage.behind(metric):
                return f"the data do not reach up to {self.as_of.astimezone(self.zone.info):%Y-%m-%d %H:%M}"
            why = self.coverage.why_unknown(metric, start, end, self.needed)
            if why:
                return why
        return ""

    def _no_such_events(self, metrics: Iterable[Metric]) -> list[str]:
        """That none of the events has a name that metrics need, which names there are, and which look like it."""
        needs = [
            need
            for metric in metrics
            for need in self.coverage.lacking(metric).values()
            if need.value and not self.coverage.behind(metric)
        ]
        return [self._no_such_event(need) for need in dict.fromkeys(needs)]

    def _no_such_event(self, need: Need) -> str:
        if need not in self._named:
            self._named[need] = self._names_beside(need)
        return self._named[need]

    def _names_beside(self, need: Need) -> str:
        hits = self._visible(need.table)
        counted = hits.group_by("event").aggregate(times=hits.count()).order_by(ibis.desc("times"), "event")
        names = {row["event"]: row["times"] for row in self.warehouse.query(counted).to_pylist()}
        near = [name for name in names if need.value in _letters(name) or _letters(name) in ("screenview", "view")]
        shown = ", ".join(list(names)[:_SHOWN_NAMES]) + (", …" if len(names) > _SHOWN_NAMES else "")
        written = ", ".join(f'"{name}"' for name in near or ["…"])
        return (
            f"None of {sum(names.values()):,} events is called {need.value}; there are {shown}. Say which of them are "
            f"page views: {need.value} = [{written}] in the table of the source."
        )

    def _platform_metrics(self) -> ir.Table:
        """Figures of whole days, each day beginning where the report's day does."""
        rows = self.table(METRIC_DAILY)
        today = self.zone.day_of(self.as_of)
        rows = rows.filter(rows.day < ibis.literal(today))
        rows = self.coverage.of(rows, self.needed)
        rows = self.exchange.of_days(rows, self.currencies(METRIC_DAILY))
        first = self._first_ts(METRIC_DAILY) or self.as_of
        return rows.mutate(ts=self.zone.first_instants(rows.ts, first.date(), today))

    @cached_property
    def _hours_fit(self) -> bool:
        """True where a UTC hour lies inside one local day and on one side of `as_of`."""
        first = self._first_ts("fct_user_hours")
        if first is None:
            return True
        if self.as_of.timestamp() % _HOUR_S:
            return False
        window = Window.between(self.zone.day_of(first), self.zone.day_of(self.as_of), self.as_of, self.zone)
        return all(
            self.zone.first_instant(period.start).timestamp() % _HOUR_S == 0 for period in window.periods("month", 1)
        )

    def _user_hits(self) -> ir.Table:
        hits = self.table("fct_events")
        hits = hits.filter(hits.ts < literal(self.as_of), hits.user_id.notnull(), ~hits.is_bot)
        return hits.select("user_id", "ts", "country", "device")

    def _with_money_so_far(self, orders: ir.Table) -> ir.Table:
        """Orders with what had been charged and had come back before `as_of`: what is later is not known yet (C12)."""
        newest = self.warehouse.last_row_at("fct_transactions")
        if newest is None or newest < self.as_of:
            return orders
        moves = self.table("fct_transactions")
        moves = moves.filter(moves.status == "succeeded", moves.ts < literal(self.as_of))
        return money_of_orders(orders, moves)

    def _first_ts(self, name: str) -> datetime | None:
        if name not in self._first:
            table = self.table(name)
            first = self.warehouse.query(table.ts.min()).column(0)[0].as_py()
            self._first[name] = None if first is None else as_utc(first)
        return self._first[name]

    @property
    def rates(self) -> Mapping[str, Decimal]:
        """What one unit of each currency is worth in the report's at the fixing of the last whole day (6.1)."""
        return self.exchange.worth

    def currencies(self, mart: str) -> frozenset[str]:
        """Currencies of the rows of a mart before `as_of`."""
        if mart not in self._held:
            table = self.table(mart)
            known = table.filter(table.ts < literal(self.as_of), table.currency.notnull())
            found = self.warehouse.query(known.select("currency").distinct()).column(0).to_pylist()
            self._held[mart] = frozenset(found)
        return self._held[mart]

    @cached_property
    def held(self) -> frozenset[str]:
        """Currencies of all amounts before `as_of`."""
        return frozenset(code for mart in _MONEY_MARTS for code in self.currencies(mart))

    @cached_property
    def missing_fx(self) -> tuple[str, ...]:
        """Currencies that occur and have no rate; their rows are in no sum of money (6.1)."""
        return tuple(sorted(self.held - set(self.rates)))

    @cached_property
    def money_notes(self) -> tuple[str, ...]:
        """What is to be known of every sum of money: what is in none for lack of a rate, and which rates are old."""
        return tuple(filter(None, (self.exchange.left_out(self.held), self.exchange.aged(self.held))))

    def check_currency(self, usual: str) -> None:
        """Refuse a currency that nobody knows; the `usual` one is known, whether it has rates or not.

        Raises:
            UsageError: there never was a rate for it, and there is no row in it.
        """
        known = self.held | set(self.exchange.known) | {usual}
        if self.held and self.currency not in known:
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
        """Where an answer comes from: its SQL, the freshness of the tables behind it, the build, what to know.

        `metrics` are those that read marts of which it is made, and `window` the days that it is about.
        """
        names = tuple(dict.fromkeys(tables))
        notes = [note for name in names for note in self.segment.lacking(name, self.table(name))]
        reported = [metric.where for metric in metrics if isinstance(metric.where, Reported)]
        if metrics and window is not None:
            notes += self.coverage.notes(metrics, self.needed, window.start, window.end)
            notes += self._no_such_events(metrics)
            if money:
                notes += self._rates_of_days(reported, window)
        if money and not (reported and all(_moved(each) for each in reported)):
            notes += self.money_notes
        return Provenance(
            tuple(dict.fromkeys(sql)),
            {name: self._fresh(name) for name in names},
            self.warehouse.build_id,
            rows,
            tuple(dict.fromkeys(notes)),
        )

    def _rates_of_days(self, reported: Sequence[Reported], window: Window) -> list[str]:
        """What is to be known of the rates of days, by which flows are converted: days without one, and old ones."""
        flows = tuple(each for each in reported if _moved(each))
        key = flows, self.needed, window
        if flows and key not in self._notes_on_days:
            rows = self._platform_metrics()
            inside = rows.day.between(ibis.literal(window.start), ibis.literal(window.last_day))
            rows = rows.filter(ibis.or_(*(each(rows) for each in flows)), inside, rows.currency.notnull())
            age = rows.day.delta(rows.fixed_on, unit="day")
            rated = rows.group_by("currency").aggregate(
                without=rows.count(where=rows.fx_of_day.isnull()), age=age.max(), fixed_on=rows.fixed_on.argmax(age)
            )
            found = sorted(self.warehouse.query(rated).to_pylist(), key=lambda row: row["currency"])
            codes = [row["currency"] for row in found if row["without"]]
            notes = [self.exchange.left_out_of_days(codes)] if codes else []
            old = [row for row in found if row["age"] is not None and row["age"] > NAMED_DAYS]
            notes += [old_rate([row["currency"]], row["fixed_on"], row["age"]) for row in old]
            self._notes_on_days[key] = notes
        return self._notes_on_days.get(key, [])

    def _fresh(self, name: str) -> str:
        until = self.warehouse.last_row_at(name)
        return "without a time" if until is None else f"fresh until {until:%Y-%m-%d %H:%M} UTC"


def _moved(reported: Reported) -> bool:
    """True for what moved on a day and is converted at its rate, not a level."""
    return all(PLATFORM_METRICS[metric].kind == "flow" for metric in reported.metrics)


def tables_in(expression: ir.Expr) -> tuple[str, ...]:
    """The tables that an expression reads, sorted."""
    return tuple(sorted({node.name for node in expression.op().find(ops.DatabaseTable)}))


def _letters(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _not_from(sources: Sequence[str], where: Condition | None) -> Condition:
    def holds(rows: ir.Table) -> ir.BooleanValue:
        # Where a mart has no source, it has no rows either that lack what is needed.
        others = rows["_source"].notin(sources) if "_source" in rows.columns else ibis.literal(True)
        return others if where is None else others & where(rows)

    return holds
