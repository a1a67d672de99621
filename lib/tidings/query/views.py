"""Prepared views: the rows of each mart that a report may see, created once and read by name.

They are temporary views of the connection, which a read-only build allows (docs/decisions/0016).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import cached_property

import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir

from tidings.models.graph import MARTS, known_models
from tidings.models.model import AsOf, Model
from tidings.platform_metrics import DIMENSIONS
from tidings.query.coverage import Coverage
from tidings.query.rates import Rates
from tidings.warehouse.reader import Warehouse
from tidings.window import Window, Zone, as_utc, literal

_HOUR_S = 3600
_ANY_TIME = AsOf()


class Views:
    """The marts of a build as of one instant, in one time zone and currency, by the rules of their models."""

    def __init__(self, warehouse: Warehouse, zone: Zone, as_of: datetime, exchange: Rates, coverage: Coverage) -> None:
        self._warehouse = warehouse
        self._zone = zone
        self._as_of = as_of
        self._exchange = exchange
        self._coverage = coverage
        self._tables: dict[str, ir.Table] = {}
        self._views: dict[tuple[str, frozenset[str]], ir.Table] = {}
        self._read: dict[str, tuple[str, ...]] = {}
        self._first: dict[str, datetime | None] = {}
        self._held: dict[str, frozenset[str]] = {}

    def table(self, name: str) -> ir.Table:
        """A table of the warehouse as it is.

        Raises:
            WarehouseError: there is no such table.
        """
        # Cached, since every metric needs the columns of a table and the engine is slow to give them.
        if name not in self._tables:
            self._tables[name] = self._warehouse.table(name)
        return self._tables[name]

    def of(self, name: str, needed: Iterable[str] = ()) -> ir.Table:
        """The prepared view of a table; the table itself if it has neither a time nor a currency.

        Platform metrics have one view per set of dimensions among the columns `needed`.
        """
        rule = self._as_of_rule(name)
        split = frozenset(needed) & frozenset(DIMENSIONS) if rule.unit == "day" else frozenset()
        if (name, split) not in self._views:
            table = self.table(name)
            if "ts" in table.columns or "currency" in table.columns:
                view = "_".join([name, "visible", *(["by", *sorted(split)] if split else [])])
                prepared = self._prepared(name, rule, split)
                table = self._warehouse.view(view, prepared)
                self._read[table.get_name()] = self.tables_in(prepared)
            self._views[name, split] = table
        return self._views[name, split]

    def tables_in(self, expression: ir.Expr) -> tuple[str, ...]:
        """The tables that an expression reads, directly or through a prepared view, sorted."""
        names = (node.name for node in expression.op().find(ops.DatabaseTable))
        return tuple(sorted({table for name in names for table in self._read.get(name, (name,))}))

    def currencies(self, name: str) -> frozenset[str]:
        """Currencies of the rows of a table before `as_of`."""
        if name not in self._held:
            table = self.table(name)
            if "ts" in table.columns:
                table = table.filter(table.ts < literal(self._as_of))
            found = self._warehouse.query(table.filter(table.currency.notnull()).select("currency").distinct())
            self._held[name] = frozenset(found.column(0).to_pylist())
        return self._held[name]

    @cached_property
    def held(self) -> frozenset[str]:
        """Currencies of all amounts before `as_of`."""
        marts = [name for name, model in self._models.items() if model.money and name in self._warehouse.tables]
        return frozenset(code for name in marts for code in self.currencies(name))

    @cached_property
    def _models(self) -> dict[str, Model]:
        return {model.name: model for model in known_models(MARTS)}

    def _as_of_rule(self, name: str) -> AsOf:
        return self._models[name].as_of if name in self._models else _ANY_TIME

    def _prepared(self, name: str, rule: AsOf, split: frozenset[str]) -> ir.Table:
        rows = self._visible(name, rule, split)
        added: dict[str, ir.Value] = {}
        if "currency" in rows.columns:
            added["fx"] = self._exchange.of(rows.currency, self.currencies(name))
        if "ts" in rows.columns:
            added["local_ts"] = self._zone.local(rows.ts, self._first_ts(name) or self._as_of, self._as_of)
        return rows.mutate(**added)

    def _visible(self, name: str, rule: AsOf, split: frozenset[str]) -> ir.Table:
        if rule.unit == "day":
            return self._days(name, split)
        if rule.function is not None and self._is_split(name, rule):
            return rule.function(**{read: self._before(read) for read in rule.reads})
        return self._before(name)

    def _before(self, name: str) -> ir.Table:
        table = self.table(name)
        return table.filter(table.ts < literal(self._as_of)) if "ts" in table.columns else table

    def _is_split(self, name: str, rule: AsOf) -> bool:
        """Whether `as_of` or the start of a local day splits what a row of a table aggregates."""
        if rule.unit == "hour":
            return not self._hours_fit(name)
        newest = [self._warehouse.last_row_at(read) for read in rule.reads if read != name]
        return any(last is not None and last >= self._as_of for last in newest)

    def _hours_fit(self, name: str) -> bool:
        """Whether each UTC hour lies inside one local day and on one side of `as_of`."""
        first = self._first_ts(name)
        if first is None:
            return True
        if self._as_of.timestamp() % _HOUR_S:
            return False
        window = Window.between(self._zone.day_of(first), self._zone.day_of(self._as_of), self._as_of, self._zone)
        return all(
            self._zone.first_instant(period.start).timestamp() % _HOUR_S == 0 for period in window.periods("month", 1)
        )

    def _days(self, name: str, split: frozenset[str]) -> ir.Table:
        """Platform metrics of complete days, each taken as the report's own day."""
        rows = self.table(name)
        today = self._zone.day_of(self._as_of)
        rows = self._coverage.of(rows.filter(rows.day < ibis.literal(today)), split)
        if self._models[name].money == "day":
            rows = self._exchange.of_days(rows, self.currencies(name))
        first = self._first_ts(name) or self._as_of
        return rows.mutate(ts=self._zone.first_instants(rows.ts, first.date(), today))

    def _first_ts(self, name: str) -> datetime | None:
        if name not in self._first:
            first = self._warehouse.query(self.table(name).ts.min()).column(0)[0].as_py()
            self._first[name] = None if first is None else as_utc(first)
        return self._first[name]
