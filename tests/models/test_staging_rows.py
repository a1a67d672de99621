"""Staging: one row per key, the latest landing first, then the first row (C7); empty ids are null."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tidings.models.graph import known_models
from workbooks import at, only, run_models


def test_rows_of_one_event_id_are_one_row_the_first_by_input_order() -> None:
    rows = run_models(
        "stg_events",
        events=[
            {"event_id": "e1", "path": "/first", "ts": at("12:05")},
            {"event_id": "e1", "path": "/again", "ts": at("12:00")},  # earlier in time, later in the input: not kept
            {"event_id": "e2", "path": "/other"},
        ],
    )
    assert only(rows, "event_key", "path") == [("shop:e1", "/first"), ("shop:e2", "/other")]


def test_of_what_happened_the_first_landing_stays_whatever_its_line() -> None:
    rows = run_models(
        "stg_events",
        events=[
            {"event_id": "e1", "path": "/redelivered", "_pull": 2, "_line": 1},
            {"event_id": "e1", "path": "/sent", "_pull": 1, "_line": 7},
            {"event_id": "e1", "path": "/sent twice", "_pull": 1, "_line": 8},
        ],
    )
    assert only(rows, "path", "_pull", "_line") == [("/sent", 1, 7)]


def test_of_what_is_the_later_landing_wins_whatever_its_line_and_time() -> None:
    order = {"order_id": "o1", "line_id": "1"}
    rows = run_models(
        "stg_orders",
        orders=[
            {**order, "amount": 10, "_pull": 1, "_line": 1},
            {**order, "amount": 12, "ts": at("2026-05-01"), "_pull": 2, "_line": 7},
            {**order, "amount": 13, "ts": at("2026-05-01"), "_pull": 2, "_line": 8},  # the same line once more
        ],
    )
    assert only(rows, "amount", "_pull", "_line") == [(Decimal("12.0000"), 2, 7)]


def test_the_same_id_of_two_sources_is_two_things() -> None:
    rows = run_models("stg_events", events=[{"event_id": "e1"}, {"event_id": "e1", "_source": "app"}])
    assert only(rows, "event_key") == [("app:e1",), ("shop:e1",)]


def test_equal_rows_without_an_id_are_separate() -> None:
    same = {"event_id": None, "visitor_id": "v"}
    rows = run_models("stg_events", events=[same, same, {**same, "event_id": ""}])  # an empty id is none
    assert only(rows, "event_key", "event_id") == [
        ("shop#events1.1", None),
        ("shop#events1.2", None),
        ("shop#events1.3", None),
    ]


def test_equal_positions_of_two_landings_are_separate() -> None:
    rows = run_models("stg_events", events=[{"_pull": 1, "_line": 1, "path": "/a"}, {"_pull": 2, "_line": 1}])
    assert only(rows, "event_key") == [("shop#events1.1",), ("shop#events2.1",)]


def test_empty_ids_are_null() -> None:
    rows = run_models("stg_events", events=[{"event_id": "e1", "visitor_id": "", "user_id": ""}])
    assert only(rows, "visitor_id", "user_id") == [(None, None)]
    rows = run_models("stg_orders", orders=[{"order_id": "o1", "amount": 1, "customer_id": "", "refund_of": ""}])
    assert only(rows, "customer_id", "refund_of") == [(None, None)]


def test_order_lines_are_keyed_by_order_type_and_line() -> None:
    rows = run_models(
        "stg_orders",
        orders=[
            {"order_id": "o1", "line_id": "1", "amount": 10},
            {"order_id": "o1", "line_id": "2", "amount": 10},  # another line of the order
            {"order_id": "o1", "line_id": "1", "amount": 10, "type": "refund"},  # its refund under the same number
            {"order_id": "o1", "line_id": "1", "amount": 99},  # the webhook once more
            {"order_id": "o1", "amount": 10},  # no line number: its own line, by position
        ],
    )
    assert only(rows, "line_key") == [
        ("shop#orders1.5",),
        ("shop:o1:charge:1",),
        ("shop:o1:charge:2",),
        ("shop:o1:refund:1",),
    ]
    assert {row["amount"] for row in rows} == {Decimal("10.0000")}


def test_order_lines_have_one_piece_no_tax_and_no_fee_if_not_given() -> None:
    (row,) = run_models("stg_orders", orders=[{"order_id": "o1", "amount": 10}])
    assert (row["quantity"], row["tax"], row["fee"]) == (1, 0, 0)


def test_log_lines_never_merge() -> None:
    same = {"visitor_id": "p", "path": "/"}
    rows = run_models("stg_access", access=[same, same])
    assert only(rows, "line_key") == [("shop#access1.1",), ("shop#access1.2",)]


def test_calls_and_samples_are_deduplicated() -> None:
    calls = run_models(
        "stg_requests", requests=[{"request_id": "r", "status": 200}, {"request_id": "r", "status": 500}]
    )
    assert only(calls, "request_key", "status") == [("shop:r", 200)]
    samples = run_models("stg_vitals", vitals=[{"sample_id": "s", "value": 1.0}, {"sample_id": "s", "value": 2.0}])
    assert only(samples, "sample_key", "value") == [("shop:s", 1.0)]


@pytest.mark.parametrize("name", [model.name for model in known_models() if model.layer == "staging"])
def test_nothing_landed_is_no_rows(name: str) -> None:
    # The build relies on it: it makes tables without a source without running their models.
    assert run_models(name) == []
