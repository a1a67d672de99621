"""Builds the warehouse: from the landed data and the models to a new file, to which readers are then pointed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import ibis
import pyarrow as pa

from tidings.business_calendar import calendar_of, day_table, fingerprint
from tidings.errors import SourceError, WarehouseError, suggest
from tidings.feeds import feeds
from tidings.landing.exchange_rates import no_fixings, read_fixings
from tidings.landing.manifest import MANIFEST
from tidings.landing.store import LandedFile, landed_files, verify
from tidings.ledger.alert_table import alert_table
from tidings.ledger.store import Ledger
from tidings.models.contracts import Breach, broken, check_columns, check_rows, declared
from tidings.models.graph import Graph, known_models
from tidings.models.model import Model
from tidings.platform_metrics import METRIC_DAILY
from tidings.settings import Settings
from tidings.sources.source import Progress, silent
from tidings.warehouse.compiled import RAW_ALERTS, RAW_CALENDAR, RAW_FX, code_hash, root_schemas, sql_of
from tidings.warehouse.coverage import coverage_table, filled_table
from tidings.warehouse.engine import RawFile, Writing
from tidings.warehouse.folder import DRAFT, locked, point, prune, publish, sweep
from tidings.warehouse.metadata import TableBuilt, meta_tables
from tidings.warehouse.reader import ENGINE, Warehouse, build_file, can_be_read, current_build, is_whole
from tidings.window import Zone


@dataclass(frozen=True)
class BuildResult:
    """The build that readers now get; `unchanged` is True when it existed already and nothing was done.

    `tables` and `rows` are counts; `warnings` are sentences about tables without recent rows.
    """

    build_id: str
    file: Path
    unchanged: bool
    tables: int
    rows: int
    warnings: tuple[str, ...]


def known_files(settings: Settings) -> list[LandedFile]:
    """All landed files. Refuses unknown feeds, whose rows would silently be in no table.

    Raises:
        SourceError: a manifest is damaged, or names an unknown feed.
    """
    files = landed_files(settings.raw)
    for file in files:
        if file.feed not in feeds():
            raise SourceError(
                f"{file.source}/{file.endpoint}/{MANIFEST} says that its rows are of the feed '{file.feed}'.",
                f"{suggest(file.feed, feeds())} Correct it, or delete data/raw/{file.source} and pull anew.",
            )
    return files


def build(settings: Settings, *, keep: Collection[str] = (), progress: Progress = silent) -> BuildResult:
    """Build the warehouse from the raw data and the models, and point readers to it.

    The same raw data and code give the same build id, and nothing is done if that exists. If it is killed, the last
    good build stays in place. Kept are the last three builds, those in `keep`, and those that a run still reads.

    Raises:
        SourceError: landed files were changed or lost.
        SettingsError: the calendar cannot be used as written.
        GraphError: the models do not fit together.
        ContractError: tables break their contracts; all breaches are listed, nothing is published.
        WarehouseError: another build is running, or the engine failed.
    """
    folder = settings.warehouse
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        sweep(folder)
        graph = Graph.of(known_models(), root_schemas())
        files = known_files(settings)
        progress("raw data verified", 0, len(graph.models) + 1)
        verify(settings.raw)
        code = code_hash()
        build_id = _build_id(settings, files, code)
        unchanged = is_whole(settings, build_id)
        if not unchanged:
            _make(settings, build_id, code, graph, files, progress)
        if not unchanged or not _is_current(settings, build_id):
            point(folder, build_id)
        ledger = Ledger(settings.ledger)
        prune(folder, build_id, lambda: {*keep, *ledger.builds_in_use()})
    return _result(settings, build_id, graph, unchanged)


def _is_current(settings: Settings, build_id: str) -> bool:
    try:
        return current_build(settings) == build_id
    except WarehouseError:
        # An unreadable pointer is written again.
        return False


def _result(settings: Settings, build_id: str, graph: Graph, unchanged: bool) -> BuildResult:
    with Warehouse.open(settings, build_id) as warehouse:
        warnings = []
        for name, info in warehouse.tables.items():
            allowed = graph.models[name].contract.fresh_hours
            if allowed is None or info.last_row_at is None or warehouse.complete_until is None:
                continue
            hours = (warehouse.complete_until - info.last_row_at).total_seconds() / 3600
            if hours > allowed:
                warnings.append(
                    f"{name} has its newest row {hours:.0f} h before the end of the data "
                    f"({info.last_row_at:%Y-%m-%d %H:%M} UTC); expected at most {allowed:g} h."
                )
        if not warehouse.feeds:
            warnings.append("Nothing is landed yet, so all tables are empty. Run: tidings pull")
        rows = sum(info.rows for info in warehouse.tables.values())
        return BuildResult(build_id, warehouse.file, unchanged, len(warehouse.tables), rows, tuple(warnings))


def _make(
    settings: Settings, build_id: str, code: str, graph: Graph, files: list[LandedFile], progress: Progress
) -> None:
    draft = settings.warehouse / f".{build_id}{DRAFT}"
    try:
        writer = ENGINE.write(draft)
        try:
            _show_raw(writer, settings, files)
            fed = {f"raw_{file.feed}" for file in files}
            built = _make_tables(writer, graph, fed | {RAW_FX, RAW_CALENDAR, RAW_ALERTS}, progress)
            meta = meta_tables(build_id, code, built, files)
            for name, rows in {**meta, **_coverage(built, files, meta["meta_feeds"], writer)}.items():
                writer.insert(name, rows)
            writer.finish()
        finally:
            writer.close()
        if not can_be_read(Warehouse(draft, build_id)):
            raise WarehouseError(
                f"The build in {settings.warehouse} cannot be read back.", "Check whether the disk is full or failing."
            )
        publish(draft, build_file(settings, build_id))
        progress("published", len(graph.models) + 1, len(graph.models) + 1)
    finally:
        sweep(settings.warehouse)


def _show_raw(writer: Writing, settings: Settings, files: list[LandedFile]) -> None:
    for feed in feeds().values():
        landed = [file for file in files if file.feed == feed.name]
        # Numbered over all endpoints of the feed, so that ordinal and line identify one row.
        raw = [
            RawFile(
                file.path, file.source, file.partition, number, tuple((span.start, span.end) for span in file.hidden)
            )
            for number, file in enumerate(landed, start=1)
        ]
        types = {name: column.type.removeprefix("!") for name, column in feed.columns.items()}
        writer.raw_view(f"raw_{feed.name}", types, feed.time, raw)
    writer.show(RAW_FX, read_fixings(settings.fx) if settings.fx else no_fixings())
    writer.show(RAW_CALENDAR, day_table(calendar_of(settings)))
    # What the ledger holds is no part of a build, which follows from the raw data: a book lays it over (decision 22).
    writer.show(RAW_ALERTS, alert_table((), Zone(settings.timezone)))


def _make_tables(writer: Writing, graph: Graph, fed: set[str], progress: Progress) -> list[TableBuilt]:
    schemas = root_schemas()
    unfed = graph.roots - fed
    built: list[TableBuilt] = []
    breaches: list[Breach] = []
    stopped: set[str] = set()
    for number, model in enumerate(graph.models.values()):
        progress(model.name, number, len(graph.models) + 1)
        if not stopped.isdisjoint(model.reads):
            stopped.add(model.name)
            continue
        schemas[model.name] = declared(model.contract)
        # Staging of an empty feed is empty. Most workbooks use few feeds, and compiling takes longest.
        if model.layer == "staging" and unfed.issuperset(model.reads):
            unfed |= {model.name}
            sql = ENGINE.sql_of_no_rows(schemas[model.name])
            writer.create(model.name, sql)
            built.append(TableBuilt(model, 0, None, sql, _feeds(graph, model)))
            continue
        sql = sql_of(model, schemas)
        found = check_columns(model.name, model.contract, writer.create(model.name, sql))
        table = ibis.table(schemas[model.name], name=model.name)
        if not found:
            rows, found = check_rows(model.name, model.contract, table, writer.run)
            newest = (
                writer.run(table.aggregate(ts=table["ts"].max()))["ts"][0].as_py() if "ts" in table.columns else None
            )
            built.append(TableBuilt(model, rows, newest, sql, _feeds(graph, model)))
        if found:
            breaches += found
            stopped.add(model.name)
    if breaches:
        raise broken(breaches)
    return built


def _feeds(graph: Graph, model: Model) -> tuple[str, ...]:
    known = feeds()
    names = (table.removeprefix("raw_") for table in graph.ancestors(model.name) & graph.roots)
    return tuple(sorted(name for name in names if name in known))


def _coverage(
    built: Iterable[TableBuilt], files: Sequence[LandedFile], meta_feeds: pa.Table, writer: Writing
) -> dict[str, pa.Table]:
    """Which days each source covers, and which columns it fills."""
    made = {table.model.name: table for table in built}
    marts = [table for name, table in made.items() if table.model.layer == "marts" and name != METRIC_DAILY]
    seen = {feed for mart in marts for feed in mart.feeds}
    schemas = {**root_schemas(), **{name: declared(table.model.contract) for name, table in made.items()}}
    # From the raw tables, since staging puts numbers where none were given.
    columns = {f"raw_{feed}": feeds()[feed].columns for feed in sorted(seen & {file.feed for file in files})}
    columns |= {mart.model.name: mart.model.contract.columns for mart in marts if mart.rows}
    columns = {name: of_table for name, of_table in columns.items() if "_source" in schemas[name].names}
    return {
        "meta_coverage": coverage_table(files, meta_feeds.to_pylist(), seen, schemas, writer.run),
        "meta_filled": filled_table(columns, schemas, writer.run),
    }


def _build_id(settings: Settings, files: Iterable[LandedFile], code: str) -> str:
    landed = [
        [
            *(
                file.source,
                file.endpoint,
                file.feed,
                file.time,
                file.partition,
                file.load.sha256,
                file.load.rejected_sha256,
            ),
            [[span.start.isoformat(), span.end.isoformat()] for span in file.hidden],
            file.load.complete_until.isoformat() if file.load.complete_until else None,
            dict(file.load.facts),
            file.load.covers,
        ]
        for file in files
    ]
    # A missing file changes the id as well, so that the build fails on it.
    rates = settings.fx and (hashlib.sha256(settings.fx.read_bytes()).hexdigest() if settings.fx.is_file() else "lost")
    text = json.dumps([landed, rates, fingerprint(calendar_of(settings)), code], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
