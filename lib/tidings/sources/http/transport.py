"""The wire: this machine's certificates and proxies, a time limit on every response, failures as messages.

`REQUESTS_CA_BUNDLE`, `CURL_CA_BUNDLE`, `SSL_CERT_FILE`, `HTTPS_PROXY` and `NO_PROXY` are honoured; a .netrc is not, as
its content is not configured here. A response is read as it arrives, up to `MOST_BYTES` after decompression and for at
most `RESPONSE_S`, headers included: a server may drip it for ever.
"""

from __future__ import annotations

import base64
import http.client
import io
import os
import re
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import HTTPBasicAuth

from tidings.secrets import Secret
from tidings.sources.clock import Clock
from tidings.sources.http.response import server_of

CONNECT_S = 10
READ_S = 60
RESPONSE_S = 300
MOST_BYTES = 256 << 20
_CHUNK = 1 << 16
_CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")


@dataclass(frozen=True)
class Failure:
    """Why there is no response.

    `again`: a retry may help; `final`: it will not, nor for any other request; `address`, `header`: the URL or a header
    cannot be sent as written; `slow`, `large`: this response is unusable, others may be fine.
    """

    kind: Literal["again", "final", "address", "header", "slow", "large"]
    message: str
    remedy: str = ""


class WireError(Exception):
    """There is no response; libraries' own messages contain whole URLs, and with them signatures."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class _OverdueError(Exception):
    """A response exceeded its time limit; not an OSError, so that no library handles it as its own."""


class Transport:
    """Connections to one server, reused for many requests; used by one thread at a time."""

    def __init__(self, clock: Clock, headers: Mapping[str, str]) -> None:
        self._clock = clock
        self._give_up = 0.0
        self._session = requests.Session()
        self._session.headers.update(headers)
        # With an auth of our own requests does not read .netrc.
        self._session.auth = _as_written
        self._session.verify = next((path for path in map(os.environ.get, _CA_VARIABLES) if path), True)
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, _Adapter(self._look))

    def send(self, method: str, url: str, sent: Mapping[str, Any]) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body of one request.

        Raises:
            WireError: there is no response.
        """
        self._give_up = self._clock.seconds() + RESPONSE_S
        try:
            with self._session.request(
                method, url, timeout=(CONNECT_S, READ_S), allow_redirects=False, stream=True, **sent
            ) as got:
                body = bytearray()
                # Not iter_content: it waits for whole chunks, which a server that drips may never fill.
                while chunk := got.raw.read1(_CHUNK, decode_content=True):
                    self._look()
                    body += chunk
                    if len(body) > MOST_BYTES:
                        message = f"the response is larger than {MOST_BYTES >> 20} MB"
                        raise WireError(Failure("large", message, "Ask for less, or for fewer days at a time."))
                return got.status_code, got.headers, bytes(body)
        except _OverdueError:
            raise WireError(Failure("slow", f"the response was still incomplete after {RESPONSE_S} s")) from None
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError, UnicodeError) as error:
            raise WireError(_failure(error, url)) from None

    def _look(self) -> None:
        if self._clock.seconds() > self._give_up:
            raise _OverdueError


