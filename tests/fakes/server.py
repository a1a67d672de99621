"""What every fake API shares: a server on loopback, routes, faults on demand, limits, authentication.

A fake subclasses `FakeApi`, decorates its routes with `@route(...)` and keeps its data in plain attributes that tests
change (restate a day, rename a field). Faults are injected per path: `fake.fail(...)`, `cut`, `stall`, `alter`,
`reset`, `drip`. A fake with a `clock_off` sends a `Date` that is so many seconds off; `tick` is called with each drop
of a dripping response.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jwt


@dataclass(frozen=True)
class Request:
    """A request as a fake sees it; `path` is decoded no further than it came, `query` maps names to their last
    value.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    parts: Mapping[str, str] = field(default_factory=dict)

    def json(self) -> Any:
        return json.loads(self.body or b"{}")

    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode()))

    @property
    def bearer(self) -> str:
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        return token if scheme == "Bearer" else ""


@dataclass(frozen=True)
class Reply:
    """A fake's response: bytes or text as they are, anything else as JSON."""

    content: Any = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    def bytes(self) -> bytes:
        if isinstance(self.content, bytes):
            return self.content
        return self.content.encode() if isinstance(self.content, str) else json.dumps(self.content).encode()

    def type(self) -> str:
        return "application/octet-stream" if isinstance(self.content, bytes) else "application/json"


