"""The examples in CONTRIBUTING.md work as printed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import ibis
import ibis.expr.types as ir
import pytest

from tidings.models.contracts import declared
from tidings.models.model import Model, model
from tidings.schema import Column


def _blocks(text: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)


def test_the_model_that_contributing_shows_can_be_built(root: Path) -> None:
    text = (root / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (source,) = (block for block in _blocks(text) if "fct_country_orders" in block)
    names: dict[str, object] = {"model": model, "Column": Column, "ir": ir}
    exec(source, names)
    example = names["fct_country_orders"]
    assert isinstance(example, Model)
    orders = ibis.memtable({"country": ["DE", "DE", None, "US"], "order_id": ["1", "2", "3", "4"]})
    made = example.function(orders).order_by("country").execute()
    # The order without a country is not counted.
    assert made.to_dict("records") == [{"country": "DE", "orders": 2}, {"country": "US", "orders": 1}]
    assert set(made.columns) == set(declared(example.contract))


_CHECK = """
from workbooks import run_models
rows = [{"package": "app", "ts": "2026-11-01", "version": v, "downloads": n} for v, n in (("1.0", 3), ("1.1", 4))]
import datetime
for row in rows:
    row["ts"] = datetime.datetime(2026, 11, 1)
found = run_models("fct_metric_daily", packages_downloads=rows)
print(sorted((row["platform"], row["metric"], row["app_version"], int(row["value"])) for row in found))
"""


@pytest.mark.proof
def test_the_source_that_contributing_shows_works(root: Path, tmp_path: Path) -> None:
    """Its files, written to the path in their first line, in a copy: its own test passes, and its metrics arrive."""
    for folder in ("lib", "tests"):
        shutil.copytree(root / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    shutil.copy(root / "pyproject.toml", tmp_path)
    files = dict(
        re.match(r"# (\S+\.py)\n(.*)", block, flags=re.DOTALL).groups()
        for block in _blocks(  # type: ignore[union-attr]
            (root / "CONTRIBUTING.md").read_text(encoding="utf-8")
        )
        if block.startswith("# ")
    )
    assert len(files) == 5
    for name, source in files.items():
        if (tmp_path / name).exists():
            pytest.skip(f"{name} is there: somebody follows CONTRIBUTING to the letter, which is all this test does")
        (tmp_path / name).write_text(source, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path / 'lib'}{os.pathsep}{tmp_path / 'tests'}"}

    def run(*command: str) -> str:
        done = subprocess.run(
            [sys.executable, *command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "1 passed" in run(
        "-m", "pytest", "-p", "no:cacheprovider", "-o", "addopts=", "tests/connectors/test_packages.py"
    )
    run("-m", "mypy", "--strict", "lib/tidings/connectors/packages.py", "lib/tidings/models/staging/packages.py")
    run("-m", "ruff", "check", *files)
    run("-m", "ruff", "format", "--check", *files)
    assert run("-c", _CHECK).strip() == "[('packages', 'downloads', '1.0', 3), ('packages', 'downloads', '1.1', 4)]"
