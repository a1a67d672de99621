# ruff: noqa: N802 - the library calls methods by the names of commands
"""A real mail server on loopback that refuses, delays and breaks on demand, and keeps what it accepted."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any, Literal, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

Cut = Literal["", "before DATA", "during DATA", "after the dot", "after it was taken"]


@dataclass(frozen=True)
class Kept:
    """A mail that was accepted: envelope, bytes as they came, and the same parsed."""

    sender: str
    recipient: str
    content: bytes
    options: tuple[str, ...] = ()

    @property
    def mail(self) -> EmailMessage:
        """The mail, parsed by the standard library."""
        return cast(EmailMessage, message_from_bytes(self.content, policy=default))

    @property
    def id(self) -> str:
        """Its Message-ID."""
        return str(self.mail["Message-ID"])


@dataclass
class MailServer:
    """What the server does; may be changed while it runs.

    `refuse` maps a recipient to the answer it gets; those in `greylist` get 451 the first time. `cut` says when the
    connection is cut, for mails to those in `cut_for` or to all; "after it was taken" is after the mail is in the
    mailbox. With `is_silent` it never answers the end of a mail. `answers` replaces its answer to a command (`MAIL`,
    `RCPT`, `DATA`, `EHLO`, or `.` for the end of a mail); `logins` are the names and passwords it demands, `echo` makes
    it say a wrong password aloud. `size` is what it takes at most.
    """

    refuse: Mapping[str, str] = field(default_factory=dict)
    greylist: set[str] = field(default_factory=set)
    cut: Cut = ""
    cut_for: frozenset[str] = frozenset()
    is_silent: bool = False
    answers: dict[str, str] = field(default_factory=dict)
    logins: Mapping[str, str] = field(default_factory=dict)
    echo: bool = False
    size: int = 0
    utf8: bool = True
    tls: ssl.SSLContext | None = None
    is_implicit: bool = False
    most_for_a_connection: int = 0
    mailbox: list[Kept] = field(default_factory=list)
    connections: int = 0
    ended: int = 0
    hellos: list[str] = field(default_factory=list)
    port: int = 0

    @contextmanager
    def running(self) -> Iterator[MailServer]:
        """Run it on a free port of loopback."""
        # In a thread of its own, as that of the test may have a loop: the browser's.
        started: Future[Callable[[], None]] = Future()
        thread = threading.Thread(target=lambda: asyncio.run(self._serve(started)), daemon=True)
        thread.start()
        stop = started.result(timeout=30)
        try:
            yield self
        finally:
            stop()
            thread.join()

    async def _serve(self, started: Future[Callable[[], None]]) -> None:
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        implicit = self.tls if self.is_implicit else None
        try:
            made = await loop.create_server(lambda: _Protocol(self, loop), "127.0.0.1", self.port, ssl=implicit)
        except BaseException as error:
            started.set_exception(error)
            raise
        self.port = made.sockets[0].getsockname()[1]
        started.set_result(lambda: loop.call_soon_threadsafe(ended.set))
        # What still runs when this returns is cancelled.
        await ended.wait()
        made.close()

    def cuts(self, when: Cut, recipients: list[str]) -> bool:
        """Whether the connection is cut now."""
        return self.cut == when and (not self.cut_for or bool(self.cut_for & set(recipients)))


class _Handler:
    def __init__(self, server: MailServer) -> None:
        self._server = server

    async def handle_RCPT(self, server: SMTP, _: Session, envelope: Envelope, address: str, __: list[str]) -> str:
        if address in self._server.refuse:
            return self._server.refuse[address]
        if address in self._server.greylist:
            self._server.greylist.remove(address)
            return "451 4.7.1 Greylisted, please try again in 5 minutes"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, _: Session, envelope: Envelope) -> str:
        plan, to = self._server, envelope.rcpt_tos
        if plan.is_silent:
            await asyncio.Event().wait()
        if plan.cuts("after the dot", to):
            server.transport.abort()
            return "250 nobody hears this"
        if "." in plan.answers:
            return plan.answers["."]
        for recipient in to:
            kept = Kept(str(envelope.mail_from), recipient, bytes(envelope.original_content or b""), _options(envelope))
            plan.mailbox.append(kept)
        if plan.cuts("after it was taken", to):
            server.transport.abort()
        return f"250 2.0.0 OK: queued as X{len(plan.mailbox):03d}"


class _Protocol(SMTP):
    """The library's server with ways to break."""

    def __init__(self, plan: MailServer, loop: asyncio.AbstractEventLoop) -> None:
        self._plan = plan
        super().__init__(
            _Handler(plan),
            hostname="mail.example",
            data_size_limit=plan.size,
            enable_SMTPUTF8=plan.utf8,
            tls_context=None if plan.is_implicit else plan.tls,
            require_starttls=plan.tls is not None and not plan.is_implicit,
            auth_required=bool(plan.logins),
            auth_require_tls=False,
            authenticator=self._log_in,
            loop=loop,
        )
        self._mails = 0

    def connection_made(self, transport: Any) -> None:
        if not self._over_tls(transport):
            self._plan.connections += 1
        super().connection_made(transport)

    def _over_tls(self, transport: Any) -> bool:
        # STARTTLS makes it a second time, on the same connection.
        return transport.get_extra_info("ssl_object") is not None and not self._plan.is_implicit

    def _log_in(self, _: SMTP, __: Session, ___: Envelope, mechanism: str, data: Any) -> AuthResult:
        given = cast(LoginPassword, data)
        name, password = given.login.decode(), given.password.decode()
        if self._plan.logins.get(name) == password:
            return AuthResult(success=True)
        loud = f" ({password})" if self._plan.echo else ""
        return AuthResult(success=False, handled=False, message=f"535 5.7.8 Wrong name or password{loud}")

    async def smtp_EHLO(self, hostname: str) -> None:
        self._plan.hellos.append(hostname)
        await self._said("EHLO", super().smtp_EHLO(hostname))

    async def smtp_QUIT(self, arg: str) -> None:
        self._plan.ended += 1
        await super().smtp_QUIT(arg)

    async def smtp_MAIL(self, arg: str) -> None:
        self._mails += 1
        if self._plan.most_for_a_connection and self._mails > self._plan.most_for_a_connection:
            await self.push("421 4.7.0 Too many mails on one connection")
            self.transport.close()
            return
        await self._said("MAIL", super().smtp_MAIL(arg))

    async def smtp_RCPT(self, arg: str) -> None:
        await self._said("RCPT", super().smtp_RCPT(arg))

    async def smtp_DATA(self, arg: str) -> None:
        to = self.envelope.rcpt_tos
        if self._plan.cuts("before DATA", to):
            self.transport.abort()
            return
        if self._plan.cuts("during DATA", to):
            await self.push("354 go on")
            await self._reader.readline()
            self.transport.abort()
            # Else the rest of the mail would be taken for commands.
            await asyncio.Event().wait()
        await self._said("DATA", super().smtp_DATA(arg))

    async def _said(self, command: str, usual: Any) -> None:
        if command in self._plan.answers:
            usual.close()
            await self.push(self._plan.answers[command])
        else:
            await usual


def _options(envelope: Envelope) -> tuple[str, ...]:
    return tuple(envelope.mail_options)
