"""From executed notebooks to pages: one self-contained, accessible HTML file per section."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup, Tag
from markupsafe import Markup, escape
from nbconvert import HTMLExporter
from nbformat import NotebookNode

from tidings.display.figure import note
from tidings.display.fragments import DEFINED, ROWS_OF, split_behind
from tidings.language import say
from tidings.reporting.csv_link import csv_address, csv_name
from tidings.reporting.notebook import in_words, read_notebook
from tidings.reporting.open_alerts import concerning
from tidings.reporting.page_rows import RowsBehind, rows_behind
from tidings.reporting.pinned import Run
from tidings.reporting.record import Failure, Item, definitions, is_item, item_of, plain_text, record_of
from tidings.reporting.site import TEMPLATES, environment, render, words

# The digest is for nbval; the head goes to the page's header, not where the notebook opened its book.
_ELSEWHERE = ("digest", "head")
_STYLE = re.compile(r"<style>.*?</style>", re.DOTALL)
# The place in page.html.j2 for what is known only after all sections.
_STATE = "<!-- state of the report -->"
# Ids of the page itself: a heading "Figure 3" must not get the id of the third figure.
_OURS = re.compile(r"main|appendix|open-alerts|contents|sources|rows|(figure|source|rows)-[\d-]+|def-.*", re.IGNORECASE)
_NO_WORD = re.compile(r"[\W_]+")
_LONGEST_ID = 64
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")


@dataclass(frozen=True)
class Heading:
    """An entry of a page's contents; `not_run` is true after a failure."""

    id: str
    text: str
    not_run: bool = False


@dataclass
class Cell:
    """A cell with output: its code, highlighted, and the numbers of its figures on the page."""

    code: Markup
    figures: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Source:
    """What lies behind a figure or another output, for the end of the page."""

    number: int | None
    name: str
    line: Markup
    inner: Markup
    code: Markup
    command: str


