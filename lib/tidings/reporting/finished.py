"""Finding a finished run: its manifest, pages and records, by id, folder, `report/slot`, or the name of a report."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from tidings.errors import RunError, UsageError, remedy_of, suggest
from tidings.language import ENGLISH, speaking
from tidings.ledger.store import Ledger
from tidings.reporting.pinned import RunStatus, private_folder
from tidings.reporting.record import NotebookRecord, read_record
from tidings.reporting.report import Parameter, report_names, section_names
from tidings.settings import Settings

MANIFEST = "run.json"
_ID = re.compile(r"(?P<report>.+)-\d{8}T\d{6}-[0-9a-f]{4}")


class _Section(msgspec.Struct, frozen=True):
    section: str
    status: str
    error: str
    page: str
    notebook: str


class _Variant(msgspec.Struct, frozen=True):
    name: str
    index: str
    parameters: dict[str, Parameter]


class _Manifest(msgspec.Struct, frozen=True):
    """What of `run.json` is read again; fields of later versions are ignored."""

    id: str
    report: str
    title: str
    slot: str
    status: RunStatus
    as_of: datetime
    parameters: dict[str, Parameter]
    build: str
    started_at: datetime
    sections: list[_Section]
    variants: list[_Variant] = []
    locale: str = ENGLISH


@dataclass(frozen=True)
class FinishedSection:
    """A section of a finished run: its page, and its record; `error` is one sentence if it failed."""

    section: str
    error: str
    page: Path
    record: NotebookRecord


@dataclass(frozen=True)
class FinishedRun:
    """One variant of a run as it lies in its folder; `sections` are in reading order.

    `status` is that of the whole run: done, partly or failed. Instants are aware. `variant` is empty where the report
    has none. `is_whole` is false once only a section of it is wanted (`only`). `locale` is the language of its records,
    in which what is made of them speaks.
    """

    id: str
    report: str
    title: str
    slot: str
    status: RunStatus
    as_of: datetime
    started_at: datetime
    build: str
    parameters: Mapping[str, Parameter]
    variant: str
    folder: Path
    index: Path
    sections: tuple[FinishedSection, ...]
    is_whole: bool = True
    locale: str = ENGLISH

    @property
    def records(self) -> tuple[NotebookRecord, ...]:
        """The records of its sections, in reading order."""
        return tuple(section.record for section in self.sections)

    @property
    def pages(self) -> tuple[Path, ...]:
        """The files of its pages in reading order, the index first unless only a section is wanted."""
        pages = tuple(section.page for section in self.sections)
        return (self.index, *pages) if self.is_whole else pages

    @property
    def period(self) -> str:
        """The period of its sections for a reader, as the first of them states it."""
        heads = (item for record in self.records for item in record.of_kind("head"))
        return next((head.subtitle for head in heads if head.subtitle), "")

    def only(self, section: str) -> FinishedRun:
        """The same run with that section alone.

        Raises:
            UsageError: it has none of that name.
        """
        found = tuple(each for each in self.sections if each.section == section)
        if not found:
            names = [each.section for each in self.sections]
            raise UsageError(f"The run {self.id} has no section '{section}'.", suggest(section, names))
        return replace(self, sections=found, is_whole=False)


def finished_run(settings: Settings, name: str, variant: str = "") -> FinishedRun:
    """The finished run that a name means, with its records.

    `name` is a run's id, its folder or a page in it (from the workbook's or the current one), `report/slot`, or the
    name of a report or section: its latest run. A page or the name of a section means that section alone. Of a report
    with variants it is the one named, or the first.

    Raises:
        UsageError: nothing has that name, or the run has no such variant.
        RunError: the run has not finished, its folder was replaced or cannot be read, or the latest of that name failed
            wholly, so that an older one would be taken for it.
    """
    of_path = _of_path(settings, name)
    if of_path is not None:
        folder, page = of_path
        return _of_page(settings, _read(folder), folder, page, variant)
    wanted = _ID.fullmatch(name)
    if wanted is not None:
        for folder, manifest in _manifests(settings, wanted["report"]):
            if manifest.id == name:
                return _run(settings, manifest, folder, variant)
        raise _not_there(settings, name)
    report, separator, slot = name.strip("/").partition("/")
    if separator:
        for folder, manifest in _manifests(settings, report):
            if folder.name == slot:
                return _run(settings, manifest, folder, variant)
        raise _unknown(settings, name)
    return _latest(settings, name, variant)


def run_in(settings: Settings, folder: Path, figures: Sequence[str] = ()) -> FinishedRun:
    """The first variant of the run in a folder; of a public one what its `figures` let leave (`disclosure.disclosed`).

    Raises:
        RunError: there is no run in it, or it cannot be read.
    """
    if not figures:
        return _run(settings, _read(folder), folder, "")
    # Imported here because few runs are public.
    from tidings.reporting.disclosure import disclosed, has_figures

    # Notebooks and manifest of a public run lie apart from what is published.
    manifest = _read(private := private_folder(settings, folder))
    run = _run(settings, manifest, folder, "", notebooks=private)
    shown = [replace(each, record=disclosed(each.record, figures)) for each in run.sections]
    return replace(run, sections=tuple(each for each in shown if has_figures(each.record)))


def _latest(settings: Settings, name: str, variant: str) -> FinishedRun:
    is_section = name in section_names(settings) and name not in report_names(settings)
    if is_section:
        found = [each for each in _manifests(settings) if any(name == made.section for made in each[1].sections)]
    else:
        found = list(_manifests(settings, name)) if re.fullmatch(r"[\w-][\w. -]*", name) else []
    if not found:
        if is_section or name in report_names(settings):
            kind = "section" if is_section else "report"
            raise RunError(f"The {kind} {name} has no finished run.", f"Make one: tidings run {name}")
        raise _unknown(settings, name)
    folder, manifest = max(found, key=lambda each: (each[1].started_at, each[1].id))
    if manifest.status == "failed":
        # An older one in its place would be a figure of another day.
        reason = next((section.error for section in manifest.sections if section.error), "")
        raise RunError(
            f"The latest run of {name}, {manifest.id}, failed: {reason or 'no section was finished'}.",
            "Run it again, or name an older run, as in "
            + next((f"{other.report}/{place.name}" for place, other in found if other.status != "failed"), "report/day")
            + ".",
        )
    run = _run(settings, manifest, folder, variant)
    return run.only(name) if is_section else run


def _of_path(settings: Settings, name: str) -> tuple[Path, str] | None:
    """The folder of a run and the name of the file in it, if the name is a path to one of them."""
    # The workbook first: the current folder may be that of another.
    for place in (settings.root / name, Path(name)):
        folder, file = (place, "") if place.is_dir() else (place.parent, place.name)
        if place.exists() and (folder / MANIFEST).is_file():
            return folder, file
    return None


def _of_page(settings: Settings, manifest: _Manifest, folder: Path, page: str, variant: str) -> FinishedRun:
    for each in manifest.variants:
        if page in (each.index, *(made.page for made in _sections_of(manifest, each))):
            variant = variant or each.name
    run = _run(settings, manifest, folder, variant)
    section = next((each.section for each in run.sections if each.page.name == page), "")
    return run.only(section) if section else run


def _sections_of(manifest: _Manifest, variant: _Variant | None) -> list[_Section]:
    """The sections of a variant: its pages end as its index does."""
    if variant is None:
        return manifest.sections
    suffix = variant.index.removeprefix("index")
    return [made for made in manifest.sections if made.page == f"{made.section}{suffix}"]


def _run(
    settings: Settings, manifest: _Manifest, folder: Path, name: str, notebooks: Path | None = None
) -> FinishedRun:
    """The variant of a run; `notebooks` is where its notebooks are if they are not in its folder."""
    variant = _variant_of(manifest, name)
    with speaking(settings.language(manifest.locale)):
        sections = tuple(_finished(folder, made, notebooks) for made in _sections_of(manifest, variant))
    return FinishedRun(
        id=manifest.id,
        report=manifest.report,
        title=manifest.title,
        slot=manifest.slot,
        status=manifest.status,
        as_of=manifest.as_of,
        started_at=manifest.started_at,
        build=manifest.build,
        parameters=manifest.parameters if variant is None else variant.parameters,
        variant="" if variant is None else variant.name,
        folder=folder,
        index=folder / ("index.html" if variant is None else variant.index),
        sections=sections,
        locale=manifest.locale,
    )


def _finished(folder: Path, made: _Section, notebooks: Path | None) -> FinishedSection:
    notebook = notebooks / Path(made.notebook).name if notebooks else folder / made.notebook
    record = replace(read_record(notebook), section=made.section)
    return FinishedSection(made.section, made.error, folder / made.page, record)


def _variant_of(manifest: _Manifest, name: str) -> _Variant | None:
    if not name:
        return manifest.variants[0] if manifest.variants else None
    for variant in manifest.variants:
        if variant.name.casefold() == name.strip().casefold():
            return variant
    raise UsageError(
        f"The run {manifest.id} has no variant '{name}'.", suggest(name, [each.name for each in manifest.variants])
    )


def _manifests(settings: Settings, report: str = "*") -> Iterator[tuple[Path, _Manifest]]:
    """The finished runs that lie in the folder of reports, of one report or of all."""
    reports: Iterable[Path] = settings.reports.glob("*") if report == "*" else (settings.reports / report,)
    for place in sorted(reports):
        for file in sorted(place.glob(f"*/{MANIFEST}")):
            # A hidden folder is one that is being filled.
            if not file.parent.name.startswith("."):
                yield file.parent, _read(file.parent)


def _read(folder: Path) -> _Manifest:
    file = folder / MANIFEST
    try:
        return msgspec.json.decode(file.read_bytes(), type=_Manifest)
    except OSError as error:
        reason, remedy = remedy_of(error)
        raise RunError(f"The run in {folder} cannot be read: {reason}.", remedy) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RunError(
            f"{file} is no manifest of a run: {error}.", "Remove that folder, and run the report again."
        ) from error


def _not_there(settings: Settings, name: str) -> RunError | UsageError:
    """Why a run has no folder, as far as the ledger knows."""
    try:
        entry = Ledger(settings.ledger).run(name)
    except RunError:
        return _unknown(settings, name)
    if entry.status == "running":
        return RunError(f"The run {name} has not finished.", "Wait until it has: tidings list")
    if entry.status == "interrupted" or entry.error:
        return RunError(
            f"The run {name} left no pages: {entry.error or 'it was interrupted.'}", f"Run {entry.report} again."
        )
    return RunError(
        f"The pages of the run {name} are gone: a later run replaced them, or they were removed.",
        f"Name what is there: {entry.report}/{entry.slot}",
    )


def _unknown(settings: Settings, name: str) -> UsageError:
    runs: dict[str, Any] = {f"{made.report}/{folder.name}": made for folder, made in _manifests(settings)}
    known = {*report_names(settings), *section_names(settings), *runs}
    return UsageError(f"There is no run, report or section '{name}'.", suggest(name, known))
