"""The feed of RevenueCat's webhooks."""

from __future__ import annotations

from tidings.feeds.enums.revenuecat import ENVIRONMENTS, EVENT_TYPES, PERIOD_TYPES, REASONS, STORES
from tidings.feeds.feed import Feed
from tidings.feeds.remarks import Vocabulary, names
from tidings.schema import Column

_AMOUNT = "decimal(28, 8)"

REVENUECAT_EVENTS_DELIVERIES = Feed(
    name="revenuecat_events_deliveries",
    doc="A delivery of a webhook; the same event may have been delivered several times.",
    grain="event of a webhook",
    row_key="event_id",
    row_key_doc="Source and id of the event.",
    staged_doc="An event of a webhook, once however often it was delivered.",
    key=("event_id",),
    keeps="first",
    columns={
        "event_id": Column("!string", "Id of the event, the same in every delivery of it."),
        "ts": Column("!timestamp(6)", "UTC instant at which the event was made."),
        "type": Column("!string", "INITIAL_PURCHASE, RENEWAL, CANCELLATION, EXPIRATION …"),
        "environment": Column("string", "PRODUCTION or SANDBOX; always there for what is counted."),
        "app": Column("string", "App, app…; null for what was given away."),
        "store": Column("string", "Store, in lower case: app_store, play_store …"),
        "product": Column("string", "Product; sub:baseplan in the Play Store."),
        "new_product": Column("string", "Product after a change of product."),
        "country": Column("string", "ISO alpha-2 code."),
        "period_type": Column(
            "string", "TRIAL, INTRO, NORMAL, PROMOTIONAL or PREPAID; always there for what is counted."
        ),
        "reason": Column("string", "Why it was cancelled or expired; CUSTOMER_SUPPORT is a refund."),
        "is_trial_conversion": Column("!boolean", "True for the first payment after a trial."),
        "is_family_share": Column("!boolean", "True where somebody else in the family pays."),
        "renewal_number": Column("int64", "How many periods there were, from 1."),
        "purchased_at": Column("timestamp(6)", "UTC instant of the payment that it is about."),
        "expires_at": Column("timestamp(6)", "UTC instant at which the paid time ends."),
        "price": Column(_AMOUNT, "What was paid in `currency`, tax included; negative for a refund."),
        "currency": Column("string", "ISO code in which it was paid."),
        "price_usd": Column(_AMOUNT, "The same in US dollars, at RevenueCat's rate."),
        "tax_share": Column("float64", "Share of the price that is tax."),
        "commission_share": Column("float64", "Share of the price that the store keeps."),
    },
    vocabularies=(
        Vocabulary("type", names(*EVENT_TYPES), "type", counted="events"),
        Vocabulary("period_type", names(*PERIOD_TYPES), "type of a period", "in no count of subscriptions", "events"),
        Vocabulary("environment", names(*ENVIRONMENTS), "environment", counted="events"),
        Vocabulary("reason", names(*REASONS), "reason", "counted under its own name", "events"),
        Vocabulary("store", names(*STORES), "store", "counted under its own name", "events"),
    ),
)
