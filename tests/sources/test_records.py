"""From records to typed rows: accepted values, reasons for rejections, raw records."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.feeds.feed import Feed
from tidings.schema import Column
from tidings.sources.records import Record, Rows, UnusableError, as_received, typed
from tidings.window import parse_date

FEED = Feed(
    name="toy_daily",
    doc="A row of everything.",
    key=("name", "ts"),
    columns={
        "ts": Column("!timestamp(6)", "When."),
        "name": Column("!string", "Who."),
        "count": Column("int64", "How many."),
        "share": Column("float64", "Which part."),
        "amount": Column("decimal(28, 8)", "How much."),
        "is_new": Column("boolean", "Whether."),
        "kind": Column("string", "Which.", values=("a", "b")),
    },
)
DAY = datetime(2026, 11, 20)


def read(*records: Any) -> Rows:
    return typed(FEED, [{"ts": "2026-11-20", "name": "x", **record} for record in records], dict, 1)


def one(column: str, value: Any) -> Any:
    """What a value becomes, or the reason why its record is set aside."""
    rows = read({column: value})
    assert len(rows.reasons) + rows.table.num_rows == 1, "in or out, never both"
    return rows.reasons[0] if rows.reasons else rows.table[column][0].as_py()


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("ts", "2026-11-20", DAY),
        ("ts", date(2026, 11, 20), DAY),
        ("ts", "2026-11-20T03:00:00+02:00", datetime(2026, 11, 20, 1)),
        ("ts", "2026-11-20T01:00:00Z", datetime(2026, 11, 20, 1)),
        ("ts", datetime(2026, 11, 20, 3, tzinfo=timezone(timedelta(hours=2))), datetime(2026, 11, 20, 1)),
        ("ts", datetime(2026, 11, 20, 1, 2, 3, 456789, tzinfo=UTC), datetime(2026, 11, 20, 1, 2, 3, 456789)),
        # A number is not a time: its unit is unknown.
        ("ts", 1_790_000_000, "ts: '1790000000' is not a time"),
        ("ts", Decimal("1790000000.5"), "ts: '1790000000.5' is not a time"),
        ("ts", 1.5, "ts: '1.5' is not a time"),
        ("ts", "yesterday", "ts: 'yesterday' is not a time"),
        ("ts", None, "ts: is missing"),
        ("ts", "", "ts: is missing"),
        ("count", 5, 5),
        ("count", "1,234", 1234),
        ("count", Decimal("5.0"), 5),
        ("count", 5.0, 5),
        ("count", Decimal("1E+3"), 1000),
        # Taken silently, it would be 5.
        ("count", Decimal("5.7"), "count: '5.7' is not a whole number"),
        ("count", 5.7, "count: '5.7' is not a whole number"),
        ("count", True, "count: 'True' is not a whole number"),
        ("count", [5], "count: '[5]' is not a whole number"),
        ("count", "many", "count: 'many' is not a whole number"),
        ("count", 2**63, f"count: '{2**63}' is out of range"),
        ("count", 2**63 - 1, 2**63 - 1),
        # Written out it would fill the memory.
        ("count", Decimal("1E+999999999"), "count: '1E+999999999' is not a whole number"),
        ("count", "", None),
        ("share", Decimal("0.25"), 0.25),
        ("share", 1, 1.0),
        ("share", 2**70, float(2**70)),
        ("share", "0.5", 0.5),
        ("share", True, "share: 'True' is not a number"),
        ("share", float("nan"), "share: 'nan' is not a number"),
        ("share", float("inf"), "share: 'inf' is not a number"),
        ("share", "NaN", "share: 'NaN' is not a number"),
        ("amount", Decimal("12345678901234567890.12345678"), Decimal("12345678901234567890.12345678")),
        ("amount", "1,234.50", Decimal("1234.50")),
        ("amount", 0.1, Decimal("0.1")),
        # The rounding of a binary fraction.
        ("amount", Decimal("0.30000000000000004"), Decimal("0.3")),
        ("amount", 10**20, f"amount: '{10**20}' is out of range"),
        ("amount", True, "amount: 'True' is not a number"),
        ("amount", Decimal("NaN"), "amount: 'NaN' is not a number"),
        ("is_new", True, True),
        ("is_new", "No", False),
        ("is_new", 1, True),
        ("is_new", "maybe", "is_new: 'maybe' is not true or false"),
        ("name", 7, "7"),
        ("name", True, "true"),
        ("name", {"a": [1]}, '{"a":[1]}'),
        ("name", Decimal("1.50"), "1.50"),
        ("name", None, "name: is missing"),
        # A lone surrogate, as truncated texts end with.
        ("name", "Caf\ud83d", "Caf?"),
        ("kind", "a", "a"),
        ("kind", "c", "kind: 'c' is not one of a, b"),
        ("kind", None, None),
    ],
)
def test_what_a_value_becomes(column: str, value: Any, expected: Any) -> None:
    assert one(column, value) == expected


@pytest.mark.parametrize("empty", [["", "x"], ["", 5], [5, ""]])
def test_an_empty_text_is_a_text_whatever_stands_beside_it(empty: list[Any]) -> None:
    rows = read(*({"name": name} for name in empty))
    assert rows.reasons == []
    assert rows.table["name"].to_pylist() == [str(name) for name in empty]


def test_one_bad_value_takes_out_its_own_row_only() -> None:
    records = [{"name": "a", "count": 1}, {"name": "b", "count": "x"}, {"name": "c", "count": 10**30}, {"name": "d"}]
    rows = typed(FEED, [{"ts": DAY, **record} for record in records], dict, 11)
    assert rows.table.select(["name", "count", "_line"]).to_pylist() == [
        {"name": "a", "count": 1, "_line": 11},
        {"name": "d", "count": None, "_line": 14},
    ]
    assert list(zip(rows.lines, rows.reasons, strict=True)) == [
        (12, "count: 'x' is not a whole number"),
        (13, f"count: '{10**30}' is out of range"),
    ]
    assert json.loads(rows.records[0]) == {"ts": "2026-11-20T00:00:00", "name": "b", "count": "x"}


def test_a_row_with_two_faults_is_rejected_once() -> None:
    rows = read({"count": "x", "share": "y", "name": None})
    assert (len(rows.reasons), rows.table.num_rows) == (1, 0)


def test_a_field_that_disappeared_is_named() -> None:
    def parse(record: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"ts": record["day"], "name": record["who"], "count": record.get("count")}

    rows = typed(FEED, [{"day": "2026-11-20", "who": "x"}, {"day": "2026-11-20", "user": "x"}], parse, 1)
    assert (rows.reasons, rows.records) == (["the field 'who' is missing"], ['{"day":"2026-11-20","user":"x"}'])
    # Optional fields leave a null.
    assert rows.table["count"].to_pylist() == [None]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"who": ["x"]}, "'list' object has no attribute 'strip'"),
        ({"who": None}, "'NoneType' object has no attribute 'strip'"),
        ({"who": ""}, "nobody did it"),
        ([], "list indices must be integers or slices, not str"),
        (None, "'NoneType' object is not subscriptable"),
    ],
)
def test_what_parse_cannot_use_is_kept_with_a_reason(record: Any, reason: str) -> None:
    def parse(record: Mapping[str, Any]) -> Mapping[str, Any]:
        if not record["who"].strip():
            raise UnusableError("nobody did it")
        return {"ts": DAY, "name": record["who"]}

    rows = typed(FEED, [record, {"who": "x"}], parse, 1)
    assert (rows.lines, rows.reasons, rows.records) == ([1], [reason], [as_received(record)])
    assert rows.table["name"].to_pylist() == ["x"]


def test_no_records_are_no_rows() -> None:
    rows = typed(FEED, [], dict, 1)
    assert rows.table.num_rows == 0 and rows.table.schema.names[-2:] == ["_line", "_record"]
    assert typed(FEED, [{}], dict, 1).table.num_rows == 0


def test_new_fields_are_kept_as_received() -> None:
    rows = read({"count": 1, "shiny": {"new": ["ü", Decimal("0.5"), DAY]}})
    (record,) = rows.table["_record"].to_pylist()
    assert json.loads(record)["shiny"] == {"new": ["ü", 0.5, "2026-11-20T00:00:00"]}
    assert "ü" in record, "readable, not escaped"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False) | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.lists(st.dictionaries(st.sampled_from([*FEED.columns, "more"]), _JSON), max_size=6))
def test_whatever_comes_is_in_or_out_and_kept(records: list[dict[str, Any]]) -> None:
    rows = typed(FEED, records, dict, 1)
    assert rows.table.num_rows + len(rows.reasons) == len(records)
    assert sorted([*rows.table["_line"].to_pylist(), *rows.lines]) == list(range(1, len(records) + 1))
    # It can be written, and keeps its columns' promises.
    assert pa.table(rows.table).validate(full=True) is None
    assert all(text.encode() for text in [*rows.reasons, *rows.records])
    assert not any(rows.table[name].null_count for name in FEED.required)


def test_what_lies_outside_of_a_columns_range_is_rejected_before_a_build_is() -> None:
    feed = Feed(
        name="stars",
        doc="Stars.",
        key=("name",),
        columns={
            "name": Column("!string", "Who."),
            "stars": Column("int64", "How many.", minimum=1, maximum=5),
            "ratio": Column("float64", "Share.", minimum=0, maximum=1),
            "amount": Column("decimal(18, 4)", "Money.", minimum=0),
            "ts": Column("timestamp(6)", "When."),
        },
    )
    records = [
        {"name": "good", "stars": "5", "ratio": 1, "amount": "0.5"},
        {"name": "none"},
        {"name": "many", "stars": 6},
        {"name": "few", "stars": 0},
        {"name": "share", "ratio": 1.5},
        {"name": "owed", "amount": "-0.01"},
    ]
    rows = typed(feed, records, lambda record: record, 1)
    assert rows.table["name"].to_pylist() == ["good", "none"]
    assert rows.reasons == [
        "stars: '6' is above 5",
        "stars: '0' is below 1",
        "ratio: '1.5' is above 1",
        "amount: '-0.01' is below 0",
    ]


def test_a_date_that_is_none_refuses_its_row_only() -> None:
    def parse(record: Record) -> Mapping[str, Any]:
        return {"name": record["name"], "ts": parse_date(record["day"])}

    feed = Feed("days", "Days.", ("name",), {"name": Column("!string", "Who."), "ts": Column("!timestamp(6)", "When.")})
    rows = typed(feed, [{"name": "a", "day": "2026-11-01"}, {"name": "b", "day": "11/02/2026"}], parse, 1)
    assert rows.table["name"].to_pylist() == ["a"]
    assert rows.reasons == ["'11/02/2026' is not a date. Write it as 2026-07-01."]
