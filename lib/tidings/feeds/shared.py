"""The feeds that sources of any kind may share: orders, events, requests, vitals, access."""

from __future__ import annotations

from tidings.feeds.feed import MONEY, Feed
from tidings.schema import Column

# How shops and processors call what is settled, and what was called off.
_STATUSES = (
    *((word, "succeeded") for word in ("completed", "complete", "paid", "success", "successful")),
    ("cancelled", "canceled"),
)

# Where a hit came from.
_TRAFFIC = {
    "host": Column("string", "Host of the page."),
    "referrer_host": Column("string", "Host of the external referrer, null if internal or missing."),
    "source": Column("string", "Traffic source (5.2)."),
    "medium": Column("string", "Traffic medium (5.2)."),
    "channel": Column("string", "Channel (5.3)."),
    "campaign": Column("string", "utm_campaign."),
    "content": Column("string", "utm_content."),
    "term": Column("string", "utm_term."),
}

ORDERS = Feed(
    name="orders",
    doc="One line of an order, refund or other money movement.",
    grain="line of an order, refund or other money movement",
    row_key="line_key",
    row_key_doc="Source, order, type and line; without a line number its position.",
    key=("order_id", "type", "line_id"),
    apart=("status", "ts"),
    belongs=("order_id", "type"),
    columns={
        "order_id": Column("!string", "Number of the order or of the refund document."),
        "ts": Column("!timestamp(6)", "When it was charged or refunded."),
        "movement_id": Column(
            "string", "Id of the payment or refund itself; null: lines of one order, type, status and time are one."
        ),
        "line_id": Column("string", "Number of the line in the order; null: its position in the input."),
        "customer_id": Column("string", "Who bought; null counts in totals and in no customer metric.", personal=True),
        "product_id": Column("string", "Article number."),
        "product": Column("string", "Article name."),
        "category": Column("string", "Article group."),
        "quantity": Column("decimal(18, 4)", "Pieces, positive; 1 if not given."),
        "unit_price": Column(MONEY, "Price of one piece, tax included."),
        "amount": Column(
            f"!{MONEY}",
            "Line total, tax included, never negative; quantity x unit price if not given. "
            "A negative amount in the input is a refund of its absolute value.",
        ),
        "tax": Column(MONEY, "Tax inside the amount; 0 if not given."),
        "fee": Column(MONEY, "Processor's fee; 0 if not given."),
        "currency": Column("!string", "ISO code, upper case; the source's `currency` if not given."),
        "type": Column(
            "!string",
            "What kind of movement; `charge` if not given and the amount is not negative.",
            values=("charge", "refund", "chargeback", "payout", "transfer"),
        ),
        "status": Column(
            "!string",
            "`succeeded` if not given; `refunded` on a charge: it was charged, and the whole came back.",
            values=("succeeded", "pending", "failed", "canceled", "refunded"),
            synonyms=_STATUSES,
        ),
        "refunded_at": Column("timestamp(6)", "When a charge with status `refunded` came back; its own time if null."),
        "refund_of": Column("string", "Order that a refund or chargeback belongs to."),
        "origin": Column("string", "Where the revenue comes from (store, web, marketplace)."),
        "referrer_id": Column("string", "Who referred the buyer.", personal=True),
        "country": Column("string", "Country of the buyer, as given."),
    },
)

EVENTS = Feed(
    name="events",
    doc="One thing that a visitor or user did: a page view or a named event.",
    grain="event or page view",
    row_key="event_key",
    row_key_doc="Source and event id; without an id its position.",
    staged_doc="An event or page view, deduplicated, bots included.",
    key=("event_id",),
    keeps="first",
    pseudonyms=("visitor_id",),
    columns={
        "event_id": Column("string", "Id given by the sender; the first row of an id is kept."),
        "ts": Column("!timestamp(6)", "When it happened."),
        "event": Column("!string", "Name; `pageview` for page views."),
        "visitor_id": Column("string", "Pseudonym of the browser or device.", personal=True),
        "user_id": Column("string", "Who was signed in; null or empty counts in no user metric.", personal=True),
        "path": Column("string", "Path of the page, normalised as in metric definitions 4."),
        **_TRAFFIC,
        "country": Column("string", "ISO country code or as given."),
        "device": Column("string", "desktop, mobile, tablet or other."),
        "browser": Column("string", "Browser family."),
        "os": Column("string", "Operating system family."),
        "is_bot": Column("!boolean", "True for bots by user agent (11); excluded from every visitor metric."),
        "value": Column(MONEY, "Value of the event, if it has one."),
        "properties": Column("map<string, string>", "All other fields, as text."),
    },
)

