"""A report: which sections, in which order, with which parameters, under which title."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from tidings.errors import UsageError, suggest
from tidings.options import Options, Text, read_options
from tidings.settings import Settings, read_toml

Parameter = bool | int | float | str
_Parameter = Annotated[
    Parameter, Meta(title="text, a number, true or false", examples=['"…": dates and times in quotes'])
]


class _Table(Options, frozen=True):
    """A file of a report as it is written."""

    title: Annotated[Text, "title of the report"]
    sections: Annotated[
        tuple[Text, ...], "its notebooks, in reading order", Meta(min_length=1, title="a list of notebooks")
    ]
    parameters: Annotated[dict[str, _Parameter], "parameters of its sections"] = {}  # noqa: RUF012 - msgspec copies it


@dataclass(frozen=True)
class Report:
    """One report: `name` is the file's name and the folder of its reports; `sections` are notebooks, in order."""

    name: str
    title: str
    sections: tuple[str, ...]
    parameters: Mapping[str, Parameter] = field(default_factory=dict)


def section_names(settings: Settings) -> tuple[str, ...]:
    """The sections of the workbook: the notebooks by name, sorted."""
    return _names(settings.notebooks, ".ipynb")


def report_names(settings: Settings) -> tuple[str, ...]:
    """The reports of the workbook, sorted."""
    return _names(settings.schedules, ".toml")


def _names(folder: Path, suffix: str) -> tuple[str, ...]:
    """Files by name; hidden ones are a desktop's or an editor's own, as "._weekly.toml" of macOS."""
    return tuple(sorted(file.stem for file in folder.glob(f"*{suffix}") if not file.name.startswith((".", "~"))))


def load_report(settings: Settings, name: str) -> Report:
    """The report of that name; the name of a section is a report of that section alone.

    Raises:
        UsageError: neither exists, or the file cannot be used as written.
    """
    file = settings.schedules / f"{name}.toml"
    if name in report_names(settings):
        return _read(file, section_names(settings))
    if name in section_names(settings):
        return Report(name, name.replace("_", " ").capitalize(), (name,))
    known = {*report_names(settings), *section_names(settings)}
    raise UsageError(f"There is no report or section '{name}'.", suggest(name, known))


def load_reports(settings: Settings) -> tuple[Report, ...]:
    """All reports, by name.

    Raises:
        UsageError: one cannot be used as written.
    """
    return tuple(load_report(settings, name) for name in report_names(settings))


def _read(file: Path, known: tuple[str, ...]) -> Report:
    where = f"schedules/{file.name}"
    table = read_options(where, read_toml(file), _Table)
    for position, name in enumerate(table.sections):
        if name not in known:
            raise UsageError(f"{where} names an unknown section '{name}'.", suggest(name, known))
        if name in table.sections[:position]:
            raise UsageError(f"{where} names the section '{name}' twice.", "Keep one of them.")
    return Report(file.stem, table.title.strip(), table.sections, table.parameters)
