"""Country codes: APIs write `deu`, `DEU`, `DE` or `Germany`; the workbook uses DE."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from functools import cache
from typing import Final

import pycountry

# Codes in use beside those of ISO 3166-1 (its reserved ones, and the European Union's for Greece).
_CODES: Final[Mapping[str, str]] = {"UK": "GB", "EL": "GR"}
# Names that stores, Unicode's CLDR and people use where ISO 3166-1 has others.
_NAMES: Final[Mapping[str, str]] = {
    "bolivia": "BO",
    "bosnia": "BA",
    "bosnia & herzegovina": "BA",
    "british virgin islands": "VG",
    "brunei": "BN",
    "burma": "MM",
    "cape verde": "CV",
    "caribbean netherlands": "BQ",
    "china mainland": "CN",
    "congo - brazzaville": "CG",
    "congo - kinshasa": "CD",
    "congo, democratic republic of the": "CD",
    "democratic republic of the congo": "CD",
    "congo, republic of the": "CG",
    "republic of the congo": "CG",
    "czech republic": "CZ",
    "east timor": "TL",
    "falkland islands": "FK",
    "great britain": "GB",
    "heard & mcdonald islands": "HM",
    "hong kong sar": "HK",
    "hong kong sar china": "HK",
    "iran": "IR",
    "ivory coast": "CI",
    "korea": "KR",
    "kosovo": "XK",
    "laos": "LA",
    "macau": "MO",
    "macau sar": "MO",
    "macao sar china": "MO",
    "micronesia": "FM",
    "moldova": "MD",
    "myanmar (burma)": "MM",
    "north korea": "KP",
    "palestine": "PS",
    "palestinian territories": "PS",
    "pitcairn islands": "PN",
    "republic of korea": "KR",
    "reunion": "RE",
    "russia": "RU",
    "sint maarten": "SX",
    "south georgia & south sandwich islands": "GS",
    "south korea": "KR",
    "st. barthelemy": "BL",
    "st. helena": "SH",
    "st. kitts & nevis": "KN",
    "st. lucia": "LC",
    "st. martin": "MF",
    "st. pierre & miquelon": "PM",
    "st. vincent & grenadines": "VC",
    "swaziland": "SZ",
    "syria": "SY",
    "taiwan": "TW",
    "tanzania": "TZ",
    "the bahamas": "BS",
    "the gambia": "GM",
    "the netherlands": "NL",
    "turkey": "TR",
    "u.s. virgin islands": "VI",
    "united states of america": "US",
    "vatican": "VA",
    "vatican city": "VA",
    "venezuela": "VE",
    "vietnam": "VN",
}


@cache
def alpha2(code: str) -> str:
    """The ISO alpha-2 code of a country by its codes or its English name; anything else is returned as it is."""
    upper = code.strip().upper()
    if len(upper) == 3:
        found = pycountry.countries.get(alpha_3=upper)
        if found is not None:
            return str(found.alpha_2)
    if len(upper) == 2:
        return _CODES.get(upper, upper)
    return _by_name().get(_plain(code), code)


def is_country(code: str) -> bool:
    return code == "XK" or pycountry.countries.get(alpha_2=code) is not None


@cache
def _by_name() -> Mapping[str, str]:
    """Codes by the names that ISO 3166-1 and people use for countries."""
    found = {}
    for country in pycountry.countries:
        for name in (country.name, getattr(country, "official_name", ""), getattr(country, "common_name", "")):
            if name:
                found[_plain(name)] = str(country.alpha_2)
    return {**found, **{_plain(name): code for name, code in _NAMES.items()}}


def _plain(name: str) -> str:
    """A name normalised for comparison: lower case, no accents, `and` for `&`, single spaces."""
    letters = unicodedata.normalize("NFKD", name.replace("\u2019", "'"))
    text = "".join(letter for letter in letters if not unicodedata.combining(letter)).casefold()
    return " ".join(text.replace("&", " and ").split())
