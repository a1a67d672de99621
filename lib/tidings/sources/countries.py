"""Country codes: APIs say `deu`, `DEU`, `DE` or `Germany`; the workbook says DE."""

from __future__ import annotations

from functools import cache

import pycountry


@cache
def alpha2(code: str) -> str:
    """The ISO alpha-2 code of a country by its alpha-2 or alpha-3 code in any case; what is neither stays as it is."""
    upper = code.strip().upper()
    if len(upper) == 3:
        found = pycountry.countries.get(alpha_3=upper)
        if found is not None:
            return str(found.alpha_2)
    return upper if len(upper) == 2 else code
