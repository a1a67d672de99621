"""A source that is an API: which days to ask for, and how what it says is landed.

A connector subclasses `ApiSource`, lists `ApiEndpoint`s and says how one of them is fetched. Which days are asked for
follows from what is landed: those never asked for, and those that were still apt to change when they were. So a pull
that was killed goes on where it was, a gap is filled by the next one, and nothing is asked for twice in vain.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, ClassVar

import pyarrow.compute as pc

from tidings.errors import (
    CredentialError,
    InBetweenError,
    OutageError,
    ResponseError,
    SettingsError,
    SourceError,
    StoppedError,
)
from tidings.landing.load_writer import LoadWriter, tool_version
from tidings.landing.manifest import REFUSED, Load, Span, merged
from tidings.landing.store import Landing
from tidings.secrets import Secret
from tidings.settings import Settings
from tidings.sources.clock import Clock
from tidings.sources.http.session import Client
from tidings.sources.records import UNUSABLE, Parse, Record, typed
from tidings.sources.source import Endpoint, Pull, Pulled
from tidings.window import Zone, add_days, days_between

_BATCH = 20_000
_REPORTED = 5
_AGAIN = "again"
# Landings with rejected rows that one pull asks for again: in a few pulls it is the turn of all.
_AT_ONCE = 3
_OTHER_DAYS = "they are of other days"
# Refused, whatever day is asked for: no right, no such thing.
_NO_MATTER_WHICH_DAY = frozenset({401, 403, 404, 405, 501})
_CHANGED = "The API has changed, or base_url is wrong"


class NotYetError(Exception):
    """Raised by `fetch`: the source has nothing of `day` yet, which is not the same as nothing on that day.

    Days after it are asked for on their own, from `following` on: the day after, unless said otherwise. `error` is why,
    where it is not a matter of time: what the source said of this day cannot be used.
    """

    def __init__(self, day: date, following: date | None = None, error: ResponseError | None = None) -> None:
        super().__init__(str(day))
        self.day = day
        self.following = following or add_days(day, 1)
        self.error = error


class _RefusedError(Exception):
    """None of the records of some days could be used; they are kept in `part`."""

    def __init__(self, partition: str, first: date, records: int, reason: str) -> None:
        super().__init__(partition)
        self.partition = partition
        self.first = first
        self.records = records
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class ApiEndpoint(Endpoint):
    """One thing an API can be asked for, day by day unless said otherwise.

    `parse` makes a row of the feed's columns from one record, pure; `fields` are the names that a record is known to
    have: one that no record of an answer has any more is told, unless it is among the `optional` ones. `forget` are
    fields never kept, not even as received.
    `zone` is that of its days: rows carry in `ts` the midnight of the day as if it were UTC, or true UTC instants where
    `zone` is UTC. `history_days`: how far a first pull reaches; `chunk_days`: how many days are landed at a time.
    `kept_days`: how many days back the source still tells everything (None: all); older ones are never asked for, as
    its silence would replace what it said of them when it knew.
    `final`: a column of the feed that is false for days that are not whole, however long they are over.
    `today`: the day that still runs is asked for, too. `snapshot`: it tells only how things are now, so that each day
    of a pull adds one. `whole`: it is asked for as a whole each time, and replaces what was landed.
    """

    parse: Parse
    fields: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    forget: tuple[str, ...] = ()
    zone: str = "UTC"
    history_days: int = 365
    retention_days: int | None = None
    chunk_days: int = 31
    final: str = ""
    include_today: bool = False
    snapshot: bool = False
    whole: bool = False
    is_asked: bool = True


class ApiSource(ABC):
    """One configured API. Its credentials are environment variables named `<SOURCE NAME>_<WHAT>`."""

    kind: ClassVar[str]
    console: ClassVar[str]
    """Where its credentials are managed, in the words of that place."""

    def __init__(self, name: str, table: Mapping[str, Any], settings: Settings) -> None:
        self.name = name
        self.table = table
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

    def option(self, option: str, default: str | None = None) -> str:
        """A text from the source's table in the settings.

        Raises:
            SettingsError: it is missing and has no default, or is not text.
        """
        value = self.table.get(option, default)
        where = f"[tool.tidings.sources.{self.name}]"
        if value is None:
            raise SettingsError(f"{where} has no {option}.", f'Add {option} = "…"; see the README, {self.kind}.')
        if not isinstance(value, str) or not value:
            raise SettingsError(f"{where} {option} must be text, not {value!r}.", "Put it in quotes.")
        return value

    def options(self, option: str, default: Sequence[str] = ()) -> tuple[str, ...]:
        """A list of texts from the source's table; a single text is a list of one.

        Raises:
            SettingsError: it is neither.
        """
        value = self.table.get(option, list(default))
        value = [value] if isinstance(value, str) else value
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            raise SettingsError(
                f"[tool.tidings.sources.{self.name}] {option} must be a list of texts, not {value!r}.",
                f'Write it as {option} = ["…", "…"].',
            )
        return tuple(value)

    def check(self, pull: Pull) -> list[str]:
        """What would keep a pull from succeeding, found by its cheapest call."""
        try:
            with _understood(f"The answer of {self.name}"):
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
                with _understood("The answer"):
                    partitions = tuple(self.partitions(client, endpoint))
            except (CredentialError, OutageError, StoppedError):
                raise
            except SourceError as error:
                failed.append(SourceError(f"{endpoint.name}: {error.failed}", error.remedy))
                continue
            for partition in partitions:
                try:
                    with _understood("The answer"):
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
        loads = landing.loads(self.name, endpoint.name)
        refused_before = [load.partition.removeprefix(f"{partition}{REFUSED}") for load in loads]
        owed = [date.fromisoformat(day) for day, e in zip(refused_before, loads, strict=True) if day != e.partition]
        mine = [load for load in loads if load.partition == partition]
        left = _left_over(mine)
        stale = [load for load in mine if load.window and (load in left or self.is_stale(landing, endpoint, load))]
        owed += [load.window.start.date() for load in stale if load.window]
        asked = chunks(endpoint, [load for load in mine if load not in stale], pull, owed)
        missing: list[Span] = []
        refused: list[_RefusedError] = []
        failed: list[ResponseError] = []
        landed: list[tuple[date, date]] = []
        moving: list[date] = []
        for start, end in asked:
            first = start
            while first < end:
                try:
                    pulled, not_yet = self._land_days(landing, client, endpoint, partition, first, end, pull, moving)
                except _RefusedError as error:
                    # Days after it may be as they ever were: one bad day must not keep them out for good.
                    refused.append(error)
                    yield self._pulled(endpoint, partition, 0, error.records)
                    break
                except ResponseError as error:
                    if error.status in _NO_MATTER_WHICH_DAY or isinstance(error, InBetweenError):
                        raise
                    failed.append(error)
                    break
                if pulled is not None:
                    landed.append((first, end if not_yet is None else not_yet.day))
                    yield pulled
                if not_yet is None:
                    break
                if not_yet.error is None:
                    missing.append(Span(day_instant(not_yet.day), day_instant(not_yet.following)))
                else:
                    failed.append(not_yet.error)
                # A day that had nothing looks like one that is not there yet; those after it may be.
                first = not_yet.following
        for old in dict.fromkeys(load.partition for load in loads):
            day = old.removeprefix(f"{partition}{REFUSED}")
            is_landed = (
                endpoint.whole or endpoint.snapshot or any(str(first) <= day < str(end) for first, end in landed)
            )
            if day != old and landed and is_landed:
                landing.drop(self.name, endpoint.name, old)
        reported = ((_not_yet(missing),) if missing else ()) + _too_old(endpoint, pull)
        if left and landed and not pull.again:
            reported += (f"{endpoint.name}: an earlier pull --again was stopped; this one went on with it.",)
        if not asked and (pull.since or pull.until):
            reported += (f"{endpoint.name}: none of the days that were asked for is over, or kept by the source.",)
        if reported:
            yield self._pulled(endpoint, partition, 0, messages=reported)
        if refused:
            unusable = ResponseError(
                f"None of the {sum(error.records for error in refused)} records of {refused[0].first} and after could "
                f"be used: {refused[0].reason}.",
                f"{_CHANGED}. They are kept in data/raw/{self.name}/{endpoint.name}; "
                "look for a newer version of Tidings.",
            )
            failed.append(unusable)
        if failed:
            raise together(failed)

    def _land_days(
        self,
        landing: Landing,
        client: Client,
        endpoint: ApiEndpoint,
        partition: str,
        first: date,
        end: date,
        pull: Pull,
        moving: list[date],
    ) -> tuple[Pulled | None, NotYetError | None]:
        window = None if endpoint.whole else Span(day_instant(first), day_instant(end))
        loads = landing.loads(self.name, endpoint.name) if endpoint.whole else ()
        had = sum(load.rows for load in loads if load.partition == partition)
        missing: NotYetError | None = None
        watch = _Fields(endpoint)
        opened = landing.writer(
            self.name, endpoint.name, endpoint.feed, now=pull.now, partition=partition, window=window
        )
        try:
            with opened as writer:
                try:
                    for records in _batched(self.fetch(client, endpoint, partition, first, end)):
                        self._add(writer, endpoint, watch.seen(records))
                        pull.progress(endpoint.name, writer.rows + writer.rejected, 0)
                except NotYetError as not_yet:
                    # Whatever day it names: of these days the first at the earliest, the last at the latest.
                    day = min(max(not_yet.day, first), add_days(end, -1))
                    following = min(max(not_yet.following, add_days(day, 1)), end)
                    missing, end = NotYetError(day, following, not_yet.error), day
                    if end <= first:
                        raise
                    writer.window = Span(day_instant(first), day_instant(end))
                refused = writer.rejected if not writer.rows else 0
                if refused:
                    # Kept as received, and apart: what was landed of these days before stays in force.
                    writer.partition, writer.window = f"{partition}{REFUSED}{first}", None
                else:
                    # A day that still moves keeps those after it from being whole, in this chunk and the next.
                    moving += [watch.moving] if watch.moving else []
                    whole = min([end, *moving])
                    writer.complete_until = _complete_until(endpoint, whole, pull)
                    if pull.again and not (pull.since or pull.until):
                        writer.facts[_AGAIN] = 1.0
        except NotYetError:
            return None, missing
        if refused:
            raise _RefusedError(writer.partition, first, refused, watch.reason or _OTHER_DAYS)
        reported = watch.messages()
        if writer.rejected:
            where = f"data/raw/{self.name}/{endpoint.name}"
            why = watch.reason or _OTHER_DAYS
            reported += (
                f"{endpoint.name}: {writer.rejected} of its records could not be used: {why}. Kept in {where}.",
            )
        if had and not writer.rows:
            reported += (f"{endpoint.name} has no records any more; there were {had}.",)
        more = {"messages": reported, "restated": writer.restated_days, "remarks": writer.remarks}
        return self._pulled(endpoint, partition, writer.rows, writer.rejected, **more), missing

    def _pulled(self, endpoint: ApiEndpoint, partition: str, rows: int, rejected: int = 0, **more: Any) -> Pulled:
        return Pulled(
            self.name, endpoint.name, endpoint.feed.name, rows, rejected, partition=self.named(partition), **more
        )

    def _add(self, writer: LoadWriter, endpoint: ApiEndpoint, watched: tuple[_Fields, Sequence[Record]]) -> None:
        watch, records = watched
        rows = typed(endpoint.feed, records, endpoint.parse, writer.rows + writer.rejected + 1)
        if rows.reasons:
            watch.reason = watch.reason or rows.reasons[0]
            writer.reject(rows.lines, rows.reasons, rows.records)
        if rows.table.num_rows:
            writer.add(rows.table)
            if endpoint.final:
                moving = rows.table.filter(pc.invert(rows.table[endpoint.final]))[endpoint.feed.time]
                days = [moment.as_py().date() for moment in (pc.min(moving),) if moment.is_valid]
                watch.moving = min([*days, *((watch.moving,) if watch.moving else ())], default=None)


def chunks(
    endpoint: ApiEndpoint, loads: Iterable[Load], pull: Pull, owed: Iterable[date] = ()
) -> list[tuple[date, date]]:
    """The days to ask for, as (first, end exclusive) of at most `chunk_days` each, oldest first.

    Asked for are the days never landed, and those that could still change when they were landed (`lookback_days`).
    `owed` are first days of records that could not be used.
    """
    zone = Zone(endpoint.zone)
    include_today = zone.day_of(pull.now)
    tomorrow = add_days(include_today, 1)
    if endpoint.whole or endpoint.snapshot:
        return [(include_today, tomorrow)]
    end = tomorrow if endpoint.include_today else include_today
    landed = [(load, load.window) for load in loads if load.window is not None]
    start = min([add_days(end, -endpoint.history_days), *(window.start.date() for _, window in landed), *owed])
    oldest = _oldest(endpoint, pull)
    start = max(start, oldest)
    if pull.since or pull.until:
        start, until = max(pull.since or start, oldest), add_days(pull.until, 1) if pull.until else end
        wanted, settled = (start, min(until, end)), []
    else:
        wanted, settled = (start, end), [] if pull.again else _settled(endpoint, landed, zone)
    if wanted[0] >= wanted[1]:
        return []
    missing = Span(day_instant(wanted[0]), day_instant(wanted[1])).minus(merged(settled))
    found = []
    for span in missing:
        first, last = span.start.date(), span.end.date()
        while first < last:
            following = min(add_days(first, endpoint.chunk_days), last)
            found.append((first, following))
            first = following
    return found


def _left_over(loads: Sequence[Load]) -> list[Load]:
    """What was landed before a pull that was to read everything again, and still is: that pull was stopped."""
    began = max((load.fetched_at for load in loads if _AGAIN in load.facts), default=None)
    return [] if began is None else [load for load in loads if load.fetched_at < began]


def _settled(endpoint: ApiEndpoint, landed: Sequence[tuple[Load, Span]], zone: Zone) -> list[Span]:
    """The days that were landed when they could not change any more."""
    # A day that was not whole yet when it was landed can still change, whatever is said of restatements.
    back = max(endpoint.lookback_days, endpoint.lag_days)
    found = []
    doubted = {id(load) for load in doubtful(load for load, _ in landed)}
    for load, window in landed:
        if id(load) in doubted:
            continue
        until = min(window.end, day_instant(add_days(zone.day_of(load.fetched_at), -back)))
        if window.start < until:
            found.append(Span(window.start, until))
    return found


def doubtful(loads: Iterable[Load], at_once: int = _AT_ONCE) -> list[Load]:
    """The landings of which a part could not be used that are to be asked for again.

    All that another version landed, as this one may know what to make of them; of this version's own those that were
    asked for longest ago, `at_once` per pull: what the source says may have changed, and need not.
    """
    held = [load for load in loads if load.rejected]
    older = [load for load in held if load.tool_version != tool_version()]
    own = sorted((load for load in held if load.tool_version == tool_version()), key=lambda e: e.fetched_at)
    return [*older, *own[:at_once]]


def day_instant(day: date) -> datetime:
    """Midnight of a source's day, written as if it were UTC: days are never moved to another zone."""
    return datetime.combine(day, time.min, UTC)


