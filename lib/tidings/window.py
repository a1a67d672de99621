"""Time: zones, windows, calendar periods. The only date arithmetic of the package.

Instants in tables are naive UTC timestamps; instants in Python are aware. Days are local days of a report's
zone (metric definitions C1-C4, C12, C13). Nothing here reads the clock.
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Literal, cast, get_args
from zoneinfo import ZoneInfo

import ibis
import ibis.expr.types as ir

from tidings.errors import WindowError, suggest
from tidings.language import in_force

Unit = Literal["day", "week", "month", "quarter", "year"]
FiscalUnit = Literal["quarter", "year"]
WeekStart = Literal["monday", "sunday"]
State = Literal["complete", "incomplete", "future"]
Comparison = Literal["previous", "weekdays", "year", "none"]

LATEST = "latest"
"""As `as_of`: the end of the data."""
_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
_TRUNCATE: dict[Unit, Literal["D", "W", "M", "Q", "Y"]] = {
    "day": "D",
    "week": "W",
    "month": "M",
    "quarter": "Q",
    "year": "Y",
}

# Days from a period's start that always reach into the next period and never beyond it.
_INTO_NEXT: dict[Unit, int] = {"day": 1, "week": 7, "month": 31, "quarter": 92, "year": 366}


@dataclass(frozen=True)
class Zone:
    """A report's calendar: an IANA time zone and the weekday on which weeks start (C2, C3).

    Raises:
        WindowError: the zone or the weekday is not known.
    """

    name: str = "UTC"
    week_start: WeekStart = "monday"

    def __post_init__(self) -> None:
        if self.week_start not in get_args(WeekStart):
            raise WindowError(
                f"Weeks cannot start on '{self.week_start}'.", suggest(str(self.week_start), get_args(WeekStart))
            )
        try:
            ZoneInfo(self.name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise WindowError(
                f"Time zone '{self.name}' is not known.",
                suggest(self.name, zoneinfo.available_timezones()) + " Give an IANA name such as 'Europe/Berlin'.",
            ) from error

    @property
    def info(self) -> ZoneInfo:
        return ZoneInfo(self.name)

    def first_instant(self, day: date) -> datetime:
        """First instant of a local day, aware UTC: the earliest that shows this date or a later one.

        If the clock skips midnight, that is the change itself; if midnight repeats, the first one. A date that the zone
        skipped (Samoa, 2011-12-30) has no instant: it starts where the day after it starts.

        Raises:
            WindowError: the instant lies outside the years 1 to 9999.
        """
        midnight = datetime.combine(day, time.min, self.info)
        try:
            first = midnight.astimezone(UTC)
        except OverflowError as error:
            raise WindowError(f"{day} in {self.name} lies outside the calendar.", "Give a later date.") from error
        if first.astimezone(self.info).replace(tzinfo=None) == midnight.replace(tzinfo=None):
            return first
        # In a gap the offset before the change reads midnight too late, the one after it too early.
        return self._change(midnight.replace(fold=1).astimezone(UTC), first)

    def day_of(self, instant: datetime) -> date:
        """Local date of an instant (a naive one is UTC)."""
        return as_utc(instant).astimezone(self.info).date()

    def first_day(self, day: date, unit: Unit) -> date:
        """First local date of the calendar period that contains `day`."""
        return first_day(day, unit, self.week_start)

    def local(self, ts: ir.TimestampValue, start: datetime, end: datetime) -> ir.TimestampValue:
        """Naive UTC timestamps as naive local wall clock, in pure Ibis.

        A CASE over the zone's changes in [`start`, `end`) (naive bounds are UTC): exact for timestamps in that range,
        beyond it the nearest offset is used. Both passes of a repeated hour read the same.
        """
        offsets = _offsets(self.name, as_utc(start), as_utc(end))
        shifted = [ts if offset == 0 else ts + ibis.interval(seconds=offset) for _, offset in offsets]
        if len(offsets) == 1:
            return cast(ir.TimestampValue, shifted[0])
        branches = [(ts < literal(offsets[i + 1][0]), shifted[i]) for i in range(len(offsets) - 1)]
        return cast(ir.TimestampValue, ibis.cases(*branches, else_=shifted[-1]))

    def first_instants(self, midnights: ir.TimestampValue, first: date, last: date) -> ir.TimestampValue:
        """`first_instant` of days given as naive midnights, as naive UTC in pure Ibis, exact from `first` to `last`."""
        found: list[tuple[date, int]] = []
        for day in days_between(first, max(first, last)):
            early = datetime.combine(day, time.min, UTC) - self.first_instant(day)
            seconds = round(early.total_seconds())
            if not found or found[-1][1] != seconds:
                found.append((day, seconds))
        moved = [midnights if seconds == 0 else midnights - ibis.interval(seconds=seconds) for _, seconds in found]
        if len(found) == 1:
            return cast(ir.TimestampValue, moved[0])
        starts = [literal(datetime.combine(day, time.min)) for day, _ in found]
        branches = [(midnights < starts[i + 1], moved[i]) for i in range(len(found) - 1)]
        return cast(ir.TimestampValue, ibis.cases(*branches, else_=moved[-1]))

    def _change(self, low: datetime, high: datetime) -> datetime:
        """First instant in (`low`, `high`] with the offset of `high`; the offset changes once in between."""
        before = low.astimezone(self.info).utcoffset()
        while high - low > _SECOND:
            middle = low + (high - low) // (2 * _SECOND) * _SECOND
            if middle.astimezone(self.info).utcoffset() == before:
                low = middle
            else:
                high = middle
        return high


@lru_cache(maxsize=64)
def _offsets(name: str, start: datetime, end: datetime) -> tuple[tuple[datetime, int], ...]:
    """Offset changes in [`start`, `end`): (from, seconds east of UTC), the first being the offset at `start`."""
    zone = Zone(name)

    def offset(instant: datetime) -> int:
        shift = instant.astimezone(zone.info).utcoffset()
        return 0 if shift is None else round(shift.total_seconds())

    # Whole seconds: a change never falls between two.
    here = start.replace(microsecond=0)
    found = [(here, offset(here))]
    while here < end:
        # No zone of the tz database ever changed twice within a day.
        there = min(here + _DAY, end.replace(microsecond=0) + _SECOND)
        if offset(there) != found[-1][1]:
            change = zone._change(here, there)
            if change < end:
                found.append((change, offset(change)))
        here = there
    return tuple(found)


@dataclass(frozen=True)
class Period:
    """A calendar period in local dates, `end` exclusive, and whether it had passed at `as_of` (C12)."""

    start: date
    end: date
    unit: Unit
    state: State
    label: str

    @property
    def last_day(self) -> date:
        """The last local day of the period."""
        return self.end - _DAY


@dataclass(frozen=True)
class Window:
    """Local days from `start` up to but not including `end`, seen at `as_of` (aware UTC; C4, C12).

    Raises:
        WindowError: `end` is not after `start`, or `as_of` carries no offset.
    """

    start: date
    end: date
    zone: Zone
    as_of: datetime

    def __post_init__(self) -> None:
        if self.end <= self.start:
            raise WindowError(
                f"The window from {self.start} to {self.end - _DAY} holds no day.", "Give a 'from' not after its 'to'."
            )
        if self.as_of.tzinfo is None:
            raise WindowError(f"as_of {self.as_of.isoformat()} has no offset.", "Read it with parse_as_of().")
        object.__setattr__(self, "as_of", self.as_of.astimezone(UTC))

    @classmethod
    def last(cls, days: int, as_of: datetime, zone: Zone) -> Window:
        """The `days` complete local days before `as_of`.

        Raises:
            WindowError: `days` is less than 1 or reaches before the year 1.
        """
        if days < 1:
            raise WindowError(f"A window of {days} days is not possible.", "Give days=1 or more.")
        end = zone.day_of(as_of)
        return cls(add_days(end, -days), end, zone, as_of)

    @classmethod
    def between(cls, first: date, last: date, as_of: datetime, zone: Zone) -> Window:
        """The local days from `first` to `last`, both included (C4).

        Raises:
            WindowError: `first` is after `last`.
        """
        if first > last:
            raise WindowError(f"The window starts on {first}, after its end on {last}.", "Exchange the two dates.")
        return cls(first, add_days(last, 1), zone, as_of)

    @property
    def days(self) -> int:
        """Local days; a day of 23 or 25 hours is one."""
        return (self.end - self.start).days

    @property
    def last_day(self) -> date:
        """The last local day of the window."""
        return self.end - _DAY

    @property
    def start_at(self) -> datetime:
        """First instant, aware UTC."""
        return self.zone.first_instant(self.start)

    @property
    def end_at(self) -> datetime:
        """First instant after the window, aware UTC."""
        return self.zone.first_instant(self.end)

    @property
    def is_complete(self) -> bool:
        """True if the whole window had passed at `as_of`."""
        return self.end_at <= self.as_of

    @property
    def label(self) -> str:
        """The days for a reader: `2 – 29 Jun 2026`."""
        return label_days(self.start, self.last_day)

    def distance(self, before: Window) -> int:
        """How many days it begins after another."""
        return (self.start - before.start).days

    def shift(self, days: int) -> Window:
        """The same number of days, `days` later (earlier if negative), with the same `as_of`."""
        return replace(self, start=add_days(self.start, days), end=add_days(self.end, days))

    def previous(self) -> Window:
        """The same number of days immediately before (C13)."""
        return self.shift(-self.days)

    def same_weekdays(self) -> Window:
        """Moved back by the fewest whole weeks that do not overlap: weekdays match."""
        return self.shift(-7 * -(-self.days // 7))

    def year_before(self) -> Window:
        """Moved back by 364 days: the same days last year, with matching weekdays."""
        return self.shift(-364)

    def grain(self, most: int = 400) -> Unit:
        """The finest unit in which the window has no more than `most` points: days of a year, weeks of five."""
        days_of: Mapping[Unit, int] = {"day": 1, "week": 7, "month": 30, "quarter": 91}
        return next((unit for unit, days in days_of.items() if self.days <= most * days), "year")

    def compare(self, how: Comparison) -> Window | None:
        """The window to compare with: `previous`, `weekdays`, `year`, or None for `none`.

        Raises:
            WindowError: `how` is none of these.
        """
        if how not in get_args(Comparison):
            raise WindowError(f"Comparison '{how}' is not known.", suggest(str(how), get_args(Comparison)))
        if how == "none":
            return None
        return {"previous": self.previous, "weekdays": self.same_weekdays, "year": self.year_before}[how]()

    def to_date(self, unit: Unit) -> tuple[Window, Window]:
        """The calendar period to date, and the same number of days of the period before it.

        It ends with the window's last day that was complete at `as_of`; the period is the one that contains this day,
        so on the first of a month the month to date is the complete month just ended. A shorter previous period is used
        in full: 1 – 31 March is compared with 1 – 28 February.
        """
        return self._so_far(lambda day: self.zone.first_day(day, unit))

    def _so_far(self, first_of: Callable[[date], date]) -> tuple[Window, Window]:
        end = min(self.end, self.zone.day_of(self.as_of))
        start = first_of(add_days(end, -1))
        before = first_of(add_days(start, -1))
        return (
            replace(self, start=start, end=end),
            replace(self, start=before, end=min(before + (end - start), start)),
        )

    def widened(self, unit: Unit) -> Window:
        """Extended to full calendar periods at both ends."""
        return replace(
            self,
            start=self.zone.first_day(self.start, unit),
            end=next_first_day(self.last_day, unit, self.zone.week_start),
        )

    def periods(self, unit: Unit, more: int = 0) -> tuple[Period, ...]:
        """The full calendar periods that this window touches and `more` after them, oldest first, each with its state.

        They may reach beyond the window (`widened`): a period is never cut short, so its value matches its name.
        """
        return tuple(self._periods(unit, more))

    def day_table(self) -> ir.Table:
        """The window's local days as Ibis table, one row and one column `day` each."""
        first, end = (
            ibis.literal(datetime.combine(day, time.min), type="timestamp(6)") for day in (self.start, self.end)
        )
        moments = ibis.range(first, end, ibis.interval(days=1)).unnest().name("moment").as_table()
        return moments.select(day=moments.moment.date())

    def _periods(self, unit: Unit, more: int) -> Iterator[Period]:
        start = self.zone.first_day(self.start, unit)
        while start < self.end or more > 0:
            more -= start >= self.end
            end = next_first_day(start, unit, self.zone.week_start)
            state: State = "incomplete"
            if self.zone.first_instant(end) <= self.as_of:
                state = "complete"
            elif self.zone.first_instant(start) >= self.as_of:
                state = "future"
            yield Period(start, end, unit, state, label_period(start, end, unit))
            start = end

    def holds(self, ts: ir.TimestampValue) -> ir.BooleanValue:
        """True for naive UTC timestamps in the window and before `as_of`: start_at <= ts < min(end_at, as_of)."""
        end = literal(min(self.end_at, self.as_of))
        return cast(ir.BooleanValue, (ts >= literal(self.start_at)) & (ts < end))


