"""RevenueCat's protocol: paged lists, the meaning of errors, and whether a chart request was understood."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urljoin

from tidings.errors import ResponseError
from tidings.sources.http.expected import JsonObject
from tidings.sources.http.paging import pages
from tidings.sources.http.session import Classify, Client, Decision, Response, excerpt
from tidings.sources.records import Record

_PAGE_ROWS: Final = 1000
ITEMS: Final = JsonObject(has={"items": list})
OVERVIEW: Final = JsonObject(has={"metrics": list})
CHART: Final = JsonObject(has={"values": list})
OPTIONS: Final = JsonObject(has={"resolutions": list})
_MINUTE_S: Final = 60.0
NEWER: Final = "The API has changed, or base_url is wrong: look for a newer version of Tidings."
_PERMISSIONS: Final[Mapping[str, str]] = {
    "overview": "charts_metrics:overview:read",
    "charts": "charts_metrics:charts:read",
    "customers": "customer_information:customers:read",
    "subscriptions": "customer_information:subscriptions:read",
    "projects": "project_configuration:projects:read",
}


def listed(client: Client, path: str, query: Mapping[str, str] | None = None) -> Iterator[Sequence[Record]]:
    asked = {"limit": str(_PAGE_ROWS), **(query or {})}

    def ask(following: str | None) -> Any:
        if following is None:
            return client.get(path, asked, expects=ITEMS).json()
        return client.get(urljoin(client.base, following), expects=ITEMS).json()

    what = path.rpartition("/")[2]
    for page in pages(ask, _following, f"list of {what}"):
        yield needed(page, "items", what)


def _following(page: Any) -> str | None:
    return (page.get("next_page") or None) if isinstance(page, Mapping) else None


def needed(body: Any, name: str, what: str) -> list[Any]:
    """A list that a response must have.

    Raises:
        ResponseError: it does not.
    """
    found = body.get(name) if isinstance(body, Mapping) else None
    if not isinstance(found, list):
        raise ResponseError(f"RevenueCat's response for {what} has no list '{name}'.", NEWER)
    return found


def check_understood(name: str, asked: Mapping[str, str], body: Any) -> None:
    """Check that a response is the requested chart.

    Raises:
        ResponseError: it is not, is not by day, or is not split as requested.
    """
    needed(body, "values", f"the chart {name}")
    listed = body.get("unsupported_params") or ()
    ignored = [str(each.get("name", each)) if isinstance(each, Mapping) else str(each) for each in listed]
    # The response names its own currency.
    wrong = sorted(set(ignored) & set(asked) - {"currency"})
    if wrong:
        remedy = "Take it out of segments in the settings." if wrong == ["segment"] else NEWER
        raise ResponseError(f"The chart {name} does not support {', '.join(wrong)}.", remedy)
    resolution = str(body.get("resolution") or "day").lower()
    if resolution not in ("day", "0", "daily"):
        raise ResponseError(f"The chart {name} is by {resolution}, not by day.", NEWER)


def classifier_of(console: str) -> Classify:
    """Classify errors: they say whether a retry helps, and give the wait in a header, in the body or not at all.

    `console` is where keys are made, for the remedies.
    """

    def classify(response: Response) -> Decision | None:
        if response.status < 400:
            return None
        try:
            error = json.loads(response.body)
            retryable, backoff = error.get("retryable"), error.get("backoff_ms")
        except (ValueError, AttributeError, RecursionError):
            retryable = backoff = None
        message = excerpt(response)
        if response.status == 401:
            return Decision("refused", message, f"Make a secret key (V2, sk_…) in {console}.")
        if response.status == 403:
            return Decision("failed", message, f"Give the key the permission {_permission(response.path)}: {console}.")
        if response.status == 404:
            return Decision("failed", message, f"Compare projects in the settings with {console}.")
        if response.status == 429 or retryable is True:
            seconds = None
            if "Retry-After" not in response.headers:
                known = isinstance(backoff, int | float) and not isinstance(backoff, bool)
                # Limits are per minute.
                seconds = backoff / 1000 if known else _MINUTE_S if response.status == 429 else None
            return Decision("later", message, seconds=seconds)
        return Decision("failed", message) if retryable is False else None

    return classify


def _permission(path: str) -> str:
    """The permission that a path needs, as the console names it."""
    last = next((name for name in reversed(path.split("/")) if name in _PERMISSIONS), "projects")
    return f"{_PERMISSIONS[last]} (or name your project in projects)" if last == "projects" else _PERMISSIONS[last]
