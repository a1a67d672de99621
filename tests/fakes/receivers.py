"""Receivers of messages on loopback: Slack, Teams and a webhook. Each holds what comes to the rules of its service.

`accepted` is the log of what was accepted, in order, each with its Idempotency-Key where there was one. Faults are
those of `FakeApi`; `breaking` is a server that breaks connections before or after it has read a body, or never answers.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from fakes.server import FakeApi, Refusal, Reply, Request, route


@dataclass(frozen=True)
class Accepted:
    """A message that a receiver has taken."""

    key: str
    body: Any


class Receiver(FakeApi):
    """What all receivers share; `path` is the secret part of the address."""

    path = "/services/T000/B000/canary-of-a-secret"

    def __init__(self) -> None:
        super().__init__()
        self.accepted: list[Accepted] = []

    @property
    def address(self) -> str:
        return f"{self.url}{self.path}"

    def accept(self, request: Request) -> Any:
        body = request.json()
        self.accepted.append(Accepted(request.headers.get("Idempotency-Key", ""), body))
        return body


class SlackReceiver(Receiver):
    """An incoming webhook of Slack, as strict as its reference."""

    @route("POST", "/services/T000/B000/canary-of-a-secret")
    def post(self, request: Request) -> Reply:
        if request.headers.get("Content-Type") != "application/json; charset=utf-8":
            return Reply("invalid_payload", 400)
        try:
            body = request.json()
        except ValueError:
            return Reply("invalid_payload", 400)
        if not body.get("text", "").strip():
            return Reply("no_text", 400)
        if slack_faults(body):
            return Reply("invalid_blocks", 400)
        self.accept(request)
        return Reply("ok")

    def not_found(self, request: Request) -> Reply:
        return Reply("no_service", 404)


def slack_faults(body: Any) -> list[str]:
    """What breaks a limit of Slack, each length counted in the largest of all ways."""
    faults = [] if _units(body["text"]) <= 4000 else ["text"]
    blocks = body["blocks"]
    if not 1 <= len(blocks) <= 50:
        faults.append(f"{len(blocks)} blocks")
    for block in blocks:
        kind = block["type"]
        if kind == "header":
            faults += _text(block["text"], 150, "plain_text")
        elif kind == "section":
            faults += _text(block["text"], 3000, "mrkdwn")
            fields = block.get("fields", [None])
            faults += [] if 1 <= len(fields) <= 10 else ["fields"]
            faults += [fault for field in fields if field for fault in _text(field, 2000, "mrkdwn")]
        elif kind == "context":
            faults += [] if 1 <= len(block["elements"]) <= 10 else ["elements"]
            faults += [fault for element in block["elements"] for fault in _text(element, 2000, "mrkdwn")]
        elif kind == "actions":
            for button in block["elements"]:
                faults += [] if button["type"] == "button" else ["no button"]
                faults += _text(button["text"], 75, "plain_text")
                faults += [] if 0 < _units(button["url"]) <= 3000 else ["url"]
        else:
            faults.append(kind)
    return faults


def _text(text: Any, most: int, kind: str) -> list[str]:
    right = text["type"] == kind and 0 < _units(text["text"]) <= most
    return [] if right else [f"{kind} of {_units(text['text'])} for {most}"]


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


class TeamsReceiver(Receiver):
    """The address of a workflow of Teams."""

    @route("POST", "/services/T000/B000/canary-of-a-secret")
    def post(self, request: Request) -> Reply:
        if len(request.body) > 28_000:
            return Reply("too large", 413)
        body = request.json()
        (attachment,) = body["attachments"]
        card = attachment["content"]
        right = (
            body["type"] == "message"
            and attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
            and card["type"] == "AdaptiveCard"
            and card["body"]
            and all(_is_rich(element) for element in card["body"])
            and all(action["url"].startswith("http") for action in card.get("actions", []))
        )
        if not right:
            return Reply({"error": {"code": "InvalidBotAdaptiveCard"}}, 400)
        self.accept(request)
        return Reply("", 202)


def _is_rich(element: Any) -> bool:
    runs = element.get("inlines", [])
    return element["type"] == "RichTextBlock" and all(run["type"] == "TextRun" and run["text"] for run in runs)


class WebhookReceiver(Receiver):
    """A receiver that verifies signatures and drops what it has by Idempotency-Key, as docs/delivery.md advises.

    `now` is its clock in Unix seconds; a signature may be five minutes old.
    """

    def __init__(self, secret: str, now: float) -> None:
        super().__init__()
        self.secret, self.now = secret, now

    @route("POST", "/services/T000/B000/canary-of-a-secret")
    def post(self, request: Request) -> Reply:
        if not is_signed(self.secret, request.headers.get("Tidings-Signature", ""), request.body, self.now):
            raise Refusal(Reply({"error": "signature"}, 401))
        if request.headers["Idempotency-Key"] in {one.key for one in self.accepted}:
            return Reply({"duplicate": True})
        self.accept(request)
        return Reply({"accepted": True})


def is_signed(secret: str, header: str, body: bytes, now: float) -> bool:
    """The example of docs/delivery.md."""
    parts = dict(part.split("=", 1) for part in header.split(",") if "=" in part)
    if abs(now - float(parts.get("t", "0"))) > 300:
        return False
    expected = hmac.new(secret.encode(), f"{parts['t']}.".encode() + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, parts.get("v1", ""))


@contextmanager
def breaking(moment: str) -> Iterator[tuple[str, list[bytes]]]:
    """A server that breaks every connection: "before" the body, "after" it, or "never" (it answers nothing).

    Yields its address, and the bodies that it has read whole.
    """
    bodies: list[bytes] = []
    done = threading.Event()

    class Handle(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            if moment != "before":
                bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            if moment == "never":
                done.wait(30)
            self.close_connection = True
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handle)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", bodies
    finally:
        done.set()
        server.shutdown()
        server.server_close()


def as_text(value: Any) -> str:
    """All of a message in one text, to look for what must or must not be in it."""
    return json.dumps(value, ensure_ascii=False)
