"""What the section on the sources asks: does each one arrive, on time and whole, and do they agree?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from tidings.book import Book
from tidings.ledger.store import Ledger
from tidings.metrics.metric import Number
from tidings.metrics.platform import PLATFORMS, REPORTS, name_of
from tidings.metrics.registry import get
from tidings.metrics.result import Field, Result
from tidings.metrics.values import divided
from tidings.platform_metrics import METRIC_DAILY, PLATFORM_METRICS
from tidings.query.coverage import Covered
from tidings.query.evaluation import over_windows
from tidings.sources.api.endpoint import ApiEndpoint
from tidings.sources.source import Endpoint, open_sources
from tidings.warehouse.metadata import FeedInfo
from tidings.window import Window, days_between, days_since

OVERLAPPING: Mapping[str, Sequence[tuple[str, str]]] = {
    "sites": (("umami", ""), ("posthog", ""), ("ga4", "")),
    "all stores": (("revenuecat", ""), ("revenuecat_events", "")),
    "App Store": (("app_store", ""), ("revenuecat", "app_store"), ("revenuecat_events", "app_store")),
    "Google Play": (("google_play", ""), ("revenuecat", "play_store"), ("revenuecat_events", "play_store")),
    "Stripe": (("stripe", ""), ("revenuecat", "stripe"), ("revenuecat_events", "stripe")),
}
"""What several platforms tell of, and which they are: each limited to one store, if it knows several."""


def pulls(book: Book) -> Result:
    """The latest pull of each source, one row per source: when, how it went, and what it brought; failed ones first."""
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
    rows.sort(key=lambda row: (row[3] == "done", row[0]))
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
    return Result("The latest pull of each source", fields, tuple(rows), book.context.provenance((), ()))


def freshness(book: Book) -> Result:
    """How far each endpoint of each source is whole, and whether that is late; late ones first.

    Of several sites or apps the one that lags most counts. Days never landed lie between others that were.

    An endpoint is late when more days than it needs are not whole yet, seen from the report's as_of, or from the newest
    pull or run in the ledger if that is later: a workbook that nobody pulls is late, too.
    """
    now = _now(book)
    known = {(source.name, e.name): e for source in open_sources(book.settings) for e in source.endpoints}
    landed = {(feed.source, feed.endpoint): feed for feed in book.context.warehouse.feeds}
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
                _missing(feed) if feed and not _is_snapshot(endpoint) else 0,
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
        Field("missing", "Days never landed", "count"),
        Field("rows", "Rows", "count"),
        Field("rejected", "Rejected", "count"),
    )
    return Result("How fresh each source is", fields, tuple(rows), book.context.provenance((), ()))


def refused(book: Book) -> Result:
    """Rows that were landed but could not be used, one row per source, endpoint and reason; most rows first."""
    counts: dict[tuple[str, str, str], int] = {}
    examples: dict[tuple[str, str, str], str] = {}
    for found in book.context.warehouse.rejected:
        key = found["source"], found["endpoint"], found["reason"]
        counts[key] = counts.get(key, 0) + found["rows"]
        examples[key] = examples.get(key) or found["example"]
    rows = [
        (source, endpoint, reason + (f", such as '{examples[key]}'" if examples[key] else ""), count)
        for key, count in counts.items()
        for source, endpoint, reason in [key]
        if count
    ]
    fields = (
        Field("source", "Source"),
        Field("endpoint", "What"),
        Field("reason", "Why"),
        Field("rows", "Rows", "count"),
    )
    lines = tuple(sorted(rows, key=lambda row: (-row[3], *row[:3])))
    return Result("Rows that were refused", fields, lines, book.context.provenance((), ()))


def differences(book: Book) -> Result:
    """The same figure as several sources tell it, on the days of the window that all of them tell.

    One row per figure and source, beside the distance from the first of them.
    """
    rows: list[tuple[object, ...]] = []
    start = len(book.context.sql)
    for about, tellers in OVERLAPPING.items():
        for unified in dict.fromkeys(name for platform, _ in tellers for name in REPORTS[platform]):
            asked = [(platform, store) for platform, store in tellers if unified in REPORTS[platform]]
            known = [teller for teller in asked if _days(book, unified, teller)]
            window = _common(book, unified, known)
            if len(known) > 1 and window is not None:
                rows += _compared(book, about, unified, known, window)
    fields = (
        Field("about", "Of"),
        Field("metric", "Figure"),
        Field("platform", "As told by"),
        Field("first_day", "From", "date"),
        Field("last_day", "To", "date"),
        Field("value", "Value", "score"),
        Field("unit", "Unit"),
        Field("difference", "Change from the first", "ratio"),
    )
    origin = book.context.provenance(book.context.sql[start:], (METRIC_DAILY,), len(rows))
    note = "They count differently: who blocks scripts, other time zones, trials and grace periods."
    return Result(
        "What several sources tell", fields, tuple(rows), replace(origin, notes=(*origin.notes, note) if rows else ())
    )


def reported(book: Book) -> Result:
    """What each source tells, one row per source, platform and figure: first and last day, and what it is split by."""
    found: dict[tuple[str, str, str], list[Covered]] = {}
    for breakdown in book.context.coverage:
        found.setdefault(breakdown.whose, []).append(breakdown)
    rows = tuple(
        (
            source,
            PLATFORMS.get(platform, platform),
            PLATFORM_METRICS[metric].title,
            min(breakdown.first_day for breakdown in breakdowns),
            max(breakdown.last_day for breakdown in breakdowns),
            "; ".join(sorted(breakdown.breakdown.replace(",", " + ") or "whole" for breakdown in breakdowns)),
        )
        for (source, platform, metric), breakdowns in sorted(found.items())
    )
    fields = (
        Field("source", "Source"),
        Field("platform", "Platform"),
        Field("metric", "Figure"),
        Field("first", "From", "date"),
        Field("last", "To", "date"),
        Field("breakdowns", "Told by"),
    )
    return Result("What each source tells", fields, rows, book.context.provenance((), (METRIC_DAILY,)))


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


def _days(book: Book, unified: str, teller: tuple[str, str]) -> tuple[date, date] | None:
    platform, store = teller
    coverage = book.context.coverage
    return coverage.days(coverage.behind(get(name_of(platform, unified)), ("store",) if store else ()))


def _common(book: Book, unified: str, tellers: Sequence[tuple[str, str]]) -> Window | None:
    """The days of the window that all tell."""
    spans = [span for teller in tellers if (span := _days(book, unified, teller))]
    first = max([book.window.start, *(start for start, _ in spans)])
    end = min([book.window.end, *(end for _, end in spans)])
    return replace(book.window, start=first, end=end) if first < end else None


def _compared(
    book: Book, about: str, unified: str, tellers: Sequence[tuple[str, str]], window: Window
) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    first: Number = None
    for platform, store in tellers:
        metric = get(name_of(platform, unified))
        context = book.context.within("store", store) if store else book.context
        value = over_windows(context, [metric], [window]).value(metric, window)
        if value is None:
            continue
        first = value if not rows else first
        share = divided(value, first)
        rows.append(
            (
                about,
                metric.title.partition(",")[0],
                PLATFORMS[platform],
                window.start,
                window.last_day,
                value,
                book.unit(metric),
                None if not rows or share is None else share - 1,
            )
        )
    return rows if len(rows) > 1 else []


def _missing(feed: FeedInfo) -> int:
    return sum(len(days_between(first, last)) for first, last in feed.missing)


def _is_snapshot(endpoint: Endpoint | None) -> bool:
    """Levels are of the days of pulls: a day without one is no fault."""
    return isinstance(endpoint, ApiEndpoint) and endpoint.snapshot
