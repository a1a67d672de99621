"""Recurring revenue of Stripe's subscriptions: prices, tiers and coupons as an amount per month."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import Any, Final, cast

from tidings.feeds.enums.stripe import BILLING_SCHEMES, COUNTED, TIERS_MODES, USAGE_TYPES
from tidings.sources.records import Record, UnusableError

_ZERO: Final = Decimal(0)
_PLACES: Final = Decimal("0.00000001")
_WHOLE_UNITS: Final = frozenset(
    ("BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF")
)
_THOUSANDTHS: Final = frozenset(("BHD", "JOD", "KWD", "OMR", "TND"))
# The monthly factor of an interval, as a fraction: a year has 52 weeks and 365 days.
_PER_MONTH: Final[Mapping[str, tuple[int, int]]] = {
    "month": (1, 1),
    "year": (1, 12),
    "week": (52, 12),
    "day": (365, 12),
}


def factor(currency: str) -> int:
    """How many of Stripe's minor units make one unit of a currency; for Stripe ISK and UGX have hundredths as well."""
    code = currency.upper()
    return 1 if code in _WHOLE_UNITS else 1000 if code in _THOUSANDTHS else 100


def major(amount: Any, currency: str) -> Decimal:
    """An amount of minor units in units of its currency.

    Raises:
        UnusableError: it is not a number.
    """
    if isinstance(amount, bool) or not isinstance(amount, int | Decimal):
        raise UnusableError(f"the amount '{amount}' is not a number of minor units")
    return rounded(Decimal(amount) / factor(currency))


def items_of(subscription: Record) -> Sequence[Record]:
    """The items of a subscription.

    Raises:
        UnusableError: it has none.
    """
    items: Sequence[Record] = subscription["items"]["data"]
    if not items:
        raise UnusableError("the subscription has no items")
    return items


def interval_of(price: Record) -> str:
    """The billing interval, as `month` or `3 month`."""
    recurring = price.get("recurring") or {}
    count = recurring.get("interval_count", 1)
    return f"{recurring.get('interval', 'none')}" if count == 1 else f"{count} {recurring.get('interval', 'none')}"


def unit_amount(price: Record) -> Decimal | None:
    """The unit price in minor units, fractions included; None if it depends on the quantity."""
    amount = price.get("unit_amount_decimal")
    amount = price.get("unit_amount") if amount is None else amount
    return None if amount is None else Decimal(amount)


def priced_quantity(item: Record) -> int | None:
    """The quantity of an item; None if metered, 1 if not given."""
    return None if _is_metered(item) else item.get("quantity", 1)


def has_price(subscription: Record) -> bool:
    """Whether anything of it costs something, before any discount: after its trial, if one is running."""
    return any(trial_of(item, subscription) is not None or _costs(item["price"]) for item in items_of(subscription))


def trial_of(item: Record, subscription: Record) -> Record | None:
    """The trial offer that was running for an item when it was requested; its price may be 0, or not."""
    trial: Record | None = item.get("current_trial")
    if not trial or not trial["start_date"] <= subscription["asked_at"] < trial["end_date"]:
        return None
    return trial


def trial_offers_of(subscription: Record) -> set[str]:
    """The trial offers that must be fetched before the subscription can be priced."""
    trials = [trial_of(item, subscription) for item in items_of(subscription)]
    return {str(trial["trial_offer"]) for trial in trials if trial}


def price_of(item: Record, subscription: Record) -> Record:
    """The price that is paid for an item now: that of its trial offer while one is running.

    Raises:
        UnusableError: the trial offer could not be fetched.
    """
    trial = trial_of(item, subscription)
    if trial is None:
        return cast(Record, item["price"])
    offer = subscription["trial_offers"].get(trial["trial_offer"]) or {}
    price = offer.get("price")
    if not isinstance(price, dict):
        raise UnusableError(f"the price of {trial['trial_offer']} cannot be read; the key needs Read on Products")
    return cast(Record, price)


