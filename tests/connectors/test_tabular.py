"""Files of orders, events, requests and vitals: from real-world files to typed rows, none lost silently."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depth import examples
from tidings import feeds
from tidings.errors import SourceError
from tidings.landing.store import Landing, landed_files, verify
from tidings.settings import Settings
from tidings.sources.source import Pull, Pulled, open_sources
from tidings.window import Zone, naive_utc, parse_instant

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ORDERS = {"order_id": "Invoice", "ts": "Date", "amount": "Total"}


class Workbook:
    """A folder with files and one source that reads them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.settings = Settings(root=root, site="shop.example", currency="EUR")

    def write(self, name: str, content: str | bytes, encoding: str = "utf-8") -> Path:
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return file

    def pull(self, kind: str, path: str | list[str], *, again: bool = False, **options: Any) -> list[Pulled]:
        sources = {"shop": {"kind": kind, "path": path, **options}}
        (source,) = open_sources(Settings(**{**vars(self.settings), "sources": sources}))
        self.problems = lambda: source.check(Pull(NOW))
        return list(source.pull(Landing(self.settings.raw), Pull(NOW, again=again)))

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [row for landed in landed_files(self.settings.raw) for row in pq.read_table(landed.path).to_pylist()]

    @property
    def rejected(self) -> list[tuple[int, str, str]]:
        files = [landed.rejected_path for landed in landed_files(self.settings.raw) if landed.rejected_path]
        return [tuple(row.values()) for file in files for row in pq.read_table(file).to_pylist()]

    def only(self, *columns: str) -> list[tuple[Any, ...]]:
        return [tuple(row[column] for column in columns) for row in self.rows]


@pytest.fixture
def workbook(tmp_path: Path) -> Workbook:
    return Workbook(tmp_path)


def test_a_csv_file_lands_typed_with_its_lines_and_records(workbook: Workbook) -> None:
    workbook.write(
        "sales.csv",
        "Invoice,Date,Total,Note\n17850.0,2026-07-01 08:30:00,12.50,first\nA1,2026-07-02T09:00:00+02:00,3,\n",
    )
    (pulled,) = workbook.pull("orders", "sales.csv", columns=ORDERS)
    assert (pulled.rows, pulled.rejected, pulled.partition, pulled.feed) == (2, 0, "sales.csv", "orders")
    first, second = workbook.rows
    assert first["order_id"] == "17850", "an id that a spreadsheet made a number"
    assert first["ts"] == datetime(2026, 7, 1, 8, 30)
    assert second["ts"] == datetime(2026, 7, 2, 7, 0), "an offset is taken off: 09:00+02:00 is 07:00 UTC"
    assert first["amount"] == Decimal("12.5000")
    # The default for orders.
    assert (first["type"], first["status"], first["currency"], first["quantity"]) == ("charge", "succeeded", "EUR", 1)
    assert (first["tax"], first["fee"], first["customer_id"]) == (0, 0, None)
    assert (first["_line"], second["_line"]) == (2, 3), "the header is line 1"
    received = {"Invoice": "17850.0", "Date": "2026-07-01 08:30:00", "Total": "12.50", "Note": "first"}
    assert json.loads(first["_record"]) == received
    verify(workbook.settings.raw)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_delimiter_line_end_and_byte_order_mark_are_seen(
    workbook: Workbook, delimiter: str, ending: str, mark: str
) -> None:
    lines = (["Invoice", "Date", "Total"], ["1", "2026-07-01", "2.5"], ['"a;b,c\t|"', "2026-07-02", "3"])
    workbook.write("a.csv", mark + ending.join(delimiter.join(line) for line in lines))
    workbook.pull("orders", "a.csv", columns=ORDERS)
    assert workbook.only("order_id", "amount", "_line") == [("1", Decimal("2.5"), 2), ("a;b,c\t|", 3, 3)]


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet", "csv.gz", "jsonl.gz", "csv.zst", "jsonl.zst"])
def test_every_form_and_packing_gives_the_same_rows(workbook: Workbook, form: str) -> None:
    table = pa.table(
        {
            "Invoice": ["1", "2"],
            "Date": pa.array([datetime(2026, 7, 1, 8), datetime(2026, 7, 2)], pa.timestamp("ns")),
            "Total": [10.25, -2.0],
            "Customer": [17850.0, None],
        }
    )
    csv = "Invoice,Date,Total,Customer\n1,2026-07-01 08:00:00,10.25,17850.0\n2,2026-07-02,-2.0,\n"
    objects = [
        {"Invoice": 1, "Date": "2026-07-01T08:00:00Z", "Total": 10.25, "Customer": 17850.0},
        {"Invoice": "2", "Date": 1782950400, "Total": "-2", "Customer": None},
    ]
    texts = {"csv": csv, "jsonl": "\n".join(map(json.dumps, objects))}
    file = workbook.write(f"in.{form}", b"")
    if form == "parquet":
        pq.write_table(table, file)
    else:
        text = texts[form.partition(".")[0]].encode()
        with pa.output_stream(str(file), compression="detect") as out:
            out.write(text)
    workbook.pull("orders", f"in.{form}", columns={**ORDERS, "customer_id": "Customer"})
    assert workbook.only("order_id", "ts", "amount", "type", "customer_id") == [
        ("1", datetime(2026, 7, 1, 8), Decimal("10.25"), "charge", "17850"),
        ("2", datetime(2026, 7, 2), Decimal(2), "refund", None),
    ]
    assert [row["_line"] for row in workbook.rows] == ([2, 3] if form.startswith("csv") else [1, 2])


