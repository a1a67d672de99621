"""Fixtures of the exports."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from runs_in_memory import finished

from tidings.reporting.finished import FinishedRun


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., FinishedRun]:
    """Makes a run of sections given as title=items."""
    return partial(finished, tmp_path)
