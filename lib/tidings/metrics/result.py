"""Results of questions: values with their window, provenance and state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from tidings.analysis.usual import LEVEL
from tidings.annotations import Annotation
from tidings.language import say
from tidings.metrics.metric import Metric, Number
from tidings.window import Period, Window

if TYPE_CHECKING:
    import pandas as pd

NO_SOURCE = "no source has "
"""How the reason begins why something is not known that no source ever brought."""
NOTHING_NAMED = "data for it"
_SHOWN_ROWS = 20


def relative_change(current: Number, previous: Number) -> float | None:
    """Relative change, a plain ratio; None when the previous value is 0 or either is None (C9, C13)."""
    if current is None or previous is None or previous == 0:
        return None
    return (float(current) - float(previous)) / float(previous)


def change_of(metric: Metric, current: Number, previous: Number) -> float | None:
    """The change as tables show it, in `change_unit`: of rates the difference, of all else the relative change."""
    if change_unit(metric) == "ratio" or current is None or previous is None:
        return relative_change(current, previous)
    return float(current) - float(previous)


def change_unit(metric: Metric) -> str:
    """`points` for rates, whose change in per cent would be of per cent; else `ratio`."""
    return "points" if metric.unit == "ratio" else "ratio"


@dataclass(frozen=True)
class Provenance:
    """Where a result comes from: the queries as run, the tables and their last rows, the build.

    `views` holds the SQL of each prepared view that the queries read. `absent` says what no source brings, if nothing
    of it is there, as a clause that begins with `NO_SOURCE`.
    """

    sql: tuple[str, ...]
    tables: Mapping[str, str]
    build: str
    rows: int | None = None
    notes: tuple[str, ...] = ()
    views: Mapping[str, str] = field(default_factory=dict)
    absent: str = ""


def joined(provenances: Iterable[Provenance]) -> Provenance:
    """The provenance of several results shown together: each query, view, table and note once."""
    every = list(provenances)
    counted = [p.rows for p in every if p.rows is not None]
    return Provenance(
        sql=tuple(dict.fromkeys(sql for p in every for sql in p.sql)),
        tables={name: state for p in every for name, state in p.tables.items()},
        build=next((p.build for p in every if p.build), ""),
        rows=max(counted) if counted else None,
        notes=tuple(dict.fromkeys(note for p in every for note in p.notes)),
        views={name: sql for p in every for name, sql in p.views.items()},
        absent=no_source([p.absent for p in every]) if every and all(p.absent for p in every) else "",
    )


def no_source(reasons: Iterable[str]) -> str:
    """Several clauses that begin with `NO_SOURCE` as one; empty for none."""
    what = [name for why in reasons if why for name in why.removeprefix(NO_SOURCE).split(" or ")]
    return NO_SOURCE + " or ".join(dict.fromkeys(what)) if what else ""


def no_source_words(why: str) -> str:
    """A reason in the reader's language: one that begins with `NO_SOURCE` is kept in English, as programs read it."""
    if not why.startswith(NO_SOURCE):
        return why
    names = why.removeprefix(NO_SOURCE).split(" or ")
    return say("no source has {what}", what=say(" or ").join(map(say, names)))


@dataclass(frozen=True)
class Value:
    """One metric over one window, with the window that it is compared with.

    `spark` has the daily values up to the end of the window, oldest first; `chance` is how likely the history makes a
    change as large as this, 0 to 1, None when that is not known. `why` (no value) and `why_no_change` (no value to
    compare with) are clauses, empty where the metric's kind is the reason. `part` is a clause that names the days it is
    of, if those are not all days of the window; where both apply, `why_no_change` says it.
    """

    metric: Metric
    unit: str
    window: Window
    value: Number
    before: Number = None
    before_window: Window | None = None
    spark: tuple[Number, ...] = ()
    chance: float | None = None
    why: str = ""
    why_no_change: str = ""
    part: str = ""
    provenance: Provenance = field(default_factory=lambda: Provenance((), {}, ""))

    @property
    def change(self) -> float | None:
        """Relative change against `before`, a plain ratio: 0.1 is 10 %."""
        return relative_change(self.value, self.before)

    @property
    def unusual(self) -> bool | None:
        """True when the history makes a change as large in fewer than one of 200 windows, None when not known."""
        return None if self.chance is None else self.chance < LEVEL

    @property
    def is_absent(self) -> bool:
        """No source brings it, whatever the window."""
        return self.value is None and self.why.startswith(NO_SOURCE)

    @property
    def status(self) -> str:
        """`good`, `warn`, `bad` or `none` by the metric's thresholds."""
        return self.metric.status(None if self.value is None else float(self.value))

    def __repr__(self) -> str:
        text = f"{self.metric.name} {_written(self.value, self.unit)}, {_days(self.window)}"
        if self.value is None and self.why:
            text += f" ({self.why})"
        if self.part:
            text += f" ({self.part})"
        if self.before_window is not None:
            text += f"; before {_written(self.before, self.unit)}, {_days(self.before_window)}"
            if self.before is None and self.why_no_change:
                text += f" ({self.why_no_change})"
        return f"<Value {text}>"

    def to_pandas(self) -> pd.DataFrame:
        """One row: metric, unit, first and last day, value, before, change."""
        names = ("metric", "unit", "first", "last", "value", "before", "change")
        row = (self.metric.name, self.unit, self.window.start, self.window.last_day, self.value, self.before)
        return _frame(names, [(*row, self.change)])


