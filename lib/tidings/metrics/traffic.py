"""Metrics of hits, visitors and visits (metric definitions 4)."""

from __future__ import annotations

import ibis.expr.types as ir

from tidings.metrics.measures import distinct, number_where, ratio, total
from tidings.metrics.metric import Mark, Metric, Need

CONVERSIONS = ("purchase", "signup")

_VISITS = "fct_sessions"
_HITS = "fct_events"
_VISITOR = Need(("visitor_id",), "gives no visitor id", table=_HITS)
PAGE_VIEW = Need(("kind",), "has no event called pageview", table=_HITS, value="pageview")
"""The need of every metric of page views."""
_PSEUDONYM = (
    "A visitor is a browser or device, not a person. Without a stored id a pseudonym is valid for one UTC day, so "
    "somebody who comes back another day is counted again."
)


def _people(hits: ir.Table) -> ir.BooleanValue:
    return ~hits.is_bot.fill_null(False)


def _pageviews(hits: ir.Table) -> ir.BooleanValue:
    return _people(hits) & (hits.kind == "pageview")


def _visits(sessions: ir.Table) -> ir.BooleanValue:
    return sessions.is_visit


def _converts(hits: ir.Table) -> ir.BooleanValue:
    return hits.event.isin(CONVERSIONS)


visitors = Metric(
    name="visitors",
    title="Visitors",
    mart=_HITS,
    needs=(PAGE_VIEW, _VISITOR),
    kind="distinct",
    unit="count",
    where=_pageviews,
    value=lambda hits: distinct(hits.visitor_id),
    definition="Distinct visitor ids with a page view in the window, bots left out.",
    better="higher",
    owner="marketing",
    caveat=_PSEUDONYM,
    action="Split it by channel and source to see who sent fewer or more, then look at their landing pages.",
    section="web_traffic",
)

current_visitors = Metric(
    name="current_visitors",
    title="Visitors now",
    mart=_HITS,
    needs=(_VISITOR,),
    kind="distinct",
    unit="count",
    where=_people,
    value=lambda hits: distinct(hits.visitor_id),
    last_seconds=300,
    definition="Distinct visitors with any hit in the 300 seconds before as_of, bots left out.",
    better="neutral",
    owner="marketing",
    caveat="At the report's as_of, not at the time of reading.",
    action="Nothing by itself; a zero in daytime means that no hits arrive: check the last row of the source.",
    section="web_traffic",
)

pageviews = Metric(
    name="pageviews",
    title="Page views",
    mart=_HITS,
    needs=(PAGE_VIEW,),
    kind="flow",
    unit="count",
    where=_pageviews,
    value=lambda hits: hits.count(),
    definition="Page views by the time of each, bots left out.",
    better="higher",
    owner="marketing",
    caveat="A reload counts again; many views do not mean that people like it.",
    action="Check whether visits moved with it; if not, views per visit did: look at the entry pages.",
    section="web_traffic",
)

events = Metric(
    name="events",
    title="Events",
    mart=_HITS,
    kind="flow",
    unit="count",
    where=_people,
    value=lambda hits: hits.count(),
    definition="Page views and named events by the time of each, bots left out.",
    better="neutral",
    owner="product",
    caveat="Tracking a new event raises it without more activity.",
    action="Split it by event: a jump or a gap in one of them is usually a change of tracking.",
    section="web_traffic",
)

sessions = Metric(
    name="sessions",
    title="Sessions",
    mart=_VISITS,
    needs=(_VISITOR,),
    kind="flow",
    unit="count",
    value=lambda sessions: sessions.count(),
    definition="Sessions by their first hit: hits of one visitor with no gap longer than 1,800 s, bots left out.",
    better="higher",
    owner="product",
    caveat="Includes sessions without a page view (an app in the background); those with one are visits.",
    action="Compare it with visits: a growing difference is activity without page views.",
    section="web_traffic",
)

visits = Metric(
    name="visits",
    title="Visits",
    mart=_VISITS,
    needs=(PAGE_VIEW, _VISITOR),
    kind="flow",
    unit="count",
    where=_visits,
    value=lambda sessions: sessions.count(),
    definition="Sessions with at least one page view, by their first hit; a gap above 1,800 s starts a new one.",
    better="higher",
    owner="marketing",
    caveat="Midnight or a new campaign does not split a visit, as it does in some tools.",
    action="Split it by channel, then by source and campaign.",
    section="web_traffic",
)

