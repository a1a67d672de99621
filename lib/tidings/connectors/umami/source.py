"""Umami, self-hosted or cloud, version 2 or 3: visitors, page views, visits, events of websites by day.

API quirks. Bounds are milliseconds, both included. A day without visitors is all zeros. An administrator who requests a
website that does not exist gets zeros as well: ids come from the list of websites. A missing right is 401, and so is a
token that the server forgot. Version 2 wraps numbers (`{"value": 1}`) and calls paths `url`. Some numbers are strings.
Visitors of days, pages or countries are not additive: each breakdown is requested by itself. Lists are ordered by count
alone, so that equal counts move between pages: each is requested in one piece. A team member finds the websites in the
team. A reset deletes all hits, and shows in the list of websites.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Annotated, Any, Final
from urllib.parse import quote

from tidings.connectors.umami.moves import Website, first_row
from tidings.connectors.umami.records import endpoints
from tidings.enrich.hosts import shown
from tidings.enrich.paths import page_name
from tidings.enrich.redaction import redact, redacted
from tidings.errors import ResponseError, SettingsError, SourceError, suggest
from tidings.landing.manifest import Load
from tidings.landing.store import Landing
from tidings.options import Options, Text, Texts, ZoneName
from tidings.settings import Settings
from tidings.sources.api.endpoint import ApiEndpoint, NotYetError
from tidings.sources.api.source import ApiSource
from tidings.sources.clock import Clock
from tidings.sources.http.auth import Header, Token
from tidings.sources.http.expected import LIST, JsonObject
from tidings.sources.http.paging import pages
from tidings.sources.http.session import Auth, Client, Decision, Limit, Response, excerpt
from tidings.sources.records import Record
from tidings.sources.source import Pull, Pulled, SourceKind
from tidings.window import Zone, add_days, days_between, parse_instant

_CLOUD: Final = "https://api.umami.is/v1"
# More than any list has: a response of this length was cut off.
_MOST: Final = 100_000
# The length of lists where a server does not know the limit.
_DEFAULT: Final = 500
# The name of each breakdown in version 3 and in version 2; empty if it has none.
_TYPES: Final = {
    "path": "url",
    "referrer": "referrer",
    "channel": "",
    "country": "country",
    "device": "device",
    "os": "os",
    "browser": "browser",
}
_TOKEN: Final = JsonObject(has={"token": str})
_SITES: Final = JsonObject(has={"data": list, "count": (int, str), "page": (int, str), "pageSize": (int, str)})
_STATS: Final = JsonObject(has={"pageviews": (int, str, dict), "visitors": (int, str, dict)})
# A website without hits has no dates.
_REACH: Final = JsonObject(may={"startDate": str, "endDate": str, "mindate": str, "maxdate": str}, is_sparse=True)
_LOGIN_S: Final = 86_400.0
# Breakdowns whose names may hold personal data. Of several spellings of a page or a host one is kept.
_ADDRESSES: Final = {"path": page_name, "referrer": lambda host: redact(shown(host))}


class UmamiOptions(Options, frozen=True):
    websites: Annotated[Texts, "domains or ids; all that the user sees if not given"] = ()
    timezone: Annotated[ZoneName, "zone of the days; the workbook's if not given"] = ""
    base_url: Annotated[Text, "address of your own server; Umami Cloud if not given"] = _CLOUD


class Umami(ApiSource[UmamiOptions]):
    """The websites of one Umami."""

    kind = "umami"
    console = "Umami › Settings"
    # A key of the cloud, or name and password of a user.
    credentials = ("key", "username", "password")

    def __init__(self, name: str, options: UmamiOptions, settings: Settings) -> None:
        super().__init__(name, options, settings)
        self._zone = Zone(options.timezone or settings.timezone)
        self._websites: dict[str, str] = {}
        self._resets: dict[str, datetime] = {}
        self._first_days: dict[str, date | None] = {}
        self._is_version_2: bool | None = None

    @property
    def endpoints(self) -> tuple[ApiEndpoint, ...]:
        return endpoints(self._zone.name)

    def connect(self, clock: Clock) -> Client:
        has_key = bool(self.settings.environment.get(self.variable("key")))
        base = self.options.base_url.rstrip("/")
        if base != _CLOUD and not has_key and not base.endswith("/api"):
            base += "/api"
        if base == _CLOUD and not has_key:
            raise SettingsError(
                f"{self.name} has neither {self.variable('key')} nor a base_url.",
                f"For Umami Cloud set {self.variable('key')} ({self.console} › API keys); for your own server add "
                "base_url to its table.",
            )
        auth: Auth = Header(self.secret("key"), "x-umami-api-key", "{}") if has_key else Token(self._logged_in)
        # The limit of the cloud; we do not load an own server more than that either.
        limits = (Limit(45, 15.0),) if has_key else (Limit(20, 1.0),)
        return Client(self.name, base, clock, console=self.console, auth=auth, limits=limits, classify=_classify)

    def _logged_in(self, client: Client) -> tuple[str, float]:
        body = {
            "username": client.hide(self.secret("username")),
            "password": client.hide(self.secret("password")),
        }
        return str(client.post("auth/login", body=body, auth=False, expects=_TOKEN).json()["token"]), _LOGIN_S

    def ping(self, client: Client) -> list[str]:
        """List the websites."""
        try:
            self._chosen(client)
        except SourceError as error:
            return [str(error)]
        return []

    def partitions(self, client: Client, endpoint: ApiEndpoint) -> Iterable[str]:
        """The websites, by id: a domain may move, and may belong to two websites.

        Raises:
            SourceError: there is none, or a configured one is not visible to the user.
        """
        del endpoint
        return tuple(self._chosen(client))

    def named(self, partition: str) -> str:
        """The domain of a website."""
        return self._websites.get(partition, partition)

    def fetch(
        self, client: Client, endpoint: ApiEndpoint, partition: str, first: date, end: date
    ) -> Iterator[Sequence[Record]]:
        """The records of one website; totals and breakdowns are requested day by day."""
        site = f"websites/{quote(partition, safe='')}"
        whose = {"website": self._chosen(client)[partition], "zone": self._zone.name}
        if endpoint.name == "events":
            asked = {**self._range(first, end), "unit": "day", "timezone": self._zone.name}
            yield [{**record, **whose} for record in client.get(f"{site}/events/series", asked, expects=LIST).json()]
            return
        for day in days_between(first, add_days(end, -1)):
            dated = {**whose, "day": day.isoformat()}
            bounds = self._range(day, add_days(day, 1))
            try:
                for page in self._of_day(client, endpoint.name, site, bounds):
                    yield [{**record, **dated} for record in page]
            except _CutError as error:
                raise NotYetError(
                    day, error=ResponseError(f"{day}: {error}", "Look for a newer version of Umami.")
                ) from None

    def _of_day(self, client: Client, name: str, site: str, bounds: Mapping[str, int]) -> Iterator[Sequence[Record]]:
        if name == "daily":
            yield [_unwrapped(client.get(f"{site}/stats", bounds, expects=_STATS).json())]
        else:
            for type_ in _TYPES:
                for page in self._breakdown(client, site, type_, bounds):
                    yield [{**record, "type": type_} for record in page]

    def _breakdown(
        self, client: Client, site: str, type_: str, bounds: Mapping[str, int]
    ) -> Iterator[Sequence[Record]]:
        name = _TYPES[type_] if self._speaks_2(client, site, bounds) else type_
        if not name:
            return
        asked = {**bounds, "type": name, "limit": _MOST}
        found = client.get(f"{site}/metrics", asked, expects=LIST).json()
        if len(found) == _DEFAULT:
            # All that exist, or as many as a server returns that ignores the limit.
            more = client.get(f"{site}/metrics", {**asked, "offset": _DEFAULT}, expects=LIST).json()
            if more:
                raise _CutError(f"the list of {type_} was cut off after {_DEFAULT:,}; which are missing is not known.")
        if len(found) >= _MOST:
            raise _CutError(f"the list of {type_} has {_MOST:,} or more: it was cut off, and is not landed.")
        yield redacted(found, "x", "y", written=_ADDRESSES[type_]) if type_ in _ADDRESSES else found

    def _listed(self, client: Client, path: str, asked: Mapping[str, Any]) -> list[Mapping[str, Any]]:

        def ask(page: int | None) -> Any:
            return client.get(path, {**asked, "page": page or 1, "pageSize": 100}, expects=_SITES).json()

        def following(body: Any) -> int | None:
            page = int(body["page"])
            # A server may return less than requested.
            return page + 1 if body["data"] and page * int(body["pageSize"]) < int(body["count"]) else None

        return list(pages(ask, following, path.rpartition("/")[2]))

    def _speaks_2(self, client: Client, site: str, bounds: Mapping[str, int]) -> bool:
        """True for version 2, which wraps its numbers."""
        if self._is_version_2 is None:
            stats = client.get(f"{site}/stats", bounds, expects=_STATS).json()
            self._is_version_2 = isinstance(stats.get("pageviews"), Mapping)
        return self._is_version_2

    def land(
        self, landing: Landing, client: Client, endpoint: ApiEndpoint, partition: str, pull: Pull
    ) -> Iterator[Pulled]:
        """Land what is new from the first hit on: days before it are not zero, they do not exist.

        What was landed before a reset stays. The day of a reset is left out: half of it is deleted.
        """
        self._chosen(client)
        first = self._first_day(client, partition)
        if endpoint.name == "daily":
            loads = [load for load in landing.loads(self.name, endpoint.name) if load.partition == partition]
            website = Website(self.named(partition), self._zone, first, self._resets.get(partition))
            reported = website.moved(loads, landing.raw / self.name / endpoint.name)
            if reported:
                name = self.named(partition)
                yield Pulled(self.name, endpoint.name, endpoint.feed.name, 0, partition=name, messages=reported)
        include_today = self._zone.day_of(pull.now)
        if first is not None and first <= include_today:
            reaches = replace(endpoint, retention_days=len(days_between(first, include_today)) - 1)
            yield from super().land(landing, client, reaches, partition, pull)

    def is_stale(self, landing: Landing, endpoint: ApiEndpoint, load: Load) -> bool:
        """Days in another zone are other days, so they are requested again."""
        zone = first_row(landing.raw / self.name / endpoint.name, load).get("zone", self._zone.name)
        return bool(zone != self._zone.name)

    def _first_day(self, client: Client, partition: str) -> date | None:
        """The first complete local day with hits; null if there is no hit."""
        if partition not in self._first_days:
            body = client.get(f"websites/{quote(partition, safe='')}/daterange", expects=_REACH).json()
            start = body.get("startDate", body.get("mindate"))
            first = self._zone.day_of(parse_instant(start)) if start else None
            reset = self._resets.get(partition)
            if first and reset:
                first = max(first, add_days(self._zone.day_of(reset), 1))
            self._first_days[partition] = first
        return self._first_days[partition]

    def _range(self, first: date, end: date) -> dict[str, int]:
        start, stop = (round(self._zone.first_instant(day).timestamp() * 1000) for day in (first, end))
        return {"startAt": start, "endAt": stop - 1}

    def _chosen(self, client: Client) -> Mapping[str, str]:
        """The domains of the configured websites, by id."""
        if self._websites:
            return self._websites
        known = self._known(client)
        configured = self.options.websites
        if not known:
            raise SourceError(
                f"The user of {self.name} sees no website.",
                "In Umami transfer the website to a team (its settings › Data › Transfer website), and make the user a "
                "member of that team.",
            )
        names = [*known, *known.values()]
        for website in configured:
            if website not in names:
                raise SourceError(f"The user of {self.name} sees no website '{website}'.", suggest(website, names))
        chosen = {
            id_: domain for id_, domain in known.items() if not configured or id_ in configured or domain in configured
        }
        shared = [domain for domain, times in Counter(known.values()).items() if times > 1]
        # Two websites of one domain are distinguished by id.
        self._websites = {
            id_: f"{domain} {id_}" if domain in shared else domain
            for id_, domain in sorted(chosen.items(), key=lambda each: (each[1], each[0]))
        }
        return self._websites

    def _known(self, client: Client) -> dict[str, str]:
        """Domains by id: of the user's own websites, and of all teams that the user is a member of."""
        found = self._listed(client, "websites", {"includeTeams": "true"})
        try:
            teams = self._listed(client, "me/teams", {})
        except ResponseError as error:
            # Older servers list all of them at once.
            if error.status != 404:
                raise
            teams = []
        for team in (team for page in teams for team in page["data"]):
            found += self._listed(client, f"teams/{quote(str(team['id']), safe='')}/websites", {})
        websites = {str(site["id"]): site for page in found for site in page["data"]}
        self._resets = {id_: parse_instant(site["resetAt"]) for id_, site in websites.items() if site.get("resetAt")}
        return {id_: str(site.get("domain") or site["name"]) for id_, site in websites.items()}


class _CutError(Exception):
    """An incomplete list."""


def _classify(response: Response) -> Decision | None:
    """Classify 401 for one website as a missing right: the token is good, as it could list the websites."""
    if response.status == 401 and "/websites/" in response.path:
        remedy = "Transfer the website to a team of the user, or leave it out of websites."
        return Decision("renew", excerpt(response), remedy, is_right=True)
    return None


def _unwrapped(stats: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: each["value"] if isinstance(each, Mapping) and "value" in each else each for name, each in stats.items()
    }


UMAMI: Final = SourceKind(
    name="umami",
    summary="Umami, self-hosted or cloud: visitors, page views, visits and events of websites",
    options=UmamiOptions,
    open=Umami,
)
