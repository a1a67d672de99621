"""HTTP as every connector uses it: rate-limited, timed out, retried, and silent about secrets.

Retried are responses that say "later" (408, 425, 429, 5xx, and what an API's own `classify` calls so), and connections
that fail or break. Waits double from one second, with jitter, and honour `Retry-After`. After five tries, or if a
server asks for a longer wait than a pull should last, the whole source is given up with one message. A server that
fails at one request (500, or one that never ends) may succeed at others: the source is given up at the third in a row.
Errors that a retry does not fix (a certificate, an unknown host) are reported at once.

What counts as a valid response is stated with each request (`expects`, see `expected.py`): nothing else is passed on. A
response from something in between (a login page, a proxy, a firewall) is never taken for the server's own, nor blamed
on the credential.

Credentials are held in strings that hide their value (`Secret`), so that neither an error nor a traceback that prints
variables shows them.
"""

from __future__ import annotations

import json
import random
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urljoin, urlsplit

import tenacity

from tidings.errors import CredentialError, InBetweenError, OutageError, ResponseError
from tidings.secrets import Redactor, Secret
from tidings.sources.clock import Clock
from tidings.sources.http.expected import OBJECT, Expected
from tidings.sources.http.response import (
    EXCERPT,
    Decision,
    Response,
    by_status,
    excerpt,
    from_epoch,
    is_json,
    retry_after,
    server_epoch,
    server_of,
    shown,
)
from tidings.sources.http.transport import Transport, WireError, proxy_secrets

__all__ = [
    "Auth",
    "Classify",
    "Client",
    "Decision",
    "Limit",
    "Response",
    "by_status",
    "excerpt",
    "from_epoch",
    "retry_after",
]

TRIES = 5
LONGEST_WAIT_S = 300
# With a clock further off, days would count as over that are not.
CLOCK_OFF_S = 3600
_STUMBLES = 3
_PROXY_STATUS = 407
_LOGIN_STATUS = 511


@dataclass(frozen=True)
class Limit:
    """At most `calls` within `seconds`; kept by waiting before a call, not by running into the server's limit."""

    calls: int
    seconds: float


class Auth(Protocol):
    """Authenticates requests."""

    def headers(self, client: Client) -> Mapping[str, str]:
        """The headers to send; may request a token through `client` first."""

    def renew(self) -> None:
        """Forget a token that was not accepted."""


Classify = Callable[[Response], Decision | None]


