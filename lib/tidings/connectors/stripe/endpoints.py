"""Stripe's endpoints, with their known fields and those that are never kept."""

from __future__ import annotations

from typing import Final

from tidings.connectors.stripe.records import (
    parse_invoice,
    parse_level,
    parse_refund,
    parse_subscription,
    parse_transaction,
)
from tidings.feeds.stripe import STRIPE_BALANCE, STRIPE_INVOICES, STRIPE_LEVELS, STRIPE_REFUNDS, STRIPE_SUBSCRIPTIONS
from tidings.sources.api.endpoint import ApiEndpoint

_HISTORY_DAYS: Final = 730

BALANCE: Final = ApiEndpoint(
    name="balance",
    feed=STRIPE_BALANCE,
    doc="Movements of the balance.",
    # The longest that money is pending.
    lookback_days=10,
    history_days=_HISTORY_DAYS,
    parse=parse_transaction,
    fields=(
        *("id", "object", "amount", "available_on", "balance_type", "created", "currency", "exchange_rate", "fee"),
        *("fee_details", "net", "reporting_category", "source", "status", "type"),
    ),
)
REFUNDS: Final = ApiEndpoint(
    name="refunds",
    feed=STRIPE_REFUNDS,
    doc="Refunds, with the reason.",
    # A bank may return one weeks later.
    lookback_days=60,
    history_days=_HISTORY_DAYS,
    parse=parse_refund,
    fields=("id", "object", "amount", "balance_transaction", "charge", "created", "currency", "reason", "status"),
    forget=(
        *(
            "customer",
            "customer_account",
            "destination_details",
            "receipt_number",
            "instructions_email",
            "next_action",
            "payment_intent",
        ),
        *("source_transfer_reversal", "transfer_reversal", "payment_method", "presentment_details"),
        *("failure_balance_transaction", "failure_reason", "pending_reason"),
    ),
)
SUBSCRIPTIONS: Final = ApiEndpoint(
    name="subscriptions",
    feed=STRIPE_SUBSCRIPTIONS,
    doc="All subscriptions, ended ones too.",
    full_refresh=True,
    parse=parse_subscription,
    fields=(
        *("id", "object", "billing_cycle_anchor", "cancel_at", "cancel_at_period_end", "canceled_at"),
        *("cancellation_details", "collection_method", "created", "currency", "customer", "discounts", "ended_at"),
        *("items", "livemode", "pause_collection", "start_date", "status", "trial_end"),
        *("trial_start", "tiers", "coupons", "trial_offers", "asked_at"),
    ),
    # Present for paused ones only.
    optional=("status_details",),
    forget=(
        *("application", "application_fee_percent", "automatic_tax", "billing_cycle_anchor_config", "billing_mode"),
        *("billing_schedules", "billing_thresholds", "customer_account", "days_until_due", "default_payment_method"),
        *("default_source", "default_tax_rates", "invoice_settings", "latest_invoice", "managed_payments"),
        *("next_pending_invoice_item_invoice", "on_behalf_of", "payment_settings", "pending_invoice_item_interval"),
        *("pending_setup_intent", "pending_update", "presentment_details", "schedule", "test_clock", "transfer_data"),
        "trial_settings",
    ),
)
LEVELS: Final = ApiEndpoint(
    name="levels",
    feed=STRIPE_LEVELS,
    doc="Recurring revenue, active subscriptions and trials as they are now, by product.",
    snapshot=True,
    parse=parse_level,
)
INVOICES: Final = ApiEndpoint(
    name="invoices",
    feed=STRIPE_INVOICES,
    doc="All invoices.",
    full_refresh=True,
    parse=parse_invoice,
    fields=(
        *("id", "object", "amount_due", "amount_overpaid", "amount_paid", "amount_remaining", "amount_shipping"),
        "automatic_tax",
        *("attempt_count", "attempted", "billing_reason", "collection_method", "created", "currency"),
        *("customer", "due_date", "effective_at", "ending_balance", "livemode", "next_payment_attempt", "number"),
        *("parent", "period_end", "period_start", "post_payment_credit_notes_amount"),
        *("pre_payment_credit_notes_amount", "starting_balance", "status", "status_transitions", "subtotal"),
        *("subtotal_excluding_tax", "total", "total_discount_amounts", "total_excluding_tax"),
        *("total_pretax_credit_amounts", "total_taxes"),
    ),
    optional=("amount_paid_off_stripe", "auto_advance", "status_details"),
    forget=(
        *(
            "account_country",
            "account_name",
            "account_tax_ids",
            "application",
            "automatically_finalizes_at",
        ),
        *("confirmation_secret", "custom_fields", "customer_account", "customer_address", "customer_email"),
        *("customer_name", "customer_phone", "customer_shipping", "customer_tax_exempt", "customer_tax_ids"),
        *("default_payment_method", "default_source", "default_tax_rates", "discounts", "footer", "from_invoice"),
        # Anyone with these URLs can see the invoice.
        *("hosted_invoice_url", "invoice_pdf"),
        *("issuer", "last_finalization_error", "latest_revision", "lines", "on_behalf_of", "payment_settings"),
        *("payments", "receipt_number", "rendering", "shipping_cost", "shipping_details", "statement_descriptor"),
        *("test_clock", "threshold_reason", "webhooks_delivered_at"),
    ),
)
ENDPOINTS: Final = (BALANCE, REFUNDS, SUBSCRIPTIONS, LEVELS, INVOICES)
"""In the order of requests: levels after subscriptions need not read these again."""
