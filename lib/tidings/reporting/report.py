"""A report: which sections, in which order, with which parameters, under which title."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tidings.errors import UsageError, suggest
from tidings.settings import Settings, read_toml

Parameter = bool | int | float | str
_KEYS = ("title", "sections", "parameters")


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


def _read(file: Path, sections: tuple[str, ...]) -> Report:
    table = read_toml(file)
    for key in table:
        if key not in _KEYS:
            raise UsageError(f"schedules/{file.name} has an unknown key '{key}'.", suggest(key, _KEYS))
    title = table.get("title")
    if not isinstance(title, str) or not title.strip():
        raise UsageError(f"schedules/{file.name} has no title.", 'Write title = "..." in it.')
    return Report(
        file.stem, title.strip(), _sections(table, file, sections), _parameters(table.get("parameters", {}), file)
    )


def _sections(table: Mapping[str, Any], file: Path, known: tuple[str, ...]) -> tuple[str, ...]:
    names = table.get("sections")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise UsageError(f"schedules/{file.name} lists no sections.", 'Write sections = ["..."], in reading order.')
    for position, name in enumerate(names):
        if name not in known:
            raise UsageError(f"schedules/{file.name} names an unknown section '{name}'.", suggest(name, known))
        if name in names[:position]:
            raise UsageError(f"schedules/{file.name} names the section '{name}' twice.", "Keep one of them.")
    return tuple(names)


def _parameters(table: Any, file: Path) -> Mapping[str, Parameter]:
    if not isinstance(table, dict):
        raise UsageError(
            f"schedules/{file.name} has parameters that are not a table.", "Write [parameters] above them."
        )
    for name, value in table.items():
        if not isinstance(value, bool | int | float | str):
            raise UsageError(
                f"schedules/{file.name} sets the parameter '{name}' to {value!r}.",
                "A parameter is text, a number, true or false; write dates and times in quotes.",
            )
    return table
