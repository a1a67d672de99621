"""Feeds of App Store Connect."""

from __future__ import annotations

from collections.abc import Mapping

from tidings.feeds.enums.app_store import ANALYTICS_EVENTS, EVENTS, OFFER_TYPES, PRODUCT_TYPES
from tidings.feeds.feed import Feed
from tidings.feeds.remarks import Vocabulary, names
from tidings.schema import Column

_AMOUNT = "decimal(28, 8)"
_REPORT: Mapping[str, Column] = {
    "vendor": Column("!string", "Vendor number of the account."),
    "ts": Column("!timestamp(6)", "Midnight of the Pacific day, as if UTC."),
    "row": Column("!int64", "Number of the row in the day's report, from 1."),
}

APP_STORE_SALES = Feed(
    name="app_store_sales",
    doc="A row of the daily sales report: units of one product, version, country, price and device.",
    grain="row of a daily sales report",
    row_key_doc="Source, vendor, day and row.",
    staged_doc="Units and proceeds of one product, version, country, price and device on one day.",
    key=("vendor", "ts", "row"),
    columns={
        **_REPORT,
        "app_id": Column("!string", "Apple's number of the app or in-app purchase."),
        "sku": Column("!string", "SKU of the app or in-app purchase."),
        "parent_sku": Column("string", "SKU of the app that an in-app purchase belongs to."),
        "title": Column("string", "Name."),
        "app_version": Column("string", "Version of the app."),
        "product_type": Column("!string", "Apple's code of what was sold."),
        "product_class": Column(
            "!string", "download, redownload, update, purchase, restore, subscription or other, by Apple's code."
        ),
        "units": Column(f"!{_AMOUNT}", "Units; negative for refunds."),
        "proceeds": Column(f"!{_AMOUNT}", "Units x proceeds per unit, in `currency`."),
        "currency": Column("!string", "Currency of the proceeds."),
        "gross": Column(f"!{_AMOUNT}", "Units x price that customers paid, in `customer_currency`."),
        "customer_currency": Column("!string", "Currency of the price."),
        "country": Column("string", "ISO alpha-2 code."),
        "device": Column("string", "Device."),
        "subscription": Column("string", "New or Renewal."),
        "period": Column("string", "Length of a subscription."),
    },
    vocabularies=(
        Vocabulary(
            "product_type",
            names(*PRODUCT_TYPES),
            "product type",
            "in no count of downloads or updates; their money counts",
            "units",
            "units",
        ),
    ),
)

APP_STORE_SUBSCRIPTIONS = Feed(
    name="app_store_subscriptions",
    doc="A row of the daily subscription report: how many subscriptions there are at the end of the day.",
    grain="row of a daily subscription report",
    row_key_doc="Source, vendor, day and row.",
    staged_doc="How many subscriptions there are at the end of a day.",
    key=("vendor", "ts", "row"),
    columns={
        **_REPORT,
        "app_id": Column("!string", "Apple's number of the app."),
        "product": Column("!string", "Name of the subscription."),
        "country": Column("string", "ISO alpha-2 code."),
        "device": Column("string", "Device."),
        "active": Column("!int64", "Paid ones, at the full price or a lower one.", minimum=0),
        "trials": Column("!int64", "Free ones.", minimum=0),
        "billing_retry": Column("int64", "Whose payment failed.", minimum=0),
        "grace_period": Column("int64", "In their grace period.", minimum=0),
        "unknown_column": Column("string", "Columns that seem to count subscriptions, and are not known."),
        "unknown_count": Column("int64", "What they count: part of no figure.", minimum=0),
    },
    vocabularies=(
        Vocabulary("unknown_column", frozenset(), "column", counted="subscriptions", quantity="unknown_count"),
    ),
)

APP_STORE_SUBSCRIPTION_EVENTS = Feed(
    name="app_store_subscription_events",
    doc="A row of the daily subscription event report: counts of subscription events.",
    grain="row of a daily subscription event report",
    row_key_doc="Source, vendor, day and row.",
    staged_doc="Counts of subscription events of a day.",
    key=("vendor", "ts", "row"),
    columns={
        **_REPORT,
        "event": Column("!string", "What happened, in Apple's words."),
        "app_id": Column("!string", "Apple's number of the app."),
        "product": Column("!string", "Name of the subscription."),
        "offer": Column("string", "Kind of offer that it is about."),
        "country": Column("string", "ISO alpha-2 code."),
        "device": Column("string", "Device."),
        "reason": Column("string", "Why it was cancelled."),
        "quantity": Column("!int64", "How often."),
        "paid_periods": Column(
            "int64", "How many periods in a row were paid, trials not counted; null if not reported."
        ),
        "unclear": Column("string", "The event, if it is unknown whether its subscription was free."),
    },
    vocabularies=(
        Vocabulary("event", frozenset(EVENTS), "event", counted="subscriptions", quantity="quantity"),
        Vocabulary("offer", names(*OFFER_TYPES), "offer type", counted="subscriptions", quantity="quantity"),
        Vocabulary("unclear", frozenset(), "offer type (missing) of", counted="subscriptions", quantity="quantity"),
    ),
)

APP_STORE_ANALYTICS = Feed(
    name="app_store_analytics",
    doc="A row of an analytics report: store impressions and views, installs and deletions, sessions, crashes.",
    is_sparse=True,
    grain="row of an analytics report",
    row_key_doc="Source, app, day, report and row.",
    staged_doc="Store impressions and views, installs and deletions, sessions and crashes of an app on a day.",
    key=("app_id", "ts", "report", "row"),
    columns={
        "app_id": Column("!string", "Apple's number of the app."),
        "ts": Column("!timestamp(6)", "Midnight of the day (UTC)."),
        "report": Column("!string", "engagement, installs, sessions or crashes."),
        "row": Column("!int64", "Number of the row of the day in the report, from 1."),
        "event": Column("!string", "Impression, Page view, Install, Delete …; else what the report counts."),
        "app_version": Column("string", "Version of the app."),
        "device": Column("string", "Device."),
        "os": Column("string", "Version of the system."),
        "channel": Column("string", "Traffic source: Apple's source type."),
        "country": Column("string", "ISO alpha-2 code."),
        "count": Column("!int64", "How often.", minimum=0),
        "unique_count": Column("int64", "Different devices; must not be added up.", minimum=0),
        "processed": Column("!string", "Day on which Apple made the report."),
    },
    vocabularies=(Vocabulary("event", names(*ANALYTICS_EVENTS), "event", counted="times", quantity="count"),),
)

APP_STORE_REVIEWS = Feed(
    name="app_store_reviews",
    doc="A written review.",
    grain="review",
    row_key_doc="Source, app and review.",
    staged_doc="A written review, as last reported.",
    key=("app_id", "review_id"),
    columns={
        "app_id": Column("!string", "Apple's number of the app."),
        "review_id": Column("!string", "Id of the review."),
        "ts": Column("!timestamp(6)", "When it was written, UTC."),
        "rating": Column("!int64", "Stars.", minimum=1, maximum=5),
        "title": Column("string", "Title."),
        "body": Column("string", "Text."),
        "country": Column("string", "ISO alpha-2 code."),
    },
)
