"""Infers from cells how a file is to be read: decimal mark, time format, encoding, each with a reason.

Nothing ambiguous is decided: "03/04/2026" alone may be March or April, and the user is asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import product
from typing import Final

from charset_normalizer import from_bytes

from tidings.parsing.values import UnreadableError, number

_ISO: Final = re.compile(r"\d{4}-\d\d?-\d\d?([T ].*)?$")
_UNIX: Final = re.compile(r"1\d{9}(\.\d+|\d{3}|\d{6})?$")
_COMPACT: Final = re.compile(r"(19|20)\d\d(0[1-9]|1[0-2])([0-2]\d|3[01])$")
_NUMBER: Final = re.compile(r"[-+]?[\d.,'’  ]*\d[\d.,'’  ]*-?$")
_SIGNS: Final = re.compile(r"^[-+(]?\s*(?:[$€£¥₹]|[A-Z]{3}\b|kr\.?|zł)\s*|\s*(?:[$€£¥₹%]|[A-Z]{3}|kr\.?|zł)$")
_COMMA: Final = re.compile(r"[-+]?(?:\d{1,3}(?:[.'’  ]\d{3})+,\d+|\d+,(?:\d{1,2}|\d{4,})|0+,\d+)-?$")
_POINT: Final = re.compile(r"[-+]?(?:\d{1,3}(?:[,'’  ]\d{3})+\.\d+|\d*\.(?:\d{1,2}|\d{4,})|0*\.\d+)-?$")
_EITHER: Final = re.compile(r"[-+]?[1-9]\d{0,2}[.,]\d{3}-?$")
_MOST: Final = 0.9
# The likelier currency of a sign that several share.
_LIKELY: Final = ("USD", "CAD", "AUD", "GBP", "JPY", "CNY", "SEK", "NOK", "DKK")
_DATES: Final = (
    *("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%y", "%d/%m/%y"),
    *("%m/%d/%y", "%d-%m-%y", "%m-%d-%y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%d-%b-%Y"),
    *("%d-%b-%y", "%d/%b/%Y", "%a %b %d %Y", "%a, %d %b %Y", "%A, %B %d, %Y", "%B %Y", "%b %Y", "%Y-%m", "%m/%Y"),
)
_TIMES: Final = ("", "%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p", "%I:%M%p", "%H.%M")
_WORD: Final = r"[^\W\d_]+"
_PARTS: Final = {
    **dict.fromkeys("aAbB", _WORD),
    "d": r"\d{1,2}",
    "m": r"\d{1,2}",
    "y": r"\d{2}(?!\d)",
    "Y": r"\d{4}",
}
_JOINTS: Final = (" ", ", ", "T", " - ", ":")
_ZONES: Final = ("", " %z", "%z")
# Encodings for non-ASCII letters, likelier ones first.
_NOT_LATIN: Final = ("cp1251", "cp1253", "shift_jis", "gb18030")
_SIGN_IN_WORD: Final = re.compile(r"[^\W\d_][\u0080-\u009f¡-©«-´¶-¹»-¿×÷][^\W\d_]|[^\W\d_][¹²³¼½¾¿]|[\u0080-\u009f]")
_ENCODINGS: Final = ("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp437", "mac_roman", "shift_jis", "gb18030")


@dataclass(frozen=True)
class Times:
    """The result for a column of times: `form` is the `time_format` to set (empty: none needed, null: unknown)."""

    form: str | None
    share: float
    example: str
    doubt: str = ""


@dataclass(frozen=True)
class Marks:
    """The result for columns of numbers: the decimal mark (null: undecided), a cell that proves it, a doubt."""

    decimal: str | None
    example: str
    doubt: str = ""


def filled(values: Iterable[str | None]) -> list[str]:
    """The non-empty cells, trimmed."""
    return [text for value in values if value is not None and (text := value.strip())]


def bare(text: str) -> str:
    """A number without currency signs around it."""
    return _SIGNS.sub("", _SIGNS.sub("", text.strip())).strip()


def is_number(text: str) -> bool:
    """True for a number in any notation."""
    return bool(_NUMBER.match(bare(text)))


def decimal_mark(values: Sequence[str]) -> Marks:
    """The decimal mark that cells prove; `1.250` alone proves none."""
    comma = next((text for text in values if _COMMA.match(bare(text))), None)
    point = next((text for text in values if _POINT.match(bare(text))), None)
    if comma and point:
        return Marks(None, comma, f"'{comma}' has a decimal comma and '{point}' a decimal point: correct one of them")
    if comma or point:
        return Marks("," if comma else ".", comma or point or "")
    either = next((text for text in values if _EITHER.match(bare(text))), None)
    if either:
        digits = bare(either).replace(",", "").replace(".", "")
        small = f"{digits[:-3]}.{digits[-3:]}"
        doubt = f"'{either}' may be {int(digits):,} or {small}: set decimal = ',' or '.'"
        return Marks(None, either, doubt)
    return Marks(None, "")


def is_value(text: str) -> bool:
    """True for cells of rows rather than headers: a time or a number."""
    return is_number(text) or times((text,)).share == 1


def currency_of(values: Iterable[str], decimal: str) -> tuple[str | None, str]:
    """The currency next to amounts (null: none, or several), and a doubt."""
    found: frozenset[str] | None = None
    first = ""
    for text in values:
        try:
            named = number(text, decimal).currencies
        except UnreadableError:
            continue
        if named and found is not None and not named & found:
            return None, f"'{first}' and '{text}' are in different currencies: only those of one are read"
        if named:
            first = first or text
            found = named & found if found else named
    if found and len(found) > 1:
        likely = [code for code in _LIKELY if code in found] or sorted(found)[:3]
        return None, f"'{first}' may be in {' or '.join([*likely, 'another currency'])}: set currency"
    return next(iter(found), None) if found else None, ""


def times(values: Sequence[str]) -> Times:
    """The format of a column of times."""
    if not values:
        return Times(None, 0.0, "")
    plain = sum(bool(_ISO.match(text) or _UNIX.match(text) or _COMPACT.match(text)) for text in values)
    if plain >= _MOST * len(values):
        return Times("", plain / len(values), values[0])
    ends = (values[0], values[-1])
    fitting = dict.fromkeys(form for text in ends for form in _forms(text) if _reads(text, form))
    shares = {form: sum(_reads(text, form) for text in values) / len(values) for form in fitting}
    best = max(shares.values(), default=0.0)
    forms = [form for form, share in shares.items() if share == best]
    if best < _MOST:
        return Times(None, best, values[0])
    # "%B" and "%b" read the same words, "%I" and "%H" the same hours.
    different = {_meaning(form, values): form for form in reversed(forms)}
    if len(different) > 1:
        example, readings = _apart(values, tuple(different.values()))
        either = " or ".join(f"{reading} (time_format = '{form}')" for form, reading in readings.items())
        return Times(None, best, example, f"'{example}' may be {either}: set time_format")
    return Times(forms[0], best, next((text for text in values if _reads(text, forms[0])), values[0]))


def encoding_of(sample: bytes) -> tuple[str, str]:
    """The encoding of a file by its first bytes, and a doubt (empty: none)."""
    if sample.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16", ""
    try:
        sample.decode("utf-8")
    except UnicodeDecodeError as error:
        # A character cut off at the end of the sample is not invalid.
        if error.start < len(sample) - 4:
            return _other(sample)
    return "utf-8", ""


def _other(sample: bytes) -> tuple[str, str]:
    lines = [line for line in sample.splitlines() if not line.isascii()][:500]
    text = b"\n".join(lines)
    found = from_bytes(text, cp_isolation=list(_ENCODINGS)).best()
    name = found.encoding if found else "cp1252"
    if name not in _NOT_LATIN:
        # Of two Latin encodings the more common one, unless it shows signs within words: then that of Central Europe.
        name = "cp1252" if _is_in_words(text, "cp1252") or not _is_in_words(text, "cp1250") else "cp1250"
    first = lines[0].decode(name, "replace").strip()[:60] if lines else ""
    return name, f"letters beyond ASCII were taken for {name}: look whether '{first}' is right"


def _is_in_words(sample: bytes, encoding: str) -> bool:
    """True if there are only letters between letters."""
    try:
        return not _SIGN_IN_WORD.search(sample.decode(encoding))
    except UnicodeDecodeError:
        return False


def _forms(text: str) -> Iterable[str]:
    """The candidate formats of a text, by how its date begins."""
    for date in _DATES:
        begin = _pattern(date).match(text)
        if not begin:
            continue
        rest = text[begin.end() :]
        if not rest:
            yield date
        for joint, time, zone in product(_JOINTS, _TIMES, _ZONES):
            if time and rest.startswith(joint):
                yield f"{date}{joint}{time}{zone}"


@cache
def _pattern(form: str) -> re.Pattern[str]:
    """A pattern of a date in a format; `strptime` compiles each format anew, and there are thousands."""
    return re.compile(re.sub(r"%(\w)|([^%])", lambda part: _PARTS[part[1]] if part[1] else re.escape(part[2]), form))


def _reads(text: str, form: str) -> bool:
    return _read(text, form) is not None


def _read(text: str, form: str) -> datetime | None:
    try:
        return datetime.strptime(text, form)  # noqa: DTZ007 - only asked whether it can be read
    except ValueError:
        return None


def _meaning(form: str, values: Sequence[str]) -> tuple[datetime | None, ...]:
    return tuple(_read(text, form) for text in values)


def _apart(values: Sequence[str], forms: Sequence[str]) -> tuple[str, dict[str, str]]:
    """The first cell that two formats read differently, and the day in each."""
    for text in values:
        read = {form: at for form in forms if (at := _read(text, form))}
        if len(set(read.values())) > 1:
            return text, {form: f"{at.day} {at:%B %Y}" for form, at in read.items()}
    return values[0], {form: form for form in forms}