def _complete_until(endpoint: ApiEndpoint, end: date, pull: Pull) -> datetime:
    zone = Zone(endpoint.zone)
    if endpoint.whole or endpoint.snapshot:
        return pull.now
    whole = zone.first_instant(add_days(zone.day_of(pull.now), -endpoint.lag_days))
    return min(zone.first_instant(end), whole, pull.now)


def together(failed: Sequence[SourceError]) -> SourceError:
    """Several failures as one sentence each, the first few of them; of the kind of the first where there is but one."""
    if len(failed) == 1:
        return failed[0]
    reported = list(dict.fromkeys(error.failed for error in failed))
    more = f" And {len(reported) - _REPORTED} more." if len(reported) > _REPORTED else ""
    remedies = " ".join(dict.fromkeys(error.remedy for error in failed if error.remedy))
    return SourceError(" ".join(reported[:_REPORTED]) + more, remedies)


def _oldest(endpoint: ApiEndpoint, pull: Pull) -> date:
    """The first day that the source still tells."""
    if endpoint.retention_days is None:
        return date.min
    return add_days(Zone(endpoint.zone).day_of(pull.now), -endpoint.retention_days)


def _too_old(endpoint: ApiEndpoint, pull: Pull) -> tuple[str, ...]:
    oldest = _oldest(endpoint, pull)
    if pull.since is None or pull.since >= oldest:
        return ()
    return (f"{endpoint.name} reaches back to {oldest}: what was landed of days before stays as it is.",)


