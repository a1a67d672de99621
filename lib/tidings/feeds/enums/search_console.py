"""Search Console's names, as tables.

Sources: the discovery document `searchconsole.v1`, against which a test holds them, and the reference of the API, whose
examples write the same names in another way (`siteFullUser` for SITE_FULL_USER, `googleNews` for GOOGLE_NEWS); answers
do either. Names are compared by `spelt`.
"""

from __future__ import annotations

from typing import Final

SEARCH_TYPES: Final = ("web", "image", "video", "news", "discover", "googleNews")
DATA_STATES: Final = ("final", "all", "hourly_all")

MAY_READ: Final = ("siteowner", "sitefulluser", "siterestricteduser")
"""Permission levels that can read data."""
UNVERIFIED: Final = "siteunverifieduser"
"""The level of someone who added a property without verifying it: no data."""
PERMISSIONS: Final = (*MAY_READ, UNVERIFIED, "sitepermissionlevelunspecified")


def spelt(name: object) -> str:
    """A name normalised for comparison: SITE_FULL_USER, siteFullUser."""
    return str(name or "").replace("_", "").lower()
