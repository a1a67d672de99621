"""Small workbooks for tests: rows go in by the landing, models run on them, rows come out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import ibis
import pyarrow as pa
from ibis.backends.sql.datatypes import DuckDBType
from ibis.expr.operations import Node

from tidings.feeds import feeds
from tidings.landing.store import Landing, Span, arrow_schema
from tidings.models.contracts import check_columns, check_rows, declared
from tidings.models.graph import Graph, known_models
from tidings.settings import Settings
from tidings.warehouse.compiled import root_schemas, sql_of
from tidings.warehouse.duckdb import compile_sql, sql_of_no_rows

NOW = datetime(2026, 7, 1, tzinfo=UTC)
_REQUIRED: Mapping[str, Mapping[str, Any]] = {
    "orders": {"currency": "EUR", "type": "charge", "status": "succeeded"},
    "events": {"event": "pageview", "is_bot": False},
    "requests": {"service": "api"},
    "vitals": {"metric": "LCP"},
    "access": {"is_page": True, "is_bot": False},
}


def at(text: str) -> datetime:
    """A naive UTC instant: `at("12:30")` on 2026-06-01, or a whole ISO text."""
    return datetime.fromisoformat(text if "-" in text else f"2026-06-01T{text}")


def feed_rows(feed: str, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows as a source would land them: what a test does not mention has its plainest value."""
    money = ("amount", "tax", "fee", "quantity", "unit_price", "cost", "value")
    filled = []
    for number, row in enumerate(rows, start=1):
        full = {"ts": at("12:00"), **_REQUIRED.get(feed, {}), **row}
        exact = {k: Decimal(str(v)) for k, v in full.items() if k in money and v is not None and feed != "vitals"}
        filled.append({"_line": number, "_record": "RECEIVED", **full, **exact})
    return filled


def land(
    settings: Settings,
    feed: str,
    rows: Sequence[Mapping[str, Any]],
    *,
    source: str = "shop",
    partition: str = "a.csv",
    window: Span | None = None,
    complete_until: datetime = NOW,
    rejected: Sequence[str] = (),
    facts: Mapping[str, float] | None = None,
    endpoint: str = "",
    now: datetime | None = None,
    covers: str = "",
) -> None:
    """Land rows of a feed, by default when they are complete; `rejected` holds the reasons of refused rows."""
    draft = Landing(settings.raw).writer(
        source, endpoint or feed, feeds()[feed], now=now or max(NOW, complete_until), partition=partition, window=window
    )
    with draft as landing:
        landing.complete_until = complete_until
        landing.covers = covers
        landing.facts.update(facts or {})
        landing.reject([1] * len(rejected), list(rejected), ["x"] * len(rejected))
        landing.add(pa.Table.from_pylist(feed_rows(feed, rows), schema=arrow_schema(feeds()[feed])))


def workbook(root: Path) -> Settings:
    """A workbook with two orders, three events, a request, a vital and a log line."""
    settings = Settings(root=root)
    land(
        settings,
        "orders",
        [
            {"order_id": "o1", "amount": 100, "tax": 19, "customer_id": "u1"},
            {"order_id": "o2", "amount": 50, "tax": 0, "ts": at("13:00")},
        ],
    )
    land(
        settings,
        "events",
        [
            {"event_id": "e1", "visitor_id": "v1", "user_id": "u1", "path": "/"},
            {"event_id": "e2", "visitor_id": "v1", "user_id": "u1", "path": "/buy", "ts": at("12:01")},
            {"event_id": "e3", "visitor_id": "v2", "ts": at("12:02"), "event": "signup"},
        ],
        source="site",
    )
    land(settings, "requests", [{"request_id": "r1", "status": 200, "latency_ms": 12.5}], source="api")
    land(settings, "vitals", [{"sample_id": "s1", "value": 2500.0}], source="site", partition="vitals.csv")
    land(settings, "access", [{"visitor_id": "p1", "path": "/log", "status": 200}], source="server")
    return settings


def run_models(target: str, **raw: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows of the table `target`, its models run over raw rows given per feed; every contract on the way holds.

    Raw rows may set `_source`, `_partition`, `_pull` and `_line`.
    """
    graph, schemas = Graph.of(known_models(), root_schemas()), root_schemas()
    assert {f"raw_{name}" for name in raw} <= set(schemas), "rows of a feed that there is not"
    con = duckdb.connect()

    def run(expression: ibis.Table) -> pa.Table:
        return con.execute(_check_sql(expression.op())).to_arrow_table()

    lineage = graph.lineage(target)
    read = {table for _, reads in lineage for table in reads}
    for name, schema in schemas.items():
        if name not in read:
            continue
        rows = raw.get(name.removeprefix("raw_"), ())
        if name.removeprefix("raw_") in feeds():
            origin = {"_source": "shop", "_partition": "a.csv", "_pull": 1}
            rows = [{**origin, **row} for row in feed_rows(name.removeprefix("raw_"), rows)]
        con.register(name, pa.Table.from_pylist([dict(row) for row in rows], schema=schema.to_pyarrow()))
    unfed = {f"raw_{feed}" for feed in feeds()} - {f"raw_{feed}" for feed in raw}
    for name, reads in lineage:
        contract = graph.models[name].contract
        # As in a build: staging makes rows of rows, so none of none.
        if name != target and graph.models[name].layer == "staging" and unfed.issuperset(reads):
            unfed.add(name)
            con.execute(f'CREATE TABLE "{name}" AS {sql_of_no_rows(declared(contract))}')
            continue
        con.execute(f'CREATE TABLE "{name}" AS {_sql(name)}')
        found = con.execute(f'DESCRIBE "{name}"').fetchall()
        assert (
            check_columns(name, contract, ibis.schema({row[0]: DuckDBType.from_string(row[1]) for row in found})) == []
        )
        assert check_rows(name, contract, ibis.table(declared(contract), name=name), run)[1] == []
    return con.execute(f'SELECT * FROM "{target}"').to_arrow_table().to_pylist()


@cache
def _check_sql(operation: Node) -> str:
    return compile_sql(operation.to_expr())


@cache
def _sql(name: str) -> str:
    models = {model.name: model for model in known_models()}
    schemas = {**root_schemas(), **{other: declared(model.contract) for other, model in models.items()}}
    return sql_of(models[name], schemas)


def only(rows: Sequence[Mapping[str, Any]], *columns: str) -> list[tuple[Any, ...]]:
    """Some columns of rows, sorted, to compare with."""
    return sorted((tuple(row[column] for column in columns) for row in rows), key=repr)
