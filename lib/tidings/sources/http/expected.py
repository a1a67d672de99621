"""What counts as a valid response, stated with each request: type, structure, required fields, whether it may be empty.

A login page, an empty body, JSON of another structure or an error sent with status 200 are not valid. An empty list is
accepted only within the structure that the API gives to one, and an empty object only where its manual says so
(`is_sparse`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from tidings.errors import ResponseError
from tidings.sources.http.response import Response, excerpt

Kind = type | tuple[type, ...]
_NOT_JSON: Final = ("text/html", "application/xhtml", "image/", "audio/", "video/", "font/", "application/pdf")
_NAMES: Final = {dict: "object", list: "list", str: "text", int: "number", bool: "yes or no"}


class Expected(Protocol):
    """What a request expects."""

    def fault(self, response: Response) -> str:
        """Why the response is not valid, to be read after "cannot be used: "; empty if it is."""


@dataclass(frozen=True)
class JsonObject:
    """A JSON object that does not report an error.

    `has`: required fields; `may`: optional fields; both with the type of their value. `is_sparse`: the API leaves out
    empty fields, so `{}` means that there is nothing; but an object with none of the known fields has another
    structure.
    """

    has: Mapping[str, Kind] = field(default_factory=dict)
    may: Mapping[str, Kind] = field(default_factory=dict)
    is_sparse: bool = False

    def fault(self, response: Response) -> str:
        body, fault = _json(response)
        if fault:
            return fault
        if not isinstance(body, dict):
            return f"it is {_named(body)} where an object is expected"
        known = {**self.may, **self.has}
        for name in ("error", "errors"):
            if body.get(name) and name not in known:
                return f"it reports an error: {excerpt(response)}"
        if not body and not self.is_sparse:
            return "it is an empty object"
        if body and self.is_sparse and not any(name in body for name in known):
            return f"it holds none of {', '.join(known)}"
        for name in self.has:
            if name not in body:
                return f"it has no '{name}'"
        for name, kind in known.items():
            value = body.get(name)
            if name in body and not isinstance(value, kind) and not (value is None and name in self.may):
                return f"its '{name}' is {_named(value)}"
        return ""


@dataclass(frozen=True)
class JsonList:
    """A JSON list of objects; an empty one means that there is nothing."""

    def fault(self, response: Response) -> str:
        body, fault = _json(response)
        if fault:
            return fault
        if not isinstance(body, list):
            return (
                f"it reports an error: {excerpt(response)}" if _is_error(body) else f"it is {_named(body)}, not a list"
            )
        odd = next((each for each in body if not isinstance(each, dict)), None)
        return "" if odd is None and None not in body else f"its list holds {_named(odd)}"


@dataclass(frozen=True)
class File:
    """A file; whether it is complete, and has the right header, is checked on unpacking (`packed.py`)."""

    def fault(self, response: Response) -> str:
        if not response.body:
            return "it is empty"
        if response.type.startswith(("image/", "audio/", "video/", "font/")):
            return f"it is called {response.type}"
        if "json" in response.type or response.body.lstrip()[:1] == b"{":
            return f"it is JSON where a file is expected: {excerpt(response)}"
        return ""


@dataclass(frozen=True)
class Anything:
    """Any response: for callers that check it themselves, at once and in full."""

    def fault(self, response: Response) -> str:
        del response
        return ""


ANYTHING: Final = Anything()
OBJECT: Final = JsonObject()
"""A JSON object with something in it: the default expectation."""
LIST: Final = JsonList()
FILE: Final = File()


def _json(response: Response) -> tuple[Any, str]:
    if not response.body.strip():
        return None, "it is empty"
    if response.type.startswith(_NOT_JSON):
        return None, f"it is called {response.type}"
    try:
        return response.json(), ""
    except ResponseError:
        return None, f"it is not JSON ({len(response.body)} bytes)"


def _is_error(body: Any) -> bool:
    return isinstance(body, dict) and any(body.get(name) for name in ("error", "errors"))


def _named(value: Any) -> str:
    """The JSON type of a value, for a message."""
    if value is None:
        return "nothing (null)"
    kind, article = _NAMES.get(type(value), "number"), "an" if isinstance(value, dict) else "a"
    return f"an empty {kind}" if value in ({}, [], "") else f"{article} {kind}"
