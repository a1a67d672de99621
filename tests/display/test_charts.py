"""Courses over time: what is dashed, what is grey, where the axis starts, what the title says."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from bs4 import BeautifulSoup
from display_samples import ERRORS, REVENUE, RUNNING, USERS, WINDOW, ZONE, series
from hypothesis import given
from hypothesis import strategies as st

from tidings.annotations import Annotation
from tidings.display import alt, axes, formats
from tidings.display.charts import lines, multiples, trend
from tidings.display.figure import Figure
from tidings.errors import UsageError
from tidings.reporting.csv_link import csv_text
from tidings.window import Window


def spec(figure: Figure) -> dict[str, Any]:
    assert figure.spec is not None
    return dict(figure.spec)


def styles(figure: Figure) -> list[str]:
    return [layer["mark"].get("style", "hover") for layer in spec(figure)["layer"]]


def domain(figure: Figure) -> list[float]:
    now = next(layer for layer in spec(figure)["layer"] if layer["mark"].get("style") in ("now", "line-1"))
    found: list[float] = now["encoding"]["y"]["scale"]["domain"]
    return found


def plain(text: str) -> str:
    return text.replace(formats.THIN, " ").replace(formats.MINUS, "-")


def test_the_title_of_a_flow_is_its_total_and_change() -> None:
    figure = trend(series(lambda _: 110), series(lambda _: 100, window=WINDOW.previous()), zone=ZONE.name)
    assert plain(figure.title) == "Net revenue: 3 080 EUR in 3 – 30 Jun 2026, +10.0 % against 6 May – 2 Jun 2026"
    assert figure.subtitle == "Net revenue · EUR · by day · 3 – 30 Jun 2026 · Europe/Berlin"


def test_a_total_compares_only_as_many_periods_as_are_complete() -> None:
    # The running day (1 of 28) is left out on both sides: 27 x 10 against 27 x 10, whatever that day has.
    running = series([10] * 27 + [1], window=RUNNING)
    assert "±0.0" in trend(running, series([10] * 27 + [500], window=WINDOW.previous())).title


def test_what_cannot_be_summed_is_not_summed() -> None:
    figure = trend(series([5] * 27 + [8], USERS, "count"))
    assert figure.title == "Active users: median day 5, ±0.0\u202f% from the first half to the second"


def test_a_running_period_is_no_plunge() -> None:
    """A day that has so far half of what it will have is part of no line."""
    figure = trend(series(lambda i: i, window=RUNNING))
    assert "open" not in styles(figure) and "so-far" in styles(figure)
    assert "30 Jun 2026 is still running: the lighter mark has what it has so far." in figure.html
    rows = spec(figure)["data"]["values"]
    assert "now" not in rows[-1] and rows[-2]["now"] == 26
    assert "so-far" not in styles(trend(series(lambda i: i)))
    assert all("v" not in row for row in spec(lines({"a": series(lambda i: i, window=RUNNING)}))["data"]["values"][-1:])


def test_a_running_rate_is_dashed() -> None:
    """It does not grow with the day."""
    figure = trend(series(lambda i: i / 100, ERRORS, "ratio", RUNNING))
    rows = spec(figure)["data"]["values"]
    assert "open" in styles(figure)
    assert rows[-2]["now"] == rows[-2]["open"] == 0.26, "the dashes start where the line ends"
    assert rows[-1]["open"] == 0.27


def test_a_value_without_neighbours_is_drawn() -> None:
    alone = series([1, None, None, 2, 3, None, 4], ERRORS, "ratio", Window.last(7, WINDOW.as_of, ZONE))
    marks = next(layer for layer in spec(trend(alone))["layer"] if layer["mark"].get("style") == "lone")
    assert marks["data"]["values"] == [{"i": 0, "v": 1}, {"i": 6, "v": 4}]
    for figure in (lines({"a": alone}), multiples({"a": alone})):
        assert [row["i"] for row in spec(figure)["data"]["values"] if "lone" in row] == [0, 6]


def test_a_period_of_the_future_is_not_drawn() -> None:
    ahead = Window(WINDOW.start, WINDOW.end, ZONE, datetime(2026, 6, 5, 22, tzinfo=UTC))
    figure = trend(series(lambda i: i if i < 3 else None, window=ahead))
    assert [row["t"] for row in spec(figure)["data"]["values"]] == ["3 Jun 2026", "4 Jun 2026", "5 Jun 2026"]
    assert figure.subtitle.endswith("3 – 5 Jun 2026")


def test_the_grey_line_stands_period_by_period_behind() -> None:
    figure = trend(series(lambda i: i), series(lambda i: 100 + i, window=WINDOW.previous()))
    first = spec(figure)["data"]["values"][0]
    assert (first["t"], first["now"], first["before"]) == ("3 Jun 2026", 0, 100)
    assert plain(first["hover"]) == "3 Jun 2026: 0.00 EUR; 6 May 2026: 100.00 EUR"
    assert styles(figure)[:4] == ["weekend", "before", "now", "dot"], "grey lies behind"
    assert "td-key" in figure.html, "a key names both"


def test_a_missing_day_is_a_gap_not_a_zero() -> None:
    figure = trend(series([1, None] * 14, ERRORS, "ratio"))
    assert [("now" in row) for row in spec(figure)["data"]["values"]] == [True, False] * 14
    assert figure.table is not None and figure.table.rows[1] == (date(2026, 6, 4), None)


def test_the_axis_starts_at_zero_or_says_so() -> None:
    near = trend(series([0.995 + i / 10_000 for i in range(28)], ERRORS, "ratio"))
    low, high = domain(near)
    assert 0.99 < low < 0.995 and high <= 1, "no rate above 100 %"
    assert "does not start at zero" in near.html
    far = trend(series([100 + i for i in range(28)]))
    assert domain(far) == [0.0, 127.0]
    assert "does not start at zero" not in far.html


def test_an_empty_series_is_a_sentence_not_drawn_as_zero() -> None:
    none = series(lambda _: None, ERRORS, "ratio")
    for figure in (trend(none), lines({"a": none}), multiples({"a": none})):
        assert (figure.kind, figure.title) == ("note", "Error rate: nothing to divide by in this window.")


def test_four_lines_are_the_most_and_units_are_not_mixed() -> None:
    course = series(lambda i: i)
    with pytest.raises(UsageError, match="5 lines"):
        lines({str(i): course for i in range(5)})
    with pytest.raises(UsageError, match="one axis"):
        lines({"a": course, "b": series(lambda i: i, ERRORS, "ratio")})
    with pytest.raises(UsageError, match="13 lines"):
        multiples({str(i): course for i in range(13)})


def test_every_line_is_labelled_at_its_end() -> None:
    figure = lines({"api": series(lambda _: 5, REVENUE), "mail": series(lambda _: 9, REVENUE)})
    texts = [layer for layer in spec(figure)["layer"] if layer["mark"].get("style", "").startswith("label-")]
    labels = [layer["data"]["values"][0]["text"] for layer in texts]
    assert labels == ["api 5.00", "mail 9.00"]
    assert plain(figure.title) == "Level: none of them moved by more than 0.0 % from the first half to the second"
    assert figure.table is not None and figure.table.rows[0] == (date(2026, 6, 3), 5, 9)


def test_panels_share_one_scale() -> None:
    figure = multiples({"small": series(lambda _: 1), "large": series(lambda _: 100)})
    now = next(layer for layer in spec(figure)["spec"]["layer"] if layer["mark"].get("style") == "now")
    assert now["encoding"]["y"]["scale"]["domain"] == [0.0, 100.0]
    assert "resolve" not in spec(figure) or "scale" not in spec(figure)["resolve"]


def test_alt_text_tells_extremes_last_value_and_trend() -> None:
    said = plain(alt.series(series([10] * 14 + [20] * 13 + [5], window=RUNNING)))
    assert said == (
        "Line chart of Net revenue by day, 3 – 30 Jun 2026. Lowest 10.00 EUR (3 Jun 2026), highest 20.00 EUR "
        "(17 Jun 2026), last 5.00 EUR (30 Jun 2026, still running). "
        "The median of the later half is +100.0 % against the earlier half."
    )


def test_weeks_and_months_are_named_as_such() -> None:
    weeks = trend(series(lambda i: i, grain="week"))
    assert [row["t"] for row in spec(weeks)["data"]["values"]][:2] == ["1 Jun 2026", "8 Jun 2026"]
    assert [row["t"] for row in spec(trend(series(lambda i: i, grain="month")))["data"]["values"]] == ["Jun 2026"]


def test_the_title_names_the_period_farthest_off() -> None:
    days = [10 + i % 3 for i in range(28)]
    assert "on 18 Jun" not in trend(series(days)).title
    days[15] = 90
    assert plain(trend(series(days)).title).endswith(", 90.00 EUR on 18 Jun 2026")
    found = lines({"api": series([10 + i % 3 for i in range(28)]), "mail": series(days)}).title
    assert plain(found) == "mail: 90.00 EUR on 18 Jun 2026, beside a median of 11.00 EUR"


def test_the_title_of_lines_says_what_moved() -> None:
    figure = lines({"up": series([10] * 14 + [20] * 14), "level": series(lambda _: 5)})
    assert plain(figure.title) == "up +100.0 % from the first half to the second"


def test_weekends_are_shaded_and_months_marked() -> None:
    layers = {layer["mark"].get("style"): layer for layer in spec(trend(series(lambda i: i)))["layer"]}
    # 3 June 2026 is a Wednesday: Saturday is its fourth day.
    assert layers["weekend"]["data"]["values"][0] == {"a": 2.5, "b": 4.5}
    months = {
        layer["mark"].get("style"): layer
        for layer in spec(trend(series(lambda i: i, window=WINDOW.previous())))["layer"]
    }
    assert months["month"]["data"]["values"] == [{"a": 26}], "1 June"
    assert "weekend" not in [layer["mark"].get("style") for layer in spec(trend(series([1], grain="month")))["layer"]]


@pytest.mark.parametrize("days", [1, 2, 9, 28, 90, 365])
@pytest.mark.parametrize("grain", ["day", "week", "month"])
def test_labels_of_an_axis_never_touch(days: int, grain: str) -> None:
    figure = trend(series(lambda i: 1000 + i, window=Window.last(days, WINDOW.as_of, ZONE), grain=grain))
    for picture in BeautifulSoup(str(figure.html), "html.parser").select("svg.marks"):
        axis = next(g for g in picture.select("g.role-axis") if re.search("[A-Z]", g.get_text()))
        places = sorted(
            (float(re.findall(r"translate\(([-0-9.]+)", text["transform"])[0]), len(text.get_text()) * 6)
            for text in axis.select(".role-axis-label text")
            if text.get_text()
        )
        assert all(b - a >= (wide_a + wide_b) / 2 + 4 for (a, wide_a), (b, wide_b) in itertools.pairwise(places))
        assert len(places) >= (1 if len(spec(figure)["data"]["values"]) < 3 else 2)


def test_stars_go_from_one_to_five() -> None:
    stars = replace(ERRORS, title="Rating", unit="stars")
    assert domain(trend(series(lambda i: 4 + i / 100, stars, "stars"))) == [1.0, 5.0]


def test_annotations_are_numbered_marks_with_a_list() -> None:
    said = (
        Annotation(date(2026, 6, 15), "New <prices>", "price"),
        Annotation(date(2026, 6, 16), "2.0", "release"),
        Annotation(date(2026, 7, 9), "of July"),
    )
    figure = trend(replace(series(lambda i: i), annotations=said))
    layers = {layer["mark"].get("style"): layer for layer in spec(figure)["layer"]}
    assert layers["event"]["data"]["values"] == [{"i": 12}, {"i": 13}]
    assert "1: 15 Jun 2026, New &lt;prices&gt; (price)<br>2: 16 Jun 2026, 2.0 (release)<" in figure.html
    assert "of July" not in figure.html
    _, narrow = BeautifulSoup(str(figure.html), "html.parser").select("svg.marks")
    assert "1–2" in narrow.get_text(), "too close to each other on a phone: one label"


def test_a_target_is_a_stepped_line_and_in_the_table() -> None:
    figure = trend(replace(series(lambda i: i), targets=(10.0,) * 14 + (30.0,) * 13 + (None,)))
    target = next(layer for layer in spec(figure)["layer"] if layer["mark"].get("style") == "target")
    assert target["mark"]["interpolate"] == "step"
    assert figure.table is not None and [row[-1] for row in figure.table.rows][13:15] == [10.0, 30.0]
    assert "target 30.00" in figure.html


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=4))
def test_labels_never_touch(ends: list[float]) -> None:
    height = max(ends) or 1.0
    shifts = axes.apart({str(i): end for i, end in enumerate(ends)}, height)
    places = sorted(-end / height * axes.HEIGHT + shifts[str(i)] for i, end in enumerate(ends))
    assert all(low - high >= 14.7 for high, low in itertools.pairwise(places))


@given(st.lists(st.floats(-1e6, 1e9), min_size=1, max_size=40))
def test_the_steps_of_a_ramp_are_round_rise_and_cover_the_values(values: list[float]) -> None:
    found = axes.steps(values, 5)
    assert len(found) == 4 and all(low < high for low, high in itertools.pairwise(found))
    width = found[1] - found[0]
    slack = width * 1e-3
    assert found[-1] + width >= max(values) - slack and found[0] - width <= min([0.0, *values]) + slack


def test_the_steps_of_counts_are_integers() -> None:
    assert axes.steps([0, 3, 28], 5) == [6, 12, 18, 24]
    assert axes.steps([], 5) == [1, 2, 3, 4], "without values any will do"


def test_the_data_of_a_chart_have_dates_and_amounts_for_programs_and_say_what_still_runs() -> None:
    figure = trend(series(lambda i: Decimal("0.10") + i, window=RUNNING))
    assert figure.table is not None
    rows = csv_text(figure.table.data()).splitlines()
    assert rows[1].startswith("2026-06-03,0.10")
    assert rows[-1].startswith("2026-06-30 (") and "2026-06-30" not in str(figure.html)
