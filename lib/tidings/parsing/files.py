"""Input files on disk: which ones a pattern matches, their format, and whether they match their name."""

from __future__ import annotations

import codecs
import glob
import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa

from tidings.errors import SourceError, suggest
from tidings.parsing.contents import by_content, by_ending

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
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_BLOCK = 4 << 20
_HEAD = 4096


@dataclass(frozen=True)
class File:
    """One input file: its path, the name shown to users, its format and compression."""

    path: Path
    name: str
    form: Form
    packing: Packing | None

    def open(self) -> pa.NativeFile:
        """Its decompressed bytes as a stream."""
        return pa.input_stream(str(self.path), compression=self.packing)


@dataclass(frozen=True)
class Scan:
    """The result of one pass over a file: the sha256 of its bytes on disk, its lines, and whether all of it is
    UTF-8.
    """

    sha256: str
    lines: int
    is_utf8: bool
    has_returns: bool = False


def matching(root: Path, patterns: tuple[str, ...], failed: list[SourceError] | None = None) -> list[File]:
    """The files that the patterns match, relative to `root`, each once, in order of name.

    Files whose name shows that they cannot be read are added to `failed`, so that one does not stop the others; without
    it the first is raised.

    Raises:
        SourceError: a pattern matches nothing.
    """
    found: dict[Path, None] = {}
    wrong: list[SourceError] = []
    for pattern in patterns:
        names = sorted(glob.glob(pattern, root_dir=root, recursive=True))  # noqa: PTH207 - may be absolute
        # Brackets are common in names of downloads: a file with exactly that name wins.
        names = names or [pattern]
        meant = [root / name for name in names if _is_meant(root / name, pattern)]
        meant = [path for path in meant if os.path.lexists(path)]
        if not meant:
            raise SourceError(
                f"No file matches path = {pattern!r} in {root}.",
                "Correct `path`: it is relative to the folder of pyproject.toml, with * for any name.",
            )
        found.update(dict.fromkeys(meant))
    files = []
    for path in found:
        try:
            files.append(file_at(path, root))
        except SourceError as error:
            wrong.append(error)
    if failed is None and wrong:
        raise wrong[0]
    if failed is not None:
        failed += wrong
    return files


def _is_meant(path: Path, pattern: str) -> bool:
    """False for folders matched by a * pattern; a folder that is named explicitly, or like a file, is kept to be
    reported.
    """
    is_named = not glob.has_magic(pattern)
    return is_named or not os.path.isdir(path) or path.suffix.lower() in _FORMS  # noqa: PTH112 - never raises


def file_at(path: Path, root: Path) -> File:
    """One input file, named relative to `root`.

    Raises:
        SourceError: its extension is unknown, or it is not a file that can be opened.
    """
    name = _shown_name(Path(os.path.relpath(path, root)).as_posix())
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise SourceError(
            f"{name} cannot be opened: {error.strerror}.", "See who may read it, and where it leads."
        ) from error
    if stat.S_ISDIR(mode):
        raise SourceError(f"{name} is a folder.", f"To read the files in it, write path = '{name}/*.csv'.")
    if not stat.S_ISREG(mode):
        raise SourceError(f"{name} is not a file that can be read twice.", "Write its output to a file.")
    packing = _PACKINGS.get(path.suffix.lower())
    ending = (path.with_suffix("") if packing else path).suffix.lower()
    if known := by_ending(ending):
        raise SourceError(f"{name} is {known[0]}.", known[1])
    if ending not in _FORMS:
        raise SourceError(
            f"{name} has the ending '{ending}', which does not say what it holds.",
            f"{suggest(ending, _FORMS)} Each may be followed by .gz or .zst.",
        )
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise SourceError(f"The name of {name} is not UTF-8.", "Rename it.") from error
    return File(path, name, _FORMS[ending], packing)


