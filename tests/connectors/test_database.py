"""Pulling from databases: by a cursor and in full, late rows, equal cursors, rejected rows, secrets that must not
show.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depth import examples
from fakes.pulling import NOW, Workbook
from tidings.connectors.database import source as database
from tidings.connectors.database.dialects import ibis_rows, sqlite
from tidings.connectors.database.dialects.relation import Named
from tidings.errors import SettingsError, SourceError, TidingsError
from tidings.sources.source import Pull

COLUMNS = {"order_id": "number", "ts": "placed", "amount": "total", "line_id": "line"}
TABLE = {"kind": "database", "feed": "orders", "table": "invoices", "cursor": "changed", "columns": COLUMNS}
Row = tuple[str, str, float, str, str | None]


class Shop:
    """A SQLite file with invoices, and the workbook that reads it."""

    def __init__(self, root: Path, **options: Any) -> None:
        self.file = root / "shop.sqlite"
        self.run("CREATE TABLE invoices (number TEXT, placed TEXT, total REAL, line TEXT, changed TEXT, note TEXT)")
        table = {key: value for key, value in {**TABLE, **options}.items() if value is not None}
        self.workbook = Workbook(root / "workbook", table, {"SHOP_URL": f"sqlite://{self.file}"}, name="shop")

    def run(self, sql: str, *values: Any) -> None:
        with sqlite3.connect(self.file) as connection:
            connection.execute(sql, values)

    def add(self, number: str, changed: str | None, total: float = 10) -> None:
        self.run("INSERT INTO invoices VALUES (?, ?, ?, '1', ?, 'new')", number, "2026-11-01 10:00:00", total, changed)

    def held(self) -> dict[str, float]:
        """What a build would see: the latest row per order."""
        found: dict[str, float] = {}
        for number, amount in self.workbook.rows("orders", "order_id", "amount"):
            found[number] = float(amount)
        return found


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_rows_are_landed_typed_and_as_received(shop: Shop) -> None:
    shop.add("a", "2026-11-10 08:00:00", 12.5)
    (pulled,) = shop.workbook.pull()
    assert (pulled.rows, pulled.rejected) == (1, 0)
    (row,) = shop.workbook.rows("orders")
    assert (row["order_id"], row["ts"], float(row["amount"])) == ("a", datetime(2026, 11, 1, 10), 12.5)
    assert (row["type"], row["currency"]) == ("charge", "EUR")
    # Unmapped columns are not requested.
    assert "note" not in row["_record"]


@pytest.mark.parametrize("extra", [["note"], "all"])
def test_columns_beside_those_that_are_mapped_are_kept_if_configured(tmp_path: Path, extra: Any) -> None:
    shop = Shop(tmp_path, extra_columns=extra)
    shop.add("a", "2026-11-10 08:00:00", 12.5)
    shop.workbook.pull()
    assert '"note":"new"' in shop.workbook.rows("orders")[0]["_record"]


def test_a_second_pull_asks_for_what_is_new_and_a_little_more(shop: Shop) -> None:
    shop.add("a", "2026-11-01 08:00:00")
    shop.add("b", "2026-11-10 08:00:00")
    shop.workbook.pull()
    shop.add("c", "2026-11-12 08:00:00")
    # Written late, two days behind the newest: the lookback finds it.
    shop.add("late", "2026-11-08 09:00:00")
    # Beyond the lookback: it is not requested again.
    shop.add("lost", "2026-11-02 09:00:00")
    (pulled,) = shop.workbook.pull()
    assert pulled.rows == 3  # b again, c, late
    assert set(shop.held()) == {"a", "b", "c", "late"}
    shop.workbook.pull(again=True)
    assert set(shop.held()) == {"a", "b", "c", "late", "lost"}


def test_a_changed_row_replaces_and_a_deleted_one_is_noticed_by_a_full_pull(shop: Shop) -> None:
    shop.add("a", "2026-11-10 08:00:00", 10)
    shop.add("b", "2026-11-10 08:00:00", 10)
    shop.workbook.pull()
    shop.run("UPDATE invoices SET total = 99, changed = '2026-11-20 08:00:00' WHERE number = 'a'")
    shop.run("DELETE FROM invoices WHERE number = 'b'")
    shop.workbook.pull()
    assert shop.held() == {"a": 99, "b": 10}
    shop.workbook.pull(again=True)
    assert shop.held() == {"a": 99}


def test_rows_of_equal_cursor_are_neither_lost_nor_doubled(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "CHUNK_ROWS", 3)
    for number in range(2):
        shop.add(f"first{number}", "2026-11-01 08:00:00")
    for number in range(7):
        # More than a chunk holds.
        shop.add(f"same{number}", "2026-11-02 08:00:00")
    shop.add("last", "2026-11-03 08:00:00")
    shop.workbook.pull()
    assert sorted(row[0] for row in shop.workbook.rows("orders", "order_id")) == [
        *("first0", "first1", "last"),
        *(f"same{number}" for number in range(7)),
    ]


@settings(max_examples=examples(10, 25), deadline=None)
@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=30),
    st.integers(1, 5),
    st.integers(0, 12),
)
def test_a_pull_killed_anywhere_ends_with_the_same_rows(
    tmp_path_factory: pytest.TempPathFactory, days: list[int], chunk: int, fatal: int
) -> None:
    shop = Shop(tmp_path_factory.mktemp("shop"))
    for number, day in enumerate(days):
        shop.add(f"o{number}", f"2026-11-{day:02d} 08:00:00")
    calls = 0

    def progress(what: str, done: int, total: int) -> None:
        nonlocal calls
        calls += 1
        if calls == fatal:
            raise KeyboardInterrupt

    whole, database.CHUNK_ROWS = database.CHUNK_ROWS, chunk
    try:
        with suppress(KeyboardInterrupt):
            shop.workbook.pull(progress=progress)
        shop.workbook.pull()
    finally:
        database.CHUNK_ROWS = whole
    assert set(shop.held()) == {f"o{number}" for number in range(len(days))}


def test_rows_without_a_cursor_are_rejected(shop: Shop) -> None:
    shop.add("a", "2026-11-10 08:00:00")
    shop.add("undated", None)
    pulled = shop.workbook.pull()
    assert [partition.rejected for partition in pulled] == [0, 1]
    ((reason, record),) = shop.workbook.rejected("orders")
    assert "changed: is null" in reason and "undated" in record
    shop.run("UPDATE invoices SET changed = '2026-11-11 08:00:00' WHERE number = 'undated'")
    shop.workbook.pull()
    assert shop.workbook.rejected("orders") == []
    assert set(shop.held()) == {"a", "undated"}


def test_a_row_without_its_key_is_rejected_where_it_would_come_again(shop: Shop) -> None:
    shop.add("a", "2026-11-10 08:00:00")
    shop.add("b", "2026-11-10 08:00:00")
    shop.run("UPDATE invoices SET line = NULL WHERE number = 'a'")
    (pulled,) = shop.workbook.pull()
    assert (pulled.rows, pulled.rejected) == (1, 1)
    assert "line_id: is missing" in shop.workbook.rejected("orders")[0][0]


def test_without_a_cursor_everything_is_read(tmp_path: Path) -> None:
    shop = Shop(tmp_path, cursor=None, columns={"order_id": "number", "ts": "placed", "amount": "total"})
    shop.add("a", None)
    shop.workbook.pull()
    shop.run("DELETE FROM invoices")
    shop.add("b", None)
    shop.workbook.pull()
    assert set(shop.held()) == {"b"}


def test_a_number_as_cursor_looks_back_by_numbers(tmp_path: Path) -> None:
    shop = Shop(
        tmp_path, table=None, query="SELECT rowid AS id, * FROM invoices WHERE total > 0", cursor="id", lookback=0
    )
    shop.add("a", None)
    shop.add("free", None, 0)
    shop.workbook.pull()
    shop.add("b", None)
    (pulled,) = shop.workbook.pull()
    # From the last number on, itself included.
    assert pulled.rows == 2
    assert set(shop.held()) == {"a", "b"}


def test_another_mapping_reads_everything_again(shop: Shop) -> None:
    shop.add("a", "2026-11-01 08:00:00")
    shop.add("b", "2026-11-19 08:00:00")
    shop.workbook.pull()
    table = {**TABLE, "currency": "GBP"}
    Workbook(shop.workbook.settings.root, table, shop.workbook.settings.environment, name="shop").pull()
    assert {row[0] for row in shop.workbook.rows("orders", "currency")} == {"GBP"}
    assert set(shop.held()) == {"a", "b"}


def test_duckdb_with_times_of_its_own_type(tmp_path: Path) -> None:
    file = tmp_path / "shop.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute("CREATE SCHEMA s; CREATE TABLE s.calls (id BIGINT, started TIMESTAMPTZ, ms DOUBLE)")
        connection.execute(
            "INSERT INTO s.calls VALUES (1, '2026-11-01 10:00:00+02', 5), (2, '2026-11-19 10:00:00+00', 7)"
        )
    table = {
        "kind": "database",
        "feed": "requests",
        "table": "s.calls",
        "cursor": "started",
        "columns": {"request_id": "id", "ts": "started", "latency_ms": "ms"},
    }
    workbook = Workbook(tmp_path / "w", table, {"DB_URL": f"duckdb://{file}"}, name="db")
    assert workbook.check() == []
    workbook.pull()
    (second,) = workbook.pull()
    assert second.rows == 1  # the second call lies within the look-back, the first does not
    assert {tuple(row) for row in workbook.rows("requests", "request_id", "ts")} == {
        ("1", datetime(2026, 11, 1, 8)),
        ("2", datetime(2026, 11, 19, 10)),
    }


def test_a_figure_of_an_unknown_metric_is_rejected_with_the_nearest_name(tmp_path: Path) -> None:
    file = tmp_path / "numbers.sqlite"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE numbers (day TEXT, what TEXT, number REAL)")
        rows = [("2026-11-01", "downloads", 5), ("2026-11-01", "Downlods", 6), ("2026-11-02", "footfall", 7)]
        connection.executemany("INSERT INTO numbers VALUES (?, ?, ?)", rows)
    columns = {"ts": "day", "metric": "what", "value": "number"}
    table = {"kind": "database", "feed": "platform_metrics", "table": "numbers", "columns": columns}
    workbook = Workbook(tmp_path / "w", table, {"DB_URL": f"sqlite://{file}"}, name="db")
    workbook.pull()
    assert workbook.rows("platform_metrics", "metric", "value") == [("downloads", 5)]
    near, far = (reason for reason, _ in workbook.rejected("platform_metrics"))
    assert near == "metric: 'Downlods' is not known. Did you mean 'downloads'?"
    assert far.startswith("metric: 'footfall' is not one of downloads, redownloads")


@pytest.mark.parametrize(
    ("options", "reported"),
    [
        ({"table": "invoice"}, "no table 'invoice'. Did you mean 'invoices'?"),
        ({"cursor": "change"}, "no column 'change' to be the cursor. Did you mean 'changed'?"),
        ({"columns": {**COLUMNS, "amount": "totl"}}, "no column 'totl', which the mapping reads for amount."),
        ({"table": None, "query": "SELECT nothing FROM invoices"}, "nothing"),
    ],
)
def test_what_is_not_there_is_named(tmp_path: Path, options: Mapping[str, Any], reported: str) -> None:
    shop = Shop(tmp_path, **options)
    assert reported in shop.workbook.check()[0]
    with pytest.raises(SourceError) as refused:
        shop.workbook.pull()
    assert reported in str(refused.value)


@pytest.mark.parametrize(
    ("options", "reported"),
    [
        ({"feed": "order"}, "Did you mean 'orders'?"),
        ({"query": "SELECT 1"}, "a table or a query, one of both"),
        ({"lookback": -1}, "lookback must be a whole number from 0 on, not -1"),
        ({"columns": {"order_id": "number", "ts": "placed", "amount": "total"}}, "does not map line_id"),
    ],
)
def test_settings_that_are_not_valid_are_errors(tmp_path: Path, options: Mapping[str, Any], reported: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Shop(tmp_path, **options).workbook.pull()
    assert reported in str(refused.value)


def test_no_address_and_no_password_is_shown(tmp_path: Path) -> None:
    url = "postgres://reader:p%40ss-canary@127.0.0.1:1/shop"
    workbook = Workbook(tmp_path, TABLE, {"SHOP_URL": url}, name="shop")
    (said,) = workbook.check()
    with pytest.raises(SourceError) as refused:
        workbook.pull()
    for text in (said, str(refused.value), workbook.everything()):
        assert "canary" not in text and "p@ss" not in text
    # The driver is not installed here, or there is no server: either is reported in a sentence.
    assert "pip install" in said or "SHOP_URL" in said


def test_a_missing_address_is_named(tmp_path: Path) -> None:
    workbook = Workbook(tmp_path, TABLE, {}, name="shop")
    assert "SHOP_URL" in workbook.source.check(Pull(NOW.astimezone(UTC)))[0]


@pytest.mark.parametrize("ahead", ["2999-01-01 00:00:00", "2999-01-01"])
def test_a_time_that_is_still_to_come_blocks_nothing(shop: Shop, ahead: str) -> None:
    shop.add("wrong", ahead)
    shop.add("a", "2026-11-10 08:00:00")
    shop.workbook.pull()
    shop.add("b", "2026-11-20 08:00:00")
    shop.workbook.pull()
    assert set(shop.held()) == {"wrong", "a", "b"}


def test_rows_of_which_none_can_be_used_leave_what_was_landed(tmp_path: Path) -> None:
    shop = Shop(tmp_path, cursor=None)
    shop.add("a", None)
    shop.add("b", None)
    shop.workbook.pull()
    shop.run("UPDATE invoices SET placed = 'garbage'")
    with pytest.raises(SourceError, match="None of the 2 rows can be used; the 2 that were landed before stay"):
        shop.workbook.pull()
    assert set(shop.held()) == {"a", "b"} and len(shop.workbook.rejected("orders")) == 2
    shop.run("UPDATE invoices SET placed = '2026-11-02 10:00:00'")
    shop.workbook.pull()
    assert set(shop.held()) == {"a", "b"} and shop.workbook.rejected("orders") == []
    shop.run("DELETE FROM invoices")
    (pulled,) = shop.workbook.pull()
    assert pulled.messages == ("There are no rows any more; there were 2.",)


def test_text_that_the_database_orders_in_its_own_way_loses_no_row(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "CHUNK_ROWS", 4)
    shop.run("DROP TABLE invoices")
    shop.run(
        "CREATE TABLE invoices "
        "(number TEXT, placed TEXT, total REAL, line TEXT, changed TEXT COLLATE NOCASE, note TEXT)"
    )
    for number, changed in enumerate(["a", "B", "b", "B", "b", "b", "B", "C", "c", "d", "D"]):
        shop.add(str(number), changed)
    shop.workbook.pull()
    assert set(shop.held()) == {str(number) for number in range(11)}


@pytest.mark.parametrize("password", ["s3cr3t#x", "s3cr3t/x", "s3cr3t?x", "s3[cr3t", "s3cr3t:x]"])
def test_an_address_that_is_none_is_reported_without_its_password(tmp_path: Path, password: str) -> None:
    url = f"postgresql://user:{password}@db.example/shop"
    workbook = Workbook(tmp_path, TABLE, {"SHOP_URL": url}, name="shop")
    with pytest.raises(TidingsError) as refused:
        workbook.pull()
    for reported in (str(refused.value), *workbook.check()):
        assert "cr3t" not in reported
    if "#" in password or "[" in password:
        assert "SHOP_URL is not an address" in str(refused.value) and "%23" in str(refused.value)


def test_a_driver_that_quotes_a_piece_of_the_password_does_not_make_it_shown() -> None:
    url = "mysql://user:s3cr3t%23x/and@more@db.example/shop"
    text = f"no such port: 's3cr3t%23x' in {url}, user, and@more, s3cr3t#x/and@more"
    assert database._without(url, text) == "no such port: '***' in ***, user, ***@***, ***"


def test_unusable_rows_are_requested_again_until_they_are_usable(shop: Shop) -> None:
    shop.add("a", "2026-11-01 08:00:00")
    shop.workbook.pull()
    for day in range(2, 16):
        shop.add(f"x{day}", f"2026-11-{day:02d} 08:00:00")
    shop.run("UPDATE invoices SET placed = 'garbage'")
    with pytest.raises(SourceError, match="the 1 that were landed before stay"):
        shop.workbook.pull(again=True)
    shop.run("UPDATE invoices SET placed = '2026-11-01 10:00:00'")
    shop.workbook.pull()
    assert set(shop.held()) == {"a", *(f"x{day}" for day in range(2, 16))}
    assert shop.workbook.rejected("orders") == []


def test_a_file_that_is_not_there_is_reported_and_not_created(tmp_path: Path) -> None:
    for scheme in ("sqlite", "duckdb"):
        for path in ("/nothere.db", "//nowhere/nothere.db", "nothere.db", "/%20.db"):
            workbook = Workbook(tmp_path, TABLE, {"SHOP_URL": f"{scheme}://{path}"}, name="shop")
            (said,) = workbook.check()
            assert said.startswith("There is no file ") and "relative to the folder of pyproject.toml" in said
            with pytest.raises(SourceError, match="There is no file"):
                workbook.pull()
    assert {path.name for path in tmp_path.rglob("*")} <= {"data", "raw", "shop", "salts.json"}


def test_a_path_is_relative_to_the_workbook_or_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "workbook"
    (root / "my data").mkdir(parents=True)
    shop = Shop(tmp_path)
    shop.add("a", "2026-11-10 08:00:00")
    inside = root / "my data" / "shop 100%.db"
    inside.write_bytes(shop.file.read_bytes())
    # Wherever the command is run.
    monkeypatch.chdir(tmp_path)
    for url in (
        "sqlite:///my data/shop 100%.db",
        "sqlite:///my%20data/shop%20100%25.db",
        "sqlite:///./my data/shop 100%.db?mode=ro",
        f"sqlite:///{inside}",
        f"sqlite://{inside}",
    ):
        assert Workbook(root, TABLE, {"SHOP_URL": url}, name="shop").check() == [], url
    twin = root / str(inside).lstrip("/")
    twin.parent.mkdir(parents=True)
    twin.write_bytes(b"")
    (said,) = Workbook(root, TABLE, {"SHOP_URL": f"sqlite://{inside}"}, name="shop").check()
    assert "may mean" in said and "four slashes" in said


@pytest.mark.parametrize(
    ("content", "reported"),
    [
        (None, "is a folder"),
        (b"hello world, this is text", "is not an SQLite database"),
        (b"\x00" * 8 + b"DUCK" + b"\x00" * 40, "one of DuckDB: write duckdb:///"),
        (b"", "has no table 'invoices'"),
        (b"SQLite format 3\x00" + b"\x10\x00\x01\x01" + b"\xff" * 4000, "damaged, or not an SQLite database"),
    ],
)
def test_what_is_not_a_database_is_rejected(tmp_path: Path, content: bytes | None, reported: str) -> None:
    file = tmp_path / "x.db"
    file.mkdir() if content is None else file.write_bytes(content)
    workbook = Workbook(tmp_path, TABLE, {"SHOP_URL": "sqlite:///x.db"}, name="shop")
    (said,) = workbook.check()
    assert reported in said
    with pytest.raises(SourceError):
        workbook.pull()


def test_a_database_that_others_write_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "_LOCKED_S", 0.05)
    shop = Shop(tmp_path)
    shop.add("a", "2026-11-10 08:00:00")
    with sqlite3.connect(shop.file, isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(SourceError, match="another program is writing to its file"):
            shop.workbook.pull()
        other.execute("ROLLBACK")
        # With a write-ahead log readers are let in, and see what is in the log.
        other.execute("PRAGMA journal_mode = WAL")
        other.execute("INSERT INTO invoices SELECT 'b', placed, total, line, changed, note FROM invoices")
        other.execute("BEGIN EXCLUSIVE")
        shop.workbook.pull()
        assert set(shop.held()) == {"a", "b"}
    other.close()
    # Nobody has it open: reading it leaves nothing beside it.
    assert {path.name for path in tmp_path.glob("shop.sqlite*")} == {"shop.sqlite"}
    shop.workbook.pull(again=True)
    assert {path.name for path in tmp_path.glob("shop.sqlite*")} == {"shop.sqlite"}


def test_a_database_that_is_written_to_while_it_is_read_without_its_log_is_not_believed(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.add("a", "2026-11-10 08:00:00")
    with sqlite3.connect(shop.file) as other:
        other.execute("PRAGMA journal_mode = WAL")
    other.close()
    named = Named("shop", "SHOP_URL", "the table invoices")
    opened = sqlite.SQLite(shop.file, named, ".")
    shop.add("b", "2026-11-10 08:00:00")
    with sqlite3.connect(shop.file) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    other.close()
    with pytest.raises(SourceError, match="was written to while it was read for shop"):
        list(opened.stream("SELECT * FROM invoices"))
    opened.close()


def test_values_of_every_type_in_a_column_without_one(tmp_path: Path) -> None:
    shop = Shop(tmp_path, decimal=",", cursor=None)
    shop.run("DROP TABLE invoices")
    shop.run("CREATE TABLE invoices (number, placed, total, line, changed, note)")
    values: dict[str, Any] = {"int": 5, "real": 0.1 + 0.2, "text": "1.250,75", "blob": b"\xff", "nan": float("inf")}
    for name, total in values.items():
        shop.run("INSERT INTO invoices VALUES (?, '2026-11-01', ?, '1', 1, 'x')", name, total)
    shop.run("INSERT INTO invoices VALUES (CAST(x'636166e9' AS TEXT), 1764000000, 1, '1', 1, 'x')")
    shop.workbook.pull()
    # A text of bytes that are not UTF-8 is shown as bytes; numbers are numbers, whatever the decimal mark of texts is.
    assert shop.held() == {"int": 5.0, "real": 0.3, "text": 1250.75, "caf\\xe9": 1.0}
    assert sorted(reason[:14] for reason, _ in shop.workbook.rejected("orders")) == ["amount: '0xff'", "amount: 'inf' "]


def test_a_cursor_of_numbers_and_texts_is_none(shop: Shop) -> None:
    shop.run("DROP TABLE invoices")
    shop.run("CREATE TABLE invoices (number, placed, total, line, changed, note)")
    for changed in (5, "2026-11-10"):
        shop.run("INSERT INTO invoices VALUES ('a', '2026-11-01', 1, '1', ?, 'x')", changed)
    (said,) = shop.workbook.check()
    assert "'changed' of shop holds values of the type number and text: it can be no cursor" in said


def test_reading_all_again_that_was_stopped_continues_and_loses_nothing_meanwhile(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "CHUNK_ROWS", 3)
    for day in range(1, 10):
        shop.add(f"o{day}", f"2026-11-{day:02d} 08:00:00")
    shop.workbook.pull()
    # One is gone, one has changed without its cursor: only a full reading notices.
    shop.run("DELETE FROM invoices WHERE number = 'o9'")
    shop.run("UPDATE invoices SET total = 99 WHERE number IN ('o1', 'o8')")

    def stop(what: str, done: int, total: int) -> None:
        stops.append(what)
        if len(stops) == 2:
            raise KeyboardInterrupt

    stops: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        shop.workbook.pull(again=True, progress=stop)
    assert shop.held() == {**{f"o{day}": 10 for day in range(2, 10)}, "o1": 99}
    shop.workbook.pull()
    assert shop.held() == {**{f"o{day}": 10 for day in range(2, 8)}, "o1": 99, "o8": 99}


def test_more_rows_without_a_cursor_than_a_chunk_holds_are_all_kept(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "CHUNK_ROWS", 3)
    shop.add("a", "2026-11-10 08:00:00")
    for number in range(10):
        shop.add(f"u{number}", None)
    assert [partition.rejected for partition in shop.workbook.pull()] == [0, 10]


def test_rows_none_of_which_can_be_used_are_a_failure_with_its_reason(shop: Shop) -> None:
    shop.add("a", "2026-11-10 08:00:00")
    shop.run("UPDATE invoices SET placed = 'gestern'")
    with pytest.raises(SourceError, match=r"None of the 1 rows of shop can be used.*ts: 'gestern' is not a time"):
        shop.workbook.pull()
    assert len(shop.workbook.rejected("orders")) == 1


def test_other_databases_are_read_through_ibis(tmp_path: Path) -> None:
    file = tmp_path / "shop.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute(
            "CREATE TABLE sales AS SELECT uuid() AS no, 1 AS line, TIMESTAMPTZ '2026-11-01 10:00:00+00' AS at, "
            "12.5 AS total, [1, 2] AS list, i AS seen FROM range(10) t(i)"
        )
    columns = {"order_id": "no", "line_id": "line", "ts": "at", "amount": "total"}
    named = Named("shop", "SHOP_URL", "the table sales")
    rows = ibis_rows.open_rows(
        ibis_rows.connect(f"duckdb://{file}", "duckdb"), named, "sales", "", columns, "seen", "all"
    )
    # A value without a plain type comes as text.
    assert [field.type for field in rows.sample(1).schema][::4] == [pa.string(), pa.string()]
    assert rows.beyond("7", 100)["seen"].to_pylist() == [7, 8, 9] and rows.cursor_kind == "number"
    assert [table.num_rows for table in rows.everything()] == [10] and not sum(map(len, rows.undated()))
    rows.close()


@pytest.mark.parametrize(
    ("scheme", "module", "package"),
    [("postgres", "psycopg", "psycopg[binary]"), ("mysql+pymysql", "pymysql", "pymysql[rsa]")],
)
def test_a_driver_that_is_missing_is_named_with_what_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str, module: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    workbook = Workbook(tmp_path, TABLE, {"SHOP_URL": f"{scheme}://user:canary@127.0.0.1:1/shop"}, name="shop")
    (said,) = workbook.check()
    assert said.endswith(f"-m pip install '{package}'") and sys.executable in said
