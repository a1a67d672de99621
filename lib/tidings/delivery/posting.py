"""One POST to an address that is itself a credential, and what became of it.

Nothing is retried here: the outbox does that, after it has written what happened. What the other side was offered and
not answered is unknown, unless it had less than the whole message.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import version
from urllib.parse import urlsplit

from tidings.delivery.channel import DeliveryError, Outlook, Receipt
from tidings.errors import SettingsError, printable
from tidings.secrets import Redactor, Secret
from tidings.sources.clock import Clock
from tidings.sources.http.response import Response, excerpt, retry_after, server_epoch, server_of
from tidings.sources.http.transport import Failure, Transport, WireError

_LATER = frozenset({408, 425, 429})
# Not implemented, HTTP version.
_NEVER = frozenset({501, 505})
# A gateway passed the message on and had no answer.
_NO_ANSWER = frozenset({504, 524})
_LEAST_HIDDEN = 8
_LOOK = "Look there whether it arrived. If it did not: tidings send RUN --unknown."


@dataclass(frozen=True)
class Poster:
    """Posts the messages of one channel.

    `address` is in no error and no receipt, nor are `secrets`; of it only the server is named. `remedies` say by
    status what to do. With `is_repeatable` the receiver drops what it had before, so nothing ends as unknown.
    """

    channel: str
    address: Secret
    remedies: Mapping[int, str] = field(default_factory=dict)
    secrets: tuple[Secret, ...] = ()
    is_repeatable: bool = False

    def post(
        self,
        body: bytes,
        headers: Mapping[str, str],
        at: datetime,
        offered: Callable[[], None],
        is_accepted: Callable[[Response], bool] = lambda response: response.is_good,
    ) -> Receipt:
        """Post a body; `at` is now, for answers that name a time to wait for.

        Raises:
            DeliveryError: it was not accepted, or nobody knows.
        """
        clock, sent = Clock(at), _Body(body, offered)
        transport = Transport(clock, {"User-Agent": f"tidings/{version('tidings')}", "Connection": "close"})
        try:
            got = transport.send("POST", self.address.reveal(), {"data": sent, "headers": dict(headers)})
        except WireError as error:
            if sent.failure is not None:
                # What `offered` raised is no failure of the connection.
                raise sent.failure from None
            raise self._lost(error.failure, is_sent=sent.is_sent) from None
        response = Response(*got, path="")
        answer = self._redacted(excerpt(response))
        if is_accepted(response):
            return Receipt(response.status, answer)
        raise self._rejected(response, answer, clock)

    @property
    def _server(self) -> str:
        return server_of(self.address.reveal())

    def _redacted(self, text: str) -> str:
        parts = urlsplit(self.address.reveal())
        pieces = [*parts.path.split("/"), *parts.query.replace("=", "&").split("&")]
        hidden = [self.address, *(Secret(piece) for piece in pieces if len(piece) >= _LEAST_HIDDEN), *self.secrets]
        return printable(Redactor(hidden)(text))

    def _lost(self, failure: Failure, *, is_sent: bool) -> DeliveryError:
        reason = self._redacted(failure.message)
        if is_sent and not self.is_repeatable:
            failed = f"Nobody knows whether {self._server} took the message of {self.channel}: it had all of it, then"
            return DeliveryError(f"{failed} {reason}.", _LOOK, outlook="unknown")
        # A name or a certificate may be right again in an hour; an address that cannot be sent stays as it is.
        outlook: Outlook = "permanent" if failure.kind in ("address", "header") else "temporary"
        remedy = "" if "base_url" in failure.remedy else failure.remedy
        failed = f"{self._server} could not be given the message of {self.channel}: {reason}."
        return DeliveryError(
            failed, remedy or "Check the channel's address and this machine's network.", outlook=outlook
        )

    def _rejected(self, response: Response, answer: str, clock: Clock) -> DeliveryError:
        status, said = response.status, f" “{answer}”" if answer else ""
        outlook = _outlook(response)
        if outlook == "unknown" and self.is_repeatable:
            outlook = "temporary"
        if outlook == "unknown":
            failed = f"Nobody knows whether the message of {self.channel} arrived: {self._server} says {status}{said}."
            return DeliveryError(failed, _LOOK, outlook=outlook, code=status, answer=answer)
        failed = f"{self._server} did not accept the message of {self.channel}: {status}{said}."
        remedy = self.remedies.get(status, "")
        if not remedy and outlook == "permanent":
            remedy = (
                "It has moved: give the channel its new address."
                if status in range(300, 400)
                else "Check the channel's address and what the receiver expects."
            )
        epoch = server_epoch(response)
        wait = retry_after(response, clock.epoch() if epoch is None else epoch)
        return DeliveryError(failed, remedy, outlook=outlook, code=status, answer=answer, retry_after=wait)


def _outlook(response: Response) -> Outlook:
    status = response.status
    # A success that is not what the receiver says of one comes from something in between, or from both.
    if response.is_good or status in _NO_ANSWER:
        return "unknown"
    return "temporary" if status in _LATER or (status >= 500 and status not in _NEVER) else "permanent"


class _Body:
    """A body as requests streams it; offered when its first bytes are asked for, sent once its last ones were."""

    def __init__(self, content: bytes, offered: Callable[[], None]) -> None:
        self._content, self._offered, self._at = content, offered, 0
        self.failure: BaseException | None = None
        self._is_offered = False

    @property
    def is_sent(self) -> bool:
        return self._is_offered and self._at >= len(self._content)

    def __len__(self) -> int:
        return len(self._content)

    def __iter__(self) -> Iterator[bytes]:
        # Requests takes for a stream only what can be iterated; it reads all the same.
        return iter([self.read()])

    def read(self, size: int = -1) -> bytes:
        if not self._is_offered:
            try:
                self._offered()
            except BaseException as error:
                self.failure = error
                raise
            self._is_offered = True
        end = len(self._content) if size is None or size < 0 else self._at + size
        part = self._content[self._at : end]
        self._at += len(part)
        return part


def checked_address(address: str, where: str) -> Secret:
    """An address to post to: https, or http on this machine. `where` names it in errors, which do not show it.

    Raises:
        SettingsError: it is none.
    """
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        host, parts = "", urlsplit("")
    if not host or parts.scheme not in ("https", "http") or any(not c.isprintable() or c.isspace() for c in address):
        raise SettingsError(f"{where} is not an address.", "It begins with https:// and has no blanks.")
    if parts.scheme != "https" and not _is_loopback(host):
        raise SettingsError(
            f"{where} is not encrypted.", "It must begin with https://; http:// is for this machine alone (127.0.0.1)."
        )
    return Secret(address)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
