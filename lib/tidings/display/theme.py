"""Colours, type and the Altair theme: one set of tokens for the stylesheet and the chart config.

Chart specs name styles, never colours. Pages are drawn with `page_config()`, whose colours are CSS variables, so that
one picture is right in light, dark and print; a chart taken further with Altair has `config(LIGHT)`.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from types import MappingProxyType
from typing import Any

Palette = Mapping[str, str]

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
STEPS = 5  # of the sequential ramp

LIGHT: Palette = MappingProxyType(
    {
        "ground": "#ffffff",
        "panel": "#f6f7f9",
        "text": "#1a1f2b",
        "muted": "#5b6472",
        "hairline": "#e3e6eb",
        "axis": "#7b8494",
        "accent": "#3b5bdb",
        "before": "#878f9d",
        "series-2": "#b0500c",
        "series-3": "#0f766e",
        "series-4": "#8b3fa8",
        "good": "#0f766e",
        "warn": "#8a5a00",
        "bad": "#b3401a",
        "ramp-0": "#e9edfb",
        "ramp-1": "#c2cef6",
        "ramp-2": "#94a9ec",
        "ramp-3": "#4c68cf",
        "ramp-4": "#24389c",
        "on-ramp-0": "#1a1f2b",
        "on-ramp-1": "#1a1f2b",
        "on-ramp-2": "#10141d",
        "on-ramp-3": "#ffffff",
        "on-ramp-4": "#ffffff",
    }
)
DARK: Palette = MappingProxyType(
    {
        "ground": "#12151c",
        "panel": "#191d26",
        "text": "#e7eaf0",
        "muted": "#a0a9b8",
        "hairline": "#2a303c",
        "axis": "#7f899a",
        "accent": "#8ea6ff",
        "before": "#808a9b",
        "series-2": "#f0a35e",
        "series-3": "#4fc3ae",
        "series-4": "#d59bea",
        "good": "#4fc3ae",
        "warn": "#e0b04b",
        "bad": "#ff9472",
        "ramp-0": "#1d2440",
        "ramp-1": "#2c3a6b",
        "ramp-2": "#43589f",
        "ramp-3": "#8098ea",
        "ramp-4": "#c3d0ff",
        "on-ramp-0": "#e7eaf0",
        "on-ramp-1": "#e7eaf0",
        "on-ramp-2": "#ffffff",
        "on-ramp-3": "#10141d",
        "on-ramp-4": "#10141d",
    }
)


def stylesheet() -> str:
    """The whole stylesheet as text: tokens for light and dark, then the rules; needs nothing else."""
    rules = resources.files("tidings.display").joinpath("theme.css").read_text(encoding="utf-8")
    light, dark = _variables(LIGHT), _variables(DARK)
    return "\n".join(
        [
            f":root{{{light}}}",
            # Dark is for screens only: paper is always light.
            "@media screen{",
            f"@media (prefers-color-scheme:dark){{:root:not([data-theme=light]){{{dark}}}}}",
            f":root[data-theme=dark]{{{dark}}}",
            # JupyterLab has a theme of its own, which overrides that of the system.
            f"body[data-jp-theme-light=true]{{{light}}}",
            f"body[data-jp-theme-light=false]{{{dark}}}",
            "}",
            rules,
        ]
    )


def page_config() -> dict[str, Any]:
    """The Vega-Lite config for a page that holds `stylesheet()`: every colour is a CSS variable."""
    return config({name: f"var(--td-{name})" for name in LIGHT}) | {"background": "transparent"}


def config(colours: Palette) -> dict[str, Any]:
    """The Vega-Lite config of one palette: type sizes, hairlines, and the named styles that our specs use."""
    series = [colours["accent"], colours["series-2"], colours["series-3"], colours["series-4"]]
    ramp = [colours[f"ramp-{step}"] for step in range(STEPS)]
    text = {"font": FONT, "fontSize": 12}
    line = {"strokeWidth": 2, "strokeJoin": "round"}
    return {
        "background": colours["ground"],
        "font": FONT,
        "aria": False,
        "padding": 4,
        "view": {"stroke": None, "continuousWidth": 640, "continuousHeight": 240},
        "title": {
            "anchor": "start",
            "color": colours["text"],
            "fontSize": 16,
            "fontWeight": 600,
            "subtitleColor": colours["muted"],
            "subtitleFontSize": 12,
            "subtitlePadding": 6,
            "offset": 16,
        },
        "axis": {
            "labelColor": colours["muted"],
            "labelFontSize": 12,
            "labelPadding": 6,
            "title": None,
            "titleColor": colours["muted"],
            "titleFontSize": 12,
            "titleFontWeight": 400,
            "grid": False,
            "ticks": False,
            "domain": False,
            "gridColor": colours["hairline"],
            "domainColor": colours["axis"],
            "tickColor": colours["axis"],
        },
        "header": {"labelColor": colours["text"], "labelFontSize": 12, "labelFontWeight": 600, "labelAnchor": "start"},
        "legend": {
            "orient": "top",
            "direction": "horizontal",
            "labelColor": colours["muted"],
            "labelFontSize": 12,
            "titleColor": colours["muted"],
            "titleFontSize": 12,
            "titleFontWeight": 400,
            "gradientStrokeColor": colours["hairline"],
        },
        "mark": {"color": colours["accent"]},
        "range": {"category": series, "heatmap": ramp, "ramp": ramp, "ordinal": ramp},
        # "color", not "stroke" or "fill": only this overrides Vega-Lite's own default.
        "style": {
            "now": {**line, "color": colours["accent"]},
            "open": {**line, "color": colours["accent"], "strokeDash": [3, 3], "opacity": 0.6},
            "so-far": {
                "color": colours["accent"],
                "fill": colours["ground"],
                "strokeWidth": 1.5,
                "size": 48,
                "opacity": 0.6,
            },
            "target": {**line, "color": colours["text"], "strokeWidth": 1, "strokeDash": [6, 3]},
            "weekend": {"color": colours["panel"]},
            "month": {"color": colours["axis"], "strokeWidth": 1, "opacity": 0.5},
            "event": {"color": colours["muted"], "strokeWidth": 1, "strokeDash": [2, 2]},
            "event-number": {**text, "color": colours["text"], "fontWeight": 600},
            "lone": {"color": colours["accent"], "filled": True, "size": 24, "opacity": 1},
            "lone-before": {"color": colours["before"], "filled": True, "size": 16, "opacity": 1},
            **{
                f"lone-{i}": {"color": colour, "filled": True, "size": 24, "opacity": 1}
                for i, colour in enumerate(series, 1)
            },
            "before": {**line, "color": colours["before"], "strokeWidth": 1.25},
            **{f"line-{i}": {**line, "color": colour} for i, colour in enumerate(series, 1)},
            "dot": {
                "color": colours["accent"],
                "stroke": colours["ground"],
                "strokeWidth": 1.5,
                "size": 64,
                "opacity": 1,
            },
            "bar": {"color": colours["accent"]},
            "bar-total": {"color": colours["before"]},
            "bar-up": {"color": colours["good"]},
            "bar-down": {"color": colours["bad"]},
            "zero": {"color": colours["axis"], "strokeWidth": 1},
            "label": {**text, "color": colours["text"]},
            "label-now": {**text, "color": colours["accent"], "fontWeight": 600},
            "label-before": {**text, "color": colours["muted"]},
            "label-target": {**text, "color": colours["text"]},
            "name": {**text, "color": colours["text"], "align": "left"},
            "bar-quiet": {"color": colours["accent"]},
            **{f"label-{i}": {**text, "color": colour, "fontWeight": 600} for i, colour in enumerate(series, 1)},
            "tile": {"stroke": colours["ground"], "strokeWidth": 1.5},
        },
    }


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """One config over another, part by part."""
    both = {key: (base[key], over[key]) for key in base if key in over}
    inner = {k: merged(b, o) if isinstance(b, Mapping) and isinstance(o, Mapping) else o for k, (b, o) in both.items()}
    return {**base, **over, **inner}


def difference(held: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of a config that differ from ours, so that `merged(ours, difference(held, ours))` has both."""
    found: dict[str, Any] = {}
    for key, value in held.items():
        own = ours.get(key)
        if isinstance(value, Mapping) and isinstance(own, Mapping):
            if inner := difference(value, own):
                found[key] = inner
        elif key not in ours or value != own:
            found[key] = value
    return found


def enable() -> None:
    """Give an analyst's Altair charts our theme, also when they are saved to a file."""
    # Imported here because it takes a second, and only an analyst's own charts need it.
    import altair as alt

    alt.theme.register("tidings", enable=True)(lambda: alt.theme.ThemeConfig(config=config(LIGHT)))  # type: ignore[typeddict-item]


def _variables(palette: Palette) -> str:
    return "".join(f"--td-{name}:{colour};" for name, colour in palette.items())
