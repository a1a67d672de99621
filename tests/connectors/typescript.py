"""Types of TypeScript declarations, as generated from an OpenAPI document, and values held against them.

Read is what such generators write: object types, arrays, unions, intersections, literals and names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_TOKEN = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|[\w$.]+|[{}\[\]()<>|&;:,?]")
_PRIMITIVES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
    "undefined": (type(None),),
    "Blob": (object,),
    "File": (object,),
    "unknown": (object,),
    "any": (object,),
}


@dataclass(frozen=True)
class Fields:
    """An object; `is_open`: it may have others than these."""

    fields: Mapping[str, Any]
    is_open: bool = False


@dataclass(frozen=True)
class Items:
    """A list."""

    of: Any


@dataclass(frozen=True)
class Several:
    """One of several types, or with `is_all` all of them at once."""

    types: tuple[Any, ...]
    is_all: bool = False


@dataclass(frozen=True)
class Constant:
    """A text, number or truth value of its own."""

    value: Any


@dataclass(frozen=True)
class Name:
    """Another type by its name."""

    name: str


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = _TOKEN.findall(_COMMENT.sub("", text))
        self._at = 0

    def _next(self) -> str:
        self._at += 1
        return str(self._tokens[self._at - 1])

    def _is(self, token: str) -> bool:
        """Take a token if it is the next one."""
        found = self._at < len(self._tokens) and self._tokens[self._at] == token
        self._at += found
        return found

    def type(self) -> Any:
        self._is("|")
        found = [self._several()]
        while self._is("|"):
            found.append(self._several())
        return found[0] if len(found) == 1 else Several(tuple(found))

    def _several(self) -> Any:
        found = [self._one()]
        while self._is("&"):
            found.append(self._one())
        return found[0] if len(found) == 1 else Several(tuple(found), is_all=True)

    def _one(self) -> Any:
        found = self._plain()
        while self._is("["):
            if self._is("]"):
                found = Items(found)
                continue
            # A member of a type, as in components['schemas']['App']: known by its own name.
            found = Name(_unquoted(self._next()))
            assert self._is("]")
        return found

    def _plain(self) -> Any:
        token = self._next()
        if token == "readonly":
            return self._one()
        if token == "(":
            found = self.type()
            assert self._is(")")
            return found
        if token == "{":
            return self._object()
        if token == "[":
            of = []
            while not self._is("]"):
                of.append(self.type())
                self._is(",")
            return Items(Several(tuple(of)))
        if token[0] in "'\"":
            return Constant(_unquoted(token))
        if token in ("true", "false"):
            return Constant(token == "true")
        if re.fullmatch(r"\d+(\.\d+)?", token):
            return Constant(float(token))
        if self._is("<"):
            inner = [self.type()]
            while self._is(","):
                inner.append(self.type())
            assert self._is(">")
            return Items(inner[0]) if token in ("Array", "ReadonlyArray") else Fields({}, is_open=True)
        return Name(token)

    def _object(self) -> Fields:
        fields: dict[str, Any] = {}
        is_open = False
        while not self._is("}"):
            self._is("readonly")
            token = self._next()
            if token == "[":
                # Any name, as in [key: string].
                while not self._is("]"):
                    self._at += 1
                is_open = True
            self._is("?")
            assert self._is(":"), self._tokens[self._at - 3 : self._at + 3]
            of = self.type()
            if token != "[":
                fields[_unquoted(token)] = of
            _ = self._is(";") or self._is(",")
        return Fields(fields, is_open)


def _unquoted(token: str) -> str:
    return token[1:-1] if token[0] in "'\"" else token


def parse(text: str) -> Any:
    """The type that a text writes."""
    return _Parser(text).type()


def named(text: str, beginning: str, indent: int = 0) -> Iterator[tuple[str, str]]:
    """Names and texts of declarations that begin with this and end with a line as far in as they begin."""
    space = " " * indent
    pattern = rf"^{space}{beginning}([\w$]+)(?: =|:) (\{{\n.*?^{space}\}}(?:\[\])?|[^\n{{]*);$"
    return ((match[1], match[2]) for match in re.finditer(pattern, text, re.DOTALL | re.MULTILINE))


def unknown(value: Any, of: Any, known: Callable[[str], Any], where: str) -> Iterator[str]:
    """What of a value a type does not know: names of fields, values of enumerations, kinds of values.

    `known` gives a type by its name.
    """
    if isinstance(of, Name):
        if of.name == "never":
            yield f"{where}: there is none"
        elif of.name not in _PRIMITIVES:
            yield from unknown(value, known(of.name), known, where)
        elif not isinstance(value, _PRIMITIVES[of.name]):
            yield f"{where} = {value!r} is no {of.name}"
    elif isinstance(of, Constant):
        if value != of.value:
            yield f"{where} = {value!r}"
    elif isinstance(of, Items):
        if not isinstance(value, list):
            yield f"{where} is no list"
            return
        for each in value:
            yield from unknown(each, of.of, known, f"{where}[]")
    elif isinstance(of, Several) and not of.is_all:
        yield from min((list(unknown(value, each, known, where)) for each in of.types), key=len)
    else:
        whole = fields_of(of, known)
        if not isinstance(value, Mapping):
            yield f"{where} = {value!r} is no object"
            return
        for name, inner in value.items():
            if name in whole.fields:
                yield from unknown(inner, whole.fields[name], known, f"{where}.{name}")
            elif not whole.is_open:
                yield f"{where}.{name}"


def fields_of(of: Any, known: Callable[[str], Any]) -> Fields:
    """All fields of an object type, of several put together, or of none."""
    if isinstance(of, Fields):
        return of
    if isinstance(of, Several) and of.is_all:
        partitions = [fields_of(each, known) for each in of.types]
        fields = {name: inner for partition in partitions for name, inner in partition.fields.items()}
        return Fields(fields, any(partition.is_open for partition in partitions))
    if isinstance(of, Name) and of.name not in ("never", *_PRIMITIVES):
        return fields_of(known(of.name), known)
    return Fields({})
