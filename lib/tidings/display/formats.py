"""Formats of numbers in the language in force: short on cards, full in tables, "–" for none.

Units, and in our English groups of three, are separated by narrow no-break spaces, so that a number never wraps.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from markupsafe import Markup

from tidings.currencies import places
from tidings.language import THIN, in_force, say, say_as, say_count
from tidings.metrics.metric import Metric
from tidings.metrics.result import Series, Value, no_source_words, relative_change
from tidings.window import Window

MINUS = "\u2212"
MISSING = "–"
_SCALES = ((Decimal(10) ** 12, "T"), (Decimal(10) ** 9, "B"), (Decimal(10) ** 6, "M"))
_BYTES = ((Decimal(10) ** 12, "TB"), (Decimal(10) ** 9, "GB"), (Decimal(10) ** 6, "MB"), (Decimal(10) ** 3, "kB"))
_IN_FULL = 1_000_000
PLAIN_UNITS = {"count": "", "money": "", "ratio": "%", "score": "", "s": "", "ms": "", "B": ""}  # on axes
_TEXTUAL = ("text", "date", "")


@dataclass(frozen=True)
class Shown:
    """A number and its unit, as the unit is printed in grey."""

    figure: str
    unit: str = ""
    is_unit_first: bool = False

    def __str__(self) -> str:
        if self.is_unit_first:
            return f"{self.unit}{THIN}{self.figure}"
        return f"{self.figure}{THIN}{self.unit}" if self.unit else self.figure

    def __html__(self) -> str:
        if not self.unit:
            return Markup("{}").format(self.figure)
        if self.is_unit_first:
            return Markup('<span class="td-unit">{}{}</span>{}').format(self.unit, THIN, self.figure)
        return Markup('{}<span class="td-unit">{}{}</span>').format(self.figure, THIN, self.unit)


class Printed(str):
    """A number as it is printed, in a column whose rows have different units; keeps value and unit for the record."""

    __slots__ = ("unit", "value")
    value: Any
    unit: str

    def __new__(cls, text: str, value: Any, unit: str) -> Printed:
        """The text, with what it stands for."""
        made = super().__new__(cls, text)
        made.value, made.unit = value, unit
        return made


def printed(value: Any, unit: str) -> Printed:
    """A number as `short` prints it."""
    return Printed(str(short(value, unit)), value, unit)


def is_currency(unit: str) -> bool:
    """True for an ISO currency code such as EUR."""
    return len(unit) == 3 and unit.isascii() and unit.isalpha() and unit.isupper()


def is_number(value: Any) -> bool:
    """Whether a value can be printed and drawn: not None, NaN, infinite or a bool."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return False
    return value.is_finite() if isinstance(value, Decimal) else math.isfinite(value)


def is_numeric_unit(unit: str) -> bool:
    """Whether a column of this unit has numbers, aligned right."""
    return unit not in _TEXTUAL


def short(value: Any, unit: str) -> Shown:
    """A number for cards, sentences and labels: in full below a million, money from a thousand on without cents."""
    if not is_number(value):
        return Shown(MISSING)
    amount = Decimal(str(value))
    if unit == "ratio":
        return Shown(_fixed(amount * 100, _percent_digits(amount * 100)), "%")
    if unit == "ms":
        return Shown(_significant(amount / 1000), "s") if abs(amount) >= 1000 else Shown(_significant(amount, 3), "ms")
    if unit == "s":
        return _duration(amount)
    if unit == "B":
        return _scaled(amount, _BYTES, "B")
    if unit == "score":
        return Shown(_significant(amount, 3))
    figure = _scaled(amount, _SCALES, "")
    if is_currency(unit):
        shown = _fixed(amount, 0 if abs(amount) >= 1000 else places(unit)) if not figure.unit else _with_scale(figure)
        return Shown(shown, unit, in_force().currency_first)
    return Shown(_with_scale(figure), "" if unit in ("count", "money") else unit_word(unit))


