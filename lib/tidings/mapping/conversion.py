"""The SQL that converts input columns to a feed's typed columns, and states for each row what is wrong with it.

DuckDB is used as a parser only (decision 4): each function returns an expression, `statement.py` puts them together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from tidings.mapping.options import FileOptions
from tidings.parsing.reading import WIDE, literal
from tidings.parsing.values import EARLIEST, EPOCHS, FALSE, LATEST, TRUE
from tidings.platform_metrics import AMOUNT
from tidings.schema import Column
from tidings.window import Zone

_INTEGERS: Final[tuple[str, ...]] = (
    "TINYINT",
    "SMALLINT",
    "INTEGER",
    "BIGINT",
    "UTINYINT",
    "USMALLINT",
    "UINTEGER",
    "UBIGINT",
    "HUGEINT",
    "UHUGEINT",
)
_EXPECTED = {"decimal": "a number", "float64": "a number", "int64": "a whole number", "boolean": "true or false"}
_EXPECTED |= {"timestamp": "a time", "date": "a day", "string": "text"}
# Names of types that can never be what the feed needs.
_IS = {"nested": "is a list or an object", "clock": "is a time of day", "duration": "is a duration"}
_IS |= {"boolean": "is true or false", "time": "is a time", "single": "is a number of seven digits"}
_IS |= {"bytes": "is bytes", "wide": "is a decimal of more than 38 digits"}
_MANY = 12
_SIMILAR = 0.85
_PLAIN = "____-__-_____:__:__"
_DAY = "____-__-__"
_FULL = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-](0\d|1[0-3]):[0-5]\d)"
_EPOCH = r"\d{9,19}(\.\d+)?"
# A repeated wall clock repeats an hour later, on Lord Howe Island half an hour.
_REPEATS = ("1 HOUR", "30 MINUTE")
# Where an amount may be a percentage: platform metrics.
_WITH_PERCENT = AMOUNT


@dataclass(frozen=True)
class Given:
    """The input of a feed column: an expression over `c0` …, null if there is none, and its type."""

    expression: str
    type: str


def kind(type_: str) -> str:
    """The kind of a parser's type: text, whole, exact, double, single, boolean, day, time, instant, bytes, clock,
    duration, wide, nested.
    """
    if type_ in ("VARCHAR", "UUID", "JSON", "BIGNUM", '"NULL"') or type_.startswith("ENUM("):
        return "text"
    if type_.endswith("]") or type_.startswith(("STRUCT", "MAP(", "UNION(", "VARIANT", "GEOMETRY")):
        return "nested"
    if type_ in _INTEGERS:
        return "whole"
    if type_.startswith("TIMESTAMP"):
        return "instant" if type_ == "TIMESTAMP WITH TIME ZONE" else "time"
    if type_ != WIDE and type_.startswith("DECIMAL"):
        return "exact"
    known = {"DOUBLE": "double", "FLOAT": "single", "BOOLEAN": "boolean", "DATE": "day", "BLOB": "bytes"}
    known |= {WIDE: "wide", "INTERVAL": "duration", "TIME": "clock", "TIME WITH TIME ZONE": "clock", "TIME_NS": "clock"}
    return known.get(type_, "nested")


def given(number: int, type_: str, default: str | None) -> Given:
    """An input column; text is trimmed, empty text and NaN are null, null becomes the default."""
    column = f"c{number}"
    if kind(type_) == "bytes":
        column = f"nullif({column}, ''::BLOB)"
    elif kind(type_) == "text" and type_ != "VARCHAR":
        column, type_ = f"CAST({column} AS VARCHAR)", "VARCHAR"
    if type_ == "VARCHAR":
        # Trimming every value would cost a third of the load, and hardly any needs it.
        column = f"nullif(CASE WHEN {column} LIKE ' %' OR {column} LIKE '% ' THEN trim({column}) ELSE {column} END, '')"
    elif type_ in ("DOUBLE", "FLOAT"):
        column = f"CASE WHEN NOT isnan({column}) THEN {column} END"
    # A list has no text that a default could replace.
    if default is None or kind(type_) in ("nested", "clock", "duration", "bytes", "wide"):
        return Given(column, type_)
    text = column if type_ == "VARCHAR" else typed("string", "", Given(column, type_), None)
    return Given(f"coalesce({text}, {literal(default)})", "VARCHAR")


def constant(default: str | None) -> Given:
    """A feed column that no input column is mapped to."""
    return Given("NULL::VARCHAR" if default is None else literal(default), "VARCHAR")


def typed(type_: str, name: str, raw: Given, options: FileOptions | None) -> str:
    """The value of a feed column of Ibis type `type_`, null if it cannot be read as that."""
    type_ = type_.removeprefix("!")
    base = type_.partition("(")[0]
    if kind(raw.type) == "bytes":
        # Text that was not declared as text; null if the bytes are not text.
        raw = Given(f"nullif(trim(TRY(decode({raw.expression}))), '')", "VARCHAR")
    what, text = kind(raw.type), raw.expression
    if base == "string":
        return _string(name, raw)
    if base == "timestamp":
        return _timestamp(raw, options)
    if base == "date":
        return f"CAST({within(_timestamp(raw, options and replace(options, zone=Zone())))} AS DATE)"
    if base == "boolean":
        return _boolean(raw)
    if what not in ("text", "whole", "exact", "double", "single"):
        return f"CAST(NULL AS {sql_type(type_)})"
    if what == "single":
        # As it is displayed: in binary 1234.56 is 1234.56005859375.
        text = f"CAST({text} AS VARCHAR)"
    if base == "decimal":
        return _number(text, what, options, type_.upper(), "read_percent" if type_ == _WITH_PERCENT else "read_number")
    number = _number(text, what, options, "DOUBLE")
    if base == "float64":
        return f"CASE WHEN isfinite({number}) THEN {number} END"
    # A cast would round 1.7 to 2; a double would round 9007199254740993.
    whole = f"coalesce({_number(text, what, options, 'BIGINT')}, TRY_CAST({number} AS BIGINT))"
    return f"CASE WHEN {number} = trunc({number}) THEN {whole} END"


def wrong(
    name: str, column: Column, raw: str, value: str, given: Given | None = None, options: FileOptions | None = None
) -> list[tuple[str, str]]:
    """What can be wrong with a given value: conditions, each with its reason."""
    base = column.type.removeprefix("!").partition("(")[0]
    checks = [(f"{raw} IS NOT NULL AND {value} IS NULL", _why(base, raw, given, options))]
    if column.values:
        known = ", ".join(literal(each) for each in column.values)
        checks.append((f"{value} NOT IN ({known})", _unknown(value, column.values)))
    if column.minimum is not None:
        checks.append((f"{value} < {column.minimum}", literal(f" is below {column.minimum:g}")))
    return [(condition, _shown(name, raw) + sentence) for condition, sentence in checks]


def other_currency(name: str, raw: str, code: str, options: FileOptions) -> tuple[str, str]:
    """The condition that an amount names another currency than its row, and the reason."""
    mark = literal(options.decimal)
    # Only a text that does not start and end like a number can name one.
    is_named = f"({raw} > ':' OR {raw} < '0' OR right({raw}, 1) NOT BETWEEN '0' AND '9')"
    sentence = f"{_shown(name, raw)}{literal(' is not in ')} || {code}"
    # A CASE, because the engine evaluates both sides of an AND.
    return f"CASE WHEN {is_named} THEN NOT in_currency({raw}, {mark}, {code}) ELSE false END", sentence


def sql_type(type_: str) -> str:
    """The parser's name of an Ibis type."""
    base = type_.removeprefix("!")
    known = {"string": "VARCHAR", "int64": "BIGINT", "float64": "DOUBLE", "timestamp(6)": "TIMESTAMP"}
    return known.get(base, base.upper())


