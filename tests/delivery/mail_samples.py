"""Messages whose records are made as sections make them: figures of `display`, read as the record is read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from tidings.delivery.message import Message
from tidings.display import show
from tidings.display.figure import Figure
from tidings.metrics.metric import Metric
from tidings.metrics.result import Field, Point, Provenance, Result, Series, Value
from tidings.reporting.index import ReportFinding
from tidings.reporting.record import NotebookRecord, item_of
from tidings.window import Window, Zone

ZONE = Zone("Europe/Berlin")
AS_OF = datetime(2026, 6, 30, 22, tzinfo=UTC)
WINDOW = Window.last(28, AS_OF, ZONE)
ORIGIN = Provenance(("SELECT secret_column FROM fct_orders",), {"fct_orders": "last row at 30 Jun 2026"}, "b1", 123)
REVENUE = Metric("net_revenue", "Net revenue", "flow", "money", "Gross.", "m", lambda t: t.x, better="higher")
ORDERS = Metric("orders", "Orders", "distinct", "count", "Orders.", "m", lambda t: t.x, better="higher")
ERRORS = Metric("error_rate", "Error rate", "ratio", "ratio", "Errors.", "m", lambda t: t.x, better="lower")
HOSTILE = '</td><script>alert("1")</script><img src=x onerror=alert(2)> & \u202e\x1b[31m {{ 7 * 7 }}'


def value(now: Any, before: Any = None, metric: Metric = REVENUE, unit: str = "EUR", **more: Any) -> Value:
    return Value(metric, unit, WINDOW, now, before, WINDOW.previous(), provenance=ORIGIN, **more)


VALUES = (
    value(Decimal("24254.81"), Decimal("25404.90"), chance=0.4),
    value(458, 473, ORDERS, "count"),
    value(0.0652, 0.0031, ERRORS, "ratio", chance=0.0001),
    value(None, Decimal(10), ORDERS, "count", why="shop has orders for 1 – 5 Jun 2026"),
)


def countries(rows: int = 3, name: str = "Country") -> Result:
    fields = (
        Field("country", name),
        Field("net_revenue", "Net revenue", "EUR"),
        Field("change", "Change", "ratio"),
        Field("share", "Share", "ratio"),
    )
    made = [(f"Land {n}", Decimal(1000 - n), 0.1 * n, 0.3) for n in range(1, rows + 1)]
    return Result("Net revenue by country", fields, tuple(made), ORIGIN)


def chart(title: str | None = None) -> Figure:
    periods = WINDOW.periods("day")
    course = Series(REVENUE, "EUR", "day", tuple(Point(p, 100 + n) for n, p in enumerate(periods)), ORIGIN)
    return show.trend(course, title=title)


def section(name: str, *figures: Figure, title: str = "") -> NotebookRecord:
    items = tuple(item_of({"data": figure._repr_mimebundle_()}) for figure in figures)
    return NotebookRecord(name, title or name.replace("_", " ").capitalize(), items, {}, None)


COMMERCE = section("commerce", show.cards(VALUES), chart(), show.ranking(countries()))
TRAFFIC = section("web_traffic", show.cards([value(7844, 7098, ORDERS, "count")]))
FINDING = ReportFinding(
    "Error rate on 19 Jun 2026: 6.52\u202f% instead of 0.31\u202f%.", "Check releases.", (("commerce", "Commerce"),)
)


def message(records: Sequence[NotebookRecord] = (COMMERCE, TRAFFIC), **more: Any) -> Message:
    given: dict[str, Any] = {
        "id": "weekly/2026-07-01T06:00Z/team/ann@example.com/mail",
        "title": "Weekly report",
        "subject": "Weekly report, 3 – 30 Jun 2026: Error rate ▲ +6.21\u202fpoints",
        "period": "3 – 30 Jun 2026 · Europe/Berlin",
        "at": datetime(2026, 7, 1, 8, tzinfo=ZONE.info),
        "recipient": "ann@example.com",
        "findings": (FINDING,),
        "records": tuple(records),
        "gaps": ("Search Console has no data since 28 Jun 2026.",),
        "alerts": ("Error rate of api is above 5 %.",),
        "notes": ("24 of 24 slots were on time in June 2026.",),
        "address": "https://reports.example.com/weekly/2026-07-01/index.html",
        "report": "weekly",
        "slot": "2026-07-01",
    }
    return Message(**{**given, **more})


def notice(**more: Any) -> Message:
    given = {"records": (), "findings": (), "gaps": (), "alerts": (), "notes": (), "address": "", "report": ""}
    return message(**{**given, "lines": ("The weekly report failed.", "Run tidings deliveries."), **more})
