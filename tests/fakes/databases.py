"""Real database servers, where they are installed: on loopback, in a folder of their own, stopped by their id."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PASSWORD = "s3cr3t/canary?#@:[]é"
QUOTED = "s3cr3t%2Fcanary%3F%23%40%3A%5B%5D%C3%A9"
# Far from UTC, and as no test of ours would have it.
ZONE = "+05:00"


@dataclass(frozen=True)
class Server:
    """A running server: its administrator's address, and its process."""

    scheme: str
    user: str
    port: int
    process: subprocess.Popen[bytes]

    def url(self, database: str = "shop", user: str = "reader", password: str = QUOTED) -> str:
        return f"{self.scheme}://{user}:{password}@127.0.0.1:{self.port}/{database}"


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def _folder(user: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    """A folder of the user whom the server runs as: root may not, and needs not, run one."""
    folder = Path(tempfile.mkdtemp(prefix="tidings-"))
    as_user: dict[str, Any] = {"cwd": folder}
    if os.geteuid() == 0:
        found = pwd.getpwnam(user)
        os.chown(folder, found.pw_uid, found.pw_gid)
        as_user |= {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}
    try:
        yield folder, as_user
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _started(
    command: list[str], as_user: dict[str, Any], log: Path, ready: Callable[[], object]
) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True, **as_user)
    try:
        for _ in range(300):
            if process.poll() is not None:
                raise RuntimeError(log.read_text(errors="replace")[-2000:])
            try:
                ready()
                break
            except Exception:  # noqa: BLE001 - the drivers' own, and neither has to be installed
                time.sleep(0.05)
        yield process
    finally:
        if process.poll() is None:
            # What they hold is thrown away; PostgreSQL has children that it takes along.
            process.send_signal(signal.SIGQUIT if "postgres" in command[0] else signal.SIGKILL)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def postgres_folder() -> Path | None:
    """Where Debian keeps the server's programs, the newest."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    there = shutil.which("postgres")
    return found[-1].parent if found else Path(there).parent if there else None


@contextmanager
def postgresql() -> Iterator[Server]:
    """PostgreSQL with an administrator `postgres`."""
    import psycopg

    programs = postgres_folder()
    assert programs is not None
    with _folder("postgres") as (folder, as_user):
        word = folder / "password"
        word.write_text(PASSWORD)
        word.chmod(0o644)
        data = str(folder / "data")
        init = [str(programs / "initdb"), "-D", data, "-U", "postgres", "-A", "scram-sha-256", f"--pwfile={word}"]
        subprocess.run(
            [*init, "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"], check=True, capture_output=True, **as_user
        )
        port = _free_port()
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": "",
            "fsync": "off",
            "timezone": "Asia/Karachi",
            "datestyle": "SQL, DMY",
        }
        options = [partition for name, value in settings.items() for partition in ("-c", f"{name}={value}")]
        command = [str(programs / "postgres"), "-D", data, *options]
        address = f"postgresql://postgres:{QUOTED}@127.0.0.1:{port}/postgres"
        with _started(command, as_user, folder / "log", lambda: psycopg.connect(address).close()) as process:
            yield Server("postgresql", "postgres", port, process)


@contextmanager
def mariadb() -> Iterator[Server]:
    """MariaDB with an administrator `root`, who has no password."""
    import pymysql

    with _folder("mysql") as (folder, as_user):
        data = str(folder / "data")
        init = ["mariadb-install-db", "--no-defaults", f"--datadir={data}", "--skip-test-db"]
        subprocess.run([*init, "--auth-root-authentication-method=normal"], check=True, capture_output=True, **as_user)
        port = _free_port()
        command = [
            shutil.which("mariadbd") or "/usr/sbin/mariadbd",
            "--no-defaults",
            f"--datadir={data}",
            f"--port={port}",
            "--bind-address=127.0.0.1",
            f"--socket={folder}/socket",
            f"--default-time-zone={ZONE}",
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-buffer-pool-size=16M",
        ]

        def ready() -> None:
            pymysql.connect(host="127.0.0.1", port=port, user="root").close()

        with _started(command, as_user, folder / "log", ready) as process:
            yield Server("mysql", "root", port, process)
