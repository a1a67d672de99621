"""Variants of a report: what the file may say, what a run of them leaves, and that one does not touch another."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from section_notebooks import notebook

from tidings.book import Book
from tidings.cli.checks import check
from tidings.errors import UsageError
from tidings.ledger.store import Ledger
from tidings.reporting.binding import bound, check_report, to_date
from tidings.reporting.report import Report, Variant, load_report
from tidings.reporting.run import run
from tidings.settings import Settings

NOW = datetime(2026, 7, 1, 6, 0, tzinfo=UTC)
HEAD = 'title = "Weekly"\nsections = ["commerce", "traffic"]\n'
SEVEN = '[[variant]]\nname = "7 days"\nparameters = { days = 7 }\n'
FILE = f"""{HEAD}
[parameters]
days = 28

[[variant]]
name = "28 days"

{SEVEN}
[[variant]]
name = "Year to date"
parameters = {{ days = "year to date", segment = "country=DE" }}
"""
# The name that one variant defines must be unknown to the next; the kernel, and so its process, is the same.
COMMERCE = (
    "import os\nprint('left', 'mine' in globals(), 'process', os.getpid())",
    "mine = days\nprint(days, as_of, segment)",
)
TRAFFIC = (
    "import os\nprint('process', os.getpid())",
    "if days == 28:\n    raise ValueError('not this one')\nprint('fine')",
)


def write(settings: Settings, text: str) -> None:
    (settings.schedules / "weekly.toml").write_text(text)


def printed(file: Path) -> list[str]:
    cells = nbformat.read(file, as_version=4).cells
    return "".join(out.get("text", "") for cell in cells for out in cell.get("outputs", [])).splitlines()


@pytest.fixture(scope="module")
def made(workbook) -> tuple[Settings, Path]:
    settings = workbook(commerce=notebook(COMMERCE), traffic=notebook(TRAFFIC, title="Traffic"))
    write(settings, FILE)
    return settings, run(settings, "weekly", {}, now=NOW).index.parent


def test_every_variant_has_its_pages_in_one_folder(made) -> None:
    _, folder = made
    stems = ["commerce", "index", "traffic"]
    suffixes = ["", ".7-days", ".year-to-date"]
    assert sorted(path.name for path in folder.glob("*.html")) == sorted(
        f"{a}{b}.html" for a in stems for b in suffixes
    )
    assert not list(folder.parent.glob(".*"))


def test_each_ran_with_its_own_parameters_over_those_of_the_report(made) -> None:
    _, folder = made
    # From 1 January to 30 June 2026 are 181 days.
    for suffix, said in {
        "": "28 2026-07-01 ",
        ".7-days": "7 2026-07-01 ",
        ".year-to-date": "181 2026-07-01 country=DE",
    }.items():
        assert said in printed(folder / "notebooks" / f"commerce{suffix}.ipynb")


def test_they_share_a_kernel_but_no_name(made) -> None:
    _, folder = made
    lines = {
        printed(folder / "notebooks" / f"commerce{suffix}.ipynb")[0] for suffix in ("", ".7-days", ".year-to-date")
    }
    assert len(lines) == 1
    assert lines.pop().startswith("left False process ")


def test_one_that_fails_leaves_the_others_which_get_a_kernel_without_it(made) -> None:
    settings, folder = made
    failed, *others = (
        printed(folder / "notebooks" / f"traffic{suffix}.ipynb") for suffix in ("", ".7-days", ".year-to-date")
    )
    assert [lines[1] for lines in others] == ["fine", "fine"]
    assert len(failed) == 1
    assert failed[0] != others[0][0]
    manifest = json.loads((folder / "run.json").read_text())
    assert manifest["status"] == "partly"
    assert [s["page"] for s in manifest["sections"] if s["status"] == "failed"] == ["traffic.html"]
    # Only the pages of the same variant are incomplete.
    assert "This report is incomplete" in (folder / "commerce.html").read_text()
    assert "This report is incomplete" not in (folder / "commerce.7-days.html").read_text()
    [entry] = Ledger(settings.ledger).runs()
    assert entry.status == "partly"
    assert {s.section: s.status for s in entry.sections} == {
        Path(s["page"]).stem: s["status"] for s in manifest["sections"]
    }


def test_the_picker_links_the_same_page_of_each_variant(made) -> None:
    _, folder = made
    for file in folder.glob("*.html"):
        base, _, suffix = file.stem.partition(".")
        soup = BeautifulSoup(file.read_text(), "html.parser")
        [nav] = soup.select("header nav.variants")
        assert [link["href"] for link in nav.select("a")] == [
            f"{base}.html",
            f"{base}.7-days.html",
            f"{base}.year-to-date.html",
        ]
        assert [link.get_text() for link in nav.select("a")] == ["28 days", "7 days", "Year to date"]
        [current] = nav.select("[aria-current=page]")
        assert current["href"] == file.name
        for link in soup.select("a[href$='.html'], a[href$='.ipynb']"):
            assert (folder / str(link["href"])).is_file()
        # Whoever goes back to the index, or on to a section, stays in the variant.
        inside = soup.select(".trail a, main a[href$='.html']")
        beyond = [a["href"] for a in inside if not str(a["href"]).endswith(f".{suffix}.html" if suffix else ".html")]
        assert beyond == []


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """No forkserver: quicker where a single trivial section is run."""
    monkeypatch.delattr(os, "fork")


@pytest.mark.usefixtures("plain")
def test_one_variant_alone_has_a_folder_of_its_own(workbook) -> None:
    settings = workbook(commerce=["print(days)"])
    write(settings, f'title = "W"\nsections = ["commerce"]\n[[variant]]\nname = "28 days"\n{SEVEN}')
    result = run(settings, "weekly", {}, now=NOW, variant="7 Days")
    assert result.run.slot.startswith("2026-07-01~variant=7-days")
    assert printed(result.index.parent / "notebooks" / "commerce.ipynb") == ["7"]
    assert '<nav class="variants"' not in (result.index.parent / "commerce.html").read_text()
    with pytest.raises(UsageError, match=r"no variant '7 day'\. Did you mean '7 days'\?"):
        run(settings, "weekly", {}, now=NOW, variant="7 day")
    # It would make two pages that say different things the same.
    with pytest.raises(UsageError, match=r"set 'days' themselves: 7 days\. Choose one"):
        run(settings, "weekly", {"days": "90"}, now=NOW)


@pytest.fixture
def settings(workbook) -> Settings:
    return workbook(commerce=["1"], traffic=["1"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[variant]\nname = 'x'\n", r"variant must be a list of \[\[variant\]\] tables"),
        ("[[variant]]\nnam = 'x'\n", r"\[\[variant\]\] 1 has an unknown key 'nam'\. Did you mean 'name'\?"),
        (f"{SEVEN}[[variant]]\n", r'\[\[variant\]\] 2 has no name\. Write name = "7 days"'),
        ("[[variant]]\nname = ' - '\n", "neither a letter nor a digit"),
        (f"{SEVEN}[[variant]]\nname = '7-DAYS'\n", r"'7-DAYS' would have the pages of the variant '7 days'"),
        ("[[variant]]\nname = 'x'\nparameters = { as_of = '2026-01-01' }\n", "sets as_of, which all variants share"),
        ("[[variant]]\nname = 'x'\nparameters = { days = [7] }\n", "parameters.days must be text, a number"),
    ],
)
def test_a_variant_that_cannot_be_used_is_named_with_the_remedy(settings: Settings, text: str, said: str) -> None:
    write(settings, HEAD + text)
    with pytest.raises(UsageError, match=said) as error:
        load_report(settings, "weekly")
    assert "schedules/weekly.toml" in str(error.value)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ("dayz = 7", r"no parameter 'dayz'\. Did you mean 'days'\?"),
        ('days = "year to dat"', r"Did you mean 'year to date'\?"),
        ('days = "yaer to date"', r"Did you mean 'year to date'\?"),
        ('days = "seven"', "whole number"),
    ],
)
def test_it_is_said_which_variant_sets_what_no_section_takes(settings: Settings, parameters: str, said: str) -> None:
    write(settings, f"{HEAD}[[variant]]\nname = 'x'\nparameters = {{ {parameters} }}\n")
    with pytest.raises(UsageError, match=said) as error:
        check_report(settings, load_report(settings, "weekly"))
    assert "schedules/weekly.toml variant 'x'" in str(error.value)


def test_what_is_wrong_with_a_variant_is_found_by_a_check_and_before_a_run(settings: Settings) -> None:
    write(settings, f"{HEAD}[[variant]]\nname = 'x'\nparameters = {{ dayz = 7 }}\n")
    [finding] = [each for each in check(settings, NOW) if each.what == "report weekly"]
    assert finding.level == "fail"
    with pytest.raises(UsageError, match="no parameter 'dayz'"):
        run(settings, "weekly", {}, now=NOW)
    assert not settings.reports.exists()


@pytest.mark.parametrize(
    ("period", "days"),
    [
        # 30 June 2026, the last day, is a Tuesday.
        ("week to date", 2),
        ("month to date", 30),
        ("quarter to date", 91),
        ("year to date", 181),
        ("fiscal year to date", 181),
    ],
)
def test_a_period_to_date_is_the_days_from_its_first(settings: Settings, period: str, days: int) -> None:
    assert to_date(Book.open("2026-07-01", root=settings.root), period) == {"days": days}


def test_the_command_replaces_a_period_and_the_folder_says_so(settings: Settings) -> None:
    report = Report("weekly", "Weekly", ("commerce",), {"days": "year to date"})
    variant = Variant("Weekly")
    same = bound(settings, report, variant, {"days": "year to date"})
    assert (same.period, same.other) == ("year to date", {})
    # 28 is what the section would have without the report: another report all the same.
    fixed = bound(settings, report, variant, {"days": "28"})
    assert (fixed.period, fixed.given, fixed.other) == ("", {"days": 28}, {"days": "28"})
