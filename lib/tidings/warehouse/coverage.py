"""What each source covers (metric definitions C14), found by the build: its days, and which columns it fills.

A feed landed by windows covers those; one that declares up to when it is complete covers the days from its first row to
that day. A file covers the days from its first row to that of its last row, which is complete if rows have dates only
and incomplete if they have times. Days between two files of a source are covered if they are no more than the longest
run of days without rows inside a file, where there really was nothing; a longer gap is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from tidings.feeds import feeds
from tidings.landing.manifest import DECLARED_DAYS, ROWS_OF, Load
from tidings.landing.store import LandedFile
from tidings.platform_metrics import METRIC_DAILY
from tidings.schema import Column
from tidings.window import Zone, add_days, as_utc, days_between, days_without, midnights, naive_utc

RunQuery = Callable[[ir.Expr], pa.Table]
_TS = pa.timestamp("us")
SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("source", "feed", "platform", "metric", "breakdown")),
        ("is_total", pa.bool_()),
        ("zone", pa.string()),
        ("start", _TS),
        ("until", _TS),
        ("gaps", pa.list_(pa.list_(_TS))),
        ("ended", pa.map_(pa.string(), pa.date32())),
    ]
)
"""A row is a source and feed, or a source, platform metric and breakdown.

Covered are the instants from `start` up to `until` except those in `gaps`; `zone` is that of the source's own days,
null where rows are instants, whose days are those of the report. `ended` are partitions no longer pulled.
"""


@dataclass(frozen=True)
class _Known:
    """The coverage of one source and feed; its days are those of `zone`, if set."""

    start: datetime
    until: datetime
    gaps: tuple[tuple[datetime, datetime], ...] = ()


def coverage_table(
    files: Sequence[LandedFile],
    infos: Iterable[Mapping[str, Any]],
    seen: Collection[str],
    schemas: Mapping[str, ibis.Schema],
    run: RunQuery,
) -> pa.Table:
    """The table `meta_coverage` of a build, from the landed files and `meta_feeds`.

    `seen` are the feeds of instants that marts are made of; `schemas` those of the raw tables and platform metrics,
    over which `run` executes expressions.
    """
    by_feed: dict[str, list[LandedFile]] = {}
    for file in files:
        if file.load.quarantined:
            continue
        by_feed.setdefault(file.feed, []).append(file)
    known: dict[tuple[str, str], _Known] = {}
    for name, of_feed in by_feed.items():
        if name in seen or any(file.load.covers for file in of_feed):
            raw = ibis.table(schemas[f"raw_{name}"], name=f"raw_{name}")
            known |= {(source, name): found for source, found in _of_feed(raw, of_feed, run).items()}
    rows = [
        {**_row(source, feed, found), "is_total": True, "ended": []}
        for (source, feed), found in sorted(known.items())
        if feed in seen
    ]
    if METRIC_DAILY in schemas:
        rows += _of_platform_metrics(ibis.table(schemas[METRIC_DAILY], name=METRIC_DAILY), list(infos), known, run)
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _row(source: str, feed: str, known: _Known) -> dict[str, Any]:
    gaps = [[naive_utc(first), naive_utc(end)] for first, end in known.gaps]
    return {
        "source": source,
        "feed": feed,
        "start": naive_utc(known.start),
        "until": naive_utc(known.until),
        "gaps": gaps,
    }


def _of_feed(raw: ir.Table, files: Sequence[LandedFile], run: RunQuery) -> dict[str, _Known]:
    """The coverage of a feed by source."""
    time = raw[files[0].time]
    bounds = raw.group_by("_source", "_partition").aggregate(first=time.min(), last=time.max())
    first_last = {
        (row["_source"], row["_partition"]): (as_utc(row["first"]), as_utc(row["last"]))
        for row in run(bounds).to_pylist()
    }
    loads: dict[tuple[str, str], list[Load]] = {}
    for file in files:
        loads.setdefault((file.source, file.partition), []).append(file.load)
    dated = _dated(raw, files, first_last, run)
    spans: dict[str, list[_Known]] = {}
    for key, of_partition in loads.items():
        found = _of_partition(of_partition, first_last.get(key), is_dated=key in dated)
        if found is not None:
            spans.setdefault(key[0], []).append(found)
    # Only consecutive files of one source have days between them.
    several = {file.source for file in files if file.load.covers.startswith(ROWS_OF)}
    several = {source for source in several if len(spans.get(source, ())) > 1}
    pauses = _pauses(raw, time, several, run)
    return {source: _joined(of_source, pauses.get(source)) for source, of_source in spans.items()}


def _of_partition(loads: Sequence[Load], bounds: tuple[datetime, datetime] | None, *, is_dated: bool) -> _Known | None:
    """The coverage of one partition; None if it has no rows and declares no coverage."""
    starts, ends = [], []
    for load in loads:
        if load.covers.startswith(DECLARED_DAYS):
            first, _, end = load.covers.removeprefix(DECLARED_DAYS).partition("/")
            starts.append(datetime.fromisoformat(first))
            ends.append(datetime.fromisoformat(end))
        if load.window is not None:
            starts.append(load.window.start)
        if load.complete_until is not None and not load.covers.startswith(ROWS_OF):
            ends.append(load.complete_until)
    if bounds is not None:
        starts.append(bounds[0])
        zones = [load.covers.removeprefix(ROWS_OF) for load in loads if load.covers.startswith(ROWS_OF)]
        if zones:
            zone = Zone(zones[0])
            ends.append(zone.first_instant(add_days(zone.day_of(bounds[1]), 1)) if is_dated else bounds[1])
        elif not ends:
            ends.append(bounds[1])
    return _Known(min(starts), max(*ends, min(starts))) if starts and ends else None


def _dated(
    raw: ir.Table,
    files: Sequence[LandedFile],
    first_last: Mapping[tuple[str, str], tuple[datetime, datetime]],
    run: RunQuery,
) -> set[tuple[str, str]]:
    """The partitions with dates only: all their rows are at midnight of their zone."""
    zones: dict[str, set[str]] = {}
    for file in files:
        if file.load.covers.startswith(ROWS_OF):
            zones.setdefault(file.load.covers.removeprefix(ROWS_OF), set()).add(file.source)
    dated = set()
    for zone, sources in zones.items():
        bounds = [span for (source, _), span in first_last.items() if source in sources]
        if not bounds:
            continue
        rows = raw.filter(raw["_source"].isin(sorted(sources)))
        first, last = min(start for start, _ in bounds), max(end for _, end in bounds)
        at_midnight = midnights(rows[files[0].time], Zone(zone), first, last)
        found = rows.group_by("_source", "_partition").aggregate(dated=at_midnight.all())
        dated |= {(row["_source"], row["_partition"]) for row in run(found).to_pylist() if row["dated"]}
    return dated


def _pauses(raw: ir.Table, time: ir.TimestampValue, sources: Collection[str], run: RunQuery) -> dict[str, int]:
    """The longest run of days without a row inside the partitions of each of these sources."""
    if not sources:
        return {}
    rows = raw.mutate(day=time.date()).filter(raw["_source"].isin(sorted(sources)))
    days = rows.select("_source", "_partition", "day").distinct()
    found = days_without(days, ("_source", "_partition"))
    found = found.group_by("_source").aggregate(longest=found.days_without.max())
    return {row["_source"]: int(row["longest"] or 0) for row in run(found).to_pylist()}


def _joined(spans: Sequence[_Known], pause: int | None) -> _Known:
    """The coverage of several partitions of one source; without a `pause` there are no gaps between them."""
    ordered = sorted(spans, key=lambda span: (span.start, span.until))
    gaps: list[tuple[datetime, datetime]] = []
    until = ordered[0].until
    utc = Zone()
    for span in ordered[1:]:
        if pause is not None and span.start > until:
            # The last day of a file may be incomplete, so it counts as one without rows.
            between = len(days_between(utc.day_of(until), utc.day_of(span.start))) - 2
            if between > pause:
                gaps.append((until, span.start))
        until = max(until, span.until)
    return _Known(ordered[0].start, until, tuple(gaps))


def _of_platform_metrics(
    rows: ir.Table, infos: Sequence[Mapping[str, Any]], known: Mapping[tuple[str, str], _Known], run: RunQuery
) -> list[dict[str, Any]]:
    keys = [rows[name] for name in ("platform", "metric", "breakdown", "is_total", "feed", "zone")]
    grouped = rows.group_by(rows["_source"].name("source"), *keys).aggregate(
        first_day=rows.day.min(), last_day=rows.day.max()
    )
    by_feed: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for info in infos:
        by_feed.setdefault((info["source"], info["feed"]), []).append(info)
    dense = frozenset(feed.name for feed in feeds().values() if feed.is_dense)
    rows = [_breakdown(row, by_feed, known, dense) for row in run(grouped).to_pylist()]
    names = ("source", "metric", "breakdown", "feed", "zone")
    return sorted(rows, key=lambda row: tuple(row[name] for name in names))


def _breakdown(
    row: Mapping[str, Any],
    by_feed: Mapping[tuple[str, str], Sequence[Mapping[str, Any]]],
    known: Mapping[tuple[str, str], _Known],
    dense: Collection[str],
) -> dict[str, Any]:
    """One breakdown of a platform metric as a source reports it, and the days that it covers."""
    names = row["feed"].split(",")
    of_feeds = [by_feed.get((row["source"], name), ()) for name in names]
    from_rows = [known[row["source"], name] for name in names if (row["source"], name) in known]
    zone = Zone(row["zone"])
    first, end = row["first_day"], add_days(row["last_day"], 1)
    gaps: list[tuple[datetime, datetime]] = []
    ended: Iterable[tuple[str, date]] = ()
    # Where every day has a row, only a row covers a day.
    if not any(name in dense for name in names):
        first = min([first, *(i["first_day"] for infos in of_feeds for i in infos if i["first_day"])])
        # A source that is complete up to a day covers it even without rows. Endpoints of one feed report the same, so
        # one of them is enough.
        ends = [
            max(zone.day_of(info["complete_until"]) for info in infos if info["complete_until"])
            for name, infos in zip(names, of_feeds, strict=True)
            if (row["source"], name) not in known and any(info["complete_until"] for info in infos)
        ]
        ends += [zone.day_of(each.until) for each in from_rows]
        end = max(min(ends), first) if ends else end
        for missing in _missing(of_feeds):
            gaps.append((zone.first_instant(missing), zone.first_instant(add_days(missing, 1))))
        gaps += [gap for each in from_rows for gap in each.gaps]
        ended = sorted({each for infos in of_feeds for info in infos for each in info["ended"]})
    covers = _Known(zone.first_instant(first), zone.first_instant(end), tuple(gaps))
    return {
        **_row(row["source"], row["feed"], covers),
        "platform": row["platform"],
        "metric": row["metric"],
        "breakdown": row["breakdown"],
        "is_total": row["is_total"],
        "zone": row["zone"],
        "ended": list(ended),
    }


def _missing(of_feeds: Iterable[Sequence[Mapping[str, Any]]]) -> list[date]:
    """The days between landed ones that no endpoint of some feed has landed."""
    found: set[date] = set()
    for infos in of_feeds:
        if infos and all(info["first_day"] is not None for info in infos):
            each = [{day for first, last in info["missing"] for day in days_between(first, last)} for info in infos]
            found |= set.intersection(*each)
    return sorted(found)


FILLED = pa.schema([(name, pa.string()) for name in ("table", "source", "column", "value")])
"""A row is a column that a source fills in some row of a table; for enumerated columns also one per value."""


def filled_table(
    tables: Mapping[str, Mapping[str, Column]], schemas: Mapping[str, ibis.Schema], run: RunQuery
) -> pa.Table:
    """The table `meta_filled` of a build: which columns of these tables, given by name, each source fills."""
    rows: list[dict[str, str | None]] = []
    for name, columns in tables.items():
        table = ibis.table(schemas[name], name=name)
        asked = [c for c, spec in columns.items() if not spec.required and not spec.type.startswith("map")]
        counted = table.group_by("_source").aggregate(**{c: _given(table[c]).count() for c in asked})
        for found in run(counted).to_pylist():
            rows += [_filled(name, found["_source"], column) for column in asked if found[column]]
        for column in (c for c, spec in columns.items() if spec.values):
            pairs = run(table.select("_source", value=column).distinct()).to_pylist()
            rows += [_filled(name, pair["_source"], column, pair["value"]) for pair in pairs if pair["value"]]
    rows.sort(key=lambda row: [row[column] or "" for column in FILLED.names])
    return pa.Table.from_pylist(rows, schema=FILLED)


def _given(column: ir.Value) -> ir.Value:
    return column.nullif("") if column.type().is_string() else column


def _filled(table: str, source: str, column: str, value: str | None = None) -> dict[str, str | None]:
    return {"table": table, "source": source, "column": column, "value": value}
