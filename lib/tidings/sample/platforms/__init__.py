"""The platforms that report on the sample company, one module each with a module-level `Platform`."""

from __future__ import annotations

from collections.abc import Mapping

from tidings.discovery import discover
from tidings.feeds import Feed, feeds
from tidings.sample.apps import Platform


def platforms() -> Mapping[str, Platform]:
    """The kinds of source that can report on the sample company, sorted."""
    return discover(Platform, "platform", __name__)


def platform_feeds() -> tuple[Feed, ...]:
    """The feeds of these platforms, by name."""
    of_platforms = tuple(f"{platform}_" for platform in platforms())
    return tuple(feed for name, feed in feeds().items() if name.startswith(of_platforms))
