"""What cells reveal about how a file is to be read; what they do not reveal is a doubt, never a guess."""

from __future__ import annotations

import pytest

from tidings.parsing.inference import decimal_mark, encoding_of, times


@pytest.mark.parametrize(
    ("cells", "mark"),
    [
        (["1.234,50", "12"], ","),
        (["12,5"], ","),
        (["€ 12,50", "-3,20"], ","),
        (["1 234,50"], ","),  # French thousands
        (["1'234.50"], "."),  # Swiss ones
        (["$1,234.00", "5"], "."),
        (["0.5"], "."),
        (["12", "7"], None),  # nothing shows it
    ],
)
def test_a_decimal_mark_is_taken_from_cells_that_prove_it(cells: list[str], mark: str | None) -> None:
    found = decimal_mark(cells)
    assert (found.decimal, found.doubt) == (mark, "")


def test_a_number_that_may_be_either_is_a_doubt() -> None:
    assert decimal_mark(["1,234", "7"]).doubt == "'1,234' may be 1,234 or 1.234: set decimal = ',' or '.'"
    assert decimal_mark(["1,234", "0,5"]).decimal == ",", "another cell decides it"


def test_two_marks_are_a_contradiction() -> None:
    found = decimal_mark(["12,50", "12.50"])
    assert found.decimal is None
    assert found.doubt == "'12,50' has a decimal comma and '12.50' a decimal point: correct one of them"


@pytest.mark.parametrize(
    ("cells", "form"),
    [
        (["2026-10-05", "2026-10-06 11:30:00"], ""),  # none is needed
        (["1782894600", "1782894700"], ""),
        (["05.10.2026 10:00", "06.10.2026 11:30"], "%d.%m.%Y %H:%M"),
        (["13/04/2026", "05/06/2026"], "%d/%m/%Y"),  # there is no thirteenth month
        (["04/13/26", "05/06/26"], "%m/%d/%y"),
        (["10/25/2026 1:05 PM"], "%m/%d/%Y %I:%M %p"),
        (["Jan 5, 2026", "Feb 7, 2026"], "%b %d, %Y"),
        (["2026/01/02 10:00:00 +0000"], "%Y/%m/%d %H:%M:%S %z"),
        (["05/06/2026", "07/08/2026"], None),  # every one may be either
        (["soon", "later"], None),
    ],
)
def test_a_time_format_is_one_that_reads_nearly_all_cells(cells: list[str], form: str | None) -> None:
    assert times(cells).form == form


def test_a_day_that_may_be_in_two_months_is_a_doubt() -> None:
    doubt = times(["03/04/2026", "05/06/2026"]).doubt
    assert "'03/04/2026' may be" in doubt and "3 April 2026" in doubt and "4 March 2026" in doubt
    assert times(["04/04/2026"]).doubt == "", "the fourth of the fourth is the same day either way"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Größe;Müller;Köln €\n", "cp1252"),
        ("Zażółć gęślą jaźń;Łódź\n", "cp1250"),
        ("Привет мир;Москва;улица\n", "cp1251"),
        ("größer\n", "utf-8"),
        ("größer\n", "utf-16"),
        ("plain\n", "utf-8"),
    ],
)
def test_an_encoding_is_detected_by_its_letters(text: str, encoding: str) -> None:
    found, doubt = encoding_of((text * 3).encode(encoding))
    assert found == encoding
    # An uncertain encoding is reported with a line to check.
    assert bool(doubt) == encoding.startswith("cp")


def test_a_letter_cut_at_the_end_of_the_sample_is_not_another_encoding() -> None:
    assert encoding_of("größe".encode()[:-3] + "ö".encode()[:1])[0] == "utf-8"
