"""Analyses of a book: funnels, retention, lifecycle, customers, over the book's rows (metric definitions 1-3, 10).

Days that no source covers are unknown, as for metrics (C14): no rows or no value, with a note.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import ibis
import ibis.expr.types as ir

from tidings.analysis import lifecycle as lifecycles
from tidings.analysis import rfm as customers
from tidings.analysis.funnel import Funnel, Path, Step, StepResult, by_value, funnel_rows, paths, summary
from tidings.analysis.funnel_paths import Exclusion, Order
from tidings.analysis.retention import Grain, Mode, Type, retention_counts, retention_grid
from tidings.errors import UsageError, suggest
from tidings.language import say, say_as
from tidings.metrics.measures import in_report
from tidings.metrics.result import Field, Provenance, Result
from tidings.query.context import QueryContext
from tidings.window import Unit, Window

IDENTITIES = ("user_id", "visitor_id")
_EVENTS, _ORDERS = "fct_events", "fct_orders"
_FUNNEL = (
    Field("step", "Step"),
    Field("count", "Users", "count"),
    Field("step_rate", "Of previous step", "ratio"),
    Field("overall_rate", "Of first step", "ratio"),
    Field("drop_off", "Dropped off", "count"),
    Field("average", "Average time from previous step", "s"),
    Field("median", "Median time from previous step", "s"),
)


@dataclass(frozen=True)
class Asked:
    """The query context and the days of an analysis."""

    context: QueryContext
    window: Window

    def events(self, by: str) -> ir.Table:
        """Events before `as_of` in the segment, without bots, with the column `by` as `user_id`.

        Raises:
            UsageError: `by` is not an identity.
        """
        if by not in IDENTITIES:
            raise UsageError(f"'{by}' does not identify people.", suggest(by, IDENTITIES))
        hits = self.context.mart(_EVENTS)
        hits = hits.filter(~hits.is_bot)
        return hits if by == "user_id" else hits.mutate(user_id=hits[by])

    def check_events(self, events: ir.Table, names: Iterable[str | None]) -> None:
        """Refuse an event that never occurred, unless there are no events at all."""
        known = {row["event"] for row in self.context.rows(events.select("event").distinct())}
        for name in names:
            if known and name is not None and name not in known:
                raise UsageError(f"The event '{name}' never occurred.", suggest(name, known))

    def extent(self, mart: str, start: date, end: date) -> str:
        """How much of the days is covered: `all`, `part` or `none`."""
        return self.context.coverage.extent(self.context.coverage.of_mart(mart), start, end)

    def origin(self, mart: str, start: int, rows: int | None, *, money: bool = False) -> Provenance:
        """The provenance of a result: the queries since the `start`-th, with a note on coverage."""
        origin = self.context.provenance(self.context.sql[start:], [mart], rows, money=money)
        notes = {
            "none": say("No source covers {days}: these days are unknown.", days=self.window.label),
            "part": say("Only a part of {days} is covered.", days=self.window.label),
        }
        extent = self.extent(mart, self.window.start, self.window.end)
        return replace(origin, notes=(*origin.notes, notes[extent])) if extent in notes else origin


@dataclass(frozen=True, repr=False)
class FunnelResult(Result):
    """A funnel, one row per step (and value of a breakdown), with the users behind each."""

    steps: tuple[str, ...] = ()
    paths: tuple[Path, ...] = field(default=(), repr=False)
    events: ir.Table | None = field(default=None, compare=False)
    """The events of the window; `user_id` is the identity that `who` lists."""

    def who(self, step: int) -> tuple[str, ...]:
        """The users who reached a step (from 1), by name.

        Raises:
            UsageError: there is no such step.
        """
        self._check(step, 1)
        return tuple(sorted(path.user for path in self.paths if len(path.times) >= step))

    def dropped_off(self, step: int) -> tuple[str, ...]:
        """The users who reached the step before a step (from 2) and not the step itself, by name.

        Raises:
            UsageError: there is no such step, or none before it.
        """
        self._check(step, 2)
        return tuple(sorted(path.user for path in self.paths if len(path.times) == step - 1))

    def _check(self, step: int, first: int) -> None:
        if not first <= step <= len(self.steps):
            raise UsageError(f"The funnel has no step {step} to ask for.", f"Give {first} to {len(self.steps)}.")


@dataclass(frozen=True, repr=False)
class RetentionResult(Result):
    """Cohorts by periods passed, one row per cell, with the weighted `average` and the users behind each cell."""

    average: tuple[float | None, ...] = ()
    ask: Callable[[int, int], tuple[frozenset[str], frozenset[str]]] | None = field(default=None, compare=False)

    def who(self, cohort: str, interval: int) -> tuple[str, ...]:
        """The users of a cohort, named as in its column, who came back so many periods later, by name.

        Raises:
            UsageError: the cell does not exist, or is unknown.
        """
        members, returned = self._cell(cohort, interval)
        return tuple(sorted(members & returned))

    def dropped_off(self, cohort: str, interval: int) -> tuple[str, ...]:
        """The users of a cohort who did not come back so many periods later, by name.

        Raises:
            UsageError: the cell does not exist, or is unknown.
        """
        members, returned = self._cell(cohort, interval)
        return tuple(sorted(members - returned))

    def _cell(self, cohort: str, interval: int) -> tuple[frozenset[str], frozenset[str]]:
        labels = list(dict.fromkeys(self.column("cohort")))
        if cohort not in labels:
            raise UsageError(f"There is no cohort '{cohort}'.", suggest(cohort, labels))
        known = [row[2] for row in self.rows if row[0] == cohort and row[3] is not None]
        if interval not in known or self.ask is None:
            raise UsageError(
                f"It is unknown who of '{cohort}' came back after {interval}.", f"Known: {', '.join(map(str, known))}."
            )
        return self.ask(labels.index(cohort), interval)


def funnel(
    asked: Asked,
    steps: Sequence[str | Step],
    *,
    order: Order,
    window: float | None,
    exclusions: Sequence[Exclusion],
    breakdown: str | None,
    by: str,
) -> FunnelResult:
    """The funnel that `Book.funnel` describes."""
    if isinstance(steps, str) or not all(isinstance(step, str | Step) for step in steps):
        raise UsageError(f"The steps of a funnel are a list, not {steps!r}.", 'Write ["pageview", "purchase"].')
    if window is not None and (isinstance(window, bool) or not isinstance(window, int | float)):
        raise UsageError(f"The window of a funnel is a number of seconds, not {window!r}.", "Write 7 * 86_400.")
    wanted = tuple(Step(step) if isinstance(step, str) else step for step in steps)
    question = Funnel(wanted, order, window, tuple(exclusions))
    events = asked.events(by)
    if breakdown is not None and breakdown not in events.columns:
        raise UsageError(f"A funnel cannot be split by '{breakdown}'.", suggest(breakdown, events.columns))
    asked.check_events(events, [*(step.event for step in wanted), *(each.event for each in exclusions)])
    inside = events.filter(asked.window.holds(events.ts))
    start = len(asked.context.sql)
    found = asked.context.query(funnel_rows(inside, question, breakdown=breakdown)).table
    walked = tuple(paths(found, question))
    fields: tuple[Field, ...] = _FUNNEL
    rows = [_funnel_row(step) for step in summary(walked, question)]
    if breakdown is not None:
        fields = (Field(breakdown, breakdown.replace("_", " ").capitalize()), *_FUNNEL)
        groups = by_value(walked, question)
        rows = [(value, *_funnel_row(step)) for value, steps_of in groups.items() for step in steps_of]
    if asked.extent(_EVENTS, asked.window.start, asked.window.end) == "none":
        rows = []
    origin = asked.origin(_EVENTS, start, found.num_rows)
    names = tuple(step.event for step in wanted)
    return FunnelResult("Funnel", fields, tuple(rows), origin, steps=names, paths=walked, events=inside)


def retention(
    asked: Asked, target: str | None, return_event: str | None, *, period: Grain, type: Type, mode: Mode, by: str
) -> RetentionResult:
    """The cohorts that `Book.retention` describes."""
    hits = asked.events(by)
    asked.check_events(hits, (target, return_event))
    events = hits.select("user_id", "event", day=hits.local_ts.date())
    return cohorts(asked, _EVENTS, events, target, return_event, period=period, type=type, mode=mode)


def cohorts(
    asked: Asked,
    mart: str,
    events: ir.Table,
    target: str | None = None,
    return_event: str | None = None,
    *,
    period: Grain,
    type: Type,
    mode: Mode = "on",
) -> RetentionResult:
    """Retention over `events` (user_id, event, local day) made from a mart, whose coverage says what is unknown."""
    start = len(asked.context.sql)
    counts = retention_counts(
        events, asked.window, period, target=target, return_event=return_event, type=type, mode=mode
    )
    grid = retention_grid(asked.context.rows(counts), asked.window, period)
    reach = asked.window.periods(period, more=len(grid.cohorts) - 1)
    rows: list[tuple[Any, ...]] = []
    for at, cohort in enumerate(grid.cohorts):
        own = asked.extent(mart, cohort.period.start, cohort.period.end)
        for k, (returned, rate) in enumerate(zip(cohort.returned, cohort.rates, strict=True)):
            cell = reach[at + k]
            extent = asked.extent(mart, cell.start, cell.end)
            known = own != "none" and extent != "none" and returned is not None
            state = "incomplete" if cell.state == "complete" and extent != "all" else cell.state
            size = cohort.size if own != "none" else None
            rows.append((cohort.period.label, size, k, returned if known else None, rate if known else None, state))
    fields = (
        Field("cohort", "Cohort"),
        Field("size", "Users", "count"),
        Field("interval", say_as("period", f"{period.capitalize()}s later"), "count"),
        Field("returned", "Came back", "count"),
        Field("rate", "Share", "ratio"),
        Field("state", "State"),
    )

    def people(rows: ir.Table) -> frozenset[str]:
        return frozenset(asked.context.query(rows.select("user_id").distinct()).table.column(0).to_pylist())

    def ask(at: int, k: int) -> tuple[frozenset[str], frozenset[str]]:
        known = events.filter(events.user_id.notnull(), events.user_id != "")
        own, later = reach[at], reach[at + k]
        members = known if target is None else known.filter(known.event == target)
        if type == "first_time":
            members = members.group_by("user_id").aggregate(day=members.day.min())
        found = people(members.filter(members.day >= ibis.literal(own.start), members.day < ibis.literal(own.end)))
        if k == 0:
            return found, found
        back = known if return_event is None else known.filter(known.event == return_event)
        back = back.filter(back.day >= ibis.literal(later.start))
        return found, people(back if mode == "on_or_after" else back.filter(back.day < ibis.literal(later.end)))

    origin = asked.origin(mart, start, None)
    return RetentionResult("Retention", fields, tuple(rows), origin, average=_average(rows), ask=ask)


def lifecycle(asked: Asked, period: Unit, *, by: str) -> Result:
    """The users that `Book.lifecycle` describes."""
    hits = asked.events(by)
    days = hits.select("user_id", day=hits.local_ts.date())
    start = len(asked.context.sql)
    found = asked.context.rows(lifecycles.lifecycle(days, asked.window, period))
    names = ("new", "returning", "resurrecting", "dormant")
    rows = []
    for one, row in zip(asked.window.periods(period), found, strict=True):
        known = one.state != "future" and asked.extent(_EVENTS, one.start, one.end) != "none"
        rows.append((one.label, *(row[name] if known else None for name in names), row["state"]))
    fields = (
        Field("period", say_as("period", period.capitalize())),
        *(Field(name, name.capitalize(), "count") for name in names),
        Field("state", "State"),
    )
    return Result("Lifecycle", fields, tuple(rows), asked.origin(_EVENTS, start, None))


def scored_customers(context: QueryContext) -> ir.Table:
    """Customers by recency, frequency and money over the history before `as_of`; orders without a rate left out."""
    orders = context.mart(_ORDERS)
    bought = orders.select(
        "customer_id",
        day=orders.local_ts.date(),
        amount=in_report(orders, orders.gross),
        refunded_amount=in_report(orders, orders.refunded),
    )
    return customers.rfm(bought.filter(bought.amount.notnull()), context.zone.day_of(context.as_of))


def rfm(asked: Asked) -> Result:
    """The customers that `Book.rfm` describes."""
    start = len(asked.context.sql)
    scored = scored_customers(asked.context).order_by(ibis.desc("monetary"), "customer_id")
    fields = (
        Field("customer_id", "Customer"),
        Field("recency", "Days since last order", "count"),
        Field("frequency", "Orders", "count"),
        Field("monetary", "Net revenue", asked.context.currency),
        *(Field(letter, letter.upper(), "count") for letter in "rfm"),
        Field("code", "Code"),
        Field("segment", "Segment"),
    )
    rows = tuple(tuple(row[f.name] for f in fields) for row in asked.context.rows(scored))
    origin = asked.context.provenance(asked.context.sql[start:], [_ORDERS], len(rows), money=True)
    return Result("Customers by recency, frequency and money", fields, rows, origin)


def _funnel_row(step: StepResult) -> tuple[Any, ...]:
    return (step.event, step.count, step.step_rate, step.overall_rate, step.drop_off, step.average, step.median)


def _average(cells: Sequence[tuple[Any, ...]]) -> tuple[float | None, ...]:
    """Weighted by size, over the complete cells of cohorts with users; uncovered days count in none."""
    found: list[float | None] = []
    for k in range(max((cell[2] for cell in cells), default=-1) + 1):
        whole = [cell for cell in cells if cell[2] == k and cell[1] and cell[3] is not None and cell[5] == "complete"]
        total = sum(cell[1] for cell in whole)
        found.append(sum(cell[3] for cell in whole) / total if total else None)
    return tuple(found)
