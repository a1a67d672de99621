"""Users and when they were active (metric definitions C6 and 3)."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from tidings.feeds import EVENTS
from tidings.models.model import AsOf, model
from tidings.schema import Column


@model(
    grain="user",
    key=("user_id",),
    columns={
        "user_id": Column("!string", "Id of who signed in with an event or bought an order.", personal=True),
        "first_seen": Column("!timestamp(6)", "First event or order."),
        "last_seen": Column("!timestamp(6)", "Last event or order."),
        "first_order_at": Column("timestamp(6)", "First order; null without one."),
        "country": Column("string", "Country of the first session, else of the first order."),
        "device": Column("string", "Device of the first session."),
        "channel": Column("string", "Channel of the first visit."),
        "orders": Column("!int64", "Orders.", minimum=0),
        "events": Column("!int64", "Events and page views.", minimum=0),
    },
)
def dim_users(fct_events: ir.Table, fct_sessions: ir.Table, fct_orders: ir.Table) -> ir.Table:
    """A user with an id, from events (bots left out) and orders; a customer id and a user id are the same id."""
    active = fct_events.filter(fct_events.user_id.notnull(), ~fct_events.is_bot)
    active = active.group_by("user_id").aggregate(
        first_seen=active.ts.min(), last_seen=active.ts.max(), events=active.count()
    )
    bought = fct_orders.filter(fct_orders.customer_id.notnull())
    bought = bought.group_by(user_id=bought.customer_id).aggregate(
        first_order_at=bought.ts.min(),
        last_order_at=bought.ts.max(),
        order_country=bought.country.argmin(bought.order_number, where=bought.country.notnull()),
        orders=bought.count(),
    )
    visits = fct_sessions.filter(fct_sessions.user_id.notnull())
    oldest = ibis.window(group_by="user_id", order_by=[visits.is_visit.desc(), "ts", "session_key"])
    visits = visits.mutate(nth=ibis.row_number().over(oldest))
    first = visits.filter(visits.nth == 0)
    first = first.select(
        "user_id", "country", "device", channel=ibis.ifelse(first.is_visit, first.channel, ibis.null("string"))
    )
    seen = ibis.union(
        active.select("user_id", "first_seen", "last_seen"),
        bought.select("user_id", first_seen=bought.first_order_at, last_seen=bought.last_order_at),
    )
    users = seen.group_by("user_id").aggregate(first_seen=seen.first_seen.min(), last_seen=seen.last_seen.max())
    rows = users.left_join(active.select("user_id", "events"), "user_id")
    rows = rows.left_join(bought, "user_id").left_join(first, "user_id")
    rows = rows.select(
        *users.columns, "first_order_at", "order_country", "orders", "events", "country", "device", "channel"
    )
    return rows.mutate(
        country=ibis.coalesce(rows.country, rows.order_country),
        orders=rows.orders.fill_null(0),
        events=rows.events.fill_null(0),
    ).select(*dim_users.contract.columns)


def _hits(fct_events: ir.Table) -> ir.Table:
    """The events themselves, where an hour is too coarse."""
    hits = fct_events.filter(fct_events.user_id.notnull(), ~fct_events.is_bot)
    return hits.select("user_id", "ts", "country", "device")


@model(
    grain="user and active hour (UTC)",
    key=("user_id", "ts"),
    columns={
        "user_id": Column("!string", "Id of the user.", personal=True),
        "ts": Column("!timestamp(6)", "Start of the hour."),
        "events": Column("!int64", "Events and page views in that hour.", minimum=1),
        "country": EVENTS.columns["country"],
        "device": EVENTS.columns["device"],
    },
    fresh_hours=48,
    as_of=AsOf("hour", _hits),
)
def fct_user_hours(fct_events: ir.Table) -> ir.Table:
    """A user and an hour with at least one event, bots left out; country and device are those of the first event."""
    active = fct_events.filter(fct_events.user_id.notnull(), ~fct_events.is_bot)
    active = active.select(
        "user_id", "event_key", "country", "device", at=active.ts, ts=active.ts.truncate("h").cast("timestamp(6)")
    )
    hour = ["user_id", "ts"]
    active = active.mutate(
        events=active.count().over(ibis.window(group_by=hour)),
        nth=ibis.row_number().over(ibis.window(group_by=hour, order_by=["at", "event_key"])),
    )
    return active.filter(active.nth == 0).select("user_id", "ts", "events", "country", "device")
