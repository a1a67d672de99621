"""The workbook that digests are of, and writing them anew.

It is a small sample company, landed and built in a temporary folder, so that the digests do not depend on what this
checkout holds; where TIDINGS_ROOT names a workbook it is that one, which is how digests of own data are made.
`notebooks/conftest.py` uses the same for nbval.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SIZE = 0.2
SETTINGS = f"""
[tool.tidings]
timezone = "UTC"
currency = "EUR"
site = "tidings.example"
fx = "data/fx.csv"

[tool.tidings.sources.sample]
kind = "sample"
size = {SIZE}
"""


def make_workbook(folder: Path) -> None:
    """Land and build the sample company in an empty folder, and judge its alerts in the last month."""
    (folder / "data").mkdir()
    (folder / "pyproject.toml").write_text(SETTINGS, encoding="utf-8")
    (folder / "data" / "fx.csv").write_bytes((ROOT / "data" / "fx.csv").read_bytes())
    (folder / "alerts.toml").write_bytes((ROOT / "alerts.toml").read_bytes())
    for verb in ("pull", "build", "alerts evaluate --since 2026-06-01"):
        command = [sys.executable, "-m", "tidings", *verb.split()]
        subprocess.run(command, check=True, env=environment(folder), stdout=subprocess.DEVNULL)


def environment(folder: Path) -> dict[str, str]:
    """What makes a notebook read that workbook."""
    return {**os.environ, "TIDINGS_ROOT": str(folder)}


def write(file: Path) -> None:
    """Run a section and keep the output of its digest cell, and no other."""
    notebook = nbformat.read(file, as_version=4)
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(ROOT)}}).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type != "code":
            continue
        is_kept = "keep_output" in cell.metadata.get("tags", [])
        cell.outputs = cell.outputs if is_kept else []
        # nbval takes a cell without a number for one that was never run.
        cell.execution_count = 1 if is_kept else None
        for output in cell.outputs:
            output["execution_count"] = 1
            output["data"] = {"text/plain": output["data"]["text/plain"]}
    nbformat.write(notebook, file)
    print(f"  {file.name}: digest written")


@contextmanager
def digested_workbook() -> Iterator[None]:
    """While it is open, notebooks read the workbook that digests are of."""
    own = os.environ.get("TIDINGS_ROOT")
    if own:
        # Notebooks run in a folder of their own.
        os.environ["TIDINGS_ROOT"] = str(Path(own).resolve())
        yield
        return
    with tempfile.TemporaryDirectory(prefix="tidings-") as name:
        make_workbook(Path(name))
        os.environ["TIDINGS_ROOT"] = name
        try:
            yield
        finally:
            del os.environ["TIDINGS_ROOT"]


def main() -> None:
    """Write all digests."""
    with digested_workbook():
        for file in NOTEBOOKS:
            write(file)


if __name__ == "__main__":
    main()
