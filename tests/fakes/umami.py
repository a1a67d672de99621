"""An Umami server: log in or key, websites, statistics; version 3, or 2 if configured; self-hosted or cloud."""

from __future__ import annotations

import secrets
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from fakes.server import FakeApi, Refusal, Reply, Request, open_to_all, route

USER, PASSWORD, KEY = "tidings", "umami-password-canary", "umami-key-canary"
_V2_TYPES = ("url", "referrer", "country", "device", "os", "browser", "event")
_V3_TYPES = ("path", "referrer", "channel", "country", "device", "os", "browser", "event")
Rows = Mapping[str, Sequence[Mapping[str, Any]]]


def _unauthorized(code: str = "unauthorized") -> Reply:
    return Reply({"error": {"message": "Unauthorized", "code": code, "status": 401}}, 401)


class FakeUmami(FakeApi):
    """Serves `rows` of the feeds `umami_…`; days are UTC days. `version` is 2 or 3, `is_cloud` requires the key.

    As the docs have it, the user is a member of a team that has the websites: only those in `owned` are the user's own,
    and they alone are in the list of websites. `resets` says when one was reset. Equal counts come in another order
    with each call; `knows_limit` is false for a server of old.
    """

    version = 3
    is_cloud = False
    page_size = 100
    knows_limit = True
    team = "11111111-0000-4000-8000-000000000000"

    def __init__(self, rows: Rows, *, epoch: Callable[[], float] = time.time) -> None:
        super().__init__(epoch)
        self.rows = {name: [dict(row) for row in of_feed] for name, of_feed in rows.items()}
        domains = sorted({str(row["website"]) for of_feed in self.rows.values() for row in of_feed})
        self.websites = {f"00000000-0000-4000-8000-{n:012d}": domain for n, domain in enumerate(domains)}
        self.owned: set[str] = set()
        self.resets: dict[str, datetime] = {}
        self._shuffles = 0
        self._tokens: set[str] = set()

    def environment(self, name: str) -> dict[str, str]:
        if self.is_cloud:
            return {f"{name.upper()}_KEY": KEY}
        return {f"{name.upper()}_USERNAME": USER, f"{name.upper()}_PASSWORD": PASSWORD}

    def table(self) -> dict[str, Any]:
        return {"kind": "umami", "base_url": self.url, "timezone": "UTC"}

    def forget_tokens(self) -> None:
        self._tokens.clear()

    def authenticate(self, request: Request) -> None:
        held = request.headers.get("x-umami-api-key") == KEY if self.is_cloud else request.bearer in self._tokens
        if not held:
            raise Refusal(_unauthorized())

    @route("POST", "/api/auth/login")
    @open_to_all
    def login(self, request: Request) -> Any:
        said = request.json()
        if (said.get("username"), said.get("password")) != (USER, PASSWORD):
            return _unauthorized("incorrect-username-password")
        token = secrets.token_hex(24)
        self._tokens.add(token)
        return {"token": token, "user": {"username": USER, "role": "view-only"}}

    @route("GET", "(?:/api)?/websites")
    def list_websites(self, request: Request) -> Any:
        # With includeTeams those of teams that the user owns are there, too: a member owns none.
        return self._page(request, [site for site in self._sites() if site["id"] in self.owned])

    @route("GET", "(?:/api)?/me/teams")
    def teams(self, request: Request) -> Any:
        return self._page(request, [{"id": self.team, "name": "Readers"}])

    @route("GET", "(?:/api)?/teams/{id}/websites")
    def team_websites(self, request: Request) -> Any:
        if request.parts["id"] != self.team:
            return _unauthorized()
        return self._page(request, [site for site in self._sites() if site["id"] not in self.owned])

    def reset_site(self, id_: str, at: datetime) -> None:
        """Delete all hits of a website."""
        for name, rows in self.rows.items():
            self.rows[name] = [row for row in rows if row["website"] != self.websites[id_]]
        self.resets[id_] = at

    def _sites(self) -> list[dict[str, Any]]:
        return [
            {
                "id": id_,
                "name": domain,
                "domain": domain,
                "resetAt": f"{self.resets[id_].isoformat()}.000Z" if id_ in self.resets else None,
            }
            for id_, domain in self.websites.items()
        ]

    def _page(self, request: Request, found: Sequence[Any]) -> dict[str, Any]:
        page, size = int(request.query["page"]), min(int(request.query["pageSize"]), self.page_size)
        return {"data": found[(page - 1) * size : page * size], "count": len(found), "page": page, "pageSize": size}

    @route("GET", "(?:/api)?/websites/{id}/daterange")
    def daterange(self, request: Request) -> Any:
        stamps = sorted(row["ts"] for row in self._of(request, "daily"))
        names = ("startDate", "endDate") if self.version == 3 else ("mindate", "maxdate")
        return (
            dict(zip(names, (f"{ts.isoformat()}.000Z" for ts in (stamps[0], stamps[-1])), strict=True))
            if stamps
            else dict.fromkeys(names)
        )

    @route("GET", "(?:/api)?/websites/{id}/stats")
    def stats(self, request: Request) -> Any:
        rows = self._between(request, "daily")
        names = {"pageviews": "pageviews", "visitors": "visitors", "visits": "visits", "bounces": "bounces"}
        totals = {name: sum(row[column] for row in rows) for name, column in {**names, "totaltime": "seconds"}.items()}
        if self.version == 2:
            return {name: {"value": value, "prev": 0} for name, value in totals.items()}
        return {**totals, "comparison": dict.fromkeys(totals, 0)}

    @route("GET", "(?:/api)?/websites/{id}/metrics")
    def metrics(self, request: Request) -> Any:
        type_ = request.query["type"]
        if type_ not in (_V3_TYPES if self.version == 3 else _V2_TYPES):
            return Reply({"error": {"message": "Bad request", "code": "bad-request", "status": 400}}, 400)
        wanted = "path" if type_ == "url" else type_
        rows = [row for row in self._between(request, "breakdowns") if row["type"] == wanted]
        # By count alone: rows of equal counts move from call to call.
        self._shuffles += 1
        rows.sort(key=lambda row: (-row["visitors"], zlib.crc32(f"{self._shuffles} {row['name']}".encode())))
        offset, limit = int(request.query.get("offset", 0)), int(request.query.get("limit", 500))
        if not self.knows_limit:
            offset, limit = 0, 500
        return [{"x": row["name"], "y": row["visitors"]} for row in rows[offset : offset + limit]]

    @route("GET", "(?:/api)?/websites/{id}/events/series")
    def events(self, request: Request) -> Any:
        if "timezone" not in request.query:
            return Reply({"error": {"message": "Bad request", "code": "bad-request", "status": 400}}, 400)
        rows = self._between(request, "events")
        return [{"x": row["event"], "t": row["ts"].strftime("%Y-%m-%d 00:00:00"), "y": row["events"]} for row in rows]

    def _of(self, request: Request, what: str) -> list[dict[str, Any]]:
        domain = self.websites.get(request.parts["id"])
        return [row for row in self.rows.get(f"umami_{what}", ()) if row["website"] == domain]

    def _between(self, request: Request, what: str) -> list[dict[str, Any]]:
        start, end = self._bounds(request)
        return [row for row in self._of(request, what) if start <= row["ts"] <= end]

    def _bounds(self, request: Request) -> tuple[datetime, datetime]:
        start, end = (int(request.query[name]) / 1000 for name in ("startAt", "endAt"))
        return tuple(datetime.fromtimestamp(at, UTC).replace(tzinfo=None) for at in (start, end))  # type: ignore[return-value]
