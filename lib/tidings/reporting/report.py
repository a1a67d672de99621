"""A report: which sections, in which order, with which parameters, under which title."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from tidings.errors import UsageError, suggest
from tidings.options import OptionalText, Options, Text, read_options
from tidings.settings import Settings, read_toml

Parameter = bool | int | float | str
_Parameter = Annotated[
    Parameter, Meta(title="text, a number, true or false", examples=['"…": dates and times in quotes'])
]


_Parameters = dict[str, _Parameter]
# A run has one instant, which names its folder.
_OF_THE_RUN = ("as_of", "timezone")
_NO_WORD = re.compile(r"[\W_]+")
_LONGEST = 40


class _Table(Options, frozen=True):
    """A file of a report as it is written."""

    title: Annotated[Text, "title of the report"]
    sections: Annotated[
        tuple[Text, ...], "its notebooks, in reading order", Meta(min_length=1, title="a list of notebooks")
    ]
    parameters: Annotated[_Parameters, "parameters of its sections"] = {}  # noqa: RUF012 - msgspec copies it
    rows: Annotated[bool, "whether its pages hold the largest rows behind tables and bars"] = False
    locale: Annotated[OptionalText, "language of its pages, if not that of the settings"] = ""
    variant: Annotated[
        tuple[dict[str, Any], ...],
        "variants that a reader can choose from",
        Meta(title="a list of [[variant]] tables", examples=['[{ name = "7 days", parameters = { days = 7 } }]']),
    ] = ()
    # When it runs and for whom is read by `scheduling`.
    schedule: Annotated[tuple[dict[str, Any], ...], "when it runs", Meta(title="a list of [[schedule]] tables")] = ()
    audience: Annotated[tuple[dict[str, Any], ...], "for whom", Meta(title="a list of [[audience]] tables")] = ()


class _VariantTable(Options, frozen=True):
    """A `[[variant]]` of it."""

    name: Annotated[Text, "what a reader chooses", Meta(examples=['"7 days"'])]
    parameters: Annotated[_Parameters, "parameters that replace those of the report"] = {}  # noqa: RUF012 - msgspec copies it


@dataclass(frozen=True)
class Variant:
    """One choice of a report's reader: `parameters` replace those of the report, `suffix` follows its pages' names.

    The suffix of the first is empty, so that a report keeps its addresses when it gets variants.
    """

    name: str
    suffix: str = ""
    parameters: Mapping[str, Parameter] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """One report: `name` is the file's name and the folder of its reports; `sections` are notebooks, in order.

    `locale` is the language of its pages, that of the settings if empty. With `rows` its pages hold rows of the data;
    without, they name the command that prints them.
    """

    name: str
    title: str
    sections: tuple[str, ...]
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    variants: tuple[Variant, ...] = ()
    rows: bool = False
    locale: str = ""
    # The sections of a part of it, as the folder of that run names them.
    part: tuple[str, ...] = ()

    def only(self, sections: Sequence[str]) -> Report:
        """The report with those of its sections alone, in its order; with all if none are named.

        Raises:
            UsageError: it has none of that name.
        """
        for name in sections:
            if name not in self.sections:
                raise UsageError(f"The report {self.name} has no section '{name}'.", suggest(name, self.sections))
        kept = tuple(name for name in self.sections if name in sections)
        return replace(self, sections=kept, part=kept) if kept and kept != self.sections else self

    def variant(self, name: str) -> Variant:
        """The variant of that name, in whatever case.

        Raises:
            UsageError: it has none of that name.
        """
        for variant in self.variants:
            if variant.name.casefold() == name.strip().casefold():
                return variant
        if not self.variants:
            raise UsageError(f"The report {self.name} has no variants.", "Leave --variant out.")
        raise UsageError(
            f"The report {self.name} has no variant '{name}'.", suggest(name, [v.name for v in self.variants])
        )


def first_variant(report: Report) -> Variant:
    """The variant that a report opens with; one without parameters where it has none."""
    return report.variants[0] if report.variants else Variant("")


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
            line = _line_of(file, name)
            raise UsageError(f"{where}{line} names an unknown section '{name}'.", suggest(name, known))
        if name in table.sections[:position]:
            raise UsageError(f"{where} names the section '{name}' twice.", "Keep one of them.")
    variants = _variants(where, table)
    return Report(
        file.stem,
        table.title.strip(),
        table.sections,
        table.parameters,
        variants,
        rows=table.rows,
        locale=table.locale.strip(),
    )


def _line_of(file: Path, name: str) -> str:
    """The line on which a file has a name in quotes, for a sentence; empty where that is nowhere, or not sure."""
    lines = file.read_text(encoding="utf-8-sig").splitlines()
    found = [number for number, line in enumerate(lines, start=1) if f'"{name}"' in line or f"'{name}'" in line]
    return f" line {found[0]}" if len(found) == 1 else ""


def _variants(where: str, table: _Table) -> tuple[Variant, ...]:
    """The variants of a file, whose pages have names that are safe and differ also where case does not count."""
    variants: list[Variant] = []
    pages = {name.casefold(): f"the section '{name}'" for name in table.sections}
    for number, given in enumerate(table.variant, start=1):
        read = read_options(f"{where} [[variant]] {number}", given, _VariantTable)
        name = " ".join(read.name.split())
        here = f"{where} variant '{name}'"
        slug = _slug(name)
        if not slug:
            raise UsageError(f"{here} has neither a letter nor a digit.", 'Name it as in name = "7 days".')
        for key in _OF_THE_RUN:
            if key in read.parameters:
                raise UsageError(f"{here} sets {key}, which all variants share.", "Move it to [parameters].")
        for section in ("index", *table.sections):
            # The pages of the first variant have no suffix; its name must differ from the others all the same.
            page = f"{section}.{slug}".casefold()
            if page in pages:
                raise UsageError(f"{here} would have the pages of {pages[page]}.", "Give one of them another name.")
            pages[page] = f"the variant '{name}'"
        variants.append(Variant(name, f".{slug}" if variants else "", read.parameters))
    return tuple(variants)


def _slug(name: str) -> str:
    """A name as a part of a file's name."""
    return _NO_WORD.sub("-", unicodedata.normalize("NFKC", name).casefold())[:_LONGEST].strip("-")
