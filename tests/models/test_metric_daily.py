"""All platform metrics together: each row with the rate of its own day, none lost and none doubled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import product
from typing import Any

import pytest

from tidings.platform_metrics import DIMENSIONS
from workbooks import run_models

FRIDAY, SATURDAY, SUNDAY, MONDAY = (datetime(2026, 6, day) for day in (5, 6, 7, 8))


def fixing(currency: str, day: datetime, rate: str, until: datetime | None) -> dict[str, Any]:
    return {"currency": currency, "day": day.date(), "rate": Decimal(rate), "until": until.date() if until else None}


# What the ECB fixed on Friday holds until it fixes again; of the kuna it fixes nothing any more.
FX = (
    fixing("EUR", datetime(1999, 1, 4), "1", None),
    fixing("USD", FRIDAY, "1.10", MONDAY),
    fixing("USD", MONDAY, "1.20", datetime(2026, 7, 9)),
    fixing("HRK", FRIDAY, "7.50", MONDAY),
)


def counted(value: float, currency: str = "", **more: Any) -> dict[str, Any]:
    """A platform metric as a source delivers it."""
    money = {"metric": "proceeds"} if currency else {"metric": "downloads"}
    return {"ts": FRIDAY, **money, "value": value, "currency": currency, **dict.fromkeys(DIMENSIONS, ""), **more}


def mart(*rows: Mapping[str, Any], fx: Sequence[Mapping[str, Any]] = FX) -> list[dict[str, Any]]:
    return run_models("fct_metric_daily", platform_metrics=rows, fx=fx)


@pytest.mark.parametrize(
    ("currency", "day", "per_euro"),
    [
        ("USD", FRIDAY, "1.10"),
        # Nothing is fixed at weekends: Friday's holds on.
        ("USD", SATURDAY, "1.10"),
        ("USD", SUNDAY, "1.10"),
        ("USD", MONDAY, "1.20"),
        # The last one holds as long as the rates say: 30 days.
        ("USD", datetime(2026, 7, 8), "1.20"),
        ("USD", datetime(2026, 7, 9), None),
        ("EUR", SUNDAY, "1"),
        # Before the first fixing, after the last of a currency that is no more, of one that never was.
        ("USD", datetime(2026, 6, 4), None),
        ("HRK", SUNDAY, "7.50"),
        ("HRK", MONDAY, None),
        ("XYZ", FRIDAY, None),
        ("", FRIDAY, None),
    ],
)
def test_a_figure_has_the_rate_of_its_day(currency: str, day: datetime, per_euro: str | None) -> None:
    (found,) = mart(counted(100, currency, ts=day))
    assert found["per_euro"] == (Decimal(per_euro) if per_euro else None)
    assert (found["value"], found["currency"]) == (100, currency or None)
    assert (found["day"], found["ts"]) == (day.date(), day)


def test_without_rates_figures_are_there_all_the_same() -> None:
    found = mart(counted(5, "USD"), counted(7), fx=())
    assert sorted((each["value"], each["per_euro"]) for each in found) == [(5, None), (7, None)]


def test_platform_metrics_of_several_sources_stay_apart() -> None:
    store = {
        "search_console_daily": [
            {
                "_source": "search",
                "ts": FRIDAY,
                "site": "sc-domain:shop.example",
                "search_type": "web",
                "clicks": 3,
                "impressions": 40,
                "position": 2.5,
                "is_final": True,
            }
        ]
    }
    found = run_models(
        "fct_metric_daily",
        platform_metrics=[counted(9, metric="search_clicks"), counted(2, _source="other")],
        fx=FX,
        **store,
    )
    shown = ((each["_source"], each["platform"], each["metric"], each["value"]) for each in found if each["is_total"])
    assert sorted(shown) == [
        ("other", "shared", "downloads", 2),
        ("search", "search_console", "search_clicks", 3),
        ("search", "search_console", "search_impressions", 40),
        ("search", "search_console", "search_position", Decimal("2.5")),
        ("shop", "shared", "search_clicks", 9),
    ]


def test_no_figure_is_lost_or_doubled_by_its_rate() -> None:
    each_with_each = product(["downloads", "proceeds"], ["", "EUR", "USD", "HRK", "XYZ"], range(1, 13), ["DE", ""])
    reported = [(*key, number) for number, key in enumerate(each_with_each)]
    rows = [
        counted(value, currency, metric=metric, ts=datetime(2026, 6, day), country=country)
        for metric, currency, day, country, value in reported
    ]
    found = mart(*rows)
    shown = [
        (each["metric"], each["currency"] or "", each["day"].day, each["country"] or "", each["value"])
        for each in found
    ]
    assert sorted(shown) == sorted(reported)
    assert len({each["platform_metric_key"] for each in found}) == len(reported)
    for each in found:
        holding = [
            fixed["rate"]
            for fixed in FX
            if fixed["currency"] == each["currency"]
            and fixed["day"] <= each["day"]
            and (fixed["until"] is None or each["day"] < fixed["until"])
        ]
        assert [each["per_euro"]] == (holding or [None])


def test_a_day_is_the_day_of_the_source_whatever_the_hour() -> None:
    (found,) = mart(counted(1, ts=datetime(2026, 6, 5, 23, 59)))
    assert (found["day"], found["ts"]) == (date(2026, 6, 5), datetime(2026, 6, 5))
    assert found["ts"].replace(tzinfo=UTC).hour == 0
