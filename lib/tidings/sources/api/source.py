"""A source that is an API: decides which days to request, and lands the responses.

A connector subclasses `ApiSource`, lists `ApiEndpoint`s and implements `fetch`. Which days are requested follows from
what is landed: those never requested, and those that could still change. So a killed pull continues where it stopped,
the next pull fills a gap, and nothing is requested twice in vain.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import ClassVar, Generic, TypeVar

from tidings.errors import CredentialError, OutageError, SettingsError, SourceError, StoppedError
from tidings.landing.manifest import Load
from tidings.landing.store import Landing
from tidings.options import Options
from tidings.secrets import Secret
from tidings.settings import Settings
from tidings.sources.api.endpoint import ApiEndpoint
from tidings.sources.api.failures import together, understood
from tidings.sources.api.pulling import PartitionPull
from tidings.sources.clock import Clock
from tidings.sources.http.session import Client
from tidings.sources.records import Record
from tidings.sources.source import Pull, Pulled

T = TypeVar("T", bound=Options)


class ApiSource(ABC, Generic[T]):
    """One configured API. Its credentials are environment variables named `<SOURCE NAME>_<WHAT>`."""

    kind: ClassVar[str]
    console: ClassVar[str]
    """Where its credentials are managed, as that console calls the place."""
    credentials: ClassVar[tuple[str, ...]] = ()
    """What its variables hold: `key` is in `<SOURCE NAME>_KEY`."""

    def __init__(self, name: str, options: T, settings: Settings) -> None:
        self.name = name
        self.options = options
        self.settings = settings

    @property
    @abstractmethod
    def endpoints(self) -> tuple[ApiEndpoint, ...]:
        """The endpoints that the settings ask for."""

    @abstractmethod
    def connect(self, clock: Clock) -> Client:
        """A client with credentials; nothing is requested yet.

        Raises:
            SettingsError: a credential is not set.
        """

    @abstractmethod
    def fetch(
        self, client: Client, endpoint: ApiEndpoint, partition: str, first: date, end: date
    ) -> Iterator[Sequence[Record]]:
        """The records of an endpoint for the days from `first` up to but not including `end`, page by page.

        For a `full_refresh` or `snapshot` endpoint the days are those of today.

        Raises:
            NotYetError: a day is not available yet; what was yielded before is landed.
        """

    @abstractmethod
    def ping(self, client: Client) -> list[str]:
        """Make the cheapest request that shows whether a pull would succeed; one sentence for each thing missing."""

    def partitions(self, client: Client, endpoint: ApiEndpoint) -> Iterable[str]:
        """What an endpoint is requested for separately (sites, apps); each has its own days."""
        del client, endpoint
        return ("",)

    def is_stale(self, landing: Landing, endpoint: ApiEndpoint, load: Load) -> bool:
        """True for a load made with settings that no longer apply: its days are requested again."""
        del landing, endpoint, load
        return False

    def named(self, partition: str) -> str:
        """The partition's name for users."""
        return partition

    def variables(self) -> tuple[str, ...]:
        """The environment variables that hold its credentials."""
        return tuple(map(self.variable, self.credentials))

    def variable(self, what: str) -> str:
        """The environment variable of one credential: `app_store`, `key` -> `APP_STORE_KEY`."""
        return f"{self.name}_{what}".upper().replace("-", "_")

    def secret(self, what: str) -> Secret:
        """A credential.

        Raises:
            SettingsError: its variable is not set.
        """
        return self.settings.secret(self.variable(what))

    def key(self, what: str) -> Secret:
        """A credential of several lines, or the file that holds it.

        Raises:
            SettingsError: its variable is not set, or there is no such file.
        """
        return self.settings.key(self.variable(what))

    def check(self, pull: Pull) -> list[str]:
        """What would make a pull fail, found by its cheapest call."""
        try:
            with understood(f"The response of {self.name}"):
                return list(dict.fromkeys(self.ping(self.connect(pull.running()))))
        except (SettingsError, SourceError) as error:
            return [str(error)]

    def warnings(self) -> list[str]:
        """Files with its credentials that others on this machine may read."""
        return self.settings.exposed(*self.variables())

    def pull(self, landing: Landing, pull: Pull) -> Iterator[Pulled]:
        """Land what is new of every endpoint, some days at a time, oldest first.

        A failing endpoint or partition does not stop the others; a rejected credential or an unreachable server ends
        the pull.

        Raises:
            SourceError: something was not landed; the message says what, and what was yielded before stays landed.
        """
        try:
            yield from self._pull(landing, pull)
        except CredentialError as error:
            held = f" See {', '.join(self.variables())} in the environment or .env." if self.variables() else ""
            raise CredentialError(error.failed, f"{error.remedy}{held}") from None

    def _pull(self, landing: Landing, pull: Pull) -> Iterator[Pulled]:
        client = self.connect(pull.running())
        failed: list[SourceError] = []
        for endpoint in self.endpoints:
            try:
                with understood("The answer"):
                    partitions = tuple(self.partitions(client, endpoint))
            except (CredentialError, OutageError, StoppedError):
                raise
            except SourceError as error:
                failed.append(SourceError(f"{endpoint.name}: {error.failed}", error.remedy))
                continue
            for partition in partitions:
                try:
                    with understood("The answer"):
                        yield from self.land(landing, client, endpoint, partition, pull)
                except (CredentialError, OutageError, StoppedError):
                    raise
                except SourceError as error:
                    which = f"{endpoint.name} {self.named(partition)}" if len(partitions) > 1 else endpoint.name
                    failed.append(SourceError(f"{which}: {error.failed}", error.remedy))
        if failed:
            raise together(failed)

    def land(
        self, landing: Landing, client: Client, endpoint: ApiEndpoint, partition: str, pull: Pull
    ) -> Iterator[Pulled]:
        """Land what is new of one partition of an endpoint.

        Raises:
            ResponseError: for some days there was no response, or no usable record; all others are landed.
        """
        yield from PartitionPull(self, landing, client, endpoint, partition, pull).land()