class Refusal(Exception):
    """Raised inside a route: respond with this instead."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


Handler = Callable[[Any, Request], Reply | Any]


def route(method: str, pattern: str) -> Callable[[Handler], Handler]:
    """Handle requests whose whole path matches; `{name}` stands for one segment and is in `request.parts`."""
    expression = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern) + r"\Z")

    def mark(handler: Handler) -> Handler:
        handler.route = (method, expression)  # type: ignore[attr-defined]
        return handler

    return mark


@dataclass
class _Fault:
    pattern: re.Pattern[str]
    times: int
    reply: Reply | None = None
    cut_after: int = -1
    stall: float = 0.0
    alter: Callable[[Reply], Reply] | None = None
    reset: bool = False
    drip: str = ""


class FakeApi:
    """One API on loopback; `with fake.running() as url` serves it. `asked` lists the received requests, in order.

    `limit` is (calls, seconds) beyond which it answers `too_many()`; `epoch` is its clock, for tokens and limits.
    """

    limit: tuple[int, float] | None = None
    clock_off: float | None = None

    def __init__(self, epoch: Callable[[], float] = time.time) -> None:
        self.epoch = epoch
        self.url = ""
        self.asked: list[Request] = []
        self._faults: list[_Fault] = []
        self._stop = threading.Event()
        self.tick: Callable[[], None] = lambda: None
        self._calls: deque[float] = deque()
        self._lock = threading.RLock()
        found = [getattr(type(self), name) for name in dir(type(self))]
        self._routes = [(*handler.route, handler) for handler in found if hasattr(handler, "route")]

    # What tests inject

    def fail(self, path: str, status: int, *, times: int = 1, content: Any = "", **headers: str) -> None:
        """Respond with a status to the next `times` requests whose path matches; headers as `Retry_After="3"`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._faults.append(_Fault(re.compile(path), times, Reply(content, status, named)))

    def cut(self, path: str, *, after: int = 10, times: int = 1) -> None:
        """Break the connection after so many bytes of the response."""
        self._faults.append(_Fault(re.compile(path), times, cut_after=after))

    def stall(self, path: str, seconds: float, *, times: int = 1) -> None:
        """Wait before responding."""
        self._faults.append(_Fault(re.compile(path), times, stall=seconds))

    def alter(self, path: str, change: Callable[[Reply], Reply], *, times: int = 1) -> None:
        """Respond with what `change` makes of the right response."""
        self._faults.append(_Fault(re.compile(path), times, alter=change))

    def reset(self, path: str, *, times: int = 1) -> None:
        """Break the connection before responding."""
        self._faults.append(_Fault(re.compile(path), times, reset=True))

    def drip(self, path: str, what: str, *, times: int = 1) -> None:
        """Never finish `head` or `body`."""
        self._faults.append(_Fault(re.compile(path), times, drip=what))

    def mend(self) -> None:
        """Remove all faults."""
        self._faults.clear()
        self._calls.clear()
        self._stop.set()
        self._stop = threading.Event()

    # What fakes override

    def forget_tokens(self) -> None:
        """As after a restart: tokens that were handed out are no good any more."""

    def authenticate(self, request: Request) -> None:
        """Raise `Refusal` unless the request proves who sent it."""

    def too_many(self, wait: float) -> Reply:
        """The response beyond the limit."""
        return Reply({"error": "rate limited"}, 429, {"Retry-After": str(max(1, round(wait)))})

    def not_found(self, request: Request) -> Reply:
        """The response to a path without a route."""
        return Reply({"error": f"no such path {request.path}"}, 404)

    def is_limited(self, request: Request) -> bool:
        """Whether a request counts against the limit."""
        del request
        return True

    # The machinery

    def response(self, request: Request) -> tuple[Reply, _Fault | None]:
        with self._lock:
            self.asked.append(request)
            fault = next((f for f in self._faults if f.times > 0 and f.pattern.search(request.path)), None)
            if fault is not None:
                fault.times -= 1
                if fault.reply is not None:
                    return fault.reply, None
            try:
                reply = self._reply(request)
            except Refusal as refusal:
                reply = refusal.reply
            return fault.alter(reply) if fault is not None and fault.alter else reply, fault

    def _reply(self, request: Request) -> Reply:
        if self.limit is not None and self.is_limited(request):
            calls, seconds = self.limit
            now = self.epoch()
            while self._calls and self._calls[0] <= now - seconds:
                self._calls.popleft()
            if len(self._calls) >= calls:
                return self.too_many(self._calls[0] + seconds - now)
            self._calls.append(now)
        for method, expression, handler in self._routes:
            matched = expression.match(request.path)
            if matched and method == request.method:
                if not getattr(handler, "open_to_all", False):
                    self.authenticate(request)
                known = Request(
                    *(getattr(request, f) for f in Request.__dataclass_fields__ if f != "parts"), matched.groupdict()
                )
                said = handler(self, known)
                return said if isinstance(said, Reply) else Reply(said)
        return self.not_found(request)

    @contextmanager
    def running(self, port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[str]:
        """Serve on loopback until the block ends, with TLS if a context is given; yields the address."""
        server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        server.daemon_threads = True
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield self.url
        finally:
            self._stop.set()
            server.shutdown()
            server.server_close()


def open_to_all(handler: Handler) -> Handler:
    """Mark a route that needs no authentication (log in, health)."""
    handler.open_to_all = True  # type: ignore[attr-defined]
    return handler


def verified(token: str, key: Any, algorithm: str, epoch: float, *, audience: str, longest: float) -> dict[str, Any]:
    """The claims of a signed token, its signature, audience and times verified against the fake's own clock.

    Raises:
        jwt.PyJWTError: anything about it is wrong; also when it is good for longer than `longest` seconds.
    """
    claims: dict[str, Any] = jwt.decode(
        token,
        key,
        algorithms=[algorithm],
        audience=audience,
        options={"verify_exp": False, "verify_iat": False, "verify_nbf": False, "require": ["exp", "aud"]},
    )
    issued = claims.get("iat", epoch)
    if claims["exp"] <= epoch:
        raise jwt.ExpiredSignatureError("expired")
    if issued > epoch + 60:
        raise jwt.ImmatureSignatureError("issued in the future")
    if claims["exp"] - issued > longest:
        raise jwt.InvalidTokenError("good for too long")
    return claims


def _handler(fake: FakeApi) -> type[BaseHTTPRequestHandler]:
    class Handle(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # One segment per response: otherwise each waits 40 ms for the other side's acknowledgement.
        wbufsize = -1
        disable_nagle_algorithm = True

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            url = urlsplit(self.path)
            query = dict(parse_qsl(url.query, keep_blank_values=True))
            request = Request(self.command, url.path, query, self.headers, body)  # type: ignore[arg-type]
            reply, fault = fake.response(request)
            if fault is not None and fault.stall:
                time.sleep(fault.stall)
            if fault is not None and fault.reset:
                self.close_connection = True
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
                return
            content = reply.bytes()
            self.send_response_only(reply.status)
            if fake.clock_off is not None:
                self.send_header("Date", formatdate(fake.epoch() + fake.clock_off, usegmt=True))
            for name, value in {"Content-Type": reply.type(), **reply.headers}.items():
                self.send_header(name, value)
            if fault is not None and fault.drip:
                self._drip(fault.drip)
                return
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if fault is not None and fault.cut_after >= 0:
                self.wfile.write(content[: fault.cut_after])
                self.wfile.flush()
                self.close_connection = True
                self.connection.close()
                return
            self.wfile.write(content)

        def _drip(self, what: str) -> None:
            """A line or a byte now and then, until the client has had enough."""
            self.close_connection = True
            if what == "body":
                self.send_header("Content-Length", "1000000")
                self.end_headers()
            else:
                self.flush_headers()
            stop = fake._stop
            try:
                while not stop.wait(0.002):
                    fake.tick()
                    self.wfile.write(b"X-More: 1\r\n" if what == "head" else b" ")
                    self.wfile.flush()
            except OSError:
                return

        do_GET = do_POST = do_DELETE = _serve  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing: tests read `fake.asked`."""

    return Handle
