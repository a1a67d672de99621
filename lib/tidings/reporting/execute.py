"""Executes a section with papermill, its variants in one kernel; executed notebooks are kept whatever happens."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import papermill
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError

from tidings.errors import TidingsError
from tidings.reporting.kernels import FORKED, KernelManager, Kernels, SharedKernel
from tidings.reporting.notebook import output_node, read_notebook, write_notebook
from tidings.reporting.report import Parameter
from tidings.secrets import Redactor

# Redrawing a progress bar is not worth writing the file.
_AUTOSAVE_SECONDS = 30
_FIRST_WAIT_S = 2.0


@dataclass(frozen=True)
class Execution:
    """The result of one section: `error` is empty when it is done, else one sentence with the reason."""

    page: str
    notebook: Path
    seconds: float
    error: str = ""

    @property
    def is_done(self) -> bool:
        """Whether every cell ran."""
        return not self.error


def execute_variants(
    notebook: Path,
    variants: Iterable[tuple[Path, Mapping[str, Parameter]]],
    kernels: Kernels,
    redact: Redactor,
    retries: int = 0,
) -> Iterator[Execution]:
    """Execute a notebook in its own folder once for each output and its parameters, one after the other.

    They share a kernel, in which imports and caches are warm; nothing that a notebook defined is left to the next, and
    one that failed leaves it no kernel. An output is complete or written up to the cell that failed. If a kernel is
    lost because its forkserver died, the notebook is executed again in a plain one. One that failed is executed again
    up to `retries` times, each after twice as long a wait. All text of the results passes `redact`.

    Raises:
        OSError: an output cannot be written.
    """
    # Unknown parameters are refused before; papermill's warnings about types it cannot infer would only confuse.
    logging.getLogger("papermill").setLevel(logging.ERROR)
    with SharedKernel(kernels) as shared:
        for output, parameters in variants:
            start = time.perf_counter()
            error = _executed(notebook, output, parameters, shared)
            for again in range(retries):
                if error:
                    shared.close()
                    time.sleep(_FIRST_WAIT_S * 2**again)
                    error = _executed(notebook, output, parameters, shared)
            # An empty notebook means that the kernel could not even start.
            executed = read_notebook(output if output.is_file() and output.stat().st_size else notebook)
            for cell in executed.cells:
                if cell.cell_type == "code":
                    cell.outputs = _joined(cell.outputs)
            write_notebook(output_node(redact.mapped(executed)), output)
            yield Execution(output.stem, output, time.perf_counter() - start, redact(error))
            if error:
                shared.close()


def _executed(notebook: Path, output: Path, parameters: Mapping[str, Parameter], shared: SharedKernel) -> str:
    """Execute a notebook; the reason why it failed, or an empty text."""
    manager = shared.fresh()
    try:
        return _execute(notebook, output, parameters, manager)
    except (DeadKernelError, ConnectionError, RuntimeError) as lost:
        if manager.kernel_name == FORKED and shared.kernels.is_lost():
            shared.close()
            return _executed(notebook, output, parameters, shared)
        # Asked so that a run that was given up is said to be, and not to be out of memory.
        shared.kernels.name()
        return f"The kernel died ({str(lost).strip() or type(lost).__name__}): out of memory, or a crash in a library."
    except (OSError, TidingsError):
        raise
    except Exception as failed:  # noqa: BLE001 - Jupyter's parts have errors of their own, and so has any broken notebook
        said = (str(failed).strip().splitlines() or [""])[0][:300]
        return f"The notebook could not be executed ({type(failed).__name__}{': ' * bool(said)}{said})."


def _execute(notebook: Path, output: Path, parameters: Mapping[str, Parameter], manager: KernelManager) -> str:
    # papermill formats paths with str.format: a brace in one must be doubled.
    source, target = (str(path).replace("{", "{{").replace("}", "}}") for path in (notebook, output))
    try:
        papermill.execute_notebook(
            source,
            target,
            parameters=dict(parameters),
            kernel_name=manager.kernel_name,
            km=manager,
            language="python",
            # Not papermill's cwd: it changes the folder of this process, and so of the other threads.
            resources={"metadata": {"path": str(notebook.parent)}},
            progress_bar=False,
            log_output=False,
            autosave_cell_every=_AUTOSAVE_SECONDS,
        )
    except PapermillExecutionError as error:
        return f"{error.ename}: {error.evalue}".strip().removesuffix(":")
    return ""


def _joined(outputs: Sequence[Any]) -> list[Any]:
    """Outputs with printed text joined, so that no secret is split between two of them."""
    joined: list[Any] = []
    for output in outputs:
        last = joined[-1] if joined else None
        if last is not None and output.output_type == "stream" == last.output_type and output.name == last.name:
            last.text += output.text
        else:
            joined.append(output)
    return joined
