"""A run: one report for one slot, from parameters to a folder of pages."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from tidings.errors import RunError, TidingsError, UsageError
from tidings.language import in_force, speaking
from tidings.ledger.store import Ledger
from tidings.reporting.kernels import Kernels
from tidings.reporting.pinned import Public, Run, RunProgress, RunResult, slot_of, status_of
from tidings.reporting.report import Report, Variant, load_report
from tidings.settings import ROWS, SHOW_ROWS, Settings, process_rows
from tidings.warehouse.folder import still
from tidings.warehouse.rows import ALL_ROWS, Given, Rows

if TYPE_CHECKING:
    from tidings.sources.credentials import Credentials

# How often a run retries if its build was removed by newer builds meanwhile.
_TRIES = 5
_BOOK = ("as_of", "days", "compare", "timezone", "currency", "segment")


def run(
    settings: Settings,
    name: str,
    given: Mapping[str, Any],
    *,
    now: datetime,
    variant: str = "",
    progress: RunProgress | None = None,
    rows: Given | None = None,
    public: Public | None = None,
    sections: Sequence[str] = (),
    retries: int = 0,
    time_limit: float = 0.0,
    gaps: Sequence[str] = (),
) -> RunResult:
    """Run a report or section into `reports/<report>/<slot>/`; an earlier run of that slot is replaced.

    `given` overrides the report's parameters; texts are read as the declared types. All variants of the report are
    made, or the one named, in a folder of its own. `progress` is called with what, done, total. A failed section is
    shown as such and the others are delivered; a run that failed completely goes beside its slot, whose last report
    stays.

    `rows` are the only ones that anything of the run can read (`Book.open`); with `public` its pages hold the listed
    figures and nothing else, and its notebooks lie elsewhere (`Run.notebooks`). Both have folders of their own, and
    kernels, which nothing of another run reaches.

    `sections` are those to run of the report, all if none are named. A section that fails is executed again up to
    `retries` times; after `time_limit` seconds (0: none) the run is given up. `gaps` are sentences for the index on
    what is known to be missing.

    Raises:
        UsageError: an unknown report, section, variant, parameter or public figure, or a value of the wrong type.
        RowsError: no table has the columns of `rows`.
        WarehouseError: there is no build, or not this one.
        RunError: the pages cannot be written, or it took too long.
    """
    start = time.perf_counter()
    bound = Rows.from_text(process_rows()).within(Rows.of(rows))
    if public is not None:
        # Imported here because it takes half a second, and few runs are public.
        from tidings.reporting.disclosure import check_public

        check_public(public)
    report = chosen(load_report(settings, name).only(sections), variant, given)
    warnings: list[str] = list(gaps)
    known = cache(lambda: _credentials(settings))
    with (
        Kernels(lambda said: warnings.append(known().redactor(said)), withheld=settings.withheld()) as kernels,
        _limited(kernels, time_limit) as expired,
        # A book speaks the language of its report; whoever asked for the run goes on in a language of their own.
        speaking(in_force()),
    ):
        # From here the forkserver imports in parallel with this process.
        ledger = Ledger(settings.ledger)
        runs = _begin(settings, report, given, now, ledger, variant, bound, public)
        pinned = runs[0]
        try:
            kernels.prepare(
                {
                    "TIDINGS_ROOT": str(settings.root),
                    "TIDINGS_BUILD": pinned.build,
                    "TIDINGS_RUN": pinned.id,
                    "TIDINGS_LOCALE": pinned.locale,
                    # Of the process, so that a notebook cannot forget it.
                    ROWS: pinned.rows.to_text(),
                    "TIDINGS_PUBLIC": "yes" if public else "",
                    # What anybody may see has no single rows, whatever the report says.
                    SHOW_ROWS: "yes" if report.rows and not public else "",
                }
            )
            # Imported here to run in parallel with the forkserver.
            from tidings.reporting.make_pages import make_pages

            redact, watch = known().redactor, progress or _silent
            results, index = make_pages(settings, runs, kernels, ledger, redact, warnings, watch, start, retries)
        except BaseException as error:
            kernels.close()
            if expired.is_set() and isinstance(error, RunError):
                error = RunError(
                    f"It took longer than {time_limit / 60:g} minutes.", "Allow more (time_limit), or ask for less."
                )
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
            raise error from error.__cause__
    status, seconds = status_of(results), time.perf_counter() - start
    ledger.finish_run(pinned.id, status, seconds=seconds)
    return RunResult(pinned, pinned.title, status, seconds, index, results, tuple(warnings))


@contextmanager
def _limited(kernels: Kernels, seconds: float) -> Iterator[threading.Event]:
    """After so many seconds the kernels end, so that what waits for them fails, and the event is set; 0 for never."""
    expired = threading.Event()

    def end() -> None:
        expired.set()
        kernels.close()

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    if seconds:
        timer.start()
    try:
        yield expired
    finally:
        timer.cancel()


def _begin(
    settings: Settings,
    report: Report,
    given: Mapping[str, Any],
    now: datetime,
    ledger: Ledger,
    variant: str,
    rows: Rows,
    public: Public | None,
) -> tuple[Run, ...]:
    """Fix the run and write it to the ledger while its build exists; from then on builds keep it."""
    # Imported here because it takes half a second, in which the forkserver imports as well.
    from tidings.reporting.open_alerts import open_alerts
    from tidings.warehouse.reader import build_file

    for _ in range(_TRIES):
        runs = _pin(settings, report, given, now, variant, rows, public)
        pinned = runs[0]
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
                    # Section by section, as they are executed.
                    sections=[run.pages[position] for position in range(len(pinned.sections)) for run in runs],
                    started_at=now,
                )
                alerts = open_alerts(settings, pinned.id, pinned.zone)
                return tuple(replace(run, alerts=alerts) for run in runs)
    raise RunError("New builds replace old ones faster than a run can begin.", "Repeat the command when they are done.")


def _pin(
    settings: Settings,
    report: Report,
    given: Mapping[str, Any],
    now: datetime,
    variant: str = "",
    rows: Rows = ALL_ROWS,
    public: Public | None = None,
) -> tuple[Run, ...]:
    """Fix build and instant once, so that all sections use the same; a run for each variant of the report."""
    # Imported here because it takes half a second, in which the forkserver imports as well.
    from tidings.book import Book
    from tidings.reporting.binding import bound, to_date

    one = Variant(report.title)
    identifier = f"{report.name}-{now:%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"
    runs: list[Run] = []
    slot, build = "", None
    for choice in report.variants or (one,):
        values = bound(settings, report, choice, given)
        # Opened here once, so that a wrong segment or zone is refused before anything runs.
        asked: dict[str, Any] = {name: values.effective[name] for name in _BOOK if name in values.effective}
        where: dict[str, Any] = {"root": settings.root, "build": build, "locale": report.locale}
        book = Book.open(**asked, **where, rows=dict(rows.terms))
        build, zone, as_of = book.build_id, book.zone, book.as_of
        days = to_date(book, values.period)
        book.context.warehouse.close()
        local = as_of.astimezone(zone.info)
        is_day = as_of == zone.first_instant(local.date())
        if not runs:
            other = {name: value for name, value in values.other.items() if name != "as_of"}
            if variant:
                other["variant"] = choice.name
            if report.part:
                other["sections"] = "+".join(report.part)
            is_latest = values.effective["as_of"] == "latest"
            slot = slot_of(as_of, zone, other, is_latest=is_latest, rows=rows, public=public)
        runs.append(
            Run(
                id=identifier,
                report=report.name,
                title=report.title,
                slot=slot,
                as_of=as_of,
                parameters={**values.given, **days, "as_of": f"{local:%Y-%m-%d}" if is_day else as_of.isoformat()},
                build=build,
                version=version("tidings"),
                sections=report.sections,
                started_at=now,
                zone=zone,
                is_latest=values.effective["as_of"] == "latest",
                suffix=choice.suffix,
                variants=report.variants,
                locale=report.locale or settings.locale,
                rows=rows,
                public=public,
            )
        )
    return tuple(runs)


def chosen(report: Report, variant: str, given: Mapping[str, Any]) -> Report:
    """The report with the variant of that name alone, or with all of them if it is empty.

    Raises:
        UsageError: there is no such variant, or a given parameter would make variants the same.
    """
    if variant:
        # Alone it has the pages of a report without variants.
        return replace(report, variants=(replace(report.variant(variant), suffix=""),))
    for name in given:
        setting = [each.name for each in report.variants if name in each.parameters]
        if setting:
            raise UsageError(
                f"The variants of {report.name} set '{name}' themselves: {', '.join(setting)}.",
                f'Choose one with it: tidings run {report.name} --variant "{setting[0]}" -p {name}=…',
            )
    return report


def _credentials(settings: Settings) -> Credentials:
    # Imported here for the same reason: it opens all sources.
    from tidings.sources.credentials import credentials

    return credentials(settings)


def _silent(what: str, done: int, total: int) -> None:
    """No progress."""
