"""A run: one schedule for one slot, from parameters to a folder of pages."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tidings.errors import RunError, TidingsError, UsageError
from tidings.ledger.store import Ledger
from tidings.reporting.kernels import Kernels
from tidings.reporting.schedule import Parameter, Schedule, load_schedule
from tidings.settings import Settings
from tidings.warehouse.folder import still

if TYPE_CHECKING:
    from tidings.sources.credentials import Credentials
    from tidings.window import Zone

RunProgress = Callable[[str, int, int], None]
RunStatus = Literal["done", "partly", "failed"]
# How often a run looks for a build that builds made meanwhile have not removed.
_TRIES = 5
_BOOK = ("as_of", "days", "compare", "timezone", "currency", "segment")


@dataclass(frozen=True)
class Run:
    """What one run is about, fixed before any work: every section reads this build as of this instant.

    `slot` names the run's folder (`slot_of`). `parameters` are those given, in their
    declared types. Instants are aware.
    """

    id: str
    schedule: str
    title: str
    slot: str
    as_of: datetime
    parameters: Mapping[str, Parameter]
    build: str
    version: str
    sections: tuple[str, ...]
    started_at: datetime
    zone: Zone

    def folder(self, settings: Settings) -> Path:
        """Where its pages lie."""
        return settings.reports / self.schedule / self.slot

    @property
    def as_of_label(self) -> str:
        """`as_of` for a reader, in the report's zone."""
        return f"{self.as_of.astimezone(self.zone.info):%Y-%m-%d %H:%M} {self.zone.name}"

    @property
    def started_label(self) -> str:
        """The start for a reader, in the report's zone."""
        return f"{self.started_at.astimezone(self.zone.info):%Y-%m-%d %H:%M:%S}"


@dataclass(frozen=True)
class SectionResult:
    """How one section went: status done or failed, wall seconds, the reason in one sentence."""

    section: str
    status: Literal["done", "failed"]
    seconds: float
    error: str


@dataclass(frozen=True)
class RunResult:
    """How a run went: `done`, `partly` (a section failed, the others are there), `failed` (all did)."""

    run: Run
    title: str
    status: RunStatus
    seconds: float
    index: Path
    sections: tuple[SectionResult, ...]
    warnings: tuple[str, ...]


def run(
    settings: Settings, name: str, given: Mapping[str, Any], *, now: datetime, progress: RunProgress | None = None
) -> RunResult:
    """Run a schedule or section into `reports/<schedule>/<slot>/`; an earlier run of that slot is replaced.

    `given` overrides the schedule's parameters; texts are read as the declared types. `progress` is called with
    what, done, total. A section that fails is shown as such and the others are delivered; a run of which nothing could
    be finished lies beside its slot, whose last report stays.

    Raises:
        UsageError: an unknown schedule, section or parameter, or a value of the wrong type.
        WarehouseError: nothing has been built, or not this build.
        RunError: the pages cannot be written.
    """
    start = time.perf_counter()
    schedule = load_schedule(settings, name)
    warnings: list[str] = []
    known = cache(lambda: _credentials(settings))
    with Kernels(lambda said: warnings.append(known().redactor(said)), withheld=settings.withheld()) as kernels:
        # From here the warm process imports, while this one does and finds out what to run.
        ledger = Ledger(settings.ledger)
        pinned = _begin(settings, schedule, given, now, ledger)
        try:
            kernels.prepare({"TIDINGS_ROOT": str(settings.root), "TIDINGS_BUILD": pinned.build})
            # Imported here for the same reason.
            from tidings.reporting.deliver import deliver

            redact, watch = known().redactor, progress or _silent
            results, index = deliver(settings, pinned, kernels, ledger, redact, warnings, watch, start)
        except BaseException as error:
            kernels.close()
            stopped = isinstance(error, KeyboardInterrupt | SystemExit)
            message = "It was stopped." if stopped else known().redactor(str(error)) or type(error).__name__
            with suppress(TidingsError):
                # Where the disk is full the ledger cannot be written either: that the process ended says the same.
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


def _begin(settings: Settings, schedule: Schedule, given: Mapping[str, Any], now: datetime, ledger: Ledger) -> Run:
    """Fix what is run and say so in the ledger while its build is still there: from then on builds leave it alone."""
    # Imported here because it takes half a second, in which the warm process imports as well.
    from tidings.warehouse.reader import build_file

    for _ in range(_TRIES):
        pinned = _pin(settings, schedule, given, now)
        with still(settings.warehouse):
            if build_file(settings, pinned.build).is_file():
                ledger.start_run(
                    pinned.id,
                    schedule=pinned.schedule,
                    slot=pinned.slot,
                    as_of=pinned.as_of,
                    parameters=pinned.parameters,
                    build=pinned.build,
                    version=pinned.version,
                    sections=pinned.sections,
                    started_at=now,
                )
                return pinned
    raise RunError("Builds are made faster than a run can begin.", "Repeat the command when they are done.")


def _pin(settings: Settings, schedule: Schedule, given: Mapping[str, Any], now: datetime) -> Run:
    """Settle build and instant once, so that all sections speak of the same."""
    # Imported here because it takes half a second, in which the warm process imports as well.
    from tidings.book import Book
    from tidings.reporting.parameters import bind, declared_parameters
    from tidings.reporting.slot import slot_of

    parameters: dict[str, Parameter] = {}
    defaults: dict[str, Parameter] = {}
    other: dict[str, Parameter] = {}
    for section in schedule.sections:
        if section.casefold() == "index":
            raise UsageError("A section cannot be called index: so is the page of the whole report.", "Rename it.")
        declared = declared_parameters(settings.notebooks / f"{section}.ipynb")
        if "as_of" not in declared:
            raise UsageError(f"The section {section} has no parameter 'as_of'.", "Every section needs it: add it.")
        own = {name: item.default for name, item in declared.items()}
        scheduled = bind(section, declared, schedule.parameters)
        asked = bind(section, declared, given)
        other |= {name: value for name, value in asked.items() if value != {**own, **scheduled}[name]}
        defaults |= own
        parameters |= {**scheduled, **asked}
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
        id=f"{schedule.name}-{now:%Y%m%dT%H%M%S}-{secrets.token_hex(2)}",
        schedule=schedule.name,
        title=schedule.title,
        slot=slot_of(as_of, zone, other, is_latest=effective["as_of"] == "latest"),
        as_of=as_of,
        parameters={**parameters, "as_of": f"{local:%Y-%m-%d}" if is_day else as_of.isoformat()},
        build=build,
        version=version("tidings"),
        sections=schedule.sections,
        started_at=now,
        zone=zone,
    )


def status_of(results: tuple[SectionResult, ...]) -> RunStatus:
    """The status of a run whose sections went like this."""
    failed = sum(result.status == "failed" for result in results)
    return "done" if not failed else "failed" if failed == len(results) else "partly"


def _credentials(settings: Settings) -> Credentials:
    # Imported here for the same reason: it opens all sources.
    from tidings.sources.credentials import credentials

    return credentials(settings)


def _silent(what: str, done: int, total: int) -> None:
    """No progress."""
