"""RevenueCat's names, as tables: types of events, periods, reasons, stores, statuses.

Sources: RevenueCat's documentation of webhooks ("Event types and fields", "Sample events") and the specification of its
API v2, against whose generated client a test holds them. A value that is in no table is landed, and named to whoever
pulls.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

EVENT_TYPES: Final[Mapping[str, Literal["counted", "other"]]] = {
    **dict.fromkeys(
        ("INITIAL_PURCHASE", "RENEWAL", "NON_RENEWING_PURCHASE", "CANCELLATION", "EXPIRATION", "REFUND_REVERSED"),
        "counted",
    ),
    # They start, end and pay nothing, or are covered by another event.
    **dict.fromkeys(
        (
            *("TEST", "UNCANCELLATION", "SUBSCRIPTION_PAUSED", "BILLING_ISSUE", "PRODUCT_CHANGE", "TRANSFER"),
            *("SUBSCRIPTION_EXTENDED", "TEMPORARY_ENTITLEMENT_GRANT", "INVOICE_ISSUANCE", "EXPERIMENT_ENROLLMENT"),
            *("VIRTUAL_CURRENCY_TRANSACTION", "SUBSCRIBER_ALIAS", "PURCHASE_REDEEMED", "PAYWALL_EVENT"),
        ),
        "other",
    ),
}
"""Types of webhook events, by whether they are counted."""

COUNTED: Final = tuple(name for name, kind in EVENT_TYPES.items() if kind == "counted")
PAYMENTS: Final = ("INITIAL_PURCHASE", "RENEWAL", "NON_RENEWING_PURCHASE")

PERIOD_TYPES: Final[Mapping[str, Literal["paid", "trial", "given"]]] = {
    "NORMAL": "paid",
    # A first period at another price; free ones are trials.
    "INTRO": "paid",
    "PREPAID": "paid",
    "TRIAL": "trial",
    "PROMOTIONAL": "given",
}
PAID_PERIODS: Final = tuple(name for name, kind in PERIOD_TYPES.items() if kind == "paid")

ENVIRONMENTS: Final = ("PRODUCTION", "SANDBOX")
REFUND: Final = "CUSTOMER_SUPPORT"
"""A refund if the amount is below 0, whoever gave it; else only access was revoked."""
REASONS: Final = (
    *(REFUND, "UNSUBSCRIBE", "BILLING_ERROR", "DEVELOPER_INITIATED", "PRICE_INCREASE", "UNKNOWN"),
    "SUBSCRIPTION_PAUSED",
)
"""Why something was cancelled or expired."""

STORES: Final = (
    *("amazon", "app_store", "mac_app_store", "paddle", "play_store", "promotional", "rc_billing", "roku", "stripe"),
    *("test_store", "external", "galaxy"),
)
SUBSCRIPTION_STATUSES: Final = (
    *("trialing", "active", "expired", "in_grace_period", "in_billing_retry", "paused", "unknown", "incomplete"),
)
