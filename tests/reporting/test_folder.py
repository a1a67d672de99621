"""The folder of a report: its name, its place, and what is there while it is replaced."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from section_notebooks import notebook

from tidings.errors import RunError
from tidings.ledger.lease import Leases
from tidings.reporting import folder
from tidings.reporting.folder import atomic_folder, put
from tidings.reporting.pinned import slot_of
from tidings.reporting.run import run
from tidings.settings import Settings
from tidings.window import Zone

NOW = datetime(2026, 7, 1, 6, 0, tzinfo=UTC)
BERLIN = Zone("Europe/Berlin")


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """No forkserver: quicker where a single trivial section is run."""
    monkeypatch.delattr(os, "fork")


@pytest.mark.parametrize(
    ("as_of", "is_latest", "other", "slot"),
    [
        # 22:00 UTC is 00:00 in Berlin.
        ("2026-06-30T22:00", False, {}, "2026-07-01"),
        # Data that is complete up to 00:00 UTC: 02:00 in Berlin, the report of that day.
        ("2026-07-01T00:00", True, {}, "2026-07-01"),
        ("2026-07-01T00:00", False, {}, "2026-07-01T0200"),
        ("2026-06-30T22:00", True, {"days": 90}, "2026-07-01~days=90"),
        ("2026-06-30T22:00", True, {"segment": "country=DE", "days": 90}, "2026-07-01~days=90_segment=country=DE"),
        ("2026-06-30T22:00", True, {"quiet": True, "share": 0.5}, "2026-07-01~quiet=true_share=0.5"),
    ],
)
def test_the_name_says_the_local_day_and_what_was_asked_otherwise(
    as_of: str, is_latest: bool, other: dict[str, object], slot: str
) -> None:
    at = datetime.fromisoformat(as_of).replace(tzinfo=UTC)
    assert slot_of(at, BERLIN, other, is_latest=is_latest) == slot


def test_values_that_are_no_names_make_different_folders_all_the_same() -> None:
    texts = ["a/b", "a?b", "a b", "../../etc", "ä", "x" * 300, "x" * 301, "a\0b", "/", "", ".", "..", "a\nb"]
    slots = [slot_of(NOW, BERLIN, {"segment": text}, is_latest=True) for text in texts]
    assert len(set(slots)) == len(texts)
    assert all(slot.isascii() and "/" not in slot and len(slot) < 120 for slot in slots)


def tree(root: Path, word: str) -> Path:
    (root / "notebooks").mkdir(parents=True)
    for name in ("index.html", "a.html", "notebooks/a.ipynb"):
        (root / name).write_text(word)
    return root


@pytest.mark.parametrize("can_exchange", [True, False])
def test_a_reader_always_finds_a_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, can_exchange: bool) -> None:
    if not can_exchange:
        monkeypatch.setattr(folder, "_exchange", lambda *_: False)
    place = tree(tmp_path / "slot", "0")
    (place / "gone.html").write_text("only in the first")
    missing, stop = [], threading.Event()

    def look() -> None:
        while not stop.is_set():
            try:
                (place / "index.html").read_text()
                (place / "notebooks" / "a.ipynb").read_text()
            except OSError as error:
                missing.append(error)

    reader = threading.Thread(target=look)
    reader.start()
    for number in range(1, 60):
        put(tree(tmp_path / "new", str(number)), place)
    stop.set()
    reader.join()
    # Between two reads of one look the folder may change, but each path is always there.
    assert missing == []
    assert {file.read_text() for file in place.rglob("*") if file.is_file()} == {"59"}
    assert [path.name for path in tmp_path.iterdir()] == ["slot"]


def test_it_is_one_step_of_the_system_where_that_can_do_it(tmp_path: Path) -> None:
    one, other = tree(tmp_path / "one", "1"), tree(tmp_path / "other", "2")
    assert folder._exchange(one, other), "Linux and macOS can, on the disks of this machine"
    assert ((one / "a.html").read_text(), (other / "a.html").read_text()) == ("2", "1")


def test_what_a_killed_run_left_goes_and_what_a_living_one_fills_stays(tmp_path: Path) -> None:
    leases = Leases(tmp_path / "leases")
    slots = tmp_path / "weekly"
    code = (
        "import sys, os; from pathlib import Path; from tidings.ledger.lease import Leases\n"
        "from tidings.reporting.folder import atomic_folder\n"
        "with atomic_folder(Path(sys.argv[1]) / 'd', Leases(Path(sys.argv[2]))): os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", code, str(slots), str(tmp_path / "leases")], check=False)
    assert len(list(slots.glob(".d.new.*"))) == 1
    mine = slots / f".other.new.{leases.mine()}"
    mine.mkdir()
    with atomic_folder(slots / "e", leases) as filled:
        (filled.folder / "index.html").write_text("x")
    assert sorted(path.name for path in slots.iterdir()) == [mine.name, "e"]


@pytest.mark.parametrize("stand_in", ["reports", "weekly"])
def test_a_file_in_the_way_is_named(tmp_path: Path, stand_in: str) -> None:
    target = tmp_path / "reports" / "weekly" / "2026-07-01"
    at = target.parent.parent if stand_in == "reports" else target.parent
    at.parent.mkdir(parents=True, exist_ok=True)
    at.write_text("a file")
    with (
        pytest.raises(RunError, match=r"cannot be written to .*2026-07-01: .*\. Move"),
        atomic_folder(target, Leases(tmp_path)),
    ):
        pass


@pytest.mark.usefixtures("plain")
def test_other_parameters_lie_beside_and_those_of_the_report_do_not(workbook: Callable[..., Settings]) -> None:
    settings = workbook(commerce=["print(days)"])
    (settings.schedules / "weekly.toml").write_text('title = "W"\nsections = ["commerce"]\n[parameters]\ndays = 14\n')
    for given in ({}, {"days": "14"}, {"days": "28"}, {"quiet": "no"}, {"as_of": "2026-07-01"}):
        run(settings, "weekly", given, now=NOW)
    # 14 is what the report says anyhow, quiet=no what the section does.
    assert sorted(path.name for path in (settings.reports / "weekly").iterdir()) == ["2026-07-01", "2026-07-01~days=28"]


@pytest.mark.usefixtures("plain")
def test_a_run_that_failed_wholly_leaves_the_good_report_where_it_is(workbook: Callable[..., Settings]) -> None:
    settings = workbook(commerce=["print('good')"])
    assert run(settings, "commerce", {}, now=NOW).status == "done"
    source = settings.notebooks / "commerce.ipynb"
    good = source.read_text()
    source.write_text(good.replace("print('good')", "1 / 0"))
    result = run(settings, "commerce", {}, now=NOW)
    slots = settings.reports / "commerce"
    assert (result.status, result.index) == ("failed", slots / "2026-07-01_failed" / "index.html")
    assert "good" in (slots / "2026-07-01" / "commerce.html").read_text()
    assert "ZeroDivisionError" in result.index.read_text()
    # What went wrong has been put right.
    source.write_text(good)
    run(settings, "commerce", {}, now=NOW)
    assert [path.name for path in slots.iterdir()] == ["2026-07-01"]


def test_every_page_of_a_report_that_failed_in_part_says_so(ran) -> None:
    for page in ("commerce.html", "index.html"):
        assert "1 of 2 sections could not be finished" in (ran.folder / page).read_text().replace("of its 2", "of 2")
    assert "state of the report" not in (ran.folder / "commerce.html").read_text()


@pytest.mark.usefixtures("plain")
def test_a_section_called_index_would_replace_the_index(workbook: Callable[..., Settings]) -> None:
    settings = workbook(index=notebook(["1"]))
    with pytest.raises(Exception, match="cannot be called index"):
        run(settings, "index", {}, now=NOW)
