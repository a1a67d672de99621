"""Questions of the executive overview: metrics over several horizons, period to date, active users."""

from __future__ import annotations

from dataclasses import replace

from tidings.book import Book
from tidings.display import formats
from tidings.language import say_as
from tidings.metrics.health import HEALTH
from tidings.metrics.registry import get, leaves
from tidings.metrics.result import Field, Result, Series, joined, relative_change
from tidings.query.evaluation import over_windows

HEALTH_PARTS = tuple(component.metric for component in HEALTH)
HORIZONS = (7, 30, 90)


def horizons(book: Book, *names: str) -> Result:
    """Metrics over the last 7, 30 and 90 complete days, each against as many days before; one row per metric."""
    names = _with_source(book, names)
    windows = [book.last(days) for days in HORIZONS]
    rows = []
    metrics = [get(name) for name in names]
    found = over_windows(book.context, metrics, [*windows, *(window.previous() for window in windows)])
    for name, metric in zip(names, metrics, strict=True):
        unit = book.unit(metric)
        pairs = [(found.value(metric, w), found.value_before(metric, w, w.previous())) for w in windows]
        cells = (cell for now, before in pairs for cell in (formats.printed(now, unit), relative_change(now, before)))
        rows.append((get(name).title, *cells))
    fields = [Field("metric", "Metric")]
    for days in HORIZONS:
        fields += [Field(f"d{days}", formats.plural(days, "day"), "figure"), Field(f"c{days}", "Change", "ratio")]
    return Result("7, 30 and 90 days", tuple(fields), tuple(rows), found.provenance(metrics, book.window, len(rows)))


def to_date(book: Book, *names: str) -> Result:
    """Metrics for the week and month so far, against the same days of the ones before (metric definitions C13)."""
    rows, origins = [], []
    for name in _with_source(book, names):
        result, unit = book.to_date(name), book.unit(get(name))
        origins.append(result.provenance)
        pairs = zip(result.column(name), result.column("change"), strict=True)
        rows.append(
            (get(name).title, *(cell for now, change in pairs for cell in (formats.printed(now, unit), change)))
        )
    fields = (
        Field("metric", "Metric"),
        Field("week", "Week to date", "figure"),
        Field("week_change", "Against last week's same days", "ratio"),
        Field("month", "Month to date", "figure"),
        Field("month_change", "Against last month's same days", "ratio"),
    )
    return Result("Period to date", fields, tuple(rows), replace(joined(origins), rows=len(rows)))


def _with_source(book: Book, names: tuple[str, ...]) -> tuple[str, ...]:
    """The metrics that some source brings; all of them if none is."""
    known = tuple(name for name in names if not book.context.notes.absent(leaves(get(name)), ()))
    return known or names


def active_users(book: Book, days: int = 90) -> dict[str, Series]:
    """Users active on a day, and in the 7 and 30 days up to it, one point per day (metric definitions 3.2)."""
    return {
        title: book.series(name, "day", days)
        for title, name in (
            (say_as("period", "Day"), "dau"),
            (formats.plural(7, "day"), "wau"),
            (formats.plural(30, "day"), "mau"),
        )
    }
