"""Secrets: values that hide themselves, and one redactor that keeps them out of everything that is written.

What counts as a secret in a text (the rule as described in docs/architecture.md): the value of a credential's variable;
every line of a key; values in a key file under a name like key, token, secret or password; the password in a URL. Each
in every form in which a text may quote it, ignoring case: as it is, escaped as in JSON, HTML or Python,
percent-encoded, in base64 and in hexadecimal. Values shorter than six characters, and words that are in the settings
anyway, would redact innocent text: they are hidden only inside the longer value.
"""

from __future__ import annotations

import base64
import html
import json
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

MASK = "[secret]"
SHORTEST = 6
# Base64 characters that reveal nothing on their own, and might be a word.
_SHORTEST_ENCODED = 8
# This much of the beginning of a long secret is as good as all of it: printed tables and messages truncate long values.
_TELLING = 12
_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSW|PWD|CREDENTIAL|DSN|AUTH|ACCOUNT|SIGNATURE", re.IGNORECASE)
# An identity is not a secret: consoles, logs and people name it.
_PUBLIC_NAME = re.compile(r"(?:^|_)(?:USER|USERNAME|USER_?ID|LOGIN|E_?MAIL|CLIENT_?ID)$", re.IGNORECASE)
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_MARKER = re.compile(r"-----[A-Z0-9 ]+-----")
_BREAK = re.compile(r"\\[nr]|[\s\"']")
# Fewer characters than this in common with a secret reveal nothing.
_LEAST_CUT = 4
_TOKEN = re.compile(r"[\w.+/=~-]+", re.ASCII)


