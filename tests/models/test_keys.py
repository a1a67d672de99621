"""No value can be written so that two rows have one key."""

from __future__ import annotations

import duckdb
import ibis
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from tidings.schema import joined
from tidings.warehouse.duckdb import compile_sql
from workbooks import run_models


@given(st.lists(st.tuples(*[st.text("ab:%253A\x1f", max_size=4)] * 3), min_size=1, max_size=30, unique=True))
def test_different_parts_give_different_keys(rows: list[tuple[str, str, str]]) -> None:
    table = pa.table({name: [row[at] for row in rows] for at, name in enumerate("abc")})
    source = ibis.table(ibis.schema({"a": "string", "b": "string", "c": "string"}), name="rows")
    query = source.select(key=joined(ibis.literal("shop"), source.a, source.b, source.c))
    with duckdb.connect() as connection:
        connection.register("rows", table)
        keys = [key for (key,) in connection.execute(compile_sql(query)).fetchall()]
    assert len(set(keys)) == len(rows)


def test_plain_values_are_seen_in_a_key_as_they_are() -> None:
    (row,) = run_models("stg_orders", orders=[{"order_id": "o1", "line_id": "1", "amount": 1}])
    assert "shop:o1:charge:1" in row.values()


def test_an_order_number_with_a_colon_is_not_another_order_s_line() -> None:
    orders = [
        {"order_id": "a:charge", "type": "charge", "line_id": "1", "amount": 1},
        {"order_id": "a", "type": "charge", "line_id": "charge:1", "amount": 2},
    ]
    assert len(run_models("stg_orders", orders=orders)) == 2, "both were shop:a:charge:charge:1"
