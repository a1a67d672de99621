"""What a spreadsheet or folder of CSV files holds of a run: figures, definitions, and the data of tables and charts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tidings.display.formats import full
from tidings.language import message, say
from tidings.metrics.result import no_source_words
from tidings.reporting.figures import RunFigure, figures_of
from tidings.reporting.finished import FinishedRun
from tidings.reporting.record import NotebookRecord, definitions

LONGEST_NAME = 31
"""Characters that a spreadsheet allows in the name of a sheet."""
CONTENTS = message("Contents")
_FORBIDDEN = re.compile(r"[\[\]:*?/\\'\x00-\x1f]+")
# Excel keeps this name for itself.
_RESERVED = "history"


@dataclass(frozen=True)
class Sheet:
    """One table with where it stands: `table` has the form of the record, `name` is unique in its run, in any case."""

    name: str
    title: str
    about: str
    table: Mapping[str, Any]
    notes: tuple[str, ...] = ()


def sheets_of(run: FinishedRun) -> tuple[Sheet, ...]:
    """The sheets of a run: contents, figures, definitions, then a table each, as the pages show them.

    A sheet is named by its section and position, not by its title, which is a finding and says something else next
    week.
    """
    names = _Names((say(CONTENTS), say("Figures"), say("Definitions")))
    tables = [sheet for record in run.records for sheet in _tables(record, names)]
    first = [
        Sheet(say("Figures"), say("Figures"), _about(run), _figures(run)),
        Sheet(say("Definitions"), say("Definitions"), say(run.title), _definitions(run)),
    ]
    every = [*first, *tables]
    contents = _table(
        (
            ("sheet", say("Sheet"), "text"),
            ("title", say("Title"), "text"),
            ("about", say("Of"), "text"),
            ("rows", say("Rows"), "count"),
        ),
        ((sheet.name, sheet.title, sheet.about, len(sheet.table["rows"])) for sheet in every),
    )
    return (Sheet(say(CONTENTS), say(run.title), _about(run), contents), *every)


class _Names:
    """Names of sheets that a spreadsheet takes, each once."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = {name.casefold() for name in (*taken, _RESERVED)}

    def of(self, title: str, number: int) -> str:
        plain = " ".join(_FORBIDDEN.sub(" ", title).split()) or say("Sheet")
        # Two sections may begin alike, or bear the same title.
        while True:
            end = f" {number}"
            name = plain[: LONGEST_NAME - len(end)].rstrip() + end
            if name.casefold() not in self._taken:
                self._taken.add(name.casefold())
                return name
            number += 1


def _about(run: FinishedRun) -> str:
    return " · ".join(filter(None, [say(run.title), run.variant, run.period]))


def _tables(record: NotebookRecord, names: _Names) -> Iterable[Sheet]:
    period = next((head.subtitle for head in record.of_kind("head")), "")
    shown = [(item, item.table) for item in record.items if item.kind != "digest" and not item.absent]
    for number, (item, table) in enumerate(((item, table) for item, table in shown if table is not None), start=1):
        measure = "" if item.subtitle in period else item.subtitle
        about = " · ".join(filter(None, [record.title, measure, "" if period in measure else period]))
        notes = tuple(str(note) for note in item.provenance.get("notes", ()))
        yield Sheet(names.of(record.title, number), item.title or say(item.kind.capitalize()), about, table, notes)


def _figures(run: FinishedRun) -> Mapping[str, Any]:
    titles = {each.section: each.record.title for each in run.sections}
    return _table(
        (
            ("section", say("Section"), "text"),
            ("figure", say("Figure"), "text"),
            ("metric", say("Metric"), "text"),
            ("value", say("Value"), "figure"),
            ("before", say("Before"), "figure"),
            ("change", say("Change"), "ratio"),
            ("points", say("Change"), "points"),
            ("first", say("First day"), "date"),
            ("last", say("Last day"), "date"),
            ("why", say("Why not known"), "text"),
        ),
        (_figure(titles[figure.section], figure) for figure in figures_of(run)),
    )


def _figure(section: str, figure: RunFigure) -> Sequence[Any]:
    # The change of a rate in per cent would be of per cent.
    is_rate = figure.unit == "ratio"
    points = None
    if is_rate and figure.value is not None and figure.before is not None:
        points = float(figure.value) - float(figure.before)
    unchanged = say("No change: {why}.", why=no_source_words(figure.reason_no_change))
    return (
        section,
        figure.title,
        figure.metric,
        _cell(figure.value, figure.unit),
        _cell(figure.before, figure.unit),
        None if is_rate else figure.change,
        points,
        figure.first.isoformat(),
        figure.last.isoformat(),
        no_source_words(figure.reason) or ("" if points is not None or figure.change is not None else unchanged),
    )


def _cell(value: str | None, unit: str) -> Mapping[str, Any]:
    """A value with its own unit, as the record has it in a column of several."""
    return {"text": full(value, unit), "value": value, "unit": unit}


def _definitions(run: FinishedRun) -> Mapping[str, Any]:
    columns = ("name", "title", "definition", "caveat", "action")
    heads = (say("Metric"), say("Figure"), say("Definition"), say("Caveat"), say("When it moves"))
    metrics = (name for record in run.records for name in record.metrics)
    return _table(
        tuple((name, head, "text") for name, head in zip(columns, heads, strict=True)),
        ([one[name] for name in columns] for one in definitions(metrics)),
    )


def _table(columns: Sequence[tuple[str, str, str]], rows: Iterable[Sequence[Any]]) -> Mapping[str, Any]:
    return {
        "columns": [{"name": name, "title": title, "unit": unit} for name, title, unit in columns],
        "rows": [list(row) for row in rows],
    }
