"""Funnels: each rule of section 1 on rows made for it, an exhaustive search as oracle, and published event logs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path as File
from typing import Any

import ibis
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depth import examples
from tidings.analysis.funnel import (
    Exclusion,
    Funnel,
    Path,
    Step,
    by_value,
    funnel_rows,
    histogram,
    paths,
    summary,
    total_times,
    trend,
)
from tidings.errors import MetricError
from tidings.window import Window, Zone, period_start

START = datetime(2026, 5, 1)
SCHEMA = {
    "user_id": "string",
    "event": "string",
    "ts": "timestamp(6)",
    "properties": "map<string, string>",
    "_source": "string",
    "_line": "int64",
}


def events(*rows: tuple[Any, ...]) -> ibis.Table:
    """(user, event, seconds[, properties]) in input order."""
    return ibis.memtable(
        pa.Table.from_pylist(
            [
                {
                    "user_id": user,
                    "event": event,
                    "ts": START + timedelta(seconds=seconds),
                    "properties": list((rest[0] if rest else {}).items()),
                    "_source": "s",
                    "_line": line,
                }
                for line, (user, event, seconds, *rest) in enumerate(rows, start=1)
            ],
            schema=ibis.schema(SCHEMA).to_pyarrow(),
        )
    )


def one(text: str, user: str = "u", gap: int = 10) -> list[tuple[str, str, int]]:
    """`"A B|C"`: events of one user, `gap` seconds apart, those joined by `|` at one instant."""
    return [(user, event, i * gap) for i, group in enumerate(text.split()) for event in group.split("|")]


def asked(steps: str, **how: Any) -> Funnel:
    return Funnel(tuple(Step(step) for step in steps.split()), **how)


def rows_of(table: ibis.Table, funnel: Funnel, **how: Any) -> pa.Table:
    return ibis.duckdb.connect().to_pyarrow(funnel_rows(table, funnel, **how))


def walked(rows: Sequence[tuple[Any, ...]], funnel: Funnel, **how: Any) -> list[Path]:
    return paths(rows_of(events(*rows), funnel, **how), funnel)


def counts(rows: Sequence[tuple[Any, ...]], funnel: Funnel) -> list[int]:
    return [step.count for step in summary(walked(rows, funnel), funnel)]


@pytest.mark.parametrize(
    ("order", "text", "steps", "depth", "reason"),
    [
        ("ordered", "A X B X C", "A B C", 3, "other events between do not matter"),
        ("ordered", "B A C", "A B C", 1, "B before A does not count, C without B neither"),
        ("ordered", "B C", "A B C", 0, "no one enters without step 1"),
        ("ordered", "A", "A A", 1, "one event fills one step"),
        ("ordered", "A A", "A A", 2, "a repeated step takes another event"),
        ("ordered", "C|B|A", "A B C", 3, "equal timestamps may be taken in any order"),
        ("ordered", "B|A A", "A B A", 3, "also across instants"),
        ("ordered", "A C B", "A B C", 2, "C came before B"),
        ("strict", "A B C", "A B C", 3, "neighbours"),
        ("strict", "A X B C", "A B C", 1, "any event between breaks it"),
        ("strict", "A X A B C", "A B C", 3, "another attempt is clean"),
        ("strict", "B|A C", "A B C", 1, "strict goes by input order even within an instant"),
        ("strict", "A|B C", "A B C", 3, "and this is that order"),
        ("unordered", "C A B", "A B C", 3, "any order"),
        ("unordered", "C X B", "A B C", 2, "two different steps"),
        ("unordered", "A A A", "A B C", 1, "one step however often"),
        ("unordered", "A A", "A A B", 2, "a repeated step takes another event"),
    ],
)
def test_depth(order: Any, text: str, steps: str, depth: int, reason: str) -> None:
    funnel = asked(steps, order=order)
    assert counts(one(text), funnel) == [int(depth > i) for i in range(len(funnel.steps))], reason


def test_an_event_that_fits_two_steps_goes_where_it_is_needed() -> None:
    # At one instant: A, a B that is red (fits both later steps) and a plain B (fits the second only).
    funnel = Funnel((Step("A"), Step("B"), Step("B", {"colour": "red"})))
    for first, second in (({"colour": "red"}, {}), ({}, {"colour": "red"})):
        assert counts([("u", "A", 0), ("u", "B", 5, first), ("u", "B", 5, second)], funnel) == [1, 1, 1]


@pytest.mark.parametrize("order", ["ordered", "strict", "unordered"])
@pytest.mark.parametrize(
    ("seconds", "window", "count"),
    [
        (60, 60, 1),  # the window's end is included
        (61, 60, 0),
        (14 * 86_400, None, 1),  # missing, zero and negative fall back to 14 days
        (14 * 86_400, 0, 1),
        (14 * 86_400 + 1, -5, 0),
    ],
)
def test_the_window_counts_from_the_first_step(order: Any, seconds: int, window: float | None, count: int) -> None:
    assert counts([("u", "A", 0), ("u", "B", seconds)], asked("A B", order=order, window=window))[1] == count


def test_the_window_is_absolute_and_of_the_whole_attempt() -> None:
    # Each gap is within 60 s, all together are not.
    assert counts([("u", "A", 0), ("u", "B", 50), ("u", "C", 100)], asked("A B C", window=60)) == [1, 1, 0]


def test_rates_and_drop_off_count_users_once() -> None:
    rows = [*one("A B A B", "a"), *one("A", "b"), *one("A C", "c"), *one("B", "d"), (None, "A", 0), ("", "A", 0)]
    first, second, third = summary(walked(rows, asked("A B C")), asked("A B C"))
    assert (first.count, first.step_rate, first.overall_rate, first.drop_off) == (3, None, 1.0, None)
    assert (second.count, second.step_rate, second.overall_rate, second.drop_off) == (1, 1 / 3, 1 / 3, 2)
    assert (third.count, third.step_rate, third.overall_rate, third.drop_off) == (0, 0.0, 0.0, 1)


def test_no_users_give_zeros_and_nulls() -> None:
    funnel = asked("A B")
    for rows in ([], one("B")):
        first, second = summary(walked(rows, funnel), funnel)
        assert (first.count, first.overall_rate, first.average) == (0, None, None)
        assert (second.count, second.step_rate, second.overall_rate, second.drop_off) == (0, None, None, 0)
        assert (second.average, second.median) == (None, None)
    assert total_times([], funnel) == []
    assert histogram([], 5) == []


@pytest.mark.parametrize(
    ("text", "exclusion", "expected", "reason"),
    [
        ("A X B", Exclusion("X", 1, 2), [0, 0, 0], "only a void attempt: counted at no step"),
        ("A B X C", Exclusion("X", 1, 2), [1, 1, 1], "after to_step"),
        ("X A B", Exclusion("X", 1, 2), [1, 1, 0], "before from_step"),
        ("A|X B", Exclusion("X", 1, 2), [1, 1, 0], "not strictly after from_step"),
        ("A X|B", Exclusion("X", 1, 2), [1, 1, 0], "not strictly before to_step"),
        ("A X", Exclusion("X", 1, 2), [0, 0, 0], "to_step not reached: until the end of the window"),
        ("A X", Exclusion("X", 2, 3), [1, 0, 0], "from_step not reached: not void"),
        ("A X A B", Exclusion("X", 1, 2), [1, 1, 0], "the second attempt is clean"),
        ("A B A X B C", Exclusion("X", 1, 2), [1, 1, 1], "the first attempt is clean and goes on to C"),
        ("A B X", Exclusion("X", 1, 3), [0, 0, 0], "between 1 and 3, 3 not reached"),
    ],
)
def test_exclusions(text: str, exclusion: Exclusion, expected: list[int], reason: str) -> None:
    assert counts(one(text), asked("A B C", exclusions=(exclusion,))) == expected, reason


def test_an_exclusion_after_the_window_voids_nothing() -> None:
    how = {"exclusions": (Exclusion("X", 1, 2),), "window": 60}
    assert counts([("u", "A", 0), ("u", "X", 60)], asked("A B", **how)) == [0, 0]  # its end is included
    assert counts([("u", "A", 0), ("u", "X", 61)], asked("A B", **how)) == [1, 0]


def test_the_selected_attempt_ends_first_and_starts_last() -> None:
    # A at 0 and 10, B at 20, then once more A at 30 and B at 100: the second A before the first B counts.
    rows = [("u", "A", 0), ("u", "A", 10), ("u", "B", 20), ("u", "A", 30), ("u", "B", 100)]
    found = walked(rows, asked("A B"))
    assert [path.seconds(2) for path in found] == [10.0]
    # Deeper beats earlier: the first A only reaches B.
    rows = [("u", "A", 0), ("u", "B", 5), ("u", "A", 100), ("u", "B", 107), ("u", "C", 110)]
    assert [path.seconds(2) for path in walked(rows, asked("A B C", window=50))] == [7.0]


def test_times_to_convert() -> None:
    rows = []
    for user, gap in (("a", 10), ("b", 20), ("c", 60), ("d", 70)):
        rows += [(user, "A", 0), (user, "B", gap)]
    rows += [("a", "C", 11.5), ("e", "A", 0)]
    funnel = asked("A B C")
    found = walked(rows, funnel)
    _, second, third = summary(found, funnel)
    assert (second.average, second.median) == (40.0, 40.0)  # the median lies between 20 and 60
    assert (third.average, third.median) == (1.5, 1.5)
    assert total_times(found, funnel) == [11.5]  # users who completed only


def test_histogram_bins_are_closed_on_the_left_and_the_last_on_both_sides() -> None:
    assert histogram([0.0, 5.0, 9.0, 10.0], 2) == [(0.0, 5.0, 1), (5.0, 10.0, 3)]


def test_unordered_times_are_those_of_the_span_that_ends_earliest() -> None:
    # The span from 0 reaches all three at 100, that from 80 at 100 too and started later.
    rows = [("u", "A", 0), ("u", "B", 80), ("u", "A", 90), ("u", "C", 100)]
    (found,) = walked(rows, asked("A B C", order="unordered"))
    assert [found.seconds(2), found.seconds(3)] == [10.0, 10.0]


def test_breakdown_takes_the_first_step_of_the_selected_attempt_and_adds_up() -> None:
    rows = [
        ("a", "A", 0, {"plan": "x"}),
        ("a", "A", 10, {"plan": "y"}),  # the selected start
        ("a", "B", 20, {"plan": "z"}),
        ("b", "A", 0, {"plan": "y"}),
        ("c", "A", 0, {"plan": ""}),  # empty, missing: (none)
        ("d", "A", 0),
        ("e", "A", 0, {"plan": "q"}),
        ("f", "A", 0, {"plan": "p"}),
    ]
    funnel = asked("A B")
    table = events(*rows)
    table = table.mutate(plan=table.properties.get("plan"))
    found = paths(rows_of(table, funnel, breakdown="plan"), funnel)
    shown = {value: [step.count for step in steps] for value, steps in by_value(found, funnel).items()}
    # By users, then by name.
    assert list(shown.items()) == [("(none)", [2, 0]), ("y", [2, 1]), ("p", [1, 0]), ("q", [1, 0])]
    top = {value: steps[0].count for value, steps in by_value(found, funnel, top=1).items()}
    assert top == {"(none)": 2, "Other": 4}


def test_a_value_called_other_does_not_hide_the_rest() -> None:
    found = [Path((0,), "Other"), Path((0,), "Other"), Path((0,), "b")]
    assert {value: steps[0].count for value, steps in by_value(found, asked("A"), top=1).items()} == {"Other": 3}


def test_trend_counts_by_the_local_period_of_the_start() -> None:
    zone = Zone("Europe/Berlin")
    window = Window.between(date(2026, 5, 1), date(2026, 5, 4), datetime(2026, 6, 1, tzinfo=UTC), zone)
    day = 86_400
    rows = [
        ("a", "A", 10 * 3600),  # 1 May, converts on the 3rd: counts on the 1st
        ("a", "B", 2 * day),
        ("a", "A", 2 * day + 60),  # and enters on the 3rd once more
        ("b", "A", 23 * 3600),  # 23:00 UTC is the 2nd in Berlin
        ("b", "A", 25 * 3600),  # twice in a period is once
        ("c", "B", 3600),  # never enters
        ("d", "A", 2 * day),  # enters on the 3rd, void
        ("d", "X", 2 * day + 10),
        ("d", "B", 2 * day + 20),
    ]
    table = events(*rows)
    local = zone.local(table.ts, window.start_at, window.end_at)
    funnel = asked("A B", exclusions=(Exclusion("X", 1, 2),))
    found = trend(
        rows_of(table.mutate(day=period_start(local, "day")), funnel, period="day"),
        funnel,
        [period.start for period in window.periods("day")],
    )
    assert [(point.period.day, point.entered, point.converted, point.rate) for point in found] == [
        (1, 1, 1, 1.0),
        (2, 1, 0, 0.0),
        (3, 2, 0, 0.0),
        (4, 0, 0, None),
    ]


def test_steps_may_ask_for_properties() -> None:
    funnel = Funnel((Step("view", {"page": "/"}), Step("view", {"page": "/buy", "lang": "de"})))
    rows = [
        ("a", "view", 0, {"page": "/"}),
        ("a", "view", 1, {"page": "/buy", "lang": "de"}),
        ("b", "view", 0, {"page": "/"}),
        ("b", "view", 1, {"page": "/buy"}),
        ("c", "view", 0),
    ]
    assert counts(rows, funnel) == [2, 1]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Funnel(()), "0 steps"),
        (lambda: asked("A B", order="orderd"), "Did you mean 'ordered'"),
        (lambda: asked("A B", exclusions=(Exclusion("X", 2, 2),)), "from_step < to_step"),
        (lambda: asked("A B", exclusions=(Exclusion("X", 0, 1),)), "from_step < to_step"),
        (lambda: asked("A B", exclusions=(Exclusion("X", 1, 3),)), "from_step < to_step"),
        (lambda: asked("A B", order="unordered", exclusions=(Exclusion("X", 1, 2),)), "no exclusions"),
    ],
)
def test_impossible_funnels_are_refused(make: Any, message: str) -> None:
    with pytest.raises(MetricError, match=message):
        make()


# The oracle tries every assignment of events to steps. An event is (time, steps it fits, whether it is excluded).

Event = tuple[int, frozenset[int], bool]
LIMIT = 3


def searched(rows: list[Event], steps: int, start: int) -> tuple[int, ...]:
    """Ordered: the deepest assignment from `start`, then the earliest times, over all choices of distinct events."""
    best: tuple[int, ...] = (rows[start][0],)

    def go(used: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        yield tuple(rows[i][0] for i in used)
        if len(used) == steps:
            return
        for i, (moment, fits, _) in enumerate(rows):
            if i not in used and len(used) in fits and rows[used[-1]][0] <= moment <= rows[start][0] + LIMIT:
                yield from go((*used, i))

    for times in go((start,)):
        if len(times) > len(best) or (len(times) == len(best) and times < best):
            best = times
    return best


def filled(rows: list[Event], steps: frozenset[int]) -> int:
    """The most different steps that distinct events of `rows` fill."""
    if not rows:
        return 0
    (_, fits, _), rest = rows[0], rows[1:]
    return max([filled(rest, steps), *(1 + filled(rest, steps - {step}) for step in fits & steps)])


def is_void(times: tuple[int, ...], rows: list[Event], from_step: int, to_step: int) -> bool:
    if len(times) < from_step:
        return False
    reached = len(times) >= to_step
    return any(
        excluded
        and moment > times[from_step - 1]
        and (moment < times[to_step - 1] if reached else moment <= times[0] + LIMIT)
        for moment, _, excluded in rows
    )


def best_of(attempts: list[tuple[int, ...]]) -> tuple[int, ...] | None:
    """1.5: deepest, then ending earliest, then started latest; starts of one instant in the order of C5."""
    ranked = sorted(enumerate(attempts), key=lambda a: (-len(a[1]), a[1][-1], -a[1][0], -a[0]))
    return ranked[0][1] if ranked else None


# Any set of steps, so that an event may fit several and several events compete at one instant.
events_of_steps = st.tuples(st.integers(0, 5), st.frozensets(st.integers(0, 3)), st.booleans())
histories = st.lists(events_of_steps, max_size=7).map(lambda rows: sorted(rows, key=lambda row: row[0]))


def limited(rows: list[Event], steps: int) -> list[Event]:
    return [(moment, frozenset(step for step in fits if step < steps), excluded) for moment, fits, excluded in rows]


def times_of(rows: list[Event], funnel: Funnel) -> tuple[int, ...] | None:
    steps = len(funnel.steps)
    matches = [
        sum(1 << s for s in fits) + (excluded << steps if funnel.exclusions else 0) for _, fits, excluded in rows
    ]
    table = pa.table(
        {
            "user_id": ["u"] * len(rows),
            "ts": pa.array([moment * 1_000_000 for moment, _, _ in rows], pa.timestamp("us")),
            "matches": pa.array(matches, pa.int64()),
        }
    )
    found = paths(table, funnel)
    return tuple(moment // 1_000_000 for moment in found[0].times) if found else None


def numbered(steps: int, **how: Any) -> Funnel:
    return Funnel(tuple(Step(str(step)) for step in range(steps)), window=LIMIT, **how)


@settings(max_examples=examples(100, 400), deadline=None)
@given(histories, st.integers(1, 4), st.booleans(), st.integers(1, 3), st.integers(1, 3))
def test_ordered_is_the_best_of_all_assignments(
    history: list[Event], steps: int, excludes: bool, from_step: int, further: int
) -> None:
    rows, to_step = limited(history, steps), from_step + further
    excludes = excludes and to_step <= steps
    exclusions = (Exclusion("x", from_step, to_step),) if excludes else ()
    attempts = [searched(rows, steps, i) for i, (_, fits, _) in enumerate(rows) if 0 in fits]
    clean = [times for times in attempts if not (excludes and is_void(times, rows, from_step, to_step))]
    assert times_of(rows, numbered(steps, exclusions=exclusions)) == best_of(clean)


@settings(max_examples=examples(100, 400), deadline=None)
@given(histories, st.integers(1, 4))
def test_unordered_is_the_best_of_all_spans(history: list[Event], steps: int) -> None:
    rows = limited(history, steps)
    spans = []
    for start in sorted({moment for moment, fits, _ in rows if fits}):
        # The times at which one more step can be filled by the events from `start` on.
        growth = [0] + [
            filled([row for row in rows if start <= row[0] <= end], frozenset(range(steps)))
            for end in range(start, start + LIMIT + 1)
        ]
        spans.append(tuple(start + i for i, (less, more) in enumerate(pairwise(growth)) for _ in range(more - less)))
    assert times_of(rows, numbered(steps, order="unordered")) == best_of(spans)


@settings(max_examples=examples(100, 400), deadline=None)
@given(histories, st.integers(1, 4))
def test_strict_is_the_best_of_all_runs_of_neighbours(history: list[Event], steps: int) -> None:
    rows = limited(history, steps)
    runs = []
    for i in range(len(rows)):
        fitting = [
            run
            for run in (rows[i : i + n] for n in range(1, steps + 1) if i + n <= len(rows))
            if all(step in fits for step, (_, fits, _) in enumerate(run)) and run[-1][0] - run[0][0] <= LIMIT
        ]
        runs += [tuple(moment for moment, _, _ in max(fitting, key=len))] if fitting else []
    assert times_of(rows, numbered(steps, order="strict")) == best_of(runs)


@pytest.mark.data
@pytest.mark.parametrize(
    ("log", "steps", "days", "published"),
    [
        ("hospital_billing", "NEW,FIN,RELEASE,CODE OK,BILLED", 36_500, [9999, 7419, 7209, 7059, 6915]),
        ("hospital_billing", "NEW,FIN,RELEASE,CODE OK,BILLED", 90, [9999, 3004, 2863, 2060, 300]),
        ("traffic_fines", "Create Fine,Payment", 36_500, [10_000, 4626]),
        ("traffic_fines", "Create Fine,Payment", 30, [10_000, 3173]),
    ],
)
def test_published_event_logs(shared_data: File, log: str, steps: str, days: int, published: list[int]) -> None:
    con = ibis.duckdb.connect()
    rows = con.read_parquet(shared_data / "event_logs" / f"{log}.parquet")
    table = rows.select(
        user_id=rows.case_id,
        event=rows.activity,
        ts=rows.timestamp.cast("timestamp(6)"),
        _source=ibis.literal(log),
        _line=ibis.row_number(),
    )
    funnel = Funnel(tuple(map(Step, steps.split(","))), window=days * 86_400)
    found = paths(con.to_pyarrow(funnel_rows(table, funnel)), funnel)
    assert [step.count for step in summary(found, funnel)] == published
