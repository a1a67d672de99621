"""Arithmetic on metric values that may be null."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

from tidings.metrics.metric import Number


def divided(numerator: Number, denominator: Number) -> float | None:
    """A plain ratio; None when the denominator is 0 or either is None (metric definitions C8, C9)."""
    if numerator is None or denominator is None or denominator == 0:
        return None
    return float(numerator) / float(denominator)


def plain(value: Any) -> Number:
    """A value of the engine, with NaN as None and a decimal without trailing zeros.

    12.3400000000 becomes 12.34, 5.000 becomes 5.
    """
    if isinstance(value, float):
        return None if math.isnan(value) else value
    if isinstance(value, Decimal):
        # Not normalize(): it rounds to 28 digits and writes 100 as 1E+2.
        text = format(value, "f")
        return Decimal(text.rstrip("0").rstrip(".") if "." in text else text)
    number: Number = value
    return number