@dataclass(frozen=True)
class Point:
    """One period of a series; `share` is the share of its days that are complete, 0 to 1."""

    period: Period
    value: Number
    share: float = 1.0

    @property
    def is_whole(self) -> bool:
        """The period is over and all its days are complete."""
        return self.period.state == "complete" and self.share == 1


@dataclass(frozen=True)
class Series:
    """One metric per local period, oldest first; each value computed from that period's rows.

    `why` says why no point has a value, as a clause; empty where the metric's kind says it. `targets` has what the
    metric should have in each period, None without a target; it may be empty, as may be the workbook's `annotations`.
    """

    metric: Metric
    unit: str
    grain: str
    points: tuple[Point, ...]
    provenance: Provenance
    why: str = ""
    annotations: tuple[Annotation, ...] = ()
    targets: tuple[float | None, ...] = ()

    def sum(self) -> Number:
        """The total of all periods.

        Raises:
            MetricError: the metric is not a flow.
        """
        self.metric.require_additive(f"{self.grain}s")
        known = [point.value for point in self.points if point.value is not None]
        return sum(known[1:], known[0]) if known else 0

    def mean(self) -> float | None:
        """The mean over all complete periods, zeros included; None if there are none.

        Raises:
            MetricError: the metric is a ratio or a quantile, whose mean over periods means nothing.
        """
        if self.metric.kind in ("ratio", "quantile"):
            self.metric.require_additive(f"{self.grain}s")
        known = [p.value for p in self.points if p.is_whole and p.value is not None]
        return float(sum(float(v) for v in known)) / len(known) if known else None

    def __repr__(self) -> str:
        why = f" ({self.why})" if self.why else ""
        head = f"<Series {self.metric.name} by {self.grain}, {self.unit}, {len(self.points)} periods{why}>"
        return f"{head}\n{_lines(self.to_pandas())}" if self.points else head

    def to_pandas(self) -> pd.DataFrame:
        """One row per period: its first and last day, value, state, and the share of its days that is covered."""
        rows = [(p.period.start, p.period.last_day, p.value, p.period.state, p.share) for p in self.points]
        return _frame(("first", "last", "value", "state", "share"), rows)


@dataclass(frozen=True)
class Field:
    """One column of a result: its unit decides the format (units as in Metric, or `text`, `date`)."""

    name: str
    title: str
    unit: str = "text"


@dataclass(frozen=True)
class Group:
    """The largest rows behind one row of a result, of `total` rows, and the command that prints all of them."""

    fields: tuple[Field, ...]
    rows: tuple[tuple[Any, ...], ...]
    total: int
    command: str = ""


@dataclass(frozen=True)
class Behind:
    """What leads from the rows of a result to the rows behind them.

    `groups` has one for each row of the result, or none at all where no rows may leave; `command` prints those of all
    rows together.
    """

    command: str
    groups: tuple[Group | None, ...] = ()


@dataclass(frozen=True)
class Result:
    """A small table of plain values, with its provenance; `behind` is set in the run of a report."""

    title: str
    fields: tuple[Field, ...]
    rows: tuple[tuple[Any, ...], ...]
    provenance: Provenance
    incomplete: tuple[date, ...] = ()
    behind: Behind | None = None

    def column(self, name: str) -> list[Any]:
        """The values of one column, in row order."""
        index = [f.name for f in self.fields].index(name)
        return [row[index] for row in self.rows]

    def __repr__(self) -> str:
        units = ", ".join(f"{f.name} in {f.unit}" for f in self.fields if f.unit not in ("text", "date", "count"))
        head = f"<Result {self.title!r}, {len(self.rows)} rows{'; ' if units else ''}{units}>"
        return f"{head}\n{_lines(self.to_pandas())}" if self.rows else head

    def to_pandas(self) -> pd.DataFrame:
        """Columns named as the fields; decimals stay decimals, and unknown values are None."""
        return _frame([f.name for f in self.fields], self.rows)


def _written(value: Number, unit: str) -> str:
    return "unknown" if value is None else f"{value:,} {unit}"


def _days(window: Window) -> str:
    return f"{window.start}..{window.last_day}"


def _frame(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> pd.DataFrame:
    # Imported here because it takes half a second, and a run never needs it.
    import pandas as pd

    # Types are set per column: pandas would turn counts into floats beside an unknown one.
    columns = {name: [row[n] for row in rows] for n, name in enumerate(names)}
    return pd.DataFrame({name: pd.Series(column, dtype=_dtype(column)) for name, column in columns.items()})


def _dtype(column: Sequence[Any]) -> str:
    known = {type(value) for value in column if value is not None}
    return {frozenset({int}): "Int64", frozenset({float}): "Float64", frozenset({int, float}): "Float64"}.get(
        frozenset(known), "object"
    )


def _lines(frame: pd.DataFrame) -> str:
    return str(frame.to_string(max_rows=_SHOWN_ROWS))
