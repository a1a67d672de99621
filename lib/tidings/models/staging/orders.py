"""Orders, cleaned."""

from __future__ import annotations

import ibis.expr.types as ir

from tidings.feeds import MONEY, ORDERS
from tidings.models.staging.landed import first_per_key, staging


@staging(ORDERS)
def stg_orders(raw_orders: ir.Table) -> ir.Table:
    """A line of an order, refund or other money movement, deduplicated; quantity 1, tax and fee 0 if not given."""
    rows = first_per_key(raw_orders, ORDERS)
    return rows.mutate(
        quantity=rows.quantity.fill_null(1).cast("decimal(18, 4)"),
        tax=rows.tax.fill_null(0).cast(MONEY),
        fee=rows.fee.fill_null(0).cast(MONEY),
    )
