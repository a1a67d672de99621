"""The base of every subject of the sample company: its days, months, markets and random numbers.

A new subject is one more module that takes a `Company` (and, if it needs them, its people and visits) and draws from
`company.rng("<subject>", part)`: no subject's draws move those of another.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import cached_property
from itertools import groupby
from typing import Annotated

import numpy as np
import numpy.typing as npt

from tidings import options
from tidings.errors import SettingsError
from tidings.window import Zone, add_days, days_between, first_day, naive_utc

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

SITE = "tidings.example"
APP = "app.tidings.example"

SECOND = 1_000_000
DAY = 86_400 * SECOND

_TWO_YEARS = 730
_GROWTH = 2.2
# Monday first; the site is used for work and bought from at home.
_WEEKLY = (1.08, 1.10, 1.08, 1.04, 0.96, 0.84, 0.90)
_QUIET_DAYS = frozenset({(12, 24), (12, 25), (12, 26), (12, 31), (1, 1)})
_QUIET = 0.6
_YEARLY = 0.10
_PEAK_DAY = 330
_NOISE = 0.05


class Options(options.Options, frozen=True):
    """The options that determine the sample: same options, same rows."""

    seed: Annotated[int, "another seed is another company"] = 20260701
    # Not float alone: 1 and 1.0 are two texts to the fingerprint.
    size: Annotated[int | float, "1 is about a million events in two years"] = 1.0
    end: Annotated[date, "UTC midnight at which its data end"] = date(2026, 7, 1)
    days: Annotated[int, "days of history"] = _TWO_YEARS

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise SettingsError(f"The sample's seed {self.seed} is negative.", "Give a whole number from 0 on.")
        if not 0 < self.size <= 1000:
            raise SettingsError(
                f"The sample's size {self.size:g} is not possible.", "Give a number above 0, 1 for a million events."
            )
        if not 1 <= self.days <= 3650:
            raise SettingsError(f"The sample cannot cover {self.days} days.", "Give 1 to 3650 days.")


@dataclass(frozen=True)
class Market:
    """Where people live: country, time zone, share of the people, currency of the shop there, tax in 1/100 %."""

    country: str
    zone: str
    share: float
    currency: str
    tax: int


MARKETS = (
    Market("DE", "Europe/Berlin", 0.30, "EUR", 1900),
    Market("US", "America/New_York", 0.16, "USD", 0),
    Market("US", "America/Los_Angeles", 0.09, "USD", 0),
    Market("GB", "Europe/London", 0.12, "GBP", 2000),
    Market("FR", "Europe/Paris", 0.10, "EUR", 2000),
    Market("AT", "Europe/Vienna", 0.07, "EUR", 2000),
    Market("CH", "Europe/Zurich", 0.05, "CHF", 810),
    Market("NL", "Europe/Amsterdam", 0.06, "EUR", 2100),
    Market("ES", "Europe/Madrid", 0.03, "EUR", 2100),
    Market("SE", "Europe/Stockholm", 0.02, "EUR", 2500),
)


@dataclass(frozen=True)
class Month:
    """The part of a calendar month (UTC) that the sample covers: days counted from its first, instants in µs."""

    name: str
    first: int
    last: int
    start: int
    end: int


@dataclass(frozen=True)
class Company:
    """The company for some options; days are counted from its first, instants are UTC microseconds."""

    options: Options

    @cached_property
    def dates(self) -> tuple[date, ...]:
        end = self.options.end
        return days_between(add_days(end, -self.options.days), add_days(end, -1))

    @cached_property
    def end(self) -> int:
        """The end of the data, exclusive."""
        return micros(datetime.combine(self.options.end, time.min))

    @cached_property
    def start(self) -> int:
        """The first instant."""
        return micros(datetime.combine(self.dates[0], time.min))

    @cached_property
    def months(self) -> tuple[Month, ...]:
        """Its calendar months, oldest first."""
        found, first = [], 0
        for begin, days in groupby(self.dates, key=lambda day: first_day(day, "month")):
            last = first + len(list(days)) - 1
            start, end = self.start + first * DAY, self.start + (last + 1) * DAY
            found.append(Month(f"{begin:%Y-%m}", first, last, start, end))
            first = last + 1
        return tuple(found)

    @cached_property
    def weekdays(self) -> Ints:
        """Weekday of each day, Monday 0."""
        return np.array([day.weekday() for day in self.dates])

    @cached_property
    def season(self) -> Floats:
        """How busy each day is by its weekday and time of the year; 1 on average."""
        yearly = [
            (1 + _YEARLY * np.cos(2 * np.pi * (day.timetuple().tm_yday - _PEAK_DAY) / 365.25))
            * (_QUIET if (day.month, day.day) in _QUIET_DAYS else 1.0)
            for day in self.dates
        ]
        weekly: Floats = np.array(_WEEKLY)[self.weekdays]
        return weekly * np.array(yearly, np.float64)

    @cached_property
    def demand(self) -> Floats:
        """How much happens on each day: growth, season and chance; about 1 at the end."""
        before_end = np.arange(self.options.days, 0, -1)
        noise = [
            self.rng("days", month.name).normal(0.0, _NOISE, month.last - month.first + 1) for month in self.months
        ]
        trend: Floats = _GROWTH ** (-before_end / _TWO_YEARS)
        return trend * self.season * np.exp(np.concatenate(noise))

    @cached_property
    def midnights(self) -> Ints:
        """Local midnight of each day in each market, as a table market x day."""
        zones = [Zone(market.zone) for market in MARKETS]
        return np.array([[micros(naive_utc(zone.first_instant(day))) for day in self.dates] for zone in zones])

    def rng(self, subject: str, part: str = "") -> np.random.Generator:
        """The random numbers of one subject in one part (a month); equal options give equal numbers."""
        entropy = [self.options.seed, zlib.crc32(subject.encode()), zlib.crc32(part.encode())]
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy)))

    def day_of(self, instants: Ints) -> Ints:
        """The UTC day of each instant, kept inside the days covered."""
        return np.clip((instants - self.start) // DAY, 0, self.options.days - 1)


def micros(instant: datetime) -> int:
    """A naive UTC instant as microseconds since 1970."""
    return int(np.datetime64(instant, "us").astype(np.int64))


def instant(microseconds: int) -> datetime:
    """Microseconds since 1970 as aware UTC."""
    return datetime.fromtimestamp(microseconds // SECOND, UTC)


def choose(rng: np.random.Generator, weights: Sequence[float] | Floats, count: int) -> Ints:
    """`count` indices drawn by weight."""
    edges = np.cumsum(np.asarray(weights, dtype=np.float64))
    found = np.searchsorted(edges, rng.random(count) * edges[-1], side="right")
    chosen: Ints = np.minimum(found, len(edges) - 1).astype(np.int64)
    return chosen


# Weight of each local hour, midnight first.
_WEEKDAY = (6, 3, 2, 1, 1, 2, 8, 20, 36, 48, 54, 52, 46, 46, 50, 48, 44, 42, 46, 58, 70, 66, 42, 18)
_WEEKEND = (10, 6, 3, 2, 1, 1, 4, 10, 22, 38, 50, 52, 48, 46, 48, 50, 50, 48, 52, 60, 66, 60, 40, 20)
_WORK = (2, 1, 1, 1, 1, 3, 12, 34, 70, 88, 90, 84, 60, 72, 84, 82, 74, 52, 30, 26, 28, 24, 14, 6)
_AWAKE = slice(8, 23)


def hour_weights(kind: str) -> tuple[Floats, Floats]:
    """How busy the hours of a weekday and of a day of the weekend are: `visit`, `work`, or `awake` (8 to 23 h)."""
    weekday, weekend = np.array(_WORK if kind == "work" else _WEEKDAY, float), np.array(_WEEKEND, float)
    if kind == "awake":
        night = np.ones(24, bool)
        night[_AWAKE] = False
        weekday[night] = weekend[night] = 0.0
    return weekday, weekend


def instants(company: Company, rng: np.random.Generator, days: Ints, markets: Ints, kind: str) -> Ints:
    """An instant on each local day of each market, in whole milliseconds, by `hour_weights(kind)`."""
    weekday, weekend = hour_weights(kind)
    hours = choose(rng, weekday, len(days))
    at_weekend = company.weekdays[days] >= 5
    hours[at_weekend] = choose(rng, weekend, int(at_weekend.sum()))
    milliseconds = hours * 3_600_000 + rng.integers(0, 3_600_000, len(days))
    return np.asarray(company.midnights[markets, days] + milliseconds * 1000)
