"""A workbook of an earlier version, as it lay on the disk, goes on with this one."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from tidings.book import Book
from tidings.ledger.store import Ledger

STORED = Path(__file__).parent / "v0_2_0"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """The workbook that 0.2.0 made of three orders, landed, with its ledger; builds are a cache."""
    root = tmp_path / "workbook"
    shutil.copytree(STORED / "inbox", root / "inbox")
    shutil.copytree(STORED / "raw", root / "data" / "raw")
    shutil.copy(STORED / "workbook.toml", root / "pyproject.toml")
    (root / "notebooks").mkdir()
    (root / "schedules").mkdir()
    with closing(sqlite3.connect(root / "data" / "ledger.sqlite")) as connection:
        connection.executescript((STORED / "ledger.sql").read_text(encoding="utf-8"))
    return root


def net_revenue(root: Path) -> object:
    return (
        Book.open(first=date(2026, 6, 1), last=date(2026, 6, 3), compare="none", root=root).value("net_revenue").value
    )


def test_what_it_landed_is_built_and_what_it_did_is_known(command, old: Path) -> None:
    code, _, error = command("build", root=old)
    assert code == 0, error
    # 10.00 + 20.50 + 5.25.
    assert net_revenue(old) == Decimal("35.75")
    ledger = Ledger(old / "data" / "ledger.sqlite")
    assert [(pull.source, pull.status, pull.rows) for pull in ledger.pulls()] == [("shop", "done", 3)]
    assert len(ledger.builds()) == 2
    for verb in ("list", "status", "due", "deliveries", "alerts"):
        code, _, error = command(verb, root=old)
        assert code == 0, f"{verb}: {error}"


def test_pulled_again_it_is_the_same(command, old: Path) -> None:
    assert command("pull", root=old)[0] == 0
    assert command("build", root=old)[0] == 0
    assert net_revenue(old) == Decimal("35.75")


def test_a_backup_without_the_builds_gives_the_same_figures(command, old: Path, tmp_path: Path) -> None:
    """As docs/operating.md says: the ledger by SQLite itself, all else but the warehouse by copying."""
    assert command("build", root=old)[0] == 0
    before = net_revenue(old)
    backup = tmp_path / "backup"
    shutil.copytree(old, backup, ignore=shutil.ignore_patterns("warehouse", "ledger.sqlite*", ".running"))
    with (
        closing(sqlite3.connect(old / "data" / "ledger.sqlite")) as source,
        closing(sqlite3.connect(backup / "data" / "ledger.sqlite")) as target,
    ):
        source.backup(target)
    shutil.rmtree(old)
    backup.rename(old)
    assert command("build", root=old)[0] == 0
    assert net_revenue(old) == before
    assert len(Ledger(old / "data" / "ledger.sqlite").builds()) == 3
