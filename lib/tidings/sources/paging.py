"""Paging: asking on and on until a server says that there is no more, and never in a circle."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import Any, TypeVar

from tidings.errors import AnswerError

Cursor = TypeVar("Cursor", bound=Hashable)


def pages(
    ask: Callable[[Cursor | None], Any], following: Callable[[Any], Cursor | None], what: str = "list"
) -> Iterator[Any]:
    """The pages of a list: `ask(None)` gives the first, `following(page)` the cursor of the next, None at the end.

    A server that repeats rows on two pages does no harm (staging keeps one per key); one that gives a cursor twice
    would never end.

    Raises:
        AnswerError: a cursor came twice.
    """
    cursor: Cursor | None = None
    seen: set[Cursor] = set()
    while True:
        page = ask(cursor)
        yield page
        cursor = following(page)
        if cursor is None:
            return
        if cursor in seen:
            raise AnswerError(f"The pages of the {what} go round in a circle.", "Nothing was landed of it; pull again.")
        seen.add(cursor)
