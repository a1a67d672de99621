"""Markers in Google Analytics' responses, as tables.

Sources: the discovery document of the Data API (v1beta), against which a test holds the names, and Google's help on
"(not set)", "(other)" and data thresholds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

NOT_SET: Final = "(not set)"
"""The value of a dimension that is not set."""

OTHER: Final = "(other)"
"""Rows that Google has merged because there were too many: never a real value."""

TRUNCATION: Final = "DATA_TRUNCATION_TYPE_"
TRUNCATIONS: Final[Mapping[str, str]] = {
    f"{TRUNCATION}UNSPECIFIED": "it does not say why",
    f"{TRUNCATION}RULES_BASED_MODELS": "attribution by rules begins later",
    f"{TRUNCATION}DATA_DRIVEN_ATTRIBUTION": "data-driven attribution begins later",
    f"{TRUNCATION}DV360": "Display & Video 360 keeps two years",
    f"{TRUNCATION}CM360": "Campaign Manager 360 keeps two years",
    f"{TRUNCATION}ITEM_SCOPED_ECOMMERCE_METRICS": "figures of items begin later",
    f"{TRUNCATION}EVENT_SCOPED_ECOMMERCE_METRICS": "figures of purchases begin later",
    f"{TRUNCATION}DATE_RANGE": "the days are too many",
    f"{TRUNCATION}PROPERTY": "the property begins later",
    f"{TRUNCATION}CONVERSIONS": "key events begin later",
    f"{TRUNCATION}GOOGLE_ADS": "Google Ads reports less",
}
"""Why Google left data out of a response."""
