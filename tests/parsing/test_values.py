# ruff: noqa: E501 - a table of all pairs
"""The grammar of values, and all pairs of file types and feed types: read correctly or rejected."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidings.feeds import Feed
from tidings.mapping.filling import converted, parser
from tidings.mapping.options import FileTable, mapped_options
from tidings.mapping.shapes import Shape
from tidings.mapping.statement import plan, statement
from tidings.options import read_options
from tidings.parsing import files, reading, values
from tidings.parsing.values import UnreadableError
from tidings.schema import Column
from tidings.settings import Settings
from tidings.window import Zone

WANTED = {
    "text": "string",
    "whole": "int64",
    "real": "float64",
    "exact": "decimal(18, 4)",
    "at": "timestamp(6)",
    "day": "date",
    "yes": "boolean",
}
FEED = Feed("pairs", "One column of each type.", ("text",), {n: Column(t, "A value.") for n, t in WANTED.items()})
SHAPE = Shape(FEED, "pairs", lambda value, options, source: {}, {})


def read(path: Path, **options: Any) -> dict[str, list[Any]]:
    """The column `x` of a file as each type: values, or for a rejected row "! " and the reason's end."""
    connection, found = parser(), {}
    (file,) = files.matching(path.parent, (path.name,))
    for name in WANTED:
        table = {"path": path.name, "columns": {name: "x"}, **options}
        given = read_options("s", table, FileTable)
        read_as = mapped_options("s", given, Settings(root=path.parent), FEED, helpers=(), derived={})
        head = reading.head(connection, file, "utf-8", ["x"])
        query = statement(plan(SHAPE, read_as, head, "s", file.name), "chunk", numbered=True)
        if file.form == "parquet":
            (chunk,) = reading.parquet_chunks(file, head)
            if not head.is_odd:
                with contextlib.suppress(duckdb.ConversionException):  # then it is read with care
                    chunk = connection.sql(f"SELECT * FROM {reading.relation(file, head)}").to_arrow_table()
        elif file.form == "json":
            (chunk,) = reading.json_chunks(file, "utf-8", [])
        else:
            (chunk,) = reading.csv_chunks(file, head, "utf-8", [])
        rejects: list[Any] = []
        rows = pa.concat_tables(converted(connection, query, chunk, rejects))
        broken = [f"! {reason}" for _, reason, _ in rejects]
        pairs = zip(rows[name].to_pylist(), rows["_reason"].to_pylist(), strict=True)
        found[name] = [value if reason is None else "! " + reason.rpartition("' ")[2] for value, reason in pairs]
        found[name] = broken + found[name]
    return found


NO = "! is not true or false"
NO_TIME = "! is not a time as 2026-07-01T08:30:00+02:00 or Unix time (for others see `time_format`)"
NO_UNIX = "! is not a Unix time of the years 1973 to 2199 (for earlier ones see `time_format`)"
FAR = "! lies outside of the years 1900 to 2199"
MORNING = datetime(2026, 7, 1, 8, 30)
MORNINGS = {"at": MORNING, "day": MORNING.date(), "yes": NO}


def no_numbers(tail: str) -> dict[str, str]:
    return {
        "whole": f"! is {tail}not a whole number",
        "real": f"! is {tail}not a number",
        "exact": f"! is {tail}not a number",
    }


def nothing(what: str) -> dict[str, str]:
    tail = f"{what}, "
    others = {"at": f"! is {tail}not a time", "day": f"! is {tail}not a day", "yes": NO}
    return {"text": f"! is {tail}not text", **no_numbers(tail), **others}


BROKEN = "! the row cannot be read: Conversion Error: Could not convert Timestamp(MS) to Timestamp(US)"
NO_TIMES = {"at": NO_UNIX, "day": NO_UNIX}
FIVE = {"text": "5", "whole": 5, "real": 5.0, "exact": Decimal(5), **NO_TIMES, "yes": NO}
HALF = {
    "text": "12.5",
    "whole": "! is not a whole number",
    "real": 12.5,
    "exact": Decimal("12.5"),
    **NO_TIMES,
    "yes": NO,
}
SINGLE = {"at": "! is a number of seven digits, not a time", "day": "! is a number of seven digits, not a day"}
HALF_TEXT = {**HALF, "at": NO_TIME, "day": NO_TIME}
NULLS = dict.fromkeys(WANTED)
TIME_NO_NUMBER = no_numbers("a time, ")
CLOCK = {**nothing("a time of day"), "text": "08:30:00"}
TWO = timezone(timedelta(hours=2))

