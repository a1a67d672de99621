"""What all fakes of Google share: service accounts, verified tokens that expire, error bodies."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from fakes.server import FakeApi, Refusal, Reply, Request, open_to_all, route, verified

EMAIL = "tidings@sample.iam.gserviceaccount.com"
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@cache
def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def _pem() -> str:
    return (
        _key()
        .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        .decode()
    )


def google_error(status: int, reason: str, message: str, name: str = "") -> Reply:
    """Google's body of an error."""
    error = {"code": status, "message": message, "errors": [{"message": message, "domain": "global", "reason": reason}]}
    return Reply({"error": {**error, "status": name} if name else error}, status)


class FakeGoogle(FakeApi):
    """A server of Google: one service account, whose assertions are verified; its tokens are valid for an hour."""

    scopes: tuple[str, ...] = ("https://www.googleapis.com/auth/webmasters.readonly",)
    token_seconds = 3600

    def __init__(self, epoch: Callable[[], float] = time.time) -> None:
        super().__init__(epoch)
        self._tokens: dict[str, float] = {}

    def account_json(self, **changed: Any) -> str:
        """The key file of the service account, as the Cloud console downloads it; its token_uri is this server."""
        account = {
            "type": "service_account",
            "project_id": "sample",
            "private_key_id": "k1",
            "private_key": _pem(),
            "client_email": EMAIL,
            "token_uri": f"{self.url}/token",
        }
        return json.dumps({**account, **changed})

    def forget_tokens(self) -> None:
        self._tokens.clear()

    def authenticate(self, request: Request) -> None:
        if self._tokens.get(request.bearer, 0) <= self.epoch():
            message = "Request had invalid authentication credentials."
            raise Refusal(google_error(401, "authError", message, "UNAUTHENTICATED"))

    def is_limited(self, request: Request) -> bool:
        return request.path != "/token"

    @route("POST", "/token")
    @open_to_all
    def token(self, request: Request) -> Any:
        form = request.form()
        if form.get("grant_type") != _GRANT:
            return Reply({"error": "unsupported_grant_type"}, 400)
        try:
            claims = verified(
                form.get("assertion", ""),
                _key().public_key(),
                "RS256",
                self.epoch(),
                audience=f"{self.url}/token",
                longest=3600,
            )
        except jwt.PyJWTError as error:
            return Reply({"error": "invalid_grant", "error_description": f"Invalid JWT: {error}"}, 400)
        if claims.get("iss") != EMAIL:
            return Reply({"error": "invalid_grant", "error_description": "Not a valid email or user ID."}, 400)
        if not set(str(claims.get("scope", "")).split()) & set(self.scopes):
            return Reply({"error": "invalid_scope", "error_description": "Missing a valid scope."}, 400)
        token = f"ya29.{secrets.token_hex(16)}"
        self._tokens[token] = self.epoch() + self.token_seconds
        return {"access_token": token, "expires_in": self.token_seconds, "token_type": "Bearer"}
