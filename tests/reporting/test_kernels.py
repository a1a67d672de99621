"""Kernels forked from a forkserver, and plain ones without it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest
from jupyter_client.utils import run_sync
from section_notebooks import notebook

from tidings.errors import RunError
from tidings.reporting.execute import Execution, execute_variants
from tidings.reporting.kernels import FORKED, PLAIN, Kernels
from tidings.secrets import Redactor, Secret

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux only")
# Serves like the real one, but imports nothing first: starts in a third of the time.
COLD = (
    sys.executable,
    "-c",
    "import tidings.reporting.forkserver as z; z._PRELOAD_ALL = ();"
    "z._PRELOAD = ('numpy.random', 'ipykernel.kernelapp'); z.main()",
)


@pytest.fixture(scope="module")
def forking() -> Iterator[Kernels]:
    warnings: list[str] = []
    with Kernels(warnings.append, command=COLD) as kernels:
        kernels.prepare({"TIDINGS_BUILD": "b1"})
        yield kernels
    assert warnings == []


Execute = Callable[..., Execution]


@pytest.fixture
def execute(tmp_path: Path) -> Execute:
    def run(kernels: Kernels, *cells: str, redact: Redactor = Redactor()) -> Execution:  # noqa: B008 - it is empty
        source = tmp_path / "commerce.ipynb"
        nbformat.write(notebook(cells), source)
        (execution,) = execute_variants(source, [(tmp_path / "out.ipynb", {"days": 7})], kernels, redact)
        return execution

    return run


def printed(execution: Execution) -> str:
    cells = nbformat.read(execution.notebook, as_version=4).cells
    return "".join(output.get("text", "") for cell in cells for output in cell.get("outputs", []))


def test_a_forked_kernel_gets_parameters_environment_and_folder(
    forking: Kernels, execute: Execute, tmp_path: Path
) -> None:
    code = "import os; print(days, os.environ['TIDINGS_BUILD'], os.getcwd(), os.getppid())"
    went = execute(forking, code)
    assert went.is_done
    days, build, folder, parent = printed(went).split()
    # 7 was given, 28 is the notebook's default.
    assert (days, build, Path(folder)) == ("7", "b1", tmp_path)
    # Its parent is the forkserver, not the one that runs the tests.
    assert int(parent) != os.getpid()
    assert forking.name() == FORKED


def test_forks_do_not_share_chance_or_state(forking: Kernels, execute: Execute) -> None:
    code = "import random, builtins, numpy.random; print(random.random(), numpy.random.random())\n"
    code += "print(hasattr(builtins, 'seen')); builtins.seen = 1"
    first, second = (printed(execute(forking, code)).split() for _ in range(2))
    assert first[0] != second[0]
    assert first[1] != second[1]
    assert (first[2], second[2]) == ("False", "False")


def test_a_failed_notebook_is_kept_up_to_the_error(forking: Kernels, execute: Execute) -> None:
    went = execute(forking, "print('before')", "1 / 0", "print('after')")
    assert went.error == "ZeroDivisionError: division by zero"
    assert printed(went) == "before\n"


def test_a_killed_kernel_fails_its_section_only(forking: Kernels, execute: Execute) -> None:
    went = execute(forking, "print('before', flush=True)", "import os; os.kill(os.getpid(), 9)")
    assert went.error.startswith("The kernel died")
    assert "before" in printed(went)
    assert execute(forking, "print(1)").is_done


def test_a_kernel_can_be_interrupted_restarted_and_shut_down(forking: Kernels) -> None:
    # In a thread of its own: a browser of other tests may have a loop running in this one.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(_interrupted_restarted_and_shut_down(forking))).result()


async def _interrupted_restarted_and_shut_down(forking: Kernels) -> None:
    manager = forking.manager(kernel_name=forking.name())
    await manager.start_kernel()
    client = manager.client()
    client.start_channels()
    try:
        await client.wait_for_ready(timeout=20)
        asked = client.execute("import time; time.sleep(30)")
        while (await client.get_iopub_msg(timeout=5))["msg_type"] != "execute_input":
            pass
        await asyncio.sleep(0.05)
        await manager.interrupt_kernel()
        reply = await client.get_shell_msg(timeout=5)
        assert reply["parent_header"]["msg_id"] == asked
        assert reply["content"]["ename"] == "KeyboardInterrupt"
        assert await manager.is_alive()
        before = manager.provisioner.pid
        await manager.restart_kernel(now=True)
        await client.wait_for_ready(timeout=20)
        assert manager.provisioner.pid != before
    finally:
        client.stop_channels()
        await manager.shutdown_kernel(now=True)
    assert not await manager.is_alive()
    with pytest.raises(ProcessLookupError):
        os.kill(before, 0)


def test_secrets_do_not_reach_the_kept_notebook(forking: Kernels, execute: Execute) -> None:
    redact = Redactor([Secret("hunter22")])
    # Printed in two halves, which reach the notebook as one text or as two.
    halves = "import sys, time; print('hunt', end='', flush=True); time.sleep(0.3); print('er22')"
    went = execute(forking, halves, "raise ValueError('hunter22 was refused')", redact=redact)
    assert went.error == "ValueError: [secret] was refused"
    assert printed(went) == "[secret]\n"
    # The code that the author wrote is no exception.
    assert "hunter22" not in went.notebook.read_text()


def test_without_a_forkserver_plain_kernels_serve_with_one_warning(execute: Execute) -> None:
    warnings: list[str] = []
    broken = (sys.executable, "-c", "raise SystemExit('no module named what')")
    with Kernels(warnings.append, command=broken) as kernels:
        kernels.prepare({"TIDINGS_BUILD": "b1"})
        assert [kernels.name(), kernels.name()] == [PLAIN, PLAIN]
        went = execute(kernels, "import os; print(os.environ['TIDINGS_BUILD'])")
    assert printed(went) == "b1\n"
    assert len(warnings) == 1
    assert "no module named what" in warnings[0]


def test_a_section_survives_the_death_of_the_forkserver(execute: Execute) -> None:
    warnings: list[str] = []
    # The first time, in a fork, the notebook kills its parent; the second time, in a plain kernel, it does not.
    code = "import os, signal, time\nif 'forkserver' in open(f'/proc/{os.getppid()}/cmdline').read():\n"
    code += f"    os.kill(os.getppid(), {int(signal.SIGKILL)}); time.sleep(20)\nprint('done')"
    with Kernels(warnings.append, command=COLD) as kernels:
        kernels.prepare({})
        went = execute(kernels, code)
    assert went.is_done
    assert printed(went) == "done\n"
    assert len(warnings) == 1


def test_leaving_the_context_ends_kernels(tmp_path: Path) -> None:
    with Kernels(print, command=COLD) as kernels:
        manager = kernels.manager(kernel_name=kernels.name())
        run_sync(manager.start_kernel)()
        process = manager.provisioner.pid
        os.kill(process, 0)
    run_sync(manager.cleanup_resources)()
    assert is_gone(process)
    assert not kernels.folder.exists()
    with pytest.raises(RunError, match="stopped"):
        kernels.name()


@pytest.mark.parametrize("command", [COLD, (sys.executable, "-c", "raise SystemExit")], ids=["forked", "plain"])
def test_two_runs_at_once_share_nothing_and_change_nothing(
    execute: Execute, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "hunter22")
    before = dict(os.environ)
    code = "import os; print(os.environ['TIDINGS_BUILD'], os.environ.get('SHOP_TOKEN'))"
    with (
        Kernels(lambda _: None, command=command, withheld=["SHOP_TOKEN"]) as one,
        Kernels(lambda _: None, command=command) as two,
    ):
        one.prepare({"TIDINGS_BUILD": "b1"})
        two.prepare({"TIDINGS_BUILD": "b2"})
        assert dict(os.environ) == before
        assert [printed(execute(kernels, code)) for kernels in (one, two)] == ["b1 None\n", "b2 hunter22\n"]
        assert dict(os.environ) == before


def is_gone(process: int) -> bool:
    for _ in range(100):
        try:
            # A zombie still has a number, but runs nothing.
            if Path(f"/proc/{process}/stat").read_text().split()[2] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.02)
    return False
