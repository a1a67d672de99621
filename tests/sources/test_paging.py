"""Pages until there are no more, and never in a circle."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.errors import AnswerError
from tidings.sources.paging import pages


@given(st.lists(st.lists(st.integers()), min_size=1))
def test_all_pages_come_in_order_each_asked_for_once(said: list[list[int]]) -> None:
    asked: list[int | None] = []

    def ask(cursor: int | None) -> Any:
        asked.append(cursor)
        number = cursor or 0
        return {"rows": said[number], "next": number + 1 if number + 1 < len(said) else None}

    found = [page["rows"] for page in pages(ask, lambda page: page["next"])]
    assert found == said
    assert asked == [None, *range(1, len(said))]


@pytest.mark.parametrize(
    ("following", "seen"),
    [
        ({None: "a", "a": "a"}, [None, "a"]),
        ({None: "a", "a": "b", "b": "a"}, [None, "a", "b"]),
    ],
)
def test_a_circle_is_left_with_an_error(following: dict[str | None, str], seen: list[str | None]) -> None:
    came = []
    with pytest.raises(AnswerError, match="The pages of the orders go round in a circle"):
        for page in pages(lambda cursor: cursor, lambda page: following[page], "orders"):
            came.append(page)
    assert came == seen, "what came before was handed over once"


def test_the_next_page_is_asked_for_when_it_is_wanted() -> None:
    asked: list[int | None] = []

    def ask(cursor: int | None) -> int:
        asked.append(cursor)
        return (cursor or 0) + 1

    found = pages(ask, lambda page: page)
    next(found)
    assert asked == [None]
    next(found)
    assert asked == [None, 1]


def test_zero_and_empty_text_are_cursors() -> None:
    following = iter([0, "", None])
    assert list(pages(lambda cursor: cursor, lambda page: next(following))) == [None, 0, ""]