def column_places(values: Iterable[Any], unit: str) -> int | None:
    """The decimals of a column of plain numbers, by its largest, so that points stand below each other; else None."""
    if unit in ("ratio", "points", "money", "s", "B", *_TEXTUAL) or is_currency(unit):
        return None
    numbers = [Decimal(str(value)) for value in values if is_number(value)]
    most = max(map(abs, numbers), default=Decimal(0))
    if unit == "ms":
        return 0 if most >= 100 else 1
    if all(number == number.to_integral_value() for number in numbers):
        return 0
    return 1 if most >= 100 else 2 if most >= 1 else 3


def full(value: Any, unit: str, decimals: int | None = None) -> str:
    """A number or text for a table cell, unrounded as far as readable; the column head has the unit.

    `decimals` are those of its column.
    """
    if value is None or (isinstance(value, float | Decimal) and not is_number(value)):
        return MISSING
    if isinstance(value, bool):
        return say("yes") if value else say("no")
    if isinstance(value, datetime):
        return f"{day(value.date())}, {value:%H:%M}"
    if isinstance(value, date):
        return day(value)
    if not is_number(value):
        return str(value)
    amount = Decimal(str(value))
    if decimals is not None:
        return _fixed(amount, decimals)
    if unit == "ratio":
        return _fixed(amount * 100, _percent_digits(amount * 100)) + THIN + "%"
    if unit == "points":
        return points(float(amount))
    if unit == "money" or is_currency(unit):
        return _fixed(amount, money_places(amount, places(unit)))
    if unit == "ms":
        return _fixed(amount, 0 if abs(amount) >= 100 else 1)
    if unit == "s":
        return str(_duration(amount))
    if unit == "B":
        return str(_scaled(amount, _BYTES, "B"))
    if amount == amount.to_integral_value():
        return _fixed(amount, 0)
    return _fixed(amount, 1 if abs(amount) >= 100 else 2 if abs(amount) >= 1 else 3)


def head_unit(unit: str) -> str:
    """The unit for a column head; empty if every cell has it."""
    return unit if unit == "ms" or is_currency(unit) else ""


def day(value: date) -> str:
    """A day as "30 Jun 2026"."""
    return in_force().day(value)


def percent(change: float) -> str:
    """A signed relative change as "+2.7 %"; from 1,000 times on as a factor."""
    if abs(change) >= 10:
        return f"{'+' if change > 0 else MINUS}{_fixed(Decimal(str(abs(change))) * 100, 0)}{THIN}%"
    amount = _fixed(abs(Decimal(str(change))) * 100, 1)
    return f"{_sign(amount, change)}{amount}{THIN}%"


def percentage(share: float) -> str:
    """A ratio as a percentage with one decimal and no unit, for tables with the unit elsewhere."""
    return _fixed(Decimal(str(share)) * 100, 1)


def fixed(value: float, decimals: int) -> str:
    """A number with so many decimals."""
    return _fixed(Decimal(str(value)), decimals)


def signed(value: Any, unit: str) -> str:
    """A difference with its sign, short: "+1.2k EUR"."""
    if not is_number(value):
        return MISSING
    shown = str(short(abs(value), unit))
    return f"±{shown}" if value == 0 else f"{'+' if value > 0 else MINUS}{shown}"


def points(change: float) -> str:
    """A signed difference of two rates as "+0.22 points": per cent of per cent is read as something else."""
    amount = abs(Decimal(str(change)) * 100)
    figure = _fixed(amount, 2 if amount < 10 else 1)
    return f"{_sign(figure, change)}{figure}{THIN}{say_as('rates', 'points')}"


def difference(now: Any, before: Any, unit: str) -> str:
    """A change in print: of rates in points, else relative; "–" where there is none."""
    if not is_number(now) or not is_number(before):
        return MISSING
    if unit == "ratio":
        return points(float(now) - float(before))
    change = relative_change(now, before)
    return MISSING if change is None or not math.isfinite(change) else percent(change)


def full_change(change: Any, unit: str) -> str:
    """A change in a table: relative, or in points where its unit says so."""
    if not is_number(change):
        return MISSING
    return points(float(change)) if unit == "points" else percent(float(change))


def arrowed(text: str) -> str:
    """A signed change with an arrow, which is read before the sign is."""
    return {"+": f"▲ {text}", MINUS: f"▼ {text}", "±": f"= {text}"}.get(text[:1], text)


