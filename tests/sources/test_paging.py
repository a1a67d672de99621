"""Pages until there are no more, and never in a cycle."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.errors import ResponseError
from tidings.sources.http import paging
from tidings.sources.http.paging import pages


# Two equal pages count as a repeated one; empty ones occur now and then.
@given(st.lists(st.lists(st.integers()), min_size=1, unique_by=lambda rows: tuple(rows) or object()))
def test_all_pages_come_in_order_each_requested_once(said: list[list[int]]) -> None:
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
def test_a_cycle_is_left_with_an_error(following: dict[str | None, str], seen: list[str | None]) -> None:
    came = []
    with pytest.raises(ResponseError, match="The pages of the orders repeat in a cycle"):
        for page in pages(lambda cursor: cursor, lambda page: following[page], "orders"):
            came.append(page)
    assert came == seen, "earlier pages were passed on once"


def test_the_next_page_is_requested_when_it_is_needed() -> None:
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


@pytest.mark.parametrize(
    "page",
    [
        lambda rows, offset: rows,
        lambda rows, offset: (offset, rows),
        lambda rows, offset: (offset, {"rows": rows, "rowCount": 10**9}),
        lambda rows, offset: {"data": rows, "links": {"next": f"https://x.example/{offset}"}},
    ],
)
def test_a_server_that_does_not_go_on_is_found_out(page: Any) -> None:
    # It ignores the offset, and would return the same rows for ever.
    asked: list[int] = []

    def ask(offset: int | None) -> Any:
        asked.append(offset or 0)
        return page([{"x": "/a", "y": 1}, {"x": "/b", "y": 2}], offset)

    with pytest.raises(ResponseError, match="The pages of the paths repeat:"):
        list(pages(ask, lambda _: asked[-1] + 2, "paths"))
    assert asked == [0, 2]


def test_two_pages_in_turn_are_found_out() -> None:
    turns = iter([[1, 2], [3, 4], [1, 2]])
    numbers = iter(range(9))
    with pytest.raises(ResponseError, match="repeat:"):
        list(pages(lambda _: next(turns), lambda _: next(numbers)))


def test_a_list_without_an_end_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "MOST_PAGES", 7)
    numbers = iter(range(99))
    with pytest.raises(ResponseError, match=r"The list does not end after 7 pages"):
        list(pages(lambda _: [], lambda _: next(numbers)))
