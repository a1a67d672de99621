# ruff: noqa: S608 - names are positions or the feeds' own, everything from outside is a literal
"""One SELECT that converts the rows of an input file to a feed's typed rows, each with what is wrong with it.

Stages: `i` the input columns and the raw record, `r` the input of each feed column, `v` typed values, `f` derived
values; then the rows with `_record` and `_reason` (null: the row is good). Columns `h_…` carry the helpers that
`web_events.py` resolves.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from typing import Any

from tidings.errors import SourceError
from tidings.mapping.conversion import (
    Given,
    constant,
    given,
    kind,
    missing,
    other_currency,
    reason,
    record,
    same_case,
    sql_type,
    typed,
    within,
    wrong,
)
from tidings.mapping.options import FileOptions
from tidings.mapping.shapes import Shape
from tidings.parsing.reading import Head, literal
from tidings.schema import Column

# Names of columns with addresses, if their values do not show it.
_ADDRESSES = ("ip", "$ip", "ip_address", "ipaddress", "ip_addr", "client_ip", "remote_ip", "remote_addr", "browser_ip")
# Helpers whose input is stored redacted, not as received.
_URLS = ("url", "referrer")
_TEXT = Column("string", "A helper.")


@dataclass(frozen=True)
class Plan:
    """How one file is read: the shape, the source's options, the beginning of the file.

    `plain` are input columns whose text a database wrote: `decimal` and `time_format` do not apply to them.
    """

    shape: Shape
    options: FileOptions
    head: Head
    source: str
    addresses: frozenset[str]
    plain: frozenset[str] = frozenset()

    @property
    def is_json(self) -> bool:
        """True if rows are lines of JSON."""
        return bool(self.head.paths)

    def number(self, name: str) -> int:
        """The position of an input column."""
        return self.head.names.index(name)

    @property
    def needed(self) -> int:
        """How many leading input columns contain everything the feed requires: a row may leave out those after them."""
        required = [self.options.columns[name] for name in self.shape.feed.required if name in self.options.columns]
        return max((self.number(name) + 1 for name in required), default=1)

    @property
    def urls(self) -> dict[str, str]:
        """Input columns with URLs, by helper."""
        return {helper: self.options.columns[helper] for helper in _URLS if helper in self.helpers}

    @property
    def helpers(self) -> tuple[str, ...]:
        """The helpers that the mapping uses."""
        return tuple(helper for helper in self.shape.helpers if helper in self.options.columns)


def plan(
    shape: Shape, options: FileOptions, head: Head, source: str, file: str, plain: frozenset[str] = frozenset()
) -> Plan:
    """Check the mapping against a file.

    Raises:
        SourceError: a mapped column is not in the file, or a mapping would store addresses in clear text.
    """
    options.require_inputs(file, head.names)
    addresses = {name for number, name in enumerate(head.names) if holds_addresses(name, number, head)}
    if "ip" in shape.helpers and "ip" in options.columns:
        addresses.add(options.columns["ip"])
    for column, name in options.columns.items():
        if name in addresses and column != "ip":
            instead = f"Map it as ip = '{name}'" if "ip" in shape.helpers else "Leave it out of `columns`"
            raise SourceError(
                f"The column '{name}' of {file} holds addresses, which are not stored: it cannot be {column}.",
                f"{instead}; visitors get a pseudonym instead.",
            )
    return Plan(shape, options, head, source, frozenset(addresses), plain)


def statement(this: Plan, rows: str, *, numbered: bool) -> str:
    """The SELECT over the relation `rows`, with `_line` if the relation is `numbered`."""
    feed, options = this.shape.feed, this.options
    raw = _raw(this)
    columns = [column for column in raw if column in feed.columns]

    def value(column: str) -> str:
        return f"v_{column}" if column in raw else f"CAST(NULL AS {sql_type(feed.columns[column].type)})"

    finals = {column: f"v_{column}" for column in columns} | dict(this.shape.derive(value, options, this.source))
    if "properties" in feed.columns:
        finals["properties"] = "_properties"
    checks = [
        check
        for column in columns
        for check in wrong(column, feed.columns[column], f"r_{column}", f"v_{column}", raw[column], options)
    ]
    code = "f_currency" if "currency" in finals else literal(options.currency)
    checks += [other_currency(name, f"r_{name}", code, options) for name in _amounts(this, raw)]
    checks += [(_is_nested(this, name), literal(f"{name}: is a list or an object, not text")) for name in _texts(this)]
    checks += [
        check
        for name in this.helpers
        for check in wrong(name, _TEXT, f"r_{name}", _helper(name, raw), raw[name], options)
        if kind(raw[name].type) != "text"
    ]
    checks += [missing(name, f"r_{name}" if name in raw else "NULL", f"f_{name}") for name in feed.required]

    stages = {
        "d": f"SELECT *{_document(this)} FROM {rows}",
        "e": _stage("d", {"_read": _fields(this)} if this.is_json else {}),
        "i": _stage("e", _inputs(this)),
        "r": _stage("i", {f"r_{column}": each.expression for column, each in raw.items()}),
        "v": _stage("r", {f"v_{column}": _value(column, feed.columns[column], raw, this) for column in columns}),
        "w": _in_time("v", [name for name in columns if feed.columns[name].type.endswith("timestamp(6)")]),
        "f": _stage("w", {f"f_{column}": expression for column, expression in finals.items()}),
    }
    results = [f"f_{column} AS {column}" for column in finals]
    results += [f"{_helper(helper, raw)} AS h_{helper}" for helper in this.helpers]
    results += ["_line"] if numbered else []
    texts = ", ".join(f"{name} AS ({sql})" for name, sql in stages.items())
    return f"WITH {texts} SELECT {', '.join(results)}, _record, {reason('_bad', checks)} AS _reason FROM f"


def _in_time(before: str, instants: list[str]) -> str:
    """Instants outside of the supported years as null."""
    # In a stage of its own: the engine would compute an instant again for each comparison.
    clamped = ", ".join(f"{within(f'v_{name}')} AS v_{name}" for name in instants)
    return f"SELECT *{f' REPLACE ({clamped})' if clamped else ''} FROM {before}"


def _amounts(this: Plan, raw: Mapping[str, Given]) -> list[str]:
    """The mapped columns of text that are amounts of money."""
    decimals = [name for name, column in this.shape.feed.columns.items() if "decimal(" in column.type]
    known = [name for name in decimals if name in raw and name not in ("quantity", "weight")]
    return [name for name in known if name in this.options.columns and kind(raw[name].type) == "text"]


def _texts(this: Plan) -> list[str]:
    """The mapped columns and helpers that take text from lines of JSON, where there may be a list instead."""
    columns = this.shape.feed.columns
    names = [name for name in this.options.columns if name not in columns or columns[name].type.endswith("string")]
    return names if this.is_json else []


def _is_nested(this: Plan, name: str) -> str:
    number = this.number(this.options.columns[name])
    value, pointer = f"c{number}", literal(_pointer(this.head.paths[number]))
    return f"({value} LIKE '[%' OR {value} LIKE '{{%') AND json_type(doc, {pointer}) IN ('ARRAY', 'OBJECT')"


def _stage(before: str, columns: Mapping[str, str]) -> str:
    added = "".join(f", {expression} AS {name}" for name, expression in columns.items())
    return f"SELECT *{added} FROM {before}"


def _raw(this: Plan) -> dict[str, Given]:
    """The input of each feed column and helper; `properties` are collected separately."""
    found = {}
    for column in (*this.shape.feed.columns, *this.shape.helpers):
        default = this.options.defaults.get(column)
        if column == "properties":
            continue
        if column in this.options.columns:
            number = this.number(this.options.columns[column])
            found[column] = given(number, this.head.types[number], default)
        elif default is not None:
            found[column] = constant(default)
    return found


def _helper(name: str, raw: Mapping[str, Given]) -> str:
    return typed("string", name, Given(f"r_{name}", raw[name].type), None)


def _value(name: str, column: Column, raw: Mapping[str, Given], this: Plan) -> str:
    options = this.options
    if options.columns.get(name) in this.plain:
        options = replace(options, decimal=".", time_format="")
    return same_case(column, typed(column.type, name, Given(f"r_{name}", raw[name].type), options))


def _read_numbers(this: Plan) -> list[int]:
    return sorted({this.number(name) for name in this.options.columns.values()})


def _document(this: Plan) -> str:
    """For lines of JSON the line as `doc`, null if it is not an object."""
    if not this.is_json:
        return ""
    return ", CASE WHEN TRY(json_type(line)) = 'OBJECT' THEN line END AS doc"


def _fields(this: Plan) -> str:
    """The fields of a JSON line that the mapping reads, as a list of text."""
    paths = ", ".join(literal(_pointer(this.head.paths[number])) for number in _read_numbers(this))
    return f"json_extract_string(doc, [{paths}])"


def _inputs(this: Plan) -> dict[str, str]:
    """The input columns of JSON lines, the raw record (without addresses and URLs), its faults."""
    hidden = this.addresses | set(this.urls.values())
    columns = {}
    if this.is_json:
        # All fields at once, so that a line is parsed once.
        for place, number in enumerate(_read_numbers(this), start=1):
            columns[f"c{number}"] = f"_read[{place}]"
        columns["_record"] = f"coalesce({_without(this, hidden)}, line)"
        whens = ["WHEN doc IS NULL THEN 'the line is not a JSON object'"]
    else:
        kept = {name: f"c{number}" for number, name in enumerate(this.head.names) if name not in this.urls.values()}
        kept |= {name: f"CASE WHEN {kept[name]} IS NOT NULL THEN '[ip]' END" for name in this.addresses & kept.keys()}
        columns["_record"] = record(kept)
        whens = []
    if "properties" in this.shape.feed.columns:
        columns["_properties"] = _json_properties(this, hidden) if this.is_json else _properties(this, hidden)
        whens += ["WHEN _properties IS NULL THEN 'the line has a field twice'"] if this.is_json else []
    columns["_bad"] = f"CASE {' '.join(whens)} END" if whens else "CAST(NULL AS VARCHAR)"
    return columns


def _properties(this: Plan, hidden: Set[str]) -> str:
    """All columns that are not mapped, as a map of text; null and empty values left out."""
    taken = hidden | set(this.options.columns.values())
    members = [
        f"{{'k': {literal(name)}, 'v': CAST(c{number} AS VARCHAR)}}"
        for number, name in enumerate(this.head.names)
        if name not in taken
    ]
    maps = [f"map_from_entries(list_filter([{', '.join(members)}], lambda e: e.v <> ''))"] if members else []
    if "properties" in this.options.columns:
        column = f"CAST(c{this.number(this.options.columns['properties'])} AS VARCHAR)"
        maps.append(_members(f"CASE WHEN json_valid({column}) THEN {column} END"))
    if len(maps) < 2:
        return maps[0] if maps else "CAST(NULL AS MAP(VARCHAR, VARCHAR))"
    return f"map_concat({', '.join(maps)})"


def _json_properties(this: Plan, hidden: Set[str]) -> str:
    """All fields that are not mapped, as a map of text, together with those of an object `properties`."""
    own = this.options.columns.get("properties", "properties")
    rest = _without(this, hidden | {name for column, name in this.options.columns.items() if column != "properties"})
    outer = _members(rest, but=own)
    if own not in this.head.names:
        return outer
    return f"map_concat({outer}, {_members(f'json_extract({rest}, {literal(_pointer((own,)))})')})"


def _members(doc: str, but: str = "") -> str:
    """The members of a JSON object as a map of text; null if one occurs twice."""
    whole = f"""map_entries(from_json({doc}, '"MAP(VARCHAR, VARCHAR)"'))"""
    kept = f"lambda e: e.value NOT IN ('', '{{}}') AND e.key <> {literal(but)}"
    return f"TRY(map_from_entries(list_filter({whole}, {kept})))"


def _without(this: Plan, names: Set[str]) -> str:
    """The JSON document without some of its fields."""
    removal: dict[str, Any] = {}
    for name in sorted(names):
        *outer, last = this.head.paths[this.number(name)]
        place = removal
        for part in outer:
            place = place.setdefault(part, {}) or place[part]
        place[last] = None
    return f"CAST(json_merge_patch(doc, {literal(json.dumps(removal))}) AS VARCHAR)" if removal else "doc"


def _pointer(path: tuple[str, ...]) -> str:
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path)


def holds_addresses(name: str, number: int, head: Head) -> bool:
    """True for a column with such a name, or with addresses in most of its values."""
    if name.rpartition(".")[2].lower() in _ADDRESSES:
        return True
    values = [value for row in head.sample if (value := row[number])]
    return bool(values) and sum(map(_is_address, values)) * 2 > len(values)


def _is_address(text: str) -> bool:
    if "." not in text and ":" not in text:
        return False
    try:
        ipaddress.ip_address(text.strip())
    except ValueError:
        return False
    return True
