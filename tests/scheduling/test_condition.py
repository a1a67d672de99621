"""Conditions of audiences, with figures that are not known."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tidings.errors import SettingsError
from tidings.scheduling.condition import parse_condition

FIGURES = {
    ("net_revenue", "change"): Decimal("-0.2"),
    ("net_revenue", "value"): Decimal("80.10"),
    ("visitors", "value"): None,
}


@pytest.mark.parametrize(
    ("text", "has_alert", "holds"),
    [
        ("net_revenue.change < -10 %", False, True),
        ("net_revenue.change < -0.2", False, False),
        ("net_revenue.change <= -0.2", False, True),
        ("net_revenue >= 80.1 and net_revenue.value < 80.11", False, True),
        ("any alert is open", True, True),
        ("any alert is open", False, False),
        ("not any alert is open", False, True),
        # Not known hangs on what is not known, unless the rest decides.
        ("visitors < 10", False, None),
        ("not visitors < 10", False, None),
        ("visitors < 10 or any alert is open", True, True),
        ("visitors < 10 or any alert is open", False, None),
        ("visitors < 10 and net_revenue > 1000", False, False),
        # A figure that is not on any page of the run.
        ("orders > 1", False, None),
    ],
)
def test_it_holds_or_not_or_is_not_known(text: str, has_alert: bool, holds: bool | None) -> None:
    assert parse_condition(text, "here").holds(FIGURES, has_alert=has_alert) is holds


@pytest.mark.parametrize(
    "text",
    [
        *(
            "net_revenue",
            "1",
            "net_revenue.change",
            "net_revenue < 1 < 2",
            "open('x')",
            "net_revenue < 'a'",
            "x" * 99999,
        ),
        *("net_revenue < [1][0]", "(" * 500, "net_revenue is 1", "True < 1", "net_revenue < 1; 2", "any alert"),
    ],
)
def test_what_is_no_condition_is_refused(text: str) -> None:
    with pytest.raises(SettingsError):
        parse_condition(text, "here")
