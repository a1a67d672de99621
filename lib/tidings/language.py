"""The reader's language: its words, the marks of its numbers, the names of its days.

English is the text in the code. Other languages are message files of gettext (`languages/de.po`), ours and the
workbook's; marks and names come from CLDR. One language is in force in a process at a time: whoever begins to make
something for a reader says which (`speak`, `speaking`), and whatever is printed asks.
"""

from __future__ import annotations

import gettext
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from tidings.errors import SettingsError, suggest

if TYPE_CHECKING:
    from babel import Locale

ENGLISH = "en"
"""Ours: groups of three by a narrow space, days before months. With a region (en-GB, en-US) it is that of CLDR."""
THIN = "\u202f"
_OURS = Path(__file__).parent / "languages"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, eq=False)
class Language:
    """A language as a reader wants it; `locale` is None for our English."""

    code: str = ENGLISH
    locale: Locale | None = None
    messages: gettext.NullTranslations = field(default_factory=gettext.NullTranslations, repr=False)

    @property
    def has_messages(self) -> bool:
        """Whether any text is said differently from the code."""
        return isinstance(self.messages, gettext.GNUTranslations)

    @property
    def nouns_are_capital(self) -> bool:
        """Whether a title keeps its capital letter inside a sentence."""
        return self.locale is not None and self.locale.language in ("de", "lb")

    @property
    def decimal_mark(self) -> str:
        """What precedes the decimals."""
        return "." if self.locale is None else str(self.locale.number_symbols["latn"]["decimal"])

    @property
    def group_mark(self) -> str:
        """What separates groups of digits."""
        return THIN if self.locale is None else str(self.locale.number_symbols["latn"]["group"])

    @property
    def currency_first(self) -> bool:
        """Whether the code of a currency precedes the amount."""
        return self.locale is not None and self.locale.currency_formats["standard"].pattern.startswith("¤")

    def number(self, amount: Decimal, places: int) -> str:
        """An amount, which has no more than these decimals, without its sign."""
        if self.locale is None:
            return f"{abs(amount):,.{places}f}".replace(",", THIN)
        from babel.numbers import format_decimal

        whole = self.locale.decimal_formats[None].pattern.partition(";")[0].partition(".")[0]
        pattern = f"{whole}.{'0' * places}" if places else whole
        return format_decimal(abs(amount), format=pattern, locale=self.locale)

    def day(self, day: date, *, with_year: bool = True) -> str:
        """A day: `30 Jun 2026`."""
        if self.locale is not None:
            return self._named(day, "yMMMd" if with_year else "MMMd")
        return f"{day.day} {_MONTHS[day.month - 1]}" + (f" {day.year}" if with_year else "")

    def days(self, first: date, last: date) -> str:
        """Days from the first to the last: `15 – 16 Jun 2026`."""
        if first == last:
            return self.day(last)
        if self.locale is not None:
            from babel.dates import format_interval

            return format_interval(first, last, "yMMMd", locale=self.locale)
        if (first.year, first.month) == (last.year, last.month):
            return f"{first.day} – {self.day(last)}"
        return f"{self.day(first, with_year=first.year != last.year)} – {self.day(last)}"

    def month(self, day: date, *, with_year: bool = True) -> str:
        """The month of a day: `Jun 2026`."""
        if self.locale is not None:
            return self._named(day, "yMMM" if with_year else "LLL")
        return _MONTHS[day.month - 1] + (f" {day.year}" if with_year else "")

    def quarter(self, day: date) -> str:
        """The quarter of a day: `Q2 2026`."""
        return f"Q{(day.month + 2) // 3} {day.year}" if self.locale is None else self._named(day, "yQQQ")

    @property
    def weekdays(self) -> tuple[str, ...]:
        """The weekdays in short, Monday first."""
        if self.locale is None:
            return _DAYS
        names = self.locale.days["stand-alone"]["abbreviated"]
        return tuple(names[at] for at in range(7))

    def _named(self, day: date, skeleton: str) -> str:
        from babel.dates import format_skeleton

        return format_skeleton(skeleton, day, locale=self.locale)

    @property
    def of_charts(self) -> dict[str, Any]:
        """What the library that draws charts has to know to print numbers and times; nothing for our English."""
        if self.locale is None:
            return {}
        numbers = {"decimal": self.decimal_mark, "thousands": self.group_mark, "grouping": [3], "currency": ["", ""]}
        months, days = self.locale.months["format"], self.locale.days["format"]
        # Its weeks begin on Sunday, those of CLDR's names on Monday.
        sunday_first = (6, 0, 1, 2, 3, 4, 5)
        times = {
            "dateTime": "%x, %X",
            "date": "%d.%m.%Y",
            "time": "%H:%M:%S",
            "periods": ["AM", "PM"],
            "days": [days["wide"][at] for at in sunday_first],
            "shortDays": [days["abbreviated"][at] for at in sunday_first],
            "months": [months["wide"][at] for at in range(1, 13)],
            "shortMonths": [months["abbreviated"][at] for at in range(1, 13)],
        }
        return {"format_locale": numbers, "time_format_locale": times}


