"""The slots of a schedule: the instants at which it runs, over clock changes, holidays and months of any length."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import date, datetime
from itertools import islice, takewhile

from cronsim import CronSim

from tidings.scheduling.schedule import Schedule
from tidings.window import Calendar, as_utc, first_day, instant_of, next_first_day, seconds_after


def slots_after(schedule: Schedule, calendar: Calendar, after: datetime) -> Iterator[datetime]:
    """The slots after an instant, in order, aware UTC, without end.

    A time that a clock change skips runs once, right after the gap; one that comes twice runs once, the first time.

    Raises:
        WindowError: of a day to come it is not known whether it is a holiday.
    """
    if schedule.cron:
        return map(as_utc, CronSim(schedule.cron, as_utc(after).astimezone(schedule.zone.info)))
    return _business_days(schedule, calendar, after)


def slots_between(schedule: Schedule, calendar: Calendar, after: datetime, until: datetime) -> tuple[datetime, ...]:
    """The slots after an instant up to and including another.

    Raises:
        WindowError: as `slots_after`.
    """
    return tuple(takewhile(lambda at: at <= until, slots_after(schedule, calendar, after)))


def next_slots(schedule: Schedule, calendar: Calendar, after: datetime, most: int) -> tuple[datetime, ...]:
    """The next slots of a schedule.

    Raises:
        WindowError: as `slots_after`.
    """
    return tuple(islice(slots_after(schedule, calendar, after), most))


def due_at(schedule: Schedule, at: datetime) -> datetime:
    """When a slot runs: its time and a part of the jitter that is always the same for it."""
    if not schedule.jitter:
        return at
    digest = hashlib.sha256(f"{schedule.id} {at.isoformat()}".encode()).digest()
    return seconds_after(at, int(schedule.jitter * int.from_bytes(digest[:4], "big") / 2**32))


def _business_days(schedule: Schedule, calendar: Calendar, after: datetime) -> Iterator[datetime]:
    month: date = first_day(schedule.zone.day_of(after), "month")
    number = 1 if schedule.on == "first business day" else -1
    while True:
        day = calendar.nth_business_day(month, number)
        at = instant_of(datetime.combine(day, schedule.at), None, schedule.zone)
        if at > after:
            yield at
        month = next_first_day(month, "month")
