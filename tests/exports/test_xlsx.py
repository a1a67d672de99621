"""The spreadsheet, read back by another library: kinds of cells, formats, names of sheets, equal bytes."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from pathlib import Path
from zipfile import ZipFile

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from runs_in_memory import figure, item, table

from tidings.errors import RunError, UsageError
from tidings.exports.csv import write_csv
from tidings.exports.sheets import sheets_of
from tidings.exports.xlsx import write_xlsx

COLUMNS = (
    ("Day", "date"),
    ("Revenue", "EUR"),
    ("Yen", "JPY"),
    ("Rate", "ratio"),
    ("Change", "ratio"),
    ("Orders", "count"),
)


def opened(run, file: Path) -> openpyxl.Workbook:
    write_xlsx(run, file)
    return openpyxl.load_workbook(file)


def test_numbers_are_numbers_in_the_format_of_their_unit(made, tmp_path: Path) -> None:
    rows = (("2026-06-03", "1234.50", "12", 0.0489, -0.04, 458), ("2026-06-04", None, None, None, None, None))
    book = opened(made(Shop=[item("table", title="By day", table=table(COLUMNS, *rows))]), tmp_path / "run.xlsx")
    place = book["Shop 1"]
    assert [cell.value for cell in place[5]] == ["Day", "Revenue (EUR)", "Yen (JPY)", "Rate", "Change", "Orders"]
    first = place[6]
    assert [cell.value for cell in first] == [datetime(2026, 6, 3), 1234.5, 12, 0.0489, -0.04, 458]
    assert [cell.data_type for cell in first] == ["d", "n", "n", "n", "n", "n"]
    assert [cell.number_format for cell in first] == [
        "yyyy-mm-dd",
        "#,##0.00",
        "#,##0",
        "0.00%",
        "+0.0%;-0.0%;0.0%",
        "#,##0",
    ]
    # Unknown is never 0.
    assert [cell.value for cell in place[7]] == [datetime(2026, 6, 4), None, None, None, None, None]
    assert place["A9"].value == "An empty cell is not known; it is not 0."
    assert (place["A1"].value, place["A2"].value) == ("By day", "Shop · 3 – 30 Jun 2026 · UTC")
    assert place.freeze_panes == "A6"


def test_small_amounts_keep_their_digits_and_long_numbers_all_of_them(made, tmp_path: Path) -> None:
    columns = (("Name", "text"), ("Cost", "EUR"), ("Change", "points"), ("Id", "count"), ("Mean", "number"))
    held = table(columns, ("a", "0.0031", 0.0022, "12345678901234567", 1.25))
    (row,) = opened(made(Shop=[item("table", table=held)]), tmp_path / "run.xlsx")["Shop 1"]["A6:E6"]
    assert [cell.value for cell in row] == ["a", 0.0031, 0.22, "12345678901234567", 1.25]
    assert [row[1].number_format, row[2].number_format, row[4].number_format] == [
        "#,##0.00000",
        "+0.00;-0.00;0.00",
        "#,##0.00",
    ]


def test_a_column_of_several_units_has_them_beside_it(made, tmp_path: Path) -> None:
    cell = {"text": "6 163 EUR", "value": "6163.21", "unit": "EUR"}
    held = table((("Metric", "text"), ("7 days", "figure")), ("Revenue", cell), ("Odd", "3 (a)"))
    place = opened(made(Shop=[item("table", table=held)]), tmp_path / "run.xlsx")["Shop 1"]
    assert [cell.value for cell in place[5]] == ["Metric", "7 days", "Unit"]
    assert [cell.value for cell in place[6]] == ["Revenue", 6163.21, "EUR"]
    assert [cell.value for cell in place[7]] == ["Odd", "3 (a)", None]


def test_an_instant_is_given_in_utc_and_says_so(made, tmp_path: Path) -> None:
    held = table((("Last pull", "date"),), ("2026-06-30T23:30:00+02:00",), ("1899-01-01",))
    place = opened(made(Shop=[item("table", table=held)]), tmp_path / "run.xlsx")["Shop 1"]
    assert place["A5"].value == "Last pull (UTC)"
    assert place["A6"].value == datetime(2026, 6, 30, 21, 30)
    assert place["A7"].value == "1899-01-01"


def test_the_figures_have_window_change_and_the_reason_why_one_is_not_known(made, tmp_path: Path) -> None:
    cards = item(
        "cards",
        figures=(
            figure("net_revenue", "120.50", "EUR", before="100", change=0.205),
            figure("error_rate", "0.004", "ratio", before="0.002", change=1.0),
            figure("downloads", None, "count", why="no source has downloads"),
            figure("orders", "3", "count", why_no_change="2 of the 28 days before are not covered"),
        ),
    )
    place = opened(made(Shop=[cards]), tmp_path / "run.xlsx")["Figures"]
    rows = [[cell.value for cell in row] for row in place["A6:K9"]]
    days = [datetime(2026, 6, 3), datetime(2026, 6, 30)]
    assert rows == [
        ["Shop", "net revenue", "net_revenue", 120.5, 100, 0.205, None, *days, None, "EUR"],
        ["Shop", "error rate", "error_rate", 0.004, 0.002, None, 0.2, *days, None, "ratio"],
        ["Shop", "downloads", "downloads", None, None, None, None, *days, "no source has downloads", "count"],
        [
            *("Shop", "orders", "orders", 3, None, None, None, *days),
            *("No change: 2 of the 28 days before are not covered.", "count"),
        ],
    ]
    definitions = opened(made(Shop=[cards]), tmp_path / "run.xlsx")["Definitions"]
    # What no source brings is not shown, and needs no definition.
    assert [row[0].value for row in definitions["A6:A9"]] == ["net_revenue", "error_rate", "orders", None]


@pytest.mark.parametrize("text", ["=1+1", "@SUM(A1)", "+1+1", "-1-1", "http://x.example", "{=1}", "0123", "x" * 40_000])
def test_no_text_is_a_formula_a_link_or_a_number(made, tmp_path: Path, text: str) -> None:
    held = table(((text[:200], "text"), ("Orders", "count")), (text, 1))
    run = made(Shop=[item("table", title=text, table=held, provenance={"notes": [text]})])
    place = opened(run, tmp_path / "run.xlsx")["Shop 1"]
    for cell in (place["A1"], place["A5"], place["A6"], place["A8"]):
        assert (cell.data_type, cell.hyperlink) == ("s", None)
        assert text.startswith(str(cell.value).rstrip("…"))


@given(st.lists(st.text(max_size=60), min_size=1, max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_stays_a_text_and_nothing_in_a_csv_is_a_formula(made, tmp_path: Path, texts: list[str]) -> None:
    held = table((("Name", "text"),), *([text] for text in texts))
    run = made(Shop=[item("table", table=held)])
    place = opened(run, tmp_path / "run.xlsx")["Shop 1"]
    assert all(cell.data_type in "sn" and not cell.hyperlink for row in place.iter_rows(min_row=6) for cell in row)
    assert not any(isinstance(cell.value, int | float) for row in place.iter_rows(min_row=6) for cell in row)
    write_csv(run, tmp_path / "run.zip")
    with ZipFile(tmp_path / "run.zip") as archive:
        read = list(csv.reader(io.StringIO(archive.read("shop-1.csv").decode("utf-8-sig"), newline="")))
    assert not any(cell.startswith(("=", "@", "\t", "\r", "\n")) for row in read for cell in row)


def test_names_of_sheets_are_short_different_and_allowed(made, tmp_path: Path) -> None:
    held = item("table", table=table((("N", "count"),), (1,)))
    long = "A_very_long_title_of_a_section_that_goes_on"
    run = made(**{long: [held] * 12, f"{long}_and_on": [held], "History": [held], "Figures": [held]})
    names = [sheet.name for sheet in sheets_of(run)]
    assert len({name.casefold() for name in names}) == len(names) == 18
    assert max(map(len, names)) <= 31
    # The library would refuse one that Excel cannot open.
    assert opened(run, tmp_path / "run.xlsx").sheetnames == names


def test_equal_records_give_equal_bytes(made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = made(Shop=[item("table", table=table(COLUMNS, ("2026-06-03", "1", "2", 0.1, 0.1, 4)))])
    for write, name in ((write_xlsx, "run.xlsx"), (write_csv, "run.zip")):
        write(run, tmp_path / name)
        first = (tmp_path / name).read_bytes()
        monkeypatch.setattr("time.time", lambda: 2_000_000_000.0)
        write(run, tmp_path / name)
        assert (tmp_path / name).read_bytes() == first
    assert openpyxl.load_workbook(tmp_path / "run.xlsx").properties.created == datetime(2026, 7, 1)


def test_csv_files_lie_in_a_new_folder_or_an_archive(made, tmp_path: Path) -> None:
    held = table(
        (("Name", "text"), ("Change", "points"), ("Revenue", "EUR")), ("a", 0.0022, "168469.60"), ("b", None, None)
    )
    run = made(Shop=[item("table", table=held)])
    write_csv(run, tmp_path / "out")
    names = ["contents.csv", "definitions.csv", "figures.csv", "shop-1.csv"]
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == names
    text = (tmp_path / "out" / "shop-1.csv").read_text(encoding="utf-8-sig")
    assert text.splitlines() == ["Name,Change (points),Revenue (EUR)", "a,0.22,168469.60", "b,,"]
    with pytest.raises(UsageError, match="not empty"):
        write_csv(run, tmp_path / "out")
    write_csv(run, tmp_path / "run.zip")
    with ZipFile(tmp_path / "run.zip") as archive:
        assert sorted(archive.namelist()) == names


@pytest.mark.parametrize(("write", "name"), [(write_xlsx, "run.xlsx"), (write_csv, "run.zip"), (write_csv, "out")])
def test_a_full_disk_leaves_what_was_there(
    made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write, name: str
) -> None:
    def full(*args: object, **more: object) -> None:
        raise OSError(28, "No space left on device")

    run, target = made(Shop=[]), tmp_path / "exports" / name
    target.parent.mkdir()
    if target.suffix:
        target.write_text("earlier")
    for method in ("write_bytes", "open"):
        monkeypatch.setattr(Path, method, full)
    monkeypatch.setattr("tidings.exports.csv.ZipFile", full)
    with pytest.raises(RunError, match=rf"{name} cannot be written: the disk is full\. Free some"):
        write(run, target)
    monkeypatch.undo()
    assert [file.name for file in target.parent.iterdir()] == ([name] if target.suffix else [])


def test_a_folder_where_the_file_belongs_is_named(made, tmp_path: Path) -> None:
    (tmp_path / "run.xlsx").mkdir()
    with pytest.raises(RunError, match="a folder where a file belongs"):
        write_xlsx(made(Shop=[]), tmp_path / "run.xlsx")
