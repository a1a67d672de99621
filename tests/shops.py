"""A workbook of two shops whose names, ids, amounts and countries are unmistakable, and that share every source."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from tidings.settings import Settings, load_settings
from tidings.warehouse.build import build
from workbooks import land

UNTIL = datetime(2026, 6, 30, 22, tzinfo=UTC)
PROJECT = '[tool.tidings]\ntimezone = "Europe/Berlin"\ncurrency = "EUR"\n'
OTHER_COUNTRY = "Canaryland"
PRICE = Decimal("7654.31")
# All that is named after the other shop, its amount with and without tax, and when its last row happened.
CANARIES = re.compile(r"canary|\b7[,.\s\u202f\u00a0]?65[34][.,]31|\b(19|21):37\b", re.IGNORECASE)


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
            money = 10 + day if is_own else PRICE
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
            vitals.append(
                {
                    "sample_id": f"{name}s-{day}",
                    "ts": late,
                    "value": 2500.0,
                    "path": f"/{name}path",
                    "country": country,
                }
            )
    known = {"source": "tillsystem", "complete_until": UNTIL}
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


def said(folder: Path) -> Iterator[tuple[str, str]]:
    """All that a folder says, by file: names, bytes as text, and what is written in them in another way."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        yield name, name
        if path.is_file():
            text = path.read_bytes().decode("utf-8", "replace")
            yield name, text
            yield name, html.unescape(unquote(text))
            for held in re.findall(r"base64,([A-Za-z0-9+/=]+)", text):
                yield name, base64.b64decode(held).decode("utf-8", "replace")
            if path.suffix in (".ipynb", ".json"):
                yield name, unquote(html.unescape("\n".join(_texts(json.loads(text)))))


def _texts(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        for key, value in part.items():
            yield key
            yield from _texts(value)
    elif isinstance(part, list):
        # A notebook has its texts as lists of lines.
        if all(isinstance(value, str) for value in part):
            yield "".join(part)
        for value in part:
            yield from _texts(value)
    else:
        yield str(part)
