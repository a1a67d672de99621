"""App Store Connect's records: rows of its reports by their column names, and how each becomes a row of a feed."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, Final

from tidings.enrich.countries import alpha2
from tidings.errors import ResponseError
from tidings.feeds.app_store import (
    APP_STORE_ANALYTICS,
    APP_STORE_REVIEWS,
    APP_STORE_SALES,
    APP_STORE_SUBSCRIPTION_EVENTS,
    APP_STORE_SUBSCRIPTIONS,
)
from tidings.feeds.enums.app_store import FREE_COUNTERS, PAID_COUNTERS, PRODUCT_TYPES, is_unclear, is_unknown_counter
from tidings.feeds.remarks import plain
from tidings.sources.api.endpoint import ApiEndpoint
from tidings.sources.http.packed import gunzipped, rows
from tidings.sources.records import Record, UnusableError
from tidings.window import parse_date, parse_instant

PACIFIC: Final = "America/Los_Angeles"

REPORTS: Final[Mapping[str, tuple[str, str, str]]] = {
    "engagement": ("discovery and engagement standard", "APP_STORE_ENGAGEMENT", "Counts"),
    "installs": ("installation and deletion standard", "APP_USAGE", "Counts"),
    "sessions": ("sessions standard", "APP_USAGE", "Sessions"),
    "crashes": ("crashes", "APP_USAGE", "Crashes"),
}
"""The analytics reports that are read: the end of Apple's name, its category, the column that counts."""


HEADS: Final[Mapping[str, tuple[str, ...]]] = {
    "sales": ("sku", "units"),
    "subscriptions": ("subscription name",),
    "subscription_events": ("event", "quantity"),
    "analytics": ("date", "app name"),
}
"""Columns of which the header must have at least one; otherwise the file is not a report of this endpoint."""


def table(body: bytes, needs: Sequence[str] = ()) -> Iterator[dict[str, str]]:
    """The rows of a report by the names in its header, which also shows whether tabs or commas separate them.

    Apple does not announce the compression.

    Raises:
        ResponseError: it is damaged, truncated, or its header has none of `needs`.
    """
    what = "A report of Apple"
    try:
        text = gunzipped(body, what).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ResponseError(f"{what} is not UTF-8, or cut off.", "Pull again.") from error
    delimiter = "\t" if "\t" in text.partition("\n")[0] else ","
    return rows(text, what, delimiter, needs=needs, quoted=delimiter == ",")


def _report(record: Record) -> dict[str, Any]:
    return {"vendor": record["vendor"], "ts": parse_date(record["day"]), "row": record["row"]}


def _decimal(text: str) -> Decimal:
    return Decimal(text.replace(",", "") or "0")


def _reported(record: Record, name: str) -> Decimal:
    """A required number: without it the row is unusable."""
    if not record[name]:
        raise UnusableError(f"{name} is empty")
    return _decimal(record[name])


def parse_sale(record: Record) -> Mapping[str, Any]:
    """A row of the sales report; proceeds and prices are per unit, and prices of refunds are negative."""
    units, price, proceeds = (_reported(record, "Units"), record["Customer Price"], record["Developer Proceeds"])
    # Free items may have neither; an amount or a currency alone is not money.
    if bool(_decimal(price)) > bool(proceeds) or bool(_decimal(proceeds)) > bool(price):
        raise UnusableError("Customer Price or Developer Proceeds has an amount or a currency, but not both")
    code = record["Product Type Identifier"]
    return {
        **_report(record),
        "app_id": record["Apple Identifier"],
        "sku": record["SKU"],
        "parent_sku": record.get("Parent Identifier") or None,
        "title": record.get("Title"),
        "app_version": record.get("Version") or None,
        "product_type": code,
        "product_class": PRODUCT_TYPES.get(code, "other"),
        "units": units,
        "proceeds": units * _decimal(proceeds),
        "currency": record["Currency of Proceeds"].upper(),
        "gross": units * abs(_decimal(price)),
        "customer_currency": record["Customer Currency"].upper(),
        "country": _country(record.get("Country Code")),
        "device": record.get("Device") or None,
        "subscription": record.get("Subscription") or None,
        "period": record.get("Period") or None,
    }


def _country(reported: str | None) -> str | None:
    """The ISO code of a country: reports of different ages write DE, DEU or Germany."""
    return alpha2(reported) if reported else None


