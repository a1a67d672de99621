"""Paging until a server says that there is no more, and never for ever."""

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
    """The pages of a list: `ask(None)` returns the first, `following(page)` the next cursor, None at the end.

    A server that repeats some rows on two pages does no harm (staging keeps one per key). One that returns a cursor
    twice, or the same rows for another cursor because it does not know the parameter, would never end.

    Raises:
        ResponseError: a cursor or a whole page was repeated, or there are more pages than any list has.
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
                f"The pages of the {what} repeat: the server does not continue where it should.",
                "Nothing was landed of it; check base_url, and look for a newer version of the server or of Tidings.",
            )
        reported.add(digest)
        yield page
        cursor = following(page)
        if cursor is None:
            return
        if cursor in seen:
            raise ResponseError(f"The pages of the {what} repeat in a cycle.", "Nothing was landed of it; pull again.")
        seen.add(cursor)
    raise ResponseError(f"The {what} does not end after {MOST_PAGES:,} pages.", "Nothing was landed of it; pull again.")


def _rows(page: Any) -> list[Any]:
    """The content of a page without its cursors: everything in its lists, at any depth."""
    if isinstance(page, Mapping):
        return [row for value in page.values() if isinstance(value, list | Mapping) for row in _rows(value)]
    if isinstance(page, tuple):
        return [row for value in page for row in _rows(value)]
    return page if isinstance(page, list) else []
