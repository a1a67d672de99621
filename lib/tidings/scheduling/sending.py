"""Sends the deliveries that can be sent now, after the rules of their audiences."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

from tidings.delivery.compose import compose, notice
from tidings.delivery.message import Message
from tidings.errors import TidingsError
from tidings.language import say, speaking
from tidings.ledger.deliveries import DeliveryEntry, DeliveryState, SlotEntry, SlotRun
from tidings.reporting.figures import figures_of
from tidings.reporting.finished import FinishedRun, run_in
from tidings.reporting.open_alerts import open_alerts
from tidings.scheduling.bindings import Binding
from tidings.scheduling.operator import fails, works
from tidings.scheduling.schedule import Audience, Planned, Schedule
from tidings.scheduling.steps import Bench, gaps_for, run_of
from tidings.window import Zone, label_instant, next_time_of_day, seconds_after

LOST = ("failed", "unknown")
_NOTICE_ON_TIME = 900.0
_ON_TIME_DAYS = 90


def send_all(bench: Bench, plans: Mapping[str, Planned], only: tuple[str, str] | None = None) -> tuple[int, int]:
    """Try every delivery that can be tried now, or those of one report and audience; returns how many were delivered
    and how many were lost.
    """
    done: list[tuple[DeliveryEntry, DeliveryState]] = []
    judged: dict[tuple[str, str, str], FinishedRun] = {}
    for delivery in bench.deliveries.to_send(bench.clock()):
        if bench.stop.is_set():
            break
        if only is not None and (delivery.key.split("\n")[0], delivery.audience) != only:
            continue
        state = send_one(bench, plans, delivery, judged)
        done.append((delivery, state))
    note_streaks(bench, done)
    states = [state for _, state in done]
    return states.count("delivered"), sum(state in LOST for state in states)


def note_streaks(bench: Bench, done: Sequence[tuple[DeliveryEntry, DeliveryState]]) -> None:
    """Tell the operator once where a channel begins to fail for an audience, or works again for all who were tried."""
    groups: dict[str, list[tuple[DeliveryEntry, DeliveryState]]] = {}
    for delivery, state in done:
        if delivery.slot is not None:
            groups.setdefault(streak_of(delivery), []).append((delivery, state))
    for streak, of_group in groups.items():
        lost = [delivery for delivery, state in of_group if state in LOST]
        what = words_of(replace(of_group[0][0], recipient=""))
        if lost:
            few = f" ({len(lost)} of {len(of_group)} recipients)" if len(of_group) > 1 else ""
            fails(bench, streak, f"{what}{few}", bench.deliveries.delivery(lost[0].id).reason)
        elif any(state == "delivered" for _, state in of_group):
            works(bench, streak, what)


def send_one(
    bench: Bench,
    plans: Mapping[str, Planned],
    delivery: DeliveryEntry,
    judged: dict[tuple[str, str, str], FinishedRun] | None = None,
) -> DeliveryState:
    """Try one delivery, after its audience's rules; returns its state."""
    if delivery.slot is None:
        return _send_notice(bench, delivery)
    slot = bench.deliveries.slot(delivery.slot)
    plan = plans.get(slot.report)
    schedule, audience = (plan.schedule(slot.schedule), plan.audience(delivery.audience)) if plan else (None, None)
    if plan is None or schedule is None or audience is None:
        reason = "Its audience is not in the report's file any more."
        bench.deliveries.settle(delivery.id, "skipped", bench.clock(), reason=reason)
        return "skipped"
    if _is_put_off(bench, delivery, audience, schedule.zone):
        return "waiting"
    try:
        made_of = run_of(bench, delivery)
        finished = _finished(bench, delivery, made_of, judged if judged is not None else {})
    except TidingsError as error:
        bench.deliveries.settle(delivery.id, "failed", bench.clock(), reason=bench.redact(str(error)))
        return "failed"
    said, unjudged = list(slot.gaps), ""
    if audience.only_if is not None:
        has_alert = bool(alerts_of_run(bench, finished))
        holds = audience.only_if.holds(figures_by_metric(finished), has_alert=has_alert)
        if holds is False:
            rule = f"Its condition does not hold: {audience.only_if.text}"
            bench.deliveries.settle(delivery.id, "skipped", bench.clock(), reason=rule)
            return "skipped"
        if holds is None:
            unjudged = audience.only_if.text
    # Why a section failed may hold paths and rows: it is for the ledger, the message says only which.
    gaps = [*_named(said, unjudged), *([made_of.error] if made_of.error else [])]
    if gaps != list(delivery.gaps) or slot.waited_for:
        waited = tuple(dict.fromkeys((*slot.waited_for, *delivery.waited_for)))
        bench.deliveries.settle(delivery.id, "due", bench.clock(), gaps=gaps, waited_for=waited)
        delivery = replace(delivery, waited_for=waited)
    language = bench.settings.language(finished.locale)
    with speaking(language), tempfile.TemporaryDirectory(prefix="tidings-") as folder:
        state = bench.outbox.send(
            delivery,
            lambda: _message(bench, finished, delivery, slot, schedule, audience, _named(said, unjudged), Path(folder)),
            schedule.on_time,
        )
    reason = bench.deliveries.delivery(delivery.id).reason
    bench.say(f"{words_of(delivery)}: {state}" + (f". {reason}" if reason else ""))
    return state