def _shown_name(name: str) -> str:
    """A name that is safe to show and store: bytes that are not UTF-8 and control characters as escapes."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(each if each.isprintable() else f"\\x{ord(each):02x}" for each in text)


def check_content(file: File) -> None:
    """Compare the first bytes with the file's name.

    Raises:
        SourceError: the file is empty or damaged, cannot be opened, or does not match its name.
    """
    try:
        with file.path.open("rb") as raw:
            head = raw.read(_HEAD)
    except OSError as error:
        raise SourceError(f"{file.name} cannot be opened: {error.strerror}.", "See who may read it.") from error
    is_now, remedy = by_content(head, file.path)
    says = file.packing or (file.form if file.form == "parquet" else "text")
    if head and is_now != says:
        endings = {"gzip": "….gz", "zstd": "….zst", "parquet": "….parquet", "text": "….csv or ….jsonl"}
        remedy = remedy or f"Name it {endings[is_now]}, or export it again."
        raise SourceError(f"{file.name} does not match its name: it holds {is_now}, not {says}.", remedy)
    if file.form == "parquet":
        return
    is_empty = True
    for number, block in enumerate(blocks(file)):
        if file.packing and number == 0:
            inside, remedy = by_content(block[:_HEAD])
            if inside != "text":
                raise SourceError(f"{file.name} holds {inside}, not text.", remedy or "Unpack it.")
        if block.strip():
            is_empty = False
            break
    if is_empty:
        raise SourceError(f"{file.name} is empty.", "Export it again, or take it out of `path`.")


def scan(file: File) -> Scan:
    """Read a file once: its digest, and for text its lines and whether it is UTF-8.

    Raises:
        SourceError: a compressed file is damaged, or it cannot be read.
    """
    try:
        with file.path.open("rb") as raw:
            sha256 = hashlib.file_digest(raw, "sha256").hexdigest()
    except OSError as error:
        raise SourceError(f"{file.name} cannot be read: {error.strerror}.", "See who may read it.") from error
    if file.form == "parquet":
        return Scan(sha256, 0, is_utf8=True)
    decoder = codecs.getincrementaldecoder("utf-8")()
    lines, returns, pairs, is_utf8, last = 0, 0, 0, True, b""
    for block in blocks(file):
        if not last and block.startswith(_UTF16):
            is_utf8 = False
        lines += block.count(b"\n")
        returns += block.count(b"\r")
        pairs += block.count(b"\r\n") + (last.endswith(b"\r") and block.startswith(b"\n"))
        last = block
        if is_utf8:
            try:
                decoder.decode(block)
            except UnicodeDecodeError:
                is_utf8 = False
    if is_utf8:
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            is_utf8 = False
    return Scan(sha256, lines + (not last.endswith(b"\n")), is_utf8, has_returns=returns > pairs)


def blocks(file: File) -> Iterator[bytes]:
    """The decompressed bytes of a file, block by block.

    Raises:
        SourceError: the compressed file is truncated or damaged.
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
    """The lines of a file in batches: the number of the first, counted from 1, and their texts without LF.

    Bytes that are invalid in the encoding are kept as lone surrogates. A byte order mark overrides `encoding`. If the
    first block has no LF, lines end with CR.
    """
    decoder: codecs.IncrementalDecoder | None = None
    first, rest, end = 1, "", ""
    for block in blocks(file):
        if decoder is None:
            decoder = _decoder(block, encoding)
        text = rest + decoder.decode(block)
        if not end:
            text = text.removeprefix("\ufeff")
            end = "\r" if "\n" not in text and "\r" in text else "\n"
        *whole, rest = text.split(end)
        if whole:
            yield first, whole
            first += len(whole)
    rest += decoder.decode(b"", final=True) if decoder else ""
    if rest:
        yield first, [rest]


def _kept(error: UnicodeError) -> tuple[str, int]:
    """Bytes that are invalid in the encoding as lone surrogates, by which `shown` recognises them."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "\udc80" * (error.end - error.start), error.end


def _decoder(block: bytes, encoding: str) -> codecs.IncrementalDecoder:
    marked = next((name for mark, name in _MARKS if block.startswith(mark)), encoding)
    codecs.register_error("tidings.kept", _kept)
    return codecs.getincrementaldecoder(marked)("tidings.kept")


def lines(file: File, encoding: str) -> Iterator[tuple[int, str | None, str]]:
    """Each line without its end (LF, CRLF or CR): its number, its text (null if it is not `encoding`), its text
    with damaged bytes replaced.
    """
    for first, texts in line_blocks(file, encoding):
        for number, text in enumerate(texts, start=first):
            yield (number, *shown(text.removesuffix("\r")))


def shown(text: str) -> tuple[str | None, str]:
    """A line of `line_blocks`: null and its text with damaged bytes replaced, or twice the intact line."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return None, text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return text, text


def require_encoding(file: File, encoding: str) -> None:
    """Distinguish a file in another encoding from a file with damaged lines.

    Raises:
        SourceError: more lines with non-ASCII letters are wrong than right, and more than a tenth of all.
    """
    right = wrong = first = number = 0
    for number, text, visible in lines(file, encoding):
        if text is None:
            wrong, first = wrong + 1, first or number
        elif not visible.isascii():
            right += 1
    if wrong > right and wrong * 10 > number:
        where = f"line {first} is the first of {wrong} with other bytes"
        if encoding != "utf-8":
            raise SourceError(f"{file.name} is not {encoding}: {where}.", "Correct the option `encoding`.")
        raise SourceError(
            f"{file.name} is not UTF-8: {where}.",
            'Set encoding = "cp1252" (Windows, latin-1) or what it was written in for this source.',
        )
