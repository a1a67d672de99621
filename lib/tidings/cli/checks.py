"""What `tidings check` looks at: everything that would keep a pull, a build or a run from succeeding."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Literal

import pyarrow as pa

from tidings.cli.catalog import graph, sections
from tidings.connectors.files.source import FileSource
from tidings.connectors.files.trial import Trial
from tidings.enrich.bots import list_date
from tidings.errors import TidingsError, understood
from tidings.intake.money_checks import look_at_money
from tidings.landing.store import verify
from tidings.metrics.registry import leaves, registry
from tidings.reporting.report import load_report, report_names
from tidings.settings import Settings
from tidings.sources.credentials import credentials
from tidings.sources.source import Pull, open_sources
from tidings.warehouse.build import known_files
from tidings.warehouse.reader import Warehouse, current_build
from tidings.window import add_days

_AT_ONCE = 8
_REASONS = 3
_LIST_DAYS = 365
Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at, and what is to be said of it; `warn` keeps nothing from working."""

    what: str
    level: Level
    detail: str = ""


def check(settings: Settings, now: datetime) -> Iterator[Finding]:
    """Look at settings, sources, landed files, models, metrics, sections, reports and the current build."""
    redact = credentials(settings).redactor
    for finding in _findings(settings, now):
        yield replace(finding, detail=redact(finding.detail))


def _findings(settings: Settings, now: datetime) -> Iterator[Finding]:
    yield Finding("settings", "ok", f"{settings.timezone}, {settings.currency}, weeks start on {settings.week_start}")
    yield from (Finding("settings", "warn", sentence) for sentence in settings.exposed())
    yield from _sources(settings, now)
    yield _crawlers(now)
    yield _tried("landed files", lambda: _landed(settings))
    yield from _money(settings)
    yield _tried("models", lambda: f"{len(graph().models)} tables")
    yield _tried("metrics", _metrics)
    yield _tried("sections", lambda: ", ".join(section.name for section in sections(settings)))
    for name in report_names(settings):
        yield _tried(f"report {name}", partial(_report, settings, name))
    yield _tried("build", lambda: _build(settings))


def _tried(what: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(what, "ok", look())
    except Exception as error:
        known = understood(error)
        if known is None:
            raise
        return Finding(what, "fail", str(known))


def _sources(settings: Settings, now: datetime) -> Iterator[Finding]:
    """What each source says to its cheapest question; all are asked at once, as each may take its time to fail."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for findings in pool.map(partial(_source, settings, now), settings.sources):
            yield from findings


def _source(settings: Settings, now: datetime, name: str) -> list[Finding]:
    what, known = f"source {name}", settings.exposed()
    source = None
    try:
        (source,) = open_sources(settings, [name])
        problems = source.check(Pull(now))
        warnings = [sentence for sentence in source.warnings() if sentence not in known]
    except Exception as error:
        reported = understood(error, settings.root)
        if reported is None:
            raise
        problems, warnings = [str(reported)], []
    findings = [Finding(what, "fail", problem) for problem in problems]
    findings += [Finding(what, "warn", warning) for warning in warnings]
    if isinstance(source, FileSource):
        findings += [_preview(what, trial) for trial in source.preview(Pull(now))]
    return (
        findings
        if any(finding.level == "fail" for finding in findings)
        else [Finding(what, "ok", str(settings.sources[name].get("kind", ""))), *findings]
    )


def _preview(what: str, trial: Trial) -> Finding:
    """What would become of the first rows of a file: one that loses all of them keeps the source from succeeding."""
    level: Level = "warn" if trial.is_bad else "ok"
    if trial.rejected and not trial.rows.num_rows:
        level = "fail"
    reasons = [f"{reason}." for reason in trial.reasons[:_REASONS]]
    return Finding(what, level, " ".join(filter(None, [trial.said(), *reasons, trial.advice])))


def _money(settings: Settings) -> Iterator[Finding]:
    try:
        yield from (Finding("exchange rates", level, said) for level, said in look_at_money(settings))
    except (TidingsError, OSError, pa.ArrowException):
        # Landed files that cannot be read are told about already.
        return


def _crawlers(now: datetime) -> Finding:
    """How old the list is by which bots are known: new ones would count as visitors."""
    listed = list_date()
    if add_days(listed, _LIST_DAYS) < now.date():
        return Finding(
            "list of crawlers",
            "warn",
            f"Its newest entry is of {listed}: younger bots count as visitors. Run: pip install -U crawler-user-agents",
        )
    return Finding("list of crawlers", "ok", f"newest entry of {listed}")


def _report(settings: Settings, name: str) -> str:
    return ", ".join(load_report(settings, name).sections)


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
    """The current build; its contracts held when it was made, or it would not be current."""
    build = current_build(settings)
    if build is None:
        return "none yet: run tidings build"
    with Warehouse.open(settings, build) as warehouse:
        return f"{build}, {len(warehouse.tables)} tables, every contract held"
