"""Alerts by the clock: rules are judged after each build; what is to be told goes out with the deliveries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tidings.alerts.evaluating import evaluate
from tidings.alerts.rules import read_rules, rules_file
from tidings.alerts.telling import Notice, notices, told
from tidings.errors import SettingsError, TidingsError, suggest
from tidings.scheduling.operator import Operator, fails, operator_of, tell, works
from tidings.scheduling.schedule import Planned
from tidings.scheduling.steps import Bench
from tidings.settings import Settings


def judge(bench: Bench, plans: Mapping[str, Planned]) -> None:
    """Judge all rules, and enter what is to be told; rules that cannot be judged are told to the operator once."""
    if not rules_file(bench.settings).is_file():
        return
    try:
        found = evaluate(bench.settings, bench.clock())
        for event in found.events:
            bench.say(f"alert {event.rule}, {event.kind}: {event.said}")
        enter_notices(bench, plans)
        works(bench, "alerts", "Judging the rules of alerts.toml")
    except TidingsError as error:
        bench.say(f"alerts: {bench.redact(str(error))}")
        fails(bench, "alerts", "Judging the rules of alerts.toml", str(error))


def enter_notices(bench: Bench, plans: Mapping[str, Planned]) -> None:
    """Enter the messages that are to be told; a crash in between enters none of them twice."""
    for notice in notices(bench.settings, bench.clock()):
        subject, lines = _words(notice)
        for whom in _recipients(bench.settings, notice.who, plans):
            tell(bench, f"alert notice {notice.id}", subject, lines, whom)
        told(bench.settings, notice, bench.clock())


def check_recipients(settings: Settings, plans: Mapping[str, Planned]) -> None:
    """Refuse rules that tell somebody who is not known.

    Raises:
        SettingsError: one does; the sentence names it.
    """
    for rule in read_rules(settings):
        for name in rule.tell:
            if "@" in name and operator_of(settings) is None:
                raise SettingsError(
                    f"The rule '{rule.name}' of alerts.toml tells {name}, and no channel is set for that.",
                    'Write [tool.tidings.operator] channels = ["…"].',
                )
            if "@" not in name and _named(settings, name, plans) is None:
                audiences = [each.name for plan in plans.values() for each in plan.audiences]
                raise SettingsError(
                    f"The rule '{rule.name}' of alerts.toml tells '{name}', who is not known.",
                    suggest(name, [*settings.channels, *audiences]),
                )


def _recipients(settings: Settings, who: Iterable[str], plans: Mapping[str, Planned]) -> list[Operator]:
    """Channels and addresses of names: an address, a channel, an audience; others, as owners, are the operator."""
    operator = operator_of(settings)
    found: list[Operator] = []
    for name in who:
        if "@" in name and operator is not None:
            found.append(Operator(channels=operator.channels, to=(name,)))
        elif (known := _named(settings, name, plans) or operator) is not None and known not in found:
            found.append(known)
    return found or ([operator] if operator else [])


def _named(settings: Settings, name: str, plans: Mapping[str, Planned]) -> Operator | None:
    """The channels and addresses of a channel's or an audience's name."""
    if name in settings.channels:
        operator = operator_of(settings)
        return Operator(channels=(name,), to=operator.to if operator else ())
    audience = next((each for plan in plans.values() for each in plan.audiences if each.name == name), None)
    return Operator(channels=audience.channels, to=audience.to) if audience else None


def _words(notice: Notice) -> tuple[str, list[str]]:
    state = {"opened": "Alert", "worsened": "Alert is worse", "resolved": "Alert is over"}[notice.state]
    lines = [*notice.text.splitlines(), *([f"What to do: {notice.runbook}"] if notice.runbook else [])]
    if notice.state != "resolved":
        lines.append(f'Seen to it? tidings alerts ack "{notice.rule}"')
    return f"{state} ({notice.severity}): {notice.rule}", lines
