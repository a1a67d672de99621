"""Requests as landed, cleaned."""

from __future__ import annotations

import ibis.expr.types as ir

from tidings.feeds import REQUESTS
from tidings.models.model import model
from tidings.models.staging.landed import first_per_key, staged


@model(
    grain="call of a service",
    key=("request_key",),
    columns=staged(REQUESTS, "request_key", "Source and request id; without an id its position."),
)
def stg_requests(raw_requests: ir.Table) -> ir.Table:
    """A call of a service, said once."""
    return first_per_key(raw_requests, REQUESTS, "request_key")
