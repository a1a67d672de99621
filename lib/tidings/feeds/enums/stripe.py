"""Stripe's names, as tables: statuses, reasons, intervals, categories of balance transactions.

Sources: the types of the official client `stripe` 16.1.0 (API version 2026-10-28.endive), against which a test holds
them, and Stripe's page on reporting categories, which the types leave open. A value that is in no table is landed,
named to whoever pulls, and in no figure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

Standing = Literal["paid", "trial", "paused", "over", "never"]
SUBSCRIPTION_STATUSES: Final[Mapping[str, Standing]] = {
    "active": "paid",
    "past_due": "paid",
    "trialing": "trial",
    # Nothing is billed for either; both may have been paid for before.
    "paused": "paused",
    "unpaid": "over",
    "canceled": "over",
    "incomplete": "never",
    "incomplete_expired": "never",
}
"""Statuses of a subscription, by the state of its payments."""

NEVER_BEGAN: Final = tuple(status for status, standing in SUBSCRIPTION_STATUSES.items() if standing == "never")
COUNTED: Final = tuple(status for status, standing in SUBSCRIPTION_STATUSES.items() if standing == "paid")

PAUSED_AFTER_TRIAL: Final = "trial_end_without_payment_method"
PAUSE_REASONS: Final = (
    PAUSED_AFTER_TRIAL,
    *("pause_requested", "first_payment_failure", "final_payment_failure", "system"),
)
"""`status_details.paused.subscription.type`: all except the first may stop something that was paid for."""

INTERVALS: Final = ("day", "week", "month", "year")
USAGE_TYPES: Final = ("licensed", "metered")
BILLING_SCHEMES: Final = ("per_unit", "tiered")
TIERS_MODES: Final = ("graduated", "volume")

INVOICE_STATUSES: Final = ("draft", "open", "paid", "uncollectible", "void")
BILLING_REASONS: Final = (
    *("automatic_pending_invoice_item_invoice", "manual", "quote_accept", "subscription", "subscription_create"),
    *("subscription_cycle", "subscription_threshold", "subscription_update", "upcoming"),
)
TAX_STATUSES: Final = ("complete", "failed", "requires_location_inputs")
"""`automatic_tax.status`: only after the first the taxes of an invoice are known."""

REFUND_STATUSES: Final = ("pending", "requires_action", "succeeded", "failed", "canceled")

Movement = Literal["sale", "refund", "dispute", "cost", "other", "transfer"]
REPORTING_CATEGORIES: Final[Mapping[str, Movement]] = {
    **dict.fromkeys(("charge", "charge_failure", "partial_capture_reversal"), "sale"),
    **dict.fromkeys(("refund", "refund_failure"), "refund"),
    **dict.fromkeys(("dispute", "dispute_reversal"), "dispute"),
    **dict.fromkeys(("fee", "network_cost", "tax"), "cost"),
    # Corrections, and what a platform earns from the sales of others.
    **dict.fromkeys(("other_adjustment", "platform_earning", "platform_earning_refund"), "other"),
    # Moves money that was counted before, or that is not earned: payouts, reserves, loans, card issuing.
    **dict.fromkeys(
        (
            *("payout", "payout_reversal", "payout_minimum_balance_hold", "payout_minimum_balance_release"),
            *("topup", "topup_reversal", "transfer", "transfer_reversal", "connect_collection_transfer"),
            *("connect_reserved_funds", "risk_reserved_funds", "contribution", "currency_conversion"),
            *("advance", "advance_funding", "anticipation_repayment", "obligation", "obligation_reversal"),
            *("financing_payout", "financing_payout_reversal", "financing_paydown", "financing_paydown_reversal"),
            *("climate_order_purchase", "climate_order_refund", "inbound_transfer", "inbound_transfer_reversal"),
            *("issuing_authorization_hold", "issuing_authorization_release", "issuing_transaction"),
            *("issuing_dispute", "issuing_dispute_fraud_liability_debit", "issuing_dispute_provisional_credit"),
            *("issuing_disbursement", "unreconciled_customer_funds", "payment_network_reserve_hold"),
            *("payment_network_reserve_release", "reserve_hold", "reserve_release", "fee_credit_funding"),
        ),
        "transfer",
    ),
}
"""Reporting categories of balance transactions, by their meaning for the business."""


def moved(*movements: Movement) -> tuple[str, ...]:
    """The reporting categories of these movements."""
    return tuple(name for name, movement in REPORTING_CATEGORIES.items() if movement in movements)
