"""PostHog: projects and HogQL queries. It knows the connector's queries word for word, and no others."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from fakes.server import FakeApi, Refusal, Reply, Request, route
from tidings.connectors.posthog import queries as known

KEY = "phx_posthog-key-canary"
_FEEDS = {known.DAILY_QUERY: "posthog_daily", known.EVENTS_QUERY: "posthog_events", known.HITS_QUERY: "posthog_hits"}
_BREAKDOWNS = {known.breakdown_query(type_): type_ for type_ in known.BREAKDOWNS}
_COLUMNS = {
    "posthog_daily": ("day", "pageviews", "visitors", "visits", "active_users"),
    "posthog_breakdowns": ("day", "name", "pageviews", "visitors"),
    "posthog_events": ("day", "event", "events", "users"),
    "posthog_hits": (
        *("uuid", "taken", "happened", "event", "person_id", "session", "page", "country", "device", "os"),
        "app_version",
    ),
}
Rows = Mapping[str, Sequence[Mapping[str, Any]]]


def _error(status: int, type_: str, code: str, detail: str, **headers: str) -> Reply:
    return Reply({"type": type_, "code": code, "detail": detail, "attr": None}, status, headers)


class FakePostHog(FakeApi):
    """Serves `rows` of the feeds `posthog_…`, whose days are UTC days.

    `longest_days`: queries over more days take too long, and get the response `too_long`. `is_scoped`: the key may not
    read the project; `is_limited`: it may not list projects. `queued`: how often a result is not ready yet. `cap`: the
    maximum number of rows in a result, in place of 50,000.
    """

    timezone = "UTC"
    is_scoped = False
    is_limited = False
    too_long: Reply | None = None
    longest_days: int | None = None
    queued = 0
    cap = 50_000

    def __init__(self, rows: Rows, *, epoch: Callable[[], float] = time.time) -> None:
        super().__init__(epoch)
        self.rows = {name: [dict(row) for row in of_feed] for name, of_feed in rows.items()}
        projects = {str(row["project"]) for of_feed in self.rows.values() for row in of_feed}
        self.projects = sorted(projects) or ["4711"]
        self._waiting: dict[str, Any] = {}

    def environment(self, name: str) -> dict[str, str]:
        return {f"{name.upper()}_KEY": KEY}

    def table(self) -> dict[str, Any]:
        return {"kind": "posthog", "base_url": self.url, "project": self.projects[0], "timezone": "UTC"}

    def authenticate(self, request: Request) -> None:
        if request.bearer != KEY:
            detail = "Invalid personal API key."
            raise Refusal(_error(401, "authentication_error", "authentication_failed", detail))

    def too_many(self, wait: float) -> Reply:
        seconds = str(max(1, round(wait)))
        detail = f"Request was throttled. Expected available in {seconds} seconds."
        return _error(429, "throttled_error", "throttled", detail, **{"Retry-After": seconds})

    @route("GET", "/api/projects/")
    def list_projects(self, request: Request) -> Any:
        if self.is_limited:
            raise Refusal(_error(403, "authentication_error", "permission_denied", "This key is limited to projects."))
        found = [{"id": int(project), "name": "Sample", "timezone": self.timezone} for project in self.projects]
        return {"next": None, "previous": None, "results": found}

    @route("GET", "/api/projects/{id}/")
    def project(self, request: Request) -> Any:
        if self.is_scoped:
            raise Refusal(_error(403, "authentication_error", "permission_denied", "API key missing project:read."))
        if request.parts["id"] not in self.projects:
            raise Refusal(_error(404, "invalid_request", "not_found", "Not found."))
        return {"id": int(request.parts["id"]), "name": "Sample", "timezone": self.timezone}

    @route("POST", "/api/projects/{id}/query/")
    def query(self, request: Request) -> Any:
        asked = request.json()
        if request.parts["id"] not in self.projects or asked.get("refresh") != "force_blocking":
            raise Refusal(_error(404, "invalid_request", "not_found", "Not found."))
        text, values = asked["query"]["query"], asked["query"]["values"]
        response = self._response(text, values)
        if self.queued:
            self._waiting["q1"] = [response, self.queued]
            return {"query_status": {"id": "q1", "complete": False}}
        return response

    @route("GET", "/api/projects/{id}/query/{query}/")
    def status(self, request: Request) -> Any:
        waiting = self._waiting[request.parts["query"]]
        waiting[1] -= 1
        if waiting[1] > 0:
            return {"query_status": {"id": "q1", "complete": False}}
        return {"query_status": {"id": "q1", "complete": True, "results": waiting[0]}}

    def _response(self, text: str, values: Mapping[str, str]) -> dict[str, Any]:
        if text == "SELECT 1 AS one LIMIT 1":
            return {"columns": ["one"], "results": [[1]], "hasMore": False}
        if text == known.BEFORE_QUERY:
            start, end = (datetime.fromisoformat(values[name]) for name in ("z", "a"))
            happened = any(start <= row["ts"] < end for row in self.rows.get("posthog_daily", ()))
            return {"columns": ["one"], "results": [[1]] if happened else [], "hasMore": False}
        feed = _FEEDS.get(text, "posthog_breakdowns" if text in _BREAKDOWNS else "")
        if not feed:
            raise Refusal(_error(400, "validation_error", "syntax", "I do not know this query."))
        limit = re.search(r"LIMIT (\d+)", text)
        most = min(int(limit[1]) if limit else 100, self.cap)
        start, end = (datetime.fromisoformat(values[name]) for name in ("a", "b"))
        if self.longest_days is not None and (end - start).days > self.longest_days:
            timed_out = _error(400, "validation_error", "timeout", "Query timed out, try a shorter date range.")
            raise Refusal(self.too_long or timed_out)
        rows = [row for row in self.rows.get(feed, ()) if start <= row["ts"] < end]
        if feed == "posthog_breakdowns":
            rows = [row for row in rows if row["type"] == _BREAKDOWNS[text]]
        if feed == "posthog_hits":
            rows = sorted(rows, key=lambda row: (row["ts"], row["uuid"]))
            after = datetime.fromisoformat(values["t"]), values["u"]
            rows = [row for row in rows if (row["ts"], row["uuid"]) > after]
        found = [self.record(feed, row) for row in rows]
        return {"columns": list(_COLUMNS[feed]), "results": found[:most], "hasMore": len(found) > most, "error": None}

    def record(self, feed: str, row: Mapping[str, Any]) -> list[Any]:
        """A row in PostHog's columns; tests replace it to change the shape."""
        given = dict(row)
        given["day"] = row["ts"].date().isoformat()
        if feed == "posthog_breakdowns":
            given["name"] = None if row["name"] == "(unknown)" else row["name"]
        if feed == "posthog_hits":
            given["taken"], given["happened"] = (f"{row[n].isoformat()}Z" for n in ("ts", "happened_at"))
            given["person_id"] = row["person"]
        return [given[name] for name in _COLUMNS[feed]]