PARQUET: list[tuple[str, pa.DataType, Any, dict[str, Any]]] = [
    *((f"int{n}", getattr(pa, f"int{n}")(), 5, FIVE) for n in (8, 16, 32, 64)),
    *((f"uint{n}", getattr(pa, f"uint{n}")(), 5, FIVE) for n in (8, 16, 32, 64)),
    ("1", pa.int8(), 1, {**FIVE, "text": "1", "whole": 1, "real": 1.0, "exact": Decimal(1), "yes": True}),
    ("a day as a number", pa.int32(), 20260701, {"at": datetime(2026, 7, 1), "day": date(2026, 7, 1), "yes": NO}),
    ("seconds", pa.int64(), 1782894600, MORNINGS),
    ("milliseconds", pa.int64(), 1782894600000, MORNINGS),
    ("microseconds", pa.int64(), 1782894600000000, MORNINGS),
    ("nanoseconds", pa.int64(), 1782894600000000000, MORNINGS),
    ("above 2**53", pa.int64(), 2**53 + 1, {"text": "9007199254740993", "whole": 2**53 + 1, "exact": "! is too large"}),
    ("above int64", pa.uint64(), 2**63 + 1, {"text": str(2**63 + 1), "whole": "! is too large"}),
    ("halffloat", pa.float16(), 12.5, {**HALF, **SINGLE}),
    ("float", pa.float32(), 1234.56, {"text": "1234.56", "exact": Decimal("1234.56"), "yes": NO, **SINGLE}),
    ("double", pa.float64(), 0.1, {"text": "0.1", "whole": "! is not a whole number", "real": 0.1, "exact": Decimal("0.1")}),
    ("a whole double", pa.float64(), 17850.0, {**FIVE, "text": "17850", "whole": 17850, "real": 17850.0, "exact": Decimal(17850)}),
    ("a double of seconds", pa.float64(), 1782894600.25, {"at": MORNING.replace(microsecond=250_000)}),
    ("too large", pa.float64(), 1e300, {"real": 1e300, "exact": "! is too large", "at": NO_UNIX, "whole": "! is not a whole number"}),
    ("infinite", pa.float64(), float("inf"), {"text": "! is not text", "whole": "! is not finite", "real": "! is not finite", "exact": "! is not finite", "at": NO_UNIX, "yes": NO}),
    ("not a number", pa.float64(), float("nan"), NULLS),
    ("decimal32", pa.decimal32(5, 2), Decimal("12.50"), {**HALF, "text": "12.50"}),
    ("decimal64", pa.decimal64(15, 2), Decimal("12.50"), {**HALF, "text": "12.50"}),
    ("decimal128", pa.decimal128(30, 2), Decimal("12.50"), {**HALF, "text": "12.50"}),
    ("a large decimal", pa.decimal128(30, 2), Decimal(10**20), {"exact": "! is too large", "real": 1e20}),
    ("decimal256", pa.decimal256(50, 2), Decimal("12.50"), nothing("a decimal of more than 38 digits")),
    *((str(t), t, "12.5", HALF_TEXT) for t in (pa.string(), pa.large_string(), pa.string_view())),
    ("empty", pa.string(), "", NULLS),
    *((str(t), t, b"12.5", {**HALF_TEXT, "whole": "! is bytes, not a whole number", "at": "! is bytes, not a time", "day": "! is bytes, not a day"})
      for t in (pa.binary(), pa.large_binary(), pa.binary_view(), pa.binary(4))),
    ("bytes", pa.binary(), b"\xff\x00", nothing("bytes")),
    ("bool", pa.bool_(), True, {**nothing("true or false"), "text": "true", "yes": True}),
    *((str(t), t, date(2026, 7, 1), {"text": "2026-07-01", "at": datetime(2026, 7, 1), "day": date(2026, 7, 1), **no_numbers(""), "yes": NO})
      for t in (pa.date32(), pa.date64())),
    *((str(t), t, time(8, 30), CLOCK) for t in (pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns"))),
    *((f"timestamp {u}", pa.timestamp(u), MORNING, {"text": "2026-07-01 08:30:00", **TIME_NO_NUMBER, **MORNINGS})
      for u in ("s", "ms", "us", "ns")),
    *((f"instant {u}", pa.timestamp(u, "Europe/Berlin"), MORNING.replace(tzinfo=TWO), {"at": datetime(2026, 7, 1, 6, 30), "day": date(2026, 7, 1), **no_numbers(""), "yes": NO})
      for u in ("s", "ms", "us", "ns")),
    ("cut to microseconds", pa.timestamp("ns"), -1, {"at": datetime(1969, 12, 31, 23, 59, 59, 999_999)}),
    ("year 9999", pa.timestamp("us"), datetime(9999, 12, 31), {"at": FAR, "day": FAR}),
    ("infinity", pa.timestamp("us"), 2**63 - 1, {"at": FAR, "day": FAR}),
    ("-infinity", pa.timestamp("us"), -(2**63) + 1, {"at": FAR, "day": FAR}),
    ("year 300000", pa.timestamp("s"), 9_400_000_000_000, {"at": BROKEN}),
    *((f"duration {u}", pa.duration(u), timedelta(hours=1), nothing("a duration")) for u in ("s", "ms", "us", "ns")),
    *((str(t), t, [1, 2], nothing("a list or an object")) for t in (pa.list_(pa.int64()), pa.large_list(pa.int8()), pa.list_(pa.int64(), 2))),
    ("struct", pa.struct({"a": pa.int64()}), {"a": 1}, nothing("a list or an object")),
    ("map", pa.map_(pa.string(), pa.int64()), [("a", 1)], nothing("a list or an object")),
    ("dictionary", pa.dictionary(pa.int8(), pa.string()), "12.5", HALF_TEXT),
    ("null", pa.null(), None, NULLS),
    ("uuid", pa.uuid(), b"1" * 16, {"text": "31313131-3131-3131-3131-313131313131", **no_numbers(""), "at": NO_TIME, "yes": NO}),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "value", "expected"), [pytest.param(*row[1:], id=row[0]) for row in PARQUET])
def test_parquet_types_against_feed_types(
    type_: pa.DataType, value: Any, expected: dict[str, Any], tmp_path: Path
) -> None:
    pq.write_table(
        pa.table({"x": pa.array([value, None], type_)}), tmp_path / "x.parquet", store_decimal_as_integer=False
    )
    found = read(tmp_path / "x.parquet")
    assert {name: found[name][0] for name in expected} == expected
    assert {name: column[1] for name, column in found.items()} == NULLS, "null is missing, not wrong"


JSON: list[tuple[str, str, dict[str, Any]]] = [
    ("5", "5", {**FIVE, "at": NO_TIME, "day": NO_TIME}),
    ("12.5", "12.5", HALF_TEXT),
    ('"12.5"', '"12.5"', HALF_TEXT),
    ("0.1", "0.1", {"real": 0.1, "exact": Decimal("0.1")}),
    ("seconds", "1782894600", MORNINGS),
    ("true", "true", {**{k: v.replace("true or false, ", "") for k, v in nothing("true or false").items()}, "text": "true", "at": NO_TIME, "day": NO_TIME, "yes": True}),
    ("null", "null", NULLS),
    ("an object", '{"a": 1}', {"text": "! x is a list or an object, not text", **no_numbers(""), "at": NO_TIME, "yes": NO}),
    ("a list", "[1]", {"text": "! x is a list or an object, not text", **no_numbers(""), "at": NO_TIME, "yes": NO}),
    ("a list in a text", '"[1]"', {"text": "[1]"}),
    ("above 2**53", str(2**53 + 1), {"text": str(2**53 + 1), "whole": 2**53 + 1}),
    ("huge", "9" * 4000, {"text": "9" * 4000, "whole": "! has too many digits", "exact": "! has too many digits", "at": NO_TIME}),
    ("an exponent", "1e400", {"real": "! has too many digits", "exact": "! has too many digits"}),
    ("deep", "[" * 400 + "]" * 400, no_numbers("")),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), [pytest.param(*row[1:], id=row[0]) for row in JSON])
