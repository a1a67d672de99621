"""From executed notebooks to pages: one self-contained, accessible HTML file per section."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup
from markupsafe import Markup
from nbconvert import HTMLExporter
from nbformat import NotebookNode

from tidings.metrics.registry import registry
from tidings.reporting.notebook import read_notebook
from tidings.reporting.pinned import Run
from tidings.reporting.record import Failure, Item, NotebookRecord, is_item, item_of, plain_text, record_of
from tidings.reporting.site import TEMPLATES, environment, render

# The digest is for nbval; the head goes to the page's header, not where the notebook opened its book.
_ELSEWHERE = ("digest", "head")
_STYLE = re.compile(r"<style>.*?</style>", re.DOTALL)
# The place in page.html.j2 for what is known only after all sections.
_STATE = "<!-- state of the report -->"
# Ids of the page itself: a heading "Figure 3" must not get the id of the third figure.
_OURS = re.compile(r"main|appendix|figure-\d+|def-.*", re.IGNORECASE)
_NO_WORD = re.compile(r"[\W_]+")
_LONGEST_ID = 64
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")


@dataclass(frozen=True)
class Heading:
    """An entry of a page's contents."""

    id: str
    text: str


class Pages:
    """Writes pages; one instance per run, because making an exporter takes longer than using it."""

    def __init__(self) -> None:
        self._figures: list[Item] = []
        self._exporter = HTMLExporter(  # type: ignore[no-untyped-call]
            template_name="section",
            extra_template_basedirs=[str(TEMPLATES)],
            exclude_anchor_links=True,
            filters={
                "shown": lambda outputs: any(_is_shown(output) for output in outputs),
                "failed": lambda outputs: any(output.output_type == "error" for output in outputs),
                "is_item": is_item,
                "figure": self._place,
                "plain": plain_text,
                "text_base64": lambda text: base64.b64encode(text.encode()).decode(),
            },
        )

    def section(self, notebook: Path, run: Run, error: str = "") -> str:
        """The page of one executed section.

        `run` gives id, title, slot, build, version and labels to the page's head and foot; `error` is the reason
        why the section failed, used if the notebook itself has none.
        """
        book = read_notebook(notebook)
        record = record_of(book, notebook.stem)
        failure = record.failure or (Failure("", error, "", "") if error else None)
        self._figures = []
        fragment, _ = self._exporter.from_notebook_node(book)
        soup = BeautifulSoup(fragment, "html.parser")
        lede = _take_lede(soup)
        contents = _order_headings(soup)
        body, placed = self._filled(str(soup), failure, record.section)
        heads = "".join(_STYLE.sub("", item.html) for item in record.of_kind("head")[:1])
        return render(
            "page.html.j2",
            run=run,
            record=record,
            lede=Markup(lede + heads),  # noqa: S704 - Markdown of the notebook, and a fragment like the others
            contents=contents,
            body=body,
            failure=failure,
            failure_in_place=placed,
            definitions=_definitions(record),
            setup=Markup(self._setup(book)),  # noqa: S704 - highlighted by pygments, which escapes
        )

    def _place(self, output: Mapping[str, Any]) -> str:
        """Called by the template: a placeholder for the figure, so that its markup is not parsed again."""
        item = item_of(output)
        if item.kind in _ELSEWHERE:
            return ""
        self._figures.append(item)
        return f'<td-figure n="{len(self._figures) - 1}"></td-figure>'

    def _filled(self, html: str, failure: Failure | None, section: str) -> tuple[Markup, bool]:
        def figure(match: re.Match[str]) -> str:
            number = int(match[1])
            if number >= len(self._figures):
                # Not a placeholder of ours: something that a notebook printed.
                return ""
            return f'<div id="figure-{number + 1}" class="item">{self._figures[number].html}</div>'

        html = re.sub(r'<td-figure n="(\d+)"></td-figure>', figure, html)
        first, mark, rest = html.partition("<td-failure></td-failure>")
        box = ""
        if mark and failure is not None:
            macro = environment().get_template("parts.html.j2").module
            box = str(macro.failure_box(failure, section))  # type: ignore[attr-defined]
        # Safe: fragments are escaped where they are made (display), the rest by nbconvert's template.
        return Markup(first + box + rest.replace("<td-failure></td-failure>", "")), bool(box)  # noqa: S704

    def _setup(self, book: NotebookNode) -> str:
        """The code of cells without output on the page."""
        sources = [
            cell.source
            for cell in book.cells
            if cell.cell_type == "code" and cell.execution_count and not any(_is_shown(out) for out in cell.outputs)
        ]
        highlight = self._exporter.environment.filters["highlight_code"]
        return "".join(highlight(source) for source in sources)


def incomplete(page: str, failed: Sequence[str], sections: int) -> str:
    """A page of `Pages` with a warning that other sections of its report failed."""
    macro = environment().get_template("parts.html.j2").module
    return page.replace(_STATE, str(macro.incomplete(failed, sections)), 1)  # type: ignore[attr-defined]


def _is_shown(output: Mapping[str, Any]) -> bool:
    return not (is_item(output) and item_of(output).kind in _ELSEWHERE)


def _take_lede(soup: BeautifulSoup) -> str:
    """Remove the first Markdown cell from the fragment and return it without its title, for the page's header."""
    for heading in soup.find_all("h1"):
        box = heading.parent
        heading.extract()
        if box is not None and box.name == "div":
            return str(box.extract())
    return ""


def _order_headings(soup: BeautifulSoup) -> list[Heading]:
    """Make headings start at h2, skip no level and have unique ids; return those of the table of contents."""
    for element in soup.find_all(id=True):
        # An author's own HTML must not take our ids.
        if element.name in _HEADINGS or _OURS.fullmatch(str(element["id"])):
            del element["id"]
    contents, level = [], 1
    used = {element["id"] for element in soup.find_all(id=True)}
    for heading in soup.find_all(_HEADINGS):
        text = " ".join(heading.get_text().split())
        if not text:
            # It would be an empty link in the contents.
            heading.unwrap()
            continue
        level = min(max(int(heading.name[1]), 2), level + 1)
        heading.name = f"h{level}"
        slug = _NO_WORD.sub("-", text.casefold())[:_LONGEST_ID].strip("-") or "part"
        slug = f"part-{slug}" if _OURS.fullmatch(slug) else slug
        name, number = slug, 2
        while name in used:
            name, number = f"{slug}-{number}", number + 1
        used.add(name)
        heading["id"] = name
        if level == 2:
            contents.append(Heading(name, text))
    return contents


def _definitions(record: NotebookRecord) -> list[dict[str, str]]:
    """The definitions of the page's metrics, one per link, also for metrics that are no longer defined."""
    known = registry()
    return [
        {
            "name": name,
            "title": known[name].title if name in known else name,
            "definition": known[name].definition if name in known else "This metric is no longer defined.",
            "caveat": known[name].caveat if name in known else "",
            "action": known[name].action if name in known else "",
        }
        for name in record.metrics
    ]
