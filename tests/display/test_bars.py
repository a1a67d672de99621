"""Magnitudes: parts that add up, bins, steps and tiles, each with a title that quotes what is drawn."""

from __future__ import annotations

import itertools
import json
import re
from decimal import Decimal
from typing import Any

import pytest
from bs4 import BeautifulSoup, Tag
from display_samples import COUNTRY, NET, SPLIT, result
from hypothesis import given, settings
from hypothesis import strategies as st

from depth import examples
from tidings.display import formats
from tidings.display.bars import bars, columns, funnel
from tidings.display.figure import NARROW, WIDE, Figure
from tidings.display.spread import heatmap, histogram
from tidings.display.waterfall import waterfall
from tidings.errors import UsageError
from tidings.metrics.result import Field

PART = (Field("part", "Part"), Field("amount", "Amount", "EUR"))
AMOUNTS = st.decimals(-5000, 5000, places=2)
COUNT = Field("count", "Requests", "count")
BINS = (Field("lower", "From", "ms"), Field("upper", "To below", "ms"), COUNT)


def drawn(figure: Figure) -> list[dict[str, Any]]:
    assert figure.spec is not None
    rows: list[dict[str, Any]] = figure.spec["data"]["values"]
    return rows


def pictures(figure: Figure) -> list[Tag]:
    found: list[Tag] = BeautifulSoup(str(figure.html), "html.parser").select("svg.marks")
    return found


def left(text: Tag) -> float:
    """Where a text begins or ends in its picture, in px."""
    moved = [re.search(r"translate\(([-0-9.]+)", str(at.get("transform", ""))) for at in (text, *text.parents)]
    return sum(float(found[1]) for found in moved if found)


def plain(text: str) -> str:
    return text.replace(formats.THIN, " ").replace(formats.MINUS, "-")


def test_bars_leave_the_total_out_and_keep_the_order() -> None:
    figure = bars(SPLIT)
    assert [row["name"] for row in drawn(figure)] == ["Germany", "Austria", "others (3)"]
    assert plain(figure.title) == "Germany: 61.5 % of net revenue (80.00 EUR)"


def test_bars_of_an_unknown_column_are_refused_with_a_suggestion() -> None:
    with pytest.raises(UsageError, match=r"no column 'befor'\. Did you mean 'before'\?"):
        bars(SPLIT, "befor")
    with pytest.raises(UsageError, match="no column of numbers"):
        bars(result([("DE",)], COUNTRY))


def test_without_rows_there_is_a_sentence() -> None:
    """An axis with nothing on it would be a chart of nothing: these are notes."""
    empty = result([], COUNTRY, Field("day", "Day"), NET)
    found = [
        bars(result([], COUNTRY, NET)),
        columns(result([("-1 min", 0)], COUNTRY, NET)),
        histogram(result([(0.0, 5.0, 0)], *BINS, title="Latency")),
        heatmap(empty, "day", "country", "net"),
    ]
    assert [figure.title for figure in found] == [
        "Net revenue: no data in this window.",
        "Net revenue: none in this window.",
        "Latency: no data in this window.",
        "Net revenue: no data in this window.",
    ]
    assert {figure.kind for figure in found} == {"note"}
    assert funnel(result([("view", 3)], COUNTRY, COUNT)).kind == "note"


def test_columns_keep_the_order_of_time() -> None:
    figure = columns(result([("-3 min", 1), ("-2 min", 9), ("-1 min", 4)], Field("label", "Minute"), COUNT))
    assert [row["v"] for row in drawn(figure)] == [1, 9, 4]
    assert figure.title == "Requests: 9 at most (-2 min), 4 in half of them"


def test_a_funnel_says_where_most_are_lost() -> None:
    steps = result(
        [("view", 1000, None), ("cart", 300, 0.3), ("paid", 120, 0.4)],
        Field("step", "Step"),
        Field("count", "Visitors", "count"),
        Field("step_rate", "Of previous step", "ratio"),
    )
    figure = funnel(steps)
    # 12 % of 1000; 700 are lost at the first step, 180 at the second.
    assert plain(figure.title) == "12.0 % reach paid; most are lost from view to cart (-700)"
    assert [plain(row["text"]) for row in drawn(figure)] == ["1 000 · 100.0 %", "300 · 30.0 %", "120 · 12.0 %"]


def test_a_funnel_nobody_entered() -> None:
    steps = result([("view", 0), ("cart", 0)], Field("step", "Step"), COUNT)
    assert funnel(steps).title == "No one took the first step in this window"


