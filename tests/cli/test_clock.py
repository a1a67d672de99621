"""The verbs of what runs by the clock, as a person or a scheduler calls them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from tidings.cli import main as cli
from tidings.ledger.deliveries import Deliveries, delivery_key
from tidings.ledger.lease import hold
from tidings.ledger.store import Ledger
from workbook_folders import make_workbook

SETTINGS = """[tool.tidings]
timezone = "Europe/Berlin"
[tool.tidings.channels.place]
kind = "folder"
path = "published"
"""
REPORT = """title = "Sales"
sections = ["commerce"]
[[schedule]]
cron = "0 8 * * mon"
[[audience]]
name = "board"
channels = ["place"]
"""
# A Wednesday.
NOW = datetime(2026, 7, 1, 6, tzinfo=UTC)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = make_workbook(tmp_path / "workbook", SETTINGS)
    for file in (folder / "schedules").glob("*.toml"):
        file.unlink()
    (folder / "schedules" / "sales.toml").write_text(REPORT)
    (folder / "data").mkdir(exist_ok=True)
    monkeypatch.setattr(cli, "_now", lambda: NOW)
    return folder


def entered(root: Path, state: str, **about: object) -> Deliveries:
    """A slot of last Monday with one delivery in a state."""
    ledger = Deliveries(Ledger(root / "data" / "ledger.sqlite"))
    at = NOW - timedelta(days=2)
    ledger.seen_until("sales", "main", at)
    ledger.add_slots("sales", "main", [(at, at, "")], ["board"], NOW)
    [slot] = ledger.slots()
    [whole] = ledger.audiences(slot.id)
    key = delivery_key("sales", "main", at, "board", "place")
    ledger.expand(whole, [(key, "place", "", json.dumps({}))], NOW)
    ledger.end_slot(slot, "done", NOW)
    [entry] = ledger.deliveries(slot=slot.id)
    ledger.settle(entry.id, state, NOW, **about)
    return ledger


def test_nothing_is_due(command, root: Path) -> None:
    assert command("due", root=root) == (0, "Nothing is due.\n", "")


def test_one_process_at_a_time_looks_at_the_clock(command, root: Path) -> None:
    folder = root / "data" / ".running"
    folder.mkdir(parents=True)
    held = hold(folder / "clock.lock")
    assert held
    code, said, _ = command("due", root=root)
    assert code == 0 and said.startswith("Another process runs by the clock here")
    # A scheduler that shows steps has to try again, which is what 75 says.
    assert command("step", "sales/main", "run", root=root)[0] == 75
    code, _, error = command("serve", root=root)
    assert code == 1 and "Another process runs by the clock here" in error


def test_what_became_of_each_delivery(command, root: Path) -> None:
    entered(root, "delivered", late_seconds=5400.0, waited_for=("shop until 8:00",), gaps=("Commerce is missing.",))
    code, said, _ = command("deliveries", root=root)
    assert (code, said) == (
        0,
        "29 Jun 2026, 08:00  sales/main  board by place: delivered 90 min late with a gap\n"
        "    waited for shop until 8:00\n    lacks: Commerce is missing.\n",
    )
    assert command("deliveries", "--open", root=root)[1] == "No deliveries.\n"


@pytest.mark.parametrize("state", ["failed", "unknown"])
def test_what_is_open_is_listed(command, root: Path, state: str) -> None:
    entered(root, state, reason="The disk was full.")
    said = command("deliveries", "sales", "--open", root=root)[1]
    assert said.splitlines() == [f"29 Jun 2026, 08:00  sales/main  board by place: {state}", "    The disk was full."]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("send", "sales"), "What is to be sent again?"),
        (("send", "sales", "--failed"), "has no such delivery"),
        (("send", "sale", "--unknown"), "Did you mean 'sales'?"),
        (("send", "sales/2026-07-06", "--unknown"), "The ledger has no slot 'sales/2026-07-06'."),
        (("step", "sales/man", "run"), "Did you mean 'sales/main'?"),
        (("step", "sales/main", "deliver", "bord"), "Did you mean 'board'?"),
        (("schedule", "resume", "sale/main"), "Did you mean 'sales/main'?"),
        (("schedule", "export", "systemc"), "Did you mean 'systemd'?"),
        (("preview", "sales/monday"), "has no schedule 'monday'"),
        (("preview", "sales", "--audience", "bord"), "Did you mean 'board'?"),
    ],
)
def test_used_wrongly(command, root: Path, words: tuple[str, ...], said: str) -> None:
    entered(root, "delivered")
    code, _, error = command(*words, root=root)
    assert code == 2 and said in error


def test_a_paused_schedule_says_so_and_is_resumed(command, root: Path) -> None:
    ledger = entered(root, "delivered")
    ledger.count_failure("sales", "main", 3, "it failed 3 times in a row")
    assert "    paused: it failed 3 times in a row" in command("list", root=root)[1].splitlines()
    assert command("schedule", "resume", "sales/main", root=root)[1] == "sales/main goes on with its next slot.\n"
    assert ledger.failures("sales", "main") == (0, "")


def test_list_shows_the_next_three_slots_and_check_the_next(command, root: Path) -> None:
    line = "  sales/main: Mon 2026-07-06 08:00, Mon 2026-07-13 08:00, Mon 2026-07-20 08:00 Europe/Berlin, for board"
    assert line in command("list", root=root)[1].splitlines()
    (root / "schedules" / "sales.toml").write_text(REPORT.replace("0 8 * * mon", "0 8 * * mno"))
    code, said, _ = command("check", root=root)
    assert code == 1 and "schedules/sales.toml line 3, [[schedule]] 1: cron '0 8 * * mno' cannot be used" in said


def test_list_says_what_lies_on_the_disk_and_warns_before_it_is_full(
    command, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "reports" / "sales").mkdir(parents=True)
    (root / "reports" / "sales" / "index.html").write_bytes(b"x" * 1_500_000)
    assert "  reports: 2 MB" in command("list", root=root)[1].splitlines()
    usage = SimpleNamespace(total=10, used=9, free=999_000_000)
    monkeypatch.setattr("tidings.cli.catalog.shutil.disk_usage", lambda place: usage)
    assert "  Only 999 MB are free; a build and its reports need up to 1 GB" in command("list", root=root)[1]
