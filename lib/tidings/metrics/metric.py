"""A metric: one mart, one unit, one definition, and the kind that says what may be done with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import ibis.expr.types as ir

from tidings.errors import MetricError

Kind = Literal["flow", "stock", "ratio", "distinct", "quantile"]
Better = Literal["higher", "lower", "neutral"]
Expression = Callable[[ir.Table], ir.Scalar]
Condition = Callable[[ir.Table], ir.BooleanValue]


@dataclass(frozen=True)
class Thresholds:
    """Where a value turns from good to warning to bad, bounds inclusive on the good side."""

    good: float
    warn: float


@dataclass(frozen=True)
class Metric:
    """One number of the workbook, computed from the rows of one mart.

    `value` aggregates the mart's rows, already limited to the window, `as_of` and the segment. `kind`:
    `flow` adds up over time; `stock` is read at the end of a window; `ratio` is a sum over a sum;
    `distinct` counts things once however often they appear; `quantile` is read off the rows. Only a flow
    may be summed over periods. `trailing_days` widens the window backwards: the value of a day then looks
    at that many days up to and including it (WAU 7, MAU 30).

    `unit` is one of `count`, `money`, `ratio`, `ms`, `s`, `B`, `score`, or a word to print behind the value.
    """

    name: str
    title: str
    mart: str
    kind: Kind
    unit: str
    value: Expression
    definition: str
    better: Better = "neutral"
    where: Condition | None = None
    time: str = "ts"
    trailing_days: int = 0
    thresholds: Thresholds | None = None
    owner: str = "business"
    caveat: str = ""
    action: str = ""
    section: str = ""

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
