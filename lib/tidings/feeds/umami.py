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

UMAMI_HOURLY = Feed(
    name="umami_hourly",
    doc="Page views and visitors of a website in one hour; hours without any are left out.",
    grain="website and hour",
    key=("website", "ts"),
    columns={
        **_WHOSE,
        "ts": Column("!timestamp(6)", "Begin of the hour on the website's wall clock, as if UTC."),
        "pageviews": Column("!int64", "Page views.", minimum=0),
        "visitors": Column("int64", "Different visitors of the hour.", minimum=0),
    },
)

UMAMI_BREAKDOWNS = Feed(
    name="umami_breakdowns",
    doc="Visitors of a website on one day by page, referrer, channel, country, device, system or browser.",
    grain="website, day, kind of cut and value",
    key=("website", "ts", "type", "name"),
    columns={
        **_WHOSE,
        "type": Column("!string", "What it is split by: path, referrer, channel, country, device, os, browser."),
        "name": Column("!string", "The page, country … itself."),
        "visitors": Column("!int64", "Different visitors of the day; who saw two pages is in both.", minimum=0),
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

UMAMI_SESSIONS = Feed(
    name="umami_sessions",
    doc="A visitor of a website on one day: pseudonym, device and how much was looked at.",
    grain="website, day and visitor",
    key=("website", "ts", "session_id"),
    columns={
        **_WHOSE,
        "session_id": Column("!string", "Umami's pseudonym of the visitor, new each month.", personal=True),
        "first_at": Column("timestamp(6)", "First hit of the day, UTC."),
        "last_at": Column("timestamp(6)", "Last hit of the day, UTC."),
        "country": Column("string", "ISO alpha-2 code."),
        "device": Column("string", "Device as Umami names it."),
        "os": Column("string", "Operating system."),
        "browser": Column("string", "Browser."),
        "visits": Column("int64", "Visits.", minimum=0),
        "views": Column("int64", "Page views.", minimum=0),
        "events": Column("int64", "Custom events.", minimum=0),
    },
)

UMAMI_LIVE = Feed(
    name="umami_live",
    doc="What happened on a website just before a pull.",
    grain="website and day of a pull",
    row_key_doc="Source, website and day.",
    staged_doc="What happened on a website just before the last pull of a day.",
    key=("website", "ts"),
    columns={
        **_WHOSE,
        "active": Column("!int64", "Visitors of the last 5 minutes.", minimum=0),
        "views": Column("int64", "Page views of the last 30 minutes.", minimum=0),
        "visitors": Column("int64", "Visitors of the last 30 minutes.", minimum=0),
        "events": Column("int64", "Custom events of the last 30 minutes.", minimum=0),
    },
)