def on_trial(subscription: Record) -> bool:
    """Whether it is free because of a trial: its own, or trial offers that cost nothing.

    A paid introduction is not a trial, whatever the status.

    Raises:
        UnusableError: the price of a trial offer could not be fetched.
    """
    if subscription["status"] not in (*COUNTED, "trialing"):
        return False
    own = subscription.get("trial_end")
    if subscription["status"] == "trialing" and (not trial_offers_of(subscription) or _is_after(own, subscription)):
        return True
    is_offered = bool(trial_offers_of(subscription))
    return is_offered and not any(_costs(price_of(item, subscription)) for item in items_of(subscription))


def _is_after(moment: Any, subscription: Record) -> bool:
    return moment is not None and bool(moment > subscription["asked_at"])


def _costs(price: Record) -> bool:
    return _is_metered({"price": price}) or _is_tiered(price) or unit_amount(price) != 0


def tiered_prices(subscription: Record) -> set[str]:
    """The prices whose tiers must be fetched before the subscription can be priced."""
    if not counts(subscription):
        return set()
    prices = [price_of(item, subscription) for item in items_of(subscription)]
    return {price["id"] for price in prices if _is_tiered(price) and not _is_metered({"price": price})}


def coupons_of(subscription: Record) -> dict[str, Record | None]:
    """The coupons of its discounts by id, each as far as the discount contains it."""
    if not counts(subscription):
        return {}
    found: dict[str, Record | None] = {}
    for discount in [*_discounts(subscription), *(each for i in items_of(subscription) for each in _discounts(i))]:
        coupon = _coupon(discount)
        whole = coupon if isinstance(coupon, dict) else None
        found[str(whole["id"] if whole else coupon)] = whole
    return found


def monthly(subscription: Record) -> list[Decimal]:
    """The monthly amount of each item in units of the currency, 0 for a subscription that does not count.

    `active` and `past_due` subscriptions count unless paused; metered items and taxes never do. Discounts count while
    they are in force: a percentage of each item, or an amount once per bill, spread over the items.

    Raises:
        UnusableError: its tiers or a coupon could not be fetched.
    """
    items = items_of(subscription)
    if not counts(subscription):
        return [_ZERO] * len(items)
    amounts = []
    for item in items:
        amount = _per_month(_amount(item, subscription), price_of(item, subscription))
        for discount in _in_force(item, subscription):
            (amount,) = _discounted([amount], [item], discount, subscription)
        amounts.append(amount)
    for discount in _in_force(subscription, subscription):
        amounts = _discounted(amounts, items, discount, subscription)
    return [amount / factor(subscription["currency"]) for amount in amounts]


def counts(subscription: Record) -> bool:
    """Whether it is a paying subscription: active, past due or in a paid introduction, and not paused.

    Raises:
        UnusableError: the price of a trial offer could not be fetched.
    """
    if subscription["status"] not in (*COUNTED, "trialing") or subscription.get("pause_collection") is not None:
        return False
    return not on_trial(subscription)


def _is_metered(item: Record) -> bool:
    return (item["price"].get("recurring") or {}).get("usage_type") == "metered"


def _is_tiered(price: Record) -> bool:
    return price.get("billing_scheme") == "tiered"


def _amount(item: Record, subscription: Record) -> Decimal:
    """The price of an item per bill, in minor units.

    Raises:
        UnusableError: its pricing model is unknown, or its tiers could not be fetched.
    """
    price, quantity = price_of(item, subscription), priced_quantity(item)
    for what, value, known in (
        ("billing scheme", price.get("billing_scheme"), BILLING_SCHEMES),
        ("mode of tiers", price.get("tiers_mode"), TIERS_MODES),
        ("type of usage", (price.get("recurring") or {}).get("usage_type"), USAGE_TYPES),
    ):
        if value is not None and value not in known:
            raise UnusableError(f"the {what} '{value}' of {price['id']} is not known to this version of Tidings")
    if quantity is None or _is_metered({"price": price}):
        return _ZERO
    count = Decimal(quantity)
    packed = price.get("transform_quantity")
    if packed:
        rounding = ROUND_CEILING if packed["round"] == "up" else ROUND_FLOOR
        count = (count / Decimal(packed["divide_by"])).to_integral_value(rounding)
    if not _is_tiered(price):
        return (unit_amount(price) or _ZERO) * count
    tiers = subscription["tiers"].get(price["id"])
    if not tiers:
        raise UnusableError(f"the tiers of {price['id']} cannot be read; the key needs Read on Prices")
    return _tiered(tiers, count, is_volume=price.get("tiers_mode") == "volume")


