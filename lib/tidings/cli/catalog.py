"""The catalogue: every table, metric and section of the workbook, with lineage and meaning."""

from __future__ import annotations

import inspect
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tidings.book import Book
from tidings.business_calendar import calendar_of
from tidings.errors import UsageError, suggest
from tidings.feeds import Feed, feeds
from tidings.ledger.deliveries import Deliveries
from tidings.ledger.store import Ledger
from tidings.metrics.metric import Metric
from tidings.metrics.registry import leaves, registry
from tidings.models.graph import Graph, known_models
from tidings.reporting.notebook import read_notebook
from tidings.reporting.parameters import Declared, declared_parameters
from tidings.reporting.report import load_reports, section_names
from tidings.reporting.site import render
from tidings.scheduling.schedule import load_plans
from tidings.scheduling.slots import next_slots
from tidings.settings import Settings
from tidings.warehouse.compiled import root_schemas

_NEXT = 3
_LEAST_FREE = 1_000_000_000


@dataclass(frozen=True)
class Section:
    """One notebook: its title, the questions it answers, and its parameters."""

    name: str
    title: str
    questions: tuple[str, ...]
    parameters: Mapping[str, Declared]


def sections(settings: Settings) -> tuple[Section, ...]:
    """Every section, by name.

    Raises:
        UsageError: a notebook or its parameters cell cannot be read.
    """
    return tuple(_section(settings.notebooks / f"{name}.ipynb") for name in section_names(settings))


def graph() -> Graph:
    """The models of the workbook and the raw tables they start from.

    Raises:
        GraphError: they do not fit together.
    """
    return Graph.of(known_models(), root_schemas())


def analyses() -> Mapping[str, tuple[str, str]]:
    """The analyses of a book by name: signature and first line of the docstring."""
    found = {}
    for function in (Book.funnel, Book.retention, Book.lifecycle, Book.rfm):
        parameters = list(inspect.signature(function).parameters.values())[1:]
        given = ", ".join(p.name if p.default in (p.empty, None) else f"{p.name}={p.default!r}" for p in parameters)
        doc = (inspect.getdoc(function) or "").splitlines()[0]
        found[function.__name__] = (f"book.{function.__name__}({given})", doc)
    return found


def readers(table: str) -> tuple[Metric, ...]:
    """The metrics that read a table, directly or through their inputs."""
    return tuple(m for m in registry().values() if any(leaf.mart == table for leaf in leaves(m)))


def overview(settings: Settings, now: datetime) -> str:
    """Reports with their next slots, sections with their parameters, sources and the latest runs, as text."""
    lines = ["Reports (tidings run NAME)"]
    lines += [f"  {s.name}: {s.title} ({', '.join(s.sections)})" for s in load_reports(settings)]
    lines += _schedule_lines(settings, now)
    found = sections(settings)
    lines += ["", "Sections (tidings run NAME -p PARAMETER=VALUE)"]
    lines += [f"  {section.name}: {section.title}" for section in found]
    lines += ["", "Parameters"]
    for parameter, where in _shared(found):
        default = repr(parameter.default) if parameter.default != "" else '""'
        lines.append(f"  {parameter.name} = {default}  {parameter.help}" + (f" [{where}]" if where else ""))
    lines += ["", "Sources (tidings pull NAME)"]
    lines += [f"  {name}: {table.get('kind', '(no kind)')}" for name, table in settings.sources.items()]
    lines += _disk_lines(settings)
    runs = Ledger(settings.ledger).runs(5)
    if runs:
        lines += ["", "Latest runs"]
        lines += [f"  {run.started_at:%Y-%m-%d %H:%M} UTC  {run.report}/{run.slot}: {run.status}" for run in runs]
    return "\n".join(lines)


def _schedule_lines(settings: Settings, now: datetime) -> list[str]:
    deliveries = Deliveries(Ledger(settings.ledger))
    lines = []
    for plan in load_plans(settings):
        for schedule in plan.schedules:
            _, paused = deliveries.failures(schedule.report, schedule.name)
            slots = next_slots(schedule, calendar_of(settings, schedule.zone), now, _NEXT)
            times = ", ".join(f"{at.astimezone(schedule.zone.info):%a %Y-%m-%d %H:%M}" for at in slots)
            whom = ", ".join(each.name for each in plan.audiences_of(schedule.name)) or "nobody"
            lines.append(f"  {schedule.id}: {times} {schedule.zone.name}, for {whom}")
            lines += [f"    paused: {paused}"] if paused else []
    return ["", "Schedules (tidings due, tidings serve), with their next slots", *lines] if lines else []


def _disk_lines(settings: Settings) -> list[str]:
    """What lies on the disk, in bytes for people, and a warning before there is no room for another build."""
    places = [(f"landed, {name}", settings.raw / name) for name in settings.sources]
    places += [("builds", settings.warehouse), ("reports", settings.reports)]
    places += [("notebooks of public reports", settings.root / "data" / "private")]
    found = [(what, sum(file.stat().st_size for file in place.rglob("*") if file.is_file())) for what, place in places]
    lines = ["", "On the disk", *(f"  {what}: {_size(size)}" for what, size in found if size)]
    builds = [file.stat() for file in settings.warehouse.glob("*.duckdb")]
    newest = max(builds, key=lambda stat: stat.st_mtime).st_size if builds else 0
    free = shutil.disk_usage(settings.root).free
    if free < max(2 * newest, _LEAST_FREE):
        wanted = _size(max(2 * newest, _LEAST_FREE))
        lines.append(
            f"  Only {_size(free)} are free; a build and its reports need up to {wanted}: see docs/operating.md."
        )
    return lines if len(lines) > 2 else []


