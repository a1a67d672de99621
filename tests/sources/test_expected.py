"""What counts as a valid response, and what does not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.errors import ResponseError, TidingsError, printable
from tidings.sources.http.expected import FILE, LIST, OBJECT, JsonObject
from tidings.sources.http.response import Response

ROWS = JsonObject(has={"rows": list}, may={"next": str})
SPARSE = JsonObject(may={"rows": list}, is_sparse=True)


def response(content: Any, type_: str = "application/json") -> Response:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Response(200, {"Content-Type": type_}, body, "x")


@pytest.mark.parametrize(
    ("expected", "content", "fault"),
    [
        (OBJECT, {"a": 1}, ""),
        (OBJECT, {}, "it is an empty object"),
        (OBJECT, [], "it is an empty list where an object is expected"),
        (OBJECT, None, "it is nothing (null) where an object is expected"),
        (OBJECT, "", "it is an empty text where an object is expected"),
        (OBJECT, b"", "it is empty"),
        (OBJECT, b" \n", "it is empty"),
        (OBJECT, b'{"a": 1', "it is not JSON (7 bytes)"),
        (OBJECT, {"error": {"message": "later"}, "rows": []}, "it reports an error: later"),
        (OBJECT, {"errors": ["later"]}, "it reports an error: "),
        # Some APIs report explicitly that nothing went wrong.
        (OBJECT, {"error": None, "a": 1}, ""),
        (ROWS, {"rows": []}, ""),
        (ROWS, {"rows": [], "next": None}, ""),
        (ROWS, {"rows": {}}, "its 'rows' is an empty object"),
        (ROWS, {"rows": None}, "its 'rows' is nothing (null)"),
        (ROWS, {"data": []}, "it has no 'rows'"),
        (ROWS, {"rows": [], "next": 7}, "its 'next' is a number"),
        # It leaves out empty fields: an empty object is valid, another structure is not.
        (SPARSE, {}, ""),
        (SPARSE, {"hello": 1}, "it holds none of rows"),
        (SPARSE, [], "it is an empty list where an object is expected"),
        (LIST, [], ""),
        (LIST, [{"x": 1}], ""),
        (LIST, [{"x": 1}, None], "its list holds nothing (null)"),
        (LIST, {}, "it is an empty object, not a list"),
        (LIST, {"error": "later"}, "it reports an error: later"),
        (FILE, b"", "it is empty"),
        (FILE, {"error": "later"}, "it is JSON where a file is expected: later"),
    ],
)
def test_what_is_a_valid_response(expected: Any, content: Any, fault: str) -> None:
    said = expected.fault(response(content))
    assert said.startswith(fault) if fault else said == ""


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_whatever_comes_is_taken_or_told_in_a_text_that_can_be_printed(content: Any) -> None:
    for expected in (OBJECT, ROWS, SPARSE, LIST, FILE):
        fault = expected.fault(response(content))
        assert isinstance(fault, str)
        str(TidingsError(fault)).encode()
        # Only the field with the rows is taken for rows.
        if expected is ROWS and not fault:
            assert isinstance(content["rows"], list)


def test_halves_of_characters_are_mended_where_they_come_in() -> None:
    said = response(b'{"a": ["x \\ud83d", {"\\udc00": "\\ud83d\\ude00"}]}').json()
    assert said == {"a": ["x ?", {"?": "\U0001f600"}]}
    # The bytes of a lone surrogate, as some databases write them.
    assert response(b'{"a": "\xed\xa0\xbd"}').json() == {"a": "?"}


@given(st.text(st.characters()))
def test_whatever_is_said_can_be_printed(text: str) -> None:
    shown = str(TidingsError(f"{text}\ud83d\x1b[31m\u202e"))
    shown.encode()
    assert not set(shown) & {"\x1b", "\u202e", "\ud83d", "\x00"}
    assert printable(printable(text)) == printable(text)


@pytest.mark.parametrize(
    ("body", "type_", "title"),
    [
        (b"<!DOCTYPE html><title>Sign  in</title>", "", "Sign in"),
        (b"\n<!-- x -->\n<html><h1>Blocked <b>now</b></h1>", "text/plain", "Blocked now"),
        (b"\xef\xbb\xbf<HTML>", "application/json", ""),
        (b"Sign in", "text/html; charset=utf-8", ""),
        (b'{"html": "<html>"}', "application/json", None),
        (b"<Error><Code>Expired</Code></Error>", "application/xml", None),
    ],
)
def test_a_page_is_known_by_how_it_begins(body: bytes, type_: str, title: str | None) -> None:
    assert Response(200, {"Content-Type": type_}, body, "x").page == title


def test_not_json_is_reported() -> None:
    with pytest.raises(ResponseError, match="did not respond with JSON"):
        response(b"no").json()