def test_a_waterfall_leads_from_total_to_total() -> None:
    parts = result([("May", 100), ("Volume", 40), ("Nothing", 0), ("Refunds", -30), ("June", 110)], *PART)
    figure = waterfall(parts, unusual=True)
    assert [(row["v"], row["to"], row["kind"]) for row in drawn(figure)] == [
        (0, 100, "total"),
        (100, 140, "up"),
        (140, 110, "down"),
        (0, 110, "total"),
    ]
    assert plain(figure.title) == "+10.00 EUR from May to June; largest part: volume, +40.00 EUR"
    # A part of nothing is in the table only, and only an unusual change is judged by colour.
    assert figure.table is not None and len(figure.table.rows) == 5
    quiet = waterfall(parts, unusual=False)
    assert {row["kind"] for row in drawn(quiet)} == {"total", "quiet"}
    assert plain(quiet.title).startswith("+10.00 EUR from May to June, within usual variation; ")


def test_no_label_of_a_waterfall_crosses_the_zero_line_or_the_edge() -> None:
    figure = waterfall(result([("May", 1000), ("Volume", -40), ("Price", 10), ("Refunds", 35), ("June", 1005)], *PART))
    assert [("left" in row, "right" in row) for row in drawn(figure)] == [
        (True, False),  # from 0 to -40: to the left of it
        (True, False),  # from -40 to -30
        (False, True),  # from -30 to 5: across the line, to the right of it
        (False, True),
    ]
    for picture in pictures(figure):
        labels = [t for t in picture.select("g.role-mark text") if "EUR" in t.get_text()]
        places = [left(t) for t in labels]
        assert len(labels) == 4 and all(0 < place < float(picture["width"]) - 20 for place in places)


def test_on_a_phone_a_name_stands_above_its_bar() -> None:
    wide, narrow = pictures(bars(result([("x" * 60, 3), ("b", 1)], COUNTRY, COUNT)))
    assert "…" in wide.get_text() and "x" * 30 in narrow.get_text()
    assert (float(wide["width"]), float(narrow["width"])) == (WIDE, NARROW)


def test_parts_too_small_to_be_seen_are_drawn_alone_and_that_is_said() -> None:
    figure = waterfall(result([("May", 1000), ("Volume", 40), ("Refunds", -30), ("June", 1010)], *PART))
    assert [(row["name"], row["v"], row["to"]) for row in drawn(figure)] == [
        ("Volume", 0, 40),
        ("Refunds", 40, 10),
        ("Change", 0, 10),
    ]
    assert "Only the change is drawn" in figure.html