def test_json_types_against_feed_types(text: str, expected: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text(f'{{"x": {text}}}\n{{"x": null}}\n')
    found = read(tmp_path / "x.jsonl")
    seen = {name: found[name][0] for name in expected}
    if isinstance(seen.get("text"), str) and seen["text"].startswith("! text:"):
        seen["text"] = seen["text"].replace("text: ", "x ", 1)
    assert seen == expected


NUMBERS: list[tuple[str, Any, Any]] = [
    # text, with a decimal point, with a decimal comma
    ("12", "12", "12"),
    ("12.50", "12.50", None),
    ("12,50", None, "12.50"),
    ("1.250", "1.250", "1250"),
    ("1,250", "1250", "1.250"),
    ("1.250,00", None, "1250.00"),
    ("1,250.00", "1250.00", None),
    ("0,250", None, "0.250"),  # no thousands begin with 0
    ("1.25,0", None, None),
    ("12.50.00", None, None),
    ("1,00,000.5", "100000.5", None),  # lakh
    ("1 250", "1250", "1250"),
    ("1\u202f250\u202f000", "1250000", "1250000"),
    ("1\u00a0250", "1250", "1250"),
    ("1'250", "1250", "1250"),
    ("1 250'000", None, None),  # one separator in one number
    ("1 25", None, None),
    ("-5", "-5", "-5"),
    ("\u22125", "-5", "-5"),
    ("5-", "-5", "-5"),
    ("(5)", "-5", "-5"),
    ("(-5)", None, None),
    ("--5", None, None),
    ("+5", "5", "5"),
    ("€ 5", "5", "5"),
    ("5 EUR", "5", "5"),
    ("-$5", "-5", "-5"),
    ("5 zł", "5", "5"),
    ("5 €€", None, None),
    ("5 furlongs", None, None),
    ("1e3", "1000", "1000"),
    ("1,5E+03", None, "1500"),
    ("1e", None, None),
    ("1e999999999", None, None),
    ("9" * 4000, None, None),
    ("9" * 100_000, None, None),
    ("1e-999999999", "0", "0"),
    ("nan", None, None),
    ("Infinity", None, None),
    ("0x1F", None, None),
    ("1_000", None, None),
    ("٣", None, None),
    ("", None, None),
    ("-", None, None),
    (".", None, None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "point", "comma"), NUMBERS, ids=[row[0][:20] for row in NUMBERS])
def test_numbers_as_people_write_them(text: str, point: str | None, comma: str | None) -> None:
    for mark, expected in ((".", point), (",", comma)):
        if expected is None:
            with pytest.raises(UnreadableError):
                values.number(text, mark)
        else:
            assert values.plain(values.number(text, mark).value) == expected


@given(st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-(10**13), max_value=10**13))
def test_a_number_is_read_as_it_was_written_or_not_at_all(number: Decimal) -> None:
    english = f"{number:,.2f}"
    german = english.translate(str.maketrans(",.", ".,"))
    assert values.number(english).value == number == values.number(german, ",").value
    for text, mark in ((english, ","), (german, ".")):
        with pytest.raises(UnreadableError):
            values.number(text, mark)


