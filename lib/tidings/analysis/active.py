"""Active users: distinct users of each local day and of the days that trail it (metric definitions 3.2)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

import ibis
import ibis.expr.types as ir

from tidings.errors import MetricError
from tidings.window import Window, add_days, days_after

DAU_WAU_MAU: Mapping[str, int] = {"dau": 1, "wau": 7, "mau": 30}


def active_users(user_days: ir.Table, window: Window) -> ir.Table:
    """Users active on each local day and in the 7 and 30 days up to and including it, one row per day (3.2).

    `user_days` and the result are as for `trailing_users`; columns day, dau, wau, mau, and the ratios dau_wau and
    dau_mau, null where the denominator is 0 (C9).
    """
    counts = trailing_users(user_days, window, DAU_WAU_MAU)
    return counts.mutate(dau_wau=counts.dau / counts.wau.nullif(0), dau_mau=counts.dau / counts.mau.nullif(0))


def trailing_users(user_days: ir.Table, window: Window, lengths: Mapping[str, int]) -> ir.Table:
    """Exact distinct users of the trailing `lengths` (days, by column name), one row per local day of the window.

    `user_days` holds user_id and day (local date), repeated or not, of rows before `as_of`, reaching back before the
    window by the longest length. Rows without user are left out (C6); a day without users is 0 (C11).

    A user-day counts for the `n` days from it on. Overlapping spans of a user are merged; the count of a day is the
    running sum of +1 where a span starts and -1 where it ends.

    Raises:
        MetricError: there are no lengths, or one is less than 1 day.
    """
    if not lengths or min(lengths.values()) < 1:
        raise MetricError(f"Trailing windows {dict(lengths)} cannot be counted.", "Give at least one of 1 day or more.")
    earliest = add_days(window.start, 1 - max(lengths.values()))
    seen = user_days.filter(
        user_days.user_id.notnull(),
        user_days.user_id != "",
        user_days.day >= ibis.literal(earliest),
        user_days.day < ibis.literal(window.end),
    )
    seen = seen.select("user_id", "day").distinct()
    turns = ibis.window(group_by=seen.user_id, order_by=seen.day)
    seen = seen.mutate(
        since=seen.day.delta(seen.day.lag().over(turns), unit="day"),
        until=seen.day.lead().over(turns).delta(seen.day, unit="day"),
    )
    starts = {f"{name}_starts": (seen.since.isnull() | (seen.since > n)).sum() for name, n in lengths.items()}
    ends = {f"{name}_ends": (seen.until.isnull() | (seen.until > n)).sum() for name, n in lengths.items()}
    turning = seen.group_by("day").aggregate(**starts, **ends)

    zeros = {name: ibis.literal(0, "int64") for name in lengths}
    parts = [window.day_table().select("day", **zeros)]
    for name, length in lengths.items():
        begun, ended = turning[f"{name}_starts"].cast("int64"), -turning[f"{name}_ends"].cast("int64")
        for day, change in ((turning.day, begun), (days_after(turning.day, length), ended)):
            # Spans that began before the window count from its first day.
            since = ibis.greatest(day, ibis.literal(window.start))
            parts.append(turning.select(day=since, **{**zeros, name: change}))
    every = reduce(lambda left, right: left.union(right), parts)
    changes = every.group_by("day").aggregate(**{name: every[name].sum() for name in lengths})
    running = ibis.window(order_by=changes.day, preceding=None, following=0)
    counts = changes.select("day", **{name: changes[name].sum().over(running).cast("int64") for name in lengths})
    return counts.filter(counts.day < ibis.literal(window.end)).order_by("day")
