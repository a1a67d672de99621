"""What several loads of one source have in common counts once (metric definitions C7), feed by feed."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depth import examples
from workbooks import at, only, run_models

OCTOBER, NOVEMBER, DECEMBER = 1, 2, 3


def order(number: str, amount: float, load: int, line: int = 2, **more: Any) -> dict[str, Any]:
    """A line of an order without a line number."""
    return {"order_id": number, "amount": amount, "product": "Mug", "_pull": load, "_line": line, **more}


def amounts(*orders: dict[str, Any]) -> list[tuple[str, float]]:
    rows = run_models("stg_orders", orders=list(orders))
    return sorted((row["order_id"], float(row["amount"])) for row in rows)


def test_an_order_in_two_exports_counts_once() -> None:
    assert amounts(order("1", 10, OCTOBER), order("1", 10, NOVEMBER), order("2", 5, NOVEMBER, 3)) == [
        ("1", 10),
        ("2", 5),
    ]


def test_an_order_in_three_overlapping_exports_counts_once() -> None:
    assert amounts(*(order("1", 10, load) for load in (OCTOBER, NOVEMBER, DECEMBER))) == [("1", 10)]


def test_equal_lines_count_as_often_as_in_the_export_that_has_them_most_often() -> None:
    # Two mugs on two lines, in both exports: two.
    twice = [order("1", 10, load, line) for load in (OCTOBER, NOVEMBER) for line in (2, 3)]
    assert amounts(*twice) == [("1", 10), ("1", 10)]
    # One in the first, three in the second: three; two and one: two.
    assert amounts(order("1", 10, OCTOBER), *(order("1", 10, NOVEMBER, n) for n in (2, 3, 4))) == [("1", 10)] * 3
    assert amounts(order("1", 10, OCTOBER), order("1", 10, OCTOBER, 3), order("1", 10, NOVEMBER)) == [("1", 10)] * 2


def test_an_order_that_was_corrected_is_as_the_later_export_has_it() -> None:
    assert amounts(order("1", 10, OCTOBER), order("1", 12, NOVEMBER)) == [("1", 12)]
    # All its lines: one was taken out, one made dearer.
    before = [order("1", 10, OCTOBER), order("1", 7, OCTOBER, 3, product="Plate")]
    assert amounts(*before, order("1", 11, NOVEMBER)) == [("1", 11)]


def test_a_pending_order_that_was_paid_is_one_order() -> None:
    rows = run_models(
        "stg_orders", orders=[order("1", 10, OCTOBER, status="pending"), order("1", 10, NOVEMBER, status="succeeded")]
    )
    assert only(rows, "status") == [("succeeded",)]


def test_the_later_export_decides_for_the_time_that_it_spans() -> None:
    moved = {"ts": at("2026-06-03")}
    # It spans the 1st to the 4th and has order 1 on the 3rd: what the earlier one has on the 2nd is superseded.
    spanning = [
        order("1", 10, OCTOBER, ts=at("2026-06-02")),
        order("9", 1, NOVEMBER, 2, ts=at("2026-06-01")),
        order("1", 10, NOVEMBER, 3, **moved),
        order("8", 1, NOVEMBER, 4, ts=at("2026-06-04")),
    ]
    assert amounts(*spanning) == [("1", 10), ("8", 1), ("9", 1)]


def test_charges_of_one_number_in_exports_of_different_months_are_different_charges() -> None:
    # A subscription that is charged every month under one number: no export could have had the others.
    months = [order("sub1", 10, load, ts=at(f"2026-0{load}-10")) for load in (1, 2, 3)]
    assert amounts(*months) == [("sub1", 10)] * 3


def test_refunds_of_one_order_at_different_times_stay_apart_in_one_export() -> None:
    refund = {"type": "refund", "line_id": "1"}
    rows = run_models(
        "stg_orders",
        orders=[
            order("1", 10, OCTOBER, 2, ts=at("2026-03-05"), **refund),
            order("1", 20, OCTOBER, 3, ts=at("2026-04-05"), **refund),
        ],
    )
    # Two movements of one order, type and line, each with a key of its own and its own time.
    assert only(rows, "line_key", "ts") == [
        ("shop:1:refund:1#3", at("2026-04-05")),
        ("shop:1:refund:1", at("2026-03-05")),
    ]


def test_a_line_with_a_number_is_replaced_by_the_later_export_whatever_its_time() -> None:
    line = {"line_id": "1"}
    assert amounts(order("1", 10, OCTOBER, **line), order("1", 12, NOVEMBER, ts=at("2025-01-01"), **line)) == [
        ("1", 12)
    ]


def test_keys_cannot_be_forged_by_what_stands_in_them() -> None:
    rows = run_models(
        "stg_orders",
        orders=[
            order("a", 1, OCTOBER, line_id="b:charge:c"),
            order("a:charge:b", 2, OCTOBER, 3, line_id="c"),  # joined by colons the two would be one
        ],
    )
    assert len({row["line_key"] for row in rows}) == 2


def test_rows_of_two_sources_have_nothing_in_common() -> None:
    assert amounts(order("1", 10, 1), order("1", 10, 2, _source="other")) == [("1", 10), ("1", 10)]


@pytest.mark.parametrize(
    ("table", "feed", "key", "reported"),
    [
        ("stg_events", "events", "event_id", "path"),
        ("stg_requests", "requests", "request_id", "endpoint"),
        ("stg_vitals", "vitals", "sample_id", "path"),
    ],
)
def test_of_what_happened_the_first_load_stays(table: str, feed: str, key: str, reported: str) -> None:
    value = {"value": 1.0} if feed == "vitals" else {}
    rows = [
        {key: "x", reported: "/first", "_pull": 1, "_line": 9, **value},
        {key: "x", reported: "/redelivered", "_pull": 2, "_line": 2, **value},
    ]
    assert only(run_models(table, **{feed: rows}), reported) == [("/first",)]


def test_a_visitor_whose_pseudonym_is_of_another_pull_is_the_same_visitor() -> None:
    # Salts live for two days: the same row, exported and pulled a month later, has another pseudonym.
    view = {"path": "/", "event": "pageview"}
    one, other = "0123456789abcdef01234567", "fedcba9876543210fedcba98"
    rows = [{**view, "visitor_id": one, "_pull": 1}, {**view, "visitor_id": other, "_pull": 2}]
    assert only(run_models("stg_events", events=rows), "visitor_id") == [(one,)]
    # Ids that a shop gives are compared.
    rows = [{**view, "visitor_id": "anna", "_pull": 1}, {**view, "visitor_id": "ben", "_pull": 2}]
    assert only(run_models("stg_events", events=rows), "visitor_id") == [("anna",), ("ben",)]


def test_figures_of_one_key_are_added_within_a_file_and_replaced_by_the_next() -> None:
    platform_metric = {"metric": "downloads", "currency": "", "ts": at("2026-06-01")}
    empty = dict.fromkeys(
        ("app", "country", "device", "app_version", "os", "product", "store", "channel", "page", "query", "event"), ""
    )
    empty |= {"reason": "", "search_type": ""}
    rows = [
        {**platform_metric, **empty, "value": 5, "_pull": 1, "_line": 2},
        {**platform_metric, **empty, "value": 7, "_pull": 1, "_line": 3},  # split by what is not mapped: 12 in all
        {**platform_metric, **empty, "value": 100, "ts": at("2026-06-02"), "_pull": 1, "_line": 4},
        {**platform_metric, **empty, "value": 90, "ts": at("2026-06-02"), "_pull": 2, "_line": 2},  # corrected
    ]
    found = run_models("platform_metrics_shared", platform_metrics=rows)
    assert sorted((row["day"].day, float(row["value"])) for row in found) == [(1, 12), (2, 90)]


ROWS = st.lists(st.tuples(st.integers(1, 3), st.integers(0, 3)), max_size=14)


@settings(max_examples=examples(6, 12), deadline=None)
@given(rows=ROWS)
def test_rows_without_an_id_count_as_in_the_load_that_has_them_most_often(rows: list[tuple[int, int]]) -> None:
    counted: dict[int, Counter[int]] = {load: Counter() for load in (1, 2, 3)}
    events = []
    for line, (load, path) in enumerate(rows):
        counted[load][path] += 1
        events.append({"path": f"/{path}", "_pull": load, "_line": line})
    expected = {f"/{path}": max(counts[path] for counts in counted.values()) for path in range(4)}
    found = Counter(row["path"] for row in run_models("stg_events", events=events))
    assert found == Counter({path: times for path, times in expected.items() if times})