def _shown(name: str, raw: str) -> str:
    quote = literal("'")
    return f"{literal(name + ': ')} || {quote} || left(CAST({raw} AS VARCHAR), 80) || {quote} || "


def _why(base: str, raw: str, given: Given | None, options: FileOptions | None) -> str:
    """The reason for an unreadable value."""
    expected = literal(f" is not {_EXPECTED.get(base, 'such a value')}")
    if given is None:
        return expected
    what = kind(given.type)
    if what != "text":
        if base in ("decimal", "float64", "int64") and what in ("whole", "exact", "double", "single"):
            if what in ("double", "single"):
                too_large = expected if base == "int64" else literal(" is too large")
                return f"CASE WHEN isfinite({raw}) THEN {too_large} ELSE ' is not finite' END"
            return literal(" is too large") if base != "int64" or what == "whole" else expected
        if base in ("timestamp", "date") and what in ("day", "time", "instant"):
            return literal(" lies outside of the years 1900 to 2199")
        if base in ("timestamp", "date") and what in ("whole", "exact", "double"):
            return literal(" is not a Unix time of the years 1973 to 2199 (for earlier ones see `time_format`)")
        if base == "boolean" or what not in _IS:
            return expected
        return literal(f" {_IS[what]}, not {_EXPECTED.get(base, 'such a value')}")
    mark = literal(options.decimal if options else ".")
    if base in ("decimal", "float64"):
        return f"why_number({raw}, {mark})"
    if base == "int64":
        read = f"read_number({raw}, {mark})"
        why = f"replace(why_number({raw}, {mark}), ' a number', ' a whole number')"
        whens = f"WHEN {read} IS NULL THEN {why} WHEN contains({read}, '.') THEN {expected}"
        return f"CASE {whens} ELSE ' is too large' END"
    if base in ("timestamp", "date"):
        if options is not None and options.time_format:
            return literal(f" is not a time of 1900 to 2199 as {options.time_format} says")
        return f"why_time({raw}, {literal(options.zone.name if options else 'UTC')})"
    return expected


