"""Usual variation: how often the figure's own past makes a change, or a run of days, as large as this one."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median

from scipy.special import stdtr

WEEK = 7
LEVEL = 0.005
"""A change is unusual when the past makes one as large in fewer than one of 200 windows."""
HISTORY_DAYS = 400
WINDOWS_LEAST = 8
_LEAST_DAYS = 4 * WEEK
_LEAST_PAIRS = 6.0
_PROFILE_WEEKS = 8
_KNOWN_SHARE = 0.8
_MOST_ALIKE = 0.9
_ERRORS = 2.0
_TAILS = ((0.5, 0.6745), (0.9, 1.645), (0.98, 2.326))
"""Quantiles of |z| of normal z: where tails are heavy, the estimates of the spread from the later ones are larger."""
_FAR_TAILS = ((0.99, 2.576), (0.995, 2.807))
"""Further ones where a single row may make a day; of counts a far day is news, and must not hide the next one."""
_FAR = 3.0
_ABOVE = 1e-12


@dataclass(frozen=True)
class Days:
    """Values of single days, oldest first, and of how many rows each was made.

    Rows are None where a day is covered in part or not at all; a value is then that of the part. With `is_mean` a value
    is a mean, rate or percentile of the day: days weigh as their rows do, and a covered day without rows has no value.
    """

    values: tuple[float | None, ...]
    rows: tuple[int | None, ...]
    is_mean: bool = False

    def mean(self, first: int, end: int) -> float | None:
        """The mean day of a span; None where nobody knows a fifth of it or more."""
        span = list(zip(self.values[first:end], self.rows[first:end], strict=True)) if first >= 0 else []
        if not span or sum(n is not None for _, n in span) < _KNOWN_SHARE * len(span):
            return None
        known = [(value, n) for value, n in span if value is not None and n is not None]
        if not self.is_mean:
            return fmean(value for value, _ in known) if known else None
        weight = sum(n for _, n in known)
        return sum(value * n for value, n in known) / weight if weight else None

    def counted(self, first: int, end: int) -> int:
        """How many rows a span has."""
        return sum(n or 0 for n in self.rows[first:end])


@dataclass(frozen=True)
class Run:
    """Days next to each other, by position: `first` to before `end`, with what they had above the expected days.

    `chance` is the probability of such a run among all that were looked at.
    """

    first: int
    end: int
    excess: float
    chance: float


def chance_of_change(days: Days, length: int, distance: int) -> float | None:
    """How likely is the change of the last `length` days against those `distance` days earlier, 0 to 1; None: unknown.

    The same change is looked up at every day of the past; their spread round their median is the usual one, so that
    a steady trend is usual, and weekdays, bad days and days that resemble each other are in it. As windows overlap,
    the past has as many independent changes as windows fit into it, which Student's t takes for its degrees of
    freedom. With fewer than six the usual change is that of means of single days round a straight line, widened as
    days resemble each other. It is at least what counting makes: of n things the root of n, of means the spread of
    their rows.
    """
    end = len(days.values)
    start = end - length
    now, before = days.mean(start, end), days.mean(start - distance, end - distance)
    if now is None or before is None:
        return None
    difference = _difference if days.is_mean else relative
    change = difference(now, before)
    past = [
        difference(late, early)
        for last in range(start, length + distance - 1, -1)
        if (late := days.mean(last - length, last)) is not None
        and (early := days.mean(last - length - distance, last - distance)) is not None
    ]
    pairs = len(past) / max(length, distance)
    if pairs >= _LEAST_PAIRS:
        middle, spread, freedom = median(past), _spread(past), pairs - 1
    else:
        found = _from_days(days, start, length, distance) if distance < 2 * max(length, WEEK) else None
        if found is None:
            return None
        spread, freedom, middle = found
    spread = max(spread, _counting(days, start, distance))
    return two_sided(abs(change - middle) / max(spread, _ABOVE), freedom)


def unusual_run(days: Days, length: int) -> Run | None:
    """The run among the last `length` days that is least like the weeks before them; None where none is unusual.

    A day is expected to be as the median of its weekday in the eight weeks before the window, moved by what most days
    of the window are moved by, and to differ from that as the days before did from theirs, at least by what counting
    makes. Runs of up to half of the window are looked at; the chance of the best one is multiplied by how many.
    """
    start = len(days.values) - length
    usual = [z for at in range(_LEAST_DAYS, start) if (z := _away(days, at, at)) is not None]
    if len(usual) < _LEAST_DAYS:
        return None
    spread = max(_spread(usual, long_tails=not _is_counted(days)), 1.0 if not days.is_mean else _ABOVE)
    inflation = _resemblance(usual)
    moved = median([z for at in range(start, len(days.values)) if (z := _away(days, at, start)) is not None] or [0.0])
    looked, best = 0, None
    for first in range(start, len(days.values)):
        total = excess = 0.0
        for end in range(first + 1, min(first + max(1, length // 2), len(days.values)) + 1):
            away, value = _away(days, end - 1, start), days.values[end - 1]
            if away is None or value is None:
                break
            looked += 1
            total += away - moved
            excess += value - (_expected(days, end - 1, start) or 0.0)
            widened = inflation if end - first > 1 else 1.0
            z = abs(total) / (spread * math.sqrt((end - first) * widened))
            if best is None or z > best[0]:
                best = z, Run(first, end, excess, 1.0)
    if best is None:
        return None
    chance = min(1.0, looked * two_sided(best[0], len(usual) / inflation - 1))
    return replace(_grown(best[1], days, start, moved, spread), chance=chance) if chance < LEVEL else None


def _grown(run: Run, days: Days, start: int, moved: float, spread: float) -> Run:
    """The run with the days next to it that are far off in the same direction, too."""

    def belongs(at: int) -> bool:
        away = _away(days, at, start) if start <= at < len(days.values) else None
        return away is not None and (away - moved) * sign > _FAR * spread

    sign = math.copysign(1.0, run.excess)
    first, end = run.first, run.end
    while belongs(first - 1):
        first -= 1
    while belongs(end):
        end += 1
    excess = sum((days.values[at] or 0.0) - (_expected(days, at, start) or 0.0) for at in range(first, end))
    return Run(first, end, excess, run.chance)


def _difference(now: float, before: float) -> float:
    """Of means and rates: so that a rate and its complement are as unusual as each other."""
    return now - before


def relative(now: float, before: float) -> float:
    """A change relative to the middle of both, so that a rise and its return are as large as each other."""
    level = (abs(now) + abs(before)) / 2
    return (now - before) / level if level else 0.0


def _spread(values: Sequence[float], *, long_tails: bool = False) -> float:
    """The spread round the median; with `long_tails` at least that of the side that reaches farther, up to its end."""
    middle = median(values)
    away = [abs(value - middle) for value in values]
    if not long_tails:
        return _by_quantiles(away, _TAILS)
    sides = ([v - middle for v in values if v > middle], [middle - v for v in values if v < middle])
    return max(
        _by_quantiles(away, (*_TAILS, *_FAR_TAILS)),
        *(_by_quantiles(side, (*_TAILS, *_FAR_TAILS[:1])) for side in sides),
    )


def _is_counted(days: Days) -> bool:
    """Whether each row counts as one at most, so that no single row makes a day."""
    known = [(value, n) for value, n in zip(days.values, days.rows, strict=True) if value is not None and n is not None]
    return not days.is_mean and all(value.is_integer() and value <= n for value, n in known)


def _by_quantiles(away: Sequence[float], tails: Sequence[tuple[float, float]]) -> float:
    ordered = sorted(away)
    return max(ordered[int(share * (len(ordered) - 1))] / z for share, z in tails) if ordered else 0.0


def _from_days(days: Days, start: int, length: int, distance: int) -> tuple[float, float, float] | None:
    """By how days differ from those a week before: spread of changes between windows, degrees of freedom, trend."""
    known = [value for value in days.values[:start] if value is not None]
    level = fmean(abs(value) for value in known) if known else 0.0
    level = 1.0 if days.is_mean else level
    weekly = [
        (now - before) / level
        for before, now in zip(days.values[:start], days.values[WEEK:start], strict=False)
        if level and now is not None and before is not None
    ]
    if len(weekly) < _LEAST_DAYS - WEEK:
        return None
    inflation = _resemblance(weekly, _ERRORS)
    # Differences vary twice as days do; a straight line's slope over T days by those times the root of 12 / T^3.
    daily = _spread(weekly) / math.sqrt(2)
    unsure = distance * math.sqrt(12 / len(known) ** 3)
    spread = daily * math.sqrt(inflation * (2 / length + unsure**2))
    return spread, max(1.0, len(weekly) / inflation - 1), _slope(known) * distance / level


def _slope(values: Sequence[float]) -> float:
    """By how much a day is more than the one before, by the straight line of least squares."""
    middle, mean = (len(values) - 1) / 2, fmean(values)
    square = sum((at - middle) ** 2 for at in range(len(values)))
    return sum((at - middle) * (value - mean) for at, value in enumerate(values)) / square if square else 0.0


def _resemblance(values: Sequence[float], errors: float = 0.0) -> float:
    """By how much more a mean of days next to each other varies than one of independent days, 1 or more.

    With `errors` at so many standard errors above what is seen: few days show less resemblance than there is.
    """
    middle = fmean(values)
    square = sum((value - middle) ** 2 for value in values)
    lag = sum((a - middle) * (b - middle) for a, b in itertools.pairwise(values))
    unsure = errors / math.sqrt(len(values))
    rho = min(_MOST_ALIKE if errors else 0.8, max(0.0, lag / square + unsure)) if square else 0.0
    return (1 + rho) / (1 - rho)


def _counting(days: Days, start: int, distance: int) -> float:
    """The spread of a change that comes from having counted few things."""
    end = len(days.values)
    counts = (days.counted(start, end), days.counted(start - distance, end - distance))
    if not all(counts):
        # Nothing on one side: as if there had been one.
        counts = (max(1, counts[0]), max(1, counts[1]))
    few = sum(1 / count for count in counts)
    return math.sqrt(few) * (_row_deviation(days) if days.is_mean else 1.0)


def _row_deviation(days: Days) -> float:
    """The deviation of single rows, by how far the means of days lie apart, given the rows of each."""
    known = [(v, n) for v, n in zip(days.values, days.rows, strict=True) if v is not None and n]
    weight = sum(n for _, n in known)
    if len(known) < 2 or not weight:
        return 0.0
    middle = sum(value * n for value, n in known) / weight
    return math.sqrt(sum(n * (value - middle) ** 2 for value, n in known) / (len(known) - 1))


def _expected(days: Days, at: int, start: int) -> float | None:
    """What a day is expected to be, by its weekday in the weeks before `start`."""
    behind = math.ceil((at - start + 1) / WEEK) * WEEK
    weeks = range(at - behind, max(-1, at - behind - _PROFILE_WEEKS * WEEK), -WEEK)
    same = [value for n in weeks if n >= 0 and days.rows[n] is not None and (value := days.values[n]) is not None]
    return median(same) if len(same) >= 3 else None


def _away(days: Days, at: int, start: int) -> float | None:
    """How far a day lies from what is expected, in units of what counting its rows makes."""
    value, expected = days.values[at], _expected(days, at, start)
    if value is None or expected is None:
        return None
    if days.is_mean:
        return (value - expected) * math.sqrt(days.rows[at] or 0)
    # The size of one row turns amounts into counts; roots of counts have the same spread, large or small.
    first = max(0, start - _PROFILE_WEEKS * WEEK)
    counted = days.counted(first, start)
    one = sum(abs(v) for v in days.values[first:start] if v is not None) / counted if counted else 0.0
    one = one or 1.0
    away = 2 * (_root(value / one) - _root(expected / one))
    # Part of a day may have less than a day; when it has more, that is news.
    return max(0.0, away) if days.rows[at] is None else away


def _root(value: float) -> float:
    return math.copysign(math.sqrt(abs(value) + 0.375), value)


def two_sided(t: float, freedom: float) -> float:
    """How likely Student's t is as far from 0 as this, on either side."""
    return float(2 * stdtr(max(1.0, freedom), -t))
