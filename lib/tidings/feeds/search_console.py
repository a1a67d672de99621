"""Feeds of Google Search Console."""

from __future__ import annotations

from collections.abc import Mapping

from tidings.feeds.feed import Feed
from tidings.schema import Column

_WHOSE: Mapping[str, Column] = {
    "site": Column("!string", "Property as the console writes it, sc-domain:… or a URL."),
    "ts": Column("!timestamp(6)", "Midnight of the Pacific day, as if UTC."),
    "search_type": Column("!string", "Kind of search: web, image, video, news, discover, googleNews."),
}
_FIGURES: Mapping[str, Column] = {
    "clicks": Column("!int64", "Clicks.", minimum=0),
    "impressions": Column("!int64", "Impressions.", minimum=0),
    "position": Column(
        "float64", "Mean position of the topmost result, 1 on top; null without impressions.", minimum=0
    ),
    "is_final": Column("!boolean", "False while Google still changes the numbers of the day."),
}

SEARCH_CONSOLE_DAILY = Feed(
    name="search_console_daily",
    doc="A property's search results on one day, counted by property: the totals.",
    grain="property, kind of search and day",
    staged_doc="Search results of a property on one day, counted by property.",
    key=("site", "search_type", "ts"),
    columns={**_WHOSE, **_FIGURES},
)

SEARCH_CONSOLE_COUNTRY = Feed(
    name="search_console_country",
    doc="A property's search results on one day by country and device.",
    grain="property, kind of search, day, country and device",
    staged_doc="Search results of a property on one day by country and device.",
    key=("site", "search_type", "ts", "country", "device"),
    columns={
        **_WHOSE,
        "country": Column("!string", "ISO alpha-2 code; as given where Google names none (zzz)."),
        "device": Column("!string", "DESKTOP, MOBILE or TABLET."),
        **_FIGURES,
    },
)

SEARCH_CONSOLE_PAGE = Feed(
    name="search_console_page",
    doc="Search results on one day by page, counted by page: they add up to more than the totals.",
    grain="property, kind of search, day and page",
    staged_doc="Search results on one day by page, counted by page.",
    key=("site", "search_type", "ts", "page"),
    columns={**_WHOSE, "page": Column("!string", "URL of the page."), **_FIGURES},
)

SEARCH_CONSOLE_QUERY = Feed(
    name="search_console_query",
    doc="Search results on one day by query; rare queries are withheld and only in the totals.",
    grain="property, kind of search, day and query",
    staged_doc="Search results on one day by query, those that Google reports.",
    key=("site", "search_type", "ts", "query"),
    columns={**_WHOSE, "query": Column("!string", "What was searched for."), **_FIGURES},
)