def _size(size: float) -> str:
    units = ["B", "kB", "MB", "GB"]
    while size >= 1000 and len(units) > 1:
        size /= 1000
        units.pop(0)
    return f"{size:,.0f} {units[0]}"


def describe(settings: Settings, name: str) -> str:
    """One metric, table, feed or section, as text.

    Raises:
        UsageError: there is nothing of that name.
    """
    models, metrics, notebooks = graph(), registry(), {section.name: section for section in sections(settings)}
    if name in metrics:
        return _metric_text(metrics[name])
    if name in models.models:
        return _table_text(models, name)
    if name in feeds() or name.removeprefix("raw_") in feeds():
        return _feed_text(feeds()[name.removeprefix("raw_")])
    if name in analyses():
        call, doc = analyses()[name]
        return f"{call} (analysis)\n\n  {doc}"
    if name in notebooks:
        section = notebooks[name]
        questions = "\n".join(f"  - {question}" for question in section.questions)
        return f"{section.title} (section {name})\n\n{questions}"
    known = [*metrics, *models.models, *feeds(), *analyses(), *notebooks]
    raise UsageError(f"The catalogue has no '{name}'.", suggest(name, known))


def metrics_table() -> str:
    """Every metric by name as the Markdown table of `docs/metrics.md`."""
    rows = ["| metric | title | kind | unit | mart | definition |", "|---|---|---|---|---|---|"]
    for name, metric in registry().items():
        marts = ", ".join(f"`{mart}`" for mart in dict.fromkeys(leaf.mart for leaf in leaves(metric)))
        cells = (f"`{name}`", metric.title, metric.kind, metric.unit, marts, metric.definition)
        rows.append("| " + " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in cells) + " |")
    return "\n".join(rows)


def write_catalog(settings: Settings) -> Path:
    """Write the catalogue as one page, `reports/catalog.html`; returns its path."""
    models = graph()
    page = render(
        "catalog.html.j2",
        sections=sections(settings),
        metrics=[
            (metric, tuple(dict.fromkeys(leaf.mart for leaf in leaves(metric)))) for metric in registry().values()
        ],
        tables=[(model, models.lineage(name), readers(name)) for name, model in models.models.items()],
        feeds=tuple(feeds().values()),
        analyses=analyses(),
    )
    file = settings.reports / "catalog.html"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(page, encoding="utf-8")
    return file


def _section(file: Path) -> Section:
    cells = read_notebook(file).cells
    headings = [line for c in cells if c.cell_type == "markdown" for line in c.source.splitlines() if line[:1] == "#"]
    title = next((line.lstrip("# ") for line in headings if line.startswith("# ")), file.stem)
    questions = tuple(line.lstrip("# ") for line in headings if line.startswith("## "))
    return Section(file.stem, title, questions, declared_parameters(file))


def _shared(found: Iterable[Section]) -> list[tuple[Declared, str]]:
    """Each parameter once, with its sections unless all have it."""
    listed = list(found)
    by_name: dict[str, list[Section]] = {}
    for section in listed:
        for parameter in section.parameters:
            by_name.setdefault(parameter, []).append(section)
    return [
        (owners[0].parameters[name], "" if len(owners) == len(listed) else ", ".join(owner.name for owner in owners))
        for name, owners in by_name.items()
    ]


def _metric_text(metric: Metric) -> str:
    marts = ", ".join(dict.fromkeys(leaf.mart for leaf in leaves(metric)))
    rows = [
        ("definition", metric.definition),
        ("kind, unit", f"{metric.kind}, {metric.unit}; better: {metric.better}"),
        ("reads", marts + (f" through {', '.join(metric.inputs)}" if metric.inputs else "")),
        ("not", metric.caveat),
        ("if it moves", metric.action),
        ("owner", metric.owner),
    ]
    if metric.thresholds:
        rows.insert(3, ("thresholds", f"good to {metric.thresholds.good:g}, warning to {metric.thresholds.warn:g}"))
    return _entry(f"{metric.title} (metric {metric.name})", rows)


def _table_text(models: Graph, name: str) -> str:
    model = models.models[name]
    lineage = "; ".join(f"{table} from {', '.join(reads)}" for table, reads in models.lineage(name))
    rows = [
        ("a row is", model.contract.grain),
        ("key", ", ".join(model.contract.key)),
        ("lineage", lineage),
        ("metrics", ", ".join(metric.name for metric in readers(name)) or "none"),
        *((column, f"{spec.type.lstrip('!')}. {spec.doc}") for column, spec in model.contract.columns.items()),
    ]
    return _entry(f"{name} (table): {model.doc.splitlines()[0]}", rows)


def _feed_text(feed: Feed) -> str:
    columns = (
        (name, f"{spec.type.lstrip('!')}{', required' if spec.required else ''}. {spec.doc}")
        for name, spec in feed.columns.items()
    )
    return _entry(f"{feed.name} (feed): {feed.doc}", [("key", ", ".join(feed.key)), *columns])


def _entry(title: str, rows: Iterable[tuple[str, str]]) -> str:
    listed = [(name, text) for name, text in rows if text]
    width = max(len(name) for name, _ in listed)
    return "\n".join([title, "", *(f"  {name:<{width}}  {text}" for name, text in listed)])
