"""Google Analytics 4: users, sessions, page views and events of properties by day, through `runReport`.

API quirks. Days are in the property's zone. Numbers still move for two days. All values are strings, a day is
`20261110`, limits and offsets are strings too. A response without rows has no `rows`. Google may withhold rows of few
users, merge many rows into `(other)`, sample large properties or leave out days: the response says so, each row keeps
the flags, and the pull reports them. Users are not additive. Tokens are counted per hour and day; exceeding the quota
is 429, and an hourly quota is restored at the end of the hour. Failed requests count as well.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Annotated, Any, Final

from tidings.enrich.paths import page_name
from tidings.enrich.redaction import redacted
from tidings.errors import ResponseError, SettingsError
from tidings.feeds.enums.ga4 import TRUNCATION, TRUNCATIONS
from tidings.feeds.ga4 import GA4_BREAKDOWNS, GA4_DAILY, GA4_EVENTS
from tidings.options import Options, SomeTexts, Text, ZoneName
from tidings.settings import Settings
from tidings.sources.api.endpoint import ApiEndpoint, NotYetError
from tidings.sources.api.source import ApiSource
from tidings.sources.clock import Clock
from tidings.sources.http.auth import account_email, service_account
from tidings.sources.http.expected import JsonObject
from tidings.sources.http.paging import pages
from tidings.sources.http.session import Client, Decision, Limit, Response, excerpt
from tidings.sources.records import Record
from tidings.sources.source import SourceKind
from tidings.window import add_days, days_between, parse_date

PAGE_ROWS: Final = 50_000
_SCOPE: Final = "https://www.googleapis.com/auth/analytics.readonly"
_BASE: Final = "https://analyticsdata.googleapis.com"
_QUOTA_WAIT_S: Final = 3600.0
_MEASURES: Final = {
    "active_users": "activeUsers",
    "sessions": "sessions",
    "engaged_sessions": "engagedSessions",
    "page_views": "screenPageViews",
}
_TOTALS: Final = {**_MEASURES, "new_users": "newUsers", "engagement_s": "userEngagementDuration"}
_EVENTS: Final = {"events": "eventCount", "users": "totalUsers", "key_events": "keyEvents"}
BREAKDOWNS: Final = {
    "country": "countryId",
    "channel": "sessionDefaultChannelGroup",
    "page": "pagePath",
    "device": "deviceCategory",
}
# A response without rows has no `rows`; the headers are always there.
_REPORT: Final = JsonObject(has={"dimensionHeaders": list, "metricHeaders": list}, may={"rows": list, "metadata": dict})
_METADATA: Final = JsonObject(has={"metrics": list})
_FLAGS: Final = ("is_thresholded", "is_other", "is_sampled", "truncation")


def _whose(record: Record) -> dict[str, Any]:
    day = str(record["date"])
    return {
        "property": record["property"],
        "ts": parse_date(f"{day[:4]}-{day[4:6]}-{day[6:]}"),
        "zone": record["zone"],
        **{flag: record[flag] for flag in _FLAGS},
    }


def parse_daily(record: Record) -> Mapping[str, Any]:
    found = {column: record[name] for column, name in _TOTALS.items()}
    # Seconds occasionally have a fraction.
    return {**_whose(record), **found, "engagement_s": round(float(found["engagement_s"]))}


def parse_breakdown(record: Record) -> Mapping[str, Any]:
    """A day of a breakdown."""
    name = record[BREAKDOWNS[record["type"]]]
    return {
        **_whose(record),
        "type": record["type"],
        "name": name,
        **{column: record[measure] for column, measure in _MEASURES.items()},
    }


def parse_event(record: Record) -> Mapping[str, Any]:
    found = {column: record[name] for column, name in _EVENTS.items()}
    return {**_whose(record), "event": record["eventName"], **found}


_WHOSE_FIELDS: Final = ("property", "zone", "date", *_FLAGS)


class Ga4Options(Options, frozen=True):
    properties: Annotated[SomeTexts, "numbers of the properties (Admin › Property details)"]
    timezone: Annotated[ZoneName, "zone of the properties, to know which day is over; the workbook's if not given"] = ""
    base_url: Annotated[Text, "another server that speaks this API"] = _BASE


class Ga4(ApiSource[Ga4Options]):
    """The properties of a Google Analytics account that a service account may read."""

    kind = "ga4"
    console = "Google Analytics › Admin › Property access management"
    credentials = ("account",)

    def __init__(self, name: str, options: Ga4Options, settings: Settings) -> None:
        super().__init__(name, options, settings)
        self._zone = options.timezone or settings.timezone

    @property
    def endpoints(self) -> tuple[ApiEndpoint, ...]:
        """Totals, breakdowns and events by day."""
        return (
            ApiEndpoint(
                name="daily",
                feed=GA4_DAILY,
                doc="Totals by day.",
                parse=parse_daily,
                fields=(*_WHOSE_FIELDS, *_TOTALS.values()),
                chunk_days=90,
                zone=self._zone,
                lookback_days=4,
                lag_days=2,
            ),
            ApiEndpoint(
                name="breakdowns",
                feed=GA4_BREAKDOWNS,
                doc="Users, sessions and page views by country, channel, page and device.",
                parse=parse_breakdown,
                fields=(*_WHOSE_FIELDS, "type", *BREAKDOWNS.values(), *_MEASURES.values()),
                chunk_days=10,
                history_days=180,
                zone=self._zone,
                lookback_days=4,
                lag_days=2,
            ),
            ApiEndpoint(
                name="events",
                feed=GA4_EVENTS,
                doc="Events by name; key events are credited again for days.",
                parse=parse_event,
                fields=(*_WHOSE_FIELDS, "eventName", *_EVENTS.values()),
                zone=self._zone,
                lookback_days=14,
                lag_days=2,
            ),
        )

    def connect(self, clock: Clock) -> Client:
        return Client(
            self.name,
            self.options.base_url,
            clock,
            console=self.console,
            auth=service_account(self.key("account"), [_SCOPE]),
            limits=(Limit(5, 1.0),),
            classify=_classify,
        )

    def ping(self, client: Client) -> list[str]:
        """Request each property's metadata, which needs the same right as a report."""
        missing = []
        for number in self.partitions(client, self.endpoints[0]):
            try:
                client.get(f"v1beta/properties/{number}/metadata", expects=_METADATA)
            except ResponseError as error:
                email = account_email(client, self.key("account"))
                whose = f"The account {email} cannot read the property {number}. " if error.is_right else ""
                missing.append(f"{whose}{error}")
        return missing

    def partitions(self, client: Client, endpoint: ApiEndpoint) -> Iterable[str]:
        """The configured properties.

        Raises:
            SettingsError: one is no number.
        """
        del client, endpoint
        numbers = self.options.properties
        where = f"[tool.tidings.sources.{self.name}]"
        for number in numbers:
            if not number.isdigit():
                raise SettingsError(
                    f"{where} properties has '{number}', which is not a property.",
                    "Give the number from Admin › Property details, not the measurement id that begins with G-.",
                )
        return numbers

    def fetch(
        self, client: Client, endpoint: ApiEndpoint, partition: str, first: date, end: date
    ) -> Iterator[Sequence[Record]]:
        """Rows of one property; breakdowns and events are requested day by day, as Google merges rows of longer
        spans.
        """
        last = add_days(end, -1)
        if endpoint.name == "daily":
            yield from self._report(client, partition, (), list(_TOTALS.values()), first, last)
            return
        for day in days_between(first, last):
            if endpoint.name == "events":
                yield from self._report(client, partition, ("eventName",), list(_EVENTS.values()), day, day)
                continue
            for type_, dimension in BREAKDOWNS.items():
                rows: Iterable[Sequence[Record]] = self._report(
                    client, partition, (dimension,), list(_MEASURES.values()), day, day
                )
                if type_ == "page":
                    # Two spellings of a page may be on different pages of the response.
                    whole = [record for some in rows for record in some]
                    rows = [redacted(whole, dimension, *_MEASURES.values(), written=page_name)]
                for some in rows:
                    yield [{**record, "type": type_} for record in some]

    def _report(
        self, client: Client, number: str, dimensions: Sequence[str], metrics: Sequence[str], first: date, last: date
    ) -> Iterator[list[Record]]:
        names = ["date", *dimensions]
        body = {
            "dateRanges": [{"startDate": first.isoformat(), "endDate": last.isoformat()}],
            "dimensions": [{"name": name} for name in names],
            "metrics": [{"name": name} for name in metrics],
            # Without a stable order, paging would repeat some rows and skip others.
            "orderBys": [{"dimension": {"dimensionName": name}} for name in names],
            "limit": str(PAGE_ROWS),
        }

        def ask(offset: int | None) -> Any:
            path = f"v1beta/properties/{number}:runReport"
            return offset or 0, client.post(path, body={**body, "offset": str(offset or 0)}, expects=_REPORT).json()

        def following(page: Any) -> int | None:
            after = int(page[0]) + PAGE_ROWS
            return after if after < int(page[1].get("rowCount", 0)) else None

        for _, report in pages(ask, following, f"report of {number}"):
            why = _truncation(report.get("metadata", {}))
            if why and not report.get("rows"):
                # No data is not the same as zero.
                left_out = ResponseError(
                    f"Google leaves out all data of {first} to {last} in the property {number}: {why}.",
                    "What was landed of these days stays.",
                )
                raise NotYetError(first, add_days(last, 1), left_out)
            yield [{**record, "property": number} for record in _records(report)]


