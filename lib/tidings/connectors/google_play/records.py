"""Records of Google Play: rows of its files and vitals, and how each becomes a row of a feed."""

from __future__ import annotations

import codecs
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from tidings.errors import ResponseError
from tidings.feeds.enums.google_play import CRASH_AND_ANR, FINANCIAL_STATUSES
from tidings.feeds.google_play import (
    GOOGLE_PLAY_CRASHES,
    GOOGLE_PLAY_EARNINGS,
    GOOGLE_PLAY_INSTALLS,
    GOOGLE_PLAY_RATINGS,
    GOOGLE_PLAY_REVIEWS,
    GOOGLE_PLAY_SALES,
    GOOGLE_PLAY_STORE,
    GOOGLE_PLAY_SUBSCRIPTIONS,
    GOOGLE_PLAY_VITALS,
)
from tidings.feeds.remarks import plain
from tidings.sources.api.endpoint import ApiEndpoint
from tidings.sources.http.packed import rows, unzipped
from tidings.sources.http.session import from_epoch
from tidings.sources.records import Record, UnusableError
from tidings.window import parse_date

PACIFIC: Final = "America/Los_Angeles"
UNKNOWN: Final = "(unknown)"
WHOLE: Final = "all"
_BOMS: Final = ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"), (codecs.BOM_UTF8, "utf-8-sig"))
_DIMENSIONS: Final = {
    "country": ("country", "country / region"),
    "app_version": ("app version code", "app version"),
    "traffic_source": ("traffic source",),
}


