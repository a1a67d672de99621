"""Rerun every section on the sample company with nbval and compare its digest; `--write` writes the digests anew.

The sample is landed and built in a temporary workbook of its own, so that the figures do not depend on what
this checkout holds.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
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
    """Land and build the sample company in an empty folder."""
    (folder / "data").mkdir()
    (folder / "pyproject.toml").write_text(SETTINGS, encoding="utf-8")
    (folder / "data" / "fx.csv").write_bytes((ROOT / "data" / "fx.csv").read_bytes())
    for verb in ("pull", "build"):
        subprocess.run([sys.executable, "-m", "tidings", verb], check=True, env=environment(folder))


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


def main() -> int:
    """The exit code of nbval, or 0 after writing."""
    with tempfile.TemporaryDirectory(prefix="tidings-") as name:
        folder = Path(name)
        make_workbook(folder)
        if "--write" in sys.argv[1:]:
            os.environ.update(environment(folder))
            for file in NOTEBOOKS:
                write(file)
            return 0
        command = [sys.executable, "-m", "pytest", "--nbval-lax", "--nbval-current-env", "-p", "no:cacheprovider"]
        return subprocess.run([*command, *NOTEBOOKS], check=False, cwd=ROOT, env=environment(folder)).returncode


if __name__ == "__main__":
    sys.exit(main())
