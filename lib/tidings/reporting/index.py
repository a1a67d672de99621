"""The index of a run: what is unusual in the whole report, then each section in a row, from the records alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from bs4 import BeautifulSoup
from markupsafe import Markup

from tidings.language import say, say_count
from tidings.reporting.pinned import Run
from tidings.reporting.record import NotebookRecord
from tidings.reporting.site import render

MOST = 3
_FIGURES = 2


@dataclass(frozen=True)
class IndexRow:
    """One section in the index; `status` is done or failed, `error` one sentence.

    `cards` are its first two figures, `state` what became of it in a few words, `missing` what no source brings where
    it has nothing to show.
    """

    section: str
    title: str
    status: str
    seconds: float
    error: str
    cards: Markup
    state: str
    missing: str


@dataclass(frozen=True)
class ReportFinding:
    """A finding of the whole report, with section and title of those whose finding it is."""

    text: str
    action: str
    sections: tuple[tuple[str, str], ...]


def entry_of(record: NotebookRecord, *, error: str, seconds: float) -> IndexRow:
    """The index row of a section."""
    return IndexRow(
        section=record.section,
        title=record.title,
        status="failed" if error else "done",
        seconds=seconds,
        error=error,
        cards=_cards(record),
        state=say("failed") if error else state_of(record),
        missing=record.missing if record.absent else "",
    )


def report_findings(records: Sequence[NotebookRecord]) -> list[ReportFinding]:
    """What is unusual in the report, the least likely first, each fact once; or one sentence that nothing is."""
    facts: dict[str, list[tuple[Mapping[str, Any], NotebookRecord]]] = {}
    for record in records:
        for finding in _unusual(record):
            facts.setdefault(str(finding["subject"]), []).append((finding, record))
    # The sort is stable: of equals the first section's is shown, and the first fact comes first.
    ranked = [sorted(same, key=lambda pair: pair[0]["chance"]) for same in facts.values()]
    ranked.sort(key=lambda same: same[0][0]["chance"])
    if ranked:
        return [
            ReportFinding(
                str(same[0][0]["text"]),
                str(same[0][0]["action"]),
                tuple(dict.fromkeys((record.section, record.title) for _, record in same)),
            )
            for same in ranked[:MOST]
        ]
    usual = [record for record in records if _is_usual(record)]
    if not usual:
        return []
    judged = {figure["metric"] for record in usual for item in record.of_kind("findings") for figure in item.figures}
    text = say_count(
        len(judged),
        "Nothing unusual: none of {n} figures moved more than in its history.",
        "Nothing unusual: none of {n} figures moved more than in its history.",
        n=len(judged),
    )
    return [ReportFinding(text, "", tuple((record.section, record.title) for record in usual))]


def write_index(run: Run, records: Sequence[NotebookRecord], entries: Sequence[IndexRow], **content: Any) -> str:
    """The index page; `content` holds the run's status and warnings."""
    heads = [item for record in records for item in record.of_kind("head")]
    tables: Mapping[str, str] = {name: state for record in records for name, state in record.tables.items()}
    return render(
        "index.html.j2",
        run=run,
        base="index",
        entries=entries,
        findings=report_findings(records),
        failed=[entry for entry in entries if entry.error],
        period=next((head.subtitle or head.title for head in heads), ""),
        tables=dict(sorted(tables.items())),
        **content,
    )


def _unusual(record: NotebookRecord) -> list[Mapping[str, Any]]:
    found = [finding for item in record.of_kind("findings") for finding in item.findings]
    return [one for one in found if one["chance"] is not None]


def _is_usual(record: NotebookRecord) -> bool:
    return any(one["subject"] == "nothing" for item in record.of_kind("findings") for one in item.findings)


def state_of(record: NotebookRecord) -> str:
    """What became of a section that was executed, in a few words."""
    if record.absent:
        return say("not connected")
    if unusual := len(_unusual(record)):
        return say("{n} unusual", n=unusual)
    if _is_usual(record):
        return say("nothing unusual")
    return say("not judged") if any(item.findings for item in record.items) else say("done")


def _cards(record: NotebookRecord) -> Markup:
    """The first two cards of the section, their links to definitions leading to its page."""
    found: list[str] = []
    for item in () if record.absent else record.of_kind("cards"):
        found += [str(card) for card in BeautifulSoup(item.html, "html.parser").select(".td-card")]
    shown = "".join(found[:_FIGURES]).replace('href="#', f'href="{quote(record.section)}.html#')
    # Safe: fragments are escaped where they are made, and the parser writes them escaped.
    return Markup(shown)  # noqa: S704
