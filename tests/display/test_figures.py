"""What every figure has: a fragment, plain text, the record; and nothing from the data that acts as markup."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import altair as alt
import nbformat
import pytest
from display_samples import ERRORS, ORIGIN, REVENUE, SPLIT, WINDOW, cohort_result, result, retitled, series, value
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from depth import examples
from tidings.display import own, show, theme
from tidings.display.figure import HTML, MOST_ROWS, TEXT, TIDINGS, Draw, Figure, chart
from tidings.display.fragments import Table
from tidings.errors import UsageError
from tidings.metrics.result import Field, Provenance, joined
from tidings.query.explanation import Explanation

Make = Callable[[str], Figure]

COUNT = Field("n", "Number", "count")


def every(text: str) -> dict[str, Figure]:
    """One figure of each sort, with a text from outside wherever one can stand."""
    metric = retitled(REVENUE, text)
    label, more = Field("label", text), Field("more", text)
    named = [(text, 3), ("b" + text, 2)]
    origin = Provenance((text,), {text: text}, text, 3, (text,))
    ranked = replace(result(named, label, COUNT, title=text), provenance=origin)
    course = series(lambda i: i, metric)
    bins = result([(0.0, 5.0, 3), (5.0, None, 1)], Field("a", "From", "ms"), Field("b", "To", "ms"), COUNT, title=text)
    tiles = result([(text, "x", 1.0), (text, "y", None)], more, label, COUNT, title=text)
    falls = result([(text, 1), ("up", 2), ("end" + text, 3)], label, COUNT, title=text)
    return {
        "head": show.head(text, WINDOW, WINDOW.previous(), {text: text}),
        "note": show.note(text),
        "cards": show.cards([value(3, 2, metric), value(None, 2, metric, text)]),
        "gauge": show.gauge(value(30.0, 20.0, metric, "score")),
        "findings": show.findings([Explanation(value(3, 2, metric))]),
        "trend": show.trend(course, course, zone=text),
        "lines": show.lines({text: course, "b": course}),
        "multiples": show.multiples({text: course}),
        "bars": show.bars(ranked),
        "columns": show.columns(ranked),
        "funnel": show.funnel(ranked),
        "ranking": show.ranking(ranked),
        "segments": show.segments(ranked),
        "table": show.table(ranked),
        "text column": show.table(result([("a", text)], label, more, title=text)),
        "waterfall": show.waterfall(falls),
        "histogram": show.histogram(bins),
        "heatmap": show.heatmap(tiles, "more", "label", "n"),
        "cohorts": show.cohorts(cohort_result([(text, 3, 0, 1.0, "complete"), (text, 3, 1, 0.5, "incomplete")])),
        "digest": show.digest([value(3, 2, metric), ranked]),
    }


HARMLESS = every("Shop & Söhne")


class Parsed(HTMLParser):
    """Elements and attribute names of a fragment, and whether its elements are closed in order."""

    def __init__(self, fragment: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.open: list[str] = []
        self.feed(fragment)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(f"{tag} {sorted(name for name, _ in attrs)}")
        if tag != "br":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(f"{tag} {sorted(name for name, _ in attrs)}")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</td></table></figure><iframe>",
    "&lt;b&gt; %s {} {0} {{x}}",
    "</style><script>",
    "<!--",
    "\\u003cb\\u003e ${alert(1)} `x`",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_from_outside_becomes_markup(text: str) -> None:
    """The hostile text makes the same elements with the same attributes as a harmless one of the same place."""
    for name, figure in every(text).items():
        wanted = Parsed(str(HARMLESS[name].html))
        found = Parsed(str(figure.html))
        assert found.open == [] and set(found.names) == set(wanted.names), name


@settings(max_examples=examples(5, 12), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(alphabet=st.sampled_from("<>&\"'/=ab {}%\\`-! "), min_size=1, max_size=24).filter(lambda t: t.strip()))
def test_any_text_stays_text(text: str) -> None:
    for wanted, found in zip(_light("x"), _light(text), strict=True):
        parsed = Parsed(str(found.html))
        assert parsed.open == [] and parsed.names == Parsed(str(wanted.html)).names


def _light(text: str) -> list[Figure]:
    metric = retitled(REVENUE, text)
    table = result([(text, 3)], Field("label", text), COUNT, title=text)
    return [
        show.cards([value(3, 2, metric)]),
        show.table(table),
        show.ranking(table),
        show.bars(table),
        show.note(text),
    ]


def test_the_digest_is_text_alone() -> None:
    # nbval compares every form of an output, and the build's id in the record changes with the code.
    assert set(HARMLESS["digest"]._repr_mimebundle_()) == {TEXT}


@pytest.mark.parametrize("name", [name for name in HARMLESS if name != "digest"])
def test_every_figure_fits_into_a_notebook(name: str) -> None:
    figure = HARMLESS[name]
    bundle = figure._repr_mimebundle_()
    output = nbformat.v4.new_output("display_data", json.loads(json.dumps(bundle, allow_nan=False)))
    nbformat.validate(output, ref="display_data", version=4)
    assert bundle[HTML].startswith(("<figure", "<style>")) and bundle[TEXT]
    record = bundle[TIDINGS]
    assert set(record) == {"type", "title", "subtitle", "alt", "figures", "findings", "table", "provenance"}
    assert record["type"] in ("head", "findings", "cards", "gauge", "chart", "table", "note")
    assert record["alt"], "everything can be told in words"
    assert set(bundle) == {HTML, TEXT, TIDINGS}


@pytest.mark.parametrize("name", HARMLESS)
def test_equal_data_make_equal_output(name: str) -> None:
    assert every("Shop & Söhne")[name]._repr_mimebundle_() == HARMLESS[name]._repr_mimebundle_()


CHARTS = [name for name, figure in HARMLESS.items() if figure.kind == "chart"]


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_is_valid_names_no_colour_and_carries_its_data(name: str) -> None:
    figure = HARMLESS[name]
    assert figure.spec is not None and figure.table is not None and figure.table.rows
    alt.Chart.from_dict(dict(figure.spec), validate=True)
    drawn = json.dumps({key: part for key, part in figure.spec.items() if key != "config"})
    assert "#" not in drawn and "rgb" not in drawn, "colours belong to the config"
    assert figure.spec["config"] == theme.config(theme.LIGHT)
    assert "http" not in drawn.replace(str(figure.spec["$schema"]), "")
    assert f'role="img" aria-label="{html.escape(figure.alt)}"' in figure.html
    assert "<details>" in figure.html and 'tabindex="0" role="region" aria-label="' in figure.html


@pytest.mark.parametrize("name", CHARTS)
def test_the_still_picture_is_coloured_by_the_page(name: str) -> None:
    pictures = str(HARMLESS[name].html).split('<svg aria-hidden="true"')[1:]
    assert len(pictures) == 2
    for picture in pictures:
        drawn = picture.partition("</svg>")[0]
        assert "var(--td-" in drawn and "#" not in drawn.replace("url(#", "")


def test_a_picture_says_what_its_marks_are_without_a_script() -> None:
    shown = str(show.trend(series(lambda i: i)).html)
    assert shown.count("<title>3 Jun 2026: 0.00\u202fEUR</title></line>") == 2
    assert "aria-label" not in shown.partition("<svg")[2].partition("</svg>")[0]


def test_a_chart_can_be_taken_further_with_altair() -> None:
    """README shows this: the chart as Altair's, changed, and as a cell shows it."""
    figure = show.trend(series(lambda i: i))
    goal = alt.Chart(alt.Data(values=[{"goal": 20}])).mark_rule().encode(y="goal:Q")
    changed = (figure.chart + goal).properties(height=400)
    found = own.figure(changed)
    assert found.title.split() == figure.title.split() and found.spec is not None and found.spec["height"] == 400
    assert "rule" in found.alt
    with pytest.raises(UsageError, match="is not a chart"):
        _ = show.note("x").chart


