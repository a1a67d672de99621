"""Names in Apple's reports, as tables: product types, events and offers of subscriptions, counters.

Sources: App Store Connect Help, Reference: "Product type identifiers", "Subscription events", "Subscription Event
Report" (1_3) and "Subscription Report" (1_3), and the column names of 1_4 that reports in the field have (win-back
offers). The page on events lists names that Apple puts together of few words, an offer, a change of plan, a trouble
with the payment; reports of older days have the words of older versions (Introductory Price, Free Trial). The tables
are put together the same way. Names are compared by `vocabulary.plain`. A name that is in none of them is not guessed
at: it is landed, named to whoever pulls, and in no figure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import product
from typing import Final, Literal

from tidings.feeds.remarks import plain

ProductClass = Literal["download", "redownload", "update", "purchase", "restore", "subscription"]
PRODUCT_TYPES: Final[Mapping[str, ProductClass]] = {
    **dict.fromkeys(("1", "1F", "1T", "1E", "1EP", "1EU", "F1", "1-B", "F1-B"), "download"),
    **dict.fromkeys(("3", "3F", "3T", "F3"), "redownload"),
    **dict.fromkeys(("7", "7F", "7T", "F7"), "update"),
    **dict.fromkeys(("IA1", "IA1-M", "FI1"), "purchase"),
    # Owned before, and paid for then.
    "IA3": "restore",
    **dict.fromkeys(("IAY", "IAY-M", "IA9", "IA9-M", "IAC", "IAC-M"), "subscription"),
}
"""Product type identifiers, by what the buyer got."""

FREE_OFFER: Final = "free trial"
PAID_OFFERS: Final = ("pay up front", "pay as you go")
OFFER_TYPES: Final = (FREE_OFFER, *PAID_OFFERS)
"""Values of Subscription Offer Type by price, whatever the kind of offer. Empty at the standard price."""

_INTRODUCTORY: Final = ("introductory offer", "introductory price")
# Free by name: the trials of the reports before 1_2, and the bonus time for sharing an address with the publisher.
_FREE: Final = ("free trial", "opt-in")
# Existing subscribers get these, too.
_FOR_SUBSCRIBERS: Final = ("promotional offer", "offer code")
_OFFERS: Final = (*_INTRODUCTORY, *_FREE, *_FOR_SUBSCRIBERS, "win-back offer")
_CHANGES: Final = ("crossgrade", "upgrade", "downgrade")
_TROUBLES: Final = ("billing retry", "grace period", "billing grace period")
_STANDARD: Final = "paid subscription"

Meaning = Literal["begins", "returns", "to_standard", "to_offer", "stays", "unpaid", "ends", "refund"]


def _all(*parts: str | Iterable[str]) -> Iterable[str]:
    """Names of all combinations of words; an empty word is left out."""
    choices = [(part,) if isinstance(part, str) else tuple(part) for part in parts]
    return (" ".join(word for word in words if word) for words in product(*choices))


_WITH_CHANGE: Final = ("", *(f"with {change}" for change in _CHANGES))
_RETURN: Final = ("reactivate", "reactivation")
EVENTS: Final[Mapping[str, Meaning]] = {
    # A new subscriber: Activations.
    **dict.fromkeys(("subscribe", "subscribe with contingent price", "opt-in", *_all("start", _OFFERS)), "begins"),
    # A former subscriber comes back: Reactivations.
    **dict.fromkeys(_all(_RETURN, _WITH_CHANGE), "returns"),
    **dict.fromkeys(_all(_RETURN, ("to", "with"), _OFFERS, _WITH_CHANGE), "returns"),
    **dict.fromkeys(_all(_RETURN, "with", _CHANGES, "to", _OFFERS), "returns"),
    # An offer is over, and the standard price is paid: Conversion to Standard Price.
    **dict.fromkeys(_all(_STANDARD, "from", _OFFERS, _WITH_CHANGE), "to_standard"),
    **dict.fromkeys(_all(_CHANGES, "from", _OFFERS), "to_standard"),
    # An existing subscriber gets an offer, another one, or the next period of one: Conversion to and Renewal of offers.
    **dict.fromkeys(_all(_OFFERS, "from", (*_OFFERS, _STANDARD, *_TROUBLES), _WITH_CHANGE), "to_offer"),
    **dict.fromkeys(_all(_OFFERS, _CHANGES, "from", _TROUBLES), "to_offer"),
    **dict.fromkeys(_all(_CHANGES, "to", _OFFERS), "to_offer"),
    # Renewals, also late ones, and changes of plan.
    **dict.fromkeys(("renew", *_all(("renewal", "renewals"), "from", _TROUBLES)), "stays"),
    **dict.fromkeys((*_CHANGES, *_all(_CHANGES, "from", _TROUBLES)), "stays"),
    # The payment failed; whether the subscription ends is another event.
    **dict.fromkeys(_all(_TROUBLES, "from", (*_OFFERS, _STANDARD), _WITH_CHANGE), "unpaid"),
    # Cancellations: dated at the end of the paid time. Reports before 1_2 spell one of them with two l.
    **dict.fromkeys(
        (
            *("cancel", "canceled from billing retry", "cancelled from billing retry"),
            *("canceled from billing grace period", "canceled after renewal extension"),
        ),
        "ends",
    ),
    # Refunds, which the sales report has; whether the subscription ends as well is another event.
    "refund": "refund",
}
"""Subscription events, by their meaning."""


def meant(*meanings: Meaning) -> tuple[str, ...]:
    """The events of a meaning."""
    return tuple(name for name, meaning in EVENTS.items() if meaning in meanings)


def _about(words: Iterable[str], *meanings: Meaning) -> tuple[str, ...]:
    return tuple(name for name in meant(*meanings) if any(word in name for word in words))


FREE_EVENTS: Final = _about(_FREE, "begins", "returns", "to_standard")
"""Events about an offer that is free by name, whatever the column for its type says."""

OFFERED_EVENTS: Final = _about(_OFFERS, "begins", "returns", "to_standard")
"""Events about an offer: without its type it is unknown whether it was free."""

SUBSCRIBERS_EVENTS: Final = _about(_FOR_SUBSCRIBERS, "to_standard")
"""Ends of offers that existing payers get as well: they do not start anew."""


LATE_EVENTS: Final = _about(_TROUBLES, "stays")
"""Late payments. One that is the first ever ends a trial whose payment had failed."""


def is_unclear(event: str, offer: str | None, paid_periods: int | None) -> bool:
    """Whether it is unknown if an event is about something free: the type of an offer is missing, or unknown.

    For a conversion without a type the number of paid periods decides: the first payment follows something free.
    """
    name, kind = plain(event), plain(offer or "")
    if name not in EVENTS or EVENTS[name] not in ("begins", "returns", "to_standard"):
        return False
    if kind or name in FREE_EVENTS or name not in OFFERED_EVENTS:
        return False
    return not (EVENTS[name] == "to_standard" and paid_periods)


_BY_PRICE: Final = ("pay up front", "pay as you go")


def _counters(costs: Iterable[str]) -> frozenset[str]:
    """The names of the columns that count subscriptions in offers of a price."""
    return frozenset(
        (
            *_all("active", costs, _INTRODUCTORY, "subscriptions"),
            *_all(("", "active"), costs, ("promotional offer", "offer code"), "subscriptions"),
            *_all(("", "active"), costs, ("win-back offers", "win-back offer subscriptions")),
        )
    )


PAID_COUNTERS: Final = frozenset(("active standard price subscriptions", *_counters(_BY_PRICE)))
"""Columns of the subscription report that count payers, at full or reduced price."""

FREE_COUNTERS: Final = frozenset(("active free trial subscriptions", *_counters((FREE_OFFER,))))
"""Columns that count subscriptions that are free."""

OTHER_COUNTERS: Final = frozenset(("marketing opt-ins", "billing retry", "grace period", "subscribers"))
"""Columns that count the same subscriptions again, or unpaid ones."""

_COUNTING_WORDS: Final = ("subscriptions", "subscribers", "offers", "trials", "opt-ins")


def is_unknown_counter(column: str) -> bool:
    """Whether a column seems to count subscriptions, by its last word, and is in no table."""
    name = plain(column)
    known = PAID_COUNTERS | FREE_COUNTERS | OTHER_COUNTERS
    return name not in known and name.endswith(_COUNTING_WORDS)


ANALYTICS_EVENTS: Final = ("Impression", "Page view", "Tap", "Install", "Delete", "Sessions", "Crashes")
"""Events of the analytics reports that are read, and what reports without events count."""
