"""The figures of a record as they stand in messages: each once, its value and its change in print."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from tidings.display import formats
from tidings.language import say
from tidings.metrics.registry import registry
from tidings.metrics.result import no_source_words
from tidings.reporting.record import Item, NotebookRecord


@dataclass(frozen=True)
class PrintedFigure:
    """A figure for a reader: `value` is "–" where it is unknown, and `why` then says why; `change` may be empty."""

    title: str
    value: str
    change: str
    why: str

    @property
    def line(self) -> str:
        """All of it in one line after the title."""
        more = self.change or self.why
        return f"{self.value} ({more})" if more else self.value


def all_figures(record: NotebookRecord) -> tuple[Mapping[str, Any], ...]:
    """Every figure of a section, each metric and window once, in reading order."""
    return tuple(_once(record.items))


def main_figures(record: NotebookRecord) -> tuple[PrintedFigure, ...]:
    """The figures on a section's cards; of a section without cards, what its gauges show."""
    cards = tuple(_once(record.of_kind("cards")))
    gauges = tuple(dict(item.figures[0]) for item in record.of_kind("gauge") if item.figures)
    return tuple(map(printed, cards or gauges))


def printed(figure: Mapping[str, Any]) -> PrintedFigure:
    """A figure of the record for a reader."""
    unit = str(figure.get("unit") or "")
    value, before = number(figure.get("value")), number(figure.get("before"))
    change = formats.difference(value, before, unit)
    return PrintedFigure(
        title=str(figure.get("title") or figure.get("metric") or ""),
        value=str(formats.short(value, unit)),
        change="" if change == formats.MISSING else change,
        why=no_source_words(reason_of(figure)),
    )


def reason_of(figure: Mapping[str, Any]) -> str:
    """Why the value of a figure is unknown, as a clause; empty where it is known."""
    if figure.get("value") is not None:
        return ""
    known = registry().get(str(figure.get("metric")))
    return str(figure.get("why") or "") or (formats.why_missing(known) if known else say("no data in this window"))


def number(given: Any) -> Decimal | None:
    """A value of the record, exact; None if it is unknown."""
    try:
        value = Decimal(str(given))
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def finite(given: Any) -> float | None:
    """A change of the record that JSON can hold."""
    return float(given) if isinstance(given, int | float) and math.isfinite(given) else None


def _once(items: Iterable[Item]) -> Iterator[Mapping[str, Any]]:
    seen = set()
    for item in items:
        for figure in item.figures:
            window = figure.get("window") or {}
            key = (figure.get("metric"), figure.get("title"), window.get("from"), window.get("to"))
            if key not in seen:
                seen.add(key)
                yield figure
