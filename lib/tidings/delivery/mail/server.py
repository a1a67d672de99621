"""The server that takes mail, spoken to by SMTP step by step: what it says at each of them decides what is known."""

from __future__ import annotations

import base64
import ipaddress
import re
import smtplib
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from tidings.delivery.channel import DeliveryError, Outlook, Receipt
from tidings.display.formats import short
from tidings.errors import printable
from tidings.secrets import Redactor, Secret

Security = Literal["starttls", "tls", "none"]
_GONE = (smtplib.SMTPServerDisconnected, OSError)
_LONGEST_ANSWER = 400
_OK, _MORE = 2, 3
_CLOSING = 421
_NO_SECRET = Secret("")
_DOT = re.compile(rb"^\.", re.MULTILINE)


@dataclass(frozen=True)
class Server:
    """Where mail is given, and how. `variable` names what holds the password, `insecure` allows to send it, and all
    mail, in the clear to a server on the internet.
    """

    host: str
    port: int
    security: Security
    hello: str
    timeout: float
    username: str = ""
    password: Secret = _NO_SECRET
    variable: str = ""
    insecure: bool = False


class Post:
    """A connection to the server, opened when it is first needed and kept for the next mail, but not after an error."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._connection: smtplib.SMTP | None = None
        plain = _plain(server)
        # However short it is, a password is in no message.
        self._redact = Redactor(filter(None, (server.password, plain)), shortest=1)

    def check(self) -> None:
        """Connect and log in; nothing is sent.

        Raises:
            DeliveryError: something of it failed.
        """
        with self._dropped_after_errors():
            self._ready()

    def give(
        self, sender: str, recipient: str, content: bytes, offered: Callable[[], None], *, utf8: bool = False
    ) -> Receipt:
        """Give the server one mail for one recipient; `offered` is called before the last step.

        Raises:
            DeliveryError: it did not take it, or the connection broke before it said whether it did.
        """
        with self._dropped_after_errors():
            connection = self._begin(sender, len(content), utf8)
            with self._before():
                self._accepted(connection.rcpt(recipient), f"does not take mail for {recipient}")
                self._accepted(connection.docmd("DATA"), "does not take this mail", _MORE)
                connection.send(_DOT.sub(b"..", content).removesuffix(b"\r\n") + b"\r\n")
            # Until the dot on a line of its own the server has no mail; after it, it may have.
            offered()
            try:
                connection.send(b".\r\n")
                code, answer = connection.getreply()
            except (*_GONE, smtplib.SMTPResponseException) as error:
                raise self._unknown(self._said(error)) from None
            if code // 100 not in (_OK, 4, 5):
                raise self._unknown(f"it answered: {self._answer(code, answer)}")
            self._accepted((code, answer), "does not take this mail")
            return Receipt(code, self._words(answer))

    def close(self) -> None:
        """End the connection, if there is one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.quit()
            except (*_GONE, smtplib.SMTPException):
                connection.close()

    def _begin(self, sender: str, size: int, utf8: bool) -> smtplib.SMTP:
        """Name the sender; a connection that was kept may have ended meanwhile, so that a new one is tried."""
        for is_kept in (self._connection is not None, False):
            try:
                connection = self._ready()
                options = self._extensions(connection, size, utf8)
                code, answer = connection.mail(sender, options)
            except _GONE as error:
                self._drop()
                if is_kept:
                    continue
                raise self._failed(f"does not respond: {self._said(error)}", "temporary") from None
            if is_kept and code == _CLOSING:
                self._drop()
                continue
            if code == 530:
                raise self._failed(
                    f"demands a login: {self._answer(code, answer)}",
                    "permanent",
                    f"Set username, and {self._server.variable} in the environment.",
                    (code, answer),
                )
            self._accepted((code, answer), f"does not take mail from {sender}")
            return connection
        raise self._failed("closes every connection", "temporary")

    def _ready(self) -> smtplib.SMTP:
        if self._connection is None:
            with self._before():
                self._connection = self._connected()
                self._introduced(self._connection)
        return self._connection

    def _connected(self) -> smtplib.SMTP:
        server = self._server
        if server.security == "tls":
            return smtplib.SMTP_SSL(
                server.host, server.port, server.hello, timeout=server.timeout, context=ssl.create_default_context()
            )
        return smtplib.SMTP(server.host, server.port, server.hello, timeout=server.timeout)

    def _introduced(self, connection: smtplib.SMTP) -> None:
        server = self._server
        if server.security == "none" and not server.insecure and connection.sock is not None:
            peer = ipaddress.ip_address(connection.sock.getpeername()[0].partition("%")[0])
            if not (peer.is_loopback or peer.is_private):
                raise self._failed(
                    "would get all mail in the clear: its security is none, and it is not on this network",
                    "permanent",
                    'Write security = "starttls" or "tls"; or insecure = true, if you know better.',
                )
        self._accepted(connection.ehlo(), "does not speak ESMTP")
        if server.security == "starttls":
            if not connection.has_extn("starttls"):
                raise self._failed(
                    "does not offer STARTTLS",
                    "permanent",
                    'Nothing was sent. If it has a port for TLS, write security = "tls" and port = 465.',
                )
            self._accepted(connection.starttls(context=ssl.create_default_context()), "does not begin TLS")
            self._accepted(connection.ehlo(), "does not speak ESMTP")
        if server.username:
            self._log_in(connection)

    def _log_in(self, connection: smtplib.SMTP) -> None:
        """AUTH by hand: the library's cannot send other than ASCII, and shows the password when it fails."""
        server = self._server
        ways = connection.esmtp_features.get("auth", "").upper().split()
        if "PLAIN" in ways:
            code, answer = connection.docmd("AUTH", f"PLAIN {_plain(server).reveal()}")
        elif "LOGIN" in ways:
            code, answer = connection.docmd("AUTH", f"LOGIN {_base64(server.username)}")
            if code // 100 == _MORE:
                code, answer = connection.docmd(_base64(server.password.reveal()))
        else:
            offers = f"only {', '.join(ways)}" if ways else "none"
            raise self._failed(
                f"offers no login that Tidings has (PLAIN, LOGIN): {offers}",
                "permanent",
                "Leave out username if the server needs none.",
            )
        if not _took((code, answer)):
            raise self._failed(
                f"does not accept the login of '{server.username}': {self._answer(code, answer)}",
                _outlook(code),
                f"Set {server.variable} in the environment or in .env, and check username.",
                (code, answer),
            )

    def _extensions(self, connection: smtplib.SMTP, size: int, utf8: bool) -> list[str]:
        found = []
        if connection.has_extn("size"):
            allowed = connection.esmtp_features["size"].strip()
            if allowed.isdecimal() and 0 < int(allowed) < size:
                raise self._failed(
                    f"takes mails of at most {short(int(allowed), 'B')}, and this one has {short(size, 'B')}",
                    "permanent",
                    "Attach less.",
                )
            found.append(f"SIZE={size}")
        if utf8:
            if not connection.has_extn("smtputf8"):
                raise self._failed(
                    "does not know addresses with other letters than ASCII before the @ (SMTPUTF8)",
                    "permanent",
                    "Use an address that every server knows.",
                )
            found += ["SMTPUTF8", "BODY=8BITMIME"]
        return found

    def _accepted(self, reply: tuple[int, bytes], what: str, kind: int = _OK) -> None:
        code, answer = reply
        if code // 100 != kind:
            raise self._failed(f"{what}: {self._answer(code, answer)}", _outlook(code), reply=reply)

    @contextmanager
    def _before(self) -> Iterator[None]:
        """What goes wrong before the server can have a mail: the same can be tried again."""
        try:
            yield
        except ssl.SSLCertVerificationError as error:
            raise self._failed(
                f"has a certificate that is not trusted: {error.verify_message}",
                "permanent",
                "Write host as the certificate names it. Of an authority of your own, name the file in SSL_CERT_FILE.",
            ) from None
        except ssl.SSLEOFError as error:
            raise self._failed(f"does not respond: {self._said(error)}", "temporary") from None
        except ssl.SSLError as error:
            raise self._failed(
                f"does not speak TLS as expected: {self._said(error)}",
                "permanent",
                'Port 465 takes security = "tls", port 587 "starttls".',
            ) from None
        except socket.gaierror as error:
            raise self._failed(f"is not found: {self._said(error)}", "temporary", "Check host.") from None
        except smtplib.SMTPResponseException as error:
            outlook = _outlook(error.smtp_code)
            raise self._failed(f"does not take mail now: {self._said(error)}", outlook) from None
        except _GONE as error:
            raise self._failed(f"does not respond: {self._said(error)}", "temporary") from None

    @contextmanager
    def _dropped_after_errors(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._drop()
            raise

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _unknown(self, why: str) -> DeliveryError:
        return self._failed(
            f"had the whole mail, and it is not known whether it took it: {why}",
            "unknown",
            "Ask the recipient or look into the server's log before you send it again.",
        )

    def _failed(
        self, what: str, outlook: Outlook, remedy: str = "", reply: tuple[int, bytes] | None = None
    ) -> DeliveryError:
        return DeliveryError(
            self._redact(f"The mail server {self._server.host}:{self._server.port} {what}.".replace("..", ".")),
            remedy,
            outlook=outlook,
            code=reply[0] if reply else None,
            answer=self._words(reply[1]) if reply else "",
        )

    def _answer(self, code: int, answer: bytes) -> str:
        return f"{code} {self._words(answer)}".strip()

    def _words(self, answer: bytes) -> str:
        """What the server said, in one line and without secrets."""
        words = self._redact(" ".join(printable(answer.decode("utf-8", "replace")).split()))
        return self._redact.cut(words[:_LONGEST_ANSWER])

    def _said(self, error: BaseException) -> str:
        if isinstance(error, smtplib.SMTPResponseException):
            text = error.smtp_error
            return self._answer(error.smtp_code, text if isinstance(text, bytes) else text.encode())
        if isinstance(error, smtplib.SMTPServerDisconnected):
            # The library wraps what the system said.
            cause = error.__context__
            return self._said(cause) if isinstance(cause, OSError) else "it closed the connection"
        if isinstance(error, TimeoutError):
            return f"nothing came within {self._server.timeout:g} s"
        return self._redact(printable(getattr(error, "strerror", "") or str(error) or type(error).__name__))


def _outlook(code: int) -> Outlook:
    return "permanent" if code // 100 == 5 else "temporary"


def _took(reply: tuple[int, bytes]) -> bool:
    return reply[0] // 100 == _OK


def _plain(server: Server) -> Secret:
    """What AUTH PLAIN sends."""
    if not server.password:
        return _NO_SECRET
    return Secret(_base64(f"\0{server.username}\0{server.password.reveal()}"))


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
