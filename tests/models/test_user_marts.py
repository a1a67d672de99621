"""Users and their active hours (metric definitions C6): rows in, rows out."""

from __future__ import annotations

from workbooks import at, only, run_models


def test_a_user_is_known_from_events_or_orders_under_one_id() -> None:
    rows = run_models(
        "dim_users",
        events=[
            {"visitor_id": "v1", "user_id": "u1", "ts": at("12:00"), "country": "DE", "device": "mobile"},
            {"visitor_id": "v1", "user_id": "u1", "ts": at("12:10"), "country": "FR", "event": "buy"},
            {"visitor_id": "v2", "user_id": None},  # a visitor without a user
            {"visitor_id": "v3", "user_id": "", "ts": at("11:00")},  # the empty id is no user
            {"visitor_id": "v4", "user_id": "bot", "is_bot": True},
        ],
        orders=[
            {"order_id": "o1", "amount": 1, "customer_id": "u1", "ts": at("13:00"), "country": "AT"},
            {"order_id": "o2", "amount": 1, "customer_id": "u1", "ts": at("11:30")},
            {"order_id": "o3", "amount": 1, "customer_id": "shopper", "ts": at("14:00"), "country": "CH"},
            {"order_id": "o4", "amount": 1, "customer_id": "failed", "status": "failed"},
        ],
    )
    columns = ("user_id", "first_seen", "last_seen", "first_order_at", "country", "device", "orders", "events")
    assert only(rows, *columns) == [
        ("shopper", at("14:00"), at("14:00"), at("14:00"), "CH", None, 1, 0),  # from orders alone
        ("u1", at("11:30"), at("13:00"), at("11:30"), "DE", "mobile", 2, 2),  # country of the first session
    ]


def test_the_channel_is_that_of_the_first_visit_not_of_a_session_without_page_views() -> None:
    rows = run_models(
        "dim_users",
        events=[
            {"visitor_id": "a", "user_id": "u", "ts": at("09:00"), "event": "sync", "channel": "Direct"},
            {"visitor_id": "b", "user_id": "u", "ts": at("12:00"), "channel": "Email"},
            {"visitor_id": "b", "user_id": "u", "ts": at("15:00"), "channel": "Paid Search"},
            {"visitor_id": "c", "user_id": "app", "event": "sync", "channel": "Direct"},
        ],
    )
    assert only(rows, "user_id", "channel") == [("app", None), ("u", "Email")]


def test_a_user_hour_is_there_once_with_what_its_first_event_says() -> None:
    rows = run_models(
        "fct_user_hours",
        events=[
            {"user_id": "u", "ts": at("12:59:59.999999"), "country": "FR"},
            {"user_id": "u", "ts": at("12:00"), "country": "DE", "event": "click"},
            {"user_id": "u", "ts": at("13:00"), "country": None},
            {"user_id": "u", "ts": at("13:00:01"), "country": "FR"},
            {"user_id": "u", "ts": at("13:30"), "is_bot": True},  # bots are in no user metric
            {"user_id": None, "ts": at("14:00")},
        ],
    )
    assert only(rows, "user_id", "ts", "events", "country") == [
        ("u", at("12:00"), 2, "DE"),
        ("u", at("13:00"), 2, None),
    ]
