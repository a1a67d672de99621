"""Input files as they lie on disk: which ones are meant, what they are, and whether they are what their name says."""

from __future__ import annotations

import codecs
import glob
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa

from tidings.errors import SourceError, suggest

Form = Literal["csv", "json", "parquet"]
Packing = Literal["gzip", "zstd"]

_FORMS: dict[str, Form] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".parquet": "parquet",
}
_PACKINGS: dict[str, Packing] = {".gz": "gzip", ".zst": "zstd"}
_MAGIC = {"gzip": b"\x1f\x8b", "zstd": b"\x28\xb5\x2f\xfd", "parquet": b"PAR1", "zip": b"PK\x03\x04"}
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_BLOCK = 4 << 20


@dataclass(frozen=True)
class File:
    """One input file: its path, the name a user knows it by, its form and how it is packed."""

    path: Path
    name: str
    form: Form
    packing: Packing | None

    def open(self) -> pa.NativeFile:
        """Its bytes, unpacked, as a stream."""
        return pa.input_stream(str(self.path), compression=self.packing)


@dataclass(frozen=True)
class Scan:
    """What one pass over a file told: the sha256 of its bytes on disk, its lines, and whether all of it is UTF-8."""

    sha256: str
    lines: int
    is_utf8: bool


def matching(root: Path, patterns: tuple[str, ...]) -> list[File]:
    """The files that the patterns name, relative to `root`, each once, in order of name.

    Raises:
        SourceError: a pattern names nothing, or a file has an ending that says nothing.
    """
    found: dict[Path, None] = {}
    for pattern in patterns:
        names = sorted(glob.glob(pattern, root_dir=root, recursive=True))  # noqa: PTH207 - may be absolute
        # Brackets are common in names of downloads: a file that is called exactly so is meant.
        names = names or [pattern]
        paths = [root / name for name in names if (root / name).is_file()]
        if not paths:
            raise SourceError(
                f"No file matches path = {pattern!r} in {root}.",
                "Correct `path`: it is relative to the folder of pyproject.toml, with * for any name.",
            )
        found.update(dict.fromkeys(paths))
    return [file_at(path, root) for path in found]


def file_at(path: Path, root: Path) -> File:
    """One input file, named as it is seen from `root`.

    Raises:
        SourceError: its ending says nothing.
    """
    name = Path(os.path.relpath(path, root)).as_posix()
    packing = _PACKINGS.get(path.suffix.lower())
    ending = (path.with_suffix("") if packing else path).suffix.lower()
    if ending not in _FORMS:
        raise SourceError(
            f"{name} has the ending '{ending}', which does not say what it holds.",
            f"{suggest(ending, _FORMS)} Each may be followed by .gz or .zst.",
        )
    return File(path, name, _FORMS[ending], packing)


def check_content(file: File) -> None:
    """Compare the first bytes with what the name says.

    Raises:
        SourceError: the file is empty or damaged, or is something else than its name says.
    """
    with file.path.open("rb") as raw:
        head = raw.read(4)
    is_now = next((kind for kind, magic in _MAGIC.items() if head.startswith(magic)), "text")
    says = file.packing or (file.form if file.form == "parquet" else "text")
    if head and is_now != says:
        endings = {"gzip": "….gz", "zstd": "….zst", "parquet": "….parquet", "zip": "", "text": "….csv or ….jsonl"}
        remedy = f"Name it {endings[is_now]}" if endings[is_now] else "Unpack it"
        raise SourceError(
            f"{file.name} is not what its name says: it holds {is_now}, not {says}.", f"{remedy}, or export it again."
        )
    if file.form != "parquet" and not any(block.strip() for block in blocks(file)):
        raise SourceError(f"{file.name} is empty.", "Export it again, or take it out of `path`.")


def scan(file: File) -> Scan:
    """Read a file once: its digest, and for text its lines and whether it is UTF-8.

    Raises:
        SourceError: a packed file is damaged.
    """
    with file.path.open("rb") as raw:
        sha256 = hashlib.file_digest(raw, "sha256").hexdigest()
    if file.form == "parquet":
        return Scan(sha256, 0, is_utf8=True)
    decoder = codecs.getincrementaldecoder("utf-8")()
    lines, is_utf8, last = 0, True, b""
    for block in blocks(file):
        if not last and block.startswith(_UTF16):
            is_utf8 = False
        lines += block.count(b"\n")
        last = block
        if is_utf8:
            try:
                decoder.decode(block)
            except UnicodeDecodeError:
                is_utf8 = False
    return Scan(sha256, lines + (not last.endswith(b"\n")), is_utf8)


def blocks(file: File) -> Iterator[bytes]:
    """The unpacked bytes of a file, block by block.

    Raises:
        SourceError: the packed file is cut off or damaged.
    """
    try:
        with file.open() as stream:
            while block := stream.read(_BLOCK):
                yield block
    except (OSError, EOFError) as error:
        raise SourceError(
            f"{file.name} cannot be unpacked: {error}.", "It is cut off or damaged: copy or export it again."
        ) from error


def line_blocks(file: File, encoding: str) -> Iterator[tuple[int, list[str]]]:
    """The lines of a file, many at a time: the number of the first, counted from 1, and their texts without LF.

    Bytes that are not UTF-8 are kept as lone surrogates; in another encoding nothing is tolerated.

    Raises:
        SourceError: the encoding is not that of the file.
    """
    decoder = codecs.getincrementaldecoder(encoding)("surrogateescape" if encoding == "utf-8" else "strict")
    first, rest = 1, ""
    try:
        for block in blocks(file):
            text = decoder.decode(block)
            if first == 1 and not rest:
                text = text.removeprefix("\ufeff")
            *whole, rest = (rest + text).split("\n")
            if whole:
                yield first, whole
                first += len(whole)
        rest += decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise SourceError(
            f"{file.name} is not {encoding}: {error.reason} near line {first}.", "Correct the option `encoding`."
        ) from error
    if rest:
        yield first, [rest]


def lines(file: File, encoding: str) -> Iterator[tuple[int, str | None, str]]:
    """Each line without its end (LF or CRLF): its number, its text (null where it is not `encoding`), its text with
    damaged bytes replaced.

    Raises:
        SourceError: the encoding is not that of the file.
    """
    for first, texts in line_blocks(file, encoding):
        for number, text in enumerate(texts, start=first):
            yield (number, *shown(text.removesuffix("\r")))


def shown(text: str) -> tuple[str | None, str]:
    """A line of `line_blocks`: null and its text with damaged bytes replaced, or twice the line if it is whole."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return None, text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return text, text


def require_encoding(file: File) -> None:
    """Tell a file in another encoding from a UTF-8 file with damaged lines.

    Raises:
        SourceError: more lines with letters beyond ASCII are wrong than right as UTF-8.
    """
    with file.open() as stream:
        if stream.read(2).startswith(_UTF16):
            raise SourceError(f"{file.name} is UTF-16, not UTF-8.", 'Set encoding = "utf-16" for this source.')
    right = wrong = first = 0
    for number, text, shown in lines(file, "utf-8"):
        if text is None:
            wrong, first = wrong + 1, first or number
        elif not shown.isascii():
            right += 1
    if wrong > right:
        raise SourceError(
            f"{file.name} is not UTF-8: line {first} is the first of {wrong} with other bytes.",
            'Set encoding = "cp1252" (Windows, latin-1) or what it was written in for this source.',
        )
