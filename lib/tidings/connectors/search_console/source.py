"""Google Search Console: how a site does in Google's search, by day, country, device, page and query.

API quirks. Days are Pacific. Numbers are final after two or three days; newer ones still move, which
`firstIncompleteDate` shows. Rows by query leave out rare queries, so totals are requested with the day as the only
dimension. A response without rows has no `rows` at all. A short page is the last one; at most 50,000 rows are available
per day, so rows by page and query are requested one day at a time. Exceeding the quota is 403 with `quotaExceeded`,
without a hint how long to wait. A property spelled slightly differently than in the console is 403 as well.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Annotated, Any, Final
from urllib.parse import quote, urlsplit

from tidings.enrich.countries import alpha2
from tidings.errors import SourceError, suggest
from tidings.feeds.enums.search_console import MAY_READ, SEARCH_TYPES, UNVERIFIED, spelt
from tidings.feeds.search_console import (
    SEARCH_CONSOLE_COUNTRY,
    SEARCH_CONSOLE_DAILY,
    SEARCH_CONSOLE_PAGE,
    SEARCH_CONSOLE_QUERY,
)
from tidings.options import Options, Text, Texts, known
from tidings.sources.api.endpoint import ApiEndpoint
from tidings.sources.api.source import ApiSource
from tidings.sources.clock import Clock
from tidings.sources.http.auth import account_email, service_account
from tidings.sources.http.expected import JsonObject
from tidings.sources.http.paging import pages
from tidings.sources.http.session import Client, Decision, Limit, Response, excerpt
from tidings.sources.records import Record
from tidings.sources.source import SourceKind
from tidings.window import add_days, days_between, parse_date

PAGE_ROWS: Final = 25_000
_SCOPE: Final = "https://www.googleapis.com/auth/webmasters.readonly"
_BASE: Final = "https://searchconsole.googleapis.com"
_DOMAIN: Final = "sc-domain:"
_ZONE: Final = "America/Los_Angeles"
_NO_QUERIES: Final = ("discover", "googleNews")
_DEVICELESS: Final = ("discover", "googleNews")
_QUOTA_WAIT_S: Final = 60.0
_QUOTA_REASONS: Final = ("quotaExceeded", "rateLimitExceeded", "userRateLimitExceeded", "dailyLimitExceeded")
_MEASURES: Final = ("clicks", "impressions", "ctr", "position")
# An account without properties gets `{}`; a report without rows has at least its aggregation type.
_SITES: Final = JsonObject(may={"siteEntry": list}, is_sparse=True)
_REPORT: Final = JsonObject(has={"responseAggregationType": str}, may={"rows": list, "metadata": dict})


def parse_row(record: Record) -> Mapping[str, Any]:
    """A row of search results from one API row, to which the request parameters have been added."""
    split = dict(zip(record["dimensions"], record["keys"], strict=True))
    impressions = int(record["impressions"])
    row = {
        "site": record["site"],
        "search_type": record["type"],
        "ts": parse_date(split.pop("date")),
        "clicks": record["clicks"],
        "impressions": record["impressions"],
        "position": record.get("position") if impressions else None,
        "is_final": record["is_final"],
        **split,
    }
    if "country" in row:
        row["country"] = alpha2(row["country"])
    return row


_FIELDS: Final = ("keys", *_MEASURES, "site", "type", "dimensions", "is_final")


def _endpoint(name: str, feed: Any, doc: str, chunk_days: int) -> ApiEndpoint:
    return ApiEndpoint(
        name=name,
        feed=feed,
        doc=doc,
        lookback_days=10,
        lag_days=3,
        zone=_ZONE,
        history_days=480,
        retention_days=480,
        chunk_days=chunk_days,
        parse=parse_row,
        fields=_FIELDS,
        final="is_final",
    )


DAILY: Final = _endpoint("daily", SEARCH_CONSOLE_DAILY, "Totals of a property by day.", 90)
COUNTRY: Final = _endpoint("country", SEARCH_CONSOLE_COUNTRY, "Results by day, country and device.", 30)
PAGE: Final = _endpoint("page", SEARCH_CONSOLE_PAGE, "Results by day and page.", 10)
QUERY: Final = _endpoint("query", SEARCH_CONSOLE_QUERY, "Results by day and query.", 10)
_DIMENSIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "daily": ("date",),
    "country": ("date", "country", "device"),
    "page": ("date", "page"),
    "query": ("date", "query"),
}


class SearchConsoleOptions(Options, frozen=True):
    sites: Annotated[Texts, "properties as the console writes them; all that the account may read if not given"] = ()
    types: Annotated[Texts, "kinds of search, web if not given", known(SEARCH_TYPES)] = ("web",)
    base_url: Annotated[Text, "another server that speaks this API"] = _BASE


class SearchConsole(ApiSource[SearchConsoleOptions]):
    """The properties of a Search Console that a service account may read."""

    kind = "search_console"
    console = "Search Console › Settings › Users and permissions"
    credentials = ("account",)

    @property
    def endpoints(self) -> tuple[ApiEndpoint, ...]:
        """Totals by day; breakdowns by country and device, by page, by query."""
        return (DAILY, COUNTRY, PAGE, QUERY)

    def connect(self, clock: Clock) -> Client:
        return Client(
            self.name,
            self.options.base_url,
            clock,
            console=self.console,
            auth=service_account(self.key("account"), [_SCOPE]),
            # A fifth of Google's limit per user and minute, and never two calls within 200 ms.
            limits=(Limit(240, 60.0), Limit(1, 0.2)),
            classify=_classify,
        )

    def ping(self, client: Client) -> list[str]:
        """List the properties that the account may read."""
        listed = self._listed(client)
        return [*self._missing(client, listed), *self._left_out(listed)]

    def partitions(self, client: Client, endpoint: ApiEndpoint) -> Iterable[str]:
        """Each property with each configured search type: `web sc-domain:example.com`.

        Raises:
            SourceError: the account may read none of them, or not all that are configured.
        """
        listed = self._listed(client)
        missing = self._missing(client, listed)
        if missing:
            raise SourceError(missing[0])
        known = [site for site, level in listed.items() if level in MAY_READ]
        # A domain and a folder of it tell the same clicks: the larger one alone is asked for.
        for site in self.options.sites or [each for each in known if not _holding(each, known)]:
            for search_type in self.options.types:
                if not (endpoint.name == "query" and search_type in _NO_QUERIES):
                    yield f"{search_type} {site}"

    def fetch(
        self, client: Client, endpoint: ApiEndpoint, partition: str, first: date, end: date
    ) -> Iterator[Sequence[Record]]:
        """Rows of one property and search type, page by page; one day per call for rows by page and query."""
        search_type, _, site = partition.partition(" ")
        dimensions = _DIMENSIONS[endpoint.name]
        if search_type in _DEVICELESS and endpoint.name == "country":
            dimensions = ("date", "country")
        last = add_days(end, -1)
        one_by_one = endpoint.name in ("page", "query")
        for start, stop in [(day, day) for day in days_between(first, last)] if one_by_one else [(first, last)]:
            yield from self._rows(client, site, search_type, dimensions, start, stop)

    def _rows(
        self, client: Client, site: str, search_type: str, dimensions: tuple[str, ...], start: date, stop: date
    ) -> Iterator[Sequence[Record]]:
        path = f"webmasters/v3/sites/{quote(site, safe='')}/searchAnalytics/query"
        # Google's default is right for us: it aggregates by page if pages are requested, else by property.
        body: dict[str, Any] = {
            "startDate": start.isoformat(),
            "endDate": stop.isoformat(),
            "dimensions": list(dimensions),
            "type": search_type,
            "dataState": "all",
            "rowLimit": PAGE_ROWS,
        }

        def ask(row: int | None) -> Any:
            return row or 0, client.post(path, body={**body, "startRow": row or 0}, expects=_REPORT).json()

        def following(page: Any) -> int | None:
            return None if len(page[1].get("rows") or ()) < PAGE_ROWS else page[0] + PAGE_ROWS

        for _, page in pages(ask, following, f"rows of {site}"):
            unfinished = str(page.get("metadata", {}).get("firstIncompleteDate", "9999-12-31"))
            # Without impressions there is no position.
            rows = [{"position": None, **each} for each in page.get("rows") or ()]
            added = {"site": site, "type": search_type, "dimensions": list(dimensions)}
            records = [{**each, **added, "is_final": str(each["keys"][0]) < unfinished} for each in rows]
            if "country" in dimensions and "device" not in dimensions:
                records = [
                    {**each, "dimensions": [*dimensions, "device"], "keys": [*each["keys"], "ALL"]} for each in records
                ]
            yield records

    def _left_out(self, listed: Mapping[str, str]) -> list[str]:
        """Of properties that nobody named, those that cannot be read: they are left out, and the check says so."""
        if self.options.sites:
            return []
        known = any(level in MAY_READ for level in listed.values())
        return [
            f"The property '{site}' is left out: the account's permission there is {level or 'unknown'}, with which "
            "Google returns nothing. Name the properties that you want in sites, or verify it in Search Console."
            for site, level in listed.items()
            if level not in MAY_READ and known
        ]

    def _listed(self, client: Client) -> dict[str, str]:
        """The properties listed for the account, with its permission level."""
        body = client.get("webmasters/v3/sites", expects=_SITES).json()
        return {str(site["siteUrl"]): spelt(site.get("permissionLevel")) for site in body.get("siteEntry", [])}

    def _missing(self, client: Client, listed: Mapping[str, str]) -> list[str]:
        email = account_email(client, self.key("account"))
        known = [site for site, level in listed.items() if level in MAY_READ]
        sites = self.options.sites
        unverified = [site for site, level in listed.items() if level == UNVERIFIED and site in (sites or listed)]
        if unverified and (sites or not known):
            # It is listed, so nobody would suspect that the right is missing.
            return [
                f"The property '{site}' is listed for the account {email}, but not verified: Google returns no data "
                f"for it. Have an owner add the account in {self.console}, or verify the property."
                for site in unverified
            ]
        if not known:
            return [f"The account {email} may read no property. Add it as a user in {self.console}."]
        return [
            f"The account {email} may not read the property '{site}'. {suggest(site, known)} "
            f"Or add the account in {self.console}."
            for site in sites
            if site not in known
        ] + [
            f"sites names both '{outer}' and '{site}', which is part of it: clicks would count twice. Leave one out."
            for site in sites
            for outer in _holding(site, sites)
        ]


def _holding(site: str, others: Iterable[str]) -> list[str]:
    """The other properties that contain all pages of this one."""
    # Domains are compared by name, URL prefixes by address.
    name = site.removeprefix(_DOMAIN) if site.startswith(_DOMAIN) else urlsplit(site).hostname
    return [
        other
        for other in others
        if other != site
        and (f".{name}".endswith(f".{other.removeprefix(_DOMAIN)}") if _DOMAIN in other else site.startswith(other))
    ]


def _classify(response: Response) -> Decision | None:
    """Classify 403 by the reason in the response: quota or missing right."""
    if response.status not in (403, 429):
        return None
    try:
        error = json.loads(response.body)["error"]
        reason = str(error.get("errors", [{}])[0].get("reason", ""))
        message = str(error.get("message", ""))
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        reason, message = "", excerpt(response)
    if response.status == 429 or reason in _QUOTA_REASONS or "quota" in message.lower():
        return Decision("later", message, seconds=_QUOTA_WAIT_S)
    remedy = "Compare the property letter by letter with the console (https://, www., the slash at the end)."
    if "SERVICE_DISABLED" in response.body.decode("utf-8", "replace"):
        remedy = "Enable the Google Search Console API in the Google Cloud project of the service account."
    return Decision("failed", message, remedy)


SEARCH_CONSOLE: Final = SourceKind(
    name="search_console",
    summary="Google Search Console: clicks, impressions and position by day, country, device, page and query",
    options=SearchConsoleOptions,
    open=SearchConsole,
)
