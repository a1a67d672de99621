"""One value of a column that is unusual by itself, though the total is usual: DE fell to nothing while US rose."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from tidings.analysis.usual import LEVEL, WINDOWS_LEAST, relative, two_sided

_LEAST = 30
_SHARED = 1.5
"""Changes next to each other share a window, which makes them worth fewer independent ones."""


@dataclass(frozen=True)
class UnusualPart:
    """A value of a column, what it has now and had before, and its chance among all parts that were looked at."""

    column: str
    name: str
    now: float
    before: float
    chance: float


def unusual_part(parts: Mapping[tuple[str, str], Sequence[float]]) -> UnusualPart | None:
    """The part, by column and value, whose last change is least like its earlier ones; None where none is unusual.

    Counts per window, oldest first, windows next to each other, none unknown. A change is unusual by the spread of the
    earlier ones, at least by what counting makes. Parts that never had thirty in a window are not looked at. The
    chance is multiplied by the number of parts.
    """
    looked, best = 0, None
    for (column, name), counts in parts.items():
        if len(counts) < WINDOWS_LEAST or max(counts[-2:]) < _LEAST:
            continue
        looked += 1
        past = [relative(late, early) for early, late in itertools.pairwise(counts[:-1])]
        middle = fmean(past)
        spread = math.sqrt(sum((change - middle) ** 2 for change in past) / (len(past) - 1))
        # Both have counted as many, if nothing happened: one that fell to nothing says nothing of how many there were.
        few = math.sqrt(2 / max(1.0, fmean(counts[-2:])))
        change = relative(counts[-1], counts[-2]) - middle
        # The mean of the past is unsure as well.
        wide = max(spread, few) * math.sqrt(1 + 1 / len(past))
        chance = two_sided(abs(change) / wide, (len(past) - 1) / _SHARED)
        if best is None or chance < best.chance:
            best = UnusualPart(column, name, counts[-1], counts[-2], chance)
    if best is None or best.chance * looked >= LEVEL:
        return None
    return UnusualPart(best.column, best.name, best.now, best.before, best.chance * looked)
