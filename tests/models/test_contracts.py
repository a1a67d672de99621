"""Contracts: one test per way to break one, and what the message says."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import duckdb
import ibis
import pyarrow as pa

from tidings.models.contracts import Breach, broken, check_columns, check_rows
from tidings.schema import Column, Contract
from tidings.warehouse.duckdb import compile_sql

CONTRACT = Contract(
    grain="payment",
    key=("id",),
    columns={
        "id": Column("string", "Number."),
        "kind": Column("string", "What.", values=("charge", "refund")),
        "amount": Column("!decimal(18, 4)", "Money.", minimum=0, maximum=1000),
    },
)
SCHEMA = ibis.schema({"id": "string", "kind": "string", "amount": "decimal(18, 4)"})


def _check(*rows: tuple[Any, ...], contract: Contract = CONTRACT) -> tuple[int, list[str]]:
    con = duckdb.connect()
    exact = [(key, kind, None if amount is None else Decimal(str(amount))) for key, kind, amount in rows]
    listed = [dict(zip(SCHEMA.names, row, strict=True)) for row in exact]
    con.register("payments", pa.Table.from_pylist(listed, schema=SCHEMA.to_pyarrow()))

    def run(expression: ibis.Table) -> pa.Table:
        return con.execute(compile_sql(expression)).to_arrow_table()

    count, breaches = check_rows("payments", contract, ibis.table(SCHEMA, name="payments"), run)
    return count, [str(breach) for breach in breaches]


def test_rows_that_keep_the_contract() -> None:
    # Null passes values and ranges where a value is not required; the bounds themselves are inside.
    assert _check(("a", None, 0), ("b", "charge", 1000)) == (2, [])


def test_no_rows_keep_every_contract() -> None:
    assert _check() == (0, [])


def test_a_missing_value() -> None:
    expected = "payments.amount: expected a value, found null in 2 rows, for example id = 'b'."
    assert _check(("a", None, 1), ("c", None, None), ("b", None, None))[1] == [expected]


def test_a_null_key() -> None:
    assert _check((None, None, 1))[1] == [
        "payments.id: expected a value, found null in 1 row, for example id = 'None'."
    ]


def test_a_key_twice() -> None:
    expected = "payments.id: expected a unique key, found the same key up to 3 times in 5 rows, for example id = 'a'."
    rows = [("a", None, 1), ("a", None, 2), ("a", None, 3), ("b", None, 1), ("b", None, 1), ("c", None, 1)]
    assert _check(*rows)[1] == [expected]


def test_an_unknown_value() -> None:
    expected = "payments.kind: expected one of charge, refund, found 'gift' in 1 row, for example id = 'b'."
    assert _check(("a", "charge", 1), ("b", "gift", 1))[1] == [expected]


def test_a_value_below_the_least() -> None:
    expected = "payments.amount: expected at least 0, found '-0.0100' in 1 row, for example id = 'a'."
    assert _check(("a", None, "-0.01"))[1] == [expected]


def test_a_value_above_the_largest() -> None:
    expected = "payments.amount: expected at most 1000, found '1000.5000' in 1 row, for example id = 'a'."
    assert _check(("a", None, "1000.5"))[1] == [expected]


def test_all_breaches_are_listed() -> None:
    assert len(_check(("a", "gift", -1), ("a", None, None))[1]) == 4  # unknown kind, too small, null, key twice


def test_columns_missing_left_over_and_of_another_type() -> None:
    found = ibis.schema({"id": "int64", "kind": "string", "extra": "date"})
    assert [str(breach) for breach in check_columns("payments", CONTRACT, found)] == [
        "payments.amount: expected a column of type decimal(18, 4), found none.",
        "payments.extra: expected no such column, found one of type date.",
        "payments.id: expected type string, found type int64.",
    ]


def test_nullability_of_the_engine_does_not_matter() -> None:
    assert check_columns("payments", CONTRACT, ibis.schema({**SCHEMA, "id": "!string"})) == []


def test_the_error_names_every_breach_and_what_to_do() -> None:
    error = broken([Breach("a", "x", "a value", "null", 1), Breach("b", "y", "type date", "type string")])
    assert str(error).startswith("2 broken contracts in a, b; nothing was published and the last good build stays:")
    assert "a.x: expected a value, found null in 1 row." in str(error)
    assert "pull again" in error.remedy


def test_a_key_of_several_columns() -> None:
    contract = Contract("payment", ("id", "kind"), CONTRACT.columns)
    many = [(str(n), "charge", 1) for n in range(1000)] + [(str(n), "refund", 1) for n in range(1000)]
    assert _check(*many, contract=contract) == (2000, [])
