"""A small API that exists only in tests: everything that connectors inherit from `ApiSource`, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from fakes.pulling import QuickClock, Workbook
from tidings.feeds.feed import Feed
from tidings.landing.store import Landing
from tidings.options import Options
from tidings.schema import Column
from tidings.settings import Settings
from tidings.sources.api.endpoint import ApiEndpoint
from tidings.sources.api.source import ApiSource
from tidings.sources.clock import Clock
from tidings.sources.http.session import Client
from tidings.sources.records import Record
from tidings.sources.source import Pull, Pulled

TODAY: Final = date(2026, 11, 20)
TOY_DAILY: Final = Feed(
    name="toy_daily",
    doc="A thing and a day.",
    key=("ts", "name"),
    columns={
        "ts": Column("!timestamp(6)", "Midnight of the day."),
        "name": Column("!string", "What."),
        "value": Column("int64", "How many."),
    },
)


def back(days: int) -> date:
    """A day so many before today."""
    return TODAY - timedelta(days=days)


def noon(days: int = 0) -> datetime:
    """Noon of such a day."""
    return datetime(2026, 11, 20, 12, tzinfo=UTC) - timedelta(days=days)


def parse_toy(record: Record) -> Mapping[str, Any]:
    return {"ts": record["day"], "name": record["name"], "value": record["value"]}


DAILY: Final = ApiEndpoint(
    name="daily",
    feed=TOY_DAILY,
    doc="Things by day.",
    parse=parse_toy,
    fields=("day", "name", "value"),
    history_days=10,
    chunk_days=4,
    lookback_days=2,
)


class Toy(ApiSource[Options]):
    """Tells `days` (records by day) page by page; `asked` lists (endpoint, part, first, end) of each question.

    `on_page` is called before each page, and may raise any error that a server can cause.
    """

    kind = "toy"
    console = "Toy › Keys"

    def __init__(self, root: Path, *endpoints: ApiEndpoint, page: int = 2) -> None:
        super().__init__("api", Options(), Settings(root=root))
        self._endpoints = endpoints or (DAILY,)
        self.days: dict[date, list[Any]] = {}
        self.page = page
        self.asked: list[tuple[str, str, date, date]] = []
        self.names: tuple[str, ...] = ("",)
        self.on_page: Callable[[str, str, date], object] = lambda endpoint, partition, day: None
        self.workbook = Workbook(root, {}, {})

    @property
    def endpoints(self) -> tuple[ApiEndpoint, ...]:
        return self._endpoints

    def connect(self, clock: Clock) -> Client:
        return Client(self.name, "http://toy.example", clock, console=self.console)

    def ping(self, client: Client) -> list[str]:
        return []

    def partitions(self, client: Client, endpoint: ApiEndpoint) -> Sequence[str]:
        return self.names

    def fetch(
        self, client: Client, endpoint: ApiEndpoint, partition: str, first: date, end: date
    ) -> Iterator[Sequence[Record]]:
        self.asked.append((endpoint.name, partition, first, end))
        days = (
            sorted(self.days)
            if endpoint.full_refresh
            else [first + timedelta(days=n) for n in range((end - first).days)]
        )
        for day in days:
            self.on_page(endpoint.name, partition, day)
            records = self.days.get(day, [])
            for start in range(0, len(records), self.page):
                self.on_page(endpoint.name, partition, day)
                yield records[start : start + self.page]

    # What tests do with it

    def report(self, day: date, *values: int) -> None:
        """Set the values of a day."""
        self.days[day] = [
            {"day": day.isoformat(), "name": f"n{number}", "value": value} for number, value in enumerate(values)
        ]

    def pull_all(self, now: datetime | None = None, **order: Any) -> list[Pulled]:
        """What a pull yields; `self.pulled` has it even when it raises."""
        self.asked.clear()
        self.pulled: list[Pulled] = []
        now = now or noon()
        for pulled in self.pull(Landing(self.settings.raw), Pull(now, clock=QuickClock(now), **order)):
            self.pulled.append(pulled)
        return self.pulled

    def held(self, endpoint: str = "daily") -> dict[date, list[int]]:
        """Values in force by day."""
        found: dict[date, list[int]] = {}
        for ts, value in sorted(self.workbook.rows(endpoint, "ts", "value")):
            found.setdefault(ts.date(), []).append(value)
        return found

    def asked_days(self) -> list[tuple[int, int]]:
        """First and last day of each request, as days before today."""
        return [((TODAY - first).days, (TODAY - end).days + 1) for _, _, first, end in self.asked]


def with_(endpoint: ApiEndpoint = DAILY, **changed: Any) -> ApiEndpoint:
    """An endpoint with some of its habits changed."""
    return replace(endpoint, **changed)
