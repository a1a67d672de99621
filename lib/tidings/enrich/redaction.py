"""Replaces personal data in URLs and text by its kind (metric definitions 11)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

REDACTED: Final = "[redacted]"

# fmt: off
_NAMES: Final = frozenset({
    "email", "e-mail", "mail", "phone", "tel", "mobile", "password", "passwd", "pwd", "pass", "token", "access_token",
    "refresh_token", "id_token", "auth", "authorization", "api_key", "apikey", "key", "secret", "session", "sessionid",
    "sid", "code", "otp", "ssn", "mc_eid", "_hsenc", "_hsmi", "mkt_tok", "vero_id", "oly_enc_id",
    "ck_subscriber_id", "name", "firstname", "first_name", "lastname", "last_name",
    "address", "dob",
})
# fmt: on


def _encodable(name: str) -> str:
    """A pattern for a name any of whose characters may be percent-encoded."""
    return "".join(f"(?:{re.escape(c)}|%{ord(c):02x}|%{ord(c.upper()):02x})" for c in name)


_ENCODED: Final = r"%[0-9A-Fa-f]{2}"
_START: Final = rf"(?:(?P<before>(?:{_ENCODED})+)|(?<!\d))"
_SPACE: Final = r"(?:[ +-]|%20)"
_GAP: Final = r"(?:[ .()+-]|%20|%28|%29){0,3}"
_OCTET: Final = r"(?:25[0-5]|2[0-4]\d|[01]?\d?\d)"
_SEGMENT: Final = r"[A-Za-z0-9_-]"

_USER_INFO: Final = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]{0,40}://)[^/?#\s]*@", re.IGNORECASE)
# A parameter may be in a URL that is itself an encoded value: %3F, %26, %23, %3D stand for ?, &, # and =.
_PARAMETER: Final = re.compile(
    r"(?:(?<=[?&#;])|(?<=%3F)|(?<=%26)|(?<=%23))"
    rf"(?P<name>{'|'.join(_encodable(name) for name in sorted(_NAMES, key=lambda n: (-len(n), n)))})"
    r"(?:(?P<equals>=)[^&#\s\"<>]+|(?P<encoded>%3D)(?:(?!%26|%23)[^&#\s\"<>])+)",
    re.IGNORECASE,
)
# Encoded bytes before a match belong to the text around it ("%3Djoe@…", "%2083.1.2.3") and are kept. 64 is the maximum
# length of a local part.
_EMAIL: Final = re.compile(
    rf"(?P<before>(?:{_ENCODED})*)"
    r"(?:[\w.+-]|(?<=\w)'(?=\w)|%(?:2[BDE]|3\d|[46][1-9A-F]|[57][0-9A]|5F)){1,64}"
    r"(?:@|%(?:25)*40)"
    r"(?!\dx\.(?:png|jpe?g|gif|webp|avif|svg)\b)"
    r"(?:[\w-]{1,63}(?:\.|%2E)){1,8}(?:xn--[\w-]+|[^\W\d_]{2,})",
    re.IGNORECASE,
)
_JWT: Final = re.compile(rf"eyJ{_SEGMENT}+\.{_SEGMENT}*(?:\.{_SEGMENT}+){{1,3}}|eyJ{_SEGMENT}+\.eyJ{_SEGMENT}+\.?")
_MANY_DIGITS: Final = re.compile(rf"(?P<before>(?:{_ENCODED})+)?(?P<run>\d(?:{_SPACE}?\d){{12,}})")
_GROUP: Final = re.compile(r"%20|\d+")
_PHONE: Final = re.compile(
    rf"(?:\+|%2B)\(?\d(?:{_GAP}\d){{7,14}}(?!\d)"
    r"|\(\d{3}\)[ .-]?\d{3}[ .-]\d{4}(?!\d)"
    rf"|{_START}\d{{3}}(?:\.|{_SPACE})\d{{3}}(?:\.|{_SPACE})\d{{4}}(?!\d)",
    re.IGNORECASE,
)
# "Chrome/120.0.0.0" is the version that every current Chrome sends: as an address it would be a network, not a person.
_IPV4: Final = re.compile(
    rf"{_START}(?<!\d\.)(?!(?<=[A-Za-z]/)\d{{1,3}}\.0\.0\.0(?!\d))(?:{_OCTET}\.){{3}}{_OCTET}(?!\d|\.\d)"
)
# Characters that every card, phone number and address contains: searching for them is ten times faster.
_EIGHT_DIGITS: Final = re.compile(r"\d(?:[ .()+%-]{0,4}\d){7}")
_DOTTED: Final = re.compile(r"\d\.\d{1,3}\.\d{1,3}\.\d")
_IPV6: Final = re.compile(r"(?<![\w:])[0-9a-f]{0,4}:[0-9a-f:]*:[0-9a-f:.]*(?!\w)", re.IGNORECASE)


def redact(text: str) -> str:
    """Text with user info, secret parameters, e-mails, tokens, cards, phones and IPv4 addresses replaced (11).

    The seven steps run in their order until nothing changes, so that redacting again changes nothing.
    """
    while (redacted := _redact_once(text)) != text:
        text = redacted
    return text


def redact_query(query: str) -> str:
    """A bare query string, without its `?`, redacted like the query of a URL (11)."""
    return redact("?" + query).removeprefix("?")


def redact_addresses(text: str) -> str:
    """Text with IPv6 addresses replaced too, which `redact` leaves: for free text in a server's log."""
    if text.count(":") < 2:
        return text
    return _IPV6.sub(lambda match: "[ip]" if _is_ipv6(match[0].rstrip(".")) else match[0], text)


