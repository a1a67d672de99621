"""HTML fragments: frames with their sources, tables with heads and cells. All text is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from markupsafe import Markup

from tidings.display import formats, rows
from tidings.language import message, say
from tidings.metrics.metric import Metric
from tidings.metrics.result import Behind, Field, Provenance, Result

Kind = Literal["head", "findings", "cards", "gauge", "chart", "table", "note", "digest"]
NOWHERE = Provenance((), {}, "")
DEFINED = message("Definition: ")
"""What precedes the links to definitions, the last of a source line."""
ROWS_OF = "#td-rows-"
"""What precedes the number of a row of a result in a link to the rows behind it."""
_LONGEST_WORD = 20
_BEHIND = Markup('<div class="td-behind">')
_END = Markup("</figure>")
_NUMERIC = Markup(' class="td-num"')


@dataclass(frozen=True)
class Table:
    """Rows of a figure as plain values; the units of the fields decide their format."""

    fields: tuple[Field, ...]
    rows: tuple[tuple[Any, ...], ...]

    @classmethod
    def of(cls, result: Result) -> Table:
        """The table of a result."""
        return cls(result.fields, result.rows)

    def html(self, label: str, behind: Behind | None = None) -> Markup:
        """The whole table as a fragment; `label` names its box for screen readers, `behind` leads to rows."""
        order, decimals = rows.in_view(self.fields), rows.decimals(self.fields, self.rows)
        body = Markup("").join(
            Markup("<tr>{}</tr>").format(
                Markup("").join(
                    cell(self.fields[at], row[at], at, decimals[at], address_behind(behind, n)) for at in order
                )
            )
            for n, row in enumerate(self.rows)
        )
        return scroll(label, Markup("").join(column_head(self.fields[at]) for at in order), body)

    def data(self) -> dict[str, Any]:
        """The table for the record: JSON values, money as text so that no cent is lost."""
        return {
            "columns": [{"name": f.name, "title": f.title, "unit": f.unit} for f in self.fields],
            "rows": [[plain(value) for value in row] for row in self.rows],
        }


def frame(
    kind: Kind,
    title: str,
    subtitle: str,
    body: Markup,
    notes: Iterable[str] = (),
    table: Table | None = None,
    provenance: Provenance = NOWHERE,
    metrics: Sequence[Metric] = (),
) -> Markup:
    """The box of every figure: heading, body, notes, and the fragment of `behind`."""
    heading = Markup("")
    if title or subtitle:
        heading = Markup("<figcaption>{}{}</figcaption>").format(
            Markup('<p class="td-title">{}</p>').format(title) if title else "",
            Markup('<p class="td-subtitle">{}</p>').format(subtitle) if subtitle else "",
        )
    all_notes = [*notes, *provenance.notes]
    return Markup('<figure class="td td-{}">{}{}{}{}</figure>').format(
        kind,
        heading,
        body,
        Markup('<p class="td-notes">{}</p>').format(Markup("<br>").join(all_notes)) if all_notes else "",
        behind(title or kind, table, provenance, metrics),
    )


def behind(label: str, table: Table | None, provenance: Provenance, metrics: Sequence[Metric] = ()) -> Markup:
    """The source line with links to the definitions, and folded below it the data and the queries."""
    parts: list[Markup | str] = []
    if provenance.tables:
        named = [f"{name} ({state})" if state else name for name, state in provenance.tables.items()]
        parts.append(say("Source: {tables}", tables=", ".join(named)))
    if provenance.rows is not None:
        parts.append(formats.plural(provenance.rows, "row"))
    if provenance.build:
        parts.append(say("build {build}", build=provenance.build))
    if metrics:
        links = Markup(", ").join(map(definition, dict.fromkeys(metrics)))
        parts.append(Markup("{}{}").format(say(DEFINED), links))
    line = Markup('<p class="td-source">{}</p>').format(Markup(" · ").join(parts)) if parts else Markup("")
    inner = Markup("") if table is None else table.html(say("Data: {label}", label=label))
    for number, sql in enumerate(provenance.sql, start=1):
        inner += Markup('<pre class="td-sql" tabindex="0" role="region" aria-label="{}"><code>{}</code></pre>').format(
            say("Query {n}: {label}", n=number, label=label), sql
        )
    if not inner:
        return _BEHIND + line + Markup("</div>") if line else line
    what = (
        say("Data and query")
        if table is not None and provenance.sql
        else say("Query")
        if provenance.sql
        else say("Data")
    )
    summary = Markup('<summary>{}<span class="td-hidden"> {}</span></summary>').format(
        what, say("of “{name}”", name=label)
    )
    return _BEHIND + Markup("{}<details>{}{}</details></div>").format(line, summary, inner)


class Split(NamedTuple):
    """A fragment without what lies behind it: its source line, and its data and queries, each maybe empty."""

    figure: Markup
    source: Markup
    inner: Markup


def split_behind(html: str) -> Split:
    """Take from a fragment of `frame` what `behind` put there, for a page that keeps that at its end."""
    front, mark, rest = html.rpartition(str(_BEHIND))
    if not mark or not rest.endswith(f"</div>{_END}"):
        # Not one of ours.
        return Split(Markup(html), Markup(""), Markup(""))  # noqa: S704
    rest = rest.removesuffix(f"</div>{_END}")
    line, _, folded = rest.partition("<details>")
    inner = folded.partition("</summary>")[2].removesuffix("</details>")
    # Safe: all three are parts of a fragment whose texts were escaped, so that none of these marks is of a text.
    return Split(Markup(front) + _END, Markup(line), Markup(inner))  # noqa: S704


def definition(metric: Metric) -> Markup:
    """The name of a metric as a link to its definition, which is also its tooltip."""
    return Markup('<a href="#def-{}" title="{}">{}</a>').format(metric.name, metric.definition, metric.title)


def column_head(field: Field) -> Markup:
    """The head of a column, with its unit where the cells do not carry it, leading to its definition if it has one."""
    unit = formats.head_unit(field.unit)
    metric = rows.metric_of(field)
    name: Markup | str = field.title
    if metric is not None:
        name = Markup('<a href="#def-{}" title="{}">{}</a>').format(metric.name, metric.definition, field.title)
    return Markup('<th scope="col"{}>{}{}</th>').format(
        _NUMERIC if formats.is_numeric_unit(field.unit) else "",
        name,
        Markup(' <span class="td-unit">{}</span>').format(unit) if unit else "",
    )


def address_behind(behind: Behind | None, number: int) -> str:
    """Where a page has the rows behind a row of a result; the page completes it. Empty where there are none."""
    has_rows = behind is not None and number < len(behind.groups) and behind.groups[number] is not None
    return f"{ROWS_OF}{number}" if has_rows else ""


def cell(field: Field, value: Any, index: int, decimals: int | None = None, address: str = "") -> Markup:
    """One cell; the first of a row heads it, and leads to an `address` if there is one.

    A change has arrow and sign, and no colour, as nobody judged it.
    """
    if rows.is_change(field):
        return Markup('<td class="td-num">{}</td>').format(formats.arrowed(formats.full_change(value, field.unit)))
    shown = formats.full(value, field.unit, decimals)
    klass = _NUMERIC if formats.is_numeric_unit(field.unit) else _wrapping(field, shown)
    if index == 0:
        head = Markup('<a href="{}">{}</a>').format(address, shown) if address else shown
        return Markup('<th scope="row"{}>{}</th>').format(klass, head)
    return Markup("<td{}>{}</td>").format(klass, shown)


def _wrapping(field: Field, shown: str) -> Markup:
    """A date stays on one line; a name without a blank may break anywhere, but only if it is long."""
    if field.unit == "date":
        return Markup(' class="td-date"')
    is_long = max(map(len, shown.split()), default=0) > _LONGEST_WORD
    return Markup(' class="td-long"') if is_long else Markup(' class="td-text"')


def scroll(label: str, heads: Markup, body: Markup, klass: str = "") -> Markup:
    """A table in a scrolling box that takes the focus."""
    return Markup(
        '<div class="td-scroll" tabindex="0" role="region" aria-label="{}"><table class="td-table{}">'
        "<thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>"
    ).format(label, klass, heads, body)


def plain(value: Any) -> Any:
    """A value as JSON allows it: dates and decimals as text, NaN as null, a `Printed` as text, value and unit."""
    if isinstance(value, formats.Printed):
        return {"text": str(value), "value": plain(value.value), "unit": value.unit}
    if isinstance(value, Decimal):
        return format(value, "f") if value.is_finite() else None
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and not formats.is_number(value):
        return None
    return value
