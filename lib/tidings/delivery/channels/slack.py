"""Messages to Slack through an incoming webhook, whose address is the credential.

Lengths are counted after escaping and in UTF-16 units, the largest of all ways in which Slack may count them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urljoin

from tidings.delivery.channel import ChannelKind, Receipt, variable
from tidings.delivery.figures import PrintedFigure, main_figures
from tidings.delivery.message import Message
from tidings.delivery.posting import Poster, checked_address
from tidings.enrich.characters import plain
from tidings.language import say
from tidings.options import Options
from tidings.reporting.record import NotebookRecord
from tidings.settings import Settings
from tidings.sources.http.response import Response

MOST_BLOCKS = 50
MOST_TEXT = 3000
MOST_FIELDS = 10
MOST_FIELD = 2000
MOST_HEADER = 150
MOST_ADDRESS = 3000
_AROUND = 8
_ITEM = 400
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_MORE = "…"
# Not the blanks that keep a number together.
_BLANKS = re.compile(r"[^\S\u00a0\u202f]+")

Block = dict[str, Any]


class SlackOptions(Options, frozen=True):
    """Slack has no options: channel and name belong to the webhook."""


@dataclass
class Slack:
    """An opened webhook of Slack."""

    name: str
    poster: Poster
    is_personal: bool = False
    is_repeatable: bool = False

    def check(self) -> Sequence[str]:
        """Nothing can be found out without posting."""
        return ()

    def send(self, message: Message, offered: Callable[[], None]) -> Receipt:
        """Post the blocks; accepted is 200 with the word ok, anything else of 200 came from something in between."""
        body = json.dumps(payload(message)).encode()
        headers = {"Content-Type": "application/json; charset=utf-8"}
        return self.poster.post(body, headers, message.sent_at or message.at, offered, _is_ok)


def payload(message: Message) -> dict[str, Any]:
    """Text for the notification, and blocks."""
    first = [one.text for one in message.findings[:1]]
    text = "\n".join(filter(None, [message.subject or message.title, *message.gaps[:1], *first, *message.lines[:1]]))
    blocks = [*_head(message)]
    after = [*_tail(message)]
    room = MOST_BLOCKS - _AROUND
    shown = message.records if len(message.records) <= room else message.records[: room - 1]
    blocks += [_row(record, message.address) for record in shown]
    if len(shown) < len(message.records):
        blocks.append(_context(say("… and {n} more sections", n=len(message.records) - len(shown))))
    return {"text": cut(text, MOST_TEXT) or "Tidings", "blocks": [*blocks, *after]}


def cut(text: str, most: int, *, one_line: bool = False) -> str:
    """A text escaped for Slack that stays within `most` in whatever way it is counted; no character is halved."""
    text = plain(_BLANKS.sub(" ", text).strip() if one_line else text.strip())
    pieces: list[str] = []
    length, end = 0, 0
    for character in text:
        piece = _ENTITIES.get(character, character)
        length += _length(piece)
        if length > most:
            return "".join(pieces[:end]).rstrip() + _MORE
        pieces.append(piece)
        if length <= most - len(_MORE):
            end = len(pieces)
    return "".join(pieces)


def _length(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _head(message: Message) -> Iterable[Block]:
    title = cut(message.title or message.subject, MOST_HEADER, one_line=True) or "Tidings"
    yield {"type": "header", "text": {"type": "plain_text", "text": title, "emoji": False}}
    if message.period:
        yield _context(message.period)
    for heading, lines in (
        (say("Open alerts"), message.alerts),
        (say("Incomplete"), message.gaps),
        ("", message.lines),
        (say("What changed?"), [one.text for one in message.findings]),
    ):
        if listed := _list(heading, lines):
            yield {"type": "section", "text": _text(listed)}


def _tail(message: Message) -> Iterable[Block]:
    if message.notes:
        yield _context(" · ".join(message.notes))
    if message.address and _length(message.address) <= MOST_ADDRESS:
        button = {"type": "button", "text": {"type": "plain_text", "text": say("Open the report"), "emoji": False}}
        yield {"type": "actions", "elements": [{**button, "url": message.address, "action_id": "open"}]}


def _list(heading: str, lines: Iterable[str]) -> str:
    """Lines with bullets below a heading, as many as there is room for."""
    items = [item for line in lines if (item := cut(line, _ITEM, one_line=True))]
    if not items:
        return ""
    shown = [f"*{heading}*"] if heading else []
    length = _length("".join(shown)) + len(shown)
    for number, item in enumerate(items):
        line = f"• {item}" if heading else item
        rest = say("… and {n} more", n=len(items) - number)
        length += _length(line) + 1
        if length + _length(rest) + 1 > MOST_TEXT:
            shown.append(rest)
            break
        shown.append(line)
    return "\n".join(shown)


def _row(record: NotebookRecord, address: str) -> Block:
    title = cut(record.title, _ITEM, one_line=True) or say("Section")
    page = _page_of(address, record.section)
    heading = f"<{page}|{title}>" if page and "|" not in page else f"*{title}*"
    if record.failure is not None:
        return {"type": "section", "text": _text(f"{heading}\n{say('This section could not be finished.')}")}
    if record.absent:
        return {"type": "section", "text": _text(f"{heading}\n{cut(record.missing, _ITEM)}")}
    figures = main_figures(record)
    row: Block = {"type": "section", "text": _text(heading)}
    if figures:
        row["fields"] = [_field(figure) for figure in figures[:MOST_FIELDS]]
    return row


def _page_of(address: str, section: str) -> str:
    """The section's page beside the index, escaped; empty where that cannot be known."""
    if not address.endswith(("/", ".html")):
        return ""
    page = cut(urljoin(address, f"{quote(section)}.html"), MOST_ADDRESS)
    return "" if page.endswith(_MORE) or _length(page) > MOST_TEXT - 2 * _ITEM else page


def _field(figure: PrintedFigure) -> dict[str, Any]:
    title, line = (cut(text, MOST_FIELD // 2 - 8, one_line=True) for text in (figure.title, figure.line))
    return _text(f"*{title}*\n{line}")


def _text(escaped: str) -> dict[str, Any]:
    # Verbatim: names of people and channels, and addresses, in data become no mentions and no links.
    return {"type": "mrkdwn", "text": escaped, "verbatim": True}


def _context(text: str) -> Block:
    return {"type": "context", "elements": [_text(cut(text, MOST_FIELD, one_line=True) or "–")]}


def _is_ok(response: Response) -> bool:
    return response.status == 200 and response.body.strip() == b"ok"


def _open(name: str, options: SlackOptions, settings: Settings) -> Slack:
    del options
    named = variable(name, "WEBHOOK")
    address = checked_address(settings.secret(named).strip(), f"The environment variable {named}")
    renew = f"Add the webhook to the channel again in Slack, and write its new address into {named}."
    bug = "Slack calls the message itself wrong, which is a bug in Tidings: report it with these words."
    remedies: Mapping[int, str] = {400: bug, 403: renew, 404: renew, 410: f"The channel is archived. {renew}"}
    return Slack(name, Poster(name, address, remedies))


SLACK = ChannelKind("slack", SlackOptions, _open, ("WEBHOOK",))
