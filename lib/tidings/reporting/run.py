"""A run: one report for one slot, from parameters to a folder of pages."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from tidings.errors import RunError, TidingsError, UsageError
from tidings.ledger.store import Ledger
from tidings.reporting.kernels import Kernels
from tidings.reporting.pinned import Run, RunProgress, RunResult, slot_of, status_of
from tidings.reporting.report import Parameter, Report, load_report
from tidings.settings import Settings
from tidings.warehouse.folder import still

if TYPE_CHECKING:
    from tidings.sources.credentials import Credentials

# How often a run retries if its build was removed by newer builds meanwhile.
_TRIES = 5
_BOOK = ("as_of", "days", "compare", "timezone", "currency", "segment")


def run(
    settings: Settings, name: str, given: Mapping[str, Any], *, now: datetime, progress: RunProgress | None = None
) -> RunResult:
    """Run a report or section into `reports/<report>/<slot>/`; an earlier run of that slot is replaced.

    `given` overrides the report's parameters; texts are read as the declared types. `progress` is called with
    what, done, total. A failed section is shown as such and the others are delivered; a run that failed completely goes
    beside its slot, whose last report stays.

    Raises:
        UsageError: an unknown report, section or parameter, or a value of the wrong type.
        WarehouseError: there is no build, or not this one.
        RunError: the pages cannot be written.
    """
    start = time.perf_counter()
    report = load_report(settings, name)
    warnings: list[str] = []
    known = cache(lambda: _credentials(settings))
    with Kernels(lambda said: warnings.append(known().redactor(said)), withheld=settings.withheld()) as kernels:
        # From here the forkserver imports in parallel with this process.
        ledger = Ledger(settings.ledger)
        pinned = _begin(settings, report, given, now, ledger)
        try:
            kernels.prepare(
                {"TIDINGS_ROOT": str(settings.root), "TIDINGS_BUILD": pinned.build, "TIDINGS_RUN": pinned.id}
            )
            # Imported here to run in parallel with the forkserver.
            from tidings.reporting.deliver import deliver

            redact, watch = known().redactor, progress or _silent
            results, index = deliver(settings, pinned, kernels, ledger, redact, warnings, watch, start)
        except BaseException as error:
            kernels.close()
            stopped = isinstance(error, KeyboardInterrupt | SystemExit)
            message = "It was stopped." if stopped else known().redactor(str(error)) or type(error).__name__
            with suppress(TidingsError):
                # On a full disk the ledger cannot be written either; the ended process then means the same.
                ledger.finish_run(
                    pinned.id,
                    "interrupted" if stopped else "failed",
                    seconds=time.perf_counter() - start,
                    error=message,
                )
            raise
    status, seconds = status_of(results), time.perf_counter() - start
    ledger.finish_run(pinned.id, status, seconds=seconds)
    return RunResult(pinned, pinned.title, status, seconds, index, results, tuple(warnings))


def _begin(settings: Settings, report: Report, given: Mapping[str, Any], now: datetime, ledger: Ledger) -> Run:
    """Fix the run and write it to the ledger while its build exists; from then on builds keep it."""
    # Imported here because it takes half a second, in which the forkserver imports as well.
    from tidings.warehouse.reader import build_file

    for _ in range(_TRIES):
        pinned = _pin(settings, report, given, now)
        with still(settings.warehouse):
            if build_file(settings, pinned.build).is_file():
                ledger.start_run(
                    pinned.id,
                    report=pinned.report,
                    slot=pinned.slot,
                    as_of=pinned.as_of,
                    parameters=pinned.parameters,
                    build=pinned.build,
                    version=pinned.version,
                    sections=pinned.sections,
                    started_at=now,
                )
                return pinned
    raise RunError("New builds replace old ones faster than a run can begin.", "Repeat the command when they are done.")


def _pin(settings: Settings, report: Report, given: Mapping[str, Any], now: datetime) -> Run:
    """Fix build and instant once, so that all sections use the same."""
    # Imported here because it takes half a second, in which the forkserver imports as well.
    from tidings.book import Book
    from tidings.reporting.parameters import bind, declared_parameters

    parameters: dict[str, Parameter] = {}
    defaults: dict[str, Parameter] = {}
    other: dict[str, Parameter] = {}
    for section in report.sections:
        if section.casefold() == "index":
            raise UsageError("A section cannot be called index: that is the page of the report.", "Rename it.")
        declared = declared_parameters(settings.notebooks / f"{section}.ipynb")
        if "as_of" not in declared:
            raise UsageError(f"The section {section} has no parameter 'as_of'.", "Every section needs it: add it.")
        own = {name: item.default for name, item in declared.items()}
        of_report = bind(section, declared, report.parameters)
        asked = bind(section, declared, given)
        other |= {name: value for name, value in asked.items() if value != {**own, **of_report}[name]}
        defaults |= own
        parameters |= {**of_report, **asked}
    effective = {**defaults, **parameters}
    # Opened here once, so that a wrong segment or zone is refused before anything runs.
    chosen: dict[str, Any] = {name: effective[name] for name in _BOOK if name in effective}
    book = Book.open(**chosen, root=settings.root)
    build, zone, as_of = book.build_id, book.zone, book.as_of
    book.context.warehouse.close()
    local = as_of.astimezone(zone.info)
    is_day = as_of == zone.first_instant(local.date())
    other.pop("as_of", None)
    return Run(
        id=f"{report.name}-{now:%Y%m%dT%H%M%S}-{secrets.token_hex(2)}",
        report=report.name,
        title=report.title,
        slot=slot_of(as_of, zone, other, is_latest=effective["as_of"] == "latest"),
        as_of=as_of,
        parameters={**parameters, "as_of": f"{local:%Y-%m-%d}" if is_day else as_of.isoformat()},
        build=build,
        version=version("tidings"),
        sections=report.sections,
        started_at=now,
        zone=zone,
        is_latest=effective["as_of"] == "latest",
    )


def _credentials(settings: Settings) -> Credentials:
    # Imported here for the same reason: it opens all sources.
    from tidings.sources.credentials import credentials

    return credentials(settings)


def _silent(what: str, done: int, total: int) -> None:
    """No progress."""
