"""Access-log lines as landed, cleaned."""

from __future__ import annotations

import ibis.expr.types as ir

from tidings.feeds import ACCESS
from tidings.models.model import model
from tidings.models.staging.landed import first_per_key, staged
from tidings.schema import Column


@model(
    grain="line of an access log",
    key=("line_key",),
    columns=staged(
        ACCESS,
        "line_key",
        "Source and position: equal lines are separate requests.",
        visitor_id=Column("string", ACCESS.columns["visitor_id"].doc, personal=True),
    ),
)
def stg_access(raw_access: ir.Table) -> ir.Table:
    """A line of a web server's access log, bots and assets included."""
    return first_per_key(raw_access, ACCESS, "line_key")
