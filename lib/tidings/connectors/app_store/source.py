"""App Store Connect: sales, subscriptions, store analytics and reviews of apps.

API quirks. We sign tokens ourselves, valid for at most 20 minutes. Days of sales are Pacific, days of analytics UTC.
Reports are compressed tables, and the compression is not announced. Both a day without sales and a day whose report
does not exist yet are 404: within three days we assume the latter. One report covers all apps of the account. Proceeds
are per unit. Reviews can only be listed newest first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Final

from tidings.connectors.app_store.analytics import DATA, Analytics, listed
from tidings.connectors.app_store.records import (
    ANALYTICS,
    HEADS,
    PACIFIC,
    REVIEWS,
    SALES,
    SUBSCRIPTION_EVENTS,
    SUBSCRIPTIONS,
    table,
)
from tidings.errors import InBetweenError, ResponseError, SettingsError, SourceError, suggest
from tidings.landing.store import Landing
from tidings.options import Options, Text, Texts
from tidings.settings import Settings
from tidings.sources.api.endpoint import ApiEndpoint, NotYetError, day_instant
from tidings.sources.api.source import ApiSource
from tidings.sources.clock import Clock
from tidings.sources.http.auth import Token, signed
from tidings.sources.http.expected import FILE
from tidings.sources.http.paging import pages
from tidings.sources.http.session import Client, Decision, Limit, Response, excerpt, from_epoch
from tidings.sources.records import Record
from tidings.sources.source import Pull, Pulled, SourceKind
from tidings.window import Zone, add_days, days_between, parse_instant

_BASE: Final = "https://api.appstoreconnect.apple.com"
_AUDIENCE: Final = "appstoreconnect-v1"
_TOKEN_S: Final = 900
_PENDING_DAYS: Final = 3
_KINDS: Final[Mapping[str, tuple[str, str]]] = {
    "sales": ("SALES", ""),
    "subscriptions": ("SUBSCRIPTION", "1_3"),
    "subscription_events": ("SUBSCRIPTION_EVENT", "1_3"),
}
_BUSY_WAIT_S: Final = 60.0


@dataclass(frozen=True)
class _App:
    """The names of an app: its bundle id, and the SKU that sales reports use."""

    bundle: str
    sku: str


class AppStoreOptions(Options, frozen=True):
    key_id: Annotated[Text, "id of the key, as App Store Connect shows it"]
    issuer: Annotated[Text, "issuer id of a team key; leave it out for the key of one person"] = ""
    vendors: Annotated[Texts, "vendor numbers (Payments and Financial Reports); without one there are no sales"] = ()
    apps: Annotated[Texts, "numbers or bundle ids; all that the key sees if not given; --again after a change"] = ()
    base_url: Annotated[Text, "another server that speaks this API"] = _BASE


class AppStore(ApiSource[AppStoreOptions]):
    """The apps of one App Store Connect account."""

    kind = "app_store"
    console = "App Store Connect › Users and Access › Integrations"
    credentials = ("key",)

    def __init__(self, name: str, options: AppStoreOptions, settings: Settings) -> None:
        super().__init__(name, options, settings)
        self._apps: dict[str, _App] = {}
        self._versions = dict(_KINDS.values())

    @property
    def endpoints(self) -> tuple[ApiEndpoint, ...]:
        """Sales and subscriptions where a vendor number is given; analytics and reviews of each app."""
        of_vendor = (SALES, SUBSCRIPTIONS, SUBSCRIPTION_EVENTS) if self.options.vendors else ()
        return (*of_vendor, ANALYTICS, REVIEWS)

    def connect(self, clock: Clock) -> Client:
        """The API, with tokens signed by the key."""
        key, key_id = self.key("key"), self.options.key_id
        # A key of one person has no issuer.
        issuer = self.options.issuer

        def mint(client: Client) -> tuple[str, float]:
            now = int(client.clock.epoch())
            whose = {"sub": "user"} if issuer in ("", "-") else {"iss": issuer}
            claims = {**whose, "iat": now, "exp": now + _TOKEN_S, "aud": _AUDIENCE}
            return signed(client, key, "ES256", claims, {"kid": key_id, "typ": "JWT"}), _TOKEN_S

        return Client(
            self.name,
            self.options.base_url,
            clock,
            console=self.console,
            auth=Token(mint),
            limits=(Limit(3000, 3600.0), Limit(10, 1.0)),
            classify=_classify,
        )

    def ping(self, client: Client) -> list[str]:
        """List the apps."""
        try:
            self._chosen(client)
        except (SettingsError, SourceError) as error:
            return [str(error)]
        if not self.options.vendors:
            return [
                f"{self.name} has no vendors: downloads and proceeds cannot be pulled. Copy the vendor number from "
                "App Store Connect › Payments and Financial Reports."
            ]
        return []

    def partitions(self, client: Client, endpoint: ApiEndpoint) -> Iterable[str]:
        """Vendor numbers, or numbers of apps."""
        return self.options.vendors if endpoint.name in _KINDS else tuple(self._chosen(client))

    def fetch(
        self, client: Client, endpoint: ApiEndpoint, partition: str, first: date, end: date
    ) -> Iterator[Sequence[Record]]:
        """Rows of daily reports day by day; reviews newest first, back to `first`."""
        if endpoint is REVIEWS:
            yield from self._reviews(client, partition, first, end)
            return
        include_today = Zone(PACIFIC).day_of(from_epoch(client.clock.epoch()))
        for day in days_between(first, add_days(end, -1)):
            try:
                yield self._of_day(client, endpoint, partition, day, include_today)
            except ResponseError as error:
                if error.status or isinstance(error, InBetweenError):
                    raise
                # A damaged report of one day must not keep the others from being landed.
                raise NotYetError(day, error=error) from error

    def _of_day(
        self, client: Client, endpoint: ApiEndpoint, vendor: str, day: date, include_today: date
    ) -> list[Record]:
        response = self._report(client, _KINDS[endpoint.name][0], vendor, day)
        if response.status == 404:
            if (include_today - day).days <= _PENDING_DAYS:
                raise NotYetError(day)
            return []
        if response.status == 410:
            # What was landed of the day is all there will ever be.
            gone = f"App Store Connect no longer has the {endpoint.name} report of {day}."
            raise NotYetError(day, error=ResponseError(gone, "What was landed of it stays.", 410))
        whose = {"vendor": vendor, "day": day.isoformat()}
        rows = enumerate(table(response.body, HEADS[endpoint.name]), start=1)
        return [{**row, **whose, "row": number} for number, row in rows if self._is_wanted(client, row)]

    def _is_wanted(self, client: Client, row: Mapping[str, str]) -> bool:
        """One report covers all apps of the account; what is sold inside an app names the app as its parent."""
        if not self.options.apps:
            return True
        chosen = self._chosen(client)
        number = row.get("App Apple ID") or row.get("Apple Identifier", "")
        named = {row.get("SKU"), row.get("Parent Identifier")} - {"", None}
        return number in chosen or any(app.sku in named for app in chosen.values())

    def _report(self, client: Client, kind: str, vendor: str, day: date) -> Response:
        asked = {
            "filter[vendorNumber]": vendor,
            "filter[reportType]": kind,
            "filter[reportSubType]": "SUMMARY",
            "filter[frequency]": "DAILY",
            "filter[reportDate]": day.isoformat(),
        }
        accept = {"Accept": "application/a-gzip, application/json"}
        for _ in range(2):
            version = self._versions[kind]
            query = {**asked, "filter[version]": version} if version else asked
            response = client.get("v1/salesReports", query, expects=FILE, headers=accept, classify=_classify_report)
            if response.status != 400:
                return response
            # An outdated version is rejected, and the response names the current one.
            named = re.search(r"\b\d+_\d+\b", excerpt(response).replace(version or "?", ""))
            if named is None or named[0] == version:
                break
            self._versions[kind] = named[0]
        raise ResponseError(
            f"App Store Connect refuses the {kind} report of {day}: {client.message_of(response)}.", "Pull later.", 400
        )

    def _reviews(self, client: Client, app: str, first: date, end: date) -> Iterator[Sequence[Record]]:
        start, stop = day_instant(first), day_instant(end)

        def ask(url: str | None) -> Any:
            query = None if url else {"sort": "-createdDate", "limit": 200}
            return client.get(url or f"v1/apps/{app}/customerReviews", query, expects=DATA).json()

        def written(review: Any) -> datetime | None:
            created = review["attributes"].get("createdDate")
            return parse_instant(created) if created else None

        def following(page: Any) -> str | None:
            is_done = any(at is not None and at < start for at in map(written, page["data"][-1:]))
            return None if is_done else page.get("links", {}).get("next")

        def is_asked_for(review: Any) -> bool:
            at = written(review)
            # Without a time it is rejected, and kept as received.
            return at is None or start <= at < stop

        for page in pages(ask, following, f"reviews of {app}"):
            yield [
                {
                    **each,
                    "app_id": app,
                    "attributes": {k: v for k, v in each["attributes"].items() if k != "reviewerNickname"},
                }
                for each in page["data"]
                if is_asked_for(each)
            ]

    def land(
        self, landing: Landing, client: Client, endpoint: ApiEndpoint, partition: str, pull: Pull
    ) -> Iterator[Pulled]:
        """Land what is new; for each day of analytics the newest report that covers it."""
        if endpoint is not ANALYTICS:
            yield from super().land(landing, client, endpoint, partition, pull)
            return
        yield from Analytics(self.name, client, landing, pull, endpoint, partition).land()

    def _chosen(self, client: Client) -> Mapping[str, _App]:
        """The configured apps, by id."""
        if not self._apps:
            known = {
                str(each["id"]): _App(str(each["attributes"]["bundleId"]), str(each["attributes"].get("sku", "")))
                for each in listed(client, "v1/apps", {"limit": 200, "fields[apps]": "name,bundleId,sku"})
            }
            if not known:
                raise SourceError(
                    f"The key of {self.name} sees no app.", f"Give it a role for the app in {self.console}."
                )
            chosen = self.options.apps or tuple(known)
            names = [*known, *(app.bundle for app in known.values())]
            for name in chosen:
                if name not in names:
                    raise SourceError(f"The key of {self.name} sees no app '{name}'.", suggest(name, names))
            self._apps = {id_: app for id_, app in known.items() if id_ in chosen or app.bundle in chosen}
        return self._apps


def _classify(response: Response) -> Decision | None:
    """Classify 403 (roles, agreements) and 429 (hourly limit)."""
    if response.status == 429:
        return Decision("later", excerpt(response), seconds=None if "Retry-After" in response.headers else _BUSY_WAIT_S)
    if response.status == 403:
        text = response.body.decode("utf-8", "replace")
        remedy = "Give the key the role Sales and Reports (a team key; individual keys cannot read sales)."
        if "REQUIRED_AGREEMENTS" in text:
            remedy = "The account holder has to accept an agreement in App Store Connect › Business."
        return Decision("failed", excerpt(response), remedy)
    return None


def _classify_report(response: Response) -> Decision | None:
    """Accept 404 for a missing report, and an error that names the current version, as valid responses."""
    return Decision("fine") if response.status in (400, 404, 410) and b'"errors"' in response.body else None


APP_STORE: Final = SourceKind(
    name="app_store",
    summary="App Store Connect: sales, subscriptions, store analytics, reviews",
    options=AppStoreOptions,
    open=AppStore,
)
