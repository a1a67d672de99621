"""Exchange rates: one per currency for a whole report, or that of each day; and notes on missing and old ones."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import cached_property
from typing import Any, cast

import ibis
import ibis.expr.types as ir

from tidings.language import say
from tidings.warehouse.reader import Warehouse
from tidings.window import label_days

NAMED_DAYS = 7
"""A rate older than this on the day for which it is used is still used, with a note (metric definitions 7)."""
EURO = "EUR"
_FIXINGS = "dim_fx"
_DIGITS = 20
_LEAST_PLACES = 8
_EXACT = Context(prec=50)


@dataclass(frozen=True)
class Fixing:
    """Units of a currency per euro, and the day of the fixing."""

    per_euro: Decimal
    day: date


class Rates:
    """The rates of a build for a report in one currency, as of the last complete day before it.

    `file` is the name of the file of rates in sentences, empty without one.
    """

    def __init__(self, warehouse: Warehouse, currency: str, day: date, file: str) -> None:
        self._warehouse = warehouse
        self._currency = currency
        self._day = day
        self._file = file

    @cached_property
    def worth(self) -> Mapping[str, Decimal]:
        """What one unit of each currency is worth in the report's; one rate for all days, so rates cause no change."""
        own = {self._currency: Decimal(1)}
        if self._currency not in self._in_force:
            return own
        here = self._in_force[self._currency].per_euro
        found = {code: _EXACT.divide(here, fixing.per_euro) for code, fixing in self._in_force.items()}
        return dict(sorted((found | own).items()))

    @cached_property
    def known(self) -> Mapping[str, tuple[date, date]]:
        """The currencies that ever had a rate, with the first and last day of a fixing."""
        if _FIXINGS not in self._warehouse.tables:
            return {}
        table = self._warehouse.table(_FIXINGS)
        spans = table.group_by("currency").aggregate(first=table.day.min(), last=table.day.max())
        return {row["currency"]: (row["first"], row["last"]) for row in self._rows(spans)}

    def of(self, currency: ir.StringValue, held: Collection[str]) -> ir.DecimalValue:
        """The rate to the report's currency, null if there is none; `held` are the currencies that occur."""
        worth = {code: self.worth[code] for code in sorted(held) if code in self.worth}
        if not worth:
            return cast(ir.DecimalValue, ibis.null(rate_type(Decimal(1))))
        type_ = rate_type(max(worth.values()))
        branches = [(currency == code, exactly(rate, type_)) for code, rate in worth.items()]
        return cast(ir.DecimalValue, ibis.cases(*branches, else_=ibis.null(type_)))

    def of_days(self, rows: ir.Table, held: Collection[str]) -> ir.Table:
        """Rows with `fx_of_day`, the rate of their day to the report's currency, and `fixed_on`, the day of its fixing.

        The quotient is of floats: sixteen digits are exact, a cent in ten trillion.
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
        """An upper bound of all daily rates."""
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
        """A note on which of these currencies have no rate and what the file has of them; empty if all have one."""
        lacking = [code for code in sorted(held) if code not in self.worth]
        if not lacking:
            return ""
        codes = ", ".join(lacking)
        if not self._file:
            return say(
                "Amounts in {codes} are left out: there is no exchange rate, as no file of rates is named. "
                'Set currency = "{code}" or `fx` in [tool.tidings].',
                codes=codes,
                code=lacking[0],
            )
        # Without a rate of the report's own currency nothing can be converted into it.
        asked = lacking if self._currency in self._in_force else [self._currency]
        note = say("Amounts in {codes} are left out: there is no exchange rate for {day}.", codes=codes, day=self._day)
        return f"{note} {self._has(asked)}"

    def left_out_of_days(self, codes: Collection[str]) -> str:
        """A note that amounts are left out on days on which these currencies, or the report's own, had no rate."""
        note = say("Amounts in {codes} of days without an exchange rate are left out.", codes=", ".join(codes))
        return f"{note} {self._has(sorted({*codes, self._currency} - {EURO}))}" if self._file else note

    def _has(self, codes: Collection[str]) -> str:
        """The span of days for which the file has rates of some currencies."""
        spans: dict[tuple[date, date] | None, list[str]] = {}
        for code in codes:
            spans.setdefault(self.known.get(code), []).append(code)
        has = [
            say("rates for {codes} from {first} to {last}", codes=", ".join(codes), first=span[0], last=span[1])
            for span, codes in spans.items()
            if span
        ]
        has += [say("none for {codes}", codes=", ".join(spans[None]))] if None in spans else []
        return say("{file} has {what}.", file=self._file, what=say(" and ").join(has))

    def aged(self, held: Collection[str]) -> str:
        """A note on which of these currencies are converted at a rate older than a week; empty if none is."""
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
    """The note on a rate that is too old."""
    return say(
        "{codes}: converted at the exchange rate of {day}, which is {age} days old.",
        codes=", ".join(codes),
        day=label_days(day, day),
        age=age,
    )


def rate_type(largest: Decimal) -> str:
    """The decimal type for rates up to `largest`, with as many decimals as fit: a dong in euros needs them all.

    20 digits, since a product with an amount of 18 digits may have 38 at most.
    """
    digits = max(1, (largest * Decimal("1.0001")).adjusted() + 1)
    places = max(_LEAST_PLACES, _DIGITS - digits)
    return f"decimal({max(_DIGITS, digits + places)}, {places})"


def exactly(value: Decimal, type_: str) -> ir.DecimalValue:
    """A decimal as a literal of a decimal type, with all decimals that fit.

    Cast from text: for a bare number the engine guesses a type, or it becomes a float.
    """
    places = int(type_.rpartition(",")[2].rstrip(") "))
    rounded = value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP, context=_EXACT)
    return cast(ir.DecimalValue, ibis.literal(f"{rounded:f}").cast(type_))
