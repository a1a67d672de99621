"""Building a warehouse: from what was landed and the models to a new file that readers are then pointed to."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa
from ibis.common.exceptions import IbisError

import tidings
from tidings.errors import SourceError, WarehouseError, suggest
from tidings.feeds import feeds
from tidings.landing.exchange_rates import COLUMNS as FX_COLUMNS
from tidings.landing.exchange_rates import no_fixings, read_fixings
from tidings.landing.manifest import MANIFEST
from tidings.landing.store import LandedFile, landed_files, verify
from tidings.ledger.store import Ledger
from tidings.models.contracts import Breach, broken, check_columns, check_rows, declared, nullable
from tidings.models.graph import Graph, discover
from tidings.models.model import Model
from tidings.platform_metrics import METRIC_DAILY
from tidings.settings import Settings
from tidings.sources.source import Progress, silent
from tidings.warehouse.coverage import coverage_table, filled_table
from tidings.warehouse.folder import DRAFT, locked, point, prune, publish, sweep
from tidings.warehouse.metadata import TableBuilt, meta_tables
from tidings.warehouse.reader import (
    ENGINE_VERSION,
    ORIGIN,
    RawFile,
    Warehouse,
    Writer,
    build_file,
    can_be_read,
    compile_sql,
    current_build,
    is_whole,
    sql_of_no_rows,
)

_RAW_FX = "raw_fx"
_KEPT_VERSIONS = 4
# Packages and modules that decide what a build holds: an edit of any of them makes a new build.
_MAKERS = (
    "tidings.models",
    "tidings.feeds",
    "tidings.warehouse",
    "tidings.landing.exchange_rates",
    "tidings.platform_metrics",
    "tidings.schema",
    "tidings.window",
)
_compiled: dict[Any, str] = {}


@dataclass(frozen=True)
class BuildResult:
    """A build that readers now get; `unchanged` is True when it was there already and nothing was done.

    `tables` and `rows` count what it holds; `warnings` are sentences about facts older than they should be.
    """

    build_id: str
    file: Path
    unchanged: bool
    tables: int
    rows: int
    warnings: tuple[str, ...]


def known_files(settings: Settings) -> list[LandedFile]:
    """What was landed, all of it of feeds that are known: rows of another would be in no table, without a word.

    Raises:
        SourceError: a manifest is damaged, or names a feed that is not known.
    """
    files = landed_files(settings.raw)
    for file in files:
        if file.feed not in feeds():
            raise SourceError(
                f"{file.source}/{file.endpoint}/{MANIFEST} says that its rows are of the feed '{file.feed}'.",
                f"{suggest(file.feed, feeds())} Correct it, or delete data/raw/{file.source} and pull anew.",
            )
    return files


def root_schemas() -> dict[str, ibis.Schema]:
    """The tables that no model makes and their columns: `raw_<feed>` for every feed, and `raw_fx`."""
    roots = {
        f"raw_{feed.name}": ibis.schema({**{c: nullable(column.type) for c, column in feed.columns.items()}, **ORIGIN})
        for feed in feeds().values()
    }
    return {**roots, _RAW_FX: ibis.schema({name: nullable(column.type) for name, column in FX_COLUMNS.items()})}


def express(model: Model, schemas: Mapping[str, ibis.Schema]) -> ir.Table:
    """A model as an Ibis expression over unbound tables of the schemas given.

    Raises:
        WarehouseError: the model asks for a column or operation that is not there.
    """
    try:
        return model.function(*(ibis.table(schemas[table], name=table) for table in model.reads))
    except (IbisError, AttributeError, TypeError) as error:
        raise WarehouseError(
            f"Model {model.name} cannot be expressed: {error}.",
            f"Correct {model.function.__module__}; it reads {', '.join(model.reads)}.",
        ) from error


def sql_of(model: Model, schemas: Mapping[str, ibis.Schema]) -> str:
    """The SQL of a model over tables of these schemas; made once per version of the code, as that takes longest.

    Raises:
        WarehouseError: as `express`.
    """
    key = model.function, tuple((table, schemas[table]) for table in model.reads)
    if key not in _compiled:
        file = _kept_file(model, schemas)
        kept = _read(file) if file else ""
        _compiled[key] = kept or compile_sql(express(model, schemas))
        if file and not kept:
            _keep(file, _compiled[key])
    return _compiled[key]


def kept_folder() -> Path:
    """Where SQL of models is kept: with Python's own compiled code, which is shared and thrown away in the same way."""
    return Path(cache_from_source(__file__)).with_suffix("")


def _kept_file(model: Model, schemas: Mapping[str, ibis.Schema]) -> Path | None:
    """The file of its SQL; None where the hash of the code does not cover the model, as with a workbook's own."""
    module = sys.modules.get(model.function.__module__)
    file = getattr(module, "__file__", None)
    if getattr(getattr(module, model.name, None), "function", None) is not model.function or not file:
        return None
    if not Path(file).is_relative_to(Path(str(tidings.__file__)).parent):
        return None
    read = repr([(table, list(schemas[table].items())) for table in model.reads])
    return kept_folder() / _loaded_code() / f"{model.name}.{hashlib.sha256(read.encode()).hexdigest()[:16]}.sql"


@cache
def _loaded_code() -> str:
    """The hash of the code as this process has it: files that are edited later are not what it runs."""
    return hashlib.sha256(f"{_code_hash()}, sqlglot {version('sqlglot')}".encode()).hexdigest()[:16]


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError:
        return ""


