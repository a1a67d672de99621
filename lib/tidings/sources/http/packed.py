"""Files of an API: unpacked to their end and no further than a limit, read by the names in their head."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator, Sequence

from tidings.errors import ResponseError
from tidings.sources.http import transport
from tidings.sources.records import UNUSABLE

GZIP = b"\x1f\x8b"
_DAMAGED = (OSError, EOFError, zlib.error, zipfile.BadZipFile, ValueError, KeyError, RuntimeError, NotImplementedError)


def gunzipped(body: bytes, what: str) -> bytes:
    """What a gzip file holds; a file that is none as it is.

    Raises:
        AnswerError: it is damaged or cut off, or what it holds is too large.
    """
    if not body.startswith(GZIP):
        return body
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(body)) as file:
            content = file.read(transport.MOST_BYTES + 1)
    except _DAMAGED as error:
        raise ResponseError(f"{what} is damaged or cut off.", "Pull again.") from error
    return _bounded(content, what)


def unzipped(body: bytes, what: str) -> bytes:
    """The one table in a zip file.

    Raises:
        AnswerError: it is damaged or cut off, holds not one table, or one that is too large.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as packed:
            (inside,) = [each for each in packed.namelist() if each.lower().endswith(".csv")]
            with packed.open(inside) as file:
                content = file.read(transport.MOST_BYTES + 1)
    except _DAMAGED as error:
        raise ResponseError(f"{what} is damaged or cut off.", "Pull again.") from error
    return _bounded(content, what)


def _bounded(content: bytes, what: str) -> bytes:
    if len(content) > transport.MOST_BYTES:
        raise ResponseError(
            f"{what} is larger than {transport.MOST_BYTES >> 20} MB when it is unpacked.",
            "It was not read. If it is right, tell us how large it is.",
        )
    return content


def rows(
    text: str, what: str, delimiter: str, *, needs: Sequence[str] = (), quoted: bool = True
) -> Iterator[dict[str, str]]:
    """The rows of a table by the names in its head; one that is not as long as the head says so under `UNUSABLE`.

    `needs`: names, lower case, of which the head of such a table has one at least; else it is something else.

    Raises:
        AnswerError: the head is another, or cut off.
    """
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    )
    try:
        head = [" ".join(name.split()) for name in next(reader, [])]
        is_known = not needs or any(name.lower() in needs for name in head)
        if not is_known or "\n" not in text:
            why = "it is empty" if not head else "its head is cut off" if is_known else f"its head has no '{needs[0]}'"
            raise ResponseError(
                f"{what} is no table that Tidings knows: {why}.", "Nothing was landed of it; pull again."
            )
        for cells in reader:
            if not cells:
                continue
            row = {name: cell.strip() for name, cell in zip(head, cells, strict=False) if name}
            if len(cells) < len(head) or any(cell.strip() for cell in cells[len(head) :]):
                row[UNUSABLE] = f"it has {len(cells)} cells, its head {len(head)}"
            yield row
    except csv.Error as error:
        raise ResponseError(f"{what} cannot be read as a table: {error}.", "Pull again.") from error
