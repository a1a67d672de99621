"""What Search Console calls things, as tables.

Sources: the discovery document `searchconsole.v1`, against which a test holds them, and the reference of the API, whose
examples write the same names in another way (`siteFullUser` for SITE_FULL_USER, `googleNews` for GOOGLE_NEWS); answers
do either. Names are compared by `spelt`.
"""

from __future__ import annotations

from typing import Final

SEARCH_TYPES: Final = ("web", "image", "video", "news", "discover", "googleNews")
DATA_STATES: Final = ("final", "all", "hourly_all")
DEVICES: Final = ("DESKTOP", "MOBILE", "TABLET")

MAY_READ: Final = ("siteowner", "sitefulluser", "siterestricteduser")
"""Permission levels with which figures are told."""
UNVERIFIED: Final = "siteunverifieduser"
"""The level of somebody who added a property and did not prove that it is theirs: nothing of it is told."""
PERMISSIONS: Final = (*MAY_READ, UNVERIFIED, "sitepermissionlevelunspecified")


def spelt(name: object) -> str:
    """A name however it is written: SITE_FULL_USER, siteFullUser."""
    return str(name or "").replace("_", "").lower()
