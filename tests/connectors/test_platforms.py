"""The sample company served by fakes and pulled is the sample company landed directly, platform by platform."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from fakes.company import fake_of, fakes_of
from fakes.pulling import QuickClock, Workbook
from tidings.feeds import feeds
from tidings.landing.store import Landing
from tidings.metrics.platform import REPORTS
from tidings.platform_metrics import PLATFORM_METRICS
from tidings.sample.apps import Apps
from tidings.sample.company import Company, Options
from tidings.sample.platforms import platform_feeds, platforms
from tidings.sample.source import Sample
from tidings.settings import Settings
from tidings.sources.source import Pull, open_sources
from tidings.warehouse.build import build
from tidings.warehouse.reader import Warehouse

OPTIONS = Options(size=0.05, end=date(2026, 11, 18), days=24)
# Hours after the last day, which is over in California, too.
NOW = datetime(2026, 11, 18, 18, tzinfo=UTC)
SERVED = tuple(kind for kind in platforms() if fake_of(kind, {}) is not None)


@cache
def apps() -> Apps:
    return Apps(Company(OPTIONS))


def _plain(row: Mapping[str, Any], columns: Iterable[str]) -> tuple[Any, ...]:
    def plain(value: Any) -> Any:
        if isinstance(value, Decimal | float):
            return round(float(value), 6)
        if isinstance(value, date) and not isinstance(value, datetime):
            return datetime(value.year, value.month, value.day)
        return value

    return tuple(plain(row.get(name)) for name in columns)


def _sorted(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> list[tuple[Any, ...]]:
    return sorted((_plain(row, columns) for row in rows), key=repr)


@pytest.mark.parametrize("kind", SERVED)
def test_what_a_fake_serves_is_landed_as_the_sample_reports_it(kind: str, tmp_path: Path) -> None:
    rows = platforms()[kind].reported(apps())
    assert any(rows.values()), "the sample has no rows of this platform"
    clock = QuickClock(NOW)
    fake = fake_of(kind, rows, clock.epoch)
    assert fake is not None
    with fake.running():
        workbook = Workbook(tmp_path, fake.table(), fake.environment("api"))  # type: ignore[attr-defined]
        workbook.pull(NOW, clock)
        endpoints = [each for each in workbook.source.endpoints if not getattr(each, "snapshot", False)]
        for feed in {endpoint.feed.name: endpoint.feed for endpoint in endpoints}.values():
            held = [row for e in endpoints if e.feed is feed for row in workbook.rows(e.name)]
            assert _sorted(held, list(feed.columns)) == _sorted(rows.get(feed.name, ()), list(feed.columns)), feed.name
        assert [workbook.rejected(endpoint.name) for endpoint in endpoints if workbook.rejected(endpoint.name)] == []


# That the same rows are landed is tested above; that they make the same tables takes two builds.
@pytest.mark.proof
@pytest.mark.slow
def test_the_warehouse_is_the_same_pulled_or_landed(tmp_path: Path) -> None:
    """`tidings pull` from the fakes and landing the sample directly give equal platform metrics, except for the
    source.
    """
    pulled, landed = tmp_path / "pulled", tmp_path / "landed"
    clock = QuickClock(NOW)
    fakes = fakes_of(apps(), clock.epoch)
    sources: dict[str, Mapping[str, Any]] = {}
    environment: dict[str, str] = {}
    opened = [fake.running() for fake in fakes.values()]
    for fake in opened:
        fake.__enter__()
    try:
        for kind, fake in fakes.items():
            sources[kind] = fake.table()  # type: ignore[attr-defined]
            environment |= fake.environment(kind)  # type: ignore[attr-defined]
        settings = Settings(root=pulled, sources=sources, environment=environment)
        for source in open_sources(settings):
            list(source.pull(Landing(settings.raw), Pull(NOW, clock=clock)))
    finally:
        for fake in opened:
            fake.__exit__(None, None, None)
    directly = Settings(root=landed)
    list(Sample("sample", OPTIONS).pull(Landing(directly.raw), Pull(NOW)))
    build(settings)
    build(directly)
    with Warehouse.open(settings) as one, Warehouse.open(directly) as other:
        columns = [
            name for name in one.table("fct_metric_daily").columns if name not in ("_source", "platform_metric_key")
        ]
        figures = one.query(one.table("fct_metric_daily")).to_pylist()
        told_by_sample = other.query(other.table("fct_metric_daily")).to_pylist()
    of_servers = [row for row in told_by_sample if row["platform"] in fakes]
    assert len(of_servers) > 1000
    assert _sorted(figures, columns) == _sorted(of_servers, columns)


def test_every_platform_reports_what_its_metrics_are_registered_for(sample_workbook: Path) -> None:
    with Warehouse.open(Settings(root=sample_workbook)) as warehouse:
        table = warehouse.table("fct_metric_daily")
        pairs = warehouse.query(table.select("platform", "metric").distinct()).to_pylist()
    seen: dict[str, set[str]] = {}
    for pair in pairs:
        seen.setdefault(pair["platform"], set()).add(pair["metric"])
    # Nothing is reported that has no metric; every metric is reported, except refunds, of which so small a company has
    # none. A platform that the sample company does not have reports nothing here.
    untold = {platform: set(REPORTS[platform]) - seen.get(platform, set()) for platform in (*seen, "shared")}
    assert len(seen) >= 9
    assert {platform: reported - set(REPORTS[platform]) for platform, reported in seen.items()} == {
        key: set() for key in seen
    }
    assert untold.pop("shared") == set(PLATFORM_METRICS)
    assert untold == {**{key: set() for key in untold}, "revenuecat_events": {"refunds"}}


def test_each_total_is_reported_once_and_never_less_than_its_parts(sample_workbook: Path) -> None:
    with Warehouse.open(Settings(root=sample_workbook)) as warehouse:
        table = warehouse.table("fct_metric_daily")
        cuts = warehouse.query(
            table.select("_source", "platform", "metric", "breakdown", "is_total").distinct()
        ).to_pylist()
    wholes: dict[tuple[str, str], list[str]] = {}
    for cut in cuts:
        wholes.setdefault((cut["platform"], cut["metric"]), [])
        if cut["is_total"]:
            wholes[cut["platform"], cut["metric"]].append(cut["breakdown"])
    # A user of two events is one user: no breakdown by event adds up to the total.
    distinct = {("ga4", "event_users"): [], ("posthog", "event_users"): []}
    assert {pair: found for pair, found in wholes.items() if len(found) != 1} == distinct


def test_every_feed_of_a_platform_is_known() -> None:
    assert {feed.name for feed in platform_feeds()} <= set(feeds())
    for kind in platforms():
        assert set(platforms()[kind].reported(apps())) <= {feed.name for feed in platform_feeds()}, kind
