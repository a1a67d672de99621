"""The verbs of `tidings alerts`."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from datetime import datetime

import click

from tidings.cli.files import CLOCK
from tidings.errors import UsageError, suggest
from tidings.ledger.alert_log import Alert, AlertLog, alerts_of
from tidings.settings import Settings
from tidings.window import Zone, label_days, label_instant, parse_date

_DAYS = 180
_SHOWN = 20


def _now() -> datetime:
    now: datetime = click.get_current_context().meta[CLOCK]()
    return now


@click.group(invoke_without_command=True)
@click.pass_context
def alerts(ctx: click.Context) -> None:
    """List open alerts; the rules are in alerts.toml."""
    if ctx.invoked_subcommand is not None:
        return
    settings: Settings = ctx.obj
    found = alerts_of(AlertLog(settings.ledger).events())
    _list(settings, [alert for alert in found if alert.is_open], "No alert is open.")


@alerts.command()
@click.option("--since", metavar="DATE", help="Judge rules without history from this day on; what is over is not told.")
@click.pass_obj
def evaluate(settings: Settings, since: str | None) -> None:
    """Judge all rules on the days since they were last judged. An alert is no failure: the exit code stays 0."""
    from tidings.alerts.evaluating import evaluate as evaluate_rules

    done = evaluate_rules(settings, _now(), parse_date(since) if since else None)
    for event in done.events:
        click.echo(f"  {event.rule}, {event.kind}: {event.said}")
    if not done.rules:
        click.echo("There are no rules. To make some: tidings alerts init")
        return
    found = [alert for alert in alerts_of(AlertLog(settings.ledger).events()) if alert.is_open]
    click.echo(f"{_count(done.rules, 'rule')} evaluated, {_count(len(found), 'alert')} open.")


@alerts.command("test")
@click.argument("rule", required=False)
@click.option("--days", default=_DAYS, show_default=True, type=click.IntRange(1, 3660), help="Days to replay.")
@click.pass_obj
def test_(settings: Settings, rule: str | None, days: int) -> None:
    """Replay a rule, or all, over the history: how often it would have fired, when, for how long. Records nothing."""
    from tidings.alerts.evaluating import replay
    from tidings.alerts.rules import read_rules, rule_named
    from tidings.alerts.starting import replayed

    rules = read_rules(settings)
    chosen = [rule_named(rules, rule)] if rule else [each for each in rules if each.condition != "stale_for"]
    if not chosen:
        click.echo("There are no rules that can be replayed. To make some: tidings alerts init")
    for each in chosen:
        click.echo(replayed(replay(settings, each, _now(), days)))


@alerts.command()
@click.argument("rule")
@click.option("--by", default=None, help="Who has seen it; by default the user of this machine.")
@click.pass_obj
def ack(settings: Settings, rule: str, by: str | None) -> None:
    """Say that somebody works on a rule's alert."""
    from tidings.alerts.telling import acknowledge

    name = _known(settings, rule)
    acknowledge(settings, name, by or getpass.getuser(), _now())
    click.echo(f"{name} is acknowledged by {by or getpass.getuser()}.")


@alerts.command()
@click.argument("rule")
@click.option("--until", required=True, metavar="DATE", help="The first day on which it is told again.")
@click.option("--by", default=None, help="Who wants that; by default the user of this machine.")
@click.pass_obj
def mute(settings: Settings, rule: str, until: str, by: str | None) -> None:
    """Tell nothing of a rule until a day; it goes on being judged."""
    from tidings.alerts.telling import mute as mute_rule

    name, day = _known(settings, rule), parse_date(until)
    mute_rule(settings, name, day, by or getpass.getuser(), _now())
    click.echo(f"{name} is muted until {label_days(day, day)}.")


@alerts.command()
@click.argument("rule", required=False)
@click.pass_obj
def history(settings: Settings, rule: str | None) -> None:
    """List the latest alerts, of all rules or one, and what became of each."""
    name = _known(settings, rule) if rule else ""
    found = alerts_of(AlertLog(settings.ledger).events(rule=name))
    _list(settings, found[-_SHOWN:], "There has been no alert.")
    if len(found) > _SHOWN:
        click.echo(f"The newest {_SHOWN} of {len(found)}.")


@alerts.command()
@click.pass_obj
def init(settings: Settings) -> None:
    """Write alerts.toml with rules of five kinds, commented; those without data are switched off."""
    from tidings.alerts.starting import write_rules

    file, on, off = write_rules(settings)
    click.echo(f"Wrote {file.name}: {_count(on, 'rule')}, and {off} switched off for lack of data.")
    click.echo("Next: tidings alerts test, then change what fires too often or never.")


def _known(settings: Settings, name: str) -> str:
    """A rule of the file or of the ledger, by its name in whatever case."""
    from tidings.alerts.rules import read_rules

    names = dict.fromkeys([rule.name for rule in read_rules(settings)])
    names |= dict.fromkeys(event.rule for event in AlertLog(settings.ledger).events())
    for known in names:
        if known.casefold() == name.strip().casefold():
            return known
    raise UsageError(f"There is no rule '{name}'.", suggest(name, names))


def _list(settings: Settings, found: Sequence[Alert], none: str) -> None:
    zone = Zone(settings.timezone, settings.week_start)
    today = zone.day_of(_now())
    if not found:
        click.echo(none)
    for alert in found:
        by = f" by {alert.acknowledged_by}" if alert.acknowledged_at else ""
        ended = f" on {label_instant(alert.resolved_at, zone)}" if alert.resolved_at else ""
        click.echo(f"{alert.severity:8}  {alert.rule}: {alert.state(today)}{by if not ended else ''}{ended}")
        click.echo(f"          {alert.said} Since {label_days(alert.day, alert.day)}.")
        if alert.is_open and alert.runbook:
            click.echo(f"          {alert.runbook}")


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
