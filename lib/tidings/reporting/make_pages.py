"""Makes the pages of a run: sections executed in parallel, a page for each as it finishes, the index, the manifest."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import replace
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from tidings.language import say, speaking
from tidings.ledger.store import Ledger
from tidings.reporting.execute import Execution, execute_variants
from tidings.reporting.folder import atomic_folder
from tidings.reporting.kernels import Kernels
from tidings.reporting.pinned import Run, RunProgress, SectionResult, status_of
from tidings.reporting.report import Parameter
from tidings.secrets import Redactor
from tidings.settings import Settings

# Two kernels keep two cores busy; a third makes all of them slower.
_AT_ONCE = 2
_PACKAGES = ("tidings", "papermill", "nbconvert", "ibis-framework", "duckdb")


def make_pages(
    settings: Settings,
    runs: Sequence[Run],
    kernels: Kernels,
    ledger: Ledger,
    redact: Redactor,
    warnings: list[str],
    progress: RunProgress,
    start: float,
    retries: int = 0,
) -> tuple[tuple[SectionResult, ...], Path]:
    """Fill the run's folder, put it in place and return the path of its index; `start` is on the performance counter.

    `runs` is the run, once for each variant; the index is that of the first.

    Raises:
        RunError: the files cannot be written.
    """
    run = runs[0]
    with atomic_folder(run.folder(settings), ledger.leases) as filled:
        folder = filled.folder
        notebooks = run.notebooks(settings) or folder / "notebooks"
        notebooks.mkdir(parents=True, exist_ok=True)

        def wanted(section: str) -> Iterator[tuple[Path, Mapping[str, Parameter]]]:
            for each in runs:
                ledger.start_section(run.id, f"{section}{each.suffix}")
                yield notebooks / f"{section}{each.suffix}.ipynb", each.parameters

        def execute(section: str, promised: Sequence[Future[Execution]]) -> None:
            source = settings.notebooks / f"{section}.ipynb"
            try:
                made = execute_variants(source, wanted(section), kernels, redact, retries)
                for execution, promise in zip(made, promised, strict=True):
                    promise.set_result(execution)
            except BaseException as error:  # noqa: BLE001 - raised where the pages are written
                for promise in promised:
                    if not promise.done():
                        promise.set_exception(error)

        progress("sections", 0, len(run.sections) * len(runs))
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            waiting: list[Future[Execution]] = []
            for section in run.sections:
                # One for each variant, so that a page is written while the next is executed.
                promised: list[Future[Execution]] = [Future() for _ in runs]
                pool.submit(execute, section, promised)
                waiting += promised
            try:
                with speaking(settings.language(run.locale)):
                    shown = [replace(each, title=say(each.title)) for each in runs]
                    results = _write_pages(settings, shown, folder, waiting, ledger, warnings, progress)
            except BaseException:
                # Otherwise the pool would wait for results that are not needed.
                pool.shutdown(wait=False, cancel_futures=True)
                kernels.close()
                raise
        manifest = redact.mapped(_manifest(settings, runs, results, warnings, time.perf_counter() - start))
        (notebooks if run.public else folder).joinpath("run.json").write_text(
            json.dumps(manifest, indent=2) + "\n", encoding="utf-8"
        )
        filled.succeeded = status_of(results) != "failed"
    return results, filled.place / "index.html"


def _write_pages(
    settings: Settings,
    runs: Sequence[Run],
    folder: Path,
    waiting: list[Future[Execution]],
    ledger: Ledger,
    warnings: list[str],
    progress: RunProgress,
) -> tuple[SectionResult, ...]:
    """Write the page of each section as it finishes, then the index of each variant."""
    # Imported here because it takes a second, in which the first sections run.
    from tidings.reporting.disclosure import disclosed, has_figures
    from tidings.reporting.index import entry_of, write_index
    from tidings.reporting.page import Pages, incomplete
    from tidings.reporting.public import public_index, public_page
    from tidings.reporting.record import NotebookRecord, read_record

    pages = Pages()
    figures = runs[0].public.figures if runs[0].public else None
    written: dict[Path, str] = {}
    done: dict[str, tuple[Execution, NotebookRecord]] = {}
    run_of = {page: run for run in runs for page in run.pages}
    for finished in as_completed(waiting):
        went = finished.result()
        page = folder / f"{went.page}.html"
        run = run_of[went.page]
        record = read_record(went.notebook)
        if figures is None:
            written[page] = pages.section(went.notebook, run, went.error)
            page.write_text(written[page], encoding="utf-8")
        else:
            record = disclosed(record, figures)
            if has_figures(record):
                page.write_text(public_page(record, run), encoding="utf-8")
        done[went.page] = went, record
        ledger.finish_section(run.id, went.page, _state(went.error), seconds=went.seconds, error=went.error)
        progress("sections", len(done), len(waiting))
    everything: list[SectionResult] = []
    for run in runs:
        in_order = [done[page] for page in run.pages]
        results = tuple(
            SectionResult(section, e.page, _state(e.error), e.seconds, e.error)
            for section, (e, _) in zip(run.sections, in_order, strict=True)
        )
        everything += results
        if figures is not None:
            shown = [record for _, record in in_order if has_figures(record)]
            index = public_index(run, shown, is_whole=not any(e.error for e, _ in in_order))
            (folder / f"index{run.suffix}.html").write_text(index, encoding="utf-8")
            continue
        entries = [entry_of(record, error=e.error, seconds=e.seconds) for e, record in in_order]
        records = [record for _, record in in_order]
        failed = [record.title for e, record in in_order if e.error]
        if failed:
            # Every page names the missing ones; when it was first written none had failed yet.
            for name in run.pages:
                page = folder / f"{name}.html"
                page.write_text(incomplete(written[page], failed, len(in_order)), encoding="utf-8")
        index = write_index(run, records, entries, status=status_of(results), warnings=[*map(say, warnings)])
        (folder / f"index{run.suffix}.html").write_text(index, encoding="utf-8")
    return tuple(everything)


def _manifest(
    settings: Settings, runs: Sequence[Run], results: tuple[SectionResult, ...], warnings: list[str], seconds: float
) -> dict[str, Any]:
    """The run for programs: `run.json`. Seconds are wall time."""
    run = runs[0]
    variants = [
        {"name": each.variant, "index": f"index{each.suffix}.html", "parameters": dict(each.parameters)}
        for each in runs
        if each.variants
    ]
    return {
        "id": run.id,
        "report": run.report,
        "title": run.title,
        "slot": run.slot,
        "status": status_of(results),
        "as_of": run.as_of.isoformat(),
        "parameters": dict(run.parameters),
        "locale": run.locale,
        **({"rows": {column: list(values) for column, values in run.rows.terms}} if run.rows else {}),
        **({"variants": variants} if variants else {}),
        "build": run.build,
        "versions": {name: version(name) for name in _PACKAGES},
        "started_at": run.started_at.isoformat(),
        "seconds": round(seconds, 3),
        "warnings": warnings,
        "sections": [
            {
                "section": result.section,
                "status": result.status,
                "seconds": round(result.seconds, 3),
                "error": result.error,
                "page": f"{result.page}.html",
                "notebook": f"notebooks/{result.page}.ipynb",
                "source_sha256": sha256((settings.notebooks / f"{result.section}.ipynb").read_bytes()).hexdigest(),
            }
            for result in results
        ],
    }


def _state(error: str) -> Literal["done", "failed"]:
    return "failed" if error else "done"
