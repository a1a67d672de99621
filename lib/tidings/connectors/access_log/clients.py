"""The client fields of a log line, which stand before its time: host, address list and user names (never kept)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from tidings.enrich.hosts import is_within, shown
from tidings.enrich.redaction import REDACTED

HEADER: Final = re.compile(
    r"^(?:(?:<\d{1,3}>)?(?:1 )?(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT\S+) "
    r"(?:\S+ )?[^\s:\[\"]+(?:\[\d+\])?: +|[\w.-]+ +\| +)"
)
"""The prefix that syslog or Docker Compose writes before a line."""
_WORD: Final = re.compile(r'"(?:[^"\\]|\\.)*"|\S+')
_NAME: Final = re.compile(r"(?=.*[^\W\d_])[\w%-]+(?:\.[\w%-]+)*\.?(?::\d{1,5})?")
_V6_PORT: Final = re.compile(r"\[(?P<address>[^\]]+)\](?::\d{1,5})?")
_V4_PORT: Final = re.compile(r"(?P<address>[\d.]+):(?P<port>\d{1,5})")
# Ports on which servers listen; those of clients are higher.
_SERVER_PORT: Final = 9_999
_UNKNOWN: Final = ("unknown", "-")


class Client(NamedTuple):
    """The fields before the time: the requested host (empty if none) and the client's address. User names are dropped.

    `is_inner`: the address is of a private network, so a proxy may stand before the server.
    """

    host: str
    address: str
    names: str
    is_inner: bool


def clients(prefixes: Sequence[str], site: str) -> list[Client | None]:
    """Parse each prefix; null for one that names no client.

    Prefixes of one log are read together: if some start with a host name, then those with two addresses start with a
    host as well (the client requested the bare address).
    """
    read = [_client(prefix, site, two_are_host=False) for prefix in prefixes]
    if any(client and client.host and _address(client.host) is None for client in read):
        read = [_client(prefix, site, two_are_host=True) for prefix in prefixes]
    return read


def first_address(text: str) -> str | None:
    """The first address of a list as proxies write it, without port; null if there is none."""
    return next((found for part in text.strip('" ').split(",") if (found := _address(part.strip()))), None)


def _client(prefix: str, site: str, *, two_are_host: bool) -> Client | None:
    words = [match[0] for match in _WORD.finditer(HEADER.sub("", prefix))]
    host = ""
    if words and "\\x" in words[0]:
        words[0] = words[0].replace("\\x", "%")
    if _begins_with_host(words, two_are_host=two_are_host):
        host, words = words[0], words[1:]
    if not words:
        return None
    address, taken, is_list = _listed(words)
    rest = words[taken:]
    if address is None:
        # A subscriber's line name or a socket: usable for a pseudonym if the rest of the line is normal.
        is_usual = len(rest) > 1 and (rest[0] == "-" or ("." in words[0] and _NAME.fullmatch(words[0])))
        if not is_usual:
            return None
        address = words[0]
    elif len(rest) > 2 and (_address(rest[0]) or (address in _UNKNOWN and rest[0] != "-")):
        # The server appended its own peer to the list: use it when the list names no client.
        peer = _address(rest[0]) or (rest[0] if "." in rest[0] and _NAME.fullmatch(rest[0]) else address)
        address, rest, is_list = peer if address in _UNKNOWN else address, rest[1:], True
    if rest and not host and site and is_within(rest[0], site):
        # lighttpd writes the host where other servers write the RFC 1413 identity, which is always empty.
        host, rest = rest[0], ["-", *rest[1:]]
    names = " ".join(
        [
            *(rest[:1] if rest[:1] in ([], ["-"]) else [REDACTED]),
            *([] if len(rest) < 2 else ["-"] if rest[1:] == ["-"] else [REDACTED]),
        ]
    )
    names = f"{', [ip]' if is_list else ''} {names or '-'}"
    return Client(shown(host), address, names, _is_inner(address))


def _begins_with_host(words: list[str], *, two_are_host: bool) -> bool:
    if len(words) < 2:
        return False
    first, second = words[0], words[1]
    if first.endswith(",") or second.startswith(",") or first.startswith('"'):
        return False
    if second.startswith('"') and first_address(second):
        return True
    is_client = _address(second.rstrip(",")) is not None
    if _address(first) is not None:
        port = _V4_PORT.fullmatch(first)
        is_server = port is not None and int(port["port"]) <= _SERVER_PORT
        return is_client and not second.endswith(",") and (is_server or two_are_host)
    if not _NAME.fullmatch(first) or first.lower() in _UNKNOWN:
        return False
    dashed = words[2:3] == ["-"] and len(words) > 3
    return is_client or (dashed and (second.lower() in _UNKNOWN or "." in second))


def _listed(words: list[str]) -> tuple[str | None, int, bool]:
    """The first address of the list at the start of `words`, its length in words, and whether it has several."""
    parts = [words[0]]
    while len(parts) < len(words) and (parts[-1].endswith(",") or words[len(parts)].startswith(",")):
        parts.append(words[len(parts)])
    text = " ".join(parts)
    address = first_address(text)
    if address is None and all(part.strip('", ').lower() in ("", *_UNKNOWN) for part in text.split(",")):
        address = "-"
    return address, len(parts), "," in text


def _address(text: str) -> str | None:
    match = _V6_PORT.fullmatch(text) or _V4_PORT.fullmatch(text)
    try:
        ip = ipaddress.ip_address((match["address"] if match else text).partition("%")[0])
    except ValueError:
        return None
    return str(getattr(ip, "ipv4_mapped", None) or ip)


def _is_inner(address: str) -> bool:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    return ip.is_loopback or ip.is_link_local or any(ip.version == net.version and ip in net for net in _INNER)


_INNER: Final = tuple(map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")))
