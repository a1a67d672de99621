"""One look at the clock: what has come due is entered, worked on and sent; what cannot go on waits in the ledger."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from tidings.errors import TidingsError, UsageError, suggest, understood
from tidings.ledger.deliveries import SlotEntry
from tidings.ledger.lease import hold
from tidings.ledger.turn import turn
from tidings.reporting.pinned import private_folder
from tidings.scheduling.alerting import enter_notices, judge
from tidings.scheduling.entering import enter_slots
from tidings.scheduling.operator import fails, works
from tidings.scheduling.schedule import Planned, Schedule, load_plans
from tidings.scheduling.sending import send_all, streak_of, words_of
from tidings.scheduling.steps import Bench, build_now, prepare, pull_some
from tidings.window import label_instant


@dataclass(frozen=True)
class Look:
    """What came of a look: how many slots and deliveries failed, and whether something waits, until when."""

    slots: int = 0
    delivered: int = 0
    failed: int = 0
    next_at: datetime | None = None


@contextmanager
def clock_lock(bench: Bench) -> Iterator[bool]:
    """The lock of the one process of this machine that runs by the clock; False where another has it."""
    folder = bench.settings.ledger.parent / ".running"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        held = hold(folder / "clock.lock")
    except BlockingIOError:
        yield False
        return
    try:
        yield True
    finally:
        os.close(held)


def look(bench: Bench) -> Look:
    """Work on all that is due; nothing is done twice, whenever an earlier look was ended.

    Raises:
        SettingsError: a report's file cannot be used as written; nothing was done.
        WindowError: of a day it is not known whether it is a holiday.
    """
    plans = {plan.report.name: plan for plan in load_plans(bench.settings)}
    bench.pulled, bench.is_built = {}, False
    enter_slots(bench.settings, plans.values(), bench.deliveries, bench.clock())
    failed = delivered = worked = 0
    for delivery, state in bench.outbox.settle_dead():
        bench.say(f"{words_of(delivery)}: found in the middle of it after a process ended: {state}")
        if state == "unknown":
            failed += 1
            fails(bench, streak_of(delivery), words_of(delivery), "nobody knows whether it arrived")
    for slot in bench.deliveries.open_slots(bench.clock()):
        if bench.stop.is_set():
            break
        worked += 1
        failed += not _work(bench, plans, slot)
        done, lost = send_all(bench, plans)
        delivered, failed = delivered + done, failed + lost
    enter_notices(bench, plans)
    done, lost = send_all(bench, plans)
    return Look(worked, delivered + done, failed + lost, bench.deliveries.next_at())


def do_step(bench: Bench, name: str, what: str, which: str) -> Look:
    """One step of what is due of one schedule: `pull` a source, `build`, `run`, or `deliver` to an audience.

    Raises:
        UsageError: there is no such schedule, source or audience.
    """
    plans = {plan.report.name: plan for plan in load_plans(bench.settings)}
    known = {schedule.id: (plan, schedule) for plan in plans.values() for schedule in plan.schedules}
    if name not in known:
        raise UsageError(f"There is no schedule '{name}'.", suggest(name, known))
    plan, schedule = known[name]
    enter_slots(bench.settings, plans.values(), bench.deliveries, bench.clock())
    bench.outbox.settle_dead()
    if what == "deliver":
        if plan.audience(which) is None:
            raise UsageError(f"{name} has no audience '{which}'.", suggest(which, [a.name for a in plan.audiences]))
        delivered, lost = send_all(bench, plans, only=(plan.report.name, which))
        waits = [e.next_at for e in bench.deliveries.waiting(plan.report.name, which) if e.next_at is not None]
        return Look(0, delivered, lost, min(waits, default=None))
    slots = [
        slot
        for slot in bench.deliveries.open_slots(bench.clock())
        if (slot.report, slot.schedule) == (schedule.report, schedule.name)
    ]
    if not slots:
        return Look()
    if what == "pull":
        pull_some(bench, [which] if which else list(bench.settings.sources))
        return Look(failed=sum(map(bool, bench.pulled.values())))
    if what == "build":
        build_now(bench)
        return Look(failed=sum(map(bool, bench.pulled.values())))
    # Pulled and built it is by the steps before.
    failed = sum(not _work(bench, plans, slot, is_fetched=True) for slot in slots)
    waits = [found.next_at for slot in slots if (found := bench.deliveries.slot(slot.id)).next_at is not None]
    return Look(len(slots), 0, failed, min((each for each in waits if each), default=None))


def _work(bench: Bench, plans: Mapping[str, Planned], slot: SlotEntry, *, is_fetched: bool = False) -> bool:
    """Work on one slot; False if it failed."""
    plan = plans.get(slot.report)
    schedule = plan.schedule(slot.schedule) if plan else None
    if plan is None or schedule is None:
        reason = f"There is no schedule {slot.report}/{slot.schedule} any more."
        bench.deliveries.end_slot(slot, "skipped", bench.clock(), reason=reason)
        return True
    try:
        with turn(
            bench.settings.ledger.parent, f"the slot of {schedule.id}", lambda other: bench.say(f"Waits for {other}")
        ):
            prepare(bench, plan, schedule, slot, lambda: judge(bench, plans), is_fetched=is_fetched)
    except Exception as error:  # noqa: BLE001 - it ends this slot, with its type as reason, and must not end the others
        known = understood(error, bench.settings.root) or TidingsError(
            f"It met an error that Tidings does not know: {type(error).__name__}."
        )
        bench.deliveries.end_slot(slot, "failed", bench.clock(), reason=bench.redact(str(known)))
    except BaseException:
        bench.deliveries.hand_back(slot.id)
        raise
    ended = bench.deliveries.slot(slot.id)
    if ended.state == "failed":
        bench.say(f"{schedule.id} failed: {ended.reason}")
        _count(bench, schedule)
        fails(
            bench,
            f"slot {schedule.id}",
            f"{plan.report.title} of {label_instant(slot.at, schedule.zone)}",
            ended.reason,
        )
        return False
    if ended.state == "done":
        bench.deliveries.count_failure(schedule.report, schedule.name, 0)
        works(bench, f"slot {schedule.id}", plan.report.title)
        prune(bench, plan, schedule)
    return True


def _count(bench: Bench, schedule: Schedule) -> None:
    failures, _ = bench.deliveries.failures(schedule.report, schedule.name)
    failures += 1
    paused = ""
    if schedule.pause_after and failures >= schedule.pause_after:
        paused = f"it failed {failures} times in a row; to go on: tidings schedule resume {schedule.id}"
        bench.say(f"{schedule.id} is paused: {paused}")
    bench.deliveries.count_failure(schedule.report, schedule.name, failures, paused)


def prune(bench: Bench, plan: Planned, schedule: Schedule) -> None:
    """Remove old runs of a report beyond those that its schedule keeps; what was delivered stays."""
    if not schedule.keep:
        return
    place = bench.settings.reports / plan.report.name
    folders = sorted(
        (each for each in place.iterdir() if each.is_dir() and not each.name.startswith(".")),
        key=lambda each: each.name,
        reverse=True,
    )
    kept = bench.deliveries.delivered_folders()
    for folder in folders[schedule.keep :]:
        if folder.relative_to(bench.settings.reports).as_posix() not in kept:
            shutil.rmtree(folder)
            shutil.rmtree(private_folder(bench.settings, folder), ignore_errors=True)
            bench.say(f"removed {folder.relative_to(bench.settings.root)}: {schedule.keep} runs are kept")
