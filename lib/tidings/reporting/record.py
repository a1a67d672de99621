"""Reads the record, the results in an executed notebook. Pages and deliveries read nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from tidings.display.figure import HTML, TEXT, TIDINGS
from tidings.reporting.notebook import read_notebook

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_HEADING = re.compile(r"^(#+)\s+(.+?)\s*#*\s*$", re.MULTILINE)
_DEFINITION = re.compile(r'href="#def-([A-Za-z0-9_]+)"')


@dataclass(frozen=True)
class Item:
    """One displayed object: the structured record and its fragment."""

    kind: str
    title: str
    subtitle: str
    alt: str
    figures: tuple[Mapping[str, Any], ...]
    table: Mapping[str, Any] | None
    provenance: Mapping[str, Any]
    html: str
    text: str

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics it shows or links to, each once."""
        names = [str(figure["metric"]) for figure in self.figures if figure.get("metric")]
        return tuple(dict.fromkeys([*names, *_DEFINITION.findall(self.html)]))


@dataclass(frozen=True)
class Failure:
    """Where and why a section failed: the heading above, the error in one line, code and traceback."""

    question: str
    reason: str
    code: str
    traceback: str


@dataclass(frozen=True)
class NotebookRecord:
    """One executed section."""

    section: str
    title: str
    items: tuple[Item, ...]
    parameters: Mapping[str, Any]
    failure: Failure | None

    def of_kind(self, kind: str) -> tuple[Item, ...]:
        """The items of one kind, in reading order."""
        return tuple(item for item in self.items if item.kind == kind)

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics of all items, each once, in reading order."""
        return tuple(dict.fromkeys(name for item in self.items for name in item.metrics))

    @property
    def tables(self) -> Mapping[str, str]:
        """The tables read, with their last rows."""
        return {name: state for item in self.items for name, state in item.provenance.get("tables", {}).items()}

    @property
    def views(self) -> Mapping[str, str]:
        """The SQL of the prepared views that the queries read, each once."""
        return {name: sql for item in self.items for name, sql in item.provenance.get("views", {}).items()}

    @property
    def notes(self) -> tuple[str, ...]:
        """The notes on all results, each once."""
        return tuple(dict.fromkeys(note for item in self.items for note in item.provenance.get("notes", [])))


def read_record(notebook: Path) -> NotebookRecord:
    """The record of an executed notebook."""
    return record_of(read_notebook(notebook), notebook.stem)


def record_of(book: NotebookNode, section: str) -> NotebookRecord:
    """The record of an executed notebook that has been read."""
    return NotebookRecord(
        section=section,
        title=_title(book) or section.replace("_", " ").capitalize(),
        items=tuple(
            item_of(output)
            for cell in book.cells
            if cell.cell_type == "code"
            for output in cell.outputs
            if is_item(output)
        ),
        parameters=dict(book.metadata.get("papermill", {}).get("parameters", {})),
        failure=next(_failures(book), None),
    )


def is_item(output: Mapping[str, Any]) -> bool:
    """Whether an output is one of ours."""
    return TIDINGS in output.get("data", {})


def item_of(output: Mapping[str, Any]) -> Item:
    """The item in an output."""
    data = output["data"]
    held = data[TIDINGS]
    return Item(
        kind=held.get("type", "note"),
        title=held.get("title") or "",
        subtitle=held.get("subtitle") or "",
        alt=held.get("alt") or "",
        figures=tuple(held.get("figures") or ()),
        table=held.get("table"),
        provenance=held.get("provenance") or {},
        html=data.get(HTML, ""),
        text=data.get(TEXT, ""),
    )


def plain_text(text: str) -> str:
    """Terminal output without its colour codes."""
    return _ANSI.sub("", text)


def _title(book: NotebookNode) -> str:
    for cell in book.cells:
        if cell.cell_type == "markdown":
            found = next((match for match in _HEADING.finditer(cell.source) if len(match[1]) == 1), None)
            if found:
                return found[2]
    return ""


def _failures(book: NotebookNode) -> Iterator[Failure]:
    question = ""
    for cell in book.cells:
        if cell.cell_type == "markdown":
            headings = _HEADING.findall(cell.source)
            question = headings[-1][1] if headings else question
        elif cell.cell_type == "code":
            for output in cell.outputs:
                if output.output_type == "error":
                    yield Failure(
                        question,
                        plain_text(f"{output.ename}: {output.evalue}").removesuffix(": "),
                        cell.source,
                        plain_text("\n".join(output.traceback)),
                    )
