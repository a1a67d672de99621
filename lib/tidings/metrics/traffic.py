"""Who visits the site: metrics of hits, visitors and visits (metric definitions 4)."""

from __future__ import annotations

import ibis.expr.types as ir

from tidings.metrics.measures import distinct, number_where, ratio, total
from tidings.metrics.metric import Mark, Metric, Need

CONVERSIONS = ("purchase", "signup")

_VISITS = "fct_sessions"
_HITS = "fct_events"
_VISITOR = Need(("visitor_id",), "gives no visitor id", table=_HITS)
PAGE_VIEW = Need(("kind",), "has no event that is a page view", table=_HITS, value="pageview")
"""What every metric of page views needs: without an event called `pageview` there is none to count."""
_PSEUDONYM = (
    "A visitor is a browser or device, not a person; without a stored id a pseudonym holds for one UTC day, so that "
    "somebody who comes back another day is another visitor."
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
    caveat="As of the report's as_of, which is not the moment at which it is read.",
    action="Nothing by itself; a zero by day means that no hits arrive: look at the freshness of the source.",
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
    definition="Page views by their own time, bots left out.",
    better="higher",
    owner="marketing",
    caveat="A reload counts again; much seen is not much liked.",
    action="See whether visits moved with it, else views per visit did: look at the entry pages.",
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
    definition="Page views and named events by their own time, bots left out.",
    better="neutral",
    owner="product",
    caveat="A new event in the product raises it without anybody doing more.",
    action="Split it by event: a jump or a gap in one of them is mostly a change of tracking.",
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
    caveat="With those that saw no page (an app in the background); sessions with a page view are visits.",
    action="Compare it with visits: a gap that grows is activity without pages.",
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
    caveat="Midnight or a new campaign do not split a visit, as they do in some tools.",
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
    caveat="A reader who finds the answer on the first page bounces, too; events on that page do not matter.",
    action="Look at it by entry page and channel: which promise was not kept?",
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
    definition="Mean of last hit minus first hit over all visits, bounces included with 0 s.",
    better="higher",
    owner="marketing",
    caveat="The time on the last page is not known and not in it, so it understates.",
    action="Read it beside the bounce rate: often only the share of bounces moved.",
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
    caveat="More pages can mean interest or a search in vain; page views after the window's end are in, too.",
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
    caveat="A visit counts once however much it buys. Who converts on a later visit counts there.",
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
    caveat="The last page of a visit has no time, so pages on which people leave are not in it.",
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
    definition="Hits whose user agent says that it is a program; in no other figure of the traffic.",
    better="neutral",
    owner="engineering",
    caveat="Only bots that say so: a program that poses as a browser counts as a visitor.",
    action="Split it by path and browser; shut out what does harm.",
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
    caveat="Only bots that say so. A source that sends no bots (most scripts in a page) lowers it.",
    action="If it jumps, see whether visitors jumped as well: bots that pose as browsers come along.",
    section="web_traffic",
)
