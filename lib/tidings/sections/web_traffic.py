"""Questions of the section on web traffic: pages, campaigns, the funnel to a purchase, the last 30 minutes."""

from __future__ import annotations

from dataclasses import replace

import ibis
import ibis.expr.types as ir

from tidings.book import Book
from tidings.errors import UsageError
from tidings.language import say
from tidings.metrics.measures import distinct, number_where, ratio
from tidings.metrics.registry import get
from tidings.metrics.result import Field, Result, no_source_words
from tidings.query.segment import UNKNOWN
from tidings.window import seconds_before

LIVE_MINUTES = 30
SHOP_STEPS = ("pageview", "add_to_cart", "checkout", "purchase")
_FUNNEL = "Conversion funnel"
_FUNNEL_FIELDS = (
    Field("step", "Step"),
    Field("count", "Visitors", "count"),
    Field("step_rate", "Of previous step", "ratio"),
    Field("overall_rate", "Of first step", "ratio"),
    Field("median", "Median time from previous step", "s"),
)


def exit_pages(book: Book, top: int = 12) -> Result:
    """Pages on which visits end: exits, page views and exit rate by path (metric definitions 4).

    A visit that began in the window counts with its end, even if that is after the window.
    """
    visits = book.mart("fct_sessions")
    visits = visits.filter(visits.is_visit, book.window.holds(visits.ts))
    exits = visits.group_by(path=visits.exit_page).aggregate(exits=visits.count())
    hits = _pageviews(book)
    viewed = hits.group_by("path").aggregate(pageviews=hits.count())
    joined = exits.left_join(viewed, "path")
    pages = joined.select("path", "exits", pageviews=joined.pageviews.fill_null(0))
    pages = pages.mutate(exit_rate=pages.exits / pages.pageviews.nullif(0))
    fields = (
        Field("path", "Page"),
        Field("exits", "Exits", "count"),
        Field("pageviews", "Page views", "count"),
        Field("exit_rate", "Exit rate", "ratio"),
    )
    result = book.ask("Exit pages", fields, pages.order_by(ibis.desc("exits"), "path").limit(top))
    return _with_visits(book, result, "exit_page")


def entry_pages(book: Book, top: int = 12) -> Result:
    """Pages on which visits begin: visits, bounce rate and mean duration by path."""
    visits = book.mart("fct_sessions")
    visits = visits.filter(visits.is_visit, book.window.holds(visits.ts))
    pages = visits.group_by(path=visits.entry_page).aggregate(
        visits=visits.count(),
        bounce_rate=ratio(number_where(visits.is_bounce), visits.count()),
        duration=visits.duration_s.mean(),
    )
    fields = (
        Field("path", "Page"),
        Field("visits", "Visits", "count"),
        Field("bounce_rate", "Bounce rate", "ratio"),
        Field("duration", "Visit duration", "s"),
    )
    result = book.ask("Entry pages", fields, pages.order_by(ibis.desc("visits"), "path").limit(top))
    return _with_visits(book, result, "entry_page")


def campaigns(book: Book, top: int = 12) -> Result:
    """Visits and bounce rate by campaign, source and medium; visits without a campaign are left out."""
    visits = book.mart("fct_sessions")
    visits = visits.filter(visits.is_visit, visits.campaign.notnull(), book.window.holds(visits.ts))
    found = visits.group_by("campaign", "source", "medium").aggregate(
        visits=visits.count(),
        visitors=distinct(visits.visitor_id),
        bounce_rate=ratio(number_where(visits.is_bounce), visits.count()),
    )
    fields = (
        Field("campaign", "Campaign"),
        Field("source", "Source"),
        Field("medium", "Medium"),
        Field("visits", "Visits", "count"),
        Field("visitors", "Visitors", "count"),
        Field("bounce_rate", "Bounce rate", "ratio"),
    )
    ordered = found.order_by(ibis.desc("visits"), "campaign", "source", "medium")
    return _with_visits(book, book.ask("Campaigns", fields, ordered.limit(top)), "campaign", "source", "medium")


def _with_visits(book: Book, result: Result, *columns: str) -> Result:
    """A result whose first columns are these of visits, with what leads to the visits."""
    keys = [
        {column: UNKNOWN if value is None else str(value) for column, value in zip(columns, row, strict=False)}
        for row in result.rows
    ]
    return book.leading().of_metric(result, get("visits"), keys)


def conversion(book: Book, steps: str) -> Result:
    """An ordered funnel of visitors over the window, 14 days to complete it (metric definitions 1.1).

    `steps` are event names separated by `>`; by default page view, cart, checkout, purchase, as far as they occur.

    Raises:
        UsageError: fewer than two steps, or an event that never happened.
    """
    names = [name.strip() for name in steps.split(">") if name.strip()]
    if names and len(names) < 2:
        raise UsageError(f"The funnel '{steps}' has fewer than two steps.", 'Write it as "pageview > purchase".')
    if not names:
        hits = book.mart("fct_events")
        events = book.query(hits.filter(~hits.is_bot).select("event").distinct())
        names = [name for name in SHOP_STEPS if name in {row["event"] for row in events.rows}]
        if not names:
            return Result(_FUNNEL, _FUNNEL_FIELDS, (), events.provenance)
    found = book.funnel(names, by="visitor_id")
    lines = tuple(zip(*(found.column(field.name) for field in _FUNNEL_FIELDS), strict=True))
    return Result(_FUNNEL, _FUNNEL_FIELDS, lines, replace(found.provenance, rows=len(lines)))


def live(book: Book) -> Result:
    """Visitors and page views of each of the last 30 minutes before `as_of`, one row per minute, oldest first.

    A minute without a hit is 0; no rows if the data does not reach up to `as_of`.
    """
    fields = (
        Field("label", "Minutes before as_of"),
        Field("visitors", "Visitors", "count"),
        Field("pageviews", "Page views", "count"),
    )
    now = book.value("current_visitors")
    if now.value is None:
        note = say("The last 30 minutes are unknown: {why}.", why=no_source_words(now.why))
        return Result("The last 30 minutes", fields, (), replace(now.provenance, notes=(note,)))
    hits = book.mart("fct_events")
    ago = seconds_before(hits.ts, book.as_of)
    hits = hits.filter(~hits.is_bot, ago > 0, ago <= 60 * LIVE_MINUTES)
    counted = hits.group_by(minute=((ago - 1) // 60 + 1).cast("int64")).aggregate(
        visitors=distinct(hits.visitor_id), pageviews=number_where(hits.kind == "pageview")
    )
    minutes = ibis.range(1, LIVE_MINUTES + 1).unnest().name("minute").as_table()
    minutes = minutes.select(minute=minutes.minute.cast("int64"))
    every = minutes.left_join(counted, minutes.minute == counted.minute)
    every = every.select(
        minute=-minutes.minute,
        label=ibis.literal("−") + minutes.minute.cast("string") + ibis.literal(" min"),
        visitors=every.visitors.fill_null(0),
        pageviews=every.pageviews.fill_null(0),
    )
    return book.ask("The last 30 minutes", fields, every.order_by("minute"))


def _pageviews(book: Book) -> ir.Table:
    hits = book.mart("fct_events")
    return hits.filter(~hits.is_bot, hits.kind == "pageview", book.window.holds(hits.ts))
