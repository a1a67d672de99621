"""The steps from a slot to its deliveries: pull, build, wait for sources, make the runs, send."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime

from tidings.delivery.outbox import Outbox
from tidings.errors import RunError, TidingsError, understood
from tidings.language import message
from tidings.ledger.deliveries import Deliveries, DeliveryEntry, SlotEntry, SlotRun, delivery_key
from tidings.ledger.store import Ledger
from tidings.reporting.finished import run_in
from tidings.reporting.pinned import Public
from tidings.reporting.run import run
from tidings.scheduling.bindings import WHOLE, Binding, expanded
from tidings.scheduling.entering import is_missed
from tidings.scheduling.gate import awaited, lacking
from tidings.scheduling.schedule import Planned, Schedule
from tidings.secrets import Redactor
from tidings.settings import Settings
from tidings.window import seconds_after

LOOK_AGAIN_S = 600.0
_LACKING = {"the build": "The newest data are not in it: they could not be built."}


@dataclass
class Bench:
    """What every step works with; `say` prints a line for the operator, `stop` is set when the process has to end."""

    settings: Settings
    ledger: Ledger
    deliveries: Deliveries
    outbox: Outbox
    clock: Callable[[], datetime]
    redact: Redactor
    say: Callable[[str], None]
    stop: threading.Event = field(default_factory=threading.Event)
    # Sources pulled in this look, with what went wrong: several slots that are due share a pull.
    pulled: dict[str, str] = field(default_factory=dict)
    is_built: bool = False


def prepare(
    bench: Bench,
    plan: Planned,
    schedule: Schedule,
    slot: SlotEntry,
    judge: Callable[[], None],
    *,
    is_fetched: bool = False,
) -> bool:
    """Bring a slot to where its deliveries can be sent; False if it waits or has failed, as the ledger then says.

    `judge` looks at the rules of alerts once all data are there. With `is_fetched` somebody else has pulled and built.
    What was done before the process died is not done again.
    """
    bench.deliveries.begin_slot(slot.id)
    if slot.state == "running":
        slot = _noted(bench, slot, "a process that was ended in the middle of it")
    elif not slot.waited_for and is_missed(schedule, slot.due_at, bench.clock()):
        slot = _noted(bench, slot, "a process to run it: none was there at its time")
    gaps: list[str] = []
    try:
        if schedule.pull and not is_fetched:
            pull_some(bench, [name for name in bench.settings.sources if name not in bench.pulled])
            if not bench.is_built:
                build_now(bench)
        gaps = _gate(bench, schedule, slot)
    except _WaitError as wait:
        deadline = seconds_after(slot.due_at, schedule.deadline)
        bench.deliveries.wait_slot(slot, str(wait), min(seconds_after(bench.clock(), LOOK_AGAIN_S), deadline))
        bench.say(f"{schedule.id} waits: {wait}")
        return False
    except _HeldError as held:
        bench.deliveries.end_slot(slot, "skipped", bench.clock(), reason=str(held))
        bench.say(f"{schedule.id} is held: {held}")
        return False
    judge()
    wanted = expand(bench, plan, slot)
    failed = make_runs(bench, plan, schedule, slot, wanted, gaps)
    whole = failed.get(WHOLE.text, "")
    if whole and len(failed) == len({WHOLE.text, *wanted}):
        bench.deliveries.end_slot(slot, "failed", bench.clock(), reason=whole, gaps=gaps)
        return False
    bench.deliveries.end_slot(slot, "done", bench.clock(), gaps=gaps)
    return True


class _WaitError(Exception):
    """Not all is there yet, and the deadline has not passed."""


class _HeldError(Exception):
    """Not all is there, the deadline has passed, and the schedule says to hold."""


def pull_some(bench: Bench, sources: Sequence[str]) -> None:
    """Pull sources; what went wrong with each is kept in `bench.pulled`.

    Raises:
        SettingsError: one of them is not configured, or cannot be opened.
    """
    # Imported here because it takes half a second, and most schedules are not due.
    from tidings.intake.pulling import pull_sources
    from tidings.sources.source import Pull, open_sources

    if not sources:
        return
    opened = open_sources(bench.settings, sources)
    for outcome in pull_sources(bench.settings, opened, Pull(bench.clock()), lambda *_: None):
        bench.pulled[outcome.source] = bench.redact(outcome.reported()) if outcome.error else ""
        why = f". {bench.pulled[outcome.source]}" if outcome.error else ""
        bench.say(f"pulled {outcome.source}: {outcome.status}, {outcome.rows:,} rows{why}")


def build_now(bench: Bench) -> None:
    """Build the warehouse; what went wrong is kept in `bench.pulled` under `the build`."""
    from tidings.intake.building import build_recorded

    bench.is_built = True
    try:
        result, seconds = build_recorded(bench.settings, bench.clock(), bench.redact, lambda *_: None)
    except Exception as error:
        known = understood(error, bench.settings.root)
        if known is None:
            raise
        bench.pulled["the build"] = bench.redact(str(known))
        bench.say(f"the build failed: {bench.pulled['the build']}")
    else:
        bench.say(f"built {result.build_id} in {seconds:.1f} s")


def _gate(bench: Bench, schedule: Schedule, slot: SlotEntry) -> list[str]:
    """What the report will lack: sources that are not complete, and pulls that failed.

    Raises:
        _WaitError: it is worth waiting for.
        _HeldError: without it the report is not sent.
    """
    waiting = awaited(bench.settings, schedule)
    try:
        said = lacking(bench.settings, waiting, slot.at)
    except TidingsError as error:
        # Without a build there is nothing to run on, whatever the deadline.
        said = dict.fromkeys(waiting or ("the build",), bench.redact(str(error)))
    # Why, with its paths and addresses, is in the ledger and was printed; readers are told what it means for them.
    failed = {name: _LACKING.get(name, f"{name} could not be pulled.") for name, why in bench.pulled.items() if why}
    failed = failed if schedule.pull else {}
    if "the build" in failed and "the build" not in waiting:
        waiting = (*waiting, "the build")
        said["the build"] = failed["the build"]
    gaps = [*said.values(), *(why for name, why in failed.items() if name not in said)]
    if said and bench.clock() < seconds_after(slot.due_at, schedule.deadline):
        raise _WaitError(" ".join(said.values()))
    if said and schedule.at_deadline == "hold":
        raise _HeldError(f"It is not sent without them (at_deadline): {' '.join(said.values())}")
    return gaps


def expand(bench: Bench, plan: Planned, slot: SlotEntry) -> list[str]:
    """Put recipients and channels in the place of the audiences of a slot; returns the bindings that are wanted."""
    for whole in bench.deliveries.audiences(slot.id):
        audience = plan.audience(whole.audience)
        if audience is None:
            _skip(bench, whole, "Its audience is not in the report's file any more.")
            continue
        try:
            recipients = list(expanded(bench.settings, audience))
            parts = []
            for channel in audience.channels:
                is_personal = bench.outbox.channel(channel).is_personal
                own = Binding(audience.parameters, audience.rows, audience.sections, audience.figures)
                for address, binding in recipients if is_personal else [("", own)]:
                    key = delivery_key(slot.report, slot.schedule, slot.at, audience.name, channel, address)
                    parts.append((key, channel, address, binding.text))
        except Exception as error:
            known = understood(error, bench.settings.root)
            if known is None:
                raise
            bench.deliveries.settle(whole.id, "failed", bench.clock(), reason=bench.redact(str(known)))
            continue
        bench.deliveries.expand(whole, parts, bench.clock())
    for delivery in bench.deliveries.deliveries(slot=slot.id):
        audience = plan.audience(delivery.audience)
        if audience and delivery.state == "due" and delivery.recipient and not audience.allows(delivery.recipient):
            _skip(bench, delivery, "The address is of none of the domains that the audience allows.")
    open_ones = [each for each in bench.deliveries.deliveries(slot=slot.id) if each.state == "due" and each.channel]
    return list(dict.fromkeys(each.binding for each in open_ones))


def make_runs(
    bench: Bench, plan: Planned, schedule: Schedule, slot: SlotEntry, wanted: Sequence[str], gaps: Sequence[str]
) -> dict[str, str]:
    """Make the report's own run and one for each other binding, unless made before; returns those that failed."""
    failed: dict[str, str] = {}
    made = bench.deliveries.runs(slot.id)
    for text in dict.fromkeys([WHOLE.text, *wanted]):
        before = made.get(text)
        if before is None or before.status == "failed" or not _is_there(bench.settings, before):
            before = _run(bench, plan, schedule, slot, text, gaps)
            bench.deliveries.add_run(slot.id, before)
        if before.status == "failed":
            failed[text] = before.error
            for delivery in bench.deliveries.deliveries(slot=slot.id):
                if delivery.binding == text and delivery.state == "due":
                    bench.deliveries.settle(delivery.id, "failed", bench.clock(), reason=before.error)
    return failed


