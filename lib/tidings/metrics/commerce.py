"""Metrics of orders, customers and money (metric definitions 7 and 10)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import ibis.expr.types as ir

from tidings.metrics.measures import distinct, money, number_where, ratio, total
from tidings.metrics.metric import Condition, Metric, Need, Number
from tidings.metrics.values import divided
from tidings.window import Window

_MOVES = "fct_transactions"
_ORDERS = "fct_orders"
REVERSALS = ("refund", "chargeback")
_CUSTOMER = Need(("customer_id",), "gives no customer id")
_FX = "One exchange rate per currency for the whole report; amounts without a rate are left out and listed."
_CHECK_MIX = (
    "Look at the waterfall (volume, price and mix, refunds), then at new against returning customers, then at products."
)


def _settled(moves: ir.Table) -> ir.BooleanValue:
    return moves.status == "succeeded"


def _charges(moves: ir.Table) -> ir.BooleanValue:
    return _settled(moves) & (moves.type == "charge")


def _of_type(kind: str) -> Condition:
    return lambda moves: _settled(moves) & (moves.type == kind)


def _revenue(moves: ir.Table) -> ir.BooleanValue:
    return _settled(moves) & moves.type.isin(("charge", *REVERSALS))


def _signed(moves: ir.Table) -> ir.DecimalColumn:
    return (moves.type == "charge").ifelse(moves.net, -moves.net)


def _kept(orders: ir.Table) -> ir.BooleanValue:
    """Not fully refunded; an order of 0 was never refunded."""
    return (orders.refunded < orders.gross) | (orders.refunded == 0)


def _per_customer(orders: ir.Table, keep: Sequence[str]) -> ir.Table:
    return orders.group_by([*keep, "customer_id"]).aggregate(orders=orders.count())


def _reversed_share(values: Mapping[str, Number], _: Window) -> Number:
    refunds, chargebacks = values["refunds"], values["chargebacks"]
    if refunds is None or chargebacks is None:
        return None
    return divided(Decimal(refunds) + Decimal(chargebacks), values["gross_revenue"])


gross_revenue = Metric(
    name="gross_revenue",
    title="Gross revenue",
    mart=_MOVES,
    kind="flow",
    unit="money",
    where=_charges,
    value=lambda moves: money(moves, moves.net),
    definition="Sum of amount minus tax of succeeded charges, by the date of the charge.",
    better="higher",
    owner="finance",
    caveat=f"Before refunds, chargebacks and fees. {_FX}",
    action=_CHECK_MIX,
    section="commerce",
)

refunds = Metric(
    name="refunds",
    title="Refunds",
    mart=_MOVES,
    kind="flow",
    unit="money",
    where=_of_type("refund"),
    value=lambda moves: money(moves, moves.net),
    definition="Sum of amount minus tax of succeeded refunds, by the date of the refund.",
    better="lower",
    owner="finance",
    caveat=f"Most belong to charges of earlier days; the months of these charges do not change. {_FX}",
    action="Split it by product and country, and read the newest refunds one by one.",
    section="commerce",
)

chargebacks = Metric(
    name="chargebacks",
    title="Chargebacks",
    mart=_MOVES,
    kind="flow",
    unit="money",
    where=_of_type("chargeback"),
    value=lambda moves: money(moves, moves.net),
    definition="Sum of amount minus tax of succeeded chargebacks, by the date of the chargeback.",
    better="lower",
    owner="finance",
    caveat=f"They come weeks after the charge, so they say little about this window's orders. {_FX}",
    action="Look for a pattern by country, product and amount: it may be fraud.",
    section="commerce",
)

net_revenue = Metric(
    name="net_revenue",
    title="Net revenue",
    mart=_MOVES,
    kind="flow",
    unit="money",
    where=_revenue,
    value=lambda moves: money(moves, _signed(moves)),
    definition="Gross revenue minus refunds minus chargebacks, each by its own date.",
    better="higher",
    owner="finance",
    caveat=f"May be negative. Not profit: fees and costs are not deducted. {_FX}",
    action=_CHECK_MIX,
    section="commerce",
)

pending = Metric(
    name="pending",
    title="Pending",
    mart=_MOVES,
    kind="flow",
    unit="money",
    where=lambda moves: (moves.status == "pending") & (moves.type == "charge"),
    value=lambda moves: money(moves, moves.net),
    definition="Sum of amount minus tax of charges that have not succeeded or failed yet, by the date of the charge.",
    better="neutral",
    owner="finance",
    caveat=f"Not part of any revenue metric. {_FX}",
    action="If it piles up, ask the payment provider why.",
    section="commerce",
)

fees = Metric(
    name="fees",
    title="Fees",
    mart=_MOVES,
    needs=(Need(("fee",), "gives no fees", table="raw_orders"),),
    kind="flow",
    unit="money",
    where=_settled,
    value=lambda moves: money(moves, moves.fee),
    definition="Processor's fees of succeeded movements, including charges refunded later.",
    better="lower",
    owner="finance",
    caveat=f"A cost, not deducted from revenue. {_FX}",
    action="Compare it with gross revenue: the share should be steady.",
    section="commerce",
)

refund_rate = Metric(
    name="refund_rate",
    title="Refund rate",
    inputs=("refunds", "chargebacks", "gross_revenue"),
    combine=_reversed_share,
    kind="ratio",
    unit="ratio",
    definition="Refunds and chargebacks over gross revenue of the same window, each by its own date.",
    better="lower",
    owner="finance",
    caveat="Most refunds belong to charges before the window, so it rises for a while after a strong month.",
    action="Split refunds by product and country, and read the newest ones one by one.",
    section="commerce",
)

orders = Metric(
    name="orders",
    title="Orders",
    mart=_ORDERS,
    kind="flow",
    unit="count",
    value=lambda orders: orders.count(),
    definition="Order numbers with a succeeded charge, each counted once, by the date of its first succeeded charge.",
    better="higher",
    owner="business",
    caveat="Orders refunded later still count; pending, failed and cancelled ones do not.",
    action="Split it by new and returning customers, then look at visits and visit conversion.",
    section="commerce",
)

order_documents = Metric(
    name="order_documents",
    title="Documents",
    mart=_MOVES,
    kind="distinct",
    unit="count",
    value=lambda moves: (moves._source + "/" + moves.order_id).nunique(),
    definition="Distinct numbers of orders, refunds and other movements, whatever their status.",
    better="neutral",
    owner="finance",
    caveat="Documents for accounting, not orders: a refund with a number of its own is a document, too.",
    action="Compare it with the number in the accounts, then look for missing documents.",
    section="commerce",
)

customers = Metric(
    name="customers",
    title="Customers",
    mart=_MOVES,
    needs=(_CUSTOMER,),
    kind="distinct",
    unit="count",
    where=_revenue,
    value=lambda moves: distinct(moves.customer_id),
    definition="Distinct customers with a succeeded charge, refund or chargeback.",
    better="higher",
    owner="business",
    caveat="Includes customers who only returned something (buyers does not). Rows without an id are left out.",
    action="Compare it with buyers, then split it by country.",
    section="commerce",
)

buyers = Metric(
    name="buyers",
    title="Buyers",
    mart=_ORDERS,
    needs=(_CUSTOMER,),
    kind="distinct",
    unit="count",
    value=lambda orders: distinct(orders.customer_id),
    definition="Distinct customers with at least one order.",
    better="higher",
    owner="business",
    caveat="Orders without a customer id are left out.",
    action="Split it into new and returning customers.",
    section="commerce",
)

new_customers = Metric(
    name="new_customers",
    title="New customers",
    mart=_ORDERS,
    needs=(_CUSTOMER,),
    kind="flow",
    unit="count",
    where=lambda orders: orders.is_first,
    value=lambda orders: distinct(orders.customer_id),
    definition="Customers whose first order ever is in the window.",
    better="higher",
    owner="marketing",
    caveat="First in the available data: a customer who bought before the data begins looks new.",
    action="Split it by country and origin, and compare it with visits by channel.",
    section="commerce",
)

returning_customers = Metric(
    name="returning_customers",
    title="Returning customers",
    mart=_ORDERS,
    needs=(_CUSTOMER,),
    kind="distinct",
    unit="count",
    value=lambda orders: distinct(orders.customer_id) - distinct(orders.customer_id, where=orders.is_first),
    definition="Customers with an order in the window whose first order ever was before it.",
    better="higher",
    owner="business",
    caveat="A first and second order inside the window make a customer new, not returning; buyers = new + returning.",
    action="Look at the cohort table for cohorts that stopped buying.",
    section="commerce",
)

repeat_rate = Metric(
    name="repeat_rate",
    title="Repeat rate",
    mart=_ORDERS,
    needs=(_CUSTOMER,),
    kind="ratio",
    unit="ratio",
    where=lambda orders: orders.customer_id.nullif("").notnull() & _kept(orders),
    regroup=_per_customer,
    value=lambda customers: ratio(number_where(customers.orders >= 2), customers.count()),
    definition="Customers with two or more orders in the window over customers with one or more; fully refunded orders "
    "do not count.",
    better="higher",
    owner="business",
    caveat="Grows with the length of the window; compare windows of equal length only.",
    action="Look at cohort retention and at the time between orders.",
    section="commerce",
)

average_order_value = Metric(
    name="average_order_value",
    title="Average order value",
    mart=_MOVES,
    kind="ratio",
    unit="money",
    where=_revenue,
    value=lambda moves: ratio(money(moves, _signed(moves)), number_where(moves.is_order & moves.fx.notnull())),
    definition="Net revenue over orders of the same window.",
    better="higher",
    owner="business",
    caveat=f"Refunds of earlier orders lower it; a few large orders raise it above the typical order. {_FX}",
    action="Look at price and mix in the waterfall and at the top products.",
    section="commerce",
)

units = Metric(
    name="units",
    title="Units sold",
    mart=_MOVES,
    kind="flow",
    unit="count",
    where=_charges,
    value=lambda moves: total(moves.units),
    definition="Units sold on succeeded charges, by the date of the charge.",
    better="higher",
    owner="business",
    caveat="Before returns; adds up units of different products.",
    action="Look at the top products.",
    section="commerce",
)
