"""The walks of one user through a funnel: every clean attempt, exactly, in each of the three orders.

Times are integers of one unit (microseconds); what an event matches is a bit mask, bit i for step i + 1.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

Order = Literal["ordered", "strict", "unordered"]


@dataclass(frozen=True)
class Exclusion:
    """An event that voids an attempt between two steps (1-based, `from_step` < `to_step`; 1.4)."""

    event: str
    from_step: int
    to_step: int


@dataclass(frozen=True)
class Rules:
    """A funnel of `steps` steps to be completed within `window`; `exclusions` in the order of their events' times."""

    steps: int
    window: int
    order: Order
    exclusions: tuple[Exclusion, ...] = ()


@dataclass(frozen=True)
class Attempt:
    """The times at which steps were filled, first to last, and the position of the event that began it."""

    start: int
    times: tuple[int, ...]


def clean_attempts(
    rules: Rules, times: Sequence[int], masks: Sequence[int], excluded: Sequence[Sequence[int]]
) -> Iterator[Attempt]:
    """Every attempt of one user that no exclusion voids, by start, later starts last (1.1 - 1.4).

    `times` and `masks` are the user's events in the order of C5; `excluded` the ascending times of each exclusion's
    event. Attempts that can only be equal are yielded once, with the latest of their starts.
    """
    walk = {"ordered": _ordered, "strict": _strict, "unordered": _unordered}[rules.order]
    for attempt in walk(rules, times, masks):
        if not any(
            _is_void(rules, exclusion, attempt, moments)
            for exclusion, moments in zip(rules.exclusions, excluded, strict=True)
        ):
            yield attempt


def select(attempts: Iterator[Attempt]) -> Attempt | None:
    """The deepest attempt; of these the one that ends earliest, of these the one that started latest (1.5)."""
    best: Attempt | None = None
    for attempt in attempts:
        if (
            best is None
            or len(attempt.times) > len(best.times)
            or (len(attempt.times) == len(best.times) and attempt.times[-1] <= best.times[-1])
        ):
            best = attempt
    return best


def _is_void(rules: Rules, exclusion: Exclusion, attempt: Attempt, moments: Sequence[int]) -> bool:
    if len(attempt.times) < exclusion.from_step:
        return False
    next_one = bisect_right(moments, attempt.times[exclusion.from_step - 1])
    if next_one == len(moments):
        return False
    if len(attempt.times) >= exclusion.to_step:
        return moments[next_one] < attempt.times[exclusion.to_step - 1]
    return moments[next_one] <= attempt.times[0] + rules.window


def _ordered(rules: Rules, times: Sequence[int], masks: Sequence[int]) -> Iterator[Attempt]:
    """Attempts in order; events of one instant in whichever order fills most steps (1.1)."""
    # Instants, and for every step the instants at which an event matches it.
    moments: list[int] = []
    together: list[list[int]] = []
    by_step: list[list[int]] = [[] for _ in range(rules.steps)]
    starts: dict[tuple[int, int], int] = {}
    for position, (moment, mask) in enumerate(zip(times, masks, strict=True)):
        if not mask:
            continue
        if not moments or moments[-1] != moment:
            moments.append(moment)
            together.append([])
        here = len(moments) - 1
        together[here].append(mask)
        for step, found in enumerate(by_step):
            if mask >> step & 1 and (not found or found[-1] != here):
                found.append(here)
        if mask & 1:
            starts.pop((here, mask), None)
            starts[here, mask] = position
    for (began, mask), position in starts.items():
        here, moment = began, moments[began]
        limit = moment + rules.window
        filled = [moment]
        if len(together[here]) > 1:
            others = together[here].copy()
            others.remove(mask)
            filled += [moment] * _fills(others, 1, rules.steps)
        while len(filled) < rules.steps:
            found = by_step[len(filled)]
            index = bisect_right(found, here)
            if index == len(found):
                break
            here = found[index]
            moment = moments[here]
            if moment > limit:
                break
            filled += [moment] * _fills(together[here], len(filled), rules.steps)
        yield Attempt(position, tuple(filled))


def _fills(masks: Sequence[int], step: int, steps: int) -> int:
    """How many steps from `step` on (0-based) can be filled one after another by different ones of these events."""
    if len(masks) == 1:
        return masks[0] >> step & 1
    taken: dict[int, int] = {}
    count = 0
    while step + count < steps and _place(step + count, masks, taken, set()):
        count += 1
    return count


def _place(step: int, masks: Sequence[int], taken: dict[int, int], seen: set[int]) -> bool:
    """Give `step` an event, moving other steps to other events if need be (Kuhn's augmenting path)."""
    for event, mask in enumerate(masks):
        if mask >> step & 1 and event not in seen:
            seen.add(event)
            if event not in taken or _place(taken[event], masks, taken, seen):
                taken[event] = step
                return True
    return False


def _strict(rules: Rules, times: Sequence[int], masks: Sequence[int]) -> Iterator[Attempt]:
    """Attempts whose steps are neighbours among all events of the user (1.2)."""
    for start, mask in enumerate(masks):
        if not mask & 1:
            continue
        limit = times[start] + rules.window
        end = start + 1
        while (
            end < len(times) and end - start < rules.steps and masks[end] >> (end - start) & 1 and times[end] <= limit
        ):
            end += 1
        yield Attempt(start, tuple(times[start:end]))


def _unordered(rules: Rules, times: Sequence[int], masks: Sequence[int]) -> Iterator[Attempt]:
    """Spans that begin with each instant: the earliest events that fill one more step each (1.3)."""
    by_mask: dict[int, list[int]] = {}
    for position, mask in enumerate(masks):
        if mask:
            by_mask.setdefault(mask, []).append(position)
    began: int | None = None
    for start, mask in enumerate(masks):
        if not mask or times[start] == began:
            continue
        began = times[start]
        limit = began + rules.window
        # Events that match the same steps stand for each other: of each kind the next few are all that can help.
        near: list[int] = []
        for kind, positions in by_mask.items():
            first = bisect_left(positions, start)
            near += positions[first : first + kind.bit_count()]
        near.sort()
        filled: list[int] = []
        events: list[int] = []
        taken: dict[int, int] = {}
        for position in near:
            if times[position] > limit or len(filled) == rules.steps:
                break
            events.append(masks[position])
            if _gain(len(events) - 1, events, taken, set()):
                filled.append(times[position])
        yield Attempt(start, tuple(filled))


def _gain(event: int, masks: Sequence[int], taken: dict[int, int], seen: set[int]) -> bool:
    """Give `event` a step of its own, moving other events to other steps if need be; `taken` is by step."""
    mask = masks[event]
    step = 0
    while mask >> step:
        if mask >> step & 1 and step not in seen:
            seen.add(step)
            if step not in taken or _gain(taken[step], masks, taken, seen):
                taken[step] = event
                return True
        step += 1
    return False
