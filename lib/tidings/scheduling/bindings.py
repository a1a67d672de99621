"""What of a report an audience gets: the binding that a run is made with, one for all recipients who get the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tidings.errors import UsageError, suggest
from tidings.reporting.report import Parameter
from tidings.scheduling.schedule import Audience, Recipients
from tidings.settings import Settings
from tidings.warehouse.reader import Warehouse


@dataclass(frozen=True)
class Binding:
    """What a run is made with besides its slot: parameters, rows, sections, and the figures of a public one."""

    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    rows: Mapping[str, Any] = field(default_factory=dict)
    sections: tuple[str, ...] = ()
    figures: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """It as text, the same for the same binding."""
        return json.dumps(vars(self), sort_keys=True, default=dict)

    @classmethod
    def of_text(cls, text: str) -> Binding:
        """The binding that a text holds."""
        held = json.loads(text)
        return cls(held["parameters"], held["rows"], tuple(held["sections"]), tuple(held["figures"]))

    @property
    def digest(self) -> str:
        """A short name for it, for files."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]


WHOLE = Binding()
"""The report as its file has it."""


def expanded(settings: Settings, audience: Audience) -> Iterator[tuple[str, Binding]]:
    """The recipients of an audience, each with its binding; one without a name where it has none.

    Raises:
        UsageError: their table or one of its columns is not there, a row has no address, or one that is not allowed.
        WarehouseError: there is no build.
    """
    own = Binding(audience.parameters, audience.rows, audience.sections, audience.figures)
    if audience.recipients is None:
        yield from ((address, own) for address in audience.to or ("",))
        return
    seen: dict[str, tuple[str, Binding]] = {}
    for row in _rows(settings, audience.recipients, audience.name):
        address = str(row[audience.recipients.address] or "").strip()
        if "@" not in address:
            raise UsageError(
                f"A recipient of {audience.name} has no address: {audience.recipients.table} has '{address}'.",
                "Correct its row; nobody of this audience was sent anything.",
            )
        parameters = {name: _filled(form, row, audience.name) for name, form in audience.recipients.parameters.items()}
        rows = {column: row[column] for column in audience.recipients.rows}
        if any(value is None for value in rows.values()):
            raise UsageError(
                f"The recipient {address} of {audience.name} has no {' or '.join(rows)}.",
                "Without it the rows cannot be bound; correct the table.",
            )
        binding = Binding({**audience.parameters, **parameters}, {**audience.rows, **rows}, own.sections, own.figures)
        if seen.setdefault(address.casefold(), (address, binding))[1] != binding:
            raise UsageError(
                f"The recipient {address} of {audience.name} stands in two rows that differ.",
                "Give each an address of its own, or one row.",
            )
    yield from seen.values()


def _rows(settings: Settings, recipients: Recipients, audience: str) -> list[dict[str, Any]]:
    with Warehouse.open(settings) as warehouse:
        if recipients.table not in warehouse.tables:
            raise UsageError(
                f"The recipients of {audience} are in no table {recipients.table}.",
                suggest(recipients.table, warehouse.tables),
            )
        table = warehouse.table(recipients.table)
        columns = dict.fromkeys([recipients.address, *recipients.rows, *_columns(recipients)])
        for column in columns:
            if column not in table.columns:
                raise UsageError(
                    f"The recipients of {audience} need a column {column} of {recipients.table}.",
                    suggest(column, table.columns),
                )
        found: list[dict[str, Any]] = warehouse.query(table.select(*columns).distinct().order_by(*columns)).to_pylist()
    return found


def _columns(recipients: Recipients) -> Iterator[str]:
    for form in recipients.parameters.values():
        for part in form.split("{")[1:]:
            yield part.partition("}")[0]


def _filled(form: str, row: Mapping[str, Any], audience: str) -> str:
    for column, value in row.items():
        marker = "{" + column + "}"
        if marker in form and value is None:
            raise UsageError(f"A recipient of {audience} has no {column}.", "Correct its row.")
        form = form.replace(marker, str(value))
    return form
