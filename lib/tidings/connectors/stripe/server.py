"""Stripe's protocol: lists, what its prices depend on, and the meaning of errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from tidings.connectors.stripe.mrr import coupons_of, tiered_prices, trial_offers_of
from tidings.connectors.stripe.records import slim
from tidings.errors import ResponseError
from tidings.sources.http.expected import JsonObject
from tidings.sources.http.paging import pages
from tidings.sources.http.session import Client, Decision, Response, by_status
from tidings.sources.records import Record, UnusableError

PAGE_ROWS: Final = 100
LIST: Final = JsonObject(has={"data": list}, may={"has_more": bool})
_ONE: Final = JsonObject(has={"id": str})


class Known:
    """Fetches tiers of prices, coupons and trial offers, each once per pull."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._tiers: dict[str, Any] = {}
        self._coupons: dict[str, Any] = {}
        self._offers: dict[str, Any] = {}

    def completed(self, record: Record) -> Record:
        """A subscription with all its items, their trial offers, tiers of prices and coupons of discounts."""
        items = record.get("items")
        if isinstance(items, dict) and items.get("has_more"):
            asked = {"subscription": record["id"], **expanding(("data.discounts",))}
            every = listed(self._client, "subscription_items", asked)
            record = {
                **record,
                "items": {**items, "has_more": False, "data": [slim(i) for page in every for i in page]},
            }
        try:
            offers = {offer: self._offer(offer) for offer in sorted(trial_offers_of(record))}
        except (KeyError, TypeError, AttributeError, UnusableError):
            offers = {}
        record = {**record, "trial_offers": offers}
        try:
            prices, coupons = tiered_prices(record), coupons_of(record)
        except (KeyError, TypeError, AttributeError, UnusableError):
            # What is wrong with it is reported by parse and by the levels.
            prices, coupons = set(), {}
        return {
            **record,
            "tiers": {price: self._price(price) for price in sorted(prices)},
            "coupons": {coupon: self._coupon(coupon, reported) for coupon, reported in sorted(coupons.items())},
        }

    def _price(self, price: str) -> Any:
        if price not in self._tiers:
            price_found = self._asked(f"prices/{quote(price, safe='')}", ("tiers",))
            self._tiers[price] = price_found and price_found.get("tiers")
        return self._tiers[price]

    def _offer(self, offer: str) -> Any:
        """A trial offer with its price; None if the key may not read it."""
        if offer not in self._offers:
            self._offers[offer] = self._asked(f"product_catalog/trial_offers/{quote(offer, safe='')}", ("price",))
        return self._offers[offer]

    def _coupon(self, coupon: str, reported: Record | None) -> Any:
        if coupon not in self._coupons:
            expanded = ("applies_to", "currency_options")
            self._coupons[coupon] = self._asked(f"coupons/{quote(coupon, safe='')}", expanded)
        # A deleted coupon is still in force where it was applied.
        return self._coupons[coupon] or reported

    def _asked(self, path: str, expanded: Sequence[str]) -> Any:
        try:
            return slim(self._client.get(path, expanding(expanded), expects=_ONE).json())
        except ResponseError as error:
            if error.status not in (403, 404):
                raise
            return None


def listed(client: Client, path: str, params: Mapping[str, Any]) -> Iterator[Sequence[Record]]:
    """The pages of a list, newest first.

    Raises:
        ResponseError: the pages repeat, or an empty page claims that there is more.
    """

    def ask(after: str | None) -> list[Any]:
        following = {"starting_after": after} if after is not None else {}
        page = client.get(path, {**params, "limit": PAGE_ROWS, **following}, expects=LIST).json()
        if page.get("has_more") and not page["data"]:
            raise ResponseError(f"Stripe says that there is more of {path}, but returns none.", "Pull again.")
        return [page["data"], bool(page.get("has_more"))]

    def following(page: list[Any]) -> str | None:
        found, has_more = page
        return str(found[-1]["id"]) if has_more else None

    for found, _ in pages(ask, following, path):
        yield found


def classify(response: Response) -> Decision | None:
    """Classify errors: Stripe says whether a retry helps; a restricted key may lack a right for one list only."""
    again = response.headers.get("Stripe-Should-Retry", "")
    if 200 <= response.status < 300:
        return None
    if response.status == 403:
        return Decision("failed", remedy="Give the restricted key Read on it in Stripe › Developers › API keys.")
    if again == "true" or (response.status == 409 and again != "false"):
        return Decision("later")
    if again == "false" and by_status(response).kind == "later":
        return Decision("failed")
    return None


def expanding(fields: Sequence[str]) -> dict[str, str]:
    """The parameters that request whole objects in place of ids."""
    return {f"expand[{number}]": field for number, field in enumerate(fields)}
