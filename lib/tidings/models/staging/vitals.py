"""Web vitals as landed, cleaned."""

from __future__ import annotations

import ibis.expr.types as ir

from tidings.feeds import VITALS
from tidings.models.model import model
from tidings.models.staging.landed import first_per_key, staged


@model(
    grain="web-vital sample",
    key=("sample_key",),
    columns=staged(VITALS, "sample_key", "Source and sample id; without an id its position."),
)
def stg_vitals(raw_vitals: ir.Table) -> ir.Table:
    """A web-vital sample of a page view, said once."""
    return first_per_key(raw_vitals, VITALS, "sample_key")
