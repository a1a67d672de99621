"""Messages to Microsoft Teams: an Adaptive Card to the address of a workflow, which is the credential.

Data stand in runs of text, which Teams shows as they are; in its other elements they would be read as Markdown.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tidings.delivery.channel import ChannelKind, Receipt, variable
from tidings.delivery.figures import main_figures
from tidings.delivery.message import Message
from tidings.delivery.posting import Poster, checked_address
from tidings.enrich.characters import plain
from tidings.language import say
from tidings.options import Options
from tidings.reporting.record import NotebookRecord
from tidings.settings import Settings

MOST_BYTES = 28_000
"""Teams takes 28 KB for the whole message; beyond it answers 413, or drops the card in silence."""
_MOST_FIGURES = 10
_LONGEST = 400

Element = dict[str, Any]


class TeamsOptions(Options, frozen=True):
    """Teams has no options: channel and name belong to the workflow."""


@dataclass
class Teams:
    """An opened workflow of Teams."""

    name: str
    poster: Poster
    is_personal: bool = False
    is_repeatable: bool = False

    def check(self) -> Sequence[str]:
        """Nothing can be found out without posting; a workflow whose owner has left answers 404 or 401 then."""
        return ()

    def send(self, message: Message, offered: Callable[[], None]) -> Receipt:
        """Post the card; any status from 200 to 299 says that the workflow has it, not yet that it is shown."""
        headers = {"Content-Type": "application/json"}
        return self.poster.post(body_of(message), headers, message.sent_at or message.at, offered)


def body_of(message: Message) -> bytes:
    """The card within the limit: sections give way from the last on, and the card says how many did."""
    head, foot = list(_head(message)), list(_foot(message))
    rows = [_row(record) for record in message.records]
    for shown in range(len(rows), -1, -1):
        left = len(rows) - shown
        more = [_runs(_run(say("… and {n} more sections", n=left), isSubtle=True))] if left else []
        body = _encoded(message, [*head, *(part for row in rows[:shown] for part in row), *more, *foot])
        if len(body) <= MOST_BYTES:
            return body
    # Lists of alerts and findings alone are too long.
    for shown in range(len(head), -1, -1):
        body = _encoded(message, [*head[:shown], _runs(_run(say("… and more in the report"), isSubtle=True))])
        if len(body) <= MOST_BYTES:
            break
    return body


def _encoded(message: Message, elements: Sequence[Element]) -> bytes:
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": elements,
    }
    if message.address and len(message.address) <= _LONGEST:
        card["actions"] = [{"type": "Action.OpenUrl", "title": say("Open the report"), "url": message.address}]
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return json.dumps({"type": "message", "attachments": [attachment]}).encode()


def _head(message: Message) -> Iterable[Element]:
    yield _runs(_run(message.title or message.subject or "Tidings", size="Large", weight="Bolder"))
    if message.period:
        yield _runs(_run(message.period, isSubtle=True))
    for heading, colour, lines in (
        (say("Open alerts"), "Attention", message.alerts),
        (say("Incomplete"), "Warning", message.gaps),
        ("", "Default", message.lines),
        (say("What changed?"), "Default", [one.text for one in message.findings]),
    ):
        if lines and heading:
            yield _runs(_run(heading, weight="Bolder", color=colour), spacing="Medium")
        for line in lines:
            yield _runs(_run(line), spacing="Small")


def _row(record: NotebookRecord) -> list[Element]:
    heading = _runs(_run(record.title, weight="Bolder"), separator=True, spacing="Medium")
    if record.failure is not None:
        return [heading, _runs(_run(say("This section could not be finished."), color="Attention"), spacing="Small")]
    if record.absent:
        return [heading, _runs(_run(record.missing, isSubtle=True), spacing="Small")]
    figures = main_figures(record)[:_MOST_FIGURES]
    return [
        heading,
        *(
            _runs(
                _run(f"{figure.title}  "),
                _run(figure.value, weight="Bolder"),
                *([_run(f"  {more}", isSubtle=True)] if (more := figure.change or figure.why) else []),
                spacing="Small",
            )
            for figure in figures
        ),
    ]


def _foot(message: Message) -> Iterable[Element]:
    for note in message.notes:
        yield _runs(_run(note, isSubtle=True, size="Small"), spacing="Small")


def _runs(*runs: Element, **style: Any) -> Element:
    return {"type": "RichTextBlock", "inlines": list(runs), **style}


def _run(text: str, **style: Any) -> Element:
    text = plain(text)
    return {"type": "TextRun", "text": text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…", **style}


def _open(name: str, options: TeamsOptions, settings: Settings) -> Teams:
    del options
    named = variable(name, "WEBHOOK")
    address = checked_address(settings.secret(named).strip(), f"The environment variable {named}")
    renew = (
        f"The workflow was removed, switched off or has lost its owner: make one anew and write its address to {named}."
    )
    remedies = dict.fromkeys((401, 403, 404, 410), renew)
    return Teams(name, Poster(name, address, remedies))


TEAMS = ChannelKind("teams", TeamsOptions, _open, ("WEBHOOK",))
