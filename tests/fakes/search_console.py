"""Google Search Console: properties and searchAnalytics/query, with its caps, its absent rows and its quota errors."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import unquote

import pycountry

from fakes.google import FakeGoogle, google_error
from fakes.server import Refusal, Reply, Request, route

_FEEDS: Mapping[tuple[str, ...], str] = {
    ("date",): "search_console_daily",
    ("date", "country", "device"): "search_console_country",
    ("date", "country"): "search_console_country",
    ("date", "page"): "search_console_page",
    ("date", "query"): "search_console_query",
}
_MOST_ROWS = 25_000
_NO_POSITION = ("discover", "googleNews")


class FakeSearchConsole(FakeGoogle):
    """Serves `rows` of the feeds `search_console_…`; those not final determine `firstIncompleteDate`.

    `page_rows` is the server's maximum per response, whatever is requested.
    """

    page_rows = _MOST_ROWS

    def __init__(
        self, rows: Mapping[str, Sequence[Mapping[str, Any]]], *, epoch: Callable[[], float] = time.time
    ) -> None:
        super().__init__(epoch)
        self.rows = {name: [dict(row) for row in of_feed] for name, of_feed in rows.items()}
        self.sites = {str(row["site"]): "siteFullUser" for of_feed in self.rows.values() for row in of_feed}

    def environment(self, name: str) -> dict[str, str]:
        return {f"{name.upper()}_ACCOUNT": self.account_json()}

    def table(self) -> dict[str, Any]:
        return {"kind": "search_console", "base_url": self.url, "sites": sorted(self.sites)}

    def too_many(self, wait: float) -> Reply:
        return google_error(403, "quotaExceeded", "Search Analytics QPS quota exceeded.")

    @route("GET", "/webmasters/v3/sites")
    def list_sites(self, request: Request) -> Any:
        if not self.sites:
            return {}
        return {"siteEntry": [{"siteUrl": site, "permissionLevel": level} for site, level in self.sites.items()]}

    @route("POST", "/webmasters/v3/sites/{site}/searchAnalytics/query")
    def query(self, request: Request) -> Any:
        site = unquote(request.parts["site"])
        if "unverified" in self.sites.get(site, "siteUnverifiedUser").lower():
            message = f"User does not have sufficient permission for site '{site}'."
            raise Refusal(google_error(403, "forbidden", message))
        asked = request.json()
        dimensions = tuple(asked.get("dimensions", ()))
        if dimensions not in _FEEDS or not 1 <= asked.get("rowLimit", 1000) <= _MOST_ROWS:
            raise Refusal(google_error(400, "badRequest", "Request contains an invalid argument."))
        found = [
            row
            for row in self.rows.get(_FEEDS[dimensions], ())
            if (row["site"], row["search_type"]) == (site, asked.get("type", "web"))
            and asked["startDate"] <= _day(row) <= asked["endDate"]
        ]
        found.sort(key=lambda row: (_day(row), -row["clicks"]))
        start = asked.get("startRow", 0)
        shown = found[start : start + min(asked.get("rowLimit", 1000), self.page_rows)]
        # Without any row there is no `rows` at all.
        said: dict[str, Any] = {"rows": [self.record(row, dimensions) for row in shown]} if shown else {}
        unfinished = sorted({_day(row) for row in found if not row["is_final"]})
        if unfinished and asked.get("dataState") == "all":
            said["metadata"] = {"firstIncompleteDate": unfinished[0]}
        return {**said, "responseAggregationType": "byPage" if "page" in dimensions else "byProperty"}

    def record(self, row: Mapping[str, Any], dimensions: Sequence[str]) -> dict[str, Any]:
        """A row in Google's form; tests replace it to change the shape."""
        keys = {"date": _day(row), "country": _alpha3(row.get("country")), **{n: row.get(n) for n in dimensions[1:]}}
        keys["country"] = _alpha3(row.get("country"))
        clicks, impressions = float(row["clicks"]), float(row["impressions"])
        found = {
            "keys": [keys[name] for name in dimensions],
            "clicks": clicks,
            "impressions": impressions,
            "ctr": clicks / impressions if impressions else 0,
        }
        if row["search_type"] not in _NO_POSITION:
            found["position"] = row["position"] if row["position"] is not None else 0
        return found


def _day(row: Mapping[str, Any]) -> str:
    moment: datetime = row["ts"]
    return moment.date().isoformat()


def _alpha3(country: str | None) -> str:
    found = pycountry.countries.get(alpha_2=country) if country else None
    return found.alpha_3.lower() if found else "zzz"
