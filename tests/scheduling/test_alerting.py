"""Who is told of an alert, once, and rules that tell somebody who is not known."""

from __future__ import annotations

from datetime import date

import pytest

from tidings.alerts.rules import read_rules
from tidings.errors import SettingsError
from tidings.ledger.alert_log import AlertEvent, AlertLog
from tidings.scheduling.alerting import check_recipients
from tidings.scheduling.schedule import load_plans

BOARD = '[[audience]]\nname = "board"\nchannels = ["mail"]\nto = ["ann@example.com"]\n'
RULE = '[[alert]]\nname = "Revenue"\nmetric = "net_revenue"\nbelow = 100\n'


def opened(world, *tell: str) -> None:
    """An alert that opened today, to be told to these."""
    event = AlertEvent(
        "Revenue", "figure", "opened", world.now, date(2026, 6, 30), said="Net revenue was 80 EUR.", tell=tell,
        runbook="Look at the shop.",
    )  # fmt: skip
    AlertLog(world.settings.ledger).add([event])


def operated(world) -> None:
    object.__setattr__(world.settings, "operator", {"channels": ["chat"], "to": []})
    world.report(BOARD)


@pytest.mark.parametrize(
    ("tell", "channel", "recipients"),
    [
        (("board",), "mail", ["ann@example.com"]),
        (("chat",), "chat", [""]),
        # An owner who is nobody here is told by whoever runs the workbook.
        (("finance",), "chat", [""]),
        ((), "chat", [""]),
    ],
)
def test_told_once_to_whom_the_rule_names(world, tell, channel: str, recipients: list[str]) -> None:
    operated(world)
    opened(world, *tell)
    world.look()
    world.go(minutes=5)
    world.look()
    messages = world.channels[channel].accepted
    assert [message.recipient for message in messages] == recipients
    assert messages[0].subject == "Alert (warning): Revenue"
    assert messages[0].lines == ("Net revenue was 80 EUR.", "What to do: Look at the shop.",
                                 'Seen to it? tidings alerts ack "Revenue"')  # fmt: skip
    assert sum(len(each.accepted) for each in world.channels.values()) == 1


def test_an_address_is_told_by_the_operators_channel(world) -> None:
    object.__setattr__(world.settings, "operator", {"channels": ["mail"], "to": ["ops@example.com"]})
    world.report(BOARD)
    opened(world, "eve@example.com")
    world.look()
    assert [message.recipient for message in world.channels["mail"].accepted] == ["eve@example.com"]


@pytest.mark.parametrize(("tell", "said"), [("bord", "Did you mean 'board'?"), ("mial", "Did you mean 'mail'?")])
def test_a_rule_that_tells_nobody_known_is_refused(world, tell: str, said: str) -> None:
    operated(world)
    (world.settings.root / "alerts.toml").write_text(RULE + f'tell = ["{tell}"]\n')
    plans = {plan.report.name: plan for plan in load_plans(world.settings)}
    with pytest.raises(SettingsError, match="The rule 'Revenue'") as refused:
        check_recipients(world.settings, plans)
    assert said in str(refused.value)


def test_a_figure_of_a_section_is_its_metric_over_the_days_of_the_section(world, root) -> None:
    notebook = (root / "notebooks" / "commerce.ipynb").read_text(encoding="utf-8")
    (world.settings.notebooks / "commerce.ipynb").write_text(notebook)
    rule = RULE.replace('metric = "net_revenue"', 'figure = "commerce.net_revenue"')
    (world.settings.root / "alerts.toml").write_text(rule)
    [read] = read_rules(world.settings)
    assert (read.about, read.days) == ("net_revenue", 28)
    (world.settings.root / "alerts.toml").write_text(rule.replace("commerce.", "comerce."))
    with pytest.raises(SettingsError, match="Did you mean 'commerce'"):
        read_rules(world.settings)
