"""HTTP as connectors use it: what is retried and when, what is given up, what is never shown."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.pulling import NOW, QuickClock
from fakes.server import FakeApi, Refusal, Reply, Request, route
from tidings.errors import CredentialError, OutageError, ResponseError, StoppedError
from tidings.secrets import Secret
from tidings.sources.clock import Clock
from tidings.sources.http import session as http
from tidings.sources.http import transport
from tidings.sources.http.auth import Header
from tidings.sources.http.expected import FILE
from tidings.sources.http.session import Client, Decision, Limit, Response, excerpt, from_epoch, retry_after

KEY = "canary-7f3e9b"


class Shop(FakeApi):
    """Responds to requests with the key."""

    def authenticate(self, request: Request) -> None:
        if request.bearer != KEY:
            raise Refusal(Reply({"error": f"no such key {request.bearer}"}, 401))

    @route("GET", "/orders")
    def orders(self, request: Request) -> Any:
        return {"orders": [1, 2, 3], "asked": dict(request.query)}

    @route("POST", "/query")
    def query(self, request: Request) -> Any:
        return {"asked": request.json()}

    @route("GET", "/zipped")
    def zipped(self, request: Request) -> Any:
        return Reply(gzip.compress(b"a,b\n1,2\n"), headers={"Content-Type": "application/a-gzip"})

    @route("GET", "/encoded")
    def encoded(self, request: Request) -> Any:
        return Reply(gzip.compress(b'{"a": 1}'), headers={"Content-Encoding": "gzip"})

    @route("GET", "/broken")
    def broken(self, request: Request) -> Any:
        return Reply(b"\x1f\x8b this is no gzip", headers={"Content-Encoding": "gzip"})

    @route("GET", "/moved")
    def moved(self, request: Request) -> Any:
        return Reply("", 302, {"Location": "https://user:pw@login.example/?token=x"})


def client_of(fake: FakeApi, clock: Clock, key: str = KEY, **more: Any) -> Client:
    return Client("shop", fake.url, clock, console="Shop › Keys", auth=Header(Secret(key)), **more)


@pytest.fixture
def shop() -> Iterator[Shop]:
    fake = Shop()
    with fake.running():
        yield fake


@pytest.fixture
def clock() -> QuickClock:
    return QuickClock()


# Retries


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 520, 524, 529])
def test_responses_that_say_later_are_retried(shop: Shop, clock: QuickClock, status: int) -> None:
    shop.fail("/orders", status, times=2)
    assert client_of(shop, clock).get("orders").json()["orders"] == [1, 2, 3]
    assert len(shop.asked) == 3


@pytest.mark.parametrize("status", [400, 404, 422, 501, 505])
def test_responses_that_say_no_are_not(shop: Shop, clock: QuickClock, status: int) -> None:
    shop.fail("/orders", status, times=9, content={"message": "no"})
    with pytest.raises(ResponseError, match=f"/orders answers {status}: no") as refused:
        client_of(shop, clock).get("orders")
    assert (refused.value.status, len(shop.asked), clock.waited) == (status, 1, [])


def test_waits_double_and_are_jittered_within_bounds(shop: Shop) -> None:
    waited = []
    for source in ("shop", "store", "market", "stall"):
        clock = QuickClock()
        shop.fail("/orders", 503, times=5)
        with pytest.raises(OutageError):
            Client(source, shop.url, clock, console="", auth=Header(Secret(KEY))).get("orders")
        assert len(clock.waited) == 4, "five tries"
        for doubled, wait in zip((1, 2, 4, 8), clock.waited, strict=True):
            assert doubled / 2 <= wait <= doubled
        waited.append(tuple(clock.waited))
    # Sources that fail together do not retry at the same moment.
    assert len(set(waited)) == 4


def test_a_server_that_fails_at_some_requests_is_given_up_at_the_third_in_a_row(shop: Shop) -> None:
    client = Client("shop", shop.url, QuickClock(), console="", auth=Header(Secret(KEY)))
    for _ in range(3):
        shop.fail("/orders", 500, times=10)
        for _ in range(2):
            with pytest.raises(ResponseError, match="fails in 5 tries"):
                client.get("orders")
        # Its other responses show that it is alive.
        client.get("orders")
    shop.fail("/orders", 500, times=15)
    for expected in (ResponseError, ResponseError, OutageError):
        with pytest.raises(expected):
            client.get("orders")


@pytest.mark.parametrize("status", [429, 503])
def test_a_wait_in_seconds_is_honoured(shop: Shop, clock: QuickClock, status: int) -> None:
    shop.fail("/orders", status, Retry_After="40")
    client_of(shop, clock).get("orders")
    (wait,) = clock.waited
    assert 40 <= wait <= 41


def test_a_wait_until_a_date_is_honoured(shop: Shop, clock: QuickClock) -> None:
    shop.fail("/orders", 429, Retry_After=format_datetime(NOW + timedelta(seconds=90), usegmt=True))
    client_of(shop, clock).get("orders")
    (wait,) = clock.waited
    assert 90 <= wait <= 91


def test_who_says_at_once_is_not_hammered(shop: Shop, clock: QuickClock) -> None:
    shop.fail("/orders", 429, times=4, Retry_After="0")
    client_of(shop, clock).get("orders")
    assert [wait >= least for wait, least in zip(clock.waited, (0.5, 1, 2, 4), strict=True)] == [True] * 4


@pytest.fixture
def in_new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose own zone is not UTC."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "America/New_York")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("7", 7),
        ("7.5", 7.5),
        (" 7 ", 7),
        ("-3", 0),
        ("Fri, 20 Nov 2026 18:01:00 GMT", 60),
        ("Fri, 20 Nov 2026 19:01:00 +0100", 60),
        # A zone of -0000 means an unknown zone: UTC, whatever the machine's own is.
        ("Fri, 20 Nov 2026 18:01:00 -0000", 60),
        ("Fri, 20 Nov 2026 17:00:00 GMT", 0),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("", None),
    ],
)
def test_what_a_retry_after_means(in_new_york: None, said: str, seconds: float | None) -> None:
    response = Response(429, {"Retry-After": said} if said else {}, b"", "x")
    assert retry_after(response, NOW.timestamp()) == seconds


def test_a_longer_wait_than_a_pull_should_last_ends_it(shop: Shop, clock: QuickClock) -> None:
    shop.fail("/orders", 429, Retry_After="3600")
    with pytest.raises(
        OutageError, match=r"asks to wait 60 minutes\. Nothing was lost\. Run: tidings pull shop, after"
    ):
        client_of(shop, clock).get("orders")
    assert (len(shop.asked), clock.waited) == (1, [])


def test_a_truncated_response_is_requested_again(shop: Shop, clock: QuickClock) -> None:
    shop.cut("/orders", after=10, times=2)
    assert client_of(shop, clock).get("orders").json()["orders"] == [1, 2, 3]
    shop.cut("/orders", after=10, times=9)
    with pytest.raises(OutageError, match=r"does not answer shop in 5 tries: .*/orders: the response was cut off"):
        client_of(shop, clock).get("orders")


def test_silence_ends_with_a_time_out(shop: Shop, clock: QuickClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "READ_S", 0.05)
    monkeypatch.setattr(http, "TRIES", 2)
    shop.stall("/orders", 0.4)
    assert client_of(shop, clock).get("orders").status == 200
    shop.stall("/orders", 0.4, times=2)
    with pytest.raises(OutageError, match=r"in 2 tries: .*/orders: silence for"):
        client_of(shop, clock).get("orders")


@contextmanager
def answering(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that handles each connection by `talk`, below the level of HTTP servers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    try:
                        talk(connection)
                    except OSError:
                        # Nobody listens any more: that is what some tests are about.
                        continue

        threading.Thread(target=serve, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            # Wakes the thread that waits in accept.
            listening.shutdown(socket.SHUT_RDWR)


class TickingClock(QuickClock):
    """Each reading takes a minute."""

    def seconds(self) -> float:
        self._elapsed += 60
        return self._elapsed


def test_a_server_that_drips_is_given_up() -> None:
    stop = threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        # Never silent for long, and far from done whenever it is looked at.
        for _ in range(200):
            connection.sendall(b"x")
            if stop.wait(0.01):
                return

    with answering(drip) as url:
        client = Client("shop", url, TickingClock(), console="")
        try:
            # Other responses may end: the server is given up at the third that does not.
            for expected in (ResponseError, ResponseError, OutageError):
                with pytest.raises(expected, match=r"/orders: the response was still incomplete after 300 s\."):
                    client.get("orders")
        finally:
            stop.set()


def test_a_connection_closed_without_a_word_is_not_a_mystery(clock: QuickClock) -> None:
    with answering(lambda connection: None) as url, pytest.raises(OutageError, match="the response was cut off"):
        Client("shop", url, clock, console="").get("orders")


def test_a_chunked_response_is_complete_or_requested_again(clock: QuickClock) -> None:
    said = iter([b"5\r\nhel", b"5\r\nhello\r\n3\r\n wo\r\n0\r\n\r\n"])

    def talk(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + next(said))

    with answering(talk) as url:
        assert Client("shop", url, clock, console="").get("orders", expects=FILE).body == b"hello wo"
    assert len(clock.waited) == 1


def test_nobody_there_is_said_as_such(clock: QuickClock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with pytest.raises(OutageError, match=f"127.0.0.1:{port} does not answer shop in 5 tries: .*nothing listens there"):
        Client("shop", f"http://127.0.0.1:{port}", clock, console="").get("orders")


@pytest.mark.parametrize("base", ["shop.example", "ftp://shop.example", "https://shop..example", "http://h:x"])
def test_an_address_that_is_none_is_said_at_once(base: str, clock: QuickClock) -> None:
    with pytest.raises(
        ResponseError, match=r"is not an address that shop can be asked at\. Write base_url with https://"
    ):
        Client("shop", base, clock, console="", auth=Header(Secret(KEY))).get("orders")
    assert clock.waited == []


def test_a_pull_that_is_stopped_does_not_wait_on(shop: Shop) -> None:
    stop = threading.Event()
    stop.set()
    shop.fail("/orders", 500)
    with pytest.raises(StoppedError, match="The pull was stopped"):
        client_of(shop, Clock(NOW, stop)).get("orders")
    assert len(shop.asked) == 1


def test_what_a_post_asks_is_repeated_whole(shop: Shop, clock: QuickClock) -> None:
    shop.fail("/query", 503)
    body = {"limit": Decimal("10.5"), "big": 2**70}
    assert client_of(shop, clock).post("query", body=body).json() == {"asked": {"limit": Decimal("10.5"), "big": 2**70}}
    assert shop.asked[0].body == shop.asked[1].body
    assert shop.asked[1].headers["Content-Type"] == "application/json"


def test_a_connection_is_kept_for_many_requests(clock: QuickClock) -> None:
    connections = 0

    def talk(connection: socket.socket) -> None:
        nonlocal connections
        connections += 1
        for _ in range(5):
            connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{"a":1}')
            connection.recv(65536)

    with answering(talk) as url:
        client = Client("shop", url, clock, console="")
        assert [client.get("orders").json() for _ in range(5)] == [{"a": 1}] * 5
    assert connections == 1


# Limits

_WAITS = st.lists(st.integers(0, 64), min_size=10, max_size=25)


@settings(max_examples=40)
@given(st.integers(1, 5), st.integers(1, 8), st.integers(1, 12), _WAITS)
def test_limits_are_never_run_into(calls: int, seconds: int, more: int, waits: list[int]) -> None:
    fake, clock = Shop(), QuickClock()
    # In 64ths of a second, which floats hold exactly: it is the rule that is tested, not rounding.
    fake.epoch = clock.epoch
    fake.limit = (calls, seconds)
    wide = Limit(calls + more, 4 * seconds)
    client = _Wired(fake, clock, limits=(Limit(calls, seconds), wide))
    moments = []
    for wait in waits:
        clock._elapsed += wait / 64
        assert client.get("orders").status == 200
        moments.append(clock.seconds())
    assert all(later - earlier >= wide.seconds for earlier, later in zip(moments, moments[wide.calls :], strict=False))


class _Wired(Client):
    """A client that passes its requests to a fake without a wire between, so that hundreds take no time."""

    def __init__(self, fake: Shop, clock: QuickClock, **more: Any) -> None:
        super().__init__("shop", "http://shop.example", clock, console="", auth=Header(Secret(KEY)), **more)
        self._fake = fake

    def _send(self, method: str, url: str, sent: Mapping[str, Any]) -> Response:
        request = Request(method, url.removeprefix("http://shop.example"), {}, sent["headers"], b"")
        reply, _ = self._fake.response(request)
        assert reply.status != 429, "the limit was run into"
        return Response(reply.status, reply.headers, reply.bytes(), url)


def test_a_slow_response_counts_from_its_end(clock: QuickClock) -> None:
    arrived: list[float] = []

    class Slow(_Wired):
        def _send(self, method: str, url: str, sent: Mapping[str, Any]) -> Response:
            # In transit for two seconds, and counted by the server on arrival.
            clock._elapsed += 2 if not arrived else 0
            arrived.append(clock.seconds())
            return super()._send(method, url, sent)

    client = Slow(Shop(), clock, limits=(Limit(2, 10.0),))
    for _ in range(3):
        client.get("orders")
    assert arrived[2] - arrived[0] >= 10


def test_a_call_that_is_repeated_counts_again(shop: Shop, clock: QuickClock) -> None:
    shop.fail("/orders", 500, times=2)
    client = client_of(shop, clock, limits=(Limit(2, 100.0),))
    client.get("orders")
    assert clock.seconds() >= 100


# Credentials, and who receives them


def test_redirects_are_not_followed(shop: Shop, clock: QuickClock) -> None:
    with pytest.raises(ResponseError, match=r"/moved answers 302: it redirects to login\.example\.") as refused:
        client_of(shop, clock).get("moved")
    assert "pw" not in str(refused.value) and len(shop.asked) == 1


def test_the_credential_stays_with_its_server(shop: Shop, clock: QuickClock) -> None:
    other = Shop()
    with other.running() as url:
        with pytest.raises(
            ResponseError, match=r"was sent on to another server, 127\.0\.0\.1:\d+\. The credential was"
        ):
            client_of(shop, clock).get(f"{url}/orders")
        assert other.asked == []
        with pytest.raises(CredentialError):
            client_of(shop, clock).get(f"{url}/orders", auth=False)
        assert "Authorization" not in other.asked[0].headers
    # Its own server by its whole address is no other.
    assert client_of(shop, clock).get(f"{shop.url}/orders?page=2").json()["asked"] == {"page": "2"}


@pytest.mark.parametrize(
    ("base", "url", "is_same"),
    [
        ("https://shop.example", "https://SHOP.example:443/next", True),
        ("https://shop.example/v2", "https://shop.example/v1/x", True),
        ("https://shop.example", "http://shop.example/next", False),
        ("https://shop.example", "https://shop.example:8443/next", False),
        ("https://shop.example", "https://shop.example.evil.example/next", False),
        ("https://shop.example", "https://shop.example@evil.example/next", False),
        ("https://shop.example", "https://evil.example/?x=https://shop.example", False),
    ],
)
def test_what_the_same_server_is(base: str, url: str, is_same: bool, clock: QuickClock) -> None:
    client = Client("shop", base, clock, console="", auth=Header(Secret(KEY)))
    if is_same:
        assert client._url(url, True) == url
    else:
        with pytest.raises(ResponseError, match="another server"):
            client._url(url, True)


def test_a_rejected_key_is_reported_without_the_key(shop: Shop, clock: QuickClock) -> None:
    wrong = "canary-wrong-55"
    with pytest.raises(CredentialError) as refused:
        client_of(shop, clock, wrong).get("orders")
    assert str(refused.value).endswith("/orders answers 401: no such key …. Check the credential in Shop › Keys.")
    assert len(shop.asked) == 2, "once more with a renewed one, then no more"


@pytest.mark.parametrize("cut", range(4, len(KEY)))
def test_a_truncated_key_in_an_error_is_not_shown_either(shop: Shop, clock: QuickClock, cut: int) -> None:
    # The excerpt ends in the middle of the key.
    shop.fail("/orders", 400, content="x" * (300 - cut) + KEY + " was not accepted")
    with pytest.raises(ResponseError) as refused:
        client_of(shop, clock).get("orders")
    assert KEY[:4] not in str(refused.value)


def test_an_error_in_the_path_or_address_tells_no_key(clock: QuickClock) -> None:
    shop = Shop()
    with shop.running() as url:
        client = Client("shop", url.replace("//", "//user:pw-canary@"), clock, console="")
        client.hide(KEY)
        with pytest.raises(ResponseError) as refused:
            client.get(f"keys/{KEY}", auth=False)
    assert KEY not in str(refused.value) and "pw-canary" not in str(refused.value)
    assert "/keys/… answers 404" in str(refused.value)


@pytest.mark.parametrize("key", ["two\nlines", "tab\t", "“quoted”", "пароль"])
def test_a_key_that_cannot_be_sent_is_named_as_such(shop: Shop, clock: QuickClock, key: str) -> None:
    with pytest.raises(CredentialError, match="A credential of shop holds") as refused:
        client_of(shop, clock, key).get("orders")
    assert key not in str(refused.value) and shop.asked == []


def test_what_is_hidden_is_sent_as_it_is(shop: Shop, clock: QuickClock) -> None:
    client = client_of(shop, clock)
    hidden = client.hide(Secret("pass»word"))
    assert repr({"password": hidden}) == "{'password': '…'}"
    assert client.post("query", body={"password": hidden}).json() == {"asked": {"password": "pass»word"}}
    assert repr(Response(200, {"Set-Cookie": KEY}, KEY.encode(), "x")) == "Response(status=200, path='x')"


def test_nothing_to_hide_hides_nothing(shop: Shop, clock: QuickClock) -> None:
    client = client_of(shop, clock)
    client.hide("")
    shop.fail("/orders", 400, content="no")
    with pytest.raises(ResponseError, match="answers 400: no"):
        client.get("orders")


# Content of responses


def test_gzip_without_a_header_is_left_as_it_came(shop: Shop, clock: QuickClock) -> None:
    client = client_of(shop, clock)
    assert gzip.decompress(client.get("zipped", expects=FILE).body) == b"a,b\n1,2\n"
    assert client.get("encoded").json() == {"a": 1}
    with pytest.raises(OutageError, match="the response could not be decompressed"):
        client.get("broken")


def test_numbers_stay_exact() -> None:
    response = Response(
        200, {}, b'{"id": 123456789012345678901234567890, "paid": 0.1, "rate": 12345678901.123456789}', "x"
    )
    said = response.json()
    assert said["id"] == 123456789012345678901234567890
    assert (said["paid"], said["rate"]) == (Decimal("0.1"), Decimal("12345678901.123456789"))
    assert json.loads(b"0.1") != said["paid"], "as a float it would be another number"


@pytest.mark.parametrize("body", [b"<html>Log in</html>", b"", b"\xff\xfe\x00", b"[" * 100_000, b"9" * 5000])
def test_what_is_not_json_is_reported_without_its_content(body: bytes) -> None:
    with pytest.raises(ResponseError, match=rf"x did not respond with JSON \({len(body)} bytes\)\. Check base_url"):
        Response(200, {}, body, "x").json()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"error": {"code": 400, "message": "Bad  range.\\n"}}', "Bad range"),
        (b'{"errors": [{"title": "Forbidden", "detail": "No such app"}]}', "No such app"),
        (b'{"error": "invalid_grant", "error_description": "Account not found"}', "Account not found"),
        (b'{"type": "x", "message": "", "error": "late"}', "late"),
        (b"<html><body>Bad gateway</body></html>", "a web page"),
        (b"plain words", "plain words"),
        (b"", ""),
        (b"[" * 5000, "[" * 300),
        (b"w" * 5000, "w" * 300),
    ],
)
def test_an_error_is_reported_in_one_short_line(body: bytes, said: str) -> None:
    assert excerpt(Response(400, {}, body, "x")) == said


def test_an_api_may_mean_more_than_its_status(shop: Shop, clock: QuickClock) -> None:
    def classify(response: Response) -> Decision | None:
        return Decision("later", "busy", seconds=7.0) if response.status == 403 else None

    shop.fail("/orders", 403)
    client_of(shop, clock, classify=classify).get("orders")
    (wait,) = clock.waited
    assert 7 <= wait <= 8
    with pytest.raises(ResponseError, match=r"answers 200: not like this\. Do it so"):
        client_of(shop, clock).get("orders", classify=lambda _: Decision("failed", "not like this", "Do it so."))


def test_unix_times() -> None:
    assert from_epoch(1_790_000_000) == datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC)
    assert from_epoch("1790000000123", milliseconds=True).microsecond == 123_000
    for odd in ("soon", None, 10**12, 10**17, 10**20, "NaN", "1e999"):
        with pytest.raises(ValueError):
            from_epoch(odd)
