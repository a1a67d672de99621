"""The checks of `tidings check`: everything that would make a pull, a build or a run fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Literal

import pyarrow as pa

from tidings.alerts.rules import read_rules
from tidings.annotations import read_annotations, read_targets
from tidings.business_calendar import calendar_of
from tidings.cli.catalog import graph, sections
from tidings.delivery.channel import open_channel
from tidings.enrich.bots import list_date
from tidings.errors import SourceError, TidingsError, understood
from tidings.intake.adding import propose_again, suggested
from tidings.intake.money_checks import look_at_money
from tidings.landing.store import verify
from tidings.metrics.registry import leaves, registry
from tidings.metrics.thresholds import own_thresholds
from tidings.reporting.binding import bound, check_report
from tidings.reporting.report import first_variant, report_names
from tidings.scheduling.alerting import check_recipients
from tidings.scheduling.operator import operator_of
from tidings.scheduling.schedule import load_plan, load_plans
from tidings.scheduling.slots import next_slots
from tidings.settings import Settings
from tidings.sources.credentials import credentials
from tidings.sources.source import Pull, Source, open_sources
from tidings.sources.trial import Previewed, Trial, spanned
from tidings.warehouse.build import known_files
from tidings.warehouse.reader import Warehouse, current_build
from tidings.window import add_days, label_instant

_AT_ONCE = 8
_REASONS = 3
_EACH = 3
_LIST_DAYS = 365
Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Finding:
    """The result of one check; `warn` does not make anything fail."""

    what: str
    level: Level
    detail: str = ""


@dataclass(frozen=True)
class _Looked:
    """The findings of a source, and the trial of its first rows."""

    source: str
    findings: Sequence[Finding]
    trials: Sequence[Trial]


def check(settings: Settings, now: datetime) -> Iterator[Finding]:
    """Check settings, sources, landed files, models, metrics, sections, reports and the current build."""
    redact = credentials(settings).redactor
    for finding in _findings(settings, now):
        yield replace(finding, detail=redact(finding.detail))


def _findings(settings: Settings, now: datetime) -> Iterator[Finding]:
    yield Finding("settings", "ok", f"{settings.timezone}, {settings.currency}, weeks start on {settings.week_start}")
    yield from (Finding("settings", "warn", sentence) for sentence in settings.exposed())
    yield _tried("calendar", lambda: _calendar(settings))
    yield _tried("targets", lambda: _judgements(settings))
    first: dict[str, Sequence[Trial]] = {}
    for looked in _sources(settings, now):
        yield from looked.findings
        first[looked.source] = looked.trials
    yield _crawlers(now)
    yield _tried("landed files", lambda: _landed(settings))
    yield from _money(settings, first)
    yield _tried("models", lambda: f"{len(graph().models)} tables")
    yield _tried("metrics", _metrics)
    yield _tried("sections", lambda: ", ".join(section.name for section in sections(settings)))
    for name in report_names(settings):
        yield _tried(f"report {name}", partial(_report, settings, name, now))
    yield from _channels(settings)
    yield _tried("alerts", lambda: _alerts(settings))
    yield _tried("build", lambda: _build(settings))


def _tried(what: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(what, "ok", look())
    except Exception as error:
        known = understood(error)
        if known is None:
            raise
        return Finding(what, "fail", str(known))


def _calendar(settings: Settings) -> str:
    calendar = calendar_of(settings)
    said = [f"the fiscal year starts in {settings.fiscal_year_start.capitalize()}"]
    if calendar.known is not None:
        said.append(f"holidays of {calendar.country} are known from {calendar.known[0]} to {calendar.known[1]}")
    return ", ".join(said)


def _judgements(settings: Settings) -> str:
    annotations, targets = read_annotations(settings.annotations), read_targets(settings.targets, tuple(registry()))
    own = own_thresholds(settings.thresholds)
    return f"{len(annotations)} annotations, {len(targets)} targets, thresholds of {len(own)} metrics"


def _alerts(settings: Settings) -> str:
    rules = read_rules(settings)
    check_recipients(settings, {plan.report.name: plan for plan in load_plans(settings)})
    is_silent = bool(rules) and operator_of(settings) is None and not all(rule.tell for rule in rules)
    untold = "; they are on pages alone, as there is no [tool.tidings.operator]" if is_silent else ""
    return f"{len(rules)} rules{untold}"


def _sources(settings: Settings, now: datetime) -> Iterator[_Looked]:
    """Check each source with its cheapest request; all at once, as each may take a while to fail."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        yield from pool.map(partial(_source, settings, now), settings.sources)


def _source(settings: Settings, now: datetime, name: str) -> _Looked:
    what, known = f"source {name}", settings.exposed()
    source: Source | None = None
    trials: list[Trial] = []
    try:
        (source,) = open_sources(settings, [name])
        problems = source.check(Pull(now))
        warnings = [sentence for sentence in source.warnings() if sentence not in known]
        if isinstance(source, Previewed):
            trials = list(source.preview(Pull(now)))
    except Exception as error:
        reported = understood(error, settings.root)
        if reported is None:
            raise
        problems, warnings = [str(reported)], []
    findings = [Finding(what, "fail", problem) for problem in problems]
    findings += [Finding(what, "warn", warning) for warning in warnings]
    findings += _previews(what, [t for t in trials if not t.failed or not any(t.what in each for each in problems)])
    if source is None or any(trial.is_wrong for trial in trials):
        findings += _proposed(settings, name, now, trials)
    if not any(finding.level == "fail" for finding in findings):
        findings = [Finding(what, "ok", str(settings.sources[name].get("kind", ""))), *findings]
    return _Looked(name, findings, trials)


