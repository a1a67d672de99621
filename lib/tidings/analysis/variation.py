"""Usual variation: whether a change is larger than the usual differences between days."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from statistics import fmean, median

WEEK = 7
LEAST = 14
BEYOND = 2.0
_MEDIAN_TO_DEVIATION = 1.4826
_MEAN_TO_DEVIATION = 1.2533


def is_unusual(
    change: float | None, daily: Sequence[int | float | Decimal | None], days: int, beyond: float = BEYOND
) -> bool | None:
    """Whether a relative change between two windows of `days` days is beyond usual variation; None if unknown.

    `daily` are values of single days, oldest first. The difference of each day to the same weekday a week before (so
    that weekdays cancel out), relative to the mean day, has a spread: the median absolute deviation times 1.4826,
    which is robust to outliers; where most differences are equal, as for rare events, the mean one times 1.2533. Means
    over `days` days vary by that over the root of `days`; a change is unusual when it is more than `beyond` times as
    large. Null without a change, with fewer than 14 such pairs of days, or when all days are 0.

    A quick guide, not a test: days are taken as independent of each other, and a steady trend counts as usual.
    """
    pairs = [
        (float(now), float(before))
        for before, now in zip(daily, daily[WEEK:], strict=False)
        if before is not None and now is not None
    ]
    level = fmean(abs(float(value)) for value in daily if value is not None) if pairs else 0.0
    if change is None or len(pairs) < LEAST or level == 0:
        return None
    weekly = [(now - before) / level for now, before in pairs]
    middle = median(weekly)
    away = [abs(one - middle) for one in weekly]
    spread = _MEDIAN_TO_DEVIATION * median(away) or _MEAN_TO_DEVIATION * fmean(away)
    return abs(change) > beyond * spread / math.sqrt(days)
