"""Fixtures shared by all tests."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import settings as profiles

from tidings.landing.store import Landing
from tidings.settings import load_settings
from tidings.sources.source import Pull, open_sources
from tidings.warehouse.build import build
from workbook_folders import SAMPLE_SETTINGS, make_workbook

# The same examples every time: a new finding belongs to whoever goes looking, not to whoever runs CI.
profiles.register_profile("tidings", derandomize=True, database=None, deadline=None)
profiles.load_profile("tidings")

ROOT = Path(__file__).resolve().parent.parent


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
    """A workbook with a small sample company, landed and built; tests do not change it."""
    folder = make_workbook(tmp_path_factory.mktemp("sample") / "workbook", SAMPLE_SETTINGS)
    now = datetime(2026, 7, 2, tzinfo=UTC)
    settings = load_settings(folder)
    for source in open_sources(settings):
        list(source.pull(Landing(settings.raw), Pull(now)))
    build(settings)
    return folder


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
