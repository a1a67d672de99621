"""Reading and writing notebook files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from tidings.errors import UsageError, remedy_of


def read_notebook(file: Path) -> NotebookNode:
    """A notebook in the current format.

    Raises:
        UsageError: the file is missing, or is no notebook.
    """
    try:
        book: NotebookNode = nbformat.read(file, as_version=4)  # type: ignore[no-untyped-call]
        for cell in book.cells:
            _ = cell.cell_type, cell.source, cell.metadata
    except OSError as error:
        reason, remedy = remedy_of(error)
        raise UsageError(f"The notebook {file} cannot be read: {reason}.", remedy) from error
    except (
        # Whatever is no notebook makes the library stumble somewhere else.
        *(ValueError, TypeError, AttributeError, KeyError, RecursionError),
        *(nbformat.reader.NotJSONError, nbformat.ValidationError),
    ) as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise UsageError(f"{file.name} cannot be read as a notebook: {reason}.", "Restore it from git.") from error
    return book


def write_notebook(book: NotebookNode, file: Path) -> None:
    """Write a notebook."""
    nbformat.write(book, file)  # type: ignore[no-untyped-call]


def output_node(output: Mapping[str, Any]) -> NotebookNode:
    """A plain mapping as an output of a cell."""
    node: NotebookNode = nbformat.from_dict(output)  # type: ignore[no-untyped-call]
    return node
