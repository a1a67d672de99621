"""The rows behind the figures of a page, as tables and CSV at its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from markupsafe import Markup

from tidings.display import formats
from tidings.display.fragments import Table
from tidings.display.rows import in_sentence
from tidings.language import say
from tidings.metrics.result import Field
from tidings.reporting.csv_link import csv_address, csv_name
from tidings.reporting.record import Item


@dataclass(frozen=True)
class Part:
    """The rows behind one row of a figure; `number` is its position, `command` prints all of them."""

    number: int
    name: str
    said: str
    table: Markup
    address: str
    file: str
    command: str


@dataclass(frozen=True)
class RowsBehind:
    """The rows behind one figure of a page."""

    number: int
    name: str
    parts: tuple[Part, ...]


def rows_behind(number: int, name: str, item: Item, section: str) -> RowsBehind:
    """What the record has of the rows behind a figure, for the end of its page."""
    heads = [row[0] for row in item.table["rows"]] if item.table is not None else []
    parts = [
        _part(at, str(heads[at]), group, section)
        for at, group in enumerate(item.behind["groups"])
        if group is not None and at < len(heads)
    ]
    return RowsBehind(number, name, tuple(parts))


def _part(at: int, name: str, group: Mapping[str, Any], section: str) -> Part:
    group = {**group, "columns": [{**column, "title": say(str(column["title"]))} for column in group["columns"]]}
    rows, total = group["rows"], int(group["total"])
    if not rows:
        return Part(at, name, "", Markup(""), "", "", str(group["command"]))
    said = formats.plural(total, "row")
    if total > len(rows):
        shown = formats.full(len(rows), "count")
        said = say("{shown} of {rows}, the largest or else the newest first", shown=shown, rows=said)
    fields = tuple(Field(str(c["name"]), str(c["title"]), str(c["unit"])) for c in group["columns"])
    values = [[_read(field, value) for field, value in zip(fields, row, strict=True)] for row in rows]
    differ = [n for n in range(len(fields)) if n == 0 or len(rows) == 1 or len({str(row[n]) for row in rows}) > 1]
    same = [n for n in range(len(fields)) if n not in differ]
    table = Table(tuple(fields[n] for n in differ), tuple(tuple(row[n] for n in differ) for row in values))
    if same:
        said += say(". In all of these: {values}", values=", ".join(_said(fields[n], values[0][n]) for n in same))
    file = csv_name(section, f"rows {name}")
    return Part(
        at, name, said, table.html(say("Rows: {name}", name=name)), csv_address(group), file, str(group["command"])
    )


def _said(field: Field, value: Any) -> str:
    return f"{in_sentence(field.title)} {formats.full(value, field.unit)} {formats.head_unit(field.unit)}".strip()


def _read(field: Field, value: Any) -> Any:
    """A value of the record in the type by which it is printed."""
    if not isinstance(value, str):
        return value
    if field.unit == "date":
        return datetime.fromisoformat(value)
    return Decimal(value) if formats.is_numeric_unit(field.unit) else value
