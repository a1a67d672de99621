"""RevenueCat's webhook deliveries from files: what is landed of a line, and what never is."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.pulling import Workbook
from tidings.connectors.revenuecat.events import FORGOTTEN, parse_delivery
from tidings.errors import SettingsError, SourceError
from tidings.feeds.revenuecat_events import REVENUECAT_EVENTS_DELIVERIES
from tidings.sources.records import typed

AT = 1795190405017  # 2026-11-20 16:00:05.017 UTC


def delivery(event_id: str = "e1", kind: str = "RENEWAL", **more: Any) -> dict[str, Any]:
    """A delivery as RevenueCat documents it; the buyer is planted wherever it may occur."""
    event = {
        "id": event_id,
        "type": kind,
        "event_timestamp_ms": AT,
        "app_id": "app1a2b3c",
        "app_user_id": "canary@example.com",
        "original_app_user_id": "$RCAnonymousID:canary",
        "aliases": ["canary-alias"],
        "subscriber_attributes": {"$email": {"value": "canary@example.com", "updated_at_ms": AT}},
        "transaction_id": "GPA.canary..3",
        "original_transaction_id": "GPA.canary",
        "product_id": "pro:monthly",
        "period_type": "NORMAL",
        "purchased_at_ms": 1795190400000,
        "expiration_at_ms": 1797782400000,
        "environment": "PRODUCTION",
        "store": "PLAY_STORE",
        "entitlement_ids": ["pro"],
        "country_code": "DE",
        "currency": "EUR",
        "price": 6.48,
        "price_in_purchased_currency": 5.99,
        "tax_percentage": 0.1597,
        "commission_percentage": 0.126,
        "is_trial_conversion": False,
        "renewal_number": 4,
        "is_family_share": False,
    }
    return {"event": {**event, **more}, "api_version": "1.0"}


def write(folder: Path, name: str, *lines: Any) -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return file


def book(root: Path, path: Any = "webhooks/*.jsonl") -> Workbook:
    return Workbook(root, {"kind": "revenuecat_events", "path": path}, {}, name="hooks")


def ids(workbook: Workbook) -> list[str]:
    return sorted(event_id for (event_id,) in workbook.rows("deliveries", "event_id"))


def test_a_delivery_becomes_a_row_and_nobody_is_named(tmp_path: Path) -> None:
    write(tmp_path, "webhooks/a.jsonl", delivery(novelty="kept"))
    workbook = book(tmp_path)
    (done,) = workbook.pull()
    assert (done.rows, done.rejected, done.partition) == (1, 0, "webhooks/a.jsonl")
    (row,) = workbook.rows("deliveries")
    record = row.pop("_record")
    assert row == {
        "event_id": "e1",
        "ts": datetime(2026, 11, 20, 16, 0, 5, 17000),
        "type": "RENEWAL",
        "environment": "PRODUCTION",
        "app": "app1a2b3c",
        "store": "play_store",
        "product": "pro:monthly",
        "new_product": None,
        "country": "DE",
        "period_type": "NORMAL",
        "reason": None,
        "is_trial_conversion": False,
        "is_family_share": False,
        "renewal_number": 4,
        "purchased_at": datetime(2026, 11, 20, 16),
        "expires_at": datetime(2026, 12, 20, 16),
        "price": Decimal("5.99"),
        "currency": "EUR",
        "price_usd": Decimal("6.48"),
        "tax_share": 0.1597,
        "commission_share": 0.126,
        "_line": 1,
    }
    # A new field is kept as received; the buyer is not.
    assert json.loads(record)["novelty"] == "kept"
    landed = "\n".join(str(file) for file in [workbook.rows("deliveries"), record])
    raw = "".join(
        text.read_bytes().decode("utf-8", "replace") for text in (tmp_path / "data").rglob("*") if text.is_file()
    )
    assert "canary" not in landed
    assert "canary" not in raw


def test_duplicates_and_disorder_land_as_they_came(tmp_path: Path) -> None:
    later = delivery("e2", event_timestamp_ms=AT + 1)
    write(tmp_path, "webhooks/a.jsonl", later, delivery("e1"), "", delivery("e1"))
    workbook = book(tmp_path)
    workbook.pull()
    # Staging counts each once; line numbers are those of the file, counting empty lines.
    assert sorted(workbook.rows("deliveries", "_line", "event_id")) == [(1, "e2"), (2, "e1"), (4, "e1")]


@pytest.mark.parametrize("path", ["webhooks", "webhooks/*", ["webhooks/a.jsonl", "webhooks/b*"]])
def test_a_folder_a_pattern_and_a_list_name_the_same_files(tmp_path: Path, path: Any) -> None:
    write(tmp_path, "webhooks/a.jsonl", delivery("e1"))
    (tmp_path / "webhooks/b.ndjson.gz").write_bytes(gzip.compress(json.dumps(delivery("e2")).encode()))
    workbook = book(tmp_path, path)
    workbook.pull()
    assert ids(workbook) == ["e1", "e2"]


def test_only_files_that_grew_are_read_again(tmp_path: Path) -> None:
    write(tmp_path, "webhooks/a.jsonl", delivery("e1"))
    write(tmp_path, "webhooks/b.jsonl", delivery("e2"))
    workbook = book(tmp_path)
    workbook.pull()
    write(tmp_path, "webhooks/b.jsonl", delivery("e2"), delivery("e3"))
    assert [(done.partition, done.rows, done.skipped) for done in workbook.pull()] == [
        ("webhooks/a.jsonl", 1, True),
        ("webhooks/b.jsonl", 2, False),
    ]
    assert ids(workbook) == ["e1", "e2", "e3"]


def test_a_pull_killed_on_the_way_and_run_again_lands_the_same(tmp_path: Path) -> None:
    write(tmp_path, "webhooks/a.jsonl", delivery("e1"))
    write(tmp_path, "webhooks/b.jsonl", delivery("e2"))

    class Killed(BaseException):
        pass

    def kill(what: str, done: int, total: int) -> None:
        if what.endswith("b.jsonl"):
            raise Killed

    workbook = book(tmp_path)
    with pytest.raises(Killed):
        workbook.pull(progress=kill)
    assert ids(workbook) == ["e1"]
    workbook.pull()
    assert ids(workbook) == ["e1", "e2"]


def test_the_event_alone_is_a_delivery_too(tmp_path: Path) -> None:
    write(tmp_path, "webhooks/a.jsonl", delivery("e1")["event"])
    workbook = book(tmp_path)
    workbook.pull()
    assert ids(workbook) == ["e1"]


def test_what_came_beside_the_event_is_not_kept(tmp_path: Path) -> None:
    write(tmp_path, "webhooks/a.jsonl", {**delivery(), "headers": {"Authorization": "planted-canary"}})
    workbook = book(tmp_path)
    workbook.pull()
    assert "planted-canary" not in str(workbook.rows("deliveries"))


def test_types_that_are_new_or_have_no_person_are_landed(tmp_path: Path) -> None:
    transfer = {
        "id": "t1",
        "type": "TRANSFER",
        "event_timestamp_ms": AT,
        "transferred_from": ["canary-1"],
        "transferred_to": ["canary-2"],
    }
    write(tmp_path, "webhooks/a.jsonl", {"event": transfer}, {"event": {**transfer, "id": "n1", "type": "NOVELTY"}})
    workbook = book(tmp_path)
    (done,) = workbook.pull()
    assert (done.rows, done.rejected) == (2, 0)
    assert "canary" not in str(workbook.rows("deliveries"))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"event": {"id": "x", "app_user_id": "canary', "the line is not JSON"),
        ("[1]", "the line is not a delivery: it has no event"),
        ('{"hello": "canary"}', "the line is not a delivery: it has no event"),
        ('{"event": "canary"}', "the line is not a delivery: it has no event"),
        (json.dumps({"event": {"id": "x", "app_user_id": "canary"}}), "the field 'type' is missing"),
        (json.dumps(delivery(event_timestamp_ms="soon")), "'soon' is not a Unix time"),
        (json.dumps(delivery(price_in_purchased_currency={"eur": 5})), "price: '{'eur': 5}' is not a number"),
        (json.dumps(delivery(renewal_number=2**64)), "renewal_number: '18446744073709551616' is out of range"),
        (json.dumps(delivery(price=1e22)), "price_usd: '1E+22' is out of range"),
        (json.dumps(delivery(id=None)), "event_id: is missing"),
    ],
)
def test_an_unusable_line_is_rejected_without_the_person(tmp_path: Path, line: str, reason: str) -> None:
    write(tmp_path, "webhooks/a.jsonl", line, delivery("good"))
    workbook = book(tmp_path)
    (done,) = workbook.pull()
    assert (done.rows, done.rejected) == (1, 1)
    assert "1 lines of webhooks/a.jsonl were rejected" in done.messages[0]
    ((why, record),) = workbook.rejected("deliveries")
    assert why == reason
    assert "canary" not in record


@pytest.mark.parametrize("field", ["id", "event_timestamp_ms", "environment", "period_type"])
def test_a_field_that_disappeared_is_named_and_old_rows_stay(tmp_path: Path, field: str) -> None:
    write(tmp_path, "webhooks/a.jsonl", delivery("e1"))
    workbook = book(tmp_path)
    workbook.pull()
    changed = delivery("e2")
    del changed["event"][field]
    write(tmp_path, "webhooks/a.jsonl", changed)
    with pytest.raises(SourceError, match=f"None of the 1 lines of webhooks/a.jsonl can be used: the field '{field}'"):
        workbook.pull()
    assert ids(workbook) == ["e1"]


def test_a_text_cut_inside_a_character_is_landed(tmp_path: Path) -> None:
    write(tmp_path, "webhooks/a.jsonl", delivery("e1", product_id="pro \ud83d"))
    workbook = book(tmp_path)
    workbook.pull()
    ((product, record),) = workbook.rows("deliveries", "product", "_record")
    assert product == "pro ?"
    assert json.loads(record)["product_id"] == "pro \ud83d"


def test_damaged_bytes_cost_one_line(tmp_path: Path) -> None:
    good = json.dumps(delivery("e1")).encode()
    (tmp_path / "webhooks").mkdir()
    (tmp_path / "webhooks/a.jsonl").write_bytes(b'{"event": "\xff canary"}\r\n' + good + b"\r\n")
    workbook = book(tmp_path)
    workbook.pull()
    assert ids(workbook) == ["e1"]
    assert [why for why, _ in workbook.rejected("deliveries")] == ["the line is not utf-8"]


def test_an_unusable_file_does_not_stop_the_others(tmp_path: Path) -> None:
    write(tmp_path, "webhooks/a.jsonl", "[", "]")
    write(tmp_path, "webhooks/b.csv", "a,b")
    write(tmp_path, "webhooks/c.jsonl", delivery("e1"))
    workbook = book(tmp_path, "webhooks")
    with pytest.raises(SourceError) as raised:
        workbook.pull()
    assert "2 files of hooks cannot be used" in str(raised.value)
    assert "jq -c '.[]'" in str(raised.value)
    assert "b.csv is not JSON lines by its name" in str(raised.value)
    assert ids(workbook) == ["e1"]
    assert len(workbook.check()) == 2


def test_check_is_silent_about_good_files_and_names_missing_ones(tmp_path: Path) -> None:
    assert "No file matches" in book(tmp_path).check()[0]
    write(tmp_path, "webhooks/a.jsonl", delivery())
    assert book(tmp_path).check() == []


@pytest.mark.parametrize("path", [None, "", 7, [], [""]])
def test_a_path_that_names_nothing_is_rejected(tmp_path: Path, path: Any) -> None:
    table = {"kind": "revenuecat_events"} | ({} if path is None else {"path": path})
    with pytest.raises(SettingsError, match=r"has no path|path must be a text or a list of one or more"):
        _ = Workbook(tmp_path, table, {}, name="hooks").source


def test_a_pull_knows_until_when_it_is_complete(tmp_path: Path) -> None:
    write(tmp_path, "webhooks/a.jsonl", delivery("e1", event_timestamp_ms=AT - 86_400_000), delivery("e0"))
    workbook = book(tmp_path)
    workbook.pull(datetime(2026, 11, 22, 8, tzinfo=UTC))
    (entry,) = workbook.landing.loads("hooks", "deliveries")
    # The latest event, whichever line it is on: its day may continue.
    assert entry.complete_until == datetime.fromtimestamp(AT / 1000, UTC)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("cut \ud83d"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from(sorted(set(delivery()["event"]) - set(FORGOTTEN))), values))
def test_whatever_a_field_holds_a_delivery_is_landed_or_rejected_with_a_reason(changed: dict[str, Any]) -> None:
    event = {**delivery()["event"], **changed}
    rows = typed(REVENUECAT_EVENTS_DELIVERIES, [event], parse_delivery, 1)
    assert rows.table.num_rows + len(rows.reasons) == 1
    assert all(rows.reasons)
