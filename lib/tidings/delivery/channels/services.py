"""Messages to a hundred other services through the library apprise, an extra; an address says which, and has its keys.

The library says only whether the service accepted a message. One that answered too late counts as not accepted, so a
repeated attempt may show it twice.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from tidings.delivery.channel import ChannelKind, DeliveryError, Receipt, variable
from tidings.delivery.figures import main_figures
from tidings.delivery.message import Message
from tidings.enrich.characters import plain
from tidings.errors import SettingsError
from tidings.language import say
from tidings.options import Options
from tidings.settings import Settings


class ServiceOptions(Options, frozen=True):
    """A service has no options: all is in its address."""


@dataclass
class Service:
    """An opened service."""

    name: str
    # Not shown in tracebacks: it holds the address.
    client: Any = field(repr=False)
    is_personal: bool = False
    is_repeatable: bool = False

    def check(self) -> Sequence[str]:
        """Nothing can be found out without sending."""
        return ()

    def send(self, message: Message, offered: Callable[[], None]) -> Receipt:
        """Send subject and text; the library cuts or splits them as the service needs."""
        text = text_of(message)
        offered()
        with self.client.notify(body=text, title=plain(message.subject or message.title), body_format="text") as result:
            if result:
                return Receipt(None, "accepted")
        raise DeliveryError(
            f"The service of the channel {self.name} did not accept the message, or did not answer in time.",
            f"The library gives no reason. Check {variable(self.name, 'URL')}, and whether the service can be reached.",
            outlook="temporary",
        )


def text_of(message: Message) -> str:
    """The message as plain text."""
    return plain("\n".join(_lines(message))).strip() or message.title


def _lines(message: Message) -> Iterator[str]:
    yield message.period
    for heading, lines in (
        (say("Open alerts"), message.alerts),
        (say("Incomplete"), message.gaps),
        ("", message.lines),
        (say("What changed?"), [one.text for one in message.findings]),
    ):
        yield from ("", heading) if lines and heading else ()
        yield from (f"• {line}" for line in lines)
    for record in message.records:
        yield from ("", record.title)
        if record.failure is not None:
            yield say("This section could not be finished.")
        elif record.absent:
            yield record.missing
        else:
            yield from (f"{figure.title}: {figure.line}" for figure in main_figures(record))
    yield from ("", *message.notes) if message.notes else ()
    yield from ("", message.address) if message.address else ()


def _open(name: str, options: ServiceOptions, settings: Settings) -> Service:
    del options
    try:
        import apprise
    except ImportError:
        raise SettingsError(
            f"The channel {name} needs the library apprise, which is not installed.",
            'Run: pip install "tidings[apprise]"',
        ) from None
    # What it logs may hold addresses; without a handler Python would print it.
    logger = logging.getLogger("apprise")
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    named = variable(name, "URL")
    address = settings.secret(named).strip()
    client = apprise.Apprise(asset=apprise.AppriseAsset(secure_logging=True, async_mode=False))
    if not client.add(address) or len(client) != 1:
        raise SettingsError(
            f"The environment variable {named} is not the address of one service that apprise knows.",
            "Its manual lists how each is written: github.com/caronc/apprise/wiki.",
        )
    return Service(name, client)


SERVICE = ChannelKind("apprise", ServiceOptions, _open, ("URL",))
