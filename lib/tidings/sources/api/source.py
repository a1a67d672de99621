"""A source that is an API: which days to ask for, and how what it says is landed.

A connector subclasses `ApiSource`, lists `ApiEndpoint`s and says how one of them is fetched. Which days are asked for
follows from what is landed: those never asked for, and those that were still apt to change when they were. So a pull
that was killed goes on where it was, a gap is filled by the next one, and nothing is asked for twice in vain.
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
    """Where its credentials are managed, in the words of that place."""

    def __init__(self, name: str, options: T, settings: Settings) -> None:
        self.name = name
        self.options = options
        self.settings = settings

    @property
    @abstractmethod
    def endpoints(self) -> tuple[ApiEndpoint, ...]:
        """What it can be asked for."""

    @abstractmethod
    def connect(self, clock: Clock) -> Client:
        """The server, with credentials; nothing is asked yet.

        Raises:
            SettingsError: a credential is not set.
        """

    @abstractmethod
    def fetch(
        self, client: Client, endpoint: ApiEndpoint, partition: str, first: date, end: date
    ) -> Iterator[Sequence[Record]]:
        """The records of an endpoint for the days from `first` up to but not including `end`, page by page.

        For a `whole` or `snapshot` endpoint the days are those of today.

        Raises:
            NotYetError: a day is not there yet; what came before is landed.
        """

    @abstractmethod
    def ping(self, client: Client) -> list[str]:
        """Ask the cheapest question that shows whether a pull would succeed; one sentence for each thing missing."""

    def partitions(self, client: Client, endpoint: ApiEndpoint) -> Iterable[str]:
        """What an endpoint is asked for one by one (sites, apps); each has its own days."""
        del client, endpoint
        return ("",)

    def is_stale(self, landing: Landing, endpoint: ApiEndpoint, load: Load) -> bool:
        """True for what was landed by settings that hold no more: its days are asked for anew."""
        del landing, endpoint, load
        return False

    def named(self, partition: str) -> str:
        """What people call a part."""
        return partition

    def variables(self) -> tuple[str, ...]:
        """The environment variables that hold its credentials."""
        return ()

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
        """What would keep a pull from succeeding, found by its cheapest call."""
        try:
            with understood(f"The answer of {self.name}"):
                return list(dict.fromkeys(self.ping(self.connect(pull.running()))))
        except (SettingsError, SourceError) as error:
            return [str(error)]

    def warnings(self) -> list[str]:
        """Files with its credentials that others on this machine may read."""
        return self.settings.exposed(*self.variables())

    def pull(self, landing: Landing, pull: Pull) -> Iterator[Pulled]:
        """Land what is new of every endpoint, some days at a time, oldest first.

        An endpoint that will not do does not keep the others from being pulled, nor does a part of one; a refused
        credential or a server that does not answer ends the pull.

        Raises:
            SourceError: something was not landed; the sentence says what, what was yielded before stays landed.
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
        """Land what is new of one endpoint and part.

        Raises:
            AnswerError: of some days no record could be used, or no answer; all others are landed.
        """
        yield from PartitionPull(self, landing, client, endpoint, partition, pull).land()
