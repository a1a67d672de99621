"""Executing one section: papermill over its notebook, the executed notebook kept whatever happens."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import papermill
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError

from tidings.reporting.kernels import FORKED, Kernels
from tidings.reporting.notebook import output_node, read_notebook, write_notebook
from tidings.reporting.schedule import Parameter

# A cell that redraws a progress bar is not worth writing the file for.
_AUTOSAVE_SECONDS = 30


@dataclass(frozen=True)
class Execution:
    """How one section went: `error` is empty when it is done, else one sentence with the reason."""

    section: str
    notebook: Path
    seconds: float
    error: str = ""

    @property
    def is_done(self) -> bool:
        """Whether every cell ran."""
        return not self.error


def execute_section(
    notebook: Path, output: Path, parameters: Mapping[str, Parameter], kernels: Kernels, redact: Callable[[str], str]
) -> Execution:
    """Execute a notebook in its own folder and write it to `output`, whole or up to the cell that failed.

    A kernel lost because the process it was forked from died is no failure of the section: it is executed
    again in a plain one. All text of the result passes `redact`.
    """
    # Unknown parameters are refused before; what papermill logs about those it cannot infer would only worry.
    logging.getLogger("papermill").setLevel(logging.ERROR)
    start = time.perf_counter()
    kernel = kernels.name()
    try:
        error = _execute(notebook, output, parameters, kernel)
    except (DeadKernelError, ConnectionError, RuntimeError) as lost:
        if kernel == FORKED and kernels.is_lost():
            return execute_section(notebook, output, parameters, kernels, redact)
        error = f"The kernel died ({str(lost).strip() or type(lost).__name__}): out of memory, or a crash in a library."
    executed = read_notebook(output if output.is_file() else notebook)
    for cell in executed.cells:
        if cell.cell_type == "code":
            cell.outputs = [output_node(_mapped(found, redact)) for found in cell.outputs]
    write_notebook(executed, output)
    return Execution(notebook.stem, output, time.perf_counter() - start, redact(error))


def _execute(notebook: Path, output: Path, parameters: Mapping[str, Parameter], kernel: str) -> str:
    # papermill formats paths with str.format: a brace in one must be doubled.
    source, target = (str(path).replace("{", "{{").replace("}", "}}") for path in (notebook, output))
    try:
        papermill.execute_notebook(
            source,
            target,
            parameters=dict(parameters),
            kernel_name=kernel,
            language="python",
            # Not papermill's cwd: it changes the folder of this process, under the feet of the other threads.
            resources={"metadata": {"path": str(notebook.parent)}},
            progress_bar=False,
            log_output=False,
            autosave_cell_every=_AUTOSAVE_SECONDS,
        )
    except PapermillExecutionError as error:
        return f"{error.ename}: {error.evalue}".strip().removesuffix(":")
    return ""


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {key: _mapped(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [_mapped(item, change) for item in value]
    return value
