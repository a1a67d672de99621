"""Feeds of Stripe."""

from __future__ import annotations

from collections.abc import Mapping

from tidings.feeds.enums.stripe import (
    BILLING_REASONS,
    INTERVALS,
    INVOICE_STATUSES,
    PAUSE_REASONS,
    REFUND_STATUSES,
    REPORTING_CATEGORIES,
    SUBSCRIPTION_STATUSES,
)
from tidings.feeds.feed import Feed
from tidings.feeds.remarks import Vocabulary, names
from tidings.schema import Column

_AMOUNT = "decimal(28, 8)"
_CURRENCY: Mapping[str, Column] = {"currency": Column("!string", "ISO code, upper case.")}

STRIPE_BALANCE = Feed(
    name="stripe_balance",
    doc="A balance transaction: a payment, a refund, a fee, a payout … in the currency of the balance.",
    grain="balance transaction",
    row_key_doc="Source and Stripe's id.",
    staged_doc="A balance transaction of Stripe: a payment, a refund, a fee, a payout …",
    key=("transaction_id",),
    columns={
        "transaction_id": Column("!string", "Stripe's id, txn_…."),
        "ts": Column("!timestamp(6)", "UTC instant at which it was made."),
        "available_at": Column("timestamp(6)", "UTC instant from which the money can be paid out."),
        "amount": Column(f"!{_AMOUNT}", "Amount in `currency`, below 0 for what leaves the balance."),
        "fee": Column(f"!{_AMOUNT}", "Fees taken of it, in `currency`."),
        "net": Column(f"!{_AMOUNT}", "Amount less fees."),
        **_CURRENCY,
        "type": Column("!string", "Type: charge, payment, refund, adjustment, payout …"),
        "category": Column("!string", "Accounting category: charge, refund, dispute, fee, payout …"),
        "status": Column("!string", "available or pending."),
        "source_id": Column("string", "What moved the money: a charge ch_…, a refund re_…, a payout po_…."),
    },
    vocabularies=(Vocabulary("category", names(*REPORTING_CATEGORIES), "reporting category", counted="movements"),),
)

STRIPE_REFUNDS = Feed(
    name="stripe_refunds",
    doc="A refund as it is now, in the currency that the buyer paid in.",
    grain="refund",
    row_key_doc="Source and Stripe's id.",
    staged_doc="A refund as it was at the last pull.",
    key=("refund_id",),
    columns={
        "refund_id": Column("!string", "Stripe's id, re_…."),
        "ts": Column("!timestamp(6)", "UTC instant at which it was made."),
        "amount": Column(f"!{_AMOUNT}", "What the buyer gets back, in `currency`.", minimum=0),
        **_CURRENCY,
        "status": Column("string", "pending, requires_action, succeeded, failed or canceled."),
        "reason": Column("string", "duplicate, fraudulent, requested_by_customer …; null where nobody gave one."),
        "charge_id": Column("string", "The charge that was refunded."),
        "transaction_id": Column("string", "The balance transaction, txn_…."),
    },
    vocabularies=(Vocabulary("status", names(*REFUND_STATUSES), "status of a refund", "kept as it is", "refunds"),),
)

