"""A process that has imported everything a notebook needs and forks a kernel per request.

Started by `kernels.Kernels` as `python -m tidings.reporting.forkserver <socket>`; it serves until its standard input
closes, that is, until the process that started it ends, however it ends. One connection is one kernel: the
client sends `{"argv", "env", "cwd"}` as a line of JSON and gets `{"pid"}`; then it may send `{"signal"}`; it
gets `{"exit"}` when the kernel ends. Closing the connection kills the kernel.

The process starts no threads and opens no connection to anything before it forks: threads and locks do not
survive a fork. (The allocators of Arrow and DuckDB have one each, and see to it themselves.)
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import pkgutil
import selectors
import signal
import socket
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn

# A thread pool opened by an import would be missing in every fork, with its locks held.
SINGLE_THREADED = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

_PRELOAD = (
    "numpy",
    "pandas",
    "pyarrow",
    "pyarrow.parquet",
    "duckdb",
    "ibis",
    "ibis.backends.duckdb",
    "ibis.expr.operations",
    "altair",
    "psutil",
    "IPython.core.interactiveshell",
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "tidings.book",
    "tidings.display.show",
)
# Packages of which every module is imported.
_PRELOAD_ALL = ("tidings.sections",)
# Costly to import and unused here: reports are not debugged, and without the second only a check of URI
# formats in JSON schemas is left out.
_LEFT_OUT = ("debugpy", "rfc3987_syntax")


def main() -> None:
    """Import, then serve on the socket named as the only argument."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(sys.argv[1])
    _preload()
    listener.listen(16)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    # Output of kernels below Python goes to standard error, as the pipe has no reader any more.
    os.dup2(2, 1)
    Server(listener).serve()


def _preload() -> None:
    for name in _LEFT_OUT:
        sys.modules[name] = None  # type: ignore[assignment]  # makes the import fail
    for name in _PRELOAD:
        importlib.import_module(name)
    for package in _PRELOAD_ALL:
        folders = importlib.import_module(package).__path__
        for module in pkgutil.iter_modules(folders, prefix=f"{package}."):
            importlib.import_module(module.name)
    gc.collect()
    # Objects that the garbage collector does not touch stay shared between all kernels.
    gc.freeze()


class Server:
    """Forks kernels, passes signals on to them and reports when they end."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._selector = selectors.DefaultSelector()
        self._kernels: dict[int, socket.socket] = {}
        self._wake, self._woken = socket.socketpair()

    def serve(self) -> None:
        """Serve until standard input closes; then every kernel is killed."""
        self._wake.setblocking(False)
        self._woken.setblocking(False)
        signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for source in (self._listener, self._woken, sys.stdin):
            self._selector.register(source, selectors.EVENT_READ)
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is sys.stdin:
                    self._stop()
                    return
                if key.fileobj is self._listener:
                    client, _ = self._listener.accept()
                    self._selector.register(client, selectors.EVENT_READ)
                elif key.fileobj is self._woken:
                    with contextlib.suppress(BlockingIOError):
                        self._woken.recv(4096)
                    self._reap()
                elif isinstance(key.fileobj, socket.socket):
                    self._serve_client(key.fileobj)

    def _serve_client(self, client: socket.socket) -> None:
        message = read_message(client)
        pid = next((pid for pid, other in self._kernels.items() if other is client), None)
        if message is None:
            self._selector.unregister(client)
            client.close()
            if pid is not None:
                _signal(pid, signal.SIGKILL)
        elif "signal" in message:
            if pid is not None:
                _signal(pid, int(message["signal"]))
        else:
            self._fork(client, message)

    def _fork(self, client: socket.socket, request: dict[str, Any]) -> None:
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._become_kernel(parent, request)
        # In both processes, so that the group exists whichever of them is first.
        with contextlib.suppress(PermissionError, ProcessLookupError):
            os.setpgid(pid, pid)
        self._kernels[pid] = client
        send_message(client, {"pid": pid})

    def _become_kernel(self, parent: int, request: dict[str, Any]) -> NoReturn:
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.setpgid(0, 0)
            self._selector.close()
            for opened in (self._listener, self._wake, self._woken, *self._kernels.values()):
                opened.close()
            null = os.open(os.devnull, os.O_RDONLY)
            os.dup2(null, 0)
            os.environ.clear()
            os.environ.update(request["env"])
            os.chdir(request["cwd"])
            _run_kernel(request["argv"], parent)
            status = 0
        except SystemExit as stop:
            status = stop.code if isinstance(stop.code, int) else 1
        except BaseException:  # noqa: BLE001 - the last frame of a forked process: it must not return into the server
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            # Not sys.exit: the exit handlers belong to the process that was forked.
            os._exit(status)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            client = self._kernels.pop(pid, None)
            if client is not None and client.fileno() >= 0:
                with contextlib.suppress(OSError):
                    send_message(client, {"exit": os.waitstatus_to_exitcode(status)})

    def _stop(self) -> None:
        for pid in self._kernels:
            _signal(pid, signal.SIGKILL)


def _run_kernel(argv: list[str], parent: int) -> None:
    import numpy
    from ipykernel.kernelapp import IPKernelApp

    # Python's own generator is seeded anew by the fork itself.
    numpy.random.seed()
    app = IPKernelApp.instance(parent_handle=parent)
    app.initialize(argv)  # type: ignore[no-untyped-call]
    app.start()  # type: ignore[no-untyped-call]


def _signal(pid: int, number: int) -> None:
    # The group, so that what the kernel started goes with it. A child that has not been reaped keeps its number.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, number)


def send_message(connection: socket.socket, message: dict[str, Any]) -> None:
    """Send one line of JSON."""
    connection.sendall(json.dumps(message).encode() + b"\n")


def read_message(connection: socket.socket) -> dict[str, Any] | None:
    """Read one line of JSON, None at the end of the stream. Blocks until the line is complete."""
    line = bytearray()
    while not line.endswith(b"\n"):
        try:
            # Byte by byte, so that no byte of the next message is read; messages are few and short.
            byte = connection.recv(1)
        except ConnectionResetError:
            return None
        if not byte:
            return None
        line += byte
    message: dict[str, Any] = json.loads(line)
    return message


def socket_fits(path: Path) -> bool:
    """Whether the path of a unix socket is short enough for every system (104 bytes on the BSDs)."""
    return len(os.fsencode(path)) < 104


if __name__ == "__main__":
    main()
