"""The credentials of a workbook: the variables that hold them, and a redactor for all of their values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tidings.errors import TidingsError
from tidings.secrets import Redactor, is_public_name, is_secret_name
from tidings.settings import Settings
from tidings.sources.source import open_sources

# Passwords from examples, and words that are on every page anyway.
_WORDS = (
    "tidings", "default", "example", "localhost", "password", "production", "development", "staging", "sandbox",
    "testing", "postgres", "username", "public", "private", "secret", "service_account", "authorized_user",
)  # fmt: skip


@dataclass(frozen=True)
class Credentials:
    """`variables` are environment variables that hold secrets, `named` those of them that a source or channel reads;
    `redactor` hides their values.
    """

    variables: tuple[str, ...]
    redactor: Redactor
    named: tuple[str, ...] = ()


def credentials(settings: Settings) -> Credentials:
    """Every variable that a configured source or channel names, and every other one whose name looks like a secret.

    For a source that cannot be opened, all variables that start with its name.
    """
    named = dict.fromkeys(name for source in settings.sources for name in _variables(settings, source))
    named |= dict.fromkeys(name for channel in settings.channels for name in settings.variables_of(channel))
    called = [name for name in settings.environment if is_secret_name(name) and name not in named]
    values = [
        *(settings.secret_value(name) for name in named if not is_public_name(name)),
        *map(settings.possible_secret, called),
    ]
    found = [secret for secret in values if secret is not None]
    redactor = Redactor(found, words=(*_WORDS, *_in_the_open(settings)))
    return Credentials((*named, *called), redactor, tuple(named))


def _variables(settings: Settings, source: str) -> tuple[str, ...]:
    try:
        (opened,) = open_sources(settings, [source])
    except TidingsError:
        return settings.variables_of(source)
    named = getattr(opened, "variables", None)
    if callable(named):
        return tuple(named())
    single = getattr(opened, "variable", None)
    return (single,) if isinstance(single, str) else ()


def _in_the_open(settings: Settings) -> Iterator[str]:
    """The words of the settings: a password that is one of them is public already."""
    yield from (settings.timezone, settings.currency, settings.week_start, settings.site)
    yield from (settings.fiscal_year_start, settings.holidays, *settings.business_days)
    yield from _texts(settings.sources)


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
        yield from re.findall(r"[\w-]+", value)
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield str(name)
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
