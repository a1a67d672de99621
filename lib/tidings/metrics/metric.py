"""A metric: one mart, one unit, one definition, and the kind that says what may be done with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

import ibis.expr.types as ir

from tidings.errors import MetricError
from tidings.window import Window

Number = int | float | Decimal | None
Kind = Literal["flow", "stock", "ratio", "distinct", "quantile"]
Better = Literal["higher", "lower", "neutral"]
Expression = Callable[[ir.Table], ir.Scalar]
Condition = Callable[[ir.Table], ir.BooleanValue]
Regroup = Callable[[ir.Table, Sequence[str]], ir.Table]
Combine = Callable[[Mapping[str, Number], Window], Number]


@dataclass(frozen=True)
class Thresholds:
    """Where a value turns from good to warning to bad, bounds inclusive on the good side."""

    good: float
    warn: float


@dataclass(frozen=True)
class Mark:
    """A true/false column added to a mart's rows: does `mart` hold a row with the same `key` and `where`?

    It asks for existence and joins nothing, so that a row stays one row however many there are.
    """

    name: str
    mart: str
    key: str
    where: Condition


@dataclass(frozen=True)
class Need:
    """What some row of a source has to fill, or a metric over its rows would mean nothing: one of these columns.

    `table` is the metric's mart if not given; with `value` the column has to hold that value. `says` ends a sentence
    that begins with the source: "gives no status".
    """

    columns: tuple[str, ...]
    says: str
    table: str = ""
    value: str = ""


@dataclass(frozen=True)
class Reported:
    """The condition of a metric over platform metrics: those of some platforms of one or more unified metrics."""

    platforms: tuple[str, ...]
    metrics: tuple[str, ...]

    def __call__(self, rows: ir.Table) -> ir.BooleanValue:
        """True for the rows of the metric."""
        return rows.platform.isin(self.platforms) & rows.metric.isin(self.metrics)


@dataclass(frozen=True)
class Metric:
    """One number of the workbook, computed from the rows of one mart, or from other metrics of the same window.

    `value` aggregates the mart's rows, already limited to the window, `as_of` and the segment, where `where` holds.
    `marks` are columns it needs besides; `needs` are what a source has to fill, else its rows are left out; `regroup`
    makes another grain of the rows first (say, a row per customer), keeping the columns it is told to keep. Instead of
    all that a metric may name `inputs`, other metrics, and `combine` their values; `alike` ones are those of the days
    that the sources of all inputs cover.

    `kind`:
    `flow` adds up over time; `stock` is read at the end of a window; `ratio` is a sum over a sum;
    `distinct` counts things once however often they appear; `quantile` is read off the rows. Only a flow
    may be summed over periods. `trailing_days` widens the window backwards: the value of a day then looks
    at that many days up to and including it (WAU 7, MAU 30). `last_seconds` reads the seconds before `as_of` instead
    of the window.

    `unit` is one of `count`, `money`, `ratio`, `ms`, `s`, `B`, `score`, or a word to print behind the value.
    """

    name: str
    title: str
    kind: Kind
    unit: str
    definition: str
    mart: str = ""
    value: Expression | None = None
    where: Condition | None = None
    marks: tuple[Mark, ...] = ()
    needs: tuple[Need, ...] = ()
    regroup: Regroup | None = None
    inputs: tuple[str, ...] = ()
    combine: Combine | None = None
    common_days: bool = False
    trailing_days: int = 0
    last_seconds: int = 0
    better: Better = "neutral"
    thresholds: Thresholds | None = None
    owner: str = "business"
    caveat: str = ""
    action: str = ""
    section: str = ""

    def __post_init__(self) -> None:
        if bool(self.mart and self.value) == bool(self.inputs and self.combine):
            raise MetricError(
                f"Metric {self.name} must say either mart and value, or inputs and combine.",
                "Give one of the two pairs.",
            )

    def status(self, value: float | None) -> Literal["good", "warn", "bad", "none"]:
        """The status of a value against the thresholds; `none` without thresholds or value."""
        if value is None or self.thresholds is None:
            return "none"
        sign = 1 if self.better != "lower" else -1
        if sign * value >= sign * self.thresholds.good:
            return "good"
        return "warn" if sign * value >= sign * self.thresholds.warn else "bad"

    def require_additive(self, over: str) -> None:
        """Raise unless values of this metric may be summed over `over` ("days", "countries").

        Raises:
            MetricError: the metric is not a flow; the sentence says why and what to ask instead.
        """
        if self.kind == "flow":
            return
        why = {
            "distinct": "it counts each one once, and whoever appears in two parts would be counted twice",
            "ratio": "a ratio of the whole is the sum over the sum, not the sum of the ratios",
            "quantile": "a percentile of the whole cannot be had from percentiles of its parts",
            "stock": "a level is read at the end of a window, and levels of several days are the same things again",
        }[self.kind]
        raise MetricError(
            f"{self.title} ({self.name}) cannot be summed over {over}: {why}.",
            f'Ask for the whole window instead: book.value("{self.name}").',
        )