STRIPE_SUBSCRIPTIONS = Feed(
    name="stripe_subscriptions",
    doc="A subscription as it is now; product and price are those of its first item.",
    grain="subscription",
    row_key_doc="Source and Stripe's id.",
    staged_doc="A subscription as it was at the last pull.",
    key=("subscription_id",),
    columns={
        "subscription_id": Column("!string", "Stripe's id, sub_…."),
        "ts": Column("!timestamp(6)", "UTC instant at which it was made."),
        "customer_id": Column("string", "Stripe's id of who has it, cus_….", personal=True),
        "status": Column(
            "!string", "incomplete, incomplete_expired, trialing, active, past_due, canceled, unpaid or paused."
        ),
        "started_at": Column("!timestamp(6)", "UTC instant from which it counts, trial included."),
        "trial_began_at": Column("timestamp(6)", "UTC instant at which its trial began."),
        "trial_ends_at": Column("timestamp(6)", "UTC instant at which its trial ends or ended."),
        "canceled_at": Column("timestamp(6)", "UTC instant at which it was cancelled; the paid time may run on."),
        "ended_at": Column("timestamp(6)", "UTC instant at which it ended."),
        "is_ending": Column("!boolean", "True if it ends with the period that runs."),
        "is_paused": Column("!boolean", "True while nothing is collected for it."),
        "has_price": Column("!boolean", "False for a plan that costs nothing."),
        "product": Column("!string", "Product, prod_…."),
        "price": Column("!string", "Price, price_…."),
        "unit_amount": Column(_AMOUNT, "Price of one, in `currency`; null where it depends on how many."),
        "quantity": Column("int64", "How many; null for what is metered."),
        "interval": Column("!string", "How often it is billed: month, year, 3 month …"),
        **_CURRENCY,
        "mrr": Column(_AMOUNT, "Its recurring revenue per month, 0 if it does not count; null if unknown."),
        "reason": Column("string", "Why it ends: cancellation_requested, payment_failed, payment_disputed."),
        "pause_reason": Column("string", "Why it is paused, where it is: pause_requested, final_payment_failure …"),
        "paused_at": Column("timestamp(6)", "UTC instant from which it is paused, where it is."),
        "is_on_trial": Column("boolean", "True while nothing is paid for it because of a trial, of whatever kind."),
    },
    vocabularies=(
        Vocabulary("status", names(*SUBSCRIPTION_STATUSES), "status", counted="subscriptions"),
        Vocabulary(
            "pause_reason",
            names(*PAUSE_REASONS),
            "reason of a pause",
            "taken for one of what was paid for",
            "subscriptions",
        ),
        Vocabulary(
            "interval", names(*INTERVALS, "none"), "interval", "worth 0 a month", "subscriptions", last_word=True
        ),
    ),
)

STRIPE_LEVELS = Feed(
    name="stripe_levels",
    doc="Subscriptions counted as they were on the day of a pull, by product and interval.",
    is_dense=True,
    grain="day of a pull, currency, product and interval",
    row_key_doc="Source, day, currency, product and interval.",
    staged_doc="Subscriptions counted as they were on the day of a pull.",
    key=("ts", "currency", "product", "interval"),
    columns={
        "ts": Column("!timestamp(6)", "Midnight of the UTC day on which they were counted."),
        **_CURRENCY,
        "product": Column("!string", "Product, prod_…."),
        "interval": Column("!string", "How often it is billed: month, year, 3 month …"),
        "mrr": Column(f"!{_AMOUNT}", "Recurring revenue per month, in `currency`."),
        "active_subscriptions": Column("!int64", "Subscriptions that are paid for, by their first item.", minimum=0),
        "active_trials": Column("!int64", "Subscriptions on trial, by their first item.", minimum=0),
    },
)

STRIPE_INVOICES = Feed(
    name="stripe_invoices",
    doc="An invoice as it is now.",
    grain="invoice",
    row_key_doc="Source and Stripe's id.",
    staged_doc="An invoice as it was at the last pull.",
    key=("invoice_id",),
    columns={
        "invoice_id": Column("!string", "Stripe's id, in_…."),
        "ts": Column("!timestamp(6)", "UTC instant at which it was made."),
        "number": Column("string", "Number; null for a draft."),
        "status": Column("string", "draft, open, paid, uncollectible or void."),
        "customer_id": Column("string", "Stripe's id of who gets it, cus_….", personal=True),
        "subscription_id": Column("string", "The subscription that it is for."),
        "reason": Column("string", "Why it was made: subscription_create, subscription_cycle, manual …"),
        **_CURRENCY,
        "subtotal": Column(f"!{_AMOUNT}", "Amount before discounts and tax, in `currency`."),
        "tax": Column(_AMOUNT, "Taxes, in `currency`; null if Stripe has not determined them (yet)."),
        "total": Column(f"!{_AMOUNT}", "Amount after discounts and tax; below 0 for a credit."),
        "amount_paid": Column(f"!{_AMOUNT}", "What was paid."),
        "amount_due": Column(f"!{_AMOUNT}", "The amount billed."),
        "finalized_at": Column("timestamp(6)", "UTC instant from which it could not be changed any more."),
        "paid_at": Column("timestamp(6)", "UTC instant at which it was paid."),
        "voided_at": Column("timestamp(6)", "UTC instant at which it was declared void."),
        "due_at": Column("timestamp(6)", "UTC instant until which it is to be paid, where it was sent."),
    },
    vocabularies=(
        Vocabulary("status", names(*INVOICE_STATUSES), "status of an invoice", "kept as it is", "invoices"),
        Vocabulary("reason", names(*BILLING_REASONS), "reason of an invoice", "kept as it is", "invoices"),
    ),
)
