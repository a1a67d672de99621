"""Makes the message for one recipient of the run that it is about."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tidings.delivery.message import Message
from tidings.language import say, speaking
from tidings.reporting.finished import FinishedRun
from tidings.reporting.index import report_findings
from tidings.settings import Settings

_LONGEST = 90


def message_id(key: str) -> str:
    """What a message is called for good, made of the key of its delivery."""
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def compose(
    settings: Settings,
    run: FinishedRun,
    *,
    key: str,
    recipient: str,
    at: datetime,
    sent_at: datetime,
    subject: str = "",
    gaps: Iterable[str] = (),
    alerts: Iterable[str] = (),
    notes: Iterable[str] = (),
    files: Iterable[Path] = (),
    is_public: bool = False,
) -> Message:
    """The message on a run: its period and the one thing that moved are its subject, after `subject` or the title.

    `at` is the report's as_of, in the zone in which its reader is to see it.
    """
    with speaking(settings.language(run.locale)):
        findings = tuple(report_findings(run.records))
        title = say(run.title)
        lost = [section.record.title for section in run.sections if section.error]
        # Sentences of ours that have no values in them; the others are in the language in which they were found out.
        known = [say(gap) for gap in gaps]
        failed = [say("{title} is missing: it failed.", title=name) for name in lost]
    head = ", ".join(filter(None, (subject or title, run.period)))
    moved = _short(findings[0].text) if findings else ""
    where = f"{quote(run.report)}/{quote(run.folder.name)}/{quote(run.index.name)}"
    return Message(
        id=message_id(key),
        title=title,
        subject=f"{head}: {moved}" if moved else head,
        period=run.period,
        at=at,
        sent_at=sent_at,
        recipient=recipient,
        findings=findings,
        records=run.records,
        gaps=tuple(dict.fromkeys((*known, *failed))),
        alerts=tuple(alerts),
        notes=tuple(notes),
        folder=run.folder,
        address=f"{settings.public_address}/{where}" if settings.public_address else "",
        files=tuple(files),
        report=run.report,
        slot=run.folder.name,
        is_public=is_public,
    )


def notice(content: Mapping[str, Any], *, key: str, recipient: str, at: datetime) -> Message:
    """The message of a notice, whose `content` has a subject and lines."""
    lines = tuple(content["lines"])
    return Message(
        id=message_id(key),
        title=content["subject"],
        subject=content["subject"],
        period="",
        at=at,
        recipient=recipient,
        lines=lines,
    )


def _short(text: str) -> str:
    """The beginning of a sentence, without its stop, for a line that is cut anyway."""
    text = " ".join(text.split()).rstrip(".")
    return text if len(text) <= _LONGEST else text[:_LONGEST].rsplit(" ", 1)[0].rstrip(",;:–-") + " …"
