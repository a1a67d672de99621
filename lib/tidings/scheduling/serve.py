"""Stays and runs slots on time, until it is asked to end."""

from __future__ import annotations

from datetime import date, datetime

from tidings.business_calendar import calendar_of
from tidings.errors import TidingsError
from tidings.scheduling.due import look
from tidings.scheduling.operator import fails, works
from tidings.scheduling.schedule import Planned, load_plans
from tidings.scheduling.slots import next_slots, slots_between
from tidings.scheduling.steps import Bench
from tidings.settings import Settings
from tidings.window import Zone, end_of_local_day, label_instant, seconds_between

# A file that somebody changes is read again within so long.
_LONGEST_SLEEP_S = 60.0


def serve(bench: Bench) -> None:
    """Look at the clock until `bench.stop` is set, and say each morning what will be done that day.

    A report's file that cannot be read is said once, to the operator as well, and looked at again every minute.
    """
    said_for: date | None = None
    broken = ""
    zone = Zone(bench.settings.timezone, bench.settings.week_start)
    while not bench.stop.is_set():
        wait = _LONGEST_SLEEP_S
        try:
            plans = load_plans(bench.settings)
            today = zone.day_of(bench.clock())
            if said_for != today:
                said_for = today
                for line in agenda(bench.settings, plans, bench.clock()):
                    bench.say(line)
            found = look(bench)
            wait = _seconds_to(bench, plans, found.next_at)
            if broken:
                broken = ""
                works(bench, "schedules", "Reading the files of the reports")
        except TidingsError as error:
            if str(error) != broken:
                broken = str(error)
                bench.say(bench.redact(broken))
                fails(bench, "schedules", "Reading the files of the reports", broken)
        bench.stop.wait(wait)


def agenda(settings: Settings, plans: tuple[Planned, ...], now: datetime) -> list[str]:
    """What is due from now until the end of the local day, a line each."""
    zone = Zone(settings.timezone, settings.week_start)
    end = end_of_local_day(now, zone)
    due: list[tuple[datetime, str]] = []
    for plan in plans:
        for schedule in plan.schedules:
            whom = ", ".join(each.name for each in plan.audiences_of(schedule.name)) or "nobody, pages only"
            for at in slots_between(schedule, calendar_of(settings, schedule.zone), now, end):
                due.append((at, f"  {label_instant(at, schedule.zone)} {schedule.zone.name}  {schedule.id} for {whom}"))
    if not due:
        return ["Nothing more is due today."]
    return ["Due today:", *(line for _, line in sorted(due))]


def _seconds_to(bench: Bench, plans: tuple[Planned, ...], next_at: datetime | None) -> float:
    now = bench.clock()
    wanted = [next_at] if next_at is not None else []
    for plan in plans:
        for schedule in plan.schedules:
            wanted += next_slots(schedule, calendar_of(bench.settings, schedule.zone), now, 1)
    waits = [seconds_between(now, each) for each in wanted]
    return min([_LONGEST_SLEEP_S, *(max(0.2, wait) for wait in waits)])
