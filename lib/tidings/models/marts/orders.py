"""Money movements: transactions, orders and their lines (metric definitions 7)."""

from __future__ import annotations

from collections.abc import Sequence

import ibis
import ibis.expr.types as ir

from tidings.feeds import MONEY, ORDERS
from tidings.models.model import AsOf, model
from tidings.schema import Column, joined

RETURNED = ("refund", "chargeback")
STATUSES = ("succeeded", "pending", "failed", "canceled")
_STATUS = Column("!string", "Status of the movement.", values=STATUSES)
_COMMON = {**{name: ORDERS.columns[name] for name in ("order_id", "ts", "type")}, "status": _STATUS}
_COMMON["customer_id"] = ORDERS.columns["customer_id"]
_NET = Column(f"!{MONEY}", "Amount minus tax, never negative.")
_UNITS = "decimal(18, 4)"
_ORDER = ("_source", "order_id", "currency")


@model(
    grain="movement of money: order number, type, status and time, or its own id",
    key=("transaction_key",),
    columns={
        "transaction_key": Column("!string", "Source, order number, type, status, currency, and time or own id."),
        **_COMMON,
        "movement_id": ORDERS.columns["movement_id"],
        "amount": Column(f"!{MONEY}", "Sum of the lines, tax included, never negative."),
        "tax": Column(f"!{MONEY}", "Tax inside the amount."),
        "net": _NET,
        "fee": Column(f"!{MONEY}", "Processor's fee."),
        "currency": ORDERS.columns["currency"],
        "units": Column(f"!{_UNITS}", "Pieces."),
        "lines": Column("!int64", "Lines.", minimum=1),
        "is_order": Column(
            "!boolean", "True for the first succeeded charge of an order number, at which the order is counted."
        ),
        "refund_of": ORDERS.columns["refund_of"],
        "origin": Column(
            "string", "Where the revenue comes from; a refund or chargeback has that of its charge, if known."
        ),
        "country": Column(
            "string", "Country of the buyer, as given; a refund or chargeback without one has that of its charge."
        ),
        "_source": Column("!string", "Source that reported it."),
        "_pull": Column("!int64", "Load of its first line."),
        "_line": Column("!int64", "Position of its first line in the input, from 1."),
    },
    fresh_hours=48,
    money="report",
)
def fct_transactions(stg_orders: ir.Table) -> ir.Table:
    """A money movement with its own date: the lines of one order number that share type, status, time and currency.

    A movement with an id of its own is one row whatever the times of its lines, dated by the first.
    Customer, origin, country and refunded order are the first value among its lines.
    """
    lines = _lines(stg_orders)
    lines = lines.mutate(moved_at=ibis.ifelse(lines.movement_id.isnull(), lines.ts, ibis.null("timestamp(6)")))
    group = ["_source", "order_id", "type", "status", "currency", "movement_id", "moved_at"]
    lines = lines.mutate(
        nth=ibis.row_number().over(ibis.window(group_by=group, order_by=["ts", "_pull", "_line", "line_key"]))
    )
    rows = lines.group_by(group).aggregate(
        ts=lines.ts.min(),
        amount=lines.amount.sum().cast(MONEY),
        tax=lines.tax.sum().cast(MONEY),
        fee=lines.fee.sum().cast(MONEY),
        units=lines.quantity.sum().cast(_UNITS),
        lines=lines.count(),
        **_firsts(lines, ("customer_id", "refund_of", "origin", "country", "_pull", "_line")),
    )
    charged = (rows.type == "charge") & (rows.status == "succeeded")
    of_order = ibis.window(group_by=[*_ORDER, charged], order_by=["ts", "_pull", "_line", "movement_id"])
    own = ibis.ifelse(
        rows.movement_id.isnull(),
        ibis.literal("@") + rows.moved_at.cast("string"),
        ibis.literal("#") + rows.movement_id,
    )
    rows = rows.mutate(
        transaction_key=joined(rows._source, rows.order_id, rows.type, rows.status, rows.currency, own),
        net=(rows.amount - rows.tax).cast(MONEY),
        is_order=charged & (ibis.row_number().over(of_order) == 0),
    )
    return _as_charged(rows, lines).select(*fct_transactions.contract.columns)


