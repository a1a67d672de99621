"""Google Play: files by generation, vitals by freshness, reviews, and quirks that must not distort the numbers."""

from __future__ import annotations

import contextlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from fakes.google_play import FakeGooglePlay, packed
from fakes.pulling import NOW, Serving
from fakes.server import Reply
from tidings.connectors.google_play.records import FILES, parse_installs, parse_review, parse_sale, table
from tidings.errors import SourceError
from tidings.sources.http import transport

PACKAGE = "com.acme.my_notes"
LAST = datetime(2026, 11, 17)


def day(back: int, installs: int = 10, cut: str = "overview", name: str = "all") -> dict[str, Any]:
    whose = {"package": PACKAGE, "ts": LAST - timedelta(days=back), "breakdown": cut, "name": name}
    return {**whose, "installs": installs, "uninstalls": 2, "updates": 5, "active_devices": 1100}


def vital(back: int, rate: float, name: str = "all", kind: str = "crash") -> dict[str, Any]:
    return {
        "package": PACKAGE, "ts": LAST - timedelta(days=back), "kind": kind, "name": name, "rate": rate, "users": 500
    }  # fmt: skip


def sale(row: int, amount: str, status: str = "Charged") -> dict[str, Any]:
    whose = {"month": "202611", "row": row, "order_number": f"GPA.{row}", "ts": LAST, "status": status}
    bought = {"package": PACKAGE, "sku": "pro", "product_type": "subscription", "country": "DE"}
    return {**whose, **bought, "amount": Decimal(amount), "currency": "EUR"}


class Play(Serving):
    fake_class = FakeGooglePlay

    def __init__(self, root: Path, rows: Mapping[str, Sequence[Mapping[str, Any]]], **options: Any) -> None:
        super().__init__(root, rows, **options)
        self.fake.packages = [PACKAGE]

    def installs(self) -> dict[int, int]:
        return {(LAST - ts).days: count for ts, count in self.workbook.rows("installs", "ts", "installs")}

    def downloads(self) -> list[str]:
        return [r.path.rpartition("%2F")[2] for r in self.fake.asked if r.query.get("alt") == "media"]


def test_utf16_zip_and_thousands(tmp_path: Path) -> None:
    rows = {
        "installs": [day(1, 1_234), day(1, 900, "country", "DE"), day(1, 334, "country", "(unknown)")],
        "sales": [sale(1, "5.99"), sale(2, "-5.99", "Refund")],
    }
    with Play(tmp_path, rows) as play:
        play.fake.rows["google_play_installs"][2]["name"] = ""
        play.fake.rewrite()
        play.pull()
        found = sorted(play.workbook.rows("installs", "breakdown", "name", "installs", "active_devices"))
        # Google leaves the country empty if unknown.
        assert found == [
            ("country", "(unknown)", 334, 1100),
            ("country", "DE", 900, 1100),
            ("overview", "all", 1234, 1100),
        ]
        # Refunds are written without a sign: the status decides.
        assert sorted(play.workbook.rows("sales", "amount", "status")) == [
            (Decimal("-5.99"), "Refund"),
            (Decimal("5.99"), "Charged"),
        ]
        assert "city-canary" not in play.workbook.everything()


def test_only_files_that_were_written_again_are_fetched(tmp_path: Path) -> None:
    october = day(40, 7)
    with Play(tmp_path, {"installs": [day(1), october]}) as play:
        play.pull()
        assert len(play.downloads()) == 2
        play.fake.asked.clear()
        assert any(partition.skipped for partition in play.pull())
        assert play.downloads() == []
        play.fake.rows["google_play_installs"] = [day(1, 11), day(0, 12), october]
        play.fake.rewrite()
        pulled = play.pull()
        assert play.downloads() == [f"installs_{PACKAGE}_202611_overview.csv"]
        # The file's earlier content is replaced: the 1st day back is reported again, the last one is new.
        assert play.installs() == {1: 11, 0: 12, 40: 7}
        assert sum(partition.restated for partition in pulled) == 1


def test_a_row_that_google_withdrew_disappears(tmp_path: Path) -> None:
    with Play(tmp_path, {"installs": [day(2), day(1)]}) as play:
        play.pull()
        play.fake.rows["google_play_installs"] = [day(2)]
        play.fake.rewrite()
        play.pull()
        assert play.installs() == {2: 10}


def test_an_app_without_files_has_nothing_not_zero(tmp_path: Path) -> None:
    with Play(tmp_path, {}) as play:
        play.pull()
        assert play.workbook.rows("installs") == []