def test_amounts_follow_from_price_and_quantity_and_negative_ones_are_refunds(workbook: Workbook) -> None:
    workbook.write(
        "a.csv",
        "id,at,n,price,kind,cur\n"
        "1,2026-07-01,3,2.50,,gbp\n"  # 3 x 2.50
        "2,2026-07-01,,4,,\n"  # one piece if not given; the source's currency
        "3,2026-07-01,-2,1.25,,\n"  # goods returned: a refund of 2.50
        "4,2026-07-01,1,-5,,\n"  # a credit: a refund of 5
        "5,2026-07-01,-1,7,Chargeback,\n"  # its kind is said and stays
        "6,2026-07-01,0,7,,\n",  # nothing: a charge of 0
    )
    columns = {"order_id": "id", "ts": "at", "quantity": "n", "unit_price": "price", "type": "kind", "currency": "cur"}
    workbook.pull("orders", "a.csv", columns=columns, currency="usd")
    assert workbook.only("order_id", "type", "quantity", "unit_price", "amount", "currency") == [
        ("1", "charge", 3, Decimal("2.5"), Decimal("7.5"), "GBP"),
        ("2", "charge", 1, 4, 4, "USD"),
        ("3", "refund", 2, Decimal("1.25"), Decimal("2.5"), "USD"),
        ("4", "refund", 1, 5, 5, "USD"),
        ("5", "chargeback", 1, 7, 7, "USD"),
        ("6", "charge", 0, 7, 0, "USD"),
    ]


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("2026-07-01 08:30:00", "UTC", "2026-07-01T08:30:00"),
        ("2026-07-01T08:30:00Z", "Europe/Berlin", "2026-07-01T08:30:00"),  # its own offset wins over the zone
        ("2026-07-01 08:30:00.123456", "UTC", "2026-07-01T08:30:00.123456"),
        ("2026-07-01 08:30:00.1234567", "UTC", "2026-07-01T08:30:00.123456"),  # microseconds are kept
        ("2026-07-01T08:30:00-0500", "UTC", "2026-07-01T13:30:00"),
        ("2026-07-01 08:30:00 +0200", "UTC", "2026-07-01T06:30:00"),
        ("2026-07-01T08:30+02", "UTC", "2026-07-01T06:30:00"),
        ("2026-07-01 08:30 +02:00", "Europe/London", "2026-07-01T06:30:00"),
        ("2026-07-01T08:30Z", "Europe/London", "2026-07-01T08:30:00"),
        ("2026-07-01 08:30", "Europe/Berlin", "2026-07-01T06:30:00"),
        ("2026-07-01", "Europe/Berlin", "2026-06-30T22:00:00"),  # local midnight
        ("20260701", "Europe/Berlin", "2026-06-30T22:00:00"),
        ("2026-01-01 08:30:00", "Europe/Berlin", "2026-01-01T07:30:00"),  # winter
        ("2026-03-29 02:30:00", "Europe/Berlin", "2026-03-29T01:30:00"),  # skipped: the offset before, +01:00
        ("2026-10-25 02:30:00", "Europe/Berlin", "2026-10-25T00:30:00"),  # comes twice: the first, +02:00
        ("2026-04-05 01:45:00", "Australia/Lord_Howe", "2026-04-04T14:45:00"),  # half an hour repeated: +11:00
        ("1782894600", "Europe/Berlin", "2026-07-01T08:30:00"),  # Unix time knows no zone
        ("1782894600.25", "UTC", "2026-07-01T08:30:00.250000"),
        ("1782894600250", "UTC", "2026-07-01T08:30:00.250000"),
        ("1782894600250000", "UTC", "2026-07-01T08:30:00.250000"),
    ],
)
def test_times_as_people_write_them(workbook: Workbook, text: str, zone: str, expected: str) -> None:
    workbook.write("a.csv", f"Invoice,Date,Total\n1,{text},1\n")
    workbook.pull("orders", "a.csv", columns=ORDERS, timezone=zone)
    assert workbook.rejected == []
    assert workbook.only("ts") == [(datetime.fromisoformat(expected),)]


