"""Messages, records and the folder of a run, made by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tidings.delivery.message import Message
from tidings.reporting.index import ReportFinding
from tidings.reporting.record import Failure, Item, NotebookRecord

AT = datetime(2026, 7, 6, 6, 0, tzinfo=UTC)
Made = Callable[..., Path]
WINDOW = {"from": "2026-06-29", "to": "2026-07-06"}


def figure(metric: str = "net_revenue", value: str | None = "4557.1038", **more: Any) -> dict[str, Any]:
    given = {
        "metric": metric,
        "title": metric.replace("_", " ").capitalize(),
        "value": value,
        "unit": "EUR",
        "window": WINDOW,
        "before": "4420.08",
        "change": 0.031,
        "status": "none",
        "why": "" if value is not None else "shop has orders for 1 – 5 Jun 2026",
    }
    return {**given, **more}


def item(kind: str, *figures: dict[str, Any], **more: Any) -> Item:
    given = {"title": "", "subtitle": "", "alt": "", "table": None, "provenance": {}, "html": "", "text": ""}
    return Item(**{"kind": kind, "figures": figures, **given, **more})


def section(name: str = "commerce", *items: Item, failed: str = "") -> NotebookRecord:
    title = name.replace("_", " ").capitalize()
    return NotebookRecord(name, title, items, {}, Failure("", failed, "", "") if failed else None)


def message(**more: Any) -> Message:
    given: dict[str, Any] = {
        "id": "weekly/2026-07-06T06:00Z/team/chat",
        "title": "Weekly report",
        "subject": "Weekly report, 29 Jun – 5 Jul 2026: net revenue +3.1 %",
        "period": "29 Jun – 5 Jul 2026",
        "at": AT,
        "report": "weekly",
        "slot": "2026-07-06",
        "findings": (ReportFinding("Net revenue <rose> & rose.", "Look.", (("commerce", "Commerce"),)),),
        "records": (
            section(
                "commerce", item("findings", figure()), item("cards", figure(), figure("orders", None, unit="count"))
            ),
            section("web_traffic", failed="NameError: name 'x' is not defined"),
        ),
        "gaps": ("Search Console is missing since 3 Jul 2026.",),
        "alerts": ("Error rate is above 2 %.",),
        "address": "https://reports.example.com/weekly/2026-07-06/index.html",
    }
    return Message(**{**given, **more})


def make_pages(tmp_path: Path, slot: str = "2026-07-06", **more: str) -> Path:
    """A folder as a run leaves it; further files as name=content."""
    folder = tmp_path / "runs" / slot
    (folder / "notebooks").mkdir(parents=True, exist_ok=True)
    index = (
        f'<h1>{slot}</h1><a href="commerce.html">Commerce</a> <a href="notebooks/commerce.ipynb">executed notebook '
        '<span class="td-hidden">of Commerce</span></a> <p><a href="run.json">run.json</a> says all of this.</p>'
    )
    files = {"index.html": index, "commerce.html": f"<p>commerce of {slot}</p>", "run.json": "{}", **more}
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8")
    (folder / "notebooks" / "commerce.ipynb").write_text("{}", encoding="utf-8")
    return folder
