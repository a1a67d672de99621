"""Normalises hosts for comparison and display: one host has one name, however it was written (metric definitions
5.1).
"""

from __future__ import annotations

import functools
import re
import unicodedata
from typing import Final
from urllib.parse import unquote

import idna

from tidings.errors import SettingsError

_PORT: Final = re.compile(r":\d*$")
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_V6: Final = re.compile(r"\[[0-9a-f:.]+\]")
_LONGEST: Final = 253
_PUNCTUATION: Final = frozenset(" ./:?#@[]\\%")


@functools.lru_cache(maxsize=65_536)
def compared(host: str) -> str:
    """A host in ASCII (IDNA), lower case, without user info, port, trailing dots or one leading `www.`. Never
    raises.
    """
    name = _PORT.sub("", host.strip().rpartition("@")[2])
    if not name.isascii() or "%" in name:
        # RFC 3986 3.2.2: a host may be percent-encoded UTF-8; IDNA turns the dots of other scripts into one.
        name = ".".join(map(_ascii, re.split(r"[.。．｡]", unquote(name))))
    return name.lower().rstrip(".").removeprefix("www.")


@functools.lru_cache(maxsize=65_536)
def shown(host: str) -> str:
    """A host as `compared`, with its labels decoded to Unicode. Never raises."""
    name = compared(host)
    return ".".join(map(_readable, name.split("."))) if "xn--" in name else name


def is_within(host: str, site: str) -> bool:
    """True for a site's own host or a subdomain of it."""
    host, site = compared(host), compared(site)
    return bool(site) and (host == site or host.endswith("." + site))


def site_host(value: str, where: str) -> str:
    """The host of a site that is configured as a host, a host and port, or a URL; as `shown`.

    Raises:
        SettingsError: there is no host in it; `where` is the table that holds it.
    """
    text = value.strip()
    if not text:
        return ""
    rest = _SCHEME.sub("", text, count=1)
    scheme = text[: len(text) - len(rest)].lower()
    name = shown(re.split(r"[/?#\\]", rest, maxsplit=1)[0])
    if scheme in ("", "http://", "https://") and is_host(name):
        return name
    raise SettingsError(
        f"{where} site is '{value}', which names no host.", 'Write the host alone, as in site = "shop.example".'
    )


def is_host(name: str) -> bool:
    """True for a possible host: labels of letters, digits, `-` and `_`, or an IPv6 address in brackets."""
    ascii_name = compared(name)
    if len(ascii_name) > _LONGEST:
        return False
    return all(map(_LABEL.fullmatch, ascii_name.split("."))) or bool(_V6.fullmatch(ascii_name))


def _ascii(label: str) -> str:
    if label.isascii():
        return label
    try:
        return idna.encode(label, uts46=True).decode()
    except idna.IDNAError:
        # What IDNA 2008 does not allow (emoji) is registered and linked to all the same.
        return _coded(label)


def _coded(label: str) -> str:
    try:
        return "xn--" + label.lower().encode("punycode").decode()
    except UnicodeError:
        return label


def _readable(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        text = idna.decode(label)
    except (idna.IDNAError, UnicodeError):
        try:
            text = label.removeprefix("xn--").encode().decode("punycode")
        except UnicodeError:
            return label
    # Decode only labels that are visible, not confusable, and encode back to the same text.
    fair = text.isprintable() and unicodedata.normalize("NFKC", text) == text and not set(text) & _PUNCTUATION
    return text if fair and _ascii(text) == label else label
