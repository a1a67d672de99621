"""A finished run in memory, of one section with the kinds of cells that a spreadsheet must tell apart."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tidings.reporting.finished import FinishedRun, FinishedSection
from tidings.reporting.record import Item, NotebookRecord


def item(kind: str, **fields: Any) -> Item:
    """An item of a record with these fields, the others empty."""
    empty: dict[str, Any] = {"title": "", "subtitle": "", "alt": "", "figures": (), "table": None, "provenance": {}}
    return Item(kind=kind, **{**empty, "html": "", "text": "", **fields})


def figure(metric: str, value: str | None, unit: str, **more: Any) -> dict[str, Any]:
    """A figure of the record for 3 to 30 June."""
    window = {"from": "2026-06-03", "to": "2026-07-01"}
    held = {"metric": metric, "title": metric.replace("_", " "), "value": value, "unit": unit, "window": window}
    return {**held, "before": None, "change": None, "status": "none", "why": "", "why_no_change": "", **more}


def table(columns: Sequence[tuple[str, str]], *rows: Sequence[Any]) -> dict[str, Any]:
    """A table of the record, its columns given as title and unit."""
    fields = [{"name": title.lower(), "title": title, "unit": unit} for title, unit in columns]
    return {"columns": fields, "rows": [list(row) for row in rows]}


def finished(folder: Path, **sections: Sequence[Item]) -> FinishedRun:
    """A run of sections given as title=items."""
    head = item("head", subtitle="3 – 30 Jun 2026 · UTC")
    return FinishedRun(
        id="weekly-20260701T060000-abcd",
        report="weekly",
        title="Weekly report",
        slot="2026-07-01",
        status="done",
        as_of=datetime(2026, 7, 1, tzinfo=UTC),
        started_at=datetime(2026, 7, 1, 6, tzinfo=UTC),
        build="b",
        parameters={},
        variant="",
        folder=folder,
        index=folder / "index.html",
        sections=tuple(
            FinishedSection(
                name.lower(),
                "",
                folder / f"{name}.html",
                NotebookRecord(name.lower(), name.replace("_", " "), (head, *items), {}, None),
            )
            for name, items in sections.items()
        ),
    )
