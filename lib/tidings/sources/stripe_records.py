"""What Stripe sends, as rows: minor units, Unix seconds, ids that may come as whole objects."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from tidings.sources.http import from_epoch
from tidings.sources.records import Record, UnusableError
from tidings.sources.stripe_mrr import (
    has_price,
    interval_of,
    items_of,
    major,
    monthly,
    priced_quantity,
    product_of,
    rounded,
    unit_amount,
)
from tidings.window import naive_utc, parse_date

# Fields at any depth that may hold what people write, or that repeat others.
_NEVER_KEPT: Final = frozenset(
    {"metadata", "comment", "description", "name", "nickname", "plan", "tax_rates", "email", "phone", "address"}
)


def slim(value: Any) -> Any:
    """A record without what may identify a person, at any depth."""
    if isinstance(value, dict):
        return {name: slim(inner) for name, inner in value.items() if name not in _NEVER_KEPT}
    return [slim(inner) for inner in value] if isinstance(value, list) else value


def parse_transaction(record: Record) -> Mapping[str, Any]:
    """A movement of the balance."""
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
    """A refund."""
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
    """A subscription, to which the request has added the tiers and coupons that its price depends on."""
    item = items_of(record)[0]
    price, currency = item["price"], record["currency"]
    try:
        recurring = rounded(sum(monthly(record), Decimal(0)))
    except UnusableError:
        # That it cannot be priced is said where levels are counted: the subscription itself is known.
        recurring = None
    amount = unit_amount(price)
    return {
        "subscription_id": record["id"],
        "ts": _instant(record["created"]),
        "customer_id": id_of(record.get("customer")),
        "status": record["status"],
        "started_at": _instant(record["start_date"]),
        "trial_began_at": _instant(record.get("trial_start")),
        "trial_ends_at": _instant(record.get("trial_end")),
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
    }


def parse_level(record: Record) -> Mapping[str, Any]:
    """Subscriptions of a product, counted by `stripe_levels.Levels`, or one of them that could not be."""
    if "refused" in record:
        raise UnusableError(f"{record['refused']} is in no level: {record['reason']}")
    return {**record, "ts": parse_date(record["day"])}


def parse_invoice(record: Record) -> Mapping[str, Any]:
    """An invoice."""
    currency = record["currency"]
    changed = record.get("status_transitions") or {}
    # Versions before basil named the subscription on the invoice itself.
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
        "tax": sum((major(tax["amount"], currency) for tax in record.get("total_taxes") or ()), Decimal(0)),
        "finalized_at": _instant(changed.get("finalized_at")),
        "paid_at": _instant(changed.get("paid_at")),
        "voided_at": _instant(changed.get("voided_at")),
        "due_at": _instant(record.get("due_date")),
    }


def id_of(value: Any) -> str | None:
    """An id, whether it came alone or within its object."""
    found: str | None = value["id"] if isinstance(value, dict) else value
    return found


def _instant(value: Any) -> datetime | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise UnusableError(f"'{value}' is not a time in Unix seconds")
    return naive_utc(from_epoch(value))
