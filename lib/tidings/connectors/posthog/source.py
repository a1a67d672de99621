"""PostHog: page views, visitors and events by day through HogQL, and optionally individual events.

API quirks. Without a LIMIT a result has 100 rows, and never more than 50,000: each query states its limit, and a result
of that length is incomplete. Times are read and written in the project's zone unless stated otherwise. Results may come
from a cache unless forced. A query that takes too long is rejected, and shorter spans are requested; a queued one is
polled. OFFSET gets slow and skips rows, so events are paged by time and id. Phones send events late and persons are
merged, so days are counted again for a month. A day without events has no row. A key needs the scopes query:read and
project:read; one limited to a project may not list projects.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Annotated, Any, Final
from urllib.parse import quote

from tidings.connectors.posthog.queries import (
    BEFORE_QUERY,
    BREAKDOWNS,
    DAILY_QUERY,
    EVENTS_QUERY,
    HITS_QUERY,
    MOST_ROWS,
    PAGE_ROWS,
    TOTALS,
    breakdown_query,
    parse_breakdown,
    parse_daily,
    parse_event,
    parse_hit,
)
from tidings.enrich.paths import page_name
from tidings.enrich.redaction import redact, redacted
from tidings.errors import OutageError, ResponseError, SettingsError, SourceError, suggest
from tidings.feeds.posthog import POSTHOG_BREAKDOWNS, POSTHOG_DAILY, POSTHOG_EVENTS, POSTHOG_HITS
from tidings.options import Options, Text, Texts, ZoneName, known
from tidings.settings import Settings
from tidings.sources.api.endpoint import ApiEndpoint, day_instant
from tidings.sources.api.source import ApiSource
from tidings.sources.clock import Clock
from tidings.sources.http.auth import Header
from tidings.sources.http.expected import JsonObject
from tidings.sources.http.paging import pages
from tidings.sources.http.session import Client, Decision, Limit, Response, excerpt
from tidings.sources.records import Record
from tidings.sources.source import SourceKind
from tidings.window import Zone, add_days, days_between, naive_utc, parse_instant

_PROJECT: Final = JsonObject(has={"id": (int, str)}, may={"timezone": str})
_PROJECTS: Final = JsonObject(has={"results": list})
# Rows, or the progress of a queued query; which of the two is checked on reading.
_QUERY: Final = JsonObject(may={"columns": list, "results": list, "query_status": dict}, is_sparse=True)
_HOST: Final = "https://us.posthog.com"
_YEAR: Final = 365
_POLLS: Final = 60
_POLL_S: Final = 2.0
_TOO_MUCH: Final = ("timeout", "timed out", "memory", "too long", "execution time")
# What PostHog responds when a query takes too long, or the database is too busy for it.
_TOO_LONG: Final = frozenset({504, 512, 513})
# Phones send events late, and persons are merged.
_LOOKBACK_DAYS: Final = 30


class PostHogOptions(Options, frozen=True):
    project: Annotated[Text, "number of the project (Settings › Project › Project ID)"]
    timezone: Annotated[ZoneName, "zone of the project; the workbook's if not given"] = ""
    breakdowns: Annotated[Texts, "what page views are split by, all if not given", known(BREAKDOWNS)] = tuple(
        BREAKDOWNS
    )
    hits: Annotated[bool, "true to land events one by one, too, without what identifies a person"] = False
    base_url: Annotated[Text, "https://eu.posthog.com, or your own server; https://us.posthog.com if not given"] = _HOST


class PostHog(ApiSource[PostHogOptions]):
    """One project of PostHog."""

    kind = "posthog"
    console = "PostHog › Settings › Personal API keys"
    credentials = ("key",)

    def __init__(self, name: str, options: PostHogOptions, settings: Settings) -> None:
        super().__init__(name, options, settings)
        self._zone = Zone(options.timezone or settings.timezone)
        self._is_checked = False

    @property
    def endpoints(self) -> tuple[ApiEndpoint, ...]:
        """Totals, breakdowns and events by day; individual events only if configured."""
        zone = self._zone.name
        whose = ("project", "zone", "day")
        found = [
            ApiEndpoint(
                name="daily",
                feed=POSTHOG_DAILY,
                doc="Totals by day.",
                parse=parse_daily,
                fields=(*whose, *TOTALS),
                zone=zone,
                lookback_days=_LOOKBACK_DAYS,
            ),
            ApiEndpoint(
                name="breakdowns",
                feed=POSTHOG_BREAKDOWNS,
                doc="Page views and visitors by country, page, device and channel.",
                parse=parse_breakdown,
                fields=(*whose, "type", "name", "pageviews", "visitors"),
                zone=zone,
                lookback_days=_LOOKBACK_DAYS,
                history_days=180,
                chunk_days=15,
            ),
            ApiEndpoint(
                name="events",
                feed=POSTHOG_EVENTS,
                doc="Events by name.",
                parse=parse_event,
                fields=(*whose, "event", "events", "users"),
                zone=zone,
                lookback_days=_LOOKBACK_DAYS,
            ),
        ]
        if self.options.hits:
            hits = ApiEndpoint(
                name="hits",
                feed=POSTHOG_HITS,
                doc="Events one by one.",
                parse=parse_hit,
                lookback_days=1,
                history_days=30,
                chunk_days=1,
            )
            found.append(hits)
        return tuple(found)

    def connect(self, clock: Clock) -> Client:
        key = self.secret("key")
        if key.reveal().startswith("phc_"):
            raise SettingsError(
                f"{self.variable('key')} is the key for sending events.",
                f"Set a personal API key with the scope query:read, phx_…: {self.console}.",
            )
        base = self.options.base_url
        if ".i.posthog.com" in base:
            raise SettingsError(
                f"[tool.tidings.sources.{self.name}] base_url is where events are sent to.",
                f'Write base_url = "{base.replace(".i.posthog.com", ".posthog.com")}".',
            )
        # Half of a team's limit, which its members share.
        limits = (Limit(110, 60.0), Limit(1100, 3600.0))
        return Client(self.name, base, clock, console=self.console, auth=Header(key), limits=limits)

    def ping(self, client: Client) -> list[str]:
        """Request the project, and one row."""
        try:
            self._check_zone(client)
            self._ask(client, "SELECT 1 AS one LIMIT 1", {}, "check")
        except SourceError as error:
            return [str(error)]
        return []

    def partitions(self, client: Client, endpoint: ApiEndpoint) -> Iterable[str]:
        """The project."""
        self._check_zone(client)
        return (self.options.project,)

    def _check_zone(self, client: Client) -> None:
        """Raise if the configured zone is not the project's: PostHog itself would show other days."""
        if self._is_checked:
            return
        project = self.options.project

        path = f"api/projects/{quote(project, safe='')}/"
        response = client.get(path, expects=_PROJECT, classify=_classify_project)
        if response.status == 403 and self.options.timezone:
            # It cannot be compared; the settings say it.
            self._is_checked = True
            return
        if response.status == 403:
            raise SourceError(
                f"The key of {self.name} may not read the time zone of project {project}.",
                "Give it the scope project:read, or write the project's timezone in the settings.",
            )
        if response.status == 404:
            known = self._projects(client)
            remedy = suggest(project, known) if known else f"Compare the number with {self.console}."
            raise SourceError(f"The key of {self.name} sees no project '{project}'.", remedy)
        zone = str(response.json().get("timezone") or "UTC")
        if zone != self._zone.name:
            raise SettingsError(
                f"The days of PostHog's project {project} are those of {zone}, not {self._zone.name}.",
                f'Write timezone = "{zone}" in [tool.tidings.sources.{self.name}].',
            )
        self._is_checked = True

    def _projects(self, client: Client) -> list[str]:
        """The projects that the key may list, if any."""

        def ask(url: str | None) -> Any:
            return client.get(url or "api/projects/", expects=_PROJECTS).json()

        try:
            found = pages(ask, lambda page: page.get("next") or None, "projects")
            return [str(each["id"]) for page in found for each in page["results"]]
        except ResponseError as error:
            if error.status != 403:
                raise
            return []

    def fetch(
        self, client: Client, endpoint: ApiEndpoint, partition: str, first: date, end: date
    ) -> Iterator[Sequence[Record]]:
        """Rows of some days, requested for fewer days at a time where one result cannot hold them."""
        whose = {"project": partition, "zone": self._zone.name}
        if endpoint.name == "hits":
            yield from self._hits(client, partition, first, end)
        elif endpoint.name == "breakdowns":
            for type_ in self.options.breakdowns:
                for rows in self._days(client, breakdown_query(type_), first, end, f"by {type_}"):
                    named = (
                        redacted(rows, "name", "pageviews", "visitors", written=page_name) if type_ == "page" else rows
                    )
                    yield [{**row, **whose, "type": type_} for row in named]
        elif endpoint.name == "daily":
            rows = [row for rows in self._days(client, DAILY_QUERY, first, end, "daily") for row in rows]
            yield [{**row, **whose} for row in (*rows, *self._quiet_days(client, rows, first, end))]
        else:
            for rows in self._days(client, EVENTS_QUERY, first, end, "events"):
                yield [{**row, **whose} for row in rows]

    def _days(self, client: Client, query: str, first: date, end: date, what: str) -> Iterator[list[dict[str, Any]]]:
        values = {
            "a": _utc(self._zone.first_instant(first)),
            "b": _utc(self._zone.first_instant(end)),
            "zone": self._zone.name,
        }
        days = len(days_between(first, add_days(end, -1)))
        try:
            rows, is_whole = self._ask(client, query, values, what)
        except ResponseError as error:
            # A query that takes too long or too much memory is split.
            message = error.failed.lower()
            if days == 1 or not (error.status in _TOO_LONG or any(word in message for word in _TOO_MUCH)):
                raise
            is_whole, rows = False, []
        if is_whole:
            yield rows
            return
        if days == 1:
            raise ResponseError(
                f"{what} of {first} has more than {MOST_ROWS:,} rows, more than PostHog returns.",
                f"List the breakdowns that you need, without this one, as breakdowns in the table of {self.name}.",
            )
        middle = add_days(first, days // 2)
        yield from self._days(client, query, first, middle, what)
        yield from self._days(client, query, middle, end, what)

    def _quiet_days(self, client: Client, rows: Sequence[Record], first: date, end: date) -> Iterator[dict[str, Any]]:
        """Zero totals for the days that PostHog leaves out because nothing happened, after the first day with
        events.
        """
        days = {str(row["day"])[:10] for row in rows}
        begun = min(days, default="9999")
        if str(first) not in days:
            before = {"a": _utc(self._zone.first_instant(first)), "z": _utc(day_instant(add_days(first, -_YEAR)))}
            begun = str(first) if self._ask(client, BEFORE_QUERY, before, "before")[0] else begun
        if rows and not any(all(str(row.get(name)).isdigit() for name in TOTALS) for row in rows):
            # These rows cannot be used; zeros beside them would look like data.
            return
        zeros = dict.fromkeys(TOTALS, 0)
        for day in days_between(first, add_days(end, -1)):
            if begun <= str(day) and str(day) not in days:
                yield {"day": str(day), **zeros}

    def _hits(self, client: Client, project: str, first: date, end: date) -> Iterator[Sequence[Record]]:
        bounds = {"a": _utc(day_instant(first)), "b": _utc(day_instant(end))}

        def ask(after: tuple[str, str] | None) -> Any:
            at, uuid = after or (bounds["a"], "")
            return self._ask(client, HITS_QUERY, {**bounds, "t": at, "u": uuid}, "hits")

        def following(page: Any) -> tuple[str, str] | None:
            rows, is_whole = page
            if not rows or (is_whole and len(rows) < PAGE_ROWS):
                return None
            return f"{naive_utc(parse_instant(str(rows[-1]['taken'])))}", str(rows[-1]["uuid"])

        for rows, _ in pages(ask, following, f"events of {project}"):
            yield [
                {
                    **row,
                    "project": project,
                    "person_id": self._pseudonym(row["person_id"]),
                    "session": self._pseudonym(row["session"]),
                    "page": redact(str(row["page"])) if row["page"] else None,
                }
                for row in rows
            ]

    def _pseudonym(self, id_: Any) -> str | None:
        """The same person is the same pseudonym in this source, and in no other."""
        if not id_:
            return None
        key = self.secret("key").reveal().encode()
        return hmac.new(key, str(id_).encode(), hashlib.sha256).hexdigest()[:24]

    def _ask(
        self, client: Client, query: str, values: Mapping[str, str], what: str
    ) -> tuple[list[dict[str, Any]], bool]:
        """The rows of a query by column, and whether they are all."""
        path = f"api/projects/{self.options.project}/query/"
        body = {
            "query": {"kind": "HogQLQuery", "query": query, "values": dict(values)},
            "refresh": "force_blocking",
            "name": f"tidings {what}",
        }
        reply = client.post(path, body=body, expects=_QUERY, classify=_classify_query).json()
        for _ in range(_POLLS):
            status = reply.get("query_status") or {}
            if not status or status.get("complete"):
                break
            client.clock.sleep(_POLL_S)
            reply = client.get(f"{path}{status['id']}/", expects=_QUERY).json()
        else:
            raise OutageError(
                f"PostHog did not finish the query {what} in time.", f"Run: tidings pull {self.name}, later."
            )
        status = reply.get("query_status") or {}
        if status.get("error"):
            raise ResponseError(f"PostHog: {status.get('error_message')}.", "Pull again, or ask PostHog's support.")
        response = reply if reply.get("results") is not None else status.get("results")
        response = response if isinstance(response, Mapping) else reply
        rows = [dict(zip(response["columns"], row, strict=True)) for row in response["results"]]
        return rows, not response.get("hasMore") and len(rows) < MOST_ROWS


def _classify_project(response: Response) -> Decision | None:
    """Classify errors of rights and projects with a remedy of their own."""
    return Decision("fine") if response.status in (403, 404) else None


def _classify_query(response: Response) -> Decision | None:
    """A query that took too long would do so again, so it fails and fewer days are requested."""
    return Decision("failed", excerpt(response)) if response.status in _TOO_LONG else None


def _utc(instant: Any) -> str:
    return f"{naive_utc(instant):%Y-%m-%d %H:%M:%S}"


POSTHOG: Final = SourceKind(
    name="posthog",
    summary="PostHog: page views, visitors and events by day; events one by one where asked for",
    options=PostHogOptions,
    open=PostHog,
)
