"""What tests of connectors share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tidings.sources.api import pulling as api

HISTORY_DAYS = 45


@pytest.fixture(autouse=True)
def short_history(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """First pulls reach back some weeks, not years, but in tests marked `whole_history`: years are more of the same.

    A module that needs fewer days still sets its own `HISTORY_DAYS`.
    """
    days = getattr(request.module, "HISTORY_DAYS", HISTORY_DAYS)
    whole = api.chunks
    if request.node.get_closest_marker("whole_history") is None:
        monkeypatch.setattr(
            api,
            "chunks",
            lambda endpoint, *more: whole(replace(endpoint, history_days=min(days, endpoint.history_days)), *more),
        )
    yield
