"""What Stripe sends, as rows: minor units, Unix seconds, ids that may come as whole objects."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from tidings.connectors.stripe.mrr import (
    has_price,
    interval_of,
    items_of,
    major,
    monthly,
    on_trial,
    priced_quantity,
    product_of,
    rounded,
    trial_of,
    unit_amount,
)
from tidings.sources.http.session import from_epoch
from tidings.sources.records import Record, UnusableError
from tidings.window import naive_utc, parse_date

# Fields at any depth that may hold free text, or that repeat others.
NEVER_KEPT: Final = frozenset(
    {"metadata", "comment", "description", "name", "nickname", "plan", "tax_rates", "email", "phone", "address"}
)


def slim(value: Any) -> Any:
    """A record without what may identify a person, at any depth."""
    if isinstance(value, dict):
        return {name: slim(inner) for name, inner in value.items() if name not in NEVER_KEPT}
    return [slim(inner) for inner in value] if isinstance(value, list) else value


def parse_transaction(record: Record) -> Mapping[str, Any]:
    """A balance transaction."""
    currency = record["currency"]
    return {
        "transaction_id": record["id"],
        "ts": _instant(record["created"]),
        "available_at": _instant(record.get("available_on")),
        "amount": major(record["amount"], currency),
        "fee": major(record["fee"], currency),
        "net": major(record["net"], currency),
        "currency": currency.upper(),
        "type": record["type"],
        "category": record["reporting_category"],
        "status": record["status"],
        "source_id": id_of(record.get("source")),
    }


def parse_refund(record: Record) -> Mapping[str, Any]:
    currency = record["currency"]
    return {
        "refund_id": record["id"],
        "ts": _instant(record["created"]),
        "amount": major(record["amount"], currency),
        "currency": currency.upper(),
        "status": record.get("status"),
        "reason": record.get("reason"),
        "charge_id": id_of(record.get("charge")),
        "transaction_id": id_of(record.get("balance_transaction")),
    }


def parse_subscription(record: Record) -> Mapping[str, Any]:
    """A subscription, to which the tiers and coupons that its price depends on have been added."""
    item = items_of(record)[0]
    price, currency = item["price"], record["currency"]
    try:
        recurring = rounded(sum(monthly(record), Decimal(0)))
    except UnusableError:
        # That it cannot be priced is reported where levels are counted: the subscription itself is known.
        recurring = None
    try:
        is_on_trial = on_trial(record)
    except UnusableError:
        is_on_trial = None
    amount = unit_amount(price)
    paused = (record.get("status_details") or {}).get("paused") or {}
    trial = _own_trial(record)
    return {
        "subscription_id": record["id"],
        "ts": _instant(record["created"]),
        "customer_id": id_of(record.get("customer")),
        "status": record["status"],
        "started_at": _instant(record["start_date"]),
        "trial_began_at": _instant(trial[0]),
        "trial_ends_at": _instant(trial[1]),
        "canceled_at": _instant(record.get("canceled_at")),
        "ended_at": _instant(record.get("ended_at")),
        "is_ending": record["cancel_at_period_end"],
        "is_paused": record.get("pause_collection") is not None,
        "has_price": has_price(record),
        "product": product_of(price),
        "price": price["id"],
        "unit_amount": None if amount is None else major(amount, currency),
        "quantity": priced_quantity(item),
        "interval": interval_of(price),
        "currency": currency.upper(),
        "mrr": recurring,
        "reason": (record.get("cancellation_details") or {}).get("reason"),
        "pause_reason": (paused.get("subscription") or {}).get("type") if record["status"] == "paused" else None,
        "paused_at": _instant(paused.get("transitioned_at")) if record["status"] == "paused" else None,
        "is_on_trial": is_on_trial,
    }


def _own_trial(record: Record) -> tuple[Any, Any]:
    """When it is free: during its own trial, else during free trial offers of its items."""
    if record.get("trial_end") is not None:
        return record.get("trial_start"), record["trial_end"]
    trials = [trial for item in items_of(record) if (trial := trial_of(item, record))]
    try:
        is_free = bool(trials) and on_trial(record)
    except UnusableError:
        is_free = False
    if not is_free:
        return None, None
    return min(trial["start_date"] for trial in trials), max(trial["end_date"] for trial in trials)


def parse_level(record: Record) -> Mapping[str, Any]:
    """Subscriptions of a product, counted by `levels.Levels`, or one of them that could not be."""
    if "refused" in record:
        raise UnusableError(f"{record['refused']} is in no level: {record['reason']}")
    return {**record, "ts": parse_date(record["day"])}


def parse_invoice(record: Record) -> Mapping[str, Any]:
    currency = record["currency"]
    changed = record.get("status_transitions") or {}
    # Versions before basil had the subscription on the invoice itself.
    details = (record.get("parent") or {}).get("subscription_details") or {}
    amounts = {name: major(record[name], currency) for name in ("subtotal", "total", "amount_paid", "amount_due")}
    return {
        "invoice_id": record["id"],
        "ts": _instant(record["created"]),
        "number": record.get("number"),
        "status": record.get("status"),
        "customer_id": id_of(record.get("customer")),
        "subscription_id": id_of(details.get("subscription")) or id_of(record.get("subscription")),
        "reason": record.get("billing_reason"),
        "currency": currency.upper(),
        **amounts,
        "tax": _tax(record, currency),
        "finalized_at": _instant(changed.get("finalized_at")),
        "paid_at": _instant(changed.get("paid_at")),
        "voided_at": _instant(changed.get("voided_at")),
        "due_at": _instant(record.get("due_date")),
    }


def _tax(record: Record, currency: str) -> Decimal | None:
    """The taxes of an invoice; None if Stripe could not determine them."""
    automatic = record.get("automatic_tax") or {}
    is_open = automatic.get("enabled") and automatic.get("status") != "complete"
    taxes = record.get("total_taxes")
    if taxes is None and "total_taxes" not in record and record.get("tax") is not None:
        # Versions before basil had a single sum.
        return major(record["tax"], currency)
    if taxes is None or (is_open and not taxes):
        return None
    return sum((major(tax["amount"], currency) for tax in taxes), Decimal(0))


def id_of(value: Any) -> str | None:
    """An id, given alone or within its object."""
    found: str | None = value["id"] if isinstance(value, dict) else value
    return found


def _instant(value: Any) -> datetime | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise UnusableError(f"'{value}' is not a time in Unix seconds")
    return naive_utc(from_epoch(value))
