"""Lands the sample company: every feed for the whole period, the last days of the orders again, corrected, and what
the platforms (stores, search, web analytics, subscription services) report.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from msgspec import structs

from tidings.feeds import EVENTS, ORDERS, REQUESTS, VITALS, Feed
from tidings.landing.load_writer import arrow_schema
from tidings.landing.manifest import Input, Span, move_durably
from tidings.landing.store import Landing
from tidings.sample.apps import Apps
from tidings.sample.company import DAY, Company, Options, instant
from tidings.sample.platforms import platform_feeds, platforms
from tidings.sample.simulation import Simulation
from tidings.sources.source import Endpoint, Pull, Pulled, SourceKind
from tidings.window import Zone, parse_date

TRUTH = "truth.json"
_FEEDS = (ORDERS, EVENTS, REQUESTS, VITALS)
_LOOKBACK_DAYS = 7


@dataclass(frozen=True)
class Sample:
    """One configured sample company; every pull lands the same rows."""

    name: str
    options: Options
    kind: str = "sample"

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """One per feed, named after it."""
        return tuple(
            Endpoint(feed.name, feed, feed.doc, lookback_days=_LOOKBACK_DAYS if feed is ORDERS else 0)
            for feed in (*_FEEDS, *platform_feeds())
        )

    def warnings(self) -> list[str]:
        return []

    def check(self, pull: Pull) -> list[str]:
        return []

    def pull(self, landing: Landing, pull: Pull) -> Iterator[Pulled]:
        """Land all feeds and, last, the truth beside them; with unchanged options, nothing."""
        source_input = _input(self.options)
        truth = landing.raw / self.name / TRUTH
        every = (*_FEEDS, *platform_feeds())
        landed = [landing.unchanged(self.name, feed.name, "", source_input) for feed in every]
        if not pull.again and all(landed) and truth.is_file():
            for feed in every:
                rows = sum(load.rows for load in landing.loads(self.name, feed.name))
                yield Pulled(self.name, feed.name, feed.name, rows, skipped=True)
            return
        # Without the truth the load does not count as complete: a pull killed half-way starts again.
        truth.unlink(missing_ok=True)
        made = Simulation.of(self.options)
        for feed in _FEEDS:
            rows = self._land(landing, feed, made, source_input, pull)
            yield Pulled(self.name, feed.name, feed.name, rows)
        yield from self._land_platforms(landing, Apps(made.company), source_input, pull)
        writer = truth.with_suffix(".draft")
        writer.write_text(json.dumps(made.truth(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        move_durably(writer, truth)

    def _land(self, landing: Landing, feed: Feed, made: Simulation, source_input: Input, pull: Pull) -> int:
        company = made.company
        rows = 0
        with landing.writer(self.name, feed.name, feed, now=pull.now, source_input=source_input) as writer:
            for table in made.rows(feed.name):
                writer.add(table.append_column("_line", pa.array(np.arange(rows + 1, rows + table.num_rows + 1))))
                rows += table.num_rows
                if table.num_rows:
                    day = (table[feed.time][-1].value - company.start) // DAY + 1
                    pull.progress(feed.name, min(day, self.options.days), self.options.days)
            writer.complete_until = instant(company.end)
        restated = made.commerce.restated() if feed is ORDERS else None
        if restated is not None:
            late = made.story["late_restatement"]
            window = Span(instant(late.start), instant(late.end))
            with landing.writer(
                self.name, feed.name, feed, now=pull.now, window=window, source_input=source_input
            ) as writer:
                writer.add(restated.append_column("_line", pa.array(np.arange(1, restated.num_rows + 1))))
                writer.complete_until = window.end
            rows += restated.num_rows
        return rows

    def _land_platforms(self, landing: Landing, apps: Apps, source_input: Input, pull: Pull) -> Iterator[Pulled]:
        rows = {name: rows for platform in platforms().values() for name, rows in platform.reported(apps).items()}
        for feed in platform_feeds():
            of_feed = rows.get(feed.name, ())
            received = [
                {**row, "_line": line, "_record": json.dumps(row, default=str)} for line, row in enumerate(of_feed, 1)
            ]
            table = pa.Table.from_pylist(received, schema=arrow_schema(feed))
            with landing.writer(self.name, feed.name, feed, now=pull.now, source_input=source_input) as writer:
                writer.add(table)
                # Like Search Console's own flag for days that still move, in Pacific days.
                moving = [row["ts"].date() for row in of_feed if row.get("is_final") is False]
                pacific = Zone("America/Los_Angeles")
                writer.complete_until = pacific.first_instant(min(moving)) if moving else instant(apps.company.end)
            yield Pulled(self.name, feed.name, feed.name, table.num_rows)


def land_sample(
    raw: Path, *, size: float = 0.01, seed: int = 1, end: str = "2026-07-01", days: int = 730, name: str = "sample"
) -> dict[str, Any]:
    """Land a sample company under the folder `raw` (a workbook's data/raw) and return its truth; for tests."""
    sample = Sample(name, Options(seed, size, parse_date(end), days))
    for _ in sample.pull(Landing(raw), Pull(instant(Company(sample.options).end))):
        pass
    found: dict[str, Any] = json.loads((raw / name / TRUTH).read_text(encoding="utf-8"))
    return found


def _input(options: Options) -> Input:
    """The options and the code that determine the rows."""
    code = hashlib.sha256()
    for file in sorted(Path(__file__).parent.rglob("*.py")):
        code.update(file.read_bytes())
    options_text = json.dumps({**structs.asdict(options), "end": options.end.isoformat()}, sort_keys=True)
    return Input(
        f"sample {options.seed} x {options.size:g}", hashlib.sha256(options_text.encode()).hexdigest(), code.hexdigest()
    )


KIND = SourceKind(
    name="sample",
    summary="a simulated company (a shop, an app, their services) whose truth is known",
    options=Options,
    open=lambda name, options, settings: Sample(name, options),
)
