"""What tests of connectors share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tidings.sources.api import pulling as api

HISTORY_DAYS = 45


@pytest.fixture(autouse=True)
def short_history(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Shorten first pulls to some weeks, except in tests marked `whole_history`: years are more of the same."""
    whole = api.chunks
    if request.node.get_closest_marker("whole_history") is None:
        monkeypatch.setattr(
            api,
            "chunks",
            lambda endpoint, *more: whole(
                replace(endpoint, history_days=min(HISTORY_DAYS, endpoint.history_days)), *more
            ),
        )
    yield
