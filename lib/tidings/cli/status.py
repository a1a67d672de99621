"""The verb `status`: how the workbook is doing, for people and for Prometheus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, get_args

import click

from tidings.cli.clock import length_of
from tidings.cli.files import CLOCK
from tidings.ledger.alert_log import AlertLog, Severity, alerts_of
from tidings.ledger.deliveries import Deliveries, SlotEntry, SlotState
from tidings.ledger.store import Ledger
from tidings.settings import Settings
from tidings.window import Zone, hours_before, label_instant, seconds_between

if TYPE_CHECKING:
    from tidings.scheduling.schedule import Schedule

_DAYS = 30


@dataclass(frozen=True)
class _Clock:
    """A schedule with its latest slot, its next one, and why it is paused (empty if it is not)."""

    schedule: Schedule
    last: SlotEntry | None
    next_at: datetime
    paused: str


@dataclass(frozen=True)
class Status:
    """How a workbook is doing at an instant; what never happened is absent, never zero.

    `sources` are those of the settings with the start of their last pull that was done, `rejected` the rows of landed
    files in force that could not be used, by source. `ends` counts deliveries of the last 30 days by end state.
    """

    now: datetime
    zone: Zone
    sources: Mapping[str, datetime | None]
    rejected: Mapping[str, int]
    built_at: datetime | None
    clocks: tuple[_Clock, ...]
    ends: Mapping[str, int]
    alerts: Mapping[str, int]


def status_of(settings: Settings, now: datetime) -> Status:
    """Read how a workbook is doing; nothing is changed.

    Raises:
        SettingsError: a report's file cannot be used as written.
        SourceError: a manifest is damaged.
        WindowError: of a day to come it is not known whether it is a holiday.
    """
    # Imported here because it takes seconds, which other verbs need not wait.
    from tidings.business_calendar import calendar_of
    from tidings.landing.store import landed_files
    from tidings.scheduling.schedule import load_plans
    from tidings.scheduling.slots import next_slots

    ledger = Ledger(settings.ledger)
    deliveries = Deliveries(ledger)
    done, build = ledger.last_successes(), ledger.last_build()
    rejected: dict[str, int] = {}
    for landed in landed_files(settings.raw):
        rejected[landed.source] = rejected.get(landed.source, 0) + landed.load.rejected
    clocks = []
    for plan in load_plans(settings):
        for each in plan.schedules:
            last = deliveries.last_slot(each.report, each.name)
            [next_at] = next_slots(each, calendar_of(settings, each.zone), now, 1)
            clocks.append(_Clock(each, last, next_at, deliveries.failures(each.report, each.name)[1]))
    alerts = [alert for alert in alerts_of(AlertLog(settings.ledger).events()) if alert.is_open]
    return Status(
        now=now,
        zone=Zone(settings.timezone, settings.week_start),
        sources={name: done[name].started_at if name in done else None for name in settings.sources},
        rejected={name: rejected[name] for name in settings.sources if name in rejected},
        built_at=build.started_at if build else None,
        clocks=tuple(clocks),
        ends=deliveries.ends(hours_before(now, 24 * _DAYS)),
        alerts={each: sum(alert.severity == each for alert in alerts) for each in get_args(Severity)},
    )


@click.command()
@click.option("--prometheus", is_flag=True, help="In the text format of Prometheus, for a textfile collector.")
@click.pass_context
def status(ctx: click.Context, prometheus: bool) -> None:
    """Say how the workbook is doing: sources, build, schedules, deliveries, rejected rows, alerts.

    Nothing is changed. It names no recipient and holds no secret.
    """
    found = status_of(ctx.obj, ctx.meta[CLOCK]())
    click.echo("\n".join(exposition(found) if prometheus else told(found)))


def told(status: Status) -> Iterator[str]:
    """A status for people, line by line."""
    yield "Sources"
    for source, at in status.sources.items():
        rejected = status.rejected.get(source)
        rows = "" if rejected is None else f", {rejected:,} rejected row{'' if rejected == 1 else 's'}"
        yield f"  {source}: {_age(status, at, 'last pulled whole', 'never pulled whole')}{rows}"
    yield f"Warehouse: {_age(status, status.built_at, 'last built', 'never built')}"
    if status.clocks:
        yield "Schedules"
    for clock in status.clocks:
        zone = clock.schedule.zone
        last = f"{label_instant(clock.last.at, zone)}: {clock.last.state}" if clock.last else "none yet"
        reason = f" ({clock.last.reason})" if clock.last and clock.last.reason else ""
        yield f"  {clock.schedule.id}: last slot {last}{reason}"
        yield (
            f"    paused: {clock.paused}"
            if clock.paused
            else f"    next {label_instant(clock.next_at, zone)} {zone.name}"
        )
    yield f"Deliveries of {_DAYS} days: {_counts(status.ends)}"
    yield f"Open alerts: {_counts(status.alerts)}"


def _age(status: Status, at: datetime | None, done: str, never: str) -> str:
    if at is None:
        return never
    return f"{done} {label_instant(at, status.zone)} ({length_of(seconds_between(at, status.now))} ago)"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{many:,} {name}" for name, many in counts.items() if many) or "none"


def exposition(status: Status) -> Iterator[str]:
    """A status in the text format of Prometheus, line by line; what is not known has no sample."""
    at = {source: seen for source, seen in status.sources.items() if seen is not None}
    yield from _family(
        "source_last_success_timestamp_seconds",
        "Start of the last pull of a source that was done, Unix time.",
        (({"source": source}, seen.timestamp()) for source, seen in at.items()),
    )
    yield from _family(
        "source_rejected_rows",
        "Rows of the landed files in force that could not be used.",
        (({"source": source}, many) for source, many in status.rejected.items()),
    )
    yield from _family(
        "build_last_success_timestamp_seconds",
        "Start of the last build that was done, Unix time.",
        [({}, status.built_at.timestamp())] if status.built_at else [],
    )
    slots = [(_names(clock), clock.last) for clock in status.clocks if clock.last]
    yield from _family(
        "schedule_last_slot_timestamp_seconds",
        "Time of the latest slot of a schedule, Unix time.",
        ((names, slot.at.timestamp()) for names, slot in slots),
    )
    yield from _family(
        "schedule_last_slot_state",
        "1 for the state that the latest slot of a schedule is in.",
        ((names | {"state": state}, slot.state == state) for names, slot in slots for state in get_args(SlotState)),
    )
    yield from _family(
        "schedule_next_slot_timestamp_seconds",
        "Time of the next slot of a schedule, Unix time.",
        ((_names(clock), clock.next_at.timestamp()) for clock in status.clocks),
    )
    yield from _family(
        "schedule_paused",
        "1 for a schedule that is paused after failures.",
        ((_names(clock), bool(clock.paused)) for clock in status.clocks),
    )
    yield from _family(
        "deliveries_30d",
        f"Deliveries that ended in the last {_DAYS} days, by end state.",
        (({"state": state.replace(" ", "_")}, many) for state, many in status.ends.items()),
    )
    yield from _family(
        "alerts_open",
        "Open alerts by severity, those that are acknowledged or muted among them.",
        (({"severity": severity}, many) for severity, many in status.alerts.items()),
    )


def _names(clock: _Clock) -> dict[str, str]:
    return {"report": clock.schedule.report, "schedule": clock.schedule.name}


def _family(name: str, doc: str, samples: Iterable[tuple[Mapping[str, str], float]]) -> Iterator[str]:
    yield f"# HELP tidings_{name} {doc}"
    yield f"# TYPE tidings_{name} gauge"
    for labels, value in samples:
        given = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        yield f"tidings_{name}{f'{{{given}}}' if given else ''} {int(value)}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
