"""One page, one path: page names of other tools are normalised by the same function."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidings.enrich.paths import normalised, page_name
from tidings.enrich.redaction import redacted


def test_spellings_of_a_page_are_added_up() -> None:
    rows = [{"x": "/gr%C3%B6%C3%9Fe", "y": 3}, {"x": "/größe/", "y": 4}, {"x": "/a", "y": 1}]
    assert redacted(rows, "x", "y", written=page_name) == [{"x": "/größe", "y": 7}, {"x": "/a", "y": 1}]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("/gr%c3%b6%c3%9fe/?q=%C3%B6", "/größe?q=%C3%B6"),  # the query stays: its visitors do not add up
        ("/u/jo%40x.example", "/u/[email]"),
        ("(not set)", "(not set)"),  # what Google calls the unknown
        ("/", "/"),
    ],
)
def test_page_names(name: str, expected: str) -> None:
    assert page_name(name) == expected


@settings(deadline=None)
@given(st.text(alphabet=st.sampled_from("/%aZ09ößC3b6fF .?#{}+~\u200b")))
def test_normalising_again_changes_nothing(path: str) -> None:
    assert normalised(normalised(path)) == normalised(path)
