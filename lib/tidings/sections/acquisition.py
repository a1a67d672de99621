"""Questions of the section on acquisition: how people find the app and the site, in the stores and in search."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import ibis
import ibis.expr.types as ir

from tidings.book import Book
from tidings.display import formats
from tidings.language import say
from tidings.metrics.measures import money
from tidings.metrics.metric import Number, Reported
from tidings.metrics.platform import PLATFORMS, STORES, name_of
from tidings.metrics.registry import get
from tidings.metrics.result import Behind, Field, Group, Result, Series, joined, relative_change
from tidings.platform_metrics import AMOUNT, METRIC_DAILY, PLATFORM_METRICS
from tidings.query.breakdown import column_title, title_of
from tidings.query.evaluation import over_windows
from tidings.sections.groups import profile
from tidings.window import literal

MOST_DAYS_BACK = 7
_REPORTED = Reported((*STORES, "search_console"), ("downloads", "store_views", "search_clicks"))
_SEARCH = ("search_clicks", "search_impressions", "search_ctr", "search_position")


def on_common_days(book: Book) -> Book:
    """The book with its window moved back, by a week at most, to end with the last day that all sources have reported.

    Stores and search engines report a day two or three days later; a window beyond their last day would compare
    reported days with missing ones. A source that lags more is not waited for; its results have a note.
    """
    last_day = book.window.last_day
    reported = [(last_day - day).days for day in book.context.coverage.newest([_REPORTED]).values()]
    behind = max((days for days in reported if 0 < days <= MOST_DAYS_BACK), default=0)
    return Book(book.settings, book.context, book.window.shift(-behind), book.compare)


def stores(book: Book, name: str) -> Result:
    """A metric of both stores by store, as from `Book.split`."""
    result = book.split(name, "platform")
    store = replace(result.fields[0], title=say("Store"))
    rows = tuple((PLATFORMS.get(row[0], row[0]), *row[1:]) for row in result.rows)
    title = title_of(get(name).title, "store")
    return replace(result, title=title, fields=(store, *result.fields[1:]), rows=rows)


def versions(book: Book, top: int = 8) -> Result:
    """Versions of the app by store: downloads, crashes, crash rate; most downloads first.

    Stores name versions and count crashes differently, so only rows of one store can be compared.
    """
    rows: list[tuple[object, ...]] = []
    origins, command = [], ""
    groups: list[Group | None] = []
    for platform, rate in (("app_store", "app_store_crashes_per_session"), ("google_play", "google_play_crash_rate")):
        names = (f"{platform}_downloads", f"{platform}_crashes", rate)
        result = profile(book, "app_version", *names, top=top)
        origins.append(result.provenance)
        rows += [(PLATFORMS[platform], *row) for row in result.rows]
        if result.behind is not None:
            groups += result.behind.groups
            command = command or result.behind.command
    fields = (
        Field("store", "Store"),
        Field("app_version", "Version"),
        Field("downloads", "Downloads", "count"),
        Field("crashes", "Crashes", "count"),
        Field("rate", "Crash rate", "ratio"),
    )
    reported = say("Crash rate: App Store crashes per session, Google Play share of users with a crash.")
    origin = joined(origins)
    if rows:
        origin = replace(origin, notes=(reported, *origin.notes))
    behind = Behind(command, tuple(groups)) if command and rows else None
    return Result("Versions by store", fields, tuple(rows), origin, behind=behind)


def proceeds(book: Book) -> Result:
    """Proceeds by store, in the currency of the payout and in the report's at the rate of each day.

    One row per store and currency; null in the report's currency if no day has a rate.
    """
    rows = book.mart(METRIC_DAILY)
    reported = Reported(STORES, ("proceeds",))
    rows = rows.filter(reported(rows), book.window.holds(rows.ts))
    here = money(rows, cast(ir.DecimalValue, rows["value"].cast("decimal(20, 6)")), rate="fx_of_day").cast(AMOUNT)
    found = rows.group_by("platform", "currency").aggregate(
        own=rows["value"].sum(), here=here, first=rows.day.min(), last=rows.day.max()
    )
    name = ibis.cases(*((found.platform == platform, PLATFORMS[platform]) for platform in STORES), else_=found.platform)
    fields = (
        Field("store", "Store"),
        Field("currency", "Currency"),
        Field("own", "In this currency", "figure"),
        Field("here", "In the report's currency", "money"),
        Field("first", "From", "date"),
        Field("last", "To", "date"),
    )
    result = book.ask(
        "Proceeds of the stores", fields, found.mutate(store=name).order_by("store", ibis.desc("here"), "currency")
    )
    behind = [get(name_of(platform, "proceeds")) for platform in STORES]
    notes = book.context.notes.lacking(behind, (), book.window.start, book.window.end)
    # Each row has its own currency with its own decimals.
    rows = tuple(
        (store, code, formats.Printed(formats.full(own, code or ""), own, code or ""), *rest)
        for store, code, own, *rest in result.rows
    )
    return replace(result, rows=rows, provenance=replace(result.provenance, notes=(*result.provenance.notes, *notes)))


def conversions(book: Book) -> dict[str, Series]:
    """Share of store visitors who install, by store and week, for stores that report it."""
    found = {
        "App Store": book.series("app_store_conversion", "week", days=7 * 13),
        "Google Play": book.series("google_play_conversion", "week", days=7 * 13),
    }
    return _known(found)


def ratings(book: Book) -> dict[str, Series]:
    """Mean stars by store and week, for stores that report them."""
    found = {
        "App Store": book.series("app_store_rating", "week", days=7 * 13),
        "Google Play": book.series("google_play_rating", "week", days=7 * 13),
    }
    return _known(found)


def reviews(book: Book, top: int = 12) -> Result:
    """The newest written reviews before the end of the window: day, store, stars, text, version; newest first."""
    apple, google = book.mart("stg_app_store_reviews"), book.mart("stg_google_play_reviews")
    nothing = ibis.null("string")
    both = apple.select(
        "ts",
        "local_ts",
        "title",
        "body",
        "rating",
        store=ibis.literal("App Store"),
        where=apple.country,
        version=nothing,
    ).union(
        google.select(
            "ts",
            "local_ts",
            "title",
            "body",
            "rating",
            store=ibis.literal("Google Play"),
            where=google.language,
            version=google.app_version,
        )
    )
    title, body = both.title.nullif(""), both.body.nullif("")
    text = ibis.coalesce(title + ". " + body, title, body)
    said = both.mutate(day=both.local_ts.date(), said=text).filter(
        text.notnull(), both.ts < literal(book.window.end_at)
    )
    fields = (
        Field("day", "Day", "date"),
        Field("store", "Store"),
        Field("rating", "Stars", "count"),
        Field("said", "Review"),
        Field("where", "Country or language"),
        Field("version", "Version"),
    )
    newest = said.order_by(ibis.desc("ts"), "store", "said").limit(top)
    return book.ask("Newest reviews", fields, newest)


def rankings(book: Book, by: str, top: int = 15) -> Result:
    """Clicks, impressions, click rate and position in search by query or page; most clicks, now or before, first.

    `moved` is the previous position minus the current one, so higher is better; null if one of the windows has none
    (metric definitions 9).
    """
    metrics = [get(name) for name in _SEARCH]
    windows = [book.window] if book.before is None else [book.window, book.before]
    found = over_windows(book.context.split_by(by), metrics, windows, lambda rows: rows[by].nullif(""))
    clicks, position = metrics[0], metrics[-1]
    names = [name for name in found.groups() if name is not None]
    size = {name: max(float(found.value(clicks, window, name) or 0) for window in windows) for name in names}
    names.sort(key=lambda name: (-size[name], str(name)))
    rows = []
    for name in names[:top]:
        values = [found.value(metric, book.window, name) for metric in metrics]
        compared: tuple[Number, ...] = ()
        if book.before is not None:
            old = found.value(position, book.before, name)
            moved = None if old is None or values[-1] is None else float(old) - float(values[-1])
            compared = (relative_change(values[0], found.value_before(clicks, book.window, book.before, name)), moved)
        rows.append((name, *values, *compared))
    fields = [Field(by, column_title(by)), *(Field(m.name, m.title, m.unit) for m in metrics)]
    if book.before is not None:
        fields += [Field("change", "Change in clicks", "ratio"), Field("moved", "Places gained", "score")]
    origin = found.provenance(metrics, book.window, len(names))
    if len(names) > top:
        origin = replace(origin, notes=(*origin.notes, say("{n} more not shown.", n=len(names) - top)))
    result = Result(title_of(say("Search"), by), tuple(fields), tuple(rows), origin)
    return book.leading().of_metric(result, clicks, [{by: str(row[0])} for row in rows])


def reach(book: Book) -> Result:
    """The last reported day of each source of the section, one row per source and metric, and the missing days."""
    rows = tuple(
        (
            source,
            say(PLATFORMS[platform]),
            say(PLATFORM_METRICS[metric].title),
            day,
            max(0, (book.window.last_day - day).days),
        )
        for (source, platform, metric), day in sorted(book.context.coverage.newest([_REPORTED]).items())
    )
    fields = (
        Field("source", "Source"),
        Field("platform", "Platform"),
        Field("metric", "Figure"),
        Field("last_day", "Reported up to", "date"),
        Field("missing", "Days missing at the end", "count"),
    )
    return Result("Last reported day by source", fields, rows, book.context.provenance((), (METRIC_DAILY,)))


def _known(found: dict[str, Series]) -> dict[str, Series]:
    return {name: series for name, series in found.items() if any(point.value is not None for point in series.points)}
