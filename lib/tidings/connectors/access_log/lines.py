"""Lines of a web server's log, common or combined format: bytes in, fields out, many lines at a time."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tidings.connectors.access_log.formats import Formats
from tidings.errors import SourceError

_CODECS: Final = {".gz": "gzip", ".zst": "zstd"}
_MAGIC: Final = {"gzip": b"\x1f\x8b", "zstd": b"\x28\xb5\x2f\xfd"}
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
_BLOCK: Final = 1 << 25
_PEEK: Final = 1 << 16
_HEAD: Final = 1 << 21
_LONGEST: Final = 1 << 26
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_FIRST, _END = 1900, 2200

_QUOTED: Final = r'[^"\\]*(?:\\.[^"\\]*)*'
# nginx writes the upstream in brackets; a time there starts another line.
_FIELD: Final = r'(?:[^\s"\[]\S*|\[[^\s/\]]*\])'
_OFFSET: Final = r"(?:Z|[+-]\d{2}:?\d{2})"
_CLOCK: Final = r"\d{2}:\d{2}:\d{2}(?:[.,]\d{1,9})?"
# The fields before the time are parsed in `clients.py`, once per distinct value. Many servers append fields of their
# own.
_LINE: Final = (
    r"^ *(?P<who>[^\s{].*?) "
    rf"\[(?P<time>\d{{1,2}}/\w{{3}}/\d{{4}}:{_CLOCK} {_OFFSET}|\d{{4}}-\d{{2}}-\d{{2}}T{_CLOCK}{_OFFSET})\] "
    rf'"(?P<request>{_QUOTED})" (?P<status>\d{{3}}|-) (?P<bytes>\d{{1,18}}|-)'
    rf"(?P<tail>(?: {_FIELD})*"
    rf'(?: "(?P<referrer>{_QUOTED})" "(?P<agent>{_QUOTED})"(?: (?:"{_QUOTED}"|{_FIELD}))*)?) *$'
)
_FORWARDED: Final = r' "(?P<list>[0-9A-Fa-f:.,\[\] ]*[0-9A-Fa-f][.:][0-9A-Fa-f:.,\[\] ]+)"(?: [^"]*)?$'


@dataclass(frozen=True)
class Lines:
    """A chunk of a log: `text` without line ends, `first` the 1-based number of its first line.

    `read` is how many of the `size` bytes on disk have been consumed.
    """

    text: pa.StringArray
    first: int
    read: int
    size: int


def read_lines(path: Path) -> Iterator[Lines]:
    """The lines of a log, plain, `.gz` or `.zst`, in chunks of about 32 MB. Bytes that are not UTF-8 become `\\xhh`.

    Raises:
        SourceError: the file is missing, does not match its name, is truncated, or has no line ends.
    """
    size, number, rest = path.stat().st_size, 1, b""
    with _opened(path) as (stream, raw):
        while block := stream.read(_BLOCK):
            data = rest + block
            cut = data.rfind(b"\n") + 1
            rest = data[cut:]
            if len(rest) > _LONGEST:
                raise SourceError(
                    f"{path.name} has no line end within {_LONGEST >> 20} MB: it is not a log.",
                    "Name the server's access log.",
                )
            if cut:
                text = _split(data[:cut])
                yield Lines(text, number, raw.tell(), size)
                number += len(text)
        if rest:
            yield Lines(_split(rest), number, size, size)


def first_lines(path: Path, count: int) -> tuple[Lines, bool]:
    """The first lines of a log, and whether that is all of them.

    Raises:
        SourceError: as in `read_lines`.
    """
    with _opened(path) as (stream, raw):
        data = stream.read(_HEAD)
        more = stream.read(1)
        read = raw.tell()
    text = _split(data if not more else data[: data.rfind(b"\n") + 1])
    return Lines(text[:count], 1, read, path.stat().st_size), not more and len(text) <= count


def fields(text: pa.StringArray, formats: Formats) -> tuple[pa.StringArray, pa.StructArray]:
    """The lines in combined format (directives empty), and their fields.

    The fields of an unreadable line are null; `tail` is what follows the size.
    """
    parsed = pc.extract_regex(text, _LINE)
    if not parsed.null_count:
        return text, parsed
    odd = pc.and_(pc.is_null(parsed), pc.not_equal(pc.utf8_trim_whitespace(text), ""))
    lines = text.filter(odd).to_pylist()
    read = [formats.rewritten(line) for line in lines]
    if all(new is None for new in read):
        return text, parsed
    known = [line if new is None else new for line, new in zip(lines, read, strict=True)]
    text = pc.replace_with_mask(text, odd, pa.array(known, pa.string()))
    return text, pc.extract_regex(text, _LINE)


def forwarded(tail: pa.StringArray) -> pa.StringArray:
    """The list of addresses in the last quotes of a line, where nginx's `main` format has it; empty if none."""
    return pc.extract_regex(tail, _FORWARDED).field("list")


