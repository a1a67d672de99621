"""Pulling from a fake, in a test: a workbook of one source, a clock that never waits, and what was landed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fakes.server import FakeApi
from tidings.intake.pulling import Outcome
from tidings.landing.store import Landing, landed_files
from tidings.settings import Settings
from tidings.sources.clock import Clock
from tidings.sources.source import Pull, Pulled, Source, open_sources

NOW = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)


class QuickClock(Clock):
    """A clock on which waiting takes no time; `waited` lists how long it was. Give its `epoch` to the fake."""

    def __init__(self, now: datetime = NOW) -> None:
        super().__init__(now)
        self.waited: list[float] = []
        self._elapsed = 0.0

    def seconds(self) -> float:
        return self._elapsed

    def sleep(self, seconds: float) -> None:
        self.waited.append(seconds)
        self._elapsed += max(seconds, 0)


class Workbook:
    """A workbook with one source, from a settings table and the secrets in its environment."""

    def __init__(self, root: Path, table: Mapping[str, Any], environment: Mapping[str, str], name: str = "api") -> None:
        self.settings = Settings(root=root, sources={name: dict(table)}, environment=dict(environment))
        self.landing = Landing(self.settings.raw)
        self.name = name

    @property
    def source(self) -> Source:
        return open_sources(self.settings)[0]

    def pull(self, now: datetime = NOW, clock: Clock | None = None, **order: Any) -> list[Pulled]:
        """Pull; waiting takes no time unless a clock is given."""
        return list(self.source.pull(self.landing, Pull(now, clock=clock or QuickClock(now), **order)))

    def outcome(self, now: datetime = NOW, clock: Clock | None = None) -> Outcome:
        """Pull, and return the messages for the user."""
        return Outcome(self.name, self.pull(now, clock))

    def check(self, now: datetime = NOW) -> list[str]:
        return self.source.check(Pull(now, clock=QuickClock(now)))

    def rows(self, endpoint: str, *columns: str) -> list[Any]:
        """The rows in force of an endpoint, without hidden ones: dicts, or tuples of columns."""
        tables = []
        for file in landed_files(self.settings.raw):
            if file.endpoint != endpoint:
                continue
            table = pq.read_table(file.path, use_threads=False, pre_buffer=False)
            for span in file.hidden:
                start, end = (
                    pa.scalar(at.astimezone(UTC).replace(tzinfo=None), pa.timestamp("us"))
                    for at in (span.start, span.end)
                )
                inside = pc.and_(pc.greater_equal(table[file.time], start), pc.less(table[file.time], end))
                table = table.filter(pc.invert(inside))
            tables.append(table)
        rows = pa.concat_tables(tables).to_pylist() if tables else []
        return [tuple(row[name] for name in columns) for row in rows] if columns else rows

    def rejected(self, endpoint: str) -> list[tuple[str, str]]:
        """Reason and record of each rejected row."""
        found = []
        for file in landed_files(self.settings.raw):
            if file.endpoint == endpoint and file.rejected_path is not None:
                found += [(row["reason"], row["record"]) for row in pq.read_table(file.rejected_path).to_pylist()]
        return found

    def everything(self) -> str:
        """Everything that a pull left on disk, as text: to check for what must not be there."""
        text = []
        for file in sorted(self.settings.root.rglob("*")):
            if file.suffix == ".parquet":
                text.append(str(pq.read_table(file).to_pylist()) + str(pq.read_schema(file).metadata))
            elif file.is_file():
                text.append(file.read_bytes().decode("utf-8", "replace"))
        return "\n".join(text)


class Serving:
    """A running fake and the workbook that pulls from it, both on a clock on which waiting takes no time.

    A subclass names the fake and what is added to its source's table; rows are given by endpoint.
    """

    fake_class: ClassVar[type[FakeApi]]
    added: ClassVar[Mapping[str, Any]] = {}

    def __init__(
        self, root: Path, rows: Mapping[str, Sequence[Mapping[str, Any]]] | None = None, **options: Any
    ) -> None:
        self._now, self.clock = NOW, QuickClock(NOW)
        kind = self.fake_class.__module__.rpartition(".")[2]
        named = {f"{kind}_{name}": found for name, found in (rows or {}).items()}
        self.fake: Any = self.fake_class(named, epoch=lambda: self.clock.epoch())  # type: ignore[call-arg, arg-type]
        self.root, self.options = root, {**self.added, **options}

    def __enter__(self) -> Self:
        self._running: AbstractContextManager[str] = self.fake.running()
        self._running.__enter__()
        self.workbook = Workbook(self.root, {**self.fake.table(), **self.options}, self.fake.environment("api"))
        return self

    def __exit__(self, *_: object) -> None:
        self._running.__exit__(None, None, None)

    def pull(self, now: datetime = NOW, **order: Any) -> list[Pulled]:
        if now != self._now:
            self._now, self.clock = now, QuickClock(now)
        return self.workbook.pull(now, self.clock, **order)


def killed_at(call: int) -> Any:
    """A report of progress at which a pull is killed, the first being 1."""
    calls = 0

    def progress(what: str, done: int, total: int) -> None:
        nonlocal calls
        calls += 1
        if calls == call:
            raise KeyboardInterrupt

    return progress