@settings(max_examples=examples(8, 15), deadline=None)
@given(
    walls=st.lists(
        st.datetimes(datetime(1990, 1, 1), datetime(2025, 1, 1)).map(lambda at: at.replace(microsecond=0)),
        min_size=1,
        max_size=200,
    ),
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]),
    near=st.booleans(),
)
def test_local_times_are_read_as_window_reads_them(
    walls: list[datetime], zone: str, near: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    if near:
        # The nights of a change, where it matters.
        walls = [wall.replace(month=10, day=25 + wall.day % 7, hour=wall.hour % 4) for wall in walls]
    workbook = Workbook(tmp_path_factory.mktemp("zone"))
    workbook.write("a.csv", "Invoice,Date,Total\n" + "".join(f"1,{wall},1\n" for wall in walls))
    workbook.pull("orders", "a.csv", columns=ORDERS, timezone=zone)
    assert [row["ts"] for row in workbook.rows] == [naive_utc(parse_instant(str(wall), Zone(zone))) for wall in walls]


def test_own_time_format_and_decimal_comma(workbook: Workbook) -> None:
    workbook.write("a.csv", "Invoice;Date;Total\n1;31.12.2025 23:30;1.234,50\n2;2025-12-31;1\n")
    german = {"time_format": "%d.%m.%Y %H:%M", "decimal": ",", "timezone": "Europe/Berlin"}
    workbook.pull("orders", "a.csv", columns=ORDERS, **german)
    assert workbook.only("ts", "amount") == [(datetime(2025, 12, 31, 22, 30), Decimal("1234.5"))]
    assert [line for line, _, _ in workbook.rejected] == [3]


def test_an_offset_in_the_time_format_wins_over_the_zone(workbook: Workbook) -> None:
    workbook.write("a.csv", "Invoice,Date,Total\n1,07/01/2026 08:30 +0200,1\n")
    workbook.pull("orders", "a.csv", columns=ORDERS, time_format="%m/%d/%Y %H:%M %z", timezone="America/New_York")
    assert workbook.only("ts") == [(datetime(2026, 7, 1, 6, 30),)]


def test_a_time_format_that_is_none_is_rejected(workbook: Workbook) -> None:
    workbook.write("a.csv", CSV)
    with pytest.raises(SourceError, match="The time_format '%Q' of the source shop cannot be used"):
        workbook.pull("orders", "a.csv", columns=ORDERS, time_format="%Q")


def test_every_bad_value_is_reported_with_its_line_and_the_load_continues(workbook: Workbook) -> None:
    workbook.write(
        "a.csv",
        "Invoice,Date,Total,Kind\n"
        "1,2026-07-01,abc,\n"
        "2,yesterday,1e,\n"
        ",2026-07-01,5,\n"
        "4,2026-07-01,5,gift\n"
        "5,2026-07-01,,\n"
        "6,2026-07-01,5,REFUND\n",
    )
    (pulled,) = workbook.pull("orders", "a.csv", columns={**ORDERS, "type": "Kind"})
    assert (pulled.rows, pulled.rejected) == (1, 5)
    assert workbook.only("order_id", "type") == [("6", "refund")]
    reasons = {line: reason for line, reason, _ in workbook.rejected}
    assert reasons[2] == "amount: 'abc' is not a number"
    assert reasons[3].startswith("ts: 'yesterday' is not a time as 2026-07-01T08:30:00+02:00")
    assert reasons[3].endswith("amount: '1e' is not a number")
    assert reasons[4] == "order_id: is missing"
    assert reasons[5] == "type: 'gift' is not one of charge, refund, chargeback, payout, transfer"
    assert reasons[6] == "amount: is missing"
    assert json.loads(workbook.rejected[0][2])["Total"] == "abc"
    message, *_ = pulled.messages
    assert message.startswith("5 rows of a.csv were rejected")
    assert (workbook.root / message.rpartition(": ")[2]).is_file(), "it says where they are"


def test_broken_csv_lines_are_rejected_one_by_one_and_no_other_row_is_lost(workbook: Workbook) -> None:
    workbook.write(
        "a.csv",
        "Invoice,Date,Total,Note\n"
        "1,2026-07-01,1,fine\n"
        '2,2026-07-01,2,"two\nlines"\n'  # a value with a line break: lines 3 and 4
        "3,2026-07-01\n"  # line 5
        "4,2026-07-01,4,a,b\n"  # line 6
        "\n"  # line 7: empty, no row
        '5,2026-07-01,5,"never closed\n'  # line 8
        '6,2026-07-01,6,"fine, too"\n'  # line 9
        '7,2026-07-01,7,"closed" early\n'  # line 10
        '8,2026-07-01,8,5" disc\n',  # line 11: a quote inside is a quote
    )
    (pulled,) = workbook.pull("orders", "a.csv", columns=ORDERS)
    assert workbook.only("order_id", "_line") == [("1", 2), ("2", 3), ("6", 9), ("8", 11)]
    assert [(line, reason) for line, reason, _ in sorted(workbook.rejected)] == [
        (5, "2 values where the header has 4 columns"),
        (6, "5 values where the header has 4 columns"),
        (8, "a quoted value does not end, or text follows its closing quote"),
        (10, "a quoted value does not end, or text follows its closing quote"),
    ]
    assert json.loads(workbook.rows[1]["_record"])["Note"] == "two\nlines"
    assert pulled.rejected == 4


def test_a_line_that_breaks_late_in_a_long_file_costs_that_line_only(workbook: Workbook) -> None:
    lines = [f"{number},2026-07-01,1" for number in range(2, 300_002)]
    lines[299_000] = '299002,2026-07-01,"1'
    workbook.write("a.csv", "Invoice,Date,Total\n" + "\n".join(lines))
    (pulled,) = workbook.pull("orders", "a.csv", columns=ORDERS)
    assert (pulled.rows, pulled.rejected) == (299_999, 1)
    (landed,) = landed_files(workbook.settings.raw)
    table = pq.read_table(landed.path, columns=["order_id", "_line"])
    assert table["order_id"].cast(pa.int64()).equals(table["_line"]), "no row is doubled by the second reading"
    assert [line for line, _, _ in workbook.rejected] == [299_002]


def test_line_breaks_in_values_and_empty_lines_keep_the_numbers_right(workbook: Workbook) -> None:
    workbook.write("a.csv", 'Invoice,Date,Total\n\n"1\n1",2026-07-01,1\n2,2026-07-01,2\n\n\n3,2026-07-01,3\n\n')
    workbook.pull("orders", "a.csv", columns=ORDERS)
    assert workbook.only("order_id", "_line") == [("1\n1", 3), ("2", 5), ("3", 8)]


def test_broken_json_lines_are_rejected_one_by_one(workbook: Workbook) -> None:
    good = '{"Invoice": 1, "Date": "2026-07-01", "Total": 1.5}'
    workbook.write("a.jsonl", f'{good}\r\n{{"Invoice": \n\n[1, 2]\n{good.replace("1.5", "[]")}\n{good}')
    workbook.pull("orders", "a.jsonl", columns=ORDERS)
    assert workbook.only("amount", "_line", "_record") == [(Decimal("1.5"), 1, good), (Decimal("1.5"), 6, good)]
    assert workbook.rejected == [
        (2, "the line is not a JSON object", '{"Invoice": '),
        (4, "the line is not a JSON object", "[1, 2]"),
        (5, "amount: '[]' is not a number", good.replace("1.5", "[]")),
    ]


def test_single_lines_with_damaged_bytes_are_rejected(workbook: Workbook) -> None:
    content = "Invoice,Date,Total\né1,2026-07-01,1\nü2,2026-07-01,2\nö3,2026-07-01,3\n".encode()
    workbook.write("a.csv", content.replace("ü".encode(), b"\xfc"))
    workbook.pull("orders", "a.csv", columns=ORDERS)
    assert workbook.only("order_id", "_line") == [("é1", 2), ("ö3", 4)]
    assert workbook.rejected == [(3, "the line is not utf-8", "\ufffd2,2026-07-01,2")]


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
def test_another_encoding_is_named_and_then_read(workbook: Workbook, encoding: str) -> None:
    workbook.write("a.csv", "Invoice,Date,Total\nMüller,2026-07-01,1\n", encoding)
    with pytest.raises(SourceError, match=r"a\.csv is not UTF-8") as caught:
        workbook.pull("orders", "a.csv", columns=ORDERS)
    assert 'Set encoding = "cp1252"' in str(caught.value)
    workbook.pull("orders", "a.csv", columns=ORDERS, encoding=encoding)
    assert workbook.only("order_id") == [("Müller",)]


def _gzipped(text: str) -> bytes:
    return gzip.compress(text.encode(), mtime=0)


CSV = "Invoice,Date,Total\n1,2026-07-01,1\n"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"", "a.csv is empty. Export it again"),
        ("a.csv", b"\n \n", "a.csv is empty"),
        ("a.csv.gz", _gzipped(""), "a.csv.gz is empty"),
        ("a.parquet", CSV.encode(), "a.parquet does not match its name: it holds text, not parquet"),
        ("a.csv", b"PAR1....PAR1", "a.csv does not match its name: it holds parquet, not text. Name it ….parquet"),
        ("a.csv.gz", CSV.encode(), "a.csv.gz does not match its name: it holds text, not gzip"),
        ("a.csv", _gzipped(CSV), "a.csv does not match its name: it holds gzip, not text. Name it ….gz"),
        ("a.csv.zst", _gzipped(CSV), "it holds gzip, not zstd"),
        ("a.csv.gz", _gzipped(CSV * 9999)[:200], "a.csv.gz cannot be unpacked"),
        ("a.parquet", b"PAR1" + b"x" * 99, "a.parquet cannot be read as Parquet"),
        ("a.jsonl", b'[\n{"Invoice": 1}\n]', "a.jsonl has no column 'Date', which the mapping reads for ts"),
        ("a.jsonl", CSV.encode(), "a.jsonl is not JSON lines. Each line must be one object"),
        ("a.xlsx", b"PK\x03\x04", "a.xlsx is an Excel workbook. Save it as CSV"),
        ("a.csv", b"Invoice,Date,Invoice,Total\n", "a.csv has the column 'Invoice' more than once"),
        ("a.csv", CSV.replace("Total", "Totals").encode(), "a.csv has no column 'Total', which the mapping reads for "),
        ("a.csv", CSV.replace("Total", "Totals").encode(), "amount. Did you mean 'Totals'?"),
        ("a.jsonl", b'{"Invoice": 1, "Date": 2}', "a.jsonl has no column 'Total'"),
    ],
)
def test_an_unusable_file_gets_one_sentence_with_name_and_remedy(
    workbook: Workbook, name: str, content: bytes, said: str
) -> None:
    workbook.write(name, content)
    with pytest.raises(SourceError) as caught:
        workbook.pull("orders", name, columns=ORDERS)
    assert said in str(caught.value)
    assert caught.value.remedy
    (problem,) = workbook.problems()
    # `check` reads beginnings only: the pull finds a file that is truncated further on.
    assert said in problem or "unpacked" in said
    assert not landed_files(workbook.settings.raw)


