"""Events as landed, cleaned."""

from __future__ import annotations

import ibis.expr.types as ir

from tidings.feeds import EVENTS
from tidings.models.model import model
from tidings.models.staging.landed import first_per_key, staged


@model(
    grain="event or page view",
    key=("event_key",),
    columns=staged(EVENTS, "event_key", "Source and event id; without an id its position."),
)
def stg_events(raw_events: ir.Table) -> ir.Table:
    """An event or page view, said once, bots included."""
    return first_per_key(raw_events, EVENTS, "event_key")
