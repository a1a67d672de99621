"""Lifecycle and stickiness: who is new, came back, or stayed away (metric definitions 3.1 and 3.3)."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from tidings.window import Unit, Window, days_after, period_after, period_start


def lifecycle(user_days: ir.Table, window: Window, unit: Unit) -> ir.Table:
    """New, returning, resurrecting and dormant users, one row per calendar period the window touches (3.1).

    `user_days` holds user_id and day (local date), repeated or not, of all history before `as_of`. Columns: period
    (first local date), state (C12), new, returning, resurrecting, dormant; all counts are positive. dormant is null
    in future periods and provisional in an incomplete one. Always: active = new + returning + resurrecting, and
    active minus active of the period before = new + resurrecting - dormant.
    """
    periods = window.periods(unit)
    start, end = periods[0].start, periods[-1].end
    active = _user_periods(user_days, window, unit).filter(lambda t: t.period < ibis.literal(end))
    turns = ibis.window(group_by=active.user_id, order_by=active.period)
    active = active.mutate(before=active.period.lag().over(turns), after=active.period.lead().over(turns))
    week_start = window.zone.week_start
    previous = period_start(days_after(active.period, -1), unit, week_start)
    following = period_after(active.period, unit, week_start)

    is_new = active.before.isnull()
    is_returning = active.before == previous
    zero = ibis.literal(0, "int64")
    here = active.select(
        period=active.period,
        new=is_new.cast("int64"),
        returning=is_returning.fill_null(False).cast("int64"),
        resurrecting=(~is_new & ~is_returning).fill_null(False).cast("int64"),
        dormant=zero,
    )
    left = active.filter(active.after.isnull() | (active.after > following))
    gone = left.select(
        period=period_after(left.period, unit, week_start),
        new=zero,
        returning=zero,
        resurrecting=zero,
        dormant=ibis.literal(1, "int64"),
    )
    days = window.widened(unit).day_table()
    starts = days.select(period=period_start(days.day, unit, week_start)).distinct()
    empty = starts.select("period", new=zero, returning=zero, resurrecting=zero, dormant=zero)

    every = empty.union(here).union(gone)
    every = every.filter(every.period >= ibis.literal(start), every.period < ibis.literal(end))
    names = ("new", "returning", "resurrecting", "dormant")
    counts = every.group_by("period").aggregate(**{name: every[name].sum().cast("int64") for name in names})

    first_open = next((p.start for p in periods if p.state != "complete"), end)
    first_future = next((p.start for p in periods if p.state == "future"), end)
    is_future = counts.period >= ibis.literal(first_future)
    state = ibis.cases(
        (is_future, "future"), (counts.period >= ibis.literal(first_open), "incomplete"), else_="complete"
    )
    return counts.select(
        "period",
        "new",
        "returning",
        "resurrecting",
        state=state,
        dormant=is_future.ifelse(ibis.null("int64"), counts.dormant),
    ).order_by("period")


def stickiness(user_days: ir.Table, window: Window, unit: Unit) -> ir.Table:
    """Users by the number k of periods they were active in, one row per k = 1 ... N periods of the range (3.3).

    `user_days` as for `lifecycle`. Columns: k; exact, users active in exactly k periods; cumulative, in at least k.
    """
    periods = window.periods(unit)
    active = _user_periods(user_days, window, unit)
    active = active.filter(
        active.period >= ibis.literal(periods[0].start), active.period < ibis.literal(periods[-1].end)
    )
    users = active.group_by("user_id").aggregate(k=active.count().cast("int64"))
    numbers = ibis.range(1, len(periods) + 1).unnest().name("k").as_table()
    every = numbers.select(k=numbers.k.cast("int64"), exact=ibis.literal(0, "int64")).union(
        users.select("k", exact=ibis.literal(1, "int64"))
    )
    exact = every.group_by("k").aggregate(exact=every.exact.sum().cast("int64"))
    onward = ibis.window(order_by=exact.k, preceding=0, following=None)
    return exact.mutate(cumulative=exact.exact.sum().over(onward).cast("int64")).order_by("k")


def _user_periods(user_days: ir.Table, window: Window, unit: Unit) -> ir.Table:
    """Distinct (user_id, period) of rows with a user (C6)."""
    known = user_days.filter(user_days.user_id.notnull(), user_days.user_id != "")
    return known.select("user_id", period=period_start(known.day, unit, window.zone.week_start)).distinct()
