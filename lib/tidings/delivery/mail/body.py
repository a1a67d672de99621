"""What a mail says of a message, before it is written as HTML and as text: both have the same, as plain texts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from urllib.parse import quote, urljoin

from bs4 import BeautifulSoup, Tag

from tidings.delivery.mail.grid import Grid, fitted
from tidings.delivery.message import Message
from tidings.delivery.pictures import Picture, pictures_of
from tidings.display import formats
from tidings.display.fragments import split_behind
from tidings.errors import printable
from tidings.language import say
from tidings.reporting.index import state_of
from tidings.reporting.record import Item, NotebookRecord

MOST_FINDINGS = 3
MOST_CARDS = 6
MOST_CHARTS = 3
MOST_ROWS = 12
_MOST_LINES = 10
_MOST_SECTIONS = 40
_IN_A_LINE = 2
# Widths in px of a picture on a desktop and on a phone.
WIDTHS = {"wide": 552, "narrow": 328}
_LONG, _SHORT = 600, 160
_TONES = ("good", "bad")
_BLANKS = re.compile(r"[ \t\r\n\f\v]+")


@dataclass(frozen=True)
class Card:
    """One figure as on its card: `change` has arrow and sign, `tone` is good, bad or none, `words` say the rest."""

    label: str
    figure: str
    unit: str
    status: str
    change: str
    tone: str
    words: str

    @property
    def value(self) -> str:
        """The figure with its unit."""
        return f"{self.figure}{self.unit}"


@dataclass(frozen=True)
class Chart:
    """A chart: its finding, its measure, its alt text, and its pictures for a desktop and for a phone."""

    title: str
    subtitle: str
    alt: str
    wide: Picture
    narrow: Picture


@dataclass(frozen=True)
class Finding:
    """A finding, what to do, and the titles of the sections whose it is."""

    text: str
    action: str
    where: str


@dataclass(frozen=True)
class SectionLine:
    """A section in one line: what became of it, its first figures unless they stand above, and its page's address."""

    title: str
    state: str
    figures: str
    address: str


@dataclass(frozen=True)
class Body:
    """All that a mail says. `is_cut` is true where parts were left out to keep it small."""

    title: str
    period: str
    as_of: str
    address: str
    gaps: tuple[str, ...] = ()
    alerts: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    cards: tuple[Card, ...] = ()
    charts: tuple[Chart, ...] = ()
    table: Grid | None = None
    sections: tuple[SectionLine, ...] = ()
    notes: tuple[str, ...] = ()
    unsubscribe: str = ""
    is_cut: bool = False

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """All pictures in order; a chart without one of its own for phones has its only one once."""
        return tuple(dict.fromkeys(each for chart in self.charts for each in (chart.wide, chart.narrow)))


def body_of(message: Message, unsubscribe: str = "") -> Body:
    """What a mail says of a message with records; `unsubscribe` is an address for its foot."""
    first = next((record for record in message.records if any(_cards(record))), None)
    return Body(
        title=clean(message.title, _SHORT),
        period=clean(message.period, _SHORT),
        as_of=f"{formats.day(message.at.date())}, {message.at:%H:%M %Z}".strip(),
        address=message.address,
        gaps=_lines(message.gaps),
        alerts=_lines(message.alerts),
        findings=tuple(
            Finding(
                clean(one.text, _LONG),
                clean(one.action, _LONG),
                clean(", ".join(title for _, title in one.sections), _SHORT),
            )
            for one in message.findings[:MOST_FINDINGS]
        ),
        cards=tuple(_cards(first))[:MOST_CARDS] if first else (),
        charts=tuple(islice(_charts(message.records), MOST_CHARTS)),
        table=next(_tables(message.records), None),
        sections=tuple(_section(message, record, record is first) for record in message.records[:_MOST_SECTIONS]),
        notes=_lines(message.notes),
        unsubscribe=unsubscribe,
    )


