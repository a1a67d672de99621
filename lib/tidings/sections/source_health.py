"""What the section on the sources asks: does each one arrive, on time and whole, and do they agree?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from tidings.book import Book
from tidings.cuts import FIGURES, Cut
from tidings.figures import UNIFIED
from tidings.ledger import Ledger
from tidings.metrics.answer import Answer, Field
from tidings.metrics.metric import Number
from tidings.metrics.registry import get
from tidings.metrics.told import PLATFORMS, TELLS, name_of
from tidings.metrics.values import divided
from tidings.sources.source import Endpoint, open_sources
from tidings.window import days_since

OVERLAPPING = (("umami", "posthog", "ga4"), ("revenuecat", "revenuecat_events", "stripe", "app_store"))
"""Platforms that may tell of the same visitors, and of the same subscribers."""


def pulls(book: Book) -> Answer:
    """The latest pull of each source, one row per source: when, how it went, and what it brought."""
    last = Ledger(book.settings.ledger).last_pulls()
    kinds = {name: str(table.get("kind", "")) for name, table in book.settings.sources.items()}
    rows: list[tuple[Any, ...]] = []
    for source in sorted({*last, *kinds}):
        pull = last.get(source)
        kind = kinds.get(source, "no longer configured")
        if pull is None:
            rows.append((source, kind, None, "never pulled", None, None, None, ""))
            continue
        said = " ".join([pull.error, *pull.messages]).strip()
        at = pull.started_at.astimezone(book.zone.info)
        rows.append((source, kind, at, pull.status, pull.rows, pull.rejected, pull.restated, said))
    fields = (
        Field("source", "Source"),
        Field("kind", "Kind"),
        Field("at", "Last pull", "date"),
        Field("status", "Went"),
        Field("rows", "Rows", "count"),
        Field("rejected", "Rejected", "count"),
        Field("restated", "Days restated", "count"),
        Field("said", "What it said"),
    )
    return Answer("The latest pull of each source", fields, tuple(rows), book.lens.provenance((), ()))


def freshness(book: Book) -> Answer:
    """How far each endpoint of each source is whole, and whether that is late; late ones first.

    An endpoint is late when more days than it needs are not whole yet, seen from the report's as_of, or from the newest
    pull or run in the ledger if that is later: a workbook that nobody pulls is late, too.
    """
    now = _now(book)
    known = {(source.name, e.name): e for source in open_sources(book.settings) for e in source.endpoints}
    landed = {(feed.source, feed.endpoint): feed for feed in book.lens.warehouse.feeds}
    rows = []
    for key in sorted({*known, *landed}):
        feed = landed.get(key)
        whole = feed.complete_until if feed else None
        endpoint = known.get(key)
        rows.append(
            (
                *key,
                _state(endpoint, whole, now),
                None if whole is None else whole.astimezone(book.zone.info),
                None if whole is None else max(0.0, days_since(whole, now)),
                None if endpoint is None else endpoint.promise_days,
                feed.rows if feed else 0,
                feed.rejected if feed else 0,
            )
        )
    rows.sort(key=lambda row: (_STATES.index(row[2]), row[0], row[1]))
    fields = (
        Field("source", "Source"),
        Field("endpoint", "What"),
        Field("state", "State"),
        Field("whole", "Whole until", "date"),
        Field("days", "Days ago", "score"),
        Field("promise", "Days it may take", "count"),
        Field("rows", "Rows", "count"),
        Field("rejected", "Rejected", "count"),
    )
    return Answer("How fresh each source is", fields, tuple(rows), book.lens.provenance((), ()))


def refused(book: Book) -> Answer:
    """Rows that were landed but could not be used, one row per source, endpoint and reason; most rows first."""
    rows = sorted(book.lens.warehouse.rejected, key=lambda found: (-found["rows"], found["source"], found["endpoint"]))
    fields = (
        Field("source", "Source"),
        Field("endpoint", "What"),
        Field("reason", "Why"),
        Field("rows", "Rows", "count"),
    )
    lines = tuple(tuple(found[field.name] for field in fields) for found in rows)
    return Answer("Rows that were refused", fields, lines, book.lens.provenance((), ()))


def differences(book: Book) -> Answer:
    """The same figure of the window as several sources tell it, and each one's distance from the first."""
    rows = []
    start = len(book.lens.sql)
    for platforms in OVERLAPPING:
        for unified in dict.fromkeys(name for platform in platforms for name in TELLS[platform]):
            telling = [platform for platform in platforms if unified in TELLS[platform]]
            names = {platform: name_of(platform, unified) for platform in telling}
            amounts = book.amounts(list(names.values()), [book.window])
            told = {p: amounts[name, book.window] for p, name in names.items()}
            known = {platform: value for platform, value in told.items() if value is not None}
            if len(known) > 1:
                rows += _compared(book, unified, known)
    fields = (
        Field("metric", "Figure"),
        Field("platform", "As told by"),
        Field("value", "Value", "count"),
        Field("unit", "Unit"),
        Field("difference", "Change from the first", "ratio"),
    )
    origin = book.lens.provenance(book.lens.sql[start:], (FIGURES,), len(rows))
    note = "They count differently: who blocks scripts, other time zones, trials and grace periods, one store or all."
    return Answer(
        "What several sources tell", fields, tuple(rows), replace(origin, notes=(*origin.notes, note) if rows else ())
    )


def told(book: Book) -> Answer:
    """What each source tells, one row per source, platform and figure: first and last day, and what it is split by."""
    found: dict[tuple[str, str, str], list[Cut]] = {}
    for cut in book.lens.cuts:
        found.setdefault(cut.whose, []).append(cut)
    rows = tuple(
        (
            source,
            PLATFORMS.get(platform, platform),
            UNIFIED[metric].title,
            min(cut.first_day for cut in cuts),
            max(cut.last_day for cut in cuts),
            "; ".join(sorted(cut.cut.replace(",", " + ") or "whole" for cut in cuts)),
        )
        for (source, platform, metric), cuts in sorted(found.items())
    )
    fields = (
        Field("source", "Source"),
        Field("platform", "Platform"),
        Field("metric", "Figure"),
        Field("first", "From", "date"),
        Field("last", "To", "date"),
        Field("cuts", "Told by"),
    )
    return Answer("What each source tells", fields, rows, book.lens.provenance((), (FIGURES,)))


_STATES = ("never landed", "late", "on time", "as brought", "no longer configured")


def _state(endpoint: Endpoint | None, whole: datetime | None, now: datetime) -> str:
    if endpoint is None:
        return "no longer configured"
    if whole is None:
        return "never landed"
    if endpoint.promise_days is None:
        return "as brought"
    return "late" if days_since(whole, now) > endpoint.promise_days else "on time"


def _now(book: Book) -> datetime:
    ledger = Ledger(book.settings.ledger)
    noted = [pull.started_at for pull in ledger.pulls(1)] + [run.started_at for run in ledger.runs(1)]
    return max([book.as_of, *noted])


def _compared(book: Book, unified: str, known: Mapping[str, Number]) -> list[tuple[object, ...]]:
    metric = get(name_of(next(iter(known)), unified))
    first = next(iter(known.values()))
    rows: list[tuple[object, ...]] = []
    for platform, value in known.items():
        share = divided(value, first)
        rows.append(
            (
                metric.title.partition(",")[0],
                PLATFORMS[platform],
                value,
                book.unit(metric),
                None if not rows or share is None else share - 1,
            )
        )
    return rows
