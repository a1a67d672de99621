"""Tables: totals first, one inline bar, signs, what is not shown, cohorts that are not yet complete."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from display_samples import COUNTRY, NET, SPLIT, cohort_result, result

from tidings.display import formats
from tidings.display.tables import cohorts, ranking, segments, table
from tidings.errors import UsageError
from tidings.metrics.result import Field


def lines(markup: str) -> list[list[str]]:
    """The words of each cell, row by row, heads included."""
    body = str(markup).replace(formats.THIN, " ").replace(formats.MINUS, "-")
    rows = re.findall(r"<tr[^>]*>(.*?)</tr>", body, re.DOTALL)
    return [[re.sub(r"<[^>]+>", "", c).strip() for c in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)] for row in rows]


def test_a_ranking_shows_the_total_first_and_the_others_last() -> None:
    figure = ranking(SPLIT, "net_revenue")
    assert lines(figure.html) == [
        ["Country", "Net revenue EUR", "", "Change", "Before EUR", "Share"],
        ["Total", "130.00", "", "▲ +8.3 %", "120.00", "100.0 %"],
        ["Germany", "80.00", "", "▲ +33.3 %", "60.00", "61.5 %"],
        ["Austria", "40.00", "", "▼ -20.0 %", "50.00", "30.8 %"],
        ["others (3)", "10.00", "", "= ±0.0 %", "10.00", "7.69 %"],
    ]
    assert figure.title.replace(formats.THIN, " ") == "Germany: 61.5 % of net revenue (80.00 EUR)"


def test_only_the_parts_have_a_bar_measured_by_the_largest() -> None:
    shown = str(ranking(SPLIT, "net_revenue").html)
    assert re.findall(r"width:([0-9.]+)%", shown) == ["100.0", "50.0"]
    assert 'class="td-total"' in shown and 'class="td-others"' in shown


def test_a_change_in_a_table_has_an_arrow_and_no_colour_as_nobody_judged_it() -> None:
    assert '<td class="td-num">▼' in ranking(SPLIT, "net_revenue").html
    rate = Field("error_rate", "Error rate", "ratio")
    points = result([("DE", 0.02, -0.001)], COUNTRY, rate, Field("change", "Change", "points"))
    assert "▼ −0.10 points" in ranking(points).html


def test_the_order_is_that_of_the_result() -> None:
    # A ranking of rates goes by their rows: the rate of three rows is no leader.
    rates = result([("DE", 0.02), ("AT", 0.5)], COUNTRY, Field("error_rate", "Error rate", "ratio"))
    assert [row[0] for row in lines(ranking(rates).html)[1:]] == ["DE", "AT"]


def test_beyond_twelve_the_rest_is_counted_and_not_added_up() -> None:
    figure = ranking(result([(f"p{i}", 100 - i) for i in range(15)], COUNTRY, NET))
    assert len(lines(figure.html)) == 1 + 12 and "3 smaller rows not shown." in figure.html
    assert figure.table is not None and len(figure.table.rows) == 15, "the record holds all"


def test_numbers_of_one_column_have_the_same_decimals() -> None:
    days = Field("days", "Days since last order", "number")
    figure = table(result([("DE", 369.2), ("AT", 53.0123), ("CH", None), ("FR", 23.456)], COUNTRY, days))
    assert [row[1] for row in lines(figure.html)[1:]] == ["369.2", "53.0", "–", "23.5"]


def test_a_missing_figure_is_a_dash_with_its_reason() -> None:
    figure = table(result([("DE", None)], COUNTRY, NET))
    assert lines(figure.html)[1] == ["DE", "–"] and "–: no value, as there are no rows" in figure.html
    assert "no value" not in table(result([("DE", Decimal(1))], COUNTRY, NET)).html


def test_an_empty_result_is_a_sentence() -> None:
    for figure in (table(result([], COUNTRY, NET)), ranking(result([], COUNTRY, NET)), cohorts(cohort_result([]))):
        assert "No data in this window." in figure.html and "<table" not in figure.html


def test_a_long_table_says_what_it_leaves_out() -> None:
    figure = table(result([(str(i), i) for i in range(103)], COUNTRY, NET))
    assert len(lines(figure.html)) == 101 and "3 more rows not shown." in figure.html


def test_the_plain_text_is_aligned_and_short() -> None:
    figure = table(result([("Germany", Decimal("1234.5")), ("AT", None)], COUNTRY, NET))
    assert figure.text.splitlines() == [
        "Revenue by country",
        "Country  Net revenue EUR",
        "Germany         1 234.50",
        "AT                     –",
    ]


def test_segments_say_which_is_largest() -> None:
    found = result(
        [("Champions", 30, Decimal(900)), ("Hibernating", 70, Decimal(100))],
        Field("segment", "Segment"),
        Field("customers", "Customers", "count"),
        Field("monetary", "Net revenue", "EUR"),
    )
    assert segments(found).title.replace(formats.THIN, " ") == "Hibernating: 70 of 100 customers (70.0 %)"


COHORTS = cohort_result(
    [
        ("Apr 2026", 100, 0, 1.0, "complete"),
        ("Apr 2026", 100, 1, 0.4, "complete"),
        ("Apr 2026", 100, 2, 0.1, "incomplete"),
        ("May 2026", 300, 0, 1.0, "complete"),
        ("May 2026", 300, 1, 0.2, "incomplete"),
        ("May 2026", 300, 2, None, "future"),
    ]
)


def test_cohorts_are_a_triangle_whose_running_cells_are_marked() -> None:
    figure = cohorts(COHORTS)
    assert lines(figure.html) == [
        ["First purchase", "Customers", "0", "1", "2"],
        ["Apr 2026", "100", "100.0", "40.0", "10.0*"],
        ["May 2026", "300", "100.0", "20.0*", ""],
    ]
    shown = str(figure.html)
    assert shown.count("td-immature") == 2 and shown.count("td-future") == 1
    assert "The period is still running" in shown


def test_the_average_of_cohorts_leaves_running_cells_out() -> None:
    # Only April's 40 % is complete; with May's 20 % so far it would be 25 %.
    assert (
        cohorts(COHORTS).title.replace(formats.THIN, " ")
        == "40.0 % came back in the period after their first (1 cohort)"
    )


def test_cohorts_are_tinted_by_the_largest_rate_after_the_first_period() -> None:
    shown = str(cohorts(COHORTS).html)
    # 40 % is the largest: the last step; 20 % the third of five; 10 % the second; 100 % has none.
    assert re.findall(r"td-ramp-(\d)", shown) == ["4", "1", "2"] and shown.count("td-zero") == 2


def test_cohorts_need_their_columns() -> None:
    with pytest.raises(UsageError, match="no column 'cohort'"):
        cohorts(SPLIT)
