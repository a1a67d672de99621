"""Parts of a change: they add up, and the smallest ones with most of it are named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.analysis.parts import Group, against_all_parts, cause, contributions, tightest_run

groups = st.dictionaries(
    st.sampled_from("abcdef"), st.builds(Group, st.floats(0, 1e6), st.integers(1, 10**6)), min_size=1
)


@given(groups, groups)
def test_parts_of_what_adds_up_add_up(now: dict[str, Group], before: dict[str, Group]) -> None:
    parts = contributions(now, before, is_mean=False)
    change = sum(g.value or 0 for g in now.values()) - sum(g.value or 0 for g in before.values())
    assert sum(parts.values()) == pytest.approx(change, abs=1e-3)


@given(groups, groups)
def test_rate_and_mix_add_up_to_the_change_of_a_mean(now: dict[str, Group], before: dict[str, Group]) -> None:
    def mean(side: dict[str, Group]) -> float:
        return sum((g.value or 0) * g.rows for g in side.values()) / sum(g.rows for g in side.values())

    parts = contributions(now, before, is_mean=True)
    assert sum(parts.values()) == pytest.approx(mean(now) - mean(before), abs=1e-3)


def test_the_one_that_did_it_is_named() -> None:
    now = {"news": Group(612, 612), "search": Group(700, 700), "direct": Group(300, 300)}
    before = {"news": Group(2, 8), "search": Group(680, 2_720), "direct": Group(310, 1_240)}
    found = cause(now, before, is_mean=False)
    assert found is not None and found.names == ("news",)
    # It began from next to nothing: 610 of the 620 more.
    assert (found.amount, found.share, found.before[0].value) == (610, pytest.approx(610 / 620), 2)


def test_who_has_most_of_everything_explains_nothing() -> None:
    # Germany is nine tenths of the business, and of what was added.
    now, before = {"DE": Group(990, 990), "AT": Group(110, 110)}, {"DE": Group(900, 900), "AT": Group(100, 100)}
    assert cause(now, before, is_mean=False) is None


def test_a_service_that_failed_explains_the_error_rate() -> None:
    now = {"api": Group(61 / 406, 406), "web": Group(0.001, 600)}
    before = {"api": Group(0.0015, 11_000), "web": Group(0.001, 16_000)}
    found = cause(now, before, is_mean=True)
    assert found is not None and found.names == ("api",) and found.share > 0.9


def test_a_total_against_all_its_parts() -> None:
    # Each country converts better, and more visits come from where few buy.
    now, before = {"DE": Group(0.06, 100), "US": Group(0.02, 900)}, {"DE": Group(0.05, 900), "US": Group(0.01, 100)}
    assert against_all_parts(now, before)
    assert not against_all_parts({"DE": Group(0.06, 900), "US": Group(0.02, 100)}, before)


@pytest.mark.parametrize(
    ("excess", "run"),
    [
        ([0, 0, 10, 0, 0], (2, 3)),
        ([0, 4, 5, 0, 0], (1, 3)),  # one day has 5 of 9, which is less than most
        ([-8, 0, 0, 0, 0], (0, 1)),
        ([1, 1, 1, 1, 1], None),  # no two days have most of it
        ([0, 0, 0], None),
        ([None, 9, None], (1, 2)),
    ],
)
def test_the_shortest_run_with_most_of_it(excess: list[float | None], run: tuple[int, int] | None) -> None:
    assert tightest_run(excess, 2) == run
