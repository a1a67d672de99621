"""Exchange rates: the ECB's wide format, weekends, ended currencies."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tidings.errors import SourceError
from tidings.landing.exchange_rates import no_fixings, read_fixings
from tidings.warehouse.build import build
from tidings.warehouse.reader import Warehouse
from workbooks import workbook

FRIDAY, SATURDAY, MONDAY = date(2026, 6, 5), date(2026, 6, 6), date(2026, 6, 8)


def _rate(fixings: pa.Table, currency: str, day: date) -> Decimal | None:
    """The rate in force on a day, as a report looks it up."""
    held = [
        row["rate"]
        for row in fixings.filter(pc.equal(fixings["currency"], currency)).to_pylist()
        if row["day"] <= day and (row["until"] is None or day < row["until"])
    ]
    assert len(held) <= 1
    return held[0] if held else None


def _file(folder: Path, text: str) -> Path:
    file = folder / "fx.csv"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_weekend_has_the_last_fixing_before_it(tmp_path: Path) -> None:
    fixings = read_fixings(_file(tmp_path, f"Date,USD,\n{MONDAY},1.2,\n{FRIDAY},1.1,\n"))
    assert _rate(fixings, "USD", FRIDAY) == Decimal("1.1")
    assert _rate(fixings, "USD", SATURDAY) == Decimal("1.1")
    assert _rate(fixings, "USD", MONDAY) == Decimal("1.2")
    assert _rate(fixings, "USD", date(2026, 7, 8)) == Decimal("1.2")  # the last fixing holds on for 30 days
    assert _rate(fixings, "USD", date(2026, 7, 9)) is None  # one of 31 days is no rate (7)
    assert _rate(fixings, "USD", date(2026, 6, 4)) is None  # before the first there is none
    assert _rate(fixings, "EUR", SATURDAY) == _rate(fixings, "EUR", date(2027, 1, 1)) == 1


def test_an_empty_cell_says_nothing_and_a_gap_of_the_file_is_a_gap(tmp_path: Path) -> None:
    fixings = read_fixings(_file(tmp_path, f"Date,USD,HUF\n2026-01-05,,400\n{FRIDAY},1.1,\n{MONDAY},,390\n"))
    assert _rate(fixings, "USD", MONDAY) == Decimal("1.1")  # three days old, and no word of Monday against it
    assert _rate(fixings, "HUF", date(2026, 2, 4)) == 400
    assert _rate(fixings, "HUF", date(2026, 2, 5)) is _rate(fixings, "HUF", FRIDAY) is None
    assert _rate(fixings, "HUF", MONDAY) == 390


@pytest.mark.parametrize("rate", ["1.111111111111111", "0.00000123456789012345", "30150.5", "1e-6", "1000000"])
def test_a_rate_has_all_its_decimals(tmp_path: Path, rate: str) -> None:
    fixings = read_fixings(_file(tmp_path, f"Date,USD\n{FRIDAY},{rate}\n"))
    assert _rate(fixings, "USD", FRIDAY) == Decimal(rate)


def test_an_ended_currency_has_no_rate_rather_than_zero_or_its_last(tmp_path: Path) -> None:
    fixings = read_fixings(_file(tmp_path, f"Date,USD,HRK\n{MONDAY},1.2,N/A\n{FRIDAY},1.1,7.5\n"))
    assert _rate(fixings, "HRK", SATURDAY) == Decimal("7.5")
    assert _rate(fixings, "HRK", MONDAY) is None
    assert all(row["rate"] > 0 for row in fixings.to_pylist())


def test_the_zip_is_read_like_the_csv(tmp_path: Path) -> None:
    file = _file(tmp_path, f"Date,USD\n{FRIDAY},1.1\n")
    packed = tmp_path / "fx.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(file, "eurofxref-hist.csv")
    assert read_fixings(packed).equals(read_fixings(file))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "does not begin with 'Date'"),
        ("day;usd\n2026-06-05;1.1\n", "does not begin with 'Date'"),
        ("Date,USD\n2026-06-05,1.1\n5.6.2026,1.1\n", "Line 3 of fx.csv cannot be read"),
        ('Date,USD\n2026-06-05,"1,1"\n', "Line 2 of fx.csv cannot be read"),
        ("Date,USD\n2026-06-05,0\n", "Line 2 of fx.csv has a rate that is not positive"),
        ("Date,USD\n2026-06-05,NaN\n", "Line 2 of fx.csv has a rate that is not positive"),
        ("Date,USD\n2026-06-05,1.1\n2026-06-05,1.2\n", "two lines for 2026-06-05"),
        ("Date,USD,USD\n2026-06-05,1.1,1.2\n", "two columns of USD"),
        ("Date,USD\n2026-06-05,1e-30\n", "a rate of 1E-30 USD for one euro"),
        ("Date,USD\n2026-06-05,1e40\n", "a rate of 1E\\+40 USD for one euro"),
        ("Date,USD\n9999-12-31,1.1\n", "Line 2 of fx.csv is of the year 9999"),
        ("Date,USD\n2026-06-05,1.1" + "\n" + '"' + "x" * 200_000 + '"', "fx.csv cannot be read: field larger"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_the_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        read_fixings(_file(tmp_path, text))


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"fx.csv cannot be read.*Correct `fx` in \[tool.tidings\]"):
        read_fixings(tmp_path / "fx.csv")


def test_without_a_file_there_are_no_rates() -> None:
    assert no_fixings().num_rows == 0


def test_rates_are_in_the_build(tmp_path: Path) -> None:
    settings = replace(workbook(tmp_path), fx=_file(tmp_path, f"Date,USD\n{FRIDAY},1.1\n"))
    build(settings)
    with Warehouse.open(settings) as warehouse:
        rows = warehouse.query(warehouse.table("dim_fx")).to_pylist()
    assert [(row["currency"], row["rate"], row["until"]) for row in sorted(rows, key=lambda row: row["currency"])] == [
        ("EUR", Decimal(1), None),
        ("USD", Decimal("1.1"), date(2026, 7, 6)),  # 31 days after, when it is no rate any more
    ]


def test_the_committed_rates_cover_the_sample(root: Path) -> None:
    fixings = read_fixings(root / "data" / "fx.csv")
    assert {_rate(fixings, code, date(2024, 7, 1)) is None for code in ("USD", "GBP", "CHF")} == {False}
    assert "Made up" in (root / "data" / "README.md").read_text(encoding="utf-8")


@pytest.mark.data
def test_published_rates(shared_data: Path) -> None:
    fixings = read_fixings(shared_data / "fx" / "eurofxref-hist.zip")
    assert _rate(fixings, "USD", date(1999, 1, 4)) == Decimal("1.1789")
    # 1999-01-08 was a Friday; the weekend keeps its fixing and Monday has its own.
    friday, monday = _rate(fixings, "USD", date(1999, 1, 8)), _rate(fixings, "USD", date(1999, 1, 11))
    assert _rate(fixings, "USD", date(1999, 1, 9)) == _rate(fixings, "USD", date(1999, 1, 10)) == friday != monday
    assert _rate(fixings, "HRK", date(2022, 12, 30)) is not None
    assert _rate(fixings, "HRK", date(2023, 1, 2)) is None  # Croatia took the euro
