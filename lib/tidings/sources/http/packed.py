"""Files of an API: decompressed up to a size limit, read by the names in their header."""

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
    """The content of a gzip file; any other file as it is.

    Raises:
        ResponseError: it is damaged or truncated, or its content is too large.
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
        ResponseError: it is damaged or truncated, does not hold exactly one table, or one that is too large.
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
    """The rows of a table by the names in its header; a row of another length gets the reason under `UNUSABLE`.

    `needs`: names, lower case, of which the header must have at least one; otherwise it is another table.

    Raises:
        ResponseError: the header is another one, or truncated.
    """
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    )
    try:
        head = [" ".join(name.split()) for name in next(reader, [])]
        is_known = not needs or any(name.lower() in needs for name in head)
        if not is_known or "\n" not in text:
            why = (
                "it is empty"
                if not head
                else "its header is cut off"
                if is_known
                else f"its header has no '{needs[0]}'"
            )
            raise ResponseError(
                f"{what} is not a table that Tidings knows: {why}.", "Nothing was landed of it; pull again."
            )
        for cells in reader:
            if not cells:
                continue
            row = {name: cell.strip() for name, cell in zip(head, cells, strict=False) if name}
            if len(cells) < len(head) or any(cell.strip() for cell in cells[len(head) :]):
                row[UNUSABLE] = f"it has {len(cells)} cells, its header {len(head)}"
            yield row
    except csv.Error as error:
        raise ResponseError(f"{what} cannot be read as a table: {error}.", "Pull again.") from error