def _tiered(tiers: Sequence[Record], count: Decimal, *, is_volume: bool) -> Decimal:
    total, below = _ZERO, _ZERO
    for tier in tiers:
        upper = None if tier["up_to"] is None else Decimal(tier["up_to"])
        is_last = upper is None or count <= upper
        flat = Decimal(tier.get("flat_amount_decimal") or tier.get("flat_amount") or 0)
        unit = unit_amount(tier) or _ZERO
        if is_volume and is_last:
            return flat + unit * count
        if not is_volume:
            total += flat + unit * ((count if is_last else upper or _ZERO) - below)
        if is_last:
            break
        below = upper or _ZERO
    return total


def _per_month(amount: Decimal, price: Record) -> Decimal:
    recurring = price.get("recurring") or {}
    times, partitions = _PER_MONTH.get(recurring.get("interval", ""), (0, 1))
    count = recurring.get("interval_count", 1)
    return amount * times / (partitions * count) if count else _ZERO


def _discounts(of: Record) -> list[Any]:
    return list(of.get("discounts") or ())


def _coupon(discount: Any) -> Any:
    """The coupon of a discount, as an object or as its id. API versions before clover have no `source` around it.

    Raises:
        UnusableError: the discount is only an id.
    """
    if not isinstance(discount, dict):
        raise UnusableError(f"the discount {discount} came without its coupon")
    coupon = (discount.get("source") or {}).get("coupon") or discount.get("coupon")
    if not coupon:
        raise UnusableError(f"the discount {discount.get('id')} came without its coupon")
    return coupon


def _in_force(of: Record, subscription: Record) -> Iterator[Record]:
    """The coupons of a subscription or item that are in force when it is requested."""
    for discount in _discounts(of):
        coupon = _coupon(discount)
        coupon_id = coupon["id"] if isinstance(coupon, dict) else coupon
        known = subscription["coupons"].get(coupon_id)
        if known is None:
            raise UnusableError(f"the coupon {coupon_id} cannot be read; the key needs Read on Coupons")
        if discount.get("end") is None or discount["end"] > subscription["asked_at"]:
            yield known


def _discounted(
    amounts: Sequence[Decimal], items: Sequence[Record], coupon: Record, subscription: Record
) -> list[Decimal]:
    """Amounts per month after one coupon."""
    products = (coupon.get("applies_to") or {}).get("products")
    reached = [not products or product_of(item["price"]) in products for item in items]
    if coupon.get("percent_off") is not None:
        left = 1 - Decimal(coupon["percent_off"]) / 100
        return [amount * left if hit else amount for amount, hit in zip(amounts, reached, strict=True)]
    options = (coupon.get("currency_options") or {}).get(subscription["currency"]) or {}
    off = coupon.get("amount_off") if coupon.get("currency") == subscription["currency"] else options.get("amount_off")
    whole = sum((amount for amount, hit in zip(amounts, reached, strict=True) if hit), _ZERO)
    if not off or not whole:
        return list(amounts)
    billed = next(price_of(item, subscription) for item, hit in zip(items, reached, strict=True) if hit)
    left = max(_ZERO, 1 - _per_month(Decimal(off), billed) / whole)
    return [amount * left if hit else amount for amount, hit in zip(amounts, reached, strict=True)]


def product_of(price: Record) -> str:
    product = price["product"]
    return str(product["id"] if isinstance(product, dict) else product)


def rounded(amount: Decimal) -> Decimal:
    """An amount rounded to the eight places that are kept."""
    return amount.quantize(_PLACES, ROUND_HALF_UP)
