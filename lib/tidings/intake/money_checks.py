"""Currency checks of `tidings check`: available rates, and amounts that a report could not convert."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import pyarrow.parquet as pq

from tidings.currencies import is_listed
from tidings.errors import SourceError
from tidings.feeds import feeds
from tidings.landing.exchange_rates import no_fixings, read_fixings
from tidings.landing.store import landed_files
from tidings.settings import Settings

EURO = "EUR"
Amounts = tuple[str, date, date]
"""A currency, and the first and the last day of amounts in it."""
Said = tuple[Literal["ok", "warn", "fail"], str]


@dataclass
class _Held:
    """Where amounts in a currency are, and the day of the last one; null if nothing is landed yet.

    `first_rows` are the days of the first rows of sources that have landed nothing.
    """

    sources: set[str]
    last: date | None = None
    first_rows: tuple[date, date] | None = None


def look_at_money(settings: Settings, first: Mapping[str, Sequence[Amounts]]) -> Iterator[Said]:
    """The rates, then each problem with currencies that would leave amounts out of a report.

    `first`: the currencies of the first rows of each source, for those that have landed nothing.
    """
    if not is_listed(settings.currency):
        yield "warn", f"The currency '{settings.currency}' of [tool.tidings] is none that ISO 4217 lists."
    try:
        fixings = read_fixings(settings.fx) if settings.fx else no_fixings()
    except SourceError as error:
        yield "fail", str(error)
        return
    rates = [row for row in fixings.to_pylist() if row["currency"] != EURO]
    spans = _spans(rates)
    held = _held(settings, first)
    others = sorted(set(held) - {settings.currency})
    if settings.fx:
        days = [row["day"] for row in rates]
        yield "ok", f"{settings.rates_file}: {', '.join(spans)}, {min(days)} to {max(days)}" if days else "no rates"
    elif not others:
        yield "ok", f"none needed: all amounts are in {settings.currency}" if held else "none"
    if others and settings.currency not in held:
        yield "warn", _none_in_own(settings, held, others)
    for code in others:
        each = held[code]
        # Before landing only the first rows are known: for later days there may well be a rate.
        known = each.first_rows if each.last is None and each.first_rows else (each.last,)
        lacking = [name for name in (code, settings.currency) if not all(_has_rate(rates, name, day) for day in known)]
        if lacking:
            by = " by a report of those days" if len(known) > 1 and settings.fx else ""
            yield (
                "warn",
                f"Amounts in {code} ({', '.join(sorted(each.sources))}{_when(each)}) cannot be converted into "
                f"{settings.currency}{by}: {_has(settings, spans, lacking)}",
            )


def _when(held: _Held) -> str:
    if held.last:
        return f", the last of {held.last}"
    if not held.first_rows:
        return ""
    begin, end = held.first_rows
    return f", its first rows of {begin}" if begin == end else f", its first rows of {begin} to {end}"


def _none_in_own(settings: Settings, held: Mapping[str, _Held], others: list[str]) -> str:
    problem = f"No amounts are in {settings.currency}, the currency of reports: they are in {', '.join(others)}."
    latest = max(others, key=lambda code: (held[code].last or (held[code].first_rows or (date.min,))[-1], code))
    return f'{problem} For reports without conversion set currency = "{latest}" in [tool.tidings].'


def _has(settings: Settings, spans: Mapping[str, tuple[date, date]], codes: list[str]) -> str:
    if not settings.fx:
        return "no file of exchange rates is named. Name one as `fx` in [tool.tidings]."
    gaps = [
        f"rates for {code} from {spans[code][0]} to {spans[code][1]}" if code in spans else f"none for {code}"
        for code in codes
    ]
    return f"{settings.rates_file} has {' and '.join(gaps)}."


def _spans(rates: list[dict[str, Any]]) -> dict[str, tuple[date, date]]:
    found: dict[str, tuple[date, date]] = {}
    for row in rates:
        first, last = found.get(row["currency"], (row["day"], row["day"]))
        found[row["currency"]] = min(first, row["day"]), max(last, row["day"])
    return dict(sorted(found.items()))


def _has_rate(rates: list[dict[str, Any]], code: str, day: date | None) -> bool:
    """Whether a currency has a rate on a day, or at any time if no day is known."""
    of_code = [row for row in rates if row["currency"] == code]
    return code == EURO or any(day is None or row["day"] <= day < row["until"] for row in of_code)


def _held(settings: Settings, first: Mapping[str, Sequence[Amounts]]) -> dict[str, _Held]:
    """The currencies of landed data, and of the first rows or the settings of other sources."""
    found: dict[str, _Held] = {}
    landed = set()
    for file in landed_files(settings.raw):
        if "currency" not in feeds()[file.feed].columns:
            continue
        landed.add(file.source)
        rows = pq.read_table(file.path, columns=["currency", file.time])
        last = rows.group_by("currency").aggregate([(file.time, "max")])
        for code, at in zip(last["currency"].to_pylist(), last[f"{file.time}_max"].to_pylist(), strict=True):
            if code and at is not None:
                held = found.setdefault(code.upper(), _Held(set()))
                held.sources.add(file.source)
                held.last = max(held.last or at.date(), at.date())
    for name, table in settings.sources.items():
        reported = table.get("currency") or (table.get("defaults") or {}).get("currency")
        if name in landed:
            continue
        for code, begin, end in first.get(name, ()):
            held = found.setdefault(code.upper(), _Held(set()))
            held.sources.add(name)
            before = held.first_rows or (begin, end)
            held.first_rows = min(before[0], begin), max(before[1], end)
        if not first.get(name) and isinstance(reported, str):
            found.setdefault(reported.upper(), _Held(set())).sources.add(name)
    return found