def redact_properties(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Properties of one event: sensitive names lose their value whatever its type, all text is redacted (11).

    Nested objects and lists are walked; other values stay.
    """
    return {
        name: REDACTED if name.strip().lower() in _NAMES else _redact_value(value) for name, value in properties.items()
    }


def _redact_value(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return redact_properties(value)
    if isinstance(value, list | tuple):
        return [_redact_value(item) for item in value]
    return value


def _redact_once(text: str) -> str:
    # Each pattern needs a character that few texts contain; checking for it first saves most of the work on long
    # columns.
    if "://" in text and "@" in text:
        text = _USER_INFO.sub(r"\g<scheme>", text)
    if "=" in text or "%3" in text:
        text = _PARAMETER.sub(_without_value, text)
    if "@" in text or "%40" in text or "2540" in text:
        text = _EMAIL.sub(r"\g<before>[email]", text)
    if "eyJ" in text:
        text = _JWT.sub("[token]", text)
    if _EIGHT_DIGITS.search(text):
        text = _MANY_DIGITS.sub(_without_cards, text)
        text = _PHONE.sub(lambda match: f"{match['before'] or ''}[phone]", text)
    if _DOTTED.search(text):
        text = _IPV4.sub(lambda match: f"{match['before'] or ''}[ip]", text)
    return text


def _without_value(match: re.Match[str]) -> str:
    return f"{match['name']}{match['equals'] or match['encoded']}{REDACTED}"


def _without_cards(match: re.Match[str]) -> str:
    """A run of digit groups; every stretch of whole groups that makes a card is replaced, the longest first."""
    run = match["run"]
    groups = [group for group in _GROUP.finditer(run) if group[0] != "%20"]
    kept, position, at = [match["before"] or ""], 0, 0
    while at < len(groups):
        length = next((n for n in range(min(19, len(groups) - at), 0, -1) if _is_card(groups[at : at + n])), 0)
        if length:
            kept += [run[position : groups[at].start()], "[card]"]
            position = groups[at + length - 1].end()
        at += length or 1
    return "".join([*kept, run[position:]])


def _is_card(groups: list[re.Match[str]]) -> bool:
    digits = "".join(group[0] for group in groups)
    return 13 <= len(digits) <= 19 and _is_luhn(digits)


def _is_luhn(digits: str) -> bool:
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(map(int, digits[-1::-2])) + sum(doubled)) % 10 == 0


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def redacted(
    records: Iterable[Mapping[str, Any]], name: str, *counts: str, written: Callable[[str], str] = redact
) -> list[dict[str, Any]]:
    """Records without personal data in one field; those that are then equal except for `counts` are added up.

    `written` replaces the default redaction; for paths and hosts it also merges several spellings. Numbers of people
    become upper bounds: a visitor of two such pages counts twice.
    """
    found: dict[tuple[tuple[str, str], ...], dict[str, Any]] = {}
    for number, record in enumerate(records):
        text = record.get(name)
        clean = {**record, name: written(text) if isinstance(text, str) else text}
        key = tuple((field, str(value)) for field, value in clean.items() if field not in counts)
        if key in found:
            try:
                clean |= {count: int(found[key][count]) + int(clean[count]) for count in counts}
            except (KeyError, TypeError, ValueError):
                # A value that cannot be added is rejected on its own, with its own reason.
                key = (*key, ("", str(number)))
        found[key] = clean
    return list(found.values())
