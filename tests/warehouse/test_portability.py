"""Every model compiles from unbound tables to other engines' SQL, so that nothing engine-specific slips in."""

from __future__ import annotations

from functools import cache

import ibis
import ibis.expr.types as ir
import pytest
import sqlglot

from tidings.models.contracts import declared
from tidings.models.graph import known_models
from tidings.models.model import Model
from tidings.warehouse.compiled import express, root_schemas, sql_of
from tidings.warehouse.duckdb import compile_sql

DIALECTS = ("duckdb", "postgres", "snowflake", "databricks", "bigquery")

# What an engine lacks altogether, by the words with which Ibis refuses it. A model outside of this list must compile.
UNSUPPORTED = {
    # No map type: `properties` would be landed as JSON there.
    ("bigquery", "fct_events"): "Maps are not supported",
    # Ibis makes ranges of instants there only with a zone.
    ("bigquery", "dim_date"): "Timestamps without timezone",
}


SCHEMAS = {**root_schemas(), **{model.name: declared(model.contract) for model in known_models()}}
# A model in every engine takes a second or more: each is tried in one engine by `make test`, in all by `make proof`.
OTHERS = tuple(dialect for dialect in DIALECTS if dialect != "duckdb")
# These are dozens of unions of the same few steps, seconds for each engine: one of them stands for the others.
_LONG = [model.name for model in known_models() if model.name.startswith("platform_metrics_")][1:]
BRIEF = [model for model in known_models() if model.name not in _LONG]


@cache
def _expressed(name: str) -> ir.Table:
    return express(next(model for model in known_models() if model.name == name), SCHEMAS)


def _compiles(model: Model, dialect: str) -> None:
    refused = UNSUPPORTED.get((dialect, model.name))
    if refused:
        with pytest.raises(Exception, match=refused):
            ibis.to_sql(_expressed(model.name), dialect=dialect)
        return
    sql = str(ibis.to_sql(_expressed(model.name), dialect=dialect))
    (parsed,) = sqlglot.parse(sql, dialect=dialect)
    assert parsed is not None
    asked = {table.name for table in parsed.find_all(sqlglot.exp.Table)}
    assert set(model.reads) <= asked


@pytest.mark.parametrize(
    ("model", "dialect"),
    [pytest.param(model, OTHERS[n % len(OTHERS)], id=model.name) for n, model in enumerate(BRIEF)],
)
def test_every_model_compiles_for_another_engine(model: Model, dialect: str) -> None:
    _compiles(model, dialect)


@pytest.mark.proof
@pytest.mark.parametrize("model", known_models(), ids=lambda model: model.name)
def test_every_model_compiles_for_every_engine(model: Model) -> None:
    for dialect in DIALECTS:
        _compiles(model, dialect)
    # What is kept between builds is what would be made anew.
    assert sql_of(model, SCHEMAS) == compile_sql(_expressed(model.name))


@pytest.mark.parametrize("model", known_models(), ids=lambda model: model.name)
def test_every_model_gives_the_columns_it_declares(model: Model) -> None:
    assert tuple(_expressed(model.name).columns) == tuple(model.contract.columns)
