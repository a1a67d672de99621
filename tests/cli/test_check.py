"""`tidings check` before anything has landed: what a pull would make of the first rows, and what to set."""

from __future__ import annotations

import json
import sqlite3
import tomllib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tidings.cli.checks import Finding, check
from tidings.landing.store import Landing
from tidings.settings import Settings, load_settings
from tidings.sources.source import Pull, open_sources

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
SHOP = {"order_id": "Order ID", "ts": "Date", "amount": "Total"}
PROPOSED = "With this in place of its table: "


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text('[tool.tidings]\ncurrency = "EUR"\n')
    return tmp_path


def looked(root: Path, content: str | bytes, file: str = "export.csv", **table: Any) -> list[Finding]:
    """The findings of a source that reads one file."""
    (root / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    return said(settings(root, {"kind": "orders", "path": file, **table}))


def settings(root: Path, table: dict[str, Any]) -> Settings:
    return Settings(root=root, currency="EUR", sources={"shop": table})


def said(of: Settings) -> list[Finding]:
    return [each for each in check(of, NOW) if each.what in ("source shop", "exchange rates")]


def proposal(findings: list[Finding]) -> dict[str, Any]:
    """The table that is proposed, as it would be pasted."""
    (text,) = [each.detail for each in findings if PROPOSED in each.detail]
    table: dict[str, Any] = tomllib.loads(text[text.index("\n[") :])["tool"]["tidings"]["sources"]["shop"]
    return table


def details(findings: list[Finding]) -> str:
    return "\n".join(f"{each.level} {each.detail}" for each in findings if each.what == "source shop")


@pytest.mark.parametrize(
    ("content", "table", "options"),
    [
        # No mapping, half of one, one of columns that are not there, one of columns that hold something else.
        ("Bestellnr;Datum;Betrag\n1;2026-10-05;12,50\n2;2026-10-06;1.250,00\n", {}, {"decimal": ","}),
        ("Nr;Datum;Betrag\n1;05.10.2026;12\n2;16.10.2026;3\n", {"order_id": "Nr"}, {"time_format": "%d.%m.%Y"}),
        ("Order ID,Date,Total\n1,13/10/2026,12.50\n", {**SHOP, "amount": "Paid"}, {"time_format": "%d/%m/%Y"}),
        ("Order ID,Date,Total,Note\n1,2026-10-05,12.50,late\n", {**SHOP, "amount": "Note"}, {}),
        ("sep=;\nOrder ID;Date;Total\n1;13.10.2026;12,50\n", {}, {"decimal": ",", "time_format": "%d.%m.%Y"}),
        ("Order ID,Date,Total\n1,2026-10-05,12.50 GBP\n", {}, {"currency": "GBP"}),
        ("Bestellnr;Datum;Betrag;Größe\n1;2026-10-05;12,50;groß\n".encode("cp1252"), {}, {"encoding": "cp1252"}),
        ("Order ID\tDate\tTotal\n1\t2026-10-05\t12.50\n".encode("utf-16"), {}, {"encoding": "utf-16"}),
    ],
)
def test_a_mapping_that_does_not_do_is_answered_by_one_that_does(
    root: Path, content: str | bytes, table: dict[str, str], options: dict[str, str]
) -> None:
    proposed = proposal(looked(root, content, columns=table))
    assert options.items() <= proposed.items() and {"order_id", "ts", "amount"} <= proposed["columns"].keys()
    if "order_id" in table:
        assert proposed["columns"]["order_id"] == table["order_id"]
    (source,) = open_sources(settings(root, proposed))
    (pulled,) = source.pull(Landing(root / "raw"), Pull(NOW))
    assert pulled.rows and not pulled.rejected


def test_a_sign_of_many_currencies_is_asked_for(root: Path) -> None:
    findings = looked(root, "Order ID,Date,Total\n1,2026-10-05,£12.50\n")
    assert proposal(findings)["columns"] == SHOP
    assert "To look at: '£12.50' may be in GBP or another currency: set currency." in details(findings)


def test_what_a_file_cannot_say_is_kept(root: Path) -> None:
    own = {"timezone": "Asia/Tokyo", "currency": "JPY", "defaults": {"origin": "web"}}
    proposed = proposal(looked(root, "Order ID,Date,Total\n1,2026-10-05 10:00,12\n", columns={}, **own))
    assert own.items() <= proposed.items()


def test_a_mapping_that_does_stays_short(root: Path) -> None:
    findings = looked(root, "Order ID,Date,Total\n1,2026-10-05,12.50\n", columns=SHOP)
    assert details(findings) == "ok orders\nok export.csv: all of 1 rows can be used, of 2026-10-05."


def test_one_option_that_helps_is_named_alone(root: Path) -> None:
    head = "Order ID,Date,Total\n"
    text = details(looked(root, f"{head}1,05.10.2026,1\n2,16.10.2026,3\n{head}3,17.10.2026,4\n", columns=SHOP))
    assert "With time_format = '%d.%m.%Y' 3 of 4 can be used" in text and PROPOSED not in text


def test_a_kind_that_is_none_or_another_is_answered_by_the_one_it_is(root: Path) -> None:
    events = "event,timestamp,visitor_id,url\npageview,2026-10-05T10:00:00Z,v1,https://shop.example/\n"
    assert proposal(looked(root, events, kind="csv"))["kind"] == "events"
    assert "It looks like events." in details(looked(root, events, columns={"order_id": "visitor_id"}))


def test_a_file_that_fits_no_feed_is_named_with_its_columns(root: Path) -> None:
    text = details(looked(root, "1001,2026-10-05,12.50,EUR\n1002,2026-10-06,3.00,EUR\n", columns=SHOP))
    assert "its first line (1001, 2026-10-05, 12.50, EUR) is a row, no names" in text


@pytest.mark.parametrize(
    ("content", "reported"),
    [
        ("Order ID,Date,Total\n1,2026-10-05,\"1,250\"\n", "'1,250' may be 1,250 or 1.250: set decimal"),
        ("Order ID,Date,Total\n1,2026-10-05,$12.50\n", "'$12.50' may be in USD or CAD or AUD or another currency"),
        ("Order ID,Date,Total,In\n1,2026-10-05,9.50,USD\n", "'In' holds USD but is not mapped: all amounts are taken"),
        ("Order ID,Date,Total\n1,2026-10-05,9.5\nTotal,,9.5\n", "1 of 2 rows can be used, of 2026-10-05. 1 row: ts:"),
    ],
)  # fmt: skip
def test_what_would_be_wrong_in_silence_is_said(root: Path, content: str, reported: str) -> None:
    assert reported in details(looked(root, content, columns=SHOP))


ROWS = [{"id": "1", "at": "2026-10-05", "paid": 12.5}, {"id": "2", "at": "2026-10-06", "paid": 3}]
PAID = {"order_id": "id", "ts": "at", "amount": "paid"}


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize(
    "around", [{"data": ROWS, "count": 2}, {"has": {"rows": ROWS}}, {"x": [{"y": 1}], "rows": ROWS}]
)
def test_a_list_inside_of_one_object_is_read(root: Path, around: dict[str, Any], indent: int | None) -> None:
    text = details(looked(root, json.dumps(around, indent=indent), "export.json", columns=PAID))
    assert "all of 2 rows can be used" in text
    (source,) = open_sources(settings(root, {"kind": "orders", "path": "export.json", "columns": PAID}))
    (pulled,) = source.pull(Landing(root / "raw"), Pull(NOW))
    assert (pulled.rows, pulled.rejected) == (2, 0)


def test_a_row_with_a_list_in_it_is_a_row(root: Path) -> None:
    text = details(looked(root, json.dumps({**ROWS[0], "lines": ROWS}), "export.json", columns=PAID))
    assert "all of 1 rows can be used" in text


@pytest.mark.parametrize(
    ("value", "reported"),
    [
        ({"nodes": [{"a": 1}], "links": [{"b": 1}]}, "several lists of objects: 'nodes' and 'links'"),
        ({"a": [1, 2], "b": [3, 4]}, "none is a list of objects"),
    ],
)
def test_an_object_without_rows_is_named_with_its_members(root: Path, value: Any, reported: str) -> None:
    text = details(looked(root, json.dumps(value, indent=1), "export.json"))
    assert reported in text and "not JSON lines" not in text


def test_rows_over_lines_are_not_cut_by_a_preview(root: Path) -> None:
    rows = [{**ROWS[0], "id": str(number)} for number in range(1_200)]
    text = details(looked(root, json.dumps(rows, indent=1), "export.json", columns=PAID))
    assert "all of the first 1,000 rows can be used" in text


LINE = '203.0.113.9 - jane [20/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 5'


def test_a_log_is_previewed_with_its_format_and_without_names(root: Path) -> None:
    good = f'{LINE} "-" "Mozilla/5.0"\n'
    text = details(looked(root, good * 1_500, "access.log", kind="access_log"))
    assert "ok access.log: combined format, all of the first 1,000 lines can be used, of 2026-11-20." in text
    text = details(looked(root, good + '203.0.113.9 jane "GET /"\n' * 3, "access.log", kind="access_log"))
    assert "warn access.log: combined format, 1 of 4 lines can be used" in text
    assert "3 lines: There is no time as in" in text and "203.0.113.9" not in text and "jane" not in text
    assert "common format, all of 1 lines" in details(looked(root, f"{LINE}\n", "access.log", kind="access_log"))
    text = details(looked(root, "nothing of it\n", "access.log", kind="access_log"))
    assert "fail access.log: none of 1 lines can be used" in text and "Supported formats: common and combined" in text


def test_rows_of_a_database_are_previewed(root: Path) -> None:
    with sqlite3.connect(root / "shop.sqlite") as connection:
        connection.execute("CREATE TABLE invoices (number TEXT, placed TEXT, total TEXT)")
        connection.executemany("INSERT INTO invoices VALUES (?, '2026-11-01', ?)", [("1", "9"), ("2", "nine")])
    connection.close()
    address = {"SHOP_URL": f"sqlite://{root / 'shop.sqlite'}"}
    table = {"kind": "database", "feed": "orders", "table": "invoices"}
    columns = {"order_id": "number", "ts": "placed", "amount": "total"}
    text = details(said(replace(settings(root, {**table, "columns": columns}), environment=address)))
    assert "warn the table invoices: 1 of 2 rows can be used, of 2026-11-01. 1 row: amount: is not a number" in text
    assert not (root / "data").exists()
    text = details(
        said(replace(settings(root, {**table, "columns": {**columns, "amount": "totals"}}), environment=address))
    )
    assert text.count("Did you mean 'total'?") == 1


def test_deliveries_of_a_webhook_are_previewed(root: Path) -> None:
    event = {"id": "e1", "event_timestamp_ms": 1_796_000_000_000, "type": "TEST", "app_user_id": "jane"}
    lines = f"{json.dumps({'event': event})}\nno delivery\n"
    text = details(looked(root, lines, "hooks.jsonl", kind="revenuecat_events"))
    assert "1 of 2 deliveries can be used" in text and "the line is not JSON" in text and "jane" not in text


def rates(of: Settings) -> str:
    return "\n".join(f"{each.level} {each.detail}" for each in said(of) if each.what == "exchange rates")


def test_currencies_are_looked_up_before_anything_lands(root: Path) -> None:
    (root / "export.csv").write_text("Order ID,Date,Total,In\n1,2026-10-05,9.50,USD\n2,2026-10-06,1,CHF\n")
    (root / "fx.csv").write_text("Date,USD,CHF\n2026-10-06,1.1,0.9\n2026-10-05,1.1,0.9\n2025-01-02,1.1,0.9\n")
    (root / "late.csv").write_text("Date,USD,\n2026-10-12,1.1,\n")
    table = {"kind": "orders", "path": "export.csv", "columns": {**SHOP, "currency": "In"}}
    own = settings(root, table)
    assert 'set currency = "USD"' in rates(own) or 'set currency = "CHF"' in rates(own)
    assert "Amounts in USD (shop, its first rows of 2026-10-05) cannot be converted into EUR" in rates(own)
    assert "Name one as `fx`" in rates(own)
    known = Settings(root=root, currency="EUR", sources={"shop": table}, fx=root / "fx.csv")
    assert "cannot be converted" not in rates(known)
    late = Settings(root=root, currency="EUR", sources={"shop": table}, fx=root / "late.csv")
    assert "by a report of those days: late.csv has rates for USD from 2026-10-12" in rates(late)
    assert "late.csv has none for CHF" in rates(late)


def test_many_good_files_are_one_finding(root: Path) -> None:
    for day in range(1, 6):
        (root / f"{day}.csv").write_text(f"Order ID,Date,Total\n{day},2026-10-0{day},12.50\n")
    text = details(looked(root, "Order ID,Date,Total\n9,2026-10-05,x\n", "bad.csv", path="*.csv", columns=SHOP))
    assert "ok 5 files: all of their first rows can be used, from 2026-10-01 to 2026-10-05." in text
    assert "fail bad.csv: none of 1 rows" in text


def test_settings_of_the_workbook_are_left_alone(root: Path) -> None:
    before = (root / "pyproject.toml").read_bytes()
    (root / "export.csv").write_text("Order ID,Date,Total\n1,2026-10-05,12.50\n")
    assert not load_settings(root).sources
    looked(root, "Order ID,Date,Total\n1,2026-10-05,12.50\n")
    assert (root / "pyproject.toml").read_bytes() == before and not (root / "data" / "raw").exists()