def _as_written(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Basic auth only if the URL itself contains a user and password."""
    user, password = requests.utils.get_auth_from_url(request.url or "")
    return HTTPBasicAuth(user, password)(request) if user or password else request


class _Adapter(HTTPAdapter):
    """Connections that check the time limit before every read."""

    def __init__(self, look: Callable[[], None]) -> None:
        class Response(http.client.HTTPResponse):
            def __init__(self, sock: socket.socket, *args: Any, **more: Any) -> None:
                super().__init__(sock, *args, **more)
                self.fp = io.BufferedReader(_Watched(self.fp.detach(), look))

        self._response = Response
        super().__init__()

    def get_connection_with_tls_context(self, *args: Any, **more: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **more)
        if getattr(pool.ConnectionCls, "response_class", None) is not self._response:
            pool.ConnectionCls = type("Connection", (pool.ConnectionCls,), {"response_class": self._response})
        return pool


class _Watched(io.RawIOBase):
    def __init__(self, raw: io.RawIOBase, look: Callable[[], None]) -> None:
        self._raw = raw
        self._look = look

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._look()
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


# Failures in words

_VERIFY: Mapping[int, tuple[str, str]] = {
    9: ("its certificate is not valid yet", "Compare this machine's clock, or wait until it is."),
    10: ("its certificate has expired", "Whoever runs the server has to renew it; compare this machine's clock, too."),
    18: ("its certificate is signed by itself", ""),
    19: ("its certificate is signed by an authority that this machine does not know", ""),
    20: ("its certificate is signed by an authority that this machine does not know", ""),
    21: ("its certificate is signed by an authority that this machine does not know", ""),
    62: ("its certificate is for another name", "Compare base_url with the name that the certificate is for."),
    64: ("its certificate is for another address", "Write the server's name in base_url, not its number."),
}
_UNKNOWN_AUTHORITY = (
    "If the server or a proxy of yours signs itself, set REQUESTS_CA_BUNDLE to the file with that certificate; if not, "
    "somebody is in between."
)
_NO_COMMON_TLS = frozenset(
    {
        *("UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "SSLV3_ALERT_HANDSHAKE_FAILURE", "DH_KEY_TOO_SMALL"),
        *("NO_PROTOCOLS_AVAILABLE", "TLSV1_ALERT_INSUFFICIENT_SECURITY", "TLSV1_UNRECOGNIZED_NAME"),
    }
)
_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"})
_BY_NAME: Mapping[str, str] = {
    "ConnectTimeoutError": "no connection within {connect} s",
    "ConnectTimeout": "no connection within {connect} s",
    "ConnectionRefusedError": "nothing listens there",
    "ReadTimeoutError": "silence for {read} s",
    "ReadTimeout": "silence for {read} s",
    "IncompleteRead": "the response was cut off",
    "DecodeError": "the response could not be decompressed",
    "ConnectionResetError": "the connection was broken off",
    "ProtocolError": "the response was cut off",
    "NewConnectionError": "it cannot be reached from this machine",
}


def _failure(error: BaseException, url: str) -> Failure:
    """The kind of a failed request, and why; the causes that libraries wrap say more than the wrapper."""
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, urllib3.exceptions.ProxyError | requests.exceptions.ProxyError):
            return _of_proxy(causes, url)
    found = _of_tls(causes) or _of_name(causes, url) or _of_address(causes)
    if found is not None:
        return found
    names = [type(cause).__name__ for cause in causes]
    message = next((_BY_NAME[name] for name in _BY_NAME if name in names), "the connection failed")
    return Failure("again", message.format(connect=CONNECT_S, read=READ_S))


def _of_tls(causes: list[BaseException]) -> Failure | None:
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            message, remedy = _VERIFY.get(cause.verify_code, ("its certificate is not valid", ""))
            return Failure("final", message, remedy or _UNKNOWN_AUTHORITY)
        if isinstance(cause, ssl.SSLError) and "NO_CERTIFICATE" in (cause.reason or str(cause)):
            return Failure("final", f"the file in {_bundle()} holds no certificate", "Give it a file in PEM.")
        if isinstance(cause, ssl.SSLError) and cause.reason in _NO_TLS:
            return Failure("final", "it does not use TLS", "Compare base_url: http:// or a port may be meant.")
        if isinstance(cause, ssl.SSLError) and cause.reason in _NO_COMMON_TLS:
            return Failure("final", "it knows no way of encrypting that is safe today", "Have the server updated.")
    return None


def _bundle() -> str:
    """The variable that names the trusted certificates."""
    return next((each for each in _CA_VARIABLES if os.environ.get(each)), "REQUESTS_CA_BUNDLE")


def _of_name(causes: list[BaseException], url: str) -> Failure | None:
    for cause in causes:
        if isinstance(cause, socket.gaierror):
            message = f"no server is called {urlsplit(url).hostname}, or this machine is not connected"
            # The name server itself may be away for a moment.
            return Failure("again" if cause.errno == socket.EAI_AGAIN else "final", message, "Compare base_url.")
    return None


def _of_address(causes: list[BaseException]) -> Failure | None:
    for cause in causes:
        if isinstance(cause, requests.exceptions.InvalidHeader):
            return Failure("header", "a header cannot be sent")
        if isinstance(cause, requests.exceptions.InvalidProxyURL):
            return Failure("final", "the URL of the proxy is not valid", "Correct HTTPS_PROXY in the environment.")
        if isinstance(cause, requests.exceptions.InvalidSchema) and "SOCKS" in str(cause):
            return Failure("final", "the proxy in the environment speaks SOCKS", "Set HTTPS_PROXY to an HTTP proxy.")
        if isinstance(
            cause,
            requests.exceptions.MissingSchema
            | requests.exceptions.InvalidSchema
            | requests.exceptions.InvalidURL
            | urllib3.exceptions.LocationValueError,
        ):
            return Failure("address", "the URL is not valid")
    if isinstance(causes[0], UnicodeEncodeError):
        return Failure("header", "a header cannot be sent")
    if isinstance(causes[0], OSError) and "CA certificate bundle" in str(causes[0]):
        name = _bundle()
        file = os.environ.get(name, "")
        why = "is not there" if not Path(file).exists() else "cannot be read"
        return Failure("final", f"the file of certificates {file} {why}", f"Correct {name} in the environment.")
    return None


def _of_proxy(causes: list[BaseException], url: str) -> Failure:
    """What is wrong with the proxy in front of `url`; its user and password are never shown."""
    server = f"the proxy {_proxy_of(url)}".strip()
    remedy = "Check HTTPS_PROXY and NO_PROXY in the environment."
    for cause in causes:
        refused = re.search(r"Tunnel connection failed: (\d{3})", str(cause))
        if refused:
            kind: Literal["again", "final"] = "again" if refused[1].startswith("5") else "final"
            why = "requires a user and a password" if refused[1] == "407" else f"rejects the connection ({refused[1]})"
            return Failure(kind, f"{server} {why}", remedy)
    named = _of_name(causes, url)
    if named is not None:
        return Failure(named.kind, f"{server} has a name that no server has", remedy)
    tls = _of_tls(causes)
    if tls is not None:
        return Failure("final", f"{server} cannot be reached: {tls.message}", remedy)
    return Failure("again", f"{server} cannot be reached", remedy)


def _proxy_of(url: str) -> str:
    found = requests.utils.select_proxy(url, requests.utils.get_environ_proxies(url)) or ""
    return server_of(found if "://" in found else f"http://{found}")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and all its causes, outermost first."""
    waiting, seen = [error], set[int]()
    while waiting:
        cause = waiting.pop(0)
        if id(cause) not in seen:
            seen.add(id(cause))
            yield cause
            inner = (*cause.args, getattr(cause, "reason", None), cause.__cause__, cause.__context__)
            waiting += [each for each in inner if isinstance(each, BaseException)]


def proxy_secrets() -> list[str]:
    """The secrets of the proxies in the environment: passwords, and user and password as they are sent."""
    found = []
    for proxy in getproxies().values():
        user, separator, password = Secret(proxy.rpartition("@")[0].rpartition("//")[2]).partition(":")
        if separator and password:
            sent = f"{unquote(user)}:{unquote(password)}"
            found += [password, unquote(password), base64.b64encode(sent.encode()).decode()]
    return [Secret(each) for each in found]
