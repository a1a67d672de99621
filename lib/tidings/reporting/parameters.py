"""The parameters a section declares: typed, with a default and a help comment each."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidings.errors import UsageError, suggest
from tidings.reporting.notebook import read_notebook
from tidings.reporting.report import Parameter

_TYPES: Mapping[str, type[Parameter]] = {"bool": bool, "float": float, "int": int, "str": str}
_FORM = "Write each parameter as `name: type = default  # help`, the type one of " + ", ".join(_TYPES) + "."
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True)
class Declared:
    """One parameter of a section: `type` is bool, float, int or str."""

    name: str
    type: type[Parameter]
    default: Parameter
    help: str

    def parse(self, value: Any, section: str) -> Parameter:
        """The value in the declared type; text, as from the command line, is read as that type.

        Raises:
            UsageError: the value does not fit the type.
        """
        if isinstance(value, str) and self.type is not str:
            parsed = _from_text(value.strip(), self.type)
        elif self.type is float and isinstance(value, int) and not isinstance(value, bool):
            parsed = float(value)
        else:
            # In Python a bool is an int.
            parsed = value if type(value) is self.type else None
        if parsed is None:
            kind = {bool: "true or false", float: "a number", int: "a whole number", str: "text"}[self.type]
            raise UsageError(
                f"The parameter '{self.name}' of {section} is {kind}, not {value!r}.",
                f"Its default is {self.default!r}" + (f": {self.help}." if self.help else "."),
            )
        return parsed


def declared_parameters(notebook: Path) -> Mapping[str, Declared]:
    """The parameters of a section, in the order of its cell tagged `parameters`.

    Read from the syntax tree: papermill's own inspection skips a line whose help contains an `=`.

    Raises:
        UsageError: the notebook cannot be read, has no such cell, or a line is not `name: type = value  # help`.
    """
    book = read_notebook(notebook)
    sources = [cell.source for cell in book.cells if "parameters" in cell.metadata.get("tags", [])]
    if len(sources) != 1:
        raise UsageError(
            f"{notebook.name} has {len(sources)} cells tagged 'parameters'.", "Tag exactly one cell, the second."
        )
    return _declared(sources[0], notebook.name)


def bind(section: str, declared: Mapping[str, Declared], given: Mapping[str, Any]) -> dict[str, Parameter]:
    """The given values in their declared types, by name.

    Raises:
        UsageError: a name the section does not declare, or a value of the wrong type.
    """
    bound = {}
    for name, value in given.items():
        if name not in declared:
            listing = "".join(f"\n  {item.name} = {item.default!r}  {item.help}" for item in declared.values())
            raise UsageError(
                f"The section {section} has no parameter '{name}'.", f"{suggest(name, declared)} It takes:{listing}"
            )
        bound[name] = declared[name].parse(value, section)
    return bound


def _declared(source: str, file: str) -> Mapping[str, Declared]:
    try:
        statements = ast.parse(source).body
    except SyntaxError as error:
        raise UsageError(f"The parameters cell of {file} cannot be read: {error}.", _FORM) from error
    comments = {
        token.start[0]: token.string.lstrip("# ").rstrip()
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    declared = {}
    for statement in statements:
        if not (
            isinstance(statement, ast.AnnAssign)
            and isinstance(statement.target, ast.Name)
            and isinstance(statement.annotation, ast.Name)
            and statement.annotation.id in _TYPES
            and isinstance(statement.value, ast.Constant | ast.UnaryOp)
        ):
            raise UsageError(f"The parameters cell of {file} has '{ast.unparse(statement)}'.", _FORM)
        name, kind = statement.target.id, _TYPES[statement.annotation.id]
        help_text = comments.get(statement.end_lineno or statement.lineno, "")
        undeclared = Declared(name, kind, kind(), help_text)
        default = undeclared.parse(ast.literal_eval(statement.value), file)
        declared[name] = Declared(name, kind, default, help_text)
    return declared


def _from_text(text: str, kind: type[Parameter]) -> Parameter | None:
    if kind is bool:
        return _TRUTH.get(text.lower())
    try:
        return kind(text)
    except ValueError:
        return None
