"""Cards and the gauge: value, change in words, status in words, the course as a small line."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal

import pytest
from display_samples import ERRORS, RUNNING, value

from tidings.display import formats
from tidings.display.cards import card, cards, sparkline
from tidings.display.gauge import gauge
from tidings.errors import UsageError
from tidings.metrics.metric import Thresholds
from tidings.metrics.registry import get


def seen(markup: str) -> str:
    """The words of a fragment."""
    return " ".join(re.sub(r"<[^>]+>", " ", markup).replace(formats.THIN, " ").replace(formats.MINUS, "-").split())


def test_a_card_says_value_change_and_comparison() -> None:
    shown = card(value(Decimal("118234.5"), Decimal("112873.11"), spark=(1, 2, 3), unusual=True))
    assert seen(shown) == "Net revenue 118 235 EUR ▲ +4.7 % vs 112 873 EUR in the 28 days before"
    assert 'href="#def-net_revenue"' in shown and 'title="118\u202f234.50 EUR"' in shown
    assert '<span class="td-good">▲' in shown


def test_more_errors_are_bad() -> None:
    assert '<span class="td-bad">▲' in card(value(0.02, 0.01, ERRORS, "ratio", unusual=True))
    # Nobody knows whether this is news.
    assert '<span class="td-none">▲' in card(value(0.02, 0.01, ERRORS, "ratio"))


def test_a_usual_change_is_marked_and_not_coloured() -> None:
    shown = card(value(102, 100, unusual=False))
    assert seen(shown).endswith("≈ within usual variation")
    assert '<span class="td-none">▲' in shown and "td-good" not in shown


@pytest.mark.parametrize(
    ("now", "before", "said"),
    [
        (None, 0.1, "Error rate – nothing to divide by in this window"),
        (0.1, None, "Error rate 10.0 % unknown in the 28 days before"),
        (0.1, 0.0, "Error rate 10.0 % from 0.00 % in the 28 days before"),
    ],
)
def test_missing_values_have_their_reason(now: float | None, before: float | None, said: str) -> None:
    assert seen(card(value(now, before, ERRORS, "ratio"))) == said


def test_without_comparison_the_period_is_named() -> None:
    assert seen(card(replace(value(5, 4), before_window=None))) == "Net revenue 5.00 EUR 3 – 30 Jun 2026"


@pytest.mark.parametrize(
    ("now", "yours", "ours"),
    [(0.01, "on target", "good by our bound"), (0.03, "watch", "watch"), (0.2, "off target", "bad by our bound")],
)
def test_the_status_is_a_word_that_says_whose_bound_it_is(now: float, yours: str, ours: str) -> None:
    """A target that nobody set is not called one."""
    for origin, word in (("yours", yours), ("ours", ours)):
        limited = replace(ERRORS, thresholds=Thresholds(0.02, 0.05, origin))
        assert word in seen(card(value(now, 0.01, limited, "ratio")))


def test_noise_is_a_flat_sparkline() -> None:
    assert "25.0" not in sparkline([1 / 3, 1 / 3 + 1e-9, 1 / 3]) and "14.0" in sparkline([1 / 3, 1 / 3 + 1e-9, 1 / 3])
    assert "25.0" in sparkline([0.998, 0.999, 0.998])


def test_six_cards_are_the_most() -> None:
    with pytest.raises(UsageError, match="7 cards"):
        cards([value(1, 1)] * 7)
    with pytest.raises(UsageError, match="0 cards"):
        cards([])


def test_the_record_of_cards_holds_the_figures() -> None:
    record = cards([value(Decimal("10.50"), Decimal(10)), value(None, 0.1, ERRORS, "ratio")]).record()
    first, second = record["figures"]
    assert first["value"] == "10.50" and first["before"] == "10" and first["change"] == pytest.approx(0.05)
    assert first["window"] == {"from": "2026-06-03", "to": "2026-07-01"} and first["unit"] == "EUR"
    assert second["value"] is None and second["change"] is None


def test_a_sparkline_marks_its_last_point_and_leaves_gaps() -> None:
    drawn = sparkline((0, None, 10, 5))
    # 96 px wide with 3 px around: steps of 30 px; 0 lies at the foot (25), 10 at the top (3), 5 in the middle.
    assert 'd="M3.0,25.0L3.0,25.0 M63.0,3.0L93.0,14.0"' in drawn, "two runs, the first a single day"
    assert 'cx="93.0" cy="14.0"' in drawn and 'width="96" height="28"' in drawn


def test_the_running_day_of_a_sparkline_is_dashed() -> None:
    assert 'class="td-spark-open" d="M48.0,14.0L93.0,25.0"' in sparkline((10, 5, 0), is_open=True)
    assert "td-spark-open" in card(value(5, 4, window=RUNNING, spark=(1, 2, 3)))
    assert "td-spark-open" not in card(value(5, 4, spark=(1, 2, 3)))


@pytest.mark.parametrize("course", [(), (1,), (None, None), (None, 3)])
def test_a_course_of_less_than_two_days_is_not_drawn(course: tuple[float | None, ...]) -> None:
    assert sparkline(course) == ""


def test_a_level_course_runs_through_the_middle() -> None:
    assert 'd="M3.0,14.0L93.0,14.0"' in sparkline((4, 4))


def test_the_gauge_names_what_costs_most() -> None:
    # Weights 3 and 2: availability at its worst loses 3/5 of the points, apdex at its best none.
    parts = [
        value(0.97, 0.97, get("availability"), "ratio"),
        value(0.95, 0.95, get("apdex"), "score"),
        value(None, None, get("lcp_p75"), "ms"),
    ]
    figure = gauge(value(40.0, 50.0, get("health_score"), "score"), parts)
    assert figure.title == "Health is 40 of 100: Availability costs 60 points"
    assert figure.table is not None
    lost = {row[0]: row[4] for row in figure.table.rows}
    assert list(lost.values()) == [pytest.approx(60), pytest.approx(0), None], "dearest first, unknown last"
    assert "no rows in this window, left out" in seen(figure.html)
    assert len(figure.record()["figures"]) == 4


def test_a_gauge_without_value_says_why() -> None:
    figure = gauge(value(None, None, get("health_score"), "score"))
    title = "Health is unknown: components with less than half of the weight have a value"
    assert figure.title == title and "td-fill" not in figure.html