@dataclass(frozen=True)
class FiscalPeriod:
    """A fiscal year or one of its quarters in local dates, `end` exclusive; `quarter` is None for the whole year.

    `year` is the calendar year in which the fiscal year ends, by which both are called: FY2027, FY2027 Q1.
    """

    start: date
    end: date
    year: int
    quarter: int | None = None

    @property
    def last_day(self) -> date:
        """The last local day that belongs to the period."""
        return self.end - _DAY

    @property
    def label(self) -> str:
        """Its name for a reader."""
        return f"FY{self.year}" if self.quarter is None else f"FY{self.year} Q{self.quarter}"


@dataclass(frozen=True)
class Calendar:
    """What a business calls a year and a working day: zone, fiscal year, weekdays of business, holidays (C15, C16).

    The fiscal year begins on the first of the month `fiscal_start`. Weekdays are those of ISO (Monday 1). `holidays`
    are names by day, own closed days among them; `working` are days off by their weekday on which the country works.
    Where `known` is set (first and last day), a day outside of it is refused, as nobody knows whether it is a holiday;
    `country` is whose they are, for that sentence.

    Raises:
        WindowError: there is no such month or weekday, or no weekday of business.
    """

    zone: Zone = Zone()
    fiscal_start: int = 1
    business_weekdays: frozenset[int] = frozenset({1, 2, 3, 4, 5})
    holidays: Mapping[date, str] = field(default_factory=dict)
    working: frozenset[date] = frozenset()
    known: tuple[date, date] | None = None
    country: str = ""

    def __post_init__(self) -> None:
        if self.fiscal_start not in range(1, 13):
            raise WindowError(f"There is no month {self.fiscal_start} for a fiscal year to begin.", "Give 1 to 12.")
        if not self.business_weekdays or not self.business_weekdays <= set(range(1, 8)):
            raise WindowError(
                f"{sorted(self.business_weekdays)} are no weekdays of business.", "Give some of 1 (Monday) to 7."
            )

    def fiscal(self, day: date, unit: FiscalUnit = "year") -> FiscalPeriod:
        """The fiscal year or quarter that holds a day.

        Raises:
            WindowError: `unit` is neither, or the period reaches beyond the years 1 to 9999.
        """
        if unit not in get_args(FiscalUnit):
            raise WindowError(f"'{unit}' is not a fiscal period.", suggest(str(unit), get_args(FiscalUnit)))
        passed = (day.month - self.fiscal_start) % 12
        year = _months_after(day, 12 - passed) - _DAY
        if unit == "year":
            return FiscalPeriod(_months_after(day, -passed), add_days(year, 1), year.year)
        start = _months_after(day, -(passed % 3))
        return FiscalPeriod(start, _months_after(start, 3), year.year, passed // 3 + 1)

    def fiscal_window(self, day: date, as_of: datetime, unit: FiscalUnit = "year") -> Window:
        """The whole fiscal year or quarter that holds a day, also where some of it is yet to come.

        Raises:
            WindowError: as `fiscal`.
        """
        period = self.fiscal(day, unit)
        return Window(period.start, period.end, self.zone, as_of)

    def fiscal_to_date(self, window: Window, unit: FiscalUnit = "year") -> tuple[Window, Window]:
        """The fiscal year or quarter so far, and as many days of the one before it, as `Window.to_date` has them.

        Raises:
            WindowError: as `fiscal`.
        """
        return window._so_far(lambda day: self.fiscal(day, unit).start)

    def holiday(self, day: date) -> str:
        """The name of the holiday on a day; empty where it is none.

        Raises:
            WindowError: whether it is one is not known.
        """
        name = self.holidays.get(day, "")
        if not name and self.known is not None and not self.known[0] <= day <= self.known[1]:
            raise WindowError(
                f"Whether {day} is a holiday is not known: those of {self.country} are from {self.known[0]} to "
                f"{self.known[1]}.",
                "Ask for days in between.",
            )
        return name

    def is_business_day(self, day: date) -> bool:
        """True for a weekday of business that is no holiday.

        Raises:
            WindowError: whether it is a holiday is not known.
        """
        return not self.holiday(day) and (self.is_business_weekday(day) or day in self.working)

    def is_business_weekday(self, day: date) -> bool:
        """True where only a holiday keeps the business closed."""
        return day.isoweekday() in self.business_weekdays

    def holidays_in(self, window: Window) -> Mapping[date, str]:
        """The names of the holidays in a window by day, those on days that are off anyway among them.

        Raises:
            WindowError: of some day it is not known whether it is one.
        """
        named = ((day, self.holiday(day)) for day in days_between(window.start, window.last_day))
        return {day: name for day, name in named if name}

    def business_days(self, window: Window) -> tuple[date, ...]:
        """The business days of a window; `len` of it counts them.

        Raises:
            WindowError: of some day it is not known whether it is a holiday.
        """
        return tuple(day for day in days_between(window.start, window.last_day) if self.is_business_day(day))

    def nth_business_day(self, month: date, n: int) -> date:
        """The first (1), second (2), last (-1) business day of the month that holds a day.

        Raises:
            WindowError: the month has fewer, `n` is 0, or it is not known which days are holidays.
        """
        start = _months_after(month, 0)
        days = [day for day in days_between(start, _months_after(month, 1) - _DAY) if self.is_business_day(day)]
        if n == 0 or abs(n) > len(days):
            raise WindowError(
                f"{in_force().month(start)} has {len(days)} business days: there is no number {n}.",
                "Count from 1, or from -1 for the last.",
            )
        return days[n - 1 if n > 0 else n]

    def next_business_day(self, day: date) -> date:
        """The first business day after a day.

        Raises:
            WindowError: it is not known which days are holidays.
        """
        return self._business_day(day, 1)

    def previous_business_day(self, day: date) -> date:
        """The last business day before a day.

        Raises:
            WindowError: it is not known which days are holidays.
        """
        return self._business_day(day, -1)

    def _business_day(self, day: date, step: int) -> date:
        day = add_days(day, step)
        while not self.is_business_day(day):
            day = add_days(day, step)
        return day


def as_utc(instant: datetime) -> datetime:
    """Aware UTC; an instant without an offset is UTC (C1)."""
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def naive_utc(instant: datetime) -> datetime:
    """Naive UTC, as instants are stored in tables."""
    return as_utc(instant).replace(tzinfo=None)


def literal(instant: datetime) -> ir.TimestampScalar:
    """An instant as Ibis literal to compare stored timestamps with: naive UTC."""
    return cast(ir.TimestampScalar, ibis.literal(naive_utc(instant), type="timestamp(6)"))


def hours_before(instant: datetime, hours: int) -> datetime:
    """The instant so many hours earlier, aware UTC."""
    return as_utc(instant) - timedelta(hours=hours)


def hours_after(moment: datetime, hours: int) -> datetime:
    """The moment so many hours of 60 minutes later, aware or naive as it was."""
    return moment + timedelta(hours=hours)


def seconds_after(moment: datetime, seconds: float) -> datetime:
    """The moment so many seconds later (earlier if negative), aware or naive as it was."""
    return moment + timedelta(seconds=seconds)


def next_time_of_day(instant: datetime, at: time, zone: Zone) -> datetime:
    """The first instant after another at which it is that local time, aware UTC."""
    day = zone.day_of(instant)
    found = instant_of(datetime.combine(day, at), None, zone)
    return found if found > instant else instant_of(datetime.combine(add_days(day, 1), at), None, zone)


def days_since(instant: datetime, now: datetime) -> float:
    """Days of 24 hours from one instant to another; negative if the second is earlier."""
    return (as_utc(now) - as_utc(instant)) / _DAY


def seconds_between(first: datetime, last: datetime) -> float:
    """Seconds from one instant to another; negative if the second is earlier."""
    return (as_utc(last) - as_utc(first)).total_seconds()


def seconds_before(ts: ir.TimestampValue, as_of: datetime) -> ir.IntegerValue:
    """Seconds from a stored timestamp to `as_of`, rounded up; 0 or less from `as_of` on."""
    # Engines count boundaries crossed as the difference in seconds, which is off if `as_of` has a fraction.
    return cast(ir.IntegerValue, (literal(as_of).delta(ts, unit="microsecond") / 1_000_000).ceil().cast("int64"))


def end_of_local_day(instant: datetime, zone: Zone) -> datetime:
    """End (exclusive, aware UTC) of the local day that contains an instant."""
    return zone.first_instant(add_days(zone.day_of(instant), 1))


def add_days(day: date, days: int) -> date:
    """The date `days` later (earlier if negative).

    Raises:
        WindowError: it lies outside the years 1 to 9999.
    """
    try:
        return day + timedelta(days=days)
    except OverflowError as error:
        raise WindowError(f"{days} days from {day} lies outside the calendar.", "Give fewer days.") from error


def _months_after(day: date, months: int) -> date:
    """The first of the month that lies so many months after that of a day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    try:
        return date(year, month + 1, 1)
    except ValueError as error:
        raise WindowError(f"{months} months from {day} lies outside the calendar.", "Give another day.") from error


def days_between(first: date, last: date) -> tuple[date, ...]:
    """Every date from `first` to `last`, both included; empty if `first` is after `last`."""
    return tuple(first + timedelta(days=n) for n in range((last - first).days + 1))


def first_day(day: date, unit: Unit, week_start: WeekStart = "monday") -> date:
    """First date of the calendar period that contains `day`.

    Raises:
        WindowError: `unit` is not day, week, month, quarter or year.
    """
    _require_unit(unit)
    match unit:
        case "day":
            return day
        case "week":
            return add_days(day, -(day.weekday() if week_start == "monday" else day.isoweekday() % 7))
        case "month":
            return day.replace(day=1)
        case "quarter":
            return date(day.year, (day.month - 1) // 3 * 3 + 1, 1)
        case "year":
            return date(day.year, 1, 1)


def next_first_day(day: date, unit: Unit, week_start: WeekStart = "monday") -> date:
    """First date of the calendar period after the one that contains `day`."""
    start = first_day(day, unit, week_start)
    return first_day(add_days(start, _INTO_NEXT[unit]), unit, week_start)


def period_start(ts: ir.TimestampValue | ir.DateValue, unit: Unit, week_start: WeekStart = "monday") -> ir.DateValue:
    """First date of the period that contains each local timestamp or date, in portable Ibis (C2, C3).

    Raises:
        WindowError: `unit` is not day, week, month, quarter or year.
    """
    _require_unit(unit)
    # Timestamps throughout: engines disagree whether a date truncated or moved by days is still a date.
    clock = ts.cast("timestamp(6)")
    if unit == "week" and week_start == "sunday":
        return cast(ir.DateValue, ((clock + ibis.interval(days=1)).truncate("W") - ibis.interval(days=1)).date())
    return cast(ir.DateValue, clock.truncate(_TRUNCATE[unit]).date())


def period_after(start: ir.DateValue, unit: Unit, week_start: WeekStart = "monday") -> ir.DateValue:
    """First day of the period after the one that starts on each date, in portable Ibis."""
    return period_start(days_after(start, _INTO_NEXT[unit]), unit, week_start)


def period_number(start: ir.DateValue, unit: Unit, week_start: WeekStart = "monday") -> ir.IntegerValue:
    """A running number of the period that starts on each date: the next period has the next number."""
    _require_unit(unit)
    if unit in ("day", "week"):
        # Counted from the first day of a week, so that weeks divide evenly.
        origin = first_day(date(2000, 1, 3), "week", week_start)
        days = start.delta(ibis.literal(origin), unit="day")
        return cast(ir.IntegerValue, (days if unit == "day" else (days / 7).floor()).cast("int64"))
    months = start.year().cast("int64") * 12 + start.month() - 1
    return cast(ir.IntegerValue, (months / {"month": 1, "quarter": 3, "year": 12}[unit]).floor().cast("int64"))


def days_after(day: ir.DateValue, days: int) -> ir.DateValue:
    """Dates `days` later (earlier if negative), in portable Ibis."""
    return cast(ir.DateValue, (day.cast("timestamp(6)") + ibis.interval(days=days)).date())


def midnights(ts: ir.TimestampValue, zone: Zone, first: datetime, last: datetime) -> ir.BooleanValue:
    """True for timestamps that are the first instant of a local day; exact from `first` to `last`."""
    local = zone.local(ts, first, last)
    return cast(ir.BooleanValue, local == local.truncate("D"))


def days_without(days: ir.Table, by: Sequence[str]) -> ir.Table:
    """For each `day` of a table, in `days_without`: how many days lie between it and the previous one of its group."""
    before = days["day"].lag().over(ibis.window(group_by=list(by), order_by=days["day"]))
    return days.mutate(days_without=days["day"].delta(before, unit="day") - 1)


def calendar(bounds: ir.Table) -> ir.Table:
    """The calendar, one row per day from `first` to `last` (dates, both included) of the one-row table `bounds`.

    Columns: day; week (its Monday), month, quarter, year (first dates); iso_weekday (Monday 1); is_weekend.
    Null bounds give no row.
    """
    first, last = bounds["first"].cast("timestamp(6)"), bounds["last"].cast("timestamp(6)")
    moments = ibis.range(first, last + ibis.interval(days=1), ibis.interval(days=1))
    days = bounds.select(day=moments.unnest())
    weekday = days.day.day_of_week.index().cast("int64") + 1
    units: tuple[Unit, ...] = ("day", "week", "month", "quarter", "year")
    return days.select(
        **{unit: period_start(days.day, unit) for unit in units}, iso_weekday=weekday, is_weekend=weekday >= 6
    )


def parse_date(text: str) -> date:
    """A local date written as `2026-07-01`.

    Raises:
        WindowError: the text is not such a date.
    """
    try:
        return date.fromisoformat(text.strip())
    except ValueError as error:
        raise WindowError(f"'{text}' is not a date.", "Write it as 2026-07-01.") from error


@dataclass(frozen=True)
class Span:
    """Local days from `first` to `last`, both included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.last - self.first).days + 1


