"""When a change, or a run of days, counts as unusual: on histories whose truth is known."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidings.analysis.usual import LEVEL, Days, chance_of_change, unusual_run

WEEK = (1.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.5)


def counts(rng: random.Random, days: int, level: float = 80, spread: float = 0.1) -> Days:
    """Counts of a business that is quiet at weekends, with as many rows as the count."""
    values = [max(0.0, float(round(rng.gauss(level * WEEK[n % 7], spread * level)))) for n in range(days)]
    return Days(tuple(values), tuple(int(value) for value in values))


def amounts(rng: random.Random, days: int) -> Days:
    """Money: some four orders a day, a few of them ten times as large."""
    orders = [sum(rng.random() < 0.4 * WEEK[n % 7] for _ in range(10)) for n in range(days)]
    return Days(tuple(sum(rng.lognormvariate(3.5, 1.0) for _ in range(n)) for n in orders), tuple(orders))


def rates(rng: random.Random, days: int) -> Days:
    """A rate of 6 % of some thirty a day."""
    rows = [20 + rng.randrange(20) for _ in range(days)]
    return Days(tuple(sum(rng.random() < 0.06 for _ in range(n)) / n for n in rows), tuple(rows), is_mean=True)


def growing(rng: random.Random, days: int) -> Days:
    """Counts that double within a year."""
    values = [float(round(rng.gauss(40 * WEEK[n % 7] * 2 ** (n / 365), 4))) for n in range(days)]
    return Days(tuple(values), tuple(int(value) for value in values))


@pytest.mark.parametrize("kind", [counts, amounts, rates, growing])
@pytest.mark.parametrize("length", [7, 28])
def test_quiet_weeks_are_called_quiet_as_often_as_the_page_says(
    kind: Callable[[random.Random, int], Days], length: int
) -> None:
    # The page says one of 200 for the change and one of 200 for the runs: of 60 histories that is 0.6, and six or more
    # of them by such a rate come once in 10,000 times.
    rng = random.Random(7)
    alarms = 0
    for _ in range(60):
        days = kind(rng, 400)
        chance = chance_of_change(days, length, length)
        assert chance is not None
        alarms += chance < LEVEL or unusual_run(days, length) is not None
    assert alarms < 6


def few_large_orders(rng: random.Random, days: int) -> Days:
    """Money of four orders a day, whose amounts are lognormal: a day may have the amount of a week."""
    orders = [sum(rng.random() < 0.4 * WEEK[n % 7] * 1.17 for _ in range(10)) for n in range(days)]
    return Days(tuple(float(sum(rng.lognormvariate(3.5, 1.0) for _ in range(n))) for n in orders), tuple(orders))


def alike(rng: random.Random, days: int) -> Days:
    """Counts each of which resembles the day before (0.7)."""
    values, away = [], 0.0
    for n in range(days):
        away = 0.7 * away + rng.gauss(0, 0.07)
        values.append(float(round(80 * WEEK[n % 7] * (1 + away))))
    return Days(tuple(values), tuple(int(value) for value in values))


@pytest.mark.proof
@pytest.mark.parametrize(
    ("kind", "history", "length"),
    [(few_large_orders, 130, 7), (few_large_orders, 420, 28), (alike, 75, 28), (alike, 130, 28), (rates, 130, 28)],
)
def test_short_histories_and_long_tails_keep_the_rate_of_the_page(
    kind: Callable[[random.Random, int], Days], history: int, length: int
) -> None:
    # At 1 of 100 for both together, 100 histories have six alarms or more once in 2,000 times.
    rng, alarms = random.Random(3), 0
    for _ in range(100):
        days = kind(rng, history)
        chance = chance_of_change(days, length, length)
        alarms += (chance is not None and chance < LEVEL) + (unusual_run(days, length) is not None)
    assert alarms < 6


def changed(days: Days, first: int, end: int, factor: float) -> Days:
    values = [v * factor if v is not None and first <= at < end else v for at, v in enumerate(days.values)]
    rows = days.rows if days.is_mean else tuple(None if v is None else int(v) for v in values)
    return Days(tuple(values), rows, days.is_mean)


def test_a_level_that_moved_is_found() -> None:
    days = changed(counts(random.Random(1), 400), 372, 400, 1.3)
    chance = chance_of_change(days, 28, 28)
    assert chance is not None and chance < LEVEL


def test_two_days_are_found_by_their_place_though_the_window_is_usual() -> None:
    days = changed(counts(random.Random(1), 400), 385, 387, 1.9)
    run = unusual_run(days, 28)
    assert run is not None and (run.first, run.end) == (385, 387) and run.chance < LEVEL
    assert run.excess == pytest.approx(2 * 80 * 0.9, rel=0.3), "what lies above the weekday's usual day"
    chance = chance_of_change(days, 28, 28)
    assert chance is not None and chance > LEVEL


def test_a_rate_of_few_is_not_judged_by_its_percentage() -> None:
    # 21 of 381 against 27 of 381: a fifth less, and what counting so few makes.
    rows = tuple([13] * 56 + [14] * 14)
    hits = [1 if n % 2 == 0 else 0 for n in range(42)] + [1] * 13 + [0] + [1 if n % 4 else 0 for n in range(14)]
    days = Days(tuple(hit / n for hit, n in zip(hits, rows, strict=True)), rows, is_mean=True)
    chance = chance_of_change(days, 28, 28)
    assert chance is not None and chance > LEVEL


def test_a_rate_and_its_complement_are_as_unusual_as_each_other() -> None:
    days = rates(random.Random(3), 300)
    days = changed(days, 280, 300, 2.5)
    other = Days(tuple(None if v is None else 1 - v for v in days.values), days.rows, is_mean=True)
    assert chance_of_change(days, 28, 28) == pytest.approx(chance_of_change(other, 28, 28))


def test_steady_growth_is_usual_and_the_end_of_it_is_not() -> None:
    days = growing(random.Random(5), 400)
    chance = chance_of_change(days, 28, 28)
    assert chance is not None and chance > LEVEL
    stopped = changed(days, 372, 400, 0.7)
    chance = chance_of_change(stopped, 28, 28)
    assert chance is not None and chance < LEVEL


def test_too_short_a_history_is_not_known() -> None:
    days = counts(random.Random(1), 50)
    assert chance_of_change(days, 28, 28) is None, "the window before it is not whole"
    assert unusual_run(days, 28) is None
    # A year before has a history of its own, or none.
    assert chance_of_change(counts(random.Random(1), 400), 28, 364) is None


def test_days_that_nobody_knows_are_no_days_without_anything() -> None:
    days = counts(random.Random(1), 400)
    gone = Days((*days.values[:380], *[None] * 20), (*days.rows[:380], *[None] * 20))
    assert chance_of_change(gone, 28, 28) is None
    unknown = Days(
        (*days.values[:100], *[None] * 5, *days.values[105:]), (*days.rows[:100], *[None] * 5, *days.rows[105:])
    )
    chance = chance_of_change(unknown, 28, 28)
    assert chance is not None and chance > LEVEL


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.sampled_from([7, 28]), st.floats(0.01, 1000))
def test_the_unit_does_not_matter(seed: int, length: int, unit: float) -> None:
    days = amounts(random.Random(seed), 200)
    scaled = Days(tuple(None if v is None else v * unit for v in days.values), days.rows)
    assert chance_of_change(scaled, length, length) == pytest.approx(chance_of_change(days, length, length), abs=1e-6)


@settings(max_examples=60)
@given(st.lists(st.one_of(st.none(), st.floats(-1e9, 1e9)), max_size=120), st.sampled_from([1, 7, 28]), st.booleans())
def test_a_chance_is_one_whatever_the_days_are(values: list[float | None], length: int, is_mean: bool) -> None:
    days = Days(tuple(values), tuple(None if v is None else 3 for v in values), is_mean)
    chance = chance_of_change(days, length, length) if len(values) >= length else None
    assert chance is None or 0 <= chance <= 1
    run = unusual_run(days, length)
    assert run is None or (len(values) - length <= run.first < run.end <= len(values) and run.chance < LEVEL)
