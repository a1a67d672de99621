"""Kernels for a run: forked from a forkserver with everything imported, else plain ones."""

from __future__ import annotations

import contextlib
import os
import queue
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar

from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from jupyter_core.utils import run_sync
from traitlets import Unicode

import tidings
from tidings.errors import RunError
from tidings.ledger.lease import hold, is_held
from tidings.reporting.forkserver import SINGLE_THREADED, read_message, send_message, socket_fits
from tidings.settings import WITHOUT_SECRETS

FORKED = "tidings-forked"
PLAIN = "tidings-plain"
_START_SECONDS = 120.0
_RESET_SECONDS = 10.0
_PREFIX = "tidings-"
_LEASE = "lease"
_ARGV = ["-f", "{connection_file}", "--HistoryManager.enabled=False"]


class Kernels:
    """The kernels of one run, as a context manager: `name()` is the kernel to ask `manager` for.

    Entering starts the forkserver; `prepare` adds to the environment of the kernels. If the forkserver cannot start or
    dies, `warn` is called once with the reason and plain kernels take over, slower with the same results. Nothing is
    installed and this process is not changed, so that several runs may share it.

    Kernels do not get the variables of this process that are `withheld`: a report reads landed data and needs no
    credentials.
    """

    def __init__(
        self, warn: Callable[[str], None], *, command: tuple[str, ...] = (), withheld: Iterable[str] = ()
    ) -> None:
        self._warn = warn
        self._command = command or (sys.executable, "-m", "tidings.reporting.forkserver")
        self._process: subprocess.Popen[bytes] | None = None
        self._ready = False
        self._closed = False
        self._lock = threading.Lock()
        without = frozenset(withheld)
        self.environment = {name: value for name, value in os.environ.items() if name not in without}
        self.manager: type[KernelManager] = type("RunKernelManager", (KernelManager,), {"kernels": self})

    def __enter__(self) -> Kernels:
        _sweep()
        self.folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        self._lease = hold(self.folder / _LEASE)
        self._socket = self.folder / "socket"
        self._log = self.folder / "forkserver.log"
        package = str(Path(tidings.__file__).parent.parent)
        self.environment |= {
            **SINGLE_THREADED,
            "PYTHONPATH": os.pathsep.join(filter(None, [package, self.environment.get("PYTHONPATH")])),
            "JUPYTER_RUNTIME_DIR": str(self.folder),
            WITHOUT_SECRETS: "yes",
        }
        self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self._lease)

    def prepare(self, environment: Mapping[str, str]) -> None:
        """Add to the environment of the kernels that start from now on."""
        self.environment |= environment

    def spec(self, name: str) -> KernelSpec:
        """The spec of a kernel by name."""
        provisioner = {"provisioner_name": FORKED, "config": {"socket_path": str(self._socket)}}
        metadata = {"supported_encryption": ["curve"]} | ({"kernel_provisioner": provisioner} if name == FORKED else {})
        launcher = [] if name == FORKED else [sys.executable, "-m", "ipykernel_launcher"]
        return KernelSpec(argv=[*launcher, *_ARGV], display_name=name, language="python", metadata=metadata)

    def name(self) -> str:
        """The kernel to use now; waits until the forkserver has finished importing.

        Raises:
            RunError: the context has been left.
        """
        with self._lock:
            if self._closed:
                raise RunError("The run was stopped.", "Repeat the command.")
            if self._process is not None and not self._is_running():
                self._stop()
                self._warn(f"No forkserver ({self._reason()}): sections start plain ones, which takes longer.")
            return FORKED if self._process is not None else PLAIN

    def is_lost(self) -> bool:
        """Whether a kernel died because the forkserver did, not because of the notebook."""
        with self._lock:
            return not self._closed and not self._is_running()

    def close(self) -> None:
        """End the forkserver, and its kernels with it."""
        with self._lock:
            self._closed = True
            self._stop()

    def _is_running(self) -> bool:
        if self._process is None or self._process.stdout is None:
            return False
        if not self._ready:
            with selectors.DefaultSelector() as selector:
                selector.register(self._process.stdout, selectors.EVENT_READ)
                self._ready = bool(selector.select(_START_SECONDS)) and self._process.stdout.readline() == b"ready\n"
        return self._ready and self._process.poll() is None

    def _start(self) -> None:
        if not hasattr(os, "fork") or sys.platform == "darwin":
            # macOS aborts forked processes that use its frameworks, and numpy does.
            self._warn("This system cannot fork kernels: sections start plain ones, which takes longer.")
            return
        if not socket_fits(self._socket):
            self._warn("The temporary folder's path is too long for a socket: sections start plain kernels.")
            return
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*self._command, str(self._socket)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=self.environment,
                # Ctrl-C is for the run, which ends the kernels itself.
                start_new_session=True,
            )

    def _stop(self) -> None:
        if self._process is None:
            return
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _reason(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1] if lines else "it ended without a message"