def _counted(record: Record, columns: Collection[str]) -> int:
    """The sum of those of these columns that this version of the subscription report has."""
    return sum(int(_decimal(value)) for name, value in record.items() if plain(name) in columns)


def parse_subscription(record: Record) -> Mapping[str, Any]:
    """A row of the subscription report; it has no date, so the report's date has been added."""
    if not any(plain(name) in PAID_COUNTERS for name in record):
        raise UnusableError("no column counts active subscriptions")
    unknown = [name for name in record if is_unknown_counter(name) and _decimal(record[name])]
    return {
        **_report(record),
        "app_id": record["App Apple ID"],
        "product": record["Subscription Name"],
        "country": _country(record.get("Country")),
        "device": record.get("Device") or None,
        "active": _counted(record, PAID_COUNTERS),
        "trials": _counted(record, FREE_COUNTERS),
        "billing_retry": int(_decimal(record.get("Billing Retry", ""))),
        "grace_period": int(_decimal(record.get("Grace Period", ""))),
        "unknown_column": ", ".join(unknown) or None,
        "unknown_count": sum(int(_decimal(record[name])) for name in unknown) or None,
    }


def parse_subscription_event(record: Record) -> Mapping[str, Any]:
    event, offer = record["Event"], record.get("Subscription Offer Type") or None
    paid = record.get("Consecutive Paid Periods") or None
    periods = None if paid is None else int(_decimal(paid))
    return {
        **_report(record),
        "event": event,
        "app_id": record["App Apple ID"],
        "product": record["Subscription Name"],
        "offer": offer,
        "country": _country(record.get("Country")),
        "device": record.get("Device") or None,
        "reason": record.get("Cancellation Reason") or None,
        "quantity": int(_reported(record, "Quantity")),
        "paid_periods": periods,
        "unclear": event if is_unclear(event, offer, periods) else None,
    }


def parse_analytics(record: Record) -> Mapping[str, Any]:
    report = record["report"]
    counted = REPORTS[report][2]
    unique = record.get("Unique Devices", record.get("Unique Counts")) or None
    return {
        "app_id": record["app_id"],
        "ts": parse_date(record["Date"]),
        "report": report,
        "row": record["row"],
        "event": record.get("Event") or counted,
        "app_version": record.get("App Version") or None,
        "device": record.get("Device") or None,
        "os": record.get("Platform Version") or None,
        "channel": record.get("Source Type") or None,
        "country": _country(record.get("Territory")),
        "count": record[counted] if counted in record else record["Count"],
        "unique_count": unique,
        "processed": record["processed"],
    }


def parse_review(record: Record) -> Mapping[str, Any]:
    attributes = record["attributes"]
    return {
        "app_id": record["app_id"],
        "review_id": record["id"],
        "ts": parse_instant(attributes["createdDate"]),
        "rating": attributes["rating"],
        "title": attributes.get("title"),
        "body": attributes.get("body"),
        "country": _country(attributes.get("territory")),
    }


_daily_report: Final = partial(
    ApiEndpoint, zone=PACIFIC, lookback_days=3, lag_days=1, history_days=364, retention_days=364
)
SALES: Final = _daily_report(
    name="sales",
    feed=APP_STORE_SALES,
    doc="Daily sales report: downloads, updates, purchases, proceeds.",
    parse=parse_sale,
)
SUBSCRIPTIONS: Final = _daily_report(
    name="subscriptions",
    feed=APP_STORE_SUBSCRIPTIONS,
    doc="Daily subscription report: how many there are.",
    parse=parse_subscription,
)
SUBSCRIPTION_EVENTS: Final = _daily_report(
    name="subscription_events",
    feed=APP_STORE_SUBSCRIPTION_EVENTS,
    doc="Daily subscription event report: begun, renewed, cancelled.",
    parse=parse_subscription_event,
)
ANALYTICS: Final = ApiEndpoint(
    name="analytics",
    feed=APP_STORE_ANALYTICS,
    doc="Analytics reports: impressions, views, installs, deletions, sessions, crashes.",
    parse=parse_analytics,
    lookback_days=35,
    lag_days=5,
)
REVIEWS: Final = ApiEndpoint(
    name="reviews",
    feed=APP_STORE_REVIEWS,
    doc="Written reviews.",
    parse=parse_review,
    fields=("app_id", "id", "type", "attributes"),
    lookback_days=30,
    history_days=1095,
    chunk_days=1095,
    include_today=True,
)
