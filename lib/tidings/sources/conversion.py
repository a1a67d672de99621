"""The SQL that turns input columns into a feed's typed columns, and says of each row what is wrong with it.

DuckDB is used as a parser only (decision 4): each function gives an expression, `tabular.py` puts them together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tidings.model import Column
from tidings.sources.mapping import FileOptions
from tidings.sources.reading import literal

_FLOATS = ("DOUBLE", "FLOAT", "DECIMAL")
_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "HUGEINT")
_EXPECTED = {
    "decimal": "a number",
    "float64": "a number",
    "int64": "a whole number",
    "boolean": "true or false",
    "timestamp": "a time as 2026-07-01T08:30:00+02:00 or Unix time (for others see `time_format`)",
}
_MANY = 12
_ALIKE = 0.85
_PLAIN = "____-__-_____:__:__"
_OFFSET = r":\d\d.*([Zz]|UTC|GMT|[+-]\d\d(:?\d\d)?)$"
# Wall clocks that come twice do so an hour apart, on Lord Howe Island half an hour.
_REPEATS = ("1 HOUR", "30 MINUTE")


@dataclass(frozen=True)
class Given:
    """What a feed column is read from: an expression over `c0` …, null where nothing was given, and its type."""

    expression: str
    type: str


def given(number: int, type_: str, default: str | None) -> Given:
    """An input column; text is trimmed, empty text and NaN are null, null is the default."""
    column = f"c{number}"
    if type_ == "VARCHAR":
        # Trimming every value would cost a third of the load, and hardly any needs it.
        column = f"nullif(CASE WHEN {column} LIKE ' %' OR {column} LIKE '% ' THEN trim({column}) ELSE {column} END, '')"
    elif type_ in ("DOUBLE", "FLOAT"):
        column = f"CASE WHEN NOT isnan({column}) THEN {column} END"
    if default is None:
        return Given(column, type_)
    text = column if type_ == "VARCHAR" else typed("string", "", Given(column, type_), None)
    return Given(f"coalesce({text}, {literal(default)})", "VARCHAR")


def constant(default: str | None) -> Given:
    """A feed column that no input column is mapped to."""
    return Given("NULL::VARCHAR" if default is None else literal(default), "VARCHAR")


def typed(type_: str, name: str, raw: Given, options: FileOptions | None) -> str:
    """The value of a feed column of Ibis type `type_`, null where it cannot be read as that."""
    base = type_.removeprefix("!").partition("(")[0]
    text, is_text = raw.expression, raw.type == "VARCHAR"
    if base == "string":
        return _string(name, raw)
    if base == "timestamp":
        return _timestamp(raw, options)
    if base == "boolean":
        return f"TRY_CAST({text} AS BOOLEAN)"
    if is_text and options is not None and options.decimal == ",":
        text = f"replace(replace({text}, '.', ''), ',', '.')"
    if base == "decimal":
        return f"TRY_CAST({text} AS {type_.removeprefix('!').upper()})"
    number = f"TRY_CAST({text} AS DOUBLE)"
    if base == "float64":
        return f"CASE WHEN isfinite({number}) THEN {number} END"
    # A cast would round 1.7 to 2.
    whole = f"coalesce(TRY_CAST({text} AS BIGINT), TRY_CAST({number} AS BIGINT))"
    return f"CASE WHEN {number} = trunc({number}) THEN {whole} END"


def wrong(name: str, column: Column, raw: str, value: str) -> list[tuple[str, str]]:
    """What can be wrong with a value that was given: conditions, each with the sentence on it."""
    base = column.type.removeprefix("!").partition("(")[0]
    checks = []
    if base != "string":
        checks.append((f"{raw} IS NOT NULL AND {value} IS NULL", literal(f" is not {_EXPECTED[base]}")))
    if column.values:
        known = ", ".join(literal(each) for each in column.values)
        checks.append((f"{value} NOT IN ({known})", _unknown(value, column.values)))
    if column.minimum is not None:
        checks.append((f"{value} < {column.minimum}", literal(f" is below {column.minimum:g}")))
    quote = literal("'")
    shown = f"{literal(name + ': ')} || {quote} || left(CAST({raw} AS VARCHAR), 80) || {quote} || "
    return [(condition, shown + sentence) for condition, sentence in checks]


def _unknown(value: str, values: Sequence[str]) -> str:
    """That a value is none of those known: which these are, or of many the one that is nearly the same."""
    listed = literal(f" is not one of {', '.join(values)}")
    if len(values) <= _MANY:
        return listed
    names = ", ".join(literal(each) for each in values)
    alike = f"lambda name: {{'alike': jaro_winkler_similarity({value}, name), 'name': name}}"
    near = f"list_sort(list_transform([{names}], {alike}), 'DESC')[1]"
    meant = (
        f"{literal(' is not known. Did you mean ')} || {literal(chr(39))} || {near}.name || {literal(chr(39) + '?')}"
    )
    return f"CASE WHEN {near}.alike > {_ALIKE} THEN {meant} ELSE {listed} END"


def missing(name: str, raw: str, value: str) -> tuple[str, str]:
    """The condition under which a required value was not given and cannot be derived, and the sentence on it."""
    return f"{value} IS NULL AND {raw} IS NULL", literal(f"{name}: is missing")


def reason(bad: str, checks: list[tuple[str, str]]) -> str:
    """All that is wrong with a row as one text, null for a good row; only `bad` is told of a row that has it."""
    # Building the text for every row would cost as much as reading it.
    any_of = " OR ".join(f"({condition})" for condition, _ in checks)
    sentences = ", ".join(f"CASE WHEN {condition} THEN {sentence} END" for condition, sentence in checks)
    return f"CASE WHEN {bad} IS NOT NULL THEN {bad} WHEN {any_of} THEN concat_ws('; ', {sentences}) END"


def same_case(column: Column, value: str) -> str:
    """A value in the letter case of the column's known values, and one of them where it is a synonym."""
    if not column.values:
        return value
    cased = f"lower({value})" if column.values[0].islower() else f"upper({value})"
    if not column.synonyms:
        return cased
    whens = " ".join(f"WHEN {literal(word)} THEN {literal(meant)}" for word, meant in column.synonyms)
    return f"CASE {cased} {whens} ELSE {cased} END"


