"""Umami's endpoints, and how each record becomes a row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tidings.feeds.umami import UMAMI_BREAKDOWNS, UMAMI_DAILY, UMAMI_EVENTS
from tidings.sources.api.endpoint import ApiEndpoint
from tidings.sources.records import Record
from tidings.window import parse_date

TOTALS: Final = ("pageviews", "visitors", "visits", "bounces", "totaltime")


def _whose(record: Record) -> dict[str, Any]:
    return {"website": record["website"], "ts": parse_date(record["day"]), "zone": record["zone"]}


def parse_daily(record: Record) -> Mapping[str, Any]:
    named = {name: record[name] for name in TOTALS if name != "totaltime"}
    return {**_whose(record), **named, "seconds": record["totaltime"]}


def parse_breakdown(record: Record) -> Mapping[str, Any]:
    """Visitors of a day by one breakdown."""
    return {**_whose(record), "type": record["type"], "name": record["x"], "visitors": record["y"]}


def parse_event(record: Record) -> Mapping[str, Any]:
    day = parse_date(str(record["t"])[:10])
    return {**_whose({**record, "day": day.isoformat()}), "event": record["x"], "events": record["y"]}


def endpoints(zone: str) -> tuple[ApiEndpoint, ...]:
    """Totals, breakdowns and events by day."""
    whose = ("website", "zone")
    return (
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
    )
