"""Figures of Stripe: money by movements of the balance, subscriptions by their dates, levels by the day of a pull."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from tidings.sample.apps import Apps
from tidings.sample.company import Company, Options
from tidings.sample.platforms.stripe import reported as sample
from workbooks import run_models

DAY = datetime(2026, 6, 1, 12)


def moved(number: int, category: str, amount: str, fee: str = "0", **more: Any) -> dict[str, Any]:
    row = {"transaction_id": f"txn_{number}", "ts": DAY, "category": category, "type": category, "status": "available"}
    row |= {"amount": amount, "fee": fee, "net": Decimal(amount) - Decimal(fee), "currency": "EUR"}
    return {**row, "source_id": f"x_{number}", **more}


def subscribed(name: str, **more: Any) -> dict[str, Any]:
    row = {"subscription_id": name, "ts": DAY, "status": "active", "started_at": DAY, "is_ending": False}
    row |= {"is_paused": False, "has_price": True, "product": "pro", "price": "p", "interval": "month"}
    return {**row, "currency": "EUR", **more}


def platform_metrics(**raw: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return run_models("platform_metrics_stripe", **{f"stripe_{name}": rows for name, rows in raw.items()})


def reported(found: list[dict[str, Any]], metric: str, *names: str) -> list[tuple[Any, ...]]:
    rows = [row for row in found if row["metric"] == metric]
    assert all(row["is_total"] and row["zone"] == "UTC" and row["platform"] == "stripe" for row in rows)
    return sorted(((*(row[name] for name in names), float(row["value"])) for row in rows), key=repr)


def at(day: int, hour: int = 12) -> datetime:
    return datetime(2026, 6, day, hour)


# Money


def test_money_is_that_of_the_balance_and_adds_up() -> None:
    found = platform_metrics(
        balance=[
            moved(1, "charge", "100", "3"),
            moved(2, "refund", "-20"),
            moved(3, "refund_failure", "5"),  # returned by the bank: no refund after all
            moved(4, "dispute", "-30", "15"),
            moved(5, "dispute_reversal", "30", "-15"),
            moved(6, "partial_capture_reversal", "-10"),
            moved(7, "fee", "-4"),
            moved(8, "network_cost", "-1"),
            moved(9, "tax", "-2"),
            moved(10, "other_adjustment", "7"),
            moved(11, "payout", "-60"),  # moves what was counted before
            moved(12, "transfer", "-9"),
            moved(13, "topup", "500"),
            moved(14, "something_new", "1000"),
        ]
    )
    # 100 - 20 + 5 - 30 + 30 - 10
    assert reported(found, "gross_sales", "currency") == [("EUR", 75)]
    # 3 + 15 - 15 + 4 + 1 + 2
    assert reported(found, "fees", "currency") == [("EUR", 10)]
    # 75 - 10, and 7 of a correction
    assert reported(found, "proceeds", "currency") == [("EUR", 72)]
    assert reported(found, "refunds", "reason") == [("dispute", 0), (None, 15)]


def test_a_refund_has_its_own_reason() -> None:
    refund = {"ts": DAY, "amount": 20, "currency": "EUR"}
    found = platform_metrics(
        balance=[
            moved(1, "refund", "-20", source_id="re_1"),
            moved(2, "refund", "-5", source_id="re_2"),
            moved(3, "refund", "-1", source_id="re_3"),
            moved(4, "refund", "-7", source_id="re_1", _source="other"),
        ],
        refunds=[
            {**refund, "refund_id": "re_1", "reason": "duplicate"},
            {**refund, "refund_id": "re_2", "reason": None},
        ],
    )
    assert reported(found, "refunds", "_source", "reason") == [
        ("other", None, 7),  # the refund of another source is another one
        ("shop", "duplicate", 20),
        ("shop", None, 6),
    ]


def test_currencies_and_days_stay_apart() -> None:
    found = platform_metrics(
        balance=[
            moved(1, "charge", "10", ts=at(1, 23)),
            moved(2, "charge", "20", ts=at(2, 0)),
            moved(3, "charge", "1900", currency="JPY", ts=at(2)),
        ]
    )
    assert reported(found, "gross_sales", "day", "currency") == [
        (date(2026, 6, 1), "EUR", 10),
        (date(2026, 6, 2), "EUR", 20),
        (date(2026, 6, 2), "JPY", 1900),
    ]


def test_a_movement_that_came_again_counts_once_as_it_was_last() -> None:
    first = moved(1, "charge", "10", status="pending")
    found = platform_metrics(balance=[{**first, "_pull": 1}, {**first, "_pull": 2, "status": "available"}])
    assert reported(found, "gross_sales") == [(10,)]


def test_a_payment_without_a_fee_tells_no_fee_and_a_payout_nothing() -> None:
    assert reported(platform_metrics(balance=[moved(1, "charge", "10")]), "fees") == []
    assert platform_metrics(balance=[moved(1, "payout", "-10")]) == []


# Subscriptions


# What differs of a subscription that is paid from the first on, and the day on which it counts as new.
BEGINNINGS: list[tuple[dict[str, Any], int | None]] = [
    ({}, 1),
    ({"status": "past_due"}, 1),
    ({"status": "unpaid"}, 1),
    # It began when the trial was over.
    ({"trial_ends_at": at(8)}, 8),
    ({"trial_ends_at": at(8), "status": "canceled", "canceled_at": at(20), "ended_at": at(20)}, 8),
    # A trial that was given later is free time of what was paid for before.
    ({"trial_began_at": at(6), "trial_ends_at": at(8)}, 1),
    ({"trial_began_at": at(6), "trial_ends_at": at(8), "status": "trialing"}, 1),
    # On trial, ended with it or in it, waiting for a first payment, without a price: never paid for.
    ({"trial_ends_at": at(8), "status": "trialing"}, None),
    ({"trial_ends_at": at(8), "status": "canceled", "canceled_at": at(3), "ended_at": at(8)}, None),
    ({"trial_ends_at": at(8), "status": "canceled", "canceled_at": at(3), "ended_at": at(3)}, None),
    ({"trial_ends_at": at(8), "status": "paused"}, None),
    ({"trial_ends_at": at(8), "status": "paused", "pause_reason": "trial_end_without_payment_method"}, None),
    # Paused later on: it was paid for until then, and does not vanish from the past.
    ({"status": "paused", "pause_reason": "pause_requested", "paused_at": at(20)}, 1),
    ({"status": "paused", "pause_reason": "final_payment_failure"}, 1),
    ({"status": "paused", "pause_reason": "a reason to come"}, 1),
    ({"status": "paused"}, 1),  # without a trial there is nothing else that it can have been
    ({"trial_ends_at": at(8), "status": "paused", "pause_reason": "pause_requested", "paused_at": at(20)}, 8),
    # Paused while on trial: nothing was paid yet.
    ({"trial_ends_at": at(8), "status": "paused", "pause_reason": "pause_requested", "paused_at": at(5)}, None),
    # A trial offer that is free keeps the status active; one that costs something is paid for at once.
    ({"trial_began_at": at(1), "trial_ends_at": at(8), "is_on_trial": True}, None),
    ({"status": "trialing", "is_on_trial": False}, 1),
    ({"status": "a status to come"}, None),
    ({"status": "incomplete"}, None),
    ({"status": "incomplete_expired", "ended_at": at(2)}, None),
    ({"has_price": False}, None),
]


def test_a_subscription_begins_with_its_paid_time() -> None:
    # Each of another product, so that one run of the models tells them apart.
    subscriptions = [
        subscribed(f"s{number}", product=f"p{number}", **changed) for number, (changed, _) in enumerate(BEGINNINGS)
    ]
    found = platform_metrics(subscriptions=subscriptions)
    for number, (changed, day) in enumerate(BEGINNINGS):
        own = [row for row in found if row["product"] == f"p{number}"]
        expected = [] if day is None else [(date(2026, 6, day), 1)]
        assert reported(own, "new_subscriptions", "day") == expected, changed
        assert day is not None or own == [], changed


@pytest.mark.parametrize(
    ("changed", "cancelled", "ended"),
    [
        # Cancelled for the end of the period, which is not reached; reached; ended on the spot; not paid any more.
        ({"canceled_at": at(10), "is_ending": True}, 10, None),
        ({"canceled_at": at(10), "ended_at": at(30), "status": "canceled"}, 10, 30),
        ({"canceled_at": at(10), "ended_at": at(10), "status": "canceled"}, None, 10),
        ({"ended_at": at(20), "canceled_at": at(20), "status": "canceled", "reason": "payment_failed"}, None, 20),
        # Cancelled while on trial, and kept all the same.
        ({"trial_ends_at": at(8), "canceled_at": at(5)}, None, None),
    ],
)
def test_a_cancellation_is_not_yet_an_end(changed: dict[str, Any], cancelled: int | None, ended: int | None) -> None:
    found = platform_metrics(subscriptions=[subscribed("a", **{"reason": "cancellation_requested", **changed})])
    why = changed.get("reason", "cancellation_requested")

    def expected(day: int | None) -> list[tuple[Any, ...]]:
        return [] if day is None else [(date(2026, 6, day), "pro", why, 1)]

    assert reported(found, "cancellations", "day", "product", "reason") == expected(cancelled)
    assert reported(found, "churned_subscriptions", "day", "product", "reason") == expected(ended)


def test_levels_are_those_of_the_days_of_pulls() -> None:
    def level(day: int, mrr: str, active: int, **more: Any) -> dict[str, Any]:
        row = {"ts": at(day, 0), "currency": "EUR", "product": "pro", "interval": "month", "mrr": Decimal(mrr)}
        return {**row, "active_subscriptions": active, "active_trials": 2, **more}

    found = platform_metrics(
        levels=[
            level(1, "10", 1),
            level(1, "4.16666667", 1, interval="year"),
            level(1, "12", 1, currency="USD"),
            level(3, "0", 0),
        ]
    )
    assert reported(found, "mrr", "day", "product", "currency") == [
        (date(2026, 6, 1), "pro", "EUR", 14.16666667),
        (date(2026, 6, 1), "pro", "USD", 12),
        (date(2026, 6, 3), "pro", "EUR", 0),
    ]
    assert reported(found, "active_subscriptions", "day") == [(date(2026, 6, 1), 3), (date(2026, 6, 3), 0)]
    assert reported(found, "active_trials", "day") == [(date(2026, 6, 1), 6), (date(2026, 6, 3), 2)]


# The sample company


@pytest.fixture(scope="module")
def company() -> dict[str, Any]:
    rows = sample(Apps(Company(Options(size=0.3, end=date(2026, 11, 20), days=400))))
    return {name.removeprefix("stripe_"): list(found) for name, found in rows.items()}


def test_the_sample_adds_up(company: dict[str, Any]) -> None:
    found = platform_metrics(**company)

    def total(metric: str) -> float:
        return round(sum(value for (value,) in reported(found, metric)), 2)

    assert total("gross_sales") - total("fees") == pytest.approx(total("proceeds"), abs=0.01)
    paid = float(sum(row["amount_paid"] for row in company["invoices"]))
    assert total("gross_sales") + total("refunds") == pytest.approx(paid, abs=0.01)
    assert total("refunds") == pytest.approx(float(sum(row["amount"] for row in company["refunds"])), abs=0.01)
    # Whoever began and did not end is there at the end.
    assert total("new_subscriptions") - total("churned_subscriptions") == total("active_subscriptions")
    assert total("mrr") == pytest.approx(float(sum(row["mrr"] for row in company["subscriptions"])), abs=0.01)
    assert total("cancellations") > 0 and total("active_trials") > 0


def test_the_sample_ends_with_its_last_day(company: dict[str, Any]) -> None:
    end = datetime(2026, 11, 20)
    for name, rows in company.items():
        assert name == "levels" or (rows and all(row["ts"] < end for row in rows))
    assert {row["ts"] for row in company["levels"]} == {end}
    whole = sample(Apps(Company(Options(size=0.01, end=date(2026, 11, 20), days=1))))
    assert set(whole) == {f"stripe_{name}" for name in company}
