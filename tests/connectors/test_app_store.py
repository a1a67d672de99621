"""App Store Connect: requests, landed rows, and API quirks that must not distort the numbers."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from fakes.app_store import FakeAppStore
from fakes.pulling import NOW, Serving, Workbook
from fakes.server import Reply
from tidings.connectors.app_store.records import parse_sale, parse_subscription, parse_subscription_event, table
from tidings.errors import CredentialError, SourceError
from tidings.feeds.enums.app_store import EVENTS, FREE_COUNTERS, PAID_COUNTERS, is_unclear, is_unknown_counter
from tidings.feeds.remarks import plain
from workbooks import run_models

APP, VENDOR = "1500000001", "80012345"
# In California it is the 20th of November, 10 in the morning: the 19th is the last complete day.
LAST = datetime(2026, 11, 19)

# Sales are asked for day by day.
HISTORY_DAYS = 21


def sale(back: int, units: int = 5, row: int = 1, code: str = "1F", **more: Any) -> dict[str, Any]:
    return {
        "vendor": VENDOR,
        "ts": LAST - timedelta(days=back),
        "row": row,
        "app_id": APP,
        "sku": "NOTES01",
        "parent_sku": None,
        "title": "Notes",
        "app_version": "3.4.1",
        "product_type": code,
        "units": Decimal(units),
        "proceeds": Decimal(0),
        "currency": "EUR",
        "gross": Decimal(0),
        "customer_currency": "EUR",
        "country": "DE",
        "device": "iPhone",
        "subscription": None,
        "period": None,
        **more,
    }


def seen(back: int, count: int, processed_back: int, event: str = "Impression", row: int = 1) -> dict[str, Any]:
    return {
        "app_id": APP,
        "ts": LAST - timedelta(days=back),
        "report": "engagement",
        "row": row,
        "event": event,
        "app_version": None,
        "device": "iPhone",
        "os": "iOS 19",
        "channel": "App Store search",
        "country": "DE",
        "count": count,
        "unique_count": None,
        "processed": (LAST - timedelta(days=processed_back)).date().isoformat(),
    }


def review(number: int, back: int, stars: int = 5) -> dict[str, Any]:
    whose = {"app_id": APP, "review_id": f"r{number}", "ts": LAST - timedelta(days=back, hours=-10)}
    return {**whose, "rating": stars, "title": "Fine", "body": "Works.", "country": "DE"}


# In Apple's own words; another 410 would be somebody else's.
GONE = {"errors": [{"status": "410", "code": "GONE", "detail": "The report is no longer available."}]}


class Store(Serving):
    fake_class = FakeAppStore

    def units(self) -> dict[int, int]:
        return {(LAST - ts).days: int(units) for ts, units in self.workbook.rows("sales", "ts", "units")}

    def counts(self) -> dict[int, int]:
        return {(LAST - ts).days: count for ts, count in self.workbook.rows("analytics", "ts", "count")}

    def days_asked(self, kind: str = "SALES") -> list[str]:
        asked = [r.query for r in self.fake.asked if r.query.get("filter[reportType]") == kind]
        return [query["filter[reportDate]"] for query in asked]


def test_reports_are_unpacked_and_proceeds_are_per_unit(tmp_path: Path) -> None:
    bought = {
        "sku": "pro.month",
        "app_id": "1500000077",
        "parent_sku": "NOTES01",
        "app_version": None,
        "subscription": "Renewal",
        "period": "1 Month",
    }
    rows = [
        sale(1, 42),
        sale(1, 3, 2, "IAY", proceeds=Decimal("9.57"), gross=Decimal("17.97"), **bought),
        # A refund: Apple writes a negative number of units and a negative price, and positive proceeds.
        sale(1, -1, 3, "IAY", proceeds=Decimal("-3.19"), gross=Decimal("-5.99"), **bought),
        sale(1, 7, 4, "7F"),
        sale(1, 1, 5, "ZZ9"),
    ]
    with Store(tmp_path, {"sales": rows}) as store:
        store.pull()
        found = store.workbook.rows("sales", "product_class", "units", "proceeds", "gross", "app_version")
        assert sorted(found) == [
            ("download", 42, 0, 0, "3.4.1"),
            # A code that Apple has added is kept.
            ("other", 1, 0, 0, "3.4.1"),
            ("subscription", -1, Decimal("-3.19"), Decimal("-5.99"), None),
            ("subscription", 3, Decimal("9.57"), Decimal("17.97"), None),
            ("update", 7, 0, 0, "3.4.1"),
        ]


def test_404_is_pending_for_three_days_and_then_no_sales(tmp_path: Path) -> None:
    with Store(tmp_path, {"sales": [sale(6), sale(0, 9)]}) as store:
        pulled = store.pull()
        # The 17th and 18th may still come; the 19th is available and does not wait for them.
        assert store.units() == {6: 5, 0: 9}
        said = [message for partition in pulled if partition.endpoint == "sales" for message in partition.messages]
        assert all(day in " ".join(said) for day in ("2026-11-17", "2026-11-18")) and "requested again" in said[0]
        store.fake.asked.clear()
        store.fake.rows["app_store_sales"].append(sale(2, 7))
        store.pull(NOW + timedelta(days=2))
        assert store.units() == {6: 5, 2: 7, 0: 9}
        # The 18th has been over for more than three days now and had nothing: it is not requested again.
        store.pull(NOW + timedelta(days=4))
        store.fake.asked.clear()
        store.pull(NOW + timedelta(days=5))
        assert "2026-11-18" not in store.days_asked()


def test_the_day_is_californian_and_requested_when_it_is_over(tmp_path: Path) -> None:
    with Store(tmp_path, {"sales": [sale(back) for back in range(3)]}) as store:
        # 06:00 UTC on the 20th is the evening of the 19th in California.
        store.pull(datetime(2026, 11, 20, 6, tzinfo=UTC))
        assert max(store.days_asked()) == "2026-11-18"


def test_a_restated_day_replaces_all_its_rows(tmp_path: Path) -> None:
    with Store(tmp_path, {"sales": [sale(2, 5), sale(2, 6, 2), sale(20, 1)]}) as store:
        store.pull()
        store.fake.rows["app_store_sales"] = [sale(2, 50), sale(20, 99)]
        pulled = store.pull()
        assert store.units() == {2: 50, 20: 1}
        assert sum(partition.restated for partition in pulled) == 1


def test_the_newest_processing_of_each_day_counts(tmp_path: Path) -> None:
    first = [seen(3, 10, 2), seen(2, 20, 2)]
    with Store(tmp_path, {"analytics": first}) as store:
        store.pull()
        assert store.counts() == {3: 10, 2: 20}
        processed = seen(2, 0, 1)["processed"]
        # The later processing reports the 2nd day again, with one row less, and nothing of the 3rd.
        store.fake.instances[APP, "engagement", processed] = [seen(2, 25, 1), seen(1, 7, 1)]
        pulled = store.pull()
        assert store.counts() == {3: 10, 2: 25, 1: 7}
        assert sum(partition.restated for partition in pulled if partition.endpoint == "analytics") == 1
        store.fake.asked.clear()
        store.pull()
        # Only the newest one is read again.
        assert len([r for r in store.fake.asked if r.path.startswith("/segments/")]) == 1
        assert store.counts() == {3: 10, 2: 25, 1: 7}


def test_instances_in_any_order_with_a_kill_in_between_give_the_same_rows(tmp_path: Path) -> None:
    rows = [seen(3, 10, 2), seen(2, 20, 2), seen(2, 25, 1), seen(1, 7, 1), seen(1, 8, 0)]
    for fatal in (1, 3, 5):
        with Store(tmp_path / str(fatal), {"analytics": rows}) as store:
            calls = 0

            def progress(what: str, done: int, total: int, fatal: int = fatal) -> None:
                nonlocal calls
                calls += 1
                if calls == fatal:
                    raise KeyboardInterrupt

            with pytest.raises(KeyboardInterrupt):
                store.pull(progress=progress)
            store.pull()
            assert store.counts() == {3: 10, 2: 25, 1: 8}


def test_analytics_are_asked_for_once_and_only_by_whom_may(tmp_path: Path) -> None:
    with Store(tmp_path, {"analytics": [seen(2, 20, 1)]}) as store:
        store.fake.is_requested, store.fake.may_ask_for_analytics = False, False
        said = [message for partition in store.pull() for message in partition.messages]
        assert any("with a key of the role Admin" in message for message in said)
        store.fake.may_ask_for_analytics = True
        store.pull()
        assert store.counts() == {2: 20}
        posted = [request for request in store.fake.asked if request.method == "POST"]
        store.pull()
        assert len([request for request in store.fake.asked if request.method == "POST"]) == len(posted)


def test_reviews_are_paged_edited_and_anonymous(tmp_path: Path) -> None:
    reviews = [review(number, number) for number in range(5)]
    with Store(tmp_path, {"reviews": reviews}) as store:
        store.fake.page_size = 2
        store.pull()
        assert len(store.workbook.rows("reviews")) == 5
        store.fake.rows["app_store_reviews"][3]["rating"] = 1
        store.pull()
        assert dict(store.workbook.rows("reviews", "review_id", "rating"))["r3"] == 1
        assert "nickname-canary" not in store.workbook.everything()


def test_a_version_that_apple_names_is_used(tmp_path: Path) -> None:
    level = {"vendor": VENDOR, "ts": LAST - timedelta(days=1), "row": 1, "app_id": APP, "product": "Pro"}
    counts = {"country": "DE", "device": "iPhone", "active": 9, "trials": 2, "billing_retry": 0, "grace_period": 0}
    with Store(tmp_path, {"subscriptions": [{**level, **counts}]}) as store:
        store.fake.versions["SUBSCRIPTION"] = "1_4"
        store.pull()
        # 6 at the standard price and 3 of a win-back offer paid up front are paid ones; counters are added up.
        assert store.workbook.rows("subscriptions", "active", "trials") == [(9, 2)]


def test_a_message_that_repeats_the_token_is_cut_before_it(tmp_path: Path) -> None:
    with Store(tmp_path, {"sales": [sale(1)]}) as store:

        def echo(_: Reply) -> Reply:
            # So long that the message ends in the middle of the token.
            return Reply({"errors": [{"detail": f"{'x' * 100} {store.fake.asked[-1].bearer}"}]}, 400)

        store.fake.alter("/salesReports", echo, times=1000)
        with pytest.raises(SourceError) as caught:
            store.pull()
        bearer = store.fake.asked[-1].bearer
        assert "refuses the SALES report" in str(caught.value) and bearer[:12] not in str(caught.value)


def test_a_wait_that_apple_does_not_tell_is_a_minute(tmp_path: Path) -> None:
    with Store(tmp_path, {"sales": [sale(1)]}) as store:
        store.fake.fail("/salesReports", 429)
        store.pull()
        assert any(60 <= waited < 62 for waited in store.clock.waited)


@pytest.mark.parametrize(
    "body",
    [
        # The head alone and cut off, another table, an error in the place of a table.
        gzip.compress(b"SKU\tUni", mtime=0),
        gzip.compress(b"Name,Street\nAda,5th\n", mtime=0),
        gzip.compress(b'{"error": "maintenance"}\n', mtime=0),
        gzip.compress(b"", mtime=0),
        "SKU\tUnits\nä\t1\n".encode("latin-1"),
    ],
)
def test_what_is_not_a_report_is_not_a_day_without_sales(tmp_path: Path, body: bytes) -> None:
    with Store(tmp_path, {"sales": [sale(back) for back in range(4)]}) as store:
        store.fake.fail("/salesReports", 200, content=body, times=9999)
        with pytest.raises(SourceError):
            store.pull()
        assert not store.units()
        store.fake.mend()
        store.pull()
        assert store.units() == dict.fromkeys(range(4), 5), "it was never taken for zero"


def test_a_row_that_is_cut_off_is_set_aside_and_asked_for_again(tmp_path: Path) -> None:
    with Store(tmp_path, {"sales": [sale(back) for back in range(4)]}) as store:
        store.fake.alter("/salesReports", _without_its_end, times=9999)
        with pytest.raises(SourceError, match="it has 17 cells, its header 20"):
            store.pull()
        assert all("cells, its header" in reason for reason, _ in store.workbook.rejected("sales"))
        store.fake.mend()
        store.pull()
        assert store.units() == dict.fromkeys(range(4), 5) and store.workbook.rejected("sales") == []


def _without_its_end(reply: Reply) -> Reply:
    if reply.status != 200:
        return reply
    lines = gzip.decompress(reply.bytes()).rstrip().rsplit(b"\t", 3)
    return Reply(gzip.compress(lines[0]), 200, reply.headers)


@pytest.mark.parametrize(
    ("options", "reported"),
    [
        ({"key_id": "OTHER"}, "Users and Access"),
        ({"issuer": "00000000-0000-0000-0000-000000000000"}, "properly configured and signed"),
    ],
)
def test_a_credential_that_will_not_do_is_told(tmp_path: Path, options: Mapping[str, Any], reported: str) -> None:
    with Store(tmp_path, {"sales": [sale(1)]}, **options) as store:
        with pytest.raises(CredentialError) as refused:
            store.pull()
        assert reported in str(refused.value)
        assert reported in store.workbook.check()[0]


def test_an_individual_key_cannot_read_sales(tmp_path: Path) -> None:
    with Store(tmp_path, {"sales": [sale(1)]}) as store:
        table = {key: value for key, value in store.fake.table().items() if key != "issuer"}
        workbook = Workbook(tmp_path, table, store.fake.environment("api"))
        with pytest.raises(SourceError, match="individual keys cannot read sales"):
            workbook.pull(clock=store.clock)


def test_without_a_vendor_number_the_check_says_where_it_is(tmp_path: Path) -> None:
    with Store(tmp_path, {"sales": [sale(1)]}, vendors=[]) as store:
        assert "Payments and Financial Reports" in store.workbook.check()[0]
        store.pull()
        assert store.workbook.rows("sales") == []


def test_an_app_that_is_not_seen_is_named(tmp_path: Path) -> None:
    reported = r"no app 'example.app1500000002'. Did you mean"
    with (
        Store(tmp_path, {"sales": [sale(1)]}, apps=["example.app1500000002"]) as store,
        pytest.raises(SourceError, match=reported),
    ):
        store.pull()


def test_a_column_that_disappeared_is_named_and_old_days_stay(tmp_path: Path) -> None:
    with Store(tmp_path, {"sales": [sale(1), sale(0)]}) as store:
        store.pull()
        whole = store.fake.sale
        store.fake.sale = lambda row: {k: v for k, v in whole(row).items() if k != "Units"}  # type: ignore[method-assign]
        with pytest.raises(SourceError, match="'Units' is missing"):
            store.pull()
        assert store.units() == {1: 5, 0: 5}
        assert all('"SKU":"NOTES01"' in record for _, record in store.workbook.rejected("sales"))
        store.fake.sale = lambda row: {**whole(row), "Shiny": "new"}  # type: ignore[method-assign]
        store.pull()
        assert all('"Shiny":"new"' in record for (record,) in store.workbook.rows("sales", "_record"))


def test_tables_are_read_by_name_whatever_their_order_and_delimiter() -> None:
    body = '\ufeffCrashes,App Version,Device\n3,1.2,"iPad, Pro"\n'.encode()
    assert list(table(body)) == [{"Crashes": "3", "App Version": "1.2", "Device": "iPad, Pro"}]
    # Between tabs a quote is a quote.
    assert list(table(b'Title\tUnits\n"Notes" \t1\n')) == [{"Title": '"Notes"', "Units": "1"}]


def test_a_sale_of_nothing_and_counters_of_no_kind() -> None:
    record = {
        "vendor": "1",
        "day": "2026-11-01",
        "row": 1,
        "Apple Identifier": "9",
        "SKU": "S",
        "Units": "1,000.00",
        "Product Type Identifier": "F1",
        "Developer Proceeds": "0.5",
        "Currency of Proceeds": "usd",
        "Customer Price": "-1.0",
        "Customer Currency": "USD",
    }
    found = parse_sale(record)
    assert (found["units"], found["proceeds"], found["gross"], found["currency"]) == (1000, 500, 1000, "USD")
    with pytest.raises(ValueError, match="no column counts active subscriptions"):
        parse_subscription({**record, "App Apple ID": "9", "Subscription Name": "Pro"})


def test_a_newer_report_is_never_replaced_by_an_older_one(tmp_path: Path) -> None:
    rows = [seen(3, 10, 2), seen(2, 20, 2), seen(2, 25, 1)]
    with Store(tmp_path, {"analytics": rows}) as store:
        store.pull()
        assert store.counts() == {3: 10, 2: 25}
        # Requested again from the oldest on, and killed before the newest: no later pull would know.
        calls = 0

        def progress(what: str, done: int, total: int) -> None:
            nonlocal calls
            calls += 1
            if calls == 2:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            store.pull(again=True, progress=progress)
        assert store.counts() == {3: 10, 2: 25}


def test_rows_without_a_day_are_kept_and_block_nothing(tmp_path: Path) -> None:
    with Store(tmp_path, {"analytics": [seen(3, 10, 1), seen(2, 20, 1)]}) as store:
        whole = store.fake.analytics
        store.fake.analytics = lambda row: whole(row) | ({"Date": "Total"} if row["count"] == 10 else {})  # type: ignore[method-assign]
        pulled = store.pull()
        assert store.counts() == {2: 20}
        assert sum(partition.rejected for partition in pulled) == 1
        ((reason, record),) = store.workbook.rejected("analytics")
        assert "'Total' is not a date" in reason and '"Counts":"10"' in record
        store.fake.analytics = whole  # type: ignore[method-assign]
        store.pull()
        assert store.counts() == {3: 10, 2: 20} and store.workbook.rejected("analytics") == []


def test_a_damaged_report_of_one_day_does_not_block_the_others(tmp_path: Path) -> None:
    with Store(tmp_path, {"sales": [sale(back) for back in range(6)]}) as store:
        store.fake.fail("/salesReports", 200, content=b"\x1f\x8bcut off", times=1)
        with pytest.raises(SourceError, match="damaged"):
            store.pull(since=(LAST - timedelta(days=5)).date())
        assert sorted(store.units()) == [0, 1, 2, 3, 4]
        store.pull()
        assert sorted(store.units()) == [0, 1, 2, 3, 4, 5]


def test_a_report_that_apple_no_longer_has_does_not_empty_its_day(tmp_path: Path) -> None:
    with Store(tmp_path, {"sales": [sale(back) for back in range(3)]}) as store:
        store.pull()
        store.fake.fail("/salesReports", 410, times=2, content=GONE)
        with pytest.raises(SourceError, match="no longer has the sales report of 2026-11-17"):
            store.pull(since=(LAST - timedelta(days=2)).date())
        assert store.units() == {0: 5, 1: 5, 2: 5}


def test_only_sales_of_the_configured_apps_are_landed(tmp_path: Path) -> None:
    inside = {"app_id": "77", "sku": "pro", "parent_sku": "NOTES01", "code": "IA1"}
    other = {"app_id": "1500000009", "sku": "GAME", "row": 3}
    rows = {"sales": [sale(1), sale(1, 2, 2, **inside), sale(1, 99, **other)], "reviews": [review(1, 1)]}
    with Store(tmp_path, rows, apps=[APP]) as store:
        store.fake.skus[APP] = "NOTES01"
        store.pull()
        assert sorted(store.workbook.rows("sales", "sku", "units")) == [("NOTES01", 5), ("pro", 2)]


def test_a_review_without_a_time_is_kept_and_blocks_nothing(tmp_path: Path) -> None:
    with Store(tmp_path, {"reviews": [review(1, 1), review(2, 2)]}) as store:
        store.fake.timeless = {"r1"}
        store.pull()
        assert store.workbook.rows("reviews", "review_id") == [("r2",)]
        ((reason, _),) = store.workbook.rejected("reviews")
        assert reason == "the field 'createdDate' is missing"


def test_a_day_of_analytics_that_could_not_be_used_is_requested_again(tmp_path: Path) -> None:
    rows = [seen(3, 10, 3), seen(2, 20, 2), seen(1, 30, 1)]
    with Store(tmp_path, {"analytics": rows}) as store:
        whole = store.fake.analytics
        store.fake.analytics = lambda row: whole(row) | ({"Counts": "many"} if row["count"] == 10 else {})  # type: ignore[method-assign]
        with pytest.raises(SourceError, match="1 rows of the report on engagement of 2026-11-16 could not be used"):
            store.pull()
        assert store.counts() == {2: 20, 1: 30}
        store.fake.analytics = whole  # type: ignore[method-assign]
        store.pull()
        assert store.counts() == {3: 10, 2: 20, 1: 30} and store.workbook.rejected("analytics") == []


def event(row: int, name: str, quantity: int, **more: Any) -> dict[str, Any]:
    whose = {"vendor": VENDOR, "ts": LAST - timedelta(days=1), "row": row, "app_id": APP, "product": "Pro"}
    known = {"event": name, "offer": None, "country": "DE", "device": "iPhone", "reason": None, "quantity": quantity}
    return {**whose, **known, **more}


def test_names_that_apple_adds_are_counted_and_named(tmp_path: Path) -> None:
    rows = [
        event(1, "Cancel", 6),
        event(2, "Cancelled by Starlight", 7),
        event(3, "Cancelled by  Starlight", 5),
        event(4, "Start Introductory Offer", 9),
        event(5, "Subscribe", 2, offer="Pay Later"),
    ]
    with Store(tmp_path, {"subscription_events": rows, "sales": [sale(1, 3, code="ZZ9")]}) as store:
        said = store.workbook.outcome(clock=store.clock).messages
        assert "subscription_events: unknown event 'Cancelled by Starlight': 12 subscriptions, in no figure." in said
        assert "subscription_events: unknown offer type 'Pay Later': 2 subscriptions, in no figure." in said
        none_told = "unknown offer type (missing) of 'Start Introductory Offer': 9 subscriptions, in no figure."
        assert f"subscription_events: {none_told}" in said
        money = "3 units, in no count of downloads or updates; their money counts."
        assert f"sales: unknown product type 'ZZ9': {money}" in said
        # Still none of them is lost.
        assert sum(quantity for (quantity,) in store.workbook.rows("subscription_events", "quantity")) == 29


def test_a_counter_that_apple_adds_is_named(tmp_path: Path) -> None:
    level = {"vendor": VENDOR, "ts": LAST - timedelta(days=1), "row": 1, "app_id": APP, "product": "Pro"}
    counts = {"country": "DE", "device": "iPhone", "active": 9, "trials": 2, "billing_retry": 0, "grace_period": 0}
    with Store(tmp_path, {"subscriptions": [{**level, **counts}]}) as store:
        whole = store.fake.subscription
        added = {"Pay Whenever Offers": 4, "Loyalty Subscriptions": 0, "Offer Reference": "77"}
        store.fake.subscription = lambda row: {**whole(row), **added}  # type: ignore[method-assign]
        said = store.workbook.outcome(clock=store.clock).messages
        # A column that is 0 everywhere, and one that counts nothing, does not matter.
        assert [each for each in said if "unknown" in each] == [
            "subscriptions: unknown column 'Pay Whenever Offers': 4 subscriptions, in no figure."
        ]
        assert store.workbook.rows("subscriptions", "active", "trials") == [(9, 2)]


REPORT = {"vendor": VENDOR, "day": "2026-11-18", "row": 1}


def test_counters_of_all_versions_of_the_subscription_report() -> None:
    whose = {"App Apple ID": "1", "Subscription Name": "Pro", "Country": "DEU", **REPORT}
    paid = [
        "Active Standard Price Subscriptions",
        "Active Pay Up Front Introductory Price Subscriptions",
        "Active Pay as You Go Introductory Offer Subscriptions",
        "Pay Up Front Promotional Offer Subscriptions",
        "Pay As You Go Offer Code Subscriptions",
        "Pay Up Front Win-back Offers",
    ]
    free = [
        "Active Free Trial Introductory Offer Subscriptions",
        "Free Trial Promotional Offer Subscriptions",
        "Free Trial Offer Code Subscriptions",
        "Free Trial Win-back Offers",
    ]
    others = {"Marketing Opt-Ins": "7", "Billing Retry": "5", "Grace Period": "3", "Subscribers": "30"}
    row = parse_subscription({**whose, **dict.fromkeys(paid, "1"), **dict.fromkeys(free, "10"), **others})
    assert (row["active"], row["trials"], row["billing_retry"], row["grace_period"]) == (6, 40, 5, 3)
    assert (row["country"], row["unknown_column"], row["unknown_count"]) == ("DE", None, None)
    assert not PAID_COUNTERS & FREE_COUNTERS


@pytest.mark.parametrize(
    "column", ["Subscription Group ID", "Standard Subscription Duration", "Subscription Offer Name"]
)
def test_what_describes_a_subscription_counts_none(column: str) -> None:
    assert not is_unknown_counter(column)


@pytest.mark.parametrize(
    "name",
    [
        # Names in reports that others have published (seeds of a dbt package, a help site that lists one per page).
        *("Reactivate", "Introductory Price from Paid Subscription", "Upgrade", "Downgrade from Grace Period"),
        *("Promotional Offer from Win-Back Offer", "Reactivation to Promotional Offer", "Start Introductory Offer"),
        *("Introductory Offer from Introductory Offer", "Canceled from Billing Retry", "Subscribe", "Opt-In"),
        *("Paid Subscription from Win-Back Offer with Upgrade", "Billing Retry from Offer Code with Crossgrade"),
        *(
            "Reactivation to Offer Code with Downgrade",
            "Crossgrade From Introductory Offer",
            "Renewal from Billing Retry",
        ),
        *("Billing Retry from Paid Subscription", "Reactivate with Crossgrade to Introductory Price", "Refund"),
        *("Introductory Price Crossgrade from Billing Retry", "Downgrade from Introductory Offer", "Start Offer Code"),
    ],
)
def test_names_of_real_reports_are_known(name: str) -> None:
    assert plain(name) in EVENTS


def test_how_often_something_was_paid_for_is_read() -> None:
    reported = {"Event": "Cancel", "App Apple ID": "1", "Subscription Name": "Pro", "Quantity": "2", "Country": "USA"}
    assert parse_subscription_event({**REPORT, **reported, "Consecutive Paid Periods": "0"})["paid_periods"] == 0
    # Reports of some versions, and rows of some events, do not say.
    assert parse_subscription_event({**REPORT, **reported, "Consecutive Paid Periods": ""})["paid_periods"] is None
    assert parse_subscription_event({**REPORT, **reported})["country"] == "US"
    assert is_unclear("Start Offer Code", None, None) and not is_unclear("Cancel", None, None)


@pytest.mark.parametrize(("case", "churned"), [("apple-cancellations", 15), ("apple-lapsed-trials", 2)])
def test_cases_of_apple(case: str, churned: int, root: Path) -> None:
    file = root.parent / "shared" / "cases" / case / "subscription_event.tsv"
    if not file.is_file():
        pytest.skip("no ../shared/cases beside the checkout: its inputs not checked")
    body = file.read_bytes()
    records = [{**record, **REPORT, "row": number} for number, record in enumerate(table(body), start=1)]
    rows = [{**parse_subscription_event(record), "ts": LAST} for record in records]
    found = run_models("platform_metrics_app_store", app_store_subscription_events=rows)
    assert sum(row["value"] for row in found if row["metric"] == "churned_subscriptions") == churned
