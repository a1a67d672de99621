"""Google Analytics Data API: runReport and metadata, with strings for numbers, absent rows, flags and quotas."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fakes.google import FakeGoogle, google_error
from fakes.server import Refusal, Reply, Request, route

_MEASURES = {
    "activeUsers": "active_users",
    "sessions": "sessions",
    "engagedSessions": "engaged_sessions",
    "screenPageViews": "page_views",
    "newUsers": "new_users",
    "userEngagementDuration": "engagement_s",
    "eventCount": "events",
    "totalUsers": "users",
    "keyEvents": "key_events",
}
_TYPES = {
    "countryId": "country",
    "sessionDefaultChannelGroup": "channel",
    "pagePath": "page",
    "deviceCategory": "device",
}


class FakeGa4(FakeGoogle):
    """Serves `rows` of the feeds `ga4_…` of any property in them; `truncated` is why data are left out."""

    scopes = ("https://www.googleapis.com/auth/analytics.readonly",)
    most_rows = 250_000

    def __init__(
        self, rows: Mapping[str, Sequence[Mapping[str, Any]]], *, epoch: Callable[[], float] = time.time
    ) -> None:
        super().__init__(epoch)
        self.rows = {name: [dict(row) for row in of_feed] for name, of_feed in rows.items()}
        self.properties = {str(row["property"]) for of_feed in self.rows.values() for row in of_feed}
        self.metrics = dict(_MEASURES)
        self.truncated: dict[str, Any] | None = None

    def environment(self, name: str) -> dict[str, str]:
        return {f"{name.upper()}_ACCOUNT": self.account_json()}

    def table(self) -> dict[str, Any]:
        return {"kind": "ga4", "base_url": self.url, "properties": sorted(self.properties), "timezone": "UTC"}

    def too_many(self, wait: float) -> Reply:
        return google_error(429, "rateLimitExceeded", "Exhausted concurrent requests quota.", "RESOURCE_EXHAUSTED")

    def _permitted(self, request: Request) -> None:
        if request.parts["id"] not in self.properties:
            message = "User does not have sufficient permissions for this property."
            raise Refusal(google_error(403, "forbidden", message, "PERMISSION_DENIED"))

    @route("GET", "/v1beta/properties/{id}/metadata")
    def metadata(self, request: Request) -> Any:
        self._permitted(request)
        return {"dimensions": [], "metrics": [{"apiName": name} for name in self.metrics]}

    @route("POST", "/v1beta/properties/(?P<id>[^/:]+):runReport")
    def report(self, request: Request) -> Any:
        self._permitted(request)
        asked = request.json()
        dimensions = [each["name"] for each in asked["dimensions"]]
        metrics = [each["name"] for each in asked["metrics"]]
        if not isinstance(asked["limit"], str) or any(name not in self.metrics for name in metrics):
            raise Refusal(google_error(400, "badRequest", "Field is not a valid metric.", "INVALID_ARGUMENT"))
        (span,) = asked["dateRanges"]
        second = dimensions[1] if len(dimensions) > 1 else ""
        feed = {"": "ga4_daily", "eventName": "ga4_events"}.get(second, "ga4_breakdowns")
        rows = [
            row
            for row in self.rows.get(feed, ())
            if row["property"] == request.parts["id"]
            and span["startDate"] <= row["ts"].date().isoformat() <= span["endDate"]
            and (feed != "ga4_breakdowns" or row["type"] == _TYPES[second])
        ]
        records = sorted((self.record(row, dimensions, metrics) for row in rows), key=lambda record: record["sort"])
        start, limit = int(asked["offset"]), min(int(asked["limit"]), self.most_rows)
        shown = [{name: record[name] for name in record if name != "sort"} for record in records[start : start + limit]]
        said: dict[str, Any] = {
            "kind": "analyticsData#runReport",
            "dimensionHeaders": [{"name": name} for name in dimensions],
            "metricHeaders": [{"name": name, "type": "TYPE_INTEGER"} for name in metrics],
            "metadata": {"currencyCode": "EUR", "timeZone": rows[0]["zone"] if rows else "UTC", **_flags(rows)},
        }
        if self.truncated is not None:
            said["metadata"]["dataTruncationReasons"] = [self.truncated]
        return {**said, "rows": shown, "rowCount": len(records)} if shown else said

    def record(self, row: Mapping[str, Any], dimensions: Sequence[str], metrics: Sequence[str]) -> dict[str, Any]:
        """A row in Google's form: everything is text."""
        names = {
            "date": row["ts"].strftime("%Y%m%d"),
            "eventName": row.get("event"),
            **dict.fromkeys(_TYPES, row.get("name")),
        }
        values = [str(names[name]) for name in dimensions]
        numbers = [str(row[self.metrics[name]]) for name in metrics]
        return {
            "sort": values,
            "dimensionValues": [{"value": value} for value in values],
            "metricValues": [{"value": number} for number in numbers],
        }


def _flags(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "subjectToThresholding": any(row["is_thresholded"] for row in rows),
        "dataLossFromOtherRow": any(row["is_other"] for row in rows),
    }
    if any(row["is_sampled"] for row in rows):
        found["samplingMetadatas"] = [{"samplesReadCount": "10", "samplingSpaceSize": "20"}]
    return found