def instants(time: pa.StringArray) -> pa.Array:
    """`17/May/2015:10:05:03 +0200` as a naive UTC timestamp; null if it is not a date."""
    encoded = time.dictionary_encode()
    return pa.array([_instant(value) for value in encoded.dictionary.to_pylist()], pa.timestamp("us")).take(
        encoded.indices
    )


def first_instant(path: Path) -> datetime | None:
    """The instant (naive UTC) of the first readable line, null if there is none near the start.

    Raises:
        SourceError: as in `read_lines`.
    """
    with _opened(path) as (stream, _):
        _, found = fields(_split(stream.read(_PEEK)), Formats())
    found = found.field("time")
    return next((at for at in instants(found.drop_null()).to_pylist() if at is not None), None)


def content_sha256(path: Path) -> str:
    """The sha256 of a log's uncompressed text, so that a log is recognised after rotation.

    Raises:
        SourceError: as in `read_lines`.
    """
    digest = hashlib.sha256()
    with _opened(path) as (stream, _):
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Any]]:
    """The text of a log as a byte stream, and the file underneath it, whose position shows the progress."""
    try:
        with pa.OSFile(str(path)) as raw:
            _check_name(path, bytes(raw.read(4)))
            raw.seek(0)
            codec = _CODECS.get(path.suffix.lower())
            if codec is None:
                yield raw, raw
            else:
                with pa.CompressedInputStream(raw, codec) as stream:
                    yield stream, raw
    except OSError as error:
        raise SourceError(
            f"{path.name} cannot be read to its end: {error}.", "Copy the file again, then pull again."
        ) from error


def _check_name(path: Path, start: bytes) -> None:
    expected = _CODECS.get(path.suffix.lower())
    found = next((codec for codec, magic in _MAGIC.items() if start.startswith(magic)), None)
    if start and expected != found:
        suffix = next((end for end, codec in _CODECS.items() if codec == found), ".log")
        raise SourceError(
            f"{path.name} does not match its name: it is {found or 'not'} compressed.",
            f"Rename it so that it ends in {suffix}.",
        )
    if start.startswith(_UTF16):
        raise SourceError(f"{path.name} is encoded in UTF-16.", "Convert it to UTF-8, for example with iconv.")


def _split(data: bytes) -> pa.StringArray:
    array = _array(data)
    if not data.isascii():
        try:
            array.validate(full=True)
        except pa.ArrowInvalid:
            array = _array(data.decode("utf-8", "backslashreplace").encode())
    return pc.utf8_rtrim(array, "\r\n")


def _array(data: bytes) -> pa.StringArray:
    # The bytes are the values, the line ends their offsets: no line becomes a Python object.
    ends = np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == ord("\n")) + 1
    if data and (not len(ends) or ends[-1] != len(data)):
        ends = np.append(ends, len(data))
    offsets = np.r_[0, ends].astype(np.int32)
    return pa.Array.from_buffers(pa.string(), len(ends), [None, pa.py_buffer(offsets), pa.py_buffer(data)])


@functools.lru_cache(maxsize=65_536)
def _instant(text: str) -> datetime | None:
    written = text.replace(",", ".")
    if not written:
        return None
    if written[4] != "-":
        day, month, rest = written.split("/", 2)
        if month.title() not in _MONTHS:
            return None
        written = f"{rest[:4]}-{_MONTHS.index(month.title()) + 1:02}-{day:0>2}T{rest[5:].replace(' ', '')}"
    try:
        at = datetime.fromisoformat(written).astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return None
    return at if _FIRST <= at.year < _END else None
