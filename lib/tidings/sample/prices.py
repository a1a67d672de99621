"""The price list of the sample company: products, prices in each currency, the one price change, coupons, taxes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tidings.sample.company import MARKETS, Company, Ints
from tidings.sample.story import CAMPAIGNS, COUPON_DISCOUNT, Story


@dataclass(frozen=True)
class Product:
    """An article: number, name, group, price in euros, how often it is picked, and the most pieces in a line."""

    id: str
    name: str
    category: str
    euros: int
    weight: float
    most: int = 1


PRODUCTS = (
    Product("tpl-plan", "Project plan template", "Templates", 19, 16),
    Product("tpl-budget", "Budget template", "Templates", 24, 12),
    Product("tpl-brand", "Brand book template", "Templates", 29, 8),
    Product("tpl-bundle", "Template bundle", "Templates", 79, 7),
    Product("bok-habits", "Quiet Habits (e-book)", "E-books", 14, 11),
    Product("bok-numbers", "Honest Numbers (e-book)", "E-books", 18, 9),
    Product("crs-start", "Course: getting started", "Courses", 49, 8),
    Product("crs-report", "Course: reports people read", "Courses", 99, 6),
    Product("crs-lead", "Course: leading small teams", "Courses", 149, 3),
    Product("wks-team", "Team workshop", "Workshops", 390, 1.2, 2),
    Product("mug", "Enamel mug", "Merch", 17, 8, 4),
    Product("notebook", "Dotted notebook", "Merch", 12, 9, 5),
    Product("poster", "Planning poster", "Merch", 22, 5, 3),
    Product("tote", "Tote bag", "Merch", 15, 4, 3),
)
CURRENCIES = ("EUR", "USD", "GBP", "CHF")
COUPONS = tuple(f"{name.replace('_', '').upper()}{COUPON_DISCOUNT}" for name in CAMPAIGNS)

_PER_EURO = {"EUR": 1.0, "USD": 1.10, "GBP": 0.88, "CHF": 1.05}
_CHANGED = "Courses"


def listed(change: float = 1.0) -> Ints:
    """Prices in cents, tax included, as a table currency x product; `change` applies to the courses."""
    euros = np.array([each.euros * (change if each.category == _CHANGED else 1.0) for each in PRODUCTS])
    units = [np.rint(np.rint(euros) * _PER_EURO[currency]) for currency in CURRENCIES]
    cents: Ints = (np.array(units) * 100).astype(np.int64)
    return cents


def unit_prices(company: Company, story: Story, instants: Ints, currency: Ints, product: Ints) -> Ints:
    """List price in cents of a product at an instant."""
    change = story.get("price_change")
    old, new = listed(), listed(change.effect if change else 1.0)
    is_new = instants >= (change.start if change else company.end)
    return np.where(is_new, new[currency, product], old[currency, product])


def discounted(cents: Ints) -> Ints:
    """A price with a coupon, rounded half up to the cent."""
    return (cents * (100 - COUPON_DISCOUNT) + 50) // 100


def tax_inside(cents: Ints, market: Ints) -> Ints:
    """The tax inside an amount, rounded half up to the cent, by the rate of the buyer's country."""
    rate: Ints = np.array([each.tax for each in MARKETS])[market]
    return (2 * cents * rate + 10_000 + rate) // (2 * (10_000 + rate))


def currency_of(market: Ints) -> Ints:
    """Index in `CURRENCIES` of the currency charged in a market."""
    return np.array([CURRENCIES.index(each.currency) for each in MARKETS])[market]