@settings(max_examples=200)
@given(st.text("0123456789.,-+() '€$eE%\u00a0", max_size=12))
def test_no_text_is_two_numbers_unless_its_mark_is_a_group(text: str) -> None:
    found = {}
    for mark in ".,":
        try:
            found[mark] = values.number(text, mark).value
        except UnreadableError:
            continue
    if len(found) == 2 and found["."] != found[","]:
        assert text.count(".") + text.count(",") == 1, "only 1.250 and 1,250 are both"


@settings(max_examples=40, deadline=None)
@given(
    texts=st.lists(st.text("0123456789.,-+ 'xen_", min_size=1, max_size=9), min_size=1, max_size=40),
    mark=st.sampled_from(".,"),
)
def test_the_engine_reads_numbers_as_the_grammar_does(texts: list[str], mark: str, tmp_path_factory: Any) -> None:
    file = tmp_path_factory.mktemp("numbers") / "x.jsonl"
    file.write_text("".join(json.dumps({"x": text}) + "\n" for text in texts))
    found = read(file, decimal=mark)
    for text, exact, whole in zip(texts, found["exact"], found["whole"], strict=True):
        try:
            expected = values.number(text, mark).value if text.strip() else None
        except UnreadableError:
            assert str(exact).startswith("!") and str(whole).startswith("!"), text
            continue
        if expected is None:
            assert exact is None
        elif not str(exact).startswith("! is too large"):
            assert exact == expected.quantize(Decimal("0.0001"), "ROUND_HALF_UP"), text
            assert whole == expected if expected == int(expected) else str(whole).startswith("!"), text


