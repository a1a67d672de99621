"""What the workbook's people write down beside the data: annotations of days, and targets of metrics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from tidings.errors import SettingsError, WindowError, printable, suggest
from tidings.small_csv import lines_of
from tidings.window import Period, Span, days_between, parse_date, parse_span

KINDS = ("release", "price", "outage")
_ANNOTATED = "Write a day and a text, as 2026-06-15,New prices,price; a text with a comma in quotes."
_TARGETED = "Write a metric, a period and an amount, as net_revenue,2026-12,40000; a period may be a day or a year."


@dataclass(frozen=True)
class Annotation:
    """What happened on a day that charts should show; `kind` is one of KINDS or empty."""

    day: date
    text: str
    kind: str = ""


@dataclass(frozen=True)
class Target:
    """What a metric should reach in a span of days: in all of it if the metric adds up over time, else at any time."""

    metric: str
    span: Span
    amount: float
    where: str


def read_annotations(file: Path) -> tuple[Annotation, ...]:
    """The annotations of a workbook, oldest first; none without the file.

    Raises:
        SettingsError: a line cannot be used; it is named.
    """
    found = []
    for where, (day, text, kind) in lines_of(file, ("day", "text", "kind"), _ANNOTATED, optional=1):
        if kind and kind not in KINDS:
            raise SettingsError(f"{where}: the kind '{kind}' is not known.", suggest(kind, KINDS))
        try:
            found.append(Annotation(parse_date(day), printable(text), kind))
        except WindowError as error:
            raise SettingsError(f"{where}: {error.failed}", _ANNOTATED) from error
    return tuple(sorted(found, key=lambda one: one.day))


def read_targets(file: Path, metrics: Sequence[str]) -> tuple[Target, ...]:
    """The targets of a workbook; none without the file.

    Raises:
        SettingsError: a line cannot be used; it is named.
    """
    found: dict[tuple[str, Span], Target] = {}
    for where, (metric, period, amount) in lines_of(file, ("metric", "period", "amount"), _TARGETED):
        if metric not in metrics:
            raise SettingsError(f"{where}: there is no metric '{metric}'.", suggest(metric, metrics))
        try:
            span = parse_span(period)
            number = float(amount)
        except WindowError as error:
            raise SettingsError(f"{where}: {error.failed}", _TARGETED) from error
        except ValueError as error:
            raise SettingsError(f"{where}: '{amount}' is not a number.", _TARGETED) from error
        if not math.isfinite(number):
            raise SettingsError(f"{where}: '{amount}' is not a number.", _TARGETED)
        if (metric, span) in found:
            raise SettingsError(f"{where}: {metric} has a target for {period} twice.", "Keep one.")
        found[metric, span] = Target(metric, span, number, where)
    return tuple(found.values())


def target_of(targets: Sequence[Target], period: Period, *, adds_up: bool) -> float | None:
    """What a metric should have in a period, by the shortest target of each of its days; None where a day has none.

    Of a metric that adds up, a day has its share of the target's days; of others the mean of its days' targets counts.
    """
    amounts = []
    for day in days_between(period.start, period.last_day):
        held = [one for one in targets if one.span.first <= day <= one.span.last]
        if not held:
            return None
        one = min(held, key=lambda each: each.span.days)
        amounts.append(one.amount / one.span.days if adds_up else one.amount)
    return math.fsum(amounts) / (1 if adds_up else len(amounts))
