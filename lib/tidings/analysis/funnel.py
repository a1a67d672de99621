"""Funnels: how many users got how far, how fast, and from where (metric definitions 1).

The query limits the events to those that matter and sorts them; the walk through them is exact and in Python.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import reduce
from statistics import fmean, median
from typing import Any, get_args

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa

from tidings.analysis.funnel_paths import Attempt, Exclusion, Order, Rules, clean_attempts, select
from tidings.errors import MetricError, suggest

DEFAULT_WINDOW_S = 14 * 86_400
NONE = "(none)"
OTHER = "Other"
_SECOND = 1_000_000
# One bit of an int64 for each step and exclusion.
_MAX_BITS = 60


@dataclass(frozen=True)
class Step:
    """An event of this name, and of these properties where given (equality)."""

    event: str
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Funnel:
    """Steps, `window` in seconds (14 days if not above zero), `order`, `exclusions` (metric definitions 1).

    Raises:
        MetricError: there is no step, an unknown order, or an exclusion that is not possible.
    """

    steps: tuple[Step, ...]
    order: Order = "ordered"
    window: float | None = None
    exclusions: tuple[Exclusion, ...] = ()

    def __post_init__(self) -> None:
        if not self.steps or len(self.steps) + len(self.exclusions) > _MAX_BITS:
            raise MetricError(
                f"A funnel of {len(self.steps)} steps and {len(self.exclusions)} exclusions is not possible.",
                f"Name at least one step, and at most {_MAX_BITS} of both.",
            )
        if self.order not in get_args(Order):
            raise MetricError(f"Funnel order '{self.order}' is not known.", suggest(str(self.order), get_args(Order)))
        if self.exclusions and self.order == "unordered":
            raise MetricError("An unordered funnel has no exclusions.", "Leave them out or order the steps.")
        for exclusion in self.exclusions:
            if not 1 <= exclusion.from_step < exclusion.to_step <= len(self.steps):
                raise MetricError(
                    f"'{exclusion.event}' cannot be excluded between steps {exclusion.from_step} and "
                    f"{exclusion.to_step} of {len(self.steps)}.",
                    "Give from_step < to_step, counted from 1.",
                )

    @property
    def window_s(self) -> float:
        """The conversion window in seconds, its end included."""
        return self.window if self.window is not None and self.window > 0 else DEFAULT_WINDOW_S

    @property
    def rules(self) -> Rules:
        """The rules for `funnel_paths`, in microseconds."""
        return Rules(len(self.steps), round(self.window_s * _SECOND), self.order, self.exclusions)


@dataclass(frozen=True)
class Path:
    """How far one user got: the selected attempt (1.5), its times in microseconds, and its value of the breakdown."""

    times: tuple[int, ...]
    value: str
    user: str = ""

    def seconds(self, step: int) -> float:
        """Seconds from the step before to `step` (1-based, from 2 on)."""
        return (self.times[step - 1] - self.times[step - 2]) / _SECOND


@dataclass(frozen=True)
class StepResult:
    """One step: users who got this far, rates against the step before and the first, seconds since the step before."""

    step: int
    event: str
    count: int
    step_rate: float | None
    overall_rate: float | None
    drop_off: int | None
    average: float | None
    median: float | None


@dataclass(frozen=True)
class TrendPoint:
    """One local period: users who entered in it, users whose clean attempt from it reached the last step (1.7)."""

    period: date
    entered: int
    converted: int

    @property
    def rate(self) -> float | None:
        """converted / entered, null when nobody entered."""
        return self.converted / self.entered if self.entered else None


def funnel_rows(
    events: ir.Table,
    funnel: Funnel,
    *,
    breakdown: str | None = None,
    period: str | None = None,
    input_order: Sequence[str] = ("_source", "_line"),
) -> ir.Table:
    """The events relevant to a funnel, one row each, ordered by user, time, input (C5).

    `events` holds user_id, event, ts (naive UTC), where steps ask for them properties (a map of text), and the columns
    `input_order`; limited to the range, which ends the funnel too. `breakdown` and `period` name a column each: a
    property of the event, and the first local day of its period. Rows without user are left out (C6). Columns:
    user_id, ts, matches (bit i: step i + 1; then one bit for each exclusion), value, period, and `input_order`.
    """
    rows = events.filter(events.user_id.notnull(), events.user_id != "")
    conditions = [_matches(rows, step) for step in funnel.steps]
    conditions += [rows.event == exclusion.event for exclusion in funnel.exclusions]
    bits = [
        condition.fill_null(False).ifelse(ibis.literal(1 << bit, "int64"), ibis.literal(0, "int64"))
        for bit, condition in enumerate(conditions)
    ]
    columns = {"matches": reduce(lambda left, right: left + right, bits)}
    if breakdown is not None:
        columns["value"] = rows[breakdown].cast("string")
    if period is not None:
        columns["period"] = rows[period]
    kept = rows.mutate(**columns)
    if funnel.order != "strict":
        # Only a strict funnel is broken by an event that matches nothing.
        kept = kept.filter(kept.matches > 0)
    return kept.select("user_id", "ts", *columns, *input_order).order_by("user_id", "ts", *input_order)


def paths(rows: pa.Table, funnel: Funnel) -> list[Path]:
    """How far every user got, one per user with a clean attempt; `rows` as `funnel_rows` gives them (1.1 - 1.6).

    The value of an unordered funnel is that of the first event of the span.
    """
    found = []
    for user in _users(rows, funnel):
        selected = select(user.attempts(funnel.rules))
        if selected is not None:
            found.append(Path(selected.times, user.value(selected), user.name))
    return found


def summary(paths: Sequence[Path], funnel: Funnel) -> tuple[StepResult, ...]:
    """Counts, rates and times to convert, one per step (1.1, 1.5)."""
    counts = [sum(1 for path in paths if len(path.times) >= step) for step in range(1, len(funnel.steps) + 1)]
    results = []
    for step, (asked, count) in enumerate(zip(funnel.steps, counts, strict=True), start=1):
        times = [path.seconds(step) for path in paths if len(path.times) >= step] if step > 1 else []
        before = counts[step - 2] if step > 1 else None
        results.append(
            StepResult(
                step=step,
                event=asked.event,
                count=count,
                step_rate=count / before if before else None,
                overall_rate=count / counts[0] if counts[0] else None,
                drop_off=before - count if before is not None else None,
                average=fmean(times) if times else None,
                median=median(times) if times else None,
            )
        )
    return tuple(results)


def total_times(paths: Sequence[Path], funnel: Funnel) -> list[float]:
    """Seconds from the first step to the last of every user who completed, ascending (1.5)."""
    steps = len(funnel.steps)
    return sorted((path.times[-1] - path.times[0]) / _SECOND for path in paths if len(path.times) == steps)


def by_value(paths: Sequence[Path], funnel: Funnel, top: int | None = None) -> dict[str, tuple[StepResult, ...]]:
    """The summary of each value of the breakdown, most users first, then by name; the rest as `Other` (1.6)."""
    groups: dict[str, list[Path]] = {}
    for path in paths:
        groups.setdefault(path.value, []).append(path)
    ranked = sorted(groups, key=lambda value: (-len(groups[value]), value))
    shown = {value: groups[value] for value in ranked[:top]}
    rest = [path for value in ranked[len(shown) :] for path in groups[value]]
    if rest:
        # A value named Other joins the bucket of that name, so users still add up to the total.
        shown[OTHER] = shown.pop(OTHER, []) + rest
    return {value: summary(group, funnel) for value, group in shown.items()}


def trend(rows: pa.Table, funnel: Funnel, periods: Sequence[date]) -> tuple[TrendPoint, ...]:
    """Entered and converted users, one per local period of `periods` (first days); a user may count in several (1.7).

    `rows` as `funnel_rows` gives them with `period`. Of an unordered funnel any step enters.
    """
    entered = dict.fromkeys(periods, 0)
    converted = dict.fromkeys(periods, 0)
    entry = -1 if funnel.order == "unordered" else 1
    for user in _users(rows, funnel):
        for period in {user.periods[i] for i, mask in enumerate(user.masks) if mask & entry}:
            entered[period] += 1
        complete = (a for a in user.attempts(funnel.rules) if len(a.times) == len(funnel.steps))
        for period in {user.periods[attempt.start] for attempt in complete}:
            converted[period] += 1
    return tuple(TrendPoint(period, entered[period], converted[period]) for period in periods)


def histogram(times: Sequence[float], bins: int) -> list[tuple[float, float, int]]:
    """Equally wide bins (from, to, users), closed on the left and open on the right, the last one closed (1.5)."""
    if not times:
        return []
    counts, edges = np.histogram(times, bins=bins)
    return [(float(edges[i]), float(edges[i + 1]), int(count)) for i, count in enumerate(counts)]


@dataclass(frozen=True)
class _User:
    """The rows of one user in the order of C5."""

    times: list[int]
    masks: list[int]
    excluded: list[list[int]]
    values: list[str | None]
    periods: list[date]
    name: str

    def attempts(self, rules: Rules) -> Iterator[Attempt]:
        return clean_attempts(rules, self.times, self.masks, self.excluded)

    def value(self, attempt: Attempt) -> str:
        return (self.values[attempt.start] if self.values else None) or NONE


def _matches(rows: ir.Table, step: Step) -> ir.BooleanValue:
    condition = rows.event == step.event
    for name, value in step.properties.items():
        condition = condition & (rows.properties.get(name) == value)
    return condition


def _users(rows: pa.Table, funnel: Funnel) -> Iterator[_User]:
    """The users who have an event that may start an attempt."""
    if not len(rows):
        return
    user = rows["user_id"].combine_chunks().dictionary_encode()
    codes = np.asarray(user.indices)
    names = user.dictionary.to_pylist()
    times = np.asarray(rows["ts"].cast(pa.timestamp("us")).cast(pa.int64()))
    matches = np.asarray(rows["matches"].cast(pa.int64()))
    steps = (1 << len(funnel.steps)) - 1
    edges = np.concatenate(([0], np.flatnonzero(np.diff(codes)) + 1))
    starting = np.logical_or.reduceat(matches & (steps if funnel.order == "unordered" else 1) != 0, edges)
    ends = np.append(edges[1:], len(codes))
    values: list[Any] = rows["value"].to_pylist() if "value" in rows.column_names else []
    periods: list[Any] = rows["period"].to_pylist() if "period" in rows.column_names else []
    moments, masks, marks = times.tolist(), (matches & steps).tolist(), (matches >> len(funnel.steps)).tolist()
    for first, end in zip(edges[starting].tolist(), ends[starting].tolist(), strict=True):
        excluded = [
            [moments[i] for i in range(first, end) if marks[i] >> bit & 1] for bit in range(len(funnel.exclusions))
        ]
        yield _User(
            moments[first:end], masks[first:end], excluded, values[first:end], periods[first:end], names[codes[first]]
        )
