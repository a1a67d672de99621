"""Rows of a mart in memory, and the value of a metric over them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from tidings.metrics.metric import Number
from tidings.metrics.registry import get
from tidings.metrics.values import plain
from tidings.models.graph import known_models
from tidings.query.aggregate import aggregate

NOON = datetime(2026, 6, 1, 12)
_PLAIN: Mapping[str, Mapping[str, Any]] = {
    "fct_events": {"kind": "pageview", "event": "pageview", "is_bot": False},
    "fct_sessions": {"is_visit": True, "pageviews": 1, "is_bounce": True, "duration_s": 0.0, "converted": False},
    "fct_transactions": {
        "type": "charge",
        "status": "succeeded",
        "tax": 0,
        "fee": 0,
        "units": 1,
        "fx": 1,
    },
    "fct_orders": {"gross": 10, "refunded": 0, "is_first": False, "fx": 1},
    "fct_requests": {"status": 200, "is_error": False, "is_client_error": False, "fx": 1},
    "fct_web_vitals": {"metric": "LCP", "path": "/"},
    "fct_user_hours": {"events": 1},
    "fct_metric_daily": {"day": NOON.date(), "is_total": True, "fx": 1, "fx_of_day": 1},
}


def mart(name: str, rows: Sequence[Mapping[str, Any]]) -> ir.Table:
    """A prepared mart: what a row does not mention has its plainest value, else null."""
    (model,) = [model for model in known_models() if model.name == name]
    types = {column: spec.type.removeprefix("!") for column, spec in model.contract.columns.items()}
    types |= {
        "fx": "decimal(20, 12)",
        "fx_of_day": "decimal(20, 12)",
        "local_ts": "timestamp(6)",
        "converted": "boolean",
    }
    schema = ibis.schema(types)
    full = [{"ts": NOON, "local_ts": NOON, "_source": "shop", **_PLAIN[name], **row} for row in rows]
    if name == "fct_transactions":
        # The first succeeded charge of its order, as far as a row says.
        full = [{"is_order": (row["type"], row["status"]) == ("charge", "succeeded"), **row} for row in full]
    exact = [
        {k: Decimal(str(v)) if schema[k].is_decimal() and v is not None else v for k, v in row.items()} for row in full
    ]
    return ibis.memtable(pa.Table.from_pylist(exact, schema=schema.to_pyarrow()))


def value(name: str, rows: Sequence[Mapping[str, Any]]) -> Number:
    """The value of a metric over rows of its mart."""
    metric = get(name)
    found = aggregate(mart(metric.mart, rows), [metric]).to_pyarrow().to_pylist()
    return plain(found[0][name])
