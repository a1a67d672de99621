"""What is sold: metrics of orders, customers and money (metric definitions 7 and 10)."""

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
_FX = "One rate per currency for the whole report; amounts in a currency without a rate are left out and listed."
_CHECK_MIX = "Open the waterfall: volume, price and mix, refunds; then new against returning customers and products."


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
    """Not come back whole; what was given away did not come back."""
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
    caveat=f"They belong to charges of earlier days, mostly; closed months stay closed. {_FX}",
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
    caveat=f"Weeks after the charge, so they say little about this window's orders. {_FX}",
    action="Look for a pattern in country, product and amount: it may be fraud.",
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
    caveat=f"May be negative. Not profit: fees and costs are not taken off. {_FX}",
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
    definition="Sum of amount minus tax of charges that are neither settled nor refused, by the date of the charge.",
    better="neutral",
    owner="finance",
    caveat=f"In no revenue figure. {_FX}",
    action="If it piles up, ask the payment provider what holds it.",
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
    definition="Processor's fees of succeeded movements, also of charges that were refunded later.",
    better="lower",
    owner="finance",
    caveat=f"A cost, not taken off revenue. {_FX}",
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
    caveat="The refunds are of other charges than those below the line; after a strong month it rises for a while.",
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
    definition="Order numbers with a succeeded charge, each once, by the date of its first.",
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
    caveat="What accountants file, not what customers ordered: a refund with a number of its own is a document.",
    action="For reconciling with the books; compare the number, then look for missing ones.",
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
    caveat="With customers who only returned something: those who bought are buyers. Rows without an id are nobody's.",
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
    caveat="Orders without a customer id are nobody's and not in it.",
    action="Split it into new and returning ones.",
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
    caveat="First in the data at hand: who bought before they begin looks new.",
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
    caveat="Who bought first and again inside the window is new, not returning; buyers = new + returning.",
    action="Look at the cohort table: which cohorts stay away?",
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
    definition="Customers with two or more orders in the window over customers with one or more; an order that came "
    "back whole is none.",
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
    caveat=f"Refunds of earlier orders lower it; a mean says nothing of the usual order where few are large. {_FX}",
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
    definition="Pieces on succeeded charges, by the date of the charge.",
    better="higher",
    owner="business",
    caveat="Before returns; pieces of different articles are not alike.",
    action="Look at the top products.",
    section="commerce",
)
