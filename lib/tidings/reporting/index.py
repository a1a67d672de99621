"""The index of a run: the findings of each section, from the records alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from tidings.reporting.pinned import Run
from tidings.reporting.record import Item, NotebookRecord
from tidings.reporting.site import render


@dataclass(frozen=True)
class IndexRow:
    """One section in the index; `status` is done or failed, `error` one sentence."""

    section: str
    title: str
    status: str
    seconds: float
    error: str
    findings: Markup
    cards: Markup
    charts: str


def entry_of(record: NotebookRecord, *, error: str, seconds: float) -> IndexRow:
    """The index row of a section."""
    charts = len(record.of_kind("chart"))
    return IndexRow(
        section=record.section,
        title=record.title,
        status="failed" if error else "done",
        seconds=seconds,
        error=error,
        findings=_fragment(record.of_kind("findings"), record.section),
        cards=_fragment(record.of_kind("cards"), record.section),
        charts=f"{charts} {'chart' if charts == 1 else 'charts'} and the tables behind them",
    )


def write_index(run: Run, records: Sequence[NotebookRecord], entries: Sequence[IndexRow], **content: Any) -> str:
    """The index page; `content` holds the run's status and warnings."""
    heads = [item for record in records for item in record.of_kind("head")]
    tables: Mapping[str, str] = {name: state for record in records for name, state in record.tables.items()}
    return render(
        "index.html.j2",
        run=run,
        entries=entries,
        failed=[entry for entry in entries if entry.error],
        period=next((head.subtitle or head.title for head in heads), ""),
        tables=dict(sorted(tables.items())),
        **content,
    )


def _fragment(items: Sequence[Item], section: str) -> Markup:
    """The first item's fragment, its links to definitions leading to the section's page."""
    if not items:
        return Markup("")
    # Safe: fragments are escaped where they are made.
    return Markup(items[0].html.replace('href="#', f'href="{quote(section)}.html#'))  # noqa: S704