def test_files_come_in_pages_and_only_those_of_the_packages(tmp_path: Path) -> None:
    other = {**day(1, 99), "package": "com.acme"}
    with Play(tmp_path, {"installs": [day(1), day(40), day(80), other]}, packages=[PACKAGE]) as play:
        play.fake.page_size = 1
        play.pull()
        assert play.installs() == {1: 10, 40: 10, 80: 10}


def test_names_of_files_are_read_from_the_right() -> None:
    prefix, pattern = FILES["installs"]
    matched = pattern.fullmatch(f"{prefix}com.a_b_202601.x_202611_app_version.csv".removeprefix(prefix))
    assert matched is not None
    assert matched.groupdict() == {"package": "com.a_b_202601.x", "month": "202611", "breakdown": "app_version"}
    # Other breakdowns repeat the same total: they are not read.
    assert pattern.fullmatch("com.a_202611_carrier.csv") is None


def test_vitals_are_requested_as_far_as_they_are_fresh(tmp_path: Path) -> None:
    with Play(tmp_path, {"vitals": [vital(1, 0.004), vital(1, 0.006, "341"), vital(0, 0.005)]}) as play:
        # Fresh up to the 17th, which itself is not.
        play.fake.fresh_days = 3
        pulled = play.pull()
        assert sorted(play.workbook.rows("vitals", "name", "rate")) == [("341", 0.006), ("all", 0.004)]
        said = [message for partition in pulled for message in partition.messages if partition.endpoint == "vitals"]
        assert "2026-11-17" in said[0] and "requested again" in said[0]
        play.fake.fresh_days = 0
        play.pull()
        assert len(play.workbook.rows("vitals")) == 3


def test_written_reviews_of_the_week_and_all_of_the_files(tmp_path: Path) -> None:
    written = LAST - timedelta(days=90)
    old = {"package": PACKAGE, "review_id": "old", "ts": written, "updated_at": written, "rating": 2, "title": None}
    old |= {"body": "So so", "language": "de", "app_version": "1.0", "device": "pixel"}
    with Play(tmp_path, {"reviews": [old]}) as play:
        said = {"text": "\tGreat", "starRating": 5, "lastModified": {"seconds": str(int(NOW.timestamp()) - 3600)}}
        play.fake.recent = [{"reviewId": "new", "authorName": "name-canary", "comments": [{"userComment": said}]}]
        play.pull()
        assert play.workbook.rows("reviews", "review_id", "rating", "body") == [("old", 2, "So so")]
        assert play.workbook.rows("recent_reviews", "review_id", "rating", "body") == [("new", 5, "Great")]
        assert "name-canary" not in play.workbook.everything()


def test_stars_without_a_text_get_an_id_that_stays() -> None:
    record = {
        "package name": PACKAGE,
        "review submit millis since epoch": "1762765200000",
        "review last update millis since epoch": "1762765200000",
        "star rating": "4",
        "device": "pixel",
        "reviewer language": "de",
        "review link": "",
    }
    found = parse_review(record)
    assert found["review_id"] == parse_review(dict(record))["review_id"] and len(found["review_id"]) == 32
    assert found["review_id"] != parse_review({**record, "star rating": "5"})["review_id"]
    assert found["ts"] == datetime(2025, 11, 10, 9, tzinfo=UTC) and found["body"] is None
    assert parse_review({**record, "review link": "https://x?reviewId=gp1&y=2"})["review_id"] == "gp1"


def test_renamed_columns_are_known_and_unknown_ones_named() -> None:
    record = {"date": "2026-11-01", "package name": PACKAGE, "breakdown": "overview", "daily user installs": "1,100"}
    more = {"daily user uninstalls": "", "daily device upgrades": "NA", "installs on active devices": "7"}
    found = parse_installs({**record, **more})
    assert (found["installs"], found["uninstalls"], found["updates"], found["active_devices"]) == (
        "1100",
        None,
        None,
        "7",
    )
    with pytest.raises(KeyError, match="daily user uninstalls"):
        parse_installs(record)
    with pytest.raises(KeyError, match="charged amount"):
        parse_sale({"financial status": "Charged"})


def test_a_table_is_decoded_by_its_mark() -> None:
    assert list(table("a.csv", "Date,  Package  NAME\r\n1,x\r\n".encode("utf-16"))) == [
        {"date": "1", "package name": "x"}
    ]
    assert list(table("a.csv", b"\xef\xbb\xbfDate\n1\n")) == [{"date": "1"}]
    assert list(table("a.csv", b"Date\n")) == []


