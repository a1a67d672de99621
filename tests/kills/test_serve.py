"""`tidings serve` as a process, and everything at once: nothing is lost or comes twice, an open book stays as it is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from kills import CHILD, START, Boxes, due, faults, make
from tidings.book import Book
from tidings.ledger.deliveries import Deliveries
from tidings.ledger.store import Ledger
from tidings.settings import Settings

pytestmark = [pytest.mark.proof, pytest.mark.slow]
# 02:30 in Berlin.
NIGHTLY = datetime(2026, 3, 2, 1, 30, tzinfo=UTC)
SHOP = """
[tool.tidings.sources.shop]
kind = "orders"
path = "inbox/*.csv"
[tool.tidings.sources.shop.columns]
order_id = "order_id"
ts = "ts"
amount = "amount"
"""


@pytest.fixture
def boxes() -> Iterator[Boxes]:
    with Boxes().open() as opened:
        yield opened


@pytest.fixture
def settings(tmp_path: Path, boxes: Boxes) -> Settings:
    made = make(tmp_path, boxes)
    assert due(made.root, START, None) == 0
    return made


def started(root: Path, now: datetime, *words: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "SIMULATED_NOW": now.isoformat()}
    command = [sys.executable, "-c", CHILD, "--root", str(root), *words]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def under_way(settings: Settings) -> None:
    """Wait until a slot is being worked on."""
    ledger, patience = Deliveries(Ledger(settings.ledger)), time.monotonic() + 90
    while not any(slot.state == "running" for slot in ledger.slots()):
        assert time.monotonic() < patience, ledger.slots()
        time.sleep(0.05)


def test_serve_finishes_what_is_under_way_when_it_is_asked_to_end(settings: Settings, boxes: Boxes) -> None:
    process = started(settings.root, NIGHTLY - timedelta(seconds=2), "serve")
    under_way(settings)
    process.send_signal(signal.SIGTERM)
    said, error = process.communicate(timeout=120)
    assert (process.returncode, error) == (0, "") and said.endswith("Ended; what was due is done or in the ledger.\n")
    # Each morning, and when it begins, it says what it will do.
    assert said.startswith("Due today:\n")
    later = NIGHTLY + timedelta(minutes=20)
    assert due(settings.root, later, None) == 0
    assert faults(settings, boxes.arrived, later) == []


def test_a_second_signal_ends_it_at_once_and_the_slot_is_done_by_the_next(settings: Settings, boxes: Boxes) -> None:
    process = started(settings.root, NIGHTLY - timedelta(seconds=2), "serve")
    under_way(settings)
    process.send_signal(signal.SIGTERM)
    time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    # The first may have been all that was needed, if the slot was done by then.
    assert process.returncode in (0, 143)
    later = NIGHTLY + timedelta(minutes=20)
    assert due(settings.root, later, None) == 0
    assert faults(settings, boxes.arrived, later) == []


def test_pull_build_due_and_an_open_book_at_once_disturb_nothing(settings: Settings, boxes: Boxes) -> None:
    with (settings.root / "pyproject.toml").open("a") as file:
        file.write(SHOP)
    (settings.root / "inbox").mkdir()
    (settings.root / "inbox" / "a.csv").write_text("order_id,ts,amount\n2,2026-02-02T12:00:00Z,5.50\n")
    book = Book.open(first=date(2026, 2, 1), last=date(2026, 2, 28), compare="none", root=settings.root)
    before = book.value("net_revenue").value
    now = START + timedelta(days=2)
    processes = [started(settings.root, now, *words) for words in (("pull",), ("due",), ("build",), ("due",))]
    while any(process.poll() is None for process in processes):
        assert book.value("net_revenue").value == before
    for process in processes:
        _, error = process.communicate()
        assert process.returncode == 0 and "Traceback" not in error, error
    assert faults(settings, boxes.arrived, now) == []