def test_the_text_of_the_chart_is_escaped_in_the_picture() -> None:
    figure = show.bars(result([("<i>x</i>", 3)], Field("label", "Label"), COUNT))
    picture = str(figure.html).partition("<svg")[2].partition("</svg>")[0]
    assert "&lt;i&gt;x&lt;/i&gt;" in picture and "<i>" not in picture


@pytest.mark.parametrize("scale", [{"zero": False}, {"domain": [5, 10]}, {"domain": [-9, -2]}])
def test_bars_that_do_not_start_at_zero_are_refused(scale: dict[str, object]) -> None:
    bar = {"mark": {"type": "bar"}, "encoding": {"x": {"field": "v", "type": "quantitative", "scale": scale}}}
    for spec in (bar, {"layer": [{"layer": [bar]}]}, {"facet": {}, "spec": bar}):
        with pytest.raises(UsageError, match="do not start at zero"):
            chart(
                title="t", subtitle="", alt="a", draw=lambda _, spec=spec: spec, table=Table((), ()), provenance=ORIGIN
            )


def _drawn_by(draw: Draw) -> Figure:
    return chart(title="t", subtitle="", alt="a", draw=draw, table=Table((), ()), provenance=ORIGIN)


def test_more_rows_than_can_be_seen_are_refused() -> None:
    table = Table((COUNT,), tuple((i,) for i in range(MOST_ROWS + 1)))
    with pytest.raises(UsageError, match="would have 1501 rows"):
        chart(title="t", subtitle="", alt="a", draw=lambda _: {"mark": "line"}, table=table, provenance=ORIGIN)
    many = {"data": {"values": [{"v": 1}] * (MOST_ROWS + 1)}, "mark": "line"}
    with pytest.raises(UsageError, match="would have 1501 rows"):
        chart(title="t", subtitle="", alt="a", draw=lambda _: many, table=Table((COUNT,), ((1,),)), provenance=ORIGIN)


