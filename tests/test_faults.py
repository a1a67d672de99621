"""Whatever is wrong with disk, files or machine: one message with the path and a remedy, never a traceback."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from tidings.cli import main as cli
from tidings.cli.main import tidings
from tidings.errors import remedy_of, understood
from tidings.ledger.store import Ledger
from tidings.warehouse import folder as build_folder
from workbook_folders import make_workbook

SHOP = """
[tool.tidings]
currency = "EUR"

[tool.tidings.sources.shop]
kind = "orders"
path = "orders.csv"
currency = "EUR"
columns = { order_id = "number", ts = "when", amount = "total" }
"""
Run = Callable[..., tuple[int, str]]
TIDINGS = [sys.executable, "-m", "tidings"]


@pytest.fixture
def run(command: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command as a person types it: exit code, and all that it says."""
    monkeypatch.setattr(cli, "_stop", signal.default_int_handler)

    def typed(*words: str, root: Path) -> tuple[int, str]:
        code, out, error = command(*words, root=root)
        return code, out + error

    return typed


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workbook of two orders, pulled and built."""
    root = make_workbook(tmp_path_factory.mktemp("faults") / "book", SHOP)
    (root / "orders.csv").write_text("number,when,total\n1,2026-06-01,10.00\n2,2026-06-02,11\n", encoding="utf-8")
    for word in ("pull", "build"):
        tidings(["--root", str(root), word], standalone_mode=False)
    return root


@pytest.fixture
def book(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "book"))


def folder(path: str) -> Callable[[Path], None]:
    """A folder where a file belongs."""

    def damage(root: Path) -> None:
        (root / path).unlink(missing_ok=True)
        (root / path).mkdir()

    return damage


def file(path: str, content: bytes = b"x") -> Callable[[Path], None]:
    """Other bytes, or a file where a folder belongs."""

    def damage(root: Path) -> None:
        if (root / path).is_dir():
            shutil.rmtree(root / path)
        (root / path).write_bytes(content)

    return damage


def cut(pattern: str, size: int) -> Callable[[Path], None]:
    """The file truncated to its first bytes."""

    def damage(root: Path) -> None:
        (found,) = root.glob(pattern)
        found.write_bytes(found.read_bytes()[:size])

    return damage


def swap(path: str, old: str, new: str) -> Callable[[Path], None]:
    """Somebody's edit."""

    def damage(root: Path) -> None:
        text = (root / path).read_text(encoding="utf-8")
        assert old in text
        (root / path).write_text(text.replace(old, new), encoding="utf-8")

    return damage


