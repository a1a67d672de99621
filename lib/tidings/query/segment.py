"""A segment: the rows that a whole report is limited to, written as `country=DE, device=mobile`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, reduce
from operator import and_
from typing import cast

import ibis
import ibis.expr.types as ir

from tidings.errors import UsageError, suggest
from tidings.feeds import feeds
from tidings.warehouse.reader import Warehouse

_LIKE = 'Write it as "country=DE"; several as "country=DE, device=mobile", all of which must hold.'
_OFFERED = 5000
# An error may be read by others than those who may see who somebody is.


@cache
def _personal() -> frozenset[str]:
    return frozenset(name for feed in feeds().values() for name, column in feed.columns.items() if column.personal)


@dataclass(frozen=True)
class Segment:
    """Columns and the value each must have; empty for all rows."""

    terms: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return ", ".join(f"{column}={value}" for column, value in self.terms)

    def within(self, column: str, value: str) -> Segment:
        """This segment limited by one more term, which replaces another of its column."""
        return Segment((*(term for term in self.terms if term[0] != column), (column, value)))

    def of(self, table: ir.Table) -> ir.Table:
        """The rows of the segment; terms whose column the table lacks do not limit it (`lacking`)."""
        held = [_is(table, column, value) for column, value in self.terms if column in table.columns]
        return table.filter(reduce(and_, held)) if held else table

    def lacking(self, name: str, table: ir.Table) -> tuple[str, ...]:
        """A sentence for each term that cannot limit a table."""
        return tuple(
            f"Not limited to {column}={value}: {name} has no {column}."
            for column, value in self.terms
            if column not in table.columns
        )


def parse_segment(text: str, warehouse: Warehouse) -> Segment:
    """A segment as written: terms `column=value` separated by `;`, or by `,` where there is no `;`.

    Raises:
        UsageError: not of this form, a column no mart has, a value that no row has, or a column named twice.
    """
    terms: dict[str, str] = {}
    for term in text.split(";" if ";" in text else ","):
        if not term.strip():
            continue
        column, sign, value = (part.strip() for part in term.partition("="))
        if not sign or not column or not value:
            raise UsageError(f"The segment '{term.strip()}' cannot be read.", _LIKE)
        if column in terms:
            raise UsageError(f"The segment names {column} twice, and a row has one.", "Keep one of them.")
        check_term(column, value, warehouse)
        terms[column] = value
    return Segment(tuple(terms.items()))


def check_term(column: str, value: str, warehouse: Warehouse) -> None:
    """Refuse a term that can hold nowhere.

    Raises:
        UsageError: no mart has the column, or no row the value.
    """
    marts = [warehouse.table(name) for name in sorted(warehouse.tables) if name.startswith("fct_")]
    having = [table for table in marts if column in _segmentable(table)]
    if not having:
        raise UsageError(
            f"A report cannot be limited by '{column}'.",
            suggest(column, {c for t in marts for c in _segmentable(t)}),
        )
    found = [table.filter(_is(table, column, value)).limit(1).count() for table in having]
    if not any(warehouse.query(rows).column(0)[0].as_py() for rows in found):
        if column in _personal():
            raise UsageError(f"No row has the {column} '{value}'.", "Look it up in the table it comes from.")
        values = [table.select(value=table[column].cast("string")).distinct().limit(_OFFERED) for table in having]
        offered = {row for table in values for row in warehouse.query(table).column(0).to_pylist() if row}
        raise UsageError(f"No row has the {column} '{value}'.", suggest(value, offered))


def _segmentable(table: ir.Table) -> list[str]:
    types = table.schema().items()
    return [name for name, type_ in types if type_.is_string() or type_.is_boolean() or type_.is_integer()]


def _is(table: ir.Table, column: str, value: str) -> ir.BooleanValue:
    held = table[column]
    text = value.lower() if held.type().is_boolean() else value
    return cast(ir.BooleanValue, (held if held.type().is_string() else held.cast("string")) == ibis.literal(text))
