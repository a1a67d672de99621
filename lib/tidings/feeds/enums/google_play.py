"""Names in Google Play's files and APIs, as tables.

Sources: Play Console Help, "Download and export monthly reports" (financial reports: sales, earnings), the headers of
files in the field, and the discovery documents of the reviews and reporting APIs, against which a test holds what they
name. Names are compared by `vocabulary.plain`. A value that is in no table is landed and named to whoever pulls.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

FINANCIAL_STATUSES: Final[Mapping[str, Literal["charged", "given back"]]] = {
    "charged": "charged",
    "refund": "given back",
    "refunded": "given back",
    "partial refund": "given back",
    "partially refunded": "given back",
}
"""Financial Status of a sale. Amounts of refunds occur with either sign, so the status determines it."""

PRODUCT_TYPES: Final = ("paidapp", "inapp", "subscription", "paid app", "in-app", "in-app purchase")

TRANSACTION_TYPES: Final[Mapping[str, Literal["earned", "fee"]]] = {
    "charge": "earned",
    "charge refund": "earned",
    "google fee": "fee",
    "google fee refund": "fee",
    "tax": "earned",
    "tax refund": "earned",
    "withholding tax": "earned",
    "adjustment": "earned",
    "balance adjustment": "earned",
    "chargeback": "earned",
    "chargeback reversal": "earned",
    "direct operator billing payment": "earned",
}
"""Transaction Type of an earning: Google's fees, and everything else that makes up the payout."""

CRASH_AND_ANR: Final = {"crash": "crashRate", "anr": "anrRate"}
"""The rate of each metric set of vitals."""


def fees() -> tuple[str, ...]:
    """The types that are fees of Google."""
    return tuple(name for name, kind in TRANSACTION_TYPES.items() if kind == "fee")