def test_a_damaged_file_is_reported_and_the_others_landed(tmp_path: Path) -> None:
    with Play(tmp_path, {"installs": [day(1)], "sales": [sale(1, "5.99")]}) as play:
        play.fake.write("sales/salesreport_202610.zip", b"PK no zip")
        with pytest.raises(SourceError, match=r"salesreport_202610.zip of Google Play is damaged"):
            play.pull()
        assert play.installs() == {1: 10} and len(play.workbook.rows("sales")) == 1


def test_a_file_of_another_shape_is_kept_and_what_it_said_before_stays(tmp_path: Path) -> None:
    with Play(tmp_path, {"installs": [day(1)]}) as play:
        play.pull()
        name = f"stats/installs/installs_{PACKAGE}_202611_overview.csv"
        play.fake.write(name, packed(name, [{"Date": "2026-11-16", "Package Name": PACKAGE, "Shiny": "1"}]))
        with pytest.raises(SourceError, match="'daily user installs' is missing"):
            play.pull()
        assert play.installs() == {1: 10}
        ((_, record),) = play.workbook.rejected("installs")
        assert json.loads(record)["shiny"] == "1"
        play.fake.rewrite()
        play.pull()
        assert play.installs() == {1: 10} and play.workbook.rejected("installs") == []