TIMES: list[tuple[str, datetime | None]] = [
    ("2026-07-01 08:30:00", datetime(2026, 7, 1, 6, 30)),
    ("2026-07-01T08:30:00Z", MORNING),
    ("2026-07-01T08:30:00+0200", datetime(2026, 7, 1, 6, 30)),
    ("2026-07-01T08:30+02", datetime(2026, 7, 1, 6, 30)),
    ("2026-07-01T08:30:00.5+05:45", datetime(2026, 7, 1, 2, 45, 0, 500_000)),
    ("2026-07-01 08:30:00 UTC", MORNING),
    ("2026-07-01T08:30:00+02:00[Europe/Berlin]", datetime(2026, 7, 1, 6, 30)),
    ("2026-07-01 08:30:00 America/New_York", None),  # it was read as if it were Berlin's
    ("2026/7/1 8:30", datetime(2026, 7, 1, 6, 30)),
    ("2026.07.01", datetime(2026, 6, 30, 22)),
    ("2026-07/01", None),
    ("20260701T083000Z", MORNING),
    ("2026-07-01 24:00", datetime(2026, 7, 1, 22)),  # the end of the day
    ("2026-07-01 24:01", None),
    ("2016-12-31T23:59:60Z", datetime(2017, 1, 1)),  # a leap second
    ("2026-07-01 08:30:60", None),
    ("2026-03-29 02:30", datetime(2026, 3, 29, 1, 30)),  # skipped: the offset before
    ("2026-10-25 02:30", datetime(2026, 10, 25, 0, 30)),  # comes twice: the first
    ("1900-01-01T00:00:00Z", datetime(1900, 1, 1)),
    ("1899-12-31T23:59:59Z", None),
    ("2199-12-31T23:59:59Z", datetime(2199, 12, 31, 23, 59, 59)),
    ("2200-01-01T00:00:00Z", None),
    ("9999-12-31", None),
    ("0000-00-00 00:00:00", None),
    ("0001-01-01", None),
    ("0044-03-15 (BC)", None),
    ("infinity", None),
    ("-infinity", None),
    ("epoch", None),
    ("now", None),
    ("2026-02-30", None),
    ("2026-13-01", None),
    ("2026-07-01T08:30:00+25:00", None),
    ("07/01/2026", None),
    ("01.07.2026", None),
    ("1.7826e9", None),  # a spreadsheet's rounding is no instant
    ("99999999999", None),  # between seconds and milliseconds
    ("1782894600123456789", datetime(2026, 7, 1, 8, 30, 0, 123_456)),
    ("", None),
]


@pytest.mark.parametrize(("text", "expected"), TIMES)
def test_times_as_people_write_them(text: str, expected: datetime | None, tmp_path: Path) -> None:
    if expected is None:
        with pytest.raises(UnreadableError):
            values.time(text, Zone("Europe/Berlin"))
    else:
        assert values.time(text, Zone("Europe/Berlin")) == expected
    if text:
        (tmp_path / "x.csv").write_text(f"x,y\n{text},\n")
        (found,) = read(tmp_path / "x.csv", timezone="Europe/Berlin")["at"]
        assert found == expected or (expected is None and str(found).startswith("!")), "the engine says the same"


@pytest.mark.parametrize(
    ("unit", "text", "expected"),
    [
        ("unix", "86400", datetime(1970, 1, 2)),  # by size alone it is ambiguous
        ("unix", "-86400.5", datetime(1969, 12, 30, 23, 59, 59, 500_000)),
        ("unix_ms", "1782894600", datetime(1970, 1, 21, 15, 14, 54, 600_000)),
        ("unix_us", "1782894600000000", MORNING),
        ("unix_ns", "1782894600000000000", MORNING),
        ("unix", "2026-07-01", None),
        ("unix", "99999999999", None),
    ],
)
def test_the_unit_of_unix_time_can_be_set(unit: str, text: str, expected: datetime | None, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(f"x,y\n{text},\n")
    (found,) = read(tmp_path / "x.csv", time_format=unit)["at"]
    assert found == expected or (expected is None and str(found).startswith("!"))


@settings(max_examples=30, deadline=None)
@given(
    texts=st.lists(st.from_regex(r"[0-9]{1,5}-[0-9]{1,2}-[0-9]{1,2}([T ][0-9]{1,2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:?[0-9]{0,2})?)?", fullmatch=True), min_size=1, max_size=50)
)  # fmt: skip
def test_the_engine_reads_times_as_the_grammar_does(texts: list[str], tmp_path_factory: Any) -> None:
    file = tmp_path_factory.mktemp("times") / "x.jsonl"
    file.write_text("".join(json.dumps({"x": text}) + "\n" for text in texts))
    for text, found in zip(texts, read(file, timezone="America/New_York")["at"], strict=True):
        try:
            assert found == values.time(text, Zone("America/New_York")), text
        except UnreadableError:
            assert str(found).startswith("!"), text


def test_instants_know_their_range() -> None:
    assert values.epoch(Decimal(0), 0) == datetime(1970, 1, 1)
    assert values.EARLIEST < datetime.now(UTC).replace(tzinfo=None) < values.LATEST
