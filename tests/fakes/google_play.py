"""Google Play: a bucket of UTF-16 and zipped files with generations, vitals with their freshness, recent reviews."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import unquote

from fakes.google import FakeGoogle, google_error
from fakes.server import Refusal, Reply, Request, route

BUCKET = "pubsite_prod_rev_0123456789"
Rows = Mapping[str, Sequence[Mapping[str, Any]]]
_DIMENSION = {"country": "Country", "app_version": "App Version Code", "traffic_source": "Traffic source"}


class FakeGooglePlay(FakeGoogle):
    """Serves `rows` of the feeds `google_play_…` as files of a bucket (`files`: name -> bytes) and as vitals.

    A file that is written again by `write` gets another generation.
    """

    scopes = tuple(
        f"https://www.googleapis.com/auth/{scope}"
        for scope in ("devstorage.read_only", "playdeveloperreporting", "androidpublisher")
    )
    page_size = 1000

    def __init__(self, rows: Rows, *, epoch: Callable[[], float] = time.time) -> None:
        super().__init__(epoch)
        self.rows = {name: [dict(row) for row in of_feed] for name, of_feed in rows.items()}
        self.files: dict[str, bytes] = {}
        self.generations: dict[str, int] = {}
        self.recent: list[dict[str, Any]] = []
        self.packages = sorted({str(r["package"]) for f in self.rows.values() for r in f if r.get("package")})
        self.fresh_days = 0
        self.rewrite()

    def environment(self, name: str) -> dict[str, str]:
        return {f"{name.upper()}_ACCOUNT": self.account_json()}

    def table(self) -> dict[str, Any]:
        return {"kind": "google_play", "base_url": self.url, "bucket": f"gs://{BUCKET}/"}

    def write(self, name: str, body: bytes) -> None:
        """Put a file into the bucket; the same bytes keep their generation."""
        if self.files.get(name) != body:
            self.generations[name] = self.generations.get(name, 1_795_000_000_000_000) + 1
        self.files[name] = body

    def rewrite(self) -> None:
        """Write all files again from `rows`."""
        groups: dict[str, list[dict[str, Any]]] = {}
        for feed, rows in self.rows.items():
            make = getattr(self, f"_{feed.removeprefix('google_play_')}", None)
            for row in rows if make else ():
                name, record = make(row)
                groups.setdefault(name, []).append(record)
        for name, records in groups.items():
            self.write(name, packed(name, records))

    # A row of each feed: the file that it is in, and its columns there.

    def _stats(self, what: str, row: Mapping[str, Any], **columns: Any) -> tuple[str, dict[str, Any]]:
        name = f"stats/{what}/{what}_{row['package']}_{row['ts']:%Y%m}_{row['breakdown']}.csv"
        named = {_DIMENSION[row["breakdown"]]: row["name"]} if row["breakdown"] != "overview" else {}
        return name, {"Date": f"{row['ts']:%Y-%m-%d}", "Package Name": row["package"], **named, **columns}

    def _installs(self, row: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        return self._stats(
            "installs",
            row,
            **{
                "Daily Device Installs": 0,
                "Daily Device Upgrades": row["updates"],
                "Daily User Installs": f"{row['installs']:,}",
                "Daily User Uninstalls": row["uninstalls"],
                "Active Device Installs": f"{row['active_devices']:,}",
            },
        )

    def _crashes(self, row: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        return self._stats("crashes", row, **{"Daily Crashes": row["crashes"], "Daily ANRs": row["anrs"]})

    def _ratings(self, row: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        daily = "NA" if row["daily_average"] is None else row["daily_average"]
        return self._stats(
            "ratings", row, **{"Daily Average Rating": daily, "Total Average Rating": row["total_average"]}
        )

    def _store(self, row: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        return self._stats(
            "store_performance",
            row,
            **{
                "Search term": row["search_term"] or "",
                "UTM source": row["utm_source"] or "",
                "UTM campaign": row["utm_campaign"] or "",
                "Store listing acquisitions": row["acquisitions"],
                "Store listing visitors": row["visitors"],
                "Store listing conversion rate": "0.3",
            },
        )

    def _subscriptions(self, row: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        whose = f"{row['package']}_{row['product']}"
        return f"financial-stats/subscriptions/subscriptions_{whose}_{row['ts']:%Y%m}_country.csv", {
            "Date": f"{row['ts']:%Y-%m-%d}",
            "Package Name": row["package"],
            "Product ID": row["product"],
            "Country": row["country"],
            "New Subscriptions": row["begun"],
            "Cancelled Subscriptions": row["cancelled"],
            "Active Subscriptions": row["active"],
        }

    def _sales(self, row: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        return f"sales/salesreport_{row['month']}.zip", {
            "Order Number": row["order_number"],
            "Order Charged Date": f"{row['ts']:%Y-%m-%d}",
            "Financial Status": row["status"],
            "Product Type": row["product_type"] or "",
            "Package ID": row["package"],
            "SKU ID": row["sku"] or "",
            "Currency of Sale": row["currency"],
            # Refunds are written with either sign.
            "Charged Amount": f"{abs(row['amount']):,}",
            "City of Buyer": "city-canary",
            "Country of Buyer": row["country"] or "",
        }

    def _earnings(self, row: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        return f"earnings/{row['file']}", {
            "Description": row["order_number"] or "",
            "Transaction Date": f"{row['ts']:%b} {row['ts'].day}, {row['ts'].year}",
            "Transaction Time": "3:29:44 AM PDT",
            "Transaction Type": row["type"],
            "Package ID": row["package"] or "",
            "Sku Id": row["sku"] or "",
            "Buyer Country": row["country"] or "",
            "Merchant Currency": row["currency"],
            "Amount (Merchant Currency)": row["amount"],
        }

    def _reviews(self, row: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        written, changed = (round(row[name].replace(tzinfo=UTC).timestamp() * 1000) for name in ("ts", "updated_at"))
        link = f"https://play.google.com/console/reviews?reviewId={row['review_id']}&corpus=PUBLIC_REVIEWS"
        return f"reviews/reviews_{row['package']}_{row['updated_at']:%Y%m}.csv", {
            "Package Name": row["package"],
            "App Version Code": "1",
            "App Version Name": row["app_version"] or "",
            "Reviewer Language": row["language"] or "",
            "Device": row["device"] or "",
            "Review Submit Millis Since Epoch": written,
            "Review Last Update Millis Since Epoch": changed,
            "Star Rating": row["rating"],
            "Review Title": row["title"] or "",
            "Review Text": row["body"] or "",
            "Review Link": link,
        }

    # The three services

    @route("GET", "/storage/v1/b/{bucket}/o")
    def list_files(self, request: Request) -> Any:
        if request.parts["bucket"] != BUCKET:
            raise Refusal(google_error(404, "notFound", "The specified bucket does not exist."))
        names = sorted(name for name in self.files if name.startswith(request.query.get("prefix", "")))
        start = int(request.query.get("pageToken") or 0)
        end = start + min(int(request.query.get("maxResults", 1000)), self.page_size)
        said: dict[str, Any] = {"kind": "storage#objects"}
        if names[start:end]:
            said["items"] = [self._listed(name) for name in names[start:end]]
        return {**said, "nextPageToken": str(end)} if end < len(names) else said

    def _listed(self, name: str) -> dict[str, str]:
        body = self.files[name]
        md5 = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
        return {"name": name, "generation": str(self.generations[name]), "size": str(len(body)), "md5Hash": md5}

    @route("GET", "/storage/v1/b/{bucket}/o/{name}")
    def download(self, request: Request) -> Any:
        name = unquote(request.parts["name"])
        if name not in self.files or request.query.get("alt") != "media":
            raise Refusal(google_error(404, "notFound", "No such object."))
        if request.query.get("generation") != str(self.generations[name]):
            raise Refusal(google_error(404, "notFound", "No such generation."))
        return Reply(self.files[name])

    @route("GET", "/v1beta1/apps:search")
    def search(self, request: Request) -> Any:
        return {"apps": [{"name": f"apps/{package}", "packageName": package} for package in self.packages]}

    @route("GET", "/v1beta1/apps/(?P<package>[^/:]+)/(?P<set>[a-zA-Z]+)")
    def freshness(self, request: Request) -> Any:
        end = self._last_row_at()
        fresh = {
            "aggregationPeriod": "DAILY",
            "latestEndTime": {
                "year": end.year,
                "month": end.month,
                "day": end.day,
                "timeZone": {"id": "America/Los_Angeles"},
            },
        }
        return {"freshnessInfo": {"freshnesses": [{"aggregationPeriod": "HOURLY", "latestEndTime": {}}, fresh]}}

    @route("POST", "/v1beta1/apps/(?P<package>[^/:]+)/(?P<set>[a-zA-Z]+):query")
    def vitals(self, request: Request) -> Any:
        asked = request.json()
        span = asked["timelineSpec"]
        first, end = (date(at["year"], at["month"], at["day"]) for at in (span["startTime"], span["endTime"]))
        if end > self._last_row_at():
            raise Refusal(google_error(400, "badRequest", "end time is later than the freshness", "INVALID_ARGUMENT"))
        kind = request.parts["set"].removesuffix("RateMetricSet")
        found = [
            self.vital(row)
            for row in self.rows.get("google_play_vitals", ())
            if (row["package"], row["kind"]) == (request.parts["package"], kind)
            and first <= row["ts"].date() < end
            and (row["name"] != "all") == bool(asked["dimensions"])
        ]
        start = int(asked.get("pageToken") or 0)
        stop = start + min(asked["pageSize"], self.page_size)
        return {"rows": found[start:stop], "nextPageToken": str(stop) if stop < len(found) else ""}

    def vital(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """A row of a metric set in Google's form."""
        at = row["ts"]
        version = [{"dimension": "versionCode", "int64Value": row["name"]}] if row["name"] != "all" else []
        return {
            "aggregationPeriod": "DAILY",
            "startTime": {"year": at.year, "month": at.month, "day": at.day, "timeZone": {"id": "America/Los_Angeles"}},
            "dimensions": version,
            "metrics": [
                {"metric": f"{row['kind']}Rate", "decimalValue": {"value": str(row["rate"])}},
                {"metric": "distinctUsers", "decimalValue": {"value": str(row["users"])}},
            ],
        }

    @route("GET", "/androidpublisher/v3/applications/{package}/reviews")
    def recent_reviews(self, request: Request) -> Any:
        return {"reviews": self.recent} if self.recent else {}

    def _last_row_at(self) -> date:
        pacific = datetime.fromtimestamp(self.epoch(), UTC) - timedelta(hours=8)
        return pacific.date() - timedelta(days=self.fresh_days)


def packed(name: str, records: Sequence[Mapping[str, Any]]) -> bytes:
    """Rows as Google writes them: UTF-16 with a mark, or UTF-8 in a zip file."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(records[0]))
    writer.writeheader()
    writer.writerows(records)
    if not name.endswith(".zip"):
        return text.getvalue().encode("utf-16")
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        # A fixed time, so that equal rows are equal bytes.
        archive.writestr(zipfile.ZipInfo("report.csv", (2026, 1, 1, 0, 0, 0)), text.getvalue())
    return body.getvalue()
