"""The verbs of what runs by the clock: due, serve, schedule, deliveries, send, preview."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tidings.cli.files import CLOCK
from tidings.errors import TidingsError, UsageError, suggest
from tidings.language import speaking
from tidings.ledger.deliveries import Deliveries, DeliveryEntry, SlotEntry
from tidings.ledger.store import Ledger
from tidings.settings import Settings
from tidings.sources.credentials import credentials
from tidings.window import Zone, label_instant

if TYPE_CHECKING:
    from tidings.scheduling.steps import Bench

WAITS = 75
"""The exit code of what is not done as it waits for data or a server: EX_TEMPFAIL, which schedulers know."""


@contextmanager
def bench_of(settings: Settings, clock: Callable[[], datetime]) -> Iterator[Bench]:
    """What the steps work with, for one command."""
    # Imported here because it takes a second, which other verbs need not wait.
    from tidings.delivery.outbox import Outbox
    from tidings.scheduling.steps import Bench

    redact = credentials(settings).redactor
    ledger = Ledger(settings.ledger)
    deliveries = Deliveries(ledger)
    outbox = Outbox(settings, deliveries, clock, redact)
    try:
        yield Bench(settings, ledger, deliveries, outbox, clock, redact, lambda line: click.echo(redact(line)))
    finally:
        outbox.close()


@click.command()
@click.pass_context
def due(ctx: click.Context) -> None:
    """Run what is due now, send what can be sent, and exit: for cron, systemd timers and CI.

    Exit codes: 0 done, 1 something failed, 75 something waits for data or a server and is looked at by the next call.
    """
    from tidings.scheduling.due import clock_lock, look

    settings: Settings = ctx.obj
    with bench_of(settings, ctx.meta[CLOCK]) as bench, clock_lock(bench) as is_mine:
        if not is_mine:
            click.echo("Another process runs by the clock here (tidings due or serve): it does what is due.")
            return
        found = look(bench)
    zone = Zone(settings.timezone, settings.week_start)
    if not found.slots and not found.delivered and not found.failed:
        click.echo("Nothing is due.")
    if found.failed:
        raise TidingsError(f"{found.failed} of what was due failed.", "See tidings deliveries.")
    if found.next_at is not None:
        click.echo(f"Something waits; it is looked at again from {label_instant(found.next_at, zone)} {zone.name} on.")
        ctx.exit(WAITS)


@click.command()
@click.pass_context
def serve(ctx: click.Context) -> None:
    """Stay and run every slot on time, until Ctrl-C or SIGTERM; what is under way is finished first.

    A second signal ends it at once: the slot is handed back, and run again by whoever looks next.
    """
    from tidings.scheduling.due import clock_lock
    from tidings.scheduling.serve import serve as stay

    with bench_of(ctx.obj, ctx.meta[CLOCK]) as bench, clock_lock(bench) as is_mine:
        if not is_mine:
            raise TidingsError("Another process runs by the clock here.", "One tidings serve (or due) at a time.")
        with _asked_to_end(bench.stop, click.echo):
            stay(bench)
    click.echo("Ended; what was due is done or in the ledger.")


@contextmanager
def _asked_to_end(stop: threading.Event, say: Callable[[str], None]) -> Iterator[None]:
    """While inside, the first SIGTERM or Ctrl-C asks to end; the next does what it did before."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in numbers}

    def ask(number: int, frame: object) -> None:
        del number, frame
        stop.set()
        for each, handler in before.items():
            signal.signal(each, handler)

    for number in numbers:
        if before[number] is not signal.SIG_IGN:
            signal.signal(number, ask)
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


@click.group()
def schedule() -> None:
    """Schedules: resume one that is paused, or export them to another scheduler."""


@schedule.command()
@click.argument("name", metavar="REPORT/SCHEDULE")
@click.pass_obj
def resume(settings: Settings, name: str) -> None:
    """Let a schedule go on that was paused after failures."""
    from tidings.scheduling.schedule import load_plans

    known = {each.id: each for plan in load_plans(settings) for each in plan.schedules}
    if name not in known:
        raise UsageError(f"There is no schedule '{name}'.", suggest(name, known))
    deliveries = Deliveries(Ledger(settings.ledger))
    _, paused = deliveries.failures(known[name].report, known[name].name)
    if not paused:
        click.echo(f"{name} is not paused.")
        return
    deliveries.count_failure(known[name].report, known[name].name, 0)
    click.echo(f"{name} goes on with its next slot.")


