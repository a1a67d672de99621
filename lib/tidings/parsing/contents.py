"""Detects a file's format by its first bytes, and says what to do with one that is not a table of text."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Final

_SAVE: Final = "Save it as CSV (in Excel: File, Save As, CSV UTF-8) and name that file."
_UNPACK: Final = "Unpack it; a text file may be packed again with gzip or zstd."
_MAGIC: Final = (
    (b"\x1f\x8b", "gzip", ""),
    (b"\x28\xb5\x2f\xfd", "zstd", ""),
    (b"PAR1", "parquet", ""),
    (b"PK\x03\x04", "a ZIP archive", _UNPACK),
    (b"PK\x05\x06", "an empty ZIP archive", _UNPACK),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel workbook of the old kind", _SAVE),
    (b"%PDF", "a PDF", "Export the table itself, as CSV."),
    (b"BZh", "bzip2", _UNPACK),
    (b"\xfd7zXZ\x00", "xz", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", _UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (b"SQLite format 3\x00", "an SQLite database", 'Read it with kind = "database".'),
    (b"ARROW1", "Arrow (Feather)", "Write it as Parquet."),
    (b"FEA1", "Feather", "Write it as Parquet."),
    (b"ORC", "ORC", "Write it as Parquet."),
    (b"Obj\x01", "Avro", "Write it as Parquet or JSON lines."),
    (b"{\\rtf", "a rich text", _SAVE),
)
_PAGES: Final = (b"<!doctype html", b"<html", b"<head", b"<table")
_WORKBOOKS: Final = {
    ".xlsx": "an Excel workbook",
    ".xlsm": "an Excel workbook",
    ".xlsb": "an Excel workbook",
    ".xls": "an Excel workbook",
    ".ods": "an OpenDocument spreadsheet",
    ".numbers": "a Numbers spreadsheet",
}
_ENDINGS: Final = {
    ".zip": ("a ZIP archive", _UNPACK),
    ".pdf": ("a PDF", "Export the table itself, as CSV."),
    ".bz2": ("packed with bzip2", _UNPACK),
    ".xz": ("packed with xz", _UNPACK),
    ".7z": ("a 7-Zip archive", _UNPACK),
    ".feather": ("Feather", "Write it as Parquet."),
    ".arrow": ("Arrow", "Write it as Parquet."),
    ".orc": ("ORC", "Write it as Parquet."),
    ".avro": ("Avro", "Write it as Parquet or JSON lines."),
    ".sqlite": ("an SQLite database", 'Read it with kind = "database".'),
    ".html": ("a web page", "Export the table itself, as CSV."),
    ".xml": ("XML", "Export it as CSV."),
}


def by_ending(ending: str) -> tuple[str, str] | None:
    """The format that a file name extension suggests, and what to do with it; None if unknown."""
    if ending in _WORKBOOKS:
        return _WORKBOOKS[ending], _SAVE
    return _ENDINGS.get(ending)


def by_content(head: bytes, path: Path | None = None) -> tuple[str, str]:
    """The format of a file by its first bytes ("text" by default), and what to do with it; `path` to look into a
    ZIP.
    """
    for magic, what, remedy in _MAGIC:
        if head.startswith(magic):
            return _zipped(path) if what == "a ZIP archive" and path else (what, remedy)
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:200].lower()
    if start.startswith(_PAGES):
        return "a web page", "It may be the page of a login or an error: open it in a browser and export again, as CSV."
    if start.startswith(b"<?xml"):
        is_page, is_book = b"<html" in start, b"spreadsheet" in head.lower()
        return ("a web page" if is_page else "an Excel workbook as XML" if is_book else "XML"), _SAVE
    return "text", ""


def _zipped(path: Path) -> tuple[str, str]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError):
        return "a damaged ZIP archive", "Copy or export it again."
    if any(name.startswith("xl/") for name in names):
        return _WORKBOOKS[".xlsx"], _SAVE
    if "content.xml" in names:
        return _WORKBOOKS[".ods"], _SAVE
    if any(name.endswith(".iwa") for name in names):
        return _WORKBOOKS[".numbers"], _SAVE
    return "a ZIP archive", _UNPACK