def smaller(body: Body) -> Iterator[Body]:
    """The same mail with less and less in it, the least important left out first."""
    cut = replace(body, is_cut=True)
    yield (cut := replace(cut, notes=()))
    yield (cut := replace(cut, sections=tuple(replace(each, figures="") for each in cut.sections)))
    if cut.table is not None:
        yield (cut := replace(cut, table=cut.table.first(MOST_ROWS // 2)))
        yield (cut := replace(cut, table=None))
    while cut.charts:
        yield (cut := replace(cut, charts=cut.charts[:-1]))
    yield (cut := replace(cut, sections=cut.sections[:MOST_ROWS]))
    yield (cut := replace(cut, sections=()))
    yield (cut := replace(cut, cards=cut.cards[: MOST_CARDS // 2]))
    yield (cut := replace(cut, gaps=cut.gaps[:1], alerts=cut.alerts[:1]))
    yield replace(cut, cards=(), findings=(), gaps=(), alerts=())


def clean(text: str, most: int = _LONG) -> str:
    """A text in one line without characters that command a terminal, at most so long.

    No-break spaces stay, so that numbers hold together.
    """
    # Not strip() alone: it would take a no-break space from a unit.
    line = _BLANKS.sub(" ", printable(text)).strip(" ")
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"


def page_address(message: Message, section: str) -> str:
    """The address of a section's page; empty where reports are not published."""
    if not message.address:
        return ""
    base = message.address if message.address.endswith((".html", "/")) else f"{message.address}/"
    return urljoin(base, f"{quote(section)}.html")


def _lines(texts: Sequence[str]) -> tuple[str, ...]:
    shown = tuple(clean(text) for text in texts[:_MOST_LINES] if text.strip())
    left = len(texts) - _MOST_LINES
    return (*shown, say("And {n} more.", n=left)) if left > 0 else shown


def _parsed(html: str) -> BeautifulSoup:
    return BeautifulSoup(split_behind(html).figure, "html.parser")


def _cards(record: NotebookRecord) -> Iterator[Card]:
    """The cards of a section as its page shows them; what no source brings has none."""
    for item in record.of_kind("cards"):
        yield from _cards_in(item.html)


# A run is mailed to hundreds of recipients.
@lru_cache(maxsize=256)
def _cards_in(html: str) -> tuple[Card, ...]:
    return tuple(map(_card, _parsed(html).select(".td-card")))


def _card(card: Tag) -> Card:
    for sign in card.select("[aria-hidden=true]"):
        sign.decompose()
    delta = card.select_one(".td-delta")
    spans = delta.find_all("span", recursive=False) if delta else []
    # The change is the first, and has the class of its tone; without one the first is what is said in its place.
    change = spans[0] if spans and not {"td-muted", "td-usual"} & set(_classes(spans[0])) else None
    unit = card.select_one(".td-value .td-unit")
    return Card(
        unit=_said(unit.extract()) if unit else "",
        label=_said(card.select_one(".td-label a")),
        figure=_said(card.select_one(".td-value")),
        status=_said(card.select_one(".td-status")),
        change=_said(change),
        tone=next((tone for tone in _TONES if change and f"td-{tone}" in _classes(change)), "none"),
        words=", ".join(filter(None, (_said(span) for span in spans if span is not change))),
    )


def _charts(records: Iterable[NotebookRecord]) -> Iterator[Chart]:
    for record in records:
        for item in record.of_kind("chart"):
            drawn = {} if item.is_empty or item.absent else pictures_of(item, WIDTHS)
            if drawn:
                wide = drawn.get("wide") or drawn["narrow"]
                subtitle = " · ".join(filter(None, (item.subtitle, _key(item))))
                yield Chart(
                    clean(item.title), clean(subtitle), clean(item.alt, 2 * _LONG), wide, drawn.get("narrow", wide)
                )


def _key(item: Item) -> str:
    """What the grey line of a chart is, where a line above the picture says so."""
    found = re.search(r'<p class="td-key">.*?<span class="td-key-before"></span>(.*?)</p>', item.html, re.DOTALL)
    return say("grey: {what}", what=_said(found[1])) if found else ""


def _tables(records: Iterable[NotebookRecord]) -> Iterator[Grid]:
    """The tables as their pages show them, with as many columns as fit."""
    for record in records:
        for item in record.of_kind("table"):
            if not item.is_empty and not item.absent and (table := _table_in(item.title, item.subtitle, item.html)):
                yield table


@lru_cache(maxsize=64)
def _table_in(title: str, subtitle: str, html: str) -> Grid | None:
    page = _parsed(html)
    head, *rows = [_cells(row) for row in page.select("table.td-table tr")] or [[]]
    if not rows:
        return None
    notes = page.select_one(".td-notes")
    for line in notes.find_all("br") if notes else ():
        line.replace_with(" ")
    return fitted(
        clean(title, _SHORT),
        clean(subtitle, _SHORT),
        tuple(map(_said, head)),
        tuple("td-num" in _classes(cell) for cell in head),
        [tuple(map(_said, row)) for row in rows],
        most=MOST_ROWS,
        note=_said(notes),
    )


def _cells(row: Tag) -> list[Tag]:
    return [cell for cell in row.find_all(["th", "td"]) if "td-barcell" not in _classes(cell)]


def _section(message: Message, record: NotebookRecord, is_above: bool) -> SectionLine:
    failed = record.failure is not None
    state = say("failed") if failed else state_of(record)
    shown = [] if is_above or failed or record.absent else list(_cards(record))[:_IN_A_LINE]
    figures = " · ".join(f"{card.label} {card.value} {card.change}".strip() for card in shown)
    return SectionLine(clean(record.title, _SHORT), state, figures, page_address(message, record.section))


def _classes(tag: Tag) -> list[str]:
    return list(tag.get("class") or ())


def _said(part: Tag | str | None) -> str:
    if part is None:
        return ""
    text = BeautifulSoup(part, "html.parser").get_text() if isinstance(part, str) else part.get_text()
    return clean(text)
