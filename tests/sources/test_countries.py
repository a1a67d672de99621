"""Country codes as the workbook writes them."""

from __future__ import annotations

import pycountry
import pytest

from tidings.sources.countries import alpha2


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("DE", "DE"),
        ("de", "DE"),
        ("DEU", "DE"),
        ("deu", "DE"),
        (" usa ", "US"),
        # Codes that stand for no country stay as they came: nobody is moved to another one.
        ("zzz", "zzz"),
        ("Germany", "Germany"),
        ("(not set)", "(not set)"),
        ("", ""),
    ],
)
def test_a_country_has_one_code(code: str, expected: str) -> None:
    assert alpha2(code) == expected


def test_every_country_is_known_by_its_three_letters() -> None:
    assert {alpha2(country.alpha_3.lower()) for country in pycountry.countries} == {
        country.alpha_2 for country in pycountry.countries
    }
