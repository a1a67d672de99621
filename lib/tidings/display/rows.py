"""The roles of rows and columns of a result: label, measure, metric; total, parts and others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from tidings.display import formats
from tidings.errors import UsageError, suggest
from tidings.language import in_force, message, say
from tidings.metrics.metric import Metric
from tidings.metrics.registry import registry
from tidings.metrics.result import Field, Result

TOTAL = message("Total")
OTHERS = message("others (")
_NAMES = frozenset({TOTAL, message("(unknown)"), message("(direct)"), message("(none)")})

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Parts:
    """The rows of a breakdown: the total, its parts in order, and the others."""

    total: Row | None
    parts: tuple[Row, ...]
    others: Row | None


def in_words(result: Result) -> Result:
    """A result in the reader's language: its title, its columns, and the names of rows that are ours."""
    if not in_force().has_messages:
        return result
    fields = tuple(replace(field, title=say(field.title)) for field in result.fields)
    return replace(result, title=say(result.title), fields=fields, rows=tuple(map(_row_in_words, result.rows)))


def _row_in_words(row: Row) -> Row:
    return tuple(_in_words(cell) if isinstance(cell, str) and cell[:1] in "T(o" else cell for cell in row)


def _in_words(text: str) -> str:
    if type(text) is not str:
        return text
    return text.replace(OTHERS, say(OTHERS), 1) if text.startswith(OTHERS) else say(text) if text in _NAMES else text


def split(result: Result) -> Parts:
    """The rows of a result, with a first row "Total" and a last row "others (n)" separated."""
    at = result.fields.index(label_field(result))
    rows = result.rows
    total = rows[0] if rows and rows[0][at] in (TOTAL, say(TOTAL)) else None
    rest = rows[1:] if total else rows
    others = rest[-1] if rest and str(rest[-1][at]).startswith((OTHERS, say(OTHERS))) else None
    return Parts(total, rest[:-1] if others else rest, others)


def label_field(result: Result) -> Field:
    """The column that names the rows: the first without numbers, else the first."""
    return next((f for f in result.fields if not formats.is_numeric_unit(f.unit)), result.fields[0])


def value_field(result: Result, name: str | None = None) -> Field:
    """The column that is drawn: the named one, else the first of numbers.

    Raises:
        UsageError: there is no such column.
    """
    if name is not None:
        return field_named(result, name)
    found = next((f for f in result.fields if formats.is_numeric_unit(f.unit)), None)
    if found is None:
        raise UsageError(f"'{result.title}' has no column of numbers.", "Give one of its fields a unit.")
    return found


def field_named(result: Result, name: str) -> Field:
    """A column by name.

    Raises:
        UsageError: the result has no such column.
    """
    for field in result.fields:
        if field.name == name:
            return field
    raise UsageError(f"'{result.title}' has no column '{name}'.", suggest(name, [f.name for f in result.fields]))


def pairs(result: Result, rows: Sequence[Row], measure: Field) -> list[tuple[str, Any]]:
    """Label and measure of each row."""
    label = label_field(result)
    at, of = result.fields.index(measure), result.fields.index(label)
    return [(formats.full(row[of], label.unit), row[at]) for row in rows]


def metric_of(field: Field) -> Metric | None:
    """The metric of a column, found by its name."""
    return registry().get(field.name) if formats.is_numeric_unit(field.unit) else None


def metrics_of(fields: Sequence[Field]) -> tuple[Metric, ...]:
    """The metrics of columns."""
    return tuple(metric for field in fields if (metric := metric_of(field)) is not None)


def is_change(field: Field) -> bool:
    """True for a change, which is printed with arrow and sign."""
    return field.unit == "points" or (
        field.unit == "ratio" and (field.title in ("Change", say("Change")) or field.name.endswith("change"))
    )


def decimals(fields: Sequence[Field], lines: Sequence[Sequence[Any]]) -> list[int | None]:
    """The decimals of each column of plain numbers, None for the others."""
    return [formats.column_places([line[at] for line in lines], field.unit) for at, field in enumerate(fields)]


def in_view(fields: Sequence[Field]) -> list[int]:
    """The order in which a table shows its columns: a lone change beside the value that changed, so that it is seen."""
    order = list(range(len(fields)))
    changes = [at for at in order if is_change(fields[at])]
    numbers = [at for at in order if formats.is_numeric_unit(fields[at].unit)]
    if len(changes) == 1 and numbers and numbers[0] < changes[0]:
        order.remove(changes[0])
        order.insert(numbers[0] + 1, changes[0])
    return order


def by(title: str, column: str) -> str:
    """A measure and the column that it is split by: "Orders by country"."""
    return say("{title} by {column}", title=title, column=in_sentence(column))


def in_sentence(title: str) -> str:
    """A title inside a sentence: "net revenue", but "AOV" and "p95" as they are."""
    if in_force().nouns_are_capital:
        return title
    return title[:1].lower() + title[1:] if title[1:2].islower() else title
