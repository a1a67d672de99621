"""The short form of `make kills`."""

from __future__ import annotations

import pytest

from kills import main


@pytest.mark.proof
@pytest.mark.slow
def test_the_ledger_equals_the_mailboxes_whenever_a_look_is_killed() -> None:
    assert main(kills=3, days=2, seed=3) == 0
