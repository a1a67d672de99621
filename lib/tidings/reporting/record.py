"""Reads the record, the results in an executed notebook. Pages and deliveries read nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from tidings.display.figure import HTML, TEXT, TIDINGS
from tidings.display.formats import is_numeric_unit
from tidings.language import say
from tidings.metrics.metric import Reported
from tidings.metrics.platform import PLATFORMS
from tidings.metrics.registry import leaves, registry
from tidings.metrics.result import NO_SOURCE, NOTHING_NAMED, no_source
from tidings.query.covered import title_of
from tidings.reporting.notebook import in_words, read_notebook

# Of these platforms the pages of others, or the README, tell.
_MOST_NAMED = 4
_WITHOUT_PAGE = ("shared", "revenuecat_events")
_NO_ALERTS = (
    "No rule of alerts has been judged yet. To have some: tidings alerts init writes rules, tidings alerts evaluate "
    "judges them (README.md, “Alerts”)."
)
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
    findings: tuple[Mapping[str, Any], ...] = ()
    behind: Mapping[str, Any] = field(default_factory=dict)

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics it shows or links to, each once."""
        names = [str(figure["metric"]) for figure in self.figures if figure.get("metric") and not _is_absent(figure)]
        return tuple(dict.fromkeys([*names, *_DEFINITION.findall(self.html)]))

    @property
    def absent(self) -> str:
        """What no source brings, if nothing of the figure is there, as a clause that begins with `NO_SOURCE`."""
        if self.figures and all(map(_is_absent, self.figures)):
            return no_source(str(figure["why"]) for figure in self.figures)
        return str(self.provenance.get("absent") or "")

    @property
    def absent_metrics(self) -> tuple[str, ...]:
        """The metrics that it cannot show because no source brings them."""
        names = [str(figure["metric"]) for figure in self.figures if _is_absent(figure)]
        return tuple(dict.fromkeys([*names, *(_DEFINITION.findall(self.html) if self.absent else ())]))

    @property
    def is_empty(self) -> bool:
        """A gauge, table or chart in which no number is known."""
        if self.kind == "gauge" and self.figures:
            return self.figures[0].get("value") is None
        if self.table is None or self.kind not in ("chart", "table"):
            return False
        numeric = [at for at, column in enumerate(self.table["columns"]) if is_numeric_unit(column["unit"])]
        return not any(known(row[at]) is not None for row in self.table["rows"] for at in numeric or range(len(row)))


def known(cell: Any) -> Any:
    """The value of a cell of a table, as JSON; of one that is printed with a unit of its own, its number."""
    return cell["value"] if isinstance(cell, Mapping) else cell


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
    def absent(self) -> bool:
        """Whether there is nothing to show, as no source brings any of it."""
        shown = [item for item in self.items if item.kind not in ("head", "digest", "note")]
        return bool(shown) and self.failure is None and all(item.absent for item in shown)

    @property
    def missing(self) -> str:
        """One sentence on what no source brings and what would bring it; empty if all is there."""
        reasons = [item.absent for item in self.items if item.kind != "digest"]
        names = [name for item in self.items if item.kind != "digest" for name in item.absent_metrics]
        why = no_source([*reasons, *(_why(figure) for item in self.items for figure in item.figures)])
        if why == NO_SOURCE + title_of("fct_alerts"):
            return _NO_ALERTS
        return f"{_sentence(why)} {remedy(names)}" if why else ""

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
    return record_of(in_words(read_notebook(notebook)), notebook.stem)


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
        findings=tuple(held.get("findings") or ()),
        behind=held.get("behind") or {},
    )


def plain_text(text: str) -> str:
    """Terminal output without its colour codes."""
    return _ANSI.sub("", text)


def remedy(metrics: Iterable[str]) -> str:
    """Which sources would bring metrics, with the pages that say how to connect them, as a sentence."""
    inputs = [leaf for name in metrics if name in registry() for leaf in leaves(registry()[name])]
    platforms = dict.fromkeys(p for leaf in inputs if isinstance(leaf.where, Reported) for p in leaf.where.platforms)
    pages = [f"{say(PLATFORMS[name])} (docs/sources/{name}.md)" for name in platforms if name not in _WITHOUT_PAGE]
    if any(not isinstance(leaf.where, Reported) for leaf in inputs) or not inputs:
        pages.append(say("your own files (README.md, “Your data”)"))
    return say("To connect: {pages}.", pages=", ".join(pages))


def definitions(metrics: Iterable[str]) -> list[dict[str, str]]:
    """Name, title, definition, caveat and action of metrics, each once, also of those that are no longer defined."""
    every = registry()
    return [
        {
            "name": name,
            "title": every[name].title if name in every else name,
            "definition": every[name].definition if name in every else say("This metric is no longer defined."),
            "caveat": every[name].caveat if name in every else "",
            "action": every[name].action if name in every else "",
        }
        for name in dict.fromkeys(metrics)
    ]


def _sentence(why: str) -> str:
    """What no source has, a few names of it; a feed without a name for readers has an underscore."""
    every = why.removeprefix(NO_SOURCE).split(" or ")
    names = [say(name) for name in every if "_" not in name and name != NOTHING_NAMED] or [say("what this needs")]
    if len(names) > _MOST_NAMED:
        return say("No source has {names} and more.", names=", ".join(names[:_MOST_NAMED]))
    return say("No source has {names}.", names=say(" or ").join(filter(None, [", ".join(names[:-1]), names[-1]])))


def _why(figure: Mapping[str, Any]) -> str:
    return str(figure["why"]) if _is_absent(figure) else ""


def _is_absent(figure: Mapping[str, Any]) -> bool:
    return figure.get("value") is None and str(figure.get("why") or "").startswith(NO_SOURCE)


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
