"""Country codes as the workbook writes them."""

from __future__ import annotations

import pycountry
import pytest

from tidings.enrich.countries import alpha2


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("DE", "DE"),
        ("de", "DE"),
        ("DEU", "DE"),
        ("deu", "DE"),
        (" usa ", "US"),
        # Codes that are not countries stay as they are: nobody is moved to another one.
        ("zzz", "zzz"),
        ("Other", "Other"),
        # By name, as RevenueCat's charts have them: ISO's own, the usual one, a former one, with and without accents.
        ("Germany", "DE"),
        (" south korea", "KR"),
        ("Korea, Republic of", "KR"),
        ("Türkiye", "TR"),
        ("Turkey", "TR"),
        ("Côte d\u2019Ivoire", "CI"),
        ("Bosnia & Herzegovina", "BA"),
        ("Czech Republic", "CZ"),
        ("United States", "US"),
        ("Hong Kong SAR China", "HK"),
        ("UK", "GB"),
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


def test_every_country_is_known_by_its_name() -> None:
    assert {country.name: alpha2(country.name) for country in pycountry.countries} == {
        country.name: country.alpha_2 for country in pycountry.countries
    }


def test_every_country_is_known_by_the_name_that_unicode_gives_it() -> None:
    babel = pytest.importorskip("babel", reason="no babel: names of CLDR not compared")
    names = {code: name for code, name in babel.Locale("en").territories.items() if len(code) == 2}
    known = {country.alpha_2 for country in pycountry.countries} - {"UM"}  # many islands under one code
    assert {code: alpha2(name) for code, name in names.items() if code in known} == {code: code for code in known}
