"""Questions of the section on sources: does each arrive, on time and complete, and do they agree?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from tidings.book import Book
from tidings.language import message, say, say_as
from tidings.ledger.entries import PullEntry
from tidings.ledger.store import Ledger
from tidings.metrics.metric import Number
from tidings.metrics.platform import PLATFORMS, REPORTS, name_of
from tidings.metrics.registry import get
from tidings.metrics.result import Field, Provenance, Result, joined
from tidings.metrics.values import divided
from tidings.platform_metrics import METRIC_DAILY, PLATFORM_METRICS
from tidings.query.covered import Covered
from tidings.query.evaluation import over_windows
from tidings.sources.api.endpoint import ApiEndpoint
from tidings.sources.source import Endpoint, open_sources
from tidings.warehouse.metadata import FeedInfo
from tidings.window import Window, days_between, days_since

OVERLAPPING: Mapping[str, Sequence[tuple[str, str]]] = {
    message("sites"): (("umami", ""), ("posthog", ""), ("ga4", "")),
    message("all stores"): (("revenuecat", ""), ("revenuecat_events", "")),
    "App Store": (("app_store", ""), ("revenuecat", "app_store"), ("revenuecat_events", "app_store")),
    "Google Play": (("google_play", ""), ("revenuecat", "play_store"), ("revenuecat_events", "play_store")),
    "Stripe": (("stripe", ""), ("revenuecat", "stripe"), ("revenuecat_events", "stripe")),
}
"""Groups of platforms that report the same things, each limited to one store if it has several."""


def pulls(book: Book) -> Result:
    """The latest pull of each source, one row per source: when, its result, rows landed; failed ones first."""
    last, _ = _last_pulls(book)
    kinds = {name: str(table.get("kind", "")) for name, table in book.settings.sources.items()}
    rows: list[tuple[Any, ...]] = []
    for source in sorted({*last, *kinds}):
        pull = last.get(source)
        kind = kinds.get(source, say("no longer configured"))
        if pull is None:
            rows.append((source, kind, None, "never pulled", None, None, None, ""))
            continue
        said = " ".join([pull.error, *pull.messages]).strip()
        at = pull.started_at.astimezone(book.zone.info)
        rows.append((source, kind, at, pull.status, pull.rows, pull.rejected, pull.restated, said))
    rows.sort(key=lambda row: (row[3] == "done", row[0]))
    rows = [(*row[:3], say_as("pull", row[3]), *row[4:]) for row in rows]
    fields = (
        Field("source", "Source"),
        Field("kind", "Kind"),
        Field("at", "Last pull", "date"),
        Field("status", "Went"),
        Field("rows", "Rows", "count"),
        Field("rejected", "Rejected", "count"),
        Field("restated", "Days restated", "count"),
        Field("said", "Message"),
    )
    return Result("The latest pull of each source", fields, tuple(rows), book.context.provenance((), ()))


def freshness(book: Book) -> Result:
    """Up to when each endpoint of each source is complete, and whether that is late; late ones first.

    Of several sites or apps the one that lags most counts. Days never landed are gaps between landed ones.

    An endpoint is late when more days than allowed are incomplete, counted from the report's as_of or the start of its
    run, whichever is later (without a run: the newest run or pull), so that a workbook that nobody pulls is late, too.
    """
    _, started = _last_pulls(book)
    now = max([book.as_of, *started])
    known = {(source.name, e.name): e for source in open_sources(book.settings) for e in source.endpoints}
    landed = {(feed.source, feed.endpoint): feed for feed in book.context.warehouse.feeds}
    rows = []
    for key in sorted({*known, *landed}):
        feed = landed.get(key)
        until = feed.complete_until if feed else None
        endpoint = known.get(key)
        rows.append(
            (
                *key,
                _state(endpoint, until, now),
                None if until is None else until.astimezone(book.zone.info),
                None if until is None else max(0.0, days_since(until, now)),
                None if endpoint is None else endpoint.promise_days,
                _missing(feed) if feed and not _is_snapshot(endpoint) else 0,
                feed.rows if feed else 0,
                feed.rejected if feed else 0,
            )
        )
    rows.sort(key=lambda row: (_STATES.index(row[2]), row[0], row[1]))
    rows = [(*row[:2], say(row[2]), *row[3:]) for row in rows]
    fields = (
        Field("source", "Source"),
        Field("endpoint", "What"),
        Field("state", "State"),
        Field("complete_until", "Complete until", "date"),
        Field("days", "Days before the run", "score"),
        Field("promise", "Days allowed", "count"),
        Field("missing", "Days never landed", "count"),
        Field("rows", "Rows", "count"),
        Field("rejected", "Rejected", "count"),
    )
    return Result("Last complete day by source", fields, tuple(rows), book.context.provenance((), ()))


def rejected(book: Book) -> Result:
    """Rejected rows, one row per source, endpoint and reason; most rows first."""
    counts: dict[tuple[str, str, str], int] = {}
    examples: dict[tuple[str, str, str], str] = {}
    for found in book.context.warehouse.rejected:
        key = found["source"], found["endpoint"], found["reason"]
        counts[key] = counts.get(key, 0) + found["rows"]
        examples[key] = examples.get(key) or found["example"]
    rows = [
        (
            source,
            endpoint,
            reason + (say(", such as '{example}'", example=examples[key]) if examples[key] else ""),
            count,
        )
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
    return Result("Rejected rows", fields, lines, book.context.provenance((), ()))


def differences(book: Book) -> Result:
    """Metrics that several platforms report, over the common days of the window.

    One row per metric and source, with the difference to the first of them.
    """
    rows: list[tuple[object, ...]] = []
    origins = []
    for about, reporting in OVERLAPPING.items():
        for unified in dict.fromkeys(name for platform, _ in reporting for name in REPORTS[platform]):
            asked = [(platform, store) for platform, store in reporting if unified in REPORTS[platform]]
            known = [each for each in asked if _days(book, unified, each)]
            window = _common(book, unified, known)
            if len(known) > 1 and window is not None:
                compared, origin = _compared(book, about, unified, known, window)
                rows += compared
                origins.append(origin)
    fields = (
        Field("about", "Of"),
        Field("metric", "Metric"),
        Field("platform", "Reported by"),
        Field("first_day", "From", "date"),
        Field("last_day", "To", "date"),
        Field("value", "Value", "score"),
        Field("unit", "Unit"),
        Field("difference", "Difference to the first", "ratio"),
    )
    origin = replace(joined(origins), rows=len(rows))
    note = say("Platforms count differently: blocked scripts, time zones, trials and grace periods.")
    return Result(
        "The same metric from several sources",
        fields,
        tuple(rows),
        replace(origin, notes=(*origin.notes, note) if rows else ()),
    )


def reported(book: Book) -> Result:
    """What each source reports, one row per source, platform and metric: first and last day, and breakdowns."""
    book.context.warehouse.require_all_rows("Days that sources report")
    found: dict[tuple[str, str, str], list[Covered]] = {}
    for breakdown in book.context.coverage:
        found.setdefault(breakdown.whose, []).append(breakdown)
    rows = tuple(
        (
            source,
            say(PLATFORMS.get(platform, platform)),
            say(PLATFORM_METRICS[metric].title),
            min(breakdown.first_day for breakdown in breakdowns),
            max(breakdown.last_day for breakdown in breakdowns),
            "; ".join(sorted(_columns(breakdown.breakdown) for breakdown in breakdowns)),
        )
        for (source, platform, metric), breakdowns in sorted(found.items())
    )
    fields = (
        Field("source", "Source"),
        Field("platform", "Platform"),
        Field("metric", "Metric"),
        Field("first", "From", "date"),
        Field("last", "To", "date"),
        Field("breakdowns", "Breakdowns"),
    )
    return Result("What each source reports", fields, rows, book.context.provenance((), (METRIC_DAILY,)))


_STATES = (
    message("never landed"),
    message("late"),
    message("on time"),
    message("no deadline"),
    message("no longer configured"),
)


def _columns(breakdown: str) -> str:
    """The columns of a breakdown, or that it is the total."""
    return " + ".join(say_as("column", name) for name in breakdown.split(",")) if breakdown else say("total")


def _state(endpoint: Endpoint | None, until: datetime | None, now: datetime) -> str:
    if endpoint is None:
        return "no longer configured"
    if until is None:
        return "never landed"
    if endpoint.promise_days is None:
        return "no deadline"
    return "late" if days_since(until, now) > endpoint.promise_days else "on time"


def _last_pulls(book: Book) -> tuple[Mapping[str, PullEntry], list[datetime]]:
    """The latest pull of each source and when work last began, as the run found them, so that it can be repeated.

    Outside of a run, as in JupyterLab, they are read from the ledger now.
    """
    book.context.warehouse.require_all_rows("Pulls")
    ledger = Ledger(book.settings.ledger)
    name = book.settings.environment.get("TIDINGS_RUN")
    if name:
        run = ledger.run(name)
        return {pull.source: pull for pull in run.pulls}, [run.started_at]
    pulls = ledger.last_pulls()
    return pulls, [*(pull.started_at for pull in pulls.values()), *(run.started_at for run in ledger.runs(1))]


def _days(book: Book, unified: str, reporter: tuple[str, str]) -> tuple[date, date] | None:
    platform, store = reporter
    coverage = book.context.coverage
    return coverage.days(coverage.behind(get(name_of(platform, unified)), ("store",) if store else ()))


def _common(book: Book, unified: str, reporting: Sequence[tuple[str, str]]) -> Window | None:
    """The days of the window that all report."""
    spans = [span for each in reporting if (span := _days(book, unified, each))]
    first = max([book.window.start, *(start for start, _ in spans)])
    end = min([book.window.end, *(end for _, end in spans)])
    return replace(book.window, start=first, end=end) if first < end else None


def _compared(
    book: Book, about: str, unified: str, reporting: Sequence[tuple[str, str]], window: Window
) -> tuple[list[tuple[object, ...]], Provenance]:
    rows: list[tuple[object, ...]] = []
    origins = []
    first: Number = None
    for platform, store in reporting:
        metric = get(name_of(platform, unified))
        context = book.context.within("store", store) if store else book.context
        found = over_windows(context, [metric], [window])
        origins.append(found.provenance([metric], window))
        value = found.value(metric, window)
        if value is None:
            continue
        first = value if not rows else first
        share = divided(value, first)
        rows.append(
            (
                say(about),
                metric.title.partition(",")[0],
                say(PLATFORMS[platform]),
                window.start,
                window.last_day,
                value,
                book.unit(metric),
                None if not rows or share is None else share - 1,
            )
        )
    return rows if len(rows) > 1 else [], joined(origins)


def _missing(feed: FeedInfo) -> int:
    return sum(len(days_between(first, last)) for first, last in feed.missing)


def _is_snapshot(endpoint: Endpoint | None) -> bool:
    """Levels exist for days of pulls only, so a day without one is not a gap."""
    return isinstance(endpoint, ApiEndpoint) and endpoint.snapshot
