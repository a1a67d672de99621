"""An analyst's own charts and frames, as a page shows them."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal

import altair as alt
import ibis
import pandas as pd
import pyarrow as pa
import pytest

from tidings.display import own, theme
from tidings.display.figure import HTML, TIDINGS
from tidings.errors import UsageError

ROWS = pd.DataFrame({"shop": ["A", "B"], "net": [Decimal("1.5"), Decimal("20")], "day": [date(2026, 6, 1), None]})


def test_decimals_are_numbers_and_days_are_days_of_no_zone() -> None:
    shown = own.figure(alt.Chart(ROWS).mark_bar().encode(x="net", y="shop", tooltip="day"))
    assert shown.spec is not None
    (rows,) = shown.spec["datasets"].values()
    assert rows[0] == {"shop": "A", "net": 1.5, "day": "2026-06-01T00:00:00"}
    assert shown.spec["encoding"]["x"]["type"] == "quantitative"
    assert len(ROWS.net[0].as_tuple().digits) == 2, "the analyst's frame is as it was"


def test_a_time_is_shown_as_the_clock_of_its_zone_showed_it() -> None:
    at = pd.to_datetime(["2026-06-01T23:30"]).tz_localize("Europe/Berlin")
    for data in (
        pd.DataFrame({"at": at}),
        pa.table({"at": pa.array(at.to_pydatetime(), pa.timestamp("us", "Europe/Berlin"))}),
    ):
        shown = own.figure(alt.Chart(data).mark_point().encode(x="at"))
        (rows,) = shown.spec["datasets"].values()
        assert rows[0]["at"].startswith("2026-06-01T23:30:00") and "+" not in rows[0]["at"]


def test_words_say_what_is_on_a_chart() -> None:
    shown = own.figure(alt.Chart(ROWS).mark_bar().encode(x="sum(net)", y="shop"))
    assert shown.alt == (
        "Chart of bars; x: sum of net, y: shop. net from 1.50 to 20. shop: 2 different values. 2 rows of data."
    )
    told = own.figure(alt.Chart(ROWS, description="My <words>").mark_bar().encode(x="net"))
    assert told.alt == "My <words>"
    assert 'aria-label="My &lt;words&gt;"' in told.html


def test_the_authors_title_stands_above_and_the_house_gives_the_colours() -> None:
    chart = alt.Chart(ROWS, title=alt.Title("<b>Net", subtitle="EUR")).mark_bar().encode(x="net")
    shown = own.figure(chart.configure_axis(grid=True))
    bundle = shown._repr_mimebundle_()
    assert "&lt;b&gt;Net" in bundle[HTML] and "<b>Net" not in bundle[HTML]
    assert "var(--td-accent)" in bundle[HTML]
    assert shown.spec is not None
    assert shown.spec["config"]["axis"]["grid"] is True
    assert shown.spec["config"]["mark"]["color"] == theme.LIGHT["accent"]
    assert bundle[TIDINGS]["title"] == "<b>Net"
    json.dumps(bundle, allow_nan=False)


def test_the_data_lie_under_the_chart_and_what_is_left_out_is_told() -> None:
    many = pd.DataFrame({"n": range(6_000)})
    shown = own.figure(alt.Chart(many).mark_bar().encode(x=alt.X("n").bin(), y="count()"))
    assert shown.table is not None and len(shown.table.rows) == 100
    assert "5\u202f900 more rows of the data not shown" in shown.html
    assert shown.html.count("<svg") == 2 and len(shown.html) < 100_000, "a page carries the pictures, not the rows"


def test_a_width_that_the_author_chose_stays() -> None:
    chart = alt.Chart(ROWS).mark_bar().encode(x="net", y="shop")
    assert own.figure(chart).html.count("<svg") == 2
    for whole in (chart.properties(width=500), chart | chart, chart.facet("shop")):
        assert own.figure(whole).html.count("<svg") == 1


def test_what_a_picture_cannot_do_is_said_and_what_it_says_of_marks_is_there() -> None:
    chart = alt.Chart(ROWS).mark_bar().encode(x="net", y="shop", tooltip="shop")
    assert "<title>A</title></path>" in own.figure(chart).html
    assert "chart.save" not in own.figure(chart).html
    assert "chart.save" in own.figure(chart.interactive()).html
    assert "chart.save" in own.figure(chart.interactive() | chart).html


def test_a_filter_of_the_chart_is_left_to_vega() -> None:
    shown = own.figure(alt.Chart(ROWS).mark_bar().encode(x="net", y="shop").transform_filter("datum.net > 2"))
    assert ">B<" in shown.html.split("<svg")[1].split("</svg>")[0]
    assert ">A<" not in shown.html.split("<svg")[1].split("</svg>")[0]


def test_parts_of_a_chart_are_read_in_the_same_way() -> None:
    bars = alt.Chart(ROWS).mark_bar().encode(x="net", y="shop")
    for chart in (bars + bars.mark_text().encode(text="net"), bars | bars, bars & bars, bars.facet("shop")):
        shown = own.figure(chart)
        assert shown.table is not None and shown.table.rows[0][1] == 1.5
        assert '"nominal", "field": "net"' not in json.dumps(shown.spec)


@pytest.mark.parametrize(
    "chart",
    [
        alt.Chart("https://example.org/a.csv").mark_bar().encode(x="a:Q"),
        alt.Chart(ROWS).mark_bar(href="https://example.org").encode(x="net"),
        alt.Chart(ROWS).mark_bar().encode(x="net", href="shop"),
        alt.Chart(ROWS).mark_image(width=9).encode(x="net"),
        alt.Chart(ROWS).mark_image().encode(x="net", url="shop"),
        alt.layer(alt.Chart(ROWS).mark_bar().encode(x="net"), alt.Chart("a.csv").mark_bar().encode(x="a:Q")),
        alt.Chart(ROWS).mark_bar().encode(x="net").configure_mark(href="https://example.org"),
    ],
)
def test_a_chart_that_would_load_something_is_refused(chart: alt.TopLevelMixin) -> None:
    with pytest.raises(UsageError, match="loads nothing"):
        own.figure(chart)
    assert "loads nothing" in own._bundle(chart)[HTML], "in a notebook the sentence stands in its place"


def test_a_column_may_be_called_url() -> None:
    shown = own.figure(alt.Chart(pd.DataFrame({"url": ["/a"]})).mark_point().encode(x="url"))
    assert shown.table is not None and shown.table.rows == (("/a",),)


def test_what_draws_the_chart_takes_no_options_from_it() -> None:
    shown = own.figure(alt.Chart(ROWS, usermeta={"embedOptions": {"ast": False}}).mark_bar().encode(x="net"))
    assert shown.spec is not None and "usermeta" not in shown.spec


def test_a_frame_is_a_table_of_its_first_rows() -> None:
    frame = pd.DataFrame(
        {("sum", "net"): [Decimal("1.50"), None], ("last", "at"): [pd.Timestamp("2026-06-01 10:00"), pd.NaT]},
        index=pd.Index(["<i>", "b\x00"], name="shop"),
    )
    shown = own.figure(frame)
    assert shown.table is not None
    assert [field.title for field in shown.table.fields] == ["shop", "sum · net", "last · at"]
    assert [field.unit for field in shown.table.fields] == ["text", "count", "text"]
    assert shown.table.rows[1] == ("b\ufffd", None, None)
    assert "&lt;i&gt;" in shown.html and "1 Jun 2026, 10:00" in shown.html
    assert shown.alt == "Table of 2 rows: shop, sum · net, last · at."
    json.dumps(shown._repr_mimebundle_(), allow_nan=False)


@pytest.mark.parametrize("kind", [lambda f: f, pa.Table.from_pandas, lambda f: f["n"]])
def test_a_long_frame_says_how_much_is_left(kind) -> None:
    shown = own.figure(kind(pd.DataFrame({"n": range(100_000)})))
    assert shown.table is not None and len(shown.table.rows) == 100
    assert "99\u202f900 more rows not shown." in shown.html


def test_an_ibis_table_is_read_no_further_than_it_is_shown() -> None:
    shown = own.figure(ibis.memtable({"n": range(500)}))
    assert shown.table is not None and len(shown.table.rows) == 100
    assert "Only the first 100 rows are shown; there are more." in shown.html
    assert "Query" in shown.html


@pytest.mark.parametrize(("value", "text"), [(1e-9, "1e-09"), (10**20, "1" + "0" * 20), (1e300, "1e+300")])
def test_a_figure_is_not_rounded_to_nothing(value: float, text: str) -> None:
    assert f">{text}<" in own.figure(pd.DataFrame({"v": pd.Series([value], dtype=object)})).html