def _proposed(settings: Settings, name: str, now: datetime, trials: Sequence[Trial]) -> list[Finding]:
    """The table that `tidings add` would write for a source whose own table reads few rows or none."""
    try:
        proposal = propose_again(settings, name, now, but=[trial.what for trial in trials if not trial.is_wrong])
    except SourceError as error:
        return [] if trials else [Finding(f"source {name}", "fail", str(error))]
    if proposal is None:
        return []
    read = [max(each.used, each.cured) for each in trials if each.what == proposal.file.name and not each.failed]
    if proposal.trial is not None and read and proposal.trial.used <= read[0]:
        return []
    return [Finding(f"source {name}", "warn", suggested(proposal, settings.sources[name].get("kind")))]


def _previews(what: str, trials: Sequence[Trial]) -> Iterator[Finding]:
    """What would happen to the first rows of each file; files without problems are one finding together."""
    good = [trial for trial in trials if trial.total and not (trial.rejected or trial.notes)]
    if len(good) > _EACH:
        yield Finding(what, "ok", f"{len(good)} files: all of their first rows can be used{spanned(good)}.")
    yield from (_preview(what, trial) for trial in trials if len(good) <= _EACH or trial not in good)


def _preview(what: str, trial: Trial) -> Finding:
    """What would happen to the first rows of a file; rejecting all of them is a failure."""
    level: Level = "warn" if trial.is_bad or trial.notes else "ok"
    if trial.failed or (trial.rejected and not trial.used):
        level = "fail"
    reasons = [f"{reason}." for reason in trial.reasons[:_REASONS]]
    return Finding(what, level, " ".join(filter(None, [trial.summary(), *reasons, trial.advice, *trial.notes])))


def _money(settings: Settings, first: Mapping[str, Sequence[Trial]]) -> Iterator[Finding]:
    amounts = {name: [each for trial in trials for each in trial.amounts] for name, trials in first.items()}
    try:
        yield from (Finding("exchange rates", level, said) for level, said in look_at_money(settings, amounts))
    except (TidingsError, OSError, pa.ArrowException):
        # Landed files that cannot be read have a finding already.
        return


def _crawlers(now: datetime) -> Finding:
    """The age of the list of known bots: newer ones would count as visitors."""
    listed = list_date()
    if add_days(listed, _LIST_DAYS) < now.date():
        return Finding(
            "list of bots",
            "warn",
            f"Its newest entry is of {listed}: later bots count as visitors. Run: pip install -U crawler-user-agents",
        )
    return Finding("list of bots", "ok", f"newest entry of {listed}")


def _report(settings: Settings, name: str, now: datetime) -> str:
    plan = load_plan(settings, name)
    check_report(settings, plan.report)
    for audience in plan.audiences:
        # As its run binds them, so that a wrong one is found before its slot.
        bound(settings, plan.report.only(audience.sections), first_variant(plan.report), audience.parameters)
    said = [", ".join(plan.report.sections)]
    if len(plan.report.variants) > 1:
        said[0] += f" in {len(plan.report.variants)} variants"
    for schedule in plan.schedules:
        [at] = next_slots(schedule, calendar_of(settings, schedule.zone), now, 1)
        said.append(f"next {label_instant(at, schedule.zone)} {schedule.zone.name}")
    return "; ".join(said)


def _channels(settings: Settings) -> Iterator[Finding]:
    """Open each channel and ask whether it could deliver; nobody is sent anything."""
    for name, table in settings.channels.items():
        what = f"channel {name}"
        try:
            problems = list(open_channel(settings, name).check())
        except Exception as error:
            known = understood(error, settings.root)
            if known is None:
                raise
            problems = [str(known)]
        yield from (Finding(what, "fail", problem) for problem in problems)
        if not problems:
            yield Finding(what, "ok", str(table.get("kind", "")))
    if settings.channels:
        yield _tried("operator", lambda: _operator(settings))


def _operator(settings: Settings) -> str:
    operator = operator_of(settings)
    return ", ".join((*operator.channels, *operator.to)) if operator else "nobody is told of failures"


def _landed(settings: Settings) -> str:
    known_files(settings)
    verify(settings.raw)
    return "as their manifests say"


def _metrics() -> str:
    tables = graph().models
    for metric in registry().values():
        for leaf in leaves(metric):
            if leaf.mart not in tables:
                raise TidingsError(f"Metric {leaf.name} reads {leaf.mart}, which no model makes.", "Correct its mart.")
    return f"{len(registry())} definitions"


def _build(settings: Settings) -> str:
    """The current build; all contracts held when it was built."""
    build = current_build(settings)
    if build is None:
        return "none yet: run tidings build"
    with Warehouse.open(settings, build) as warehouse:
        return f"{build}, {len(warehouse.tables)} tables, all contracts hold"
