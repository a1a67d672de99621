"""The sample company as its platforms report it: one fake per kind of source, serving the rows that the sample
lands.
"""

from __future__ import annotations

import importlib
import inspect
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fakes.server import FakeApi
from tidings.sample.apps import Apps
from tidings.sample.platforms import platforms

Rows = Mapping[str, Sequence[Mapping[str, Any]]]


def fake_of(kind: str, rows: Rows, epoch: Callable[[], float] = time.time) -> FakeApi | None:
    """The fake of a kind of source with these rows by feed; None for a kind that has no server."""
    try:
        module = importlib.import_module(f"fakes.{kind}")
    except ModuleNotFoundError:
        return None
    for _, found in inspect.getmembers(module, inspect.isclass):
        if found.__module__ == module.__name__ and issubclass(found, FakeApi):
            fake: FakeApi = found(rows, epoch=epoch)
            return fake
    raise LookupError(f"fakes.{kind} has no fake")


def fakes_of(apps: Apps, epoch: Callable[[], float] = time.time) -> dict[str, FakeApi]:
    """A fake of every platform that the sample company is on, by kind of source."""
    found = {kind: fake_of(kind, platforms()[kind].reported(apps), epoch) for kind in platforms()}
    return {kind: fake for kind, fake in found.items() if fake is not None}