def _keep(file: Path, sql: str) -> None:
    """Keep it if that can be: not where the package was installed by somebody else."""
    with suppress(OSError):
        if not file.parent.is_dir():
            file.parent.mkdir(parents=True, exist_ok=True)
            versions = sorted(file.parent.parent.iterdir(), key=lambda path: path.stat().st_mtime_ns, reverse=True)
            for old in versions[_KEPT_VERSIONS:]:
                shutil.rmtree(old, ignore_errors=True)
        # Named when it is whole, as other processes may read it.
        draft = file.with_name(f".{file.name}.{os.getpid()}")
        draft.write_text(sql, encoding="utf-8")
        draft.replace(file)


def build(settings: Settings, *, keep: Collection[str] = (), progress: Progress = silent) -> BuildResult:
    """Make the warehouse that the raw data and the models describe, and point readers to it.

    The same raw data and the same code give the same build id, and then nothing is done. Killed at any moment it
    leaves the last good build. The last three builds stay, those named in `keep`, and those that a run still reads.

    Raises:
        SourceError: landed files were changed or lost.
        GraphError: the models do not fit together.
        ContractError: tables broke what their models declare; all of them are told, nothing is published.
        WarehouseError: another build is running, or the engine failed.
    """
    folder = settings.warehouse
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        sweep(folder)
        graph = Graph.of(discover(), root_schemas())
        files = known_files(settings)
        progress("raw data verified", 0, len(graph.models) + 1)
        verify(settings.raw)
        code = _code_hash()
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
        # A pointer that cannot be read is written anew.
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
                    f"({info.last_row_at:%Y-%m-%d %H:%M} UTC); expected within {allowed:g} h."
                )
        if not warehouse.feeds:
            warnings.append("Nothing is landed yet, so that all tables are empty. Run: tidings pull")
        rows = sum(info.rows for info in warehouse.tables.values())
        return BuildResult(build_id, warehouse.file, unchanged, len(warehouse.tables), rows, tuple(warnings))


def _make(
    settings: Settings, build_id: str, code: str, graph: Graph, files: list[LandedFile], progress: Progress
) -> None:
    draft = settings.warehouse / f".{build_id}{DRAFT}"
    try:
        writer = Writer(draft)
        try:
            _show_raw(writer, settings, files)
            fed = {f"raw_{file.feed}" for file in files}
            built = _make_tables(writer, graph, fed | {_RAW_FX}, progress)
            meta = meta_tables(build_id, code, built, files)
            for name, rows in {**meta, **_coverage(graph, built, files, meta["meta_feeds"], writer)}.items():
                writer.insert(name, rows)
            writer.finish()
        finally:
            writer.close()
        if not can_be_read(Warehouse(draft, build_id)):
            raise WarehouseError(
                f"The build in {settings.warehouse} cannot be read again.", "Look whether the disk is full or failing."
            )
        publish(draft, build_file(settings, build_id))
        progress("published", len(graph.models) + 1, len(graph.models) + 1)
    finally:
        sweep(settings.warehouse)


def _show_raw(writer: Writer, settings: Settings, files: list[LandedFile]) -> None:
    for feed in feeds().values():
        landed = [file for file in files if file.feed == feed.name]
        # The ordinal is made anew over all endpoints of the feed, so that with the line it names one row.
        raw = [
            RawFile(
                file.path, file.source, file.partition, number, tuple((span.start, span.end) for span in file.hidden)
            )
            for number, file in enumerate(landed, start=1)
        ]
        types = {name: column.type.removeprefix("!") for name, column in feed.columns.items()}
        writer.raw_view(f"raw_{feed.name}", types, feed.time, raw)
    writer.show(_RAW_FX, read_fixings(settings.fx) if settings.fx else no_fixings())


def _make_tables(writer: Writer, graph: Graph, fed: set[str], progress: Progress) -> list[TableBuilt]:
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
        # Staging makes rows of rows, so none of none. Most workbooks feed few feeds, and compiling takes longest.
        if model.layer == "staging" and unfed.issuperset(model.reads):
            unfed |= {model.name}
            sql = sql_of_no_rows(schemas[model.name])
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
    graph: Graph, built: Iterable[TableBuilt], files: Sequence[LandedFile], meta_feeds: pa.Table, writer: Writer
) -> dict[str, pa.Table]:
    """Which days each source covers, and which columns it fills."""
    made = {table.model.name: table for table in built}
    marts = [table for name, table in made.items() if table.model.layer == "marts" and name != METRIC_DAILY]
    seen = {feed for mart in marts for feed in mart.feeds}
    schemas = {**root_schemas(), **{name: declared(table.model.contract) for name, table in made.items()}}
    # As landed, as staging puts a number where none was given.
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
    # A file that is not there makes another id too, so that it is missed when the build is made.
    rates = settings.fx and (hashlib.sha256(settings.fx.read_bytes()).hexdigest() if settings.fx.is_file() else "lost")
    text = json.dumps([landed, rates, code], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _code_hash() -> str:
    """What the tables are made by: models, feeds, this machinery, the versions of tool and engine.

    Raises:
        ModuleNotFoundError: a name of `_MAKERS` is no module any more; then nothing could tell that it was edited.
    """
    digest = hashlib.sha256(f"tidings {version('tidings')}, {ENGINE_VERSION}".encode())
    for name in _MAKERS:
        for file in _sources_of(name):
            digest.update(f"{name}/{file.name}".encode() + file.read_bytes())
    return digest.hexdigest()


def _sources_of(name: str) -> list[Path]:
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise ModuleNotFoundError(f"There is no module {name}, which builds are made by.", name=name)
    folder = Path(found.origin).parent
    return sorted(folder.rglob("*.py")) if found.submodule_search_locations else [Path(found.origin)]
