"""HTTP as every connector uses it: paced, timed out, retried, and silent about secrets.

What is asked again: answers that say "later" (408, 425, 429, 5xx, and what an API's own `judge` calls so), connections
that fail or are cut. Waits double from one second, with jitter, and honour `Retry-After`. After five tries, or where a
server asks for a longer wait than a pull should last, the whole source is given up with one sentence. A server that
fails at one request (500) may answer others: the source is given up at the third in a row.

What is sent to prove who asks is held in texts that do not show themselves (`Shy`), so that neither an error nor a
traceback that prints variables tells it.
"""

from __future__ import annotations

import json
import math
import random
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any, Literal, Protocol
from urllib.parse import urljoin, urlsplit

import requests
import tenacity
import urllib3

from tidings.errors import AnswerError, CredentialError, OutageError
from tidings.secrets import Redactor, Secret, Shy
from tidings.sources.clock import Clock

CONNECT_S = 10
READ_S = 60
ANSWER_S = 300
TRIES = 5
LONGEST_WAIT_S = 300
_STUMBLES = 3
_LATER = frozenset({408, 425, 429})
# Of the server's own errors, those that asking again does not mend: not implemented, HTTP version.
_NEVER = frozenset({501, 505})
_EXCERPT = 300
_CHUNK = 1 << 16


@dataclass(frozen=True)
class Limit:
    """At most so many calls within so many seconds; kept by waiting before a call, not by running into it."""

    calls: int
    seconds: float


@dataclass(frozen=True)
class Answer:
    """What a server said to one request. `path` names the request without its query: that may hold a signature."""

    status: int
    # Not shown in tracebacks: a token's answer holds the token, an error may repeat what was sent.
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    path: str

    def json(self) -> Any:
        """The body as JSON; numbers with a point are decimals, so that money stays exact.

        Raises:
            AnswerError: it is not JSON.
        """
        try:
            return json.loads(self.body, parse_float=Decimal)
        except (ValueError, RecursionError):
            raise AnswerError(
                f"{self.path} did not answer with JSON ({len(self.body)} bytes).",
                "Check base_url in the settings; a proxy or login page may stand in between.",
                self.status,
            ) from None


@dataclass(frozen=True)
class Verdict:
    """How an answer is to be taken.

    `fine`: use it; `later`: ask again (after `seconds`, if the API says so); `renew`: get a new token and ask once
    more, after which the credential is `refused`, or the request `failed` where `is_right` says that 401 may be a right
    that lacks; `refused`: the credential will not do; `failed`: this request will not do, others may.
    """

    kind: Literal["fine", "later", "renew", "refused", "failed"]
    said: str = field(default="", repr=False)
    remedy: str = ""
    seconds: float | None = None
    is_right: bool = False


class Auth(Protocol):
    """What makes a request ours."""

    def headers(self, client: Client) -> Mapping[str, str]:
        """The headers to send; may ask `client` for a token first."""

    def renew(self) -> None:
        """Forget a token that was not accepted."""


Judge = Callable[[Answer], Verdict | None]


class _LaterError(Exception):
    def __init__(self, said: str, seconds: float | None, *, is_internal: bool = False) -> None:
        super().__init__(said)
        self.said = said
        self.seconds = seconds
        self.is_internal = is_internal