class Pages:
    """Writes pages; one instance per run, because making an exporter takes longer than using it."""

    def __init__(self) -> None:
        self._figures: list[Item] = []
        self._cells: list[Cell] = []
        self._exporter = HTMLExporter(  # type: ignore[no-untyped-call]
            template_name="section",
            extra_template_basedirs=[str(TEMPLATES)],
            exclude_anchor_links=True,
            filters={
                "shown": lambda outputs: any(_is_shown(output) for output in outputs),
                "failed": lambda outputs: any(output.output_type == "error" for output in outputs),
                "is_item": is_item,
                "figure": self._place,
                "begin_cell": self._begin_cell,
                "plain": plain_text,
                "text_base64": lambda text: base64.b64encode(text.encode()).decode(),
            },
        )
        self._exporter.environment.globals |= words()

    def section(self, notebook: Path, run: Run, error: str = "") -> str:
        """The page of one executed section.

        `run` gives id, title, slot, build, version and labels to the page's head and foot; `error` is the reason
        why the section failed, used if the notebook itself has none.
        """
        book = in_words(read_notebook(notebook))
        record = record_of(book, notebook.stem)
        failure = record.failure or (Failure("", error, "", "") if error else None)
        self._figures, self._cells = [], []
        fragment, _ = self._exporter.from_notebook_node(book)
        soup = BeautifulSoup(fragment, "html.parser")
        lede = _take_lede(soup)
        if record.absent:
            soup.clear()
        self._leave_out(soup)
        _mark_not_run(soup)
        contents = _order_headings(soup)
        self._place_contents(soup)
        shown = [number for tag in soup.find_all("td-figure") if (number := self._number_of(tag)) is not None]
        before, _, after = str(soup).partition("<td-contents></td-contents>")
        first, placed = self._filled(before, failure, record.section)
        body, placed_after = self._filled(after, failure, record.section)
        heads = "".join(_STYLE.sub("", item.html) for item in record.of_kind("head")[:1])
        items = [self._figures[number] for number in shown]
        return render(
            "page.html.j2",
            run=run,
            base=notebook.stem.removesuffix(run.suffix),
            record=record,
            alerts=concerning(run.alerts, record.metrics),
            lede=Markup(lede + heads),  # noqa: S704 - Markdown of the notebook, and a fragment like the others
            contents=contents,
            first=first,
            body=body,
            failure=failure,
            failure_in_place=placed or placed_after,
            notes=[note for note in record.notes if str(escape(note)) not in first + body],
            definitions=definitions(name for item in items for name in item.metrics),
            sources=self._sources(shown),
            rows=self._rows(shown, record.section),
            setup=Markup(self._setup(book)),  # noqa: S704 - highlighted by pygments, which escapes
        )

    def _begin_cell(self, source: str, failed: bool) -> str:
        """Called by the template before the outputs of a cell; the code of a failed one is where it failed."""
        code = "" if failed else self._exporter.environment.filters["highlight_code"](source)
        # Safe: highlighted by pygments, which escapes.
        self._cells.append(Cell(Markup(code)))  # noqa: S704
        return ""

    def _place(self, output: Mapping[str, Any]) -> str:
        """Called by the template: a placeholder for the figure, so that its markup is not parsed again."""
        item = item_of(output)
        if item.kind in _ELSEWHERE:
            return ""
        self._figures.append(item)
        self._cells[-1].figures.append(len(self._figures) - 1)
        return f'<td-figure n="{len(self._figures) - 1}"></td-figure>'

    def _leave_out(self, soup: BeautifulSoup) -> None:
        """Remove figures of which no source brings anything, then headings that head nothing any more."""
        removed = False
        for cell in soup.select("div.cell"):
            parts = [part for part in cell.children if isinstance(part, Tag)]
            if parts and all(self._is_absent(part) for part in parts):
                cell.decompose()
                removed = True
        if not removed:
            return
        follows = 0
        for part in reversed([part for box in soup.find_all(recursive=False) for part in _parts_of(box)]):
            if part.name not in _HEADINGS:
                follows = 7
                continue
            level = int(part.name[1])
            # `follows` is the level of what comes next and is not deeper, 7 for content.
            if follows <= level:
                part.decompose()
            else:
                follows = level

    def _is_absent(self, part: Tag) -> bool:
        number = self._number_of(part)
        return number is not None and bool(self._figures[number].absent)

    def _number_of(self, tag: Tag) -> int | None:
        """The figure of a placeholder; None if it is none of ours."""
        number = str(tag.get("n", ""))
        if tag.name != "td-figure" or not number.isdecimal() or int(number) >= len(self._figures):
            return None
        return int(number)

    def _place_contents(self, soup: BeautifulSoup) -> None:
        """A placeholder for the contents: after the findings where the page begins with them, else in front."""
        mark = soup.new_tag("td-contents")
        cell = soup.find("div", class_="cell")
        figure = cell.find("td-figure") if cell is not None else None
        number = self._number_of(figure) if figure is not None else None
        if cell is not None and number is not None and self._figures[number].kind == "findings":
            cell.insert_after(mark)
        else:
            soup.insert(0, mark)

    def _shown(self, number: int, section: str) -> str:
        """A figure with links to what lies behind it, and to its data."""
        item, macro = self._figures[number], environment().get_template("parts.html.j2").module
        figure, line, _ = split_behind(item.html)
        if item.is_empty:
            # Axes with nothing on them say less than the sentence.
            # Titles of charts say why; those of tables are often plain names.
            figure = note(item.title if ": " in item.title else say("{title}: nothing to show.", title=item.title)).html
        table = item.table if item.table is not None and item.table["rows"] and not item.is_empty else None
        links = macro.figure_links(  # type: ignore[attr-defined]
            number + 1,
            _name_of(item),
            # Safe: a part of a fragment, cut before a text that it has once.
            Markup(line.partition(say(DEFINED))[2].removesuffix("</p>")),  # noqa: S704
            csv_address(table) if table else "",
            csv_name(section, item.title),
            any(item.behind.get("groups") or ()),
        )
        figure = Markup(str(figure).replace(f'"{ROWS_OF}', f'"#rows-{number + 1}-'))  # noqa: S704 - ours is in a tag
        return f'<div id="figure-{number + 1}" class="item">{figure}{links}</div>'

    def _sources(self, shown: Sequence[int]) -> list[Source]:
        found: list[Source] = []
        for cell in self._cells:
            figures = [number for number in cell.figures if number in shown]
            for at, number in enumerate(figures):
                _, line, inner = split_behind(self._figures[number].html)
                # The page names its build once.
                line = Markup(re.sub("( · )?" + say("build {build}", build="\\w+"), "", line))  # noqa: S704
                code = cell.code if at == 0 else Markup("")
                item = self._figures[number]
                command = str(item.behind.get("command") or "")
                found.append(Source(number + 1, _name_of(item), line, inner, code, command))
            if not cell.figures and cell.code:
                found.append(Source(None, say("What a cell printed"), Markup(""), Markup(""), cell.code, ""))
        return found

    def _rows(self, shown: Sequence[int], section: str) -> list[RowsBehind]:
        found = [(number, self._figures[number]) for number in shown]
        return [rows_behind(n + 1, _name_of(item), item, section) for n, item in found if item.behind.get("groups")]

    def _filled(self, html: str, failure: Failure | None, section: str) -> tuple[Markup, bool]:
        def figure(match: re.Match[str]) -> str:
            number = int(match[1])
            # Otherwise it is not a placeholder of ours: something that a notebook printed.
            return self._shown(number, section) if number < len(self._figures) else ""

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


def _parts_of(box: Tag) -> list[Tag]:
    """Headings and other elements of a box of Markdown, in their order; any other box as it is."""
    if "prose" not in (box.get("class") or ()):
        return [box]
    return box.find_all(recursive=False)


def _mark_not_run(soup: BeautifulSoup) -> None:
    """Headings after the cell that failed say that nothing below them was run."""
    for failed in soup.find_all("td-failure"):
        for heading in failed.find_all_next(_HEADINGS):
            mark = soup.new_tag("span", attrs={"class": "pill pill-failed not-run"})
            mark.string = say("not run")
            heading.append(" ")
            heading.append(mark)
        return


def _name_of(item: Item) -> str:
    if item.title:
        return item.title
    titles = [str(figure.get("title", "")) for figure in item.figures]
    return ", ".join(filter(None, titles)) or say(item.kind.capitalize())


def _order_headings(soup: BeautifulSoup) -> list[Heading]:
    """Make headings start at h2, skip no level and have unique ids; return those of the table of contents."""
    for element in soup.find_all(id=True):
        # An author's own HTML must not take our ids.
        if element.name in _HEADINGS or _OURS.fullmatch(str(element["id"])):
            del element["id"]
    contents, level = [], 1
    used = {element["id"] for element in soup.find_all(id=True)}
    for heading in soup.find_all(_HEADINGS):
        marked = heading.find("span", class_="not-run")
        mark = marked.extract() if marked is not None else None
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
        if mark is not None:
            heading.append(mark)
        if level == 2:
            contents.append(Heading(name, text, mark is not None))
    return contents
