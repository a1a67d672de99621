"""One pull of one partition of an endpoint: requests its days in chunks and lands each chunk as soon as it is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Protocol

import pyarrow.compute as pc

from tidings.errors import InBetweenError, ResponseError
from tidings.landing.load_writer import LoadWriter
from tidings.landing.manifest import Load, Span
from tidings.landing.store import Landing
from tidings.sources.api.days import AGAIN, chunks, complete_until, left_over, not_yet, too_old
from tidings.sources.api.endpoint import ApiEndpoint, NotYetError, day_instant
from tidings.sources.api.failures import CHANGED, together, understood
from tidings.sources.http.session import Client
from tidings.sources.records import UNUSABLE, Record, typed
from tidings.sources.source import Pull, Pulled
from tidings.window import add_days

_BATCH = 20_000
_OTHER_DAYS = "they belong to other days"
# Errors that hold for every day: no right, no such thing.
_NO_MATTER_WHICH_DAY = frozenset({401, 403, 404, 405, 501})


class Fetching(Protocol):
    """What a pull needs of a source; `ApiSource` documents the methods."""

    name: str

    def fetch(
        self, client: Client, endpoint: ApiEndpoint, partition: str, first: date, end: date
    ) -> Iterator[Sequence[Record]]:
        """Records, page by page."""

    def is_stale(self, landing: Landing, endpoint: ApiEndpoint, load: Load) -> bool:
        """True for a load whose days must be requested again."""

    def named(self, partition: str) -> str:
        """The partition's name for users."""


class PartitionPull:
    """One pull of one partition of an endpoint."""

    def __init__(
        self, source: Fetching, landing: Landing, client: Client, endpoint: ApiEndpoint, partition: str, pull: Pull
    ) -> None:
        self._source = source
        self._landing = landing
        self._client = client
        self._endpoint = endpoint
        self._partition = partition
        self._pull = pull
        self._missing: list[Span] = []
        self._failed: list[ResponseError] = []
        # First day and number of records none of which could be used, and why.
        self._unusable: list[tuple[date, int, str]] = []
        self._moving: list[date] = []
        self._has_landed = False

    def land(self) -> Iterator[Pulled]:
        """Land what is new, yielding one `Pulled` per chunk, and a last one for remaining messages.

        Raises:
            ResponseError: for some days there was no response, or no usable record; all others are landed.
        """
        endpoint, pull, where = self._endpoint, self._pull, (self._source.name, self._endpoint.name)
        mine = [load for load in self._landing.loads(*where) if load.partition == self._partition]
        left = left_over(mine)
        stale = [
            load
            for load in mine
            if load.window and (load in left or self._source.is_stale(self._landing, endpoint, load))
        ]
        unused = [load for load in self._landing.quarantined(*where) if load.partition == self._partition]
        owed = [load.window.start.date() for load in (*unused, *stale) if load.window]
        asked = chunks(endpoint, [load for load in mine if load not in stale], pull, owed)
        for first, end in asked:
            yield from self._land_chunk(first, end)
        reported = ((not_yet(self._missing),) if self._missing else ()) + too_old(endpoint, pull)
        if left and self._has_landed and not pull.again:
            reported += (f"{endpoint.name}: an earlier pull --again was stopped; this one continued it.",)
        if not asked and (pull.since or pull.until):
            reported += (f"{endpoint.name}: none of the requested days is over, or the source no longer has them.",)
        if reported:
            yield self._pulled(0, messages=reported)
        self._raise_failures()

    def _raise_failures(self) -> None:
        if self._unusable:
            first, _, reason = self._unusable[0]
            records = sum(records for _, records, _ in self._unusable)
            unusable = ResponseError(
                f"None of the {records} records of {first} and after could be used: {reason}.",
                f"{CHANGED}. They are kept in data/raw/{self._source.name}/{self._endpoint.name}; "
                "look for a newer version of Tidings.",
            )
            self._failed.append(unusable)
        if self._failed:
            raise together(self._failed)

    def _land_chunk(self, first: date, end: date) -> Iterator[Pulled]:
        while first < end:
            try:
                pulled, missing = self._land_days(first, end)
            except ResponseError as error:
                if error.status in _NO_MATTER_WHICH_DAY or isinstance(error, InBetweenError):
                    raise
                self._failed.append(error)
                return
            if pulled is not None:
                yield pulled
            if missing is None:
                return
            if missing.error is None:
                self._missing.append(Span(day_instant(missing.day), day_instant(missing.following)))
            else:
                self._failed.append(missing.error)
            # An empty day looks like one that is not available yet; later ones may be available.
            first = missing.following

    def _land_days(self, first: date, end: date) -> tuple[Pulled | None, NotYetError | None]:
        """Land some days; returns the outcome, and the day that stopped it because it is not available yet."""
        endpoint, pull = self._endpoint, self._pull
        window = None if endpoint.full_refresh else Span(day_instant(first), day_instant(end))
        loads = self._landing.loads(self._source.name, endpoint.name) if endpoint.full_refresh else ()
        had = sum(load.rows for load in loads if load.partition == self._partition)
        missing: NotYetError | None = None
        watch = _Fields(endpoint)
        opened = self._landing.writer(
            self._source.name, endpoint.name, endpoint.feed, now=pull.now, partition=self._partition, window=window
        )
        try:
            with opened as writer:
                try:
                    for records in _batched(self._source.fetch(self._client, endpoint, self._partition, first, end)):
                        self._add(writer, watch, watch.seen(records))
                        pull.progress(endpoint.name, writer.rows + writer.rejected, 0)
                except NotYetError as stopped:
                    # The source may name any day: clamp it to the requested ones.
                    day = min(max(stopped.day, first), add_days(end, -1))
                    following = min(max(stopped.following, add_days(day, 1)), end)
                    missing, end = NotYetError(day, following, stopped.error), day
                    if end <= first:
                        raise
                    writer.window = Span(day_instant(first), day_instant(end))
                is_unusable = bool(writer.rejected) and not writer.rows
                if not is_unusable:
                    # An incomplete day ends the coverage of its chunk, and the next one starts after it.
                    self._moving += [watch.moving] if watch.moving else []
                    writer.complete_until = complete_until(endpoint, min([end, *self._moving]), pull)
                    if pull.again and not (pull.since or pull.until):
                        writer.facts[AGAIN] = 1.0
                elif endpoint.snapshot:
                    # No later pull can recover the state of that day: a later load would replace it.
                    writer.window = None
        except NotYetError:
            return None, missing
        why = watch.reason or _OTHER_DAYS
        if is_unusable:
            # Later days may be fine: one bad day must not block them for good.
            self._unusable.append((first, writer.rejected, why))
            return self._pulled(0, writer.rejected), None
        self._has_landed = True
        reported = watch.messages()
        if writer.rejected:
            where = f"data/raw/{self._source.name}/{endpoint.name}"
            reported += (
                f"{endpoint.name}: {writer.rejected} of its records could not be used: {why}. Kept in {where}.",
            )
        if had and not writer.rows:
            reported += (f"{endpoint.name} no longer has records; there were {had}.",)
        more = {"messages": reported, "restated": writer.restated_days, "remarks": writer.remarks}
        return self._pulled(writer.rows, writer.rejected, **more), missing

    def _pulled(self, rows: int, rejected: int = 0, **more: Any) -> Pulled:
        endpoint, name = self._endpoint, self._source.named(self._partition)
        return Pulled(self._source.name, endpoint.name, endpoint.feed.name, rows, rejected, partition=name, **more)

    def _add(self, writer: LoadWriter, watch: _Fields, records: Sequence[Record]) -> None:
        endpoint = self._endpoint
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


