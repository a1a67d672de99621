"""Whether the data of a slot are there: which sources are complete up to the end of its window."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from tidings.errors import TidingsError
from tidings.reporting.finished import finished_run
from tidings.scheduling.schedule import Schedule
from tidings.settings import Settings
from tidings.warehouse.reader import Warehouse
from tidings.window import Zone, label_instant


def awaited(settings: Settings, schedule: Schedule) -> tuple[str, ...]:
    """The sources that a schedule waits for; `sections` are those whose rows its last report read, or else all."""
    named = [name for name in schedule.wait_for if name != "sections"]
    if len(named) < len(schedule.wait_for):
        named += [name for name in _read_before(settings, schedule.report) if name not in named]
    return tuple(named)


def lacking(settings: Settings, sources: Iterable[str], at: datetime) -> dict[str, str]:
    """Sources that are not complete up to the local day of an instant, each with a sentence on how far it is.

    Raises:
        WarehouseError: there is no build.
    """
    zone = Zone(settings.timezone, settings.week_start)
    end = zone.first_instant(zone.day_of(at))
    wanted = list(sources)
    if not wanted:
        return {}
    with Warehouse.open(settings) as warehouse:
        feeds, coverage = warehouse.feeds, warehouse.coverage
    said = {}
    for source in wanted:
        known = [feed.complete_until for feed in feeds if feed.source == source and feed.complete_until is not None]
        known = known or [row["until"] for row in coverage if row["source"] == source and row["until"] is not None]
        if not known:
            said[source] = f"{source} has landed nothing of which it is known up to when it is complete."
        elif min(known) < end:
            said[source] = f"{source} is complete only until {label_instant(min(known), zone)}."
    return said


def _read_before(settings: Settings, report: str) -> tuple[str, ...]:
    try:
        records = finished_run(settings, report).records
        with Warehouse.open(settings) as warehouse:
            tables, feeds = warehouse.tables, warehouse.feeds
    except TidingsError:
        # Its first run: nobody knows yet what it reads.
        return tuple(settings.sources)
    read = {name for record in records for name in record.tables}
    wanted = {feed for name in read if name in tables for feed in tables[name].feeds}
    return tuple(
        dict.fromkeys(feed.source for feed in feeds if feed.feed in wanted and feed.source in settings.sources)
    )