class Secret(str):
    """A text that hides itself, both where variables are printed and in an f-string.

    It is sent, joined and compared like any other text; `reveal()` is for writing it into one.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "'…'"

    def __format__(self, spec: str) -> str:
        return "…"

    def reveal(self) -> str:
        """The value as plain text, for the one call that sends it."""
        return str(self)


def is_secret_name(name: str) -> bool:
    """Whether the name of a variable or field looks like that of a secret."""
    return bool(_SECRET_NAME.search(name)) and not is_public_name(name)


def is_public_name(name: str) -> bool:
    """Whether a variable or field names an identity, which is not a secret."""
    return bool(_PUBLIC_NAME.search(name))


class Redactor:
    """Replaces secrets in texts, in every form in which they may be quoted.

    `words` are never hidden on their own, `shortest` is the minimum length of a secret, `mask` its replacement.
    """

    def __init__(
        self,
        secrets: Iterable[Secret] = (),
        *,
        words: Iterable[str] = (),
        shortest: int = SHORTEST,
        mask: str = MASK,
    ) -> None:
        self._words = {word.casefold() for word in words}
        self._shortest = shortest
        self._mask = mask
        self._patterns: dict[str, str] = {}
        self._forms: list[str] = []
        for secret in secrets:
            self.add(secret)

    def add(self, secret: Secret) -> None:
        """Hide one more secret."""
        for part in parts(secret):
            if len(part) < self._shortest or part.casefold() in self._words:
                continue
            self._patterns |= {Secret(form.lower()): Secret(re.escape(form)) for form in forms(part)}
            if len(part) >= 2 * _TELLING and _TOKEN.fullmatch(part):
                beginning = part[:_TELLING]
                self._patterns[Secret(beginning.lower())] = Secret(rf"{re.escape(beginning)}[\w.+/=~-]*")
        for beginning in _beginnings(secret):
            self._patterns[Secret(beginning.lower())] = Secret(rf"{re.escape(beginning)}[^\s\"'<>]*")
        # The longest first: replacing a part of a secret would leave the rest of it.
        self._forms = sorted(self._patterns, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        text = self._replaced(text)
        if "\x1b[" in text:
            # Colour codes may be in the middle of a value.
            plain = _ANSI.sub("", text)
            clean = self._replaced(plain)
            text = text if clean == plain else clean
        return text

    def mapped(self, value: Any) -> Any:
        """Any JSON value with secrets removed from all its texts, including the names of its fields."""
        if isinstance(value, str):
            return self(value)
        if isinstance(value, Mapping):
            return {self(name) if isinstance(name, str) else name: self.mapped(item) for name, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.mapped(item) for item in value]
        return value

    def cut(self, text: str) -> str:
        """A truncated text, without the beginning of a secret that it may end in."""
        small = text.lower()
        for form in self._forms:
            most = min(len(form) - 1, len(small))
            cut = next((n for n in range(most, _LEAST_CUT - 1, -1) if small.endswith(form[:n])), 0)
            if cut:
                return f"{text[:-cut]}{self._mask}"
        return text

    def _replaced(self, text: str) -> str:
        small = text.lower()
        # Most texts of a page are shorter than most forms.
        for form in self._forms[bisect_left(self._forms, -len(small), key=lambda form: -len(form)) :]:
            # Searching for each form first is many times faster than one pattern of all.
            if form in small:
                text = self._sub(self._patterns[form], text)
                small = text.lower()
        return self._joined(text) if "\n" in text or "\\n" in text else text

    def _joined(self, text: str) -> str:
        """The text without long secrets that were wrapped into lines, like base64 in mail and keys."""
        joined = _BREAK.sub("", text.lower())
        for form in self._forms:
            if len(form) >= 2 * _TELLING and _TOKEN.fullmatch(form) and form in joined:
                text = self._sub(rf"(?:{_BREAK.pattern})*".join(map(re.escape, form)), text)
                joined = _BREAK.sub("", text.lower())
        return text

    def _sub(self, pattern: str, text: str) -> str:
        return re.sub(pattern, lambda _: self._mask, text, flags=re.IGNORECASE)


def parts(value: str) -> list[str]:
    """A secret and its parts that are secrets themselves: lines of a key, fields of a key file, the password in a
    URL.
    """
    found = [value, value.strip()]
    stripped = value.strip()
    if "\\n" in value:
        found += parts(value.replace("\\n", "\n"))
    if stripped.startswith(("{", "[")):
        found += _fields(stripped)
    elif "\n" in stripped or _MARKER.search(stripped):
        lines = [line.strip() for line in _MARKER.sub("\n", stripped).splitlines()]
        found += [line for line in lines if line]
    elif "://" in stripped:
        found += _address(stripped)
    return [part for part in dict.fromkeys(found) if part]


def _fields(text: str) -> list[str]:
    try:
        held = json.loads(text)
    except (ValueError, RecursionError):
        return []
    return [
        part for name, field in _leaves(held) if is_secret_name(name) and "://" not in field for part in parts(field)
    ]


def _leaves(held: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(held, str):
        yield name, held
    elif isinstance(held, dict):
        for inner, value in held.items():
            yield from _leaves(value, str(inner))
    elif isinstance(held, list):
        for value in held:
            yield from _leaves(value, name)


def _address(url: str) -> list[str]:
    """The password of a URL, encoded and decoded, and secrets among its parameters."""
    before = url.partition("://")[2]
    # A password that should have been encoded may contain any of these characters.
    credentials = before.rpartition("@")[0] if "@" in before else ""
    password = credentials.partition(":")[2]
    try:
        query = parse_qsl(urlsplit(url).query)
    except ValueError:
        query = []
    given = [value for name, value in query if is_secret_name(name)]
    pieces = [piece for piece in re.split(r"[:/?#@\[\]]", password) if piece != password]
    user = [f":{password}@"] if password else []
    return [password, unquote(password), *pieces, *user, *given, *([credentials] if password else [])]


def _beginnings(value: str) -> list[str]:
    """The beginning of a URL with a password: what follows is the password, even if truncated."""
    scheme, mark, rest = value.strip().partition("://")
    user, colon, _ = rest.rpartition("@")[0].partition(":")
    return [f"{scheme}{mark}{user}{colon}"] if colon and user else []


def forms(part: str) -> list[str]:
    """The forms in which a text may be quoted; case is left to the caller."""
    in_bytes = part.encode("utf-8", "surrogatepass")
    escaped = json.dumps(part, ensure_ascii=False)[1:-1]
    quoted = quote(part, safe="", errors="replace")
    found = [
        part,
        repr(str(part))[1:-1],
        escaped,
        json.dumps(part)[1:-1],
        json.dumps(escaped, ensure_ascii=False)[1:-1],
        html.escape(part),
        html.escape(part, quote=False),
        html.escape(escaped),
        quoted,
        quote(part, errors="replace"),
        quote_plus(part, errors="replace"),
        quote(quoted, safe=""),
        in_bytes.hex(),
        *(form for case in {part, part.upper(), part.lower()} for form in _base64(case.encode("utf-8", "replace"))),
    ]
    return list(dict.fromkeys(form for form in found if form))


def _base64(value: bytes) -> Iterator[str]:
    """The base64 of these bytes at any position in a longer text: in full, and at each of three offsets.

    At an offset the characters at both ends also contain bits of the neighbours, and are left out.
    """
    yield base64.b64encode(value).decode()
    yield base64.urlsafe_b64encode(value).decode()
    for before in range(3):
        ends = -len(value + b"x" * before) % 3
        encoded = base64.b64encode(b"\0" * before + value)
        first = -(-before * 8 // 6)
        last = len(encoded) - (ends and ends + 1)
        middle = encoded[first:last].decode()
        if len(middle) >= _SHORTEST_ENCODED:
            yield middle
            yield middle.replace("+", "-").replace("/", "_")
