"""Authentication: keys, signed tokens, Google's service accounts; renewed in time, and after a rejection."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

from fakes.pulling import NOW, QuickClock
from fakes.server import FakeApi, Refusal, Reply, Request, open_to_all, route, verified
from tidings.errors import CredentialError, OutageError, ResponseError
from tidings.secrets import Secret
from tidings.sources.http.auth import Header, Token, account_email, service_account, signed
from tidings.sources.http.session import Client

SCOPES = ["https://www.googleapis.com/auth/one", "https://www.googleapis.com/auth/two"]


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@cache
def ec_key(curve: str = "secp256r1") -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key({"secp256r1": ec.SECP256R1(), "secp384r1": ec.SECP384R1()}[curve])


def pem(key: Any, password: str = "") -> str:
    how: KeySerializationEncryption = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    return str(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how).decode())


class Google(FakeApi):
    """A token endpoint that verifies assertions, and a resource that needs a token."""

    def __init__(self, clock: QuickClock) -> None:
        super().__init__(clock.epoch)
        self.seconds: Any = 3600
        self.claims: list[dict[str, Any]] = []
        self.heads: list[dict[str, Any]] = []
        self.valid: dict[str, float] = {}

    def account(self, **changed: Any) -> Secret:
        table = {
            "type": "service_account",
            "client_email": "tidings@shop.iam.gserviceaccount.com",
            "private_key": pem(rsa_key()),
            "private_key_id": "key-1",
            "token_uri": f"{self.url}/token",
            **changed,
        }
        return Secret(json.dumps({name: value for name, value in table.items() if value is not None}))

    def authenticate(self, request: Request) -> None:
        if self.valid.get(request.bearer, 0) <= self.epoch():
            raise Refusal(Reply({"error": {"message": "Request had invalid authentication credentials"}}, 401))

    @route("POST", "/token")
    @open_to_all
    def token(self, request: Request) -> Any:
        form = request.form()
        assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
        try:
            claims = verified(
                form["assertion"],
                rsa_key().public_key(),
                "RS256",
                self.epoch(),
                audience=f"{self.url}/token",
                longest=3600,
            )
        except jwt.PyJWTError as error:
            raise Refusal(
                Reply({"error": "invalid_grant", "error_description": f"Invalid JWT: {error}"}, 400)
            ) from None
        self.claims.append(claims)
        self.heads.append(jwt.get_unverified_header(form["assertion"]))
        token = f"token-{len(self.claims)}"
        self.valid[token] = self.epoch() + 3600
        return {"access_token": token, "expires_in": self.seconds, "token_type": "Bearer"}

    @route("GET", "/figures")
    def figures(self, request: Request) -> Any:
        return {"by": request.bearer}


@pytest.fixture
def clock() -> QuickClock:
    return QuickClock()


@pytest.fixture
def google(clock: QuickClock) -> Iterator[Google]:
    fake = Google(clock)
    with fake.running():
        yield fake


def client_of(google: Google, clock: QuickClock, **changed: Any) -> Client:
    auth = service_account(google.account(**changed), SCOPES)
    return Client("search", google.url, clock, console="Google Cloud console", auth=auth)


def test_a_service_account_signs_what_google_asks_for(google: Google, clock: QuickClock) -> None:
    assert client_of(google, clock).get("figures").json() == {"by": "token-1"}
    now = int(NOW.timestamp())
    assert google.claims == [
        {
            "iss": "tidings@shop.iam.gserviceaccount.com",
            "scope": "https://www.googleapis.com/auth/one https://www.googleapis.com/auth/two",
            "aud": f"{google.url}/token",
            "iat": now,
            "exp": now + 3600,
        }
    ]
    assert google.heads == [{"alg": "RS256", "typ": "JWT", "kid": "key-1"}]


def test_a_token_is_kept_and_renewed_before_it_expires(google: Google, clock: QuickClock) -> None:
    client = client_of(google, clock)
    used = []
    for minute in range(0, 121, 5):
        clock._elapsed = minute * 60.0
        used.append((minute, client.get("figures").json()["by"]))
    # Valid for an hour, but renewed five minutes before the end.
    assert [minute for minute, token in used if token == "token-1"] == list(range(0, 55, 5))
    assert used[11] == (55, "token-2") and used[-1] == (120, "token-3")
    assert all(request.path == "/token" or request.bearer in google.valid for request in google.asked)
    refused = [request for request in google.asked if request.path == "/figures"]
    assert len(refused) == len(used), "none was rejected on the way"


def test_a_token_that_is_rejected_is_renewed_once(google: Google, clock: QuickClock) -> None:
    client = client_of(google, clock)
    client.get("figures")
    # Revoked, or forgotten by a server that restarted.
    google.valid.clear()
    assert client.get("figures").json() == {"by": "token-2"}
    google.fail("/figures", 401, times=9, content={"error": {"message": "Disabled"}})
    google.asked.clear()
    with pytest.raises(CredentialError, match=r"search is refused: .*/figures answers 401: Disabled"):
        client.get("figures")
    assert [request.path for request in google.asked] == ["/figures", "/token", "/figures"]


def test_a_token_of_a_second_is_not_an_endless_loop(google: Google, clock: QuickClock) -> None:
    google.seconds = 1
    client = client_of(google, clock)
    assert [client.get("figures").json()["by"] for _ in range(2)] == ["token-1", "token-1"]
    clock._elapsed += 0.6
    assert client.get("figures").json() == {"by": "token-2"}


def test_a_clock_that_is_wrong_is_named_as_a_reason(google: Google, clock: QuickClock) -> None:
    # Half an hour off is too much for a signature of half an hour, yet no other day.
    google.epoch = lambda: clock.epoch() - 1800
    with pytest.raises(CredentialError, match=r"answers 400: Invalid JWT: .*\. Check .*this machine's clock"):
        client_of(google, clock).get("figures")
    google.clock_off, google.epoch = 3 * 86_400, clock.epoch
    with pytest.raises(OutageError, match=r"This machine's clock is 3 days behind that of 127\.0\.0\.1"):
        client_of(google, clock).get("figures")


def test_a_key_that_google_does_not_know_is_rejected(google: Google, clock: QuickClock) -> None:
    other = pem(rsa.generate_private_key(65537, 2048))
    with pytest.raises(CredentialError, match="Signature verification failed") as refused:
        client_of(google, clock, private_key=other).get("figures")
    assert other.splitlines()[1] not in str(refused.value)


@pytest.mark.parametrize(
    "said", [{}, [], {"access_token": "t", "expires_in": "soon"}, {"access_token": None, "expires_in": {}}]
)
def test_a_response_without_a_token_is_reported(google: Google, clock: QuickClock, said: Any) -> None:
    google.fail("/token", 200, content=said)
    with pytest.raises(ResponseError, match=r"/token gave no token to search\. Compare token_uri"):
        client_of(google, clock).get("figures")


@pytest.mark.parametrize(
    "text",
    [
        "not json",
        "[]",
        "7",
        '{"client_email": "a@b.example"}',
        '{"private_key": "canary-9c"}',
        '{"client_email": 7, "private_key": "canary-9c"}',
        '{"client_email": "a@b.example", "private_key": null}',
    ],
)
def test_what_is_not_a_key_file_is_reported_without_its_content(google: Google, clock: QuickClock, text: str) -> None:
    client = Client("search", google.url, clock, console="", auth=service_account(Secret(text), SCOPES))
    with pytest.raises(CredentialError, match=r"service account of search is not a Google key file\.") as refused:
        client.get("figures")
    assert "canary" not in str(refused.value) and google.asked == []


def test_a_key_file_without_token_uri_asks_google(clock: QuickClock) -> None:
    with Google(clock).running() as url:
        account = Secret('{"client_email": "a@b.example", "private_key": "x"}')
        client = Client("search", url, clock, console="")
        assert account_email(client, account) == "a@b.example"


def test_es256_is_signed_as_apple_asks_for(clock: QuickClock) -> None:
    client = Client("app_store", "https://api.example", clock, console="")
    now = int(clock.epoch())
    claims = {"iss": "issuer-1", "iat": now, "exp": now + 1200, "aud": "appstoreconnect-v1"}
    token = signed(client, Secret(pem(ec_key())), "ES256", claims, {"kid": "2X9R4HXF34"})
    assert jwt.get_unverified_header(token) == {"alg": "ES256", "kid": "2X9R4HXF34", "typ": "JWT"}
    public = ec_key().public_key()
    assert verified(token, public, "ES256", now, audience="appstoreconnect-v1", longest=1200) == claims
    with pytest.raises(jwt.InvalidTokenError, match="too long"):
        verified(token, public, "ES256", now, audience="appstoreconnect-v1", longest=1199)
    with pytest.raises(jwt.ExpiredSignatureError):
        verified(token, public, "ES256", now + 1200, audience="appstoreconnect-v1", longest=1200)
    # A signature of ES256 is two numbers of 32 bytes, not the form that OpenSSL writes.
    assert len(jwt.utils.base64url_decode(token.split(".")[2])) == 64


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        ("ES256", "canary-4d is no key"),
        ("ES256", "-----BEGIN PRIVATE KEY-----\ncanary4d\n-----END PRIVATE KEY-----\n"),
        ("RS256", "-----BEGIN PRIVATE KEY-----\nY2FuYXJ5\n-----END PRIVATE KEY-----\n"),
        ("ES256", "RSA"),
        ("RS256", "EC"),
        ("ES256", "P-384"),
        ("ES256", "LOCKED"),
        ("ES256", "PUBLIC"),
        ("RS256", "-----BEGIN OPENSSH PRIVATE KEY-----\ncanary4d\n-----END OPENSSH PRIVATE KEY-----\n"),
    ],
)
def test_a_key_of_another_kind_is_reported(clock: QuickClock, algorithm: str, key: str) -> None:
    made = {"RSA": lambda: pem(rsa_key()), "EC": lambda: pem(ec_key()), "P-384": lambda: pem(ec_key("secp384r1"))}
    made["LOCKED"] = lambda: pem(ec_key(), "password")
    made["PUBLIC"] = lambda: ec_key().public_key().public_bytes(Encoding.PEM, _public()).decode()
    text = made[key]() if key in made else key
    client = Client("app_store", "https://api.example", clock, console="")
    with pytest.raises(CredentialError, match="The private key of app_store cannot be read") as refused:
        signed(client, Secret(text), algorithm, {"iss": "x"}, {})
    assert "canary" not in str(refused.value) and refused.value.__suppress_context__


def _public() -> Any:
    from cryptography.hazmat.primitives.serialization import PublicFormat

    return PublicFormat.SubjectPublicKeyInfo


def test_a_key_goes_into_the_header_that_an_api_names(clock: QuickClock) -> None:
    client = Client("shop", "https://api.example", clock, console="")
    assert Header(Secret("k1")).headers(client) == {"Authorization": "Bearer k1"}
    assert Header(Secret("k1"), "x-api-key", "{}").headers(client) == {"x-api-key": "k1"}
    assert "k1" not in repr(Header(Secret("k1")).headers(client))


def test_a_token_is_minted_once_for_many_requests(clock: QuickClock) -> None:
    minted = []

    def mint(client: Client) -> tuple[str, float]:
        minted.append(client.clock.seconds())
        return f"t{len(minted)}", 1200.0

    client, token = Client("shop", "https://api.example", clock, console=""), Token(mint)
    assert [token.headers(client)["Authorization"] for _ in range(3)] == ["Bearer t1"] * 3
    token.renew()
    assert token.headers(client) == {"Authorization": "Bearer t2"}
    assert "t2" not in repr(token.headers(client))
    # Valid for 20 minutes, renewed five minutes before the end.
    clock._elapsed = 899.0
    assert token.headers(client) == {"Authorization": "Bearer t2"}
    clock._elapsed = 900.0
    assert token.headers(client) == {"Authorization": "Bearer t3"}
