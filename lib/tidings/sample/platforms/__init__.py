"""What the platforms tell of the sample company, one module each with a function `told(apps)`."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping

from tidings.feeds import Feed, feeds
from tidings.sample.apps import Apps, Rows


def platforms() -> tuple[str, ...]:
    """The kinds of source that the sample company can be told by, sorted."""
    return tuple(sorted(info.name for info in pkgutil.iter_modules(__path__)))


def platform_feeds() -> tuple[Feed, ...]:
    """The feeds of these platforms, by name."""
    of_platforms = tuple(f"{platform}_" for platform in platforms())
    return tuple(feed for name, feed in sorted(feeds().items()) if name.startswith(of_platforms))


def reported(apps: Apps, platform: str) -> Mapping[str, Rows]:
    """The rows of one platform by the name of their feed, in the feed's columns."""
    rows: Mapping[str, Rows] = importlib.import_module(f"{__name__}.{platform}").reported(apps)
    return rows
