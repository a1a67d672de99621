"""Parts that are unusual in a total that is not: found, and not where nothing happened."""

from __future__ import annotations

import random

import pytest

from tidings.analysis.unusual_parts import unusual_part

Parts = dict[tuple[str, str], list[float]]
WINDOWS = 13


def quiet(rng: random.Random, vary: float, names: int = 20) -> Parts:
    """Counts of 40 to 1,000 in each window, which vary as counting makes, and by `vary` of themselves beyond that."""
    parts: Parts = {}
    for n in range(names):
        level = rng.choice([40, 120, 400, 1000])
        parts["source", f"s{n}"] = [
            float(max(0, round(rng.gauss(level, (level + (vary * level) ** 2) ** 0.5)))) for _ in range(WINDOWS)
        ]
    return parts


def test_a_value_that_fell_to_nothing_is_found_though_another_made_up_for_it() -> None:
    parts = quiet(random.Random(1), 0.05)
    parts["country", "DE"] = [200.0 + 5 * (n % 3) for n in range(WINDOWS - 1)] + [0.0]
    parts["country", "US"] = [300.0 + 40 * (n % 5) for n in range(WINDOWS - 1)] + [560.0]
    found = unusual_part(parts)
    assert found is not None and (found.column, found.name, found.now) == ("country", "DE", 0.0)
    assert found.before == 210.0 and found.chance < 0.005


def test_few_and_short_histories_are_not_looked_at() -> None:
    assert unusual_part({("country", "DE"): [20.0] * 12 + [0.0]}) is None
    assert unusual_part({("country", "DE"): [200.0] * 6 + [0.0]}) is None
    assert unusual_part({}) is None


@pytest.mark.parametrize("vary", [0.0, 0.1, 0.3])
def test_nothing_is_found_where_nothing_happened_as_often_as_the_page_says(vary: float) -> None:
    # One of 200: of 400 that is two, and nine or more come once in 4,000 times.
    rng = random.Random(5)
    assert sum(unusual_part(quiet(rng, vary)) is not None for _ in range(400)) < 9
