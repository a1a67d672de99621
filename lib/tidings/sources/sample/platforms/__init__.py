"""What the platforms tell of the sample company, one module each with a function `told(apps)`."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping

from tidings.sources.sample.apps import Apps, Rows


def told(apps: Apps) -> Mapping[str, Rows]:
    """The rows of every platform by the name of their feed."""
    found: dict[str, Rows] = {}
    for info in sorted(pkgutil.iter_modules(__path__), key=lambda info: info.name):
        found |= importlib.import_module(f"{__name__}.{info.name}").told(apps)
    return found
