"""A mail as it is sent: headers, a text part, an HTML part with its pictures, and attachments."""

from __future__ import annotations

import hashlib
import hmac
import mimetypes
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import idna

from tidings.delivery.channel import DeliveryError
from tidings.delivery.mail.body import Body, body_of, clean, smaller
from tidings.delivery.mail.html import html_of
from tidings.delivery.mail.text import notice_of, text_of
from tidings.delivery.message import Message
from tidings.delivery.pictures import Picture
from tidings.display.formats import short
from tidings.errors import remedy_of
from tidings.language import say
from tidings.secrets import Secret

MOST_HTML = 80_000
"""Bytes of the HTML part as sent: Gmail cuts at about 102 KB, even in the middle of a tag."""
TOKEN = "{token}"  # noqa: S105 - a place for one, in an address
_ADDRESS = re.compile(r"[^\s@<>()\[\],;:\\\"\x00-\x20\x7f]+@[^\s@<>()\[\],;:\\\"\x00-\x20\x7f]+")
_NO_SECRET = Secret("")
_LONGEST = 254
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_WHOLE = ("List-Unsubscribe", "List-Id", "Message-ID", "Content-ID")
_NO_LABEL = re.compile(r"[^a-z0-9]+")


class _Policy(EmailPolicy):
    """As the library writes mail, but for headers in which other programs look for addresses: what it cannot fold it
    would encode.
    """

    def fold_binary(self, name: str, value: Any) -> bytes:
        """A header as bytes."""
        if name not in _WHOLE:
            return super().fold_binary(name, value)
        return f"{name}: {str(value).replace('>, <', f'>,{self.linesep} <')}{self.linesep}".encode("ascii")


@dataclass(frozen=True)
class Sender:
    """From whom mails are, and what recipients can answer.

    `unsubscribe` is an https address with `{token}` in it, `key` what tokens are made with; without them a mail to
    `reply_to`, or else to `address`, unsubscribes. `largest` is how many bytes attachments may have.
    """

    address: str
    name: str = ""
    reply_to: str = ""
    unsubscribe: str = ""
    key: Secret = _NO_SECRET
    largest: int = 20_000_000

    @property
    def domain(self) -> str:
        """The domain of its address, in ASCII."""
        return ascii_domain(self.address).rpartition("@")[2]


def write_letter(message: Message, sender: Sender) -> EmailMessage:
    """The mail of a message: the same bytes for the same message, whenever it is written.

    Raises:
        DeliveryError: permanent: a header cannot hold what it should, or the attachments are too large or not there.
    """
    mail = EmailMessage(policy=_Policy(linesep="\r\n", utf8=needs_utf8(message.recipient, sender.address)))
    token = _digest(message.id)
    _write_headers(mail, message, sender, token)
    if message.records:
        _write_parts(mail, message, sender, token)
    else:
        text = notice_of(
            message.lines, [say("Unsubscribe:"), _unsubscribe(message, sender)[0]] if message.report else []
        )
        mail.set_content(_encodable(text), cte="quoted-printable")
    for name, content in _attached(message, sender):
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        main, _, sub = kind.partition("/")
        mail.add_attachment(content, main, sub, filename=name)
    # The library takes them from chance; base64 and quoted-printable cannot contain this.
    for number, part in enumerate(part for part in mail.walk() if part.is_multipart()):
        part.set_boundary(f"=_{token}_{number}")
    return mail


def needs_utf8(*addresses: str) -> bool:
    """Whether an address has other than ASCII before its @; after it IDNA helps."""
    return not all(address.rpartition("@")[0].isascii() for address in addresses)


def ascii_domain(address: str) -> str:
    """An address whose domain is written in ASCII.

    Raises:
        DeliveryError: permanent: it is no address.
    """
    local, _, domain = address.rpartition("@")
    try:
        encoded = idna.encode(domain, uts46=True).decode()
    except (idna.IDNAError, UnicodeError):
        encoded = ""
    if not encoded or encoded.endswith(".") or len(address) > _LONGEST or not _ADDRESS.fullmatch(address):
        raise _refused(f"'{clean(address, 80)}' is no mail address.", "Write it as name@example.com.")
    return f"{local}@{encoded}"