def _not_yet(missing: Sequence[Span]) -> str:
    first, last = missing[0].start.date(), add_days(missing[-1].end.date(), -1)
    days = sum(len(list(days_between(span.start.date(), add_days(span.end.date(), -1)))) for span in missing)
    if days == 1:
        return f"{first} is not there yet: it will be asked for again."
    return f"{days} days from {first} to {last} are not there yet: they will be asked for again."


@contextmanager
def _understood(what: str) -> Iterator[None]:
    """Inside, an answer that has not the form that a connector knows is told as such: it is no fault of the user's."""
    try:
        yield
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
        field = isinstance(error, KeyError) and error.args
        reported = f"the field {error.args[0]!r} is missing" if field else f"{error} ({type(error).__name__})"
        raise ResponseError(
            f"{what} has a form that Tidings does not know: {reported}.",
            f"{_CHANGED}; look for a newer version of Tidings.",
        ) from error


def _batched(pages: Iterator[Sequence[Record]]) -> Iterator[list[Record]]:
    """Small pages put together: converting is done by the column."""
    waiting: list[Record] = []
    with _understood("The answer"):
        try:
            for page in pages:
                waiting.extend(page)
                if len(waiting) >= _BATCH:
                    yield waiting
                    waiting = []
        except NotYetError:
            if waiting:
                yield waiting
            raise
    if waiting:
        yield waiting


