"""Umami's records: which there are, and how each becomes a row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tidings.feeds.umami import UMAMI_BREAKDOWNS, UMAMI_DAILY, UMAMI_EVENTS, UMAMI_HOURLY, UMAMI_LIVE, UMAMI_SESSIONS
from tidings.sources.api.endpoint import ApiEndpoint
from tidings.sources.records import Record
from tidings.window import parse_date, parse_instant

TOTALS: Final = ("pageviews", "visitors", "visits", "bounces", "totaltime")


def _whose(record: Record) -> dict[str, Any]:
    return {"website": record["website"], "ts": parse_date(record["day"]), "zone": record["zone"]}


def parse_daily(record: Record) -> Mapping[str, Any]:
    """Totals of a day."""
    named = {name: record[name] for name in TOTALS if name != "totaltime"}
    return {**_whose(record), **named, "seconds": record["totaltime"]}


def parse_hour(record: Record) -> Mapping[str, Any]:
    """Page views and visitors of an hour; its label is local and has no offset."""
    label = str(record["x"]).replace("T", " ").removesuffix("Z")
    return {
        "website": record["website"],
        "ts": parse_instant(label),
        "zone": record["zone"],
        "pageviews": record["y"],
        "visitors": record.get("visitors"),
    }


def parse_breakdown(record: Record) -> Mapping[str, Any]:
    """Visitors of a day by one thing."""
    return {**_whose(record), "type": record["type"], "name": record["x"], "visitors": record["y"]}


def parse_event(record: Record) -> Mapping[str, Any]:
    """Events of a day by name."""
    day = parse_date(str(record["t"])[:10])
    return {**_whose({**record, "day": day.isoformat()}), "event": record["x"], "events": record["y"]}


def parse_session(record: Record) -> Mapping[str, Any]:
    """A visitor of a day."""
    return {
        **_whose(record),
        "session_id": record["id"],
        "first_at": record.get("firstAt"),
        "last_at": record.get("lastAt"),
        **{name: record.get(name) for name in ("country", "device", "os", "browser", "visits", "views", "events")},
    }


def parse_live(record: Record) -> Mapping[str, Any]:
    """What happened just now."""
    return {
        **_whose(record),
        "active": record["active"],
        **{name: record.get(name) for name in ("views", "visitors", "events")},
    }


def endpoints(zone: str, *, sessions: bool) -> tuple[ApiEndpoint, ...]:
    """Totals, hours, cuts and events by day, what is live; visitors one by one only where asked for."""
    whose = ("website", "zone")
    found = [
        ApiEndpoint(
            name="daily",
            feed=UMAMI_DAILY,
            doc="Totals by day.",
            parse=parse_daily,
            fields=(*whose, "day", *TOTALS),
            forget=("comparison",),
            zone=zone,
            lookback_days=2,
        ),
        ApiEndpoint(
            name="hourly",
            feed=UMAMI_HOURLY,
            doc="Page views and visitors by hour.",
            parse=parse_hour,
            fields=(*whose, "x", "y", "visitors"),
            # Longer spans are told by the day.
            chunk_days=28,
            history_days=56,
            zone=zone,
            lookback_days=2,
        ),
        ApiEndpoint(
            name="breakdowns",
            feed=UMAMI_BREAKDOWNS,
            doc="Visitors by page, referrer, channel, country, device, system and browser.",
            parse=parse_breakdown,
            fields=(*whose, "day", "type", "x", "y"),
            chunk_days=7,
            history_days=180,
            zone=zone,
            lookback_days=2,
        ),
        ApiEndpoint(
            name="events",
            feed=UMAMI_EVENTS,
            doc="Custom events by name.",
            parse=parse_event,
            fields=(*whose, "x", "t", "y"),
            chunk_days=90,
            zone=zone,
            lookback_days=2,
        ),
        ApiEndpoint(
            name="live",
            feed=UMAMI_LIVE,
            doc="Visitors at the time of the pull.",
            parse=parse_live,
            snapshot=True,
            zone=zone,
        ),
    ]
    if sessions:
        one_by_one = ApiEndpoint(
            name="sessions",
            feed=UMAMI_SESSIONS,
            doc="Visitors of a day, one by one.",
            parse=parse_session,
            # City and region say more of a person than any figure needs.
            forget=("city", "region", "screen", "language", "distinctId"),
            chunk_days=7,
            history_days=90,
            zone=zone,
            lookback_days=2,
        )
        found.append(one_by_one)
    return tuple(found)
