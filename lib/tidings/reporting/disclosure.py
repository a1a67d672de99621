"""What of a record may leave for anybody: the listed figures, without anything of where they come from."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from bs4 import BeautifulSoup
from markupsafe import Markup, escape

from tidings.display.fragments import DEFINED, split_behind
from tidings.errors import UsageError, suggest
from tidings.language import message, say
from tidings.metrics.registry import registry
from tidings.metrics.result import NO_SOURCE
from tidings.reporting.pinned import Public
from tidings.reporting.record import Failure, Item, NotebookRecord

BY = " by "
_OF_TIME = ("period", "period_before")
# Columns that stand for the metric of their chart or table.
_OF_METRIC = ("value", "before", "change", "share")
_NOTES = re.compile(r'<p class="td-notes">(.*?)</p>', re.DOTALL)
_ANNOTATION = re.compile(r"\d+: ")
_INCOMPLETE = message("Not everything that this is computed from is complete.")
_UNKNOWN_CHANGE = message("no change is known")


def check_public(public: Public) -> None:
    """Refuse figures that are none.

    Raises:
        UsageError: none are listed, or a name is no metric.
    """
    if not public.figures:
        raise UsageError("A public audience lists no figures.", 'List them, as figures = ["orders"].')
    for figure in public.figures:
        name, by, column = figure.partition(BY)
        if name not in registry() or (by and not column.strip()):
            raise UsageError(f"There is no metric '{name}' to be public.", suggest(name, registry()))


def disclosed(record: NotebookRecord, figures: Collection[str]) -> NotebookRecord:
    """The record with the listed figures alone: cards, findings, charts over time, tables; by default nothing.

    A breakdown is shown if it is listed itself, as "orders by country". There is no code, query, table, source or
    parameter in it, no remark that names one, and of a failure only that there was one.
    """
    allowed = frozenset(figures)
    items = (found for item in record.items if (found := _item(item, allowed)) is not None)
    failure = record.failure and Failure("", say("This part of the report could not be finished."), "", "")
    return replace(record, items=tuple(items), parameters={}, failure=failure)


def has_figures(record: NotebookRecord) -> bool:
    """Whether a disclosed record shows anything; where it does not, not even its title leaves."""
    return any(item.kind != "head" for item in record.items)


def _item(item: Item, allowed: frozenset[str]) -> Item | None:
    bare = replace(item, provenance={}, behind={})
    if item.kind == "head":
        return replace(bare, title="", alt=item.subtitle, text=item.subtitle, html="")
    if item.kind == "cards":
        return _cards(bare, allowed)
    if item.kind == "findings":
        return _findings(bare, allowed)
    if item.kind in ("chart", "table", "gauge") and not item.absent and not item.is_empty and _may_leave(item, allowed):
        return _cleaned(bare, item.provenance.get("notes") or ())
    return None


def _may_leave(item: Item, allowed: frozenset[str]) -> bool:
    metrics = item.metrics
    if not metrics or item.table is None or not allowed.issuperset(metrics):
        return False
    if any(_ANNOTATION.match(note) for note in _notes(item.html)):
        return False
    return all(_column_may_leave(column, metrics, allowed) for column in item.table["columns"])


def _column_may_leave(column: Mapping[str, Any], metrics: tuple[str, ...], allowed: frozenset[str]) -> bool:
    name = str(column["name"])
    if column["unit"] == "date":
        return True
    if column["unit"] == "text":
        return name in _OF_TIME or all(f"{metric}{BY}{name}" in allowed for metric in metrics)
    titles = {registry()[metric].title for metric in metrics if metric in registry()}
    # Lines of several series are named; a name that is no metric's is that of a group of rows.
    return name in metrics or name in _OF_METRIC or (name.startswith("value_") and column["title"] in titles)


def _cards(item: Item, allowed: frozenset[str]) -> Item | None:
    # What no source brings has no card.
    with_card = [figure for figure in item.figures if not str(figure.get("why") or "").startswith(NO_SOURCE)]
    drawn = BeautifulSoup(item.html, "html.parser").select(".td-card")
    if len(drawn) != len(with_card):
        return None
    kept = [
        (figure, card)
        for figure, card in zip(with_card, drawn, strict=True)
        if figure["metric"] in allowed and figure["value"] is not None
    ]
    if not kept:
        return None
    lines = []
    for figure, card in kept:
        delta, value = card.select_one(".td-delta"), card.select_one(".td-value")
        for clause in card.select(".td-delta .td-muted"):
            # Behind the first part a clause may name sources and their days.
            said = clause.get_text()
            clause.string = say(_UNKNOWN_CHANGE) if "td-why" in clause["class"] else said.partition(";")[0]
            if ";" in said:
                clause.append("; " + say("of a part of these days"))
        words = [part.get_text() for part in (value, delta) if part is not None]
        lines.append(f"{figure['title']}: {', '.join(words)}")
    grid = "".join(str(card) for _, card in kept)
    return replace(
        item,
        figures=tuple({**figure, "why": ""} for figure, _ in kept),
        html=f'<figure class="td td-cards"><div class="td-grid">{grid}</div></figure>',
        text="\n".join(lines),
        alt="; ".join(lines),
    )


def _findings(item: Item, allowed: frozenset[str]) -> Item | None:
    kept = [
        # A subject may be the rows in which it lies; the index knows "nothing" by its subject.
        {
            "text": one["outline"],
            "subject": "nothing" if one["subject"] == "nothing" else ", ".join(one["metrics"]),
            "chance": one["chance"],
            "action": "",
        }
        for one in item.findings
        if one.get("outline") and one.get("metrics") and allowed.issuperset(one["metrics"])
    ]
    if not kept:
        return None
    texts = [str(one["text"]) for one in kept]
    listed = Markup("").join(Markup("<li>{}</li>").format(text) for text in texts)
    return replace(
        item,
        figures=tuple({**one, "why": ""} for one in item.figures if one["metric"] in allowed),
        findings=tuple(kept),
        html=str(Markup('<figure class="td td-findings"><ol>{}</ol></figure>').format(listed)),
        text="\n".join(f"- {text}" for text in texts),
        alt=" ".join(texts),
    )


def _cleaned(item: Item, of_sources: Iterable[str]) -> Item:
    """The figure without its queries, and without the remarks that say what sources lack."""
    figure, line, _ = split_behind(item.html)
    hidden = {str(escape(note)) for note in of_sources}

    def remarks(found: re.Match[str]) -> str:
        every = found[1].split("<br>")
        kept = [note for note in every if note not in hidden]
        kept += [say(_INCOMPLETE)] if len(kept) < len(every) else []
        return f'<p class="td-notes">{"<br>".join(kept)}</p>'

    defined = line.partition(say(DEFINED))[2].removesuffix("</p>")
    about = f'<p class="td-source">{say(DEFINED)}{defined}</p>' if defined else ""
    html = _NOTES.sub(remarks, str(figure)).removesuffix("</figure>") + about + "</figure>"
    return replace(item, html=html, figures=tuple({**one, "why": ""} for one in item.figures))


def _notes(html: str) -> list[str]:
    return [note for found in _NOTES.finditer(html) for note in found[1].split("<br>")]
