"""Events and the sessions they form (metric definitions 4)."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from tidings.feeds import EVENTS
from tidings.models.model import model
from tidings.schema import Column, joined

PAUSE_S = 1800
"""A longer pause than this many seconds between two hits of a visitor starts a new session."""

_SHARED = (
    *("visitor_id", "path", "host", "referrer_host", "source", "medium", "channel", "campaign", "content", "term"),
    *("country", "device", "browser", "os", "is_bot"),
)
_SECONDS = "float64"


@model(
    grain="event or page view, bots included",
    key=("event_key",),
    columns={
        "event_key": Column("!string", "Source and event id, or position."),
        "ts": EVENTS.columns["ts"],
        "event": EVENTS.columns["event"],
        "kind": Column("!string", "Page view or any other event.", values=("pageview", "event")),
        "user_id": EVENTS.columns["user_id"],
        **{name: EVENTS.columns[name] for name in _SHARED},
        "value": EVENTS.columns["value"],
        "properties": EVENTS.columns["properties"],
        "session_key": Column("string", "Its session; null without a visitor and for bots."),
        "position": Column("int64", "Position in the session, from 1.", minimum=1),
        "seconds_to_next_view": Column(
            _SECONDS, "Page views: time to the session's next page view; null for its last.", unit="s", minimum=0
        ),
        "_source": Column("!string", "Source that reported it."),
        "_line": Column("!int64", "Position in the input, from 1."),
    },
    fresh_hours=48,
)
def fct_events(stg_events: ir.Table, stg_access: ir.Table) -> ir.Table:
    """An event or page view, from event sources and access logs, bots included, with its session and position in it.

    A session is the hits of one visitor of one source, ordered by time, then by input; a pause of more than
    1,800 s starts the next. Visitors of two sources are different visitors, since their pseudonyms differ.
    """
    hits = ibis.union(_from_events(stg_events), _from_access(stg_access))
    places = _places(hits)
    return (
        hits.left_join(places, "event_key")
        .select(
            *(column for column in hits.columns if column not in ("_pull", "_line")),
            *("session_key", "position", "seconds_to_next_view", "_line"),
        )
        .relocate("_source", before="_line")
    )


def _from_events(events: ir.Table) -> ir.Table:
    kind = ibis.ifelse(events.event == "pageview", "pageview", "event")
    shared = {name: events[name] for name in _SHARED}
    return events.select(
        *("event_key", "ts", "event"),
        kind=kind,
        user_id=events.user_id,
        **shared,
        value=events.value,
        properties=events.properties,
        _source=events._source,
        _pull=events._pull,
        _line=events._line,
    )


def _from_access(access: ir.Table) -> ir.Table:
    views = access.filter(access.is_page)
    return views.select(
        event_key=views.line_key,
        ts=views.ts,
        event=ibis.literal("pageview"),
        kind=ibis.literal("pageview"),
        user_id=ibis.null("string"),
        **{name: views[name] for name in _SHARED},
        value=ibis.null(EVENTS.columns["value"].type),
        properties=ibis.null(EVENTS.columns["properties"].type),
        _source=views._source,
        _pull=views._pull,
        _line=views._line,
    )


def _places(hits: ir.Table) -> ir.Table:
    """Session, position and time to the next page view of each hit of a visitor."""
    human = hits.filter(~hits.is_bot, hits.visitor_id.notnull())
    human = human.select("event_key", "ts", "kind", "visitor_id", "_source", "_pull", "_line")
    order = ["ts", "_pull", "_line", "event_key"]
    visitor = ibis.window(group_by=["_source", "visitor_id"], order_by=order)
    resumed = human.ts > human.ts.lag().over(visitor) + ibis.interval(seconds=PAUSE_S)
    human = human.mutate(starts=resumed.fill_null(True).cast("int64"))
    so_far = ibis.cumulative_window(group_by=["_source", "visitor_id"], order_by=order)
    human = human.mutate(session=human.starts.sum().over(so_far))
    of_session = ["_source", "visitor_id", "session"]
    in_session = ibis.window(group_by=of_session, order_by=order)
    is_view = human.kind == "pageview"
    next_view = (
        ibis.ifelse(is_view, human.ts, ibis.null("timestamp(6)"))
        .min()
        .over(ibis.window(group_by=of_session, order_by=order, rows=(1, None)))
    )
    gap = ibis.ifelse(is_view, next_view.delta(human.ts, unit="microsecond") / 1e6, ibis.null(_SECONDS))
    return human.select(
        "event_key",
        session_key=joined(human._source, human.visitor_id, human.session),
        position=(ibis.row_number().over(in_session) + 1).cast("int64"),
        seconds_to_next_view=gap,
    )