def _send_notice(bench: Bench, delivery: DeliveryEntry) -> DeliveryState:
    def made() -> Message:
        return notice(delivery.content, key=delivery.key, recipient=delivery.recipient, at=delivery.due_at)

    state = bench.outbox.send(delivery, made, _NOTICE_ON_TIME)
    bench.say(f"notice “{delivery.content['subject']}” by {delivery.channel}: {state}")
    return state


def _is_put_off(bench: Bench, delivery: DeliveryEntry, audience: Audience, zone: Zone) -> bool:
    """Whether it is put off until the end of quiet hours, which the ledger then says."""
    until = _quiet_until(audience, zone, bench.clock())
    if until is None:
        return False
    reason = f"the end of quiet hours at {label_instant(until, zone)}"
    waited = tuple(dict.fromkeys((*delivery.waited_for, reason)))
    bench.deliveries.settle(
        delivery.id, "waiting", bench.clock(), next_at=until, waited_for=waited, reason=f"It waits for {reason}."
    )
    return True


def _finished(
    bench: Bench, delivery: DeliveryEntry, made_of: SlotRun, held: dict[tuple[str, str, str], FinishedRun]
) -> FinishedRun:
    """The run that a delivery is made of; the last one is held, as the next recipient mostly gets the same."""
    place = (delivery.binding, made_of.folder, made_of.run)
    if place not in held:
        held.clear()
        figures = Binding.of_text(delivery.binding).figures
        held[place] = run_in(bench.settings, bench.settings.reports / made_of.folder, figures)
    return held[place]


def _message(
    bench: Bench,
    finished: FinishedRun,
    delivery: DeliveryEntry,
    slot: SlotEntry,
    schedule: Schedule,
    audience: Audience,
    gaps: list[str],
    folder: Path,
) -> Message:
    binding = Binding.of_text(delivery.binding)
    is_own = bool(binding.rows or binding.figures)
    return compose(
        bench.settings,
        finished,
        key=delivery.key,
        recipient=delivery.recipient,
        at=slot.at.astimezone(schedule.zone.info),
        sent_at=bench.clock(),
        subject=audience.subject,
        gaps=gaps_for(binding, gaps),
        alerts=() if is_own else alerts_of_run(bench, finished),
        notes=() if is_own else _notes(bench, slot, schedule),
        files=_attachments(finished, audience, folder),
        is_public=audience.public,
    )


def _named(gaps: list[str], unjudged: str) -> list[str]:
    """Gaps, and the condition that could not be judged, in the language in force."""
    if not unjudged:
        return gaps
    said = say("It is sent because its condition could not be judged: {condition}", condition=unjudged)
    return [*gaps, said]


def _attachments(finished: FinishedRun, audience: Audience, folder: Path) -> list[Path]:
    if not audience.attach:
        return []
    # Imported here because they take half a second, and few audiences want files.
    from tidings.exports.writing import usual_name, write_export

    return [write_export(finished, kind, folder / usual_name(finished, kind)) for kind in audience.attach]


def _notes(bench: Bench, slot: SlotEntry, schedule: Schedule) -> list[str]:
    since = seconds_after(slot.due_at, -_ON_TIME_DAYS * 86400)
    good, every = bench.deliveries.on_time(slot.report, since, slot.due_at)
    if not every:
        return []
    return [
        say(
            "{good} of {every} deliveries of this report were on time in the {days} days before.",
            good=good,
            every=every,
            days=_ON_TIME_DAYS,
        )
    ]


def alerts_of_run(bench: Bench, finished: FinishedRun) -> tuple[str, ...]:
    """Sentences of the alerts that were open when a run began, as its pages have them."""
    zone = Zone(bench.settings.timezone, bench.settings.week_start)
    found = open_alerts(bench.settings, finished.id, zone)
    return tuple(f"{each.said} {say('Since {day}, {state}.', day=each.since, state=each.state)}" for each in found)


def figures_by_metric(finished: FinishedRun) -> dict[tuple[str, str], Decimal | None]:
    """The figures of a run by metric and which; of a metric that stands in several places the first."""
    found: dict[tuple[str, str], Decimal | None] = {}
    for figure in figures_of(finished):
        for which in ("value", "before", "change"):
            found.setdefault((figure.metric, which), _number(getattr(figure, which)))
    return found


def _number(value: object) -> Decimal | None:
    try:
        return None if value is None else Decimal(str(value))
    except InvalidOperation:
        return None


def _quiet_until(audience: Audience, zone: Zone, now: datetime) -> datetime | None:
    if audience.quiet is None:
        return None
    start, end = audience.quiet
    local = now.astimezone(zone.info).time()
    is_quiet = start <= local < end if start <= end else local >= start or local < end
    return next_time_of_day(now, end, zone) if is_quiet else None


def streak_of(delivery: DeliveryEntry) -> str:
    return f"delivery {delivery.key.split(chr(10))[0]} {delivery.audience} {delivery.channel}"


def words_of(delivery: DeliveryEntry) -> str:
    report = delivery.key.split("\n")[0]
    to = f" to {delivery.recipient}" if delivery.recipient else ""
    return f"{report} for {delivery.audience} by {delivery.channel}{to}"
