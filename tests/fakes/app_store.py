"""App Store Connect: verified tokens, compressed reports, the two kinds of 404, analytics in four steps, reviews."""

from __future__ import annotations

import gzip
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

import jwt
import pycountry
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from fakes.server import FakeApi, Refusal, Reply, Request, open_to_all, route, verified

KEY_ID, ISSUER = "2X9R4HXF34", "57246542-96fe-1a63-e053-0824d011072a"
_LONGEST_S = 1200
Rows = Mapping[str, Sequence[Mapping[str, Any]]]
_REPORT_NAMES = {
    "engagement": ("App Store Discovery and Engagement Standard", "APP_STORE_ENGAGEMENT"),
    "installs": ("App Store Installation and Deletion Standard", "APP_USAGE"),
    "sessions": ("App Sessions Standard", "APP_USAGE"),
    "crashes": ("App Crashes", "APP_USAGE"),
}
_COUNTED = {"engagement": "Counts", "installs": "Counts", "sessions": "Sessions", "crashes": "Crashes"}


@cache
def _key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def private_key() -> str:
    """The .p8 file."""
    return (
        _key()
        .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        .decode()
    )


def error(status: int, code: str, detail: str) -> Reply:
    """Apple's body of an error."""
    return Reply(
        {"errors": [{"id": "1", "status": str(status), "code": code, "title": code, "detail": detail}]}, status
    )