def test_a_pattern_that_matches_nothing_is_named(workbook: Workbook) -> None:
    with pytest.raises(SourceError, match=r"No file matches path = 'exports/\*\.csv'"):
        workbook.pull("orders", "exports/*.csv", columns=ORDERS)
    assert "No file matches" in workbook.problems()[0]


def test_one_bad_file_does_not_stop_the_others(workbook: Workbook) -> None:
    workbook.write("a.csv", CSV)
    workbook.write("b.csv", "")
    workbook.write("c.csv", CSV)
    with pytest.raises(SourceError, match=r"b\.csv is empty"):
        workbook.pull("orders", "*.csv", columns=ORDERS)
    assert [landed.partition for landed in landed_files(workbook.settings.raw)] == ["a.csv", "c.csv"]


def test_only_files_that_changed_are_read_again(workbook: Workbook) -> None:
    workbook.write("in/a.csv", CSV)
    workbook.write("in/b [1].csv", CSV)
    assert [pulled.skipped for pulled in workbook.pull("orders", "in/*.csv", columns=ORDERS)] == [False, False]
    assert [pulled.skipped for pulled in workbook.pull("orders", "in/*.csv", columns=ORDERS)] == [True, True]
    workbook.write("in/b [1].csv", CSV + "2,2026-07-02,2\n")
    again = workbook.pull("orders", ["in/a.csv", "in/*.csv"], columns=ORDERS)
    assert [(pulled.partition, pulled.skipped, pulled.rows) for pulled in again] == [
        ("in/a.csv", True, 1),
        ("in/b [1].csv", False, 2),
    ]
    assert len(workbook.rows) == 3, "the grown file replaced its own rows"
    changed = workbook.pull("orders", "in/*.csv", columns=ORDERS, defaults={"origin": "store"})
    assert [pulled.skipped for pulled in changed] == [False, False], "another mapping reads them again"
    assert [pulled.skipped for pulled in workbook.pull("orders", "in/*.csv", columns=ORDERS, again=True)] == [False] * 2


