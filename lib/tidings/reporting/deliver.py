"""Makes the pages of a run: sections executed in parallel, a page for each as it finishes, the index, the manifest."""

from __future__ import annotations

import json
import time
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from tidings.ledger.store import Ledger
from tidings.reporting.execute import Execution, execute_section
from tidings.reporting.folder import atomic_folder
from tidings.reporting.kernels import Kernels
from tidings.reporting.pinned import Run, RunProgress, SectionResult, status_of
from tidings.secrets import Redactor
from tidings.settings import Settings

# Two kernels keep two cores busy; a third makes all of them slower.
_AT_ONCE = 2
_PACKAGES = ("tidings", "papermill", "nbconvert", "ibis-framework", "duckdb")


def deliver(
    settings: Settings,
    run: Run,
    kernels: Kernels,
    ledger: Ledger,
    redact: Redactor,
    warnings: list[str],
    progress: RunProgress,
    start: float,
) -> tuple[tuple[SectionResult, ...], Path]:
    """Fill the run's folder, put it in place and return the path of its index; `start` is on the performance counter.

    Raises:
        RunError: the files cannot be written.
    """
    with atomic_folder(run.folder(settings), ledger.leases) as filled:
        folder = filled.folder
        (folder / "notebooks").mkdir()

        def execute(section: str) -> Execution:
            ledger.start_section(run.id, section)
            source, output = settings.notebooks / f"{section}.ipynb", folder / "notebooks" / f"{section}.ipynb"
            return execute_section(source, output, run.parameters, kernels, redact)

        progress("sections", 0, len(run.sections))
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            waiting = [pool.submit(execute, section) for section in run.sections]
            try:
                results = _write_pages(settings, run, folder, waiting, ledger, warnings, progress)
            except BaseException:
                # Otherwise the pool would wait for results that are not needed.
                pool.shutdown(wait=False, cancel_futures=True)
                kernels.close()
                raise
        manifest = redact.mapped(_manifest(settings, run, results, warnings, time.perf_counter() - start))
        (folder / "run.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        filled.succeeded = status_of(results) != "failed"
    return results, filled.place / "index.html"


def _write_pages(
    settings: Settings,
    run: Run,
    folder: Path,
    waiting: list[Future[Execution]],
    ledger: Ledger,
    warnings: list[str],
    progress: RunProgress,
) -> tuple[SectionResult, ...]:
    """Write the page of each section as it finishes, then the index."""
    # Imported here because it takes a second, in which the first sections run.
    from tidings.reporting.index import entry_of, write_index
    from tidings.reporting.page import Pages, incomplete
    from tidings.reporting.record import NotebookRecord, read_record

    pages = Pages()
    written: dict[Path, str] = {}
    done: dict[str, tuple[Execution, NotebookRecord]] = {}
    for finished in as_completed(waiting):
        went = finished.result()
        page = folder / f"{went.section}.html"
        written[page] = pages.section(went.notebook, run, went.error)
        page.write_text(written[page], encoding="utf-8")
        done[went.section] = went, read_record(went.notebook)
        ledger.finish_section(run.id, went.section, _state(went.error), seconds=went.seconds, error=went.error)
        progress("sections", len(done), len(run.sections))
    in_order = [done[section] for section in run.sections]
    results = tuple(SectionResult(e.section, _state(e.error), e.seconds, e.error) for e, _ in in_order)
    entries = [entry_of(record, error=e.error, seconds=e.seconds) for e, record in in_order]
    records = [record for _, record in in_order]
    failed = [record.title for e, record in in_order if e.error]
    if failed:
        # Every page names the missing ones; when it was first written none had failed yet.
        for page, text in written.items():
            page.write_text(incomplete(text, failed, len(in_order)), encoding="utf-8")
    index = write_index(run, records, entries, status=status_of(results), warnings=warnings)
    (folder / "index.html").write_text(index, encoding="utf-8")
    return results


def _manifest(
    settings: Settings, run: Run, results: tuple[SectionResult, ...], warnings: list[str], seconds: float
) -> dict[str, Any]:
    """The run for programs: `run.json`. Seconds are wall time."""
    return {
        "id": run.id,
        "report": run.report,
        "title": run.title,
        "slot": run.slot,
        "status": status_of(results),
        "as_of": run.as_of.isoformat(),
        "parameters": dict(run.parameters),
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
                "page": f"{result.section}.html",
                "notebook": f"notebooks/{result.section}.ipynb",
                "source_sha256": sha256((settings.notebooks / f"{result.section}.ipynb").read_bytes()).hexdigest(),
            }
            for result in results
        ],
    }


def _state(error: str) -> Literal["done", "failed"]:
    return "failed" if error else "done"
