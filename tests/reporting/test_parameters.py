"""Parameters are read from the notebook, and refused where they do not fit it."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from section_notebooks import notebook

from tidings.errors import UsageError
from tidings.reporting.parameters import bind, declared_parameters


def declared(tmp_path: Path, *arguments: str):
    file = tmp_path / "commerce.ipynb"
    nbformat.write(notebook(["1"], *arguments), file)
    return declared_parameters(file)


def test_type_default_and_help_are_read_from_the_cell(tmp_path: Path) -> None:
    found = declared(tmp_path)
    assert [(p.name, p.type, p.default, p.help) for p in found.values()] == [
        ("as_of", str, "latest", "now, for this report"),
        ("days", int, 28, "length of the window"),
        ("share", float, 0.5, "between 0 and 1"),
        ("quiet", bool, False, "without notes"),
        # papermill's own inspection passes over this line, because its help contains an "=".
        ("segment", str, "", "for example country=DE"),
    ]


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("days", "90", 90),
        ("days", 90, 90),
        ("share", "0.25", 0.25),
        ("share", 1, 1.0),  # a whole number is a number
        ("quiet", "yes", True),
        ("quiet", "False", False),
        ("quiet", True, True),
        ("segment", "country=DE", "country=DE"),
        ("segment", "7", "7"),  # text stays text, even if it looks like a number
    ],
)
def test_values_take_the_declared_type(tmp_path: Path, name: str, given: object, expected: object) -> None:
    bound = bind("commerce", declared(tmp_path), {name: given})
    assert bound == {name: expected}
    assert type(bound[name]) is type(expected)


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("days", "ninety", "'days' of commerce is a whole number, not 'ninety'.*default is 28: length of the window"),
        ("days", "7.5", "a whole number, not '7.5'"),
        ("days", True, "a whole number, not True"),
        ("days", 7.0, "a whole number, not 7.0"),
        ("share", "half", "a number, not 'half'"),
        ("quiet", "maybe", "true or false, not 'maybe'"),
        ("quiet", 1, "true or false, not 1"),
        ("segment", 7, "is text, not 7"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(tmp_path: Path, name: str, given: object, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        bind("commerce", declared(tmp_path), {name: given})


def test_a_mistyped_name_is_answered_with_the_nearest_and_the_list(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        bind("commerce", declared(tmp_path), {"as_off": "2026-07-01"})
    said = str(error.value)
    assert "no parameter 'as_off'" in said
    assert "Did you mean 'as_of'?" in said
    assert "days = 28  length of the window" in said


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("days = 28", "has 'days = 28'"),
        ("days: list = []", "has 'days: list = \\[\\]'"),
        ("import os", "has 'import os'"),
        ('days: int = "28x"', "a whole number, not '28x'"),
        ("days: int = 7 * 4", "has 'days: int = 7 \\* 4'"),
        ("days: int = ", "cannot be read"),
    ],
)
def test_a_parameters_cell_holds_nothing_but_parameters(tmp_path: Path, cell: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        declared(tmp_path, cell)


def test_a_notebook_without_a_parameters_cell_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "commerce.ipynb"
    book = notebook(["1"])
    del book.cells[1]
    nbformat.write(book, file)
    with pytest.raises(UsageError, match="0 cells tagged 'parameters'"):
        declared_parameters(file)


def test_a_file_that_is_no_notebook_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "commerce.ipynb"
    file.write_text("print(1)")
    with pytest.raises(UsageError, match=r"commerce\.ipynb cannot be read as a notebook"):
        declared_parameters(file)
