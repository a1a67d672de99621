"""Options: a table of the settings as a typed struct, or a sentence on the key that cannot be used (decision 17).

What a key is for stands as a text in the annotation of its field. A `Meta` may say more there: bounds, as `title` what
a value must be, as `examples` how it is written, and in `extra` the names `known` that can be chosen, and a function to
`prepare` a value before it is checked.
"""

from __future__ import annotations

import functools
import json
import zoneinfo
from collections.abc import Callable, Collection, Mapping
from datetime import date, time
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

import msgspec
from msgspec import Meta

from tidings.errors import SettingsError, suggest

_SHOWN = 80


class Options(msgspec.Struct, frozen=True):
    """One kind of table: a field for each of its keys. One without a default is required."""


T = TypeVar("T", bound=Options)


def known(names: Collection[str] | Callable[[], Collection[str]]) -> Meta:
    """The names that can be chosen; a function where they are not at hand when a module is imported."""
    return Meta(extra={"known": names})


def _as_list(given: Any) -> Any:
    return [given] if isinstance(given, str) else given


def _as_code(given: Any) -> Any:
    return given.upper() if isinstance(given, str) else given


OptionalText = Annotated[str, Meta(title="text", examples=['"…"'])]
"""Text; empty is as if it were not given."""
Text = Annotated[OptionalText, Meta(pattern=r"\S")]
Texts = Annotated[tuple[Text, ...], Meta(title="a text or a list of texts", extra={"prepare": _as_list})]
SomeTexts = Annotated[Texts, Meta(min_length=1, title="a text or a list of one or more", examples=['"…"'])]
Whole = Annotated[int, Meta(ge=0, title="a whole number from 0 on")]
Currency = Annotated[
    str, Meta(pattern=r"^[A-Z]{3}\Z", title="an ISO code", examples=['"EUR"'], extra={"prepare": _as_code})
]
ZoneName = Annotated[
    str,
    Meta(title="an IANA time zone", examples=['"Europe/Berlin"']),
    known(functools.cache(zoneinfo.available_timezones)),
]
# What a value of a plain type must be, and how one is written.
_PLAIN: Mapping[Any, tuple[str, str]] = {
    bool: ("true or false", "true"),
    int: ("a whole number", "1"),
    float: ("a number", "1"),
    date: ("a date", '"2026-07-01"'),
    dict: ("a table", "{ … }"),
    tuple: ("a list of texts", '["…", "…"]'),
}


def read_options(where: str, table: Mapping[str, Any], kind: type[T]) -> T:
    """The options that a table holds; `where` names it in sentences. A key that is null counts as not given.

    Raises:
        SettingsError: a key is not known, a required one is missing, or a value is not what its key takes.
    """
    # A key that is a word of Python's, as `for`, has a field of another name.
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    for key in table:
        if key not in fields:
            raise SettingsError(f"{where} has an unknown key '{key}'.", suggest(key, fields))
    values = {}
    for key, field in fields.items():
        if table.get(key) is not None:
            values[field.name] = _value(where, key, table[key], field.type)
        elif field.required:
            said = _said(field.type)
            raise SettingsError(f"{where} has no {key}.", f"{_write(key, said)}: {said['help']}.")
    return kind(**values)


def _value(where: str, key: str, given: Any, hint: Any) -> Any:
    """One value, checked."""
    said = _said(hint)
    prepared = said["prepare"](given) if "prepare" in said else given
    try:
        value = msgspec.convert(prepared, hint)
    except msgspec.ValidationError:
        base = hint.__origin__ if get_origin(hint) is Annotated else hint
        if get_origin(base) is dict and isinstance(prepared, dict):
            # The library does not say which entry it was.
            for name, inner in prepared.items():
                _value(where, f"{key}.{name}", inner, get_args(base)[1])
        raise SettingsError(
            f"{where} {key} must be {said['title']}, not {_shown(given)}.", f"{_write(key, said)}."
        ) from None
    names = said.get("known", ())
    names = names() if callable(names) else names
    for name in value if isinstance(value, tuple) else (value,):
        if names and name not in names:
            raise SettingsError(f"{where} {key} names '{name}', which is not known here.", suggest(name, names))
    return value


def _said(hint: Any) -> dict[str, Any]:
    """What stands at a type: the outer over the inner, and by default what its plain type is called."""
    base, inner = get_origin(hint) or hint, get_args(hint)
    if base is Literal:
        return {"title": " or ".join(map(json.dumps, inner)), "examples": [json.dumps(inner[0])]}
    if base in _PLAIN:
        return {"title": _PLAIN[base][0], "examples": [_PLAIN[base][1]]}
    if base is not Annotated:
        return {name: what for each in inner for name, what in _said(each).items()}
    said = _said(hint.__origin__)
    for note in hint.__metadata__:
        if isinstance(note, str):
            said["help"] = note
        else:
            given = {"title": note.title, "examples": note.examples, **(note.extra or {})}
            said |= {name: what for name, what in given.items() if what}
    return said


def _write(key: str, said: Mapping[str, Any]) -> str:
    return f"Write {key.rpartition('.')[2]} = {said['examples'][0]}"


def _shown(given: Any) -> str:
    text = str(given) if isinstance(given, date | time) else repr(given)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
