"""Requests: calls of services and lines of access logs (metric definitions 8.2)."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from tidings.feeds import REQUESTS
from tidings.models.model import model
from tidings.schema import Column

_CALL_ONLY = ("provider", "latency_ms", "tokens_in", "tokens_out", "model", "cost", "currency")


@model(
    grain="call of a service or line of an access log",
    key=("request_key",),
    columns={
        "request_key": Column("!string", "Source and request id, or position."),
        **{name: column for name, column in REQUESTS.columns.items() if name != "request_id"},
        "is_error": Column("!boolean", "Status 500 or more, or no response (null or 0)."),
        "is_client_error": Column("!boolean", "Status 400 to 499, counted separately and not as an error."),
        "is_bot": Column("boolean", "True for bots by user agent; null for calls."),
        "kind": Column("!string", "Call or access-log line.", values=("call", "access")),
        "_source": Column("!string", "Source that reported it."),
        "_line": Column("!int64", "Position in the input, from 1."),
    },
    fresh_hours=48,
    money="report",
)
def fct_requests(stg_requests: ir.Table, stg_access: ir.Table) -> ir.Table:
    """A service call or an access-log line, bots included; the service of a log line is its host, else its source."""
    shared = [name for name in REQUESTS.columns if name != "request_id"]
    calls = stg_requests.select(
        *("request_key", *shared, "_source", "_line"),
        is_bot=ibis.null("boolean"),
        kind=ibis.literal("call"),
    )
    access = stg_access.select(
        *("ts", "method", "status", "response_bytes", "country", "is_bot", "_source", "_line"),
        request_key=stg_access.line_key,
        service=ibis.coalesce(stg_access.host, stg_access._source),
        endpoint=stg_access.path,
        kind=ibis.literal("access"),
        **{name: ibis.null(REQUESTS.columns[name].type) for name in _CALL_ONLY},
    )
    rows = ibis.union(calls, access.select(*calls.columns))
    status = rows.status.fill_null(0)
    return rows.mutate(
        is_error=(status >= 500) | (status == 0), is_client_error=(status >= 400) & (status < 500)
    ).select(*fct_requests.contract.columns)
