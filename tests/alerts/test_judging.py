"""What becomes of a rule is a pure function of its state and the values of days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.alerts.judging import Observed, RuleState, judged, state_of
from tidings.alerts.rules import Rule
from tidings.ledger.alert_log import AlertEvent, alerts_of
from tidings.window import add_days

FIRST = date(2026, 6, 1)
NOW = datetime(2026, 7, 1, 6, tzinfo=UTC)
Value = float | None | str


def rule(**of: object) -> Rule:
    given = {"name": "Errors", "about": "error_rate", "condition": "above", "limit": Decimal("0.02")}
    made = {**given, "clear": of.get("limit", given["limit"]), **of}
    return Rule(**made)  # type: ignore[arg-type]


def seen(values: Sequence[Value]) -> list[Observed]:
    """A day for each value; null is unknown, "few" too little to judge."""
    return [
        Observed(add_days(FIRST, n), NOW, None, is_few=True)
        if value == "few"
        else Observed(add_days(FIRST, n), NOW, None, why="no source has it")
        if value is None
        else Observed(add_days(FIRST, n), NOW, Decimal(str(value)), said=f"It was {value}", limit="above 0.02")
        for n, value in enumerate(values)
    ]


def numbered(events: Sequence[AlertEvent]) -> list[AlertEvent]:
    return [replace(event, id=n) for n, event in enumerate(events, start=1)]


def became(of: Rule, *values: Value) -> list[tuple[str, str, int]]:
    """About what, what happened, and on which day of June, without mere looks."""
    events = judged(of, RuleState({}), seen(values), FIRST)
    return [(e.about, e.kind, e.day.day) for e in events if e.kind != "looked"]


def test_it_opens_once_and_is_over_once() -> None:
    # The limit itself is right: the last good value.
    assert became(rule(), 0.01, 0.02, 0.03, 0.03, 0.02) == [("figure", "opened", 3), ("figure", "resolved", 5)]


def test_between_limit_and_clearance_nothing_changes() -> None:
    of = rule(clear=Decimal("0.01"))
    # 0.015 neither opens (day 1) nor closes (day 3); the last that is over lies below 0.01.
    assert became(of, 0.015, 0.03, 0.015, 0.01, 0.009, 0.015) == [("figure", "opened", 2), ("figure", "resolved", 5)]


def test_it_waits_for_so_many_days_in_a_row() -> None:
    # A good day begins the count again; a day of too few rows or without a value does not count.
    assert became(rule(for_days=3), 0.03, 0.03, 0.01, 0.03, "few", 0.03, 0.03) == [("figure", "opened", 7)]


def test_below_is_the_same_the_other_way_round() -> None:
    of = rule(condition="below", limit=Decimal(10), clear=Decimal(20))
    assert became(of, 10, 9, 15, 21) == [("figure", "opened", 2), ("figure", "resolved", 4)]


def test_it_worsens_when_half_again_as_much_is_wrong() -> None:
    # 0.04 is 0.02 beyond; 0.049 not yet half more, 0.05 is; after that 0.065 (0.045 beyond) is.
    assert became(rule(), 0.04, 0.049, 0.05, 0.05, 0.03, 0.065) == [
        ("figure", "opened", 1),
        ("figure", "worsened", 3),
        ("figure", "worsened", 6),
    ]


def test_what_is_unknown_is_an_alert_of_its_own_and_resolves_nothing() -> None:
    assert became(rule(), 0.03, None, None, 0.03, 0.01) == [
        ("figure", "opened", 1),
        ("computing", "opened", 2),
        ("computing", "resolved", 4),
        ("figure", "resolved", 5),
    ]


def test_what_cannot_be_computed_is_told_to_the_owner() -> None:
    of = rule(owner="ada", tell=("ops",))
    events = judged(of, RuleState({}), seen([0.03, None]), FIRST)
    told = {event.about: event.tell for event in events if event.kind == "opened"}
    assert told == {"figure": ("ops",), "computing": ("ada",)}
    assert [e.said for e in events if e.about == "computing"] == [
        "Errors cannot be computed for 2 Jun 2026: no source has it."
    ]


def test_too_few_rows_open_and_resolve_nothing() -> None:
    assert became(rule(), "few", 0.03, "few", "few", 0.03) == [("figure", "opened", 2)]


def test_the_sentence_says_for_how_long() -> None:
    (event,) = [e for e in judged(rule(for_days=2), RuleState({}), seen([0.03, 0.04]), FIRST) if e.kind == "opened"]
    assert event.said == "It was 0.04, above 0.02 for 2 days."


def test_a_value_that_is_looked_at_again_makes_no_event() -> None:
    of = rule()
    events = numbered(judged(of, RuleState({}), seen([0.03]), FIRST))
    assert judged(of, state_of(events), seen([0.03]), FIRST) == ()
    # A correction of the same day does.
    assert [e.kind for e in judged(of, state_of(events), seen([0.01]), FIRST)] == ["resolved"]


def test_acknowledged_and_muted_alerts_go_on_being_judged() -> None:
    of = rule()
    events = numbered(judged(of, RuleState({}), seen([0.03]), FIRST))
    events.append(AlertEvent(of.name, "figure", "acknowledged", NOW, FIRST, by="ada", id=10))
    events.append(AlertEvent(of.name, "figure", "muted", NOW, FIRST, until=date(2026, 7, 3), id=11))
    (alert,) = alerts_of(events)
    assert (alert.state(date(2026, 7, 2)), alert.state(date(2026, 7, 3))) == ("muted until 2026-07-03", "acknowledged")
    later = [e.kind for e in judged(of, state_of(events), seen([0.03, 0.2, 0.01]), add_days(FIRST, 1))]
    assert later == ["worsened", "looked", "resolved", "looked"]


VALUES = st.lists(
    st.one_of(st.none(), st.just("few"), st.sampled_from([0.0, 0.01, 0.015, 0.02, 0.03, 0.034, 0.036, 0.05, 0.2]))
)
RULES = st.builds(
    lambda clear, for_days: rule(clear=Decimal(clear), for_days=for_days),
    st.sampled_from(["0.02", "0.01"]),
    st.integers(1, 3),
)


@given(RULES, VALUES)
def test_never_two_openings_without_an_end(of: Rule, values: list[Value]) -> None:
    is_open = {"figure": False, "computing": False}
    for event in judged(of, RuleState({}), seen(values), FIRST):
        if event.kind == "opened":
            assert not is_open[event.about]
            is_open[event.about] = True
        elif event.kind in ("worsened", "resolved"):
            assert is_open[event.about]
            is_open[event.about] = event.kind != "resolved"
        if event.kind == "resolved" and event.about == "figure":
            assert event.value is not None and of.clears(event.value)


@given(RULES, VALUES, st.data())
def test_day_by_day_is_the_same_as_all_at_once(of: Rule, values: list[Value], data: st.DataObject) -> None:
    days = seen(values)
    at_once = judged(of, RuleState({}), days, FIRST)
    events: list[AlertEvent] = []
    start = 0
    while start < len(days):
        end = data.draw(st.integers(start + 1, len(days)))
        # As an evaluation: from the last day that was looked at, and what `for` needs before it.
        known = days[:end]
        events = numbered([*events, *judged(of, state_of(events), known, days[max(0, start - 1)].day)])
        start = end
    assert [replace(e, id=0) for e in events] == list(at_once)


def test_what_worsens_slowly_is_told_as_well() -> None:
    of, days = rule(), seen([0.03, 0.034, 0.036])
    events: list[AlertEvent] = []
    for n in range(3):
        events = numbered([*events, *judged(of, state_of(events), days[: n + 1], days[max(0, n - 1)].day)])
    # 0.016 beyond the limit is half more than the 0.01 that were told, if not than the 0.014 of the day before.
    assert [(e.kind, e.day.day) for e in events if e.kind != "looked"] == [("opened", 1), ("worsened", 3)]


@pytest.mark.parametrize("sign", [1, -1])
def test_last_and_worst_value(sign: int) -> None:
    of = rule() if sign == 1 else rule(condition="below", limit=Decimal("-0.02"))
    events = numbered(judged(of, RuleState({}), seen([sign * v for v in (0.03, 0.05, 0.04)]), FIRST))
    (alert,) = alerts_of(events)
    assert (alert.value, alert.worst) == (sign * Decimal("0.04"), sign * Decimal("0.05"))
