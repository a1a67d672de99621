"""Orders as landed, cleaned."""

from __future__ import annotations

import ibis.expr.types as ir

from tidings.feeds import MONEY, ORDERS
from tidings.models.model import model
from tidings.models.staging.landed import first_per_key, staged


@model(
    grain="line of an order, refund or other money movement",
    key=("line_key",),
    columns=staged(ORDERS, "line_key", "Source, order, type and line; without a line number its position."),
)
def stg_orders(raw_orders: ir.Table) -> ir.Table:
    """A line of an order, refund or other money movement, said once; quantity 1, tax and fee 0 if not given."""
    rows = first_per_key(raw_orders, ORDERS, "line_key")
    return rows.mutate(
        quantity=rows.quantity.fill_null(1).cast("decimal(18, 4)"),
        tax=rows.tax.fill_null(0).cast(MONEY),
        fee=rows.fee.fill_null(0).cast(MONEY),
    )