def _unknown(value: str, values: Sequence[str]) -> str:
    """The reason for a value that is not a known one: lists these, or of many suggests the most similar."""
    listed = literal(f" is not one of {', '.join(values)}")
    if len(values) <= _MANY:
        return listed
    names = ", ".join(literal(each) for each in values)
    compared = f"lambda name: {{'similarity': jaro_winkler_similarity({value}, name), 'name': name}}"
    near = f"list_sort(list_transform([{names}], {compared}), 'DESC')[1]"
    meant = (
        f"{literal(' is not known. Did you mean ')} || {literal(chr(39))} || {near}.name || {literal(chr(39) + '?')}"
    )
    return f"CASE WHEN {near}.similarity > {_SIMILAR} THEN {meant} ELSE {listed} END"


def missing(name: str, raw: str, value: str) -> tuple[str, str]:
    """The condition that a required value was not given and cannot be derived, and the reason."""
    return f"{value} IS NULL AND {raw} IS NULL", literal(f"{name}: is missing")


def reason(bad: str, checks: list[tuple[str, str]]) -> str:
    """All that is wrong with a row as one text, null for a good row; a row with `bad` gets only that."""
    # Building the text for every row would cost as much as reading it.
    any_of = " OR ".join(f"({condition})" for condition, _ in checks)
    sentences = ", ".join(f"CASE WHEN {condition} THEN {sentence} END" for condition, sentence in checks)
    return f"CASE WHEN {bad} IS NOT NULL THEN {bad} WHEN {any_of} THEN concat_ws('; ', {sentences}) END"


def same_case(column: Column, value: str) -> str:
    """A value in the letter case of the column's known values, synonyms replaced."""
    if not column.values:
        return value
    cased = f"lower({value})" if column.values[0].islower() else f"upper({value})"
    if not column.synonyms:
        return cased
    whens = " ".join(f"WHEN {literal(word)} THEN {literal(meant)}" for word, meant in column.synonyms)
    return f"CASE {cased} {whens} ELSE {cased} END"


def record(names: Mapping[str, str]) -> str:
    """The raw record, a JSON object of the input columns by name (their expressions as values)."""
    pairs = ", ".join(f"{literal(name)}, {expression}" for name, expression in names.items())
    return f"CAST(json_object({pairs}) AS VARCHAR)"


def _string(name: str, raw: Given) -> str:
    text, what = raw.expression, kind(raw.type)
    if what == "text":
        if not name.endswith("_id"):
            return text
        # Spreadsheets and data frames write a number column with gaps as 17850.0: as an id it is 17850.
        return (
            f"CASE WHEN {text} LIKE '%.0' AND TRY_CAST({text} AS DOUBLE) IS NOT NULL THEN {text}[:-3] ELSE {text} END"
        )
    if what in ("nested", "duration", "wide"):
        return "CAST(NULL AS VARCHAR)"
    if what in ("double", "single", "exact"):
        whole = f"TRY_CAST({text} AS HUGEINT)"
        shown = f"CASE WHEN {text} = {whole} THEN CAST({whole} AS VARCHAR) ELSE CAST({text} AS VARCHAR) END"
        return shown if what == "exact" else f"CASE WHEN isfinite({text}) THEN {shown} END"
    return f"CAST({text} AS VARCHAR)"


def _boolean(raw: Given) -> str:
    text, what = raw.expression, kind(raw.type)
    if what == "boolean":
        return text
    if what == "text":
        text = f"lower({text})"
        yes, no = (f"({', '.join(literal(each) for each in words)})" for words in (TRUE, FALSE))
        return f"CASE WHEN {text} IN {yes} THEN true WHEN {text} IN {no} THEN false END"
    if what in ("whole", "exact", "double", "single"):
        return f"CASE WHEN {text} = 1 THEN true WHEN {text} = 0 THEN false END"
    return "CAST(NULL AS BOOLEAN)"


def _number(text: str, what: str, options: FileOptions | None, sql_type: str, reader: str = "read_number") -> str:
    """A number as `sql_type`, null if it is not one or too large. The engine reads the plainest form and nothing
    else; any other is read by the grammar.
    """
    if what != "text":
        return f"TRY_CAST({text} AS {sql_type})"
    mark = options.decimal if options is not None else "."
    plain = f"CASE WHEN NOT contains({text}, '_') THEN {text} END"
    if mark == ",":
        plain = f"CASE WHEN NOT regexp_matches({text}, '[._]') THEN replace({text}, ',', '.') END"
    read = f"TRY_CAST({reader}({text}, {literal(mark)}) AS {sql_type})"
    if sql_type == "BIGINT":
        # The engine rounds here, and knows 0x1F and 1_000.
        return f"CASE WHEN regexp_full_match({text}, '[+-]?[0-9]+') THEN TRY_CAST({text} AS BIGINT) END"
    first = f"TRY_CAST({plain} AS {sql_type})"
    if sql_type == "DOUBLE":
        first = f"CASE WHEN isfinite({first}) THEN {first} END"
    return f"coalesce({first}, {read})"