MANIFEST = "data/raw/shop/orders/manifest.json"
DAMAGES: list[tuple[Callable[[Path], None], str, str]] = [
    (folder("data/ledger.sqlite"), "list", "ledger.sqlite cannot be used"),
    (file("data/ledger.sqlite", b"no ledger" * 99), "list", "move it away"),
    (cut("data/ledger.sqlite", 5000), "list", "move it away"),
    (file("data"), "pull", "/data cannot be used"),
    (file("data/raw"), "build", "data/raw is not a folder"),
    (file("data/raw"), "check", "data/raw is not a folder"),
    (file("data/warehouse"), "build", "data/warehouse cannot be used"),
    (file("reports"), "catalog", "reports cannot be used"),
    (folder("data/warehouse/current"), "build", "it is a folder where a file belongs"),
    (folder("data/warehouse/current"), "check", "current cannot be read: it is a folder"),
    (file("data/warehouse/current", b"\xff\xfe"), "check", "names no build. Run `tidings build`"),
    (file("data/warehouse/current", b"../../x"), "check", "names no build. Run `tidings build`"),
    (file("data/warehouse/current", b"x" * 5000), "check", "names no build. Run `tidings build`"),
    (cut("data/warehouse/*.duckdb", 9000), "check", "delete"),
    (cut("data/warehouse/*.duckdb", 1_000_000), "check", "delete"),
    (cut(MANIFEST, 100), "build", "shop/orders/manifest.json cannot be read"),
    (file(MANIFEST, b"null"), "build", "manifest.json cannot be read"),
    (file(MANIFEST, b"\xff"), "build", "manifest.json cannot be read"),
    (folder(MANIFEST), "build", "manifest.json cannot be read"),
    (swap(MANIFEST, '"rows": 2', '"rows": "2"'), "build", "its rows is '2'"),
    (swap(MANIFEST, '"rows": 2', '"rows": true'), "build", "its rows is True"),
    (swap(MANIFEST, '"feed": "orders"', '"feed": "odrers"'), "build", "Did you mean 'orders'?"),
    (swap(MANIFEST, '"partition": ', '"prat": '), "build", "it has no 'partition'"),
    (swap(MANIFEST, '"file": "', '"file": "../'), "build", "is not the name of a file beside it"),
    (swap(MANIFEST, "+00:00", ""), "build", "has no offset"),
    (cut("data/raw/shop/orders/*.parquet", 300), "build", "was changed. Run: tidings pull shop --again"),
    (file("notebooks/commerce.ipynb", b"[]"), "list", "commerce.ipynb cannot be read as a notebook"),
    (file("notebooks/commerce.ipynb", b'{"cells": 3, "nbformat": 4, "metadata": {}}'), "list", "commerce.ipynb"),
    (file("notebooks/commerce.ipynb", b'{"cells": [{}], "nbformat": 4, "nbformat_minor": 5}'), "list", "commerce"),
    (file("notebooks/commerce.ipynb", b""), "check", "commerce.ipynb cannot be read as a notebook"),
    (folder("notebooks/commerce.ipynb"), "list", "it is a folder where a file belongs"),
    (folder("schedules/weekly.toml"), "list", "weekly.toml cannot be read: it is a folder"),
    (file("schedules/weekly.toml", b'title = "W"\nsections = [\n'), "list", "weekly.toml is not valid TOML"),
    (file("schedules/weekly.toml", 'title = "W"\nx = "é"'.encode("latin-1")), "list", "not UTF-8: line 2"),
    (folder("pyproject.toml"), "list", "pyproject.toml cannot be read"),
    (file("pyproject.toml", b"[tool.tidings]\ncurrency = EUR\n"), "list", "(at line 2, column 12)"),
    (file("pyproject.toml", "[tool.tidings]\n# é".encode("latin-1")), "list", "not UTF-8: line 2"),
    (file("pyproject.toml", b"[tool]\ntidings = 3"), "list", "must be a table, not 3"),
    (file("pyproject.toml", b'[tool.tidings]\ntimezone = ["UTC"]'), "list", "must be an IANA time zone, not"),
    (file("pyproject.toml", b"[tool.tidings]\nweek_start = {a = 1}"), "list", "week_start"),
    (file("pyproject.toml", b"[tool.tidings]\nfx = 3"), "list", "fx must be the path of a file, without U+0000, not 3"),
    (file("pyproject.toml", b'[tool.tidings]\nfx = "a\\u0000b"'), "list", "U+0000"),
    (file("pyproject.toml", b"x = " + b"[" * 3000), "list", "not valid TOML"),
    (file("pyproject.toml", b"x = " + b"9" * 9000), "list", "not valid TOML"),
    (file("pyproject.toml", b'[tool.tidings.sources.a]\nkind = ["x"]'), "pull", "unknown kind"),
    (file("pyproject.toml", b"[tool.tidings]\nsources = 3"), "list", "one table per source"),
    (file(".env", b"A=\xff"), "list", ".env is not UTF-8"),
]


@pytest.mark.parametrize(
    ("damage", "word", "said"), DAMAGES, ids=[f"{n} {d[1]}: {d[2]}" for n, d in enumerate(DAMAGES)]
)
def test_a_damaged_workbook_is_reported_in_a_sentence(
    run: Run, book: Path, damage: Callable[[Path], None], word: str, said: str
) -> None:
    damage(book)
    code, text = run(word, root=book)
    assert code in (1, 2) and said in text
    assert "Traceback" not in text and "does not know" not in text


def test_what_other_programs_leave_everywhere_is_passed_over(run: Run, book: Path) -> None:
    raw = book / "data" / "raw"
    for place in (raw, raw / "shop", raw / "shop" / "orders", book / "data" / "warehouse", book / "notebooks"):
        (place / "@eaDir" / "orders").mkdir(parents=True)
        for name in ("manifest.json", "orders/manifest.json", "x@SynoEAStream"):
            (place / "@eaDir" / name).write_text("x")
        for name in (".DS_Store", "Thumbs.db"):
            (place / name).write_bytes(b"\0\5\x16")
    (book / "notebooks" / "._commerce.ipynb").write_bytes(b"\0\5\x16")
    (book / "schedules" / "._weekly.toml").write_bytes(b"\0\5\x16")
    (book / ".env").mkdir()
    (book / "orders.csv").write_text("number,when,total\n1,2026-06-01,10.00\n", encoding="utf-8")
    for word in ("list", "check", "pull", "build", "catalog"):
        code, text = run(word, root=book)
        assert code == 0, text


