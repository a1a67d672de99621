"""Every model compiles from unbound tables to other engines' SQL, so that nothing engine-specific slips in."""

from __future__ import annotations

import ibis
import pytest
import sqlglot

from tidings.models.contracts import declared
from tidings.models.graph import known_models
from tidings.models.model import Model
from tidings.warehouse.build import express, root_schemas

DIALECTS = ("duckdb", "postgres", "snowflake", "databricks", "bigquery")

# What an engine lacks altogether, by the words with which Ibis refuses it. A model outside of this list must compile.
UNSUPPORTED = {
    # No map type: `properties` would be landed as JSON there.
    ("bigquery", "fct_events"): "Maps are not supported",
    # Ibis makes ranges of instants there only with a zone.
    ("bigquery", "dim_date"): "Timestamps without timezone",
}


def _schemas() -> dict[str, ibis.Schema]:
    return {**root_schemas(), **{model.name: declared(model.contract) for model in known_models()}}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("model", known_models(), ids=lambda model: model.name)
def test_every_model_compiles(model: Model, dialect: str) -> None:
    expression = express(model, _schemas())
    refused = UNSUPPORTED.get((dialect, model.name))
    if refused:
        with pytest.raises(Exception, match=refused):
            ibis.to_sql(expression, dialect=dialect)
        return
    sql = str(ibis.to_sql(expression, dialect=dialect))
    (parsed,) = sqlglot.parse(sql, dialect=dialect)
    assert parsed is not None
    asked = {table.name for table in parsed.find_all(sqlglot.exp.Table)}
    assert set(model.reads) <= asked


@pytest.mark.parametrize("model", known_models(), ids=lambda model: model.name)
def test_every_model_gives_the_columns_it_declares(model: Model) -> None:
    expression = express(model, _schemas())
    assert tuple(expression.columns) == tuple(model.contract.columns)
