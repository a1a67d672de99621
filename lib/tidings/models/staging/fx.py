"""Exchange rates."""

from __future__ import annotations

import ibis.expr.types as ir

from tidings.landing.exchange_rates import COLUMNS
from tidings.models.model import model


@model(grain="currency and day of fixing", key=("currency", "day"), columns=COLUMNS)
def dim_fx(raw_fx: ir.Table) -> ir.Table:
    """The rate of a currency from a fixing until the next: a weekend has Friday's, an ended currency none."""
    return raw_fx.select(*COLUMNS)
