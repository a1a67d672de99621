"""Sessions; those with a page view are visits (metric definitions 4 and 5.4)."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from tidings.feeds import EVENTS
from tidings.models.model import model
from tidings.schema import Column

_OF_FIRST_VIEW = (
    *("source", "medium", "channel", "campaign", "content", "term"),
    *("country", "device", "browser", "os", "host", "referrer_host"),
)


@model(
    grain="session of one visitor, bots left out",
    key=("session_key",),
    columns={
        "session_key": Column("!string", "Source, visitor, and number of the session of that visitor."),
        "ts": Column("!timestamp(6)", "First hit."),
        "last_ts": Column("!timestamp(6)", "Last hit."),
        "visitor_id": Column("!string", "Pseudonym of the browser or device.", personal=True),
        "user_id": Column("string", "The signed-in user, the last one known in the session.", personal=True),
        "is_visit": Column("!boolean", "True with a page view; every visit metric leaves the others out."),
        "pageviews": Column("!int64", "Page views.", minimum=0),
        "events": Column("!int64", "Other events.", minimum=0),
        "is_bounce": Column("!boolean", "True with exactly one page view, whatever else happened."),
        "duration_s": Column("!float64", "Last hit minus first hit; 0 for a single one.", unit="s", minimum=0),
        "entry_page": Column("string", "Path of the first page view."),
        "exit_page": Column("string", "Path of the last page view."),
        **{name: EVENTS.columns[name] for name in _OF_FIRST_VIEW},
        "_source": Column("!string", "Source that reported it."),
    },
    fresh_hours=48,
)
def fct_sessions(fct_events: ir.Table) -> ir.Table:
    """A session of one visitor, built from all data; origin, device and country are those of its first page view.

    A session without a page view takes them from its first hit.
    """
    hits = fct_events.filter(fct_events.session_key.notnull())
    is_view = hits.kind == "pageview"
    sessions = hits.group_by("session_key").aggregate(
        ts=hits.ts.min(),
        last_ts=hits.ts.max(),
        user_id=hits.user_id.argmax(hits.position, where=hits.user_id.notnull()),
        pageviews=hits.count(where=is_view),
        events=hits.count(where=~is_view),
        first_view=hits.position.min(where=is_view),
        last_view=hits.position.max(where=is_view),
    )
    sessions = sessions.mutate(lead=sessions.first_view.fill_null(1))
    shown = ("visitor_id", "path", "_source", *_OF_FIRST_VIEW)
    first = hits.select("session_key", *shown, lead=hits.position)
    last = hits.select("session_key", exit_page=hits.path, last_view=hits.position)
    rows = sessions.join(first, ["session_key", "lead"]).left_join(last, ["session_key", "last_view"])
    rows = rows.select(*sessions.columns, *shown, "exit_page")
    is_visit = rows.pageviews > 0
    return rows.select(
        *("session_key", "ts", "last_ts", "visitor_id", "user_id"),
        is_visit=is_visit,
        pageviews=rows.pageviews,
        events=rows.events,
        is_bounce=rows.pageviews == 1,
        duration_s=rows.last_ts.delta(rows.ts, unit="microsecond") / 1e6,
        entry_page=ibis.ifelse(is_visit, rows.path, ibis.null("string")),
        exit_page=rows.exit_page,
        **{name: rows[name] for name in _OF_FIRST_VIEW},
        _source=rows._source,
    )