@pytest.mark.parametrize(("word", "meant"), feeds.ORDERS.columns["status"].synonyms)
def test_a_status_in_the_words_of_a_shop_is_the_status_it_means(workbook: Workbook, word: str, meant: str) -> None:
    rows = "".join(f"{number},2026-07-01,1,{each}\n" for number, each in enumerate([word, word.upper(), meant]))
    workbook.write("a.csv", f"Invoice,Date,Total,State\n{rows}")
    workbook.pull("orders", "a.csv", columns=ORDERS | {"status": "State"})
    assert workbook.only("status") == [(meant,)] * 3
    assert workbook.rejected == []


@pytest.mark.parametrize(
    "learned",
    [
        pytest.param(
            {"synonyms": (("paid", "succeeded"), ("bezahlt", "succeeded"))}, id="another word for a known value"
        ),
        pytest.param({"values": ("succeeded", "bezahlt")}, id="another known value"),
    ],
)
def test_a_word_that_a_feed_learns_is_understood_in_files_that_are_landed(
    workbook: Workbook, monkeypatch: pytest.MonkeyPatch, learned: dict[str, Any]
) -> None:
    workbook.write("a.csv", "Invoice,Date,Total,State\n1,2026-07-01,1,paid\n2,2026-07-01,1,Bezahlt\n")
    columns = ORDERS | {"status": "State"}
    (pulled,) = workbook.pull("orders", "a.csv", columns=columns)
    assert (pulled.rows, pulled.rejected) == (1, 1), "nobody knows the second word yet"
    status = feeds.ORDERS.columns["status"]
    monkeypatch.setitem(feeds.ORDERS.columns, "status", replace(status, **learned))  # type: ignore[arg-type]
    (pulled,) = workbook.pull("orders", "a.csv", columns=columns)
    assert (pulled.skipped, pulled.rows, pulled.rejected) == (False, 2, 0)
    (pulled,) = workbook.pull("orders", "a.csv", columns=columns)
    assert pulled.skipped, "nothing was learned since"


