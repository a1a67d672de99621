"""Fixtures shared by all tests."""

from __future__ import annotations

import fcntl
import gc
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import settings as profiles
from ibis.expr.operations import Node

import tidings.warehouse.build
import tidings.warehouse.compiled
from tidings.business_calendar import Calendar, day_table, fingerprint
from tidings.cli.main import main
from tidings.landing.store import Landing
from tidings.language import Language, speak
from tidings.settings import load_settings
from tidings.sources.source import Pull, open_sources
from tidings.warehouse import duckdb
from tidings.warehouse.build import build
from workbook_folders import SAMPLE_SETTINGS, make_workbook

# The same examples every time: a new finding belongs to whoever goes looking, not to whoever runs CI. `make proof`
# tries all properties again, with many more of them.
profiles.register_profile("tidings", derandomize=True, database=None, deadline=None, max_examples=30)
profiles.register_profile("deep", profiles.get_profile("tidings"), max_examples=200)
profiles.load_profile("tidings")

# Compiling makes very many objects that stay; looking through them for garbage is a sixth of its time.
gc.set_threshold(50_000, 20, 50)

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session", autouse=True)
def no_waiting_for_disks() -> Iterator[None]:
    """A pull waits for the disk after every chunk, which is most of its time; that bytes stay is tested by name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def kept_sql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """SQL of models is made once per session for all workers, apart from that of real builds: tests replace code."""
    folder = _shared_by_workers(tmp_path_factory) / "sql"
    compile_sql = duckdb.compile_sql

    @cache
    def compiled(operation: Node) -> str:
        return compile_sql(operation.to_expr())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tidings.warehouse.compiled, "kept_folder", lambda: folder)
        # Contracts, too, are the same queries in each of some hundred builds.
        patch.setattr(duckdb, "compile_sql", lambda expression: compiled(expression.op()))
        # So are the days of 46 years, of which most builds have the same to say.
        patch.setattr(tidings.warehouse.build, "day_table", _day_table)
        yield


# Files of few, slow tests, which begin first: at the end one core would wait for the other.
_FIRST = ("test_end_to_end.py", "test_conformance.py", "test_readme.py", "test_variants.py", "test_warehouse.py")


def pytest_collection_finish() -> None:
    """What was imported stays, and need not be looked through for garbage."""
    gc.collect()
    gc.freeze()


def pytest_configure(config: pytest.Config) -> None:
    """Before test modules are read, as their properties take the number of examples from the profile."""
    if _is_proof(config):
        profiles.load_profile("deep")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Properties are part of the proof: there they are tried with more examples."""
    items.sort(key=lambda item: _FIRST.index(item.path.name) if item.path.name in _FIRST else len(_FIRST))
    for item in items if _is_proof(config) else ():
        if hasattr(getattr(item, "obj", None), "hypothesis"):
            item.add_marker(pytest.mark.proof)


_TABLES: dict[str, pa.Table] = {}


def _day_table(calendar: Calendar) -> pa.Table:
    said = fingerprint(calendar)
    if said not in _TABLES:
        _TABLES[said] = day_table(calendar)
    return _TABLES[said]


def _is_proof(config: pytest.Config) -> bool:
    expression = str(config.getoption("markexpr", ""))
    return "proof" in expression and "not proof" not in expression


def _shared_by_workers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(autouse=True)
def english_again() -> Iterator[None]:
    """A process speaks one language at a time; the next test begins in ours."""
    yield
    speak(Language())


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data with published figures; tests that need it are skipped where it is absent."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no ../shared/data beside the checkout: real data not checked")
    return folder


@pytest.fixture(scope="session")
def shared_cases() -> Path:
    """Small inputs with right answers; tests that need them are skipped where they are absent."""
    folder = ROOT.parent / "shared" / "cases"
    if not folder.is_dir():
        pytest.skip("no ../shared/cases beside the checkout: small cases not checked")
    return folder


@pytest.fixture(scope="session")
def sample_workbook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workbook with a small sample company, landed and built; tests do not change it but for its reports."""
    shared = _shared_by_workers(tmp_path_factory)
    made = shared / "sample"
    with (shared / "sample.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            folder = make_workbook(shared / "sample.part", SAMPLE_SETTINGS)
            settings = load_settings(folder)
            for source in open_sources(settings):
                list(source.pull(Landing(settings.raw), Pull(datetime(2026, 7, 2, tzinfo=UTC))))
            build(settings)
            folder.rename(made)
    return Path(shutil.copytree(made, tmp_path_factory.mktemp("sample") / "workbook"))


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """The command as a person types it, in this process: exit code, standard output, standard error."""

    def typed(*words: str, root: Path) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["tidings", "--root", str(root), *words])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return typed


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    """Headless Chromium, the system's own; tests that need it are skipped where it is missing."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        pytest.skip("no Chromium on this machine: pages not opened (Debian: apt-get install chromium)")
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        # Without its sandbox, because CI runs as root, which Chromium's sandbox refuses; the pages are our own.
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()