class _Fields:
    """Which fields came, beside those that an endpoint is known to have."""

    def __init__(self, endpoint: ApiEndpoint) -> None:
        self._endpoint = endpoint
        self._came: set[str] = set()
        self._records = 0
        self.reason = ""
        self.moving: date | None = None

    def seen(self, records: Sequence[Record]) -> tuple[_Fields, Sequence[Record]]:
        """The records without what is to be forgotten, their fields noted."""
        for record in records:
            self._came.update(record if isinstance(record, Mapping) else ())
        self._records += len(records)
        return self, [self._kept(record) for record in records]

    def _kept(self, record: Any) -> Record:
        forget = self._endpoint.forget
        if isinstance(record, Mapping):
            return {name: value for name, value in record.items() if name not in forget} if forget else record
        # What is no record at all has no fields to be forgotten one by one.
        return {} if forget else {"": record}

    def messages(self) -> tuple[str, ...]:
        """What a person should know: fields that came no more, and new ones."""
        if not self._records or not self._endpoint.fields:
            return ()
        gone = [name for name in self._endpoint.fields if name not in self._came]
        known = {*self._endpoint.fields, *self._endpoint.optional, *self._endpoint.forget, UNUSABLE}
        new = sorted(self._came - known)
        name = self._endpoint.name
        return (
            *([f"{name} no longer has the fields {', '.join(gone)}: what is made of them is empty."] if gone else ()),
            *([f"{name} has new fields, kept as received: {', '.join(new)}."] if new else ()),
        )
