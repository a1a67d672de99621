"""Pages for anybody, from disclosed records alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from tidings.metrics.registry import registry
from tidings.reporting.csv_link import csv_address, csv_name
from tidings.reporting.index import entry_of, report_findings
from tidings.reporting.pinned import Run
from tidings.reporting.record import Item, NotebookRecord
from tidings.reporting.site import render


def public_page(record: NotebookRecord, run: Run) -> str:
    """The page of a section from its record, which `disclosed` made."""
    shown = [_shown(item, record.section) for item in record.items if item.kind != "head"]
    return render(
        "public_page.html.j2",
        run=run,
        base=record.section.removesuffix(run.suffix),
        title=record.title,
        period=_period([record]),
        failure=record.failure.reason if record.failure else "",
        figures=shown,
        definitions=[registry()[name] for name in record.metrics if name in registry()],
    )


def public_index(run: Run, records: Sequence[NotebookRecord], *, is_whole: bool) -> str:
    """The index of the sections that disclose anything; of others there is only that the report `is_whole` or not."""
    return render(
        "public_index.html.j2",
        run=run,
        base="index",
        period=_period(records),
        is_whole=is_whole,
        findings=report_findings(records),
        entries=[entry_of(record, error="", seconds=0) for record in records],
    )


def _period(records: Sequence[NotebookRecord]) -> str:
    return next((head.subtitle for record in records for head in record.of_kind("head")), "")


def _shown(item: Item, section: str) -> dict[str, Any]:
    table = item.table if item.table is not None and item.table["rows"] else None
    return {
        # Safe: a fragment that `disclosed` took from one of ours, escaped where it was made.
        "html": Markup(item.html),  # noqa: S704
        "name": item.title,
        "address": csv_address(table) if table else "",
        "file": csv_name(section, item.title),
    }
