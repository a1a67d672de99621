"""Values, series and results made by hand for the tests of what is displayed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from tidings.metrics.metric import Metric, Number
from tidings.metrics.result import Field, Point, Provenance, Result, Series, Value
from tidings.window import Window, Zone

ZONE = Zone("Europe/Berlin")
# 1 July 2026, 00:00 in Berlin: the 28 complete days before are 3 to 30 June.
AS_OF = datetime(2026, 6, 30, 22, tzinfo=UTC)
WINDOW = Window.last(28, AS_OF, ZONE)
RUNNING = Window(WINDOW.start, WINDOW.end, ZONE, datetime(2026, 6, 30, 9, tzinfo=UTC))
ORIGIN = Provenance(
    ("SELECT sum(net) FROM fct_orders WHERE country <> '<DE>'",), {"fct_orders": "last row at 30 Jun 2026"}, "b1", 123
)

REVENUE = Metric(
    "net_revenue", "Net revenue", "flow", "money", "Gross minus refunds.", "m", lambda t: t.x, better="higher"
)
ERRORS = Metric("error_rate", "Error rate", "ratio", "ratio", "Errors by requests.", "m", lambda t: t.x, better="lower")
USERS = Metric("dau", "Active users", "distinct", "count", "Users on a day.", "m", lambda t: t.x)


def value(
    now: Number,
    before: Number = None,
    metric: Metric = REVENUE,
    unit: str = "EUR",
    window: Window = WINDOW,
    unusual: bool | None = None,
    **more: Any,
) -> Value:
    more.setdefault("chance", {True: 0.0001, False: 0.4, None: None}[unusual])
    return Value(metric, unit, window, now, before, window.previous(), provenance=ORIGIN, **more)


def series(
    of: Callable[[int], Number] | Sequence[Number],
    metric: Metric = REVENUE,
    unit: str = "EUR",
    window: Window = WINDOW,
    grain: Any = "day",
) -> Series:
    periods = window.periods(grain)
    values = [of(i) for i in range(len(periods))] if callable(of) else list(of)
    return Series(metric, unit, grain, tuple(map(Point, periods, values)), ORIGIN)


def result(rows: Sequence[Sequence[Any]], *fields: Field, title: str = "Revenue by country") -> Result:
    return Result(title, fields, tuple(map(tuple, rows)), ORIGIN)


COUNTRY = Field("country", "Country")
NET = Field("net", "Net revenue", "EUR")
SPLIT = result(
    [
        ("Total", Decimal(130), Decimal(120), 1 / 12, 1.0),
        ("Germany", Decimal(80), Decimal(60), 1 / 3, 80 / 130),
        ("Austria", Decimal(40), Decimal(50), -0.2, 40 / 130),
        ("others (3)", Decimal(10), Decimal(10), 0.0, 10 / 130),
    ],
    COUNTRY,
    Field("net_revenue", "Net revenue", "EUR"),
    Field("before", "Before", "EUR"),
    Field("change", "Change", "ratio"),
    Field("share", "Share", "ratio"),
)


def cohort_result(cells: Sequence[tuple[str, int, int, float | None, str]]) -> Result:
    return result(
        cells,
        Field("cohort", "First purchase"),
        Field("size", "Customers", "count"),
        Field("interval", "Months later", "count"),
        Field("rate", "Share", "ratio"),
        Field("state", "State"),
        title="Customers by first purchase",
    )


def retitled(metric: Metric, text: str) -> Metric:
    return replace(metric, title=text, definition=text)
