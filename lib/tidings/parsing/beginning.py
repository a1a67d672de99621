"""The beginning of an input file: its columns and first rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from tidings.errors import SourceError
from tidings.parsing.files import File

SAMPLE: Final = 500
CHUNK: Final = 100_000

Reject = tuple[int, str, str]


@dataclass(frozen=True)
class Head:
    """The beginning of a file: column names in order, their DuckDB types, some rows as text.

    `paths` are the places of the fields in a JSON object; a field inside another is named `outer.inner`. A Parquet file
    that `is_odd` has types that only `parquet_chunks` reads. `before` counts the lines before the header; `inside` is
    the place of the list of rows in a file that is one JSON object.
    """

    names: tuple[str, ...]
    types: tuple[str, ...]
    sample: tuple[tuple[str | None, ...], ...]
    delimiter: str = ","
    paths: tuple[tuple[str, ...], ...] = ()
    is_odd: bool = False
    before: int = 0
    inside: tuple[str, ...] = ()


def require_unique(file: File, names: tuple[str, ...], needed: Collection[str] | None = None) -> None:
    """Check that no column, or none of the `needed`, occurs twice.

    Raises:
        SourceError: one does.
    """
    counts = Counter(names).items()
    twice = sorted(name for name, count in counts if count > 1 and (needed is None or name in needed))
    if twice:
        raise SourceError(
            f"{file.name} has the column {', '.join(map(repr, twice))} more than once.",
            "Rename one of them in the file's header.",
        )
