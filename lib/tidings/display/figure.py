"""What a notebook cell shows: an HTML fragment, and the same content as data for the record."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import vl_convert
from markupsafe import Markup

from tidings.display import theme
from tidings.display.fragments import NOWHERE, Kind, Table, frame, plain
from tidings.enrich.characters import plain as plain_text
from tidings.errors import UsageError
from tidings.language import in_force
from tidings.metrics.metric import Metric
from tidings.metrics.result import Behind, Provenance, Value

HTML = "text/html"
TEXT = "text/plain"
TIDINGS = "application/vnd.tidings.v1+json"
SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
MOST_ROWS = 1500
WIDE, NARROW = 760, 328
"""Widths in px of the two pictures of a chart, for a desktop or paper and for a phone; the page shows what fits."""
Draw = Callable[[int], Mapping[str, Any]]
"""A chart's specification for a width in px: labels that fit at one collide at another."""
# What Vega writes of a mark that has a description, all of it escaped.
_DESCRIBED = re.compile(r'<(\w+) aria-label="([^"]*)" role="graphics-symbol" aria-roledescription="[^"]*"([^>]*)/>')


@dataclass(frozen=True)
class Finding:
    """A sentence or a few on one thing; `chance` is how likely the history makes it, None where nothing is judged.

    `subject` is the same for what is one fact; `action` is what to do. `metrics` are the names of those it is of, and
    `outline` says the same without rows and sources, for anybody; empty where that is nothing.
    """

    text: str
    subject: str
    chance: float | None = None
    action: str = ""
    provenance: Provenance = NOWHERE
    metrics: tuple[str, ...] = ()
    outline: str = ""


@dataclass(frozen=True)
class Figure:
    """What a cell displays. `html` is safe markup styled by theme.css; `text` is the same for equal data.

    A chart's fragment holds `<div class="td-vega" role="img" aria-label="...">` around one or two drawn pictures whose
    colours are CSS variables; theme.css shows the one that fits. `spec` is the wider one's specification.
    """

    kind: Kind
    html: Markup
    text: str
    title: str = ""
    subtitle: str = ""
    alt: str = ""
    values: tuple[Value, ...] = ()
    table: Table | None = None
    provenance: Provenance = NOWHERE
    spec: Mapping[str, Any] | None = None
    findings: tuple[Finding, ...] = ()
    behind: Behind | None = None

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        if self.kind == "digest":
            # nbval compares all forms of an output, and the others contain the build's id.
            return {TEXT: self.text}
        return {HTML: str(self.html), TEXT: self.text, TIDINGS: self.record()}

    @property
    def chart(self) -> Any:
        """The same chart as Altair's, validated, to be changed further: `.properties(...)`, layers, selections.

        Raises:
            UsageError: the figure is not a chart.
        """
        if self.spec is None:
            raise UsageError(
                f"'{self.title or self.kind}' is not a chart.", "Take one of show.lines, show.bars and so on."
            )
        # Imported here because it takes a second, and only an analyst who goes on drawing needs it.
        import altair as alt

        return alt.Chart.from_dict(plain_spec(self.spec))

    def record(self) -> dict[str, Any]:
        """The structured content: what pages, mails and spreadsheets read (docs/architecture.md, "The record")."""
        return {
            "type": self.kind,
            "title": self.title,
            "subtitle": self.subtitle,
            "alt": self.alt,
            "figures": [figure_of(value) for value in self.values],
            "findings": [
                {
                    "text": one.text,
                    "subject": one.subject,
                    "chance": one.chance,
                    "action": one.action,
                    "metrics": list(one.metrics),
                    "outline": one.outline,
                }
                for one in self.findings
            ],
            "table": None if self.table is None else self.table.data(),
            **({} if self.behind is None else {"behind": _led_to(self.behind)}),
            "provenance": {
                "sql": list(self.provenance.sql),
                "tables": dict(self.provenance.tables),
                "build": self.provenance.build,
                "rows": self.provenance.rows,
                "notes": list(self.provenance.notes),
                "views": dict(self.provenance.views),
                "absent": self.provenance.absent,
            },
        }


def note(text: str) -> Figure:
    """A muted remark, say that a window has no data."""
    return Figure("note", frame("note", "", "", Markup("<p>{}</p>").format(text)), text, title=text, alt=text)


def chart(
    *,
    title: str,
    subtitle: str,
    alt: str,
    draw: Draw,
    table: Table,
    provenance: Provenance,
    notes: Sequence[str] = (),
    key: Markup | str = "",
    metrics: Sequence[Metric] = (),
    behind: Behind | None = None,
) -> Figure:
    """A chart in its frame: title with the finding, subtitle with the measure, picture, notes, data and source.

    `draw` gives Vega-Lite without colours, config or title. `key` explains the lines where labels at their ends do not.

    Raises:
        UsageError: more rows than allowed, or a bar that does not start at zero.
    """
    spec = {"$schema": SCHEMA, **draw(WIDE)}
    carried = max(len(table.rows), len(spec.get("data", {}).get("values", ())))
    if carried > MOST_ROWS:
        raise UsageError(
            f"The chart '{title}' would have {carried} rows.",
            f"Group them before drawing: at most {MOST_ROWS} are allowed.",
        )
    _require_zero(spec, title)
    heading = {"text": _wrapped(title, 80), "subtitle": _wrapped(subtitle, 100)}
    box = pictures(alt, spec, {"$schema": SCHEMA, **draw(NARROW)})
    return Figure(
        kind="chart",
        html=frame("chart", title, subtitle, Markup("{}{}").format(key, box), notes, table, provenance, metrics),
        text=f"{title}\n{alt}",
        title=title,
        subtitle=subtitle,
        alt=alt,
        table=table,
        provenance=provenance,
        spec={**spec, "title": heading, "config": theme.config(theme.LIGHT)},
        behind=behind,
    )