def _money_so_far(fct_orders: ir.Table, fct_transactions: ir.Table) -> ir.Table:
    """Charges and refunds up to `as_of` only: later ones were not known yet (C12)."""
    return money_of_orders(fct_orders, fct_transactions.filter(fct_transactions.status == "succeeded"))


@model(
    grain="order number with a succeeded charge",
    key=("order_key",),
    columns={
        "order_id": ORDERS.columns["order_id"],
        "order_key": Column("!string", "Source, order number and currency."),
        "ts": Column("!timestamp(6)", "Time of the first succeeded charge."),
        "customer_id": ORDERS.columns["customer_id"],
        "gross": Column(f"!{MONEY}", "Amount minus tax of all its succeeded charges."),
        "tax": Column(f"!{MONEY}", "Tax on top."),
        "fee": Column(f"!{MONEY}", "Processor's fee."),
        "refunded": Column(
            f"!{MONEY}", "Succeeded refunds and chargebacks of the order, net of tax, whatever their date."
        ),
        "net": Column(f"!{MONEY}", "Gross minus refunded; negative if more was refunded than paid."),
        "currency": ORDERS.columns["currency"],
        "units": Column(f"!{_UNITS}", "Pieces."),
        "lines": Column("!int64", "Lines.", minimum=1),
        "origin": ORDERS.columns["origin"],
        "country": ORDERS.columns["country"],
        "order_number": Column(
            "int64", "Number of the order among the customer's orders, from 1; null without a customer.", minimum=1
        ),
        "is_first": Column("boolean", "True for the customer's first order; null without a customer."),
        "previous_ts": Column("timestamp(6)", "Time of the customer's previous order; null for the first."),
        "_source": Column("!string", "Source that reported it."),
    },
    fresh_hours=48,
    as_of=AsOf(function=_money_so_far),
)
def fct_orders(fct_transactions: ir.Table) -> ir.Table:
    """An order, counted once at its first succeeded charge, with all that was ever charged and refunded for it.

    A customer's orders are numbered by the time of that charge.
    """
    moved = fct_transactions.filter(fct_transactions.status == "succeeded")
    charges = moved.filter(moved.type == "charge")
    nth = ibis.row_number().over(ibis.window(group_by=_ORDER, order_by=["ts", "_pull", "_line", "transaction_key"]))
    charges = charges.mutate(nth=nth)
    rows = charges.group_by(_ORDER).aggregate(
        ts=charges.ts.min(), **_firsts(charges, ("customer_id", "origin", "country", "_pull", "_line"))
    )
    rows = money_of_orders(rows, moved)
    of_customer = ibis.window(
        group_by="customer_id", order_by=["ts", "_source", "_pull", "_line", "order_id", "currency"]
    )
    rows = rows.mutate(
        number=(ibis.row_number().over(of_customer) + 1).cast("int64"), before=rows.ts.lag().over(of_customer)
    )
    known = rows.customer_id.notnull()
    return rows.mutate(
        order_key=joined(rows._source, rows.order_id, rows.currency),
        order_number=ibis.ifelse(known, rows.number, ibis.null("int64")),
        is_first=ibis.ifelse(known, rows.number == 1, ibis.null("boolean")),
        previous_ts=ibis.ifelse(known, rows.before, ibis.null("timestamp(6)")),
    ).select(*fct_orders.contract.columns)


