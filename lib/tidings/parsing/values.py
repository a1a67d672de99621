"""Strict grammar for numbers, times and booleans as people write them: a text that does not fit is rejected with a
reason.

Shared by files, databases and APIs. Nothing is deleted from a text to make it fit: `12.50` is not a number if the comma
is the decimal mark.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from datetime import time as clock
from decimal import Decimal
from typing import Final

from tidings.errors import WindowError
from tidings.window import Zone, instant_of, naive_utc

EARLIEST: Final = datetime.fromisoformat("1900-01-01")
LATEST: Final = datetime.fromisoformat("2200-01-01")
"""Instants (naive UTC) outside of [EARLIEST, LATEST) are not real data: markers of "never", typing errors."""

TRUE: Final = ("true", "t", "yes", "y", "on", "1", "1.0")
FALSE: Final = ("false", "f", "no", "n", "off", "0", "0.0")

_MOST_DIGITS: Final = 60
_LONGEST: Final = 6_000
# Spaces as thousands separators: plain, no-break, thin and narrow no-break.
_SPACES: Final = " \u00a0\u2009\u202f"
_APOSTROPHES: Final = "'\u2019"
_CODE: Final = r"[A-Za-z]{0,3}[$\u20a0-\u20cf\u00a3\u00a5]|[A-Za-zč\u0142\u010d]{2,3}\.?"

# Signs of one or several currencies; any three letters stand for themselves.
_SIGNS: Final = {
    "€": "EUR",
    "£": "GBP EGP GIP FKP SHP SSP SDG SYP LBP",
    "¥": "JPY CNY",
    "$": "USD CAD AUD NZD SGD HKD TWD MXN ARS CLP COP BRL UYU BBD BMD BSD BZD FJD GYD JMD KYD LRD NAD SBD SRD TTD XCD",
    "US$": "USD",
    "C$": "CAD NIO",
    "CA$": "CAD",
    "A$": "AUD",
    "AU$": "AUD",
    "NZ$": "NZD",
    "S$": "SGD",
    "HK$": "HKD",
    "NT$": "TWD",
    "MX$": "MXN",
    "R$": "BRL",
    "₹": "INR",
    "RS": "INR PKR LKR NPR MUR SCR",
    "₩": "KRW KPW",
    "₺": "TRY",
    "₴": "UAH",
    "₫": "VND",
    "₪": "ILS",
    "₽": "RUB",
    "₱": "PHP",
    "₦": "NGN",
    "₡": "CRC",
    "₲": "PYG",
    "₵": "GHS",
    "₸": "KZT",
    "₾": "GEL",
    "KR": "SEK NOK DKK ISK",
    "ZŁ": "PLN",
    "KČ": "CZK",
    "FT": "HUF",
    "LEI": "RON MDL",
    "FR": "CHF XOF XAF",
    "RM": "MYR",
    "RP": "IDR",
}
_SIGN: Final = "[+\\-\u2212]"


class UnreadableError(ValueError):
    """The text is not such a value; the message continues "'12.50' ", as in "is not a number"."""


@dataclass(frozen=True)
class Number:
    """A number, its possible currencies by its text (none: not given), and whether it is in percent."""

    value: Decimal
    currencies: frozenset[str] = frozenset()
    is_percent: bool = False


def _pattern(mark: str) -> re.Pattern[str]:
    groups = f"[{',' if mark == '.' else '.'}{_SPACES}{_APOSTROPHES}]"
    lakh = r"|[1-9]\d?(?:,\d\d)+,\d{3}" if mark == "." else ""
    whole = rf"\d+|[1-9]\d{{0,2}}(?P<group>{groups})\d{{3}}(?:(?P=group)\d{{3}})*{lakh}"
    number = rf"(?P<whole>{whole})?(?:\{mark}(?P<part>\d*))?(?:[eE](?P<exponent>[+-]?\d{{1,9}}))?"
    space = f"[{_SPACES}]*"
    before = rf"(?P<sign>{_SIGN}?){space}(?P<before>{_CODE})?{space}(?P<sign2>{_SIGN}?){space}"
    after = rf"{space}(?P<sign3>{_SIGN}?){space}(?P<after>{_CODE}|%)?{space}(?P<sign4>{_SIGN}?)"
    return re.compile(f"{before}{number}{after}", re.ASCII)


_NUMBERS: Final = {mark: _pattern(mark) for mark in (".", ",")}


def number(text: str, decimal: str = ".") -> Number:
    """A number whose decimal mark is `decimal`.

    Thousands may be separated by the other mark, spaces or apostrophes, always in threes (with a decimal point also as
    in 1,00,000); negative is `-5`, `5-` or `(5)`; a currency may come before or after.

    Raises:
        UnreadableError: it is not a number, or has too many digits.
    """
    text = text.strip()
    found = _match(text, decimal)
    if found is None:
        other = "," if decimal == "." else "."
        if len(text) <= _LONGEST and _match(text, other):
            raise UnreadableError(
                "is not a number with a decimal point; if the comma is the decimal mark, set decimal = ','"
                if decimal == "."
                else "is not a number with a decimal comma: a point may only stand before three digits"
            )
        raise UnreadableError("is not a number")
    whole, part, exponent = (found[name] or "" for name in ("whole", "part", "exponent"))
    digits = re.sub(r"\D", "", whole)
    power = int(exponent or 0) - len(part)
    value = Decimal(f"{(digits + part).lstrip('0') or '0'}e{power}")
    if value and value.adjusted() > _MOST_DIGITS:
        raise UnreadableError("has too many digits")
    if value.adjusted() < -_MOST_DIGITS:
        value = Decimal(0)
    signs = [found[name] for name in ("sign", "sign2", "sign3", "sign4") if found[name]]
    if text.startswith("(") or (signs and signs[0] != "+"):
        value = value.copy_negate() if value else value
    units = [unit for unit in (found["before"], found["after"]) if unit]
    is_percent = units == ["%"]
    if is_percent:
        value = Decimal((value.as_tuple().sign, value.as_tuple().digits, int(value.as_tuple().exponent) - 2))
    return Number(value, frozenset() if is_percent or not units else _currencies(units[0]), is_percent)


def plain(value: Decimal) -> str:
    """A number in digits, without an exponent, which every engine reads."""
    return f"{value:f}"


def _match(text: str, decimal: str) -> re.Match[str] | None:
    if len(text) > _LONGEST:
        return None
    inside = text[1:-1].strip() if text.startswith("(") and text.endswith(")") else text
    found = _NUMBERS[decimal].fullmatch(inside)
    if found is None or not (found["whole"] or found["part"]):
        return None
    signs = sum(bool(found[name]) for name in ("sign", "sign2", "sign3", "sign4")) + (inside is not text)
    units = [unit for unit in (found["before"], found["after"]) if unit]
    if signs > 1 or len(units) > 1 or any(unit != "%" and not _currencies(unit) for unit in units):
        return None
    return found


def _currencies(unit: str) -> frozenset[str]:
    """The currencies of a sign or code next to a number; empty if it is not a currency."""
    shown = unit.upper().removesuffix(".")
    if shown in _SIGNS:
        return frozenset(_SIGNS[shown].split())
    return frozenset([shown]) if len(shown) == 3 and shown.isascii() and shown.isalpha() else frozenset()


_DAY: Final = r"(?P<year>\d{4})(?P<mark>[-/.])(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})"
_CLOCK: Final = r"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d{0,18}))?)?"
_OFFSET: Final = r"\s*(?P<offset>[Zz]|UTC|GMT|(?:UTC|GMT)?[+\-\u2212]\d\d(?::?\d\d)?)?(?:\[[A-Za-z0-9_+/-]+\])?"
_TIME: Final = re.compile(rf"{_DAY}(?:(?:[Tt]|\s+){_CLOCK}{_OFFSET})?", re.ASCII)
_COMPACT: Final = re.compile(
    r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)"
    rf"(?:[Tt](?P<hour>\d\d)(?P<minute>\d\d)(?:(?P<second>\d\d)(?:[.,](?P<fraction>\d{{0,18}}))?)?{_OFFSET})?",
    re.ASCII,
)
_EPOCH: Final = re.compile(r"\d{9,19}(\.\d+)?", re.ASCII)
# Seconds, milliseconds, microseconds, nanoseconds since 1970: from 1973 to 2200 their ranges do not touch.
EPOCHS: Final = {"unix": 0, "unix_ms": 3, "unix_us": 6, "unix_ns": 9}
_EPOCH_START: Final = datetime.fromisoformat("1970-01-01")
_FROM_1973: Final = 100_000_000


def time(text: str, zone: Zone) -> datetime:
    """An instant as naive UTC, from ISO 8601 (year first) or Unix time; without an offset it is local to `zone`.

    A repeated local time is the first one; a skipped one is read with the offset before. 24:00 is the end of the day,
    second 60 (a leap second) the beginning of the next minute. Digits beyond microseconds are truncated.

    Raises:
        UnreadableError: it is not a time, there is no such day or time, or it is outside of the years 1900 to 2199.
    """
    text = text.strip()
    if _EPOCH.fullmatch(text):
        return epoch(Decimal(text))
    found = _TIME.fullmatch(text) or _COMPACT.fullmatch(text)
    if found is None:
        raise UnreadableError("is not a time as 2026-07-01T08:30:00+02:00 or Unix time (for others see `time_format`)")
    if not EARLIEST.year - 1 <= int(found["year"]) <= LATEST.year:
        raise UnreadableError("lies outside of the years 1900 to 2199")
    hour, minute, second = (int(found[name] or 0) for name in ("hour", "minute", "second"))
    micros = int((found["fraction"] or "").ljust(6, "0")[:6])
    more = 0
    if (hour, minute, second, micros) == (24, 0, 0, 0):
        hour, more = 0, 86_400
    elif second == 60 and minute == 59:
        second, more, micros = 59, 1, 0
    try:
        day = date(int(found["year"]), int(found["month"]), int(found["day"]))
        wall = datetime.combine(day, clock(hour, minute, second, micros))
        return within(naive_utc(instant_of(wall, _minutes(found["offset"]), zone, more)))
    except (ValueError, WindowError) as error:
        if isinstance(error, UnreadableError):
            raise
        raise UnreadableError("is not an existing day or time") from error


def epoch(count: Decimal, digits: int | None = None) -> datetime:
    """Unix time as naive UTC: in units of 10 to the minus `digits` seconds, else by its size (from 1973 on).

    Raises:
        UnreadableError: it is outside of the years 1900 to 2199, or ambiguous.
    """
    if digits is None:
        digits = next((n for n in (0, 3, 6, 9) if _FROM_1973 * 10**n <= count < 73 * _FROM_1973 * 10**n), None)
    if digits is None or abs(count) > 10 ** (10 + digits):
        raise UnreadableError("lies outside of the years 1900 to 2199")
    micros = int(count.scaleb(6 - digits).to_integral_value("ROUND_FLOOR"))
    return within(naive_utc(instant_of(_EPOCH_START, 0, Zone(), micros // 1_000_000, micros % 1_000_000)))


def within(instant: datetime) -> datetime:
    """The instant, naive UTC.

    Raises:
        UnreadableError: it is outside of the years 1900 to 2199.
    """
    if not EARLIEST <= instant < LATEST:
        raise UnreadableError("lies outside of the years 1900 to 2199")
    return instant


def truth(text: str) -> bool:
    """Yes or no.

    Raises:
        UnreadableError: it is neither.
    """
    shown = text.strip().lower()
    if shown in TRUE or shown in FALSE:
        return shown in TRUE
    raise UnreadableError("is not true or false")


def _minutes(offset: str | None) -> int | None:
    """Minutes east of UTC; None if the text has no offset."""
    if offset is None:
        return None
    digits = re.sub(r"\D", "", offset).ljust(4, "0")
    minutes = int(digits[:2]) * 60 + int(digits[2:])
    if minutes > 14 * 60 or int(digits[2:]) > 59:
        raise ValueError("no such offset")
    return -minutes if "-" in offset or "\u2212" in offset else minutes
