"""Findings: what is said, in which words, and in which order."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal

from display_samples import ERRORS, REVENUE, USERS, WINDOW, value
from hypothesis import given
from hypothesis import strategies as st

from tidings.analysis.parts import Cause, Group
from tidings.analysis.usual import Run
from tidings.display import cards, formats
from tidings.display.sentences import findings, of_change
from tidings.metrics.metric import Metric
from tidings.query.explanation import Explanation
from tidings.window import add_days

SPIKE = replace(WINDOW, start=add_days(WINDOW.start, 12), end=add_days(WINDOW.start, 14))
VISITS = Metric("visits", "Visits", "flow", "count", "Visits.", "m", lambda t: t.x, action="See who sent them.")
ORDERS = Metric("orders", "Orders", "flow", "count", "Orders.", "m", lambda t: t.x)
NEWS = Cause(("hackernews",), 610.7, 0.92, (Group(612, 612),), (Group(1.3, 18),), 0.9)


def said(*explained: Explanation) -> list[str]:
    text = findings(explained).text.replace(formats.THIN, " ").replace(formats.MINUS, "-")
    return [line.removeprefix("- ") for line in text.splitlines()]


def spike(metric: Metric = VISITS, chance: float = 0.0001) -> Explanation:
    whole = value(14_751, 13_879, metric, "count", unusual=False)
    run = Run(12, 14, 665.0, chance)
    return Explanation(whole, SPIKE, 1714.0, 1049.0, "source", NEWS, run=run)


def test_days_that_stand_out_are_said_with_when_where_how_much_and_what_to_do() -> None:
    assert said(spike()) == [
        "Visits on 15 – 16 Jun 2026: 1 714 instead of 1 049, 92.0 % of the difference from source hackernews (612 "
        "instead of 1.3); by its history this happens in fewer than 1 of 1 000 windows. 3 – 30 Jun 2026 as a whole: "
        "14 751, +6.3 %, within usual variation. See who sent them."
    ]


def test_a_change_of_the_whole_window_is_said_with_where_most_of_it_lies() -> None:
    failed = Cause(("api",), 0.06, 1.0, (Group(61 / 406, 406),), (Group(0.0015, 11_306),), 0.6)
    day = replace(WINDOW, start=add_days(WINDOW.start, 16), end=add_days(WINDOW.start, 17))
    one = Explanation(value(0.004, 0.0018, ERRORS, "ratio", unusual=True), day, 0.0652, 0.0018, "service", failed)
    assert said(one) == [
        "Error rate rose by 0.22 points to 0.40 % (worse), from 0.18 % in the 28 days before; by its history this "
        "happens in fewer than 1 of 1 000 windows. Most of it lies on 19 Jun 2026: 6.52 % instead of 0.18 %, all of "
        "the difference from service api (15.0 % of 406 rows, 0.15 % before)."
    ]


def test_nothing_unusual_is_the_first_finding_with_its_own_error_rate() -> None:
    quiet = [value(110, 100, unusual=False), value(0.01, 0.02, ERRORS, "ratio", unusual=False)]
    assert said(*map(Explanation, quiet)) == [
        "Nothing unusual: 2 figures moved no more than in their history. By chance alone about 1 page in 34 says "
        "otherwise.",
        "Changes against the 28 days before: Net revenue 110.00 EUR (+10.0 %); Error rate 1.00 % (-1.00 points).",
    ]


def test_one_fact_is_said_once() -> None:
    # Visits and page views of the same days and source; what happened less by chance comes first.
    views = spike(replace(VISITS, name="pageviews", title="Page views"), chance=0.002)
    lines = said(spike(), views, Explanation(value(5, 4, ORDERS, "count", unusual=False)))
    assert len(lines) == 2 and "The same shows in Page views (+6.3 %)." in lines[0]
    assert lines[1] == "Within usual variation against the 28 days before: Orders 5 (+25.0 %)."


def test_what_is_less_likely_comes_first_and_nothing_unusual_is_left_out() -> None:
    many = [
        Explanation(value(n, 1, replace(ORDERS, title=f"m{n}", name=f"m{n}"), "count", chance=chance))
        for n, chance in ((2, 0.004), (3, 0.0001), (4, 0.003), (5, 0.002))
    ]
    assert [line[:2] for line in said(*many)] == ["m3", "m5", "m4", "m2"]


def test_a_total_that_moved_against_all_its_parts_is_named_as_that() -> None:
    one = Explanation(value(0.02, 0.04, ERRORS, "ratio", unusual=True), mix="country")
    assert said(one)[0].endswith("Within every country it moved the other way: their mix changed.")


def test_a_history_too_short_is_said_and_judges_nothing() -> None:
    lines = said(Explanation(value(110, 100), is_known=False))
    assert lines == [
        "Changes against the 28 days before: Net revenue 110.00 EUR (+10.0 %).",
        "Whether the change of Net revenue is usual cannot be said: the history is too short.",
    ]


def test_what_is_not_known_comes_last_with_its_reason_and_one_reason_once() -> None:
    unknown = [value(None, 1, metric, "count", why="shop begins later") for metric in (ORDERS, VISITS)]
    lines = said(*map(Explanation, [*unknown, value(110, 100, unusual=False)]))
    assert lines[0].startswith("Nothing unusual")
    assert lines[-1] == "Not known for 3 – 30 Jun 2026: Orders and Visits (shop begins later)."


def test_a_rise_from_nothing_is_a_rise() -> None:
    one = Explanation(value(50, 0, ORDERS, "count", unusual=True))
    assert said(one)[0].startswith("Orders rose to 50, from 0 in the 28 days before; by its history")


def test_of_a_window_that_nobody_can_judge_nothing_is_called_usual() -> None:
    one = replace(spike(), value=value(14_751, 13_879, VISITS, "count"))
    assert "as a whole: 14 751, +6.3 %." in said(one)[0] and "within usual variation" not in said(one)[0]


def test_without_data_that_is_the_finding() -> None:
    assert said() == ["Nothing can be said yet: there are no data in this window."]


def test_one_none_and_unknown_read_as_sentences() -> None:
    assert said(Explanation(value(1, 0, ORDERS, "count"))) == ["Orders: 1 in 3 – 30 Jun 2026; 0 in the 28 days before."]
    assert said(Explanation(value(1, None, ORDERS, "count"))) == [
        "Orders: 1 in 3 – 30 Jun 2026; unknown in the 28 days before."
    ]
    alone = replace(value(1, None, ORDERS, "count"), before_window=None)
    assert said(Explanation(alone)) == ["Orders: 1 in 3 – 30 Jun 2026."]


def test_a_value_of_a_part_of_its_window_says_of_which() -> None:
    part = "web has requests from 2026-06-24 on only"
    alone = replace(value(21, None, USERS, "count", part=part), before_window=None)
    assert said(Explanation(alone)) == [f"Active users: 21 in 3 – 30 Jun 2026; {part}."]
    assert cards.spoken(alone) == f"21; {part}" and f"3 – 30 Jun 2026; {part}" in str(cards.delta(alone))
    # Levels and means are compared all the same.
    assert f"(+5.0 %; {part})" in said(Explanation(value(21, 20, USERS, "count", part=part)))[0]
    # Why there is no change says it already.
    missing = replace(value(21, None, USERS, "count", part=part), why_no_change=part)
    assert said(Explanation(missing))[0].count(part) == 1 and str(cards.delta(missing)).count(part) == 1


def test_names_from_outside_are_escaped() -> None:
    hostile = replace(NEWS, names=("<script>alert(1)</script>",))
    assert "<script>" not in str(findings([replace(spike(), cause=hostile)]).html)


@given(st.decimals(0, 10**7, places=2), st.decimals("0.01", 10**7, places=2))
def test_direction_and_figures_agree(now: Decimal, before: Decimal) -> None:
    text = of_change(value(now, before, REVENUE))
    assert str(formats.short(now, "EUR")) in text, "the figure is quoted"
    if " rose " in text:
        assert now > before
    elif " fell " in text:
        assert now < before
    else:
        assert abs(now - before) <= before / 1000
    assert not re.search(r"(?i)\b(strong|sharp|significant|huge|slight|impressive)", text), "no adjective"
