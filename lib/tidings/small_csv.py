"""Small CSV files that people keep by hand in data/: read whole, or refused with a sentence that names the line."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from tidings.errors import SettingsError, remedy_of


def lines_of(file: Path, header: Sequence[str], as_in: str, optional: int = 0) -> Iterator[tuple[str, list[str]]]:
    """The filled lines below the header as (what names the line, its cells); none where there is no file.

    The last `optional` columns may be missing from the header and from lines; their cells are then empty.

    Raises:
        SettingsError: the file, its header or the number of cells in a line is not as it must be; `as_in` says how.
    """
    if not file.exists():
        return
    least, most = len(header) - optional, len(header)
    as_written = " and ".join(f"{'an' if name[0] in 'aeiou' else 'a'} {name}" for name in header[:least])
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            lines = csv.reader(opened, strict=True)
            named = [cell.strip().lower() for cell in next(lines, [])]
            if named != list(header[: len(named)]) or len(named) < least:
                raise SettingsError(
                    f"{file.name} does not begin with {','.join(header[:least])}.", "Write that as its first line."
                )
            for cells in lines:
                where = f"{file.name}, line {lines.line_num}"
                held = [cell.strip() for cell in cells]
                if not any(held):
                    continue
                if not least <= len(held) <= most or not all(held[:least]):
                    raise SettingsError(f"{where} is not {as_written}: {','.join(cells)}.", as_in)
                yield where, [*held, *[""] * (most - len(held))]
    except csv.Error as error:
        raise SettingsError(f"{file.name}, line {lines.line_num}: {error}.", as_in) from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{file.name} is not UTF-8.", "Save it as UTF-8.") from error
    except OSError as error:
        reason, remedy = remedy_of(error)
        raise SettingsError(f"{file.name} cannot be read: {reason}.", remedy) from error
