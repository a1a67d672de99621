"""Contracts checked against tables: two passes over the rows, more only for examples of breaches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import pyarrow as pa

from tidings.errors import ContractError
from tidings.schema import Column, Contract

RunQuery = Callable[[ir.Table], pa.Table]


@dataclass(frozen=True)
class Breach:
    """One way in which one table breaks its contract: how many rows, and the key of one of them."""

    table: str
    column: str
    expected: str
    found: str
    rows: int | None = None
    example: str = ""

    def __str__(self) -> str:
        rows = "" if self.rows is None else f" in {self.rows:,} row{'' if self.rows == 1 else 's'}"
        example = f", for example {self.example}" if self.example else ""
        return f"{self.table}.{self.column}: expected {self.expected}, found {self.found}{rows}{example}."


def broken(breaches: Sequence[Breach]) -> ContractError:
    """One error that lists all breaches of a build."""
    tables = sorted({breach.table for breach in breaches})
    lines = "\n".join(f"  {breach}" for breach in breaches)
    return ContractError(
        f"{len(breaches)} broken contract{'' if len(breaches) == 1 else 's'} in {', '.join(tables)}; "
        f"nothing was published and the last good build stays:\n{lines}\n",
        "Correct the data at the source and pull again, or change the model or its contract.",
    )


def declared(contract: Contract) -> ibis.Schema:
    """The columns and types of a contract; every column nullable, as an engine would report it."""
    return ibis.schema({name: nullable(column.type) for name, column in contract.columns.items()})


# A build asks for thousands of columns of a dozen types.
@cache
def nullable(type_: str) -> dt.DataType:
    """A declared type without its `!`."""
    return dt.dtype(type_.removeprefix("!")).copy(nullable=True)


def check_columns(table: str, contract: Contract, found: ibis.Schema) -> list[Breach]:
    """Columns missing, left over or of another type than declared."""
    expected = declared(contract)
    breaches = [
        Breach(table, name, f"a column of type {expected[name]}", "none") for name in expected if name not in found
    ]
    breaches += [
        Breach(table, name, "no such column", f"one of type {found[name]}") for name in found if name not in expected
    ]
    return breaches + [
        Breach(table, name, f"type {expected[name]}", f"type {found[name]}")
        for name in expected
        if name in found and found[name].copy(nullable=True) != expected[name]
    ]


@dataclass(frozen=True)
class _Rule:
    column: str
    expected: str
    broken: ir.BooleanColumn


def _rules(contract: Contract, table: ir.Table) -> Iterator[_Rule]:
    for name, column in contract.columns.items():
        value = table[name]
        if column.required or name in contract.key:
            yield _Rule(name, "a value", value.isnull())
        if column.values:
            yield _Rule(name, f"one of {', '.join(column.values)}", value.notin(column.values))
        yield from _range(name, column, value)


def _range(name: str, column: Column, value: Any) -> Iterator[_Rule]:
    if column.minimum is not None:
        yield _Rule(name, f"at least {column.minimum:g}", value < column.minimum)
    if column.maximum is not None:
        yield _Rule(name, f"at most {column.maximum:g}", value > column.maximum)


def check_rows(table: str, contract: Contract, rows: ir.Table, run: RunQuery) -> tuple[int, list[Breach]]:
    """How many rows there are, and the breaches among them: key, nulls, values, ranges."""
    rules = list(_rules(contract, rows))
    counts = {f"c{index}": rule.broken.sum() for index, rule in enumerate(rules)}
    totals = run(rows.aggregate(total=rows.count(), **counts)).to_pylist()[0]
    breaches = [
        _breach(table, contract, rows, rule, totals[f"c{index}"], run)
        for index, rule in enumerate(rules)
        if totals[f"c{index}"]
    ]
    return totals["total"], breaches + _repeated_keys(table, contract, rows, run)


def _breach(table: str, contract: Contract, rows: ir.Table, rule: _Rule, count: int, run: RunQuery) -> Breach:
    worst = rows.filter(rule.broken).select(
        found=rows[rule.column], **{f"k{n}": rows[c] for n, c in enumerate(contract.key)}
    )
    first = run(worst.order_by([f"k{n}" for n in range(len(contract.key))]).limit(1)).to_pylist()[0]
    found = "null" if first["found"] is None else f"'{first['found']}'"
    return Breach(table, rule.column, rule.expected, found, int(count), _key(contract, first))


def _repeated_keys(table: str, contract: Contract, rows: ir.Table, run: RunQuery) -> list[Breach]:
    keys = {f"k{n}": rows[column] for n, column in enumerate(contract.key)}
    repeated = rows.group_by(**keys).aggregate(times=rows.count())
    repeated = repeated.filter(repeated.times > 1)
    total = run(repeated.aggregate(rows=repeated.times.sum())).to_pylist()[0]["rows"]
    if not total:
        return []
    first = run(repeated.order_by([ibis.desc("times"), *keys]).limit(1)).to_pylist()[0]
    found = f"the same key up to {first['times']} times"
    return [Breach(table, ", ".join(contract.key), "a unique key", found, int(total), _key(contract, first))]


def _key(contract: Contract, row: dict[str, Any]) -> str:
    return ", ".join(f"{column} = '{row[f'k{n}']}'" for n, column in enumerate(contract.key))
