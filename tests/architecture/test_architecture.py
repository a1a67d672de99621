"""Rules of the code that no linter knows."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

LIB = Path(__file__).resolve().parents[2] / "lib"
MODULES = sorted(LIB.rglob("*.py"))


def _name(file: Path) -> str:
    return ".".join(file.relative_to(LIB).with_suffix("").parts).removesuffix(".__init__")


def _calls(file: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node.lineno, ast.unparse(node.func)


def _imported(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("file", MODULES, ids=_name)
def test_only_the_command_line_reads_the_clock(file: Path) -> None:
    clocks = ("datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "ibis.now", "ibis.today")
    read = [(line, call) for line, call in _calls(file) if call.endswith(clocks)]
    if _name(file) == "tidings.cli.main":
        return
    assert not read, f"{file.name} reads the wall clock at {read}: take it as a parameter (as_of, now)"


@pytest.mark.parametrize("file", MODULES, ids=_name)
def test_only_window_does_date_arithmetic(file: Path) -> None:
    if _name(file) == "tidings.window":
        return
    used = {name for name in _imported(file) if name in ("datetime.timedelta", "dateutil", "calendar")}
    assert not used, f"{file.name} uses {used}: the arithmetic belongs into window.py"


@pytest.mark.parametrize("file", MODULES, ids=_name)
def test_no_model_or_analysis_uses_what_other_engines_lack(file: Path) -> None:
    if not _name(file).startswith(("tidings.models", "tidings.metrics", "tidings.analysis")):
        return
    refused = ("asof_join", "approx_nunique", "approx_median", "approx_quantile", "unwrap_as", "raw_sql")
    used = [(line, call) for line, call in _calls(file) if call.rsplit(".", 1)[-1] in refused]
    assert not used, f"{file.name} uses {used}: not portable"


_AUDIT = """
import importlib, sys
def watch(event, args):
    writing = event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+")
    if writing and "__pycache__" in str(args[0]):
        return
    if writing or event in ("socket.connect", "socket.bind", "sqlite3.connect", "subprocess.Popen", "os.fork"):
        raise SystemExit(f"{NAME} does {event} {args[:2]} when it is imported")
import altair, duckdb, ibis, IPython, jupyter_client, nbconvert, papermill, pyarrow, tqdm, vl_convert
sys.addaudithook(watch)
for NAME in sys.argv[1:]:
    importlib.import_module(NAME)
"""


def test_nothing_is_done_at_import() -> None:
    """Every module is imported in a fresh process in which writing, connecting and starting are refused."""
    names = [_name(file) for file in MODULES]
    done = subprocess.run(
        [sys.executable, "-c", _AUDIT, *names], capture_output=True, text=True, cwd=LIB, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
