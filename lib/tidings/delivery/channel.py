"""A channel: the way by which messages leave, and what the other side said of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Literal, Protocol, TypeVar

from tidings import discovery
from tidings.delivery.message import Message
from tidings.errors import SettingsError, TidingsError, suggest
from tidings.options import Options, read_options
from tidings.settings import Settings

Outlook = Literal["temporary", "permanent", "unknown"]
T = TypeVar("T", bound=Options)


class DeliveryError(TidingsError):
    """A message was not accepted, or nobody knows whether it was.

    `temporary`: the same may be accepted later, `retry_after` seconds from now where the other side said so.
    `permanent`: it will not. `unknown`: the other side had all of it and the connection broke before it answered.
    `code` and `answer` are what the other side said, without secrets.
    """

    def __init__(
        self,
        failed: str,
        remedy: str = "",
        *,
        outlook: Outlook,
        code: int | None = None,
        answer: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(failed, remedy)
        self.outlook: Outlook = outlook
        self.code = code
        self.answer = answer
        self.retry_after = retry_after


@dataclass(frozen=True)
class Receipt:
    """What the other side said when it accepted a message: a code of its protocol, and its words."""

    code: int | None
    answer: str


class Channel(Protocol):
    """An opened channel. Nothing is sent when it is opened.

    It may have a method `close`, if it keeps something open between messages.
    """

    name: str
    is_personal: bool
    """Whether it takes a message for each recipient, as mail does; else one for the whole audience."""
    is_repeatable: bool
    """Whether to do it twice has the effect of doing it once, as with files: then no attempt ends as unknown."""

    def check(self) -> Sequence[str]:
        """What would make a delivery fail, as sentences; sends nothing that anybody would read."""
        ...

    def send(self, message: Message, offered: Callable[[], None]) -> Receipt:
        """Deliver a message.

        `offered` is called once, just before the step after which it may have arrived: what it writes is on disk when
        it returns.

        Raises:
            DeliveryError: it was not accepted, or nobody knows.
        """
        ...


@dataclass(frozen=True)
class ChannelKind(Generic[T]):
    """A kind of channel by its name in the settings: `[tool.tidings.channels.<name>] kind = "<kind>"`.

    `secrets` are the endings of the environment variables it reads: those of a channel `board` of a kind with
    `password` are in BOARD_PASSWORD.
    """

    name: str
    options: type[T]
    open: Callable[[str, T, Settings], Channel]
    secrets: tuple[str, ...] = ()

    PACKAGE: ClassVar[str] = "tidings.delivery.channels"


def open_channel(settings: Settings, name: str) -> Channel:
    """The channel of that name.

    Raises:
        SettingsError: the settings have none, its kind is unknown, or an option cannot be used.
    """
    if name not in settings.channels:
        raise SettingsError(f"There is no channel '{name}' in pyproject.toml.", suggest(name, settings.channels))
    where = f"[tool.tidings.channels.{name}]"
    table = dict(settings.channels[name])
    kind = table.pop("kind", None)
    known = discovery.discover(ChannelKind, "kind of channel", ChannelKind.PACKAGE)
    if not isinstance(kind, str) or kind not in known:
        failed = f"{where} has an unknown kind '{kind}'." if kind else f"{where} does not say its kind."
        raise SettingsError(failed, suggest(str(kind or ""), known))
    found: ChannelKind[Any] = known[kind]
    return found.open(name, read_options(where, table, found.options), settings)


@contextmanager
def opened_channel(settings: Settings, name: str) -> Iterator[Channel]:
    """The channel of that name, closed at the end.

    Raises:
        SettingsError: as `open_channel`.
    """
    channel = open_channel(settings, name)
    try:
        yield channel
    finally:
        close: Callable[[], None] | None = getattr(channel, "close", None)
        if close is not None:
            close()


def variable(channel: str, ending: str) -> str:
    """The environment variable of a channel's secret."""
    return f"{channel}_{ending}".upper().replace("-", "_")
