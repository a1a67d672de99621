"""Money movements: transactions, orders and their lines (metric definitions 7)."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from tidings.keys import joined
from tidings.model import Column, model
from tidings.sources.feeds import MONEY, ORDERS

_RETURNED = ("refund", "chargeback")
_COMMON = {name: ORDERS.columns[name] for name in ("order_id", "ts", "type", "status", "customer_id")}
_NET = Column(f"!{MONEY}", "Amount minus tax, never negative.")
_UNITS = "decimal(18, 4)"


@model(
    grain="order number, type and status",
    key=("transaction_key",),
    columns={
        "transaction_key": Column("!string", "Source, order number, type, status and currency."),
        **_COMMON,
        "amount": Column(f"!{MONEY}", "Sum of the lines, tax included, never negative."),
        "tax": Column(f"!{MONEY}", "Tax inside the amount."),
        "net": _NET,
        "fee": Column(f"!{MONEY}", "Processor's fee."),
        "currency": ORDERS.columns["currency"],
        "units": Column(f"!{_UNITS}", "Pieces."),
        "lines": Column("!int64", "Lines.", minimum=1),
        "refund_of": ORDERS.columns["refund_of"],
        "origin": ORDERS.columns["origin"],
        "country": ORDERS.columns["country"],
        "_source": Column("!string", "Source that said it."),
        "_pull": Column("!int64", "Landing of its first line."),
        "_line": Column("!int64", "Its first line: position in what was received, from 1."),
    },
    fresh_hours=48,
)
def fct_transactions(stg_orders: ir.Table) -> ir.Table:
    """A money movement: the lines of one order number with one type and status, and one currency if there are several.

    Customer, origin, country and refunded order are the first that a line gives.
    """
    group = ["_source", "order_id", "type", "status", "currency"]
    lines = stg_orders.mutate(
        nth=ibis.row_number().over(ibis.window(group_by=group, order_by=["ts", "_pull", "_line", "line_key"]))
    )

    def first(column: str) -> ir.Value:
        return lines[column].argmin(lines.nth, where=lines[column].notnull())

    rows = lines.group_by(group).aggregate(
        ts=lines.ts.min(),
        customer_id=first("customer_id"),
        amount=lines.amount.sum().cast(MONEY),
        tax=lines.tax.sum().cast(MONEY),
        fee=lines.fee.sum().cast(MONEY),
        units=lines.quantity.sum().cast(_UNITS),
        lines=lines.count(),
        refund_of=first("refund_of"),
        origin=first("origin"),
        country=first("country"),
        _pull=first("_pull"),
        _line=first("_line"),
    )
    key = joined(*(rows[name] for name in group))
    return rows.select(
        *("order_id", "ts", "type", "status", "customer_id", "amount", "tax", "fee", "currency", "units", "lines"),
        *("refund_of", "origin", "country", "_source", "_pull", "_line"),
        transaction_key=key,
        net=(rows.amount - rows.tax).cast(MONEY),
    ).select(*fct_transactions.contract.columns)


@model(
    grain="succeeded charge (one order number)",
    key=("order_key",),
    columns={
        "order_id": ORDERS.columns["order_id"],
        "order_key": Column("!string", "Source, order number and currency."),
        "ts": ORDERS.columns["ts"],
        "customer_id": ORDERS.columns["customer_id"],
        "gross": _NET,
        "tax": Column(f"!{MONEY}", "Tax on top."),
        "fee": Column(f"!{MONEY}", "Processor's fee."),
        "refunded": Column(
            f"!{MONEY}", "Succeeded refunds and chargebacks that name it, net of tax, whenever they came."
        ),
        "net": Column(f"!{MONEY}", "Gross minus refunded; negative if more came back than was paid."),
        "currency": ORDERS.columns["currency"],
        "units": Column(f"!{_UNITS}", "Pieces."),
        "lines": Column("!int64", "Lines.", minimum=1),
        "origin": ORDERS.columns["origin"],
        "country": ORDERS.columns["country"],
        "order_number": Column(
            "int64", "The customer's how manieth order, from 1; null without a customer.", minimum=1
        ),
        "is_first": Column("boolean", "True for the customer's first order; null without a customer."),
        "previous_ts": Column("timestamp(6)", "The customer's order before; null for the first."),
        "_source": Column("!string", "Source that said it."),
    },
    fresh_hours=48,
)
def fct_orders(fct_transactions: ir.Table) -> ir.Table:
    """A succeeded charge, what came back of it, and which order of its customer it was (in order of time, C5)."""
    moved = fct_transactions.filter(fct_transactions.status == "succeeded")
    charges = moved.filter(moved.type == "charge")
    returned = moved.filter(moved.type.isin(_RETURNED))
    order = {"_source": returned._source, "order_id": ibis.coalesce(returned.refund_of, returned.order_id)}
    returned = returned.group_by(**order, currency=returned.currency).aggregate(refunded=returned.net.sum().cast(MONEY))
    rows = charges.left_join(returned, ["_source", "order_id", "currency"])
    rows = rows.select(charges, refunded=returned.refunded.fill_null(0).cast(MONEY))
    of_customer = ibis.window(
        group_by="customer_id", order_by=["ts", "_source", "_pull", "_line", "order_id", "currency"]
    )
    rows = rows.mutate(
        number=(ibis.row_number().over(of_customer) + 1).cast("int64"), before=rows.ts.lag().over(of_customer)
    )
    known = rows.customer_id.notnull()
    return rows.select(
        *("order_id", "ts", "customer_id", "tax", "fee", "refunded"),
        *("currency", "units", "lines", "origin", "country", "_source"),
        order_key=joined(rows._source, rows.order_id, rows.currency),
        gross=rows.net,
        net=(rows.net - rows.refunded).cast(MONEY),
        order_number=ibis.ifelse(known, rows.number, ibis.null("int64")),
        is_first=ibis.ifelse(known, rows.number == 1, ibis.null("boolean")),
        previous_ts=ibis.ifelse(known, rows.before, ibis.null("timestamp(6)")),
    ).select(*fct_orders.contract.columns)


@model(
    grain="line of a money movement",
    key=("line_key",),
    columns={
        "line_key": Column("!string", "Source, order, type and line; without a line number its position."),
        **_COMMON,
        **{name: ORDERS.columns[name] for name in ("product_id", "product", "category", "quantity", "unit_price")},
        "amount": ORDERS.columns["amount"],
        "tax": Column(f"!{MONEY}", "Tax inside the amount."),
        "net": _NET,
        **{name: ORDERS.columns[name] for name in ("currency", "origin", "country")},
        "is_first": Column("boolean", "True if the order (of a refund: the refunded order) is its customer's first."),
        "_source": Column("!string", "Source that said it."),
        "_line": Column("!int64", "Position in what was received, from 1."),
    },
    fresh_hours=48,
)
def fct_order_lines(stg_orders: ir.Table, fct_orders: ir.Table) -> ir.Table:
    """A line of a money movement, of every type and status; amounts are never negative, the type says which way."""
    orders = fct_orders.select("order_id", "currency", "_source", "is_first")
    ordered = ibis.ifelse(
        stg_orders.type.isin(_RETURNED), ibis.coalesce(stg_orders.refund_of, stg_orders.order_id), stg_orders.order_id
    )
    lines = stg_orders.mutate(ordered=ordered)
    joined = lines.left_join(
        orders,
        [lines._source == orders._source, lines.ordered == orders.order_id, lines.currency == orders.currency],
    )
    rows = joined.select(lines, orders.is_first)
    return rows.mutate(net=(rows.amount - rows.tax).cast(MONEY)).select(*fct_order_lines.contract.columns)
