"""A run as CSV files, a file a table: in a folder, or in a zip archive."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from tidings.errors import UsageError
from tidings.exports.placing import placed
from tidings.exports.sheets import Sheet, sheets_of
from tidings.reporting.csv_link import csv_text
from tidings.reporting.finished import FinishedRun

_NO_WORD = re.compile(r"[\W_]+")


def write_csv(run: FinishedRun, target: Path) -> None:
    """Write the tables of a run to a zip archive if `target` ends in `.zip`, else into a folder.

    Equal records give equal bytes.

    Raises:
        UsageError: the folder is not empty: a file of an earlier export would be taken for one of this.
        RunError: the disk does not take it.
    """
    if target.is_dir() and any(target.iterdir()):
        raise UsageError(f"The folder {target} is not empty.", "Name a new one, or a .zip file, which is replaced.")
    with placed(target) as draft:
        if target.suffix.lower() != ".zip":
            draft.mkdir()
            for name, content in _files(sheets_of(run)):
                (draft / name).write_bytes(content)
            return
        with ZipFile(draft, "w", ZIP_DEFLATED) as archive:
            for name, content in _files(sheets_of(run)):
                # With the time of its making, no two archives would be equal.
                archive.writestr(ZipInfo(name), content, ZIP_DEFLATED)


def _files(sheets: tuple[Sheet, ...]) -> Iterator[tuple[str, bytes]]:
    names: set[str] = set()
    for sheet in sheets:
        stem = _NO_WORD.sub("-", sheet.name).strip("-").lower() or "sheet"
        name, number = stem, 2
        while name in names:
            name, number = f"{stem}-{number}", number + 1
        names.add(name)
        # The mark at the start tells Excel that it is UTF-8.
        yield f"{name}.csv", csv_text(sheet.table).encode("utf-8-sig", errors="replace")
