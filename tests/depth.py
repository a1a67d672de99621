"""How deep a test goes: a little in `make test`, all of it in `make proof`."""

from __future__ import annotations

from hypothesis import settings


def examples(few: int, many: int) -> int:
    """How many examples a property gets that takes long for each: many where the proof is made."""
    return many if settings.get_current_profile_name() == "deep" else few