class _LaterError(Exception):
    def __init__(self, message: str, seconds: float | None, *, is_internal: bool = False, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.seconds = seconds
        self.is_internal = is_internal


class Client:
    """One server, as one source uses it from one thread.

    `source` is the source's name, `base` the server's URL, `console` where its credentials are managed, as that console
    calls it. `classify` decides about responses that the status alone does not explain (None: by status).
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
        classify: Classify | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.source = source
        self.base = base if base.endswith("/") else f"{base}/"
        self.clock = clock
        self._console = console
        self._auth = auth
        self._limits = [(limit, deque[float]()) for limit in limits]
        self._classify = classify
        self._transport = Transport(clock, {"User-Agent": "tidings", **(headers or {})})
        self._redactor = Redactor(map(Secret, proxy_secrets()), shortest=1, mask="…")
        self._stumbles = 0
        self._jitter = random.Random(source)  # noqa: S311 - spreads retries, hides nothing

    def hide(self, secret: str) -> Secret:
        """Reveal a secret for sending, and redact it from every message of this client."""
        value = Secret(secret)
        del secret
        if any(ord(character) < 32 for character in value):
            raise CredentialError(
                f"A credential of {self.source} holds a line break or a control character.",
                "Copy it again into the environment or .env, in one line.",
            )
        if value:
            self._redactor.add(value)
        return value

    def get(
        self,
        path: str,
        params: Mapping[str, Any] | None = None,
        *,
        expects: Expected = OBJECT,
        headers: Mapping[str, str] | None = None,
        classify: Classify | None = None,
        auth: bool = True,
    ) -> Response:
        """GET a path below the base, or a whole URL of the same server (any server with `auth=False`).

        `expects` states what counts as a valid response: by default a JSON object with something in it.

        Raises:
            ResponseError: this request fails, or its response is not valid.
            CredentialError: the credential is not accepted.
            OutageError: the server cannot be reached.
        """
        return self._ask("GET", path, expects, classify, auth, params=params, headers=headers)

    def post(
        self,
        path: str,
        *,
        body: Any = None,
        form: Mapping[str, str] | None = None,
        expects: Expected = OBJECT,
        classify: Classify | None = None,
        auth: bool = True,
    ) -> Response:
        """POST JSON (`body`, may hold decimals) or a form; retried like a GET, so it must not change anything twice.

        Raises:
            ResponseError, CredentialError, OutageError: as `get`.
        """
        headers = {}
        data: Any = form
        if body is not None:
            data, headers["Content-Type"] = _ShyBytes(json.dumps(body, default=float).encode()), "application/json"
        return self._ask("POST", path, expects, classify, auth, data=data, headers=headers)

    def _ask(
        self, method: str, path: str, expects: Expected, classify: Classify | None, auth: bool, **sent: Any
    ) -> Response:
        url = self._url(path, auth)
        renewed = False

        def once() -> Response:
            nonlocal renewed
            headers = dict(sent.get("headers") or {})
            if auth and self._auth is not None:
                headers |= self._auth.headers(self)
            self._pace()
            try:
                response = self._send(method, url, {**sent, "headers": headers})
            finally:
                # Counted when it is over: it may have reached the server late.
                for _, calls in self._limits:
                    calls.append(self.clock.seconds())
            self._heard(response)
            decision = (
                (classify and classify(response))
                or (self._classify and self._classify(response))
                or by_status(response)
            )
            if decision.kind == "renew" and auth and self._auth is not None and not renewed:
                renewed = True
                self._auth.renew()
                return once()
            return self._taken(response, decision, expects)

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
                raise ResponseError(
                    f"{server_of(url)} fails in {TRIES} tries: {error.message}.",
                    f"Run: tidings pull {self.source}, later.",
                    500,
                ) from None
            raise OutageError(
                f"{server_of(url)} does not answer {self.source} in {TRIES} tries: {error.message}.",
                f"{error.remedy} Nothing was lost. Run: tidings pull {self.source}, later.".lstrip(),
            ) from None

    def _heard(self, response: Response) -> None:
        """Raise for a response that is not the server's own, and if its clock and this machine's are too far apart.

        Raises:
            InBetweenError, OutageError: that is the case.
        """
        reported = self._clean(f"{response.path} answers {response.status}")
        if response.status == _PROXY_STATUS:
            raise OutageError(
                f"{reported}: a proxy requires a user and a password.",
                "Check HTTPS_PROXY and NO_PROXY in the environment.",
            )
        if 300 <= response.status < 400:
            raise InBetweenError(
                f"{reported}: it redirects to {self._target(response)}.", f"An API does not: {_BETWEEN}"
            )
        # An overloaded server or proxy may respond with a page as well, which passes.
        is_theirs = by_status(response).kind != "later" or response.status == _LOGIN_STATUS
        if is_theirs and (response.page is not None or response.status == _LOGIN_STATUS):
            title = self._clean(response.page or "")
            page = "with a web page" + (f" ({title})" if title else "")
            raise InBetweenError(f"{reported} {page}, not with data.", f"The credential may be good: {_BETWEEN}")
        theirs = server_epoch(response)
        off = 0.0 if theirs is None else self.clock.epoch() - theirs
        if abs(off) > CLOCK_OFF_S:
            raise OutageError(
                f"This machine's clock is {_span(abs(off))} {'ahead of' if off > 0 else 'behind'} that of "
                f"{server_of(self.base)}: signatures fail, and days would be taken for over that are not.",
                "Set the clock that is wrong, then pull again.",
            )

    def _target(self, response: Response) -> str:
        """The target of a redirect: the server, or the path on the same one; never its query."""
        target = urljoin(f"https://{response.path}", response.headers.get("Location", ""))
        same = server_of(target) == urlsplit(f"//{response.path}").netloc
        is_itself = target.partition("?")[0] == f"https://{response.path}"
        return self._clean("itself" if is_itself else urlsplit(target).path if same else server_of(target) or "itself")

    def _taken(self, response: Response, decision: Decision, expects: Expected) -> Response:
        if decision.kind == "fine":
            self._stumbles = 0
            return self._accepted(response, expects)
        message = self._clean_end(self._clean(decision.message or excerpt(response)))[:EXCERPT].rstrip(".")
        reported = self._clean(f"{response.path} answers {response.status}") + (f": {message}" if message else "")
        if decision.kind == "later":
            asked = decision.seconds if decision.seconds is not None else retry_after(response, self.clock.epoch())
            if asked is not None and asked > LONGEST_WAIT_S:
                raise OutageError(
                    f"{reported}, and asks to wait {asked / 60:.0f} minutes.",
                    f"Nothing was lost. Run: tidings pull {self.source}, after that time.",
                )
            raise _LaterError(reported, asked, is_internal=response.status == 500)
        # A response unlike the API's own may come from something in between.
        doubt = "" if response.status not in (401, 403) or is_json(response) else _DOUBT
        if decision.kind == "refused" or (decision.kind == "renew" and not decision.is_right):
            remedy = decision.remedy or f"Check the credential in {self._console}."
            raise CredentialError(f"{self.source} is refused: {reported}.", f"{doubt}{remedy}")
        remedy = decision.remedy or f"Check {self.source} in {self._console}."
        raise ResponseError(f"{reported}.", f"{doubt}{remedy}", response.status)

    def _accepted(self, response: Response, expects: Expected) -> Response:
        """The response, if valid; an error that a connector accepts has to be the API's own."""
        fault = expects.fault(response) if response.is_good else "" if is_json(response) else "is not the API's own"
        if not fault:
            return response
        fault = self._clean_end(self._clean(fault))[:EXCERPT].rstrip(".")
        raise ResponseError(
            f"{self._clean(response.path)} answers {response.status}, but its answer cannot be used: {fault}.",
            f"Nothing was landed of it. Pull again; if it stays so, check base_url of {self.source} in the settings.",
        )

    def _send(self, method: str, url: str, sent: Mapping[str, Any]) -> Response:
        path = self._clean(shown(url))
        try:
            status, headers, body = self._transport.send(method, url, sent)
        except WireError as error:
            failure = error.failure
        else:
            return Response(status, headers, body, path)
        if failure.kind == "header":
            raise CredentialError(
                f"A credential of {self.source} holds a character that cannot be sent.",
                f"Copy it again from {self._console}.",
            )
        if failure.kind == "address":
            raise ResponseError(
                f"'{shown(self.base)}' is not an address that {self.source} can be asked at.",
                "Write base_url with https:// and the server's name.",
            )
        if failure.kind == "again":
            raise _LaterError(f"{path}: {failure.message}", None, remedy=failure.remedy)
        reported = f"{path}: {failure.message}."
        later = f"Nothing was lost. Run: tidings pull {self.source}, later."
        self._stumbles += failure.kind == "slow"
        if failure.kind == "final" or self._stumbles >= _STUMBLES:
            raise OutageError(f"{server_of(url)} cannot be asked. {reported}", failure.remedy or later)
        raise ResponseError(reported, failure.remedy or later)

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
        # If the server names a time, wait for that and a little more: clocks differ.
        asked = error.seconds if isinstance(error, _LaterError) else None
        return jitter if asked is None else max(jitter, asked + self._jitter.uniform(0.0, 1.0))

    def _url(self, path: str, auth: bool) -> str:
        url = urljoin(self.base, path) if "://" in path else f"{self.base}{path.lstrip('/')}"
        if auth and _origin(url) != _origin(self.base):
            raise ResponseError(
                f"{self.source} was sent on to another server, {server_of(url)}.",
                "The credential was not sent there. Check base_url in the settings.",
            )
        return url

    def message_of(self, response: Response) -> str:
        """The message of an error response in one short line, without secrets, not even parts of one that was cut."""
        return self._clean_end(self._clean(excerpt(response)))

    def _clean(self, text: str) -> str:
        return self._redactor(text)

    def _clean_end(self, text: str) -> str:
        """A truncated text may end in the middle of a secret."""
        return self._redactor.cut(text)


class _ShyBytes(bytes):
    """A body that hides its content."""

    def __repr__(self) -> str:
        return f"<{len(self)} bytes>"


_BETWEEN = (
    "a login page, a captive portal, a proxy or a firewall stands in between, or base_url is not the server's own "
    "address (https://, the whole name)."
)
_DOUBT = "The response does not look like the API's: it may come from a proxy or a firewall. If not: "


def _span(seconds: float) -> str:
    """A duration in its largest unit."""
    days, hours = round(seconds / 86_400), round(seconds / 3600)
    return f"{days} days" if hours >= 36 else f"{hours} hour{'' if hours == 1 else 's'}"


def _origin(url: str) -> tuple[str, str, int | None]:
    """The origin of a URL: scheme, host, port."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        # Not a number: sending the request raises the error.
        port = None
    return parts.scheme, parts.hostname or "", port or {"https": 443, "http": 80}.get(parts.scheme)
