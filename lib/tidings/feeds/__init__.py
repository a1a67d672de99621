"""Feeds: the typed rows that sources land, one module per vendor.

Add a feed by adding a module-level `Feed` to a module of this folder, or of a workbook's own `lib/`.
"""

from __future__ import annotations

from collections.abc import Mapping

from tidings.discovery import discover
from tidings.feeds.feed import MONEY, Feed
from tidings.feeds.shared import ACCESS, EVENTS, ORDERS, REQUESTS, VITALS

__all__ = ["ACCESS", "EVENTS", "MONEY", "ORDERS", "REQUESTS", "VITALS", "Feed", "feeds"]


def feeds() -> Mapping[str, Feed]:
    """Every feed by its name.

    Raises:
        SettingsError: two feeds of one name.
    """
    return discover(Feed, "feed", __name__)
