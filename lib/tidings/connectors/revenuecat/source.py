"""RevenueCat, API version 2: an app's subscriptions by day, and optionally each customer and subscription.

API quirks. A secret key belongs to one project and has separate permissions for the overview, the charts and the
customers. Charts allow five requests a minute, so each is requested for all days in one call; the wait comes as
`Retry-After`, as `backoff_ms`, or not at all. An error says whether a retry helps. The overview has no history: each
pull keeps one value per day. A parameter that a chart does not know is ignored and listed in `unsupported_params`.
Lists are paged by `next_page`, a path that starts with /v2. Subscriptions are listed per customer only: one call for
each.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Annotated, Final
from urllib.parse import quote

from tidings.connectors.revenuecat import server
from tidings.connectors.revenuecat.records import (
    ALL,
    instant,
    parse_customer,
    parse_overview,
    parse_point,
    parse_subscription,
    points,
)
from tidings.connectors.revenuecat.server import CHART, NEWER, OPTIONS, check_understood, classifier_of, listed, needed
from tidings.errors import ResponseError, SourceError
from tidings.feeds.revenuecat import (
    REVENUECAT_CHARTS,
    REVENUECAT_CUSTOMERS,
    REVENUECAT_OVERVIEW,
    REVENUECAT_SUBSCRIPTIONS,
)
from tidings.options import Currency, Options, Text, Texts, known
from tidings.settings import Settings
from tidings.sources.api.endpoint import ApiEndpoint, NotYetError
from tidings.sources.api.source import ApiSource
from tidings.sources.clock import Clock
from tidings.sources.http.auth import Header
from tidings.sources.http.session import Client, Limit
from tidings.sources.records import Record
from tidings.sources.source import SourceKind
from tidings.window import add_days

CURRENCIES: Final = ("USD", "EUR", "GBP", "AUD", "CAD", "JPY", "BRL", "KRW", "CNY", "MXN", "SEK", "PLN")
CHARTS: Final = ("mrr", "revenue", "actives", "actives_new", "churn", "trials", "trials_new")
MORE_CHARTS: Final = ("arr", "actives_movement", "customers_active", "customers_new", "mrr_movement", "refund_rate")
SEGMENTS: Final = ("country", "store", "product")
ENTITIES: Final = ("customers", "subscriptions")
_BASE: Final = "https://api.revenuecat.com/v2"
# A second more than the minute of the limit: the server counts when requests arrive. Then, how many customers may be
# deleted while a list is read.
_FEW: Final = 5
_FIGURES_LIMIT: Final = Limit(5, 61.0)
_LISTS_LIMIT: Final = Limit(400, 60.0)
_PROJECTS_LIMIT: Final = Limit(50, 60.0)

OVERVIEW: Final = ApiEndpoint(
    name="overview",
    feed=REVENUECAT_OVERVIEW,
    doc="Metrics of the overview as they are now.",
    snapshot=True,
    parse=parse_overview,
    fields=(
        *("object", "id", "name", "description", "unit", "period", "value", "last_updated_at"),
        *("last_updated_at_iso8601", "project", "day", "currency"),
    ),
)
CUSTOMERS: Final = ApiEndpoint(
    name="customers",
    feed=REVENUECAT_CUSTOMERS,
    doc="All customers.",
    full_refresh=True,
    parse=parse_customer,
    fields=(
        *("object", "id", "project_id", "first_seen_at", "last_seen_at", "last_seen_country", "last_seen_platform"),
        *("last_seen_platform_version", "last_seen_app_version", "project"),
    ),
    forget=("active_entitlements", "attributes", "experiment"),
)
SUBSCRIPTIONS: Final = ApiEndpoint(
    name="subscriptions",
    feed=REVENUECAT_SUBSCRIPTIONS,
    doc="All subscriptions outside of the sandbox.",
    full_refresh=True,
    parse=parse_subscription,
    fields=(
        *("object", "id", "customer_id", "product_id", "starts_at", "current_period_starts_at"),
        *("current_period_ends_at", "ends_at", "gives_access", "pending_payment", "auto_renewal_status", "status"),
        *("total_revenue_in_usd", "environment", "store", "ownership", "country", "project"),
    ),
    forget=(
        *("original_customer_id", "store_subscription_identifier", "management_url", "entitlements"),
        *("presented_offering_id", "pending_changes"),
    ),
)


def chart(name: str) -> ApiEndpoint:
    """A chart by day."""
    return ApiEndpoint(
        name=name,
        feed=REVENUECAT_CHARTS,
        doc=f"The chart {name} by day.",
        lag_days=1,
        lookback_days=35,
        history_days=365,
        # A call for all days costs no more of the five a minute than one for a day.
        chunk_days=400,
        parse=parse_point,
        fields=(
            *("cohort", "measure", "value", "incomplete", "segment", "of_measure", "of_segment"),
            *("project", "chart", "dimension", "yaxis", "currency"),
        ),
    )


class RevenueCatOptions(Options, frozen=True):
    projects: Annotated[Texts, "project ids (proj…); all that the key may read if not given"] = ()
    charts: Annotated[Texts, f"charts to pull, {', '.join(CHARTS)} if not given", known((*CHARTS, *MORE_CHARTS))] = (
        CHARTS
    )
    segments: Annotated[Texts, "what each chart is pulled split by as well, none if not given", known(SEGMENTS)] = ()
    entities: Annotated[Texts, "what is pulled one by one; slow: a call for each customer", known(ENTITIES)] = ()
    currency: Annotated[Currency, "of amounts; the workbook's if RevenueCat offers it, else USD", known(CURRENCIES)] = (
        ""
    )
    base_url: Annotated[Text, "another server that speaks this API"] = _BASE


class RevenueCat(ApiSource[RevenueCatOptions]):
    """The projects that a RevenueCat key may read."""

    kind = "revenuecat"
    console = "RevenueCat › Project settings › API keys"
    credentials = ("key",)

    def __init__(self, name: str, options: RevenueCatOptions, settings: Settings) -> None:
        super().__init__(name, options, settings)
        asked = options.currency or settings.currency
        self._currency = asked if asked in CURRENCIES else "USD"

    @property
    def endpoints(self) -> tuple[ApiEndpoint, ...]:
        """The overview, each chart, and the lists that are asked for."""
        lists = [endpoint for endpoint in (CUSTOMERS, SUBSCRIPTIONS) if endpoint.name in self.options.entities]
        return (OVERVIEW, *map(chart, dict.fromkeys(self.options.charts)), *lists)

    def connect(self, clock: Clock) -> Client:
        """The API with the key, paced for charts."""
        return self._client(clock, _FIGURES_LIMIT)

    def ping(self, client: Client) -> list[str]:
        """Request the overview and the options of the first chart."""
        missing = []
        for project in self._projects(client):
            for path in ("metrics/overview", *(f"charts/{name}/options" for name in self.options.charts[:1])):
                try:
                    expects = OPTIONS if path.endswith("/options") else server.OVERVIEW
                    client.get(f"projects/{quote(project, safe='')}/{path}", expects=expects)
                except ResponseError as error:
                    missing.append(str(error))
        return missing

    def partitions(self, client: Client, endpoint: ApiEndpoint) -> Iterable[str]:
        """The projects; for a chart also each project by segment: `proj1a2b by store`."""
        for project in self._projects(client):
            yield project
            if endpoint.feed is REVENUECAT_CHARTS:
                yield from (f"{project} by {segment}" for segment in dict.fromkeys(self.options.segments))

    def fetch(
        self, client: Client, endpoint: ApiEndpoint, partition: str, first: date, end: date
    ) -> Iterator[Sequence[Record]]:
        """Today's metrics, points of a chart in one call, customers or subscriptions page by page."""
        if endpoint.feed is REVENUECAT_CHARTS:
            yield from self._points(client, endpoint.name, partition, first, end)
            return
        path = f"projects/{quote(partition, safe='')}"
        if endpoint is OVERVIEW:
            overview = client.get(
                f"{path}/metrics/overview", {"currency": self._currency}, expects=server.OVERVIEW
            ).json()
            metrics = needed(overview, "metrics", "the overview")
            added = {
                "project": partition,
                "day": first.isoformat(),
                "currency": overview.get("currency") or self._currency,
            }
            yield [{**metric, **added} for metric in metrics]
            return
        lists = self._client(client.clock, _LISTS_LIMIT)
        gone, asked = 0, 0
        for customers in listed(lists, f"{path}/customers"):
            if endpoint is CUSTOMERS:
                yield [self._disguised({**each, "project": partition}, "id") for each in customers]
                continue
            for customer in customers:
                if "id" not in customer:
                    raise ResponseError("A customer has no field 'id'.", NEWER)
                asked += 1
                whose = {"customer_id": customer["id"], "project": partition}
                try:
                    for found in self._subscriptions(lists, f"{path}/customers/{quote(str(customer['id']), safe='')}"):
                        yield [self._disguised({**each, **whose}, "customer_id") for each in found]
                except ResponseError as error:
                    if error.status == 404:
                        # Deleted while the list was read.
                        gone += 1
                    elif error.status in (400, 422):
                        # One malformed customer is kept as one rejected record; the others are used.
                        yield [self._disguised({**whose, "status": error.status}, "customer_id")]
                    else:
                        raise
        if gone and (gone == asked or gone > max(_FEW, asked // 10)):
            raise ResponseError(
                f"Of {asked} customers {gone} are said not to exist, though they are listed.",
                "Nothing was landed of it; pull again, and ask RevenueCat's support if it stays so.",
            )

    def _points(self, client: Client, name: str, partition: str, first: date, end: date) -> Iterator[Sequence[Record]]:
        project, _, segment = partition.partition(" by ")
        # Whether the last day is included is not documented: request one more, and drop it.
        asked = {
            "resolution": "0",
            "start_date": first.isoformat(),
            "end_date": end.isoformat(),
            "currency": self._currency,
        }
        if segment:
            asked["segment"] = segment
        chart = client.get(f"projects/{quote(project, safe='')}/charts/{name}", asked, expects=CHART).json()
        check_understood(name, asked, chart)
        added = {
            "project": project,
            "chart": name,
            "dimension": segment or ALL,
            "yaxis": chart.get("yaxis"),
            "currency": chart.get("yaxis_currency"),
        }
        found = [{**point, **added} for point in points(chart)]
        records = [record for record in found if _day(record) != end]
        yield records
        # A day without a point is not a day without sales: those have a 0.
        reported = max((day for day in map(_day, records) if day is not None), default=None)
        if not records or (reported is not None and first <= reported < add_days(end, -1)):
            # All days were requested at once: requesting the rest day by day would give nothing more.
            raise NotYetError(first if reported is None else add_days(reported, 1), end)

    def _subscriptions(self, client: Client, path: str) -> Iterator[Sequence[Record]]:
        yield from listed(client, f"{path}/subscriptions", {"environment": "production"})

    def _projects(self, client: Client) -> tuple[str, ...]:
        configured = self.options.projects
        if configured:
            return configured
        found = listed(self._client(client.clock, _PROJECTS_LIMIT), "projects")
        known = tuple(str(project["id"]) for page in found for project in page)
        if not known:
            raise SourceError(f"The key of {self.name} may read no project.", f"Make one in {self.console}.")
        return known

    def _client(self, clock: Clock, limit: Limit) -> Client:
        return Client(
            self.name,
            self.options.base_url,
            clock,
            console=self.console,
            auth=Header(self.secret("key")),
            limits=(limit,),
            classify=classifier_of(self.console),
        )

    def _disguised(self, record: Record, name: str) -> Record:
        """A record with a pseudonym in place of the app user id, which may be an e-mail address."""
        if record.get(name) is None:
            return record
        key = self.secret("key").reveal().encode()
        pseudonym = hmac.new(key, f"customer {record[name]}".encode(), hashlib.sha256).hexdigest()[:24]
        return {**record, name: pseudonym}


def _day(record: Record) -> date | None:
    """The day of a point; None if it has none, which `parse` rejects with the reason."""
    try:
        return instant(record["cohort"]).date()
    except (KeyError, ValueError):
        return None


REVENUECAT: Final = SourceKind(
    name="revenuecat",
    summary="RevenueCat: recurring revenue, subscriptions, trials and churn by day",
    options=RevenueCatOptions,
    open=RevenueCat,
)
