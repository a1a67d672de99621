"""A run: one build and one instant for all sections, an atomic folder, and visible failures."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import nbformat
import pytest
from section_notebooks import PARAMETERS, notebook

from tidings.errors import RunError, UsageError, WarehouseError
from tidings.ledger.store import Ledger
from tidings.reporting import make_pages
from tidings.reporting.report import load_report
from tidings.reporting.run import _pin, run
from tidings.settings import Settings

NOW = datetime(2026, 7, 1, 6, 0, tzinfo=UTC)
SECRET = "hunter22hunter22"


def outputs(notebook_file: Path) -> str:
    return json.dumps([cell.get("outputs") for cell in nbformat.read(notebook_file, as_version=4).cells])


def test_a_failed_section_leaves_the_others_and_makes_the_run_partly(ran) -> None:
    assert ran.result.status == "partly"
    # In the report's order, though they ran side by side.
    assert [(s.section, s.status) for s in ran.result.sections] == [("web_traffic", "failed"), ("commerce", "done")]
    assert ran.result.sections[0].error == "ValueError: [secret] was refused by <b>the shop</b>"
    assert sorted(path.name for path in ran.folder.iterdir()) == [
        "commerce.html",
        "index.html",
        "notebooks",
        "run.json",
        "web_traffic.html",
    ]
    # The failed notebook is kept with its error.
    assert "ValueError" in outputs(ran.folder / "notebooks" / "web_traffic.ipynb")


def test_forked_kernels_did_it(ran) -> None:
    assert ran.result.warnings == ()


def test_the_slot_is_the_local_day_up_to_which_data_are_complete(ran) -> None:
    # 30 June 22:00 UTC is 1 July 00:00 in Berlin.
    assert ran.result.run.slot == "2026-07-01"
    assert ran.folder == ran.settings.reports / "weekly" / "2026-07-01"


def test_all_sections_get_the_same_instant_and_build(ran) -> None:
    build = (ran.settings.warehouse / "current").read_text().strip()
    for name in ("commerce", "web_traffic"):
        book = nbformat.read(ran.folder / "notebooks" / f"{name}.ipynb", as_version=4)
        assert book.metadata.papermill.parameters == {"as_of": "2026-07-01", "days": 14}
        assert f'"build": "{build}"' in outputs(ran.folder / "notebooks" / f"{name}.ipynb")


def test_the_manifest_says_what_was_run(ran) -> None:
    manifest = json.loads((ran.folder / "run.json").read_text())
    assert manifest["id"] == ran.result.run.id
    assert (manifest["status"], manifest["as_of"]) == ("partly", "2026-06-30T22:00:00+00:00")
    assert manifest["build"] == (ran.settings.warehouse / "current").read_text().strip()
    assert manifest["parameters"] == {"days": 14, "as_of": "2026-07-01"}
    assert [s["status"] for s in manifest["sections"]] == ["failed", "done"]
    assert manifest["sections"][0]["error"].startswith("ValueError: [secret]")


def test_the_ledger_has_the_run_and_its_sections(ran) -> None:
    [entry] = Ledger(ran.settings.ledger).runs()
    assert (entry.id, entry.status, entry.slot) == (ran.result.run.id, "partly", "2026-07-01")
    assert [(s.section, s.status) for s in entry.sections] == [("web_traffic", "failed"), ("commerce", "done")]


def test_no_secret_is_in_anything_that_was_written(ran) -> None:
    files = [path for path in ran.settings.reports.rglob("*") if path.is_file()]
    assert len(files) > 5
    for path in [*files, ran.settings.ledger]:
        assert SECRET.encode() not in path.read_bytes(), path.name


@pytest.fixture
def tiny(workbook) -> Settings:
    """One section that prints what it was given."""
    return workbook(commerce=["print(days, as_of, segment)"])


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """No forkserver: quicker where a single trivial section is run."""
    monkeypatch.delattr(os, "fork")


@pytest.mark.usefixtures("plain")
def test_a_second_run_replaces_the_slot_and_nothing_is_left_beside_it(tiny: Settings) -> None:
    slot = tiny.reports / "commerce" / "2026-06-01"
    slot.mkdir(parents=True)
    (slot / "old.html").write_text("old")
    # What a killed process would leave: its number is no longer in use.
    (slot.parent / ".2026-06-01.new.4711-abcd").mkdir()
    given = {"as_of": "2026-06-01"}
    result = run(tiny, "commerce", given, now=NOW)
    assert result.status == "done"
    assert "28 2026-06-01" in outputs(slot / "notebooks" / "commerce.ipynb")
    assert not (slot / "old.html").exists()
    assert [path.name for path in slot.parent.iterdir()] == ["2026-06-01"]
    # Plain kernels took over, with a warning for the reader of the run.
    assert len(result.warnings) == 1
    assert "cannot fork" in (slot / "index.html").read_text()


@pytest.mark.usefixtures("plain")
def test_a_run_that_breaks_leaves_the_slot_and_says_so_in_the_ledger(
    tiny: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot = tiny.reports / "commerce" / "2026-07-01"
    slot.mkdir(parents=True)
    (slot / "index.html").write_text("good")

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(make_pages, "_manifest", stop)
    with pytest.raises(KeyboardInterrupt):
        run(tiny, "commerce", {}, now=NOW)
    assert [path.name for path in slot.parent.iterdir()] == ["2026-07-01"]
    assert (slot / "index.html").read_text() == "good"
    [entry] = Ledger(tiny.ledger).runs()
    assert (entry.status, entry.error) == ("interrupted", "It was stopped.")


def test_a_time_of_day_makes_a_slot_of_its_own(tiny: Settings) -> None:
    report = load_report(tiny, "commerce")
    (pinned,) = _pin(tiny, report, {"as_of": "2026-06-01T08:30Z"}, NOW)
    assert (pinned.slot, pinned.parameters["as_of"]) == ("2026-06-01T1030", "2026-06-01T08:30:00+00:00")


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("comerce", {}, r"Did you mean 'commerce'\?"),
        ("commerce", {"as_off": "latest"}, r"Did you mean 'as_of'\?"),
        ("commerce", {"days": "many"}, "a whole number, not 'many'"),
        ("commerce", {"as_of": "yesterday"}, "'yesterday' is not a date or time"),
        ("commerce", {"segment": "contry=DE"}, r"Did you mean 'country'\?"),
    ],
)
def test_what_is_mistyped_is_refused_before_anything_is_written(
    tiny: Settings, name: str, given: dict[str, str], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        run(tiny, name, given, now=NOW)
    assert not tiny.reports.exists()
    assert not tiny.ledger.exists()


@pytest.mark.usefixtures("plain")
def test_without_a_build_the_remedy_is_said(tiny: Settings) -> None:
    (tiny.warehouse / "current").unlink()
    with pytest.raises(WarehouseError, match="tidings build"):
        run(tiny, "commerce", {}, now=NOW)


@pytest.mark.usefixtures("plain")
def test_a_section_needs_as_of(workbook) -> None:
    settings = workbook(commerce=notebook(["1"], PARAMETERS.replace("as_of", "until")))
    with pytest.raises(UsageError, match="no parameter 'as_of'"):
        run(settings, "commerce", {}, now=NOW)


def test_a_run_that_takes_too_long_is_given_up_and_says_so(workbook) -> None:
    settings = workbook(commerce=["import time\ntime.sleep(120)"])
    with pytest.raises(RunError, match=r"It took longer than 0\.1 minutes"):
        run(settings, "commerce", {}, now=NOW, time_limit=6.0)
    [entry] = Ledger(settings.ledger).runs()
    assert (entry.status, entry.error) == (
        "failed",
        "It took longer than 0.1 minutes. Allow more (time_limit), or ask for less.",
    )


def test_a_section_that_fails_is_executed_again(workbook, tmp_path: Path) -> None:
    mark = tmp_path / "tried"
    once = f"from pathlib import Path\nmark = Path({str(mark)!r})\n"
    flaky = once + "if not mark.exists():\n    mark.touch()\n    raise ValueError('busy')"
    settings = workbook(commerce=[flaky])
    assert run(settings, "commerce", {}, now=NOW, retries=1).status == "done"
