"""Stripe: lists newest first that continue after an id, restricted keys with rights per list, prices and coupons."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from fakes.server import FakeApi, Refusal, Reply, Request, route

Record = dict[str, Any]
KEY = "rk_test_51FakeFakeFakeFakeFake"
VERSION = "2026-10-28.endive"
_WHOLE = ("JPY", "KRW", "VND")
_THOUSANDTHS = ("KWD", "BHD")
_DEEPEST = 4
_AFTER_TRIAL = "trial_end_without_payment_method"
_INVOICE_ZEROS = (
    *(
        "amount_overpaid",
        "amount_paid_off_stripe",
        "amount_shipping",
        "status_details",
        "attempt_count",
        "attempted",
        "auto_advance",
        "effective_at",
    ),
    *("ending_balance", "next_payment_attempt", "post_payment_credit_notes_amount", "starting_balance"),
    *("pre_payment_credit_notes_amount", "subtotal_excluding_tax", "total_discount_amounts", "total_excluding_tax"),
    "total_pretax_credit_amounts",
)
_RIGHTS = {
    "balance_transactions": "rak_balance_read",
    "refunds": "rak_charge_read",
    "subscriptions": "rak_subscription_read",
    "subscription_items": "rak_subscription_read",
    "invoices": "rak_invoice_read",
    "prices": "rak_plan_read",
    "coupons": "rak_coupon_read",
    "product_catalog": "rak_product_read",
}


class FakeStripe(FakeApi):
    """Serves `rows` of the feeds `stripe_…` as objects of the API; levels do not exist there.

    `objects` holds the objects by list, for tests to change; `prices`, `coupons` and `trial_offers` those requested by
    id; `rights` the lists that the key may read; `accounts` the connected accounts; `refused` counts calls beyond the
    limit.
    """

    limit = (25, 1.0)

    def __init__(
        self, rows: Mapping[str, Sequence[Mapping[str, Any]]], *, epoch: Callable[[], float] = time.time
    ) -> None:
        super().__init__(epoch)
        self.key = KEY
        self.rights = set(_RIGHTS)
        self.accounts: set[str] = set()
        self.most = 100
        self.refused = 0
        self.prices: dict[str, Record] = {}
        self.coupons: dict[str, Record] = {}
        self.trial_offers: dict[str, Record] = {}
        self.objects: dict[str, list[Record]] = {
            "balance_transactions": [transaction(row) for row in rows.get("stripe_balance", ())],
            "refunds": [refund(row) for row in rows.get("stripe_refunds", ())],
            "subscriptions": [subscription(row) for row in rows.get("stripe_subscriptions", ())],
            "invoices": [invoice(row) for row in rows.get("stripe_invoices", ())],
        }

    def environment(self, name: str) -> dict[str, str]:
        return {f"{name.upper()}_KEY": self.key}

    def table(self) -> dict[str, Any]:
        return {"kind": "stripe", "base_url": f"{self.url}/v1"}

    def authenticate(self, request: Request) -> None:
        if not request.bearer:
            raise Refusal(error(401, "You did not provide an API key."))
        if request.bearer != self.key:
            raise Refusal(error(401, f"Invalid API Key provided: {request.bearer[:8]}****{request.bearer[-4:]}"))
        if request.headers.get("Stripe-Version") != VERSION:
            raise Refusal(error(400, f"Invalid Stripe API version: {request.headers.get('Stripe-Version')}"))
        account = request.headers.get("Stripe-Account")
        if account is not None and account not in self.accounts:
            said = f"The provided key does not have access to account '{account}' (or that account does not exist)."
            raise Refusal(error(403, said, code="account_invalid"))
        what = request.path.split("/")[2]
        if what not in self.rights:
            said = "The provided key does not have the required permissions for this endpoint."
            raise Refusal(error(403, f"{said} Having the '{_RIGHTS[what]}' permission would allow this request."))

    def too_many(self, wait: float) -> Reply:
        self.refused += 1
        return error(429, "Request rate limit exceeded.", code="rate_limit")

    def not_found(self, request: Request) -> Reply:
        return error(404, f"Unrecognized request URL ({request.method}: {request.path}).")

    @route("GET", "/v1/balance_transactions")
    def list_transactions(self, request: Request) -> Any:
        return self._listed(request, "balance_transactions")

    @route("GET", "/v1/refunds")
    def list_refunds(self, request: Request) -> Any:
        return self._listed(request, "refunds")

    @route("GET", "/v1/invoices")
    def list_invoices(self, request: Request) -> Any:
        return self._listed(request, "invoices")

    @route("GET", "/v1/subscriptions")
    def list_subscriptions(self, request: Request) -> Any:
        wanted = request.query.get("status")
        found = [each for each in self.objects["subscriptions"] if wanted == "all" or each["status"] != "canceled"]
        expanded = self._expanded(request)
        return self._page(request, "subscriptions", [self._reported(each, expanded) for each in found])

    @route("GET", "/v1/subscription_items")
    def list_items(self, request: Request) -> Any:
        whose = request.query["subscription"]
        every = next(each for each in self.objects["subscriptions"] if each["id"] == whose)["items"]["data"]
        return self._page(request, "subscription_items", every)

    @route("GET", "/v1/prices/{id}")
    def price(self, request: Request) -> Any:
        return self._one(self.prices, request, "price", ("tiers",))

    @route("GET", "/v1/coupons/{id}")
    def coupon(self, request: Request) -> Any:
        return self._one(self.coupons, request, "coupon", ("applies_to", "currency_options"))

    @route("GET", "/v1/product_catalog/trial_offers/{id}")
    def trial_offer(self, request: Request) -> Any:
        expanded = self._expanded(request)
        found = self._one(self.trial_offers, request, "trial offer", ())
        return found if "price" in expanded else {**found, "price": found["price"]["id"]}

    def _one(self, known: Mapping[str, Record], request: Request, what: str, on_demand: Sequence[str]) -> Any:
        found = known.get(request.parts["id"])
        if found is None:
            raise Refusal(error(404, f"No such {what}: '{request.parts['id']}'", code="resource_missing"))
        expanded = self._expanded(request)
        return {name: value for name, value in found.items() if name not in on_demand or name in expanded}

    def _reported(self, whole: Record, expanded: set[str]) -> Record:
        """A subscription as in a list: ten items, discounts as ids unless expanded."""
        items = whole["items"]["data"]
        shown = [
            {**item, "discounts": _discounts(item, "data.items.data.discounts" in expanded, is_deep=False)}
            for item in items[:10]
        ]
        is_deep = "data.discounts.source.coupon" in expanded
        return {
            **whole,
            "items": {"object": "list", "data": shown, "has_more": len(items) > 10},
            "discounts": _discounts(whole, is_deep, is_deep=is_deep),
        }

    def _expanded(self, request: Request) -> set[str]:
        asked = {value for name, value in request.query.items() if name.startswith("expand[")}
        for each in asked:
            if each.count(".") >= _DEEPEST:
                raise Refusal(error(400, "You cannot expand more than 4 levels of a property."))
        return asked

    def _listed(self, request: Request, what: str) -> Any:
        first, end = (int(request.query.get(f"created[{bound}]", -1)) for bound in ("gte", "lt"))
        found = [each for each in self.objects[what] if each["created"] >= first and (end < 0 or each["created"] < end)]
        return self._page(request, what, found)

    def _page(self, request: Request, what: str, found: Sequence[Record]) -> Any:
        limit = int(request.query.get("limit", 10))
        if not 1 <= limit <= 100:
            raise Refusal(error(400, "Invalid integer: limit must be between 1 and 100"))
        newest = sorted(found, key=lambda each: each["created"], reverse=True)
        after = request.query.get("starting_after")
        start = 0
        if after is not None:
            places = [place for place, each in enumerate(newest) if each["id"] == after]
            if not places:
                raise Refusal(error(400, f"No such object: '{after}'", code="resource_missing", param="starting_after"))
            start = places[0] + 1
        shown = newest[start : start + min(limit, self.most)]
        has_more = start + len(shown) < len(newest)
        return {"object": "list", "url": f"/v1/{what}", "has_more": has_more, "data": shown}


def error(status: int, message: str, **more: Any) -> Reply:
    """An error as Stripe writes it."""
    said = {"type": "invalid_request_error" if status < 500 else "api_error", "message": message, **more}
    return Reply({"error": said}, status, {"Request-Id": "req_fake"})


def minor(amount: Decimal | None, currency: str) -> int | None:
    """An amount in minor units."""
    if amount is None:
        return None
    units = amount * (1 if currency in _WHOLE else 1000 if currency in _THOUSANDTHS else 100)
    if units != int(units):
        raise ValueError(f"{amount} {currency} cannot be told in minor units")
    return int(units)


def seconds(moment: datetime | None) -> int | None:
    """A naive UTC instant in Unix seconds."""
    return None if moment is None else int(moment.replace(tzinfo=UTC).timestamp())


def transaction(row: Mapping[str, Any]) -> Record:
    """A balance transaction."""
    currency = row["currency"]
    fee = minor(row["fee"], currency)
    detail = {"amount": fee, "application": None, "currency": currency.lower(), "type": "stripe_fee"}
    return {
        "id": row["transaction_id"],
        "object": "balance_transaction",
        "amount": minor(row["amount"], currency),
        "available_on": seconds(row["available_at"]),
        "balance_type": "payments",
        "created": seconds(row["ts"]),
        "currency": currency.lower(),
        "description": "Payment of Ada Lovelace",
        "exchange_rate": None,
        "fee": fee,
        "fee_details": [{**detail, "description": "Stripe processing fees"}] if fee else [],
        "net": minor(row["net"], currency),
        "reporting_category": row["category"],
        "source": row["source_id"],
        "status": row["status"],
        "type": row["type"],
    }


def refund(row: Mapping[str, Any]) -> Record:
    """A refund."""
    return {
        "id": row["refund_id"],
        "object": "refund",
        "amount": minor(row["amount"], row["currency"]),
        "balance_transaction": row["transaction_id"],
        "charge": row["charge_id"],
        "created": seconds(row["ts"]),
        "currency": row["currency"].lower(),
        "destination_details": {"type": "card", "card": {"reference": "81726354", "type": "refund"}},
        "metadata": {"who": "Ada Lovelace"},
        "payment_intent": None,
        "reason": row["reason"],
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": row["status"],
        "transfer_reversal": None,
    }


def subscription(row: Mapping[str, Any]) -> Record:
    """A subscription of one item."""
    count, _, unit = row["interval"].rpartition(" ")
    currency = row["currency"]
    amount = minor(row["unit_amount"], currency)
    price = {
        "id": row["price"],
        "object": "price",
        "billing_scheme": "per_unit" if amount is not None else "tiered",
        "currency": currency.lower(),
        "metadata": {},
        "nickname": None,
        "product": row["product"],
        "recurring": {"interval": unit, "interval_count": int(count or 1), "usage_type": "licensed"},
        "tiers_mode": None,
        "transform_quantity": None,
        "type": "recurring",
        "unit_amount": amount,
        "unit_amount_decimal": None if amount is None else str(amount),
    }
    if row["quantity"] is None:
        price["recurring"]["usage_type"] = "metered"
    item = {
        "id": f"si_{row['subscription_id']}",
        "object": "subscription_item",
        "created": seconds(row["ts"]),
        "current_trial": None,
        "discounts": [],
        "metadata": {},
        "plan": {"id": row["price"]},
        "price": price,
        "quantity": row["quantity"],
        "subscription": row["subscription_id"],
    }
    return {
        "id": row["subscription_id"],
        "object": "subscription",
        "application": None,
        "billing_cycle_anchor": seconds(row["started_at"]),
        "cancel_at": None,
        "cancel_at_period_end": row["is_ending"],
        "canceled_at": seconds(row["canceled_at"]),
        "cancellation_details": {"comment": "Ada Lovelace moved away", "feedback": None, "reason": row["reason"]},
        "collection_method": "charge_automatically",
        "created": seconds(row["ts"]),
        "currency": currency.lower(),
        "customer": row["customer_id"],
        "default_payment_method": "pm_1Fake",
        "description": "For Ada Lovelace",
        "discounts": [],
        "ended_at": seconds(row["ended_at"]),
        "items": {"object": "list", "data": [item], "has_more": False},
        "latest_invoice": "in_1Fake",
        "livemode": False,
        "metadata": {"email": "ada@example.org"},
        "pause_collection": {"behavior": "void", "resumes_at": None} if row["is_paused"] else None,
        "start_date": seconds(row["started_at"]),
        "status": row["status"],
        # Present for paused ones only.
        **(
            {"status_details": paused(row.get("pause_reason") or _AFTER_TRIAL, row.get("paused_at"))}
            if row["status"] == "paused"
            else {}
        ),
        "trial_end": seconds(row["trial_ends_at"]),
        "trial_start": None if row["trial_ends_at"] is None else seconds(row["started_at"]),
    }


def paused(why: str, at: datetime | None = None) -> Record:
    """Since 2026-09-30.endive a paused subscription has a reason."""
    details = {"type": "subscription", "subscription": {"type": why}, "transitioned_at": seconds(at) or 0}
    return {"paused": details}


def invoice(row: Mapping[str, Any]) -> Record:
    """An invoice."""
    currency = row["currency"]
    amounts = {name: minor(row[name], currency) for name in ("subtotal", "total", "amount_paid", "amount_due")}
    details = {"metadata": {"email": "ada@example.org"}, "subscription": row["subscription_id"]}
    return {
        "id": row["invoice_id"],
        "object": "invoice",
        **amounts,
        **dict.fromkeys(_INVOICE_ZEROS, 0),
        "amount_remaining": amounts["amount_due"] - amounts["amount_paid"],
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "billing_reason": row["reason"],
        "collection_method": "charge_automatically",
        "created": seconds(row["ts"]),
        "currency": currency.lower(),
        "customer": row["customer_id"],
        "customer_email": "ada@example.org",
        "customer_name": "Ada Lovelace",
        "due_date": seconds(row["due_at"]),
        "hosted_invoice_url": "https://invoice.stripe.com/i/secret_address",
        "invoice_pdf": "https://pay.stripe.com/invoice/secret_address/pdf",
        "lines": {"object": "list", "data": [{"description": "1 × Pro for Ada Lovelace"}], "has_more": False},
        "livemode": False,
        "metadata": {},
        "number": row["number"],
        "parent": None
        if row["subscription_id"] is None
        else {"type": "subscription_details", "subscription_details": details},
        "period_end": seconds(row["ts"]),
        "period_start": seconds(row["ts"]),
        "status": row["status"],
        "status_transitions": {
            "finalized_at": seconds(row["finalized_at"]),
            "marked_uncollectible_at": None,
            "paid_at": seconds(row["paid_at"]),
            "voided_at": seconds(row["voided_at"]),
        },
        "total_taxes": _taxes(row["tax"], currency),
    }


def _taxes(tax: Decimal | None, currency: str) -> list[Record] | None:
    if tax is None:
        return None
    return [{"amount": minor(tax, currency), "tax_behavior": "inclusive"}] if tax else []


def _discounts(of: Record, is_expanded: bool, *, is_deep: bool) -> list[Any]:
    if not is_expanded:
        return [each["id"] for each in of["discounts"]]
    if is_deep:
        return list(of["discounts"])
    return [
        {**each, "source": {"type": "coupon", "coupon": each["source"]["coupon"]["id"]}} for each in of["discounts"]
    ]
