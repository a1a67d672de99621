"""Tables: rankings with inline bars, cohorts as a tinted triangle, any result as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from tidings.display import formats, rows, theme, titles
from tidings.display.figure import Figure
from tidings.display.fragments import Table, address_behind, cell, column_head, frame, scroll
from tidings.language import say, say_count
from tidings.metrics.result import Result

MOST_RANKED = 12
MOST_SHOWN = 100
# About as many rows as the box of a table shows at once.
MOST_IN_SIGHT = 12
_GAP = f">{formats.MISSING}</td>"


def table(result: Result, title: str | None = None) -> Figure:
    """A result as it is, its first column as row heads; rows beyond a hundred are only counted."""
    result = rows.in_words(result)
    shown = Table(result.fields, result.rows[:MOST_SHOWN])
    left = len(result.rows) - len(shown.rows)
    name = title or result.title
    notes = [say("{rows} not shown.", rows=formats.plural(left, "more row"))] if left else []
    if (held := len(shown.rows)) > MOST_IN_SIGHT:
        notes.append(say_count(held, "{n} row: scroll for more.", "{n} rows: scroll for more.", n=held))
    return _figure(result, name, "", shown.html(name, result.behind) if result.rows else _nothing(), notes)


def ranking(result: Result, value: str | None = None, title: str | None = None) -> Figure:
    """Rows in the result's order, with an inline bar beside `value` (by default the first column of numbers).

    A first row "Total" and a last row "others (n)" are set apart without a bar. Beyond twelve parts the rest is
    counted, not added up: visitors of two pages may be the same people. A change has arrow and sign.

    Raises:
        UsageError: the result has no column of numbers, or `value` is not one of them.
    """
    result = rows.in_words(result)
    measure, split = rows.value_field(result, value), rows.split(result)
    at = result.fields.index(measure)
    shown = split.parts[:MOST_RANKED]
    left = len(split.parts) - len(shown)
    top = max((float(row[at]) for row in split.parts if formats.is_number(row[at])), default=0.0)
    body = [
        *([_ranked(result, split.total, at, 0.0, "td-total")] if split.total else []),
        *(_ranked(result, row, at, top) for row in shown),
        *([_ranked(result, split.others, at, 0.0, "td-others")] if split.others else []),
    ]
    order = rows.in_view(result.fields)
    heads = [column_head(result.fields[column]) for column in order]
    heads.insert(order.index(at) + 1, Markup('<td class="td-barcell"></td>'))
    name = title or titles.ranking(result, measure)
    markup = scroll(name, Markup("").join(heads), Markup("").join(body), " td-ranking")
    notes = [say("{rows} not shown.", rows=formats.plural(left, "smaller row"))] if left else []
    return _figure(result, name, result.title, markup if result.rows else _nothing(), notes)


def segments(result: Result, title: str | None = None) -> Figure:
    """Customer segments (metric definitions 10): a ranking whose title says which holds most customers."""
    measure = rows.value_field(result)
    known = [(name, float(n)) for name, n in rows.pairs(result, rows.split(result).parts, measure) if n is not None]
    people = sum(n for _, n in known)
    finding = None
    if people:
        name, most = max(known, key=lambda pair: pair[1])
        share = formats.short(most / people, "ratio")
        finding = say(
            "{name}: {n} of {all} customers ({share})",
            name=name,
            n=formats.short(most, "count"),
            all=formats.short(people, "count"),
            share=share,
        )
    return ranking(result, measure.name, title or finding)


def cohorts(result: Result, title: str | None = None) -> Figure:
    """Retention as a triangle: a row per cohort, a column per period since, tinted by rate.

    The result is long: columns `cohort`, `size`, `interval` (0, 1, 2 ...), `rate` and `state` (`complete`,
    `incomplete`, `future`). A cell whose period is still running is marked; one whose period has not begun is empty
    (metric definitions 2).

    Raises:
        UsageError: one of these columns is missing.
    """
    result = rows.in_words(result)
    names = ("cohort", "size", "interval", "rate", "state")
    columns = {name: (rows.field_named(result, name), result.column(name)) for name in names}
    cells: dict[tuple[Any, int], tuple[Any, bool]] = {}
    sizes: dict[Any, Any] = {}
    for cohort, size, interval, rate, state in zip(*(held for _, held in columns.values()), strict=True):
        sizes[cohort] = size
        cells[cohort, int(interval)] = (rate, state == "incomplete")
    intervals = sorted({interval for _, interval in cells})
    top = max((float(rate) for (_, k), (rate, _) in cells.items() if k and formats.is_number(rate)), default=0.0)
    heads = [column_head(columns["cohort"][0]), column_head(columns["size"][0])]
    heads += [Markup('<th scope="col" class="td-num">{}</th>').format(k) for k in intervals]
    unit = columns["cohort"][0].unit
    body = Markup("").join(
        Markup('<tr><th scope="row">{}</th><td class="td-num">{}</td>{}</tr>').format(
            formats.full(cohort, unit),
            formats.full(size, "count"),
            Markup("").join(_tinted(*cells.get((cohort, k), (None, False)), k, top) for k in intervals),
        )
        for cohort, size in sizes.items()
    )
    name = title or _cohort_title(cells, sizes)
    across = rows.in_sentence(columns["interval"][0].title)
    what = say("{title}, % of each cohort; {column} across", title=result.title, column=across)
    notes = [say("Empty: the period has not begun, or the cohort is empty.")]
    if any(is_open for _, is_open in cells.values()):
        notes.append(say("* The period is still running: the rate so far, left out of averages."))
    markup = scroll(name, Markup("").join(heads), body, " td-cohorts")
    return _figure(result, name, what, markup if sizes else _nothing(), notes if sizes else [])


def text_table(rows_shown: Table, most: int = 15) -> str:
    """A table as aligned plain text; the same for equal rows."""
    fields = rows_shown.fields
    shown = [[_plainly(f.unit, v) for f, v in zip(fields, row, strict=True)] for row in rows_shown.rows[:most]]
    grid = [[f"{f.title} {formats.head_unit(f.unit)}".strip() for f in fields], *shown]
    widths = [max(len(line[i]) for line in grid) for i in range(len(fields))]
    right = [formats.is_numeric_unit(field.unit) for field in fields]
    lines = [
        "  ".join(t.rjust(w) if r else t.ljust(w) for t, w, r in zip(line, widths, right, strict=True)).rstrip()
        for line in grid
    ]
    left = len(rows_shown.rows) - len(shown)
    return "\n".join(lines + ([say("… {n} more", n=left)] if left else []))


def _plainly(unit: str, value: Any) -> str:
    return " ".join(formats.full(value, unit).split())


def _figure(result: Result, title: str, subtitle: str, body: Markup, notes: Sequence[str]) -> Figure:
    if _GAP in body:
        notes = [say("–: no value, as there are no rows or the denominator is 0."), *notes]
    return Figure(
        kind="table",
        html=frame("table", title, "" if subtitle == title else subtitle, body, notes, None, result.provenance),
        text=f"{title}\n{text_table(Table.of(result))}",
        title=title,
        subtitle=subtitle,
        alt=say("Table of {title}: {rows}.", title=result.title, rows=formats.plural(len(result.rows), "row")),
        table=Table.of(result),
        provenance=result.provenance,
        behind=result.behind,
    )


def _nothing() -> Markup:
    return Markup('<p class="td-muted">{}</p>').format(say("No data in this window."))


def _ranked(result: Result, row: Sequence[Any], at: int, top: float, klass: str = "") -> Markup:
    order = rows.in_view(result.fields)
    decimals = rows.decimals(result.fields, result.rows)
    address = address_behind(result.behind, result.rows.index(tuple(row)))
    cells = [cell(result.fields[column], row[column], column, decimals[column], address) for column in order]
    bar = Markup("")
    if top > 0 and formats.is_number(row[at]):
        share = 100 * max(float(row[at]), 0.0) / top
        bar = Markup('<span class="td-bar"><span style="width:{:.1f}%"></span></span>').format(share)
    cells.insert(order.index(at) + 1, Markup('<td class="td-barcell" aria-hidden="true">{}</td>').format(bar))
    return Markup("<tr{}>{}</tr>").format(Markup(' class="{}"').format(klass) if klass else "", Markup("").join(cells))


def _tinted(rate: Any, is_open: bool, interval: int, top: float) -> Markup:
    if not formats.is_number(rate):
        return Markup('<td class="td-num td-future"></td>')
    # The first column is 100 % by definition: it would leave no tint for the others.
    step = min(theme.STEPS - 1, int(float(rate) / top * theme.STEPS)) if interval and top else None
    klass = "td-zero" if step is None else f"td-ramp-{step}"
    return Markup('<td class="td-num {}{}">{}{}</td>').format(
        klass,
        " td-immature" if is_open else "",
        formats.percentage(rate),
        Markup('<span class="td-mark">*</span>') if is_open else "",
    )


def _cohort_title(cells: Mapping[tuple[Any, int], tuple[Any, bool]], sizes: Mapping[Any, Any]) -> str:
    """The average of the first interval, weighted by size, over complete cells only (metric definitions 2)."""
    known = [
        (float(rate) * float(sizes[cohort]), float(sizes[cohort]))
        for (cohort, k), (rate, is_open) in cells.items()
        if k == 1 and not is_open and formats.is_number(rate) and sizes[cohort]
    ]
    if not known:
        return say("No cohort has a complete period yet")
    share = formats.short(sum(back for back, _ in known) / sum(size for _, size in known), "ratio")
    cohorts_known = formats.plural(len(known), "cohort")
    return say("{share} came back in the period after their first ({cohorts})", share=share, cohorts=cohorts_known)