def money_of_orders(orders: ir.Table, moved: ir.Table) -> ir.Table:
    """Orders with gross, tax, fee, refunded, net, units and lines from the succeeded ones of the movements given."""
    charged = moved.type == "charge"
    order = ibis.ifelse(charged, moved.order_id, ibis.coalesce(moved.refund_of, moved.order_id))
    moved = moved.filter(moved.type.isin(("charge", *RETURNED)))
    sums = {
        "gross": moved.net.sum(where=charged),
        "tax": moved.tax.sum(where=charged),
        "fee": moved.fee.sum(where=charged),
        "refunded": moved.net.sum(where=~charged),
    }
    found = moved.group_by(_source=moved._source, order_id=order, currency=moved.currency).aggregate(
        **{name: sum_.fill_null(0).cast(MONEY) for name, sum_ in sums.items()},
        units=moved.units.sum(where=charged).fill_null(0).cast(_UNITS),
        # Engines sum integers into a wider type than Ibis declares.
        lines=moved.lines.cast("decimal(18, 0)").sum(where=charged).fill_null(0).cast("int64"),
    )
    kept = [name for name in orders.columns if name not in (*found.columns, "net") or name in _ORDER]
    rows = orders.select(*kept).join(found, list(_ORDER))
    return rows.mutate(net=(rows.gross - rows.refunded).cast(MONEY)).select(
        *(orders.columns if "net" in orders.columns else (*kept, *sums, "units", "lines", "net"))
    )


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
        "currency": ORDERS.columns["currency"],
        "origin": Column(
            "string", "Where the revenue comes from; a refund or chargeback has that of its charge, if known."
        ),
        "country": Column(
            "string", "Country of the buyer, as given; a refund or chargeback without one has that of its charge."
        ),
        "is_first": Column("boolean", "True if the order (for a refund, the refunded order) is the customer's first."),
        "_source": Column("!string", "Source that reported it."),
        "_line": Column("!int64", "Position in the input, from 1."),
    },
    fresh_hours=48,
)
def fct_order_lines(stg_orders: ir.Table, fct_orders: ir.Table) -> ir.Table:
    """A line of a money movement of any type and status; amounts are never negative, the type gives the direction."""
    orders = fct_orders.select("order_id", "currency", "_source", "is_first")
    lines = _lines(stg_orders)
    lines = _as_charged(lines, lines)
    ordered = ibis.ifelse(lines.type.isin(RETURNED), ibis.coalesce(lines.refund_of, lines.order_id), lines.order_id)
    lines = lines.mutate(ordered=ordered, net=(lines.amount - lines.tax).cast(MONEY))
    joined = lines.left_join(
        orders,
        [lines._source == orders._source, lines.ordered == orders.order_id, lines.currency == orders.currency],
    )
    return joined.select(lines, orders.is_first).select(*fct_order_lines.contract.columns)


@model(
    grain="order number and anomaly",
    key=("anomaly_key",),
    columns={
        "anomaly_key": Column("!string", "Source, order number, currency and anomaly."),
        "order_id": ORDERS.columns["order_id"],
        "ts": Column("!timestamp(6)", "Time of the movement that caused it, the last if there are several."),
        "anomaly": Column(
            "!string",
            "More was refunded than charged; a refund names an order without a charge; a charge has the status "
            "refunded without a date of the refund.",
            values=("refunded_above_charge", "refund_of_unknown_order", "refunded_without_date"),
        ),
        "amount": Column(f"!{MONEY}", "Amount net of tax: the excess over the charge, or the refund."),
        "currency": ORDERS.columns["currency"],
        "_source": Column("!string", "Source that reported it."),
    },
)
def dim_order_anomalies(stg_orders: ir.Table, fct_transactions: ir.Table, fct_orders: ir.Table) -> ir.Table:
    """Orders that look wrong. They are counted as reported, and listed here to be checked."""
    moved = fct_transactions.filter(fct_transactions.status == "succeeded", fct_transactions.type.isin(RETURNED))
    order = ibis.coalesce(moved.refund_of, moved.order_id)
    back = moved.group_by(_source=moved._source, order_id=order, currency=moved.currency).aggregate(
        ts=moved.ts.max(), back=moved.net.sum().cast(MONEY), is_named=moved.refund_of.notnull().cast("int64").max()
    )
    charged = fct_orders.select(*_ORDER, "gross")
    above = back.join(charged, list(_ORDER))
    above = above.filter(above.back > above.gross)
    # A refund with a number of its own names no order; many accounting systems keep it so.
    unknown = back.filter(back.is_named == 1).anti_join(
        fct_orders.select("_source", "order_id"), ["_source", "order_id"]
    )
    lines = _lines(stg_orders)
    undated = lines.filter(lines.is_undated)
    undated = undated.group_by(_ORDER).aggregate(
        ts=undated.ts.max(), amount=(undated.amount - undated.tax).sum().cast(MONEY)
    )
    found = (
        (above.mutate(amount=(above.back - above.gross).cast(MONEY)), "refunded_above_charge"),
        (unknown.mutate(amount=unknown.back), "refund_of_unknown_order"),
        (undated, "refunded_without_date"),
    )
    parts = [rows.select(*_ORDER, "ts", "amount", anomaly=ibis.literal(name)) for rows, name in found]
    rows = ibis.union(*parts)
    key = joined(rows._source, rows.order_id, rows.currency, rows.anomaly)
    return rows.mutate(anomaly_key=key).select(*dim_order_anomalies.contract.columns)


