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
    """Enter the messages that are to be told; a crash in between enters none of them twice.

    Raises:
        SettingsError: somebody who is to be told is not known.
    """
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
        _recipients(settings, (*rule.tell, *([rule.owner] if rule.owner else [])), plans)


def _recipients(settings: Settings, who: Iterable[str], plans: Mapping[str, Planned]) -> list[Operator]:
    """Channels and addresses of names: an address, a channel, or an audience; nobody named is the operator."""
    operator = operator_of(settings)
    audiences = {each.name: each for plan in plans.values() for each in plan.audiences}
    found: list[Operator] = []
    for name in who:
        if "@" in name:
            if operator is None:
                raise SettingsError(
                    f"A rule of alerts.toml tells {name}, and no channel is set for that.",
                    'Write [tool.tidings.operator] channels = ["…"].',
                )
            found.append(Operator(channels=operator.channels, to=(name,)))
        elif name in settings.channels:
            found.append(Operator(channels=(name,), to=operator.to if operator else ()))
        elif name in audiences:
            found.append(Operator(channels=audiences[name].channels, to=audiences[name].to))
        else:
            raise SettingsError(
                f"A rule of alerts.toml tells '{name}', who is not known.",
                suggest(name, [*settings.channels, *audiences]),
            )
    return found or ([operator] if operator else [])


def _words(notice: Notice) -> tuple[str, list[str]]:
    state = {"opened": "Alert", "worsened": "Alert is worse", "resolved": "Alert is over"}[notice.state]
    lines = [*notice.text.splitlines(), *([f"What to do: {notice.runbook}"] if notice.runbook else [])]
    if notice.state != "resolved":
        lines.append(f'Seen to it? tidings alerts ack "{notice.rule}"')
    return f"{state} ({notice.severity}): {notice.rule}", lines
