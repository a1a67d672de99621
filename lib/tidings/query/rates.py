"""What money is converted at: one rate per currency for a whole report, or that of each day; and how old a rate is."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import cached_property
from typing import Any, cast

import ibis
import ibis.expr.types as ir

from tidings.warehouse.reader import Warehouse
from tidings.window import label_days

NAMED_DAYS = 7
"""A rate that is older than this on the day that it is used for is used, and named (metric definitions 7)."""
EURO = "EUR"
_FIXINGS = "dim_fx"
_DIGITS = 20
_LEAST_PLACES = 8
_EXACT = Context(prec=50)


@dataclass(frozen=True)
class Fixing:
    """Units of a currency for one euro, and the day on which that was fixed."""

    per_euro: Decimal
    day: date


class Rates:
    """The rates of a build as a report in one currency sees them, at the last whole day before it.

    `file` is how the file of rates is called in sentences, empty where there is none.
    """

    def __init__(self, warehouse: Warehouse, currency: str, day: date, file: str) -> None:
        self._warehouse = warehouse
        self._currency = currency
        self._day = day
        self._file = file

    @cached_property
    def worth(self) -> Mapping[str, Decimal]:
        """What one unit of each currency is worth in the report's: one rate for all, so that none makes a movement."""
        own = {self._currency: Decimal(1)}
        if self._currency not in self._in_force:
            return own
        here = self._in_force[self._currency].per_euro
        found = {code: _EXACT.divide(here, fixing.per_euro) for code, fixing in self._in_force.items()}
        return dict(sorted((found | own).items()))

    @cached_property
    def known(self) -> Mapping[str, tuple[date, date]]:
        """The currencies that have a rate at any time, with the first and the last day on which one was fixed."""
        if _FIXINGS not in self._warehouse.tables:
            return {}
        table = self._warehouse.table(_FIXINGS)
        spans = table.group_by("currency").aggregate(first=table.day.min(), last=table.day.max())
        return {row["currency"]: (row["first"], row["last"]) for row in self._rows(spans)}

    def of(self, currency: ir.StringValue, held: Collection[str]) -> ir.DecimalValue:
        """The rate to the report's currency, null where there is none; `held` are the currencies that occur."""
        worth = {code: self.worth[code] for code in sorted(held) if code in self.worth}
        if not worth:
            return cast(ir.DecimalValue, ibis.null(rate_type(Decimal(1))))
        type_ = rate_type(max(worth.values()))
        branches = [(currency == code, exactly(rate, type_)) for code, rate in worth.items()]
        return cast(ir.DecimalValue, ibis.cases(*branches, else_=ibis.null(type_)))

    def of_days(self, rows: ir.Table, held: Collection[str]) -> ir.Table:
        """Figures with `fx_of_day`, the rate of their day to the report's currency, and `fixed_on`, the day it is of.

        The quotient is of floats: sixteen digits are right, which is a cent in ten trillion.
        """
        if self._currency == EURO:
            here, fixed = ibis.literal(1.0), ibis.ifelse(rows.currency == EURO, rows.day, rows.fixed_on)
        else:
            fixings = self._warehouse.table(_FIXINGS)
            fixings = fixings.filter(fixings.currency == self._currency)
            fixings = fixings.select("until", here_on="day", here=fixings.rate.cast("float64"))
            held_then = [rows.day >= fixings.here_on, fixings.until.isnull() | (rows.day < fixings.until)]
            rows = rows.left_join(fixings, held_then).drop("until")
            here = rows.here
            fixed = ibis.ifelse(rows.currency == EURO, rows.here_on, ibis.least(rows.fixed_on, rows.here_on))
        rate = here / rows.per_euro.cast("float64")
        own = rows.currency == self._currency
        type_ = rate_type(self._largest_of_days(held))
        rows = rows.mutate(
            fx_of_day=ibis.ifelse(own, ibis.literal(1.0), rate).cast(type_),
            fixed_on=ibis.ifelse(own, rows.day, fixed),
        )
        return rows.drop("here", "here_on") if "here" in rows.columns else rows

    def _largest_of_days(self, held: Collection[str]) -> Decimal:
        """No rate of any day is above this."""
        if _FIXINGS not in self._warehouse.tables:
            return Decimal(1)
        table = self._warehouse.table(_FIXINGS)
        of_rows = table.currency.isin(sorted({EURO, *held}))
        (found,) = self._rows(
            table.aggregate(
                most=table.rate.max(where=table.currency == self._currency), least=table.rate.min(where=of_rows)
            )
        )
        if found["most"] is None or found["least"] is None:
            return Decimal(1)
        return max(Decimal(1), _EXACT.divide(found["most"], found["least"]))

    def left_out(self, held: Collection[str]) -> str:
        """Which of these currencies have no rate and what the file of rates has of them; empty where all have one."""
        lacking = [code for code in sorted(held) if code not in self.worth]
        if not lacking:
            return ""
        said = f"Amounts in {', '.join(lacking)} are left out: there is no exchange rate"
        if not self._file:
            return f'{said}, as no file of rates is named. Set currency = "{lacking[0]}" or `fx` in [tool.tidings].'
        # Without a rate of its own nothing else can be converted into the report's currency.
        asked = lacking if self._currency in self._in_force else [self._currency]
        return f"{said} for {self._day}. {self._has(asked)}"

    def left_out_of_days(self, codes: Collection[str]) -> str:
        """That amounts of days are left out, as these currencies or the report's own had no rate then."""
        said = f"Amounts in {', '.join(codes)} of days without an exchange rate are left out."
        return f"{said} {self._has(sorted({*codes, self._currency} - {EURO}))}" if self._file else said

    def _has(self, codes: Collection[str]) -> str:
        """From when to when the file has rates for some currencies."""
        spans: dict[tuple[date, date] | None, list[str]] = {}
        for code in codes:
            spans.setdefault(self.known.get(code), []).append(code)
        has = [f"rates for {', '.join(codes)} from {span[0]} to {span[1]}" for span, codes in spans.items() if span]
        has += [f"none for {', '.join(spans[None])}"] if None in spans else []
        return f"{self._file} has {' and '.join(has)}."

    def aged(self, held: Collection[str]) -> str:
        """Which of these currencies are converted at a rate that is older than a week; empty where none is."""
        own = self._in_force.get(self._currency)
        by_day: dict[date, list[str]] = {}
        for code in sorted(set(held) & set(self.worth) - {self._currency}):
            days = [f.day for c, f in ((code, self._in_force[code]), (self._currency, own)) if f and c != EURO]
            if (self._day - min(days)).days > NAMED_DAYS:
                by_day.setdefault(min(days), []).append(code)
        return " ".join(old_rate(codes, day, (self._day - day).days) for day, codes in sorted(by_day.items()))

    @cached_property
    def _in_force(self) -> Mapping[str, Fixing]:
        euro = {EURO: Fixing(Decimal(1), self._day)}
        if _FIXINGS not in self._warehouse.tables:
            return euro
        table = self._warehouse.table(_FIXINGS)
        day = ibis.literal(self._day)
        rows = self._rows(table.filter(table.day <= day, table.until.isnull() | (table.until > day)))
        return {row["currency"]: Fixing(row["rate"], row["day"]) for row in rows} | euro

    def _rows(self, table: ir.Table) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._warehouse.query(table).to_pylist()
        return found


def old_rate(codes: Collection[str], day: date, age: int) -> str:
    """That a rate is older than it should be."""
    return f"{', '.join(codes)}: converted at the exchange rate of {label_days(day, day)}, which is {age} days old."


def rate_type(largest: Decimal) -> str:
    """The decimal type for rates up to `largest`: as many decimals as there is room for, as a dong needs them all.

    20 digits, so that times an amount of 18 an engine has 38.
    """
    whole = max(1, (largest * Decimal("1.0001")).adjusted() + 1)
    places = max(_LEAST_PLACES, _DIGITS - whole)
    return f"decimal({max(_DIGITS, whole + places)}, {places})"


def exactly(value: Decimal, type_: str) -> ir.DecimalValue:
    """A decimal as a literal of a decimal type with all the decimals that fit.

    Written as text: a bare number passes through the engine's own guess at its type, or through a float.
    """
    places = int(type_.rpartition(",")[2].rstrip(") "))
    rounded = value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP, context=_EXACT)
    return cast(ir.DecimalValue, ibis.literal(f"{rounded:f}").cast(type_))