def test_a_figure_tells_where_it_comes_from() -> None:
    shown = str(show.table(SPLIT).html)
    assert "Source: fct_orders (last row at 30 Jun 2026) · 123 rows · build b1" in shown
    assert "country &lt;&gt; &#39;&lt;DE&gt;&#39;" in shown, "the query, escaped"
    assert 'href="#def-net_revenue"' in shown, "a column that is a metric leads to its definition"
    assert 'href="#def-net_revenue">' in str(show.trend(series(lambda i: i)).html).replace(
        ' title="Gross minus refunds."', ""
    )


def test_provenance_of_several_names_everything_once() -> None:
    other = Provenance(("SELECT 2",), {"dim_users": ""}, "b1", 500, ("CHF has no rate.",))
    both = joined([ORIGIN, other, ORIGIN])
    assert both.sql == (*ORIGIN.sql, "SELECT 2") and list(both.tables) == ["fct_orders", "dim_users"]
    assert both.rows == 500 and both.notes == ("CHF has no rate.",) and both.build == "b1"


def test_the_head_brings_the_stylesheet_and_says_the_frame() -> None:
    figure = show.head("Commerce", WINDOW, WINDOW.year_before(), {"Build": "b1"})
    assert theme.stylesheet() in figure.html
    assert figure.text.splitlines() == [
        "Commerce",
        "Period: 3 – 30 Jun 2026 (28 days, Europe/Berlin)",
        "Compared with: the same weekdays a year before (4 Jun – 1 Jul 2025)",
        "Build: b1",
    ]
    assert figure.subtitle == "3 – 30 Jun 2026 · Europe/Berlin"


def test_the_digest_is_exact_and_plain() -> None:
    digest = show.digest([value(0.1 + 0.2, 1 / 3, ERRORS, "ratio"), value(None, 5)])
    assert digest.text.splitlines() == [
        "error_rate  0.3 ratio  2026-06-03..2026-06-30  before 0.333333",  # no noise of the 17th digit
        "net_revenue  – EUR  2026-06-03..2026-06-30  before 5",
    ]
