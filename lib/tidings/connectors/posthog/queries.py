# ruff: noqa: S608 - our own HogQL; external values are passed as parameters
"""The HogQL queries, and how each row of a result becomes a row of a feed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tidings.sources.records import Record
from tidings.window import parse_date, parse_instant

MOST_ROWS: Final = 50_000
PAGE_ROWS: Final = 10_000
_UNKNOWN: Final = "(unknown)"
BREAKDOWNS: Final = {
    "country": "properties.$geoip_country_code",
    "page": "properties.$pathname",
    "device": "properties.$device_type",
    "channel": "session.$channel_type",
}
TOTALS: Final = ("pageviews", "visitors", "visits", "active_users")
_VIEWS: Final = "event IN ('$pageview', '$screen')"
# Bounds are instants in UTC; the day is the project's.
_BETWEEN: Final = "timestamp >= toDateTime({a}, 'UTC') AND timestamp < toDateTime({b}, 'UTC')"
_DAY: Final = "toDate(toTimeZone(timestamp, {zone}))"
DAILY_QUERY: Final = (
    f"SELECT {_DAY} AS day, countIf({_VIEWS}) AS pageviews, uniqIf(person_id, {_VIEWS}) AS visitors, "
    f"uniqIf(properties.$session_id, {_VIEWS}) AS visits, uniq(person_id) AS active_users FROM events "
    f"WHERE {_BETWEEN} GROUP BY day ORDER BY day LIMIT {MOST_ROWS}"
)
BEFORE_QUERY: Final = (
    "SELECT 1 AS one FROM events WHERE timestamp < toDateTime({a}, 'UTC') "
    "AND timestamp >= toDateTime({z}, 'UTC') LIMIT 1"
)
EVENTS_QUERY: Final = (
    f"SELECT {_DAY} AS day, event, count() AS events, uniq(person_id) AS users FROM events "
    f"WHERE {_BETWEEN} AND NOT ({_VIEWS}) GROUP BY day, event ORDER BY day, event LIMIT {MOST_ROWS}"
)
HITS_QUERY: Final = (
    "SELECT uuid, toTimeZone(created_at, 'UTC') AS taken, toTimeZone(timestamp, 'UTC') AS happened, event, person_id, "
    "properties.$session_id AS session, properties.$pathname AS page, properties.$geoip_country_code AS country, "
    "properties.$device_type AS device, properties.$os AS os, properties.$app_version AS app_version FROM events "
    "WHERE created_at >= toDateTime({a}, 'UTC') AND created_at < toDateTime({b}, 'UTC') "
    "AND (created_at > toDateTime64({t}, 6, 'UTC') "
    "OR (created_at = toDateTime64({t}, 6, 'UTC') AND toString(uuid) > {u})) "
    f"ORDER BY created_at, toString(uuid) LIMIT {PAGE_ROWS}"
)


def breakdown_query(type_: str) -> str:
    """Page views and visitors by day and one breakdown."""
    # Empty and missing values form one group: visitors of two groups could not be added up.
    name = f"coalesce(nullIf(toString({BREAKDOWNS[type_]}), ''), '{_UNKNOWN}')"
    return (
        f"SELECT {_DAY} AS day, {name} AS name, count() AS pageviews, uniq(person_id) AS visitors FROM events "
        f"WHERE {_BETWEEN} AND {_VIEWS} GROUP BY day, name ORDER BY day, name LIMIT {MOST_ROWS}"
    )


def _whose(record: Record) -> dict[str, Any]:
    return {"project": record["project"], "ts": parse_date(str(record["day"])[:10]), "zone": record["zone"]}


def parse_daily(record: Record) -> Mapping[str, Any]:
    return {**_whose(record), **{name: record[name] for name in TOTALS}}


def parse_breakdown(record: Record) -> Mapping[str, Any]:
    """A day of a breakdown."""
    counts = {"pageviews": record["pageviews"], "visitors": record["visitors"]}
    return {**_whose(record), "type": record["type"], "name": record["name"] or _UNKNOWN, **counts}


def parse_event(record: Record) -> Mapping[str, Any]:
    return {**_whose(record), "event": record["event"], "events": record["events"], "users": record["users"]}


def parse_hit(record: Record) -> Mapping[str, Any]:
    return {
        "project": record["project"],
        "uuid": record["uuid"],
        "ts": parse_instant(str(record["taken"])),
        "happened_at": parse_instant(str(record["happened"])),
        "event": record["event"],
        "person": record["person_id"],
        "session": record["session"],
        "page": record["page"],
        **{name: record[name] for name in ("country", "device", "os", "app_version")},
    }
