"""The command line: what it says, and how it exits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tidings.reporting.kernels import Kernels
from workbook_folders import SAMPLE_SETTINGS, make_workbook

Run = Callable[..., tuple[int, str, str]]

SHOP = """
[tool.tidings]
currency = "EUR"

[tool.tidings.sources.shop]
kind = "orders"
path = "orders.csv"
currency = "EUR"
columns = { order_id = "number", ts = "when", amount = "total" }
"""


@pytest.fixture
def run(command: Run) -> Run:
    return command


@pytest.fixture
def no_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process that imports while a run finds out what to do is not started, as nothing comes to be run."""
    monkeypatch.setattr(Kernels, "_start", lambda self: None)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["bild"], "There is no command 'bild'. Did you mean 'build'?"),
        (["pull", "sampel"], "There is no source 'sampel' in pyproject.toml. Did you mean 'sample'?"),
        (["run", "comerce"], "There is no report or section 'comerce'. Did you mean 'commerce'?"),
        (["run", "commerce", "-p", "dayz=3"], "no parameter 'dayz'. Did you mean 'days'?"),
        (["run", "commerce", "-p", "days=many"], "is a whole number, not 'many'"),
        (["run", "commerce", "-p", "days=0"], "days"),
        (["run", "commerce", "-p", "days"], "has no '='"),
        (["run", "commerce", "-p", "segment=contry=DE"], "cannot be limited by 'contry'. Did you mean 'country'?"),
        (["run", "commerce", "-p", "segment=country=DX"], "No row has the country 'DX'."),
        (["run", "commerce", "-p", "timezone=Europe/Berln"], "Did you mean 'Europe/Berlin'?"),
        (["run", "commerce", "-p", "compare=yaer"], "Did you mean 'year'?"),
        (["run", "commerce", "-p", "as_of=yesterdy"], "yesterdy"),
        (["catalog", "net_revenu"], "Did you mean 'net_revenue'?"),
    ],
)
def test_what_is_mistyped_is_refused_with_help(
    run: Run, no_kernels: None, sample_workbook: Path, words: list[str], said: str
) -> None:
    code, _, error = run(*words, root=sample_workbook)
    assert code == 2, "used wrongly"
    assert said in error
    assert "Traceback" not in error


def test_an_unknown_setting_is_refused_with_help(run: Run, tmp_path: Path) -> None:
    root = make_workbook(tmp_path / "book", '[tool.tidings]\ntimezon = "UTC"\n')
    code, _, error = run("check", root=root)
    assert (code, "Did you mean 'timezone'?" in error) == (2, True)


def test_list_names_sections_parameters_and_reports(run: Run, sample_workbook: Path) -> None:
    code, out, _ = run("list", root=sample_workbook)
    assert code == 0
    for name in ("weekly", "web_traffic", "days = 28", "sample: sample"):
        assert name in out


def test_catalog_describes_metrics_tables_feeds_and_sections(run: Run, sample_workbook: Path) -> None:
    for name, words in {
        "net_revenue": "gross",
        "fct_orders": "a row is",
        "orders": "succeeded charge",
        "raw_orders": "refund_of",
        "commerce": "Why did revenue change?",
    }.items():
        code, out, _ = run("catalog", name, root=sample_workbook)
        assert code == 0
        assert words.lower() in out.lower(), name


def test_catalog_writes_a_page(run: Run, sample_workbook: Path) -> None:
    code, out, _ = run("catalog", root=sample_workbook)
    page = Path(out.strip()).read_text(encoding="utf-8")
    assert code == 0
    assert 'id="def-net_revenue"' in page and 'id="table-fct_orders"' in page and "http://" not in page


def test_check_finds_what_is_wrong_before_it_hurts(run: Run, sample_workbook: Path, tmp_path: Path) -> None:
    assert run("check", root=sample_workbook)[0] == 0
    root = make_workbook(tmp_path / "book", SHOP)
    code, out, error = run("check", root=root)
    assert code == 1
    assert "FAIL source shop" in out and "orders.csv" in out
    assert "needs attention" in error or "need attention" in error


def test_bad_rows_are_counted_and_kept_and_good_ones_land(run: Run, tmp_path: Path) -> None:
    root = make_workbook(tmp_path / "book", SHOP)
    (root / "orders.csv").write_text("number,when,total\n1,2026-06-01,10.00\n2,2026-06-02,ten\n", encoding="utf-8")
    code, out, _ = run("pull", root=root)
    assert code == 0
    assert "1 rejected" in out and ".rejected.parquet" in out
    # Unchanged, the row is still missing, and nobody looked at the others anew.
    _, again, _ = run("pull", root=root)
    assert "1 row unchanged, kept, 1 rejected as before" in again and "none rejected" not in again


def test_a_source_that_fails_stops_no_other_and_the_exit_code_says_so(run: Run, tmp_path: Path) -> None:
    settings = SHOP + SAMPLE_SETTINGS[SAMPLE_SETTINGS.index("[tool.tidings.sources") :].replace("0.03", "0.001")
    root = make_workbook(tmp_path / "book", settings)
    code, out, error = run("pull", root=root)
    assert code == 1
    assert "sample: " in out and "none rejected" in out, "the sample came after the failing shop"
    assert "1 of 2 sources failed or are incomplete: shop" in error


def test_nothing_built_yet_is_said_with_the_remedy(run: Run, no_kernels: None, tmp_path: Path) -> None:
    root = make_workbook(tmp_path / "book", SHOP)
    code, _, error = run("run", "commerce", root=root)
    assert code == 1
    assert "tidings build" in error
