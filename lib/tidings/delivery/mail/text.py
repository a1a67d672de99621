"""The text part of a mail: all that the HTML part says, in lines of less than 78 columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from tidings.delivery.mail.body import Body, Card
from tidings.delivery.mail.grid import COLUMNS, columns, cut
from tidings.language import THIN, message, say

_NO_BREAK = "\u00a0"
MORE = message("There is more on the page.")


def text_of(body: Body) -> str:
    """The text part; an address stands on a line of its own, however long it is."""
    lines = "\n".join(line.rstrip(" ") for line in _written(body))
    # A narrow no-break space is not in every font with letters of one width.
    return lines.replace(THIN, _NO_BREAK).strip("\n") + "\n"


def wrapped(text: str, first: str = "", then: str = "") -> list[str]:
    """A text in lines; `first` stands before the first of them, `then` before the others."""
    lines, line, used, is_new = [], first, columns(first), True
    for word in text.split(" "):
        rest, width = word, columns(word)
        if not is_new and used + 1 + width > COLUMNS:
            lines.append(line)
            line, used, is_new = then, columns(then), True
        while is_new and used + width > COLUMNS:
            part = _beginning(rest, COLUMNS - used)
            lines.append(f"{line}{part}")
            rest = rest[len(part) :]
            line, used, width = then, columns(then), columns(rest)
        line = f"{line}{rest}" if is_new else f"{line} {rest}"
        used += width if is_new else width + 1
        is_new = False
    return [*lines, line]


def notice_of(lines: Sequence[str], foot: Iterable[str] = ()) -> str:
    """A notice: its sentences, a paragraph each."""
    paragraphs = ["\n".join(wrapped(line)) for each in lines for line in (each.splitlines() or [""])]
    return "\n\n".join([*paragraphs, *foot]) + "\n"


def _written(body: Body) -> Iterator[str]:
    yield from wrapped(body.title)
    yield "=" * min(COLUMNS, columns(body.title))
    yield from wrapped(body.period)
    yield say("As of {time}", time=body.as_of)
    yield from _list(say("Open alerts"), body.alerts)
    yield from _list(say("Missing"), body.gaps)
    if body.findings:
        yield from _head(say("What changed"))
        for number, one in enumerate(body.findings, start=1):
            yield from wrapped(f"{one.text} {one.action}".strip(), f"{number}. ", "   ")
            yield from wrapped(f"→ {one.where}", "   ", "     ") if one.where else ()
    if body.cards:
        yield from _head(say("Key figures"))
        yield from _figures(body.cards)
    for number, chart in enumerate(body.charts):
        yield from _head(say("Charts")) if number == 0 else [""]
        yield from wrapped(chart.title)
        yield from wrapped(chart.subtitle, "  ", "  ") if chart.subtitle else ()
        yield from wrapped(chart.alt, "  ", "  ")
    if body.table is not None:
        yield from _head(body.table.title or say("Table"))
        yield from [*wrapped(body.table.subtitle), ""] if body.table.subtitle else ()
        yield from body.table.lines()
        yield from ["", *wrapped(body.table.notes)] if body.table.notes else ()
    if body.sections:
        yield from _head(say("Sections"))
        for section in body.sections:
            yield from wrapped(f"{section.title}: {section.state}", "- ", "  ")
            yield from wrapped(section.figures, "  ", "  ") if section.figures else ()
            yield from [f"  {section.address}"] if section.address else []
    yield from _list(say("Notes"), body.notes)
    yield from ["", say(MORE)] if body.is_cut else []
    yield from ["", "-" * COLUMNS]
    yield from [say("The report:"), body.address] if body.address else []
    yield say("{title}, made by Tidings as of {time}.", title=body.title, time=body.as_of)
    yield from [say("Unsubscribe:"), body.unsubscribe] if body.unsubscribe else []


def _head(title: str) -> list[str]:
    lines = wrapped(title)
    return ["", *lines, "-" * max(map(columns, lines))]


def _list(title: str, texts: Sequence[str]) -> list[str]:
    return [*_head(title), *(line for text in texts for line in wrapped(text, "- ", "  "))] if texts else []


def _figures(cards: Sequence[Card]) -> Iterator[str]:
    names = [cut(card.label, COLUMNS // 3) for card in cards]
    values = [cut(card.value, COLUMNS // 3) for card in cards]
    first, second = max(map(columns, names)), max(map(columns, values))
    for card, name, value in zip(cards, names, values, strict=True):
        gap = " " * (first - columns(name) + second - columns(value) + 2)
        yield from wrapped(" · ".join(filter(None, (card.change, card.status))), f"{name}{gap}{value}  ", "  ")
        yield from wrapped(card.words, "  ", "  ") if card.words else ()


def _beginning(word: str, most: int) -> str:
    """As much of a word as takes so many columns, at least one character."""
    end = 1
    while end < len(word) and columns(word[: end + 1]) <= most:
        end += 1
    return word[:end]
