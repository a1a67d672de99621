"""Every section has the form that the design gives notebooks."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from papermill.inspection import _infer_parameters
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

from tidings.errors import UsageError

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))
PARAMETERS = ["as_of", "days", "compare", "timezone", "currency", "segment"]
ALLOWED = ("tidings.book", "tidings.sections", "tidings.display", "tidings.metrics", "tidings.analysis")


@pytest.fixture(params=NOTEBOOKS, ids=lambda file: file.stem)
def notebook(request: pytest.FixtureRequest) -> nbformat.NotebookNode:
    return load_notebook_node(str(request.param))


def _code(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_there_are_sections() -> None:
    assert {file.stem for file in NOTEBOOKS} >= {
        "executive_overview",
        "web_traffic",
        "commerce",
        "technical_performance",
    }


def test_it_opens_with_title_parameters_and_book(notebook: nbformat.NotebookNode) -> None:
    first, second, third = notebook.cells[:3]
    assert first.cell_type == "markdown" and first.source.startswith("# ") and "?" in first.source, "title, questions"
    assert second.metadata.get("tags") == ["parameters"]
    assert "Book.open(" in third.source


def test_its_parameters_are_typed_and_explained(notebook: nbformat.NotebookNode) -> None:
    source = notebook.cells[1].source
    assigned = [node for node in ast.parse(source).body if isinstance(node, ast.AnnAssign)]
    assert [node.target.id for node in assigned][: len(PARAMETERS)] == PARAMETERS
    assert all("  # " in line for line in source.splitlines()), "each parameter has its help as a comment"
    # As papermill by itself reads them: it gives up on a line with a second equals sign.
    assert [each.name for each in _infer_parameters(notebook)] == [node.target.id for node in assigned]
    assert all(each.help for each in _infer_parameters(notebook))


def test_every_question_has_one_short_answer_cell(notebook: nbformat.NotebookNode) -> None:
    for before, cell in zip(notebook.cells[2:], notebook.cells[3:], strict=False):
        if cell.cell_type != "code":
            continue
        assert len(cell.source.splitlines()) <= 8, f"more than 8 lines: {cell.source[:60]}"
        if "nbval-check-output" not in cell.metadata.get("tags", []):
            assert before.cell_type == "markdown" and before.source.startswith("## "), f"no heading: {cell.source[:60]}"
            assert before.source.splitlines()[0].rstrip().endswith("?"), f"not a question: {before.source[:60]}"


def test_no_logic_lives_in_it(notebook: nbformat.NotebookNode) -> None:
    for cell in _code(notebook):
        for node in ast.walk(ast.parse(cell.source)):
            assert not isinstance(node, ast.Try | ast.FunctionDef | ast.ClassDef | ast.For | ast.While | ast.If), (
                f"the library lacks a function: {cell.source[:80]}"
            )
            if isinstance(node, ast.ImportFrom):
                assert (node.module or "").startswith(ALLOWED), f"a notebook imports {node.module}"
        assert "SELECT" not in cell.source.upper().split() and "http" not in cell.source


def test_only_the_digest_keeps_its_output(notebook: nbformat.NotebookNode) -> None:
    *others, digest = _code(notebook)
    assert all(not cell.outputs and cell.execution_count is None for cell in others), "run: make digests"
    assert set(digest.metadata.tags) == {"nbval-check-output", "keep_output"}
    assert digest.outputs and digest.outputs[0].data["text/plain"].strip(), "run: make digests"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"days": "abc"}, "days must be a whole number, not 'abc'."),
        ({"days": True}, "days must be a whole number, not True."),
        ({"days": 7.5}, "days must be a whole number, not 7.5."),
        ({"as_of": 2026}, "as_of must be text, not 2026."),
        ({"segment": 7}, "segment must be text, not 7."),
    ],
)
def test_what_papermill_passes_is_refused_by_name(given: dict[str, object], said: str) -> None:
    commerce = next(file for file in NOTEBOOKS if file.stem == "commerce")
    parameterized = parameterize_notebook(load_notebook_node(str(commerce)), given)
    names: dict[str, object] = {}
    with pytest.raises(UsageError, match=re.escape(said)):
        for cell in _code(parameterized)[:3]:
            exec(cell.source, names)


@pytest.mark.proof
def test_papermill_alone_runs_a_section(sample_workbook: Path, tmp_path: Path) -> None:
    commerce = next(file for file in NOTEBOOKS if file.stem == "commerce")
    command = [sys.executable, "-m", "papermill", str(commerce), str(tmp_path / "out.ipynb"), "--no-progress-bar"]
    environment = {**os.environ, "TIDINGS_ROOT": str(sample_workbook)}
    done = subprocess.run(
        [*command, "-p", "segment", "country=DE"], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert "Unable to parse" not in done.stderr and "unknown parameter" not in done.stderr
    assert "country=DE" in (tmp_path / "out.ipynb").read_text(encoding="utf-8")


@pytest.mark.proof
def test_digests_are_of_the_sample_or_of_the_workbook_named(sample_workbook: Path) -> None:
    file = next(file for file in NOTEBOOKS if file.stem == "executive_overview")
    command = [sys.executable, "-m", "pytest", "--nbval", "-p", "no:cacheprovider", str(file)]
    own = {name: value for name, value in os.environ.items() if name != "TIDINGS_ROOT"}
    plain = subprocess.run(command, capture_output=True, text=True, check=False, env=own)
    assert plain.returncode == 0, plain.stdout
    # A sample of another size has other numbers.
    other = {**own, "TIDINGS_ROOT": str(sample_workbook)}
    assert subprocess.run(command, capture_output=True, text=True, check=False, env=other).returncode == 1
