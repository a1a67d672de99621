"""Workbooks as folders on disk, as a user has them."""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

SAMPLE_SETTINGS = """
[tool.tidings]
timezone = "UTC"
currency = "EUR"
site = "tidings.example"
fx = "data/fx.csv"

[tool.tidings.sources.sample]
kind = "sample"
size = 0.03
"""


def make_workbook(folder: Path, settings: str) -> Path:
    """A workbook with our sections, schedules and rates, and these settings; nothing is landed."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").write_text(settings, encoding="utf-8")
    for name in ("notebooks", "schedules"):
        shutil.copytree(ROOT / name, folder / name)
    (folder / "data").mkdir()
    shutil.copy(ROOT / "data" / "fx.csv", folder / "data" / "fx.csv")
    return folder
