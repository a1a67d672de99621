"""Questions of the section on technical performance: the spread of latency, where errors occur, how fast pages are."""

from __future__ import annotations

from dataclasses import replace

import ibis
import ibis.expr.types as ir

from tidings.analysis.distribution import histogram, percentiles
from tidings.book import Book
from tidings.display import formats
from tidings.language import say, say_as
from tidings.metrics.measures import VITAL_BANDS, number_where, percentile, ratio
from tidings.metrics.registry import get
from tidings.metrics.result import Field, Result
from tidings.sections.groups import PANEL_POINTS
from tidings.window import period_start

LATENCY_EDGES = (5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0, 10_000.0)
FEWEST_REQUESTS = 100


def latency_spread(book: Book) -> Result:
    """Requests of the window by latency, one row per bin: from, to, requests; those without a latency are left out."""
    fields = (
        Field("lower", "From", "ms"),
        Field("upper", "To below", "ms"),
        Field("count", "Requests", "count"),
    )
    return book.ask("Latency", fields, histogram(_requests(book), "latency_ms", LATENCY_EDGES))


def errors_by_day(book: Book) -> Result:
    """Error rate by service and local day of the window (week, where that is long), one row per pair with requests."""
    rows, grain = _requests(book, "error_rate"), book.window.grain(PANEL_POINTS)
    days = rows.group_by("service", day=period_start(rows.local_ts, grain, book.zone.week_start)).aggregate(
        error_rate=ratio(number_where(rows.is_error), rows.count())
    )
    named = Field("day", say_as("period", "Day" if grain == "day" else f"{grain.capitalize()} from"), "date")
    fields = (named, Field("service", "Service"), Field("error_rate", "Error rate", "ratio"))
    return book.ask(say_as("error rate", f"Error rate by service and {grain}"), fields, days.order_by("day", "service"))


def slowest_endpoints(book: Book, top: int = 12) -> Result:
    """Endpoints by p95 latency, those with at least 100 requests in the window; the slowest first."""
    rows = _requests(book)
    rows = rows.filter(rows.endpoint.notnull(), rows.latency_ms.notnull())
    found = percentiles(rows, "latency_ms", ("service", "endpoint"), (0.5, 0.95, 0.99))
    found = found.filter(found.n >= FEWEST_REQUESTS).mutate(name=found.service + " " + found.endpoint)
    fields = (
        Field("service", "Service"),
        Field("endpoint", "Endpoint"),
        Field("name", "Endpoint"),
        Field("p95", "p95", "ms"),
        Field("p50", "p50", "ms"),
        Field("p99", "p99", "ms"),
        Field("n", "Requests", "count"),
    )
    result = book.ask("Slowest endpoints", fields, found.order_by(ibis.desc("p95"), "name").limit(top))
    keys = [{"service": str(service), "endpoint": str(endpoint)} for service, endpoint, *_ in result.rows]
    shown = replace(result, fields=result.fields[2:], rows=tuple(row[2:] for row in result.rows))
    return book.leading().of_metric(shown, get("latency_p95"), keys)


def statuses(book: Book) -> Result:
    """Requests and bytes by HTTP status over the window, those without a response included; most requests first.

    Only of sources that give a status: for others it is unknown whether there was a response.
    """
    rows = _requests(book, "error_rate")
    status = rows.status.fill_null(0)
    found = rows.group_by(status=ibis.ifelse(status == 0, say("no response"), status.cast("string"))).aggregate(
        requests=rows.count(), response_bytes=rows.response_bytes.sum().fill_null(0)
    )
    fields = (
        Field("status", "Status"),
        Field("requests", "Requests", "count"),
        Field("response_bytes", "Sent", "B"),
    )
    result = book.ask("Requests by status", fields, found.order_by(ibis.desc("requests"), "status"))
    keys = [{"status": str(row[0])} if str(row[0]).isdecimal() else None for row in result.rows]
    return book.leading().of_metric(result, get("requests"), keys)


def landed_rows(book: Book) -> Result:
    """What was landed for this section, one row per source and feed: rows, rejected rows, and facts about the load."""
    feeds = [feed for feed in book.context.warehouse.feeds if feed.feed in ("requests", "access", "vitals")]
    rows = tuple(
        (
            f"{feed.source} ({feed.feed})",
            feed.rows,
            feed.rejected,
            ", ".join(
                f"{formats.full(number, 'count')} {say_as('landed', name.replace('_', ' '))}"
                for name, number in feed.facts.items()
            ),
        )
        for feed in feeds
    )
    fields = (
        Field("source", "Source"),
        Field("rows", "Rows landed", "count"),
        Field("rejected", "Rejected", "count"),
        Field("facts", "Counted when landed"),
    )
    return Result("What was landed", fields, rows, book.context.provenance((), ("fct_requests", "fct_web_vitals")))


def vitals(book: Book, top: int = 12) -> Result:
    """p75 of LCP, INP and CLS by page, and whether it passes; pages with most samples first."""
    samples = book.mart("fct_web_vitals")
    samples = samples.filter(book.window.holds(samples.ts), samples.path.notnull())
    p75 = {
        vital.lower(): percentile((samples.metric == vital).ifelse(samples["value"], None), 0.75)
        for vital in ("LCP", "INP", "CLS")
    }
    pages = samples.group_by("path").aggregate(samples=samples.count(), **p75)
    known = pages.lcp.notnull() & pages.cls.notnull()
    good = [(pages[v.lower()] <= VITAL_BANDS[v][0]).fill_null(v == "INP") for v in ("LCP", "INP", "CLS")]
    pages = pages.mutate(passes=ibis.cases((~known, say("not known")), (ibis.and_(*good), say("yes")), else_=say("no")))
    fields = (
        Field("path", "Page"),
        Field("samples", "Samples", "count"),
        Field("lcp", "LCP p75", "ms"),
        Field("inp", "INP p75", "ms"),
        Field("cls", "CLS p75", "number"),
        Field("passes", "Passes"),
    )
    result = book.ask("Web vitals by page", fields, pages.order_by(ibis.desc("samples"), "path").limit(top))
    return book.leading().of_metric(result, get("lcp_p75"), [{"path": str(row[0])} for row in result.rows])


def _requests(book: Book, metric: str = "requests") -> ir.Table:
    return book.rows(metric) if book.results(metric) else book.rows("requests").limit(0)
