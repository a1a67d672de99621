"""Rules to start from, of five kinds, and what a replay says in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tidings.alerts.evaluating import Replay
from tidings.alerts.rules import rules_file
from tidings.book import Book
from tidings.errors import SettingsError, WarehouseError
from tidings.ledger.alert_log import Alert
from tidings.metrics.registry import leaves, registry
from tidings.settings import Settings
from tidings.window import label_days

_HEAD = """\
# Rules of alerts. After a change: tidings check && tidings alerts test
# README.md, "Alerts", lists all keys. A rule behind "# " is off: take that away where you have its data.
"""
_FLAPS = 3


@dataclass(frozen=True)
class _Start:
    """A rule to start from: the first of these metrics that has data, or a word for a rule on sources."""

    kind: str
    why: str
    looks_at: tuple[str, ...]
    body: str


_STARTS = (
    _Start(
        "Cost",
        "Calls that are paid for cost a third more than in the week before.",
        ("request_cost",),
        'name = "Cost of calls"\nmetric = "{0}"\ndays = 7\nchange_above = 0.33\nminimum = 100\n'
        'runbook = "Split it by provider and endpoint; look for a loop or a longer prompt."',
    ),
    _Start(
        "Performance",
        "More than two of a hundred calls fail; over only below one, so that it does not flap.",
        ("error_rate",),
        'name = "Errors"\nmetric = "{0}"\nabove = 0.02\nclear_below = 0.01\nminimum = 200\nseverity = "critical"\n'
        'runbook = "Find service and endpoint in the heat map, then look at releases and the provider\'s status."',
    ),
    _Start(
        "Performance",
        "One call in twenty is slow for two days.",
        ("latency_p95",),
        'name = "Slow calls"\nmetric = "{0}"\nabove = 2000\nfor = 2\nminimum = 200',
    ),
    _Start(
        "Security",
        "Calls that the server refuses (4xx) doubled: somebody may be trying doors.",
        ("client_errors",),
        'name = "Refused calls"\nmetric = "{0}"\nchange_above = 1.0\nminimum = 100\n'
        'runbook = "Look at paths and addresses; block what tries one after the other."',
    ),
    _Start(
        "Security",
        "Half of the hits come from bots.",
        ("bot_share",),
        'name = "Bots"\nmetric = "{0}"\nabove = 0.5\nminimum = 1000\nseverity = "info"',
    ),
    _Start(
        "Business",
        "A week's revenue is a quarter below that of the week before.",
        ("net_revenue",),
        'name = "Revenue"\nmetric = "{0}"\ndays = 7\nchange_below = -0.25\nminimum = 20\n'
        'runbook = "Look at visits and conversion, then at products and countries."',
    ),
    _Start(
        "Business, churn risk",
        "A week with half again as many ended subscriptions.",
        (
            "stripe_churned_subscriptions",
            "revenuecat_churned_subscriptions",
            "app_store_churned_subscriptions",
            "shared_churned_subscriptions",
        ),
        'name = "Churn"\nmetric = "{0}"\ndays = 7\nchange_above = 0.5\nminimum = 5',
    ),
    _Start(
        "Business, failed payments",
        "Payments fail more often than in the week before.",
        ("stripe_failed_payments", "shared_failed_payments"),
        'name = "Failed payments"\nmetric = "{0}"\ndays = 7\nchange_above = 0.5\nminimum = 5\nseverity = "critical"',
    ),
    _Start(
        "Operations, quota",
        "A day takes more tokens than the plan allows; set your own number.",
        ("tokens",),
        'name = "Quota of tokens"\nmetric = "{0}"\nabove = 10000000',
    ),
    _Start(
        "Operations, stale source",
        "Nothing complete for two days.",
        ("(source)",),
        'name = "{0} is late"\nsource = "{0}"\nstale_for = 2',
    ),
    _Start(
        "Operations, half a load",
        "A day has less than half of its usual rows, or lacks the hours in which half of them come.",
        ("(source)",),
        'name = "Half a load of {0}"\nload = "{0}"',
    ),
)


def write_rules(settings: Settings) -> tuple[Path, int, int]:
    """Write `alerts.toml`; its path, and how many rules are on and off.

    Raises:
        SettingsError: there is one already.
    """
    file = rules_file(settings)
    if file.exists():
        raise SettingsError(f"{file.name} is there already.", "Add to it, or move it away.")
    book = _book(settings)
    parts, on, off = [_HEAD], 0, 0
    for start in _STARTS:
        for text, is_on in _written(settings, book, start):
            parts.append(text)
            on, off = on + is_on, off + (not is_on)
    file.write_text("\n".join(parts), encoding="utf-8")
    return file, on, off


def replayed(replay: Replay) -> str:
    """A replay in words: how often, on which days, for how long, and whether it flaps."""
    rule, alerts = replay.rule, replay.alerts
    span = label_days(replay.first, replay.last)
    lines = [f"{rule.name}: {_times(len(alerts))} in {span}."]
    lines += [f"  {_one(replay, alert)}" for alert in alerts]
    short = [alert for alert in alerts if alert.resolved_day and replay.days_of(alert) <= 1]
    if len(short) >= _FLAPS:
        key = "clear_below" if rule.sign > 0 else "clear_above"
        calmer = f"a {key}, for = 2 or more days make it calmer"
        lines.append(f"  It flaps: {len(short)} were over after a day; {calmer}.")
    if replay.few:
        lines.append(f"  {_days(replay.few)} had fewer than {rule.minimum} rows and were not judged.")
    if replay.unknown:
        lines.append(f"  On {_days(replay.unknown)} it could not be computed, of which its owner would have been told.")
    return "\n".join(lines)


def _book(settings: Settings) -> Book | None:
    try:
        return Book.open(root=settings.root)
    except WarehouseError:
        return None


def _written(settings: Settings, book: Book | None, start: _Start) -> Iterator[tuple[str, bool]]:
    if start.looks_at == ("(source)",):
        for source in list(settings.sources) or ["shop"]:
            yield _text(start, source, source in settings.sources)
        return
    has = [name for name in start.looks_at if book is not None and _exists(name) and _has_source(book, name)]
    known = has or [name for name in start.looks_at if _exists(name)] or list(start.looks_at)
    yield _text(start, known[0], bool(has))


def _has_source(book: Book, metric: str) -> bool:
    coverage = book.context.coverage
    return all(coverage.behind(leaf) for leaf in leaves(registry()[metric]))


def _exists(metric: str) -> bool:
    return metric in registry() and not registry()[metric].last_seconds


def _text(start: _Start, name: str, is_on: bool) -> tuple[str, bool]:
    rule = f"[[alert]]\n{start.body.format(name)}\n"
    if not is_on:
        rule = "".join(f"# {line}\n" for line in rule.splitlines())
    off = "" if is_on else " Off: no source has it."
    return f"# {start.kind}. {start.why}{off}\n{rule}", is_on


def _one(replay: Replay, alert: Alert) -> str:
    long = _days(replay.days_of(alert)) if alert.resolved_day else "still open"
    return f"{label_days(alert.day, alert.day)}, {long}: {alert.said}"


def _times(number: int) -> str:
    return {0: "would not have fired", 1: "would have fired once"}.get(number, f"would have fired {number} times")


def _days(number: int) -> str:
    return f"{number} day{'' if number == 1 else 's'}"