class FakeAppStore(FakeApi):
    """Serves `rows` of the feeds `app_store_…`. Daily reports are available from 16:00 UTC of the next day on.

    `instances` may hold more analytics instances: (app, report, processing date) -> rows, which replace by date.
    `skus` are those of apps by number; `timeless` reviews come without their time.
    """

    page_size = 200
    may_ask_for_analytics = True

    def __init__(self, rows: Rows, *, epoch: Callable[[], float] = time.time) -> None:
        super().__init__(epoch)
        self.rows = {name: [dict(row) for row in of_feed] for name, of_feed in rows.items()}
        vendors = {str(row["vendor"]) for of_feed in self.rows.values() for row in of_feed if "vendor" in row}
        apps = {str(r["app_id"]) for name in ("analytics", "reviews") for r in self.rows.get(f"app_store_{name}", ())}
        self.vendors = sorted(vendors) or ["80012345"]
        self.apps = {app: f"example.app{app}" for app in sorted(apps or {"1500000001"})}
        self.skus: dict[str, str] = {}
        self.timeless: set[str] = set()
        self.is_requested = True
        self.instances: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
        for row in self.rows.get("app_store_analytics", ()):
            self.instances.setdefault((str(row["app_id"]), row["report"], row["processed"]), []).append(row)
        self.versions = {"SUBSCRIPTION": "1_3", "SUBSCRIPTION_EVENT": "1_3"}

    def environment(self, name: str) -> dict[str, str]:
        return {f"{name.upper()}_KEY": private_key()}

    def table(self) -> dict[str, Any]:
        known = {"key_id": KEY_ID, "issuer": ISSUER, "vendors": self.vendors}
        return {"kind": "app_store", "base_url": self.url, **known}

    def too_many(self, wait: float) -> Reply:
        return error(429, "RATE_LIMIT_EXCEEDED", "The request rate limit has been reached.")

    def authenticate(self, request: Request) -> None:
        try:
            if jwt.get_unverified_header(request.bearer).get("kid") != KEY_ID:
                raise jwt.InvalidTokenError("unknown key")
            claims = verified(
                request.bearer,
                _key().public_key(),
                "ES256",
                self.epoch(),
                audience="appstoreconnect-v1",
                longest=_LONGEST_S,
            )
            if claims.get("iss") != ISSUER and claims.get("sub") != "user":
                raise jwt.InvalidIssuerError("issuer")
        except jwt.PyJWTError as problem:
            detail = "Provide a properly configured and signed bearer token, and make sure that it has not expired."
            raise Refusal(error(401, "NOT_AUTHORIZED", detail)) from problem
        if claims.get("sub") == "user" and request.path == "/v1/salesReports":
            raise Refusal(error(403, "FORBIDDEN_ERROR", "The API key in use does not allow this request"))

    @route("GET", "/v1/apps")
    def list_apps(self, request: Request) -> Any:
        data = [
            {"type": "apps", "id": id_, "attributes": {"bundleId": bundle, "sku": self.skus.get(id_, f"SKU{id_}")}}
            for id_, bundle in self.apps.items()
        ]
        return self._page(request, data)

    def _page(self, request: Request, data: Sequence[Any]) -> Any:
        start = int(request.query.get("cursor", 0))
        size = min(int(request.query.get("limit", 50)), self.page_size)
        links = {"self": f"{self.url}{request.path}"}
        if start + size < len(data):
            links["next"] = f"{self.url}{request.path}?cursor={start + size}&limit={size}"
        return {"data": data[start : start + size], "links": links, "meta": {"paging": {"total": len(data)}}}

    @route("GET", "/v1/salesReports")
    def sales_report(self, request: Request) -> Any:
        query = request.query
        kind, day = query["filter[reportType]"], query["filter[reportDate]"]
        if query["filter[vendorNumber]"] not in self.vendors:
            raise Refusal(error(403, "FORBIDDEN_ERROR", "Invalid vendor number specified."))
        wanted = self.versions.get(kind)
        if wanted and query.get("filter[version]", wanted) != wanted:
            detail = (
                f"The version parameter you have specified is invalid. The latest version for this report is {wanted}."
            )
            raise Refusal(error(400, "PARAMETER_ERROR.INVALID", detail))
        ready = datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(days=1, hours=16)
        if self.epoch() < ready.timestamp():
            detail = "Report is not available yet. Daily reports for the Americas are available by 5 am Pacific Time."
            raise Refusal(error(404, "NOT_FOUND", detail))
        feed = {"SALES": "sales", "SUBSCRIPTION": "subscriptions", "SUBSCRIPTION_EVENT": "subscription_events"}[kind]
        found = [
            row
            for row in self.rows.get(f"app_store_{feed}", ())
            if row["vendor"] == query["filter[vendorNumber]"] and row["ts"].date().isoformat() == day
        ]
        if not found:
            raise Refusal(error(404, "NOT_FOUND", "There were no sales for the date specified."))
        make = {"sales": self.sale, "subscriptions": self.subscription, "subscription_events": self.event}[feed]
        return Reply(_packed([make(row) for row in found]), headers={"Content-Type": "application/a-gzip"})

    def sale(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """A row in Apple's columns; tests replace it to change the shape."""
        units = row["units"]
        day = row["ts"].strftime("%m/%d/%Y")
        price = abs(row["gross"] / units) if units else Decimal(0)
        return {
            "Provider": "APPLE",
            "Provider Country": "US",
            "SKU": row["sku"],
            "Developer": "Tidings OÜ",
            "Title": row["title"] or "",
            "Version": row["app_version"] or " ",
            "Product Type Identifier": row["product_type"],
            "Units": f"{units:.2f}",
            "Developer Proceeds": f"{row['proceeds'] / units if units else 0:.2f}",
            "Begin Date": day,
            "End Date": day,
            "Customer Currency": row["customer_currency"],
            "Country Code": row["country"] or " ",
            "Currency of Proceeds": row["currency"],
            "Apple Identifier": row["app_id"],
            "Customer Price": f"{price if units > 0 else -price:.2f}",
            "Parent Identifier": row["parent_sku"] or " ",
            "Subscription": row["subscription"] or " ",
            "Period": row["period"] or " ",
            "Device": row["device"] or " ",
        }

    def subscription(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """A row of the subscription report; the paid ones are of two kinds."""
        return {
            "App Name": "Tidings",
            "App Apple ID": row["app_id"],
            "Subscription Name": row["product"],
            "Device": row["device"] or " ",
            "Country": row["country"] or " ",
            "Active Standard Price Subscriptions": row["active"] - row["active"] // 3,
            "Active Free Trial Introductory Offer Subscriptions": row["trials"],
            # Of report version 1_4; the names of its columns end otherwise than those of the others.
            "Pay Up Front Win-back Offers": row["active"] // 3,
            "Free Trial Win-back Offers": 0,
            "Free Trial Offer Code Subscriptions": 0,
            "Marketing Opt-Ins": 7,
            "Billing Retry": row["billing_retry"],
            "Grace Period": row["grace_period"],
            "Subscribers": row["active"],
        }

    def event(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """A row of the subscription event report."""
        return {
            "Event Date": row["ts"].date().isoformat(),
            "Event": row["event"],
            "App Apple ID": row["app_id"],
            "Subscription Name": row["product"],
            "Subscription Offer Type": row["offer"] or " ",
            "Device": row["device"] or " ",
            "Country": row["country"] or " ",
            "Cancellation Reason": row["reason"] or " ",
            "Consecutive Paid Periods": " " if row.get("paid_periods") is None else row["paid_periods"],
            "Quantity": row["quantity"],
        }

    @route("GET", "/v1/apps/{app}/customerReviews")
    def reviews(self, request: Request) -> Any:
        rows = [r for r in self.rows.get("app_store_reviews", ()) if str(r["app_id"]) == request.parts["app"]]
        rows.sort(key=lambda row: row["ts"], reverse=True)
        found = [_review(row) for row in rows]
        for each in found:
            if each["id"] in self.timeless:
                del each["attributes"]["createdDate"]
        return self._page(request, found)

    @route("GET", "/v1/apps/{app}/analyticsReportRequests")
    def requests(self, request: Request) -> Any:
        found = [{"id": f"req-{request.parts['app']}", "attributes": {"stoppedDueToInactivity": False}}]
        return self._page(request, found if self.is_requested else [])

    @route("POST", "/v1/analyticsReportRequests")
    def make_request(self, request: Request) -> Any:
        if not self.may_ask_for_analytics:
            raise Refusal(error(403, "FORBIDDEN_ERROR", "The API key in use does not allow this request"))
        self.is_requested = True
        return Reply({"data": {"id": "req"}}, 201)

    @route("GET", "/v1/analyticsReportRequests/{request}/reports")
    def reports(self, request: Request) -> Any:
        app = request.parts["request"].removeprefix("req-")
        found = [
            {"id": f"{app}.{report}", "attributes": {"name": name, "category": category}}
            for report, (name, category) in _REPORT_NAMES.items()
            if category == request.query.get("filter[category]", category)
        ]
        return self._page(request, found)

    @route("GET", "/v1/analyticsReports/{report}/instances")
    def list_instances(self, request: Request) -> Any:
        app, report = request.parts["report"].split(".")
        found = [
            {"id": f"{app}.{report}.{processed}", "attributes": {"granularity": "DAILY", "processingDate": processed}}
            for one, what, processed in sorted(self.instances, reverse=True)
            if (one, what) == (app, report)
        ]
        return self._page(request, found)

    @route("GET", "/v1/analyticsReportInstances/{instance}/segments")
    def segments(self, request: Request) -> Any:
        body = self._segment(request.parts["instance"])
        said = {
            "url": f"{self.url}/segments/{request.parts['instance']}?X-Amz-Expires=300",
            "checksum": hashlib.md5(body, usedforsecurity=False).hexdigest(),
            "sizeInBytes": len(body),
        }
        return self._page(request, [{"id": "s", "attributes": said}])

    @route("GET", "/segments/{instance}")
    @open_to_all
    def segment(self, request: Request) -> Any:
        if request.headers.get("Authorization"):
            raise Refusal(Reply("<Error><Code>InvalidArgument</Code></Error>", 400))
        return Reply(self._segment(request.parts["instance"]))

    def _segment(self, instance: str) -> bytes:
        app, report, processed = instance.split(".")
        rows = self.instances[app, report, processed]
        return _packed([self.analytics(row) for row in rows], "," if report == "crashes" else "\t")

    def analytics(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """A row of an analytics report in Apple's columns."""
        record = {
            "Date": row["ts"].date().isoformat(),
            "App Name": "Tidings",
            "App Apple Identifier": row["app_id"],
            "Event": row["event"],
            "App Version": row["app_version"] or "",
            "Device": row["device"] or "",
            "Platform Version": row["os"] or "",
            "Source Type": row["channel"] or "",
            "Territory": row["country"] or "",
            _COUNTED[row["report"]]: row["count"],
            "Unique Devices": "" if row["unique_count"] is None else row["unique_count"],
        }
        if row["report"] in ("sessions", "crashes"):
            del record["Event"]
        return record


def _packed(records: Sequence[Mapping[str, Any]], delimiter: str = "\t") -> bytes:
    lines = [delimiter.join(records[0])] if records else [""]
    lines += [delimiter.join(str(value) for value in record.values()) for record in records]
    # No time inside, so that equal rows are equal bytes.
    return gzip.compress(("\n".join(lines) + "\n").encode(), mtime=0)


def _review(row: Mapping[str, Any]) -> dict[str, Any]:
    country = pycountry.countries.get(alpha_2=row["country"]) if row["country"] else None
    said = {
        "rating": row["rating"],
        "title": row["title"],
        "body": row["body"],
        "reviewerNickname": "nickname-canary",
        "createdDate": f"{row['ts'].isoformat()}+00:00",
        "territory": country.alpha_3 if country else None,
    }
    return {"type": "customerReviews", "id": row["review_id"], "attributes": said}
