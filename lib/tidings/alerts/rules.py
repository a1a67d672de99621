"""The rules of `alerts.toml`, read and checked: each sentence names the file and the rule."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta

from tidings.errors import SettingsError, suggest
from tidings.ledger.alert_log import Severity
from tidings.metrics.metric import Metric
from tidings.metrics.registry import registry
from tidings.options import OptionalText, Options, Text, Texts, known, read_options
from tidings.reporting.parameters import declared_parameters
from tidings.reporting.report import section_names
from tidings.settings import Settings, read_toml
from tidings.window import Comparison

Condition = Literal["above", "below", "change_above", "change_below", "stale_for", "load"]
_METRIC_CONDITIONS = ("above", "below", "change_above", "change_below")
HALF = 0.5
LEAST_LOAD = 100
_Above1 = Annotated[int, Meta(ge=1, title="a whole number from 1 on", examples=["1"])]
_Number = Annotated[float | None, Meta(title="a number", examples=["0.02"])]
_COMPARISONS = tuple(name for name in get_args(Comparison) if name != "none")


class _File(Options, frozen=True):
    """`alerts.toml` as it is written."""

    alert: Annotated[
        tuple[dict[str, Any], ...],
        "rules",
        Meta(title="a list of [[alert]] tables", examples=['[{ name = "…", metric = "error_rate", above = 0.02 }]']),
    ] = ()


class _Table(Options, frozen=True):
    """An `[[alert]]` as it is written."""

    name: Annotated[Text, "name of the rule", Meta(examples=['"Errors"'])]
    metric: Annotated[OptionalText, "metric that is looked at", Meta(examples=['"error_rate"'])] = ""
    figure: Annotated[OptionalText, "figure of a section, with its days", Meta(examples=['"commerce.orders"'])] = ""
    source: Annotated[OptionalText, "source that must go on reporting"] = ""
    load: Annotated[OptionalText, "source whose days must be as full as usual"] = ""
    above: Annotated[_Number, "the highest value that is right"] = None
    below: Annotated[_Number, "the lowest value that is right; of a load the share of the usual"] = None
    change_above: Annotated[_Number, "the largest rise that is right; 0.1 is 10 %, of rates 10 points"] = None
    change_below: Annotated[_Number, "the largest fall that is right, as a negative number"] = None
    stale_for: Annotated[_Number, "days that a source may be behind"] = None
    compare: Annotated[Text, "days that a change is measured against", known(_COMPARISONS)] = "weekdays"
    days: Annotated[_Above1, "days that a value is of"] = 1
    segment: Annotated[OptionalText, "only rows with these values"] = ""
    minimum: Annotated[_Above1, "rows that a value needs to be judged"] = 1
    for_: Annotated[_Above1, "days in a row before it is an alert"] = msgspec.field(default=1, name="for")
    clear_below: Annotated[_Number, "value below which it is over"] = None
    clear_above: Annotated[_Number, "value above which it is over"] = None
    severity: Annotated[Severity, "how bad it is"] = "warning"
    owner: Annotated[OptionalText, "who is told when it cannot be computed"] = ""
    tell: Annotated[Texts, "who is told"] = ()
    runbook: Annotated[OptionalText, "what to do then"] = ""
    most_per_day: Annotated[_Above1, "messages a day"] = 3


@dataclass(frozen=True)
class Rule:
    """One rule. `limit` is the last right value, `clear` the last that is still not over; in units of the condition.

    `about` is the name of the metric or source. `stale_for` counts days behind, `load` the share of what is usual.
    `for_days` are days in a row, `minimum` rows behind a value; where there are fewer nothing is judged.
    """

    name: str
    about: str
    condition: Condition
    limit: Decimal
    clear: Decimal
    days: int = 1
    compare: Comparison = "weekdays"
    segment: str = ""
    minimum: int = 1
    for_days: int = 1
    severity: Severity = "warning"
    owner: str = ""
    tell: tuple[str, ...] = ()
    runbook: str = ""
    most_per_day: int = 3

    @property
    def sign(self) -> int:
        """1 where a higher value is worse, else -1."""
        return 1 if self.condition in ("above", "change_above", "stale_for") else -1

    @property
    def is_of_metric(self) -> bool:
        """Whether it looks at a metric, not at a source."""
        return self.condition in _METRIC_CONDITIONS

    @property
    def metric(self) -> Metric:
        """The metric that it looks at."""
        return registry()[self.about]

    def breaks(self, value: Decimal) -> bool:
        """Whether a value is not right."""
        return self.sign * value > self.sign * self.limit

    def clears(self, value: Decimal) -> bool:
        """Whether an alert is over with this value."""
        return self.sign * value < self.sign * self.clear if self.clear != self.limit else not self.breaks(value)

    def worsens(self, value: Decimal, before: Decimal | None) -> bool:
        """Whether a value is beyond the limit by half again as much as the one that was last told."""
        if before is None:
            return True
        return self.sign * (value - self.limit) >= Decimal("1.5") * self.sign * (before - self.limit)


def rules_file(settings: Settings) -> Path:
    """Where the rules are."""
    return settings.root / "alerts.toml"


def read_rules(settings: Settings) -> tuple[Rule, ...]:
    """The rules of a workbook, in the order of the file; none without it.

    Raises:
        SettingsError: the file, a rule or a key of it cannot be used; the sentence names it.
    """
    file = rules_file(settings)
    if not file.is_file():
        return ()
    tables = read_options(file.name, read_toml(file), _File).alert
    rules: list[Rule] = []
    for number, given in enumerate(tables, start=1):
        named = given.get("name")
        where = f"{file.name} {named!r}" if isinstance(named, str) and named.strip() else f"{file.name} rule {number}"
        rule = _rule(where, _of_section(where, read_options(where, given, _Table), settings), settings.sources)
        if any(rule.name.casefold() == other.name.casefold() for other in rules):
            raise SettingsError(f"{where} is there twice.", "Give one of them another name.")
        rules.append(rule)
    return tuple(rules)


def rule_named(rules: Collection[Rule], name: str) -> Rule:
    """The rule of that name, in whatever case.

    Raises:
        SettingsError: there is none.
    """
    for rule in rules:
        if rule.name.casefold() == name.strip().casefold():
            return rule
    raise SettingsError(f"There is no rule '{name}' in alerts.toml.", suggest(name, [rule.name for rule in rules]))


def _of_section(where: str, table: _Table, settings: Settings) -> _Table:
    """A rule on a figure of a section as one on its metric, over as many days as the section shows."""
    if not table.figure or table.metric:
        return table
    section, _, metric = table.figure.partition(".")
    known = section_names(settings)
    if section not in known or not metric:
        raise SettingsError(
            f"{where} figure '{table.figure}' is of no section.", f'Write "section.metric". {suggest(section, known)}'
        )
    declared = declared_parameters(settings.notebooks / f"{section}.ipynb").get("days")
    days = table.days if table.days > 1 or declared is None else int(declared.default)
    return msgspec.structs.replace(table, figure="", metric=metric, days=days)


def _rule(where: str, table: _Table, sources: Collection[str]) -> Rule:
    given = [name for name in ("metric", "figure", "source", "load") if getattr(table, name)]
    if len(given) != 1:
        which = f"has {' and '.join(given)}" if given else "looks at nothing"
        raise SettingsError(f"{where} {which}.", 'Write one of: metric = "…", figure = "…", source = "…", load = "…".')
    (kind,) = given
    about = getattr(table, kind)
    names = registry() if kind == "metric" else sources
    if about not in names:
        raise SettingsError(f"{where} {kind} names '{about}', which is not known here.", suggest(about, names))
    condition, limit = _condition(where, kind, table)
    clear = _clear(where, table, condition, limit)
    if kind == "metric" and registry()[about].last_seconds:
        raise SettingsError(f"{where} looks at {about}, which has no values by day.", "Name another metric.")
    for key in ("days", "segment", "for_", "minimum") if kind == "source" else ("days", "segment"):
        default = next(f.default for f in msgspec.structs.fields(_Table) if f.name == key)
        if kind != "metric" and getattr(table, key) != default:
            raise SettingsError(f"{where} has {key.rstrip('_')}, which a {kind} has not.", "Take it out.")
    owner = table.owner or (registry()[about].owner if kind == "metric" else "")
    least = max(table.minimum, LEAST_LOAD) if kind == "load" and table.minimum == 1 else table.minimum
    return Rule(
        name=" ".join(table.name.split()),
        about=about,
        condition=condition,
        limit=limit,
        clear=clear,
        days=table.days,
        compare=table.compare,  # type: ignore[arg-type]  # one of _COMPARISONS, or it was refused
        segment=table.segment,
        minimum=least,
        for_days=table.for_,
        severity=table.severity,
        owner=owner,
        tell=table.tell,
        runbook=table.runbook.strip(),
        most_per_day=table.most_per_day,
    )


def _condition(where: str, kind: str, table: _Table) -> tuple[Condition, Decimal]:
    allowed = {"metric": _METRIC_CONDITIONS, "source": ("stale_for",), "load": ("below",)}[kind]
    every = (*_METRIC_CONDITIONS, "stale_for")
    given = [name for name in every if getattr(table, name) is not None]
    for name in given:
        if name not in allowed:
            raise SettingsError(f"{where} has {name}, which a {kind} has not.", f"Write {' or '.join(allowed)}.")
        if not math.isfinite(getattr(table, name)):
            raise SettingsError(f"{where} {name} is not a number that can be reached.", "Write one, as 0.02.")
    if kind == "load":
        limit = HALF if table.below is None else table.below
        if not 0 < limit <= 1:
            raise SettingsError(f"{where} below is the share of a usual day, not {limit:g}.", "Write 0.5.")
        return "load", Decimal(str(limit))
    if len(given) != 1:
        which = f"has {' and '.join(given)}" if given else "has no condition"
        raise SettingsError(f"{where} {which}.", f"Write one of: {', '.join(allowed)}.")
    (name,) = given
    value = getattr(table, name)
    if (name == "change_below" and value >= 0) or (name in ("change_above", "stale_for") and value <= 0):
        right = "-0.2 for a fall of 20 %" if name == "change_below" else "a number above 0"
        raise SettingsError(f"{where} {name} cannot be {value:g}.", f"Write {right}.")
    return name, Decimal(str(value))  # type: ignore[return-value]  # one of `allowed`


def _clear(where: str, table: _Table, condition: Condition, limit: Decimal) -> Decimal:
    is_high = condition in ("above", "change_above", "stale_for")
    key, other = ("clear_below", "clear_above") if is_high else ("clear_above", "clear_below")
    if getattr(table, other) is not None:
        raise SettingsError(f"{where} has {other}, but {condition} is over {key[6:]} a value.", f"Write {key}.")
    given = getattr(table, key)
    if given is None:
        return limit
    if (given > float(limit)) if is_high else (given < float(limit)):
        is_over = f"{where} {key} = {given:g} is over before it begins at {limit}."
        raise SettingsError(is_over, f"Write it {key[6:]} {limit}.")
    return Decimal(str(given))
