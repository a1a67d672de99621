"""Enters the slots that came due since somebody looked last, with what becomes of those that were missed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from tidings.business_calendar import calendar_of
from tidings.ledger.deliveries import Deliveries
from tidings.scheduling.schedule import Planned, Schedule
from tidings.scheduling.slots import due_at, slots_between
from tidings.settings import Settings
from tidings.window import seconds_after

_PAUSED = "The schedule is paused: {why}"


def enter_slots(settings: Settings, plans: Iterable[Planned], deliveries: Deliveries, now: datetime) -> None:
    """Enter every slot up to now that is not in the ledger yet; a schedule that is new has none before now.

    Up to now is noted also where there was none, so that a cron line that is changed has no past either.

    Raises:
        WindowError: of a day it is not known whether it is a holiday.
    """
    for plan in plans:
        for schedule in plan.schedules:
            calendar = calendar_of(settings, schedule.zone)
            seen = deliveries.seen_until(schedule.report, schedule.name, now)
            found = slots_between(schedule, calendar, seen, now)
            _, paused = deliveries.failures(schedule.report, schedule.name)
            entered = [(at, due_at(schedule, at), rule) for at, rule in _by_rule(schedule, found, now, paused)]
            audiences = [audience.name for audience in plan.audiences_of(schedule.name)]
            deliveries.add_slots(schedule.report, schedule.name, entered, audiences, now)


def is_missed(schedule: Schedule, due: datetime, now: datetime) -> bool:
    """Whether a slot is found later than it could still be on time."""
    return now > seconds_after(due, schedule.on_time)


def _by_rule(
    schedule: Schedule, slots: tuple[datetime, ...], now: datetime, paused: str
) -> Iterator[tuple[datetime, str]]:
    """Each slot with the rule by which it is skipped, empty where it is not."""
    for at in slots:
        if paused:
            yield at, _PAUSED.format(why=paused)
        elif schedule.catch_up == "skip" and is_missed(schedule, due_at(schedule, at), now):
            yield at, "It was missed, and missed slots are skipped (catch_up)."
        elif schedule.catch_up == "latest" and at != slots[-1]:
            yield at, "It was missed, and only the latest of missed slots runs (catch_up)."
        else:
            yield at, ""