@schedule.command()
@click.argument("target", metavar="cron|systemd|github|airflow|dagster")
@click.option("--to", "folder", type=click.Path(path_type=Path, file_okay=False), help="Folder to write the files to.")
@click.pass_obj
def export(settings: Settings, target: str, folder: Path | None) -> None:
    """Write what another scheduler needs to run Tidings; printed where no folder is given."""
    from tidings.scheduling.exporting import exported

    command = Path(sys.argv[0]).absolute() if Path(sys.argv[0]).name == "tidings" else Path("tidings")
    for name, text in exported(settings, target, command).items():
        if folder is None:
            click.echo(text, nl=False)
            continue
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
        click.echo(str(folder / name))


@click.command()
@click.argument("name", metavar="REPORT/SCHEDULE")
@click.argument("what", type=click.Choice(["pull", "build", "run", "deliver"]))
@click.argument("which", metavar="[SOURCE|AUDIENCE]", required=False)
@click.pass_context
def step(ctx: click.Context, name: str, what: str, which: str | None) -> None:
    """Do one step of what is due of one schedule: for schedulers that show each as a task of its own.

    Exit codes as of tidings due. Where nothing of the schedule is due, nothing is done.
    """
    from tidings.scheduling.due import clock_lock, do_step

    with bench_of(ctx.obj, ctx.meta[CLOCK]) as bench, clock_lock(bench) as is_mine:
        if not is_mine:
            ctx.exit(WAITS)
        found = do_step(bench, name, what, which or "")
    if found.failed:
        raise TidingsError(f"The step {what} of {name} failed.", "See tidings deliveries.")
    if found.next_at is not None:
        ctx.exit(WAITS)


@click.command("deliveries")
@click.argument("report", required=False)
@click.option("--open", "only_open", is_flag=True, help="Only those that wait, failed, or are unknown.")
@click.option("-n", "most", type=click.IntRange(1), default=30, show_default=True, help="How many, the latest first.")
@click.pass_obj
def deliveries_(settings: Settings, report: str | None, only_open: bool, most: int) -> None:
    """Show what became of each delivery: on time, late, with a gap, skipped by rule, failed or unknown."""
    ledger = Deliveries(Ledger(settings.ledger))
    zone = Zone(settings.timezone, settings.week_start)
    shown = 0
    for entry in ledger.deliveries(10_000 if report or only_open else most):
        name = entry.key.split("\n")[0]
        if (report and name != report) or (only_open and entry.state in ("delivered", "skipped")):
            continue
        slot = ledger.slot(entry.slot) if entry.slot is not None else None
        click.echo("\n".join(_told(entry, slot, len(ledger.attempts(entry.id)), zone)))
        shown += 1
        if shown == most:
            break
    if not shown:
        click.echo("No deliveries." if not report else f"No deliveries of {report}.")


def _told(entry: DeliveryEntry, slot: SlotEntry | None, attempts: int, zone: Zone) -> Iterator[str]:
    about = f"{slot.report}/{slot.schedule}" if slot else str(entry.content.get("subject", "notice"))
    to = " ".join(filter(None, (entry.audience, f"by {entry.channel}" if entry.channel else "", entry.recipient)))
    yield f"{label_instant(entry.due_at, zone)}  {about}  {to}: {state_of(entry)}"
    if entry.reason:
        yield f"    {entry.reason}"
    if entry.waited_for:
        yield f"    waited for {'; '.join(entry.waited_for)}"
    for gap in entry.gaps:
        yield f"    lacks: {gap}"
    if attempts > 1:
        yield f"    {attempts} attempts"


def state_of(entry: DeliveryEntry) -> str:
    """The state of a delivery for people."""
    if entry.state == "delivered":
        late = f" {length_of(entry.late_seconds)} late" if entry.late_seconds else " on time"
        return f"delivered{late}{' with a gap' if entry.gaps else ''}"
    return {"skipped": "skipped by rule", "waiting": "waits", "sending": "is being sent"}.get(entry.state, entry.state)


def length_of(seconds: float) -> str:
    """A length for people, in whole minutes, hours or days."""
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{max(1, minutes)} min"
    hours = round(seconds / 3600)
    return f"{hours} h" if hours < 48 else f"{round(seconds / 86400)} days"


