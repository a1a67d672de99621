"""A finished run is found by every name it has, and none is taken for another."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from section_notebooks import GOOD

from conftest import NOW, Ran
from tidings.errors import RunError, UsageError
from tidings.ledger.store import Ledger
from tidings.reporting.figures import figure_of, required
from tidings.reporting.finished import FinishedRun, finished_run
from tidings.reporting.run import run

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def copied(ran: Ran, tmp_path: Path) -> Ran:
    """The same run in a workbook that a test may change."""
    root = Path(shutil.copytree(ran.settings.root, tmp_path / "workbook"))
    return Ran(replace(ran.settings, root=root), ran.result)


def held(made: FinishedRun) -> tuple[str, list[str], bool]:
    return made.id, [section.section for section in made.sections], made.is_whole


def test_a_run_is_found_by_id_folder_page_slot_and_name(ran: Ran, monkeypatch: pytest.MonkeyPatch) -> None:
    pinned = ran.result.run
    whole = (pinned.id, ["web_traffic", "commerce"], True)
    names = [pinned.id, "weekly", f"weekly/{pinned.slot}", str(ran.folder), str(ran.folder / "index.html")]
    for name in (*names, str(ran.folder.relative_to(ran.settings.root))):
        assert held(finished_run(ran.settings, name)) == whole
    for name in ("commerce", str(ran.folder / "commerce.html")):
        assert held(finished_run(ran.settings, name)) == (pinned.id, ["commerce"], False)
    monkeypatch.chdir(ran.folder)
    assert held(finished_run(ran.settings, "commerce.html")) == (pinned.id, ["commerce"], False)


def test_it_holds_the_manifest_and_the_records_in_order(ran: Ran) -> None:
    made = finished_run(ran.settings, "weekly")
    assert (made.title, made.status, made.as_of) == ("Weekly report", "partly", ran.result.run.as_of)
    assert (made.started_at, made.build, made.variant) == (NOW, ran.result.run.build, "")
    assert made.parameters["days"] == 14
    assert [record.section for record in made.records] == ["web_traffic", "commerce"]
    assert [bool(section.error) for section in made.sections] == [True, False]
    assert [page.name for page in made.pages] == ["index.html", "web_traffic.html", "commerce.html"]
    assert all(page.is_file() for page in made.pages)
    assert made.period == "1 – 30 Jun 2026 · Europe/Berlin"
    assert [page.name for page in made.only("commerce").pages] == ["commerce.html"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("wekly", "Did you mean 'weekly'?"),
        ("comerce", "Did you mean 'commerce'?"),
        ("weekly/2026-07-02", "Did you mean 'weekly/2026-07-01'?"),
        ("weekly-20260701T060000-ffff", "There is no run, report or section"),
        ("../weekly", "There is no run"),
        ("*", "There is no run"),
    ],
)
def test_an_unknown_name_is_refused_with_a_suggestion(ran: Ran, name: str, said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        finished_run(ran.settings, name)
    with pytest.raises(UsageError, match="Did you mean 'commerce'"):
        finished_run(ran.settings, "weekly").only("commerc")
    with pytest.raises(UsageError, match="has no variant 'x'"):
        finished_run(ran.settings, "weekly", "x")


def test_the_latest_run_counts_and_one_that_failed_is_not_passed_over(copied: Ran) -> None:
    weekly = copied.settings.reports / "weekly"
    older = json.loads((weekly / "2026-07-01" / "run.json").read_text())
    for day, status in (("2026-07-08", "done"), ("2026-07-15_failed", "failed")):
        folder = shutil.copytree(
            copied.settings.reports / "weekly" / "2026-07-01", copied.settings.reports / "weekly" / day
        )
        started = (NOW + timedelta(days=int(day[8:10]))).isoformat()
        newer = {**older, "id": f"weekly-{day}", "slot": day, "status": status, "started_at": started}
        (folder / "run.json").write_text(json.dumps(newer))
    # A run that is being made is hidden.
    hidden = copied.settings.reports / "weekly" / ".2026-07-22.new.1"
    shutil.copytree(copied.settings.reports / "weekly" / "2026-07-08", hidden)
    with pytest.raises(RunError, match=r"latest run of weekly, weekly-2026-07-15_failed, failed: .*weekly/2026-07-0"):
        finished_run(copied.settings, "weekly")
    assert finished_run(copied.settings, "weekly/2026-07-15_failed").status == "failed"
    shutil.rmtree(copied.settings.reports / "weekly" / "2026-07-15_failed")
    assert finished_run(copied.settings, "weekly").id == "weekly-2026-07-08"
    assert finished_run(copied.settings, "commerce").id == "weekly-2026-07-08"


def test_a_run_without_pages_says_what_became_of_it(copied: Ran) -> None:
    ledger, settings = Ledger(copied.settings.ledger), copied.settings
    about = {"report": "weekly", "slot": "2026-07-01", "as_of": NOW, "parameters": {}, "build": "b", "version": "1"}
    for number, (status, error, said) in enumerate(
        [
            ("", "", "has not finished"),
            ("interrupted", "It was stopped.", "left no pages: It was stopped."),
            ("done", "", "are gone: a later run replaced them.*weekly/2026-07-01"),
        ]
    ):
        name = f"weekly-20260630T06000{number}-abcd"
        ledger.start_run(name, sections=["commerce"], started_at=NOW, **about)
        if status:
            ledger.finish_run(name, status, seconds=1, error=error)
        with pytest.raises(RunError, match=said):
            finished_run(settings, name)
    with pytest.raises(RunError, match="The section commerce has no finished run"):
        shutil.rmtree(settings.reports / "weekly")
        finished_run(settings, "commerce")


def test_a_damaged_manifest_is_named(copied: Ran) -> None:
    (copied.settings.reports / "weekly" / "2026-07-01" / "run.json").write_text('{"id": 1}')
    with pytest.raises(RunError, match=r"run\.json is no manifest of a run: .*run the report again"):
        finished_run(copied.settings, "weekly")


def test_a_variant_is_the_first_or_the_one_named(workbook) -> None:
    settings = workbook(commerce=GOOD)
    (settings.schedules / "sales.toml").write_text(
        'title = "Sales"\nsections = ["commerce"]\n[[variant]]\nname = "28 days"\n'
        '[[variant]]\nname = "7 days"\nparameters = { days = 7 }\n'
    )
    run(settings, "sales", {}, now=NOW)
    first, second = finished_run(settings, "sales"), finished_run(settings, "sales", "7 DAYS")
    assert [first.variant, second.variant] == ["28 days", "7 days"]
    assert [page.name for page in first.pages] == ["index.html", "commerce.html"]
    assert [page.name for page in second.pages] == ["index.7-days.html", "commerce.7-days.html"]
    assert [record.section for record in second.records] == ["commerce"]
    assert second.parameters["days"] == 7
    by_page = finished_run(settings, str(second.folder / "commerce.7-days.html"))
    assert (by_page.variant, by_page.is_whole) == ("7 days", False)


def with_figures(ran: Ran, **held: tuple[str | None, float | None]) -> FinishedRun:
    """The run with figures put into its sections: section=(value, change) of net_revenue."""
    made = finished_run(ran.settings, "weekly")
    window = {"from": "2026-06-03", "to": "2026-07-01"}
    plain = {"metric": "net_revenue", "title": "Net revenue", "unit": "EUR", "window": window, "status": "none"}
    sections = []
    for section in made.sections:
        item = section.record.items[0]
        if section.section in held:
            value, change = held[section.section]
            figure = {**plain, "value": value, "before": "0", "change": change, "why": ""}
            item = replace(item, kind="cards", figures=(figure,))
        sections.append(replace(section, record=replace(section.record, items=(item,))))
    return replace(made, sections=tuple(sections))


def test_one_figure_is_a_plain_number_or_its_reason(ran: Ran) -> None:
    made = with_figures(ran, commerce=("168469.60", 0.5))
    figure = figure_of(made, "net_revenue")
    assert [required(figure, part) for part in ("value", "change", "before")] == ["168469.60", "0.5", "0"]
    unknown = figure_of(with_figures(ran, commerce=(None, None)), "net_revenue")
    with pytest.raises(RunError, match=r"^net_revenue is not known in 3 – 30 Jun 2026: no exchange rate"):
        required(unknown, "value")
    from_nothing = figure_of(with_figures(ran, commerce=("5", None)), "net_revenue")
    with pytest.raises(RunError, match=r"The change of net_revenue is not known.*it was 0 before"):
        required(from_nothing, "change")
    with pytest.raises(UsageError, match=r"no figure 'net_revenu'.*web_traffic failed.*Did you mean 'net_revenue'"):
        figure_of(made, "net_revenu")


def test_a_figure_with_two_values_is_asked_for_by_section(ran: Ran) -> None:
    same = with_figures(ran, commerce=("5", 0.5), web_traffic=("5", 0.5))
    assert figure_of(same, "net_revenue").value == "5"
    different = with_figures(ran, commerce=("5", 0.5), web_traffic=("6", 0.5))
    with pytest.raises(UsageError, match=r"2 values.*6 EUR in .*\(web_traffic\); 5 EUR.*--section"):
        figure_of(different, "net_revenue")
    assert figure_of(different, "net_revenue", "commerce").value == "5"


def test_the_verbs_write_files_and_numbers(ran: Ran, command: Command, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    root = ran.settings.root
    assert command("export", "weekly", "--format", "xlsx", root=root) == (0, "weekly-2026-07-01.xlsx\n", "")
    assert command("export", "commerce", "--to", "out.zip", root=root)[:2] == (0, "out.zip\n")
    (tmp_path / "there").mkdir()
    code, said, _ = command("export", "commerce", "--format", "xlsx", "--to", "there", root=root)
    assert (code, said) == (0, "there/weekly-2026-07-01-commerce.xlsx\n")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["out.zip", "there", "weekly-2026-07-01.xlsx"]
    code, said, error = command("export", "weekly", "--format", "pdf", "--to", "x.xlsx", root=root)
    assert (code, said) == (2, "") and "does not fit" in error
    code, said, error = command("value", "weekly", "net_revenue", root=root)
    assert (code, said) == (2, "") and "no figure 'net_revenue'" in error
