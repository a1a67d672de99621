"""Tables as CSV: numbers as they are, no text that a spreadsheet runs, everything read back as it was."""

from __future__ import annotations

import csv
import io
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.reporting.csv_link import csv_address, csv_name, csv_text


def table(*rows: tuple[Any, ...], names: tuple[tuple[str, str], ...] = (("Name", "text"), ("Value", "EUR"))) -> Any:
    return {"columns": [{"name": t, "title": t, "unit": u} for t, u in names], "rows": [list(row) for row in rows]}


def read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


def test_numbers_are_plain_and_none_is_empty() -> None:
    rows = read(csv_text(table(("a", "168469.60"), ("b", "-12.5"), ("c", None), ("d", 0.06), ("e", 1e-7), ("f", 3.0))))
    assert rows[0] == ["Name", "Value (EUR)"]
    assert [row[1] for row in rows[1:]] == ["168469.60", "-12.5", "", "0.06", "1e-07", "3"]


def test_rows_with_units_of_their_own_have_them_in_a_column() -> None:
    cell = {"text": "6 163 EUR", "value": "6163.21", "unit": "EUR"}
    rows = [
        ("Revenue", cell, 0.011),
        ("Orders", {"text": "–", "value": None, "unit": "count"}, None),
        ("Odd", "3 (a)", 1),
    ]
    found = read(csv_text(table(*rows, names=(("Metric", "text"), ("7 days", "figure"), ("Change", "ratio")))))
    assert found == [
        ["Metric", "7 days", "Change (ratio)", "Unit"],
        ["Revenue", "6163.21", "0.011", "EUR"],
        ["Orders", "", "", "count"],
        ["Odd", "3 (a)", "1", ""],
    ]


@pytest.mark.parametrize(
    "name",
    [
        "=1+1",
        '=HYPERLINK("http://x","y")',
        "+49 30 123",
        "-cmd|' /C calc'!A0",
        "@SUM(A1)",
        "\tx",
        "\rx",
        "\n=1",
        "  =1",
        "\u00a0=1",
        "＝1+1",
        "+1+1",
        "-1-1",
        "-",
        "--1",
        "-1e",
    ],
)
def test_what_a_spreadsheet_would_run_gets_an_apostrophe(name: str) -> None:
    head, row = read(csv_text(table((name, 1), names=((name, "text"), ("Value", "count")))))
    assert head == [f"'{name}", "Value"]
    assert row == [f"'{name}", "1"]


@pytest.mark.parametrize("name", ["-5", "+5", "-0.25", "-1e3", "1,5", "a=b", "a@b.c", "'=1", "", "–"])
def test_numbers_and_other_texts_stay_as_they_are(name: str) -> None:
    assert read(csv_text(table((name, 1))))[1] == [name, "1"]


@given(st.lists(st.tuples(st.text(), st.text()), max_size=5))
def test_any_text_comes_back_but_for_the_apostrophe(rows: list[tuple[str, str]]) -> None:
    address = csv_address(table(*rows))
    # Nothing in it ends an attribute, a tag or the address.
    assert not set(address) & set('"<>&#% \n'.replace("%", ""))
    text = unquote(address.partition(",")[2])
    assert text.startswith("\ufeff")
    back = read(text[1:])[1:]
    assert [tuple(cell.removeprefix("'") for cell in row) for row in back] == [
        tuple(cell.removeprefix("'") for cell in row) for row in rows
    ]


def test_the_file_is_named_by_section_and_figure() -> None:
    assert csv_name("commerce", "Revenue rose </script>/../ & fell") == "commerce-revenue-rose-script-fell.csv"
    assert csv_name("commerce", "収入") == "commerce.csv"
    assert len(csv_name("commerce", "x" * 400)) < 64
