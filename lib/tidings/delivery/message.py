"""A message: what one recipient gets of one run, or a notice to the operator, before a channel gives it its form."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from tidings.reporting.index import ReportFinding
from tidings.reporting.record import NotebookRecord


@dataclass(frozen=True)
class Message:
    """What is delivered, the same for every channel; all texts are plain and unescaped.

    `id` is the same for each attempt to deliver it: it is made of schedule, slot, audience, recipient and channel.
    `records` are the sections in reading order, already limited to what this audience may see; `findings` are those of
    the whole report. `gaps` are sentences on what is missing, `alerts` on what is open, `notes` small print such as the
    share of slots on time. `folder` holds the pages (null for a notice), `address` is that of the index where reports
    are published, `files` are attachments. A notice has `lines` and no records. `at` is the instant of the slot;
    `sent_at` is when this attempt is made, for signatures that must be young (null: as `at`).
    """

    id: str
    title: str
    subject: str
    period: str
    at: datetime
    recipient: str = ""
    findings: tuple[ReportFinding, ...] = ()
    records: tuple[NotebookRecord, ...] = ()
    gaps: tuple[str, ...] = ()
    alerts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    folder: Path | None = None
    address: str = ""
    files: tuple[Path, ...] = field(default=())
    # The name of the slot's folder and of the report, by which published pages are found.
    report: str = ""
    slot: str = ""
    is_public: bool = False
    sent_at: datetime | None = None
