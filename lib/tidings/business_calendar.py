"""The workbook's calendar: fiscal year, business days and holidays as its settings say.

Public holidays are those of the package `holidays`. It lists moving ones for fewer years than it answers for, and is
silent about the others, so that only the years in which it has all of them are taken as known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path

import pyarrow as pa

from tidings.enrich.countries import alpha2
from tidings.errors import SettingsError, WindowError, printable, suggest
from tidings.schema import Column
from tidings.settings import MONTHS, WEEKDAYS, Settings
from tidings.small_csv import lines_of
from tidings.window import Calendar, Zone, days_between, parse_date

_YEARS = (1950, 2035)
# Hindu holidays are listed from 2001 on, a new year of Nepal's up to 2032.
_FEWER_YEARS: Mapping[str, tuple[int, int]] = {
    **dict.fromkeys(("GY", "IN", "MU", "SR"), (2001, 2035)),
    "NP": (1950, 2032),
}
_FIRST_IN_TABLE = date(1990, 1, 1)
_USUAL_WEEKEND = frozenset({6, 7})
_HEADER = ["date", "name"]
_AS_IN = "Write a date and a name, as 2026-12-24,Christmas Eve; a name with a comma in quotes."
COLUMNS = {
    "day": Column("!date", "The day."),
    "fiscal_year": Column("!int64", "The calendar year in which its fiscal year ends."),
    "fiscal_quarter": Column("!int64", "Quarter of the fiscal year, 1 to 4."),
    "is_business_day": Column("boolean", "True for a weekday of business that is no holiday; null if not known."),
    "holiday": Column("string", "Name of the holiday; null for none."),
}
_SCHEMA = pa.schema(
    [
        ("day", pa.date32()),
        ("fiscal_year", pa.int64()),
        ("fiscal_quarter", pa.int64()),
        ("is_business_day", pa.bool_()),
        ("holiday", pa.string()),
    ]
)


def calendar_of(settings: Settings, zone: Zone | None = None) -> Calendar:
    """The calendar of a workbook, in its own zone or another; the list of holidays is read only if a setting asks.

    Raises:
        SettingsError: there is no such country or part of it, its weekend needs `business_days`, or a line of
            data/holidays.csv cannot be used.
    """
    public = _public_of(settings.holidays) if settings.holidays else _Public()
    if not settings.business_days and public.weekend != _USUAL_WEEKEND:
        off = " and ".join(WEEKDAYS[day - 1].capitalize() for day in sorted(public.weekend))
        worked = ", ".join(f'"{name}"' for day, name in enumerate(WEEKDAYS, start=1) if day not in public.weekend)
        raise SettingsError(
            f"The weekend of {settings.holidays} is {off}, and [tool.tidings] does not say on which days you work.",
            f"Write business_days = [{worked}], or which they are.",
        )
    worked_on = settings.business_days or WEEKDAYS[:5]
    return Calendar(
        zone=zone or Zone(settings.timezone, settings.week_start),
        fiscal_start=MONTHS.index(settings.fiscal_year_start) + 1,
        business_weekdays=frozenset(WEEKDAYS.index(day) + 1 for day in worked_on),
        holidays={**public.holidays, **_closed_days(settings.closed_days)},
        working=public.working,
        known=public.known,
        country=settings.holidays,
    )


def day_table(calendar: Calendar) -> pa.Table:
    """What a calendar says of each day of the years 1990 to 2035."""
    days = days_between(_FIRST_IN_TABLE, date(_YEARS[1], 12, 31))
    columns = zip(*(_said_of(calendar, day) for day in days), strict=True)
    arrays = [pa.array(column, kind) for column, kind in zip(columns, _SCHEMA.types, strict=True)]
    return pa.Table.from_arrays(arrays, schema=_SCHEMA)


def _said_of(calendar: Calendar, day: date) -> tuple[date, int, int | None, bool | None, str | None]:
    quarter = calendar.fiscal(day, "quarter")
    try:
        is_open, holiday = calendar.is_business_day(day), calendar.holiday(day) or None
    except WindowError:
        is_open, holiday = None, None
    return day, quarter.year, quarter.quarter, is_open, holiday


def fingerprint(calendar: Calendar) -> str:
    """A text that differs where what a calendar says of some day differs, its zone aside."""
    named = sorted((day.isoformat(), name) for day, name in calendar.holidays.items())
    worked = sorted(day.isoformat() for day in calendar.working)
    return repr((calendar.fiscal_start, sorted(calendar.business_weekdays), named, worked, calendar.known))


@dataclass(frozen=True)
class _Public:
    """The public holidays of a country or a part of it; weekdays are those of ISO."""

    holidays: Mapping[date, str] = field(default_factory=dict)
    working: frozenset[date] = frozenset()
    weekend: frozenset[int] = _USUAL_WEEKEND
    known: tuple[date, date] | None = None


@cache
def _public_of(place: str) -> _Public:
    # Read when it is asked for: most workbooks never do.
    from holidays import country_holidays

    country, part = _place(place)
    listed = country_holidays(country)
    least, most = _FEWER_YEARS.get(country, _YEARS)
    first, last = max(least, listed.start_year), min(most, listed.end_year)
    # The language is said, or it would be that of whoever runs it.
    found = country_holidays(country, subdiv=part, years=range(first, last + 1), language="en_US")
    return _Public(
        holidays=dict(found.items()),
        working=frozenset(found.weekend_workdays),
        weekend=frozenset(day + 1 for day in found.weekend),
        known=(date(first, 1, 1), date(last, 12, 31)),
    )


def _place(place: str) -> tuple[str, str | None]:
    """Country and part, as the list of holidays calls them."""
    from holidays import country_holidays, list_supported_countries

    known = list_supported_countries(include_aliases=False)
    country, _, part = place.partition("-")
    country = country.upper()
    if country not in known:
        meant = alpha2(place)
        raise SettingsError(
            f"[tool.tidings] holidays has '{place}', which is no known country.",
            f"Did you mean '{meant}'?" if meant in known else suggest(country, known),
        )
    if not part:
        return country, None
    parts = {name.casefold(): name for name in known[country]}
    if part.casefold() in parts:
        return country, parts[part.casefold()]
    meant = country_holidays(country).subdivisions_aliases.get(part, "")
    raise SettingsError(
        f"[tool.tidings] holidays has '{place}', but {country} has no part '{part}' with holidays of its own.",
        f"Did you mean '{country}-{meant}'?" if meant else f"{suggest(part, parts.values())} Or write '{country}'.",
    )


def _closed_days(file: Path) -> dict[date, str]:
    """The workbook's own closed days by name; none without the file."""
    found: dict[date, str] = {}
    for where, (day_text, name) in lines_of(file, _HEADER, _AS_IN):
        try:
            day = parse_date(day_text)
        except WindowError as error:
            raise SettingsError(f"{where}: {error.failed}", _AS_IN) from error
        if day in found:
            raise SettingsError(f"{where}: {day} is there twice.", "Keep one.")
        found[day] = printable(name)
    return found
