"""When a change counts as unusual."""

from __future__ import annotations

import random

from tidings.analysis.variation import is_unusual

WEEK = [100, 100, 100, 100, 100, 40, 40]


def test_weekdays_are_no_variation() -> None:
    # Every day equals the one a week before: any change at all is news, and none is none.
    assert is_unusual(0.01, WEEK * 6, 7) is True
    assert is_unusual(0.0, WEEK * 6, 7) is False


def test_noisy_days_make_a_change_usual() -> None:
    # Days with a deviation of 10 %: against the week before that is 14 %, over 4 days 7 %, and twice that is 14 %.
    noise = random.Random(1)
    daily = [noise.gauss(100, 10) for _ in range(360)]
    assert is_unusual(0.1, daily, 4) is False
    assert is_unusual(0.2, daily, 4) is True
    # A longer window averages more away, so the same change is news.
    assert is_unusual(0.1, daily, 28) is True


def test_one_outlier_does_not_hide_a_change() -> None:
    noise = random.Random(1)
    daily = [noise.gauss(100, 10) for _ in range(90)]
    assert is_unusual(0.2, daily, 4) is True
    daily[40] = 300.0
    assert is_unusual(0.2, daily, 4) is True


def test_rare_things_vary_although_most_days_are_equal() -> None:
    # An error every tenth day: 11 instead of 7 of them in four weeks is chance.
    daily = [1 if n % 10 == 0 else 0 for n in range(90)]
    assert is_unusual(11 / 7 - 1, daily, 28) is False
    assert is_unusual(5.0, daily, 28) is True


def test_too_little_is_not_known() -> None:
    assert is_unusual(0.5, WEEK * 2, 7) is None
    assert is_unusual(None, WEEK * 6, 7) is None
    assert is_unusual(0.5, [0] * 60, 7) is None  # nothing to relate to
    assert is_unusual(0.5, [None] * 60, 7) is None
