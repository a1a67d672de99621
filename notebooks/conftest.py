"""Makes `pytest --nbval notebooks/` read the workbook that digests are of: see tests/notebooks/check.py."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

CHECK = Path(__file__).resolve().parents[1] / "tests" / "notebooks"
_OPEN = ExitStack()


def pytest_configure(config: pytest.Config) -> None:
    """Before any notebook is run."""
    # A copy of the notebooks elsewhere belongs to a workbook of its own.
    if CHECK.is_dir() and (config.getoption("nbval", False) or config.getoption("nbval_lax", False)):
        sys.path.append(str(CHECK))
        from check import digested_workbook

        _OPEN.enter_context(digested_workbook())


def pytest_unconfigure(config: pytest.Config) -> None:
    """When all have been."""
    _OPEN.close()
