"""The public functions of `display`: everything that makes a Figure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from markupsafe import Markup

from tidings.currencies import places
from tidings.display import formats, theme
from tidings.display.bars import bars, columns, funnel
from tidings.display.cards import cards
from tidings.display.charts import lines, multiples, trend
from tidings.display.figure import Figure, note
from tidings.display.fragments import Table, frame
from tidings.display.gauge import gauge
from tidings.display.sentences import findings
from tidings.display.spread import heatmap, histogram
from tidings.display.tables import cohorts, ranking, segments, table, text_table
from tidings.display.waterfall import waterfall
from tidings.language import THIN, Language, say, speaking
from tidings.metrics.metric import Number
from tidings.metrics.result import Provenance, Result, Value, joined
from tidings.window import Window

__all__ = [
    "Figure",
    "bars",
    "cards",
    "cohorts",
    "columns",
    "digest",
    "findings",
    "funnel",
    "gauge",
    "head",
    "heatmap",
    "histogram",
    "lines",
    "multiples",
    "note",
    "ranking",
    "segments",
    "table",
    "trend",
    "waterfall",
]


def head(
    title: str,
    window: Window,
    compare: Window | None = None,
    facts: Mapping[str, str] | None = None,
    provenance: Provenance | None = None,
) -> Figure:
    """The head of a section: title, period and zone, comparison, and facts such as the build.

    It contains the stylesheet, so that JupyterLab shows the section as the page does.
    """
    period = f"{window.label} · {window.zone.name}"
    shown_facts = {say("Period"): f"{window.label} ({formats.plural(window.days, 'day')}, {window.zone.name})"}
    if compare is not None:
        words = formats.compared_with(window, compare)
        shown_facts[say("Compared with")] = words if compare.label in words else f"{words} ({compare.label})"
    shown_facts |= facts or {}
    body = Markup('<dl class="td-facts">{}</dl>').format(
        Markup("").join(
            Markup("<div><dt>{}</dt><dd>{}</dd></div>").format(name, fact) for name, fact in shown_facts.items()
        )
    )
    # Safe: the stylesheet is ours.
    style = Markup(f"<style>{theme.stylesheet()}</style>")  # noqa: S704
    return Figure(
        kind="head",
        html=style + frame("head", title, "", body),
        text="\n".join([title, *(f"{name}: {fact}" for name, fact in shown_facts.items())]),
        title=title,
        subtitle=period,
        alt=f"{title}, {period}",
        provenance=provenance or Provenance((), {}, ""),
    )


def digest(items: Iterable[Value | Result]) -> Figure:
    """The values of a section as short plain lines, the same for equal data: name, value, unit, window.

    Exact to the cent or to six significant digits, so that another machine's rounding makes no difference.
    """
    given = list(items)
    plain_lines: list[str] = []
    # The same in every language, but for titles that were made in one.
    with speaking(Language()):
        for item in given:
            if isinstance(item, Value):
                plain_lines.append(_value_line(item))
            else:
                plain_lines += [item.title, *(f"  {line}" for line in text_table(Table.of(item)).splitlines())]
    text = "\n".join(plain_lines).replace(THIN, " ")
    values = tuple(item for item in given if isinstance(item, Value))
    return Figure(
        kind="digest",
        html=frame("digest", "", "", Markup('<pre tabindex="0">{}</pre>').format(text)),
        text=text,
        title="Digest",
        alt=text,
        values=values,
        provenance=joined(item.provenance for item in given),
    )


def _value_line(value: Value) -> str:
    window = f"{value.window.start}..{value.window.last_day}"
    before = "" if value.before_window is None else f"  before {_exact(value.before, value.unit)}"
    return f"{value.metric.name}  {_exact(value.value, value.unit)} {value.unit}  {window}{before}"


def _exact(value: Number, unit: str) -> str:
    if value is None:
        return formats.MISSING
    if isinstance(value, Decimal):
        return f"{value:.{places(unit)}f}"
    return f"{value}" if isinstance(value, int) else f"{value:.6g}"
