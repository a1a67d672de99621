"""Reading and writing notebook files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from tidings.errors import UsageError, remedy_of
from tidings.language import in_force, say

_HEADING = re.compile(r"(#+\s+)?(.*)", re.DOTALL)


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


def in_words(book: NotebookNode) -> NotebookNode:
    """The notebook with its Markdown in the language in force: each heading and paragraph that has a message."""
    if in_force().has_messages:
        for cell in book.cells:
            if cell.cell_type == "markdown":
                cell.source = "\n\n".join(map(_said, cell.source.split("\n\n")))
    return book


def paragraphs(source: str) -> list[str]:
    """The messages that Markdown is looked up by: its headings and paragraphs, each in one line."""
    return [" ".join(_parts(block)[1].split()) for block in source.split("\n\n") if block.strip()]


def _said(block: str) -> str:
    marks, text = _parts(block)
    line = " ".join(text.split())
    found = say(line)
    return block if found == line else f"{marks}{found}"


def _parts(block: str) -> tuple[str, str]:
    """The marks of a heading, and the text."""
    found = _HEADING.fullmatch(block.strip())
    return (found[1] or "", found[2]) if found else ("", block)


def write_notebook(book: NotebookNode, file: Path) -> None:
    """Write a notebook."""
    nbformat.write(book, file)  # type: ignore[no-untyped-call]


def output_node(output: Mapping[str, Any]) -> NotebookNode:
    """A plain mapping as an output of a cell."""
    node: NotebookNode = nbformat.from_dict(output)  # type: ignore[no-untyped-call]
    return node