def _write_headers(mail: EmailMessage, message: Message, sender: Sender, token: str) -> None:
    names = {"title": message.title, "subject": message.subject, "name of the sender": sender.name}
    for what, text in names.items():
        if _CONTROL.search(text):
            raise _refused(
                f"The {what} '{clean(text, 80)}' has a line break or another control character in it.",
                "Take it out: a mail's headers cannot hold it.",
            )
    address = ascii_domain(sender.address)
    mail["From"] = _mailbox(sender.name, address)
    if message.recipient:
        mail["To"] = _mailbox("", ascii_domain(message.recipient))
    if sender.reply_to:
        mail["Reply-To"] = _mailbox("", ascii_domain(sender.reply_to))
    mail["Subject"] = message.subject
    mail["Date"] = format_datetime(message.sent_at or message.at)
    mail["Message-ID"] = f"<{token}@{sender.domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    label = _NO_LABEL.sub("-", message.report.lower()).strip("-") or "notices"
    mail["List-Id"] = f"<{label}.{sender.domain}>"
    if message.recipient and message.report:
        addresses = _unsubscribe(message, sender)
        mail["List-Unsubscribe"] = ", ".join(f"<{address}>" for address in addresses)
        if addresses[0].startswith("https:"):
            mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"


def _write_parts(mail: EmailMessage, message: Message, sender: Sender, token: str) -> None:
    body = body_of(message, _unsubscribe(message, sender)[0] if message.recipient and message.report else "")
    for shown in (body, *smaller(body)):
        ids = {picture: f"{number}.{token}@{sender.domain}" for number, picture in enumerate(shown.pictures, start=1)}
        part = _html(shown, ids)
        # Each line ends in two bytes when it is sent.
        if len(written := str(part.get_payload())) + written.count("\n") <= MOST_HTML:
            break
    else:
        raise _refused(
            f"The mail of '{clean(message.title, 80)}' has over {MOST_HTML // 1000} KB even without its figures.",
            "Shorten its title, or the address of the page.",
        )
    mail.set_content(_encodable(text_of(shown)), cte="quoted-printable")
    mail.make_alternative()
    for number, (picture, name) in enumerate(ids.items(), start=1):
        part.add_related(
            picture.png, "image", "png", cid=f"<{name}>", filename=f"chart-{number}.png", disposition="inline"
        )
    if part.is_multipart():
        part.set_param("type", "text/html")
    mail.attach(part)


def _html(body: Body, ids: dict[Picture, str]) -> EmailMessage:
    part = EmailMessage(policy=_Policy(linesep="\r\n"))
    sources = {picture: f"cid:{quote(name, safe='@.=_-')}" for picture, name in ids.items()}
    part.set_content(html_of(body, sources), "html", cte="quoted-printable")
    # It is a part of a mail, and not one itself.
    del part["MIME-Version"]
    return part


def _unsubscribe(message: Message, sender: Sender) -> tuple[str, ...]:
    """The addresses by which a recipient leaves this report, the best first.

    The token is the HMAC-SHA256 of report and recipient, so that nobody can guess that of another.
    """
    asked = quote(f"unsubscribe {message.report}")
    by_mail = f"mailto:{quote(ascii_domain(sender.reply_to or sender.address), safe='@+')}?subject={asked}"
    if not sender.unsubscribe:
        return (by_mail,)
    whose = f"{message.report}\n{message.recipient}".encode()
    token = hmac.new(sender.key.reveal().encode(), whose, hashlib.sha256).hexdigest()[:32]
    return sender.unsubscribe.replace(TOKEN, token), by_mail


def _attached(message: Message, sender: Sender) -> Iterator[tuple[str, bytes]]:
    if not message.files:
        return
    try:
        size = sum(file.stat().st_size for file in message.files)
        if size > sender.largest:
            raise _refused(
                f"The attachments of '{clean(message.title, 80)}' have {short(size, 'B')}, and "
                f"{short(sender.largest, 'B')} are allowed.",
                "Attach less, publish the report and send its address, or raise attachments_mb.",
            )
        for file in message.files:
            yield _CONTROL.sub("_", file.name), file.read_bytes()
    except OSError as error:
        reason, remedy = remedy_of(error)
        name = Path(str(error.filename)).name
        raise _refused(f"The attachment {name} cannot be read: {reason}.", remedy) from error


def _mailbox(name: str, address: str) -> Address:
    local, _, domain = address.rpartition("@")
    return Address(name, local, domain)


def _digest(identity: str) -> str:
    return hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _refused(failed: str, remedy: str) -> DeliveryError:
    return DeliveryError(failed, remedy, outlook="permanent")
