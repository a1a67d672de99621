"""A response: its content, its message, and what its status means by default."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any, Literal
from urllib.parse import urlsplit

from tidings.errors import ResponseError, printable

EXCERPT = 300
_LATER = frozenset({408, 425, 429})
# Server errors that a retry does not fix: not implemented, HTTP version.
_NEVER = frozenset({501, 505})
_SNIFFED = 4000
_PAGE_TYPES = ("text/html", "application/xhtml")
_PAGE = re.compile(r"\s*(?:<!--.*?-->\s*)*<(?:!doctype html|html|head|body|meta|title|script|center|h1)\b", re.I | re.S)
_TITLE = re.compile(r"<(title|h1)[^>]*>\s*(.*?)\s*</\1", re.I | re.S)


@dataclass(frozen=True)
class Response:
    """A server's response to one request. `path` names the request without its query, which may hold a signature."""

    status: int
    # Not shown in tracebacks: a token response holds the token, an error may repeat what was sent.
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    path: str

    @property
    def is_good(self) -> bool:
        """The request succeeded; 206 is partial content, which we never request."""
        return 200 <= self.status < 300 and self.status != 206

    @property
    def type(self) -> str:
        """The media type, lower case, without its parameters; empty if not given."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    def json(self) -> Any:
        """The body as JSON; numbers with a point are decimals, so that money stays exact.

        Lone surrogates, which cannot be stored, are replaced.

        Raises:
            ResponseError: it is not JSON.
        """
        return self._json

    @cached_property
    def _json(self) -> Any:
        try:
            parsed = json.loads(self.body, parse_float=Decimal)
            # Only an escape or a character outside of ASCII can be a lone surrogate.
            return _mended(parsed) if b"\\u" in self.body or not self.body.isascii() else parsed
        except (ValueError, RecursionError):
            raise ResponseError(
                f"{self.path} did not respond with JSON ({len(self.body)} bytes).",
                "Check base_url in the settings; a proxy or login page may stand in between.",
            ) from None

    @cached_property
    def page(self) -> str | None:
        """The title of the web page that came in place of an API's response, None if it is not a web page."""
        text = self.body[:_SNIFFED].decode("utf-8", "replace").lstrip("\ufeff")
        # Plain-text errors are sometimes labelled as HTML; good responses never are.
        is_called_so = self.type.startswith(_PAGE_TYPES) and (self.is_good or re.search(r"<[a-z!]", text, re.I))
        if not _PAGE.match(text) and not (is_called_so and text):
            return None
        found = _TITLE.search(text)
        return " ".join(re.sub(r"<[^>]*>", " ", found[2]).split())[:80] if found else ""


@dataclass(frozen=True)
class Decision:
    """What to do with a response.

    `fine`: use it; `later`: retry (after `seconds`, if the API says so); `renew`: get a new token and retry once, after
    which the credential is `refused`, or the request `failed` if `is_right` says that 401 may be a missing right;
    `refused`: the credential is not accepted; `failed`: this request fails, others may succeed.
    """

    kind: Literal["fine", "later", "renew", "refused", "failed"]
    message: str = field(default="", repr=False)
    remedy: str = ""
    seconds: float | None = None
    is_right: bool = False


def by_status(response: Response) -> Decision:
    """The decision by status alone."""
    if response.is_good:
        return Decision("fine")
    if response.status in _LATER or (response.status >= 500 and response.status not in _NEVER):
        return Decision("later")
    return Decision("renew" if response.status == 401 else "failed")


def retry_after(response: Response, epoch: float) -> float | None:
    """Seconds to wait (`Retry-After` as seconds or as a date), None if not given."""
    waits = response.headers.get("Retry-After", "").strip()
    if not waits:
        return None
    try:
        seconds = float(waits)
    except ValueError:
        moment = _moment(waits)
        return None if moment is None else max(moment - epoch, 0.0)
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def server_epoch(response: Response) -> float | None:
    """The server's time of the response, as Unix seconds; None if not given."""
    moment = _moment(response.headers.get("Date", ""))
    age = response.headers.get("Age", "").strip()
    # A cached response has the date of its original.
    return None if moment is None else moment + (float(age) if age.isdecimal() else 0.0)


def _moment(text: str) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
        # A date without a zone is UTC in HTTP, whatever this machine's zone is.
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def excerpt(response: Response) -> str:
    """The message of an error response in one short line: that of a JSON error, else the beginning of the text."""
    if response.page is not None:
        return "a web page"
    text = response.body[:_SNIFFED].decode("utf-8", "replace")
    try:
        text = _message(json.loads(response.body)) or text
    except (ValueError, RecursionError):
        if "<" in text:
            return "a web page"
    return printable(" ".join(text.split()))[:EXCERPT].rstrip(".")


def is_json(response: Response) -> bool:
    """True for a body that an API could have written: a JSON object."""
    try:
        return isinstance(response.json(), dict)
    except ResponseError:
        return False


def _message(body: Any) -> str:
    """The first text under the names that APIs use for messages."""
    if isinstance(body, list):
        return next((found for found in map(_message, body) if found), "")
    if isinstance(body, dict):
        for name in ("error_description", "detail", "message", "title", "error", "errors"):
            value = body.get(name)
            found = value if isinstance(value, str) else _message(value)
            if found:
                return found
    return ""


def _mended(parsed: Any) -> Any:
    """The same without lone surrogates, which JSON can contain and nothing else can."""
    if isinstance(parsed, str):
        return parsed if parsed.isascii() else parsed.encode("utf-8", "replace").decode()
    if isinstance(parsed, list):
        return [_mended(each) for each in parsed]
    if isinstance(parsed, dict):
        return {_mended(name): _mended(value) for name, value in parsed.items()}
    return parsed


def server_of(url: str) -> str:
    """The server of a URL, safe to show: without user info."""
    return urlsplit(url).netloc.rpartition("@")[2]


def shown(url: str) -> str:
    """A URL, safe to show: host and path."""
    return f"{server_of(url)}{urlsplit(url).path}"


def from_epoch(value: Any, *, milliseconds: bool = False) -> datetime:
    """Unix seconds (or milliseconds) as an aware UTC instant, exact to the millisecond.

    Raises:
        ValueError: it is not a number, or outside of the calendar.
    """
    try:
        number = Decimal(str(value)) / (1000 if milliseconds else 1)
        return datetime.fromtimestamp(float(number), UTC)
    except (ArithmeticError, OSError) as error:
        raise ValueError(f"{str(value)[:40]!r} is not a time in Unix seconds") from error
