"""Findings: which sentences, in which words, and which three."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from display_samples import ERRORS, REVENUE, SPLIT, USERS, result, series, value
from hypothesis import given
from hypothesis import strategies as st

from tidings.display import cards, formats
from tidings.display.sentences import Sentence, findings, of_series, of_split, of_value, pick
from tidings.metrics.metric import Thresholds
from tidings.metrics.result import Field


def plain(text: str) -> str:
    return text.replace(formats.THIN, " ").replace(formats.MINUS, "-")


@pytest.mark.parametrize(
    ("given_value", "said"),
    [
        (value(110, 100), "Net revenue rose by 10.0 % to 110.00 EUR, from 100.00 EUR in the 28 days before."),
        (
            value(0.01, 0.02, ERRORS, "ratio"),
            "Error rate fell by 50.0 % to 1.00 % (better), from 2.00 % in the 28 days before.",
        ),
        (value(100, 100), "Net revenue stayed at 100.00 EUR (±0.0 %) against the 28 days before."),
        (
            value(110, 100, unusual=False),
            "Net revenue rose by 10.0 % to 110.00 EUR, from 100.00 EUR in the 28 days before; within usual variation.",
        ),
        (value(5, 0), "Net revenue: 5.00 EUR, from 0.00 EUR in the 28 days before."),
        (value(5, None), "Net revenue: 5.00 EUR, unknown in the 28 days before."),
        (
            value(None, 0.1, ERRORS, "ratio"),
            "Error rate: unknown for 3 – 30 Jun 2026 (nothing to divide by in this window).",
        ),
    ],
)
def test_a_value_gives_a_sentence_with_its_numbers(given_value: Any, said: str) -> None:
    assert plain(of_value(given_value).text) == said


def test_a_missed_target_is_named() -> None:
    limited = replace(ERRORS, thresholds=Thresholds(good=0.01, warn=0.02))
    assert ", off its target of 1.00 %" in plain(of_value(value(0.05, 0.04, limited, "ratio")).text)
    assert "target" not in of_value(value(0.005, 0.004, limited, "ratio")).text


def test_a_breakdown_gives_the_part_that_changed_most_without_total_and_others() -> None:
    # Total moved by 10, Germany by 20, Austria by -10.
    assert [plain(s.text) for s in of_split(SPLIT)] == [
        "Revenue by country: Germany changed most, +20.00 EUR (+33.3 %), to 80.00 EUR."
    ]


def test_a_split_without_comparison_or_movement() -> None:
    named = (Field("c", "Country"), Field("n", "Orders", "count"))
    assert of_split(result([("DE", 1)], *named)) == []
    level = result([("DE", 1, 1)], *named, Field("before", "Before", "count"))
    assert of_split(level)[0].text == "Revenue by country: no part changed."
    assert of_split(result([], *named))[0].text == "Revenue by country: no data in this window."


def test_a_series_gives_the_extremes_of_its_complete_periods() -> None:
    reported = of_series(series([5, 9, 2] + [4] * 25, USERS, "count"))
    assert reported[0].text == "Active users by day: between 2 (5 Jun 2026) and 9 (4 Jun 2026)."
    assert of_series(series([5, 9] + [None] * 26, USERS, "count")) == []


def test_the_heaviest_three_are_kept_one_per_subject() -> None:
    said = [Sentence(text, weight, text[0]) for text, weight in (("a1", 1), ("b", 3), ("a2", 2), ("c", 0.5), ("d", 0))]
    assert [s.text for s in pick(said)] == ["b", "a2", "c"]


def test_an_unusual_change_outweighs_a_larger_usual_one() -> None:
    small = replace(REVENUE, name="small", title="Small")
    found = findings([value(150, 100, unusual=False), value(115, 100, small, unusual=True)])
    assert found.text.splitlines()[0].startswith("- Small rose")


def test_unknown_values_are_named_but_not_first() -> None:
    found = findings([value(None, 1, ERRORS, "ratio"), value(110, 100)])
    assert [line[:13] for line in found.text.splitlines()] == ["- Net revenue", "- Error rate:"]


def test_without_data_that_is_the_finding() -> None:
    assert findings([]).text == "- No findings: there is no data in this window."


@given(
    st.decimals(0, 10**7, places=2),
    st.decimals(0, 10**7, places=2),
    st.sampled_from([True, False, None]),
)
def test_direction_and_figures_agree(now: Decimal, before: Decimal, unusual: bool | None) -> None:
    said = of_value(value(now, before, unusual=unusual)).text
    assert str(formats.short(now, "EUR")) in said, "the number is quoted"
    if " rose " in said:
        assert now > before
    elif " fell " in said:
        assert now < before
    else:
        assert before == 0 or abs(now - before) <= before / 1000
    assert not re.search(r"(?i)\b(strong|sharp|significant|huge|slight|impressive)", said), "no adjective"


def test_a_value_of_a_part_of_its_window_names_the_part() -> None:
    part = "web has requests only from 2026-06-24 on"
    alone = replace(value(21, None, USERS, "count", part=part), before_window=None)
    assert plain(of_value(alone).text) == f"Active users: 21 in 3 – 30 Jun 2026; {part}."
    assert cards.spoken(alone) == f"21; {part}" and f"3 – 30 Jun 2026; {part}" in str(cards.delta(alone))
    # Levels and means are compared all the same.
    assert plain(of_value(value(21, 20, USERS, "count", part=part)).text).endswith(f"in the 28 days before; {part}.")
    # Why there is no change says it already.
    missing = replace(value(21, None, USERS, "count", part=part), why_no_change=part)
    assert of_value(missing).text.count(part) == 1 and str(cards.delta(missing)).count(part) == 1