def _run(bench: Bench, plan: Planned, schedule: Schedule, slot: SlotEntry, text: str, gaps: Sequence[str]) -> SlotRun:
    binding = Binding.of_text(text)
    try:
        result = run(
            bench.settings,
            plan.report.name,
            {**binding.parameters, "as_of": slot.at.isoformat()},
            now=bench.clock(),
            rows=binding.rows or None,
            public=Public(binding.figures) if binding.figures else None,
            sections=binding.sections,
            retries=schedule.retries,
            time_limit=schedule.time_limit,
            gaps=gaps_for(binding, gaps),
        )
    except Exception as error:
        known = understood(error, bench.settings.root)
        if known is None:
            raise
        return SlotRun(text, "", "", "failed", bench.redact(f"The run failed: {known}"))
    errors = [f"{section.section}: {section.error}" for section in result.sections if section.error]
    bench.say(f"{schedule.id} run {result.run.id}: {result.status} in {result.seconds:.1f} s")
    folder = result.index.parent.relative_to(bench.settings.reports).as_posix()
    why = f"Every section failed. {errors[0]}" if result.status == "failed" and errors else " ".join(errors)
    return SlotRun(text, result.run.id, folder, result.status, why)


def gaps_for(binding: Binding, gaps: Sequence[str]) -> list[str]:
    """What is said of gaps to those who get a binding: of a whole source nothing, where they see a part of it."""
    return [message("Some of the data are not complete.")] if gaps and (binding.rows or binding.figures) else list(gaps)


def _is_there(settings: Settings, made: SlotRun) -> bool:
    with suppress(TidingsError):
        figures = Binding.of_text(made.binding).figures
        return run_in(settings, settings.reports / made.folder, figures).id == made.run
    return False


def _skip(bench: Bench, delivery: DeliveryEntry, rule: str) -> None:
    bench.deliveries.settle(delivery.id, "skipped", bench.clock(), reason=rule)


def _noted(bench: Bench, slot: SlotEntry, waited: str) -> SlotEntry:
    slot = replace(slot, waited_for=tuple(dict.fromkeys((*slot.waited_for, waited))))
    bench.deliveries.note_wait(slot)
    return slot


def run_of(bench: Bench, delivery: DeliveryEntry) -> SlotRun:
    """The run that a delivery is made of.

    Raises:
        RunError: there is none.
    """
    made = bench.deliveries.runs(delivery.slot or 0).get(delivery.binding)
    if made is None or not made.folder:
        raise RunError(f"There is no run for the delivery to {delivery.audience}.", "Run the report again.")
    return made