def parse_span(text: str) -> Span:
    """The days of a year, quarter, month or day written as `2026`, `2026-Q2`, `2026-06` or `2026-06-15`.

    Raises:
        WindowError: the text is none of these.
    """
    found = re.fullmatch(r"(\d{4})(?:-(?:[Qq]([1-4])|(\d\d)(?:-(\d\d))?))?", text.strip())
    if found is None:
        raise WindowError(f"'{text}' is not a period.", "Write it as 2026, 2026-Q2, 2026-06 or 2026-06-15.")
    year, quarter, month, day = found.groups()
    unit: Unit = "day" if day else "month" if month else "quarter" if quarter else "year"
    first = parse_date(f"{year}-{month or f'{3 * int(quarter or 1) - 2:02d}'}-{day or '01'}")
    return Span(first, add_days(next_first_day(first, unit), -1))


def as_date(day: date | str) -> date:
    """A local date, given as a date or as text.

    Raises:
        WindowError: the text is not a date, or the value is an instant.
    """
    if isinstance(day, str):
        return parse_date(day)
    if isinstance(day, datetime) or not isinstance(day, date):
        raise WindowError(f"{day!r} is not a date.", "Give a date, or write it as 2026-07-01.")
    return day


def parse_instant(text: str, zone: Zone | None = None) -> datetime:
    """An ISO 8601 date or time as aware UTC; without an offset it is local to `zone`, UTC if none is given (C1).

    A repeated local time is the first one; a skipped one is read with the offset before.

    Raises:
        WindowError: the text is not ISO 8601 or lies outside the years 1 to 9999.
    """
    written = text.strip()
    if written.endswith(" UTC"):
        written = written.removesuffix(" UTC") + "+00:00"
    try:
        read = datetime.fromisoformat(written)
        if read.tzinfo is None:
            read = read.replace(tzinfo=zone.info if zone else UTC)
        return read.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise WindowError(
            f"'{text}' is not a date or time.",
            "Write 2026-07-01, 2026-07-01T08:30 or 2026-07-01T08:30:00+02:00 (ISO 8601).",
        ) from error


