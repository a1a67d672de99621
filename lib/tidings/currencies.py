"""Currencies as ISO 4217 lists them: how many decimals money in each has."""

from __future__ import annotations

from functools import cache

_USUAL = 2


@cache
def places(code: str) -> int:
    """Decimals of an amount in a currency: 0 for yen, 3 for dinars; 2 for gold, and for what the list does not know."""
    # The list is read when it is asked for: most commands never do.
    from iso4217 import Currency

    try:
        exponent = Currency(code).exponent
    except ValueError:
        return _USUAL
    return _USUAL if exponent is None else int(exponent)


@cache
def is_listed(code: str) -> bool:
    """True for a currency that ISO 4217 lists today."""
    from iso4217 import Currency

    return code in {currency.code for currency in Currency}
