"""Feeds of Umami."""

from __future__ import annotations

from collections.abc import Mapping

from tidings.feeds.feed import Feed
from tidings.schema import Column

_WHOSE: Mapping[str, Column] = {
    "website": Column("!string", "Domain of the website; its name where it has none."),
    "ts": Column("!timestamp(6)", "Midnight of the website's day, as if UTC."),
    "zone": Column("!string", "Time zone of that day."),
}

UMAMI_DAILY = Feed(
    name="umami_daily",
    doc="Totals of a website on one day.",
    grain="website and day",
    key=("website", "ts"),
    columns={
        **_WHOSE,
        "pageviews": Column("!int64", "Page views.", minimum=0),
        "visitors": Column("!int64", "Different visitors of the day.", minimum=0),
        "visits": Column("!int64", "Visits.", minimum=0),
        "bounces": Column("!int64", "Visits of one page view.", minimum=0),
        "seconds": Column("!int64", "Seconds from the first to the last page view of visits.", unit="s", minimum=0),
    },
)

UMAMI_BREAKDOWNS = Feed(
    name="umami_breakdowns",
    doc="Visitors of a website on one day by page, referrer, channel, country, device, system or browser.",
    grain="website, day, breakdown and value",
    key=("website", "ts", "type", "name"),
    columns={
        **_WHOSE,
        "type": Column("!string", "Breakdown: path, referrer, channel, country, device, os, browser."),
        "name": Column("!string", "The page, country … itself."),
        "visitors": Column("!int64", "Different visitors of the day; a visitor of two pages is in both.", minimum=0),
    },
)

UMAMI_EVENTS = Feed(
    name="umami_events",
    doc="Custom events of a website on one day by name.",
    grain="website, day and event",
    key=("website", "ts", "event"),
    columns={
        **_WHOSE,
        "event": Column("!string", "Name of the event."),
        "events": Column("!int64", "How often it happened.", minimum=0),
    },
)
