"""Keeping secrets out of what is written: their values are replaced wherever they appear."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tidings.settings import Settings

MASK = "[secret]"
_SHORTEST = 6
_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL|DSN|AUTH", re.IGNORECASE)


class Redactor:
    """Replaces known secret values in a text; values under six characters would take innocent words along."""

    def __init__(self, values: Iterable[str]) -> None:
        secrets = sorted({value for value in values if len(value) >= _SHORTEST}, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, secrets))) if secrets else None

    def __call__(self, text: str) -> str:
        """The text without secrets."""
        return self._pattern.sub(MASK, text) if self._pattern else text


def redactor_for(settings: Settings) -> Redactor:
    """A redactor for the secrets of a workbook: variables that a source names, or that are called like a secret."""
    named = {str(value) for table in settings.sources.values() for value in table.values()}
    return Redactor(
        value
        for name, value in settings.environment.items()
        # A path is no secret, whatever its variable is called (SSH_AUTH_SOCK).
        if (name in named or _SECRET_NAME.search(name)) and not value.startswith("/")
    )
