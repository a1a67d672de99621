"""What `tidings check` looks at: everything that would keep a pull, a build or a run from succeeding."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Literal

from tidings.build import known_files
from tidings.catalog import graph, sections
from tidings.errors import TidingsError, understood
from tidings.metrics.registry import leaves, registry
from tidings.reporting.schedule import load_schedule, schedule_names
from tidings.settings import Settings
from tidings.sources.credentials import credentials
from tidings.sources.landing import verify
from tidings.sources.source import Pull, open_sources
from tidings.warehouse import Warehouse, current_build

_AT_ONCE = 8
Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at, and what is to be said of it; `warn` keeps nothing from working."""

    what: str
    level: Level
    detail: str = ""


def check(settings: Settings, now: datetime) -> Iterator[Finding]:
    """Look at settings, sources, landed files, models, metrics, sections, schedules and the current build."""
    redact = credentials(settings).redactor
    for finding in _findings(settings, now):
        yield replace(finding, detail=redact(finding.detail))


def _findings(settings: Settings, now: datetime) -> Iterator[Finding]:
    yield Finding("settings", "ok", f"{settings.timezone}, {settings.currency}, weeks start on {settings.week_start}")
    yield from (Finding("settings", "warn", sentence) for sentence in settings.exposed())
    yield from _sources(settings, now)
    yield _tried("landed files", lambda: _landed(settings))
    yield _tried("models", lambda: f"{len(graph().models)} tables")
    yield _tried("metrics", _metrics)
    yield _tried("sections", lambda: ", ".join(section.name for section in sections(settings)))
    for name in schedule_names(settings):
        yield _tried(f"schedule {name}", partial(_schedule, settings, name))
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
    try:
        (source,) = open_sources(settings, [name])
        problems = source.check(Pull(now))
        warnings = [sentence for sentence in source.warnings() if sentence not in known]
    except Exception as error:
        told = understood(error, settings.root)
        if told is None:
            raise
        problems, warnings = [str(told)], []
    findings = [Finding(what, "fail", problem) for problem in problems]
    findings += [Finding(what, "warn", warning) for warning in warnings]
    return findings if problems else [Finding(what, "ok", str(settings.sources[name].get("kind", ""))), *findings]


def _schedule(settings: Settings, name: str) -> str:
    return ", ".join(load_schedule(settings, name).sections)


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