def instant_of(
    wall: datetime, offset_minutes: int | None, zone: Zone, more_seconds: int = 0, more_micros: int = 0
) -> datetime:
    """A naive wall clock with its offset from UTC, or without one local to `zone`, as aware UTC; `more` is added.

    A repeated local time is the first one; a skipped one is read with the offset before.

    Raises:
        WindowError: it lies outside the years 1 to 9999.
    """
    try:
        if offset_minutes is None:
            instant = wall.replace(tzinfo=zone.info).astimezone(UTC)
        else:
            instant = wall.replace(tzinfo=UTC) - timedelta(minutes=offset_minutes)
        return instant + timedelta(seconds=more_seconds, microseconds=more_micros)
    except OverflowError as error:
        raise WindowError(f"{wall} lies outside the calendar.", "Give a later date.") from error


def parse_as_of(text: str, zone: Zone, latest: datetime | None) -> datetime:
    """The instant that counts as now for a report, aware UTC (C12).

    A date alone is 00:00 of that local day; a time without offset is UTC (C1); `latest` is the instant up to
    which the data are complete.

    Raises:
        WindowError: the text is none of these, or `latest` is requested and there are no data.
    """
    written = text.strip()
    if written.lower() == LATEST:
        if latest is None:
            raise WindowError(
                "as_of 'latest' is not known: no data have landed yet.", "Pull first or give a date such as 2026-07-01."
            )
        return as_utc(latest)
    try:
        day = date.fromisoformat(written)
    except ValueError:
        day = None
    if day is not None:
        return zone.first_instant(day)
    try:
        return parse_instant(written)
    except WindowError as error:
        raise WindowError(
            f"as_of '{text}' is not a date or time.",
            "Write 'latest', 2026-07-01 (00:00 local), 2026-07-01T08:30Z or 2026-07-01T08:30+02:00.",
        ) from error


def label_days(first: date, last: date) -> str:
    """Days from `first` to `last`, both included, for a reader: `28 Dec 2025 – 3 Jan 2026`."""
    return in_force().days(first, last)


def label_instant(at: datetime, zone: Zone) -> str:
    """An instant for a reader, in local time: `30 Jun 2026, 23:43`."""
    local = at.astimezone(zone.info)
    return f"{label_days(local.date(), local.date())}, {local:%H:%M}"


def label_period(start: date, end: date, unit: Unit) -> str:
    """A calendar period (`end` exclusive) for a reader: `2 Jun 2026`, `1 – 7 Jun 2026`, `Jun 2026`, `Q2 2026`."""
    match unit:
        case "month":
            return in_force().month(start)
        case "quarter":
            return in_force().quarter(start)
        case "year":
            return str(start.year)
        case _:
            return label_days(start, end - _DAY)


def _require_unit(unit: str) -> None:
    if unit not in get_args(Unit):
        raise WindowError(f"'{unit}' is not a calendar period.", suggest(unit, get_args(Unit)))
