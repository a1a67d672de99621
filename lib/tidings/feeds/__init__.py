"""Feeds: the typed shapes in which sources land what they were told, one module per place they come from.

Adding a feed is adding a module-level `Feed` to a module of this folder; nothing else is registered.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from tidings.errors import SettingsError
from tidings.feeds.feed import MONEY, Feed
from tidings.feeds.shared import ACCESS, EVENTS, ORDERS, REQUESTS, VITALS

__all__ = ["ACCESS", "EVENTS", "MONEY", "ORDERS", "REQUESTS", "VITALS", "Feed", "feeds"]


@cache
def feeds() -> Mapping[str, Feed]:
    """Every feed by its name.

    Raises:
        SettingsError: two feeds of one name.
    """
    found: dict[str, Feed] = {}
    for info in sorted(pkgutil.iter_modules(__path__), key=lambda info: info.name):
        for value in vars(importlib.import_module(f"{__name__}.{info.name}")).values():
            if isinstance(value, Feed) and found.setdefault(value.name, value) is not value:
                raise SettingsError(f"Two feeds are named '{value.name}'.", f"Rename the one in {info.name}.py.")
    return MappingProxyType(found)
