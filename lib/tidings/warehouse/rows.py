"""The rows that an audience may see: values of columns to which everything that is read of a build is limited."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from hashlib import sha256
from operator import and_
from typing import TYPE_CHECKING, Any

from tidings.errors import RowsError, UsageError, printable

if TYPE_CHECKING:
    import ibis.expr.types as ir

RowValue = str | int
Given = Mapping[str, RowValue | Iterable[RowValue]]
_MOST = 2**63 - 1
_LIKE = 'Write it as {"country": "DE"} or {"shop_id": [7, 8]}.'


@dataclass(frozen=True)
class Rows:
    """Columns, each with the values that a row must have one of; without columns all rows.

    Texts are compared exactly, numbers with columns of whole numbers; a null equals nothing.
    """

    terms: tuple[tuple[str, tuple[RowValue, ...]], ...] = ()

    @classmethod
    def of(cls, given: Given | None) -> Rows:
        """Read a mapping from columns to a value or several.

        Raises:
            UsageError: a column without values, or a value that is empty or neither text nor a whole number.
        """
        return cls(tuple(sorted((_column(column), _values(column, held)) for column, held in (given or {}).items())))

    @classmethod
    def from_text(cls, text: str) -> Rows:
        """What `to_text` wrote; empty for an empty text.

        Raises:
            UsageError: it is something else. All rows must not be shown for want of a bracket.
        """
        if not text:
            return cls()
        try:
            read = json.loads(text)
        except ValueError as error:
            raise UsageError(f"The rows of the audience cannot be read from '{text[:80]}'.", _LIKE) from error
        if not isinstance(read, dict) or not read:
            raise UsageError(f"The rows of the audience cannot be read from '{text[:80]}'.", _LIKE)
        return cls.of(read)

    def to_text(self) -> str:
        """These rows as JSON, the same for equal rows; empty for all rows."""
        return json.dumps({column: list(values) for column, values in self.terms}) if self.terms else ""

    def __bool__(self) -> bool:
        return bool(self.terms)

    def __str__(self) -> str:
        return ", ".join(f"{column} {' or '.join(map(str, values))}" for column, values in self.terms)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that limit them."""
        return tuple(column for column, _ in self.terms)

    @property
    def digest(self) -> str:
        """Digits that differ for different rows and do not spell their values."""
        return sha256(self.to_text().encode()).hexdigest()[:16]

    def within(self, other: Rows) -> Rows:
        """The rows that both allow.

        Raises:
            RowsError: that is none, as they name different values of a column.
        """
        held = dict(self.terms)
        for column, values in other.terms:
            both = tuple(value for value in held.get(column, values) if value in values)
            if not both:
                raise RowsError(
                    f"This process is bound to other rows than those with {column} {' or '.join(map(str, values))}.",
                    "Leave out `rows`: the run has them already.",
                )
            held[column] = both
        return Rows(tuple(sorted(held.items())))

    def why_not(self, name: str, schema: Mapping[str, Any]) -> str:
        """Why a table cannot be limited to these rows, as a sentence; empty if it can. `schema` has Ibis types."""
        for column, values in self.terms:
            if column not in schema:
                what = f"has no column {column}"
            elif not _fits(schema[column], values):
                what = f"has no {'numbers' if isinstance(values[0], int) else 'text'} in {column}"
            else:
                continue
            return f"{name} {what}, so it cannot be shown to an audience bound to its rows."
        return ""

    def limited(self, table: ir.Table) -> ir.Table:
        """A table limited to these rows; it has their columns (`why_not`)."""
        held = [table[column].isin(list(values)) for column, values in self.terms]
        return table.filter(reduce(and_, held)) if held else table


ALL_ROWS = Rows()


def _column(name: object) -> str:
    if not isinstance(name, str) or not name.strip() or printable(name) != name:
        raise UsageError(f"{name!r} is not the name of a column to limit rows by.", _LIKE)
    return name


def _values(column: str, held: Any) -> tuple[RowValue, ...]:
    values = [held] if isinstance(held, str | int) or not isinstance(held, Iterable) else list(held)
    for value in values:
        is_text = isinstance(value, str) and bool(value) and printable(value) == value
        is_number = isinstance(value, int) and not isinstance(value, bool) and -_MOST <= value <= _MOST
        if not is_text and not is_number:
            raise UsageError(f"Rows cannot be limited to {column} {value!r}.", f"Give text or whole numbers. {_LIKE}")
    if len({type(value) for value in values}) != 1:
        raise UsageError(f"Rows cannot be limited to {column} {values!r}.", f"Give values of one type. {_LIKE}")
    return tuple(sorted(set(values)))


def _fits(type_: Any, values: tuple[RowValue, ...]) -> bool:
    return bool(type_.is_integer() if isinstance(values[0], int) else type_.is_string())