def pictures(alt: str, wide: Mapping[str, Any], narrow: Mapping[str, Any] | None = None) -> Markup:
    """The box of a chart with its pictures; without a `narrow` one a phone shows the other, made smaller."""
    if narrow is None:
        return Markup('<div class="td-vega" role="img" aria-label="{}">{}</div>').format(alt, still(wide, "td-only"))
    return Markup('<div class="td-vega" role="img" aria-label="{}">{}{}</div>').format(
        alt, still(wide, "td-wide"), still(narrow, "td-narrow")
    )


def still(spec: Mapping[str, Any], klass: str) -> Markup:
    """The chart as inline SVG in the page's colours, its tooltips as titles of its marks: it needs no script.

    The spec's own `config` overrides the page's.
    """
    config = theme.merged(theme.page_config(), spec.get("config", {}))
    # A character that XML does not allow makes the library abort the process.
    seen = plain_spec(_titled({**spec, "config": config}))
    svg: str = vl_convert.vegalite_to_svg(seen, vl_version="6.4", **in_force().of_charts)
    # The page sets the type; five thousand copies of the font stack do not help.
    svg = svg.replace(f' font-family="{theme.FONT}"', "")
    svg = _DESCRIBED.sub(r"<\1\3><title>\2</title></\1>", svg)
    # Safe: Vega escapes all text of the spec, and the tests hold it to that.
    return Markup(  # noqa: S704
        svg.replace("<svg ", '<svg aria-hidden="true" focusable="false" ', 1).replace(
            'class="marks"', f'class="marks {klass}"', 1
        )
    )


def _led_to(behind: Behind) -> dict[str, Any]:
    """The rows behind the rows of a figure's table, for the record."""
    groups = [
        None if one is None else {"command": one.command, "total": one.total, **Table(one.fields, one.rows).data()}
        for one in behind.groups
    ]
    return {"command": behind.command, "groups": groups}


def figure_of(value: Value) -> dict[str, Any]:
    """One value for the record."""
    return {
        "metric": value.metric.name,
        "title": value.metric.title,
        "value": _text(value.value),
        "unit": value.unit,
        "window": {"from": value.window.start.isoformat(), "to": value.window.end.isoformat()},
        "before": _text(value.before),
        "change": value.change,
        "status": value.status,
        "why": value.why,
        "why_no_change": value.why_no_change,
    }


def _text(value: Any) -> str | None:
    shown = plain(value)
    return None if shown is None else str(shown)


def _wrapped(text: str, width: int) -> list[str]:
    lines, line = [], ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    return [*lines, line]


def plain_spec(part: Any) -> Any:
    """A spec whose texts have only characters that a picture allows."""
    if isinstance(part, Mapping):
        return {plain_text(key): plain_spec(value) for key, value in part.items()}
    if isinstance(part, list | tuple):
        return [plain_spec(value) for value in part]
    return plain_text(part) if isinstance(part, str) else part


def _titled(part: Any) -> Any:
    """A spec whose marks with a tooltip have it as their description, which a picture can carry."""
    if not isinstance(part, Mapping):
        return [_titled(inner) for inner in part] if isinstance(part, list) else part
    held = {key: inner if key in ("data", "datasets") else _titled(inner) for key, inner in part.items()}
    mark, encoding = held.get("mark"), held.get("encoding")
    if not mark or not isinstance(encoding, Mapping) or "tooltip" not in encoding:
        return held
    tooltip = encoding["tooltip"]
    described = {"description": tooltip} if isinstance(tooltip, Mapping) else {}
    held["mark"] = {**(mark if isinstance(mark, Mapping) else {"type": mark}), "aria": True}
    held["encoding"] = {**{key: inner for key, inner in encoding.items() if key != "tooltip"}, **described}
    return held


def _require_zero(spec: Mapping[str, Any], title: str) -> None:
    for part in [*spec.get("layer", ()), *filter(None, [spec.get("spec")])]:
        _require_zero(part, title)
    mark = spec.get("mark")
    kind = mark["type"] if isinstance(mark, dict) else mark
    encoding: Mapping[str, Any] = spec.get("encoding", {})
    for axis in ("x", "y"):
        # A bar between two positions (a bin) has its length on the other axis.
        if kind not in ("bar", "area") or f"{axis}2" in encoding:
            continue
        scale = encoding.get(axis, {}).get("scale") or {}
        numbers = [edge for edge in scale.get("domain") or () if not isinstance(edge, str)]
        if scale.get("zero") is False or (numbers and not min(numbers) <= 0 <= max(numbers)):
            raise UsageError(
                f"The bars of '{title}' do not start at zero.", "Draw a line instead, or let the axis begin at 0."
            )
