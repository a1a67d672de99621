"""The wire: this machine's proxies and certificates, no .netrc, and a time limit on every response."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fakes.certificates import served
from fakes.pulling import QuickClock
from fakes.server import FakeApi, Request, route
from tidings.errors import OutageError
from tidings.settings import Secret
from tidings.sources.http.auth import Header
from tidings.sources.http.session import Client


class Shop(FakeApi):
    @route("GET", "/orders")
    def orders(self, request: Request) -> Any:
        return {"sent": request.headers.get("Authorization") or "nothing"}


def client_of(url: str, **more: Any) -> Client:
    return Client("shop", url, QuickClock(), console="Shop › Keys", **more)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without proxies and bundles of its own."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)


@contextmanager
def proxy(response: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """A proxy with one fixed response, and a record of its requests."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    asked.append(connection.recv(65536))
                    connection.sendall(response)

        threading.Thread(target=serve, daemon=True).start()
        try:
            yield f"127.0.0.1:{listening.getsockname()[1]}", asked
        finally:
            listening.shutdown(socket.SHUT_RDWR)


OK = b'HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{"by": "way"}'


def test_a_proxy_of_the_environment_is_used_unless_it_is_disabled(monkeypatch: pytest.MonkeyPatch) -> None:
    with proxy(OK) as (address, asked), Shop().running() as url:
        monkeypatch.setenv("HTTP_PROXY", f"http://ada:pw-canary@{address}")
        assert client_of("http://shop.example").get("orders").json() == {"by": "way"}
        assert asked[0].startswith(b"GET http://shop.example/orders")
        assert base64.b64encode(b"ada:pw-canary") in asked[0]
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert client_of(url).get("orders").json() == {"sent": "nothing"}


@pytest.mark.parametrize(
    ("response", "said"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "requires a user and a password"),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", r"rejects the connection \(403\)"),
    ],
)
def test_a_proxy_that_refuses_is_named_without_its_password(
    monkeypatch: pytest.MonkeyPatch, response: bytes, said: str
) -> None:
    with proxy(response) as (address, asked):
        monkeypatch.setenv("HTTPS_PROXY", f"http://ada:pw-canary@{address}")
        with pytest.raises(OutageError, match=rf"the proxy {address} {said}\. Check HTTPS_PROXY") as refused:
            client_of("https://shop.example").get("orders")
        assert len(asked) == 1, "a retry does not fix it"
    assert "canary" not in str(refused.value) and "ada" not in str(refused.value)


def test_a_proxy_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"127.0.0.1:{listening.getsockname()[1]}"
    monkeypatch.setenv("HTTPS_PROXY", f"http://ada:pw-canary@{address}")
    with pytest.raises(OutageError, match=rf"the proxy {address} cannot be reached\. Check HTTPS_PROXY") as refused:
        client_of("https://shop.example").get("orders")
    assert "canary" not in str(refused.value)


def test_a_proxy_that_repeats_its_password_is_not_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = base64.b64encode(b"ada:pw-canary")
    said = b'{"message": "no ' + sent + b' for pw-canary"}'
    response = b"HTTP/1.1 400 No\r\nContent-Length: " + str(len(said)).encode() + b"\r\n\r\n" + said
    with proxy(response) as (address, _):
        monkeypatch.setenv("HTTP_PROXY", f"http://ada:pw-canary@{address}")
        with pytest.raises(Exception, match="answers 400: no … for …"):
            client_of("http://shop.example").get("orders")


def test_a_netrc_is_not_looked_into(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login ada password canary\n", encoding="utf-8")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with Shop().running() as url:
        assert client_of(url).get("orders").json() == {"sent": "nothing"}
        assert client_of(url, auth=Header(Secret("mine"))).get("orders").json() == {"sent": "Bearer mine"}


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_an_authority_of_ones_own_is_believed(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    with served("good") as (url, authority):
        with pytest.raises(OutageError, match="set REQUESTS_CA_BUNDLE to the file"):
            client_of(url).get("orders")
        monkeypatch.setenv(variable, authority)
        assert client_of(url).get("orders").json() == {"hello": "world"}


def test_a_bundle_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    with pytest.raises(OutageError, match=r"file of certificates /nowhere/ca\.pem is not there\. Correct REQUESTS_CA"):
        client_of("https://127.0.0.1:9").get("orders")


def test_a_bundle_without_a_certificate_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate\n", encoding="utf-8")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    with (
        served("good") as (url, _),
        pytest.raises(OutageError, match="file in REQUESTS_CA_BUNDLE holds no certificate"),
    ):
        client_of(url).get("orders")


def test_a_server_without_encryption_is_reported_at_once() -> None:
    with Shop().running() as url, pytest.raises(OutageError, match="does not use TLS") as refused:
        client_of(url.replace("http:", "https:")).get("orders")
    assert "http://" in str(refused.value)