class KernelManager(AsyncKernelManager):
    """Starts kernels of one run, in its environment; `Kernels.manager` is the class of those of that run."""

    kernels: ClassVar[Kernels]

    def __init__(self, **options: Any) -> None:
        super().__init__(connection_file=str(self.kernels.folder / f"kernel-{uuid.uuid4()}.json"), **options)
        self.clients: list[AsyncKernelClient] = []

    def client(self, **options: Any) -> AsyncKernelClient:  # type: ignore[override]  # as in AsyncKernelManager
        """A new client, kept so that it can be closed: nbclient leaves those of a kernel that it did not start."""
        self.clients.append(super().client(**options))
        return self.clients[-1]

    @property
    def kernel_spec(self) -> KernelSpec:
        """The spec of the run, without a lookup on this machine."""
        return self.kernels.spec(self.kernel_name)

    async def start_kernel(self, **options: Any) -> None:  # type: ignore[override]  # nbclient takes both
        """Start it in the run's environment, not in that of this process."""
        await self._async_start_kernel(**{"env": self.kernels.environment, **options})


class SharedKernel:
    """A kernel that several notebooks use one after the other, as a context manager."""

    def __init__(self, kernels: Kernels) -> None:
        self.kernels = kernels
        self._manager: KernelManager | None = None

    def __enter__(self) -> SharedKernel:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def fresh(self) -> KernelManager:
        """Its manager, without any name that a notebook defined; it starts when a notebook is executed.

        Raises:
            RunError: the run was stopped.
        """
        # Asked each time: only this says that the run was stopped, or that the forkserver is gone.
        name = self.kernels.name()
        if self._manager is not None and (self._manager.kernel_name != name or not self._reset(self._manager)):
            self.close()
        if self._manager is None:
            self._manager = self.kernels.manager(kernel_name=name)
        return self._manager

    def close(self) -> None:
        """End the kernel; the next notebook gets a new one."""
        manager, self._manager = self._manager, None
        if manager is not None:
            run_sync(_end)(manager)

    def _reset(self, manager: KernelManager) -> bool:
        try:
            return bool(run_sync(_reset)(manager))
        except (RuntimeError, ConnectionError, TimeoutError, queue.Empty):
            return False


async def _reset(manager: KernelManager) -> bool:
    """Forget all that was defined; False if the kernel cannot."""
    if not manager.clients:
        return True
    *old, last = manager.clients
    for client in old:
        client.stop_channels()
    manager.clients = [last]
    reply = await last.execute("%reset -f", silent=True, store_history=False, reply=True, timeout=_RESET_SECONDS)
    return bool(reply["content"]["status"] == "ok")


async def _end(manager: KernelManager) -> None:
    for client in manager.clients:
        client.stop_channels()
    manager.clients = []
    # What ends a kernel that is gone already has errors of its own.
    with contextlib.suppress(RuntimeError, ConnectionError):
        if manager.has_kernel:
            await manager.shutdown_kernel(now=False)
    with contextlib.suppress(RuntimeError, ConnectionError):
        await manager.cleanup_resources()


class ForkedProvisioner(LocalProvisioner):
    """Launches a kernel by asking the forkserver at `socket_path` to fork one."""

    socket_path = Unicode()

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Launch the kernel; its process is a child of the forkserver, which passes signals on."""
        cwd = kwargs.get("cwd") or Path.cwd()
        forked = ForkedProcess(self.socket_path, {"argv": cmd, "env": dict(kwargs["env"]), "cwd": str(cwd)})
        self.process = forked  # type: ignore[assignment]  # has what LocalProvisioner asks of a Popen
        self.pid = forked.pid
        self.cwd = cwd
        return self.connection_info


class ForkedProcess:
    """The interface of `subprocess.Popen` for a kernel that is a child of the forkserver.

    Raises:
        ConnectionError: the forkserver is gone.
    """

    stdin = stdout = stderr = None

    def __init__(self, socket_path: str, request: Mapping[str, Any]) -> None:
        self.returncode: int | None = None
        self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._connection.connect(socket_path)
        send_message(self._connection, dict(request))
        answer = read_message(self._connection)
        if answer is None:
            raise ConnectionResetError("The forkserver ended while it was asked for a kernel.")
        self.pid: int = answer["pid"]

    def poll(self) -> int | None:
        """The exit status, None while it runs."""
        return self._read(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end and return the exit status."""
        status = self._read(timeout)
        if status is None:
            raise subprocess.TimeoutExpired(FORKED, timeout or 0)
        return status

    def send_signal(self, number: int) -> None:
        """Send a signal to the kernel and what it started."""
        if self.poll() is None:
            send_message(self._connection, {"signal": number})

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def _read(self, timeout: float | None) -> int | None:
        if self.returncode is None:
            with selectors.DefaultSelector() as selector:
                selector.register(self._connection, selectors.EVENT_READ)
                if not selector.select(timeout):
                    return None
            message = read_message(self._connection)
            # The end of the stream: the forkserver died, and its kernels with it.
            self.returncode = -signal.SIGKILL if message is None else int(message["exit"])
            self._connection.close()
        return self.returncode


def _sweep() -> None:
    """Remove what killed runs of this user left in the temporary folder."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            is_left = folder.stat().st_uid == os.getuid() and (folder / _LEASE).is_file()
            if is_left and not folder.is_symlink() and not is_held(folder / _LEASE):
                shutil.rmtree(folder, ignore_errors=True)
