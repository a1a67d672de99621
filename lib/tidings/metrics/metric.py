"""A metric: one mart, one unit, one definition, and the kind that says how it may be aggregated."""

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
    """The last good value and the last that is only a warning, both inclusive, and who set them.

    Those of the workbook's settings are `yours`, a target; those of this package are `ours`, a rule of thumb.
    """

    good: float
    warn: float
    origin: Literal["ours", "yours"] = "ours"

    def mirrored(self) -> Thresholds:
        """The thresholds of 1 minus the metric, which has the same verdict."""
        return Thresholds(round(1 - self.good, 12), round(1 - self.warn, 12), self.origin)


@dataclass(frozen=True)
class Mark:
    """A boolean column added to a mart's rows: does `mart` have a row with the same `key` for which `where` holds?

    A semi-join: rows are never multiplied.
    """

    name: str
    mart: str
    key: str
    where: Condition


@dataclass(frozen=True)
class Need:
    """Columns of which a source must fill at least one in some row; else its rows are left out of the metric.

    `table` defaults to the metric's mart; with `value` the column must have that value. `says` is the clause after the
    name of the source: "gives no status".
    """

    columns: tuple[str, ...]
    says: str
    table: str = ""
    value: str = ""


@dataclass(frozen=True)
class Reported:
    """The condition of a metric over platform metrics: these platforms, these names."""

    platforms: tuple[str, ...]
    metrics: tuple[str, ...]

    def __call__(self, rows: ir.Table) -> ir.BooleanValue:
        """Rows of these platforms and platform metrics."""
        return rows.platform.isin(self.platforms) & rows.metric.isin(self.metrics)


@dataclass(frozen=True)
class Metric:
    """One number of the workbook, computed from the rows of one mart, or from other metrics of the same window.

    `value` aggregates the mart's rows for which `where` holds, already limited to the window, `as_of` and the segment.
    `marks` are further columns for it; sources that do not fill `needs` are left out; `regroup` changes the grain of
    the rows first (say, to a row per customer), keeping the columns that it is given. Instead of all this a metric may
    name other metrics as `inputs` and `combine` their values; with `common_days` over the days that the sources of all
    inputs cover.

    `kind`: a `flow` adds up over time; a `stock` is read at the end of a window; a `ratio` is a sum over a sum;
    `distinct` counts each thing once; a `quantile` is a percentile of the rows. Only a flow may be summed over periods.
    `trailing_days` widens the window backwards: a day's value covers that many days up to and including it (WAU 7,
    MAU 30). `last_seconds` reads the seconds before `as_of` instead of the window.

    `complement` names the metric that this one is 1 minus of: thresholds set for one are those of both.

    `unit` is `count`, `money`, `ratio`, `ms`, `s`, `B`, `score`, or a word to print after the value.
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
    complement: str = ""
    owner: str = "business"
    caveat: str = ""
    action: str = ""
    section: str = ""

    def __post_init__(self) -> None:
        if bool(self.mart and self.value) == bool(self.inputs and self.combine):
            raise MetricError(
                f"Metric {self.name} needs either mart and value, or inputs and combine.",
                "Give exactly one of the two pairs.",
            )

    def status(self, value: float | None) -> Literal["good", "warn", "bad", "none"]:
        """By the thresholds; `none` without thresholds or value."""
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
            "distinct": "it counts each one once, and one that appears in two of them would be counted twice",
            "ratio": "a ratio over all of them is a sum over a sum, not the sum of the ratios",
            "quantile": "a percentile of all rows cannot be computed from percentiles of some of them",
            "stock": "a level is read at the end of a window, and levels of several days count the same things again",
        }[self.kind]
        raise MetricError(
            f"{self.title} ({self.name}) cannot be summed over {over}: {why}.",
            f'Ask for the whole window instead: book.value("{self.name}").',
        )
