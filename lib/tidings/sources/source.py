"""The source protocol: its endpoints, and what a pull of it does.

Add a source by adding a module-level `SourceKind` to `connectors/` or to a workbook's own `lib/`. A kind turns the
settings table `[tool.tidings.sources.<name>]` into a `Source`; a source lands everything it reads in the `Landing` and
stores nothing itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Generic, Protocol, TypeVar

from tidings.discovery import discover
from tidings.errors import SettingsError, printable, suggest
from tidings.feeds import Feed
from tidings.feeds.remarks import Remark
from tidings.landing.store import Landing
from tidings.options import Options, read_options
from tidings.settings import Settings
from tidings.sources.clock import Clock

KINDS_IN = ("tidings.connectors", "tidings.sample")


class Progress(Protocol):
    """Called from time to time with the progress of a pull: `done` of `total` units (0: unknown) of `what`."""

    def __call__(self, what: str, done: int, total: int) -> None:
        """Must return quickly and never raise."""


def silent(what: str, done: int, total: int) -> None:
    """A `Progress` that shows nothing."""


@dataclass(frozen=True)
class Pull:
    """The options of one pull.

    `now` is its aware UTC instant; `again` lands unchanged data again; `since` and `until` (both included) request
    certain days of sources with daily data, even if they are landed already.
    """

    now: datetime
    again: bool = False
    since: date | None = None
    until: date | None = None
    progress: Progress = silent
    clock: Clock | None = None

    def running(self) -> Clock:
        """The clock of the pull; by default one that started at `now`."""
        return self.clock or Clock(self.now)


@dataclass(frozen=True)
class Pulled:
    """The outcome of one load: one per partition (an input file, or an API's window).

    `skipped`: the input has not changed since it was last landed and was not read; `rows` and `rejected` are those of
    that load. `messages` are sentences for the user. `restated`: days reported differently than before. `remarks`: what
    rows contain that the user should know, and how often.
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
        # Names of fields, files and websites come from outside: make them safe to print and store.
        object.__setattr__(self, "partition", printable(self.partition))
        object.__setattr__(self, "messages", tuple(map(printable, self.messages)))


@dataclass(frozen=True)
class Endpoint:
    """One thing a source offers, landed in `data/raw/<source>/<name>` with the columns of `feed`.

    `lookback_days`: how far back the source still restates data; `lag_days`: how many days after its end a day is
    complete there. `is_asked`: it is pulled from a server, unlike a file that the user provides.
    """

    name: str
    feed: Feed
    doc: str
    lookback_days: int = 0
    lag_days: int = 0
    is_asked: bool = False

    @property
    def promise_days(self) -> int | None:
        """Days after which complete data should have moved on; null for files, which come when the user provides them.

        The lag, the day that is still running, and a day between two nightly pulls.
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
        """The endpoints, each landed in a folder of its own."""

    def check(self, pull: Pull) -> list[str]:
        """What would make a pull fail, one sentence each, found without reading everything."""

    def warnings(self) -> list[str]:
        """What does not make a pull fail but should be fixed, one sentence each."""

    def pull(self, landing: Landing, pull: Pull) -> Iterator[Pulled]:
        """Land what is new, yielding a `Pulled` as soon as each partition is safe on disk.

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
        SettingsError: a name, a kind or an option is unknown, or an option's value is not valid.
    """
    chosen = list(settings.sources) if names is None else list(names)
    for name in chosen:
        if name not in settings.sources:
            raise SettingsError(f"There is no source '{name}' in pyproject.toml.", suggest(name, settings.sources))
    known = kinds()
    return [_open(name, settings, known) for name in chosen]


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