def within(instant: str) -> str:
    """An instant, null outside of the supported years."""
    first, end = (f"TIMESTAMP '{bound:%Y-%m-%d}'" for bound in (EARLIEST, LATEST))
    return f"CASE WHEN {instant} >= {first} AND {instant} < {end} THEN {instant} END"


def _timestamp(raw: Given, options: FileOptions | None) -> str:
    zone = options.zone.name if options else "UTC"
    text, what = raw.expression, kind(raw.type)
    if what == "instant":
        return f"TRY_CAST({text} AS TIMESTAMP)"
    if raw.type == "TIMESTAMP_NS":
        # Truncated to microseconds, as texts are; a cast would round times before 1970 up.
        nanos = f"epoch_ns({text})"
        return _from_zone(f"make_timestamp(({nanos} - (({nanos} % 1000) + 1000) % 1000) // 1000)", zone)
    if what in ("time", "day"):
        return _from_zone(f"TRY_CAST({text} AS TIMESTAMP)", zone)
    unit = options.time_format if options is not None and options.time_format in EPOCHS else ""
    if what in ("whole", "exact", "double"):
        if unit:
            return f"read_epoch(CAST({text} AS VARCHAR), {literal(unit)})"
        # A whole number of eight digits is a day, as in texts.
        day = _from_zone(f"TRY_CAST(try_strptime(CAST({text} AS VARCHAR), '%Y%m%d') AS TIMESTAMP)", zone)
        return f"CASE WHEN {text} BETWEEN 10000101 AND 99991231 THEN {day} ELSE {_unix(text, what)} END"
    if what != "text":
        return "CAST(NULL AS TIMESTAMP)"
    if unit:
        is_count = f"regexp_full_match({text}, '-?[0-9]+([.][0-9]+)?')"
        return f"CASE WHEN {is_count} THEN read_epoch({text}, {literal(unit)}) END"
    if options is not None and options.time_format:
        read = f"TRY_CAST(try_strptime({text}, {literal(options.time_format)}) AS TIMESTAMP)"
        return read if "%z" in options.time_format.lower() else _from_zone(read, zone)
    # The engine reads the most common forms, several times as fast as the grammar.
    plain = _from_zone(f"TRY_CAST({text} AS TIMESTAMP)", zone)
    instant = f"CAST(TRY_CAST({text} AS TIMESTAMPTZ) AS TIMESTAMP)"
    common = f"CASE WHEN {text} LIKE '{_PLAIN}' OR {text} LIKE '{_DAY}' THEN {plain} "
    common += f"WHEN regexp_full_match({text}, {literal(_FULL)}) THEN {instant} "
    common += f"WHEN regexp_full_match({text}, {literal(_EPOCH)}) THEN {_unix(text)} END"
    return f"coalesce({common}, read_time({text}, {literal(zone)}))"


def _unix(number: str, what: str = "text") -> str:
    """Seconds, milli-, micro- or nanoseconds since 1970, distinguished by size: from 1973 to 2200 they do not
    overlap.
    """
    # A double can hold today's microseconds, but not nine decimal places after the seconds.
    exact = number if what == "double" else f"TRY_CAST({number} AS DECIMAL(28, 9))"
    cut = "round" if what == "double" else "floor"
    whens = " ".join(
        f"WHEN {exact} BETWEEN {10 ** (8 + digits)} AND {73 * 10 ** (8 + digits)} THEN "
        + (f"{cut}({exact} * {10 ** (6 - digits)})" if digits <= 6 else f"floor({exact} / 1000)")
        for digits in EPOCHS.values()
    )
    return f"make_timestamp(CAST(CASE {whens} END AS BIGINT))"


def _from_zone(wall: str, zone: str) -> str:
    """Naive local time as naive UTC: a repeated time is the first one, a skipped one is read with the offset before."""
    if zone == "UTC":
        return wall
    name = literal(zone)
    instant = f"timezone({name}, {wall})"
    # The engine takes the second of two; an earlier instant that shows the same wall clock is the first.
    whens = " ".join(
        f"WHEN timezone({name}, {instant} - INTERVAL {apart}) = {wall} THEN {instant} - INTERVAL {apart}"
        for apart in _REPEATS
    )
    return f"CAST(CASE {whens} ELSE {instant} END AS TIMESTAMP)"