def test_a_renamed_file_is_not_counted_twice_and_a_lost_one_keeps_its_rows(workbook: Workbook) -> None:
    workbook.write("a.csv", CSV)
    workbook.write("b.csv", CSV + "2,2026-07-02,2\n")
    workbook.pull("orders", "*.csv", columns=ORDERS)
    (workbook.root / "a.csv").rename(workbook.root / "c.csv")
    pulled = workbook.pull("orders", "*.csv", columns=ORDERS)
    assert [partition.messages for partition in pulled if partition.messages] == [("a.csv is now c.csv.",)]
    assert [landed.partition for landed in landed_files(workbook.settings.raw)] == [
        "c.csv",
        "b.csv",
    ]  # its bytes came first
    (workbook.root / "b.csv").unlink()
    pulled = workbook.pull("orders", "*.csv", columns=ORDERS)
    assert [
        partition.messages[0].startswith("b.csv is no longer there. Its 2 rows stay") for partition in pulled[1:]
    ] == [True]
    assert len(workbook.rows) == 3
    verify(workbook.settings.raw)


def test_data_are_complete_to_the_end_of_the_local_day_of_the_last_row(workbook: Workbook) -> None:
    workbook.write("a.csv", CSV + "2,2026-07-02 23:00,1\n")
    workbook.pull("orders", "a.csv", columns=ORDERS, timezone="Europe/Berlin")
    (landed,) = landed_files(workbook.settings.raw)
    assert landed.load.complete_until == datetime(2026, 7, 2, 22, tzinfo=UTC)
    workbook.write("a.csv", CSV + f"2,{NOW:%Y-%m-%d %H:%M},1\n")
    workbook.pull("orders", "a.csv", columns=ORDERS)
    assert landed_files(workbook.settings.raw)[0].load.complete_until == NOW, "no further than the pull itself"


