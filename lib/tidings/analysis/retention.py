"""Retention: how many users of a period came back in later periods (metric definitions 2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, get_args

import ibis
import ibis.expr.types as ir

from tidings.errors import MetricError, suggest
from tidings.window import Period, Window, period_number, period_start

Grain = Literal["day", "week", "month"]
Type = Literal["recurring", "first_time"]
Mode = Literal["on", "on_or_after"]


@dataclass(frozen=True)
class Cohort:
    """The users of one period; position k of `returned` and `rates` is the k-th period after it.

    `returned[0]` is `size` (2). A cell is null where its period lies in the future, and a rate also where `size` is 0.
    """

    period: Period
    size: int
    returned: tuple[int | None, ...]
    rates: tuple[float | None, ...]


@dataclass(frozen=True)
class Retention:
    """Cohorts oldest first; `average` by k weighted by size over complete cells, null where there are none.

    `incomplete` lists the cells (first day of the cohort, k) whose period had not passed at `as_of`: their value is
    that so far and enters no average.
    """

    cohorts: tuple[Cohort, ...]
    average: tuple[float | None, ...]
    incomplete: tuple[tuple[date, int], ...]


def retention_counts(
    events: ir.Table,
    window: Window,
    period: Grain,
    *,
    target: str | None = None,
    return_event: str | None = None,
    type: Type = "recurring",
    mode: Mode = "on",
) -> ir.Table:
    """Users by cohort and periods passed, one row per cohort (first local date) and k with at least one user (2).

    `events` holds user_id, event and day (local date) of all history before `as_of`; `event` is not read where
    `target` and `return_event` are None (any event). Cohorts are all periods that the window touches. Columns:
    cohort, k (below the number of cohorts), users; the row k = 0 is the cohort's size.

    Raises:
        MetricError: `period`, `type` or `mode` is not one of the above.
    """
    for value, known in ((period, Grain), (type, Type), (mode, Mode)):
        if value not in get_args(known):
            raise MetricError(f"Retention by '{value}' is not defined.", suggest(value, get_args(known)))
    week_start = window.zone.week_start
    periods = window.periods(period)

    start, end = ibis.literal(periods[0].start), ibis.literal(periods[-1].end)

    def active(rows: ir.Table, event: str | None) -> ir.Table:
        rows = rows.filter(rows.user_id.notnull(), rows.user_id != "")
        if event is not None:
            rows = rows.filter(rows.event == event)
        return rows.select("user_id", period=period_start(rows.day, period, week_start)).distinct()

    since = events.filter(events.day >= start)
    if type == "recurring":
        members = active(since, target)
    else:
        members = active(events, target)
        members = members.group_by("user_id").aggregate(period=members.period.min())
    members = members.filter(members.period >= start, members.period < end).select("user_id", cohort="period")
    returns = active(since, return_event)
    if mode == "on_or_after":
        # A user last seen after k periods counts in every period up to then.
        returns = returns.group_by("user_id").aggregate(period=returns.period.max())

    sizes = members.group_by("cohort").aggregate(users=members.count())
    sizes = sizes.select("cohort", k=ibis.literal(0, "int64"), users="users")
    pairs = members.join(returns, [members.user_id == returns.user_id, returns.period > members.cohort])
    counted = pairs.group_by("cohort", "period").aggregate(users=pairs.count())
    passed = period_number(counted.period, period, week_start) - period_number(counted.cohort, period, week_start)
    counted = counted.select("cohort", "users", k=passed.cast("int64"))
    if mode == "on_or_after":
        numbers = ibis.range(1, len(periods)).unnest().name("k").as_table()
        numbers = numbers.select(passed=numbers.k.cast("int64"))
        upto = counted.join(numbers, numbers.passed <= counted.k)
        counted = upto.group_by("cohort", k=upto.passed).aggregate(users=upto.users.sum())
    counted = counted.filter(counted.k < len(periods))
    return (
        sizes.union(counted.select("cohort", "k", users=counted.users.cast("int64")))
        .filter(lambda t: t.users > 0)
        .order_by("cohort", "k")
    )


def retention_grid(counts: Iterable[Mapping[str, Any]], window: Window, period: Grain) -> Retention:
    """The cohort table from the rows of `retention_counts` for the same window and period (2).

    As many columns as cohorts: k = 0 ... n - 1. Nothing is 0 because time has not passed.
    """
    found = {(row["cohort"], row["k"]): int(row["users"]) for row in counts}
    periods = window.periods(period)
    n = len(periods)
    # The cells of the last cohort reach n - 1 periods beyond the range.
    reach = window.periods(period, more=n - 1)
    cohorts = []
    incomplete = []
    for i, own in enumerate(periods):
        size = found.get((own.start, 0), 0)
        cells = reach[i : i + n]
        returned = tuple(
            None if cell.state == "future" else found.get((own.start, k), 0) for k, cell in enumerate(cells)
        )
        rates = tuple(None if users is None or size == 0 else users / size for users in returned)
        cohorts.append(Cohort(own, size, returned, rates))
        incomplete += [(own.start, k) for k, cell in enumerate(cells) if cell.state == "incomplete"]
    average = []
    for k in range(n):
        complete = [cohort for i, cohort in enumerate(cohorts) if cohort.size and reach[i + k].state == "complete"]
        total = sum(cohort.size for cohort in complete)
        average.append(sum(cohort.returned[k] or 0 for cohort in complete) / total if total else None)
    return Retention(tuple(cohorts), tuple(average), tuple(incomplete))
