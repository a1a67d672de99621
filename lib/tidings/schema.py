"""Columns and contracts of tables, and row keys that combine several values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import ibis
import ibis.expr.types as ir


@dataclass(frozen=True)
class Column:
    """One column of a contract: its Ibis type (say `"string"`, `"!int64"` for not null) and its meaning.

    `values`, `minimum` and `maximum` are checked at build; null passes them; `synonyms` map other words, as files may
    contain them, to one of the `values`. `personal` marks columns that identify a person. `unit` is shown after the
    value ("ms", "EUR", "s").
    """

    type: str
    doc: str
    unit: str = ""
    personal: bool = False
    values: tuple[str, ...] = ()
    synonyms: tuple[tuple[str, str], ...] = ()
    minimum: float | None = None
    maximum: float | None = None

    @property
    def required(self) -> bool:
        """True if null breaks the contract."""
        return self.type.startswith("!")


@dataclass(frozen=True)
class Contract:
    """What a table promises: the grain of a row, its key, its columns, how fresh it should be.

    `fresh_hours` is measured on the column `ts` against the end of the data; it warns, it does not fail.
    """

    grain: str
    key: tuple[str, ...]
    columns: Mapping[str, Column]
    fresh_hours: float | None = None


def joined(source: ir.StringValue, *parts: ir.Value) -> ir.StringValue:
    """A source and values as one text: `shop:4711:charge`. Null if one of them is.

    A source's name contains no colon (settings allow none), and the last value needs no end: only the texts in between
    are escaped, which is nearly free if there is nothing to escape.
    """
    between = [_escaped(part) for part in parts[:-1]]
    return ibis.literal(":").join([source, *between, _text(parts[-1])])


def _escaped(part: ir.Value) -> ir.StringValue:
    if not part.type().is_string():
        return _text(part)
    text = cast(ir.StringValue, part)
    escaped = text.replace("%", "%25").replace(":", "%3A")
    return cast(ir.StringValue, ibis.ifelse(text.contains(":") | text.contains("%"), escaped, text))


def _text(part: ir.Value) -> ir.StringValue:
    return cast(ir.StringValue, part if part.type().is_string() else part.cast("string"))