def test_a_file_with_a_header_only_lands_as_empty(workbook: Workbook) -> None:
    workbook.write("a.csv", "Invoice,Date,Total\n")
    (pulled,) = workbook.pull("orders", "a.csv", columns=ORDERS)
    assert (pulled.rows, pulled.messages) == (0, ("a.csv has no rows.",))


def test_names_from_outside_cannot_reach_the_sql(workbook: Workbook) -> None:
    name = "a'); DROP \"x"
    workbook.write("it's.csv", f'"{name.replace(chr(34), chr(34) * 2)}",Date,Total,"{{rows}}"\n1,2026-07-01,1,x\n')
    workbook.pull("orders", "it's.csv", columns={**ORDERS, "order_id": name}, defaults={"product": "it's"})
    assert workbook.only("order_id", "product") == [("1", "it's")]
    assert json.loads(workbook.rows[0]["_record"])[name] == "1"


def test_requests_and_vitals(workbook: Workbook) -> None:
    workbook.write("r.csv", "at,ms,code,in,cost\n2026-07-01,12.5,200,100,0.00012345\n2026-07-01,-1,200.5,x,\n")
    columns = {"ts": "at", "latency_ms": "ms", "status": "code", "tokens_in": "in", "cost": "cost"}
    workbook.pull("requests", "r.csv", columns=columns)
    fields = ("service", "latency_ms", "status", "tokens_in", "cost", "currency")
    assert workbook.only(*fields) == [("shop", 12.5, 200, 100, Decimal("0.00012345"), "EUR")]
    ((line, reason, _),) = workbook.rejected
    assert line == 3
    assert reason.split("; ") == [
        "status: '200.5' is not a whole number",
        "latency_ms: '-1' is below 0",
        "tokens_in: 'x' is not a whole number",
    ]


def test_vitals_know_their_metrics_in_any_case(workbook: Workbook) -> None:
    workbook.write("v.jsonl", '{"t": 1782894600, "m": "lcp", "v": 1200}\n{"t": 1782894600, "m": "FID", "v": "nan"}')
    workbook.pull("vitals", "v.jsonl", columns={"ts": "t", "metric": "m", "value": "v"})
    assert workbook.only("metric", "value") == [("LCP", 1200.0)]
    ((_, reason, _),) = workbook.rejected
    assert "metric: 'FID' is not one of LCP" in reason
    assert "value: 'nan' is not a number" in reason


def test_a_field_that_only_late_lines_have_is_found(workbook: Workbook) -> None:
    line = '{"Invoice": 1, "Date": "2026-07-01", "Total": 1}\n'
    workbook.write("a.jsonl", line * 2000 + line.replace("}", ', "buyer": {"id": 7}}'))
    workbook.pull("orders", "a.jsonl", columns={**ORDERS, "customer_id": "buyer.id"})
    assert [row["customer_id"] for row in workbook.rows if row["customer_id"]] == ["7"]