_in_force = Language()


def in_force() -> Language:
    """The language in which everything is printed now."""
    return _in_force


def speak(language: Language) -> None:
    """Print everything in this language from now on."""
    global _in_force  # noqa: PLW0603 - of a process, as a page has one reader; IPython loses context variables
    _in_force = language


@contextmanager
def speaking(language: Language) -> Iterator[None]:
    """Print everything in this language for a while."""
    before = in_force()
    speak(language)
    try:
        yield
    finally:
        speak(before)


def say(text: str, /, **values: object) -> str:
    """An English text in the language in force, with values in place of its names in braces."""
    found = _in_force.messages.gettext(text) if text else text
    return found.format(**values) if values else found


def say_as(context: str, text: str, /, **values: object) -> str:
    """As `say`, of a text that means different things: `context` says which."""
    found = _in_force.messages.pgettext(context, text)
    return found.format(**values) if values else found


def say_count(number: int, one: str, many: str, /, **values: object) -> str:
    """As `say`, of a text that has one form for one thing and another for many, in some languages further ones."""
    found = _in_force.messages.ngettext(one, many, number)
    return found.format(**values) if values else found


def say_markup(text: str, /, **values: object) -> Markup:
    """As `say`, of a text that has markup; the values are escaped."""
    # Safe: the text is ours, or of the workbook, whose notebooks may print markup anyway.
    return Markup(say(text)).format(**values)  # noqa: S704


def say_count_markup(number: int, one: str, many: str, /, **values: object) -> Markup:
    """As `say_count`, of a text that has markup; the values are escaped."""
    return Markup(say_count(number, one, many)).format(**values)  # noqa: S704 - safe for the same reason


def message(text: str) -> str:
    """The text as it is: marks what is translated where it is shown."""
    return text


def language_of(code: str, folder: Path | None = None) -> Language:
    """The language of a code as `de` or `de-AT`, with the messages of `folder` before ours.

    Raises:
        SettingsError: nobody knows the code, there are no messages for it, or a file of messages cannot be used.
    """
    if code == ENGLISH and not (folder and (folder / f"{ENGLISH}.po").is_file()):
        return Language()
    files = [file for name in _names(code) for file in (*([folder / name] if folder else []), _OURS / name)]
    held = tuple(
        (file, file.stat().st_mtime_ns)
        for file in sorted(files, key=lambda file: file.parent == _OURS)
        if file.is_file()
    )
    return _language(code, held)


def languages() -> tuple[str, ...]:
    """The languages that have messages of ours."""
    return (ENGLISH, *sorted(file.stem for file in _OURS.glob("*.po")))


@cache
def _language(code: str, files: tuple[tuple[Path, int], ...]) -> Language:
    from babel import Locale, UnknownLocaleError

    try:
        locale = None if code == ENGLISH else Locale.parse(code, sep="-")
    except (ValueError, UnknownLocaleError) as error:
        raise SettingsError(f"The locale '{code}' is not known.", _remedy(code)) from error
    if not files and code.partition("-")[0] != ENGLISH:
        raise SettingsError(f"There are no words for the locale '{code}'.", _remedy(code))
    found = gettext.NullTranslations()
    for file, _ in reversed(files):
        read = _read(file)
        read.add_fallback(found)
        found = read
    return Language(code, locale, found)


def _names(code: str) -> tuple[str, ...]:
    """The files of a code: of its region, then of its language."""
    return tuple(dict.fromkeys(f"{name}.po" for name in (code, code.partition("-")[0])))


def _remedy(code: str) -> str:
    language = code.partition("-")[0]
    listed = suggest(language, languages())
    return f"{listed} With a region it is written as de-AT. Another needs a file of messages, languages/{language}.po."


def _read(file: Path) -> gettext.GNUTranslations:
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import PoFileError, read_po

    try:
        catalogue = read_po(io.StringIO(file.read_text(encoding="utf-8-sig")), abort_invalid=True)
    except (PoFileError, OSError, ValueError) as error:
        raise SettingsError(
            f"{_short(file)} is no file of messages: {error}.", "Correct it, say with Poedit."
        ) from error
    for entry in catalogue:
        english, texts = (part if isinstance(part, tuple) else (part,) for part in (entry.id, entry.string))
        if entry.id and (unknown := _fields(*texts) - _fields(*english)) and _fields(*english):
            raise SettingsError(
                f"{_short(file)} has {{{sorted(unknown)[0]}}}, which its English lacks: '{english[0]}'.",
                "Use the names of the English text.",
            )
    made = io.BytesIO()
    write_mo(made, catalogue)
    made.seek(0)
    return gettext.GNUTranslations(made)


def _fields(*texts: str) -> set[str]:
    """The names in braces of a text; none where its braces are not for names."""
    try:
        return {name for text in texts for _, name, _, _ in Formatter().parse(text) if name is not None}
    except ValueError:
        return set()


def _short(file: Path) -> str:
    return f"{file.parent.name}/{file.name}"
