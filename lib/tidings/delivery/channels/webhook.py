"""A signed POST with the figures of a report as JSON, for programs (docs/delivery.md has the schema)."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import quote

from tidings.delivery.channel import ChannelKind, Receipt, variable
from tidings.delivery.figures import all_figures, finite, reason_of
from tidings.delivery.message import Message
from tidings.delivery.posting import Poster, checked_address
from tidings.options import OptionalText, Options
from tidings.secrets import Secret
from tidings.settings import Settings
from tidings.window import as_utc

VERSION = 1


class WebhookOptions(Options, frozen=True):
    """Options of a webhook."""

    url: Annotated[OptionalText, "its address, where that is no secret"] = ""
    idempotent: Annotated[bool, "the receiver drops what it already has, by Idempotency-Key"] = False


@dataclass
class Webhook:
    """An opened webhook."""

    name: str
    poster: Poster
    secret: Secret
    is_repeatable: bool
    is_personal: bool = False

    def check(self) -> Sequence[str]:
        """Nothing can be found out without sending."""
        return ()

    def send(self, message: Message, offered: Callable[[], None]) -> Receipt:
        """Post the signed JSON; accepted is any status from 200 to 299."""
        body = json.dumps(payload(message), allow_nan=False).encode()
        at = message.sent_at or message.at
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": idempotency_key(message.id),
            "Tidings-Signature": signature(self.secret, int(as_utc(at).timestamp()), body),
        }
        return self.poster.post(body, headers, at, offered)


def payload(message: Message) -> dict[str, Any]:
    """The message as JSON values; values are texts, so that no digit is lost."""
    failed = [record for record in message.records if record.failure is not None]
    status = "done" if not failed else "failed" if len(failed) == len(message.records) else "partly"
    return {
        "version": VERSION,
        "id": message.id,
        "kind": "report" if message.records else "notice",
        "report": message.report,
        "slot": message.slot,
        "as_of": as_utc(message.at).isoformat(),
        "period": message.period,
        "title": message.title,
        "subject": message.subject,
        "status": status if message.records else None,
        "address": message.address or None,
        "findings": [
            {"text": one.text, "action": one.action, "sections": [name for name, _ in one.sections]}
            for one in message.findings
        ],
        "sections": [
            {"section": one.section, "title": one.title, "status": "failed" if one.failure else "done"}
            for one in message.records
        ],
        "figures": [_figure(record.section, one) for record in message.records for one in all_figures(record)],
        "alerts": list(message.alerts),
        "gaps": list(message.gaps),
        "notes": list(message.notes),
        "lines": list(message.lines),
    }


def signature(secret: Secret, at: int, body: bytes) -> str:
    """The header that proves who sent a body, and when (Unix seconds)."""
    digest = hmac.new(secret.reveal().encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def idempotency_key(identifier: str) -> str:
    """An id as a header can hold it, the same for each attempt."""
    return quote(identifier, safe="~:/@!$&'()*+,;=-._")


def _figure(section: str, figure: Mapping[str, Any]) -> dict[str, Any]:
    value = figure.get("value")
    return {
        "section": section,
        "metric": figure.get("metric"),
        "title": figure.get("title"),
        "value": None if value is None else str(value),
        "unit": figure.get("unit"),
        "before": None if figure.get("before") is None else str(figure["before"]),
        "change": finite(figure.get("change")),
        "window": dict(figure.get("window") or {}),
        "status": figure.get("status"),
        "reason": reason_of(figure) or None,
    }


def _open(name: str, options: WebhookOptions, settings: Settings) -> Webhook:
    secret = Secret(settings.secret(variable(name, "SECRET")).strip())
    named = variable(name, "WEBHOOK")
    where = f"[tool.tidings.channels.{name}] url" if options.url else f"The environment variable {named}"
    address = checked_address(options.url or settings.secret(named).strip(), where)
    unknown = f"The receiver does not accept the signature: compare {variable(name, 'SECRET')} with what it has."
    gone = "The receiver has nothing at this address any more: correct the address, or take the channel out."
    remedies = {401: unknown, 403: unknown, 404: gone, 410: gone, 413: "Send fewer sections to this channel."}
    return Webhook(name, Poster(name, address, remedies, (secret,), options.idempotent), secret, options.idempotent)


WEBHOOK = ChannelKind("webhook", WebhookOptions, _open, ("SECRET", "WEBHOOK"))
