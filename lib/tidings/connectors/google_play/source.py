"""Google Play Console: installs, store page, ratings, reviews, sales and earnings from its bucket, vitals from its API.

API quirks. One account has three services. The bucket holds a file per month, app and breakdown, rewritten daily for
weeks: a new generation of a file replaces all of its content. Files are UTF-16 with a byte order mark, financial ones
zipped UTF-8; columns are renamed from time to time. A breakdown splits the same total another way; totals have files of
their own. Small apps have no files at all, which does not mean zero. Vitals report how fresh they are, reject later
days, and give user rates as strings. The reviews API has the written reviews of the last week; the files also have
ratings without text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Annotated, Any, Final
from urllib.parse import quote

from tidings.connectors.google_play.files import OBJECTS, doubted, land, note_reach, objects, wanted
from tidings.connectors.google_play.records import ENDPOINTS, FILES, PACIFIC, RECENT_REVIEWS, VITALS
from tidings.errors import ResponseError, SourceError, suggest
from tidings.landing.store import Landing
from tidings.options import Options, Text, Texts
from tidings.settings import Settings
from tidings.sources.api.endpoint import ApiEndpoint, NotYetError, day_instant
from tidings.sources.api.failures import together
from tidings.sources.api.source import ApiSource
from tidings.sources.clock import Clock
from tidings.sources.http.auth import Token, account_email, service_account
from tidings.sources.http.expected import JsonObject
from tidings.sources.http.paging import pages
from tidings.sources.http.session import Client, Decision, Limit, Response, excerpt
from tidings.sources.records import Record
from tidings.sources.source import Pull, Pulled, SourceKind

_STORAGE: Final = "https://storage.googleapis.com"
_REPORTING: Final = "https://playdeveloperreporting.googleapis.com"
_PUBLISHER: Final = "https://androidpublisher.googleapis.com"
_SCOPES: Final = tuple(
    f"https://www.googleapis.com/auth/{scope}"
    for scope in ("devstorage.read_only", "playdeveloperreporting", "androidpublisher")
)
_SETS: Final = {"crash": "crashRateMetricSet", "anr": "anrRateMetricSet"}
_PAGE: Final = 10_000
# Google leaves out empty fields, except the kind of an object list and the freshness of vitals.
_APPS: Final = JsonObject(may={"apps": list, "nextPageToken": str}, is_sparse=True)
_VITALS: Final = JsonObject(may={"rows": list, "nextPageToken": str}, is_sparse=True)
_FRESHNESS: Final = JsonObject(has={"freshnessInfo": dict})
_REVIEWS: Final = JsonObject(may={"reviews": list, "tokenPagination": dict, "pageInfo": dict}, is_sparse=True)


class GooglePlayOptions(Options, frozen=True):
    bucket: Annotated[Text, "Cloud Storage URI that Play Console › Download reports shows, gs://pubsite_prod_…"]
    packages: Annotated[
        Texts, "package names; all that the account sees if not given; pull --again after a change"
    ] = ()
    base_url: Annotated[Text, "another server that speaks these APIs"] = ""


class GooglePlay(ApiSource[GooglePlayOptions]):
    """The apps of one Google Play developer account."""

    kind = "google_play"
    console = "Play Console › Users and permissions"
    credentials = ("account",)

    def __init__(self, name: str, options: GooglePlayOptions, settings: Settings) -> None:
        super().__init__(name, options, settings)
        self._token: Token | None = None
        self._clients: dict[str, Client] = {}
        self._packages: tuple[str, ...] = ()

    @property
    def endpoints(self) -> tuple[ApiEndpoint, ...]:
        return (*ENDPOINTS, VITALS, RECENT_REVIEWS)

    @property
    def bucket(self) -> str:
        """The bucket's name, however much of its address was copied."""
        return self.options.bucket.removeprefix("gs://").partition("/")[0]

    def connect(self, clock: Clock) -> Client:
        """Cloud Storage, as the service account; the other two services use the same account."""
        self._token = service_account(self.key("account"), _SCOPES)
        self._clients = {}
        return self._client(clock, self.options.base_url or _STORAGE)

    def _client(self, clock: Clock, base: str) -> Client:
        # Vitals allow ten queries a second.
        limits = (Limit(8, 1.0),)
        return Client(self.name, base, clock, console=self.console, auth=self._token, limits=limits, classify=_classify)

    def _other(self, client: Client, base: str) -> Client:
        """A client for another of the three services; a configured base_url stands in for all of them."""
        if base not in self._clients:
            self._clients[base] = self._client(client.clock, self.options.base_url or base)
        return self._clients[base]

    def ping(self, client: Client) -> list[str]:
        """List one file of the bucket, and one app."""
        missing = []
        email = account_email(client, self.key("account"))
        bucket = f"storage/v1/b/{quote(self.bucket, safe='')}/o"
        questions = {
            f"the bucket {self.bucket}": (client, bucket, {"maxResults": 1}, OBJECTS),
            "vitals": (self._other(client, _REPORTING), "v1beta1/apps:search", {"pageSize": 1}, _APPS),
        }
        for what, (server, path, query, expects) in questions.items():
            try:
                server.get(path, query, expects=expects)
            except ResponseError as error:
                missing.append(f"The account {email} cannot read {what}. {error}" if error.is_right else str(error))
        return missing

    def partitions(self, client: Client, endpoint: ApiEndpoint) -> Iterable[str]:
        """The bucket for files, the apps for vitals and reviews."""
        return (self.bucket,) if endpoint.name in FILES else self._chosen(client)

    def land(
        self, landing: Landing, client: Client, endpoint: ApiEndpoint, partition: str, pull: Pull
    ) -> Iterator[Pulled]:
        """Land the files written since the last pull, one by one; vitals and reviews like any API."""
        if endpoint.name not in FILES:
            yield from super().land(landing, client, endpoint, partition, pull)
            return
        failed: list[SourceError] = []
        unchanged: list[Pulled] = []
        packages = self.options.packages
        again = doubted(landing, self.name, endpoint)
        files = wanted(objects(client, partition, endpoint), endpoint, packages, pull)
        for file in files:
            try:
                pulled = land(landing, client, self.name, partition, endpoint, file, packages, pull, again)
            except ResponseError as error:
                failed.append(error)
                continue
            if pulled.skipped:
                unchanged.append(pulled)
            else:
                yield pulled
        if unchanged:
            rows, rejected = sum(each.rows for each in unchanged), sum(each.rejected for each in unchanged)
            yield Pulled(self.name, endpoint.name, endpoint.feed.name, rows, rejected, skipped=True)
        if failed:
            raise together(failed)
        if files and endpoint.feed.is_sparse:
            note_reach(landing, self.name, endpoint, pull)

    def fetch(
        self, client: Client, endpoint: ApiEndpoint, partition: str, first: date, end: date
    ) -> Iterator[Sequence[Record]]:
        """Vitals of one app as far as they are fresh, or its newest reviews."""
        if endpoint is RECENT_REVIEWS:
            yield from self._reviews(client, partition, first, end)
            return
        reporting = self._other(client, _REPORTING)
        fresh = min(self._last_row_at(reporting, partition, name) for name in _SETS.values())
        until = min(end, fresh)
        if until > first:
            for kind, name in _SETS.items():
                for dimensions in ([], ["versionCode"]):
                    yield from self._vitals(reporting, partition, kind, name, dimensions, first, until)
        if until < end:
            raise NotYetError(max(until, first))

    def _vitals(
        self, client: Client, package: str, kind: str, name: str, dimensions: list[str], first: date, end: date
    ) -> Iterator[Sequence[Record]]:
        body = {
            "timelineSpec": {"aggregationPeriod": "DAILY", "startTime": _day(first), "endTime": _day(end)},
            "dimensions": dimensions,
            "metrics": [f"{kind}Rate", "distinctUsers"],
            "pageSize": _PAGE,
        }

        def ask(token: str | None) -> Any:
            sent = {**body, "pageToken": token} if token else body
            return client.post(
                f"v1beta1/apps/{quote(package, safe='')}/{name}:query", body=sent, expects=_VITALS
            ).json()

        for page in pages(ask, lambda page: page.get("nextPageToken") or None, f"{name} of {package}"):
            yield [{**row, "package": package, "kind": kind} for row in page.get("rows", ())]

    def _last_row_at(self, client: Client, package: str, name: str) -> date:
        """The first day that is not fresh yet."""
        body = client.get(f"v1beta1/apps/{quote(package, safe='')}/{name}", expects=_FRESHNESS).json()
        for each in body.get("freshnessInfo", {}).get("freshnesses", ()):
            if each["aggregationPeriod"] == "DAILY":
                end = each["latestEndTime"]
                return date(int(end["year"]), int(end["month"]), int(end["day"]))
        return date.min

    def _reviews(self, client: Client, package: str, first: date, end: date) -> Iterator[Sequence[Record]]:
        publisher = self._other(client, _PUBLISHER)
        path = f"androidpublisher/v3/applications/{quote(package, safe='')}/reviews"
        start, stop = (day_instant(day).timestamp() for day in (first, end))

        def ask(token: str | None) -> Any:
            query = {"maxResults": 100, **({"token": token} if token else {})}
            return publisher.get(path, query, expects=_REVIEWS).json()

        def following(page: Any) -> str | None:
            return page.get("tokenPagination", {}).get("nextPageToken") or None

        def changed(review: Any) -> int:
            return int(review["comments"][0]["userComment"]["lastModified"]["seconds"])

        for page in pages(ask, following, f"reviews of {package}"):
            yield [{**each, "package": package} for each in page.get("reviews", ()) if start <= changed(each) < stop]

    def _chosen(self, client: Client) -> tuple[str, ...]:
        """The configured packages, or all that the account sees."""
        if not self._packages:
            reporting = self._other(client, _REPORTING)

            def ask(token: str | None) -> Any:
                query = {"pageSize": 1000, **({"pageToken": token} if token else {})}
                return reporting.get("v1beta1/apps:search", query, expects=_APPS).json()

            known = [
                str(app["packageName"])
                for page in pages(ask, lambda page: page.get("nextPageToken") or None, "apps")
                for app in page.get("apps", ())
            ]
            email = account_email(client, self.key("account"))
            if not known:
                raise SourceError(f"The account {email} sees no app.", f"Invite the account in {self.console}.")
            for package in self.options.packages:
                if package not in known:
                    raise SourceError(
                        f"The account {email} sees no app '{package}'.",
                        f"{suggest(package, known)} Or invite the account in {self.console}.",
                    )
            self._packages = self.options.packages or tuple(sorted(known))
        return self._packages


def _day(day: date) -> dict[str, Any]:
    return {"year": day.year, "month": day.month, "day": day.day, "timeZone": {"id": PACIFIC}}


def _classify(response: Response) -> Decision | None:
    """Classify 403: a missing right, or a service that is not enabled."""
    if response.status != 403:
        return None
    remedy = (
        "Invite the service account in Play Console › Users and permissions with 'View app information and download "
        "bulk reports' (and financial data for money); it takes up to a day."
    )
    if "SERVICE_DISABLED" in response.body.decode("utf-8", "replace"):
        remedy = "Enable the API that is named in the Google Cloud project of the service account."
    return Decision("failed", excerpt(response), remedy)


GOOGLE_PLAY: Final = SourceKind(
    name="google_play",
    summary="Google Play Console: installs, store page, ratings, reviews, sales, earnings, vitals",
    options=GooglePlayOptions,
    open=GooglePlay,
)