REQUESTS = Feed(
    name="requests",
    doc="One call of a service: own endpoint or an outside provider.",
    grain="call of a service",
    row_key="request_key",
    row_key_doc="Source and request id; without an id its position.",
    staged_doc="A call of a service, deduplicated.",
    key=("request_id",),
    keeps="first",
    columns={
        "request_id": Column("string", "Id of the call."),
        "ts": Column("!timestamp(6)", "When it started."),
        "service": Column("!string", "Which of our services; the source's name if not given."),
        "provider": Column("string", "Who responded, null for our own."),
        "endpoint": Column("string", "Route or operation."),
        "method": Column("string", "HTTP method."),
        "status": Column("int64", "HTTP status; null or 0: no response."),
        "latency_ms": Column("float64", "Time to the response.", unit="ms", minimum=0),
        "response_bytes": Column("int64", "Size of the response.", unit="B", minimum=0),
        "tokens_in": Column("int64", "Tokens sent to a model.", minimum=0),
        "tokens_out": Column("int64", "Tokens received from a model.", minimum=0),
        "model": Column("string", "Model that responded."),
        "cost": Column("decimal(18, 8)", "What the call cost.", minimum=0),
        "currency": Column("string", "ISO code of the cost."),
        "country": Column("string", "Country of the caller."),
    },
)

VITALS = Feed(
    name="vitals",
    doc="One web-vital sample of one page view.",
    grain="web-vital sample",
    row_key="sample_key",
    row_key_doc="Source and sample id; without an id its position.",
    staged_doc="A web-vital sample of a page view, deduplicated.",
    key=("sample_id",),
    keeps="first",
    columns={
        "sample_id": Column("string", "Id of the sample."),
        "ts": Column("!timestamp(6)", "When it was measured."),
        "metric": Column("!string", "Which vital.", values=("LCP", "INP", "CLS", "FCP", "TTFB")),
        "value": Column("!float64", "Milliseconds; CLS has no unit.", minimum=0),
        "path": Column("string", "Path of the page."),
        "device": Column("string", "desktop, mobile, tablet or other."),
        "country": Column("string", "ISO country code or as given."),
    },
)

ACCESS = Feed(
    name="access",
    doc="One line of a web server's access log, the address replaced by a pseudonym.",
    grain="line of an access log",
    row_key="line_key",
    row_key_doc="Source and position: equal lines are separate requests.",
    staged_doc="A line of a web server's access log, bots and assets included.",
    key=("line_key",),
    keeps="first",
    columns={
        "line_key": Column("string", "Always null: equal lines are separate requests."),
        "ts": Column("!timestamp(6)", "When the request arrived."),
        "visitor_id": Column(
            "string",
            "Pseudonym of address and user agent for the UTC day (11); null if the log knows no address.",
            personal=True,
        ),
        "method": Column("string", "HTTP method."),
        "path": Column("string", "Path, normalised."),
        "query": Column("string", "Query string, redacted (11)."),
        "protocol": Column("string", "HTTP version."),
        "status": Column("int64", "HTTP status."),
        "response_bytes": Column("int64", "Size of the response.", unit="B", minimum=0),
        "is_page": Column("!boolean", "True for a successful GET of a page, not of an asset: counts as a page view."),
        **_TRAFFIC,
        "country": Column("string", "ISO country code, null without a country file."),
        "device": Column("string", "desktop, mobile, tablet or other."),
        "browser": Column("string", "Browser family."),
        "os": Column("string", "Operating system family."),
        "is_bot": Column("!boolean", "True for bots by user agent (11)."),
    },
)
