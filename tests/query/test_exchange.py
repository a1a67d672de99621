"""The effect of exchange rates by hand: amounts of the window before, at both rates."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from tidings.book import Book
from tidings.settings import load_settings
from tidings.warehouse.build import build
from workbooks import land

# A dollar is worth half a euro at the end of the seven days before, and 0.8 at the end.
RATES = "Date,USD\n2026-06-01,1.60\n2026-06-22,2.00\n2026-06-29,1.25\n"


def _book(root: Path, currency: str) -> Book:
    (root / "pyproject.toml").write_text('[tool.tidings]\ncurrency = "EUR"\nfx = "fx.csv"\n')
    (root / "fx.csv").write_text(RATES)
    settings = load_settings(root)
    orders = [
        {"order_id": f"{day}", "ts": datetime(2026, 6, day, 12), "amount": 100, "currency": currency}
        for day in range(1, 31)
    ]
    orders.append({**orders[19], "order_id": "r", "type": "refund", "amount": 30})
    land(settings, "orders", orders, complete_until=datetime(2026, 7, 1, tzinfo=UTC))
    build(settings)
    return Book.open(days=7, root=root)


def test_dollars_before_times_the_change_of_their_rate(tmp_path: Path) -> None:
    (found,) = _book(tmp_path, "USD").explain("net_revenue")
    # Seven orders of 100 and a refund of 30, each dollar 0.3 euros more.
    assert found.exchange == Decimal(670) * Decimal("0.3")


def test_nothing_is_said_where_all_money_is_the_reports(tmp_path: Path) -> None:
    (found,) = _book(tmp_path, "EUR").explain("net_revenue")
    assert found.exchange is None
    assert replace(found, exchange=Decimal(0)) != found
