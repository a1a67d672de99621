"""Authentication: keys in a header, tokens that we mint, Google's service accounts."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tidings.errors import CredentialError, ResponseError
from tidings.secrets import Secret
from tidings.sources.http.expected import ANYTHING
from tidings.sources.http.session import Client, Decision, Response, by_status, excerpt

_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
GOOGLE_TOKENS = "https://oauth2.googleapis.com/token"
# Renew early, so that no token expires in the middle of a request.
_EARLY_S = 300


class Header:
    """A key sent as it is: `Authorization: Bearer <key>` unless another header and form are given."""

    def __init__(self, key: Secret, name: str = "Authorization", form: str = "Bearer {}") -> None:
        self._key = key
        self._name = name
        self._form = form

    def headers(self, client: Client) -> Mapping[str, str]:
        return {self._name: Secret(self._form.format(client.hide(self._key).reveal()))}

    def renew(self) -> None:
        """A key cannot be renewed: the next 401 is final."""


class Token:
    """A bearer token from `mint(client)`, which returns it and its lifetime in seconds; cached until then."""

    def __init__(self, mint: Callable[[Client], tuple[str, float]]) -> None:
        self._mint = mint
        self._token = ""
        self._until = 0.0

    def headers(self, client: Client) -> Mapping[str, str]:
        """The header with a token that is valid for a while yet."""
        if not self._token or client.clock.epoch() >= self._until:
            token, seconds = self._mint(client)
            self._token = Secret(token)
            self._until = client.clock.epoch() + max(seconds - _EARLY_S, seconds / 2)
        # Clients that share the token each redact it from their own messages.
        return {"Authorization": Secret(f"Bearer {client.hide(self._token).reveal()}")}

    def renew(self) -> None:
        """Mint another one for the next request."""
        self._token = ""


def signed(client: Client, key: Secret, algorithm: str, claims: Mapping[str, Any], headers: Mapping[str, Any]) -> str:
    """A JWT of these claims, signed with a private key in PEM.

    Raises:
        CredentialError: the key is not one.
    """
    try:
        return jwt.encode(dict(claims), _parsed(key.reveal()), algorithm, dict(headers))
    except (ValueError, TypeError, AttributeError, UnsupportedAlgorithm, jwt.PyJWTError):
        # The library's own message may quote the key.
        raise CredentialError(
            f"The private key of {client.source} cannot be read.",
            "Give the complete downloaded file, from -----BEGIN PRIVATE KEY----- on, or its path.",
        ) from None


# Checking that the numbers of a key are primes takes longer than most requests.
@lru_cache(maxsize=8)
def _parsed(pem: str) -> Any:
    return load_pem_private_key(pem.encode(), password=None)


def service_account(account: Secret, scopes: Sequence[str]) -> Token:
    """Access by a Google service account, whose JSON key file is `account`; tokens from its own `token_uri`."""

    def mint(client: Client) -> tuple[str, float]:
        known = _account(client, account)
        now = int(client.clock.epoch())
        claims = {
            "iss": known["client_email"],
            "scope": " ".join(scopes),
            # Google checks for its own address, whatever route the request took.
            "aud": known["token_uri"],
            "iat": now,
            "exp": now + 3600,
        }
        kid = {"kid": known["private_key_id"]} if known.get("private_key_id") else {}
        assertion = client.hide(signed(client, known["private_key"], "RS256", claims, kid))
        form = {"grant_type": _GRANT, "assertion": assertion}
        response = client.post(known["token_uri"], form=form, auth=False, expects=ANYTHING, classify=_classify_grant)
        try:
            body = response.json()
            return Secret(body["access_token"]), float(body.get("expires_in", 3600))
        except (KeyError, TypeError, AttributeError, ValueError):
            raise ResponseError(
                f"{response.path} gave no token to {client.source}.",
                "Compare token_uri in the key file with the one that the Google Cloud console writes.",
                response.status,
            ) from None

    return Token(mint)


def account_email(client: Client, account: Secret) -> str:
    """The e-mail address of a service account, which consoles ask for."""
    return str(_account(client, account)["client_email"])


def _account(client: Client, account: Secret) -> dict[str, Any]:
    known = _key_file(account)
    if known is None:
        raise CredentialError(
            f"The service account of {client.source} is not a Google key file.",
            "Give the JSON file that the Google Cloud console downloads (client_email, private_key), or its path.",
        )
    return known


def _key_file(account: Secret) -> dict[str, Any] | None:
    try:
        known = json.loads(account.reveal())
        email, key = known["client_email"], known["private_key"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if not isinstance(email, str) or not isinstance(key, str):
        return None
    return {"token_uri": GOOGLE_TOKENS, **known, "private_key": Secret(key)}


def _classify_grant(response: Response) -> Decision | None:
    decision = by_status(response)
    if decision.kind in ("failed", "renew"):
        return Decision(
            "refused",
            excerpt(response),
            "Check in the Google Cloud console that the service account and its key exist, and this machine's clock.",
        )
    return None
