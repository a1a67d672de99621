"""Stripe: payments, refunds, fees and payouts as balance transactions, subscriptions and invoices.

API quirks. Lists are newest first, in pages of at most 100 that continue after the last id; new objects go before the
first page and shift nothing. Amounts are integers in minor units, whose size differs by currency. The format depends on
an API version, which is pinned here. Balance transactions never change except for their status.

Subscriptions and invoices do change, long after they were created, and their lists can be filtered by creation time
only. So each pull reads them in full: the events API forgets after 30 days and uses another version. Past states are
not available at all: levels (recurring revenue, active subscriptions) are counted once per day of a pull. By default a
list of subscriptions leaves out the cancelled ones. Only the price and the coupon themselves contain a price's tiers
and what a coupon applies to, and a subscription shows its first ten items.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Annotated, Any, Final

from tidings.connectors.stripe.endpoints import ENDPOINTS, LEVELS, SUBSCRIPTIONS
from tidings.connectors.stripe.levels import Levels
from tidings.connectors.stripe.records import slim
from tidings.connectors.stripe.server import LIST, Known, classify, expanding, listed
from tidings.errors import ResponseError, SettingsError
from tidings.landing.store import Landing
from tidings.options import Options, Text, Texts, known
from tidings.settings import Settings
from tidings.sources.api.endpoint import ApiEndpoint, day_instant
from tidings.sources.api.source import ApiSource
from tidings.sources.clock import Clock
from tidings.sources.http.auth import Header
from tidings.sources.http.session import Client, Limit
from tidings.sources.records import Record
from tidings.sources.source import Pull, Pulled, SourceKind

VERSION: Final = "2026-10-28.endive"
LISTS: Final = ("balance", "refunds", "subscriptions", "invoices")
_BASE: Final = "https://api.stripe.com/v1"
_PATHS: Final[Mapping[str, str]] = {"balance": "balance_transactions"}
_EXPANDED: Final = ("data.discounts.source.coupon", "data.items.data.discounts")


class StripeOptions(Options, frozen=True):
    lists: Annotated[Texts, "what to pull, all if not given", known(LISTS)] = LISTS
    account: Annotated[Text, "a connected account (acct_…), if the key is that of a platform"] = ""
    base_url: Annotated[Text, "another server that speaks this API"] = _BASE


class Stripe(ApiSource[StripeOptions]):
    """One Stripe account."""

    kind = "stripe"
    console = "Stripe › Developers › API keys"
    credentials = ("key",)

    def __init__(self, name: str, options: StripeOptions, settings: Settings) -> None:
        super().__init__(name, options, settings)
        self._levels: Levels | None = None

    @property
    def endpoints(self) -> tuple[ApiEndpoint, ...]:
        """The configured lists; levels come with the subscriptions that they are counted from."""
        names = {*self.options.lists, *(("levels",) if "subscriptions" in self.options.lists else ())}
        return tuple(endpoint for endpoint in ENDPOINTS if endpoint.name in names)

    def connect(self, clock: Clock) -> Client:
        """The API with the key, in the pinned version."""
        self._levels = None
        account = {"Stripe-Account": self.options.account} if self.options.account else {}
        return Client(
            self.name,
            self.options.base_url,
            clock,
            console=self.console,
            auth=Header(self.secret("key")),
            # Below the limit of a sandbox, which is the lowest.
            limits=(Limit(20, 1.0),),
            classify=classify,
            headers={"Stripe-Version": VERSION, **account},
        )

    def ping(self, client: Client) -> list[str]:
        """Request the newest object of each list."""
        missing = []
        for endpoint in self.endpoints:
            try:
                if endpoint is not LEVELS:
                    client.get(_PATHS.get(endpoint.name, endpoint.name), {"limit": 1}, expects=LIST)
            except ResponseError as error:
                missing.append(str(error))
        return missing

    def pull(self, landing: Landing, pull: Pull) -> Iterator[Pulled]:
        """Land what is new, as `ApiSource` does.

        Raises:
            SettingsError: the landed data are of the other mode: live and test money would be added up.
        """
        partition = self._mode()
        for endpoint in self.endpoints:
            for load in landing.loads(self.name, endpoint.name):
                held = load.partition or "unknown"
                if held != partition:
                    raise SettingsError(
                        f"{self.variable('key')} is a {partition} key, and data/raw/{self.name} holds {held} data.",
                        f"Give this key to a source of another name, or delete data/raw/{self.name} first.",
                    )
        yield from super().pull(landing, pull)

    def partitions(self, client: Client, endpoint: ApiEndpoint) -> Iterable[str]:
        """The mode that the key belongs to, live or test."""
        del client, endpoint
        return (self._mode(),)

    def _mode(self) -> str:
        return "test" if "_test_" in self.secret("key").reveal() else "live"

    def fetch(
        self, client: Client, endpoint: ApiEndpoint, partition: str, first: date, end: date
    ) -> Iterator[Sequence[Record]]:
        """Objects created in these days, all subscriptions or invoices, or the levels of all subscriptions."""
        del partition
        if endpoint is SUBSCRIPTIONS:
            levels = Levels()
            yield from self._subscriptions(client, levels)
            self._levels = levels
        elif endpoint is LEVELS:
            yield self._counted(client).records(first)
        else:
            asked: dict[str, Any] = {}
            if not endpoint.full_refresh:
                asked["created[gte]"] = int(day_instant(first).timestamp())
                asked["created[lt]"] = int(day_instant(end).timestamp())
            for found in listed(client, _PATHS.get(endpoint.name, endpoint.name), asked):
                yield [slim(each) for each in found]

    def _counted(self, client: Client) -> Levels:
        """The levels of all subscriptions, which are read again unless this pull has read them to the end."""
        if self._levels is not None:
            return self._levels
        levels = Levels()
        for _ in self._subscriptions(client, levels):
            pass
        return levels

    def _subscriptions(self, client: Client, levels: Levels) -> Iterator[Sequence[Record]]:
        """All subscriptions with what their prices depend on, counted into `levels` along the way."""
        asked_at = int(client.clock.epoch())
        known = Known(client)
        for found in listed(client, "subscriptions", {"status": "all", **expanding(_EXPANDED)}):
            records = [known.completed({**slim(each), "asked_at": asked_at}) for each in found]
            for record in records:
                levels.add(record)
            yield records


STRIPE: Final = SourceKind(
    name="stripe",
    summary="Stripe: sales, refunds, fees and proceeds, recurring revenue and subscriptions",
    options=StripeOptions,
    open=Stripe,
)
