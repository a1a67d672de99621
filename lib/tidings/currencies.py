"""Currencies of ISO 4217: how many decimals an amount in each has."""

from __future__ import annotations

from functools import cache

_USUAL = 2


@cache
def places(code: str) -> int:
    """Decimals of an amount in a currency: 0 for yen, 3 for dinars; 2 for gold, and for unknown currencies."""
    # The list is read on first use: most commands never need it.
    from iso4217 import Currency

    try:
        exponent = Currency(code).exponent
    except ValueError:
        return _USUAL
    return _USUAL if exponent is None else int(exponent)


@cache
def is_listed(code: str) -> bool:
    """True for a currency in today's ISO 4217 list."""
    from iso4217 import Currency

    return code in {currency.code for currency in Currency}