def _lines(stg_orders: ir.Table) -> ir.Table:
    """Lines with the four statuses of money; `is_undated` marks refunds whose date was not reported.

    A charge with the status "refunded" becomes two lines, the charge and a refund of all of it, unless refunds that
    name its order are reported.
    """
    called = stg_orders.status == "refunded"
    settled = stg_orders.mutate(
        status=ibis.ifelse(called, "succeeded", stg_orders.status), is_undated=ibis.literal(False)
    )
    reported = settled.filter(settled.type.isin(RETURNED), settled.status == "succeeded")
    reported = reported.select("_source", order_id=ibis.coalesce(reported.refund_of, reported.order_id)).distinct()
    whole = stg_orders.filter(called, stg_orders.type == "charge").anti_join(reported, ["_source", "order_id"])
    whole = whole.mutate(
        # Names of sources have no blank, so no other line has such a key.
        line_key=ibis.literal("refunded ") + whole.line_key,
        ts=ibis.coalesce(whole.refunded_at, whole.ts),
        type=ibis.literal("refund"),
        status=ibis.literal("succeeded"),
        refund_of=whole.order_id,
        fee=ibis.literal(0).cast(MONEY),
        movement_id=ibis.null("string"),
        is_undated=whole.refunded_at.isnull(),
    )
    return settled.union(whole.select(*settled.columns))


def _as_charged(rows: ir.Table, lines: ir.Table) -> ir.Table:
    """Rows whose refunds and chargebacks have the origin of the charge, and its customer and country if they lack them.

    Of several charges of an order the first with a value is taken, succeeded ones before others.
    """
    charges = lines.filter(lines.type == "charge")
    order_by = [(charges.status != "succeeded").cast("int64"), "ts", "_pull", "_line", "line_key"]
    charges = charges.mutate(
        nth=ibis.row_number().over(ibis.window(group_by=["_source", "order_id"], order_by=order_by))
    )
    known = charges.group_by(charged_by="_source", charge=charges.order_id).aggregate(
        **{f"charge_{name}": first for name, first in _firsts(charges, ("customer_id", "origin", "country")).items()}
    )
    came_back = rows.type.isin(RETURNED)
    rows = rows.mutate(charge_of=ibis.ifelse(came_back, ibis.coalesce(rows.refund_of, rows.order_id), None))
    joined = rows.left_join(known, [rows._source == known.charged_by, rows.charge_of == known.charge])
    return joined.mutate(
        origin=ibis.coalesce(joined.charge_origin, joined.origin),
        customer_id=ibis.coalesce(joined.customer_id, joined.charge_customer_id),
        country=ibis.coalesce(joined.country, joined.charge_country),
    ).select(*rows.columns)


def _firsts(rows: ir.Table, columns: Sequence[str]) -> dict[str, ir.Value]:
    """The first non-null value of each column, in the order of `nth`."""
    return {name: rows[name].argmin(rows.nth, where=rows[name].notnull()) for name in columns}
