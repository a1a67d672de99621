"""RevenueCat's responses parsed: points of charts, metrics of the overview, customers, subscriptions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from tidings.enrich.countries import alpha2, is_country
from tidings.sources.records import Record, UnusableError
from tidings.window import parse_date

ALL: Final = "all"
_TOTAL: Final = "Total"
# Charts use seconds, everything else milliseconds; the specification says milliseconds for both.
_MILLISECONDS_FROM: Final = 10**11
_MONEY_CHARTS: Final = ("mrr", "revenue", "arr", "mrr_movement")
_COUNTS: Final = ("#", "%")


def instant(value: Any) -> datetime:
    """A Unix time in seconds or milliseconds, whichever its size suggests, as an aware UTC instant.

    Raises:
        UnusableError: it is no such time.
    """
    try:
        # `true` is not a number either.
        number = Decimal(str(value))
        return datetime.fromtimestamp(float(number / 1000 if abs(number) >= _MILLISECONDS_FROM else number), UTC)
    except (ValueError, InvalidOperation, OverflowError, OSError):
        raise UnusableError(f"'{str(value)[:80]}' is not a Unix time") from None


def points(chart: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The points of a chart, one per day, measure and segment, each with its measure and segment added.

    Handles both formats: objects (charts v3), and lists of a time and one value per measure (v2).
    """
    measures, segments = chart.get("measures") or [], _named(chart.get("segments") or [])
    for value in chart["values"]:
        if isinstance(value, Mapping):
            segment = _at(segments, value.get("segment"))
            if segment is None or not (segment.get("is_total") or segment.get("display_name") == _TOTAL):
                measure = _measure(chart, measures, value.get("measure", 0))
                yield {**value, "segment": value.get("segment"), "of_measure": measure, "of_segment": segment}
        elif not isinstance(value, list) or not value:
            yield {"point": value}
        else:
            cohort, *numbers = value
            for place, number in enumerate(numbers):
                # Lists name their content in either of the two.
                measure = _measure(chart, measures or segments, place)
                point = {"cohort": cohort, "measure": place, "value": number, "segment": None}
                yield {**point, "of_measure": measure, "of_segment": None}


def _named(segments: Sequence[Any]) -> list[Any]:
    """Segments with their country code, except those that share one: one would overwrite the other."""
    codes = [_country_of(each) if isinstance(each, Mapping) else None for each in segments]
    often = Counter(codes)
    return [
        {**each, "code": code} if code is not None and often[code] == 1 else each
        for each, code in zip(segments, codes, strict=True)
    ]


def _country_of(segment: Mapping[str, Any]) -> str | None:
    """The country code of a segment, from its id or its name; None if it is not a country."""
    reported = [alpha2(str(segment[name])) for name in ("id", "display_name") if segment.get(name)]
    return next((code for code in reported if is_country(code)), None)


def _name_of(segment: Mapping[str, Any]) -> str:
    return str(segment.get("id") or segment.get("display_name") or ALL)


def parse_point(record: Record) -> Mapping[str, Any]:
    """A point of a chart from a record of `points`, to which the request parameters have been added."""
    day = instant(record["cohort"])
    if day.time() != time.min:
        raise UnusableError(f"its day begins at {day:%H:%M} UTC: the chart is not in days of UTC")
    place = record.get("measure", 0)
    measure, segment = record["of_measure"] or {}, record["of_segment"] or {}
    name = measure.get("display_name") or measure.get("id")
    if not name:
        raise UnusableError(f"the chart has no measure {place!r}")
    unit = measure.get("unit") or record["yaxis"]
    is_money = record["chart"] in _MONEY_CHARTS and unit not in _COUNTS
    if is_money and not record["currency"]:
        raise UnusableError("it is money, and the chart does not say in which currency")
    if record["dimension"] != ALL and not segment:
        raise UnusableError(f"the chart has no segment {record['segment']!r}")
    partition = _name_of(segment)
    return {
        "project": record["project"],
        "chart": record["chart"],
        "ts": day,
        "measure": name,
        "position": place,
        "dimension": record["dimension"],
        "segment": segment.get("code") or partition if record["dimension"] == "country" else partition,
        "value": record["value"],
        "unit": unit,
        "currency": record["currency"] if is_money else None,
        "is_incomplete": record.get("incomplete") or False,
    }


def parse_overview(record: Record) -> Mapping[str, Any]:
    """A metric of the overview, to which project, day and currency have been added."""
    computed = record.get("last_updated_at")
    return {
        "project": record["project"],
        "ts": parse_date(record["day"]),
        "metric": record["id"],
        "value": record["value"],
        "unit": record.get("unit"),
        "period": record.get("period"),
        "currency": record["currency"],
        "computed_at": None if computed is None else instant(computed),
    }


def parse_customer(record: Record) -> Mapping[str, Any]:
    """A customer whose id is a pseudonym already."""
    return {
        "project": record["project"],
        "customer": record["id"],
        "ts": instant(record["first_seen_at"]),
        "last_seen": _instant_or_none(record.get("last_seen_at")),
        "country": _country(record.get("last_seen_country")),
        "platform": record.get("last_seen_platform"),
        "app_version": record.get("last_seen_app_version"),
    }


def parse_subscription(record: Record) -> Mapping[str, Any]:
    """A subscription whose customer is a pseudonym already."""
    revenue = record.get("total_revenue_in_usd") or {}
    return {
        "project": record["project"],
        "subscription": record["id"],
        "customer": record["customer_id"],
        "ts": instant(record["starts_at"]),
        "period_ends": _instant_or_none(record.get("current_period_ends_at")),
        "ends": _instant_or_none(record.get("ends_at")),
        "product": record.get("product_id"),
        "store": record.get("store"),
        "country": _country(record.get("country")),
        "status": record["status"],
        "renewal": record.get("auto_renewal_status"),
        "gives_access": record.get("gives_access"),
        "environment": record["environment"],
        "ownership": record.get("ownership"),
        "gross": revenue.get("gross"),
        "proceeds": revenue.get("proceeds"),
        "currency": revenue.get("currency") or "USD",
    }


def _at(things: Any, place: Any) -> Mapping[str, Any] | None:
    if isinstance(place, bool) or not isinstance(place, int) or not 0 <= place < len(things):
        return None
    return things[place] if isinstance(things[place], Mapping) else None


def _measure(chart: Mapping[str, Any], measures: Any, place: Any) -> Mapping[str, Any] | None:
    """The measure at an index; a chart that lists none names the first after itself."""
    if measures:
        return _at(measures, place)
    name = chart.get("display_name") or chart.get("category") or "value"
    return {"display_name": name if place == 0 else f"{name} {place}"}


def _instant_or_none(value: Any) -> datetime | None:
    return None if value is None else instant(value)


def _country(code: Any) -> str | None:
    return alpha2(str(code)) if code else None
