"""What `tidings check` looks at: everything that would keep a pull, a build or a run from succeeding."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from tidings.catalog import graph, sections
from tidings.errors import TidingsError
from tidings.metrics.registry import leaves, registry
from tidings.reporting.schedule import load_schedule, schedule_names
from tidings.settings import Settings
from tidings.sources.landing import verify
from tidings.sources.source import open_sources
from tidings.warehouse import Warehouse, current_build


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at, and what is to be said of it."""

    what: str
    is_ok: bool
    detail: str = ""


def check(settings: Settings) -> Iterator[Finding]:
    """Look at settings, sources, landed files, models, metrics, sections, schedules and the current build."""
    yield Finding("settings", True, f"{settings.timezone}, {settings.currency}, weeks start on {settings.week_start}")
    for name in settings.sources:
        yield from _source(settings, name)
    yield _tried("landed files", lambda: _landed(settings))
    yield _tried("models", lambda: f"{len(graph().models)} tables")
    yield _tried("metrics", _metrics)
    yield _tried("sections", lambda: ", ".join(section.name for section in sections(settings)))
    for name in schedule_names(settings):
        yield _tried(f"schedule {name}", partial(_schedule, settings, name))
    yield _tried("build", lambda: _build(settings))


def _tried(what: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(what, True, look())
    except TidingsError as error:
        return Finding(what, False, str(error))


def _source(settings: Settings, name: str) -> Iterator[Finding]:
    try:
        problems = [problem for source in open_sources(settings, [name]) for problem in source.check()]
    except TidingsError as error:
        problems = [str(error)]
    kind = str(settings.sources[name].get("kind", ""))
    yield from (Finding(f"source {name}", False, problem) for problem in problems)
    if not problems:
        yield Finding(f"source {name}", True, kind)


def _schedule(settings: Settings, name: str) -> str:
    return ", ".join(load_schedule(settings, name).sections)


def _landed(settings: Settings) -> str:
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
