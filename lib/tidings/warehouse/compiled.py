"""The SQL of models, cached per version of the code, since compiling takes longer than running."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
from ibis.common.exceptions import IbisError

import tidings
from tidings.business_calendar import COLUMNS as CALENDAR_COLUMNS
from tidings.discovery import own_files
from tidings.errors import WarehouseError
from tidings.feeds import feeds
from tidings.landing.exchange_rates import COLUMNS as FX_COLUMNS
from tidings.ledger.alert_table import COLUMNS as ALERT_COLUMNS
from tidings.models.contracts import nullable
from tidings.models.model import Model
from tidings.models.staging.landed import default_staging
from tidings.warehouse.engine import ORIGIN
from tidings.warehouse.reader import ENGINE

RAW_FX = "raw_fx"
RAW_CALENDAR = "raw_calendar"
RAW_ALERTS = "raw_alerts"
# Packages and modules that determine the content of a build: editing one makes a new build.
_MAKERS = (
    "tidings.models",
    "tidings.business_calendar",
    "tidings.feeds",
    "tidings.warehouse",
    "tidings.landing.exchange_rates",
    "tidings.ledger.alert_table",
    "tidings.platform_metrics",
    "tidings.schema",
    "tidings.window",
)
_KEPT_VERSIONS = 4
_compiled: dict[Any, str] = {}


def root_schemas() -> dict[str, ibis.Schema]:
    """The tables that no model makes and their columns: `raw_<feed>` for every feed, and `raw_fx`, `raw_calendar`,
    `raw_alerts`.
    """
    roots = {
        f"raw_{feed.name}": ibis.schema({**{c: nullable(column.type) for c, column in feed.columns.items()}, **ORIGIN})
        for feed in feeds().values()
    }
    given = {RAW_FX: FX_COLUMNS, RAW_CALENDAR: CALENDAR_COLUMNS, RAW_ALERTS: ALERT_COLUMNS}
    others = {name: {c: nullable(column.type) for c, column in columns.items()} for name, columns in given.items()}
    return {**roots, **{name: ibis.schema(columns) for name, columns in others.items()}}


def express(model: Model, schemas: Mapping[str, ibis.Schema]) -> ir.Table:
    """A model as an Ibis expression over unbound tables of the schemas given.

    Raises:
        WarehouseError: the model uses a column or operation that does not exist.
    """
    try:
        return model.function(*(ibis.table(schemas[table], name=table) for table in model.reads))
    except (IbisError, AttributeError, TypeError) as error:
        raise WarehouseError(
            f"Model {model.name} cannot be expressed: {error}.",
            f"Correct {model.function.__module__}; it reads {', '.join(model.reads)}.",
        ) from error


def sql_of(model: Model, schemas: Mapping[str, ibis.Schema]) -> str:
    """The SQL of a model over tables of these schemas, cached per version of the code.

    Raises:
        WarehouseError: as `express`.
    """
    key = model.function, tuple((table, schemas[table]) for table in model.reads)
    if key not in _compiled:
        file = _kept_file(model, schemas)
        kept = _read(file) if file else ""
        _compiled[key] = kept or ENGINE.compile_sql(express(model, schemas))
        if file and not kept:
            _keep(file, _compiled[key])
    return _compiled[key]


def kept_folder() -> Path:
    """The folder of cached SQL: beside Python's bytecode, which is shared and deleted in the same way."""
    return Path(cache_from_source(__file__)).with_suffix("")


def _kept_file(model: Model, schemas: Mapping[str, ibis.Schema]) -> Path | None:
    """The cache file; None where the code hash does not cover the model, as for a workbook's own models."""
    module = sys.modules.get(model.function.__module__)
    file = getattr(module, "__file__", None)
    written = getattr(getattr(module, model.name, None), "function", None)
    feed = model.name.removeprefix("stg_")
    default = default_staging(feed).function if feed in feeds() else None
    if model.function not in (written, default) or not file:
        return None
    if not Path(file).is_relative_to(Path(str(tidings.__file__)).parent):
        return None
    read = repr([(table, list(schemas[table].items())) for table in model.reads])
    return kept_folder() / _loaded_code() / f"{model.name}.{hashlib.sha256(read.encode()).hexdigest()[:16]}.sql"


@cache
def _loaded_code() -> str:
    """The hash of the code that this process loaded, so later edits of files do not count."""
    return hashlib.sha256(f"{code_hash()}, sqlglot {version('sqlglot')}".encode()).hexdigest()[:16]


def _read(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8")
    except OSError:
        return ""


def _keep(file: Path, sql: str) -> None:
    """Keep it if the folder is writable: it is not where another user installed the package."""
    with suppress(OSError):
        if not file.parent.is_dir():
            file.parent.mkdir(parents=True, exist_ok=True)
            versions = sorted(file.parent.parent.iterdir(), key=lambda path: path.stat().st_mtime_ns, reverse=True)
            for old in versions[_KEPT_VERSIONS:]:
                shutil.rmtree(old, ignore_errors=True)
        # Renamed when complete, since other processes may read it.
        draft = file.with_name(f".{file.name}.{os.getpid()}")
        # Bytes: text mode would lose the carriage returns in some models' patterns.
        draft.write_bytes(sql.encode("utf-8"))
        draft.replace(file)


def code_hash() -> str:
    """A hash of all that makes the tables: models, feeds, the builder, the workbook's own `lib/`, tool and engine.

    Raises:
        ModuleNotFoundError: a name in `_MAKERS` is not a module any more, so that edits of it would go unnoticed.
    """
    digest = hashlib.sha256(f"tidings {version('tidings')}, {ENGINE.VERSION}".encode())
    for name in _MAKERS:
        for file in _sources_of(name):
            digest.update(f"{name}/{file.name}".encode() + file.read_bytes())
    for name, file in own_files().items():
        digest.update(name.encode() + file.read_bytes())
    return digest.hexdigest()


def _sources_of(name: str) -> list[Path]:
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise ModuleNotFoundError(f"There is no module {name}, which `_MAKERS` lists.", name=name)
    folder = Path(found.origin).parent
    return sorted(folder.rglob("*.py")) if found.submodule_search_locations else [Path(found.origin)]
