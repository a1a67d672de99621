"""A segment: the rows to which a report is limited, written as `country=DE|AT, device!=mobile, value>=10`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cache, reduce
from operator import and_, ge, gt, le, lt
from typing import Any, cast

import ibis
import ibis.expr.types as ir

from tidings.errors import UsageError, suggest
from tidings.feeds import feeds
from tidings.language import say
from tidings.warehouse.reader import Warehouse
from tidings.window import parse_date

_LIKE = 'Write it as "country=DE", "country=DE|FR", "country!=DE" or "value>=10"; several, by commas: all hold.'
_TERM = re.compile(r"([^=!<>]+)(!=|>=|<=|=|>|<)(.+)", re.DOTALL)
_RANGES: Mapping[str, Callable[[Any, Any], Any]] = {">=": ge, "<=": le, ">": gt, "<": lt}
_OFFERED = 5000
# Errors may be read by people who must not see personal data.


UNKNOWN = "(unknown)"
"""How pages and segments name rows without a value in a column."""


def text_of(held: ir.Value) -> ir.StringValue:
    """The values of a column as pages name them."""
    text = held if held.type().is_string() else held.cast("string")
    return cast(ir.StringValue, text.nullif("").fill_null(UNKNOWN))


@cache
def _personal() -> frozenset[str]:
    return frozenset(name for feed in feeds().values() for name, column in feed.columns.items() if column.personal)


@dataclass(frozen=True)
class Condition:
    """A condition on a column: any of the values, none of them (`!=`), or a range. `UNKNOWN` is the value of a null."""

    sign: str
    values: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.sign}{'|'.join(self.values)}"

    def of(self, held: ir.Value) -> ir.BooleanValue:
        """Whether it holds for a row; a null is in no range.

        Raises:
            UsageError: the bound of a range does not have the column's type.
        """
        if self.sign in _RANGES:
            bound = _bound(held, self.values[0])
            return cast(ir.BooleanValue, _RANGES[self.sign](held, bound).fill_null(False))
        is_truth = held.type().is_boolean()
        found = text_of(held).isin([value.lower() if is_truth else value for value in self.values])
        return cast(ir.BooleanValue, ~found if self.sign == "!=" else found)


@dataclass(frozen=True)
class Segment:
    """Columns with the condition on each; empty for all rows."""

    terms: tuple[tuple[str, Condition], ...] = ()

    def __str__(self) -> str:
        return ", ".join(f"{column}{condition}" for column, condition in self.terms)

    def within(self, column: str, value: str) -> Segment:
        """This segment with one more term, which replaces those of its column."""
        kept = (term for term in self.terms if term[0] != column)
        return Segment((*kept, (column, Condition("=", (value,)))))

    def of(self, table: ir.Table) -> ir.Table:
        """The rows of the segment; terms with a column that the table lacks are ignored (see `lacking`)."""
        held = [condition.of(table[column]) for column, condition in self.terms if column in table.columns]
        return table.filter(reduce(and_, held)) if held else table

    def lacking(self, name: str, table: ir.Table) -> tuple[str, ...]:
        """A sentence for each term whose column the table lacks."""
        return tuple(
            say("Not limited to {term}: {name} has no {column}.", term=f"{column}{condition}", name=name, column=column)
            for column, condition in self.terms
            if column not in table.columns
        )


def parse_segment(text: str, warehouse: Warehouse, saved: Mapping[str, str] | None = None) -> Segment:
    """Parse terms separated by `;`, or by `,` if there is no `;`; or look up a `saved` segment by name.

    Raises:
        UsageError: not of this form, a column of no mart, a value of no row, or a column named twice.
    """
    saved = saved or {}
    text = saved.get(text.strip(), text)
    terms: list[tuple[str, Condition]] = []
    for term in text.split(";" if ";" in text else ","):
        if not term.strip():
            continue
        match = _TERM.fullmatch(term.strip())
        if match is None:
            known = f" Or name a saved one. {suggest(term.strip(), saved)}" if saved else ""
            raise UsageError(f"The segment '{term.strip()}' cannot be read.", _LIKE + known)
        column, sign, written = (part.strip() for part in match.groups())
        values = (written,) if sign in _RANGES else tuple(value.strip() for value in written.split("|"))
        if not column or not all(values):
            raise UsageError(f"The segment '{term.strip()}' cannot be read.", _LIKE)
        others = {c.sign for name, c in terms if name == column}
        if others and (sign in others or not {sign, *others} <= set(_RANGES)):
            raise UsageError(f"The segment names {column} twice.", "Keep one of them; DE|FR means any of the two.")
        condition = Condition(sign, values)
        if sign in _RANGES:
            _check_range(column, condition, warehouse)
        else:
            for value in values:
                check_term(column, value, warehouse)
        terms.append((column, condition))
    return Segment(tuple(terms))


def _bound(held: ir.Value, text: str) -> Any:
    if held.type().is_date():
        return ibis.literal(parse_date(text))
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("nan")
    if not held.type().is_numeric() or not number.is_finite():
        raise UsageError(f"'{text}' is not a bound for {held.get_name()}.", "Give a number, or a date as 2026-07-01.")
    return float(number) if held.type().is_floating() else int(number) if number == int(number) else number


def _check_range(column: str, condition: Condition, warehouse: Warehouse) -> None:
    marts = [warehouse.table(name) for name in sorted(warehouse.tables) if name.startswith("fct_")]
    ranged = {c for t in marts for c, type_ in t.schema().items() if type_.is_numeric() or type_.is_date()}
    if column not in ranged:
        raise UsageError(f"'{column}' has no numbers or dates for a range.", suggest(column, ranged))
    for table in marts:
        if column in table.columns:
            condition.of(table[column])


def check_term(column: str, value: str, warehouse: Warehouse) -> None:
    """Refuse a term that holds for no row.

    Raises:
        UsageError: no mart has the column, or no row has the value.
    """
    marts = [warehouse.table(name) for name in sorted(warehouse.tables) if name.startswith("fct_")]
    having = [table for table in marts if column in _segmentable(table)]
    if not having:
        raise UsageError(
            f"A report cannot be limited by '{column}'.",
            suggest(column, {c for t in marts for c in _segmentable(t)}),
        )
    found = [table.filter(Condition("=", (value,)).of(table[column])).limit(1).count() for table in having]
    if not any(warehouse.query(rows).column(0)[0].as_py() for rows in found):
        if column in _personal():
            raise UsageError(f"No row has the {column} '{value}'.", "Look up its values in the table.")
        values = [table.select(value=table[column].cast("string")).distinct().limit(_OFFERED) for table in having]
        offered = {row for table in values for row in warehouse.query(table).column(0).to_pylist() if row}
        raise UsageError(f"No row has the {column} '{value}'.", suggest(value, offered))


def _segmentable(table: ir.Table) -> list[str]:
    types = table.schema().items()
    return [name for name, type_ in types if type_.is_string() or type_.is_boolean() or type_.is_integer()]