def table(name: str, body: bytes, needs: Sequence[str] = ()) -> Iterator[dict[str, str]]:
    """The rows of a file by column name, lower case with single spaces; its first bytes show the encoding.

    Raises:
        ResponseError: it is damaged, truncated, or its header has none of `needs`.
    """
    what = f"The file {name} of Google Play"
    content = unzipped(body, what) if name.endswith(".zip") else body
    encoding = next((known for bom, known in _BOMS if content.startswith(bom)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise ResponseError(f"{what} is not {encoding}, or cut off.", "Pull again.") from error
    for row in rows(text, what, ",", needs=needs):
        yield {column.lower(): value for column, value in row.items()}


def _first(record: Record, *names: str) -> str:
    """The value of the first of these columns that exists: Google renames them from time to time."""
    for name in names:
        if name in record:
            return str(record[name])
    raise KeyError(names[0])


def _number(text: str) -> str | None:
    cleaned = text.replace(",", "")
    return None if cleaned in ("", "NA", "N/A") else cleaned


def _amount(record: Record, name: str) -> Decimal:
    reported = _number(_first(record, name))
    if reported is None:
        raise UnusableError(f"{name} is empty")
    return Decimal(reported)


def _of_breakdown(record: Record) -> dict[str, Any]:
    breakdown = record["breakdown"]
    name = WHOLE if breakdown == "overview" else _first(record, *_DIMENSIONS.get(breakdown, (breakdown,))) or UNKNOWN
    return {
        "package": _first(record, "package name"),
        "ts": parse_date(_first(record, "date")),
        "breakdown": breakdown,
        "name": name,
    }


def parse_installs(record: Record) -> Mapping[str, Any]:
    return {
        **_of_breakdown(record),
        "installs": _number(_first(record, "daily user installs")),
        "uninstalls": _number(_first(record, "daily user uninstalls")),
        "updates": _number(_first(record, "daily device upgrades")),
        "active_devices": _number(
            _first(record, "active device installs", "installs on active devices", "current device installs")
        ),
    }


def parse_crashes(record: Record) -> Mapping[str, Any]:
    counts = {"crashes": _number(_first(record, "daily crashes")), "anrs": _number(_first(record, "daily anrs"))}
    return {**_of_breakdown(record), **counts}


def parse_ratings(record: Record) -> Mapping[str, Any]:
    return {
        **_of_breakdown(record),
        "daily_average": _number(_first(record, "daily average rating")),
        "total_average": _number(_first(record, "total average rating")),
    }


def parse_store(record: Record) -> Mapping[str, Any]:
    return {
        **_of_breakdown(record),
        "row": record["row"],
        "search_term": record.get("search term") or None,
        "utm_source": record.get("utm source") or None,
        "utm_campaign": record.get("utm campaign") or None,
        "visitors": _number(_first(record, "store listing visitors")),
        "acquisitions": _number(_first(record, "store listing acquisitions", "unique user install clicks")),
    }


def parse_subscription(record: Record) -> Mapping[str, Any]:
    return {
        "package": _first(record, "package name"),
        "product": _first(record, "product id"),
        "ts": parse_date(_first(record, "date")),
        "country": _first(record, "country") or UNKNOWN,
        "begun": _number(_first(record, "new subscriptions")),
        "cancelled": _number(_first(record, "cancelled subscriptions")),
        "active": _number(_first(record, "active subscriptions")),
    }


def parse_sale(record: Record) -> Mapping[str, Any]:
    """A row of the sales file; a known status determines the sign, as refunds are written with either."""
    status = _first(record, "financial status")
    amount = _amount(record, "charged amount")
    known = FINANCIAL_STATUSES.get(plain(status))
    if known is not None:
        amount = abs(amount) if known == "charged" else -abs(amount)
    return {
        "month": record["month"],
        "row": record["row"],
        "order_number": _first(record, "order number"),
        "ts": parse_date(_first(record, "order charged date")),
        "status": status,
        "package": _first(record, "package id", "product id"),
        "sku": record.get("sku id") or None,
        "product_type": record.get("product type") or None,
        "amount": amount,
        "currency": _first(record, "currency of sale").upper(),
        "country": record.get("country of buyer") or None,
    }


def parse_earning(record: Record) -> Mapping[str, Any]:
    """A row of an earnings file; its date is written as `Nov 1, 2026`."""
    day = _first(record, "transaction date")
    try:
        ts = datetime.strptime(day, "%b %d, %Y").replace(tzinfo=UTC).date()
    except ValueError as error:
        raise UnusableError(f"transaction date: '{day}' is not a date as Nov 1, 2026") from error
    return {
        "file": record["file"],
        "row": record["row"],
        "order_number": record.get("description") or None,
        "ts": ts,
        "type": _first(record, "transaction type"),
        "package": _first(record, "package id", "product id") or None,
        "sku": record.get("sku id") or None,
        "country": record.get("buyer country") or None,
        "amount": _amount(record, "amount (merchant currency)"),
        "currency": _first(record, "merchant currency").upper(),
    }


def parse_review(record: Record) -> Mapping[str, Any]:
    """A row of the reviews file; a rating without text has no link, and so no id of its own."""
    package, stars = _first(record, "package name"), _first(record, "star rating")
    written = _first(record, "review submit millis since epoch")
    known = [package, written, *(record.get(n, "") for n in ("reviewer language", "device", "app version code")), stars]
    link = record.get("review link", "")
    named = parse_qs(urlsplit(link).query).get("reviewId", parse_qs(urlsplit(link).query).get("reviewid", []))
    changed = record.get("review last update millis since epoch", "")
    return {
        "package": package,
        "review_id": named[0] if named else hashlib.sha256("|".join(known).encode()).hexdigest()[:32],
        "ts": from_epoch(written, milliseconds=True),
        "updated_at": from_epoch(changed, milliseconds=True) if changed else None,
        "rating": stars,
        "title": record.get("review title") or None,
        "body": record.get("review text") or None,
        "language": record.get("reviewer language") or None,
        "app_version": record.get("app version name") or None,
        "device": record.get("device") or None,
    }


def parse_recent_review(record: Record) -> Mapping[str, Any]:
    """A review of the last week, from the reviews API."""
    comment = record["comments"][0]["userComment"]
    changed = from_epoch(comment["lastModified"]["seconds"])
    return {
        "package": record["package"],
        "review_id": record["reviewId"],
        "ts": changed,
        "updated_at": changed,
        "rating": comment["starRating"],
        "title": None,
        "body": str(comment.get("text", "")).strip() or None,
        "language": comment.get("reviewerLanguage"),
        "app_version": comment.get("appVersionName"),
        "device": comment.get("device"),
    }


def parse_vitals(record: Record) -> Mapping[str, Any]:
    """A row of a vitals metric set: numbers are strings inside objects."""
    measures = {each["metric"]: each["decimalValue"]["value"] for each in record["metrics"]}
    start = record["startTime"]
    names = [str(d.get("int64Value", d.get("stringValue", UNKNOWN))) for d in record.get("dimensions", ())]
    return {
        "package": record["package"],
        "ts": date(int(start["year"]), int(start["month"]), int(start["day"])),
        "kind": record["kind"],
        "name": names[0] if names else WHOLE,
        "rate": measures[CRASH_AND_ANR[record["kind"]]],
        "users": measures["distinctUsers"],
    }


_STATS: Final = r"(?P<package>.+)_(?P<month>\d{6})_(?P<breakdown>{cuts})\.csv"
FILES: Final[Mapping[str, tuple[str, re.Pattern[str]]]] = {
    "installs": (
        "stats/installs/installs_",
        re.compile(_STATS.replace("{cuts}", "overview|country|app_version")),
    ),
    "crashes": ("stats/crashes/crashes_", re.compile(_STATS.replace("{cuts}", "overview|app_version"))),
    "ratings": ("stats/ratings/ratings_", re.compile(_STATS.replace("{cuts}", "overview|country"))),
    "store": (
        "stats/store_performance/store_performance_",
        re.compile(_STATS.replace("{cuts}", "country|traffic_source")),
    ),
    "subscriptions": (
        "financial-stats/subscriptions/subscriptions_",
        re.compile(_STATS.replace("{cuts}", "country")),
    ),
    "sales": ("sales/salesreport_", re.compile(r"(?P<month>\d{6})\.zip")),
    "earnings": ("earnings/earnings_", re.compile(r"(?P<month>\d{6})_.+\.zip")),
    "reviews": ("reviews/reviews_", re.compile(r"(?P<package>.+)_(?P<month>\d{6})\.csv")),
}
"""The parts of an endpoint's file names before and after the package, which may contain underscores."""

_STATS_HEAD: Final = ("date", "package name")
HEADS: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(("installs", "crashes", "ratings", "store", "subscriptions"), _STATS_HEAD),
    "sales": ("order number", "order charged date"),
    "earnings": ("transaction date", "transaction type"),
    "reviews": ("package name", "star rating"),
}
"""Columns of which the header must have at least one; otherwise the file is not one of this endpoint."""


# No metric needs to know where buyers live.
_WHERE: Final = ("city of buyer", "state of buyer", "postal code of buyer", "buyer state", "buyer postal code")


def _files(name: str, feed: Any, doc: str, parse: Any, lag_days: int = 6) -> ApiEndpoint:
    return ApiEndpoint(
        name=name, feed=feed, doc=doc, parse=parse, forget=_WHERE, zone=PACIFIC, lag_days=lag_days, history_days=730
    )


ENDPOINTS: Final = (
    _files("installs", GOOGLE_PLAY_INSTALLS, "Installs, removals, updates, active devices.", parse_installs),
    _files("crashes", GOOGLE_PLAY_CRASHES, "Crashes and ANRs.", parse_crashes),
    _files("ratings", GOOGLE_PLAY_RATINGS, "Stars by day.", parse_ratings),
    _files("store", GOOGLE_PLAY_STORE, "Visitors of the store page and how many installed.", parse_store),
    _files("subscriptions", GOOGLE_PLAY_SUBSCRIPTIONS, "Subscriptions by product and country.", parse_subscription),
    _files("sales", GOOGLE_PLAY_SALES, "What buyers were charged.", parse_sale),
    _files("earnings", GOOGLE_PLAY_EARNINGS, "What Google pays out, by month.", parse_earning, 40),
    _files("reviews", GOOGLE_PLAY_REVIEWS, "Ratings and reviews, by month.", parse_review),
)
VITALS: Final = ApiEndpoint(
    name="vitals",
    feed=GOOGLE_PLAY_VITALS,
    doc="Crash and ANR rates by day and version.",
    parse=parse_vitals,
    fields=("package", "kind", "aggregationPeriod", "startTime", "dimensions", "metrics"),
    zone=PACIFIC,
    lookback_days=5,
    lag_days=2,
    history_days=180,
)
RECENT_REVIEWS: Final = ApiEndpoint(
    name="recent_reviews",
    feed=GOOGLE_PLAY_REVIEWS,
    doc="Written reviews of the last week.",
    parse=parse_recent_review,
    # The reviewer's name.
    forget=("authorName",),
    fields=("package", "reviewId", "comments"),
    lookback_days=7,
    # The API may have only the later half of the seventh day back.
    history_days=6,
    retention_days=6,
    chunk_days=8,
    include_today=True,
)
