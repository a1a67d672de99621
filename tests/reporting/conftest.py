"""A small workbook with sections of every fate, on a build that is just large enough to be opened."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import nbformat
import pytest
from section_notebooks import FAILING, GOOD, notebook

from tidings.reporting.pinned import RunResult
from tidings.reporting.run import run
from tidings.settings import Settings
from tidings.warehouse.build import build
from workbooks import at, land

NOW = datetime(2026, 7, 1, 6, 0, tzinfo=UTC)
SECRET = "hunter22hunter22"
Workbook = Callable[..., Settings]


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with one order from Germany, complete until 1 July 2026, 00:00 in Berlin."""
    settings = Settings(root=tmp_path_factory.mktemp("built"), timezone="Europe/Berlin")
    order = {"ts": at("2026-06-01T12:00"), "order_id": "1", "amount": 10, "country": "DE"}
    land(settings, "orders", [order], complete_until=datetime(2026, 6, 30, 22, tzinfo=UTC))
    build(settings)
    return settings.warehouse


@pytest.fixture(scope="session")
def workbook(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Workbook:
    """Makes a workbook of the sections given as name=cells, on that warehouse."""

    def make(**sections: Sequence[str] | nbformat.NotebookNode) -> Settings:
        environment = {"SHOP_TOKEN": SECRET}
        settings = Settings(root=tmp_path_factory.mktemp("workbook"), timezone="Europe/Berlin", environment=environment)
        (settings.root / "pyproject.toml").write_text('[tool.tidings]\ntimezone = "Europe/Berlin"\n')
        (settings.root / ".env").write_text(f"SHOP_TOKEN={SECRET}\n")
        settings.notebooks.mkdir()
        for name, cells in sections.items():
            nbformat.write(
                cells if isinstance(cells, nbformat.NotebookNode) else notebook(cells),
                settings.notebooks / f"{name}.ipynb",
            )
        settings.schedules.mkdir()
        shutil.copytree(built, settings.warehouse)
        return settings

    return make


@dataclass(frozen=True)
class Ran:
    """A run and the workbook it was made in."""

    settings: Settings
    result: RunResult

    @property
    def folder(self) -> Path:
        return self.result.index.parent


@pytest.fixture(scope="session")
def ran(workbook: Workbook) -> Ran:
    """A report of a section that works and one that fails, run once for all tests that read the result."""
    settings = workbook(commerce=GOOD, web_traffic=notebook(FAILING, title="Web traffic"))
    report = 'title = "Weekly report"\nsections = ["web_traffic", "commerce"]\n[parameters]\ndays = 14\n'
    (settings.schedules / "weekly.toml").write_text(report)
    return Ran(settings, run(settings, "weekly", {}, now=NOW))