bounce_rate = Metric(
    name="bounce_rate",
    title="Bounce rate",
    mart=_VISITS,
    needs=(PAGE_VIEW, _VISITOR),
    kind="ratio",
    unit="ratio",
    where=_visits,
    value=lambda sessions: ratio(number_where(sessions.is_bounce), sessions.count()),
    definition="Visits with exactly one page view over all visits.",
    better="lower",
    owner="marketing",
    caveat="A reader who finds everything on the first page bounces, too; events on that page make no difference.",
    action="Split it by entry page and channel, and compare the page with what the link promised.",
    section="web_traffic",
)

visit_duration = Metric(
    name="visit_duration",
    title="Visit duration",
    mart=_VISITS,
    needs=(PAGE_VIEW, _VISITOR),
    kind="ratio",
    unit="s",
    where=_visits,
    value=lambda sessions: ratio(total(sessions.duration_s), sessions.count()),
    definition="Mean of last hit minus first hit over all visits, bounces included as 0 s.",
    better="higher",
    owner="marketing",
    caveat="Too low, as the time on the last page is unknown.",
    action="Compare it with the bounce rate: often only the share of bounces moved.",
    section="web_traffic",
)

views_per_visit = Metric(
    name="views_per_visit",
    title="Views per visit",
    mart=_VISITS,
    needs=(PAGE_VIEW, _VISITOR),
    kind="ratio",
    unit="count",
    where=_visits,
    value=lambda sessions: ratio(total(sessions.pageviews), sessions.count()),
    definition="Page views of the visits over visits.",
    better="higher",
    owner="marketing",
    caveat="More pages can mean interest or a fruitless search. Includes views after the window of visits begun in it.",
    action="Look at the entry pages with the largest change.",
    section="web_traffic",
)

visit_conversion = Metric(
    name="visit_conversion",
    title="Visit conversion",
    mart=_VISITS,
    needs=(PAGE_VIEW, _VISITOR),
    kind="ratio",
    unit="ratio",
    where=_visits,
    marks=(Mark("converted", _HITS, "session_key", _converts),),
    value=lambda sessions: ratio(number_where(sessions.converted), sessions.count()),
    definition=f"Visits with at least one {' or '.join(CONVERSIONS)} over all visits.",
    better="higher",
    owner="marketing",
    caveat="A visit counts once, whatever it buys. A conversion on a later visit counts for that visit.",
    action="Split it by channel and device, then follow the funnel to the step that loses more.",
    section="web_traffic",
)

time_on_page = Metric(
    name="time_on_page",
    title="Time on page",
    mart=_HITS,
    needs=(PAGE_VIEW, _VISITOR),
    kind="ratio",
    unit="s",
    where=lambda hits: _pageviews(hits) & hits.seconds_to_next_view.notnull(),
    value=lambda hits: ratio(total(hits.seconds_to_next_view), hits.count()),
    definition="Mean time from a page view to the next one of the visit, over page views that have a next one.",
    better="neutral",
    owner="marketing",
    caveat="The last page of a visit has no time, so the pages on which people leave are left out.",
    action="Look at single pages: long on a guide is good, long on a form is not.",
    section="web_traffic",
)

bot_hits = Metric(
    name="bot_hits",
    title="Bot hits",
    mart=_HITS,
    kind="flow",
    unit="count",
    where=lambda hits: hits.is_bot,
    value=lambda hits: hits.count(),
    definition="Hits whose user agent names a bot; all other traffic metrics leave them out.",
    better="neutral",
    owner="engineering",
    caveat="Only bots that identify themselves: one that poses as a browser counts as a visitor.",
    action="Split it by path and browser; block the harmful ones.",
    section="web_traffic",
)

bot_share = Metric(
    name="bot_share",
    title="Bot share",
    mart=_HITS,
    kind="ratio",
    unit="ratio",
    value=lambda hits: ratio(number_where(hits.is_bot), hits.count()),
    definition="Bot hits over all hits.",
    better="neutral",
    owner="engineering",
    caveat="Only bots that identify themselves. A source that reports no bots (most tracking scripts) lowers it.",
    action="If it jumps, check whether visitors jumped as well: other bots may pose as browsers.",
    section="web_traffic",
)
