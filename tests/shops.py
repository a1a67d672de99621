"""A workbook of two shops whose names, ids, amounts and countries are unmistakable, and that share every source."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tidings.settings import Settings, load_settings
from tidings.warehouse.build import build
from workbooks import land

UNTIL = datetime(2026, 6, 30, 22, tzinfo=UTC)
PROJECT = '[tool.tidings]\ntimezone = "Europe/Berlin"\ncurrency = "EUR"\n'
# Of the other shop; its sums and what would be left of the totals are canaries as well.
OTHER_COUNTRY = "QZ"
CANARIES = (
    *("canaryshop", "Canary Product", "canarycustomer", "canaryvisitor", "/canarypath", "canarychannel", "canaryapi"),
    *("canaryevent", "canary.csv", "CANARY RECORD", OTHER_COUNTRY),
    # An amount, and the instant of its last row.
    *("7654.31", "7,654", "7654", "19:37"),
)


def shops(root: Path) -> Settings:
    """Orders, events, requests, vitals and log lines of DE and of the canary, twenty days each, in files of both."""
    (root / "pyproject.toml").write_text(PROJECT)
    settings = load_settings(root)
    orders: list[dict[str, Any]] = []
    events: list[dict[str, Any]] = []
    requests: list[dict[str, Any]] = []
    vitals: list[dict[str, Any]] = []
    for day in range(20):
        noon = datetime(2026, 6, 1, 12) + timedelta(days=day)
        for country, name in (("DE", "own"), (OTHER_COUNTRY, "canary")):
            is_own = name == "own"
            late = noon + timedelta(hours=0 if is_own else 7, minutes=0 if is_own else 37)
            money = 10 + day if is_own else "7654.31"
            orders.append(
                {
                    "order_id": f"{name}shop-{day}",
                    "ts": late,
                    "amount": money,
                    "tax": 1,
                    "customer_id": f"{name}customer-{day % 7}",
                    "country": country,
                    "product": f"{name.capitalize()} Product",
                }
            )
            for n in range(1 if is_own else 9):
                visitor = {"visitor_id": f"{name}visitor-{day}-{n}", "country": country}
                events.append(
                    {
                        **visitor,
                        "event_id": f"{name}event-{day}-{n}",
                        "ts": late,
                        "path": f"/{name}path",
                        "utm_source": f"{name}channel",
                    }
                )
            requests.append(
                {
                    "request_id": f"{name}r-{day}",
                    "ts": late,
                    "status": 200,
                    "latency_ms": 12.5,
                    "service": f"{name}api",
                    "country": country,
                }
            )
            vitals.append({"sample_id": f"{name}s-{day}", "ts": late, "value": 2500.0, "path": f"/{name}path"})
    known = {"source": "till", "complete_until": UNTIL}
    for rows in (orders, events, requests):
        for row in rows:
            row["_record"] = "CANARY RECORD" if row["country"] == OTHER_COUNTRY else "OWN RECORD"
    land(settings, "orders", orders, rejected=["of canaryshop"], **known)
    land(settings, "events", events, **known)
    land(settings, "requests", requests, **known)
    land(settings, "vitals", vitals, partition="canary.csv", **known)
    # A source that only the other shop has.
    lone = [{**orders[1], "order_id": "canaryshop-alone"}]
    land(settings, "orders", lone, source="canaryshop_pos", complete_until=UNTIL)
    build(settings)
    return settings
