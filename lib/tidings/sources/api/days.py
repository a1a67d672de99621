"""Which days of an endpoint to request: those never landed, and those that could still change when they were landed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime

from tidings.landing.load_writer import tool_version
from tidings.landing.manifest import Load, Span, merged
from tidings.sources.api.endpoint import ApiEndpoint, day_instant
from tidings.sources.source import Pull
from tidings.window import Zone, add_days, days_between

AGAIN = "again"
"""The fact that marks a load of a pull --again."""
# How many loads with rejected rows one pull requests again: every one gets its turn within a few pulls.
_AT_ONCE = 3


def chunks(
    endpoint: ApiEndpoint, loads: Iterable[Load], pull: Pull, owed: Iterable[date] = ()
) -> list[tuple[date, date]]:
    """The days to request, as (first, end exclusive) of at most `chunk_days` each, oldest first.

    These are the days never landed, and those that could still change when they were landed (`lookback_days`). `owed`
    are first days of records that could not be used.
    """
    zone = Zone(endpoint.zone)
    include_today = zone.day_of(pull.now)
    tomorrow = add_days(include_today, 1)
    if endpoint.full_refresh or endpoint.snapshot:
        return [(include_today, tomorrow)]
    end = tomorrow if endpoint.include_today else include_today
    landed = [(load, load.window) for load in loads if load.window is not None]
    start = min([add_days(end, -endpoint.history_days), *(window.start.date() for _, window in landed), *owed])
    oldest = _oldest(endpoint, pull)
    start = max(start, oldest)
    if pull.since or pull.until:
        start, until = max(pull.since or start, oldest), add_days(pull.until, 1) if pull.until else end
        requested, final = (start, min(until, end)), []
    else:
        requested, final = (start, end), [] if pull.again else _final(endpoint, landed, zone)
    if requested[0] >= requested[1]:
        return []
    missing = Span(day_instant(requested[0]), day_instant(requested[1])).minus(merged(final))
    found = []
    for span in missing:
        first, last = span.start.date(), span.end.date()
        while first < last:
            following = min(add_days(first, endpoint.chunk_days), last)
            found.append((first, following))
            first = following
    return found


def left_over(loads: Sequence[Load]) -> list[Load]:
    """What was landed before a pull --again and not replaced since: that pull was stopped."""
    began = max((load.fetched_at for load in loads if AGAIN in load.facts), default=None)
    return [] if began is None else [load for load in loads if load.fetched_at < began]


def _final(endpoint: ApiEndpoint, landed: Sequence[tuple[Load, Span]], zone: Zone) -> list[Span]:
    """The days that could no longer change when they were landed."""
    # A day that was incomplete when it was landed can still change, whatever the lookback says.
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
    """The loads with rejected records to request again.

    All that another version landed, as this one may be able to use the records; of this version's own the `at_once`
    loads that were requested longest ago: the source may have changed what it reports.
    """
    held = [load for load in loads if load.rejected]
    older = [load for load in held if load.tool_version != tool_version()]
    own = sorted((load for load in held if load.tool_version == tool_version()), key=lambda e: e.fetched_at)
    return [*older, *own[:at_once]]


def complete_until(endpoint: ApiEndpoint, end: date, pull: Pull) -> datetime:
    zone = Zone(endpoint.zone)
    if endpoint.full_refresh or endpoint.snapshot:
        return pull.now
    complete = zone.first_instant(add_days(zone.day_of(pull.now), -endpoint.lag_days))
    return min(zone.first_instant(end), complete, pull.now)


def _oldest(endpoint: ApiEndpoint, pull: Pull) -> date:
    """The first day that the source still has."""
    if endpoint.retention_days is None:
        return date.min
    return add_days(Zone(endpoint.zone).day_of(pull.now), -endpoint.retention_days)


def too_old(endpoint: ApiEndpoint, pull: Pull) -> tuple[str, ...]:
    oldest = _oldest(endpoint, pull)
    if pull.since is None or pull.since >= oldest:
        return ()
    return (f"{endpoint.name} goes back to {oldest}: earlier days stay as they were landed.",)


def not_yet(missing: Sequence[Span]) -> str:
    first, last = missing[0].start.date(), add_days(missing[-1].end.date(), -1)
    days = sum(len(list(days_between(span.start.date(), add_days(span.end.date(), -1)))) for span in missing)
    if days == 1:
        return f"{first} is not available yet: it will be requested again."
    return f"{days} days from {first} to {last} are not available yet: they will be requested again."