class Client:
    """One server, as one source talks to it from one thread.

    `source` is the source's name, `base` the server's address, `console` where its credentials are managed, in the
    words of that console. `judge` says how the API means an answer where the status alone does not (None: by status).
    """

    def __init__(
        self,
        source: str,
        base: str,
        clock: Clock,
        *,
        console: str,
        auth: Auth | None = None,
        limits: Sequence[Limit] = (),
        judge: Judge | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.source = source
        self.base = base if base.endswith("/") else f"{base}/"
        self.clock = clock
        self._console = console
        self._auth = auth
        self._limits = [(limit, deque[float]()) for limit in limits]
        self._judge = judge
        self._session = requests.Session()
        # A .netrc or proxy credential of the machine is not what the user configured here.
        self._session.trust_env = False
        self._session.headers.update({"User-Agent": "tidings", **(headers or {})})
        self._redactor = Redactor(shortest=1, mask="…")
        self._stumbles = 0
        self._jitter = random.Random(source)  # noqa: S311 - spreads retries, hides nothing

    def hide(self, secret: Secret | str) -> str:
        """Reveal a secret for sending, and keep it out of every sentence that this client makes."""
        value = Shy(secret.reveal() if isinstance(secret, Secret) else secret)
        del secret
        if any(ord(character) < 32 for character in value):
            raise CredentialError(
                f"A credential of {self.source} holds a line break or a control character.",
                "Copy it anew into the environment or .env, in one line.",
            )
        if value:
            self._redactor.add(Secret(value))
        return value

    def get(
        self,
        path: str,
        params: Mapping[str, Any] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        judge: Judge | None = None,
        auth: bool = True,
    ) -> Answer:
        """GET a path below the base, or a whole URL of the same server (any server with `auth=False`).

        Raises:
            AnswerError: this request will not do.
            CredentialError: the credential will not do.
            OutageError: the server cannot be had.
        """
        return self._ask("GET", path, judge, auth, params=params, headers=headers)

    def post(
        self,
        path: str,
        *,
        body: Any = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        judge: Judge | None = None,
        auth: bool = True,
    ) -> Answer:
        """POST JSON (`body`, may hold decimals) or a form; repeated like a GET, so it must not change anything twice.

        Raises:
            AnswerError, CredentialError, OutageError: as `get`.
        """
        said = dict(headers or {})
        data: Any = form
        if body is not None:
            data, said["Content-Type"] = _ShyBytes(json.dumps(body, default=float).encode()), "application/json"
        return self._ask("POST", path, judge, auth, data=data, headers=said)

    def _ask(self, method: str, path: str, judge: Judge | None, auth: bool, **sent: Any) -> Answer:
        url = self._url(path, auth)
        renewed = False

        def once() -> Answer:
            nonlocal renewed
            headers = dict(sent.get("headers") or {})
            if auth and self._auth is not None:
                headers |= self._auth.headers(self)
            self._pace()
            try:
                answer = self._send(method, url, {**sent, "headers": headers})
            finally:
                # Counted when it is over: on its way it may have come to the server late.
                for _, calls in self._limits:
                    calls.append(self.clock.seconds())
            verdict = (judge and judge(answer)) or (self._judge and self._judge(answer)) or by_status(answer)
            if verdict.kind == "renew" and auth and self._auth is not None and not renewed:
                renewed = True
                self._auth.renew()
                return once()
            return self._taken(answer, verdict)

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_LaterError),
            wait=self._wait,
            stop=tenacity.stop_after_attempt(TRIES),
            sleep=self.clock.sleep,
            reraise=True,
        )
        try:
            return retrying(once)
        except _LaterError as error:
            self._stumbles += 1
            if error.is_internal and self._stumbles < _STUMBLES:
                raise AnswerError(
                    f"{_server(url)} fails in {TRIES} tries: {error.said}.",
                    f"Run: tidings pull {self.source}, later.",
                    500,
                ) from None
            raise OutageError(
                f"{_server(url)} does not answer {self.source} in {TRIES} tries: {error.said}.",
                f"Nothing was lost. Run: tidings pull {self.source}, later.",
            ) from None

    def _taken(self, answer: Answer, verdict: Verdict) -> Answer:
        if verdict.kind == "fine":
            self._stumbles = 0
            return answer
        said = self._clean_end(self._clean(verdict.said or excerpt(answer)))[:_EXCERPT].rstrip(".")
        told = self._clean(f"{answer.path} answers {answer.status}") + (f": {said}" if said else "")
        if verdict.kind == "later":
            asked = verdict.seconds if verdict.seconds is not None else retry_after(answer, self.clock.epoch())
            if asked is not None and asked > LONGEST_WAIT_S:
                raise OutageError(
                    f"{told}, and asks to wait {asked / 60:.0f} minutes.",
                    f"Nothing was lost. Run: tidings pull {self.source}, after that time.",
                )
            raise _LaterError(told, asked, is_internal=answer.status == 500)
        if verdict.kind == "refused" or (verdict.kind == "renew" and not verdict.is_right):
            raise CredentialError(
                f"{self.source} is refused: {told}.", verdict.remedy or f"Check the credential in {self._console}."
            )
        raise AnswerError(f"{told}.", verdict.remedy or f"Check {self.source} in {self._console}.", answer.status)

    def _send(self, method: str, url: str, sent: Mapping[str, Any]) -> Answer:
        path = self._clean(_shown(url))
        give_up = self.clock.seconds() + ANSWER_S
        try:
            with self._session.request(
                method, url, timeout=(CONNECT_S, READ_S), allow_redirects=False, stream=True, **sent
            ) as got:
                body = bytearray()
                # Not iter_content: it waits for whole chunks, which a server that drips may never fill.
                while chunk := got.raw.read1(_CHUNK, decode_content=True):
                    body += chunk
                    if self.clock.seconds() > give_up:
                        raise _LaterError(f"{path} was still answering after {ANSWER_S} s", None)
                return Answer(got.status_code, got.headers, bytes(body), path)
        except (requests.exceptions.InvalidHeader, UnicodeEncodeError):
            raise CredentialError(
                f"A credential of {self.source} holds a character that cannot be sent.",
                f"Copy it anew from {self._console}.",
            ) from None
        except _ADDRESS_ERRORS:
            raise AnswerError(
                f"'{_shown(self.base)}' is not an address that {self.source} can be asked at.",
                "Write base_url with https:// and the server's name.",
            ) from None
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as error:
            # Their texts hold whole URLs, and with them signatures: the kind of failure is all that is told.
            raise _LaterError(f"{path}: {_failure(error)}", None) from None

    def _pace(self) -> None:
        for limit, calls in self._limits:
            while len(calls) >= limit.calls:
                waited = self.clock.seconds() - calls[0]
                if waited < limit.seconds:
                    self.clock.sleep(limit.seconds - waited)
                calls.popleft()

    def _wait(self, state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        doubled = 2.0 ** (state.attempt_number - 1)
        jitter = self._jitter.uniform(0.5, 1.0) * doubled
        # Somebody who names a time gets that time, and a little more: clocks differ.
        asked = error.seconds if isinstance(error, _LaterError) else None
        return jitter if asked is None else max(jitter, asked + self._jitter.uniform(0.0, 1.0))

    def _url(self, path: str, auth: bool) -> str:
        url = urljoin(self.base, path) if "://" in path else f"{self.base}{path.lstrip('/')}"
        if auth and _origin(url) != _origin(self.base):
            raise AnswerError(
                f"{self.source} was sent on to another server, {_server(url)}.",
                "The credential was not sent there. Check base_url in the settings.",
            )
        return url

    def _clean(self, text: str) -> str:
        return self._redactor(text)

    def _clean_end(self, text: str) -> str:
        """A text that was cut off may end in the middle of a secret."""
        return self._redactor.cut(text)


class _ShyBytes(bytes):
    """A body that does not show what it holds."""

    def __repr__(self) -> str:
        return f"<{len(self)} bytes>"


_ADDRESS_ERRORS = (
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidURL,
    urllib3.exceptions.LocationValueError,
)
_FAILURES: Mapping[str, str] = {
    "NameResolutionError": "no server has that name, or this machine is not connected",
    "ConnectTimeout": f"no connection within {CONNECT_S} s",
    "NewConnectionError": "nothing listens there",
    "ReadTimeout": f"silence for {READ_S} s",
    "ReadTimeoutError": f"silence for {READ_S} s",
    "SSLError": "its certificate is not valid",
    "IncompleteRead": "the answer was cut off",
    "ProtocolError": "the answer was cut off",
    "DecodeError": "the answer could not be decompressed",
}


def _failure(error: BaseException) -> str:
    """The kind of a failed request in words; the cause that libraries wrap tells more than what they wrap it in."""
    kinds = [type(error).__name__]
    for inner in error.args:
        kinds[:0] = [type(each).__name__ for each in (getattr(inner, "reason", None), inner) if each is not None]
    return next((_FAILURES[kind] for kind in kinds if kind in _FAILURES), "the connection failed")


def by_status(answer: Answer) -> Verdict:
    """What an answer means by its status alone."""
    if 200 <= answer.status < 300:
        return Verdict("fine")
    if answer.status in _LATER or (answer.status >= 500 and answer.status not in _NEVER):
        return Verdict("later")
    if answer.status == 401:
        return Verdict("renew")
    if 300 <= answer.status < 400:
        return Verdict("failed", f"it redirects to {_server(answer.headers.get('Location', '')) or 'itself'}")
    return Verdict("failed")


def retry_after(answer: Answer, epoch: float) -> float | None:
    """Seconds that an answer asks to wait (`Retry-After` as seconds or as a date), None if it does not say."""
    said = answer.headers.get("Retry-After", "").strip()
    if not said:
        return None
    try:
        seconds = float(said)
    except ValueError:
        pass
    else:
        return max(seconds, 0.0) if math.isfinite(seconds) else None
    try:
        moment = parsedate_to_datetime(said)
    except ValueError:
        return None
    # A date without a zone is UTC in HTTP, whatever this machine's zone is.
    return max((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - epoch, 0.0)


def excerpt(answer: Answer) -> str:
    """What an error answer says, in one short line: the message of a JSON error, else the beginning of the text."""
    text = answer.body[:4000].decode("utf-8", "replace")
    try:
        text = _message(json.loads(answer.body)) or text
    except (ValueError, RecursionError):
        if "<" in text:
            return "a web page"
    return " ".join(text.split())[:_EXCERPT].rstrip(".")


def _message(said: Any) -> str:
    """The first text under the names that APIs give to messages."""
    if isinstance(said, list):
        return next((found for found in map(_message, said) if found), "")
    if isinstance(said, dict):
        for name in ("error_description", "detail", "message", "title", "error", "errors"):
            value = said.get(name)
            found = value if isinstance(value, str) else _message(value)
            if found:
                return found
    return ""


def _origin(url: str) -> tuple[str, str, int | None]:
    """Who answers at a URL: scheme, host, port."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        # Not a number: whoever sends the request says so.
        port = None
    return parts.scheme, parts.hostname or "", port or {"https": 443, "http": 80}.get(parts.scheme)


def _server(url: str) -> str:
    """The server of a URL as it may be told: without what may stand before an @."""
    return urlsplit(url).netloc.rpartition("@")[2]


def _shown(url: str) -> str:
    """A URL as it may be told: host and path."""
    return f"{_server(url)}{urlsplit(url).path}"


def from_epoch(value: Any, *, milliseconds: bool = False) -> datetime:
    """Unix seconds (or milliseconds) as an aware UTC instant, exact to the millisecond.

    Raises:
        ValueError: it is no number, or an instant outside of the calendar.
    """
    try:
        number = Decimal(str(value)) / (1000 if milliseconds else 1)
        return datetime.fromtimestamp(float(number), UTC)
    except (ArithmeticError, OSError) as error:
        raise ValueError(f"{str(value)[:40]!r} is not a time in Unix seconds") from error