def record(names: Mapping[str, str]) -> str:
    """The row as received, a JSON object of the input columns by name (their expressions as values)."""
    pairs = ", ".join(f"{literal(name)}, {expression}" for name, expression in names.items())
    return f"CAST(json_object({pairs}) AS VARCHAR)"


def _string(name: str, raw: Given) -> str:
    text = raw.expression
    if raw.type == "VARCHAR":
        if not name.endswith("_id"):
            return text
        # Spreadsheets and data frames write a number column with gaps as 17850.0: as an id it is 17850.
        return (
            f"CASE WHEN {text} LIKE '%.0' AND TRY_CAST({text} AS DOUBLE) IS NOT NULL THEN {text}[:-3] ELSE {text} END"
        )
    if raw.type.startswith(_FLOATS):
        whole = f"TRY_CAST({text} AS HUGEINT)"
        return f"CASE WHEN {text} = {whole} THEN CAST({whole} AS VARCHAR) ELSE CAST({text} AS VARCHAR) END"
    return f"CAST({text} AS VARCHAR)"


def _timestamp(raw: Given, options: FileOptions | None) -> str:
    zone = options.zone.name if options else "UTC"
    text = raw.expression
    if raw.type.startswith("TIMESTAMP WITH TIME ZONE"):
        return f"CAST({text} AS TIMESTAMP)"
    if raw.type.startswith(("TIMESTAMP", "DATE")):
        return _from_zone(f"CAST({text} AS TIMESTAMP)", zone)
    if raw.type.startswith((*_INTEGERS, *_FLOATS)):
        return _unix(f"CAST({text} AS DOUBLE)")
    if options is not None and options.time_format:
        read = f"CAST(try_strptime({text}, {literal(options.time_format)}) AS TIMESTAMP)"
        return read if "%z" in options.time_format.lower() else _from_zone(read, zone)
    compact = f"try_strptime({text}, '%Y%m%d')"
    number = f"TRY_CAST({text} AS DOUBLE)"
    # The common form, which has no room for an offset, is read seven times as fast as the general one.
    plain = _from_zone(f"TRY_CAST({text} AS TIMESTAMP)", zone)
    # The session's zone is UTC: a text without an offset is read as if it were UTC.
    instant = f"CAST(TRY_CAST({text} AS TIMESTAMPTZ) AS TIMESTAMP)"
    if zone != "UTC":
        wall = _from_zone(instant, zone)
        instant = f"CASE WHEN regexp_matches({text}, {literal(_OFFSET)}) THEN {instant} ELSE {wall} END"
    # What the engine wants before an offset: seconds, and no space.
    full = rf"regexp_replace({text}, '\s+([+-]\d\d)', '\1')"
    full = rf"regexp_replace({full}, '([T ]\d\d:\d\d)([Zz+-])', '\1:00\2')"
    spaced = f"CAST(TRY_CAST({full} AS TIMESTAMPTZ) AS TIMESTAMP)"
    other = f"CASE WHEN {number} IS NULL THEN {spaced} WHEN length({text}) = 8 THEN {_from_zone(compact, zone)} "
    other += f"ELSE {_unix(number)} END"
    return f"CASE WHEN {text} LIKE '{_PLAIN}' THEN {plain} ELSE coalesce({instant}, {other}) END"


def _unix(number: str) -> str:
    """Seconds, milliseconds or microseconds since 1970, told apart by size; from 1973 on, lest a year be one."""
    micros = f"CASE WHEN {number} < 1e8 THEN NULL WHEN {number} < 1e11 THEN {number} * 1e6 "
    micros += f"WHEN {number} < 1e14 THEN {number} * 1e3 WHEN {number} < 1e17 THEN {number} END"
    return f"make_timestamp(CAST(round({micros}) AS BIGINT))"


def _from_zone(wall: str, zone: str) -> str:
    """Naive local time as naive UTC: the first of a time that comes twice, a skipped one with the offset before."""
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
