"""Feeds of Google Analytics 4."""

from __future__ import annotations

from collections.abc import Mapping

from tidings.feeds.feed import Feed
from tidings.feeds.remarks import Notice
from tidings.schema import Column

_WHOSE: Mapping[str, Column] = {
    "property": Column("!string", "Number of the property."),
    "ts": Column("!timestamp(6)", "Midnight of the property's day, as if UTC."),
    "zone": Column("!string", "Time zone of the property."),
}
_MEASURES: Mapping[str, Column] = {
    "active_users": Column("!int64", "Different users who were active on the day.", minimum=0),
    "sessions": Column("!int64", "Sessions.", minimum=0),
    "engaged_sessions": Column("!int64", "Sessions of ten seconds, a key event or two pages.", minimum=0),
    "page_views": Column("!int64", "Pages and screens viewed.", minimum=0),
}
_FLAGS: Mapping[str, Column] = {
    "is_thresholded": Column("!boolean", "True where Google withheld rows of few users."),
    "is_other": Column("!boolean", "True where Google put rows together as (other)."),
    "is_sampled": Column("!boolean", "True where Google counted a sample only."),
    "truncation": Column("string", "Why Google left data out, where it did."),
}
_NOTICES = (
    Notice("is_thresholded", "Google withheld rows of few users", "which are missing (is_thresholded)"),
    Notice("is_other", "Google put small rows together as (other)", "whose parts are missing (is_other)"),
    Notice("is_sampled", "Google counted a sample only", "figures are estimates (is_sampled)"),
    Notice("truncation", "Google left data out, as {}", "figures are too low (truncation)"),
)

GA4_DAILY = Feed(
    name="ga4_daily",
    doc="Totals of a property on one day.",
    grain="property and day",
    key=("property", "ts"),
    columns={
        **_WHOSE,
        **_MEASURES,
        "new_users": Column("!int64", "Users seen for the first time.", minimum=0),
        "engagement_s": Column("!int64", "Seconds in the foreground.", unit="s", minimum=0),
        **_FLAGS,
    },
    notices=_NOTICES,
)

GA4_BREAKDOWNS = Feed(
    name="ga4_breakdowns",
    doc="A property on one day by country, channel, page or device.",
    grain="property, day, breakdown and value",
    key=("property", "ts", "type", "name"),
    columns={
        **_WHOSE,
        "type": Column("!string", "Breakdown: country, channel, page, device."),
        "name": Column("!string", "The country, channel … itself."),
        **_MEASURES,
        **_FLAGS,
    },
    notices=_NOTICES,
)

GA4_EVENTS = Feed(
    name="ga4_events",
    doc="Events of a property on one day by name.",
    grain="property, day and event",
    key=("property", "ts", "event"),
    columns={
        **_WHOSE,
        "event": Column("!string", "Name of the event."),
        "events": Column("!int64", "How often it happened.", minimum=0),
        "users": Column("!int64", "Different users who did it.", minimum=0),
        "key_events": Column("!float64", "Of them counted as key events.", minimum=0),
        **_FLAGS,
    },
    notices=_NOTICES,
)
