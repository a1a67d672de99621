"""A mail as files, to be looked at before it is sent: a page that a browser opens, and the mail itself."""

from __future__ import annotations

import base64
import html
from email.message import EmailMessage
from pathlib import Path

from tidings.delivery.mail.letter import Sender, write_letter
from tidings.delivery.message import Message
from tidings.language import in_force

_NOBODY = Sender("tidings@localhost")


def write_preview(message: Message, target_folder: Path, sender: Sender = _NOBODY) -> Path:
    """Write `mail.html`, with the pictures in it, and `mail.eml` into a folder; the path of the first.

    Raises:
        DeliveryError: the mail cannot be written as one.
    """
    mail = write_letter(message, sender)
    target_folder.mkdir(parents=True, exist_ok=True)
    (target_folder / "mail.eml").write_bytes(mail.as_bytes())
    page = target_folder / "mail.html"
    page.write_text(_page(mail), encoding="utf-8")
    return page


def _page(mail: EmailMessage) -> str:
    part = mail.get_body(("html",))
    if part is None:
        plain = mail.get_body(("plain",))
        text = "" if plain is None else plain.get_content()
        title = html.escape(str(mail["Subject"]))
        return (
            f'<!doctype html><html lang="{in_force().code}"><head><meta charset="utf-8"><title>{title}</title></head>'
            f"<body><pre>{html.escape(text)}</pre></body></html>\n"
        )
    page: str = part.get_content()
    for picture in mail.walk():
        if name := picture["Content-ID"]:
            content = base64.b64encode(picture.get_content()).decode()
            page = page.replace(f"cid:{name.strip('<>')}", f"data:{picture.get_content_type()};base64,{content}")
    return page