@click.command()
@click.argument("name", metavar="REPORT[/SLOT]")
@click.option("--failed", is_flag=True, help="Send again what failed.")
@click.option("--unknown", is_flag=True, help="Send again what may or may not have arrived.")
@click.option("--to", metavar="ADDRESS", help="Send it to this recipient of an audience, whatever became of it before.")
@click.pass_context
def send(ctx: click.Context, name: str, failed: bool, unknown: bool, to: str | None) -> None:
    """Send deliveries of a slot again: those that failed, are unknown, or of one recipient.

    \b
    tidings send weekly --failed
    tidings send weekly/2026-07-06T0800 --to ann@example.com
    """
    from tidings.scheduling.schedule import load_plans
    from tidings.scheduling.sending import note_streaks, send_one

    settings: Settings = ctx.obj
    if not (failed or unknown or to):
        raise UsageError("What is to be sent again?", "Say --failed, --unknown or --to ADDRESS.")
    with bench_of(settings, ctx.meta[CLOCK]) as bench:
        plans = {plan.report.name: plan for plan in load_plans(settings)}
        slot = _slot(settings, bench.deliveries, name)
        states = {state for state, wanted in (("failed", failed), ("unknown", unknown)) if wanted}
        chosen = [
            each
            for each in bench.deliveries.deliveries(slot=slot.id)
            if each.channel and (each.recipient.casefold() == to.casefold() if to else each.state in states)
        ]
        if not chosen:
            raise UsageError(
                f"The slot {name} has no such delivery.",
                "tidings deliveries lists them; recipients are in its audiences.",
            )
        done = []
        for each in chosen:
            bench.deliveries.settle(each.id, "due", bench.clock(), reason="", next_at=None)
            done.append((each, send_one(bench, plans, each)))
        note_streaks(bench, done)
    lost = sum(state not in ("delivered", "skipped") for _, state in done)
    if lost:
        raise TidingsError(f"{lost} of {len(chosen)} were not delivered.", "See tidings deliveries.")


def _slot(settings: Settings, deliveries: Deliveries, name: str) -> SlotEntry:
    """The slot of a report by the local name of its folder, or its latest."""
    report, _, wanted = name.partition("/")
    found = [slot for slot in deliveries.slots(100_000) if slot.report == report]
    if not found:
        known = {slot.report for slot in deliveries.slots(100_000)}
        raise UsageError(f"The ledger has no slot of '{report}'.", suggest(report, known))
    if not wanted:
        return next((slot for slot in found if slot.state in ("done", "failed")), found[0])
    for slot in found:
        folders = [run.folder for run in deliveries.runs(slot.id).values()]
        if name in folders or any(folder.startswith(f"{name}~") for folder in folders):
            return slot
    names = {run.folder for slot in found for run in deliveries.runs(slot.id).values()}
    raise UsageError(f"The ledger has no slot '{name}'.", suggest(name, names))


@click.command()
@click.argument("name", metavar="REPORT[/SCHEDULE]")
@click.option("--audience", metavar="NAME", help="As this audience gets it; the first if not given.")
@click.option("--to", "target", type=click.Path(path_type=Path, file_okay=False), help="Folder of the file.")
@click.option("--no-browser", is_flag=True, help="Print the path instead of opening it.")
@click.pass_context
def preview(ctx: click.Context, name: str, audience: str | None, target: Path | None, no_browser: bool) -> None:
    """Write the mail of a report to a file, made of its latest run, and open it; nothing is sent."""
    from tidings.delivery.compose import compose
    from tidings.delivery.preview import write_preview
    from tidings.reporting.finished import finished_run
    from tidings.scheduling.schedule import load_plan

    settings: Settings = ctx.obj
    report, _, which = name.partition("/")
    plan = load_plan(settings, report)
    if which and plan.schedule(which) is None:
        raise UsageError(
            f"The report {report} has no schedule '{which}'.", suggest(which, [s.name for s in plan.schedules])
        )
    if audience and plan.audience(audience) is None:
        raise UsageError(
            f"The report {report} has no audience '{audience}'.", suggest(audience, [a.name for a in plan.audiences])
        )
    chosen = plan.audience(audience) if audience else next(iter(plan.audiences), None)
    run = finished_run(settings, report)
    message = compose(
        settings,
        run,
        key=f"preview of {run.id}",
        recipient=next(iter(chosen.to), "") if chosen else "",
        at=run.as_of.astimezone(Zone(settings.timezone, settings.week_start).info),
        sent_at=ctx.meta[CLOCK](),
        subject=chosen.subject if chosen else "",
    )
    with speaking(settings.language(run.locale)):
        file = write_preview(message, target or settings.root / "reports" / ".preview")
    click.echo(str(file))
    if not no_browser:
        click.launch(file.as_uri())
