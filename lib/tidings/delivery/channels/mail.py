"""Mail by SMTP: one for each recipient, with the figures in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Annotated, Literal

from msgspec import Meta

from tidings.delivery.channel import ChannelKind, DeliveryError, Receipt, variable
from tidings.delivery.mail.letter import TOKEN, Sender, ascii_domain, needs_utf8, write_letter
from tidings.delivery.mail.server import Post, Server
from tidings.delivery.message import Message
from tidings.errors import SettingsError
from tidings.options import OptionalText, Options, Text, Texts
from tidings.secrets import Secret
from tidings.settings import Settings

_TLS, _STARTTLS = 465, 587
# It is a header of its own, whose line must not be longer.
_UNSUBSCRIBE = re.compile(r"https://[!-;=?-~]{1,800}")
_PORT = Meta(ge=1, le=65535, title="a port from 1 to 65535", examples=["587"])
_SECONDS = Meta(ge=1, le=3600, title="a number of seconds from 1 to 3600", examples=["60"])
_MEGABYTES = Meta(ge=0, title="a number from 0 on", examples=["20"])
_HOST_NAME = Meta(pattern=r"^[!-~]*\Z", title="a host name", examples=['"reports.example.com"'])
_ONE_CLICK = Meta(examples=['"https://reports.example.com/unsubscribe/{token}"'])


class MailOptions(Options, frozen=True):
    """`[tool.tidings.channels.<name>]` of kind mail."""

    host: Annotated[Text, "server that takes mail", Meta(examples=['"smtp.example.com"'])]
    sender: Annotated[Text, "address from which mails are", Meta(examples=['"reports@example.com"'])]
    port: Annotated[Annotated[int, _PORT] | None, "port of the server"] = None
    security: Annotated[Literal["starttls", "tls", "none"] | None, "how mails are kept secret on their way"] = None
    insecure: Annotated[bool, "whether all of it may go in the clear over the internet"] = False
    username: Annotated[OptionalText, "login, where the server demands one"] = ""
    sender_name: Annotated[OptionalText, "name beside the address"] = ""
    reply_to: Annotated[OptionalText, "address to which answers go"] = ""
    unsubscribe: Annotated[OptionalText, "https address at which one click unsubscribes", _ONE_CLICK] = ""
    domains: Annotated[Texts, "domains whose addresses get mail; all if none is named"] = ()
    attachments_mb: Annotated[float, "how many megabytes attachments may have", _MEGABYTES] = 20.0
    timeout_seconds: Annotated[float, "how long to wait for the server", _SECONDS] = 120.0
    hello: Annotated[OptionalText, "name by which this machine introduces itself", _HOST_NAME] = ""


class Mail:
    """Mails by one server, from one sender. The connection stays open until `close`."""

    is_personal = True
    # SMTP has no way to say that a mail is the same as one before.
    is_repeatable = False

    def __init__(self, name: str, post: Post, sender: Sender, domains: frozenset[str]) -> None:
        self.name = name
        self._post = post
        self._sender = sender
        self._domains = domains

    def check(self) -> Sequence[str]:
        """What would make a delivery fail: connects and logs in, and sends nothing."""
        try:
            self._post.check()
        except DeliveryError as error:
            return [str(error)]
        finally:
            self._post.close()
        return []

    def send(self, message: Message, offered: Callable[[], None]) -> Receipt:
        """Give the server one mail for the message's recipient.

        `offered` is called before the end of the mail is sent: until then the server cannot have taken it.
        """
        recipient = ascii_domain(message.recipient)
        domain = recipient.rpartition("@")[2]
        if self._domains and domain not in self._domains:
            raise DeliveryError(
                f"{recipient} gets no mail by the channel '{self.name}': its domain is not allowed.",
                f"Add {domain} to domains of [tool.tidings.channels.{self.name}] if it should.",
                outlook="permanent",
            )
        content = write_letter(message, self._sender).as_bytes()
        sender = ascii_domain(self._sender.address)
        return self._post.give(sender, recipient, content, offered, utf8=needs_utf8(recipient, sender))

    def close(self) -> None:
        """End the connection; the next mail opens a new one."""
        self._post.close()


def _open(name: str, options: MailOptions, settings: Settings) -> Mail:
    where = f"[tool.tidings.channels.{name}]"
    key = Secret("")
    if options.unsubscribe:
        if not _UNSUBSCRIBE.fullmatch(options.unsubscribe) or TOKEN not in options.unsubscribe:
            raise SettingsError(
                f"{where} unsubscribe must be a short https address with {TOKEN} in it, not '{options.unsubscribe}'.",
                "Leave it out to let recipients unsubscribe by mail.",
            )
        key = settings.secret(variable(name, "unsubscribe_key"))
    sender = Sender(
        address=_address(where, "sender", options.sender),
        name=options.sender_name,
        reply_to=_address(where, "reply_to", options.reply_to),
        unsubscribe=options.unsubscribe,
        key=key,
        largest=int(options.attachments_mb * 1_000_000),
    )
    security = options.security or ("tls" if options.port == _TLS else "starttls")
    server = Server(
        host=options.host,
        port=options.port or (_TLS if security == "tls" else _STARTTLS),
        security=security,
        hello=options.hello or sender.domain,
        timeout=options.timeout_seconds,
        username=options.username,
        password=settings.secret(variable(name, "password")) if options.username else Secret(""),
        variable=variable(name, "password"),
        insecure=options.insecure,
    )
    return Mail(name, Post(server), sender, frozenset(_domain(where, domain) for domain in options.domains))


def _address(where: str, key: str, given: str) -> str:
    try:
        return ascii_domain(given) if given else ""
    except DeliveryError as error:
        raise SettingsError(f"{where} {key}: {error.failed}", error.remedy) from None


def _domain(where: str, given: str) -> str:
    try:
        return ascii_domain(f"x@{given.removeprefix('@')}").rpartition("@")[2]
    except DeliveryError:
        raise SettingsError(
            f"{where} domains: '{given}' is no domain.", 'Write what stands after the @, as in "example.com".'
        ) from None


KIND = ChannelKind("mail", MailOptions, _open, ("password", "unsubscribe_key"))
