"""A source: where data come from, which endpoints it has, and how one pull of it goes.

Adding a source is adding a module-level `SourceKind` to `connectors/` or to a workbook's own `lib/`. A kind turns the
table `[tool.tidings.sources.<name>]` of the settings into a `Source`; a source hands everything it was told to
`landing.py` and keeps nothing itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Generic, Protocol, TypeVar

from tidings.discovery import discover
from tidings.errors import SettingsError, printable, suggest
from tidings.feeds import Feed
from tidings.feeds.vocabulary import Remark
from tidings.landing.store import Landing
from tidings.options import Options, read_options
from tidings.settings import Settings
from tidings.sources.clock import Clock

KINDS_IN = ("tidings.connectors", "tidings.sample")


class Progress(Protocol):
    """Told now and then how far a pull is: `done` of `total` units (0: not known) of `what`."""

    def __call__(self, what: str, done: int, total: int) -> None:
        """Show it; must return quickly and never raise."""


def silent(what: str, done: int, total: int) -> None:
    """A `Progress` that shows nothing."""


@dataclass(frozen=True)
class Pull:
    """One pull, as the person who ordered it wants it.

    `now` is its aware UTC instant; `again` lands anew what did not change; `since` and `until` (both included) ask for
    certain days of sources that count by days, whether they were landed before or not.
    """

    now: datetime
    again: bool = False
    since: date | None = None
    until: date | None = None
    progress: Progress = silent
    clock: Clock | None = None

    def running(self) -> Clock:
        """The clock of the pull; by default one that began at `now`."""
        return self.clock or Clock(self.now)


@dataclass(frozen=True)
class Pulled:
    """What one landing of a pull brought: one per part (an input file, or an API's window).

    `skipped`: the input is as it was when it was last landed, nothing was read; `rows` and `rejected` are then
    those landed before. `messages` are sentences for the person who pulls. `restated`: days told otherwise than before.
    `remarks`: what rows said that a person should know, and how often.
    """

    source: str
    endpoint: str
    feed: str
    rows: int
    rejected: int = 0
    skipped: bool = False
    partition: str = ""
    messages: tuple[str, ...] = ()
    restated: int = 0
    remarks: Mapping[Remark, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Names of fields, files and websites are from outside: they are printed and stored as they may be.
        object.__setattr__(self, "partition", printable(self.partition))
        object.__setattr__(self, "messages", tuple(map(printable, self.messages)))


@dataclass(frozen=True)
class Endpoint:
    """One thing a source can be asked for, landed in `data/raw/<source>/<name>` in the shape of `feed`.

    `lookback_days`: how far back the source still restates what it said; `lag_days`: how many days it takes after its
    end until a day is whole there. `is_asked`: it answers when it is asked, unlike a file that somebody brings.
    """

    name: str
    feed: Feed
    doc: str
    lookback_days: int = 0
    lag_days: int = 0
    is_asked: bool = False

    @property
    def promise_days(self) -> int | None:
        """Days after which what is whole should have moved on; null for what comes when somebody brings it.

        The lag, the day that still runs, and a day between two nightly pulls.
        """
        return self.lag_days + 2 if self.is_asked else None


class Source(Protocol):
    """One configured source of a workbook."""

    @property
    def name(self) -> str:
        """Its name in the settings, and its folder in `data/raw`."""

    @property
    def kind(self) -> str:
        """The name of its kind."""

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """What it can be asked for."""

    def check(self, pull: Pull) -> list[str]:
        """What would keep a pull from succeeding, one sentence each, found without reading everything."""

    def warnings(self) -> list[str]:
        """What does not keep a pull from succeeding but should not stay as it is, one sentence each."""

    def pull(self, landing: Landing, pull: Pull) -> Iterator[Pulled]:
        """Land what is new, one `Pulled` as soon as each part is safe on disk.

        Raises:
            SourceError: the source cannot be read; what was yielded before stays landed.
        """


T = TypeVar("T", bound=Options)


@dataclass(frozen=True)
class SourceKind(Generic[T]):
    """A kind of source: how `kind = "<name>"` in the settings becomes a `Source`.

    `options` is what its table holds, but for `kind`; `open(name, options, settings)` gets it read and checked.
    """

    name: str
    summary: str
    options: type[T]
    open: Callable[[str, T, Settings], Source]


def kinds() -> Mapping[str, SourceKind[Any]]:
    """Every kind by its name.

    Raises:
        SettingsError: two kinds of one name.
    """
    return discover(SourceKind, "source kind", *KINDS_IN)


def open_sources(settings: Settings, names: Iterable[str] | None = None) -> list[Source]:
    """The sources of a workbook in the order of its settings, or only those named.

    Raises:
        SettingsError: a name, a kind or an option is not known, or an option's value cannot be used.
    """
    wanted = list(settings.sources) if names is None else list(names)
    for name in wanted:
        if name not in settings.sources:
            raise SettingsError(f"There is no source '{name}' in pyproject.toml.", suggest(name, settings.sources))
    known = kinds()
    return [_open(name, settings, known) for name in wanted]


def _open(name: str, settings: Settings, known: Mapping[str, SourceKind[Any]]) -> Source:
    where = f"[tool.tidings.sources.{name}]"
    table = dict(settings.sources[name])
    asked = table.pop("kind", None)
    if asked is None:
        raise SettingsError(f"{where} does not say its kind.", f'Add kind = "…". {suggest("", known)}')
    if not isinstance(asked, str) or asked not in known:
        raise SettingsError(f"{where} has an unknown kind '{asked}'.", suggest(str(asked), known))
    kind = known[asked]
    return kind.open(name, read_options(where, table, kind.options), settings)
