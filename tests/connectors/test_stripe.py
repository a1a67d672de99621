"""Stripe: requests, landed rows, monthly values of subscriptions, and faults that must not change them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.pulling import NOW, Serving
from fakes.server import Request
from fakes.stripe import FakeStripe, invoice, refund, seconds, subscription, transaction
from tidings.connectors.stripe.endpoints import ENDPOINTS
from tidings.connectors.stripe.levels import Levels
from tidings.connectors.stripe.mrr import factor, interval_of, major, monthly
from tidings.connectors.stripe.records import parse_invoice, parse_subscription, parse_transaction, slim
from tidings.errors import SettingsError, SourceError
from tidings.sources.records import UnusableError

TODAY = datetime(2026, 11, 20)
Rows = Mapping[str, Sequence[Mapping[str, Any]]]


def moved(number: int, back: float, amount: str = "19.00", fee: str = "0.82", **more: Any) -> dict[str, Any]:
    at = TODAY - timedelta(days=back)
    row = {"transaction_id": f"txn_{number:04}", "ts": at, "available_at": at, "status": "available"}
    row |= {"currency": "EUR", "type": "charge", "category": "charge", "source_id": f"ch_{number}"}
    row |= {"amount": Decimal(amount), "fee": Decimal(fee)}
    return {**row, "net": row["amount"] - row["fee"], **more}


def subscribed(name: str, **more: Any) -> dict[str, Any]:
    at = TODAY - timedelta(days=50)
    row = {"subscription_id": f"sub_{name}", "ts": at, "customer_id": f"cus_{name}", "status": "active"}
    row |= {"started_at": at, "trial_ends_at": None, "canceled_at": None, "ended_at": None, "is_ending": False}
    row |= {"is_paused": False, "has_price": True, "product": "prod_pro", "price": "price_pro", "quantity": 1}
    return {**row, "unit_amount": Decimal(12), "interval": "month", "currency": "EUR", "reason": None, **more}


def billed(name: str, **more: Any) -> dict[str, Any]:
    row = {"invoice_id": f"in_{name}", "ts": TODAY - timedelta(days=50), "number": name, "status": "open"}
    row |= {"customer_id": "cus_1", "subscription_id": "sub_1", "reason": "subscription_cycle", "currency": "EUR"}
    row |= {"subtotal": Decimal(12), "tax": Decimal(2), "total": Decimal(12), "amount_paid": Decimal(0)}
    row |= {"amount_due": Decimal(12), "finalized_at": None, "paid_at": None, "voided_at": None, "due_at": None}
    return {**row, **more}


class Account(Serving):
    fake_class = FakeStripe

    def amounts(self) -> dict[str, Decimal]:
        return dict(self.workbook.rows("balance", "transaction_id", "amount"))

    def level(self) -> tuple[Decimal, int, int]:
        ((mrr, active, trials),) = self.workbook.rows("levels", "mrr", "active_subscriptions", "active_trials")
        return mrr, active, trials

    def asked(self, path: str) -> list[Request]:
        return [request for request in self.fake.asked if request.path == f"/v1/{path}"]


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    with Account(tmp_path, {"balance": [moved(1, 3), moved(2, 40, "5", "0")]}) as running:
        yield running


# What is landed


def test_each_list_is_landed_in_units_of_its_currency(tmp_path: Path) -> None:
    back = {"refund_id": "re_1", "ts": TODAY - timedelta(days=1), "amount": Decimal(1900), "currency": "JPY"}
    back |= {"status": "succeeded", "reason": "duplicate", "charge_id": "ch_1", "transaction_id": "txn_9"}
    rows = {
        "balance": [
            moved(1, 3),
            moved(2, 2, "1900", "60", currency="JPY"),
            moved(3, 1, "1.234", "0.1", currency="KWD"),
        ],
        "refunds": [back],
        "subscriptions": [subscribed("a", trial_ends_at=TODAY - timedelta(days=40)), subscribed("b", interval="year")],
        "invoices": [billed("a", status="paid", amount_paid=Decimal(12), paid_at=TODAY - timedelta(days=49))],
    }
    with Account(tmp_path, rows) as account:
        account.pull()
        found = sorted(account.workbook.rows("balance", "transaction_id", "amount", "fee", "net", "currency"))
        assert found == [
            ("txn_0001", Decimal("19"), Decimal("0.82"), Decimal("18.18"), "EUR"),
            ("txn_0002", Decimal("1900"), Decimal("60"), Decimal("1840"), "JPY"),
            ("txn_0003", Decimal("1.234"), Decimal("0.1"), Decimal("1.134"), "KWD"),
        ]
        assert account.workbook.rows("refunds", "refund_id", "amount", "reason", "transaction_id") == [
            ("re_1", Decimal(1900), "duplicate", "txn_9")
        ]
        subscriptions = {row["subscription_id"]: row for row in account.workbook.rows("subscriptions")}
        assert subscriptions["sub_a"]["trial_ends_at"] == TODAY - timedelta(days=40)
        assert (subscriptions["sub_a"]["mrr"], subscriptions["sub_b"]["mrr"]) == (Decimal(12), Decimal(1))
        assert account.workbook.rows("invoices", "status", "tax", "subscription_id", "paid_at") == [
            ("paid", Decimal(2), "sub_1", TODAY - timedelta(days=49))
        ]


def test_every_request_names_the_version(account: Account) -> None:
    account.pull()
    assert {request.headers["Stripe-Version"] for request in account.fake.asked} == {"2026-10-28.endive"}
    assert "Stripe-Account" not in account.fake.asked[0].headers


def test_a_connected_account_is_named(tmp_path: Path) -> None:
    with Account(tmp_path, {"balance": [moved(1, 3)]}, account="acct_1") as account:
        with pytest.raises(SourceError, match="does not have access to account 'acct_1'"):
            account.pull()
        account.fake.accounts.add("acct_1")
        account.pull()
        assert account.amounts() == {"txn_0001": 19}


def test_only_the_lists_that_are_configured_are_requested(tmp_path: Path) -> None:
    with Account(tmp_path, {"subscriptions": [subscribed("a")]}, lists=["subscriptions"]) as account:
        account.pull()
        assert {request.path for request in account.fake.asked} == {"/v1/subscriptions"}
        assert account.level() == (12, 1, 0)


def test_a_list_that_there_is_not_is_named(tmp_path: Path) -> None:
    with Account(tmp_path, lists=["refund"]) as account, pytest.raises(SettingsError, match="Did you mean 'refunds'"):
        account.pull()


# Paging


def test_lists_are_read_to_their_end(tmp_path: Path) -> None:
    rows = {"balance": [moved(number, number / 50) for number in range(1, 251)]}
    with Account(tmp_path, rows, lists=["balance"]) as account:
        account.pull()
        assert len(account.amounts()) == 250
        after = [request.query.get("starting_after") for request in account.asked("balance_transactions")]
        assert after[-3:] == [None, "txn_0100", "txn_0200"]


def test_what_is_new_while_a_list_is_read_moves_nothing(tmp_path: Path) -> None:
    with Account(tmp_path, {"subscriptions": [subscribed(f"{n:03}") for n in range(150)]}) as account:
        reported = account.fake._page

        def growing(request: Request, what: str, found: Sequence[Any]) -> Any:
            said = reported(request, what, found)
            if what == "subscriptions" and "starting_after" not in request.query:
                account.fake.objects[what].insert(0, subscription(subscribed("new", ts=TODAY)))
            return said

        account.fake._page = growing  # type: ignore[method-assign]
        account.pull()
        assert len(account.workbook.rows("subscriptions")) == 150


def test_a_repeated_row_is_counted_once_in_levels(tmp_path: Path) -> None:
    with Account(tmp_path, {"subscriptions": [subscribed("a"), subscribed("b")]}) as account:
        twice = account.fake.objects["subscriptions"][0]
        account.fake.objects["subscriptions"].append({**twice})
        account.pull()
        assert account.level() == (24, 2, 0)


def test_pages_in_a_cycle_end_the_list_only(account: Account) -> None:
    page = {"object": "list", "has_more": True, "data": [transaction(moved(1, 3))]}
    account.fake.fail("balance_transactions", 200, content=page, times=99)
    account.fake.objects["refunds"] = [refund(_refund())]
    with pytest.raises(SourceError, match="balance: The pages of the balance_transactions repeat:"):
        account.pull()
    assert account.workbook.rows("refunds", "refund_id") == [("re_1",)] and account.amounts() == {}


def _refund() -> dict[str, Any]:
    row = {"refund_id": "re_1", "ts": TODAY - timedelta(days=1), "amount": Decimal(19), "currency": "EUR"}
    return {**row, "status": "succeeded", "reason": None, "charge_id": "ch_1", "transaction_id": "txn_9"}


def test_a_page_that_claims_more_and_returns_none_is_not_the_end(account: Account) -> None:
    account.pull()
    account.fake.fail("invoices", 200, content={"object": "list", "has_more": True, "data": []})
    with pytest.raises(SourceError, match="invoices: Stripe says that there is more of invoices, but returns none"):
        account.pull()


def test_an_item_beyond_the_tenth_counts(tmp_path: Path) -> None:
    with Account(tmp_path, {"subscriptions": [subscribed("a")]}) as account:
        items = account.fake.objects["subscriptions"][0]["items"]["data"]
        items.extend(
            {**items[0], "id": f"si_{number}", "created": items[0]["created"] - number} for number in range(11)
        )
        account.pull()
        assert account.level() == (144, 1, 0)


# Days


@pytest.mark.whole_history
def test_a_second_pull_asks_for_what_may_still_change(account: Account) -> None:
    account.pull()
    account.fake.asked.clear()
    account.pull()

    def days(path: str) -> list[tuple[int, int]]:
        asked = [(int(r.query["created[gte]"]), int(r.query["created[lt]"])) for r in account.asked(path)]
        return [((seconds(TODAY) or 0) // 86_400 - a // 86_400, (b - a) // 86_400) for a, b in asked]

    assert days("balance_transactions") == [(10, 10)]
    # Sixty days, a month at a time.
    assert days("refunds") == [(60, 31), (29, 29)]


def test_the_day_that_runs_is_left_for_tomorrow(tmp_path: Path) -> None:
    with Account(tmp_path, {"balance": [moved(1, 1), moved(2, -0.1)]}) as account:
        account.pull()
        assert set(account.amounts()) == {"txn_0001"}
        account.pull(NOW + timedelta(days=1))
        assert set(account.amounts()) == {"txn_0001", "txn_0002"}


def test_a_final_status_replaces_the_earlier_one_and_is_reported(account: Account) -> None:
    account.fake.objects["balance_transactions"][0]["status"] = "pending"
    account.pull()
    account.fake.objects["balance_transactions"][0]["status"] = "available"
    restated = sum(pulled.restated for pulled in account.pull())
    assert dict(account.workbook.rows("balance", "transaction_id", "status"))["txn_0001"] == "available"
    assert restated == 1


def test_levels_are_kept_per_day_and_the_list_is_as_it_is_now(tmp_path: Path) -> None:
    with Account(tmp_path, {"subscriptions": [subscribed("a"), subscribed("b")]}) as account:
        account.pull()
        for now, status in ((NOW, "past_due"), (NOW + timedelta(days=1), "canceled")):
            account.fake.objects["subscriptions"][0]["status"] = status
            account.pull(now)
        found = sorted(account.workbook.rows("levels", "ts", "mrr", "active_subscriptions"))
        # Two pulls of one day make one level, the later one.
        assert found == [(TODAY, 24, 2), (TODAY + timedelta(days=1), 12, 1)]
        assert sorted(account.workbook.rows("subscriptions", "subscription_id", "status")) == [
            ("sub_a", "canceled"),
            ("sub_b", "active"),
        ]


def test_all_that_ended_leaves_a_level_of_0_and_none_at_all_leaves_no_level(tmp_path: Path) -> None:
    with Account(tmp_path / "a", {"subscriptions": [subscribed("a", status="canceled", ended_at=TODAY)]}) as account:
        account.pull()
        assert account.level() == (0, 0, 0)
    with Account(tmp_path / "b") as account:
        account.pull()
        assert account.workbook.rows("levels") == []


def test_levels_do_not_depend_on_what_was_asked_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Account(tmp_path, {"subscriptions": [subscribed("a"), subscribed("b")]}) as account:
        account.pull()
        as_ever, asked = account.level(), len(account.asked("subscriptions"))
        monkeypatch.setattr("tidings.connectors.stripe.source.ENDPOINTS", tuple(reversed(ENDPOINTS)))
        account.pull()
        # Requested first, they are counted from subscriptions read for them; in order these are read only once.
        assert account.level() == as_ever
        assert len(account.asked("subscriptions")) == 3 * asked


# Recurring revenue (metrics 6.1)


def item(price: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    recurring = {"interval": "month", "interval_count": 1, "usage_type": "licensed"}
    whole = {"id": "price_1", "product": "prod_1", "billing_scheme": "per_unit", "recurring": recurring}
    return {"quantity": 1, "discounts": [], **more, "price": {**whole, "unit_amount": 1200, **(price or {})}}


def worth(*items: Mapping[str, Any], **more: Any) -> Decimal:
    record = {"id": "sub_1", "status": "active", "currency": "eur", "asked_at": 1000, "tiers": {}, "coupons": {}}
    found = monthly({**record, "discounts": [], "items": {"data": list(items) or [item()]}, **more})
    return sum(found, Decimal(0)).quantize(Decimal("0.0001"))


def every(interval: str, count: int = 1, **more: Any) -> dict[str, Any]:
    return item({"recurring": {"interval": interval, "interval_count": count, **more}})


@pytest.mark.parametrize(
    ("interval", "count", "expected"),
    [
        ("month", 1, "12"),
        ("month", 3, "4"),
        ("year", 1, "1"),
        ("year", 2, "0.5"),
        ("week", 1, "52"),
        ("week", 2, "26"),
        ("day", 1, "365"),
        ("fortnight", 1, "0"),
        ("month", 0, "0"),
    ],
)
def test_an_interval_is_worth_its_share_of_a_month(interval: str, count: int, expected: str) -> None:
    assert worth(every(interval, count)) == Decimal(expected)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        *(("active", 12), ("past_due", 12), ("trialing", 0), ("paused", 0), ("unpaid", 0), ("canceled", 0)),
        *(("incomplete", 0), ("incomplete_expired", 0), ("something_new", 0)),
    ],
)
def test_what_counts_is_active_or_past_due(status: str, expected: int) -> None:
    assert worth(status=status) == expected
    assert worth(status=status, pause_collection={"behavior": "void"}) == 0


def test_items_add_up_and_metered_ones_do_not_count() -> None:
    metered = every("month", usage_type="metered")
    seats = item({"unit_amount": 500}, quantity=3)
    fine = item({"unit_amount": None, "unit_amount_decimal": "0.5"}, quantity=1000)
    assert worth(item(), metered, seats, fine) == 12 + 15 + 5
    assert worth(item({"unit_amount": None})) == 0


@pytest.mark.parametrize(("round_", "expected"), [("up", 24), ("down", 12)])
def test_packs_are_counted_whole(round_: str, expected: int) -> None:
    assert worth(item({"transform_quantity": {"divide_by": 10, "round": round_}}, quantity=11)) == expected


TIERS = [{"up_to": 5, "unit_amount": 700, "flat_amount": 100}, {"up_to": None, "unit_amount": 500, "flat_amount": 0}]


@pytest.mark.parametrize(
    ("mode", "quantity", "expected"),
    [
        ("volume", 5, 36),  # 1 + 5 x 7
        ("volume", 6, 30),  # 6 x 5
        ("graduated", 5, 36),
        ("graduated", 6, 41),  # 1 + 5 x 7 + 1 x 5
        ("graduated", 0, 1),
    ],
)
def test_tiers_are_computed_by_their_mode(mode: str, quantity: int, expected: int) -> None:
    tiered = item({"billing_scheme": "tiered", "tiers_mode": mode, "unit_amount": None}, quantity=quantity)
    assert worth(tiered, tiers={"price_1": TIERS}) == expected


def discount(coupon: Mapping[str, Any] | str, end: int | None = None) -> dict[str, Any]:
    return {"id": "di_1", "end": end, "source": {"type": "coupon", "coupon": coupon}}


HALF = {"id": "half", "percent_off": Decimal("50.0")}
FIVE = {"id": "five", "amount_off": 500, "currency": "eur"}


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ([discount("half")], 6),
        ([discount("half", 1001)], 6),
        # It ended at the instant that was asked at.
        ([discount("half", 1000)], 12),
        ([discount("half"), discount("five")], 1),
        ([discount("five"), discount("half")], Decimal("3.5")),
        # The older form of a discount.
        ([{"id": "di_1", "end": None, "coupon": HALF}], 6),
    ],
)
def test_discounts_count_while_they_are_in_force(given_: list[Any], expected: Any) -> None:
    assert worth(discounts=given_, coupons={"half": HALF, "five": FIVE}) == expected


def test_an_amount_off_is_taken_once_per_bill_and_never_below_0() -> None:
    one = item({"unit_amount": 300})
    assert worth(one, one, discounts=[discount("five")], coupons={"five": FIVE}) == 1
    assert worth(one, discounts=[discount("five")], coupons={"five": FIVE}) == 0
    yearly = every("year")
    # 12 a year, less 5 a year, by month.
    assert worth(yearly, discounts=[discount("five")], coupons={"five": FIVE}) == Decimal("0.5833")
    dollars = {**FIVE, "currency": "usd", "currency_options": {"eur": {"amount_off": 400}}}
    assert worth(discounts=[discount("five")], coupons={"five": dollars}) == 8


def test_a_coupon_reaches_its_products_and_an_items_discount_its_item() -> None:
    other = item({"id": "price_2", "product": "prod_2"})
    only = {**HALF, "applies_to": {"products": ["prod_2"]}}
    assert worth(item(), other, discounts=[discount("half")], coupons={"half": only}) == 18
    assert worth(item(discounts=[discount("half")]), other, coupons={"half": HALF}) == 18


@given(
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 50)), min_size=1, max_size=5),
    st.integers(0, 100),
)
def test_a_share_off_is_that_share_of_the_whole(prices: list[tuple[int, int]], percent: int) -> None:
    items = [item({"unit_amount": amount}, quantity=quantity) for amount, quantity in prices]
    record: dict[str, Any] = {
        "status": "active",
        "currency": "eur",
        "asked_at": 0,
        "tiers": {},
        "items": {"data": items},
    }
    coupons = {"c": {"id": "c", "percent_off": percent}}
    whole = sum(amount * quantity for amount, quantity in prices)
    found = sum(monthly({**record, "discounts": [discount("c")], "coupons": coupons}))
    assert found * 10_000 == whole * (100 - percent)


def test_tiers_and_coupons_are_requested_once(tmp_path: Path) -> None:
    rows = [subscribed(name, unit_amount=None, quantity=6) for name in "ab"]
    with Account(tmp_path, {"subscriptions": [*rows, subscribed("c", product="prod_2")]}) as account:
        for record in account.fake.objects["subscriptions"][:2]:
            record["items"]["data"][0]["price"]["tiers_mode"] = "volume"
            record["discounts"] = [discount({"id": "half", "name": "Ada Lovelace", "percent_off": 50})]
        account.fake.objects["subscriptions"][2]["items"]["data"][0]["discounts"] = [discount({"id": "half"})]
        account.fake.prices["price_pro"] = {"id": "price_pro", "tiers": TIERS}
        account.fake.coupons["half"] = {"id": "half", "percent_off": 50, "applies_to": {"products": ["prod_pro"]}}
        account.pull()
        found = sorted(account.workbook.rows("levels", "product", "mrr", "active_subscriptions"))
        # What is off for one product only does not reach the other.
        assert found == [("prod_2", 12, 1), ("prod_pro", 30, 2)]
        assert len(account.asked("prices/price_pro")) == len(account.asked("coupons/half")) == 1


def test_a_deleted_coupon_is_still_in_force(tmp_path: Path) -> None:
    with Account(tmp_path, {"subscriptions": [subscribed("a")]}) as account:
        account.fake.objects["subscriptions"][0]["discounts"] = [discount(HALF | {"percent_off": 50})]
        account.pull()
        assert account.level() == (6, 1, 0)


def test_what_cannot_be_priced_is_in_no_level_and_said(tmp_path: Path) -> None:
    rows = [subscribed("a"), subscribed("t", unit_amount=None, product="prod_2")]
    with Account(tmp_path, {"subscriptions": rows}) as account:
        account.fake.rights.remove("prices")
        account.pull()
        assert account.level() == (12, 1, 0)
        ((reason, _),) = account.workbook.rejected("levels")
        assert reason == ("sub_t is in no level: the tiers of price_pro cannot be read; the key needs Read on Prices")
        # The subscription itself is known, its value is not.
        assert dict(account.workbook.rows("subscriptions", "subscription_id", "mrr")) == {"sub_a": 12, "sub_t": None}


def test_a_free_plan_is_not_a_paid_subscription(tmp_path: Path) -> None:
    rows = [subscribed("a", unit_amount=Decimal(0)), subscribed("b"), subscribed("c", status="trialing")]
    with Account(tmp_path, {"subscriptions": rows}) as account:
        account.pull()
        assert account.level() == (12, 1, 1)


def test_levels_name_what_they_could_not_count() -> None:
    levels = Levels()
    levels.add({"id": "sub_1", "items": {"data": []}, "status": "active"})
    levels.add({"id": "sub_2", "items": {"data": [item()]}, "currency": "eur"})
    assert [(each["refused"], each["reason"]) for each in levels.records(date(2026, 1, 1))] == [
        ("sub_1", "the subscription has no items"),
        ("sub_2", "the field 'status' is missing"),
    ]


# Parsing


@pytest.mark.parametrize(("currency", "units"), [("eur", 100), ("JPY", 1), ("krw", 1), ("kwd", 1000), ("isk", 100)])
def test_minor_units_differ_by_currency(currency: str, units: int) -> None:
    assert factor(currency) == units


@given(st.integers(-(10**12), 10**12), st.sampled_from(["eur", "jpy", "kwd"]))
def test_amounts_are_exact(amount: int, currency: str) -> None:
    assert major(amount, currency) * factor(currency) == amount


@pytest.mark.parametrize("amount", [None, "19", True, [19]])
def test_what_is_not_an_amount_is_rejected(amount: Any) -> None:
    with pytest.raises(UnusableError, match="is not a number of minor units"):
        major(amount, "eur")


def test_a_source_may_come_whole() -> None:
    record = transaction(moved(1, 1))
    assert parse_transaction({**record, "source": {"id": "ch_7", "object": "charge"}})["source_id"] == "ch_7"
    assert parse_transaction({**record, "source": None})["source_id"] is None


def test_an_older_invoice_names_its_subscription_itself() -> None:
    record = {"id": "in_1", "created": 0, "currency": "eur", "subscription": "sub_7"}
    record |= dict.fromkeys(("subtotal", "total", "amount_paid", "amount_due"), 1)
    assert parse_invoice(record)["subscription_id"] == "sub_7"
    assert parse_invoice({**record, "parent": None, "subscription": None})["subscription_id"] is None


def test_a_subscription_is_parsed_with_the_first_of_its_items() -> None:
    record = {**subscription(subscribed("a", interval="3 month")), "tiers": {}, "coupons": {}, "asked_at": 0}
    found = parse_subscription(record)
    assert (found["interval"], found["mrr"], found["unit_amount"], found["quantity"]) == ("3 month", 4, 12, 1)
    assert interval_of({"recurring": None}) == "none"


def test_what_people_write_is_dropped_at_any_depth() -> None:
    record = {"id": "a", "metadata": {"email": "x"}, "items": [{"price": {"id": "p", "nickname": "Ada"}, "plan": {}}]}
    assert slim(record) == {"id": "a", "items": [{"price": {"id": "p"}}]}


# Faults


def test_a_lock_on_the_way_is_waited_for(account: Account) -> None:
    # Faults common to all servers are in test_conformance.py; that 409 passes is Stripe's own.
    account.fake.fail("balance", 409, times=2)
    account.pull()
    assert set(account.amounts()) == {"txn_0001", "txn_0002"} and len(account.clock.waited) >= 2


def test_the_limit_is_never_run_into(tmp_path: Path) -> None:
    with Account(tmp_path, {"balance": [moved(number, number / 9) for number in range(1, 200)]}) as account:
        account.fake.most = 2
        account.pull()
        assert len(account.fake.asked) > 100 and len(account.amounts()) == 199
        assert account.fake.refused == 0


def test_stripe_says_itself_whether_asking_again_helps(account: Account) -> None:
    account.fake.fail("refunds", 500, content={"error": {"message": "No."}}, Stripe_Should_Retry="false")
    with pytest.raises(SourceError, match=r"refunds: .*answers 500: No"):
        account.pull()
    account.fake.fail("refunds", 400, content={"error": {"message": "Wait."}}, Stripe_Should_Retry="true")
    account.pull()


# Credentials


def test_a_right_that_the_key_lacks_is_named_and_the_rest_is_pulled(account: Account) -> None:
    account.fake.rights.remove("subscriptions")
    (said,) = account.workbook.check()
    assert "rak_subscription_read" in said and "Give the restricted key Read" in said
    with pytest.raises(SourceError, match=r"subscriptions: .*rak_subscription_read.*levels: .*rak_subscription_read"):
        account.pull()
    assert set(account.amounts()) == {"txn_0001", "txn_0002"}


def test_a_sufficient_key_gets_no_message(account: Account) -> None:
    assert account.workbook.check() == []
    assert all(request.query == {"limit": "1"} for request in account.fake.asked)


def test_no_name_is_kept(tmp_path: Path) -> None:
    rows = {
        "balance": [moved(1, 1)],
        "refunds": [_refund()],
        "subscriptions": [subscribed("a")],
        "invoices": [billed("a")],
    }
    with Account(tmp_path, rows) as account:
        account.pull()
        everything = account.workbook.everything()
        for canary in ("Lovelace", "ada@example.org", "secret_address", "pm_1Fake", "81726354"):
            assert canary not in everything


# Changed formats


def test_a_field_that_disappeared_is_named_and_what_was_landed_stays(account: Account) -> None:
    account.pull()
    for record in account.fake.objects["balance_transactions"]:
        del record["net"]
    with pytest.raises(SourceError, match="the field 'net' is missing"):
        account.pull()
    assert account.amounts() == {"txn_0001": 19, "txn_0002": 5}
    ((_, kept),) = account.workbook.rejected("balance")
    assert json.loads(kept)["amount"] == 1900


def test_a_field_of_another_type_is_rejected_and_a_new_one_kept(account: Account) -> None:
    newest = account.fake.objects["balance_transactions"]
    newest[0] |= {"shiny": "new"}
    newest.append(transaction(moved(3, 2)) | {"fee": "0.82"})
    messages = [message for pulled in account.pull() for message in pulled.messages]
    assert set(account.amounts()) == {"txn_0001", "txn_0002"}
    ((reason, _),) = account.workbook.rejected("balance")
    assert reason == "the amount '0.82' is not a number of minor units"
    assert messages[0] == "balance has new fields, kept as received: shiny."
    assert "1 of its records could not be used: the amount '0.82'" in messages[1]
    assert any('"shiny":"new"' in record for (record,) in account.workbook.rows("balance", "_record"))


def test_a_subscription_of_another_shape_spoils_no_other(tmp_path: Path) -> None:
    with Account(tmp_path, {"subscriptions": [subscribed("a"), subscribed("b")]}) as account:
        account.fake.objects["subscriptions"][0]["items"]["data"][0]["price"] = None
        account.pull()
        assert account.workbook.rows("subscriptions", "subscription_id") == [("sub_b",)]
        assert account.level() == (12, 1, 0)
        assert len(account.workbook.rejected("subscriptions")) == len(account.workbook.rejected("levels")) == 1


def test_test_money_and_real_money_are_never_added_up(tmp_path: Path) -> None:
    with Account(tmp_path, {"balance": [moved(1, 3)]}) as account:
        account.pull()
        account.workbook.settings.environment["API_KEY"] = "rk_live_other"  # type: ignore[index]
        with pytest.raises(SettingsError, match="API_KEY is a live key, and data/raw/api holds test data"):
            account.pull()
        assert set(account.amounts()) == {"txn_0001"}


# What a subscription may be since 2026-09-30.endive


@pytest.mark.parametrize(
    "why",
    ["pause_requested", "first_payment_failure", "final_payment_failure", "system", "trial_end_without_payment_method"],
)
def test_why_a_subscription_is_paused_is_landed(tmp_path: Path, why: str) -> None:
    rows = {"subscriptions": [subscribed("a", status="paused", pause_reason=why, paused_at=TODAY - timedelta(days=3))]}
    with Account(tmp_path, rows) as account:
        account.pull()
        found = account.workbook.rows("subscriptions", "status", "pause_reason", "paused_at", "is_on_trial")
        assert found == [("paused", why, TODAY - timedelta(days=3), False)]
        # Nothing is billed for it now.
        assert account.level() == (0, 0, 0)


def introduced(account: Account, cents: int, status: str = "active", days: tuple[int, int] = (-5, 9)) -> None:
    """Give the one subscription there is a trial offer, whose price is that of its item meanwhile."""
    start, end = (seconds(TODAY + timedelta(days=day)) for day in days)
    whole = account.fake.objects["subscriptions"][0]
    (only,) = whole["items"]["data"]
    only["price"] = {**only["price"], "id": "price_intro", "unit_amount": cents, "unit_amount_decimal": str(cents)}
    only["current_trial"] = {"start_date": start, "end_date": end, "trial_offer": "trof_1"}
    whole["status"] = status
    account.fake.trial_offers["trof_1"] = {
        "id": "trof_1",
        "object": "product_catalog.trial_offer",
        "price": only["price"],
    }


@pytest.mark.parametrize(
    ("cents", "status", "days", "level"),
    [
        # Free: on trial, whatever the subscription's own status says.
        (0, "active", (-5, 9), (0, 0, 1)),
        (0, "trialing", (-5, 9), (0, 0, 1)),
        # Paid: it is paid for, with what it costs meanwhile.
        (100, "active", (-5, 9), (1, 1, 0)),
        (100, "trialing", (-5, 9), (1, 1, 0)),
        (100, "past_due", (-5, 9), (1, 1, 0)),
        # Over: the price of the item counts.
        (1200, "active", (-30, -2), (12, 1, 0)),
    ],
)
def test_introductions_count_as_what_they_cost(
    tmp_path: Path, cents: int, status: str, days: tuple[int, int], level: tuple[int, int, int]
) -> None:
    with Account(tmp_path, {"subscriptions": [subscribed("a")]}) as account:
        introduced(account, cents, status, days)
        account.pull()
        assert account.level() == level
        ((trial_ends, is_on_trial, has_price),) = account.workbook.rows(
            "subscriptions", "trial_ends_at", "is_on_trial", "has_price"
        )
        assert trial_ends == (TODAY + timedelta(days=days[1]) if level[2] else None)
        assert is_on_trial is bool(level[2]) and has_price


def test_a_subscription_on_its_own_trial_with_an_offer_to_come_pays_nothing(tmp_path: Path) -> None:
    with Account(tmp_path, {"subscriptions": [subscribed("a", trial_ends_at=TODAY + timedelta(days=4))]}) as account:
        introduced(account, 100, "trialing")
        account.pull()
        assert account.level() == (0, 0, 1)


def test_an_introduction_whose_price_may_not_be_read_is_in_no_level_and_says_so(tmp_path: Path) -> None:
    with Account(tmp_path, {"subscriptions": [subscribed("a"), subscribed("b")]}) as account:
        introduced(account, 100)
        account.fake.rights.remove("product_catalog")
        account.pull()
        assert account.level() == (12, 1, 0)
        ((reason, _),) = account.workbook.rejected("levels")
        assert "the price of trof_1 cannot be read; the key needs Read on Products" in reason
        assert len([r for r in account.fake.asked if "trial_offers" in r.path]) == 1


@pytest.mark.parametrize(
    ("changed", "tax"),
    [
        ({}, 2),
        ({"total_taxes": []}, 0),
        ({"total_taxes": [{"amount": 100}, {"amount": 23}]}, Decimal("1.23")),
        # Not reported, or impossible to determine: not 0.
        ({"total_taxes": None}, None),
        ({"total_taxes": [], "automatic_tax": {"enabled": True, "status": "requires_location_inputs"}}, None),
        ({"total_taxes": [], "automatic_tax": {"enabled": True, "status": "failed"}}, None),
        ({"total_taxes": [], "automatic_tax": {"enabled": True, "status": None}}, None),
        ({"total_taxes": [], "automatic_tax": {"enabled": True, "status": "complete"}}, 0),
    ],
)
def test_a_tax_that_is_not_reported_is_not_0(changed: Mapping[str, Any], tax: Any) -> None:
    assert parse_invoice({**invoice(billed("a")), **changed})["tax"] == tax


def test_values_that_stripe_adds_are_counted_and_named(tmp_path: Path) -> None:
    rows = {
        "balance": [moved(1, 3), moved(2, 2, category="something_new"), moved(3, 2, category="something_new")],
        "subscriptions": [
            subscribed("a"),
            subscribed("b", status="dormant"),
            subscribed("c", interval="fortnight"),
            subscribed("d", status="paused", pause_reason="holiday"),
        ],
        "invoices": [billed("a", reason="subscription_gift")],
    }
    with Account(tmp_path, rows) as account:
        said = [each for each in account.workbook.outcome(clock=account.clock).messages if "unknown" in each]
        assert said == [
            "balance: unknown reporting category 'something_new': 2 movements, in no figure.",
            "subscriptions: unknown interval 'fortnight': 1 subscriptions, worth 0 a month.",
            "subscriptions: unknown reason of a pause 'holiday': 1 subscriptions, taken for one of what was paid for.",
            "subscriptions: unknown status 'dormant': 1 subscriptions, in no figure.",
            "invoices: unknown reason of an invoice 'subscription_gift': 1 invoices, kept as it is.",
        ]
        assert len(account.workbook.rows("subscriptions")) == 4


@pytest.mark.parametrize(
    "price",
    [
        {"billing_scheme": "auction"},
        {"tiers_mode": "spiral"},
        {"recurring": {"interval": "month", "usage_type": "felt"}},
    ],
)
def test_a_price_of_a_kind_that_is_not_known_is_not_an_amount(price: Mapping[str, Any]) -> None:
    with pytest.raises(UnusableError, match="is not known to this version"):
        worth(item(price))


def test_what_is_reported_of_some_only_is_neither_missed_nor_new(tmp_path: Path) -> None:
    rows = {"subscriptions": [subscribed("a")], "invoices": [billed("a")]}
    with Account(tmp_path, rows) as account:
        account.fake.objects["invoices"][0]["amount_paid_off_stripe"] = 0
        assert not [each for each in account.workbook.outcome(clock=account.clock).messages if "fields" in each]
