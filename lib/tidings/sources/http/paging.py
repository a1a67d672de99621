"""Paging: asking on and on until a server says that there is no more, and never for ever."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any, Final, TypeVar

from tidings.errors import ResponseError

MOST_PAGES: Final = 20_000
Cursor = TypeVar("Cursor", bound=Hashable)


def pages(
    ask: Callable[[Cursor | None], Any], following: Callable[[Any], Cursor | None], what: str = "list"
) -> Iterator[Any]:
    """The pages of a list: `ask(None)` gives the first, `following(page)` the cursor of the next, None at the end.

    A server that repeats some rows on two pages does no harm (staging keeps one per key). One that gives a cursor
    twice, or the same rows for another cursor, as it does not know the parameter, would never end.

    Raises:
        AnswerError: a cursor or a whole page came twice, or there are more pages than any list has.
    """
    cursor: Cursor | None = None
    seen: set[Cursor] = set()
    reported: set[bytes] = set()
    for _ in range(MOST_PAGES):
        page = ask(cursor)
        rows = _rows(page)
        digest = hashlib.sha256(repr(rows).encode("utf-8", "replace")).digest()
        if rows and digest in reported:
            raise ResponseError(
                f"The pages of the {what} repeat themselves: the server does not go on where it is asked to.",
                "Nothing was landed of it; check base_url, and look for a newer version of the server or of Tidings.",
            )
        reported.add(digest)
        yield page
        cursor = following(page)
        if cursor is None:
            return
        if cursor in seen:
            raise ResponseError(
                f"The pages of the {what} go round in a circle.", "Nothing was landed of it; pull again."
            )
        seen.add(cursor)
    raise ResponseError(f"The {what} does not end after {MOST_PAGES:,} pages.", "Nothing was landed of it; pull again.")


def _rows(page: Any) -> list[Any]:
    """What a page holds beside its cursors: all that is in its lists, however deep they are in it."""
    if isinstance(page, Mapping):
        return [row for value in page.values() if isinstance(value, list | Mapping) for row in _rows(value)]
    if isinstance(page, tuple):
        return [row for value in page for row in _rows(value)]
    return page if isinstance(page, list) else []
