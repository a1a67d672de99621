"""Several metrics by one column, and one metric over time in each of its groups."""

from __future__ import annotations

from dataclasses import replace

import ibis.expr.types as ir

from tidings.book import Book
from tidings.language import say
from tidings.metrics.metric import Number
from tidings.metrics.registry import get
from tidings.metrics.result import Field, Result, Series
from tidings.query.breakdown import column_title, title_of
from tidings.query.evaluation import over_windows
from tidings.window import Unit

PANEL_POINTS = 120
LATENCY = ("requests", "latency_p50", "latency_p90", "latency_p95", "latency_p99", "error_rate")


def profile(book: Book, by: str, *names: str, top: int = 12) -> Result:
    """Several metrics over the window, one row per value of `by`; most of the first metric first.

    Rows with a null in the column are left out. Beyond `top` groups a note gives the number of further ones.
    """
    result = _profile(book, by, *names, top=top)
    return book.leading().of_metric(result, get(names[0]), [{by: str(row[0])} for row in result.rows])


def _profile(book: Book, by: str, *names: str, top: int) -> Result:
    metrics = [get(name) for name in names]
    found = over_windows(book.context.split_by(by), metrics, [book.window], lambda rows: _label(rows, by))
    groups = [group for group in found.groups() if group is not None]
    groups.sort(key=lambda group: (-_size(found.value(metrics[0], book.window, group)), str(group)))
    rows = tuple((group, *(found.value(metric, book.window, group) for metric in metrics)) for group in groups[:top])
    fields = (
        Field(by, column_title(by)),
        *(Field(metric.name, metric.title, book.unit(metric)) for metric in metrics),
    )
    left = len(groups) - len(rows)
    count = sum(found.rows_behind(metrics[0], book.window, group) for group in groups)
    origin = found.provenance(metrics, book.window, count)
    if left:
        origin = replace(origin, notes=(*origin.notes, say("{n} smaller ones not shown.", n=left)))
    return Result(title_of(say("{title} and more", title=metrics[0].title), by), fields, rows, origin)


def courses(book: Book, name: str, by: str, grain: Unit | None = None, top: int = 4) -> dict[str, Series]:
    """A metric over time in the `top` largest groups of a column, each computed from its own rows.

    By day, in long windows by week or more, as a small chart has room for few points. A group without any value is left
    out.
    """
    result = _profile(book, by, "requests" if get(name).mart == "fct_requests" else name, top=top)
    grain = grain or book.window.grain(PANEL_POINTS)
    found = {str(row[0]): book.within(by, str(row[0])).series(name, grain) for row in result.rows}
    return {group: course for group, course in found.items() if any(point.value is not None for point in course.points)}


def _label(rows: ir.Table, by: str) -> ir.StringValue:
    return rows[by].cast("string").nullif("")


def _size(value: Number) -> float:
    return 0.0 if value is None else float(value)
