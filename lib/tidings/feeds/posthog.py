"""Feeds of PostHog."""

from __future__ import annotations

from collections.abc import Mapping

from tidings.feeds.feed import Feed
from tidings.schema import Column

_WHOSE: Mapping[str, Column] = {
    "project": Column("!string", "Number of the project."),
    "ts": Column("!timestamp(6)", "Midnight of the project's day, as if UTC."),
    "zone": Column("!string", "Time zone of the project."),
}

POSTHOG_DAILY = Feed(
    name="posthog_daily",
    doc="Totals of a project on one day.",
    grain="project and day",
    key=("project", "ts"),
    columns={
        **_WHOSE,
        "pageviews": Column("!int64", "Page views.", minimum=0),
        "visitors": Column("!int64", "Different persons with a page view on the day.", minimum=0),
        "visits": Column("!int64", "Different sessions with a page view.", minimum=0),
        "active_users": Column("!int64", "Different persons with any event on the day.", minimum=0),
    },
)
POSTHOG_BREAKDOWNS = Feed(
    name="posthog_breakdowns",
    doc="Page views and visitors of a project on one day by country, page, device or channel.",
    grain="project, day, breakdown and value",
    key=("project", "ts", "type", "name"),
    columns={
        **_WHOSE,
        "type": Column("!string", "Breakdown: country, page, device, channel."),
        "name": Column("!string", "The country, page … itself; (unknown) where there is none."),
        "pageviews": Column("!int64", "Page views.", minimum=0),
        "visitors": Column("!int64", "Different persons with a page view.", minimum=0),
    },
)
POSTHOG_EVENTS = Feed(
    name="posthog_events",
    doc="Events of a project on one day by name, page views left out.",
    grain="project, day and event",
    staged_doc="Events of a project on one day by name.",
    key=("project", "ts", "event"),
    columns={
        **_WHOSE,
        "event": Column("!string", "Name of the event."),
        "events": Column("!int64", "How often it happened.", minimum=0),
        "users": Column("!int64", "Different persons who did it.", minimum=0),
    },
)
POSTHOG_HITS = Feed(
    name="posthog_hits",
    doc="One event as PostHog has it, without anything that identifies a person.",
    grain="event",
    row_key_doc="Source, project and event.",
    staged_doc="One event as PostHog holds it.",
    key=("project", "uuid"),
    columns={
        "project": Column("!string", "Number of the project."),
        "uuid": Column("!string", "Id of the event."),
        "ts": Column("!timestamp(6)", "When PostHog ingested it, UTC; it is pulled by this time."),
        "happened_at": Column("!timestamp(6)", "When it happened, UTC; phones send late."),
        "event": Column("!string", "Name of the event."),
        "person": Column("string", "Pseudonym of the person, the same within this source.", personal=True),
        "session": Column("string", "Pseudonym of the session.", personal=True),
        "page": Column("string", "Path of the page."),
        "country": Column("string", "ISO alpha-2 code."),
        "device": Column("string", "Desktop, Mobile, Tablet."),
        "os": Column("string", "Operating system."),
        "app_version": Column("string", "Version of the app."),
    },
)
