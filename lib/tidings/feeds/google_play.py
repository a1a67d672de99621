"""Feeds of the Google Play Console."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from tidings.feeds.enums.google_play import FINANCIAL_STATUSES, TRANSACTION_TYPES
from tidings.feeds.feed import Feed
from tidings.feeds.remarks import Vocabulary, names
from tidings.schema import Column

_AMOUNT = "decimal(28, 8)"
_BREAKDOWN: Mapping[str, Column] = {
    "package": Column("!string", "Package name of the app."),
    "ts": Column("!timestamp(6)", "Midnight of the day (Pacific), as if UTC."),
    "breakdown": Column("!string", "overview (the total), country, app_version …"),
    "name": Column("!string", "The country, version … itself; all for the total, (unknown) where Google names none."),
}

_by_breakdown = partial(
    Feed,
    grain="package, day and breakdown",
    row_key_doc="Source, package, day, breakdown and name.",
    key=("package", "ts", "breakdown", "name"),
)

GOOGLE_PLAY_INSTALLS = _by_breakdown(
    name="google_play_installs",
    doc="Installs of an app on one day, as a total and by country or version.",
    columns={
        **_BREAKDOWN,
        "installs": Column("int64", "Users who installed the app, and had it on no other device.", minimum=0),
        "uninstalls": Column("int64", "Users who removed it from all devices.", minimum=0),
        "updates": Column("int64", "Devices that got a newer version.", minimum=0),
        "active_devices": Column("int64", "Devices that have it.", minimum=0),
    },
)
GOOGLE_PLAY_CRASHES = _by_breakdown(
    name="google_play_crashes",
    doc="Crashes of an app on one day, as a total and by version.",
    columns={
        **_BREAKDOWN,
        "crashes": Column("int64", "Crashes that were sent in.", minimum=0),
        "anrs": Column("int64", "Times it did not respond.", minimum=0),
    },
)
GOOGLE_PLAY_RATINGS = _by_breakdown(
    name="google_play_ratings",
    doc="Stars of an app on one day, as a total and by country; the number of ratings is not reported.",
    staged_doc="Stars of an app on one day, as a total and by country.",
    columns={
        **_BREAKDOWN,
        "daily_average": Column("float64", "Mean of the day's ratings; null without any.", minimum=1, maximum=5),
        "total_average": Column("float64", "Mean of all ratings so far.", minimum=1, maximum=5),
    },
)
GOOGLE_PLAY_STORE = Feed(
    name="google_play_store",
    doc="Visitors of the store page on one day, by country or by where they came from.",
    grain="row of a store performance file",
    row_key_doc="Source, package, day, breakdown and row.",
    staged_doc="Visitors of the store page on one day by country or by where they came from.",
    key=("package", "ts", "breakdown", "row"),
    columns={
        **_BREAKDOWN,
        "row": Column("!int64", "Number of the row in the month's file, from 1."),
        "search_term": Column("string", "What was searched for."),
        "utm_source": Column("string", "utm_source of the link."),
        "utm_campaign": Column("string", "utm_campaign of the link."),
        "visitors": Column("int64", "Visitors who did not have the app.", minimum=0),
        "acquisitions": Column("int64", "Of them those who installed it.", minimum=0),
    },
)
GOOGLE_PLAY_SUBSCRIPTIONS = Feed(
    name="google_play_subscriptions",
    doc="Subscriptions of a product on one day by country.",
    grain="package, product, day and country",
    key=("package", "product", "ts", "country"),
    columns={
        "package": Column("!string", "Package name of the app."),
        "product": Column("!string", "Id of the subscription."),
        "ts": Column("!timestamp(6)", "Midnight of the day (Pacific), as if UTC."),
        "country": Column("!string", "ISO alpha-2 code; (unknown) where Google names none."),
        "begun": Column("int64", "New ones.", minimum=0),
        "cancelled": Column("int64", "Cancelled ones.", minimum=0),
        "active": Column("int64", "Active ones at the end of the day.", minimum=0),
    },
)
GOOGLE_PLAY_SALES = Feed(
    name="google_play_sales",
    doc="A row of the estimated sales: what a buyer was charged, or got back.",
    is_sparse=True,
    grain="row of a sales file",
    row_key_doc="Source, month and row.",
    staged_doc="What a buyer was charged, or got back.",
    key=("month", "row"),
    columns={
        "month": Column("!string", "Month of the file, YYYYMM."),
        "row": Column("!int64", "Number of the row in the file, from 1."),
        "order_number": Column("!string", "Google's number of the order."),
        "ts": Column("!timestamp(6)", "Midnight of the day on which it was charged, as if UTC."),
        "status": Column("!string", "Charged, Refund, Partial refund …"),
        "package": Column("!string", "Package name of the app."),
        "sku": Column("string", "What was bought."),
        "product_type": Column("string", "paidapp, inapp, subscription."),
        "amount": Column(f"!{_AMOUNT}", "Charged to the buyer, tax included; negative for refunds."),
        "currency": Column("!string", "Currency of the buyer."),
        "country": Column("string", "ISO alpha-2 code of the buyer."),
    },
    vocabularies=(Vocabulary("status", names(*FINANCIAL_STATUSES), "financial status"),),
)
GOOGLE_PLAY_EARNINGS = Feed(
    name="google_play_earnings",
    doc="A row of the earnings: a charge, a fee of Google, a tax or a refund, in the currency of the payout.",
    is_sparse=True,
    grain="row of an earnings file",
    row_key_doc="Source, file and row.",
    staged_doc="A charge, fee, tax or refund in the currency of the payout.",
    key=("file", "row"),
    columns={
        "file": Column("!string", "Name of the file."),
        "row": Column("!int64", "Number of the row in the file, from 1."),
        "order_number": Column("string", "Google's number of the order."),
        "ts": Column("!timestamp(6)", "Midnight of the day (Pacific), as if UTC."),
        "type": Column("!string", "Charge, Google fee, Charge refund …"),
        "package": Column("string", "Package name of the app."),
        "sku": Column("string", "What was bought."),
        "country": Column("string", "ISO alpha-2 code of the buyer."),
        "amount": Column(f"!{_AMOUNT}", "What it adds to the payout; negative for fees and refunds."),
        "currency": Column("!string", "Currency of the payout."),
    },
    vocabularies=(
        Vocabulary("type", names(*TRANSACTION_TYPES), "transaction type", "in the proceeds, and in no fees"),
    ),
)
GOOGLE_PLAY_REVIEWS = Feed(
    name="google_play_reviews",
    doc="A rating or written review, as it was last changed.",
    is_sparse=True,
    grain="review",
    row_key_doc="Source, package and review.",
    key=("package", "review_id"),
    columns={
        "package": Column("!string", "Package name of the app."),
        "review_id": Column("!string", "Google's id; for a rating without text one derived from its fields."),
        "ts": Column("!timestamp(6)", "When it was written, UTC."),
        "updated_at": Column("timestamp(6)", "When it was last changed, UTC."),
        "rating": Column("!int64", "Stars.", minimum=1, maximum=5),
        "title": Column("string", "Title."),
        "body": Column("string", "Text; null for a rating alone."),
        "language": Column("string", "Language."),
        "app_version": Column("string", "Version of the app."),
        "device": Column("string", "Device."),
    },
)
GOOGLE_PLAY_VITALS = Feed(
    name="google_play_vitals",
    doc="Share of users who had a crash, or to whom the app did not respond, on one day.",
    grain="package, day, kind and version",
    key=("package", "ts", "kind", "name"),
    columns={
        "package": Column("!string", "Package name of the app."),
        "ts": Column("!timestamp(6)", "Midnight of the Pacific day, as if UTC."),
        "kind": Column("!string", "crash or anr."),
        "name": Column("!string", "Version code; all for the total."),
        "rate": Column("!float64", "Share of the day's users.", minimum=0, maximum=1),
        "users": Column("!int64", "Users of the day, rounded by Google.", minimum=0),
    },
)