def compared_with(window: Window, before: Window) -> str:
    """The words that name a comparison: "the 28 days before", "the same weekdays a year before", or its days."""
    if before == window.year_before():
        return say("the same weekdays a year before")
    if before == window.previous():
        return say_count(window.days, "the day before", "the {days} days before", days=window.days)
    if before == window.same_weekdays():
        return say("the same weekdays before")
    return say_as("comparison", "{days}", days=before.label)


def why_missing(metric: Metric) -> str:
    """Why a metric has no value over a window (C9, C11): a clause without a full stop."""
    if metric.unit == "money" and metric.kind == "flow":
        # Without rows it would be 0.
        return say("no exchange rate for any of its amounts")
    return {
        "ratio": say("nothing to divide by in this window"),
        "quantile": say("no rows in this window"),
        "stock": say("no level known at the end of this window"),
    }.get(metric.kind) or say("no data in this window")


def why_unknown(item: Value | Series) -> str:
    """Why a value or a series is not known, in words: a clause without a full stop."""
    return no_source_words(item.why) or why_missing(item.metric)


def plural(number: int, word: str) -> str:
    """A count with its noun: "1 row", "2 rows". Messages have it as "{n} row" and "{n} rows"."""
    return say_count(number, f"{{n}} {word}", f"{{n}} {word}s", n=full(number, "count"))


def unit_word(unit: str) -> str:
    """A unit that is a word, as it is printed after a value: "stars"."""
    return say_as("unit", unit) if unit.islower() else unit


def _sign(figure: str, change: float) -> str:
    """The sign of what is printed as this figure, in which a small change may be nothing."""
    return "±" if not any(digit in figure for digit in "123456789") else "+" if change > 0 else MINUS


def _with_scale(figure: Shown) -> str:
    """A figure with its scale: "1.2M"."""
    return figure.figure + say_as("scale", figure.unit) if figure.unit else figure.figure


def money_places(amount: Decimal, usual: int) -> int:
    """Decimals of an amount in full; small amounts get more, as the cost of a call may be below a cent."""
    least = Decimal(1).scaleb(min(0, 1 - usual))
    return usual + 3 if 0 < abs(amount) < least else usual


def _percent_digits(amount: Decimal) -> int:
    # 99.95 % and 99.99 % differ by a factor of five in errors, and one quantity has one format on a page.
    return 2 if abs(amount) < 10 or 99 <= abs(amount) < 100 else 1 if abs(amount) < 1000 else 0


def _scaled(amount: Decimal, scales: tuple[tuple[Decimal, str], ...], base: str) -> Shown:
    # 999 999.6 must become 1M, not 1 000 000: the rounded amount decides the scale.
    rounded = amount.quantize(Decimal(1).scaleb(amount.adjusted() - 3), rounding=ROUND_HALF_UP) if amount else amount
    for size, letter in scales:
        if abs(rounded) >= size and (abs(rounded) >= _IN_FULL or base):
            return Shown(_significant(rounded / size), letter)
    if amount == amount.to_integral_value() or abs(amount) >= 1000:
        return Shown(_fixed(amount, 0), base)
    return Shown(_significant(amount, 3), base)


def _significant(amount: Decimal, digits: int = 4) -> str:
    if amount == 0:
        return "0"
    places = max(0, min(digits - 1 - amount.adjusted(), 6))
    text = _fixed(amount, places)
    mark = in_force().decimal_mark
    return text.rstrip("0").rstrip(mark) if places and mark in text else text


def _fixed(amount: Decimal, places: int) -> str:
    rounded = amount.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)
    text = in_force().number(rounded, places)
    return MINUS + text if rounded < 0 else text


def _duration(amount: Decimal) -> Shown:
    if abs(amount) < 60:
        return Shown(_significant(amount, 3), "s")
    sign = MINUS if amount < 0 else ""
    seconds = int(abs(amount).quantize(Decimal(1), rounding=ROUND_HALF_UP))
    minutes, rest = divmod(seconds, 60)
    if minutes < 60:
        return Shown(f"{sign}{minutes}{THIN}min {rest:02d}", "s")
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return Shown(f"{sign}{hours}{THIN}h {minutes:02d}", "min")
    return Shown(f"{sign}{hours // 24}{THIN}d {hours % 24:02d}", "h")
