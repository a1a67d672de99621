"""A case of the issue, word for word, where it lies beside the checkout; nothing of it is copied into the project."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from workbook_folders import ROOT


@pytest.fixture
def case(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    folder = ROOT.parent / "shared" / "cases" / request.param
    if not folder.is_dir():
        pytest.skip("no ../shared/cases beside the checkout")
    root = Path(shutil.copytree(folder, tmp_path / request.param))
    for name in ("notebooks", "schedules"):
        shutil.copytree(ROOT / name, root / name)
    for word in ("pull", "build"):
        typed(root, word)
    return root


def typed(root: Path, *words: str) -> str:
    command = [sys.executable, "-m", "tidings", "--root", str(root), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.mark.proof
@pytest.mark.parametrize("case", ["five-years"], indirect=True)
def test_five_years_are_drawn_by_week(case: Path) -> None:
    typed(case, "run", "commerce", "-p", "days=1826", "-p", "compare=none")
    (page,) = (case / "reports" / "commerce").glob("*/commerce.html")
    text = page.read_text(encoding="utf-8")
    assert re.search(r"Net revenue · EUR · by week", text)
    # The reader may leave off a parameter, too: then there is a window of five years before it.
    typed(case, "run", "commerce", "-p", "days=1826")
