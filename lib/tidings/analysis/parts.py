"""Parts of a change: which days, and which values of a column, hold most of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MOST_OF = 0.6
"""What part of a change "most of it" is."""
_MORE_THAN_ITS_SHARE = 0.25
_MOST_VALUES = 2


@dataclass(frozen=True)
class Group:
    """A metric over the rows with one value of a column: its value, None where there is none, and how many rows."""

    value: float | None
    rows: int


@dataclass(frozen=True)
class Cause:
    """One or two values of a column, what they add to a change, and the `share` of the change that this is.

    `now` and `before` are the metric over each of them.
    """

    names: tuple[str, ...]
    amount: float
    share: float
    now: tuple[Group, ...]
    before: tuple[Group, ...]
    surprise: float


def tightest_run(excess: Sequence[float | None], most: int) -> tuple[int, int] | None:
    """The shortest run of days, `most` long at most, with most of the whole excess: first and end; None without one."""
    total = sum(day for day in excess if day is not None)
    for length in range(1, most + 1):
        runs = [(sum(day or 0.0 for day in excess[at : at + length]), at) for at in range(len(excess) - length + 1)]
        found, at = max(runs, key=lambda run: run[0] if total > 0 else -run[0])
        if total and found / total >= MOST_OF:
            return at, at + length
    return None


def contributions(now: Mapping[str, Group], before: Mapping[str, Group], *, is_mean: bool) -> dict[str, float]:
    """What each group adds to a change; the parts add up to the change.

    Of what adds up: its value minus that before. Of means and rates, with n rows of N: its rate n1/N1 x (r1 - r0), and
    the mix (n1/N1 - n0/N0) x (r0 - R0), R0 being the mean before. A group without rows before has had the mean.
    """
    names = [*now, *(name for name in before if name not in now)]
    none = Group(None, 0)
    if not is_mean:
        values = {name: (now.get(name, none).value or 0.0, before.get(name, none).value or 0.0) for name in names}
        return {name: late - early for name, (late, early) in values.items()}
    rows_now, rows_before = (sum(group.rows for group in side.values()) for side in (now, before))
    if not rows_now or not rows_before:
        return {}
    mean = sum((group.value or 0.0) * group.rows for group in before.values()) / rows_before
    found = {}
    for name in names:
        late, early = now.get(name, none), before.get(name, none)
        was = mean if early.value is None else early.value
        moved = 0.0 if late.value is None else late.rows / rows_now * (late.value - was)
        found[name] = moved + (late.rows / rows_now - early.rows / rows_before) * (was - mean)
    return found


def cause(now: Mapping[str, Group], before: Mapping[str, Group], *, is_mean: bool) -> Cause | None:
    """The one or two groups that hold most of a change, and more of it than of the rows before; None without any."""
    parts = contributions(now, before, is_mean=is_mean)
    total = sum(parts.values())
    if len(parts) < 2 or not total:
        return None
    ranked = sorted(parts, key=lambda name: (-parts[name] / total, name))
    everything = sum(group.rows for group in before.values())
    none = Group(None, 0)
    for count in range(1, min(_MOST_VALUES, len(ranked) - 1) + 1):
        names = tuple(ranked[:count])
        amount = sum(parts[name] for name in names)
        usual = sum(before.get(name, none).rows for name in names) / everything if everything else 0.0
        surprise = min(amount / total, 1.0) - usual
        if amount / total >= MOST_OF and surprise >= _MORE_THAN_ITS_SHARE:
            late = tuple(now.get(name, none) for name in names)
            early = tuple(before.get(name, none) for name in names)
            return Cause(names, amount, amount / total, late, early, surprise)
    return None


def against_all_parts(now: Mapping[str, Group], before: Mapping[str, Group]) -> bool:
    """True where a mean moved one way while those of all groups moved the other: the mix did it (Simpson)."""
    both = [(late, before[name]) for name, late in now.items() if name in before and late.rows and before[name].rows]
    rows_now, rows_before = sum(late.rows for late, _ in both), sum(early.rows for _, early in both)
    if len(both) < 2:
        return False
    total = sum((late.value or 0.0) * late.rows for late, _ in both) / rows_now
    total -= sum((early.value or 0.0) * early.rows for _, early in both) / rows_before
    moves = [(late.value or 0.0) - (early.value or 0.0) for late, early in both]
    return bool(total) and all(move * total < 0 for move in moves)
