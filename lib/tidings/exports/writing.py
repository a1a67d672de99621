"""Writes a finished run as a file of one of the kinds."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from tidings.reporting.finished import FinishedRun

Kind = Literal["pdf", "xlsx", "csv"]
_UNSAFE = re.compile(r"[^\w.=+~-]+", re.ASCII)


def write_export(run: FinishedRun, kind: Kind, file: Path) -> Path:
    """Write the run, or what of it is wanted; returns the file.

    Raises:
        RunError: it cannot be written, or there is no browser for a PDF.
    """
    # Each imported only where it is asked for: a spreadsheet needs no browser, and both take a while.
    if kind == "pdf":
        from tidings.exports.pdf import write_pdf

        write_pdf(run.pages, file)
    elif kind == "xlsx":
        from tidings.exports.xlsx import write_xlsx

        write_xlsx(run, file)
    else:
        from tidings.exports.csv import write_csv

        write_csv(run, file)
    return file


def usual_name(run: FinishedRun, kind: Kind) -> str:
    """What the file of a run is called if nobody says it."""
    parts = [run.report, run.slot, run.variant]
    if not run.is_whole and run.sections[0].section != run.report:
        parts.append(run.sections[0].section)
    suffix = "zip" if kind == "csv" else kind
    return f"{_UNSAFE.sub('-', '-'.join(filter(None, parts)))}.{suffix}"