def test_addresses_are_left_out_of_what_is_kept_and_never_a_column(workbook: Workbook) -> None:
    workbook.write("a.csv", "Invoice,Date,Total,seen_from,note\n1,2026-07-01,1,192.0.2.7,a\n2,x,1,2001:db8::7,b\n")
    workbook.pull("orders", "a.csv", columns=ORDERS)
    assert json.loads(workbook.rows[0]["_record"])["seen_from"] == "[ip]"
    assert json.loads(workbook.rejected[0][2])["seen_from"] == "[ip]"
    with pytest.raises(SourceError, match=r"'seen_from' of a\.csv holds addresses.*cannot be customer_id"):
        workbook.pull("orders", "a.csv", columns={**ORDERS, "customer_id": "seen_from"})


def _retail(shared_data: Path) -> Path:
    return next((shared_data / "online_retail").glob("*.parquet"))


RETAIL = {
    "order_id": "InvoiceNo",
    "ts": "InvoiceDate",
    "customer_id": "CustomerID",
    "product_id": "StockCode",
    "product": "Description",
    "quantity": "Quantity",
    "unit_price": "UnitPrice",
    "country": "Country",
}


@pytest.mark.data
def test_online_retail_gives_its_published_figures(workbook: Workbook, shared_data: Path) -> None:
    london = {"currency": "GBP", "timezone": "Europe/London"}
    (pulled,) = workbook.pull("orders", str(_retail(shared_data)), columns=RETAIL, **london)
    assert (pulled.rows, pulled.rejected) == (541_909, 0)
    (landed,) = landed_files(workbook.settings.raw)
    table = pq.read_table(landed.path)
    assert pc.count_distinct(table["order_id"]).as_py() == 25_900
    assert pc.count(table["customer_id"]).as_py() == 406_829
    assert pc.count_distinct(table["customer_id"], mode="only_valid").as_py() == 4_372
    assert "17850" in table["customer_id"].unique().to_pylist(), "not 17850.0, as the file has it"
    assert pc.sum(pc.starts_with(table["order_id"], "C")).as_py() == 9_288
    total = {
        kind: pc.sum(table.filter(pc.equal(table["type"], kind))["amount"]).as_py() for kind in ("charge", "refund")
    }
    assert round(total["charge"] - total["refund"], 2) == Decimal("9747747.93")
    assert table["_line"].to_pylist() == list(range(1, 541_910))


@pytest.mark.data
def test_online_retail_as_csv_gives_the_same_rows(workbook: Workbook, shared_data: Path) -> None:
    received = pq.read_table(_retail(shared_data)).slice(0, 60_000)
    received.to_pandas().to_csv(workbook.root / "retail.csv", index=False)
    received.to_pandas().to_json(workbook.root / "retail.jsonl", orient="records", lines=True, date_format="iso")
    pq.write_table(received, workbook.root / "retail.parquet")
    workbook.pull("orders", ["retail.csv", "retail.jsonl", "retail.parquet"], columns=RETAIL)
    csv, lines, parquet = (
        pq.read_table(landed.path).drop_columns(["_line", "_record"]) for landed in landed_files(workbook.settings.raw)
    )
    assert csv.equals(parquet)
    assert lines.equals(parquet)


@pytest.mark.data
def test_the_language_model_requests_give_their_published_percentiles(workbook: Workbook, shared_data: Path) -> None:
    path = str(shared_data / "llm_requests" / "*.csv.gz")
    columns = {"ts": "TIMESTAMP", "tokens_in": "ContextTokens", "tokens_out": "GeneratedTokens"}
    pulled = workbook.pull("requests", path, columns=columns)
    assert sum(partition.rows for partition in pulled) == 28_185
    found = {}
    for landed in landed_files(workbook.settings.raw):
        tokens = pq.read_table(landed.path)["tokens_in"].to_pandas()
        found[landed.partition.rpartition("_")[2]] = [round(tokens.quantile(p)) for p in (0.5, 0.95, 0.99)]
    assert found == {"code.csv.gz": [1_469, 7_303, 7_436], "conv.csv.gz": [1_020, 4_083, 4_142]}