def _batched(pages: Iterator[Sequence[Record]]) -> Iterator[list[Record]]:
    """Small pages merged: conversion works on whole columns."""
    waiting: list[Record] = []
    with understood("The answer"):
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
    """Counts the fields that occur, and which of the endpoint's known fields never do."""

    def __init__(self, endpoint: ApiEndpoint) -> None:
        self._endpoint = endpoint
        self._came: set[str] = set()
        self._records = 0
        self.reason = ""
        self.moving: date | None = None

    def seen(self, records: Sequence[Record]) -> Sequence[Record]:
        """The records without the fields to forget; notes which fields occur."""
        for record in records:
            self._came.update(record if isinstance(record, Mapping) else ())
        self._records += len(records)
        return [self._kept(record) for record in records]

    def _kept(self, record: Any) -> Record:
        forget = self._endpoint.forget
        if isinstance(record, Mapping):
            return {name: value for name, value in record.items() if name not in forget} if forget else record
        # Something that is not an object has no fields that could be removed one by one.
        return {} if forget else {"": record}

    def messages(self) -> tuple[str, ...]:
        """Messages on fields that disappeared, and on new ones."""
        if not self._records or not self._endpoint.fields:
            return ()
        gone = [name for name in self._endpoint.fields if name not in self._came]
        known = {*self._endpoint.fields, *self._endpoint.optional, *self._endpoint.forget, UNUSABLE}
        new = sorted(self._came - known)
        name = self._endpoint.name
        return (
            *(
                [f"{name} no longer has the fields {', '.join(gone)}: the columns made of them are empty."]
                if gone
                else ()
            ),
            *([f"{name} has new fields, kept as received: {', '.join(new)}."] if new else ()),
        )
