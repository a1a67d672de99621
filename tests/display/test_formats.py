"""Numbers as a reader sees them."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
import vl_convert
from display_samples import ERRORS, WINDOW
from hypothesis import given
from hypothesis import strategies as st

from tidings import currencies
from tidings.display import axes, formats
from tidings.window import Window


def plain(text: object) -> str:
    return str(text).replace(formats.THIN, " ").replace(formats.MINUS, "-")


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (0, "count", "0"),
        (9876, "count", "9 876"),  # four digits are shown whole
        (999_999.6, "count", "1M"),  # rounding reaches the next scale
        (12345.5, "count", "12 346"),  # half away from zero, as a table shows it
        (-12345, "count", "-12 345"),
        (1_234_567, "count", "1.235M"),
        (2.5, "count", "2.5"),
        (7, "pages", "7 pages"),  # any other unit is a word behind the figure
        (Decimal("48.2"), "EUR", "48.20 EUR"),
        (Decimal("123.45"), "EUR", "123.45 EUR"),  # money is shown to its cents, or to none of them
        (0, "EUR", "0.00 EUR"),
        (Decimal("2180"), "JPY", "2 180 JPY"),  # yen have no decimals (ISO 4217)
        (Decimal("64.5"), "JPY", "65 JPY"),
        (0, "JPY", "0 JPY"),
        (Decimal("12.345"), "KWD", "12.345 KWD"),  # dinars have three
        (Decimal("-123.4567"), "KWD", "-123.457 KWD"),
        (Decimal("1.23456"), "CLF", "1.2346 CLF"),
        (Decimal("1.5"), "XYZ", "1.50 XYZ"),  # not listed
        (Decimal("12345"), "JPY", "12 345 JPY"),
        (Decimal("1234.5"), "EUR", "1 235 EUR"),
        (Decimal("118234.50"), "EUR", "118 235 EUR"),
        (0.0312, "ratio", "3.12 %"),
        (0.4567, "ratio", "45.7 %"),
        (0.9995, "ratio", "99.95 %"),  # near 100 % the second digit is the news
        (0.0, "ratio", "0.00 %"),
        (12.34, "ms", "12.3 ms"),
        (1234.0, "ms", "1.234 s"),
        (42.0, "s", "42 s"),
        (192.4, "s", "3 min 12 s"),
        (3599.6, "s", "1 h 00 min"),  # rounds up through the minutes
        (200_000, "s", "2 d 07 h"),
        (999, "B", "999 B"),
        (1_500_000, "B", "1.5 MB"),
        (74.31, "score", "74.3"),
        (0.934, "score", "0.934"),
    ],
)
def test_cards_show_few_digits(value: Any, unit: str, shown: str) -> None:
    assert plain(formats.short(value, unit)) == shown


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (Decimal("118234.5"), "EUR", "118 234.50"),
        (Decimal("118234.5"), "JPY", "118 235"),
        (Decimal("118234.5"), "KWD", "118 234.500"),
        (Decimal("0.0312"), "EUR", "0.03120"),  # what a call costs
        (Decimal("0.02"), "JPY", "0.020"),
        (Decimal("2.5"), "JPY", "3"),
        (Decimal("0.1"), "EUR", "0.10"),
        (1234567, "count", "1 234 567"),
        (0.03125, "ratio", "3.13 %"),
        (812.4, "ms", "812"),
        (99.14, "ms", "99.1"),
        (2.3456, "number", "2.35"),
        (True, "text", "yes"),
        (date(2026, 6, 30), "date", "30 Jun 2026"),
        ("12.4k EUR", "figure", "12.4k EUR"),  # already printed by a section
        (None, "count", "–"),
        (float("nan"), "ratio", "–"),
        (Decimal("NaN"), "EUR", "–"),
        (float("inf"), "ms", "–"),
    ],
)
def test_tables_show_figures_in_full(value: Any, unit: str, shown: str) -> None:
    assert plain(formats.full(value, unit)) == shown


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e15, max_value=1e15))
def test_a_count_never_shows_more_than_six_digits(value: float) -> None:
    digits = re.sub(r"\D", "", str(formats.short(value, "count"))).lstrip("0")
    assert len(digits) <= 6


@given(
    st.one_of(st.none(), st.floats(), st.decimals(), st.integers(-(10**15), 10**15)),
    st.sampled_from(["count", "EUR", "ratio", "ms", "s", "B", "score", "pages"]),
)
def test_a_missing_figure_is_never_a_number(value: Any, unit: str) -> None:
    missing = value is None or str(value).lower().lstrip("-") in ("nan", "snan", "inf", "infinity")
    if missing:
        assert str(formats.short(value, unit)) == formats.MISSING
    elif abs(value) < 1e15:
        assert re.search(r"\d", str(formats.short(value, unit)))


@pytest.mark.parametrize(
    ("now", "before", "unit", "text"),
    [
        (102.73, 100, "EUR", "▲ +2.7 %"),
        (96.9, 100, "count", "▼ -3.1 %"),
        (100.04, 100, "count", "= ±0.0 %"),
        (1350, 100, "count", "▲ +1 250 %"),
        (1, 0, "count", "–"),  # nothing to relate to
        (1, None, "count", "–"),
        (0.996, 0.9982, "ratio", "▼ -0.22 points"),  # not -0.2 % of 99.82 %
        (0.5, 0.25, "ratio", "▲ +25.0 points"),
        (0.00001, 0.0, "ratio", "= ±0.00 points"),
    ],
)
def test_a_change_has_arrow_and_sign_and_that_of_a_rate_is_in_points(
    now: float, before: float | None, unit: str, text: str
) -> None:
    assert plain(formats.arrowed(formats.difference(now, before, unit))) == text


def test_a_comparison_is_named_in_words() -> None:
    ten = Window.last(10, WINDOW.as_of, WINDOW.zone)
    assert formats.compared_with(WINDOW, WINDOW.previous()) == "the 28 days before"
    assert formats.compared_with(ten, ten.same_weekdays()) == "the same weekdays before"
    assert formats.compared_with(WINDOW, WINDOW.year_before()) == "the same weekdays a year before"
    assert formats.compared_with(WINDOW, WINDOW.shift(-100)) == "23 Feb – 22 Mar 2026"
    one = Window.last(1, WINDOW.as_of, WINDOW.zone)
    assert formats.compared_with(one, one.previous()) == "the day before"


def test_the_reason_of_a_missing_value_follows_its_kind() -> None:
    assert formats.why_missing(ERRORS) == "nothing to divide by in this window"


def test_the_unit_is_a_part_of_its_own_in_markup() -> None:
    shown = formats.short(Decimal(1234), "EUR").__html__()
    assert plain(shown) == '1 234<span class="td-unit"> EUR</span>'


def test_decimals_are_those_of_the_list_and_not_those_of_habit() -> None:
    # Where habit (CLDR) drops the minor unit, ISO 4217 has it: Iraq's dinar has fils, the Ugandan shilling no cents.
    listed = {"IQD": 3, "UGX": 0, "HUF": 2, "TND": 3, "XOF": 0, "UYW": 4, "ISK": 0, "CLP": 0, "XAU": 2, "BTC": 2}
    assert {code: currencies.places(code) for code in listed} == listed
    assert currencies.is_listed("GBP") and not currencies.is_listed("GBB")


def test_an_axis_has_the_decimals_of_its_currency() -> None:
    yen, euro, dinar = (axes.axis_format(code) for code in ("JPY", "EUR", "KWD"))
    # No line stands between two coins, and what has decimals has all of them.
    assert (yen["tickMinStep"], euro["tickMinStep"], dinar["tickMinStep"]) == (1, 0.01, 0.001)
    assert "format(datum.value, ',.2f')" in euro["labelExpr"] and "',.3f'" in dinar["labelExpr"]
    assert "f')" not in yen["labelExpr"]


@pytest.mark.parametrize(
    ("values", "unit", "drawn"),
    [
        # A flat line of ones had one label, "1.000".
        ([1, 1, 1], "count", ["0", "1", "2"]),
        ([0, 1], "count", ["0", "1"]),
        ([5, 5], "count", ["4", "5", "6"]),
        ([100, 100], "JPY", ["99", "100", "101"]),
        ([0, 7], "count", ["0", "2", "4", "6", "8"]),
        # What has cents, or is a mean of counts, lies between whole numbers.
        ([1, 1], "EUR", ["1.00"]),
        ([1.5, 1.6], "count", ["1.6"]),
    ],
)
def test_an_axis_of_whole_numbers_shows_whole_numbers(values: list[float], unit: str, drawn: list[str]) -> None:
    low, high, _ = axes.bounds(values, unit)
    spec = {
        "data": {"values": [{"x": n, "y": value} for n, value in enumerate(values)]},
        "mark": "line",
        "encoding": {"x": {"field": "x", "axis": None}, "y": {"field": "y", **axes.value_axis(unit, low, high)}},
    }
    assert re.findall(r"<text[^>]*>([^<]*)</text>", vl_convert.vegalite_to_svg(spec)) == drawn


def test_columns_of_few_have_no_line_between_none_and_one() -> None:
    assert [axes.grid_axis("count", [0, top])["tickCount"] for top in (0, 1, 2, 9)] == [1, 1, 2, 4]
    assert axes.grid_axis("EUR", [0, 1])["tickCount"] == axes.grid_axis("count", [0, 0.5])["tickCount"] == 4