def test_a_build_that_was_cut_or_whose_pointer_is_lost_is_made_again(run: Run, book: Path) -> None:
    (build,) = (book / "data" / "warehouse").glob("*.duckdb")
    for size in (0, 9000, build.stat().st_size // 2):
        build.write_bytes(build.read_bytes()[:size])
        code, text = run("build", root=book)
        assert (code, "Built" in text) == (0, True), size
    (book / "data" / "warehouse" / "current").write_text("?")
    assert run("build", root=book)[0] == 0
    assert "all contracts hold" in run("check", root=book)[1]


def test_a_disk_that_takes_no_more_ends_the_build_and_publishes_nothing(
    run: Run, book: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (book / "orders.csv").write_text("number,when,total\n1,2026-06-01,10.00\n", encoding="utf-8")
    run("pull", root=book)
    before = (book / "data" / "warehouse" / "current").read_text()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(build_folder, "_sync", full)
    code, text = run("build", root=book)
    assert code == 1 and "is full. Free some of it" in text
    assert (book / "data" / "warehouse" / "current").read_text() == before
    assert Ledger(book / "data" / "ledger.sqlite").builds()[0].status == "failed"


def test_every_word_of_the_system_is_a_sentence_with_the_path_and_the_remedy(tmp_path: Path) -> None:
    for number in sorted(errno.errorcode):
        reason, remedy = remedy_of(OSError(number, os.strerror(number), str(tmp_path)))
        assert reason and remedy.endswith((".", "words."))
        for error in (
            OSError(number, "x", str(tmp_path / "a")),
            OSError(number, "x", "a", None, "b"),
            OSError(number, "x"),
        ):
            reported = understood(error, tmp_path)
            assert reported is not None and str(reported).endswith(".") and "Errno" not in str(reported)
            assert error.filename is None or str(error.filename) in str(reported)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (duckdb.IOException('Could not write file "x": No space left on device'), "is full"),
        (duckdb.OutOfMemoryException("Out of Memory Error: failed to allocate"), "not enough memory"),
        (duckdb.InternalException("boom"), "The warehouse is a cache"),
        (MemoryError(), "not enough memory"),
        (pa.ArrowInvalid("Parquet magic bytes not found"), "Run tidings check"),
        (sqlite3.DatabaseError("malformed"), "The ledger failed: malformed."),
        (ZeroDivisionError("mine"), None),
    ],
)
def test_errors_of_libraries_are_understood(error: Exception, said: str | None, tmp_path: Path) -> None:
    reported = understood(error, tmp_path)
    assert (reported is None) if said is None else (reported is not None and said in str(reported))


def test_an_error_that_nobody_foresaw_keeps_its_traceback_in_a_file_without_secrets(
    run: Run, book: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "hunter22hunter22")

    def mistake(*_: object) -> str:
        raise KeyError("hunter22hunter22")

    monkeypatch.setattr("tidings.cli.catalog.overview", mistake)
    code, text = run("list", root=book)
    crash = (book / "data" / "crash.txt").read_text(encoding="utf-8")
    assert code == 1 and "unexpected error: KeyError" in text and "crash.txt" in text and "Traceback" not in text
    assert "Traceback" in crash and "hunter22" not in crash + text


# Signals and outputs, in a process of its own


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGTERM, 143),
        pytest.param(signal.SIGINT, 130, marks=pytest.mark.proof),
        pytest.param(signal.SIGHUP, 129, marks=pytest.mark.proof),
    ],
)
def test_a_signal_ends_a_run_in_order(book: Path, tmp_path: Path, number: int, code: int) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    process = subprocess.Popen(
        [*TIDINGS, "--root", str(book), "run", "weekly"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    ledger = Ledger(book / "data" / "ledger.sqlite")
    patience = time.monotonic() + 60
    while not ledger.runs() and time.monotonic() < patience:
        time.sleep(0.05)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == code
    assert len(said.strip().splitlines()) == 1 and "stopped" in said
    assert [entry.status for entry in ledger.runs()] == ["interrupted"]
    assert list(temporary.glob("tidings-*")) == []
    assert [path for path in (book / "reports").rglob("*") if path.name.startswith(".2026")] == []


def test_what_a_killed_run_left_in_the_temporary_folder_goes_with_the_next(book: Path, tmp_path: Path) -> None:
    code = (
        "import os; from tidings.reporting.kernels import Kernels\n"
        "with Kernels(print, command=('sleep', '1')): os.kill(os.getpid(), 9)"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=False)
    assert len(list(tmp_path.glob("tidings-*"))) == 1
    # One that has no lease is somebody else's.
    (tmp_path / "tidings-mine").mkdir()
    subprocess.run([sys.executable, "-c", code.replace("os.kill(os.getpid(), 9)", "pass")], env=environment, check=True)
    assert [path.name for path in tmp_path.glob("tidings-*")] == ["tidings-mine"]


@pytest.mark.parametrize(
    "redirected",
    [
        ">/dev/full",
        "| head -c 1",
        *(pytest.param(each, marks=pytest.mark.proof) for each in ("| true", ">&-", "2>&- >&-")),
    ],
)
def test_output_that_nobody_takes_makes_no_traceback(book: Path, redirected: str) -> None:
    command = f"{sys.executable} -m tidings --root '{book}' catalog net_revenue {redirected}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr


def test_a_folder_that_is_gone_is_reported(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    command = f"cd '{gone}' && rmdir '{gone}' && {sys.executable} -m tidings list"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "The folder that you are in is gone." in done.stderr
