"""A fake of RevenueCat's API, version 2: a project-scoped key, five figures a minute, charts, lists by `next_page`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

from fakes.server import FakeApi, Refusal, Reply, Request, route

KEY = "sk_planted_canary_9f3b1c"
PROJECT = "proj1a2b3c4d"
CHARTS = (
    *("actives", "actives_movement", "actives_new", "arr", "churn", "customers_active", "customers_new", "mrr"),
    *("mrr_movement", "refund_rate", "revenue", "trials", "trials_movement", "trials_new"),
)
CURRENCIES = ("USD", "EUR", "GBP", "AUD", "CAD", "JPY", "BRL", "KRW", "CNY", "MXN", "SEK", "PLN")
Row = Mapping[str, Any]


class FakeRevenueCat(FakeApi):
    """Serves rows of the feeds in the API's own form.

    `key` is the valid one, `permissions` what it may do. `retry_after` and `backoff` say how a limit is reported.
    `seconds`: charts use seconds, not milliseconds. `inclusive`: end_date is included, too. `lists`: charts in the
    older format, a list per day. `unsupported`: parameters that charts ignore. `page_rows`: the longest page of a list.
    `renamed` and `added`: fields of every record under another name, or new; `more`: those of a chart's response.
    """

    limit = (5, 60.0)

    def __init__(self, rows: Mapping[str, Sequence[Row]], *, epoch: Callable[[], float] = time.time) -> None:
        super().__init__(epoch)
        self.rows = {feed: [dict(row) for row in of_feed] for feed, of_feed in rows.items()}
        self.key = KEY
        self.permissions = {"overview", "charts", "customers", "subscriptions", "projects"}
        self.retry_after = True
        self.backoff = False
        self.seconds = True
        self.inclusive = True
        self.lists = False
        self.unsupported: list[str] = []
        self.resolution = "day"
        self.page_rows = 1000
        self.renamed: dict[str, str] = {}
        self.added: dict[str, Any] = {}
        self.more: dict[str, Any] = {}

    def environment(self, name: str) -> dict[str, str]:
        """The variables that a source called `name` needs."""
        return {f"{name}_key".upper().replace("-", "_"): self.key}

    def table(self) -> dict[str, Any]:
        """Its table in the settings."""
        charts = self.rows.get("revenuecat_charts", [])
        table: dict[str, Any] = {"kind": "revenuecat", "base_url": f"{self.url}/v2"}
        currency = next((row["currency"] for row in charts if row["currency"]), "EUR")
        segments = sorted({row["dimension"] for row in charts} - {"all"})
        entities = [name for name in ("customers", "subscriptions") if self.rows.get(f"revenuecat_{name}")]
        table["currency"] = currency
        return table | ({"segments": segments} if segments else {}) | ({"entities": entities} if entities else {})

    def authenticate(self, request: Request) -> None:
        if request.bearer != self.key:
            raise Refusal(_error(401, "authentication_error", "Invalid API Key."))

    def is_limited(self, request: Request) -> bool:
        return "/charts/" in request.path or "/metrics/" in request.path

    def too_many(self, wait: float) -> Reply:
        headers = {"Retry-After": str(int(wait) + 1)} if self.retry_after else {}
        more = {"backoff_ms": int(wait * 1000) + 1} if self.backoff else {}
        return _error(429, "rate_limit_error", "Rate limit exceeded", retryable=True, headers=headers, **more)

    def not_found(self, request: Request) -> Reply:
        return _error(404, "resource_missing", "Could not find the resource")

    @route("GET", "/v2/projects")
    def projects(self, request: Request) -> Any:
        self._allowed("projects")
        items = [{"object": "project", "id": each, "name": "App", "created_at": 1} for each in self._projects()]
        return self._page(request, items)

    @route("GET", "/v2/projects/{project}/metrics/overview")
    def overview(self, request: Request) -> Any:
        self._allowed("overview")
        self._known(request)
        rows = [row for row in self.rows.get("revenuecat_overview", []) if row["project"] == request.parts["project"]]
        latest = max((row["ts"] for row in rows), default=None)
        return {
            "object": "overview_metrics",
            "metrics": [self._sent(_metric(row)) for row in rows if row["ts"] == latest],
        }

    @route("GET", "/v2/projects/{project}/charts/{chart}/options")
    def options(self, request: Request) -> Any:
        self._allowed("charts")
        self._known(request)
        return {"object": "chart_options", "resolutions": [{"id": "0", "display_name": "day"}], "segments": []}

    @route("GET", "/v2/projects/{project}/charts/{chart}")
    def chart(self, request: Request) -> Any:
        self._allowed("charts")
        self._known(request)
        name, asked = request.parts["chart"], request.query
        if name not in CHARTS:
            raise Refusal(_error(400, "parameter_error", f"'{name}' is not one of {', '.join(CHARTS)}"))
        try:
            start, end = (date.fromisoformat(asked[each]) for each in ("start_date", "end_date"))
        except (KeyError, ValueError):
            raise Refusal(_error(400, "parameter_error", "start_date is not a 'date'")) from None
        if asked.get("resolution") not in ("0", "day") or asked.get("currency", "USD") not in CURRENCIES:
            raise Refusal(_error(400, "parameter_error", "resolution or currency is not known"))
        dimension = "all" if "segment" in self.unsupported else asked.get("segment", "all")
        rows = [
            row
            for row in self.rows.get("revenuecat_charts", [])
            if (row["project"], row["chart"], row["dimension"]) == (request.parts["project"], name, dimension)
            and start <= row["ts"].date()
            and (row["ts"].date() <= end if self.inclusive else row["ts"].date() < end)
        ]
        return {
            "object": "chart_data",
            "category": "revenue",
            "display_type": "line",
            "display_name": name,
            "resolution": self.resolution,
            "yaxis": "$",
            "filtering_allowed": True,
            "segmenting_allowed": True,
            "unsupported_params": list(self.unsupported),
            "last_computed_at": None,
            **self._figures(rows, dimension),
            **self.more,
        }

    @route("GET", "/v2/projects/{project}/customers")
    def customers(self, request: Request) -> Any:
        self._allowed("customers")
        self._known(request)
        rows = self.rows.get("revenuecat_customers", [])
        return self._page(request, [self._sent(_customer(row)) for row in rows])

    @route("GET", "/v2/projects/{project}/customers/{customer}/subscriptions")
    def subscriptions(self, request: Request) -> Any:
        self._allowed("subscriptions")
        customer = unquote(request.parts["customer"])
        if all(row["customer"] != customer for row in self.rows.get("revenuecat_customers", [])):
            return self.not_found(request)
        rows = [row for row in self.rows.get("revenuecat_subscriptions", []) if row["customer"] == customer]
        rows = [row for row in rows if row["environment"] == request.query.get("environment", row["environment"])]
        return self._page(request, [self._sent(_subscription(row)) for row in rows])

    def _figures(self, rows: Sequence[Row], dimension: str) -> dict[str, Any]:
        """The points of a chart, with its measures and segments."""
        measures: dict[int, dict[str, Any]] = {}
        names = ["Total", *sorted({row["segment"] for row in rows})] if dimension != "all" else []
        values: list[Any] = []
        for row in rows:
            measures[row["position"]] = {"display_name": row["measure"], "unit": row["unit"], "decimal_precision": 2}
            point = {
                "cohort": self._time(row["ts"]),
                "measure": row["position"],
                "value": _number(row["value"]),
                "incomplete": row["is_incomplete"],
            }
            if names:
                values.append({**point, "segment": 0})
                point["segment"] = names.index(row["segment"])
            values.append(self._sent(point))
        if self.lists:
            days: dict[int, list[Any]] = {}
            for point in values:
                days.setdefault(point["cohort"], []).append(point["value"])
            values = [[cohort, *numbers] for cohort, numbers in sorted(days.items())]
        return {
            "measures": [measures[place] for place in sorted(measures)],
            "segments": [{"display_name": name, "is_total": name == "Total"} for name in names] or None,
            "values": values,
            "yaxis_currency": next((row["currency"] for row in rows if row["currency"]), None),
        }

    def _time(self, at: datetime) -> int:
        seconds = int(at.replace(tzinfo=UTC).timestamp())
        return seconds if self.seconds else seconds * 1000

    def _sent(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """A record with the configured fields renamed and added."""
        return {self.renamed.get(name, name): value for name, value in record.items()} | self.added

    def _projects(self) -> list[str]:
        found = {row["project"]: None for of_feed in self.rows.values() for row in of_feed}
        return list(found) or [PROJECT]

    def _known(self, request: Request) -> None:
        if request.parts["project"] not in self._projects():
            raise Refusal(_error(404, "resource_missing", "Could not find the project"))

    def _allowed(self, what: str) -> None:
        if what not in self.permissions:
            raise Refusal(_error(403, "authorization_error", "The API key does not have the permission"))

    def _page(self, request: Request, items: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        limit = min(int(request.query.get("limit", 20)), self.page_rows)
        after = request.query.get("starting_after")
        start = next((n + 1 for n, item in enumerate(items) if item.get("id") == after), 0) if after else 0
        found = list(items[start : start + limit])
        more = start + limit < len(items)
        following = f"{request.path}?limit={limit}&starting_after={found[-1].get('id')}" if more else None
        return {"object": "list", "items": found, "next_page": following, "url": request.path}


def _error(
    status: int,
    kind: str,
    message: str,
    *,
    retryable: bool = False,
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> Reply:
    body = {"object": "error", "type": kind, "message": message, "retryable": retryable, **more}
    return Reply({**body, "doc_url": f"https://errors.rev.cat/{kind.replace('_', '-')}"}, status, headers or {})


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value


def _milliseconds(at: datetime | None) -> int | None:
    return None if at is None else int(at.replace(tzinfo=UTC).timestamp() * 1000)


def _metric(row: Row) -> dict[str, Any]:
    at = row["computed_at"]
    return {
        "object": "overview_metric",
        "id": row["metric"],
        "name": row["metric"],
        "description": "",
        "unit": row["unit"],
        "period": row["period"],
        "value": _number(row["value"]),
        "last_updated_at": _milliseconds(at),
        "last_updated_at_iso8601": at.isoformat() if at else None,
    }


def _customer(row: Row) -> dict[str, Any]:
    return {
        "object": "customer",
        "id": row["customer"],
        "project_id": row["project"],
        "first_seen_at": _milliseconds(row["ts"]),
        "last_seen_at": _milliseconds(row["last_seen"]),
        "last_seen_country": row["country"],
        "last_seen_platform": row["platform"],
        "last_seen_platform_version": "18.1",
        "last_seen_app_version": row["app_version"],
        "attributes": {"items": [{"name": "$email", "value": "canary@example.com"}]},
    }


def _subscription(row: Row) -> dict[str, Any]:
    return {
        "object": "subscription",
        "id": row["subscription"],
        "customer_id": row["customer"],
        "original_customer_id": row["customer"],
        "product_id": row["product"],
        "starts_at": _milliseconds(row["ts"]),
        "current_period_starts_at": _milliseconds(row["ts"]),
        "current_period_ends_at": _milliseconds(row["period_ends"]),
        "ends_at": _milliseconds(row["ends"]),
        "gives_access": row["gives_access"],
        "pending_payment": False,
        "auto_renewal_status": row["renewal"],
        "status": row["status"],
        "total_revenue_in_usd": {
            "currency": row["currency"],
            "gross": _number(row["gross"]),
            "proceeds": _number(row["proceeds"]),
        },
        "environment": row["environment"],
        "store": row["store"],
        "ownership": row["ownership"],
        "country": row["country"],
        "store_subscription_identifier": "canary-store-4711",
        "management_url": "https://store.example/canary-store-4711",
    }