@settings(max_examples=examples(5, 15), deadline=None)
@given(
    st.lists(st.decimals(-5000, 5000, places=2).filter(bool), min_size=1, max_size=6),
    st.decimals(-5000, 5000, places=2),
)
def test_the_last_bar_of_a_waterfall_ends_where_its_parts_lead(parts: list[Decimal], start: Decimal) -> None:
    end = start + sum(parts)
    rows = [("Before", start), *((f"part {i}", part) for i, part in enumerate(parts)), ("After", end)]
    falls = drawn(waterfall(result(rows, *PART)))
    for above, below in itertools.pairwise(falls[:-1]):
        assert below["v"] == pytest.approx(above["to"])
    shown = float(end - start) if falls[-1]["name"] == "Change" else float(end)
    assert falls[-1]["v"] == 0 and falls[-1]["to"] == pytest.approx(shown)
    assert falls[-2]["to"] == pytest.approx(shown)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("May", 100), ("Volume", 40), ("June", 120)], "do not add up: they lead from 100 to 140, not to 120"),
        ([("May", 100)], "is not a waterfall"),
        ([("May", 100), ("Volume", None), ("June", 120)], "is not a waterfall"),
    ],
)
def test_what_is_no_waterfall_is_refused(rows: list[tuple[str, Any]], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        waterfall(result(rows, *PART))


def test_a_histogram_draws_open_and_unequal_bins_equally_wide() -> None:
    bins = [(None, 5.0, 10), (5.0, 50.0, 80), (50.0, 1000.0, 8), (1000.0, None, 2)]
    figure = histogram(result(bins, *BINS, title="Latency"))
    assert [(row["i"], row["to"], row["v"]) for row in drawn(figure)] == [(0, 1, 10), (1, 2, 80), (2, 3, 8), (3, 4, 2)]
    assert [plain(row["text"]) for row in drawn(figure)] == [
        "below 5 ms: 10",
        "5 ms to 50 ms: 80",
        "50 ms to 1 s: 8",
        "from 1 s: 2",
    ]
    # 90 of 100 are below 50 ms: the first bound that nine in ten are below.
    assert plain(figure.title) == "Latency: 90.0 % of requests are below 50 ms"


def test_a_histogram_whose_bulk_is_open_says_so() -> None:
    figure = histogram(result([(0.0, 5.0, 1), (5.0, None, 9)], *BINS, title="Latency"))
    assert plain(figure.title) == "Latency: 90.0 % of requests are at or above 5 ms"


def test_a_distribution_needs_bounds_and_counts() -> None:
    with pytest.raises(UsageError, match="is not a distribution"):
        histogram(SPLIT.__class__("Latency", BINS[:2], ((0.0, 1.0),), SPLIT.provenance))


def test_a_tile_without_a_value_is_empty_not_zero() -> None:
    tiles = result(
        [("Mon", "09", 3.0), ("Mon", "10", None), ("Tue", "09", 0.0)],
        Field("weekday", "Weekday"),
        Field("hour", "Hour"),
        Field("orders", "Orders", "count"),
        title="Orders",
    )
    figure = heatmap(tiles, "hour", "weekday", "orders")
    assert [(row["y"], row["x"], row["v"]) for row in drawn(figure)] == [("Mon", "09", 3), ("Tue", "09", 0)]
    # Mon 10 has no value, Tue 10 no row.
    assert "2 empty tiles: no data, not zero." in figure.html
    assert figure.title == "Orders: highest 3 (Mon, 09), median 1.5"
    assert "lowest 0 (Tue, 09)" in figure.alt and "1 cell without a value" in figure.alt


def test_a_heat_map_of_too_many_tiles_is_refused() -> None:
    many = [(f"s{y}", f"d{x}", 1) for y in range(40) for x in range(40)]
    tiles = result(many, Field("y", "Service"), Field("x", "Day"), COUNT)
    with pytest.raises(UsageError, match="1600 rows"):
        heatmap(tiles, "x", "y", "count")


def test_a_number_as_a_name_says_of_what() -> None:
    found = result([("200", 9), ("404", 1)], Field("status", "Status"), COUNT)
    assert bars(found).title == "Status 200: 9 requests, 9 times the next (404)"


def test_a_share_is_of_a_total_that_parts_add_up_to() -> None:
    mean = Field("latency_p95", "Latency p95", "ms")
    found = result([("Total", 90.0), ("api", 80.0), ("web", 79.0)], Field("service", "Service"), mean)
    assert plain(bars(found).title) == "api: 80 ms latency p95, as much as the next (web)"


def test_errors_are_shaded_from_zero_to_what_is_bad() -> None:
    """One tile of 100 % would leave 6 % as pale as 0 %."""
    rate = Field("error_rate", "Error rate", "ratio")
    tiles = result([("a", "1", 0.0), ("a", "2", 0.06), ("a", "3", 1.0)], Field("s", "Service"), Field("d", "Day"), rate)
    figure = heatmap(tiles, "d", "s", "error_rate")
    assert figure.spec is not None
    assert figure.spec["encoding"]["color"]["scale"]["domain"] == [0.0125, 0.025, 0.0375, 0.05]
    assert plain(figure.title) == "Error rate: 2 of 3 tiles above 5.00 %, highest 100.0 % (a, 3)"


def test_names_of_an_axis_stay_text_in_its_expression() -> None:
    hostile = "'] || alert(1) || ['\"\\"
    figure = columns(result([(hostile, 1), ("b", 2)], Field("label", "Label"), COUNT))
    assert figure.spec is not None
    expression = figure.spec["encoding"]["x"]["axis"]["labelExpr"]
    names = expression.removeprefix("indexof(").partition(", datum.value) >= 0")[0]
    assert json.loads(names) == [hostile, "b"]
    # The picture is drawn from the same expression, and both names stand in it.
    assert "alert(1) ||" in figure.html and figure.html.count(">b</text>") == 2, "in both pictures"


def test_what_nobody_can_be_named_for_leads_no_waterfall() -> None:
    rows = [("May", 100), ("Volume, new", 20), ("Price and mix, unknown", -70), ("June", 50)]
    figure = waterfall(result(rows, *PART), unusual=True)
    assert "largest known part: volume, new, +20" in figure.title
    kinds = {fall["name"]: fall["kind"] for fall in drawn(figure)}
    assert (kinds["Volume, new"], kinds["Price and mix, unknown"]) == ("up", "quiet")