def _cut(reply: Reply) -> Reply:
    return Reply(reply.bytes()[: len(reply.bytes()) // 2 // 2 * 2], 200, reply.headers)


@pytest.mark.parametrize(
    "change",
    [
        lambda reply: Reply("<html><title>Sign in</title></html>", 200),
        lambda reply: Reply(b"", 200),
        lambda reply: Reply({"error": {"message": "maintenance"}}, 200),
        lambda reply: Reply(b"Ada,5th Avenue\n", 200),
        _cut,
    ],
)
def test_what_is_no_file_is_not_one_without_rows(tmp_path: Path, change: Any) -> None:
    """The next good pull said "unchanged": the same generation is another content only if nothing was landed of it."""
    with Play(tmp_path, {"installs": [day(1), day(2)], "sales": [sale(1, "5.99")]}) as play:
        # A bucket that tells neither size nor digest.
        listed = play.fake._listed
        play.fake._listed = lambda name: {k: listed(name)[k] for k in ("name", "generation")}  # type: ignore[method-assign]
        play.fake.alter("/o/", change, times=99)
        with contextlib.suppress(SourceError):
            play.pull()
        assert set(play.installs().values()) <= {10}
        play.fake.mend()
        play.pull()
        assert play.installs() == {1: 10, 2: 10} and len(play.workbook.rows("sales")) == 1
        assert play.workbook.rejected("installs") == []


def test_the_head_alone_is_a_file_without_rows_if_it_is_whole(tmp_path: Path) -> None:
    assert list(table("a.csv", b"Date,Package Name\n", ("date",))) == []
    for body in (b"Date,Pack", b"", b"Date,Package Name"):
        with pytest.raises(SourceError, match=r"not a table that Tidings knows: (its header is cut off|it is empty)"):
            list(table("a.csv", body, ("date",)))


def test_a_file_that_unpacks_without_an_end_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "MOST_BYTES", 1 << 20)
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("report.csv", b" " * (4 << 20))
    with pytest.raises(SourceError, match=r"sales\.zip of Google Play is larger than 1 MB when it is unpacked"):
        list(table("sales.zip", body.getvalue()))


def test_unusable_rows_are_requested_again_by_the_same_version(tmp_path: Path) -> None:
    with Play(tmp_path, {"installs": [day(1), day(2)]}) as play:
        # The generation and the size have not changed: it was a transient error of the server.
        def odd(reply: Reply) -> Reply:
            return Reply(reply.bytes().decode("utf-16").replace(",2,", ",x,", 1).encode("utf-16"), 200)

        listed = play.fake._listed
        play.fake._listed = lambda name: {k: listed(name)[k] for k in ("name", "generation")}  # type: ignore[method-assign]
        play.fake.alter("/o/", odd)
        play.pull()
        assert len(play.workbook.rejected("installs")) == 1
        play.pull()
        assert play.installs() == {1: 10, 2: 10} and play.workbook.rejected("installs") == []
        asked = len(play.fake.asked)
        play.pull()
        assert not [each for each in play.fake.asked[asked:] if "alt" in each.query], "now it is as it was"


def test_an_account_that_sees_no_app_is_reported(tmp_path: Path) -> None:
    with Play(tmp_path, {}) as play:
        play.fake.packages = []
        with pytest.raises(SourceError, match=r"sees no app\. Invite the account in Play Console"):
            play.pull()


def test_missing_rights_are_reported_in_the_words_of_the_console(tmp_path: Path) -> None:
    with Play(tmp_path, {"installs": [day(1)]}) as play:
        body = {"error": {"code": 403, "message": "no access", "details": [{"reason": "SERVICE_DISABLED"}]}}
        play.fake.fail("apps:search", 403, content=body)
        play.fake.fail("/o$", 403, content={"error": {"code": 403, "message": "no access to the bucket"}})
        bucket, vitals = play.workbook.check()
        assert "cannot read the bucket pubsite_prod_rev_0123456789" in bucket and "Users and permissions" in bucket
        assert "Enable the API" in vitals
        assert play.workbook.check() == []


def test_an_app_that_is_not_seen_is_named(tmp_path: Path) -> None:
    with Play(tmp_path, {}, packages=["com.acme.my_note"]) as play, pytest.raises(SourceError, match="Did you mean"):
        play.pull()


def test_files_of_subscriptions_are_of_a_package_and_a_product(tmp_path: Path) -> None:
    row = {"package": PACKAGE, "product": "pro_monthly", "ts": LAST, "country": "DE", "begun": 1, "cancelled": 0}
    other = {**row, "package": "com.acme.other", "active": 99}
    with Play(tmp_path, {"subscriptions": [{**row, "active": 7}, other]}, packages=[PACKAGE]) as play:
        play.pull()
        assert play.workbook.rows("subscriptions", "product", "active") == [("pro_monthly", 7)]


def test_only_money_of_the_configured_packages_is_landed(tmp_path: Path) -> None:
    with Play(tmp_path, {"sales": [sale(1, "10"), {**sale(2, "99"), "package": "com.acme.other"}]}) as play:
        play.workbook.settings.sources["api"]["packages"] = [PACKAGE]  # type: ignore[index]
        play.pull()
        assert play.workbook.rows("sales", "order_number", "amount") == [("GPA.1", 10)]


@pytest.mark.parametrize("damage", [b"\xff\xff\xff\xff", b""])
def test_a_zip_of_which_the_middle_is_lost_is_reported(tmp_path: Path, damage: bytes) -> None:
    with Play(tmp_path, {"sales": [sale(1, "10")], "installs": [day(1)]}) as play:
        name = next(name for name in play.fake.files if name.endswith(".zip"))
        body = play.fake.files[name]
        play.fake.write(name, body[:60] + damage + body[70:])
        with pytest.raises(SourceError, match=f"{name} of Google Play is damaged"):
            play.pull()
        assert play.installs() == {1: 10}


def test_the_sign_of_a_sale_follows_a_status_that_is_known() -> None:
    record = {
        "month": "202611",
        "row": 1,
        "order number": "GPA.1",
        "order charged date": "2026-11-17",
        "package id": PACKAGE,
        "charged amount": "-1,250.00",
        "currency of sale": "eur",
    }
    of = {status: parse_sale({**record, "financial status": status})["amount"] for status in ("Charged", "Refunded")}
    assert of == {"Charged": 1250, "Refunded": -1250}
    # For an unknown status the sign is Google's.
    assert parse_sale({**record, "financial status": "Chargeback"})["amount"] == -1250
    with pytest.raises(ValueError, match="charged amount is empty"):
        parse_sale({**record, "financial status": "Charged", "charged amount": ""})


def test_reviews_of_the_last_week_stay_when_the_week_is_over(tmp_path: Path) -> None:
    with Play(tmp_path, {}) as play:
        said = {"text": "Great", "starRating": 5, "lastModified": {"seconds": str(int(NOW.timestamp()) - 3600)}}
        play.fake.recent = [{"reviewId": "new", "comments": [{"userComment": said}]}]
        for days in range(12):
            if days == 7:
                play.fake.recent = []
            play.pull(NOW + timedelta(days=days))
        assert play.workbook.rows("recent_reviews", "review_id") == [("new",)]


def test_what_seldom_happens_is_whole_though_no_file_is_written(tmp_path: Path) -> None:
    with Play(tmp_path, {"sales": [sale(1, "10")], "installs": [day(1)]}) as play:
        play.pull()
        play.pull(NOW + timedelta(days=20))
        until = {
            endpoint: max(e.complete_until for e in play.workbook.landing.loads("api", endpoint) if e.complete_until)
            for endpoint in ("sales", "installs")
        }
        # Six days before the pull, in California; installs have a row on each day, and none came.
        assert until["sales"] == datetime(2026, 12, 4, 8, tzinfo=UTC)
        assert until["installs"] < datetime(2026, 11, 20, tzinfo=UTC)