def _records(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows as mappings by the names in the response's own headers: we must not assume their order."""
    metadata = report.get("metadata", {})
    flags = {
        "zone": metadata.get("timeZone", "UTC"),
        "is_thresholded": bool(metadata.get("subjectToThresholding", False)),
        "is_other": bool(metadata.get("dataLossFromOtherRow", False)),
        "is_sampled": bool(metadata.get("samplingMetadatas")),
        "truncation": _truncation(metadata),
    }
    heads = [head["name"] for head in (*report.get("dimensionHeaders", ()), *report.get("metricHeaders", ()))]
    return [
        {
            **dict(
                zip(heads, (v["value"] for v in (*row["dimensionValues"], *row.get("metricValues", ()))), strict=True)
            ),
            **flags,
        }
        for row in report.get("rows", ())
    ]


def _truncation(metadata: Mapping[str, Any]) -> str | None:
    """Why a response leaves out data, in our words where we know the reason, else in Google's."""
    reported = []
    for each in metadata.get("dataTruncationReasons") or ():
        kind = str(each.get("dataTruncationType", ""))
        why = TRUNCATIONS.get(kind) or each.get("dataTruncationMessage") or kind.removeprefix(TRUNCATION) or "it says"
        since = each.get("dataTruncationDate")
        reported.append(f"{why} (before {since})" if since else str(why))
    return "; ".join(dict.fromkeys(reported)) or None


def _classify(response: Response) -> Decision | None:
    """Classify 429 (hourly or daily quota), 403 (rights) and 400 (a metric that the property does not have)."""
    if response.status == 429:
        message = excerpt(response)
        return Decision("later", message, seconds=_QUOTA_WAIT_S if "token" in message.lower() else None)
    if response.status == 403:
        remedy = "Add the account as a Viewer of the property."
        if "SERVICE_DISABLED" in response.body.decode("utf-8", "replace"):
            remedy = "Enable the Google Analytics Data API in the Google Cloud project of the service account."
        return Decision("failed", excerpt(response), remedy)
    if response.status == 400:
        try:
            json.loads(response.body)["error"]["status"]
        except (ValueError, KeyError, TypeError):
            return None
        return Decision("failed", excerpt(response), "The property may lack a metric that is requested.")
    return None


GA4: Final = SourceKind(
    name="ga4",
    summary="Google Analytics 4: users, sessions, page views and events by day",
    options=Ga4Options,
    open=Ga4,
)
