"""Umami, self-hosted or cloud, version 2 or 3: visitors, page views, visits, events of websites by day.

Habits of the API. Bounds are milliseconds and both included. A finer unit than a range allows is silently replaced by a
coarser one, so that hours are asked for a few weeks at a time. Empty hours are left out, a day without a visitor is all
zeros. An administrator who asks for a website that does not exist gets zeros, too: ids come from the list of websites.
No right is 401, as is a token that the server forgot. Version 2 wraps numbers (`{"value": 1}`) and calls paths `url`.
Some numbers are texts. Visitors of days, pages or countries do not add up: each cut is asked for by itself.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Final
from urllib.parse import quote

from tidings.errors import SettingsError, SourceError, suggest
from tidings.settings import Settings
from tidings.sources.api import ApiEndpoint, ApiSource
from tidings.sources.auth import Header, Token
from tidings.sources.clock import Clock
from tidings.sources.expected import LIST, OBJECT, JsonObject
from tidings.sources.http import Answer, Auth, Client, Limit, Verdict, excerpt
from tidings.sources.paging import pages
from tidings.sources.records import Record
from tidings.sources.redaction import redacted
from tidings.sources.source import SourceKind
from tidings.sources.umami_records import endpoints
from tidings.window import Zone, add_days, days_between, parse_instant

_CLOUD: Final = "https://api.umami.is/v1"
_PAGE: Final = 500
# What each cut is called in version 3 and in version 2; empty where it has none.
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
_VISITORS: Final = _SITES
_STATS: Final = JsonObject(has={"pageviews": (int, str, dict), "visitors": (int, str, dict)})
_HOURS: Final = JsonObject(has={"pageviews": list, "sessions": list})
# Of a website without a hit there are no dates.
_REACH: Final = JsonObject(may={"startDate": str, "endDate": str, "mindate": str, "maxdate": str}, is_sparse=True)
_LIVE: Final = JsonObject(has={"totals": dict})
_LOGIN_S: Final = 86_400.0
# Cuts whose names may hold personal data.
_ADDRESSES: Final = ("path", "referrer")
_MIDNIGHT: Final = re.compile(r"[ T]00:00:00")


class Umami(ApiSource):
    """The websites of one Umami."""

    kind = "umami"
    console = "Umami › Settings"

    def __init__(self, name: str, table: Mapping[str, Any], settings: Settings) -> None:
        super().__init__(name, table, settings)
        self._zone = Zone(self.option("timezone", settings.timezone))
        self._websites: dict[str, str] = {}
        self._by_day = False
        self._is_version_2: bool | None = None

    @property
    def endpoints(self) -> tuple[ApiEndpoint, ...]:
        """Totals, hours, cuts and events by day, what is live; visitors one by one only where asked for."""
        return endpoints(self._zone.name, sessions=bool(self.table.get("sessions")))

    def variables(self) -> tuple[str, ...]:
        """A key of the cloud, or name and password of a user."""
        return (self.variable("key"), self.variable("username"), self.variable("password"))

    def connect(self, clock: Clock) -> Client:
        """The server, with a key or as a user."""
        has_key = bool(self.settings.environment.get(self.variable("key")))
        base = self.option("base_url", _CLOUD).rstrip("/")
        if base != _CLOUD and not has_key and not base.endswith("/api"):
            base += "/api"
        if base == _CLOUD and not has_key:
            raise SettingsError(
                f"{self.name} has neither {self.variable('key')} nor a base_url.",
                f"For Umami Cloud set {self.variable('key')} ({self.console} › API keys); for your own server add "
                "base_url to its table.",
            )
        auth: Auth = Header(self.secret("key"), "x-umami-api-key", "{}") if has_key else Token(self._logged_in)
        # What the cloud allows; an own server is not to be hurried either.
        limits = (Limit(45, 15.0),) if has_key else (Limit(20, 1.0),)
        return Client(self.name, base, clock, console=self.console, auth=auth, limits=limits, judge=_judge)

    def _logged_in(self, client: Client) -> tuple[str, float]:
        body = {
            "username": client.hide(self.secret("username")),
            "password": client.hide(self.secret("password")),
        }
        return str(client.post("auth/login", body=body, auth=False, expects=_TOKEN).json()["token"]), _LOGIN_S

    def ping(self, client: Client) -> list[str]:
        """Ask which websites may be seen."""
        try:
            self._chosen(client)
        except SourceError as error:
            return [str(error)]
        return []

    def parts(self, client: Client, endpoint: ApiEndpoint) -> Iterable[str]:
        """The websites, by id: a domain may move, and stands for two websites now and then.

        Raises:
            SourceError: there is none, or one that is configured may not be seen.
        """
        del endpoint
        return tuple(self._chosen(client))

    def named(self, part: str) -> str:
        """The domain of a website."""
        return self._websites.get(part, part)

    def fetch(
        self, client: Client, endpoint: ApiEndpoint, part: str, first: date, end: date
    ) -> Iterator[Sequence[Record]]:
        """The records of one website; totals, cuts and visitors are asked for day by day."""
        site = f"websites/{quote(part, safe='')}"
        whose = {"website": self._chosen(client)[part], "zone": self._zone.name}
        if endpoint.name == "live":
            yield [{**self._live(client, site), **whose, "day": first.isoformat()}]
            return
        first = max(first, self._first_day(client, site, end))
        if first >= end:
            return
        if endpoint.name == "hourly":
            yield [{**record, **whose} for record in self._hours(client, site, first, end)]
            return
        if endpoint.name == "events":
            asked = {**self._range(first, end), "unit": "day", "timezone": self._zone.name}
            yield [{**record, **whose} for record in client.get(f"{site}/events/series", asked, expects=LIST).json()]
            return
        for day in days_between(first, add_days(end, -1)):
            dated = {**whose, "day": day.isoformat()}
            bounds = self._range(day, add_days(day, 1))
            for page in self._of_day(client, endpoint.name, site, bounds):
                yield [{**record, **dated} for record in page]

    def _of_day(self, client: Client, name: str, site: str, bounds: Mapping[str, int]) -> Iterator[Sequence[Record]]:
        if name == "daily":
            yield [_unwrapped(client.get(f"{site}/stats", bounds, expects=_STATS).json())]
        elif name == "sessions":
            yield from self._sessions(client, site, bounds)
        else:
            for type_ in _TYPES:
                for page in self._cut(client, site, type_, bounds):
                    yield [{**record, "type": type_} for record in page]

    def _cut(self, client: Client, site: str, type_: str, bounds: Mapping[str, int]) -> Iterator[Sequence[Record]]:
        name = _TYPES[type_] if self._speaks_2(client, site, bounds) else type_
        if not name:
            return

        def ask(offset: int | None) -> Any:
            asked = {**bounds, "type": name, "limit": _PAGE, "offset": offset or 0}
            return offset or 0, client.get(f"{site}/metrics", asked, expects=LIST).json()

        def following(said: Any) -> int | None:
            return None if len(said[1]) < _PAGE else said[0] + _PAGE

        found = [each for _, page in pages(ask, following, f"{type_} of {site}") for each in page]
        yield redacted(found, "x", "y") if type_ in _ADDRESSES else found

    def _sessions(self, client: Client, site: str, bounds: Mapping[str, int]) -> Iterator[Sequence[Record]]:
        def ask(page: int | None) -> Any:
            return client.get(
                f"{site}/sessions", {**bounds, "page": page or 1, "pageSize": _PAGE}, expects=_VISITORS
            ).json()

        def following(said: Any) -> int | None:
            page = int(said["page"])
            # A server may give less than was asked for.
            return page + 1 if said["data"] and page * int(said["pageSize"]) < int(said["count"]) else None

        for said in pages(ask, following, f"visitors of {site}"):
            yield said["data"]

    def _hours(self, client: Client, site: str, first: date, end: date) -> list[dict[str, Any]]:
        days = days_between(first, add_days(end, -1))
        if not self._by_day:
            hours = self._hours_of(client, site, first, end)
            labels = [str(each["x"]) for each in hours]
            # Older versions tell days where more than two are asked for.
            self._by_day = len(days) > 1 and bool(labels) and all(_MIDNIGHT.search(label) for label in labels)
            if not self._by_day:
                return hours
        return [hour for day in days for hour in self._hours_of(client, site, day, add_days(day, 1))]

    def _hours_of(self, client: Client, site: str, first: date, end: date) -> list[dict[str, Any]]:
        asked = {**self._range(first, end), "unit": "hour", "timezone": self._zone.name}
        said = client.get(f"{site}/pageviews", asked, expects=_HOURS).json()
        visitors = {each["x"]: each["y"] for each in said["sessions"]}
        return [{**each, "visitors": visitors.get(each["x"])} for each in said["pageviews"]]

    def _live(self, client: Client, site: str) -> dict[str, Any]:
        active = client.get(f"{site}/active", expects=OBJECT).json()
        # Version 2.10 and older call it x.
        found = {"active": active.get("visitors", active.get("x"))}
        totals = client.get(f"realtime/{site.removeprefix('websites/')}", expects=_LIVE).json().get("totals", {})
        return {**found, **{name: totals.get(name) for name in ("views", "visitors", "events")}}

    def _speaks_2(self, client: Client, site: str, bounds: Mapping[str, int]) -> bool:
        """True for version 2, which wraps its numbers."""
        if self._is_version_2 is None:
            stats = client.get(f"{site}/stats", bounds, expects=_STATS).json()
            self._is_version_2 = isinstance(stats.get("pageviews"), Mapping)
        return self._is_version_2

    def _first_day(self, client: Client, site: str, end: date) -> date:
        """The local day of the first hit; `end` where there is none: days before are not zero, they are not there."""
        said = client.get(f"{site}/daterange", expects=_REACH).json()
        start = said.get("startDate", said.get("mindate"))
        return self._zone.day_of(parse_instant(start)) if start else end

    def _range(self, first: date, end: date) -> dict[str, int]:
        start, stop = (round(self._zone.first_instant(day).timestamp() * 1000) for day in (first, end))
        return {"startAt": start, "endAt": stop - 1}

    def _chosen(self, client: Client) -> Mapping[str, str]:
        """The domains of the websites that are asked for, by id."""
        if self._websites:
            return self._websites
        known = self._known(client)
        wanted = self.options("websites")
        if not known:
            raise SourceError(
                f"The user of {self.name} sees no website.", f"Add one, or share it with the user, in {self.console}."
            )
        names = [*known, *known.values()]
        for website in wanted:
            if website not in names:
                raise SourceError(f"The user of {self.name} sees no website '{website}'.", suggest(website, names))
        chosen = {id_: domain for id_, domain in known.items() if not wanted or id_ in wanted or domain in wanted}
        shared = [domain for domain, times in Counter(known.values()).items() if times > 1]
        # Two websites of one domain are told apart by their id.
        self._websites = {
            id_: f"{domain} {id_}" if domain in shared else domain
            for id_, domain in sorted(chosen.items(), key=lambda each: (each[1], each[0]))
        }
        return self._websites

    def _known(self, client: Client) -> dict[str, str]:
        def ask(page: int | None) -> Any:
            return client.get(
                "websites", {"page": page or 1, "pageSize": 100, "includeTeams": "true"}, expects=_SITES
            ).json()

        def following(said: Any) -> int | None:
            page = int(said["page"])
            return page + 1 if page * int(said["pageSize"]) < int(said["count"]) else None

        return {
            str(site["id"]): str(site.get("domain") or site["name"])
            for said in pages(ask, following, "websites")
            for site in said["data"]
        }


def _judge(answer: Answer) -> Verdict | None:
    """Of one website 401 is a right that lacks: who may list websites has a token that is good."""
    if answer.status == 401 and "/websites/" in answer.path:
        remedy = "Share the website with the user, or leave it out of websites."
        return Verdict("renew", excerpt(answer), remedy, is_right=True)
    return None


def _unwrapped(stats: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: each["value"] if isinstance(each, Mapping) and "value" in each else each for name, each in stats.items()
    }


UMAMI: Final = SourceKind(
    name="umami",
    summary="Umami, self-hosted or cloud: visitors, page views, visits and events of websites",
    options={
        "base_url": "address of your own server, as https://stats.shop.example; Umami Cloud if not given",
        "websites": "domains or ids; all that the user sees if not given",
        "timezone": "IANA zone of the days; the workbook's if not given",
        "sessions": "true to land visitors one by one, too (pseudonyms)",
    },
    open=Umami,
)
