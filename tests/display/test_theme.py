"""Colours that can be read, in light and in dark, and one set of names for all of them."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping

import altair as alt
import pytest

from tidings.display import theme

MODES = {"light": theme.LIGHT, "dark": theme.DARK}
TEXT = ("text", "muted", "accent", "good", "warn", "bad", "series-2", "series-3", "series-4")
MARKS = ("accent", "before", "axis", "good", "warn", "bad", "series-2", "series-3", "series-4")


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colours", MODES.values(), ids=MODES)
@pytest.mark.parametrize("ground", ["ground", "panel"])
def test_text_has_a_contrast_of_four_and_a_half(colours: Mapping[str, str], ground: str) -> None:
    weak = {name: contrast(colours[name], colours[ground]) for name in TEXT}
    assert {name: ratio for name, ratio in weak.items() if ratio < 4.5} == {}


@pytest.mark.parametrize("colours", MODES.values(), ids=MODES)
def test_marks_have_a_contrast_of_three(colours: Mapping[str, str]) -> None:
    weak = {name: contrast(colours[name], colours["ground"]) for name in MARKS}
    assert {name: ratio for name, ratio in weak.items() if ratio < 3} == {}


@pytest.mark.parametrize("colours", MODES.values(), ids=MODES)
def test_figures_can_be_read_on_every_step_of_the_ramp(colours: Mapping[str, str]) -> None:
    for step in range(theme.STEPS):
        assert contrast(colours[f"on-ramp-{step}"], colours[f"ramp-{step}"]) >= 4.5, step


@pytest.mark.parametrize("colours", MODES.values(), ids=MODES)
def test_the_ramp_leads_away_from_the_ground(colours: Mapping[str, str]) -> None:
    steps = [contrast(colours[f"ramp-{step}"], colours["ground"]) for step in range(theme.STEPS)]
    assert steps == sorted(steps) and steps[-1] >= 3
    assert all(later / earlier > 1.2 for earlier, later in itertools.pairwise(steps)), steps


def test_both_modes_name_the_same_colours() -> None:
    assert set(theme.LIGHT) == set(theme.DARK)


def test_the_stylesheet_uses_no_colour_that_is_not_defined() -> None:
    sheet = theme.stylesheet()
    used = set(re.findall(r"var\(--td-([a-z0-9-]+)\)", sheet))
    assert used and used <= set(theme.LIGHT)
    rules = sheet[sheet.index("/* Tidings") :]
    assert not re.search(r"#[0-9a-fA-F]{3,8}\b", rules), "colours are tokens"


def test_the_stylesheet_asks_no_other_host_and_cannot_end_its_element() -> None:
    sheet = theme.stylesheet()
    assert "url(" not in sheet and "@import" not in sheet and "</" not in sheet


def test_paper_is_never_dark() -> None:
    sheet = theme.stylesheet()
    first, screen = sheet.index(theme.DARK["ground"]), sheet.index("@media screen{")
    assert screen < first, "dark tokens stand inside @media screen"
    inside = sheet[screen : sheet.index("\n}\n")]
    assert inside.count(theme.DARK["ground"]) == sheet.count(theme.DARK["ground"])


def test_the_page_config_holds_only_variables() -> None:
    text = json.dumps(theme.page_config())
    assert not re.search(r"#[0-9a-f]{6}", text) and "var(--td-accent)" in text


def test_a_picture_for_a_mail_has_an_opaque_ground() -> None:
    assert theme.config(theme.LIGHT)["background"] == "#ffffff"
    assert theme.page_config()["background"] == "transparent"


@pytest.fixture
def _altair_as_it_was() -> object:
    names = alt.renderers.active, alt.theme.active
    yield
    alt.renderers.enable(names[0])
    alt.theme.enable(names[1])


@pytest.mark.usefixtures("_altair_as_it_was")
def test_an_analysts_chart_gets_the_look() -> None:
    theme.enable()
    chart = alt.Chart(alt.Data(values=[{"a": 1}])).mark_point().encode(x="a:Q")
    assert chart.to_dict()["config"]["mark"]["color"] == theme.LIGHT["accent"]


def test_what_a_config_says_of_its_own_outranks_ours_and_nothing_else() -> None:
    ours = {"axis": {"grid": False, "labelFontSize": 12}, "font": "A"}
    said = theme.merged(ours, {"axis": {"grid": True}})
    assert said == {"axis": {"grid": True, "labelFontSize": 12}, "font": "A"}
    assert theme.difference(said, ours) == {"axis": {"grid": True}}
    assert theme.difference(ours, ours) == {}
