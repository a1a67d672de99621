"""The rows behind a value, the largest first, without what names a person; and the command that prints them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from shlex import quote
from typing import Any

import ibis
import ibis.expr.types as ir

from tidings.metrics.metric import Metric
from tidings.metrics.registry import leaves
from tidings.metrics.result import Field, Group
from tidings.query.context import QueryContext
from tidings.query.evaluation import rows_behind
from tidings.query.segment import text_of
from tidings.window import Window

MOST = 50
_GROUP, _RANK, _TOTAL, _WORTH, _TIME = "group_", "rank_", "total_", "worth_", "local_ts"
_PIECES = ("units", "quantity", "per_euro", "weight")
_PLAIN = re.compile(r"[^|;]+")
Keys = Mapping[str, str]
"""The values by which a row of a result was made, by column."""


@dataclass(frozen=True)
class Largest:
    """Rows of a mart by what each adds to a metric; without `worth` the newest are first."""

    rows: ir.Table
    mart: str
    worth: ir.Value | None = None
    title: Field | None = None


def of_metric(context: QueryContext, metric: Metric, window: Window, columns: Sequence[str] = ()) -> Largest:
    """The rows of a metric, of its first input where it is made of others, by the metric over each row alone."""
    leaf = leaves(metric)[0]
    for column in columns:
        context = context.split_by(column)
    rows = rows_behind(context, leaf, window)
    if leaf.regroup is not None or leaf.kind == "distinct" or leaf.value is None:
        # Each row counts as one, or says nothing by itself.
        return Largest(rows, leaf.mart)
    key = [name for name, row in context.described(leaf.mart).items() if row["is_key"]]
    worth = leaf.value(rows).over(ibis.window(group_by=key))
    return Largest(rows, leaf.mart, worth, Field(_WORTH, leaf.title, context.unit(leaf)))


def largest(
    context: QueryContext, asked: Largest, keys: Sequence[Keys | None] = ({},), most: int | None = MOST
) -> list[Group | None]:
    """For each of `keys` the rows with these values, in one query: at most `most`, and how many there are in all.

    Personal columns, keys (which may be made of them), lists and maps are left out, and columns in which none of these
    rows has anything.
    """
    described = context.described(asked.mart)
    held = {
        name: row
        for name, row in described.items()
        if name in asked.rows.columns and name not in ("ts", _TIME) and _may_leave(name, row)
    }
    wanted = [(str(at), key) for at, key in enumerate(keys) if key is not None and set(key) <= set(asked.rows.columns)]
    if not wanted:
        return [None for _ in keys]
    worth = asked.worth if asked.worth is not None else ibis.literal(0)
    cases = [(_holds(asked.rows, key), name) for name, key in wanted]
    rows = asked.rows.mutate(**{_WORTH: worth, _GROUP: ibis.cases(*cases)})
    rows = rows.filter(rows[_GROUP].notnull())
    own_key = [rows[name] for name, row in described.items() if row["is_key"] and name in rows.columns]
    size = rows[_WORTH].abs() if rows[_WORTH].type().is_numeric() else rows[_WORTH]
    order = [ibis.desc(size, nulls_first=False), ibis.desc("ts"), *own_key]
    ranked = rows.mutate(
        **{
            _RANK: ibis.row_number().over(ibis.window(group_by=_GROUP, order_by=order)),
            _TOTAL: rows.count().over(ibis.window(group_by=_GROUP)),
        }
    )
    shown = ranked if most is None else ranked.filter(ranked[_RANK] < most)
    found = context.query(shown.select(_GROUP, _RANK, _TOTAL, _WORTH, _TIME, *held).order_by(_GROUP, _RANK)).rows
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in found:
        groups.setdefault(str(row[_GROUP]), []).append(row)
    fields = [Field(_TIME, "Time", "date"), *([asked.title] if asked.title is not None else [])]
    fields += [_field(name, row["type"], row["unit"]) for name, row in held.items()]
    made = {name: _group(fields, groups.get(name, []), key) for name, key in wanted}
    return [made.get(str(at)) for at in range(len(keys))]


def command(
    context: QueryContext, metric: str, window: Window, keys: Keys, others: Mapping[str, str], *, is_latest: bool
) -> str:
    """The command that prints the rows of a metric with these values; empty where a segment cannot say them.

    `others` are further options by name, as the currency.
    """
    terms = [(name, f"={value}") for name, value in keys.items()]
    terms += [(name, str(condition)) for name, condition in context.segment.terms if name not in keys]
    if not all(_PLAIN.fullmatch(value) for value in keys.values()):
        return ""
    where = ";".join(f"{name}{condition}" for name, condition in terms)
    if "," in where and len(terms) == 1:
        # One mark of the other kind, so that the comma is read as part of the value.
        where += ";"
    options = {"--where": where, "--from": f"{window.start}", "--to": f"{window.last_day}", **others}
    if not is_latest:
        options["--as-of"] = context.as_of.isoformat()
    written = [f"{name} {quote(value)}" for name, value in options.items() if value]
    return " ".join([f"tidings rows {metric}", *written])


def _holds(rows: ir.Table, keys: Keys) -> ir.BooleanValue:
    return ibis.and_(*(text_of(rows[name]) == value for name, value in keys.items())) if keys else ibis.literal(True)


def _may_leave(name: str, row: Mapping[str, Any]) -> bool:
    is_private = row["personal"] or row["is_key"] or name.startswith("_") or name.endswith("_key")
    return not is_private and not str(row["type"]).lstrip("!").startswith(("map", "array", "struct"))


def title_of_column(name: str) -> str:
    """What a column of rows is called, without its unit."""
    return name.replace("_", " ").removesuffix(" ms").removesuffix(" s").capitalize()


def _field(name: str, type_: object, unit: object) -> Field:
    kind = str(type_).lstrip("!")
    title = title_of_column(name)
    if kind.startswith(("timestamp", "date")):
        return Field(name, title, "date")
    if kind.startswith("decimal") and not unit and name not in _PIECES:
        # In the currency of the row.
        return Field(name, title, "money")
    is_number = kind.startswith(("int", "float", "decimal"))
    return Field(name, title, (str(unit) or "figure") if is_number else "text")


def _group(fields: Sequence[Field], found: Sequence[Mapping[str, Any]], keys: Keys) -> Group:
    """The rows of one group, without columns that say nothing about them."""
    told = [
        field
        for field in fields
        if field.name not in keys
        and any(row[field.name] is not None for row in found)
        and (field.name != _WORTH or len({row[_WORTH] for row in found}) > 1)
    ]
    rows = tuple(tuple(_plain(row[field.name]) for field in told) for row in found)
    return Group(tuple(replace(f, name=f.name.rstrip("_")) for f in told), rows, _count(found))


def _count(found: Sequence[Mapping[str, Any]]) -> int:
    return int(str(found[0][_TOTAL])) if found else 0


def _plain(value: object) -> object:
    return value.replace(microsecond=0) if isinstance(value, datetime) else value
